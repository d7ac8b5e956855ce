// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Matchers for what a search has found.
//
//   EXPECT_THAT(Explore(world), HoldsInEverySchedule());
//   EXPECT_THAT(Explore(world), FailsWith(VerdictKind::kUseAfterFree, "S3"));
//
// A failure prints the shortest schedule that was found, turn by turn.
#ifndef REAPSIM_EXPLORE_MATCHERS_H_
#define REAPSIM_EXPLORE_MATCHERS_H_

#include <gmock/gmock.h>

#include <string>
#include <string_view>

#include "explore/explain.h"
#include "explore/explore.h"

namespace reapsim {

// No verdict, and nothing left out of what the options asked for: with a bound
// of preemptions, of all schedules within it; in a shard, of its part. Random
// strategies never try every schedule, so that this never matches.
MATCHER(HoldsInEverySchedule,
        negation ? "fails in some schedule" : "holds in every schedule") {
  const Exploration& found = arg;
  if (!found.exhausted && !found.failure) {
    *result_listener << "in which no schedule that was tried fails, but not "
                        "every one was: "
                     << found.unexplored;
  }
  return found.exhausted && !found.failure;
}

// Whether `text` begins with `begin`, and a number at the end of that is the
// whole number: "S1" does not begin "S17: ...".
inline bool BeginsWith(std::string_view text, std::string_view begin) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (text.substr(0, begin.size()) != begin) return false;
  const bool number = !begin.empty() && is_digit(begin.back());
  return !number || text.size() == begin.size() ||
         !is_digit(text[begin.size()]);
}

// Some schedule ends with a verdict of that kind whose text begins so.
MATCHER_P2(FailsWith, kind, begin,
           std::string(negation ? "doesn't fail with " : "fails with ") +
               VerdictName(kind) + ": " + begin) {
  const Exploration& found = arg;
  return found.failure && found.failure->verdict.kind == kind &&
         BeginsWith(found.failure->verdict.what, begin);
}

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_MATCHERS_H_
