// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/amount.h"

#include <cstddef>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

struct Unit {
  absl::string_view name;
  uint64_t size;
};

constexpr Unit kSizes[] = {{"TiB", uint64_t{1} << 40},
                           {"GiB", uint64_t{1} << 30},
                           {"MiB", uint64_t{1} << 20},
                           {"KiB", uint64_t{1} << 10},
                           {"B", 1}};
constexpr Unit kTimes[] = {
    {"s", 1'000'000'000}, {"ms", 1'000'000}, {"us", 1'000}, {"ns", 1}};

constexpr uint64_t kHalf = uint64_t{1} << 63;

// Splits "2.5ms" into its number and its unit.
absl::string_view NumberOf(absl::string_view text, absl::string_view* unit) {
  size_t end = 0;
  while (end < text.size() &&
         (absl::ascii_isdigit(text[end]) || text[end] == '.')) {
    ++end;
  }
  *unit = text.substr(end);
  return text.substr(0, end);
}

template <size_t kUnits>
const Unit* FindUnit(const Unit (&units)[kUnits], absl::string_view name) {
  for (const Unit& unit : units) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

// number * unit, of a number with decimals; false unless it comes out whole,
// and below 2^63.
bool ParseDecimal(absl::string_view number, uint64_t unit, uint64_t* product) {
  const size_t dot = number.find('.');
  uint64_t whole = 0;
  if (!ParseCount(number.substr(0, dot), &whole)) return false;
  uint64_t sum = 0;
  if (__builtin_mul_overflow(whole, unit, &sum)) return false;
  if (dot != absl::string_view::npos) {
    const absl::string_view decimals = number.substr(dot + 1);
    if (decimals.empty()) return false;
    for (char digit : decimals) {
      if (!absl::ascii_isdigit(digit) || unit % 10 != 0) return false;
      unit /= 10;
      const uint64_t part = static_cast<uint64_t>(digit - '0') * unit;
      if (__builtin_add_overflow(sum, part, &sum)) return false;
    }
  }
  if (sum >= kHalf) return false;
  *product = sum;
  return true;
}

// number / unit, which leaves at most three decimals.
std::string PrintDecimal(uint64_t number, uint64_t unit) {
  std::string text = absl::StrCat(number / unit);
  uint64_t rest = number % unit;
  if (rest == 0) return text;
  text += '.';
  while (rest != 0) {
    unit /= 10;
    absl::StrAppend(&text, rest / unit);
    rest %= unit;
  }
  return text;
}

}  // namespace

bool ParseCount(absl::string_view text, uint64_t* count) {
  if (text.empty()) return false;
  uint64_t sum = 0;
  for (char digit : text) {
    if (!absl::ascii_isdigit(digit) || __builtin_mul_overflow(sum, 10, &sum) ||
        __builtin_add_overflow(sum, static_cast<uint64_t>(digit - '0'), &sum)) {
      return false;
    }
  }
  *count = sum;
  return true;
}

bool ParseSize(absl::string_view text, uint64_t* bytes) {
  absl::string_view name;
  const absl::string_view number = NumberOf(text, &name);
  uint64_t count = 0;
  if (!ParseCount(number, &count)) return false;
  if (name.empty() && count == 0) {
    *bytes = 0;
    return true;
  }
  const Unit* unit = FindUnit(kSizes, name);
  uint64_t product = 0;
  if (unit == nullptr || __builtin_mul_overflow(count, unit->size, &product)) {
    return false;
  }
  *bytes = product;
  return true;
}

std::string PrintSize(uint64_t bytes) {
  if (bytes == 0) return "0";
  for (const Unit& unit : kSizes) {
    if (bytes % unit.size == 0) {
      return absl::StrCat(bytes / unit.size, unit.name);
    }
  }
  return absl::StrCat(bytes, "B");
}

bool ParseDuration(absl::string_view text, uint64_t* ns) {
  absl::string_view name;
  const absl::string_view number = NumberOf(text, &name);
  if (number == "0" && name.empty()) {
    *ns = 0;
    return true;
  }
  const Unit* unit = FindUnit(kTimes, name);
  return unit != nullptr && ParseDecimal(number, unit->size, ns);
}

std::string PrintDuration(uint64_t ns) {
  if (ns == 0) return "0";
  for (const Unit& unit : kTimes) {
    const bool three_decimals =
        unit.size < 1000 || ns % (unit.size / 1000) == 0;
    if (ns >= unit.size && three_decimals) {
      return absl::StrCat(PrintDecimal(ns, unit.size), unit.name);
    }
  }
  return absl::StrCat(ns, "ns");
}

bool ParseThousandths(absl::string_view text, uint64_t* thousandths) {
  return ParseDecimal(text, 1000, thousandths);
}

std::string PrintThousandths(uint64_t thousandths) {
  return PrintDecimal(thousandths, 1000);
}

}  // namespace reapsim
