// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/fork.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sched/file.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "syscall/futex.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr uint64_t kThreadFlags =
    CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

// clone(2) with `args` by the task.
SysResult Clone(Kernel& k, Task& task, const kernel_clone_args& args) {
  return k.Call(task.raw(), [args] { return kernel_clone(args); });
}
Task& CloneTask(Kernel& k, Task& task, const kernel_clone_args& args) {
  return k.TaskOf(static_cast<pid_t>(Clone(k, task, args).kernel()));
}
// Kills a task and lets everything run.
void Kill(Kernel& k, Task& task) {
  ASSERT_THAT(k.As(k.init()).kill(task.raw()->tgid, SIGKILL),
              SyscallSucceeds());
  k.RunUntilIdle();
}

// How many of each kind of object there are, pids and fibers included.
struct Objects {
  uint32_t tasks, signals, sighands, pids, fibers, mms, vmas;
  uint64_t free_pages;
  bool operator==(const Objects&) const = default;
};
Objects Count(Kernel& k) {
  // Deferred frees are to be over.
  k.RunUntilIdle();
  return {k.sched().task_slab.live(),
          k.sched().signal_slab.live(),
          k.sched().sighand_slab.live(),
          k.sched().pid_slab.live(),
          k.engine().state()->fibers.live(),
          k.mm().mm_slab.live(),
          k.mm().vma_slab.live(),
          k.free_pages()};
}

TEST(CopyProcess, RefusesFlagsThatMakeNoSense) {
  struct Case {
    const char* what;
    uint64_t flags;
    const char* version = "v6.18";
  };
  constexpr Case kCases[] = {
      {"a thread with handlers of its own", CLONE_VM | CLONE_THREAD},
      {"shared handlers in another mm", CLONE_SIGHAND},
      {"a thread in another namespace", kThreadFlags | CLONE_NEWPID},
      {"a pidfd of a thread, before v6.9", kThreadFlags | CLONE_PIDFD,
       "v5.15-rc1"},
  };
  for (const Case& c : kCases) {
    Kernel k({.version = c.version});
    Task& task = k.Spawn("task");
    const Objects before = Count(k);
    EXPECT_THAT(Clone(k, task, {.flags = c.flags}),
                SyscallFailsWithErrno(EINVAL))
        << c.what;
    EXPECT_EQ(Count(k), before) << c.what;
  }
}

TEST(CopyProcess, GivesAnInitNoSiblings) {
  Kernel k;
  EXPECT_THAT(Clone(k, k.init(), {.flags = CLONE_PARENT}),
              SyscallFailsWithErrno(EINVAL));
}

TEST(CopyProcess, RefusesNamespacesThatAreNestedTooDeeply) {
  Kernel k;
  Task* task = &k.Spawn("task");
  // The initial namespace is level 0.
  for (uint32_t level = 1; level < kPidLevels; ++level) {
    ASSERT_THAT(k.As(*task).clone_newpid(), SyscallSucceeds());
    task = &k.TaskOf(k.sched().init_pid_ns->last_pid);
    ASSERT_EQ(task->raw()->pid_ns->level, level);
  }
  const Objects before = Count(k);
  EXPECT_THAT(k.As(*task).clone_newpid(), SyscallFailsWithErrno(ENOSPC));
  EXPECT_EQ(Count(k), before);
}

TEST(CopyProcess, LeavesASignalThatCameBeforeToTheCaller) {
  Kernel k;
  Task& task = k.Spawn("task");
  ASSERT_THAT(k.As(task).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  k.Begin(task,
          [](User /*user*/) { current()->program.result = kernel_clone({}); });
  ASSERT_EQ(k.RunUntil(task, Point::kSpinLock), Stepped::kAtPoint);
  ASSERT_THAT(k.As(k.init()).kill(task.pid(), SIGUSR1), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(k.Result(task).kernel(), -ERESTARTNOINTR);
}

TEST(CopyProcess, IsUndoneForAKilledCallerEvenAtTheEnd) {
  struct Case {
    const char* what;
    uint64_t flags;
  };
  constexpr Case kCases[] = {
      {"fork", 0},
      {"shared mm", CLONE_VM},
      {"thread", kThreadFlags},
      {"new namespace", CLONE_NEWPID},
      {"with a pidfd", CLONE_PIDFD},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    Kernel k;
    Task& task = k.Spawn("task");
    const uint64_t flags = c.flags;
    const Objects before = Count(k);
    const uint64_t fds = task.raw()->files->open_fds[0];
    k.Begin(task, [flags](User /*user*/) {
      kernel_clone_args args;
      args.flags = flags;
      current()->program.result = kernel_clone(args);
      // Stay, so that what is left can be counted.
      WaitUntil(Point::kDriverWait, Access::kRead, 0, [] { return false; });
    });
    ASSERT_EQ(k.RunUntil(task, Point::kCopyProcess), Stepped::kAtPoint);
    ASSERT_THAT(k.As(k.init()).kill(task.pid(), SIGKILL), SyscallSucceeds());
    ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
    EXPECT_EQ(k.Result(task).kernel(), -EINTR);
    EXPECT_EQ(Count(k), before);
    EXPECT_EQ(task.raw()->files->open_fds[0], fds);
    EXPECT_EQ(task.mm().users(), 1u);
    EXPECT_EQ(task.raw()->signal->nr_threads, 1);
    EXPECT_EQ(task.raw()->signal->live, 1u);
    EXPECT_EQ(task.raw()->signal->sigcnt, 1u);
    EXPECT_EQ(task.raw()->sighand->count, 1u);
  }
}

TEST(Fork, CopiesTheProcess) {
  Kernel k;
  Task& parent = k.Spawn("parent", {.uid = 1000});
  ASSERT_THAT(k.As(parent).sigblock(SIGUSR1), SyscallSucceeds());
  ASSERT_THAT(k.As(parent).oom_score_adj(parent.pid(), 300), SyscallSucceeds());
  Task& child = CloneTask(k, parent, {});
  const task_struct* raw = child.raw();
  EXPECT_NE(raw->mm, parent.raw()->mm);
  EXPECT_NE(raw->signal, parent.raw()->signal);
  EXPECT_NE(raw->sighand, parent.raw()->sighand);
  EXPECT_NE(raw->files, parent.raw()->files);
  EXPECT_EQ(child.mm().rss(MM_ANONPAGES), parent.mm().rss(MM_ANONPAGES));
  // What can be read from the file again is not copied.
  EXPECT_EQ(child.mm().rss(MM_FILEPAGES), Pages(0));
  EXPECT_EQ(child.mm().raw()->owner, raw);
  EXPECT_EQ(raw->uid, 1000u);
  EXPECT_EQ(raw->blocked, SigBit(SIGUSR1));
  EXPECT_EQ(raw->signal->oom_score_adj, 300);
  EXPECT_EQ(raw->real_parent, parent.raw());
  EXPECT_EQ(raw->group_leader, raw);
  EXPECT_EQ(raw->tgid, raw->pid);
  EXPECT_EQ(raw->exit_signal, SIGCHLD);
  EXPECT_EQ(raw->usage, 1u);
  EXPECT_EQ(raw->rcu_users, 2u);
  EXPECT_NE(raw->flags & PF_FORKNOEXEC, 0u);
  EXPECT_EQ(raw->thread_pid->tasks[PIDTYPE_TGID], raw);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, SharesTheMmWithCloneVm) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = CloneTask(k, parent, {.flags = CLONE_VM});
  EXPECT_EQ(child.raw()->mm, parent.raw()->mm);
  EXPECT_EQ(parent.mm().users(), 2u);
  EXPECT_EQ(parent.mm().count(), 1u);
  EXPECT_NE(child.raw()->signal, parent.raw()->signal);
  // The OOM killer is told, but not of vfork children.
  EXPECT_NE(parent.raw()->mm->flags >> MMF_MULTIPROCESS & 1, 0u);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, AddsAThreadToTheGroup) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneTask(k, leader, {.flags = kThreadFlags});
  const signal_struct* sig = leader.raw()->signal;
  EXPECT_EQ(thread.raw()->signal, sig);
  EXPECT_EQ(thread.raw()->sighand, leader.raw()->sighand);
  EXPECT_EQ(thread.raw()->files, leader.raw()->files);
  EXPECT_EQ(thread.raw()->tgid, leader.raw()->pid);
  EXPECT_EQ(thread.raw()->group_leader, leader.raw());
  EXPECT_FALSE(thread_group_leader(thread.raw()));
  EXPECT_EQ(sig->nr_threads, 2);
  EXPECT_EQ(sig->quick_threads, 2);
  EXPECT_EQ(sig->live, 2u);
  EXPECT_EQ(sig->sigcnt, 2u);
  EXPECT_EQ(leader.raw()->sighand->count, 2u);
  EXPECT_EQ(leader.raw()->files->count, 2u);
  EXPECT_EQ(thread.raw()->thread_pid->tasks[PIDTYPE_TGID], nullptr);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, BlocksAllButTheFatalForAUserWorker) {
  Kernel k;
  Task& task = k.Spawn("task");
  Task& worker =
      CloneTask(k, task, {.flags = kThreadFlags, .user_worker = true});
  EXPECT_NE(worker.raw()->flags & PF_USER_WORKER, 0u);
  EXPECT_EQ(worker.raw()->blocked, ~(SigBit(SIGKILL) | SigBit(SIGSTOP)));
  EXPECT_EQ(task.raw()->flags & PF_USER_WORKER, 0u);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CopyProcess, IsNotStoppedByASignalThatIsNoMore) {
  Kernel k;
  Task& task = k.Spawn("task");
  EXPECT_THAT(k.Call(task.raw(),
                     []() -> int64_t {
                       // What the v1 freezer leaves behind.
                       current()->thread_flags |= TIF_SIGPENDING;
                       return kernel_clone({});
                     }),
              SyscallSucceeds());
}

TEST(CopyProcess, FailsInANamespaceWhoseInitIsDying) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  Task& reaper = CloneTask(k, outside, {.flags = CLONE_NEWPID});
  ASSERT_THAT(Clone(k, reaper, {}), SyscallSucceeds());
  Task& inside = k.TaskOf(reaper.pid() + 1);
  k.Begin(inside,
          [](User /*user*/) { current()->program.result = kernel_clone({}); });
  ASSERT_EQ(k.RunUntil(inside, Point::kCopyProcess), Stepped::kAtPoint);
  k.Begin(reaper, [](User user) { user.exit_group(0); });
  ASSERT_EQ(k.RunUntil(reaper, Point::kWaitForChild), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntil(inside, Point::kDoGroupExit), Stepped::kAtPoint);
  EXPECT_EQ(k.Result(inside).kernel(), -ENOMEM);
  k.RunUntilIdle();
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CopyProcess, LetsANewThreadStopWithItsGroup) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread = CloneTask(k, leader, {.flags = kThreadFlags});
  k.Begin(thread, [](User user) { user.clone_thread(); });
  ASSERT_EQ(k.RunUntil(thread, Point::kCopyProcess), Stepped::kAtPoint);
  // The leader takes the signal; the group has stopped when `thread` has.
  ASSERT_THAT(k.As(k.init()).kill(leader.pid(), SIGSTOP), SyscallSucceeds());
  ASSERT_EQ(k.RunUntilBlocked(leader), Stepped::kBlocked);
  ASSERT_EQ(leader.raw()->signal->group_stop_count, 1);
  k.RunUntilIdle();
  Task& fresh = k.TaskOf(thread.pid() + 1);
  EXPECT_TRUE(task_is_stopped(fresh.raw()));
  EXPECT_EQ(leader.raw()->signal->group_stop_count, 0);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(CopyProcess, BearsTheChildOfAFrozenParentFrozen) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  k.Begin(parent, [](User user) { user.fork(); });
  ASSERT_EQ(k.RunUntil(parent, Point::kCopyProcess), Stepped::kAtPoint);
  ASSERT_THAT(k.As(k.init()).freeze_v1(parent.pid(), true), SyscallSucceeds());
  k.RunUntilIdle();
  Task& child = k.TaskOf(parent.pid() + 1);
  EXPECT_TRUE(freezing(child.raw()));
  EXPECT_TRUE(frozen(child.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Vfork, CountsTheWaitingParentAsFrozen) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  k.Begin(parent, [](User user) { user.vfork(); });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  EXPECT_TRUE(cgroup_task_frozen(parent.raw()));
  Task& child = k.TaskOf(parent.pid() + 1);
  k.Begin(child, [](User user) { user.exit_group(0); });
  EXPECT_EQ(k.Finish(parent), Stepped::kDone);
  EXPECT_FALSE(cgroup_task_frozen(parent.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, MakesASiblingWithCloneParent) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = CloneTask(k, parent, {});
  Task& sibling =
      CloneTask(k, child, {.flags = CLONE_PARENT, .exit_signal = SIGUSR1});
  EXPECT_EQ(sibling.raw()->real_parent, parent.raw());
  EXPECT_EQ(sibling.raw()->exit_signal, SIGCHLD) << "the caller's own";
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, CountsPidsAnewInANewNamespace) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  Task& reaper = CloneTask(k, outside, {.flags = CLONE_NEWPID});
  EXPECT_GT(reaper.pid(), 2) << "its number in the initial namespace";
  EXPECT_THAT(k.As(reaper).getpid(), SyscallSucceedsWithValue(1));
  EXPECT_EQ(reaper.raw()->pid_ns->child_reaper, reaper.raw());
  EXPECT_NE(reaper.raw()->signal->flags & SIGNAL_UNKILLABLE, 0u);
  EXPECT_THAT(Clone(k, reaper, {}), SyscallSucceedsWithValue(2));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Fork, HandsOverAPidfd) {
  for (const uint64_t flags :
       {uint64_t{CLONE_PIDFD}, kThreadFlags | CLONE_PIDFD}) {
    Kernel k;
    Task& parent = k.Spawn("parent");
    const SysResult fd = k.Call(parent.raw(), [flags]() -> int64_t {
      int fd = -1;
      kernel_clone_args args;
      args.flags = flags;
      args.pidfd = &fd;
      const int64_t pid = kernel_clone(args);
      return pid < 0 ? pid : fd;
    });
    ASSERT_THAT(fd, SyscallSucceeds());
    // A thread leads no group: its pidfd finds no process to kill. (A signal
    // to it goes to the thread.)
    EXPECT_THAT(
        k.As(parent).process_mrelease(static_cast<int>(fd.kernel()), 0),
        SyscallFailsWithErrno((flags & CLONE_THREAD) != 0 ? ESRCH : EINVAL));
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Fork, LetsTheChildRunOnlyWhenAllIsSetUp) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  k.Begin(parent, [](User user) { user.vfork(); });
  // The last step before the child is woken.
  ASSERT_EQ(k.RunUntil(parent, Point::kWake), Stepped::kAtPoint);
  Task& child = k.TaskOf(parent.pid() + 1);
  EXPECT_EQ(child.raw()->__state, TASK_NEW);
  EXPECT_NE(child.raw()->vfork_done, nullptr);
  EXPECT_EQ(k.RunUntilBlocked(child), Stepped::kBlocked);
  EXPECT_EQ(child.raw()->thread->op.point, Point::kWake);
}

TEST(Vfork, KeepsTheParentUntilTheChildIsGone) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const mm_struct* mm = parent.mm().raw();
  k.Begin(parent, [](User user) { user.vfork(); });
  ASSERT_EQ(k.RunUntil(parent, Point::kVforkWait), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  EXPECT_EQ(parent.raw()->__state, TASK_KILLABLE);
  Task& child = k.TaskOf(parent.pid() + 1);
  EXPECT_EQ(child.raw()->mm, mm);
  EXPECT_EQ(mm->flags >> MMF_MULTIPROCESS & 1, 0u);
  // A signal that is not fatal does not end the wait.
  ASSERT_THAT(k.As(parent.kernel().init()).kill(parent.pid(), SIGWINCH),
              SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_FALSE(k.Done(parent));

  const pid_t pid = child.pid();
  k.Begin(child, [](User user) { user.exit_group(0); });
  ASSERT_EQ(k.RunUntil(child, Point::kExitMmRelease), Stepped::kAtPoint);
  EXPECT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  ASSERT_EQ(k.RunUntil(child, Point::kExitMmCleared), Stepped::kAtPoint);
  EXPECT_EQ(k.Finish(parent), Stepped::kDone);
  EXPECT_THAT(k.Result(parent), SyscallSucceedsWithValue(pid));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Vfork, GivesUpWaitingWhenTheParentIsKilled) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  k.Begin(parent, [](User user) { user.vfork(); });
  ASSERT_EQ(k.RunUntil(parent, Point::kVforkWait), Stepped::kAtPoint);
  Task& child = k.TaskOf(parent.pid() + 1);
  EXPECT_EQ(child.raw()->usage, 2u) << "pinned by the waiting parent";
  Kill(k, parent);
  EXPECT_EQ(parent.phase(), TaskPhase::kZombie);
  // Its completion lay on the parent's stack.
  EXPECT_EQ(child.raw()->vfork_done, nullptr);
  EXPECT_EQ(child.raw()->usage, 1u);
  EXPECT_EQ(child.mm().users(), 1u);
  Kill(k, child);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// Two processes of one mm, with a page to share words in.
struct Sharers {
  Kernel k;
  Task& owner;
  uint64_t page;
  explicit Sharers(const char* version = "v6.18")
      : k({.version = version}),
        owner(k.Spawn("owner")),
        page(static_cast<uint64_t>(
            k.As(owner).mmap(Bytes(8 * 4096), Anonymous()).kernel())) {}
};

TEST(ExitMmRelease, ClearsTheWordOfAJoinerWhoSharesTheMm) {
  Sharers s;
  ASSERT_THAT(s.k.As(s.owner).store(s.page, 77), SyscallSucceeds());
  Task& thread = CloneTask(
      s.k, s.owner,
      {.flags = kThreadFlags | CLONE_CHILD_CLEARTID, .child_tid = s.page});
  s.k.Begin(thread, [](User user) { user.exit(0); });
  ASSERT_EQ(s.k.RunUntil(thread, Point::kExitMmRelease), Stepped::kAtPoint);
  EXPECT_THAT(s.k.As(s.owner).load(s.page), SyscallSucceedsWithValue(77));
  s.k.RunUntilIdle();
  EXPECT_THAT(s.k.As(s.owner).load(s.page), SyscallSucceedsWithValue(0));
  EXPECT_THAT(s.k.Shutdown(), IsEmpty());
}

TEST(ExitMmRelease, TouchesNothingWhereNobodyCanLook) {
  Sharers s;
  // Untouched: a store would bring in a page.
  Task& only = CloneTask(s.k, s.owner,
                         {.flags = CLONE_CHILD_CLEARTID, .child_tid = s.page});
  const mm_struct* mm = only.mm().raw();
  const Pages before = only.mm().rss();
  s.k.Begin(only, [](User user) { user.exit_group(0); });
  ASSERT_EQ(s.k.RunUntil(only, Point::kExitMmCleared), Stepped::kAtPoint);
  EXPECT_EQ(Mm(mm).rss(), before);
  EXPECT_THAT(s.k.Shutdown(), IsEmpty());
}

// Makes `page` the head of a robust list of one lock, three pages on, whose
// word is in the page after it.
void SetRobustLock(Sharers& s, Task& task, uint64_t word) {
  User user = s.k.As(task);
  const uint64_t head = s.page;
  const uint64_t entry = s.page + kRobustHeadPages * 4096;
  ASSERT_THAT(user.store(head + kRobustListNext, entry), SyscallSucceeds());
  ASSERT_THAT(user.store(head + kRobustFutexOffset, 4096), SyscallSucceeds());
  ASSERT_THAT(user.store(head + kRobustListOpPending, 0), SyscallSucceeds());
  ASSERT_THAT(user.store(entry, head), SyscallSucceeds());
  ASSERT_THAT(user.store(entry + 4096, word), SyscallSucceeds());
  ASSERT_THAT(user.set_robust_list(head), SyscallSucceeds());
}

TEST(ExitMmRelease, MarksARobustLockOfTheDead) {
  struct Case {
    const char* what;
    bool owned;
    uint64_t bits;
    uint64_t word;  // afterwards; 0: as before
  };
  constexpr Case kCases[] = {
      {"owned", true, 0, FUTEX_OWNER_DIED},
      {"owned, with waiters", true, FUTEX_WAITERS,
       FUTEX_OWNER_DIED | FUTEX_WAITERS},
      {"another's", false, FUTEX_WAITERS, 0},
  };
  for (const Case& c : kCases) {
    Sharers s;
    Task& sharer = CloneTask(s.k, s.owner, {.flags = CLONE_VM});
    const uint64_t owner =
        static_cast<uint64_t>(c.owned ? sharer.pid() : s.owner.pid());
    SetRobustLock(s, sharer, owner | c.bits);
    Kill(s.k, sharer);
    EXPECT_THAT(
        s.k.As(s.owner).load(s.page + 4 * 4096),
        SyscallSucceedsWithValue(c.word != 0 ? c.word : (owner | c.bits)))
        << c.what;
  }
}

TEST(ExitMmRelease, PassesOverAnUnreadableRobustList) {
  Sharers s;
  SetRobustLock(s, s.owner, static_cast<uint64_t>(s.owner.pid()));
  ASSERT_THAT(s.k.As(s.owner).munmap(s.page, Bytes(4096)), SyscallSucceeds());
  Kill(s.k, s.owner);
  EXPECT_EQ(s.owner.phase(), TaskPhase::kZombie);
  EXPECT_THAT(s.k.Shutdown(), IsEmpty());
}

TEST(MakeInitTask, MakesTheFirstTwo) {
  Kernel k;
  const task_struct* init = k.init().raw();
  EXPECT_EQ(init->pid, 1);
  EXPECT_EQ(k.sched().kthreadd->pid, 2);
  EXPECT_EQ(k.sched().init_task, init);
  EXPECT_NE(init->mm, nullptr);
  EXPECT_NE(init->files, nullptr);
  EXPECT_NE(init->signal->flags & SIGNAL_UNKILLABLE, 0u);
  const task_struct* kthreadd = k.sched().kthreadd;
  EXPECT_NE(kthreadd->flags & PF_KTHREAD, 0u);
  EXPECT_EQ(kthreadd->mm, nullptr);
  EXPECT_EQ(k.oom_reaper().raw()->real_parent, kthreadd);
  // init does nothing by itself, and no signal ends a kernel thread.
  ASSERT_THAT(k.As(k.init()).kill(2, SIGKILL), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(kthreadd->exit_state, 0u);
}

TEST(KernelThread, RunsItsFunctionAndGoesByItself) {
  Kernel k;
  const Objects before = Count(k);
  // The host passes an address of the arena: a field that nobody uses here.
  bool* ran = &k.sched().init_task->program.done;
  const SysResult pid = k.Call(k.init().raw(), [ran]() -> int64_t {
    const task_struct* thread = kernel_thread(
        [](void* arg) { *static_cast<bool*>(arg) = true; }, ran, "worker");
    return thread->pid;
  });
  Task& worker = k.TaskOf(static_cast<pid_t>(pid.kernel()));
  *ran = false;
  EXPECT_EQ(worker.raw()->real_parent, k.sched().kthreadd);
  k.RunUntilIdle();
  EXPECT_TRUE(*ran);
  EXPECT_EQ(worker.phase(), TaskPhase::kGone);
  EXPECT_EQ(Count(k), before);
}

}  // namespace
}  // namespace reapsim
