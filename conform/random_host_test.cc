// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_host.h"

#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "conform/host_machine.h"
#include "conform/random_run.h"
#include "conform/random_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class RandomHostTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status can = HostCanConform();
    if (!can.ok()) GTEST_SKIP() << can;
  }
};

TEST_F(RandomHostTest, AFewVictimsAgree) {
  const auto tally =
      RunRandom({.seed = 1, .victims = 150}, RealSides(HostRelease()));
  ASSERT_TRUE(tally.ok()) << tally.status();
  EXPECT_EQ(tally->disagree, 0u);
  for (const RandomFinding& finding : tally->findings) {
    ADD_FAILURE() << "victim " << finding.index << "\n"
                  << VictimText(finding.victim)
                  << ::testing::PrintToString(finding.differences);
  }
  EXPECT_GE(tally->with_errors, tally->victims / 3);
}

TEST_F(RandomHostTest, EachKindOfStepCanBePlayed) {
  RandomMemories memories;
  HostLacks lacks;
  const RandomRun run = PlayVictimOnHost(AllKinds(), &memories, &lacks);
  ASSERT_TRUE(run.status.ok()) << run.status;
  EXPECT_EQ(run.calls.size(), 13u);
  EXPECT_THAT(run.broken, IsEmpty());
  EXPECT_THAT(lacks, IsEmpty());
  EXPECT_EQ(memories.size(), 3u);
}

TEST_F(RandomHostTest, TheModelThatForgetsARuleDisagrees) {
  const RandomVictim victim = {
      {TestMake(StepKind::kCloneVm, 0, 1), TestStep(StepKind::kSeize),
       TestStep(StepKind::kKill, 0, SIGKILL), TestCall()}};
  RandomSides sides = RealSides(HostRelease());
  HostLacks lacks;
  EXPECT_THAT(PlayBoth(victim, sides, &lacks).differences, IsEmpty());
  sides.model = [](const RandomVictim& whole, const RandomMemories& memories) {
    RandomVictim alone = whole;
    alone.steps.erase(alone.steps.begin());
    return PlayVictimOnModel(alone, memories, "v6.18");
  };
  EXPECT_FALSE(PlayBoth(victim, sides, &lacks).differences.empty());
}

// The harness is more important than all others meanwhile, and must not stay
// so.
TEST_F(RandomHostTest, AfterAPauseTheHarnessIsWhatItWas) {
  cpu_set_t before;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  RandomMemories memories;
  HostLacks lacks;
  const RandomRun run =
      PlayVictimOnHost({{TestStep(StepKind::kPause),
                         TestStep(StepKind::kKill, 0, SIGKILL), TestCall()}},
                       &memories, &lacks);
  if (absl::IsPermissionDenied(run.status)) GTEST_SKIP() << run.status;
  ASSERT_TRUE(run.status.ok()) << run.status;
  EXPECT_EQ(run.calls[0].ret, 0);
  cpu_set_t after;
  ASSERT_EQ(sched_getaffinity(0, sizeof after, &after), 0);
  EXPECT_TRUE(CPU_EQUAL(&before, &after));
  EXPECT_EQ(sched_getscheduler(0), SCHED_OTHER);
}

}  // namespace
}  // namespace reapsim
