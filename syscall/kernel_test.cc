// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "syscall/kernel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>

#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// The test of the design paper, word for word but for the includes.
TEST(Kernel, PlaysTheDesignsExample) {
  Kernel k({.version = "v6.18"});
  Task& victim = k.Spawn("victim");
  Task& lmkd = k.Spawn("lmkd");
  auto heap = k.As(victim).mmap(64_MiB, Anonymous());
  k.As(victim).touch(heap, 64_MiB);
  int fd = k.As(lmkd).pidfd_open(victim.pid(), 0);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0),
              SyscallFailsWithErrno(EINVAL));  // still alive
  k.As(lmkd).kill(victim.pid(), SIGKILL);
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
  EXPECT_EQ(victim.mm().rss(MM_ANONPAGES), Pages(0));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, MovesNothingButTheCallThatWasAskedFor) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& other = k.Spawn("other");
  EXPECT_THAT(k.As(other).kill(victim.pid(), SIGKILL), SyscallSucceeds());
  EXPECT_EQ(victim.phase(), TaskPhase::kAlive);
  EXPECT_EQ(victim.raw()->flags & PF_EXITING, 0u) << "it has not run yet";
  k.RunUntilIdle();
  EXPECT_EQ(victim.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, RunsOthersWhileACallHasToWait) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const pid_t child = static_cast<pid_t>(int64_t{k.As(parent).fork()});
  Task& task = k.TaskOf(child);
  k.Begin(task, [](User user) { (void)user.exit(0); });
  EXPECT_THAT(k.As(parent).waitpid(child), SyscallSucceedsWithValue(child));
  EXPECT_EQ(task.phase(), TaskPhase::kGone);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, ReportsACallThatCanNeverGoOnAsADeadlock) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const pid_t child = static_cast<pid_t>(int64_t{k.As(parent).fork()});
  EXPECT_THAT(k.As(parent).waitpid(child), SyscallNeverReturns());
  const Verdict verdict = k.TakeVerdict();
  EXPECT_EQ(verdict.kind, VerdictKind::kDeadlock);
  EXPECT_THAT(verdict.what, HasSubstr("parent (pid"));
  EXPECT_THAT(verdict.what, HasSubstr("WaitForChild"));
}

TEST(Kernel, DoesNotRunAHeldTaskOnBehalfOfOthers) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const pid_t child = static_cast<pid_t>(int64_t{k.As(parent).fork()});
  Task& task = k.TaskOf(child);
  k.Begin(task, [](User user) { (void)user.exit(0); });
  k.Hold(task);
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kAlive);
  k.Release(task);
  k.RunUntilIdle();
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, StepsATaskToANamedPoint) {
  Kernel k;
  Task& task = k.Spawn("task");
  EXPECT_THAT(k.As(k.init()).kill(task.pid(), SIGKILL), SyscallSucceeds());
  ASSERT_EQ(k.RunUntil(task, Point::kExitMm), Stepped::kAtPoint);
  EXPECT_NE(task.raw()->flags & PF_EXITING, 0u);
  EXPECT_TRUE(task.has_mm());
  ASSERT_EQ(k.RunUntil(task, Point::kExitMmCleared), Stepped::kAtPoint);
  EXPECT_FALSE(task.has_mm());
  EXPECT_EQ(k.RunUntil(task, Point::kDeThread), Stepped::kFinished)
      << "it never comes there";
  EXPECT_EQ(task.phase(), TaskPhase::kZombie);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, HandsOutWhatAProgramFound) {
  Kernel k;
  Task& task = k.Spawn("task");
  const Out<int64_t> pid = k.NewOut<int64_t>();
  k.Begin(task, [pid](User user) { pid.Set(user.getpid()); });
  EXPECT_FALSE(k.Done(task));
  EXPECT_EQ(k.Finish(task), Stepped::kDone);
  EXPECT_EQ(pid.Get(), task.pid());
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, StopsAtAFailedCheckInAProgram) {
  Kernel k;
  Task& task = k.Spawn("task");
  k.Begin(task, [](User user) { Check(user.getpid() == 0, "a pid of 0"); });
  EXPECT_EQ(k.Finish(task), Stepped::kVerdict);
  const Verdict verdict = k.TakeVerdict();
  EXPECT_EQ(verdict.kind, VerdictKind::kWrongResult);
  EXPECT_EQ(verdict.what, "a pid of 0");
}

TEST(Kernel, AProgramEndsWithTheSignalThatKillsItsTask) {
  Kernel k;
  Task& task = k.Spawn("task");
  const pid_t pid = task.pid();
  const Out<int> after = k.NewOut<int>();
  k.Begin(task, [=](User user) {
    (void)user.kill(pid, SIGKILL);
    after.Set(1);
  });
  EXPECT_EQ(k.Finish(task), Stepped::kFinished);
  EXPECT_EQ(after.Get(), 0);
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

// A parent waits for a child that does not end, and gets a signal.
struct Interruption {
  const char* name;
  SigDisposition disposition;
  bool eintr;
};
class InterruptedCallTest : public ::testing::TestWithParam<Interruption> {};

TEST_P(InterruptedCallTest, FailsOnlyIfAHandlerRan) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const pid_t child = static_cast<pid_t>(int64_t{k.As(parent).fork()});
  EXPECT_THAT(k.As(parent).sigaction(SIGUSR1, GetParam().disposition),
              SyscallSucceeds());
  k.Begin(parent, [child](User user) { (void)user.waitpid(child); });
  ASSERT_EQ(k.RunUntilBlocked(parent), Stepped::kBlocked);
  EXPECT_THAT(k.As(k.init()).kill(parent.pid(), SIGUSR1), SyscallSucceeds());
  (void)k.RunUntilBlocked(parent);
  EXPECT_EQ(k.Done(parent), GetParam().eintr);
  if (GetParam().eintr) {
    EXPECT_THAT(k.Result(parent), SyscallFailsWithErrno(EINTR));
  }
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

const Interruption kInterruptions[] = {
    {"WithEintrAfterAHandler", SigDisposition::kHandler, true},
    {"NotAtAllIfIgnored", SigDisposition::kIgnore, false},
};
INSTANTIATE_TEST_SUITE_P(, InterruptedCallTest,
                         ::testing::ValuesIn(kInterruptions),
                         [](const auto& info) { return info.param.name; });

// SIGSTOP cuts the wait short, and SIGCONT starts the call anew.
TEST(Kernel, StartsACallAnewAfterAStop) {
  Kernel k;
  Task& parent = k.Spawn("parent");
  const pid_t child = static_cast<pid_t>(int64_t{k.As(parent).fork()});
  k.Begin(parent, [child](User user) { (void)user.waitpid(child); });
  (void)k.RunUntilBlocked(parent);
  EXPECT_THAT(k.As(k.init()).kill(parent.pid(), SIGSTOP), SyscallSucceeds());
  (void)k.RunUntilBlocked(parent);
  EXPECT_EQ(parent.raw()->__state & __TASK_STOPPED, __TASK_STOPPED);
  EXPECT_THAT(k.As(k.init()).kill(parent.pid(), SIGCONT), SyscallSucceeds());
  EXPECT_THAT(k.As(k.init()).kill(child, SIGKILL), SyscallSucceeds());
  EXPECT_EQ(k.Finish(parent), Stepped::kDone);
  EXPECT_THAT(k.Result(parent), SyscallSucceedsWithValue(child));
  EXPECT_THAT(k.Shutdown(), IsEmpty());
}

TEST(Kernel, LetsManyMachinesLiveInOneProcess) {
  Kernel a;
  Kernel b({.version = "v5.15-rc1"});
  Task& in_a = a.Spawn("task");
  Task& in_b = b.Spawn("task");
  EXPECT_THAT(a.As(a.init()).kill(in_a.pid(), SIGKILL), SyscallSucceeds());
  a.RunUntilIdle();
  EXPECT_EQ(in_a.phase(), TaskPhase::kZombie);
  EXPECT_EQ(in_b.phase(), TaskPhase::kAlive);
  EXPECT_THAT(a.Shutdown(), IsEmpty());
  EXPECT_THAT(b.Shutdown(), IsEmpty());
}

TEST(Kernel, SaysWhichVersionsItKnows) {
  const auto unknown = Kernel::Create({.version = "v2.6.39x"});
  EXPECT_FALSE(unknown.ok());
  const auto debian = Kernel::Create({.version = "6.17.8+deb13-amd64"});
  ASSERT_TRUE(debian.ok());
  EXPECT_EQ((*debian)->differences(), Resolve("v6.17")->differences);
}

TEST(Kernel, TakesDifferencesThatNoVersionHas) {
  Differences differences = Resolve("v6.18")->differences;
  differences.reaps_mlocked = false;
  const Kernel k({.differences = differences});
  EXPECT_EQ(k.differences(), differences);
}

TEST(SysResult, ReadsAsLibcAndAsTheKernel) {
  const SysResult failed(-EINVAL);
  errno = 0;
  EXPECT_EQ(int64_t{failed}, -1);
  EXPECT_EQ(errno, EINVAL);
  EXPECT_EQ(failed.kernel(), -EINVAL);
  EXPECT_EQ(failed.error(), EINVAL);
  const SysResult value(42);
  EXPECT_EQ(int64_t{value}, 42);
  EXPECT_EQ(value.error(), 0);
  EXPECT_TRUE(value.ok());
  EXPECT_FALSE(SysResult::Never().ok());
  // An address is no error, however high.
  EXPECT_TRUE(SysResult(0x7fffffffe000).ok());
  EXPECT_FALSE(SysResult(-4095).ok());
  EXPECT_TRUE(SysResult(-4096).ok());
}

}  // namespace
}  // namespace reapsim
