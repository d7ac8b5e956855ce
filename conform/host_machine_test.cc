// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/host_machine.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

namespace reapsim {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kNoFd = static_cast<uint64_t>(-1);

class HostMachineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const absl::Status status = HostCanConform();
    if (!status.ok()) GTEST_SKIP() << status;
  }
};

uint64_t MapAnonymous(HostTask& task, uint64_t bytes) {
  return static_cast<uint64_t>(task.Must(SYS_mmap, 0, bytes,
                                         PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, kNoFd));
}

bool Exists(pid_t pid) { return kill(pid, 0) == 0 || errno != ESRCH; }

TEST_F(HostMachineTest, ProcessMakesSystemCalls) {
  HostMachine m;
  HostTask& task = m.Spawn();
  EXPECT_EQ(task.Syscall(SYS_getpid), task.tid());
  EXPECT_EQ(task.Syscall(SYS_close, 1000), -EBADF);
  EXPECT_EQ(task.Syscall(SYS_chdir, task.Text("/nowhere")), -ENOENT);
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, TouchStoresWhatItIsTold) {
  HostMachine m;
  HostTask& task = m.Spawn();
  const uint64_t heap = MapAnonymous(task, 4 * kPage);
  task.Touch(heap, 4 * kPage, kPage, true, 40);
  // The third word written, copied by the kernel to where both see it.
  const uint64_t zero = 0;
  const uint64_t seen = task.Bytes(&zero, sizeof zero);
  int pipe[2];
  const uint64_t pipe_address = task.Bytes(&pipe, sizeof pipe);
  task.Must(SYS_pipe, pipe_address);
  std::memcpy(&pipe, task.Shared(pipe_address), sizeof pipe);
  task.Must(SYS_write, pipe[1], heap + 2 * kPage, sizeof zero);
  task.Must(SYS_read, pipe[0], seen, sizeof zero);
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_EQ(*static_cast<uint64_t*>(task.Shared(seen)), 40 + 2 * 8);
}

TEST_F(HostMachineTest, ThreadsCopiesAndSharersAreWhatTheyAreCalled) {
  HostMachine m;
  HostTask& task = m.Spawn();
  HostTask& thread = task.CloneThread();
  HostTask& copy = task.Fork();
  HostTask& sharer = task.CloneVm();
  EXPECT_EQ(thread.tgid(), task.tgid());
  EXPECT_NE(thread.tid(), task.tid());
  EXPECT_EQ(thread.Syscall(SYS_getpid), task.tid());
  EXPECT_EQ(copy.Syscall(SYS_getpid), copy.tid());
  EXPECT_EQ(copy.Syscall(SYS_getppid), getpid());
  EXPECT_EQ(sharer.Syscall(SYS_getppid), getpid());
  // What the sharer maps the victim sees; what the copy maps it doesn't.
  task.Must(SYS_msync, MapAnonymous(sharer, kPage), kPage, MS_ASYNC);
  EXPECT_EQ(task.Syscall(SYS_msync, MapAnonymous(copy, 64 * kPage), 64 * kPage,
                         MS_ASYNC),
            -ENOMEM);
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, VforkParentWaitsForItsChild) {
  HostMachine m;
  HostTask& parent = m.Spawn();
  HostTask& child = parent.Vfork();
  m.WaitState(parent, "D");
  EXPECT_FALSE(parent.Done());
  EXPECT_EQ(child.Syscall(SYS_getpid), child.tid());
  m.Kill(child, SIGKILL);
  EXPECT_EQ(parent.Finish(), child.tid());
  EXPECT_EQ(parent.Syscall(SYS_getpid), parent.tid());
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, ExecStartsTheProgramAnew) {
  HostMachine m;
  HostTask& task = m.Spawn();
  HostTask& thread = task.CloneThread();
  const uint64_t heap = MapAnonymous(task, kPage);
  task.Exec();
  EXPECT_EQ(task.Syscall(SYS_getpid), task.tid());
  EXPECT_EQ(task.Syscall(SYS_msync, heap, kPage, MS_ASYNC), -ENOMEM);
  EXPECT_EQ(m.State(thread), '\0');
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, NamespaceInitIsKnownByItsNumberOutside) {
  HostMachine m;
  HostTask& init = m.Spawn().Clone(CLONE_NEWPID | SIGCHLD);
  HostTask& inside = init.Clone(SIGCHLD);
  if (absl::IsPermissionDenied(m.status())) GTEST_SKIP() << m.status();
  ASSERT_TRUE(m.ok()) << m.status();
  EXPECT_EQ(init.Syscall(SYS_getpid), 1);
  EXPECT_EQ(inside.Syscall(SYS_getpid), 2);
  EXPECT_TRUE(Exists(init.tid()));
  EXPECT_NE(inside.tid(), 2);
  EXPECT_TRUE(Exists(inside.tid()));
}

TEST_F(HostMachineTest, HeldVictimIsReleasedByTheCall) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  const int pidfd = m.PidfdOpen(victim);
  EXPECT_EQ(m.Mrelease(pidfd), -EINVAL);
  m.Seize(victim);
  m.Kill(victim, SIGKILL);
  m.WaitEventExit(victim);
  EXPECT_EQ(m.State(victim), 't');
  EXPECT_EQ(m.Mrelease(pidfd), 0);
  EXPECT_EQ(m.Mrelease(pidfd, 1), -EINVAL);
  m.Cont(victim);
  m.WaitZombie(victim);
  EXPECT_EQ(m.Mrelease(pidfd), -ESRCH);
  m.Reap(victim);
  EXPECT_FALSE(Exists(victim.tid()));
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, DescriptorIsSent) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  HostTask& caller = m.Spawn();
  const int pidfd = m.SendFd(caller, m.PidfdOpen(victim));
  EXPECT_EQ(caller.Syscall(448, pidfd, 0), -EINVAL);
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, KilledCallLeavesItsNumberAndResult) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  m.Seize(victim);
  const uint64_t forever[2] = {1000, 0};
  victim.Begin(SYS_nanosleep, victim.Bytes(forever, sizeof forever), 0);
  m.WaitInCall(victim, SYS_nanosleep);
  m.Kill(victim, SIGKILL);
  m.WaitEventExit(victim);
  EXPECT_EQ(m.CallNumber(victim), SYS_nanosleep);
  EXPECT_LT(m.ResultRegister(victim), 0);
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, SpinningTaskIsRunning) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  victim.Spin();
  EXPECT_EQ(m.State(victim), 'R');
  EXPECT_TRUE(m.ok()) << m.status();
}

TEST_F(HostMachineTest, HandlerIsRunAndReturns) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  victim.Handle(SIGTERM);
  victim.Begin(SYS_pause);
  m.WaitInCall(victim, SYS_pause);
  m.Kill(victim, SIGTERM);
  EXPECT_EQ(victim.Finish(), -EINTR);
  EXPECT_TRUE(m.ok()) << m.status();
}

// ---- Errors ---------------------------------------------------------------

TEST_F(HostMachineTest, EndedTaskIsAnErrorAndNotWaitedFor) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  victim.Touch(0, 1, 1, true);  // a segmentation fault
  EXPECT_EQ(m.status().code(), absl::StatusCode::kInternal) << m.status();
  EXPECT_EQ(victim.Syscall(SYS_getpid), -ECANCELED);
  // The first error stays.
  m.Fail(absl::UnimplementedError("later"));
  EXPECT_EQ(m.status().code(), absl::StatusCode::kInternal);
}

TEST_F(HostMachineTest, WhatTheHostLacksIsUnimplemented) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  constexpr long kNoSuchCall = 400;  // between the old and the new numbers
  EXPECT_EQ(victim.Must(kNoSuchCall), -1);
  EXPECT_EQ(m.status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(HostMachineTest, WhatIsNotAllowedIsPermissionDenied) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  constexpr uint64_t kNobody = 65534;
  (void)victim.Syscall(SYS_setuid, kNobody);
  EXPECT_EQ(victim.Must(SYS_chroot, victim.Text("/")), -1);
  EXPECT_EQ(m.status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(HostMachineTest, CallThatHasToSucceedIsAnErrorOtherwise) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  EXPECT_EQ(victim.Must(SYS_close, 1000), -1);
  EXPECT_EQ(m.status().code(), absl::StatusCode::kInternal);
}

TEST_F(HostMachineTest, BusyTaskCannotBeToldAnything) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  victim.Begin(SYS_pause);
  victim.Begin(SYS_getpid);
  EXPECT_EQ(m.status().code(), absl::StatusCode::kInternal);
}

TEST_F(HostMachineTest, TooManyTasksAreAnError) {
  HostMachine m;
  HostTask& victim = m.Spawn();
  for (int i = 1; i < kMailboxes; ++i) victim.CloneThread();
  ASSERT_TRUE(m.ok()) << m.status();
  victim.CloneThread();
  EXPECT_EQ(m.status().code(), absl::StatusCode::kInternal);
}

// ---- The end --------------------------------------------------------------

TEST_F(HostMachineTest, NothingIsLeft) {
  std::vector<pid_t> pids;
  {
    HostMachine m;
    const auto spawn = [&]() -> HostTask& {
      HostTask& task = m.Spawn();
      pids.push_back(task.tid());
      return task;
    };
    spawn().Spin();
    m.Kill(spawn(), SIGSTOP);
    spawn().Begin(SYS_pause);
    HostTask& held = spawn();
    m.Seize(held);
    HostTask& held_thread = held.CloneThread();
    m.Seize(held_thread);
    m.Kill(held, SIGKILL);
    m.WaitEventExit(held);
    m.WaitEventExit(held_thread);
    HostTask& stopped = spawn();
    m.Seize(stopped);
    m.Kill(stopped, SIGUSR1);
    m.WaitStop(stopped);
    HostTask& parent = spawn();
    pids.push_back(parent.Vfork().tid());
    HostTask& grandparent = spawn();
    HostTask& grandchild = grandparent.Clone(SIGCHLD);
    pids.push_back(grandchild.tid());
    HostTask& zombie = spawn();
    m.Kill(zombie, SIGKILL);
    m.WaitZombie(zombie);
    HostTask& leaderless = spawn();
    leaderless.CloneThread();
    leaderless.Begin(SYS_exit, 0);
    m.WaitState(leaderless, "Z");
    ASSERT_TRUE(m.ok()) << m.status();
    for (pid_t pid : pids) ASSERT_TRUE(Exists(pid));
    // Grandchildren whose parent dies first become children of the harness.
    m.Kill(grandparent, SIGKILL);
    EXPECT_TRUE(m.End().ok());
  }
  for (pid_t pid : pids) EXPECT_FALSE(Exists(pid)) << pid;
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG | __WALL), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(HostMachineTest, NothingIsLeftAfterAnError) {
  pid_t pid = 0;
  {
    HostMachine m;
    HostTask& victim = m.Spawn();
    pid = victim.tid();
    m.Kill(victim, SIGSTOP);
    m.Fail(absl::InternalError("trouble"));
  }
  EXPECT_NE(pid, 0);
  EXPECT_FALSE(Exists(pid));
}

}  // namespace
}  // namespace reapsim
