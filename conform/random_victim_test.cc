// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_victim.h"

#include <cstdint>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint64_t kSome = 3000;

// If this fails, victims that were noted by seed and number are lost: say so
// in the change log.
TEST(RandomVictimTest, AVictimIsTheSameForEver) {
  EXPECT_EQ(VictimText(DrawVictim(7, 11)), R"(task 0 makes task 1, a thread
task 0 vforks task 2
task 2 maps 40 pages as mapping 0: System V, SHM_RDONLY
task 2 writes to mapping 0, 15 pages from 24: each
task 2 locks mapping 0, 40 pages from 0: mlock
task 2 maps 14 pages as mapping 1: System V
task 2 writes to mapping 1, 3 pages from 10: each
task 2 unlocks mapping 1, 1 pages from 13: munlock
task 2 remaps mapping 1, 11 pages from 0: lets it shrink
task 1 reads mapping 1, 7 pages from 7: each
task 0 makes task 3, a thread
task 1 reads mapping 0, 40 pages from 0: one in 6
task 1 maps 31 pages as mapping 2: shared anonymous
task 1 unmaps mapping 2, 22 pages from 2: munmap
task 0 maps 30 pages as mapping 3: private anonymous, MAP_LOCKED
task 0 writes to mapping 3, 30 pages from 0: one in 3
task 0 writes to mapping 3, 30 pages from 0: each
task 0 writes to mapping 3, 30 pages from 0: each
task 2 advises on mapping 0, 38 pages from 1: MADV_GUARD_INSTALL
task 3 makes task 4, a thread
task 4 forks task 5
task 1 advises on mapping 2, 31 pages from 0: MADV_NOHUGEPAGE
task 2 maps 3 pages as mapping 4: private anonymous, MAP_POPULATE
task 2 reads mapping 4, 3 pages from 0: each
task 0 writes to mapping 4, 1 pages from 2: each
the harness seizes task 0
the harness seizes task 1
the harness seizes task 2
the harness seizes task 3
the harness seizes task 4
the harness seizes task 5
the harness calls process_mrelease(the pidfd of task 0's process, 0)
the harness calls process_mrelease(the pidfd of task 4's process, 0)
)");
}

TEST(RandomVictimTest, SeedsAndNumbersGiveDifferentVictims) {
  EXPECT_EQ(DrawVictim(1, 2), DrawVictim(1, 2));
  EXPECT_FALSE(DrawVictim(1, 2) == DrawVictim(1, 3));
  EXPECT_FALSE(DrawVictim(1, 2) == DrawVictim(2, 2));
  // A seed is no number.
  EXPECT_FALSE(DrawVictim(1, 2) == DrawVictim(2, 1));
}

TEST(RandomVictimTest, EachKindOfStepIsDrawn) {
  std::set<StepKind> kinds;
  std::set<uint32_t> mappings;
  std::set<uint32_t> descriptors;
  for (uint64_t i = 0; i < kSome; ++i) {
    for (const RandomStep& step : DrawVictim(1, i).steps) {
      kinds.insert(step.kind);
      if (step.kind == StepKind::kMap) mappings.insert(step.what);
      if (step.kind == StepKind::kCall) descriptors.insert(step.what);
    }
  }
  EXPECT_EQ(kinds.size(), static_cast<size_t>(StepKind::kCall) + 1);
  EXPECT_EQ(mappings.size(), static_cast<size_t>(kRandomMappings));
  EXPECT_EQ(descriptors.size(), static_cast<size_t>(RandomFd::kSelfGroup) + 1);
}

TEST(RandomVictimTest, StepsNameOnlyWhatWasMadeBefore) {
  for (uint64_t i = 0; i < kSome; ++i) {
    int tasks = 1;
    int maps = 0;
    for (const RandomStep& step : DrawVictim(2, i).steps) {
      EXPECT_LT(step.task, tasks) << i << ": " << StepText(step);
      if (MakesTask(step.kind)) {
        EXPECT_EQ(step.id, tasks++);
      }
      if (step.kind == StepKind::kMap) {
        EXPECT_EQ(step.id, maps++);
      } else if (IsMemoryStep(step.kind)) {
        EXPECT_LT(step.map, maps) << i << ": " << StepText(step);
      }
    }
    EXPECT_LE(tasks, kMaxRandomTasks);
  }
}

TEST(RandomVictimTest, EveryVictimEndsWithACall) {
  for (uint64_t i = 0; i < kSome; ++i) {
    EXPECT_EQ(DrawVictim(3, i).steps.back().kind, StepKind::kCall) << i;
  }
}

TEST(RandomVictimTest, EachStepIsSaidInWords) {
  for (uint64_t i = 0; i < kSome; ++i) {
    EXPECT_THAT(VictimText(DrawVictim(4, i)), Not(HasSubstr("?"))) << i;
  }
}

TEST(RandomVictimTest, WhatIsNotDrawnIsSaidInNumbers) {
  EXPECT_EQ(StepText({.kind = StepKind::kKill, .what = 40}),
            "the harness sends signal 40 to task 0's process");
  EXPECT_EQ(StepText({.kind = StepKind::kAdvise, .what = 77, .pages = 2}),
            "task 0 advises on mapping 0, 2 pages from 0: advice 77");
  EXPECT_EQ(StepText({.kind = StepKind::kCall, .id = 3, .flags = 16}),
            "task 3 calls process_mrelease(the pidfd of task 0's process, "
            "0x10)");
}

}  // namespace
}  // namespace reapsim
