// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/estimate.h"

#include <cstdint>

#include "explore/explore.h"
#include "explore/survey_programs.h"
#include "explore/toy.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

TEST(EstimateTest, KnowsNothingAtFirst) {
  Estimate estimate;
  EXPECT_FALSE(estimate.left());
  estimate.Note(100, .1);
  estimate.Note(200, .2);
  EXPECT_FALSE(estimate.left());
}

TEST(EstimateTest, IsSureOfAnEvenPace) {
  Estimate estimate;
  for (uint64_t tenth = 1; tenth <= 4; ++tenth) {
    estimate.Note(100 * tenth, .1 * static_cast<double>(tenth));
  }
  ASSERT_TRUE(estimate.left());
  // Six tenths are left, of 100 steps each.
  EXPECT_NEAR(static_cast<double>(estimate.left()->low), 600, 1);
  EXPECT_NEAR(static_cast<double>(estimate.left()->high), 600, 1);
}

TEST(EstimateTest, LiesBetweenThePaceSinceTheBeginningAndThatOfLate) {
  Estimate estimate;
  estimate.Note(100, .1);
  estimate.Note(500, .1);  // a long first branch
  estimate.Note(750, .3);
  estimate.Note(1000, .6);
  ASSERT_TRUE(estimate.left());
  // Of late, five tenths in the 500 steps since step 500: 400 for the last
  // four. Over all, six tenths in 1000 steps: 667.
  EXPECT_NEAR(static_cast<double>(estimate.left()->low), 400, 1);
  EXPECT_NEAR(static_cast<double>(estimate.left()->high), 667, 1);
}

TEST(EstimateTest, SaysNothingWhileNothingMoves) {
  Estimate estimate;
  for (uint64_t steps = 100; steps <= 1000; steps += 100) {
    estimate.Note(steps, .5);
  }
  EXPECT_FALSE(estimate.left());
}

// The share never falls, and comes near to all of it.
TEST(EstimateTest, FollowsASearchToItsEnd) {
  for (const Strategy strategy :
       {Strategy::kStateful, Strategy::kBruteForce, Strategy::kRandom}) {
    ToyWorld world(strategy == Strategy::kBruteForce ? LockProgram(2, 3, 2)
                                                     : ReapRace(3, 2));
    double explored = 0;
    int told = 0;
    (void)Explore(world, {.strategy = strategy,
                          .on_progress = [&](const Progress& progress) {
                            EXPECT_GE(progress.explored, explored);
                            EXPECT_LE(progress.explored, 1);
                            explored = progress.explored;
                            told++;
                          }});
    EXPECT_GT(told, 3) << static_cast<int>(strategy);
    EXPECT_GT(explored, .5) << static_cast<int>(strategy);
  }
}

}  // namespace
}  // namespace reapsim
