// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The test that docs/explore.md shows: tests/docs_test.py compares the two.

#include <signal.h>

#include <cerrno>
#include <string>

#include "explore/explore.h"
#include "explore/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/kernel_world.h"

namespace reapsim {
namespace {

TEST(MyKiller, FindsTheVictimDyingOrGone) {
  Kernel k({.version = "v6.18",
            .memory = 1 << 20,  // small worlds are fast worlds
            .swap = 1 << 16,
            .page_table_bits = 3});
  Task& victim = k.Spawn("victim", {.bare = true});
  Task& lmkd = k.Spawn("lmkd", {.bare = true});
  const int fd =
      static_cast<int>(k.As(lmkd).pidfd_open(victim.pid(), 0).kernel());
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  const Out<int64_t> r = k.NewOut<int64_t>();
  k.Begin(lmkd,
          [=](User user) { r.Set(user.process_mrelease(fd, 0).kernel()); });
  KernelWorld world(&k, [r] { return "r=" + std::to_string(r.Get()); });
  world.CheckEnds([r] {
    return r.Get() == -EINVAL ? "the victim was taken for alive" : "";
  });
  const Exploration found = Explore(world);
  EXPECT_THAT(found, HoldsInEverySchedule());
  EXPECT_EQ(found.outcomes.size(), 2u);  // 0, and -ESRCH
}

}  // namespace
}  // namespace reapsim
