// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/ptrace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "sched/signal.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::IsEmpty;

constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

bool Traced(Task& task) { return task_is_traced(task.raw()); }
void Kill(Kernel& k, Task& task, int sig) {
  ASSERT_THAT(k.As(k.init()).kill(task.pid(), sig), SyscallSucceeds());
}

// A process with a tracer that stops it at its exit.
struct TracedExit {
  explicit TracedExit(const char* version, bool exit_kill = false)
      : k({.version = version}),
        victim(k.Spawn("victim")),
        tracer(k.Spawn("tracer")) {
    EXPECT_THAT(k.As(tracer).ptrace_seize(victim.pid(), true, exit_kill),
                SyscallSucceeds());
  }
  Kernel k;
  Task& victim;
  Task& tracer;
};

TEST(PtraceEventExit, HoldsAKilledTaskWithItsMemory) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    TracedExit t(version);
    Kill(t.k, t.victim, SIGKILL);
    t.k.RunUntilIdle();
    ASSERT_TRUE(Traced(t.victim));
    EXPECT_EQ(t.victim.raw()->exit_code, PTRACE_EVENT_EXIT << 8 | SIGTRAP);
    EXPECT_TRUE(t.victim.has_mm());
    EXPECT_EQ(t.victim.raw()->flags & PF_EXITING, 0u);
    // The group ends already: another SIGKILL is dropped.
    Kill(t.k, t.victim, SIGKILL);
    t.k.RunUntilIdle();
    EXPECT_TRUE(Traced(t.victim));
    EXPECT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid()),
                SyscallSucceeds());
    t.k.RunUntilIdle();
    EXPECT_NE(t.victim.phase(), TaskPhase::kAlive);
    EXPECT_THAT(t.k.Shutdown(), IsEmpty());
  }
}

TEST(PtraceEventExit, IsLeftAtTheFirstSigkill) {
  // A lone thread in exit(2): from v6.1 on that is a group exit, and SIGKILL
  // comes too late.
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    TracedExit t(version);
    t.k.Begin(t.victim, [](User user) { user.exit(0); });
    t.k.RunUntilIdle();
    ASSERT_TRUE(Traced(t.victim));
    Kill(t.k, t.victim, SIGKILL);
    t.k.RunUntilIdle();
    EXPECT_EQ(t.victim.phase() == TaskPhase::kAlive,
              t.k.differences().guarantees_group_exit);
    EXPECT_THAT(t.k.Shutdown(), IsEmpty());
  }
}

TEST(PtraceEventExit, IsSkippedWhenNobodyAskedForIt) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& tracer = k.Spawn("tracer");
  ASSERT_THAT(k.As(tracer).ptrace_seize(victim.pid(), false, false),
              SyscallSucceeds());
  Kill(k, victim, SIGKILL);
  k.RunUntilIdle();
  EXPECT_NE(victim.phase(), TaskPhase::kAlive);
}

TEST(PtraceSignalStop, TracerDecidesWhatBecomesOfASignal) {
  struct Row {
    const char* what;
    int passed_on;
    bool lives;
  };
  for (const Row& row :
       {Row{"the same", SIGTERM, false}, Row{"nothing", 0, true},
        Row{"another, which is ignored", SIGCHLD, true}}) {
    SCOPED_TRACE(row.what);
    TracedExit t("v6.18");
    Kill(t.k, t.victim, SIGTERM);
    t.k.RunUntilIdle();
    ASSERT_TRUE(Traced(t.victim));
    EXPECT_EQ(t.victim.raw()->last_siginfo, SIGTERM);
    EXPECT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid(), row.passed_on),
                SyscallSucceeds());
    t.k.RunUntilIdle();
    // One that dies stops once more, at its exit.
    EXPECT_EQ(Traced(t.victim), !row.lives);
    EXPECT_THAT(t.k.Shutdown(), IsEmpty());
  }
}

TEST(PtraceSignalStop, SigkillEndsIt) {
  for (const char* version : kVersions) {
    TracedExit t(version);
    Kill(t.k, t.victim, SIGUSR1);
    t.k.RunUntilIdle();
    ASSERT_TRUE(Traced(t.victim));
    Kill(t.k, t.victim, SIGKILL);
    t.k.RunUntilIdle();
    // It is at its exit now.
    EXPECT_EQ(t.victim.raw()->exit_code, PTRACE_EVENT_EXIT << 8 | SIGTRAP);
  }
}

TEST(PtraceGroupStop, IsATrapThatItsTracerSees) {
  TracedExit t("v6.18");
  Kill(t.k, t.victim, SIGSTOP);
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim));
  // First the signal is shown, then the stop that it makes.
  EXPECT_EQ(t.victim.raw()->exit_code, SIGSTOP);
  ASSERT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid(), SIGSTOP),
              SyscallSucceeds());
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim));
  EXPECT_EQ(t.victim.raw()->exit_code, SIGSTOP | PTRACE_EVENT_STOP << 8);
}

TEST(PtraceSeize, TakesOverAStoppedTask) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& tracer = k.Spawn("tracer");
  Kill(k, victim, SIGSTOP);
  k.RunUntilIdle();
  ASSERT_TRUE(task_is_stopped(victim.raw()));
  EXPECT_THAT(k.As(tracer).ptrace_seize(victim.pid(), false, false),
              SyscallSucceeds());
  EXPECT_TRUE(Traced(victim));
  EXPECT_THAT(k.As(tracer).ptrace_detach(victim.pid()), SyscallSucceeds());
  k.RunUntilIdle();
  // The group stop still holds.
  EXPECT_TRUE(task_is_stopped(victim.raw()));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(PtraceSeize, ErrorsAreThoseOfTheManual) {
  Kernel k;
  Task& root = k.Spawn("root");
  Task& user = k.Spawn("user", {.uid = 1000});
  Task& stranger = k.Spawn("stranger", {.uid = 1001});
  ASSERT_THAT(k.As(root).clone_thread(), SyscallSucceeds());
  Task& thread = k.NewestTask();
  Task& parent = k.Spawn("parent");
  Task& zombie = k.Spawn("zombie", {.parent = &parent});
  Kill(k, zombie, SIGKILL);
  k.RunUntilIdle();
  const auto seize = [&](Task& by, pid_t pid) {
    return k.As(by).ptrace_seize(pid, true, false);
  };
  EXPECT_THAT(seize(root, 30000), SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(seize(root, root.pid()), SyscallFailsWithErrno(EPERM));
  EXPECT_THAT(seize(root, thread.pid()), SyscallFailsWithErrno(EPERM));
  EXPECT_THAT(seize(root, zombie.pid()), SyscallFailsWithErrno(EPERM));
  EXPECT_THAT(seize(root, k.oom_reaper().pid()), SyscallFailsWithErrno(EPERM));
  EXPECT_THAT(seize(stranger, user.pid()), SyscallFailsWithErrno(EPERM));
  EXPECT_THAT(k.Call(root.raw(),
                     [pid = user.pid()] {
                       return sys_ptrace_seize(pid, PTRACE_O_TRACEEXIT | 1);
                     }),
              SyscallFailsWithErrno(EIO));
  EXPECT_THAT(seize(root, user.pid()), SyscallSucceeds());
  EXPECT_THAT(seize(root, user.pid()), SyscallFailsWithErrno(EPERM));
}

TEST(PtraceCont, WantsAStoppedTraceeOfItsOwn) {
  TracedExit t("v6.18");
  const pid_t pid = t.victim.pid();
  EXPECT_THAT(t.k.As(t.tracer).ptrace_cont(30000),
              SyscallFailsWithErrno(ESRCH));
  // It runs.
  EXPECT_THAT(t.k.As(t.tracer).ptrace_cont(pid), SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(t.k.As(t.tracer).ptrace_detach(pid),
              SyscallFailsWithErrno(ESRCH));
  Kill(t.k, t.victim, SIGUSR1);
  t.k.RunUntilIdle();
  EXPECT_THAT(t.k.As(t.k.init()).ptrace_cont(pid),
              SyscallFailsWithErrno(ESRCH));
  EXPECT_THAT(t.k.As(t.tracer).ptrace_cont(pid, 65),
              SyscallFailsWithErrno(EIO));
  EXPECT_TRUE(Traced(t.victim));
  EXPECT_THAT(
      t.k.Call(t.tracer.raw(), [pid] { return sys_ptrace_detach(pid, 65); }),
      SyscallFailsWithErrno(EIO));
  EXPECT_TRUE(Traced(t.victim));
  EXPECT_THAT(t.k.As(t.tracer).ptrace_detach(pid), SyscallSucceeds());
  t.k.RunUntilIdle();
  EXPECT_EQ(t.victim.raw()->ptrace, 0u);
  EXPECT_EQ(t.victim.phase(), TaskPhase::kAlive);
  EXPECT_THAT(t.k.Shutdown(), IsEmpty());
}

TEST(ExitPtrace, LetsTraceesGoOrKillsThem) {
  for (const char* version : kVersions) {
    for (const bool exit_kill : {false, true}) {
      TracedExit t(version, exit_kill);
      Kill(t.k, t.tracer, SIGKILL);
      t.k.RunUntilIdle();
      EXPECT_EQ(t.victim.phase() == TaskPhase::kAlive, !exit_kill) << version;
      if (!exit_kill) {
        EXPECT_EQ(t.victim.raw()->ptrace, 0u) << version;
      }
      EXPECT_THAT(t.k.Shutdown(), IsEmpty());
    }
  }
}

TEST(PtraceSignalStop, TheTracerSeesWhatIsIgnored) {
  TracedExit t("v6.18");
  ASSERT_THAT(t.k.As(t.victim).sigaction(SIGUSR1, SigDisposition::kIgnore),
              SyscallSucceeds());
  Kill(t.k, t.victim, SIGUSR1);
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim));
  EXPECT_EQ(t.victim.raw()->last_siginfo, SIGUSR1);
}

// The SIGCONT came while the tracer looked at the stop signal.
TEST(PtraceSignalStop, ASigcontForbidsTheStopThatIsShown) {
  TracedExit t("v6.18");
  Kill(t.k, t.victim, SIGSTOP);
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim));
  Kill(t.k, t.victim, SIGCONT);
  ASSERT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid(), SIGSTOP),
              SyscallSucceeds());
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim)) << "to say that something has changed";
  EXPECT_EQ(t.victim.raw()->exit_code, SIGTRAP | PTRACE_EVENT_STOP << 8);
}

// As a parent it would not have to; a tracer is to see the end.
TEST(PtraceZombie, IsTheTracersToWaitForThoughItIgnoresSigchld) {
  TracedExit t("v6.18");
  ASSERT_THAT(t.k.As(t.tracer).sigaction(SIGCHLD, SigDisposition::kIgnore),
              SyscallSucceeds());
  Kill(t.k, t.victim, SIGKILL);
  t.k.RunUntilIdle();
  ASSERT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid()), SyscallSucceeds());
  t.k.RunUntilIdle();
  EXPECT_EQ(t.victim.phase(), TaskPhase::kZombie);
}

TEST(PtraceSignalStop, WhatIsPassedOnIsIgnoredAsBefore) {
  TracedExit t("v6.18");
  ASSERT_THAT(t.k.As(t.victim).sigaction(SIGUSR1, SigDisposition::kIgnore),
              SyscallSucceeds());
  Kill(t.k, t.victim, SIGUSR1);
  t.k.RunUntilIdle();
  ASSERT_THAT(t.k.As(t.tracer).ptrace_cont(t.victim.pid(), SIGUSR1),
              SyscallSucceeds());
  t.k.RunUntilIdle();
  EXPECT_FALSE(Traced(t.victim)) << "not at its exit";
  EXPECT_EQ(t.victim.phase(), TaskPhase::kAlive);
}

TEST(PtraceStop, TheTracerIsTold) {
  TracedExit t("v6.18");
  ASSERT_THAT(t.k.As(t.tracer).sigaction(SIGCHLD, SigDisposition::kHandler),
              SyscallSucceeds());
  Kill(t.k, t.victim, SIGUSR1);
  t.k.RunUntilIdle();
  ASSERT_TRUE(Traced(t.victim));
  EXPECT_EQ(t.k.sched().task_slab.HistoryOf(t.tracer.raw()).signals_handled,
            1u);
}

// SIGKILL was there first.
TEST(PtraceStop, IsLeftOutWhereSigkillIsPending) {
  TracedExit t("v5.15-rc1");
  t.k.Begin(t.victim, [](User user) { user.exit(0); });
  ASSERT_EQ(t.k.RunUntil(t.victim, Point::kPtraceEventExit), Stepped::kAtPoint);
  Kill(t.k, t.victim, SIGKILL);
  t.k.RunUntilIdle();
  EXPECT_FALSE(Traced(t.victim));
  EXPECT_NE(t.victim.phase(), TaskPhase::kAlive);
}

}  // namespace
}  // namespace reapsim
