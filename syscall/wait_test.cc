// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/wait.h>

#include "syscall/exit.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

Task& Fork(Kernel& k, Task& parent) {
  return k.TaskOf(static_cast<pid_t>(k.As(parent).fork().kernel()));
}
void Exit(Kernel& k, Task& task, int code) {
  k.Begin(task, [code](User user) { user.exit_group(code); });
  k.RunUntilIdle();
}

TEST(Wait4, RefusesWhatItDoesNotKnow) {
  struct Case {
    const char* what;
    pid_t pid;
    int options;
    int error;
  };
  // The caller has one child, pid 4711 is nobody.
  constexpr Case kCases[] = {
      {"an option of waitid() only", -1, WNOWAIT, EINVAL},
      {"an option of nobody", -1, 0x100, EINVAL},
      {"a pid that has no negative", INT_MIN, 0, ESRCH},
      {"a pid of nobody", 4711, 0, ECHILD},
      {"a pid that is no child", 1, 0, ECHILD},
      {"a process group of nobody", -4711, 0, ECHILD},
      {"only clone children, of which there is none", -1,
       static_cast<int>(__WCLONE), ECHILD},
  };
  Kernel k;
  Task& parent = k.Spawn("parent");
  Fork(k, parent);
  for (const Case& c : kCases) {
    EXPECT_THAT(k.As(parent).waitpid(c.pid, c.options),
                SyscallFailsWithErrno(c.error))
        << c.what;
  }
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, FailsWithoutChildren) {
  Kernel k;
  Task& task = k.Spawn("task");
  EXPECT_THAT(k.As(task).waitpid(-1), SyscallFailsWithErrno(ECHILD));
  EXPECT_THAT(k.As(task).waitpid(-1, WNOHANG), SyscallFailsWithErrno(ECHILD));
}

TEST(Wait4, ReturnsZeroWithWnohangWhileTheChildLives) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  EXPECT_THAT(k.As(parent).waitpid(child.pid(), WNOHANG),
              SyscallSucceedsWithValue(0));
  Exit(k, child, 0);
  EXPECT_THAT(k.As(parent).waitpid(child.pid(), WNOHANG),
              SyscallSucceedsWithValue(child.pid()));
  EXPECT_THAT(k.As(parent).waitpid(child.pid(), WNOHANG),
              SyscallFailsWithErrno(ECHILD));
}

TEST(Wait4, SleepsUntilTheChildIsDead) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  k.Begin(parent, [](User user) { user.waitpid(-1); });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  EXPECT_EQ(parent.raw()->thread->op.point, Point::kWaitForChild);
  EXPECT_EQ(parent.raw()->__state, TASK_INTERRUPTIBLE);
  const pid_t pid = child.pid();
  Exit(k, child, 0);
  EXPECT_TRUE(k.Done(parent));
  EXPECT_THAT(k.Result(parent), SyscallSucceedsWithValue(pid));
}

TEST(Wait4, FailsWhenTheLastChildGoesWithoutAWord) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  ASSERT_THAT(k.As(parent).sigaction(SIGCHLD, SigDisposition::kIgnore),
              SyscallSucceeds());
  k.Begin(parent, [](User user) { user.waitpid(-1); });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  Exit(k, child, 0);
  EXPECT_THAT(k.Result(parent), SyscallFailsWithErrno(ECHILD));
}

TEST(Wait4, IsEndedByASignal) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  ASSERT_THAT(k.As(parent).sigaction(SIGUSR1, SigDisposition::kHandler),
              SyscallSucceeds());
  // What do_wait() itself returns; user mode never sees it.
  k.Begin(parent, [](User /*user*/) {
    current()->program.result = sys_wait4(-1, nullptr, 0);
  });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  ASSERT_THAT(k.As(child).kill(parent.pid(), SIGUSR1), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(k.Result(parent).kernel(), -ERESTARTSYS);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, WaitsForChildrenOfTheCallersThreadsUnlessTold) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  Task& child = Fork(k, thread);
  Exit(k, child, 0);
  EXPECT_THAT(k.As(leader).waitpid(-1, WNOHANG | __WNOTHREAD),
              SyscallFailsWithErrno(ECHILD));
  EXPECT_THAT(k.As(leader).waitpid(-1, WNOHANG),
              SyscallSucceedsWithValue(child.pid()));
}

TEST(Wait4, ReportsAStoppedChildOnce) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  ASSERT_THAT(k.As(parent).kill(child.pid(), SIGSTOP), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_THAT(k.As(parent).waitpid(-1, WNOHANG), SyscallSucceedsWithValue(0));
  EXPECT_THAT(k.As(parent).waitpid(-1, WNOHANG | WUNTRACED),
              SyscallSucceedsWithValue(child.pid()));
  EXPECT_THAT(k.As(parent).waitpid(-1, WNOHANG | WUNTRACED),
              SyscallSucceedsWithValue(0));
  ASSERT_THAT(k.As(parent).kill(child.pid(), SIGCONT), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_THAT(k.As(parent).waitpid(-1, WNOHANG | WCONTINUED),
              SyscallSucceedsWithValue(child.pid()));
  EXPECT_THAT(k.As(parent).waitpid(-1, WNOHANG | WCONTINUED),
              SyscallSucceedsWithValue(0));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, ShowsATracedZombieToItsTracerFirst) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& tracer = k.Spawn("tracer");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  ASSERT_THAT(k.As(tracer).ptrace_seize(pid, false, false), SyscallSucceeds());
  Exit(k, child, 0);
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG), SyscallSucceedsWithValue(0));
  EXPECT_THAT(k.As(tracer).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(pid));
  EXPECT_EQ(child.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.As(tracer).waitpid(pid, WNOHANG),
              SyscallFailsWithErrno(ECHILD));
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(pid));
  EXPECT_EQ(child.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, GivesATracedZombieBackWhenItsTracerDies) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& tracer = k.Spawn("tracer");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  ASSERT_THAT(k.As(tracer).ptrace_seize(pid, false, false), SyscallSucceeds());
  Exit(k, child, 0);
  Exit(k, tracer, 0);
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(pid));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, HasSomethingToWaitForWhileTheTracerTakesTheZombie) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& tracer = k.Spawn("tracer");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  ASSERT_THAT(k.As(tracer).ptrace_seize(pid, false, false), SyscallSucceeds());
  Exit(k, child, 0);
  k.Begin(tracer, [pid](User user) { user.waitpid(pid); });
  // It has said that the zombie is its, and is about to drop tasklist_lock.
  ASSERT_EQ(k.RunUntil(tracer, Point::kFlagSet), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntil(tracer, Point::kSpinUnlock), Stepped::kAtPoint);
  ASSERT_EQ(child.raw()->exit_state, EXIT_TRACE);
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG), SyscallSucceedsWithValue(0));
  EXPECT_EQ(k.Finish(tracer), Stepped::kDone);
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG),
              SyscallSucceedsWithValue(pid));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, ReportsAStopToAParentThatTracesOnlyOnce) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  ASSERT_THAT(k.As(parent).ptrace_seize(pid, false, false), SyscallSucceeds());
  ASSERT_THAT(k.As(parent).kill(pid, SIGSTOP), SyscallSucceeds());
  k.RunUntilIdle();
  // First the signal's delivery is reported, then, on its way, the stop.
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG | WUNTRACED),
              SyscallSucceedsWithValue(pid));
  ASSERT_THAT(k.As(parent).ptrace_cont(pid, SIGSTOP), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG | WUNTRACED),
              SyscallSucceedsWithValue(pid));
  EXPECT_THAT(k.As(parent).waitpid(pid, WNOHANG | WUNTRACED),
              SyscallSucceedsWithValue(0));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Wait4, GivesADeadThreadToItsTracer) {
  Kernel k;
  Task& tracer = k.Spawn("tracer");
  Task& leader = k.Spawn("leader");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(leader).clone_thread().kernel()));
  // A third one, so that the dead one is neither first nor last.
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  const pid_t tid = thread.pid();
  ASSERT_THAT(k.As(tracer).ptrace_seize(tid, false, false), SyscallSucceeds());
  k.Begin(thread, [](User user) { user.exit(3); });
  k.RunUntilIdle();
  ASSERT_EQ(thread.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.As(tracer).waitpid(tid, WNOHANG | static_cast<int>(__WALL)),
              SyscallSucceedsWithValue(tid));
  EXPECT_EQ(thread.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// waitid() as the task; the status, the cause and the pid packed into one
// number, or the error.
SysResult Waitid(Kernel& k, Task& task, int which, pid_t id, int options) {
  return k.Call(task.raw(), [=]() -> int64_t {
    waitid_info info;
    const int64_t ret = sys_waitid(which, id, &info, options);
    if (ret != 0) return ret;
    return int64_t{info.pid} << 32 | info.cause << 16 | info.status;
  });
}
int64_t Packed(pid_t pid, int cause, int status) {
  return int64_t{pid} << 32 | cause << 16 | status;
}

TEST(Waitid, RefusesWhatItDoesNotKnow) {
  struct Case {
    const char* what;
    int which;
    pid_t id;
    int options;
    int error;
  };
  constexpr Case kCases[] = {
      {"no event to wait for", P_ALL, 0, WNOHANG, EINVAL},
      {"an unknown option", P_ALL, 0, WEXITED | 0x100, EINVAL},
      {"an unknown kind of id", 17, 0, WEXITED, EINVAL},
      {"pid 0", P_PID, 0, WEXITED, EINVAL},
      {"a negative pid", P_PID, -1, WEXITED, EINVAL},
      {"a pid of nobody", P_PID, 4711, WEXITED, ECHILD},
      {"a negative pidfd", P_PIDFD, -1, WEXITED, EINVAL},
      {"a closed pidfd", P_PIDFD, 99, WEXITED, EBADF},
  };
  Kernel k;
  Task& parent = k.Spawn("parent");
  Fork(k, parent);
  for (const Case& c : kCases) {
    EXPECT_THAT(Waitid(k, parent, c.which, c.id, c.options),
                SyscallFailsWithErrno(c.error))
        << c.what;
  }
}

TEST(Waitid, LeavesTheZombieWithWnowait) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  Exit(k, child, 6);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Waitid(k, parent, P_ALL, 0, WEXITED | WNOWAIT),
                SyscallSucceedsWithValue(Packed(pid, CLD_EXITED, 6)));
    EXPECT_EQ(child.phase(), TaskPhase::kZombie);
  }
  EXPECT_THAT(Waitid(k, parent, P_PID, pid, WEXITED),
              SyscallSucceedsWithValue(Packed(pid, CLD_EXITED, 6)));
  EXPECT_EQ(child.phase(), TaskPhase::kGone);
}

TEST(Waitid, TellsDeathByASignal) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  ASSERT_THAT(k.As(parent).kill(pid, SIGKILL), SyscallSucceeds());
  EXPECT_THAT(Waitid(k, parent, P_PID, pid, WEXITED),
              SyscallSucceedsWithValue(Packed(pid, CLD_KILLED, SIGKILL)));
}

TEST(Waitid, WaitsForAPidfd) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = Fork(k, parent);
  const pid_t pid = child.pid();
  const int fd = static_cast<int>(k.As(parent).pidfd_open(pid, 0).kernel());
  const int nonblocking =
      static_cast<int>(k.As(parent).pidfd_open(pid, O_NONBLOCK).kernel());
  EXPECT_THAT(Waitid(k, parent, P_PIDFD, nonblocking, WEXITED),
              SyscallFailsWithErrno(EAGAIN));
  EXPECT_THAT(Waitid(k, parent, P_PIDFD, nonblocking, WEXITED | WNOHANG),
              SyscallSucceedsWithValue(0));
  Exit(k, child, 2);
  EXPECT_THAT(Waitid(k, parent, P_PIDFD, fd, WEXITED),
              SyscallSucceedsWithValue(Packed(pid, CLD_EXITED, 2)));
  EXPECT_THAT(Waitid(k, parent, P_PIDFD, fd, WEXITED),
              SyscallFailsWithErrno(ECHILD));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
