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

#include "explore/explain.h"
#include "explore/explore.h"

namespace reapsim {

// No verdict, and nothing left out.
MATCHER(HoldsInEverySchedule,
        negation ? "fails in some schedule" : "holds in every schedule") {
  const Exploration& found = arg;
  return found.exhausted && !found.failure;
}

// Some schedule ends with a verdict of that kind whose text begins so.
MATCHER_P2(FailsWith, kind, prefix,
           std::string(negation ? "doesn't fail with " : "fails with ") +
               VerdictName(kind) + ": " + prefix) {
  const Exploration& found = arg;
  return found.failure && found.failure->verdict.kind == kind &&
         found.failure->verdict.what.rfind(prefix, 0) == 0;
}

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_MATCHERS_H_
