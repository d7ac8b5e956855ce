// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/pidfd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

int Fd(const SysResult& result) {
  EXPECT_THAT(result, SyscallSucceeds());
  return static_cast<int>(result.kernel());
}
bool GroupExits(Task& task) {
  return (task.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}

TEST(PidfdOpen, ErrorsAreThoseOfTheManual) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    const bool new_kernel = k.differences().has_pidfd_thread;
    Task& leader = k.Spawn("leader");
    ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
    const pid_t tid = k.NewestTask().pid();
    const pid_t tgid = leader.pid();
    User caller = k.As(k.Spawn("caller"));
    struct Row {
      const char* what;
      pid_t pid;
      unsigned int flags;
      int error;
    };
    const Row rows[] = {
        {"a process", tgid, 0, 0},
        {"non-blocking", tgid, PIDFD_NONBLOCK, 0},
        {"unknown flags", tgid, 1u << 30, EINVAL},
        {"unknown flags, nobody", 30000, 1u << 30, EINVAL},
        {"pid 0", 0, 0, EINVAL},
        {"a negative pid", -5, 0, EINVAL},
        {"nobody", 30000, 0, ESRCH},
        {"a thread", tid, 0, new_kernel ? ENOENT : EINVAL},
        {"a thread, as one", tid, PIDFD_THREAD, new_kernel ? 0 : EINVAL},
        {"a leader, as a thread", tgid, PIDFD_THREAD, new_kernel ? 0 : EINVAL},
    };
    for (const Row& row : rows) {
      EXPECT_EQ(caller.pidfd_open(row.pid, row.flags).error(), row.error)
          << row.what;
    }
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(PidfdOpen, SaysEmfileWhenTheTableIsFull) {
  Kernel k;
  Task& task = k.Spawn("task");
  for (int i = 0; i < kMaxFds; ++i) {
    ASSERT_EQ(k.As(task).pidfd_open(task.pid(), 0).kernel(), i);
  }
  EXPECT_THAT(k.As(task).pidfd_open(task.pid(), 0),
              SyscallFailsWithErrno(EMFILE));
  EXPECT_THAT(k.As(task).dup(0), SyscallFailsWithErrno(EMFILE));
  EXPECT_THAT(k.As(task).open_proc_dir(task.pid()),
              SyscallFailsWithErrno(EMFILE));
  EXPECT_THAT(k.As(k.Spawn("other")).pidfd_open(1, 0), SyscallSucceeds());
  EXPECT_THAT(k.As(task).close(7), SyscallSucceeds());
  EXPECT_EQ(k.As(task).dup(0).kernel(), 7);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PidfdOpen, SeesOnlyItsOwnNamespace) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  ASSERT_THAT(k.As(outside).clone_newpid(), SyscallSucceeds());
  Task& init = k.NewestTask();
  EXPECT_THAT(k.As(init).pidfd_open(1, 0), SyscallSucceeds());
  EXPECT_THAT(k.As(init).pidfd_open(outside.pid(), 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.As(outside).pidfd_open(init.pid(), 0), SyscallSucceeds());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PidfdSendSignal, TakesPidfdsAndProcDirectories) {
  Kernel k;
  Task& target = k.Spawn("target");
  Task& caller = k.Spawn("caller");
  User user = k.As(caller);
  const int pidfd = Fd(user.pidfd_open(target.pid(), 0));
  const int dir = Fd(user.open_proc_dir(target.pid()));
  const int path = Fd(user.reopen(pidfd, true));
  const int memfd = Fd(user.memfd_create(Pages(1)));
  EXPECT_THAT(user.pidfd_send_signal(pidfd, 0), SyscallSucceeds());
  EXPECT_THAT(user.pidfd_send_signal(dir, 0), SyscallSucceeds());
  EXPECT_THAT(user.pidfd_send_signal(path, 0), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(user.pidfd_send_signal(memfd, 0), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(user.pidfd_send_signal(99, 0), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(user.pidfd_send_signal(pidfd, 65), SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(user.pidfd_send_signal(pidfd, 0, 1u << 9),
              SyscallFailsWithErrno(EINVAL));
  // Flags come before the descriptor.
  EXPECT_THAT(user.pidfd_send_signal(99, 0, 1u << 9),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(k.As(caller).setuid(1000), SyscallSucceeds());
  EXPECT_THAT(user.pidfd_send_signal(pidfd, SIGKILL),
              SyscallFailsWithErrno(EPERM));
  EXPECT_FALSE(GroupExits(target));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PidfdSendSignal, SaysEsrchOfOneThatHasBeenWaitedFor) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = k.Spawn("child", {.parent = &parent});
  const int fd = Fd(k.As(parent).pidfd_open(child.pid(), 0));
  EXPECT_THAT(k.As(parent).pidfd_send_signal(fd, SIGKILL), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_THAT(k.As(parent).pidfd_send_signal(fd, 0), SyscallSucceeds());
  EXPECT_THAT(k.As(parent).waitpid(child.pid()), SyscallSucceeds());
  EXPECT_THAT(k.As(parent).pidfd_send_signal(fd, 0),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PidfdSendSignal, RefusesTargetsOutsideTheCallersNamespace) {
  Kernel k;
  Task& outside = k.Spawn("outside");
  ASSERT_THAT(k.As(outside).clone_newpid(), SyscallSucceeds());
  Task& inside = k.NewestTask();
  const int own = Fd(k.As(outside).pidfd_open(outside.pid(), 0));
  const int passed = Fd(k.As(outside).send_fd(own, inside.pid()));
  EXPECT_THAT(k.As(inside).pidfd_send_signal(passed, 0),
              SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PidfdSendSignal, ScopeFollowsTheDescriptorUnlessFlagsSayMore) {
  struct Row {
    unsigned int open_flags;
    unsigned int send_flags;
    bool private_signal;
  };
  for (const Row& row : {Row{0, 0, false}, Row{PIDFD_THREAD, 0, true},
                         Row{0, PIDFD_SIGNAL_THREAD, true},
                         Row{PIDFD_THREAD, PIDFD_SIGNAL_THREAD_GROUP, false}}) {
    Kernel k;
    Task& target = k.Spawn("target");
    ASSERT_THAT(k.As(target).sigblock(SIGUSR1), SyscallSucceeds());
    User user = k.As(k.init());
    const int fd = Fd(user.pidfd_open(target.pid(), row.open_flags));
    EXPECT_THAT(user.pidfd_send_signal(fd, SIGUSR1, row.send_flags),
                SyscallSucceeds());
    EXPECT_EQ(SigSetHas(target.raw()->pending, SIGUSR1), row.private_signal);
    EXPECT_EQ(SigSetHas(target.raw()->signal->shared_pending, SIGUSR1),
              !row.private_signal);
  }
}

TEST(ReopenFd, GivesAPidfdAnewOnceTheyAreFiles) {
  for (const char* version : kVersions) {
    Kernel k({.version = version});
    Task& victim = k.Spawn("victim");
    User user = k.As(k.Spawn("caller"));
    const int pidfd = Fd(user.pidfd_open(victim.pid(), 0));
    const SysResult again = user.reopen(pidfd, false);
    if (k.differences().has_pidfd_thread) {
      EXPECT_THAT(user.process_mrelease(Fd(again), 0),
                  SyscallFailsWithErrno(EINVAL));
    } else {
      EXPECT_THAT(again, SyscallFailsWithErrno(ENXIO));
    }
    EXPECT_THAT(user.process_mrelease(Fd(user.reopen(pidfd, true)), 0),
                SyscallFailsWithErrno(EBADF));
    EXPECT_THAT(user.reopen(99, false), SyscallFailsWithErrno(ENOENT));
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(OpenProcPid, SaysEnoentForNobodyAndThreads) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  EXPECT_THAT(k.As(leader).open_proc_dir(leader.pid()), SyscallSucceeds());
  EXPECT_THAT(k.As(leader).open_proc_dir(30000), SyscallFailsWithErrno(ENOENT));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PassFd, GivesAnotherTaskTheSameFile) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& a = k.Spawn("a");
  Task& b = k.Spawn("b");
  const int fd = Fd(k.As(a).pidfd_open(victim.pid(), 0));
  const int there = Fd(k.As(a).send_fd(fd, b.pid()));
  EXPECT_THAT(k.As(a).close(fd), SyscallSucceeds());
  EXPECT_THAT(k.As(a).close(fd), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(k.As(a).send_fd(fd, b.pid()), SyscallFailsWithErrno(EBADF));
  EXPECT_THAT(k.As(b).pidfd_send_signal(there, SIGKILL), SyscallSucceeds());
  EXPECT_TRUE(GroupExits(victim));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

}  // namespace
}  // namespace reapsim
