// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_shrink.h"

#include <signal.h>

#include <algorithm>
#include <cstdint>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

bool Has(const RandomVictim& victim, StepKind kind) {
  return std::any_of(victim.steps.begin(), victim.steps.end(),
                     [=](const RandomStep& step) { return step.kind == kind; });
}

// The first victim of which that is true.
template <class Fn>
RandomVictim FirstWith(const Fn& fn) {
  for (uint64_t i = 0;; ++i) {
    RandomVictim victim = DrawVictim(1, i);
    if (fn(victim)) return victim;
  }
}

constexpr int kEnough = 10'000;

TEST(ShrinkVictimTest, NoStepIsLeftThatIsNotNeeded) {
  const auto fails = [](const RandomVictim& victim) {
    return Has(victim, StepKind::kCloneVm) && Has(victim, StepKind::kKill) &&
           Has(victim, StepKind::kRemap);
  };
  const RandomVictim victim = FirstWith(fails);
  ASSERT_GT(victim.steps.size(), 3u);
  const RandomVictim small = ShrinkVictim(victim, kEnough, fails);
  EXPECT_TRUE(fails(small));
  EXPECT_EQ(small.steps.size(), 3u) << VictimText(small);
}

TEST(ShrinkVictimTest, NumbersBecomeAsSmallAsTheyCan) {
  const auto fails = [](const RandomVictim& victim) {
    return std::any_of(victim.steps.begin(), victim.steps.end(),
                       [](const RandomStep& step) {
                         return step.kind == StepKind::kMap && step.pages >= 5;
                       });
  };
  const RandomVictim small = ShrinkVictim(FirstWith(fails), kEnough, fails);
  ASSERT_EQ(small.steps.size(), 1u);
  EXPECT_EQ(small.steps[0].what,
            static_cast<uint32_t>(RandomMapping::kAnonymous));
  EXPECT_EQ(small.steps[0].task, 0);
  // Halves of halves: 5 to 8 have no half of 5 or more.
  EXPECT_LT(small.steps[0].pages, 10);
}

TEST(ShrinkVictimTest, ATaskGoesAndItsMakerDoesWhatItDid) {
  const RandomVictim victim = {
      {{.kind = StepKind::kThread, .task = 0, .id = 1},
       {.kind = StepKind::kKill, .task = 1, .what = SIGKILL},
       {.kind = StepKind::kCall, .task = 1, .id = 1}}};
  // As if whom it names had to be there.
  const RandomVictim small =
      ShrinkVictim(victim, kEnough, [](const RandomVictim& each) {
        bool made[kMaxRandomTasks] = {true};
        bool killed = false;
        for (const RandomStep& step : each.steps) {
          if (!made[step.task]) return false;
          if (step.kind == StepKind::kThread) made[step.id] = true;
          if (step.kind == StepKind::kKill) killed = true;
          if (step.kind == StepKind::kCall && killed) return true;
        }
        return false;
      });
  EXPECT_EQ(VictimText(small),
            "the harness sends SIGKILL to task 0's process\n"
            "the harness calls process_mrelease(the pidfd of task 0's process, "
            "0)\n");
}

TEST(ShrinkVictimTest, TheSimplestSignalAndCallAreTriedFirst) {
  const RandomVictim victim = {
      {{.kind = StepKind::kVfork, .task = 0, .id = 1},
       {.kind = StepKind::kTgkill, .task = 1, .what = SIGTERM},
       {.kind = StepKind::kCall, .task = 1, .id = 1, .what = 1, .flags = 1}}};
  const RandomVictim small = ShrinkVictim(
      victim, kEnough,
      [](const RandomVictim& each) { return each.steps.size() == 3; });
  EXPECT_EQ(VictimText(small),
            "task 0 makes task 1, a process with the same memory\n"
            "the harness sends SIGKILL to task 0's process\n"
            "the harness calls process_mrelease(the pidfd of task 0's process, "
            "0)\n");
}

TEST(ShrinkVictimTest, ItIsNotTriedMoreOftenThanAllowed) {
  const RandomVictim victim = DrawVictim(1, 1);
  int asked = 0;
  const RandomVictim small =
      ShrinkVictim(victim, 7, [&](const RandomVictim& /*each*/) {
        ++asked;
        return false;
      });
  EXPECT_EQ(asked, 7);
  EXPECT_EQ(small, victim);
}

TEST(ShrinkVictimTest, NothingMayBeLeft) {
  const RandomVictim small = ShrinkVictim(
      DrawVictim(1, 1), kEnough, [](const RandomVictim&) { return true; });
  EXPECT_TRUE(small.steps.empty());
}

}  // namespace
}  // namespace reapsim
