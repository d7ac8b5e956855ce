// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_model.h"

#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "conform/random_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kKill = [](uint8_t task, uint32_t sig = SIGKILL) {
  return TestStep(StepKind::kKill, task, sig);
};
constexpr auto kSeize = [](uint8_t task) {
  return TestStep(StepKind::kSeize, task);
};

RandomRun Play(const RandomVictim& victim, const RandomMemories& memories = {},
               const std::string& version = "v6.18") {
  return PlayVictimOnModel(victim, memories, version);
}

std::vector<int64_t> Returns(const RandomRun& run) {
  std::vector<int64_t> returns;
  for (const SeenCall& call : run.calls) returns.push_back(call.ret);
  return returns;
}

struct Case {
  std::string name;
  std::vector<RandomStep> steps;
  std::vector<int64_t> returns;
};

class RandomModelTest : public ::testing::TestWithParam<Case> {};

TEST_P(RandomModelTest, CallsReturnWhatTheKernelReturns) {
  const RandomRun run = Play({GetParam().steps});
  EXPECT_TRUE(run.status.ok()) << run.status;
  EXPECT_THAT(run.broken, IsEmpty());
  EXPECT_EQ(Returns(run), GetParam().returns);
}

INSTANTIATE_TEST_SUITE_P(
    Victims, RandomModelTest,
    ::testing::Values(
        Case{"Alive", {TestCall()}, {-EINVAL}},
        Case{"Held", {kSeize(0), kKill(0), TestCall(), TestCall()}, {0, 0}},
        Case{"Zombie", {kKill(0), TestCall()}, {-ESRCH}},
        Case{"Reaped",
             {kKill(0), TestStep(StepKind::kReap), TestCall()},
             {-ESRCH}},
        Case{"Paused", {TestStep(StepKind::kPause), kKill(0), TestCall()}, {0}},
        // A signal that dumps core ends nobody before it is seen to.
        Case{"PausedBeforeCore",
             {TestStep(StepKind::kPause), kKill(0, SIGSEGV), TestCall()},
             {-EINVAL}},
        Case{"SharerLives",
             {TestMake(StepKind::kCloneVm, 0, 1), kSeize(0), kKill(0),
              TestCall()},
             {-EINVAL}},
        Case{"SharerDies",
             {TestMake(StepKind::kCloneVm, 0, 1), kSeize(0), kSeize(1),
              kKill(0), kKill(1), TestCall()},
             {0}},
        Case{"SignalStop",
             {kSeize(0), kKill(0, SIGTERM), TestCall()},
             {-EINVAL}},
        Case{"SignalGoesOn",
             {kSeize(0), kKill(0, SIGTERM),
              TestStep(StepKind::kCont, 0, SIGTERM), TestCall()},
             {0}},
        Case{"Handled",
             {TestStep(StepKind::kHandle, 0, SIGTERM), kKill(0, SIGTERM),
              TestCall()},
             {-EINVAL}},
        Case{"OneThreadHeld",
             {TestMake(StepKind::kThread, 0, 1), kSeize(1), kKill(0),
              TestCall()},
             {0}},
        // A fork's memory is its own.
        Case{"ForkLives",
             {TestMake(StepKind::kFork, 0, 1), kSeize(0), kKill(0),
              TestCall(0, RandomFd::kPidfd, 1), TestCall(1)},
             {0, -EINVAL}},
        Case{"GoneOn",
             {kSeize(0), kKill(0), TestCall(), TestStep(StepKind::kCont),
              TestCall()},
             {0, -ESRCH}}),
    [](const auto& info) { return info.param.name; });

TEST(RandomModelTest, VforkLetsItsParentWait) {
  const RandomRun run = Play({{TestMake(StepKind::kVfork, 0, 1), kKill(1)}});
  EXPECT_EQ(run.standings[0][0].stand, Stand::kVfork);
  EXPECT_EQ(run.standings[0][1].stand, Stand::kParked);
  EXPECT_EQ(run.standings[1][0].stand, Stand::kParked);
  EXPECT_EQ(run.standings[1][1].stand, Stand::kZombie);
}

TEST(RandomModelTest, StopsShowTheirSignal) {
  const RandomRun run = Play({{TestMake(StepKind::kFork, 0, 1), kSeize(1),
                               kKill(0, SIGSTOP), kKill(1, SIGTERM)}});
  EXPECT_EQ(run.standings[3][0], (Standing{Stand::kStopped}));
  EXPECT_EQ(run.standings[3][1], (Standing{Stand::kTraceStop, SIGTERM}));
}

TEST(RandomModelTest, MemoryIsWhatWasRead) {
  const RandomRun run =
      Play({{TestMake(StepKind::kFork, 0, 1), kSeize(0), kKill(0), TestCall()}},
           {{0, SmallMemory()}, {1, SmallMemory()}});
  ASSERT_EQ(run.calls.size(), 1u);
  const auto& memory = run.calls[0].memory;
  ASSERT_EQ(memory.size(), 2u);
  const auto rss = [](const MemoryImage& image) {
    std::vector<uint64_t> kib;
    for (const VmaImage& vma : image.vmas) kib.push_back(vma.rss_kib);
    return kib;
  };
  EXPECT_THAT(rss(memory.at(0).before), ElementsAre(8, 4));
  EXPECT_THAT(rss(memory.at(0).after), ElementsAre(0, 4));
  EXPECT_THAT(rss(memory.at(1).before), ElementsAre(8, 4));
  EXPECT_THAT(rss(memory.at(1).after), ElementsAre(8, 4));
}

TEST(RandomModelTest, EachKindOfStepCanBePlayed) {
  const RandomRun run = Play(AllKinds(), AllMemories());
  EXPECT_TRUE(run.status.ok()) << run.status;
  EXPECT_THAT(run.broken, IsEmpty());
  EXPECT_EQ(run.calls.size(), 13u);
  for (size_t i = 0; i < run.done.size(); ++i) {
    EXPECT_TRUE(run.done[i]) << StepText(AllKinds().steps[i]);
  }
}

TEST(RandomModelTest, AnUnknownVersionIsAnError) {
  EXPECT_TRUE(absl::IsInvalidArgument(Play({}, {}, "v1").status));
}

}  // namespace
}  // namespace reapsim
