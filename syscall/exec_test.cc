// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/exec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sched/file.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "sched/task.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"
#include "syscall/signal.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

Task& CloneThread(Kernel& k, Task& task) {
  return k.TaskOf(static_cast<pid_t>(k.As(task).clone_thread().kernel()));
}
void BeginExec(Kernel& k, Task& task) {
  k.Begin(task, [](User user) { user.execve(); });
}
void SendKill(Kernel& k, Task& task) {
  ASSERT_THAT(k.As(k.init()).kill(task.raw()->tgid, SIGKILL),
              SyscallSucceeds());
}

TEST(Exec, ReplacesTheAddressSpaceAndNothingElse) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& task = k.Spawn("task");
    const mm_struct* old_mm = task.mm().raw();
    const pid_t pid = task.pid();
    const SysResult heap = k.As(task).mmap(Bytes(1 << 20), Anonymous());
    ASSERT_THAT(heap, SyscallSucceeds());
    const Pages image = task.mm().rss();
    ASSERT_THAT(
        k.As(task).touch(static_cast<uint64_t>(heap.kernel()), Bytes(5 * 4096)),
        SyscallSucceeds());
    EXPECT_THAT(k.As(task).execve(), SyscallSucceeds());
    EXPECT_EQ(task.mm().rss(), image);
    EXPECT_FALSE(k.mm().mm_slab.IsLive(old_mm));
    EXPECT_EQ(task.mm().users(), 1u);
    EXPECT_EQ(task.mm().count(), 1u);
    EXPECT_EQ(task.mm().vmas(), 3) << "text, data, stack";
    EXPECT_EQ(task.raw()->active_mm, task.raw()->mm);
    EXPECT_EQ(task.pid(), pid);
    EXPECT_EQ(task.raw()->flags & PF_FORKNOEXEC, 0u);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Exec, ClosesWhatIsNotToBePassedOn) {
  // Also from a table that another process shares, which keeps it.
  Kernel k;
  Task& task = k.Spawn("task");
  const int cloexec = static_cast<int>(k.As(task).pidfd_open(1, 0).kernel());
  const int passed = static_cast<int>(k.As(task).pipe_fd().kernel());
  Task& sharer =
      k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm(CLONE_FILES).kernel()));
  ASSERT_EQ(sharer.raw()->files, task.raw()->files);
  ASSERT_THAT(k.As(task).execve(), SyscallSucceeds());
  EXPECT_NE(sharer.raw()->files, task.raw()->files);
  EXPECT_THAT(k.As(task).close(cloexec), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(k.As(task).close(passed), SyscallSucceeds());
  EXPECT_THAT(k.As(sharer).close(cloexec), SyscallSucceeds());
  EXPECT_THAT(k.As(sharer).close(passed), SyscallSucceeds());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, LeavesTheHandlersToThoseWhoShareThem) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& sharer =
      k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm(CLONE_SIGHAND).kernel()));
  ASSERT_THAT(k.As(task).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  const sighand_struct* shared = sharer.raw()->sighand;
  ASSERT_EQ(shared->count, 2u);
  ASSERT_THAT(k.As(task).execve(), SyscallSucceeds());
  EXPECT_EQ(shared->count, 1u);
  EXPECT_EQ(task.raw()->sighand->count, 1u);
  ASSERT_THAT(k.As(k.init()).kill(sharer.pid(), SIGUSR1), SyscallSucceeds());
  ASSERT_THAT(k.As(k.init()).kill(task.pid(), SIGUSR1), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(sharer.phase(), TaskPhase::kAlive);
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, KeepsWhatIsIgnoredAndForgetsHandlers) {
  Kernel k;
  Task& task = k.Spawn("task");
  ASSERT_THAT(k.As(task).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  ASSERT_THAT(k.As(task).sigaction(SIGUSR2, SigDisposition::kIgnore),
              SyscallSucceeds());
  ASSERT_THAT(k.As(task).execve(), SyscallSucceeds());
  EXPECT_THAT(k.As(k.init()).kill(task.pid(), SIGUSR2), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kAlive);
  EXPECT_THAT(k.As(k.init()).kill(task.pid(), SIGUSR1), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
}

TEST(Exec, LeavesTheMmToThoseWhoShareIt) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& sharer = k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm().kernel()));
  const mm_struct* shared = task.mm().raw();
  ASSERT_EQ(shared->owner, task.raw());
  ASSERT_THAT(k.As(task).execve(), SyscallSucceeds());
  EXPECT_NE(task.raw()->mm, shared);
  EXPECT_EQ(sharer.raw()->mm, shared);
  EXPECT_EQ(shared->mm_users, 1u);
  EXPECT_EQ(shared->owner, sharer.raw());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, WakesTheVforkParent) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  k.Begin(parent, [](User user) { user.vfork(); });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  Task& child = k.TaskOf(parent.pid() + 1);
  BeginExec(k, child);
  ASSERT_EQ(k.RunUntil(child, Point::kExecMmap), Stepped::kAtPoint);
  EXPECT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  ASSERT_EQ(k.Finish(child), Stepped::kDone);
  EXPECT_EQ(k.Finish(parent), Stepped::kDone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, LeavesOneThreadOfMany) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneThread(k, leader);
  BeginExec(k, leader);
  ASSERT_EQ(k.RunUntil(leader, Point::kDeThreadWait), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntilBlocked(leader), Stepped::kBlocked);
  EXPECT_EQ(leader.raw()->__state, TASK_KILLABLE);
  const signal_struct* sig = leader.raw()->signal;
  EXPECT_EQ(sig->group_exec_task, leader.raw());
  EXPECT_EQ(sig->notify_count, 1);
  EXPECT_EQ(sig->flags & SIGNAL_GROUP_EXIT, 0u);
  EXPECT_TRUE(fatal_signal_pending(thread.raw()));
  ASSERT_EQ(k.Finish(leader), Stepped::kDone);
  EXPECT_THAT(k.Result(leader), SyscallSucceeds());
  EXPECT_EQ(thread.phase(), TaskPhase::kGone);
  EXPECT_EQ(sig->nr_threads, 1);
  EXPECT_EQ(sig->group_exec_task, nullptr);
  EXPECT_EQ(leader.raw()->sighand->count, 1u);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, ByAThreadTakesTheLeadersPlace) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& parent = k.Spawn("parent");
    Task& leader = k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
    Task& thread = CloneThread(k, leader);
    task_struct* exec_task = thread.raw();
    const pid_t pid = leader.pid();
    struct pid* pid_struct = leader.raw()->thread_pid;
    BeginExec(k, thread);
    ASSERT_EQ(k.Finish(thread), Stepped::kDone);
    EXPECT_EQ(exec_task->pid, pid);
    EXPECT_EQ(exec_task->tgid, pid);
    EXPECT_EQ(exec_task->thread_pid, pid_struct);
    EXPECT_EQ(exec_task->group_leader, exec_task);
    EXPECT_TRUE(thread_group_leader(exec_task));
    EXPECT_EQ(pid_struct->tasks[PIDTYPE_TGID], exec_task);
    EXPECT_EQ(pid_struct->tasks[PIDTYPE_PID], exec_task);
    EXPECT_EQ(exec_task->signal->nr_threads, 1);
    EXPECT_EQ(leader.phase(), TaskPhase::kGone);
    // The parent still has one child, and it is this one.
    EXPECT_THAT(k.As(parent).kill(pid, SIGKILL), SyscallSucceeds());
    EXPECT_THAT(k.As(parent).waitpid(-1), SyscallSucceedsWithValue(pid));
    EXPECT_THAT(k.As(parent).waitpid(-1), SyscallFailsWithErrno(ECHILD));
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

// Somebody has found the old leader by its pid and sends it a signal when it is
// already released; the pid by then is the thread's.
TEST(Exec, ByAThreadIsNotMissedByASignalToTheLeader) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneThread(k, leader);
  Task& sender = k.Spawn("sender");
  const pid_t pid = leader.pid();
  k.BeginCall(sender, [pid]() -> int64_t { return sys_kill(pid, SIGKILL); });
  // Of sys_kill(), of kill_pid_info() and of the look at permissions; the
  // fourth, of lock_task_sighand(), comes before it reads the leader's table.
  for (int entered = 0; entered < 4; ++entered) {
    ASSERT_EQ(k.RunUntil(sender, Point::kRcuReadLock), Stepped::kAtPoint);
  }
  k.Hold(sender);
  BeginExec(k, thread);
  ASSERT_EQ(k.Finish(thread), Stepped::kDone);
  ASSERT_EQ(leader.phase(), TaskPhase::kGone);
  ASSERT_EQ(thread.raw()->pid, pid);
  EXPECT_EQ(k.Finish(sender), Stepped::kDone);
  EXPECT_THAT(k.Result(sender), SyscallSucceeds());
  EXPECT_NE(thread.raw()->signal->flags & SIGNAL_GROUP_EXIT, 0u);
  k.Release(sender);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// Somebody has found the table of handlers that an exec leaves to others, and
// waits for its lock.
TEST(Exec, IsNotMissedByASignalForTheTableThatItLeft) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& sharer =
      k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm(CLONE_SIGHAND).kernel()));
  Task& sender = k.Spawn("sender");
  const pid_t pid = task.pid();
  k.BeginCall(sender, [pid]() -> int64_t { return sys_kill(pid, SIGKILL); });
  ASSERT_EQ(k.RunUntil(sender, Point::kSpinLock), Stepped::kAtPoint);
  k.Hold(sender);
  ASSERT_THAT(k.As(task).execve(), SyscallSucceeds());
  ASSERT_NE(task.raw()->sighand, sharer.raw()->sighand);
  const Stepped stepped = k.Finish(sender);
  ASSERT_EQ(k.TakeVerdict().what, "");
  EXPECT_EQ(stepped, Stepped::kDone);
  EXPECT_NE(task.raw()->signal->flags & SIGNAL_GROUP_EXIT, 0u);
  EXPECT_EQ(sharer.phase(), TaskPhase::kAlive);
  k.Release(sender);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// Who holds task_lock() of a task may rely on the mm that it has.
TEST(TaskLock, KeepsTheMmOfATask) {
  for (const bool exits : {false, true}) {
    SCOPED_TRACE(exits ? "exit" : "exec");
    Kernel k;
    Task& task = k.Spawn("task");
    Task& observer = k.Spawn("observer");
    task_struct* p = task.raw();
    const mm_struct* mm = p->mm;
    k.BeginCall(observer, [p]() -> int64_t {
      task_lock(p);
      Mark(Point::kMreleaseChecked);
      task_unlock(p);
      return 0;
    });
    ASSERT_EQ(k.RunUntil(observer, Point::kMreleaseChecked), Stepped::kAtPoint);
    k.Hold(observer);
    k.Begin(task, [exits](User user) {
      exits ? (void)user.exit_group(0) : (void)user.execve();
    });
    EXPECT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
    EXPECT_EQ(p->mm, mm);
    k.Release(observer);
    k.RunUntilIdle();
    EXPECT_NE(p->mm, mm);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Exec, ByAThreadWaitsForTheLeaderToDie) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneThread(k, leader);
  k.Hold(leader);
  BeginExec(k, thread);
  ASSERT_EQ(k.RunUntilBlocked(thread), Stepped::kBlocked);
  EXPECT_EQ(thread.raw()->thread->op.point, Point::kDeThreadWait);
  EXPECT_EQ(thread.raw()->signal->notify_count, -1);
  k.Release(leader);
  EXPECT_EQ(k.Finish(thread), Stepped::kDone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, GivesUpTheTakeoverWhenKilled) {
  // At the first wait, for other threads, and at the second, for the leader.
  for (const bool by_leader : {true, false}) {
    Kernel k;
    Task& leader = k.Spawn("leader");
    Task& thread = CloneThread(k, leader);
    Task& exec = by_leader ? leader : thread;
    Task& other = by_leader ? thread : leader;
    const signal_struct* sig = leader.raw()->signal;
    k.Hold(other);
    k.Begin(exec,
            [](User /*user*/) { current()->program.result = do_execve({}); });
    ASSERT_EQ(k.RunUntilBlocked(exec), Stepped::kBlocked);
    SendKill(k, leader);
    ASSERT_EQ(k.RunUntil(exec, Point::kDoGroupExit), Stepped::kAtPoint);
    EXPECT_EQ(exec.raw()->program.result, -EAGAIN);
    EXPECT_EQ(sig->group_exec_task, nullptr);
    EXPECT_EQ(sig->notify_count, 0);
    EXPECT_NE(sig->flags & SIGNAL_GROUP_EXIT, 0u);
    k.Release(other);
    k.RunUntilIdle();
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Exec, LosesToAThreadThatEndsTheGroup) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneThread(k, leader);
  k.Begin(leader,
          [](User /*user*/) { current()->program.result = do_execve({}); });
  k.Begin(thread, [](User user) { user.exit_group(0); });
  ASSERT_EQ(k.RunUntil(leader, Point::kDeThread), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntil(thread, Point::kDoExit), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntil(leader, Point::kDoGroupExit), Stepped::kAtPoint);
  EXPECT_EQ(leader.raw()->program.result, -EAGAIN);
  k.RunUntilIdle();
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, KeepsTheOldMmWhenKilledBehindAWriter) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& sharer = k.TaskOf(static_cast<pid_t>(k.As(task).clone_vm().kernel()));
  k.Begin(sharer, [](User user) { user.mmap(Bytes(4096), Anonymous()); });
  ASSERT_EQ(k.RunUntil(sharer, Point::kMmapLocked), Stepped::kAtPoint);
  k.Hold(sharer);
  const mm_struct* old_mm = task.mm().raw();
  const uint32_t mms = k.mm().mm_slab.live();
  k.Begin(task,
          [](User /*user*/) { current()->program.result = do_execve({}); });
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  EXPECT_EQ(task.raw()->thread->op.point, Point::kDownReadWait);
  EXPECT_EQ(k.mm().mm_slab.live(), mms + 1);
  SendKill(k, task);
  ASSERT_EQ(k.RunUntil(task, Point::kDoGroupExit), Stepped::kAtPoint);
  EXPECT_EQ(task.raw()->program.result, -EINTR);
  EXPECT_EQ(task.raw()->mm, old_mm);
  EXPECT_EQ(k.mm().mm_slab.live(), mms);
  EXPECT_FALSE(rwsem_is_locked(&task.raw()->signal->exec_update_lock));
  EXPECT_EQ(task.raw()->signal->cred_guard_mutex.owner, 0u);
  k.Release(sharer);
  k.RunUntilIdle();
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Exec, DropsTheOldMmInsideItsLocksUpToV70) {
  for (const bool defers : {false, true}) {
    SCOPED_TRACE(defers);
    Kernel k;
    // No version that is modelled completely defers it, so the difference is
    // set by itself.
    k.engine().state()->differences.exec_defers_old_mm = defers;
    Task& task = k.Spawn("task");
    BeginExec(k, task);
    ASSERT_EQ(k.RunUntil(task, Point::kMmput), Stepped::kAtPoint);
    const signal_struct* sig = task.raw()->signal;
    EXPECT_EQ(rwsem_is_locked(&sig->exec_update_lock), !defers);
    EXPECT_EQ(sig->cred_guard_mutex.owner != 0, !defers);
    EXPECT_EQ(task.mm().vmas(), 0) << "the new image comes later";
    EXPECT_EQ(k.Finish(task), Stepped::kDone);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Exec, EndsAProcessThatCannotMapItsImage) {
  Kernel k;
  Task& task = k.Spawn("task");
  k.Begin(task, [](User /*user*/) {
    const MmapArgs nothing{.length = 0, .flags = 0x22};
    current()->program.result =
        do_execve({.image = &nothing, .image_count = 1});
  });
  ASSERT_EQ(k.RunUntil(task, Point::kDoGroupExit), Stepped::kAtPoint);
  EXPECT_EQ(task.raw()->program.result, -EINVAL);
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
