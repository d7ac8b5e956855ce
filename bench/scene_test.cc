// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "bench/scene.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "latency/latency.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kMs = 1'000'000;

// A victim of 16 MiB on one of two CPUs.
class SceneTest : public testing::Test {
 protected:
  SceneTest()
      : machine_(*LoadMachine("default")), profile_(*LoadProfile("host")) {
    scene_.machine = &machine_;
    scene_.profile = &profile_;
    scene_.shape = *ParseShape("anon=16MiB", "here");
  }

  SceneResult Ways(Reaping reaping) {
    scene_.reaping = reaping;
    SceneResult result = Play(scene_);
    EXPECT_EQ(result.problem, "");
    return result;
  }

  const Machine machine_;
  const CostProfile profile_;
  Scene scene_;
};

TEST_F(SceneTest, AKillAloneIsPaidForByTheVictim) {
  const SceneResult kill = Ways(Reaping::kKill);
  EXPECT_GT(kill.victim_cpu_ns, kill.back_ns * 9 / 10);
  EXPECT_EQ(kill.call_ns, 0u);
  EXPECT_LE(kill.back_ns, kill.gone_ns);
  // And what the standard image has.
  EXPECT_GE(kill.pages, 4096u);
}

TEST_F(SceneTest, MemoryOfAVictimThatCannotWakeIsPaidForByTheCaller) {
  scene_.state = SceneState::kDriver;
  scene_.state_ns = 500 * kMs;
  EXPECT_GT(Ways(Reaping::kKill).back_ns, 500 * kMs);
  const SceneResult call = Ways(Reaping::kCall);
  EXPECT_LT(call.back_ns, 10 * kMs);
  EXPECT_GT(call.gone_ns, 500 * kMs);
  EXPECT_GT(call.reaper_cpu_ns, call.victim_cpu_ns);
  EXPECT_EQ(call.reaped, 1u);
}

TEST_F(SceneTest, OnlyAV1FreezerKeepsAKilledVictim) {
  scene_.state = SceneState::kFrozen1;
  scene_.state_ns = 500 * kMs;
  EXPECT_GT(Ways(Reaping::kKill).back_ns, 500 * kMs);
  EXPECT_LT(Ways(Reaping::kCall).back_ns, 10 * kMs);
  scene_.state = SceneState::kFrozen2;
  EXPECT_LT(Ways(Reaping::kKill).back_ns, 10 * kMs);
}

TEST_F(SceneTest, WhoHoldsTheMemoryPaysForTheExit) {
  scene_.pinned_ns = 500 * kMs;
  const SceneResult kill = Ways(Reaping::kKill);
  EXPECT_LT(kill.gone_ns, 1 * kMs);
  EXPECT_GT(kill.back_ns, 500 * kMs);
  EXPECT_GT(kill.other_cpu_ns, kill.victim_cpu_ns);
  EXPECT_LT(Ways(Reaping::kCall).back_ns, 10 * kMs);
}

TEST_F(SceneTest, APoolCallsForAllAndLmkdsRuleForWhatItHasThreadsFor) {
  scene_.victims = 10;
  const SceneResult pool = Ways(Reaping::kPool);
  EXPECT_EQ(pool.reaped + pool.refused, 10u);
  const SceneResult or_kill = Ways(Reaping::kPoolOrKill);
  EXPECT_LT(or_kill.reaped + or_kill.refused, 5u);
}

TEST_F(SceneTest, EachReaperCalls) {
  scene_.reapers = 3;
  const SceneResult call = Ways(Reaping::kCall);
  EXPECT_EQ(call.reaped + call.refused, 3u);
}

// The command's way to time a kill, where both can: the phases of ticks and who
// is where when it begins are not the same.
TEST_F(SceneTest, TakesAboutAsLongAsTheCommandSays) {
  LatencyOptions options;
  options.machine = &machine_;
  options.profile = &profile_;
  options.victim.shape = scene_.shape;
  for (const bool call : {false, true}) {
    options.strategy.kind =
        call ? KillStrategy::kMrelease : KillStrategy::kKill;
    const LatencyResult said = RunLatency(options);
    const SceneResult played = Ways(call ? Reaping::kCall : Reaping::kKill);
    ASSERT_TRUE(said.gone_ns.has_value());
    EXPECT_NEAR(static_cast<double>(played.gone_ns),
                static_cast<double>(*said.gone_ns),
                static_cast<double>(*said.gone_ns) / 20)
        << call;
  }
}

TEST_F(SceneTest, IsTheSameEachTime) {
  scene_.hogs = 3;
  scene_.state = SceneState::kRuns;
  const SceneResult once = Ways(Reaping::kCall);
  const SceneResult again = Ways(Reaping::kCall);
  EXPECT_EQ(once.back_ns, again.back_ns);
  EXPECT_EQ(once.reaper_spin_ns, again.reaper_spin_ns);
}

TEST_F(SceneTest, TellsOfAVerdict) {
  // The first form of the call walks VMAs that exit_mmap() frees.
  scene_.kernel = "v5.15-rc1";
  scene_.reaping = Reaping::kCall;
  EXPECT_THAT(Play(scene_).problem, HasSubstr("use after free"));
}

}  // namespace
}  // namespace reapsim
