// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/axis.h"

#include <algorithm>
#include <bit>
#include <cstddef>

#include "absl/numeric/int128.h"
#include "absl/strings/str_cat.h"
#include "report/text.h"

namespace reapsim {
namespace {

struct Unit {
  uint64_t size;
  const char* name;
};
constexpr Unit kTimes[] = {
    {1'000'000'000, "s"}, {1'000'000, "ms"}, {1'000, "us"}, {1, "ns"}};
constexpr Unit kSizes[] = {{uint64_t{1} << 30, "GiB"},
                           {uint64_t{1} << 20, "MiB"},
                           {uint64_t{1} << 10, "KiB"},
                           {1, "B"}};

uint64_t PowerOf10(uint32_t exponent) {
  uint64_t power = 1;
  while (exponent-- > 0) power *= 10;
  return power;
}

uint64_t MulDiv(uint64_t a, uint64_t b, uint64_t c) {
  return absl::Uint128Low64(absl::uint128(a) * b / c);
}

// value / unit with so many decimals, rounded.
std::string Decimal(uint64_t value, uint64_t unit, uint32_t decimals) {
  const uint64_t power = PowerOf10(decimals);
  const uint64_t scaled =
      absl::Uint128Low64((absl::uint128(value) * power + unit / 2) / unit);
  std::string text = Grouped(static_cast<int64_t>(scaled / power));
  if (decimals > 0) {
    const std::string fraction = absl::StrCat(scaled % power);
    absl::StrAppend(&text, ".", std::string(decimals - fraction.size(), '0'),
                    fraction);
  }
  return text;
}

// The largest unit of which there is at least one.
template <size_t kCount>
const Unit& UnitFor(uint64_t value, const Unit (&units)[kCount]) {
  for (const Unit& unit : units) {
    if (value >= unit.size) return unit;
  }
  return units[kCount - 1];
}

template <size_t kCount>
std::string InUnits(uint64_t value, const Unit (&units)[kCount]) {
  const Unit& unit = UnitFor(value, units);
  uint32_t decimals = 0;
  if (value % unit.size != 0) {
    decimals = value < 10 * unit.size ? 2 : value < 100 * unit.size ? 1 : 0;
  }
  return absl::StrCat(Decimal(value, unit.size, decimals), " ", unit.name);
}

// The smallest of 1, 2, 5, 10, 20 ... that is at least `least`.
uint64_t RoundStep(uint64_t least) {
  uint64_t power = 1;
  for (;;) {
    for (const uint64_t digit : {1, 2, 5}) {
      if (power * digit >= least) return power * digit;
    }
    power *= 10;
  }
}

// The same of 1, 2, 4, 8 ...
uint64_t BinaryStep(uint64_t least) {
  return std::bit_ceil(std::max<uint64_t>(least, 1));
}

// How many decimals a multiple of `step` has in units of `unit`.
uint32_t DecimalsOf(uint64_t step, uint64_t unit) {
  uint32_t decimals = 0;
  while (decimals < 9 && step * PowerOf10(decimals) % unit != 0) ++decimals;
  return decimals;
}

// 4096 times the logarithm to base 2, rounded down; of 0: 0.
uint64_t Log2(uint64_t value) {
  if (value == 0) return 0;
  const int whole = std::bit_width(value) - 1;
  uint64_t result = static_cast<uint64_t>(whole);
  // The rest, as a number from 1 to 2 with 31 bits behind the point.
  uint64_t rest = whole > 31 ? value >> (whole - 31) : value << (31 - whole);
  constexpr int kBits = 12;
  for (int i = 0; i < kBits; ++i) {
    rest = rest * rest >> 31;
    const uint64_t bit = rest >> 32;
    rest >>= bit;
    result = result * 2 + bit;
  }
  return result;
}

}  // namespace

std::string DurationText(uint64_t ns) { return InUnits(ns, kTimes); }
std::string BytesText(uint64_t bytes) { return InUnits(bytes, kSizes); }

uint32_t LinearAxis::PixelOf(uint64_t value, uint32_t length) const {
  const uint64_t at = std::clamp(value, low, high);
  if (logarithmic) {
    return static_cast<uint32_t>((Log2(at) - Log2(low)) * length /
                                 (Log2(high) - Log2(low)));
  }
  return static_cast<uint32_t>(MulDiv(at - low, length, high - low));
}

LinearAxis BytesAxis(uint64_t low, uint64_t high, uint32_t ticks) {
  LinearAxis axis;
  if (low < high - low) low = 0;
  const uint64_t step =
      std::max<uint64_t>(4096, BinaryStep((high - low + ticks - 1) / ticks));
  axis.low = low / step * step;
  axis.high = std::max(axis.low + step, (high + step - 1) / step * step);
  for (uint64_t at = axis.low; at <= axis.high; at += step) {
    axis.ticks.push_back({at, at == 0 ? "0" : BytesText(at)});
  }
  return axis;
}

LinearAxis DurationAxis(uint64_t least, uint64_t most) {
  LinearAxis axis;
  constexpr uint64_t kFar = 50;
  axis.logarithmic = least > 0 && most / least > kFar;
  if (axis.logarithmic) {
    axis.low = 1;
    while (axis.low * 10 <= least) axis.low *= 10;
    uint64_t at = axis.low;
    for (; at < most; at *= 10) axis.ticks.push_back({at, DurationText(at)});
    axis.ticks.push_back({at, DurationText(at)});
    axis.high = at;
    return axis;
  }
  constexpr uint64_t kTicks = 5;
  const uint64_t step =
      RoundStep(std::max<uint64_t>(1, (most + kTicks - 1) / kTicks));
  for (uint64_t at = 0;; at += step) {
    axis.ticks.push_back({at, at == 0 ? "0" : DurationText(at)});
    axis.high = at;
    if (at >= most && at > 0) return axis;
  }
}

TimeAxis TimeAxisOf(uint64_t begin_ns, uint64_t end_ns, uint64_t zero_ns,
                    uint32_t most) {
  TimeAxis axis;
  const uint64_t step =
      RoundStep(std::max<uint64_t>(1, (end_ns - begin_ns) / most + 1));
  const uint64_t farthest =
      std::max(zero_ns > begin_ns ? zero_ns - begin_ns : 0,
               end_ns > zero_ns ? end_ns - zero_ns : 0);
  const Unit& unit = UnitFor(std::max<uint64_t>(farthest / 2, 1), kTimes);
  axis.unit = unit.name;
  const uint32_t decimals = DecimalsOf(step, unit.size);
  // Before zero, then from zero on.
  const auto add = [&](uint64_t at, uint64_t distance, bool before) {
    if (at < begin_ns || at > end_ns) return;
    axis.ticks.push_back(
        {at, absl::StrCat(before ? "-" : "",
                          Decimal(distance, unit.size, decimals))});
  };
  if (zero_ns > begin_ns) {
    for (uint64_t back = (zero_ns - begin_ns) / step * step; back > 0;
         back -= step) {
      add(zero_ns - back, back, true);
    }
  }
  const uint64_t from =
      zero_ns >= begin_ns ? 0 : (begin_ns - zero_ns + step - 1) / step * step;
  for (uint64_t on = from; zero_ns + on <= end_ns; on += step) {
    add(zero_ns + on, on, false);
  }
  return axis;
}

}  // namespace reapsim
