// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a project that uses reapsim might test: its low-memory killer, here
// the ten lines of KillAndReap(), on a modelled machine.

#include <sched.h>
#include <signal.h>

#include <cerrno>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace {

using ::reapsim::Anonymous;
using ::reapsim::Kernel;
using ::reapsim::SyscallFailsWithErrno;
using ::reapsim::SyscallSucceeds;
using ::reapsim::SysResult;
using ::reapsim::Task;
using ::reapsim::operator""_MiB;

// Kills `victim` and takes its memory at once, without waiting for it to run.
SysResult KillAndReap(Kernel& k, Task& killer, const Task& victim) {
  const int fd = k.As(killer).pidfd_open(victim.pid(), 0);
  k.As(killer).pidfd_send_signal(fd, SIGKILL);
  const SysResult reaped = k.As(killer).process_mrelease(fd, 0);
  k.As(killer).close(fd);
  return reaped;
}

// A process with 64 MiB of its own.
Task& SpawnVictim(Kernel& k) {
  Task& victim = k.Spawn("victim");
  const uint64_t heap = k.As(victim).mmap(64_MiB, Anonymous());
  k.As(victim).touch(heap, 64_MiB);
  return victim;
}

TEST(LowMemoryKillerTest, FreesTheMemoryOfAVictimThatHasNotRunYet) {
  Kernel k({.version = "v6.18"});
  Task& killer = k.Spawn("killer");
  Task& victim = SpawnVictim(k);
  const uint64_t before = k.free_pages();

  EXPECT_THAT(KillAndReap(k, killer, victim), SyscallSucceeds());

  EXPECT_EQ(victim.phase(), reapsim::TaskPhase::kAlive);
  // 64 MiB in pages of 4 KiB; what the image itself had comes on top.
  EXPECT_GE(k.free_pages() - before, 16384u);
}

TEST(LowMemoryKillerTest, FreesNothingThatALiveProcessShares) {
  Kernel k({.version = "v6.18"});
  Task& killer = k.Spawn("killer");
  Task& victim = SpawnVictim(k);
  k.As(victim).clone_vm();
  const uint64_t before = k.free_pages();

  EXPECT_THAT(KillAndReap(k, killer, victim), SyscallFailsWithErrno(EINVAL));

  EXPECT_EQ(k.free_pages(), before);
}

TEST(LowMemoryKillerTest, HasNothingToDoBeforeLinux515) {
  Kernel k({.version = "v5.14"});
  Task& killer = k.Spawn("killer");
  Task& victim = SpawnVictim(k);

  EXPECT_THAT(KillAndReap(k, killer, victim), SyscallFailsWithErrno(ENOSYS));
}

}  // namespace
