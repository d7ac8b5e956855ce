// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/exit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <string>

#include "sched/signal.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

// The two versions that are modelled completely.
constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

bool GroupExits(Task& task) {
  return (task.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}
bool Exiting(Task& task) { return (task.raw()->flags & PF_EXITING) != 0; }
bool MmIsLive(Kernel& k, const mm_struct* mm) {
  return k.mm().mm_slab.IsLive(mm);
}
// Lets the task start exit_group(code), or exit(2) of this thread alone.
void BeginExitGroup(Kernel& k, Task& task, int code) {
  k.Begin(task, [code](User user) { user.exit_group(code); });
}
void BeginExit(Kernel& k, Task& task, int code) {
  k.Begin(task, [code](User user) { user.exit(code); });
}
// wait4() by `parent`: the status of the child, which must be ready.
int WaitStatus(Kernel& k, Task& parent, pid_t pid) {
  const SysResult status = k.Call(parent.raw(), [pid]() -> int64_t {
    int stat = -1;
    const int64_t ret = sys_wait4(pid, &stat, WNOHANG);
    return ret == pid ? stat : -ECHILD;
  });
  return static_cast<int>(status.kernel());
}

TEST(DoExit, TakesItsStepsInTheKernelsOrder) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    const bool guarantees = k.differences().guarantees_group_exit;
    Task& task = k.Spawn("task");
    const mm_struct* mm = task.mm().raw();
    BeginExitGroup(k, task, 7);

    ASSERT_EQ(k.RunUntil(task, Point::kDoExit), Stepped::kAtPoint);
    // A lone thread's exit_group() was no group exit before v6.1.
    EXPECT_EQ(GroupExits(task), guarantees);

    ASSERT_EQ(k.RunUntil(task, Point::kPtraceEventExit), Stepped::kAtPoint);
    EXPECT_EQ(GroupExits(task), guarantees);
    EXPECT_EQ((task.raw()->flags & PF_POSTCOREDUMP) != 0, guarantees);
    EXPECT_FALSE(Exiting(task));

    ASSERT_EQ(k.RunUntil(task, Point::kExitSignals), Stepped::kAtPoint);
    EXPECT_FALSE(Exiting(task));
    ASSERT_EQ(k.RunUntil(task, Point::kExitSignalsDone), Stepped::kAtPoint);
    EXPECT_TRUE(Exiting(task));
    EXPECT_EQ(task.raw()->signal->live, 1u);

    ASSERT_EQ(k.RunUntil(task, Point::kExitMm), Stepped::kAtPoint);
    EXPECT_EQ(task.raw()->signal->live, 0u);
    EXPECT_EQ(task.raw()->exit_code, 7 << 8);
    ASSERT_EQ(k.RunUntil(task, Point::kExitMmRelease), Stepped::kAtPoint);
    EXPECT_EQ(task.raw()->mm, mm);

    ASSERT_EQ(k.RunUntil(task, Point::kExitMmCleared), Stepped::kAtPoint);
    EXPECT_EQ(task.raw()->mm, nullptr);
    EXPECT_EQ(mm->mm_users, 1u);  // not yet dropped
    EXPECT_EQ(mm->mm_count, 2u);  // that of all users, and the lazy one
    EXPECT_FALSE(rwsem_is_locked(&mm->mmap_lock));

    ASSERT_EQ(k.RunUntil(task, Point::kExitFiles), Stepped::kAtPoint);
    EXPECT_EQ(mm->mm_users, 0u);
    EXPECT_EQ(mm->mm_count, 1u);  // the lazy one
    EXPECT_NE(task.raw()->files, nullptr);

    ASSERT_EQ(k.RunUntil(task, Point::kExitNotify), Stepped::kAtPoint);
    EXPECT_EQ(task.raw()->files, nullptr);
    EXPECT_EQ(task.raw()->exit_state, 0u);

    ASSERT_EQ(k.RunUntil(task, Point::kZombie), Stepped::kAtPoint);
    EXPECT_EQ(task.raw()->exit_state, EXIT_ZOMBIE);
    EXPECT_TRUE(MmIsLive(k, mm));

    ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kFinished);
    EXPECT_EQ(task.raw()->__state, TASK_DEAD);
    EXPECT_FALSE(MmIsLive(k, mm));
    EXPECT_EQ(WaitStatus(k, k.init(), task.pid()), 7 << 8);
    EXPECT_EQ(task.phase(), TaskPhase::kGone);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoExit, KeepsMmapLockFromWriterOnlyForTheStep) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& sharer = k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm().kernel()));
  k.Begin(sharer, [](User user) { user.mmap(Bytes(4096), Anonymous()); });
  ASSERT_EQ(k.RunUntil(sharer, Point::kMmapLocked), Stepped::kAtPoint);
  BeginExitGroup(k, task, 0);
  // It waits, deaf to signals, for the writer, with its mm still in place.
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  EXPECT_EQ(task.raw()->thread->op.point, Point::kDownReadWait);
  EXPECT_NE(task.raw()->mm, nullptr);
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitMm, LeavesTheMmToAnotherOwner) {
  Kernel k;
  Task& first = k.Spawn("first");
  Task& sharer = k.TaskOf(static_cast<pid_t>(k.As(first).clone_vm().kernel()));
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(sharer).clone_thread().kernel()));
  const mm_struct* mm = first.mm().raw();
  ASSERT_EQ(mm->owner, first.raw());
  BeginExit(k, first, 0);
  k.RunUntilIdle();
  EXPECT_EQ(mm->owner, sharer.raw());
  BeginExit(k, sharer, 0);
  k.RunUntilIdle();
  EXPECT_EQ(mm->owner, thread.raw());
  BeginExit(k, thread, 0);
  ASSERT_EQ(k.RunUntil(thread, Point::kMmput), Stepped::kAtPoint);
  EXPECT_EQ(mm->owner, nullptr);
  k.RunUntilIdle();
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(DoExit, IsAGroupExitForTheLastThreadFromV61On) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& leader = k.Spawn("leader");
    Task& thread =
        k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
    ASSERT_EQ(leader.raw()->signal, thread.raw()->signal);

    BeginExit(k, leader, 3);
    ASSERT_EQ(k.RunUntil(leader, Point::kPtraceEventExit), Stepped::kAtPoint);
    EXPECT_FALSE(GroupExits(leader)) << "one of two threads";
    ASSERT_EQ(k.RunUntilBlocked(leader), Stepped::kFinished);
    EXPECT_EQ(leader.raw()->exit_state, EXIT_ZOMBIE);
    EXPECT_NE(thread.raw()->mm, nullptr);

    BeginExit(k, thread, 5);
    ASSERT_EQ(k.RunUntil(thread, Point::kDoExit), Stepped::kAtPoint);
    EXPECT_FALSE(GroupExits(thread));
    ASSERT_EQ(k.RunUntil(thread, Point::kPtraceEventExit), Stepped::kAtPoint);
    const bool guarantees = k.differences().guarantees_group_exit;
    EXPECT_EQ(GroupExits(thread), guarantees);
    k.RunUntilIdle();
    EXPECT_EQ(thread.phase(), TaskPhase::kGone);
    // The group's code is the last thread's, the leader's own the leader's.
    EXPECT_EQ(WaitStatus(k, k.init(), leader.pid()),
              guarantees ? 5 << 8 : 3 << 8);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoExit, TakesSiglockOnceOrTwiceAtItsTop) {
  // v6.1 to v6.14 have two sections, v6.15 joined them.
  for (const bool one_section : {false, true}) {
    SCOPED_TRACE(one_section);
    Kernel k;
    k.engine().state()->differences.group_exit_one_siglock_section =
        one_section;
    Task& task = k.Spawn("task");
    const task_struct* raw = task.raw();
    BeginExit(k, task, 0);
    ASSERT_EQ(k.RunUntil(task, Point::kDoExit), Stepped::kAtPoint);
    ASSERT_EQ(k.RunUntil(task, Point::kSpinUnlock), Stepped::kAtPoint);
    EXPECT_TRUE(GroupExits(task));
    EXPECT_EQ((raw->flags & PF_POSTCOREDUMP) != 0, one_section);
    if (!one_section) {
      ASSERT_EQ(k.RunUntil(task, Point::kSpinLock), Stepped::kAtPoint);
      EXPECT_EQ(raw->flags & PF_POSTCOREDUMP, 0u);
    }
    ASSERT_EQ(k.RunUntil(task, Point::kPtraceEventExit), Stepped::kAtPoint);
    EXPECT_NE(raw->flags & PF_POSTCOREDUMP, 0u);
  }
}

TEST(DoExit, WaitsForACoreDumpAtTheTopOrInExitMm) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    const bool in_exit_mm = k.differences().coredump_waits_in_exit_mm;
    Task& dumper = k.Spawn("dumper");
    Task& thread =
        k.TaskOf(static_cast<pid_t>(k.As(dumper).clone_thread().kernel()));
    ASSERT_THAT(k.As(k.init()).kill(dumper.pid(), SIGQUIT), SyscallSucceeds());
    ASSERT_EQ(k.RunUntil(dumper, Point::kCoredumpWaitThreads),
              Stepped::kAtPoint);
    ASSERT_EQ(k.RunUntil(thread, Point::kCoredumpPark), Stepped::kAtPoint);
    EXPECT_EQ(Exiting(thread), in_exit_mm);
    EXPECT_NE(thread.raw()->mm, nullptr);
    EXPECT_FALSE(rwsem_is_locked(&thread.raw()->mm->mmap_lock));
    k.RunUntilIdle();
    EXPECT_EQ(WaitStatus(k, k.init(), dumper.pid()), SIGQUIT | 0x80);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoGroupExit, EndsAllThreadsWithOneCode) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& leader = k.Spawn("leader");
    Task& thread =
        k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
    BeginExitGroup(k, thread, 9);
    ASSERT_EQ(k.RunUntil(thread, Point::kDoExit), Stepped::kAtPoint);
    EXPECT_TRUE(GroupExits(leader));
    EXPECT_TRUE(fatal_signal_pending(leader.raw()));
    EXPECT_FALSE(fatal_signal_pending(thread.raw()));
    k.RunUntilIdle();
    EXPECT_EQ(thread.phase(), TaskPhase::kGone);
    EXPECT_EQ(WaitStatus(k, k.init(), leader.pid()), 9 << 8);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoGroupExit, GivesWayToAnEarlierOne) {
  // The other thread comes first at the look without the lock, or after it.
  for (const Point point : {Point::kRacyRead, Point::kSpinLock}) {
    Kernel k;
    Task& leader = k.Spawn("leader");
    Task& thread =
        k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
    BeginExitGroup(k, leader, 1);
    BeginExitGroup(k, thread, 2);
    ASSERT_EQ(k.RunUntil(leader, Point::kDoGroupExit), Stepped::kAtPoint);
    ASSERT_EQ(k.RunUntil(leader, point), Stepped::kAtPoint);
    ASSERT_EQ(k.RunUntil(thread, Point::kDoExit), Stepped::kAtPoint);
    k.RunUntilIdle();
    EXPECT_EQ(WaitStatus(k, k.init(), leader.pid()), 2 << 8);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoGroupExit, IsNobodysFaultInAThreadThatExecKills) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  k.Begin(leader, [](User user) { user.execve(); });
  ASSERT_EQ(k.RunUntilBlocked(leader), Stepped::kBlocked);
  ASSERT_EQ(k.RunUntil(thread, Point::kExitMm), Stepped::kAtPoint);
  EXPECT_EQ(thread.raw()->exit_code, 0) << "not SIGKILL";
  EXPECT_FALSE(GroupExits(thread));
  EXPECT_EQ(k.Finish(leader), Stepped::kDone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, LeavesAZombieLeaderUntilItsLastThreadIsGone) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  const pid_t pid = leader.pid();
  BeginExit(k, leader, 0);
  k.RunUntilIdle();
  EXPECT_EQ(leader.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.As(k.init()).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(0));
  BeginExit(k, thread, 0);
  k.RunUntilIdle();
  EXPECT_THAT(k.As(k.init()).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(pid));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, ReleasesAChildWhoseParentIgnoresSigchld) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  ASSERT_THAT(k.As(parent).sigaction(SIGCHLD, SigDisposition::kIgnore),
              SyscallSucceeds());
  BeginExitGroup(k, child, 0);
  k.RunUntilIdle();
  EXPECT_EQ(child.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.As(parent).waitpid(-1), SyscallFailsWithErrno(ECHILD));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, GivesOrphansToASiblingThreadFirst) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  Task& child = k.TaskOf(static_cast<pid_t>(k.As(thread).fork().kernel()));
  ASSERT_EQ(child.raw()->real_parent, thread.raw());
  BeginExit(k, thread, 0);
  k.RunUntilIdle();
  EXPECT_EQ(child.raw()->real_parent, leader.raw());
  EXPECT_EQ(child.raw()->parent, leader.raw());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, GivesOrphansToInitDeadOrAlive) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& alive = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  Task& dead = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  BeginExitGroup(k, dead, 4);
  k.RunUntilIdle();
  ASSERT_EQ(dead.phase(), TaskPhase::kZombie);
  BeginExitGroup(k, parent, 0);
  k.RunUntilIdle();
  EXPECT_EQ(alive.raw()->real_parent, k.init().raw());
  EXPECT_EQ(alive.phase(), TaskPhase::kAlive);
  EXPECT_EQ(dead.raw()->real_parent, k.init().raw());
  EXPECT_EQ(WaitStatus(k, k.init(), dead.pid()), 4 << 8);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, EndsTheNamespaceOfAnInit) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  Task& reaper =
      k.TaskOf(static_cast<pid_t>(k.As(outside).clone_newpid().kernel()));
  // Both by their numbers in the initial namespace.
  ASSERT_THAT(k.As(reaper).fork(), SyscallSucceedsWithValue(2));
  Task& inside = k.TaskOf(reaper.pid() + 1);
  ASSERT_EQ(inside.raw()->real_parent, reaper.raw());
  ASSERT_EQ(k.sched().pid_ns_slab.live(), 2u);
  BeginExitGroup(k, reaper, 0);
  ASSERT_EQ(k.RunUntil(reaper, Point::kWaitForChild), Stepped::kAtPoint);
  EXPECT_TRUE(fatal_signal_pending(inside.raw()));
  // Its end has begun: nobody is born into the namespace any more.
  EXPECT_TRUE(inside.raw()->pid_ns->dying);
  k.RunUntilIdle();
  EXPECT_EQ(inside.phase(), TaskPhase::kGone);
  EXPECT_EQ(reaper.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.As(outside).waitpid(reaper.pid()),
              SyscallSucceedsWithValue(reaper.pid()));
  k.RunUntilIdle();
  EXPECT_EQ(k.sched().pid_ns_slab.live(), 1u);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(DoExit, OfInitIsAPanic) {
  Kernel k;
  BeginExitGroup(k, k.init(), 0);
  EXPECT_EQ(k.Finish(k.init()), Stepped::kVerdict);
  EXPECT_THAT(k.TakeVerdict().what,
              ::testing::HasSubstr("Attempted to kill init"));
}

TEST(ReleaseTask, FreesTheTaskOnlyAfterItsLastSwitch) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  task_struct* raw = child.raw();
  ASSERT_THAT(k.As(child).sigblock(SIGUSR1), SyscallSucceeds());
  ASSERT_THAT(k.As(parent).tgkill(child.pid(), child.pid(), SIGUSR1),
              SyscallSucceeds());
  BeginExitGroup(k, child, 0);
  ASSERT_EQ(k.RunUntil(child, Point::kZombie), Stepped::kAtPoint);
  k.Hold(child);
  ASSERT_THAT(k.As(parent).waitpid(child.pid()),
              SyscallSucceedsWithValue(child.pid()));
  k.RunUntilIdle();
  // Released, but still on its CPU: one of the two references is left.
  EXPECT_TRUE(k.sched().task_slab.IsLive(raw));
  EXPECT_EQ(raw->rcu_users, 1u);
  EXPECT_EQ(raw->sighand, nullptr);
  EXPECT_EQ(raw->pending, 0u);
  k.Release(child);
  k.RunUntilIdle();
  EXPECT_FALSE(k.sched().task_slab.IsLive(raw));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ReleaseTask, LeavesTheStructToThoseWhoHoldAReference) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  const pid_t pid = child.pid();
  const SysResult fd = k.As(parent).pidfd_open(pid, 0);
  ASSERT_THAT(fd, SyscallSucceeds());
  BeginExitGroup(k, child, 0);
  k.RunUntilIdle();
  ASSERT_THAT(k.As(parent).waitpid(pid), SyscallSucceedsWithValue(pid));
  k.RunUntilIdle();
  // The pidfd keeps the pid, which names nobody now, not the task.
  EXPECT_EQ(child.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.As(parent).pidfd_send_signal(static_cast<int>(fd.kernel()), 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// ---- What is told to whom ---------------------------------------------------

// Whether the task has the signal pending (it must block it to keep it).
bool Pending(Task& task, int sig) {
  return SigSetHas(task.raw()->signal->shared_pending, sig);
}

TEST(ExitNotify, TellsOfALeaderWhenItsLastThreadIsGone) {
  for (const bool ignores : {false, true}) {
    SCOPED_TRACE(ignores);
    Kernel k;
    Task& parent = k.Spawn("parent");
    Task& leader = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
    Task& thread =
        k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
    ASSERT_THAT(k.As(parent).sigblock(SIGCHLD), SyscallSucceeds());
    ASSERT_THAT(
        k.As(parent).sigaction(SIGCHLD, ignores ? SigDisposition::kIgnore
                                                : SigDisposition::kHandler),
        SyscallSucceeds());
    BeginExit(k, leader, 0);
    k.RunUntilIdle();
    EXPECT_EQ(leader.phase(), TaskPhase::kZombie);
    EXPECT_FALSE(Pending(parent, SIGCHLD));
    BeginExit(k, thread, 0);
    k.RunUntilIdle();
    EXPECT_EQ(Pending(parent, SIGCHLD), !ignores);
    EXPECT_EQ(leader.phase(), ignores ? TaskPhase::kGone : TaskPhase::kZombie);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(ExitNotify, TellsTheTracerInPlaceOfTheParent) {
  // The child's own exit signal is for its parent only, tracer or not.
  for (const bool parent_traces : {false, true}) {
    SCOPED_TRACE(parent_traces);
    Kernel k;
    Task& parent = k.Spawn("parent");
    Task& other = k.Spawn("other");
    Task& tracer = parent_traces ? parent : other;
    ASSERT_THAT(k.As(tracer).sigblock(SIGUSR1), SyscallSucceeds());
    ASSERT_THAT(k.As(tracer).sigblock(SIGCHLD), SyscallSucceeds());
    const SysResult pid = k.Call(parent.raw(), []() -> int64_t {
      kernel_clone_args args;
      args.exit_signal = SIGUSR1;
      return kernel_clone(args);
    });
    Task& child = k.TaskOf(static_cast<pid_t>(pid.kernel()));
    ASSERT_THAT(k.As(tracer).ptrace_seize(child.pid(), false, false),
                SyscallSucceeds());
    BeginExitGroup(k, child, 0);
    k.RunUntilIdle();
    EXPECT_EQ(Pending(tracer, SIGUSR1), parent_traces);
    EXPECT_EQ(Pending(tracer, SIGCHLD), !parent_traces);
    if (parent_traces) {
      EXPECT_FALSE(parent.raw()->ptraced.empty());
      EXPECT_THAT(k.As(parent).waitpid(-1, static_cast<int>(__WALL)),
                  SyscallSucceeds());
      EXPECT_TRUE(parent.raw()->ptraced.empty());
    }
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(ExitNotify, LeavesATracedOrphanWithItsTracer) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& tracer = k.Spawn("tracer");
  Task& child = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
  ASSERT_THAT(k.As(tracer).ptrace_seize(child.pid(), false, false),
              SyscallSucceeds());
  BeginExitGroup(k, parent, 0);
  k.RunUntilIdle();
  EXPECT_EQ(child.raw()->real_parent, k.init().raw());
  EXPECT_EQ(child.raw()->parent, tracer.raw());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, ReleasesADeadOrphanIfInitIgnoresIt) {
  Kernel k;
  ASSERT_THAT(k.As(k.init()).sigaction(SIGCHLD, SigDisposition::kIgnore),
              SyscallSucceeds());
  Task& parent = k.Spawn("parent");
  // Whatever they would have sent their own parent, init gets SIGCHLD.
  const auto fork = [&k, &parent]() -> Task& {
    const SysResult pid = k.Call(parent.raw(), []() -> int64_t {
      kernel_clone_args args;
      args.exit_signal = SIGURG;
      return kernel_clone(args);
    });
    return k.TaskOf(static_cast<pid_t>(pid.kernel()));
  };
  Task& dead = fork();
  Task& alive = fork();
  BeginExitGroup(k, dead, 0);
  k.RunUntilIdle();
  ASSERT_EQ(dead.phase(), TaskPhase::kZombie);
  BeginExitGroup(k, parent, 0);
  k.RunUntilIdle();
  EXPECT_EQ(parent.phase(), TaskPhase::kGone);
  EXPECT_EQ(dead.phase(), TaskPhase::kGone);
  EXPECT_EQ(alive.raw()->exit_signal, SIGCHLD);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitNotify, LetsAnotherThreadOfANamespacesInitStandIn) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  Task& reaper =
      k.TaskOf(static_cast<pid_t>(k.As(outside).clone_newpid().kernel()));
  ASSERT_THAT(k.As(reaper).clone_thread(), SyscallSucceeds());
  Task& thread = k.TaskOf(reaper.pid() + 1);
  ASSERT_THAT(k.As(reaper).fork(), SyscallSucceeds());
  Task& child = k.TaskOf(reaper.pid() + 2);
  BeginExit(k, reaper, 0);
  k.RunUntilIdle();
  EXPECT_EQ(thread.raw()->pid_ns->child_reaper, thread.raw());
  EXPECT_EQ(child.raw()->real_parent, thread.raw());
  EXPECT_EQ(child.phase(), TaskPhase::kAlive);
  BeginExit(k, thread, 0);
  k.RunUntilIdle();
  EXPECT_EQ(child.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ZapPidNsProcesses, WaitsForThoseWhoAreDeadButNotReleased) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  Task& reaper =
      k.TaskOf(static_cast<pid_t>(k.As(outside).clone_newpid().kernel()));
  ASSERT_THAT(k.As(reaper).fork(), SyscallSucceeds());
  Task& inside = k.TaskOf(reaper.pid() + 1);
  BeginExitGroup(k, reaper, 0);
  ASSERT_EQ(k.RunUntil(reaper, Point::kWaitForChild), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntil(inside, Point::kReleaseTask), Stepped::kAtPoint);
  EXPECT_EQ(k.RunUntilBlocked(reaper), Stepped::kBlocked);
  EXPECT_EQ(reaper.raw()->__state, TASK_IDLE);
  EXPECT_EQ(reaper.raw()->exit_state, 0u);
  k.RunUntilIdle();
  EXPECT_EQ(reaper.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ReleaseTask, TakesTheThreadOutOfTheSearchForSignals) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  const signal_struct* sig = leader.raw()->signal;
  // A group's signal goes to the one that does not block it.
  ASSERT_THAT(k.As(leader).sigblock(SIGUSR1), SyscallSucceeds());
  ASSERT_THAT(k.As(leader).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  ASSERT_THAT(k.As(k.init()).kill(leader.pid(), SIGUSR1), SyscallSucceeds());
  ASSERT_EQ(sig->curr_target, thread.raw());
  BeginExit(k, thread, 0);
  k.RunUntilIdle();
  EXPECT_EQ(sig->curr_target, leader.raw());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(ExitMm, CountsPagesThatTheRobustListBroughtIn) {
  // Up to v6.1 a thread keeps its last changes of rss to itself, so that they
  // must be settled once more after the last access.
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& task = k.Spawn("task");
    const int fd =
        static_cast<int>(k.As(task).open_file(99, Pages(1), false).kernel());
    const uint64_t head = static_cast<uint64_t>(
        k.As(task).mmap(Bytes(4096), File(fd).ReadOnly()).kernel());
    (void)k.Call(task.raw(), [head]() -> int64_t {
      current()->robust_list = head;
      return 0;
    });
    const mm_struct* mm = task.mm().raw();
    const Pages before = task.mm().rss(MM_FILEPAGES);
    BeginExitGroup(k, task, 0);
    ASSERT_EQ(k.RunUntil(task, Point::kExitMmCleared), Stepped::kAtPoint);
    EXPECT_EQ(Mm(mm).rss(MM_FILEPAGES), before + Pages(1));
    k.RunUntilIdle();
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(ExitMm, EndsTheLifeOfAnOomVictim) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  ASSERT_THAT(k.As(k.init()).run_out_of_memory(), SyscallSucceedsWithValue(1));
  ASSERT_EQ(k.oom().oom_victims, 1u);
  ASSERT_EQ(k.RunUntil(victim, Point::kExitFiles), Stepped::kAtPoint);
  EXPECT_EQ(k.oom().oom_victims, 0u);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
