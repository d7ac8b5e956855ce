// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_group.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr RandomStep kCall = {.kind = StepKind::kCall, .id = kHarness};

RandomStep Step(StepKind kind, uint8_t task = 0, uint32_t what = 0) {
  return {.kind = kind, .task = task, .what = what};
}
RandomStep Makes(StepKind kind, uint8_t task, uint8_t id) {
  return {.kind = kind, .task = task, .id = id};
}

// Task 0 where the case says; task 1 is its thread, parked.
struct Case {
  std::string name;
  Stand stand;
  RandomStep step;
  bool can;
};

class CanDoTest : public ::testing::TestWithParam<Case> {};

TEST_P(CanDoTest, DependsOnWhereTheTaskStands) {
  RandomGroup group;
  group.Note(Makes(StepKind::kThread, 0, 1));
  group.standings()[0].stand = GetParam().stand;
  EXPECT_EQ(group.CanDo(GetParam().step), GetParam().can);
}

INSTANTIATE_TEST_SUITE_P(
    Steps, CanDoTest,
    ::testing::Values(
        Case{"ParkedMaps", Stand::kParked, Step(StepKind::kMap), true},
        Case{"StoppedMaps", Stand::kStopped, Step(StepKind::kMap), false},
        Case{"NobodyMaps", Stand::kParked, Step(StepKind::kMap, 5), false},
        Case{"BeyondTheTable", Stand::kParked,
             Step(StepKind::kMap, kMaxRandomTasks), false},
        Case{"NumberTaken", Stand::kParked, Makes(StepKind::kFork, 0, 1),
             false},
        Case{"NumberFree", Stand::kParked, Makes(StepKind::kFork, 0, 2), true},
        Case{"NumberTooLarge", Stand::kParked,
             Makes(StepKind::kFork, 0, kMaxRandomTasks), false},
        Case{"SeizeInVfork", Stand::kVfork, Step(StepKind::kSeize), true},
        Case{"SeizeStopped", Stand::kStopped, Step(StepKind::kSeize), false},
        Case{"KillStopped", Stand::kStopped, Step(StepKind::kKill, 0, SIGTERM),
             true},
        Case{"KillZombie", Stand::kZombie, Step(StepKind::kKill, 0, SIGTERM),
             false},
        Case{"ContParked", Stand::kParked, Step(StepKind::kCont), false},
        Case{"ContTraceStop", Stand::kTraceStop, Step(StepKind::kCont), true},
        Case{"ContEventExit", Stand::kEventExit, Step(StepKind::kCont), true},
        Case{"ReapParked", Stand::kParked, Step(StepKind::kReap), false},
        Case{"ReapZombie", Stand::kZombie, Step(StepKind::kReap), true},
        Case{"ReapGone", Stand::kGone, Step(StepKind::kReap), false},
        Case{"ExitParked", Stand::kParked, Step(StepKind::kExit), true},
        Case{"ExitHeld", Stand::kEventExit, Step(StepKind::kExitGroup), false},
        Case{"CallOnGone", Stand::kGone, kCall, true},
        Case{"CallByParked", Stand::kParked, Makes(StepKind::kCall, 0, 0),
             true},
        Case{"CallByZombie", Stand::kZombie, Makes(StepKind::kCall, 0, 0),
             false},
        Case{"CallByNobody", Stand::kParked, Makes(StepKind::kCall, 0, 100),
             false}),
    [](const auto& info) { return info.param.name; });

TEST(RandomGroupTest, NobodyIsSeizedTwice) {
  RandomGroup group;
  group.Note(Step(StepKind::kSeize));
  EXPECT_FALSE(group.CanDo(Step(StepKind::kSeize)));
}

TEST(RandomGroupTest, WhoTakesSigcontIsNotLeftToChance) {
  RandomGroup group;
  const RandomStep cont = Step(StepKind::kKill, 0, SIGCONT);
  group.Note(Makes(StepKind::kThread, 0, 1));
  group.Note(Makes(StepKind::kCloneVm, 0, 2));
  EXPECT_TRUE(group.CanDo(cont));
  group.Note(Step(StepKind::kSeize, 0));
  EXPECT_FALSE(group.CanDo(cont));
  EXPECT_TRUE(group.CanDo(Step(StepKind::kKill, 0, SIGTERM)));
  EXPECT_TRUE(group.CanDo(Step(StepKind::kTgkill, 0, SIGCONT)));
  // Another process.
  EXPECT_TRUE(group.CanDo(Step(StepKind::kKill, 2, SIGCONT)));
  group.Note(Step(StepKind::kSeize, 1));
  EXPECT_TRUE(group.CanDo(cont));
}

TEST(RandomGroupTest, AfterACallMemoryIsLeftAlone) {
  RandomGroup group;
  group.Note(kCall);
  EXPECT_FALSE(group.CanDo(Step(StepKind::kMap)));
  EXPECT_FALSE(group.CanDo(Step(StepKind::kSeize)));
  // A handler would write to the stack.
  EXPECT_FALSE(group.CanDo(Step(StepKind::kKill, 0, SIGTERM)));
  EXPECT_TRUE(group.CanDo(Step(StepKind::kKill, 0, SIGKILL)));
  EXPECT_TRUE(group.CanDo(Step(StepKind::kExit)));
  group.standings()[0].stand = Stand::kTraceStop;
  EXPECT_FALSE(group.CanDo(Step(StepKind::kCont)));
  EXPECT_TRUE(group.CanDo(kCall));
}

TEST(RandomGroupTest, AfterThePauseSignalsAreAllThatHappens) {
  RandomGroup group;
  group.Note(Step(StepKind::kPause));
  EXPECT_TRUE(group.CanDo(Step(StepKind::kKill, 0, SIGTERM)));
  EXPECT_TRUE(group.CanDo(kCall));
  EXPECT_FALSE(group.CanDo(Makes(StepKind::kCall, 0, 0)));
  EXPECT_FALSE(group.CanDo(Step(StepKind::kExit)));
  EXPECT_FALSE(group.CanDo(Step(StepKind::kSeize)));
  EXPECT_FALSE(group.CanDo(Step(StepKind::kPause)));
  group.standings()[0].stand = Stand::kEventExit;
  EXPECT_FALSE(group.CanDo(Step(StepKind::kCont)));
  group.standings()[0].stand = Stand::kZombie;
  EXPECT_FALSE(group.CanDo(Step(StepKind::kReap)));
}

TEST(RandomGroupTest, MemoryIsOfWhoeverWasForked) {
  RandomGroup group;
  group.Note(Makes(StepKind::kFork, 0, 1));
  group.Note(Makes(StepKind::kThread, 1, 2));
  group.Note(Makes(StepKind::kVfork, 1, 3));
  EXPECT_EQ(group.memory(1), 1);
  EXPECT_EQ(group.memory(2), 1);
  EXPECT_EQ(group.memory(3), 1);
  EXPECT_EQ(group.process(2), 1);
  EXPECT_EQ(group.process(3), 3);
  EXPECT_EQ(group.ReaderOf(1), 1);
  group.standings()[1].stand = Stand::kZombie;
  EXPECT_EQ(group.ReaderOf(1), 2);
  group.standings()[2].stand = Stand::kGone;
  group.standings()[3].stand = Stand::kGone;
  EXPECT_EQ(group.ReaderOf(1), -1);
}

// A machine in which nobody moves but for those whom a step names.
class FakeMachine : public RandomMachine {
 public:
  absl::Status Do(const RandomStep& step,
                  const RandomGroup& /*group*/) override {
    done.push_back(step.kind);
    if (step.kind == StepKind::kKill) stands[step.task] = {Stand::kZombie};
    return status;
  }
  Standing Look(int task, const RandomGroup& /*group*/) override {
    const auto found = stands.find(task);
    return found == stands.end() ? Standing{Stand::kParked} : found->second;
  }
  absl::StatusOr<SeenCall> Call(const RandomStep& /*step*/,
                                const RandomGroup& /*group*/) override {
    if (!call_status.ok()) return call_status;
    SeenCall call;
    call.ret = ret;
    return call;
  }

  std::vector<StepKind> done;
  std::map<int, Standing> stands;
  absl::Status status;
  absl::Status call_status;
  int64_t ret = 0;
};

const RandomVictim kKilled = {
    {Step(StepKind::kKill, 0, SIGKILL), Step(StepKind::kExit), kCall}};

TEST(PlayVictimTest, StepsThatCannotBeMadeAreLeftOut) {
  FakeMachine machine;
  const RandomRun run = PlayVictim(kKilled, machine);
  EXPECT_TRUE(run.status.ok());
  EXPECT_THAT(run.done, ElementsAre(true, false, true));
  EXPECT_THAT(machine.done, ElementsAre(StepKind::kKill));
  ASSERT_EQ(run.calls.size(), 1u);
  EXPECT_EQ(run.standings[2][0].stand, Stand::kZombie);
}

TEST(PlayVictimTest, AFailedStepEndsIt) {
  FakeMachine machine;
  machine.status = absl::InternalError("no");
  EXPECT_EQ(PlayVictim(kKilled, machine).status, machine.status);
}

TEST(PlayVictimTest, AFailedCallEndsIt) {
  FakeMachine machine;
  machine.call_status = absl::InternalError("no");
  EXPECT_EQ(PlayVictim(kKilled, machine).status, machine.call_status);
}

RandomRun Killed(FakeMachine machine = FakeMachine()) {
  return PlayVictim(kKilled, machine);
}

TEST(CompareRunsTest, TheSameAgrees) {
  EXPECT_THAT(CompareRuns(kKilled, Killed(), Killed()), IsEmpty());
}

TEST(CompareRunsTest, AnotherAnswerIsADifference) {
  FakeMachine other;
  other.ret = -EINVAL;
  EXPECT_THAT(CompareRuns(kKilled, Killed(), Killed(other)),
              ElementsAre("call 1: host 0, model EINVAL"));
}

TEST(CompareRunsTest, AnotherPlaceIsADifferenceTheFirstTime) {
  RandomRun other = Killed();
  other.standings[0][0] = {Stand::kTraceStop, SIGTERM};
  other.standings[1][0] = {Stand::kParked};
  EXPECT_THAT(
      CompareRuns(kKilled, Killed(), other),
      ElementsAre("after \"the harness sends SIGKILL to task 0's process\": "
                  "task 0 is: host a zombie, model stopped for its tracer "
                  "(SIGTERM)"));
}

TEST(CompareRunsTest, MemoryThatIsMissingIsADifference) {
  RandomRun host = Killed();
  host.calls[0].memory[0] = {};
  EXPECT_THAT(CompareRuns(kKilled, host, Killed()),
              ElementsAre("call 1: memory of task 0: the model has none"));
}

TEST(CompareRunsTest, MemoryThatDiffersIsADifference) {
  RandomRun host = Killed();
  SeenMemory& seen = host.calls[0].memory[0];
  seen.host_before.status.locked_kib = 8;
  seen.host_after.status.locked_kib = 4;
  RandomRun model = Killed();
  model.calls[0].memory[0] = {};
  EXPECT_THAT(CompareRuns(kKilled, host, model),
              ElementsAre("call 1: memory of task 0: VmLck changes by -4 KiB, "
                          "in the model by 0 KiB"));
}

TEST(CompareRunsTest, WhatMustNotBeIsADifference) {
  RandomRun host = Killed();
  host.broken = {"this"};
  RandomRun model = Killed();
  model.broken = {"that"};
  EXPECT_THAT(CompareRuns(kKilled, host, model),
              ElementsAre("host: this", "model: that"));
}

TEST(CompareRunsTest, AModelThatFailsIsADifference) {
  RandomRun model;
  model.status = absl::InternalError("no");
  EXPECT_THAT(CompareRuns(kKilled, Killed(), model),
              ElementsAre("the model fails: no"));
}

}  // namespace
}  // namespace reapsim
