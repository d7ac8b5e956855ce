// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_run.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "conform/random_print.h"
#include "conform/random_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

RandomRun Model(const RandomVictim& victim, const RandomMemories& memories) {
  return PlayVictimOnModel(victim, memories, "v6.18");
}

// The model in the place of the host, without a look at memory.
RandomSides ModelTwice() {
  RandomSides sides;
  sides.host = [](const RandomVictim& victim, RandomMemories* /*memories*/,
                  HostLacks* /*lacks*/) { return Model(victim, {}); };
  sides.model = Model;
  return sides;
}

bool HasKind(const RandomVictim& victim, StepKind kind) {
  return std::any_of(victim.steps.begin(), victim.steps.end(),
                     [=](const RandomStep& step) { return step.kind == kind; });
}

TEST(RunRandomTest, AModelAgreesWithItself) {
  std::vector<uint64_t> told;
  const auto tally =
      RunRandom({.seed = 1,
                 .victims = 200,
                 .progress = [&](uint64_t done) { told.push_back(done); }},
                ModelTwice());
  ASSERT_TRUE(tally.ok());
  EXPECT_EQ(tally->victims, 200u);
  EXPECT_EQ(tally->agree, 200u);
  EXPECT_EQ(tally->disagree, 0u);
  EXPECT_THAT(tally->findings, IsEmpty());
  // What the comparison is for: at least a third returns something else, and a
  // third 0.
  EXPECT_GE(tally->with_errors, 67u);
  EXPECT_GE(tally->returns.at("0"), 67u);
  EXPECT_EQ(told.size(), 10u);
  EXPECT_EQ(told.back(), 200u);
}

// A model without the walk through those who share the memory.
TEST(RunRandomTest, AWrongModelIsFoundAndTheVictimMadeSmall) {
  RandomSides sides = ModelTwice();
  sides.model = [](const RandomVictim& victim,
                   const RandomMemories& /*memories*/) {
    RandomVictim alone = victim;
    for (RandomStep& step : alone.steps) {
      if (step.kind == StepKind::kCloneVm) step.kind = StepKind::kFork;
    }
    return Model(alone, {});
  };
  const auto tally =
      RunRandom({.seed = 1, .victims = 150, .version = "v6.18"}, sides);
  ASSERT_TRUE(tally.ok());
  EXPECT_GT(tally->disagree, 3u);
  EXPECT_EQ(tally->agree + tally->disagree, 150u);
  ASSERT_EQ(tally->findings.size(), 3u);
  for (const RandomFinding& finding : tally->findings) {
    EXPECT_FALSE(finding.once_only);
    // A sharer, one who is held and killed, the call.
    EXPECT_LE(finding.victim.steps.size(), 4u) << VictimText(finding.victim);
    EXPECT_TRUE(HasKind(finding.victim, StepKind::kCloneVm));
    EXPECT_THAT(finding.differences,
                ElementsAre("call 1: host EINVAL, model 0"));
    EXPECT_THAT(finding.test, HasSubstr("-EINVAL"));
  }
}

TEST(RunRandomTest, ADifferenceThatDoesNotComeAgainIsSaidToBeOne) {
  RandomSides sides = ModelTwice();
  int played = 0;
  sides.model = [&](const RandomVictim& victim,
                    const RandomMemories& memories) {
    RandomRun run = Model(victim, memories);
    if (++played == 1) run.broken.push_back("once");
    return run;
  };
  const auto tally = RunRandom({.seed = 1, .victims = 3}, sides);
  ASSERT_TRUE(tally.ok());
  EXPECT_EQ(tally->disagree, 1u);
  ASSERT_EQ(tally->findings.size(), 1u);
  EXPECT_TRUE(tally->findings[0].once_only);
  EXPECT_THAT(tally->findings[0].differences, ElementsAre("model: once"));
  EXPECT_EQ(tally->findings[0].victim, DrawVictim(1, 0));
}

TEST(RunRandomTest, WhatTheHostLacksIsSkipped) {
  RandomSides sides = ModelTwice();
  sides.host = [](const RandomVictim& victim, RandomMemories* /*memories*/,
                  HostLacks* lacks) {
    (*lacks)["memfd_secret"] = "ENOSYS";
    RandomRun run = Model(victim, {});
    if (HasKind(victim, StepKind::kPause)) {
      run.status = absl::PermissionDeniedError("SCHED_FIFO: EPERM");
    }
    return run;
  };
  const auto tally = RunRandom({.seed = 1, .victims = 100}, sides);
  ASSERT_TRUE(tally.ok());
  const uint64_t skipped = tally->skipped.at("SCHED_FIFO: EPERM");
  EXPECT_GT(skipped, 0u);
  EXPECT_EQ(tally->victims, 100 - skipped);
  EXPECT_EQ(tally->agree, tally->victims);
  EXPECT_THAT(tally->lacks, ElementsAre(Pair("memfd_secret", "ENOSYS")));
}

TEST(RunRandomTest, AHostThatFailsIsAnErrorWithTheVictimsNumber) {
  RandomSides sides = ModelTwice();
  sides.host = [](const RandomVictim&, RandomMemories*, HostLacks*) {
    RandomRun run;
    run.status = absl::InternalError("no answer");
    return run;
  };
  EXPECT_EQ(RunRandom({.seed = 5, .first = 9, .victims = 2}, sides).status(),
            absl::InternalError(
                "victim 9 of seed 5 can't be played on the host: no answer"));
}

TEST(MatchTextTest, AllThatHappensIsSaid) {
  const RandomVictim victim = {
      {TestStep(StepKind::kSeize), TestStep(StepKind::kCont),
       TestStep(StepKind::kKill, 0, SIGKILL), TestCall()}};
  RandomMatch match;
  match.memories[0] = SmallMemory();
  match.host = Model(victim, match.memories);
  match.host.calls[0].memory[0].host_before = SmallMemory();
  match.model = match.host;
  EXPECT_EQ(MatchText(victim, match), R"(  the harness seizes task 0
  the harness lets task 0 go on with no signal (can't be done)
  the harness sends SIGKILL to task 0's process
    task 0: at PTRACE_EVENT_EXIT
  the harness calls process_mrelease(the pidfd of task 0's process, 0)
    host 0, model 0
    memory of task 0, Rss in KiB before and after:
      10000000-10003000 8 0
      20000000-20001000 4 4 /memfd:small (deleted)
)");
}

TEST(SmapsTextTest, ItIsReadAsWhatItWas) {
  const SmapsFile smaps = SmallMemory().smaps;
  const auto again = ParseSmaps(SmapsText(smaps), "again");
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_EQ(again->vmas.size(), smaps.vmas.size());
  for (size_t i = 0; i < smaps.vmas.size(); ++i) {
    const SmapsVma& was = smaps.vmas[i];
    const SmapsVma& is = again->vmas[i];
    EXPECT_EQ(is.start, was.start);
    EXPECT_EQ(is.end, was.end);
    EXPECT_EQ(is.permissions, was.permissions);
    EXPECT_EQ(is.offset, was.offset);
    EXPECT_EQ(is.dev_minor, was.dev_minor);
    EXPECT_EQ(is.inode, was.inode);
    EXPECT_EQ(is.name, was.name);
    EXPECT_EQ(is.kib, was.kib);
    EXPECT_EQ(is.vm_flags, was.vm_flags);
  }
}

}  // namespace
}  // namespace reapsim
