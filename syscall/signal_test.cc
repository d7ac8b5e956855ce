// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/signal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>

#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

bool GroupExits(Task& task) {
  return (task.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}
uint32_t Handled(Kernel& k, Task& task) {
  return k.sched().task_slab.HistoryOf(task.raw()).signals_handled;
}
void Kill(Kernel& k, Task& victim, int sig) {
  ASSERT_THAT(k.As(k.init()).kill(victim.pid(), sig), SyscallSucceeds());
}
void Sigaction(Kernel& k, Task& task, int sig, SigDisposition disposition) {
  ASSERT_THAT(k.As(task).sigaction(sig, disposition), SyscallSucceeds());
}
// Has the task sleep in a driver, uninterruptibly.
void PutToDriverSleep(Kernel& k, Task& task) {
  k.BlockDriver(true);
  k.Begin(task, [](User user) { user.driver_wait(); });
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
}
void Stop(Kernel& k, Task& task) {
  Kill(k, task, SIGSTOP);
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  ASSERT_TRUE(task_is_stopped(task.raw()));
}
void FreezeV1(Kernel& k, Task& task) {
  ASSERT_THAT(k.As(k.init()).freeze_v1(task.pid(), true), SyscallSucceeds());
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  ASSERT_TRUE(task.raw()->frozen);
}
void FreezeV2(Kernel& k, Task& task) {
  ASSERT_THAT(k.As(k.init()).freeze_v2(task.pid(), true), SyscallSucceeds());
  ASSERT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
  ASSERT_TRUE(task.raw()->cgroup_v2_frozen);
}

// What process_mrelease() says when `victim`, which has not run since, has been
// put into a state: 0 if it counts as dying, EINVAL if not.
struct DyingRow {
  const char* state;
  void (*put)(Kernel& k, Task& victim);
  bool dying;
};
void PrintTo(const DyingRow& row, std::ostream* os) { *os << row.state; }

template <int kSig>
void Send(Kernel& k, Task& victim) {
  Kill(k, victim, kSig);
}
template <int kSig>
void SendHandled(Kernel& k, Task& victim) {
  Sigaction(k, victim, kSig, SigDisposition::kHandler);
  Kill(k, victim, kSig);
}
void SendTermIgnored(Kernel& k, Task& victim) {
  Sigaction(k, victim, SIGTERM, SigDisposition::kIgnore);
  Kill(k, victim, SIGTERM);
}
void SendTermBlocked(Kernel& k, Task& victim) {
  ASSERT_THAT(k.As(victim).sigblock(SIGTERM), SyscallSucceeds());
  Kill(k, victim, SIGTERM);
}
template <int kSig>
void SendToSleeper(Kernel& k, Task& victim) {
  PutToDriverSleep(k, victim);
  Kill(k, victim, kSig);
}
void SendTermAfterAnotherSignal(Kernel& k, Task& victim) {
  Sigaction(k, victim, SIGUSR1, SigDisposition::kHandler);
  PutToDriverSleep(k, victim);
  Kill(k, victim, SIGUSR1);
  Kill(k, victim, SIGTERM);
}
template <int kSig>
void SendToStopped(Kernel& k, Task& victim) {
  Stop(k, victim);
  Kill(k, victim, kSig);
}
template <int kSig>
void SendToTraced(Kernel& k, Task& victim) {
  ASSERT_THAT(k.As(k.init()).ptrace_seize(victim.pid(), false, false),
              SyscallSucceeds());
  Kill(k, victim, kSig);
}
template <int kSig>
void SendToTraceStopped(Kernel& k, Task& victim) {
  SendToTraced<SIGUSR1>(k, victim);
  ASSERT_EQ(k.RunUntil(victim, Point::kPtraceStop), Stepped::kAtPoint);
  ASSERT_EQ(k.RunUntilBlocked(victim), Stepped::kBlocked);
  ASSERT_TRUE(task_is_traced(victim.raw()));
  Kill(k, victim, kSig);
}
template <int kSig>
void SendToFrozenV1(Kernel& k, Task& victim) {
  FreezeV1(k, victim);
  Kill(k, victim, kSig);
  k.RunUntilIdle();
  // Whatever it is to die of, it stays where it is.
  ASSERT_TRUE(victim.raw()->frozen);
}
template <int kSig>
void SendToFrozenV2(Kernel& k, Task& victim) {
  FreezeV2(k, victim);
  Kill(k, victim, kSig);
}
void StartDump(Kernel& k, Task& victim) {
  k.BlockDump(true);
  Kill(k, victim, SIGSEGV);
  ASSERT_EQ(k.RunUntil(victim, Point::kCoredumpWrite), Stepped::kAtPoint);
}
void FinishDump(Kernel& k, Task& victim) {
  Kill(k, victim, SIGSEGV);
  ASSERT_EQ(k.RunUntil(victim, Point::kExitMm), Stepped::kAtPoint);
}

class DyingTest : public testing::TestWithParam<DyingRow> {};

TEST_P(DyingTest, IsWhatProcessMreleaseSees) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    Task& victim = k.Spawn("victim");
    Task& lmkd = k.Spawn("lmkd");
    const SysResult fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
    ASSERT_THAT(fd, SyscallSucceeds());
    k.Hold(victim);
    GetParam().put(k, victim);
    const SysResult ret =
        k.As(lmkd).process_mrelease(static_cast<int>(fd.kernel()), 0);
    if (GetParam().dying) {
      EXPECT_THAT(ret, SyscallSucceeds());
    } else {
      EXPECT_THAT(ret, SyscallFailsWithErrno(EINVAL));
    }
    k.Release(victim);
    k.BlockDriver(false);
    k.BlockDump(false);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, DyingTest,
    testing::Values(
        DyingRow{"nothing sent", [](Kernel&, Task&) {}, false},
        DyingRow{"KILL", Send<SIGKILL>, true},
        DyingRow{"TERM", Send<SIGTERM>, true},
        DyingRow{"HUP", Send<SIGHUP>, true},
        DyingRow{"TERM handled", SendHandled<SIGTERM>, false},
        DyingRow{"TERM ignored", SendTermIgnored, false},
        DyingRow{"TERM blocked", SendTermBlocked, false},
        DyingRow{"KILL in D state", SendToSleeper<SIGKILL>, true},
        DyingRow{"TERM in D state", SendToSleeper<SIGTERM>, true},
        DyingRow{"SEGV in D state", SendToSleeper<SIGSEGV>, false},
        DyingRow{"TERM behind another signal", SendTermAfterAnotherSignal,
                 false},
        DyingRow{"KILL to a stopped one", SendToStopped<SIGKILL>, true},
        DyingRow{"TERM to a stopped one", SendToStopped<SIGTERM>, false},
        DyingRow{"KILL to a tracee", SendToTraced<SIGKILL>, true},
        DyingRow{"TERM to a tracee", SendToTraced<SIGTERM>, false},
        DyingRow{"KILL in a ptrace stop", SendToTraceStopped<SIGKILL>, true},
        DyingRow{"TERM in a ptrace stop", SendToTraceStopped<SIGTERM>, false},
        DyingRow{"KILL to a frozen one (v1)", SendToFrozenV1<SIGKILL>, true},
        DyingRow{"TERM to a frozen one (v1)", SendToFrozenV1<SIGTERM>, false},
        DyingRow{"SEGV to a frozen one (v1)", SendToFrozenV1<SIGSEGV>, false},
        DyingRow{"KILL to a frozen one (v2)", SendToFrozenV2<SIGKILL>, true},
        DyingRow{"TERM to a frozen one (v2)", SendToFrozenV2<SIGTERM>, true},
        DyingRow{"SEGV to a frozen one (v2)", SendToFrozenV2<SIGSEGV>, false},
        DyingRow{"SEGV, not delivered", Send<SIGSEGV>, false},
        DyingRow{"core dump running", StartDump, false},
        DyingRow{"core dump finished", FinishDump, true}));

// Both signals come from outside and from inside of a pid namespace.
TEST(Dying, NamespaceInitIsUnkillableFromInside) {
  for (const char* version : kVersions) {
    for (const bool inside : {true, false}) {
      Kernel k({.version = version});
      Task& outside = k.Spawn("outside");
      ASSERT_THAT(k.As(outside).clone_newpid(), SyscallSucceeds());
      Task& init = k.NewestTask();
      ASSERT_THAT(k.As(init).fork(), SyscallSucceeds());
      Task& child = k.NewestTask();
      const SysResult killed = inside ? k.As(child).kill(1, SIGKILL)
                                      : k.As(outside).kill(init.pid(), SIGKILL);
      EXPECT_THAT(killed, SyscallSucceeds());
      EXPECT_EQ(GroupExits(init), !inside) << version;
      EXPECT_THAT(k.Shutdown(), IsEmpty());
    }
  }
}

TEST(GetSignal, RunsAHandlerOncePerPendingSignal) {
  Kernel k;
  Task& task = k.Spawn("task");
  Sigaction(k, task, SIGUSR1, SigDisposition::kHandler);
  Kill(k, task, SIGUSR1);
  Kill(k, task, SIGUSR1);
  k.RunUntilIdle();
  EXPECT_EQ(Handled(k, task), 1u);
  EXPECT_FALSE(signal_pending(task.raw()));
  EXPECT_EQ(task.phase(), TaskPhase::kAlive);
}

TEST(GetSignal, KeepsABlockedSignalUntilItIsUnblocked) {
  Kernel k;
  Task& task = k.Spawn("task");
  Sigaction(k, task, SIGUSR1, SigDisposition::kHandler);
  ASSERT_THAT(k.As(task).sigblock(SIGUSR1), SyscallSucceeds());
  Kill(k, task, SIGUSR1);
  k.RunUntilIdle();
  EXPECT_EQ(Handled(k, task), 0u);
  ASSERT_THAT(k.As(task).sigunblock(SIGUSR1), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(Handled(k, task), 1u);
}

TEST(GetSignal, ForgetsWhatBecomesIgnored) {
  Kernel k;
  Task& task = k.Spawn("task");
  ASSERT_THAT(k.As(task).sigblock(SIGTERM), SyscallSucceeds());
  Kill(k, task, SIGTERM);
  Sigaction(k, task, SIGTERM, SigDisposition::kIgnore);
  Sigaction(k, task, SIGTERM, SigDisposition::kDefault);
  ASSERT_THAT(k.As(task).sigunblock(SIGTERM), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kAlive);
}

TEST(DoSignalStop, StopsEveryThreadUntilContinued) {
  for (const char* version : kVersions) {
    Kernel k({.version = version});
    Task& leader = k.Spawn("leader");
    ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
    Task& thread = k.NewestTask();
    Kill(k, leader, SIGSTOP);
    k.RunUntilIdle();
    for (Task* task : {&leader, &thread}) {
      EXPECT_EQ(task->raw()->__state, TASK_STOPPED) << version;
    }
    EXPECT_EQ(leader.raw()->signal->flags, SIGNAL_STOP_STOPPED);
    Kill(k, leader, SIGCONT);
    k.RunUntilIdle();
    for (Task* task : {&leader, &thread}) {
      EXPECT_EQ(task->raw()->__state, TASK_INTERRUPTIBLE) << version;
    }
    EXPECT_EQ(leader.raw()->signal->flags, SIGNAL_STOP_CONTINUED);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

// It takes part as it goes, or is not asked to.
TEST(DoSignalStop, DoesNotWaitForAThreadThatExits) {
  for (const Point stands : {Point::kExitSignals, Point::kExitSignalsDone}) {
    SCOPED_TRACE(PointName(stands));
    Kernel k;
    Task& leader = k.Spawn("leader");
    ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
    Task& thread = k.NewestTask();
    k.Begin(thread, [](User user) { (void)user.exit(0); });
    ASSERT_EQ(k.RunUntil(thread, stands), Stepped::kAtPoint);
    k.Hold(thread);
    Kill(k, leader, SIGSTOP);
    k.RunUntilIdle();
    k.Release(thread);
    k.RunUntilIdle();
    EXPECT_EQ(thread.phase(), TaskPhase::kGone);
    EXPECT_EQ(leader.raw()->__state, TASK_STOPPED);
    EXPECT_EQ(leader.raw()->signal->flags, SIGNAL_STOP_STOPPED);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(DoSignalStop, SigtermWaitsForTheContinue) {
  Kernel k;
  Task& task = k.Spawn("task");
  Stop(k, task);
  Kill(k, task, SIGTERM);
  k.RunUntilIdle();
  EXPECT_TRUE(task_is_stopped(task.raw()));
  Kill(k, task, SIGCONT);
  k.RunUntilIdle();
  EXPECT_NE(task.phase(), TaskPhase::kAlive);
}

TEST(DoSignalStop, SigkillEndsIt) {
  Kernel k;
  Task& task = k.Spawn("task");
  Stop(k, task);
  Kill(k, task, SIGKILL);
  k.RunUntilIdle();
  EXPECT_NE(task.phase(), TaskPhase::kAlive);
}

TEST(SysKill, ErrorsAreThoseOfTheManual) {
  struct Row {
    const char* what;
    pid_t pid;  // 0: the target's
    int sig;
    uid_t uid;
    int error;
  };
  constexpr Row kRows[] = {
      {"a probe", 0, 0, 0, 0},
      {"no such process", 30000, SIGTERM, 0, ESRCH},
      {"no such signal", 0, 65, 0, EINVAL},
      {"a negative signal", 0, -1, 0, EINVAL},
      // Nobody to send it to: the signal is not looked at.
      {"neither", 30000, 65, 0, ESRCH},
      {"another user's process", 0, SIGKILL, 1000, EPERM},
      {"init, by another user", 1, SIGKILL, 1000, EPERM},
      {"INT_MIN", INT32_MIN, SIGKILL, 0, ESRCH},
  };
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.what);
    Kernel k;
    Task& target = k.Spawn("target", {.uid = 1001});
    Task& caller = k.Spawn("caller", {.uid = row.uid});
    const SysResult ret =
        k.As(caller).kill(row.pid == 0 ? target.pid() : row.pid, row.sig);
    EXPECT_EQ(ret.error(), row.error);
    EXPECT_FALSE(GroupExits(target));
  }
}

TEST(SysKill, MinusOneSparesInitAndTheCaller) {
  Kernel k;
  Task& a = k.Spawn("a");
  Task& b = k.Spawn("b");
  Task& caller = k.Spawn("caller");
  EXPECT_THAT(k.As(caller).kill(-1, SIGKILL), SyscallSucceeds());
  EXPECT_TRUE(GroupExits(a));
  EXPECT_TRUE(GroupExits(b));
  EXPECT_FALSE(GroupExits(caller));
  EXPECT_FALSE(GroupExits(k.init()));
}

TEST(SysKill, ReachesAZombie) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& child = k.Spawn("child", {.parent = &parent});
  Kill(k, child, SIGKILL);
  k.RunUntilIdle();
  ASSERT_EQ(child.phase(), TaskPhase::kZombie);
  Kill(k, child, SIGKILL);
}

TEST(SysTgkill, ErrorsAreThoseOfTheManual) {
  Kernel k;
  Task& leader = k.Spawn("leader");
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  Task& thread = k.NewestTask();
  Task& other = k.Spawn("other");
  User caller = k.As(k.init());
  const pid_t tgid = leader.pid();
  const pid_t tid = thread.pid();
  EXPECT_THAT(caller.tgkill(tgid, 0, SIGTERM), SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(caller.tgkill(-1, tid, SIGTERM), SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(caller.tgkill(tgid, tid, 65), SyscallFailsWithErrno(EINVAL));
  EXPECT_THAT(caller.tgkill(other.pid(), tid, SIGTERM),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(caller.tgkill(tgid, 30000, SIGTERM),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(caller.tgkill(tgid, tid, SIGTERM), SyscallSucceeds());
  EXPECT_TRUE(GroupExits(leader));
}

TEST(SysRtSigaction, RefusesWhatCannotBeChanged) {
  Kernel k;
  Task& task = k.Spawn("task");
  for (const int sig : {0, -1, 65, SIGKILL, SIGSTOP}) {
    EXPECT_THAT(k.As(task).sigaction(sig, SigDisposition::kIgnore),
                SyscallFailsWithErrno(EINVAL))
        << sig;
  }
}

TEST(SysRtSigprocmask, NeverBlocksSigkillAndSigstop) {
  Kernel k;
  Task& task = k.Spawn("task");
  EXPECT_THAT(
      k.Call(task.raw(), [] { return sys_rt_sigprocmask(SIG_SETMASK, ~0ull); }),
      SyscallSucceeds());
  EXPECT_EQ(task.raw()->blocked, ~(SigBit(SIGKILL) | SigBit(SIGSTOP)));
  EXPECT_THAT(k.Call(task.raw(), [] { return sys_rt_sigprocmask(77, 0); }),
              SyscallFailsWithErrno(EINVAL));
}

TEST(SysRtSigprocmask, AddsToWhatIsBlockedOrTakesFromIt) {
  struct Row {
    int how;
    sigset64 set;
    sigset64 after;
  };
  constexpr sigset64 kOne = SigBit(SIGUSR1);
  constexpr sigset64 kTwo = SigBit(SIGUSR2);
  for (const Row& row :
       {Row{SIG_BLOCK, kTwo, kOne | kTwo}, Row{SIG_UNBLOCK, kTwo, kOne},
        Row{SIG_UNBLOCK, kOne | kTwo, 0}, Row{SIG_SETMASK, kTwo, kTwo}}) {
    Kernel k;
    Task& task = k.Spawn("task");
    ASSERT_THAT(k.As(task).sigblock(SIGUSR1), SyscallSucceeds());
    ASSERT_THAT(k.Call(task.raw(),
                       [&row] { return sys_rt_sigprocmask(row.how, row.set); }),
                SyscallSucceeds());
    EXPECT_EQ(task.raw()->blocked, row.after) << row.how;
  }
}

TEST(DoSignalStop, TheParentIsToldOnce) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& leader = k.Spawn("leader", {.parent = &parent});
  ASSERT_THAT(k.As(leader).clone_thread(), SyscallSucceeds());
  Task& thread = k.NewestTask();
  // With a handler each time counts.
  Sigaction(k, parent, SIGCHLD, SigDisposition::kHandler);
  Kill(k, leader, SIGSTOP);
  for (Task* task : {&leader, &thread}) {
    ASSERT_EQ(k.RunUntilBlocked(*task), Stepped::kBlocked);
    ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  }
  ASSERT_TRUE(task_is_stopped(thread.raw()));
  EXPECT_EQ(Handled(k, parent), 1u);
}

// A stop that was begun when the group was killed is not gone through with.
TEST(DoSignalStop, IsLeftOutWhereTheGroupDies) {
  Kernel k;
  Task& task = k.Spawn("task");
  Kill(k, task, SIGSTOP);
  ASSERT_EQ(k.RunUntil(task, Point::kSpinUnlock), Stepped::kAtPoint);
  Kill(k, task, SIGKILL);
  k.RunUntilIdle();
  EXPECT_NE(task.phase(), TaskPhase::kAlive);
}

TEST(ExitToUserMode, ADyingTaskMakesNoCall) {
  Kernel k;
  Task& task = k.Spawn("task");
  k.RunUntilIdle();  // it stands in user mode
  const Out<int> made = k.NewOut<int>();
  k.Begin(task, [made](User) { made.Set(1); });
  Kill(k, task, SIGKILL);
  k.RunUntilIdle();
  EXPECT_NE(task.phase(), TaskPhase::kAlive);
  EXPECT_EQ(made.Get(), 0);
}

TEST(GetSignal, ANamespaceInitOutlivesWhatItHadBlocked) {
  Kernel k;
  ASSERT_THAT(k.As(k.Spawn("outside")).clone_newpid(), SyscallSucceeds());
  Task& init = k.NewestTask();
  ASSERT_THAT(k.As(init).sigblock(SIGTERM), SyscallSucceeds());
  ASSERT_THAT(k.As(init).kill(1, SIGTERM), SyscallSucceeds());
  ASSERT_THAT(k.As(init).sigunblock(SIGTERM), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_EQ(init.phase(), TaskPhase::kAlive);
}

TEST(GetSignal, WhoDiesIsNotFrozenAnyMore) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  Task& task = k.Spawn("task", {.parent = &parent});
  FreezeV2(k, task);
  Kill(k, task, SIGKILL);
  k.RunUntilIdle();
  ASSERT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_FALSE(task.raw()->cgroup_v2_frozen);
}

}  // namespace
}  // namespace reapsim
