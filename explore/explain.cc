// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/explain.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace reapsim {
namespace {

// Of a long turn, the first and the last steps.
constexpr size_t kShownSteps = 6;

std::string NameOf(const Failure& failure, uint32_t fiber) {
  return fiber < failure.names.size() ? failure.names[fiber]
                                      : absl::StrCat("task ", fiber);
}

std::string Step(const TraceEntry& entry) {
  return absl::StrFormat(
      "  %5d  %-28s %s\n", entry.step,
      absl::StrCat(entry.source.file, ":", entry.source.line),
      PointName(entry.point));
}

}  // namespace

std::string DescribeFailure(const Failure& failure) {
  std::string text = absl::StrCat(failure.verdict.ToString(), "\n");
  const std::vector<TraceEntry>& trace = failure.trace;
  for (size_t begin = 0; begin < trace.size();) {
    size_t end = begin;
    while (end < trace.size() && trace[end].fiber == trace[begin].fiber) ++end;
    absl::StrAppend(&text, NameOf(failure, trace[begin].fiber), ":\n");
    for (size_t i = begin; i < end; ++i) {
      const bool shown = i < begin + kShownSteps || i + kShownSteps >= end;
      if (shown) {
        absl::StrAppend(&text, Step(trace[i]));
      } else if (i == begin + kShownSteps) {
        absl::StrAppend(&text, "         ... ", end - begin - 2 * kShownSteps,
                        " more\n");
      }
    }
    begin = end;
  }
  absl::StrAppend(&text, failure.preemptions, " preemption",
                  failure.preemptions == 1 ? "" : "s",
                  failure.fewest_preemptions ? ", the fewest that fail" : "",
                  "\n");
  if (failure.point_of_no_return >= 0) {
    absl::StrAppend(&text, "after choice ", failure.point_of_no_return, " of ",
                    failure.schedule.size(), " every schedule fails\n");
  }
  absl::StrAppend(&text, "schedule: ", FormatDeviations(failure.deviations),
                  "\n");
  return text;
}

std::ostream& operator<<(std::ostream& out, const Exploration& exploration) {
  if (exploration.failure) {
    return out << "fails:\n" << DescribeFailure(*exploration.failure);
  }
  if (!exploration.exhausted) {
    return out << "unexplored: " << exploration.unexplored;
  }
  out << "holds in every schedule (" << exploration.states << " states)";
  if (!exploration.races.empty()) out << "; races: " << exploration.races;
  return out;
}

}  // namespace reapsim
