// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/schedule.h"

#include <algorithm>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

absl::Status Expected(absl::string_view text, size_t at,
                      absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(
      "schedule \"", text, "\": character ", at + 1, ": expected ", what,
      "; a schedule is a list such as 31:5,40:e2, or - for the plain one"));
}

// Reads digits from text[*at] on; false if there are none or the number is too
// large.
bool ReadNumber(absl::string_view text, size_t* at, uint32_t limit,
                uint32_t* number) {
  const size_t begin = *at;
  uint64_t value = 0;
  while (*at < text.size() &&
         absl::ascii_isdigit(static_cast<unsigned char>(text[*at]))) {
    value = value * 10 + static_cast<uint64_t>(text[(*at)++] - '0');
    if (value >= limit) return false;
  }
  *number = static_cast<uint32_t>(value);
  return *at > begin;
}

}  // namespace

Choice PlainChoice(Choice last, const std::vector<Choice>& enabled) {
  return std::binary_search(enabled.begin(), enabled.end(), last)
             ? last
             : enabled.front();
}

bool IsPreemption(Choice last, Choice choice,
                  const std::vector<Choice>& enabled) {
  return choice != last &&
         std::binary_search(enabled.begin(), enabled.end(), last);
}

std::string FormatDeviations(const std::vector<Deviation>& deviations) {
  if (deviations.empty()) return "-";
  std::string text;
  for (const Deviation& d : deviations) {
    absl::StrAppend(&text, text.empty() ? "" : ",", d.step, ":",
                    IsEvent(d.choice) ? "e" : "",
                    IsEvent(d.choice) ? d.choice - kEventBase : d.choice);
  }
  return text;
}

absl::StatusOr<std::vector<Deviation>> ParseDeviations(absl::string_view text) {
  std::vector<Deviation> deviations;
  if (text == "-") return deviations;
  size_t at = 0;
  for (;;) {
    Deviation d{};
    size_t begin = at;
    if (!ReadNumber(text, &at, UINT32_MAX, &d.step)) {
      return Expected(text, begin, "the number of a step");
    }
    if (!deviations.empty() && d.step <= deviations.back().step) {
      return Expected(text, begin, "a later step than the one before");
    }
    if (at == text.size() || text[at] != ':') return Expected(text, at, "':'");
    ++at;
    const bool event = at < text.size() && text[at] == 'e';
    if (event) ++at;
    begin = at;
    uint32_t number = 0;
    if (!ReadNumber(text, &at, kEventBase - 1, &number)) {
      return Expected(text, begin,
                      "the number of a task, or e and that of an "
                      "event");
    }
    d.choice = static_cast<Choice>(event ? kEventBase + number : number);
    deviations.push_back(d);
    if (at == text.size()) return deviations;
    if (text[at] != ',') return Expected(text, at, "',' or the end");
    ++at;
  }
}

}  // namespace reapsim
