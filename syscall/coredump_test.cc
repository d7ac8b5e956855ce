// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/coredump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

// A process of two threads whose second one crashes and dumps into a pipe that
// nobody reads.
struct Dump {
  explicit Dump(const char* version)
      : k({.version = version}),
        leader(k.Spawn("leader")),
        thread(MakeThread()),
        lmkd(k.Spawn("lmkd")),
        pidfd(static_cast<int>(k.As(lmkd).pidfd_open(leader.pid(), 0))) {}
  void Start() {
    k.BlockDump(true);
    ASSERT_THAT(k.As(k.init()).tgkill(leader.pid(), thread.pid(), SIGSEGV),
                SyscallSucceeds());
    k.RunUntilIdle();
    ASSERT_NE(thread.raw()->flags & PF_DUMPCORE, 0u);
  }
  SysResult Mrelease() { return k.As(lmkd).process_mrelease(pidfd, 0); }
  void Kill(int sig) {
    ASSERT_THAT(k.As(k.init()).kill(leader.pid(), sig), SyscallSucceeds());
  }
  Task& MakeThread() {
    EXPECT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
    return k.NewestTask();
  }

  Kernel k;
  Task& leader;
  Task& thread;
  Task& lmkd;
  int pidfd;
};

TEST(DoCoredump, ParksTheOtherThreadsUntilItIsWritten) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.Start();
    const Differences& differs = d.k.differences();
    // Until v5.15 threads wait half-way through exit, later at its start.
    EXPECT_EQ((d.leader.raw()->flags & PF_EXITING) != 0,
              differs.coredump_waits_in_exit_mm);
    EXPECT_TRUE(d.leader.has_mm());
    EXPECT_EQ(d.leader.raw()->signal->flags, differs.coredump_sets_group_exit
                                                 ? SIGNAL_GROUP_EXIT
                                                 : SIGNAL_GROUP_COREDUMP);
    EXPECT_THAT(d.Mrelease(), SyscallFailsWithErrno(EINVAL));
    d.k.BlockDump(false);
    d.k.RunUntilIdle();
    EXPECT_NE(d.leader.phase(), TaskPhase::kAlive);
    EXPECT_THAT(d.Mrelease(), SyscallFailsWithErrno(ESRCH));
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, DropsEverySignalButSigkill) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.Start();
    d.Kill(SIGTERM);
    d.k.RunUntilIdle();
    EXPECT_NE(d.thread.raw()->flags & PF_DUMPCORE, 0u);
    EXPECT_EQ(d.leader.raw()->signal->shared_pending, 0u);
    d.Kill(SIGKILL);
    d.k.RunUntilIdle();
    EXPECT_NE(d.leader.phase(), TaskPhase::kAlive);
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, SigkillMakesADumpingGroupReapableOnlyUntilV516) {
  // complete_signal() replaces all flags of the group. Up to v5.16 the mark of
  // the dump is one of them; later it is a pointer, which stays.
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.Start();
    d.Kill(SIGKILL);
    EXPECT_EQ(
        d.Mrelease().error(),
        d.k.differences().dying_vetoed_by_group_coredump_flag ? 0 : EINVAL);
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, FlagInTheStatusSaysThatItWasWritten) {
  for (const bool interrupted : {false, true}) {
    Kernel k;
    Task& parent = k.Spawn("parent");
    Task& child = k.Spawn("child", {.parent = &parent});
    k.BlockDump(true);
    ASSERT_THAT(k.As(k.init()).kill(child.pid(), SIGABRT), SyscallSucceeds());
    k.RunUntilIdle();
    if (interrupted) {
      ASSERT_THAT(k.As(k.init()).kill(child.pid(), SIGKILL), SyscallSucceeds());
    }
    k.BlockDump(interrupted);
    k.RunUntilIdle();
    ASSERT_EQ(child.phase(), TaskPhase::kZombie);
    const int status = child.raw()->exit_code;
    EXPECT_EQ(WCOREDUMP(status) != 0, !interrupted);
    EXPECT_EQ(WTERMSIG(status), interrupted ? SIGKILL : SIGABRT);
    k.BlockDump(false);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, TakesSharersOfTheMmAlongUntilV515) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& crasher = k.Spawn("crasher");
    ASSERT_THAT(k.As(crasher).clone_vm(), SyscallSucceeds());
    Task& sharer = k.NewestTask();
    k.BlockDump(true);
    ASSERT_THAT(k.As(k.init()).kill(crasher.pid(), SIGSEGV), SyscallSucceeds());
    k.RunUntilIdle();
    const bool dies = k.differences().coredump_kills_mm_sharers;
    EXPECT_EQ(sharer.raw()->signal->flags,
              dies ? SIGNAL_GROUP_COREDUMP | SIGNAL_GROUP_EXIT : 0);
    EXPECT_TRUE(sharer.has_mm());
    k.BlockDump(false);
    k.RunUntilIdle();
    EXPECT_EQ(sharer.phase() == TaskPhase::kAlive, !dies);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, AKilledSharerIsNotReapableWhileAnotherDumps) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& crasher = k.Spawn("crasher");
    ASSERT_THAT(k.As(crasher).clone_vm(), SyscallSucceeds());
    Task& sharer = k.NewestTask();
    Task& lmkd = k.Spawn("lmkd");
    const int fd = static_cast<int>(k.As(lmkd).pidfd_open(sharer.pid(), 0));
    k.BlockDump(true);
    k.Hold(sharer);
    ASSERT_THAT(k.As(k.init()).kill(sharer.pid(), SIGKILL), SyscallSucceeds());
    ASSERT_THAT(k.As(k.init()).kill(crasher.pid(), SIGSEGV), SyscallSucceeds());
    k.RunUntilIdle();
    EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0),
                SyscallFailsWithErrno(EINVAL));
    k.Release(sharer);
    k.BlockDump(false);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, LosesToAGroupExit) {
  Dump d("v6.18");
  ASSERT_THAT(
      d.k.As(d.k.init()).tgkill(d.leader.pid(), d.thread.pid(), SIGSEGV),
      SyscallSucceeds());
  ASSERT_EQ(d.k.RunUntil(d.thread, Point::kCoredumpStart), Stepped::kAtPoint);
  d.Kill(SIGKILL);
  d.k.BlockDump(true);
  d.k.RunUntilIdle();
  // Nothing was dumped, or it would wait; nor is it said that it was.
  EXPECT_NE(d.leader.phase(), TaskPhase::kAlive);
  EXPECT_EQ(d.leader.raw()->exit_code, SIGKILL);
  EXPECT_THAT(d.k.Shutdown(), IsEmpty());
}

TEST(DoCoredump, DoesNotWaitForAThreadThatWasLeavingAnyway) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.k.Begin(d.leader, [](User user) { user.exit(0); });
    const Point before_the_wait = d.k.differences().coredump_waits_in_exit_mm
                                      ? Point::kExitMm
                                      : Point::kDoExit;
    ASSERT_EQ(d.k.RunUntil(d.leader, before_the_wait), Stepped::kAtPoint);
    d.k.Hold(d.leader);
    d.Start();
    EXPECT_EQ(d.thread.raw()->thread->op.point, Point::kCoredumpWaitThreads);
    d.k.Release(d.leader);
    d.k.RunUntilIdle();
    // It told the dumper, and went on to be a zombie while the dump runs.
    EXPECT_EQ(d.leader.phase(), TaskPhase::kZombie);
    EXPECT_EQ(d.thread.raw()->thread->op.point, Point::kCoredumpWrite);
    d.k.BlockDump(false);
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, LetsGoOfEveryThreadThatWaits) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    Task& third = d.MakeThread();
    Task& fourth = d.MakeThread();
    d.Start();
    d.k.BlockDump(false);
    d.k.RunUntilIdle();
    for (Task* task : {&d.leader, &third, &fourth}) {
      EXPECT_NE(task->phase(), TaskPhase::kAlive);
    }
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

// D state up to v5.15, an idle one later.
TEST(DoCoredump, ThreadsWaitInTheStateOfTheVersion) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.Start();
    EXPECT_EQ(d.leader.raw()->__state,
              d.k.differences().coredump_waits_in_exit_mm ? TASK_UNINTERRUPTIBLE
                                                          : TASK_IDLE);
    d.k.BlockDump(false);
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

// Up to v5.15 it takes mmap_lock first.
TEST(DoCoredump, SigkillEndsTheWaitForMmapLock) {
  Dump d("v5.15-rc1");
  Task& holder = d.MakeThread();
  d.k.Begin(holder, [](User user) { (void)user.munmap(0x10000, 4_KiB); });
  ASSERT_EQ(d.k.RunUntil(holder, Point::kMmapLocked), Stepped::kAtPoint);
  d.k.Hold(holder);
  ASSERT_THAT(
      d.k.As(d.k.init()).tgkill(d.leader.pid(), d.thread.pid(), SIGSEGV),
      SyscallSucceeds());
  d.k.RunUntilIdle();
  const Fiber& waits = *d.thread.raw()->thread;
  ASSERT_EQ(waits.op.point, Point::kDownWriteWait);
  d.Kill(SIGKILL);
  d.k.RunUntilIdle();
  EXPECT_NE(waits.op.point, Point::kDownWriteWait);
  d.k.Release(holder);
  EXPECT_THAT(d.k.Shutdown(), IsEmpty());
}

// One that has passed the place where it would wait is not waited for.
TEST(DoCoredump, DoesNotWaitForAThreadThatIsPast) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Dump d(version);
    d.k.Begin(d.leader, [](User user) { user.exit(0); });
    const Point past = d.k.differences().coredump_waits_in_exit_mm
                           ? Point::kExitMmCleared
                           : Point::kExitMm;
    ASSERT_EQ(d.k.RunUntil(d.leader, past), Stepped::kAtPoint);
    d.k.Hold(d.leader);
    d.Start();
    EXPECT_EQ(d.thread.raw()->thread->op.point, Point::kCoredumpWrite);
    d.k.Release(d.leader);
    d.k.BlockDump(false);
    EXPECT_THAT(d.k.Shutdown(), IsEmpty());
  }
}

TEST(DoCoredump, TakesASharerAlongWhoseLeaderHasGone) {
  Kernel k({.version = "v5.15-rc1"});
  Task& crasher = k.Spawn("crasher");
  ASSERT_THAT(k.As(crasher).clone_vm(), SyscallSucceeds());
  Task& leader = k.NewestTask();
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  Task& thread = k.NewestTask();
  k.Begin(leader, [](User user) { user.exit(0); });
  k.RunUntilIdle();
  ASSERT_FALSE(leader.has_mm());
  ASSERT_THAT(k.As(k.init()).kill(crasher.pid(), SIGSEGV), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_NE(thread.phase(), TaskPhase::kAlive);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
