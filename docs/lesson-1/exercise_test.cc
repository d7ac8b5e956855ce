// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Exercise 2 of docs/lesson-1.md: a test that shows that an answer of 0 does
// not mean that memory was freed. Run it with
//   ./bazelw test //docs/lesson-1:exercise_test

#include <signal.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

TEST(Lesson1, ZeroDoesNotMeanThatMemoryWasFreed) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  const int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  ASSERT_GE(fd, 0);

  // 1. Give the victim 4 MiB that a reaper must not take, and touch them:
  //    k.As(victim).mmap(4_MiB, …), k.As(victim).touch(…, 4_MiB).
  //    docs/semantics.md says what is kept.

  // 2. Remember how much it has: victim.mm().rss().
  const Pages before(0);

  // 3. Kill it: k.As(lmkd).kill(…).

  // 4. The call says 0.
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());

  // 5. And these 4 MiB, 1024 pages, are still there.
  EXPECT_GE(victim.mm().rss(), Pages(1024));
  EXPECT_GE(before, Pages(1024));
}

}  // namespace
}  // namespace reapsim
