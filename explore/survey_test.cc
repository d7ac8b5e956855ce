// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The programs on which schedule searches are compared: what a search finds in
// them is what brute force finds, and, where they are too large for that, what
// the reference finds.

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "explore/explore.h"
#include "explore/reference.h"
#include "explore/survey_programs.h"
#include "explore/toy.h"

namespace reapsim {
namespace {

constexpr uint64_t kManyStates = 1 << 20;

struct Row {
  const char* name;
  ToyProgram program;
  // Distinct ends, by what is in all words and registers.
  size_t ends;
  bool deadlocks = false;
};

// Small enough for every schedule, one by one.
const Row kSmall[] = {
    // One, the other, or both loads see the other task's store; never none.
    {"StoreBuffering", StoreBuffering(), 3},
    // x0 is 2, in two orders, or 1.
    {"LostUpdate", LostUpdate(), 3},
    // The lock makes one order of them: 2 or 3! ways.
    {"Lock2x10", LockProgram(2, 2, 2), 2},
    // All orders in which three can eat.
    {"PhilosophersInACircle", Philosophers(3, false), 6, true},
    {"PhilosophersInOrder", Philosophers(3, true), 6},
    {"Reap1Unmap1", ReapRace(1, 1), 10},
};

// What tells the ends of a reap race apart is who dropped which reference when
// (r0, r1), and what it saw in the word that it looked at last (r2).
const Row kLarge[] = {
    {"Lock3x13", LockProgram(3, 4, 3), 6},
    {"Reap1Unmap2", ReapRace(1, 2), 30},
    {"Reap2Unmap1", ReapRace(2, 1), 72},
    {"Reap2Unmap2", ReapRace(2, 2), 216},
    {"Reap2Unmap3", ReapRace(2, 3), 864},
    {"Reap3Unmap2", ReapRace(3, 2), 2232},
};

std::set<std::string> Ends(const Exploration& found) {
  std::set<std::string> ends;
  for (const auto& [outcome, count] : found.outcomes) {
    if (outcome[0] != '!') ends.insert(outcome);
  }
  return ends;
}

Exploration Search(const ToyProgram& program, Strategy strategy) {
  ToyWorld world(program);
  return Explore(world, {.strategy = strategy, .stop_at_failure = false});
}

// Whoever comes last frees, and nothing is freed twice.
void ExpectFreedOnce(const ToyProgram& program,
                     const std::set<std::string>& ends) {
  if (program.rw_locks == 0) return;  // no reap race
  for (const std::string& end : ends) {
    EXPECT_NE(end.find("x0=0 x1=0"), std::string::npos) << end;
    EXPECT_NE(end.find("x3=0 x4=0 x5=0 x6=1 x7=1 x8=1"), std::string::npos)
        << end;
  }
}

class SurveyTest : public ::testing::TestWithParam<Row> {};

TEST_P(SurveyTest, EndsAreThoseOfTheReference) {
  const Row& row = GetParam();
  const Exploration found = Search(row.program, Strategy::kStateful);
  EXPECT_TRUE(found.exhausted) << found.unexplored;
  const Reference reference(row.program, kManyStates);
  ASSERT_TRUE(reference.result().finished);
  std::set<std::string> expected;
  for (const auto& [end, preemptions] : reference.result().ends) {
    expected.insert(end);
  }
  EXPECT_EQ(Ends(found), expected);
  EXPECT_EQ(expected.size(), row.ends);
  ExpectFreedOnce(row.program, expected);
  EXPECT_EQ(reference.result().troubles.size(), row.deadlocks ? 1u : 0u);
  ASSERT_EQ(found.failure.has_value(), row.deadlocks);
  if (!row.deadlocks) return;
  EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kDeadlock);
}

std::string NameOf(const ::testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(AndBruteForce, SurveyTest, ::testing::ValuesIn(kSmall),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Alone, SurveyTest, ::testing::ValuesIn(kLarge),
                         NameOf);

class SmallSurveyTest : public ::testing::TestWithParam<Row> {};

TEST_P(SmallSurveyTest, EndsAreThoseOfBruteForce) {
  const Row& row = GetParam();
  const Exploration all = Search(row.program, Strategy::kBruteForce);
  EXPECT_TRUE(all.exhausted) << all.unexplored;
  EXPECT_EQ(Ends(all).size(), row.ends);
  EXPECT_EQ(Ends(all), Ends(Search(row.program, Strategy::kStateful)));
  EXPECT_EQ(all.failure.has_value(), row.deadlocks);
}

INSTANTIATE_TEST_SUITE_P(Each, SmallSurveyTest, ::testing::ValuesIn(kSmall),
                         NameOf);

// Seven tasks, some 300,000 states: too many for the reference. As many ends
// as these were found when the smaller ones agreed with it.
TEST(SurveyPrograms, ThreeReapersAndThreeUnmappersHaveAsManyEndsAsEver) {
  const ToyProgram program = ReapRace(3, 3);
  const Exploration found = Search(program, Strategy::kStateful);
  EXPECT_TRUE(found.exhausted) << found.unexplored;
  EXPECT_FALSE(found.failure.has_value());
  EXPECT_EQ(Ends(found).size(), 8928u);
  ExpectFreedOnce(program, Ends(found));
}

}  // namespace
}  // namespace reapsim
