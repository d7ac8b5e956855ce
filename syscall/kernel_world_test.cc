// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/kernel_world.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <cerrno>

#include "base/units.h"
#include "explore/explore.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

KernelOptions Small(const char* version) {
  return {.version = version,
          .cpus = 2,
          .memory = 1 << 20,
          .swap = 1 << 16,
          .page_table_bits = 3};
}

// lmkd has killed the victim and calls process_mrelease() while that dies.
class Race {
 public:
  explicit Race(const char* version)
      : k_(Small(version)),
        victim_(k_.Spawn("victim")),
        lmkd_(k_.Spawn("lmkd")),
        result_(k_.NewOut<int64_t>()) {
    const auto heap =
        static_cast<uint64_t>(k_.As(victim_).mmap(8_KiB, Anonymous()).kernel());
    k_.As(victim_).touch(heap, 8_KiB);
    const int fd =
        static_cast<int>(k_.As(lmkd_).pidfd_open(victim_.pid(), 0).kernel());
    k_.As(lmkd_).kill(victim_.pid(), SIGKILL);
    const Out<int64_t> result = result_;
    k_.Begin(lmkd_, [=](User user) {
      result.Set(user.process_mrelease(fd, 0).kernel());
    });
  }
  KernelWorld World() {
    return KernelWorld(
        &k_, [this] { return "r=" + std::to_string(result_.Get()) + ";"; });
  }
  Kernel k_;
  Task& victim_;
  Task& lmkd_;
  Out<int64_t> result_;
};

TEST(KernelWorld, ProvesTheRaceOfTheCallAgainstTheVictimsDeath) {
  Race race("v6.18");
  KernelWorld world = race.World();
  const Exploration found = Explore(world, {.max_preemptions = 1});
  EXPECT_FALSE(found.failure) << found.failure->verdict.ToString();
  EXPECT_TRUE(found.exhausted) << found.unexplored;
  // It comes in time, or finds nobody who has the memory (ESRCH).
  ASSERT_EQ(found.outcomes.size(), 2u);
  EXPECT_TRUE(found.outcomes.contains("r=0;"));
  EXPECT_TRUE(found.outcomes.contains("r=-3;"));
}

TEST(KernelWorld, FindsTheUseAfterFreeOfTheOriginalPatch) {
  Race race("v5.15-rc1");
  KernelWorld world = race.World();
  const Exploration found = Explore(world, {});
  ASSERT_TRUE(found.failure);
  EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kUseAfterFree)
      << found.failure->verdict.ToString();
  EXPECT_EQ(found.failure->preemptions, 1);
  EXPECT_TRUE(found.failure->fewest_preemptions);
  const Replayed again = Replay(world, found.failure->deviations);
  EXPECT_EQ(again.verdict.ToString(), found.failure->verdict.ToString());
  EXPECT_EQ(again.trace_hash, found.failure->trace_hash);
}

TEST(KernelWorld, FindsTheShortestScheduleToAWrongEnd) {
  Race race("v6.18");
  KernelWorld world = race.World();
  world.CheckEnds([&race] {
    return race.result_.Get() == -ESRCH ? "the call came too late" : "";
  });
  const Exploration found = Explore(world, {});
  ASSERT_TRUE(found.failure);
  EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kWrongResult);
  EXPECT_EQ(found.failure->verdict.what, "the call came too late");
  // The victim dies, then the call is made.
  EXPECT_EQ(found.failure->preemptions, 0);
  EXPECT_TRUE(found.failure->fewest_preemptions);
  const Replayed again = Replay(world, found.failure->deviations);
  EXPECT_EQ(again.verdict.kind, VerdictKind::kWrongResult);
  EXPECT_EQ(again.verdict.what, found.failure->verdict.what);
  EXPECT_EQ(again.trace_hash, found.failure->trace_hash);
}

TEST(KernelWorld, HoldsIfNoEndIsWrong) {
  Race race("v6.18");
  KernelWorld world = race.World();
  world.CheckEnds([&race] {
    return race.result_.Get() == -EINVAL ? "taken for alive" : "";
  });
  const Exploration found = Explore(world, {.max_preemptions = 1});
  EXPECT_FALSE(found.failure) << found.failure->verdict.ToString();
  EXPECT_TRUE(found.exhausted) << found.unexplored;
}

}  // namespace
}  // namespace reapsim
