// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Exercise 2 of docs/lesson-1.md, done. There are other ways: hugetlb pages, a
// device's memory, a second call, a process hidden by the OOM killer.

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

TEST(Lesson1, ZeroDoesNotMeanThatMemoryWasFreed) {
  Kernel k;
  // Without its standard image the victim has no private page to lose.
  Task& victim = k.Spawn("victim", {.bare = true});
  Task& lmkd = k.Spawn("lmkd");
  const int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  ASSERT_GE(fd, 0);

  // Shared memory may have other users: a reaper leaves it alone.
  const uint64_t shared = k.As(victim).mmap(4_MiB, Anonymous().Shared());
  k.As(victim).touch(shared, 4_MiB);
  const Pages before = victim.mm().rss();
  k.As(lmkd).kill(victim.pid(), SIGKILL);

  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
  // 4 MiB are 1024 pages of 4 KiB.
  EXPECT_EQ(before, Pages(1024));
  EXPECT_EQ(victim.mm().rss(), before);
  EXPECT_TRUE(victim.mm().unstable()) << "it did walk";
}

}  // namespace
}  // namespace reapsim
