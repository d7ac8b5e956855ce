// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/reference.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "explore/random_program.h"
#include "explore/survey_programs.h"

namespace reapsim {
namespace {

constexpr uint64_t kManyStates = 1 << 20;

// Programs that go wrong in one way only, known by thought alone.
struct Known {
  const char* name;
  ToyProgram program;
  Trouble trouble;
  int preemptions;
  size_t ends;
};

ToyProgram Tasks(std::vector<std::vector<Instruction>> tasks) {
  return {.words = {0, 0},
          .locks = 2,
          .rw_locks = 1,
          .cells = 1,
          .tasks = std::move(tasks)};
}

ToyProgram WithInvariant(ToyProgram program, int16_t limit) {
  program.invariants.push_back({.left = 0, .right = 1, .limit = limit});
  return program;
}

std::vector<Instruction> RaiseAndLower(uint8_t word) {
  return {{.what = Do::kStore, .object = word, .value = 1},
          {.what = Do::kStore, .object = word, .value = 0}};
}

const std::vector<Known>& Programs() {
  static const auto* programs = new std::vector<Known>{
      // The one that went second must be stopped with its first fork in hand;
      // whoever waits then gives way by itself.
      {"PhilosophersInACircle",
       Philosophers(3, false),
       {VerdictKind::kDeadlock, "0 1 2"},
       1,
       6},
      {"AwaitingWhatNobodyWrites",
       Tasks({{{.what = Do::kAwait, .value = 1}},
              {{.what = Do::kStore, .object = 1, .value = 1}}}),
       {VerdictKind::kDeadlock, "0"},
       0,
       0},
      // Each raises its flag and lowers it: both are up only if the first is
      // stopped in between.
      {"BothFlagsUp",
       WithInvariant(Tasks({RaiseAndLower(0), RaiseAndLower(1)}), 1),
       {VerdictKind::kInvariantBroken, ToyInvariantText(0)},
       1,
       1},
      {"UnlockingWhatIsFree",
       Tasks({{{.what = Do::kUnlock}}}),
       {VerdictKind::kInvariantBroken, kToyNotHeld},
       0,
       0},
      {"UnlockingWhatAnotherHolds",
       Tasks({{{.what = Do::kLock}}, {{.what = Do::kUnlock}}}),
       {VerdictKind::kInvariantBroken, kToyNotHeld},
       0,
       0},
      {"KeepingALock",
       Tasks({{{.what = Do::kLock}}}),
       {VerdictKind::kLeak, kToyLeak},
       0,
       0},
      {"KeepingAReadLock",
       Tasks({{{.what = Do::kDownRead}}}),
       {VerdictKind::kLeak, kToyLeak},
       0,
       0},
      {"WritingWhileOneReads",
       Tasks({{{.what = Do::kDownRead}, {.what = Do::kDownWrite}}}),
       {VerdictKind::kDeadlock, "0"},
       0,
       0},
      // If schedules needed not be fair, spinning for a flag that another
      // task raises would be one, too.
      {"SpinningForWhatNobodyWrites",
       Tasks({{{.what = Do::kLoad},
               {.what = Do::kJumpIf, .value = 0, .target = 0}}}),
       {VerdictKind::kLivelock, "0"},
       0,
       0},
      // The check fails if the other's update, begun before the store, ends
      // after it: two switches that nobody needed. Else the update comes
      // before, has no effect yet, or builds on the store, seen or not.
      {"CheckingForALostStore",
       Tasks(
           {{{.what = Do::kLoad}, {.what = Do::kStoreReg, .value = 1}},
            {{.what = Do::kStore, .value = 5},
             {.what = Do::kLoad},
             {.what = Do::kCheck, .compare = Compare::kAtLeast, .value = 5}}}),
       {VerdictKind::kWrongResult, kToyWrongResult},
       2,
       4},
  };
  return *programs;
}

class ReferenceTest : public ::testing::TestWithParam<Known> {};

TEST_P(ReferenceTest, FindsTheTroubleAndNoOther) {
  const Known& known = GetParam();
  const Reference reference(known.program, kManyStates);
  const ReferenceResult& result = reference.result();
  ASSERT_TRUE(result.finished);
  ASSERT_EQ(result.troubles.size(), 1u) << ToString(known.program);
  EXPECT_EQ(ToString(result.troubles.begin()->first), ToString(known.trouble));
  EXPECT_EQ(result.troubles.begin()->second, known.preemptions);
  EXPECT_EQ(result.ends.size(), known.ends) << ToString(known.program);
}

INSTANTIATE_TEST_SUITE_P(, ReferenceTest, ::testing::ValuesIn(Programs()),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

TEST(Reference, SpinningForWhatAnotherWritesIsNoLivelock) {
  const ToyProgram program = Tasks(
      {{{.what = Do::kLoad}, {.what = Do::kJumpIf, .value = 0, .target = 0}},
       {{.what = Do::kStore, .value = 1}}});
  const Reference reference(program, kManyStates);
  EXPECT_TRUE(reference.result().troubles.empty());
  EXPECT_EQ(reference.result().ends.size(), 1u);
}

// Two tasks that each take one lock, try the other, and let go again if it is
// taken, can do so in step for ever.
TEST(Reference, BackingOffInStepIsALivelock) {
  const auto polite = [](uint8_t first, uint8_t second) {
    return std::vector<Instruction>{
        {.what = Do::kLock, .object = first},
        {.what = Do::kTryLock, .object = second},
        {.what = Do::kJumpIf, .value = 1, .target = 5},
        {.what = Do::kUnlock, .object = first},
        {.what = Do::kJump, .target = 0},
        {.what = Do::kUnlock, .object = second},
        {.what = Do::kUnlock, .object = first}};
  };
  const ToyProgram program = Tasks({polite(0, 1), polite(1, 0)});
  const Reference reference(program, kManyStates);
  ASSERT_EQ(reference.result().troubles.size(), 1u);
  EXPECT_EQ(ToString(reference.result().troubles.begin()->first),
            "livelock: 0 1");
  EXPECT_EQ(reference.result().ends.size(), 1u);
}

TEST(Reference, FollowsOneSchedule) {
  const ToyProgram program = Philosophers(2, false);
  const Reference reference(program, kManyStates);
  // One after the other.
  const Reference::Run good = reference.Follow({0, 0, 0, 0, 0, 1, 1, 1, 1, 1});
  EXPECT_EQ(good.impossible, "");
  EXPECT_FALSE(good.trouble.has_value());
  EXPECT_TRUE(good.end.has_value());
  EXPECT_FALSE(good.doomed_by.has_value());
  EXPECT_EQ(good.preemptions, 0);
  // Each with one fork: lost with the second fork that is taken, step 1.
  const Reference::Run bad = reference.Follow({0, 1});
  ASSERT_TRUE(bad.trouble.has_value());
  EXPECT_EQ(ToString(*bad.trouble), "deadlock: 0 1");
  EXPECT_EQ(bad.doomed_by, 1u);
  EXPECT_EQ(bad.preemptions, 1);
  EXPECT_EQ(reference.Follow({0, 1, 1}).impossible, "P1 can't make step 2");
}

// The two ways are two programs; what one would miss the other sees.
TEST(Reference, BothWaysAgreeOnRandomPrograms) {
  int compared = 0;
  int in_trouble = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    const ToyProgram program = RandomProgram(seed);
    if (HasLoop(program)) continue;
    const Reference by_state(program, kManyStates);
    ASSERT_TRUE(by_state.result().finished);
    const ReferenceResult by_schedule = AllSchedules(program, 2000);
    if (!by_schedule.finished) continue;
    compared++;
    if (!by_schedule.troubles.empty()) in_trouble++;
    ASSERT_EQ(by_schedule.ends, by_state.result().ends) << ToString(program);
    ASSERT_EQ(by_schedule.troubles, by_state.result().troubles)
        << ToString(program);
  }
  // Fixed by the seeds; what matters is that they are many.
  EXPECT_GT(compared, 100);
  EXPECT_GT(in_trouble, 30);
}

TEST(Reference, SaysThatItDidNotFinish) {
  EXPECT_FALSE(AllSchedules(LostUpdate(), 5).finished);
  EXPECT_TRUE(AllSchedules(LostUpdate(), 6).finished);
  EXPECT_FALSE(Reference(LostUpdate(), 12).result().finished);
  EXPECT_TRUE(Reference(LostUpdate(), 13).result().finished);
}

struct Refused {
  const char* name;
  ToyProgram program;
  const char* problem;
};

class ToyProgramTest : public ::testing::TestWithParam<Refused> {};

TEST_P(ToyProgramTest, IsRefusedWithAReason) {
  EXPECT_EQ(ProblemOf(GetParam().program), GetParam().problem);
}

INSTANTIATE_TEST_SUITE_P(
    , ToyProgramTest,
    ::testing::Values(
        Refused{"WithoutInstructions", Tasks({{}}),
                "P0 does not begin visibly"},
        Refused{"BeginningLocally", Tasks({{{.what = Do::kSet}}}),
                "P0 does not begin visibly"},
        Refused{"NamingNoWord", Tasks({{{.what = Do::kLoad, .object = 2}}}),
                "P0:0: no such object"},
        Refused{"NamingNoLock", Tasks({{{.what = Do::kLock, .object = 2}}}),
                "P0:0: no such object"},
        Refused{"NamingNoRegister", Tasks({{{.what = Do::kLoad, .reg = 3}}}),
                "P0:0: no such register"},
        Refused{
            "JumpingAway",
            Tasks({{{.what = Do::kLoad}, {.what = Do::kJump, .target = 3}}}),
            "P0:1: jumps past the end"},
        Refused{
            "LoopingLocally",
            Tasks({{{.what = Do::kLoad}, {.what = Do::kJump, .target = 1}}}),
            "P0:1: a loop does not begin with a visible instruction"},
        Refused{"WithAnInvariantOfNoWord",
                {.words = {0}, .invariants = {{.left = 0, .right = 1}}},
                "an invariant of no word"},
        Refused{"BrokenFromTheStart",
                {.words = {1, 1},
                 .invariants = {{.left = 0, .right = 1, .limit = 1}}},
                "an invariant is broken at the start"}),
    [](const auto& info) { return std::string(info.param.name); });

// The numbers of executions follow from the programs: two tasks of two steps
// each can be interleaved in 4! / (2! 2!) = 6 ways. Where locks make tasks
// wait, both ways of the reference agree on what there is.
TEST(SurveyPrograms, HaveKnownEnds) {
  EXPECT_EQ(AllSchedules(StoreBuffering(), 10).executions, 6u);
  EXPECT_EQ(AllSchedules(LostUpdate(), 10).executions, 6u);
  // Not both loads see 0, since every execution is sequentially consistent.
  EXPECT_EQ(Reference(StoreBuffering(), 100).result().ends.size(), 3u);
  // Both updates in either order, or one lost.
  EXPECT_EQ(Reference(LostUpdate(), 100).result().ends.size(), 3u);
  // Whoever comes first reads 0 and 1, the next 2 and 3 ...: n! orders.
  EXPECT_EQ(Reference(LockProgram(2, 2, 2), 1000).result().ends.size(), 2u);
  EXPECT_EQ(Reference(LockProgram(3, 4, 3), 10000).result().ends.size(), 6u);
}

}  // namespace
}  // namespace reapsim
