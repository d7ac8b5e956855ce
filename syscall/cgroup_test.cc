// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "sched/freezer.h"
#include "sched/signal.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

void Kill(Kernel& k, Task& task, int sig) {
  ASSERT_THAT(k.As(k.init()).kill(task.pid(), sig), SyscallSucceeds());
}

TEST(CgroupV1Freeze, NoSignalGetsATaskOut) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& task = k.Spawn("task");
    ASSERT_THAT(k.As(k.init()).freeze_v1(task.pid(), true), SyscallSucceeds());
    k.RunUntilIdle();
    Kill(k, task, SIGKILL);
    k.RunUntilIdle();
    EXPECT_TRUE(frozen(task.raw()));
    EXPECT_TRUE(task.has_mm());
    ASSERT_THAT(k.As(k.init()).freeze_v1(task.pid(), false), SyscallSucceeds());
    k.RunUntilIdle();
    EXPECT_NE(task.phase(), TaskPhase::kAlive);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(CgroupV1Freeze, HoldsAStoppedTaskThatIsContinuedOrKilled) {
  for (const char* version : kVersions) {
    for (const int sig : {SIGCONT, SIGKILL}) {
      SCOPED_TRACE(version);
      Kernel k({.version = version});
      Task& task = k.Spawn("task");
      Kill(k, task, SIGSTOP);
      k.RunUntilIdle();
      ASSERT_THAT(k.As(k.init()).freeze_v1(task.pid(), true),
                  SyscallSucceeds());
      k.RunUntilIdle();
      Kill(k, task, sig);
      k.RunUntilIdle();
      EXPECT_EQ(task.phase(), TaskPhase::kAlive);
      EXPECT_NE(task.raw()->__state, TASK_INTERRUPTIBLE);
      ASSERT_THAT(k.As(k.init()).freeze_v1(task.pid(), false),
                  SyscallSucceeds());
      k.RunUntilIdle();
      EXPECT_EQ(task.phase() == TaskPhase::kAlive, sig == SIGCONT);
      EXPECT_THAT(k.Shutdown(), IsEmpty());
    }
  }
}

TEST(CgroupV2Freeze, FatalSignalsGetATaskOut) {
  for (const char* version : kVersions) {
    for (const int sig : {SIGKILL, SIGTERM}) {
      Kernel k({.version = version});
      Task& task = k.Spawn("task");
      ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), true),
                  SyscallSucceeds());
      k.RunUntilIdle();
      ASSERT_TRUE(cgroup_task_frozen(task.raw()));
      Kill(k, task, sig);
      k.RunUntilIdle();
      EXPECT_NE(task.phase(), TaskPhase::kAlive) << version << " " << sig;
      EXPECT_THAT(k.Shutdown(), IsEmpty());
    }
  }
}

TEST(CgroupV2Freeze, OtherSignalsWaitForTheThaw) {
  struct Row {
    int sig;
    bool lives;
  };
  for (const Row& row : {Row{SIGSEGV, false}, Row{SIGUSR1, true}}) {
    Kernel k;
    Task& task = k.Spawn("task");
    ASSERT_THAT(k.As(task).sigaction(SIGUSR1, SigDisposition::kHandler),
                SyscallSucceeds());
    ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), true), SyscallSucceeds());
    k.RunUntilIdle();
    Kill(k, task, row.sig);
    k.RunUntilIdle();
    EXPECT_TRUE(cgroup_task_frozen(task.raw()));
    EXPECT_EQ(task.raw()->thread->op.point, Point::kFreezerTrap);
    ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), false), SyscallSucceeds());
    k.RunUntilIdle();
    EXPECT_EQ(task.phase() == TaskPhase::kAlive, row.lives);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(CgroupV2Freeze, AStoppedTaskStaysStoppedWhenThawed) {
  Kernel k;
  Task& task = k.Spawn("task");
  ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), true), SyscallSucceeds());
  k.RunUntilIdle();
  Kill(k, task, SIGSTOP);
  k.RunUntilIdle();
  EXPECT_TRUE(cgroup_task_frozen(task.raw()));
  ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), false), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_TRUE(task_is_stopped(task.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupKill, KillsTheWholeProcess) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  Task& thread = k.NewestTask();
  EXPECT_THAT(k.Call(k.init().raw(),
                     [pid = leader.pid()] { return sys_cgroup_kill(pid); }),
              SyscallSucceeds());
  EXPECT_TRUE(fatal_signal_pending(leader.raw()));
  EXPECT_TRUE(fatal_signal_pending(thread.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupFiles, SayEsrchForNobody) {
  Kernel k;
  task_struct* caller = k.init().raw();
  EXPECT_THAT(k.Call(caller, [] { return sys_cgroup_v1_freeze(30000, true); }),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.Call(caller, [] { return sys_cgroup_v2_freeze(30000, true); }),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.Call(caller, [] { return sys_cgroup_kill(30000); }),
              SyscallFailsWithErrno(ESRCH));
}

// A killer's view of a cgroup: the processes in it, by creation.
TEST(CgroupProcs, ListsProcessesThatHaveALiveThread) {
  Kernel k;
  Task& killer = k.Spawn("killer");
  Task& shell = k.Spawn("shell");
  Task& first = k.Spawn("first", {.parent = &shell});
  Task& second = k.Spawn("second", {.parent = &shell});
  (void)k.Spawn("outside");
  User user = k.As(killer);
  EXPECT_THAT(user.cgroup_procs(1, 0), SyscallFailsWithErrno(ESRCH));
  ASSERT_THAT(user.cgroup_attach(first.pid(), 1), SyscallSucceeds());
  ASSERT_THAT(user.cgroup_attach(second.pid(), 1), SyscallSucceeds());
  EXPECT_EQ(user.cgroup_procs(1, 0).kernel(), first.pid());
  EXPECT_EQ(user.cgroup_procs(1, 1).kernel(), second.pid());
  EXPECT_THAT(user.cgroup_procs(1, 2), SyscallFailsWithErrno(ESRCH));
  Kill(k, first, SIGKILL);
  EXPECT_EQ(user.cgroup_procs(1, 0).kernel(), first.pid());
  (void)k.RunUntilBlocked(first);
  ASSERT_EQ(first.phase(), TaskPhase::kZombie);
  EXPECT_EQ(user.cgroup_procs(1, 0).kernel(), second.pid());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupProcs, ListsAProcessWhoseLeaderHasExited) {
  Kernel k;
  Task& killer = k.Spawn("killer");
  Task& leader = k.Spawn("leader");
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  ASSERT_THAT(k.As(killer).cgroup_attach(leader.pid(), 1), SyscallSucceeds());
  k.Begin(leader, [](User user) { (void)user.exit(0); });
  (void)k.RunUntilBlocked(leader);
  EXPECT_EQ(k.As(killer).cgroup_procs(1, 0).kernel(), leader.pid());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupProcs, HasTheChildrenBornInTheCgroup) {
  Kernel k;
  Task& killer = k.Spawn("killer");
  Task& parent = k.Spawn("parent");
  ASSERT_THAT(k.As(killer).cgroup_attach(parent.pid(), 1), SyscallSucceeds());
  const int64_t child = k.As(parent).fork().kernel();
  EXPECT_EQ(k.As(killer).cgroup_procs(1, 1).kernel(), child);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupAttach, SaysEsrchForNobody) {
  Kernel k;
  EXPECT_THAT(k.As(k.init()).cgroup_attach(30000, 1),
              SyscallFailsWithErrno(ESRCH));
}

TEST(CgroupPidfds, AreInNoKernel) {
  Kernel k;
  EXPECT_THAT(k.As(k.init()).cgroup_pidfds(0, 0),
              SyscallFailsWithErrno(ENOENT));
}

TEST(CgroupPidfds, NameTheProcessThatWasListedForGood) {
  Kernel k({.proposals = {Proposal::kCgroupPidfds}, .pid_max = 7});
  Task& killer = k.Spawn("killer");
  Task& victim = k.Spawn("victim");
  User user = k.As(killer);
  EXPECT_THAT(user.cgroup_pidfds(1, 0), SyscallFailsWithErrno(ESRCH));
  ASSERT_THAT(user.cgroup_attach(victim.pid(), 1), SyscallSucceeds());
  const pid_t number = victim.pid();
  const SysResult fd = user.cgroup_pidfds(1, 0);
  ASSERT_THAT(fd, SyscallSucceeds());
  Kill(k, victim, SIGKILL);
  (void)k.RunUntilBlocked(victim);
  ASSERT_EQ(k.As(k.init()).waitpid(number).kernel(), number);
  // All other numbers are taken.
  Task& other = k.Spawn("other");
  ASSERT_EQ(other.pid(), number);
  EXPECT_THAT(user.pidfd_send_signal(static_cast<int>(fd.kernel()), SIGKILL, 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(user.process_mrelease(static_cast<int>(fd.kernel()), 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_FALSE(fatal_signal_pending(other.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupPidfds, SayEmfileWhenNoDescriptorIsLeft) {
  Kernel k({.proposals = {Proposal::kCgroupPidfds}});
  User user = k.As(k.Spawn("killer"));
  for (int i = 0; i < kMaxFds; ++i) {
    ASSERT_EQ(user.cgroup_pidfds(0, 0).kernel(), i);
  }
  EXPECT_THAT(user.cgroup_pidfds(0, 0), SyscallFailsWithErrno(EMFILE));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CgroupPostFork, ChildOfAFrozenParentIsBornFrozen) {
  for (const bool v1 : {true, false}) {
    Kernel k;
    Task& parent = k.Spawn("parent");
    k.Begin(parent, [](User user) { user.fork(); });
    ASSERT_EQ(k.RunUntil(parent, Point::kCopyProcess), Stepped::kAtPoint);
    ASSERT_THAT(v1 ? k.As(k.init()).freeze_v1(parent.pid(), true)
                   : k.As(k.init()).freeze_v2(parent.pid(), true),
                SyscallSucceeds());
    k.RunUntilIdle();
    Task& child = k.NewestTask();
    ASSERT_NE(child.pid(), parent.pid());
    EXPECT_TRUE(v1 ? frozen(child.raw()) : cgroup_task_frozen(child.raw()));
  }
}

}  // namespace
}  // namespace reapsim
