// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The test that README.md shows: tests/docs_test.py compares the two.

#include <signal.h>

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

TEST(LowMemoryKiller, TakesTheMemoryOfWhomItHasKilled) {
  Kernel k({.version = "v6.18"});
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  const uint64_t heap = k.As(victim).mmap(64_MiB, Anonymous());
  k.As(victim).touch(heap, 64_MiB);
  const int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0),
              SyscallFailsWithErrno(EINVAL));  // it is alive
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
  EXPECT_EQ(victim.mm().rss(MM_ANONPAGES), Pages(0));
}

}  // namespace
}  // namespace reapsim
