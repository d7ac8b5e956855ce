// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/signal.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <ostream>
#include <string>
#include <vector>

#include "sched/task_testing.h"

namespace reapsim {
namespace {

bool Exiting(const task_struct* p) {
  return (p->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}

int64_t Kill(TestWorld& world, task_struct* from, task_struct* to, int sig) {
  return world.As(from, [=] {
    return group_send_sig_info(sig, SEND_SIG_NOINFO, to, PIDTYPE_TGID);
  });
}

// What a process is like when SIGTERM, or SIGKILL, comes.
struct WantsRow {
  const char* state;
  void (*put)(task_struct* p);
  bool dies_of_sigterm;
  bool dies_of_sigkill;
};
void PrintTo(const WantsRow& row, std::ostream* os) { *os << row.state; }

void SetDefault(task_struct* /*p*/) {}
void SetBlocked(task_struct* p) { p->blocked = SigBit(SIGTERM); }
void SetExiting(task_struct* p) { p->flags |= PF_EXITING; }
void SetStopped(task_struct* p) {
  p->__state = TASK_STOPPED;
  p->jobctl |= JOBCTL_STOPPED;
}
void SetTraced(task_struct* p) {
  p->__state = TASK_TRACED;
  p->jobctl |= JOBCTL_TRACED;
}
void SetPending(task_struct* p) { p->thread_flags |= TIF_SIGPENDING; }
void SetRunningAndPending(task_struct* p) {
  p->__state = TASK_RUNNING;
  p->thread_flags |= TIF_SIGPENDING;
}
void SetUninterruptible(task_struct* p) { p->__state = TASK_UNINTERRUPTIBLE; }

class WantsSignalTest : public testing::TestWithParam<WantsRow> {};

TEST_P(WantsSignalTest, DecidesWhetherTheGroupDiesAtOnce) {
  const WantsRow& row = GetParam();
  for (const int sig : {SIGTERM, SIGKILL}) {
    TestWorld world;
    task_struct* sender = world.NewProcess();
    task_struct* p = world.NewProcess();
    row.put(p);
    EXPECT_EQ(Kill(world, sender, p, sig), 0);
    EXPECT_EQ(Exiting(p),
              sig == SIGKILL ? row.dies_of_sigkill : row.dies_of_sigterm)
        << "signal " << sig;
    // Wanted or not, it is pending for the group.
    EXPECT_TRUE(SigSetHas(p->signal->shared_pending, sig));
    EXPECT_EQ(SigSetHas(p->pending, SIGKILL), Exiting(p));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Rows, WantsSignalTest,
    testing::Values(WantsRow{"sleeping", SetDefault, true, true},
                    WantsRow{"uninterruptible", SetUninterruptible, true, true},
                    WantsRow{"blocked", SetBlocked, false, true},
                    // Nobody wants any signal after exit_signals().
                    WantsRow{"exiting", SetExiting, false, false},
                    WantsRow{"stopped", SetStopped, false, true},
                    WantsRow{"traced", SetTraced, false, true},
                    // It will look at its signals anyway: no need to wake it.
                    WantsRow{"sleeping with TIF_SIGPENDING", SetPending, false,
                             true},
                    WantsRow{"running with TIF_SIGPENDING",
                             SetRunningAndPending, true, true}));

// What a process does with a signal when it is sent.
struct FateRow {
  const char* name;
  int sig;
  SigDisposition disposition;
  bool group_exit;
  bool pending;
};
void PrintTo(const FateRow& row, std::ostream* os) { *os << row.name; }

class SignalFateTest : public testing::TestWithParam<FateRow> {};

TEST_P(SignalFateTest, FollowsFromTheDisposition) {
  const FateRow& row = GetParam();
  TestWorld world;
  task_struct* p = world.NewProcess();
  world.As(p, [=] {
    sighand_struct* sighand = p->sighand;
    spin_lock(&sighand->siglock);
    sighand->action[row.sig] = row.disposition;
    spin_unlock(&sighand->siglock);
  });
  EXPECT_EQ(Kill(world, world.NewProcess(), p, row.sig), 0);
  EXPECT_EQ(Exiting(p), row.group_exit);
  EXPECT_EQ(SigSetHas(p->signal->shared_pending, row.sig), row.pending);
}

constexpr auto kDefault = SigDisposition::kDefault;
constexpr auto kIgnore = SigDisposition::kIgnore;
constexpr auto kHandler = SigDisposition::kHandler;
INSTANTIATE_TEST_SUITE_P(
    Rows, SignalFateTest,
    testing::Values(
        FateRow{"TERM by default", SIGTERM, kDefault, true, true},
        FateRow{"HUP by default", SIGHUP, kDefault, true, true},
        FateRow{"INT by default", SIGINT, kDefault, true, true},
        FateRow{"PIPE by default", SIGPIPE, kDefault, true, true},
        FateRow{"ALRM by default", SIGALRM, kDefault, true, true},
        FateRow{"USR1 by default", SIGUSR1, kDefault, true, true},
        FateRow{"a real-time signal by default", 40, kDefault, true, true},
        FateRow{"TERM handled", SIGTERM, kHandler, false, true},
        FateRow{"TERM ignored", SIGTERM, kIgnore, false, false},
        // Core dumps begin when the signal is delivered, not before.
        FateRow{"QUIT by default", SIGQUIT, kDefault, false, true},
        FateRow{"ILL by default", SIGILL, kDefault, false, true},
        FateRow{"TRAP by default", SIGTRAP, kDefault, false, true},
        FateRow{"ABRT by default", SIGABRT, kDefault, false, true},
        FateRow{"BUS by default", SIGBUS, kDefault, false, true},
        FateRow{"FPE by default", SIGFPE, kDefault, false, true},
        FateRow{"SEGV by default", SIGSEGV, kDefault, false, true},
        FateRow{"XCPU by default", SIGXCPU, kDefault, false, true},
        FateRow{"XFSZ by default", SIGXFSZ, kDefault, false, true},
        FateRow{"SYS by default", SIGSYS, kDefault, false, true},
        FateRow{"CHLD by default", SIGCHLD, kDefault, false, false},
        FateRow{"CHLD handled", SIGCHLD, kHandler, false, true},
        FateRow{"STOP", SIGSTOP, kDefault, false, true},
        FateRow{"CONT by default", SIGCONT, kDefault, false, false}));

TEST(CompleteSignalTest, KillsEveryThread) {
  TestWorld world;
  task_struct* leader = world.NewProcess();
  task_struct* thread = world.NewThread(leader);
  Kill(world, world.NewProcess(), leader, SIGTERM);
  for (const task_struct* t : {leader, thread}) {
    EXPECT_TRUE(fatal_signal_pending(t));
  }
  EXPECT_EQ(leader->signal->group_exit_code, SIGTERM);
}

TEST(CompleteSignalTest, AsksTheAddressedThreadThenTheOthersInTurn) {
  TestWorld world;
  task_struct* sender = world.NewProcess();
  task_struct* leader = world.NewProcess();
  task_struct* second = world.NewThread(leader);
  task_struct* third = world.NewThread(leader);
  leader->blocked = SigBit(SIGUSR1);
  world.As(leader, [=] {
    sighand_struct* sighand = leader->sighand;
    spin_lock(&sighand->siglock);
    sighand->action[SIGUSR1] = SigDisposition::kHandler;
    spin_unlock(&sighand->siglock);
  });
  Kill(world, sender, leader, SIGUSR1);
  EXPECT_FALSE(signal_pending(leader));
  EXPECT_TRUE(signal_pending(second));
  EXPECT_FALSE(signal_pending(third));
  EXPECT_EQ(leader->signal->curr_target, second);
}

TEST(SendSignalTest, AsksNobodyElseWhenTheSignalIsPending) {
  TestWorld world;
  task_struct* sender = world.NewProcess();
  task_struct* leader = world.NewProcess();
  task_struct* other = world.NewThread(leader);
  world.As(leader, [=] {
    sighand_struct* sighand = leader->sighand;
    spin_lock(&sighand->siglock);
    sighand->action[SIGUSR1] = SigDisposition::kHandler;
    spin_unlock(&sighand->siglock);
  });
  for (int sent = 0; sent < 2; ++sent) {
    Kill(world, sender, leader, SIGUSR1);
    EXPECT_TRUE(signal_pending(leader));
    EXPECT_FALSE(signal_pending(other));
  }
}

TEST(CompleteSignalTest, LeavesOtherThreadsAloneWhenOneWasMeant) {
  TestWorld world;
  task_struct* leader = world.NewProcess();
  task_struct* thread = world.NewThread(leader);
  leader->blocked = SigBit(SIGTERM);
  world.As(world.NewProcess(), [=] {
    return do_send_sig_info(SIGTERM, SEND_SIG_NOINFO, leader, PIDTYPE_PID);
  });
  EXPECT_FALSE(Exiting(leader));
  EXPECT_TRUE(SigSetHas(leader->pending, SIGTERM));
  EXPECT_FALSE(signal_pending(thread));
}

TEST(CompleteSignalTest, TraceeTakesOnlySigkillAtOnce) {
  TestWorld world;
  task_struct* sender = world.NewProcess();
  task_struct* p = world.NewProcess();
  p->ptrace = PT_SEIZED;
  Kill(world, sender, p, SIGTERM);
  EXPECT_FALSE(Exiting(p));
  EXPECT_TRUE(signal_pending(p));
  Kill(world, sender, p, SIGKILL);
  EXPECT_TRUE(Exiting(p));
}

TEST(PrepareSignalTest, DropsWhatComesAfterTheGroupExit) {
  TestWorld world;
  task_struct* sender = world.NewProcess();
  task_struct* p = world.NewProcess();
  Kill(world, sender, p, SIGTERM);
  p->signal->shared_pending = 0;
  EXPECT_EQ(Kill(world, sender, p, SIGUSR1), 0);
  EXPECT_EQ(Kill(world, sender, p, SIGKILL), 0);
  EXPECT_EQ(p->signal->shared_pending, 0u);
  EXPECT_EQ(p->signal->group_exit_code, SIGTERM);
}

struct DumpRow {
  const char* version;
  uint32_t flags;
  bool core_state;
};
TEST(PrepareSignalTest, LetsOnlySigkillInterruptACoreDump) {
  // Until v5.16 the flag says that a dump runs, later the pointer.
  for (const DumpRow& row : {DumpRow{"v5.15-rc1", SIGNAL_GROUP_COREDUMP, false},
                             DumpRow{"v6.18", SIGNAL_GROUP_EXIT, true}}) {
    TestWorld world(row.version);
    task_struct* sender = world.NewProcess();
    task_struct* p = world.NewProcess();
    core_state dump;
    p->signal->flags = row.flags;
    p->signal->core_state = row.core_state ? &dump : nullptr;
    Kill(world, sender, p, SIGTERM);
    EXPECT_EQ(p->signal->shared_pending, 0u) << row.version;
    Kill(world, sender, p, SIGKILL);
    EXPECT_EQ(p->signal->flags, SIGNAL_GROUP_EXIT) << row.version;
    EXPECT_TRUE(fatal_signal_pending(p)) << row.version;
  }
}

TEST(PrepareSignalTest, StopAndContinueCancelEachOther) {
  TestWorld world;
  task_struct* sender = world.NewProcess();
  task_struct* p = world.NewProcess();
  p->blocked = SigBit(SIGCONT) | SigBit(SIGTSTP);
  Kill(world, sender, p, SIGTSTP);
  EXPECT_TRUE(SigSetHas(p->signal->shared_pending, SIGTSTP));
  Kill(world, sender, p, SIGCONT);
  EXPECT_EQ(p->signal->shared_pending, SigBit(SIGCONT));
  Kill(world, sender, p, SIGSTOP);
  EXPECT_EQ(p->signal->shared_pending, SigBit(SIGSTOP));
}

TEST(PrepareSignalTest, ContinueWakesWhoeverIsStopped) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  SetStopped(p);
  p->signal->flags = SIGNAL_STOP_STOPPED;
  Kill(world, world.NewProcess(), p, SIGCONT);
  EXPECT_FALSE(task_is_stopped(p));
  EXPECT_EQ(p->signal->flags, SIGNAL_CLD_CONTINUED | SIGNAL_STOP_CONTINUED);
}

TEST(UnkillableTest, NamespaceInitDiesOnlyOfSignalsFromOutside) {
  TestWorld world;
  int error = 0;
  task_struct* outside = world.NewProcess();
  pid_namespace* ns =
      MakePidNamespace(&world.sched(), world.sched().init_pid_ns);
  task_struct* init = world.NewProcess(ns);
  init->signal->flags |= SIGNAL_UNKILLABLE;
  task_struct* inside = world.NewProcess(ns);
  EXPECT_EQ(error, 0);
  EXPECT_EQ(Kill(world, inside, init, SIGKILL), 0);
  EXPECT_FALSE(Exiting(init));
  EXPECT_EQ(Kill(world, outside, init, SIGTERM), 0);
  EXPECT_FALSE(Exiting(init));
  EXPECT_EQ(Kill(world, outside, init, SIGKILL), 0);
  EXPECT_TRUE(Exiting(init));
}

TEST(UnkillableTest, GlobalInitDiesOfNothing) {
  TestWorld world;
  task_struct* init = world.sched().init_task;
  init->signal->flags |= SIGNAL_UNKILLABLE;
  task_struct* sender = world.NewProcess();
  for (const int sig : {SIGKILL, SIGTERM, SIGSEGV}) {
    EXPECT_EQ(Kill(world, sender, init, sig), 0);
  }
  // Not even the kernel's own SIGKILL.
  EXPECT_EQ(world.As(sender,
                     [=] {
                       return do_send_sig_info(SIGKILL, SEND_SIG_PRIV, init,
                                               PIDTYPE_TGID);
                     }),
            0);
  EXPECT_FALSE(Exiting(init));
  EXPECT_EQ(init->signal->shared_pending, 0u);
}

TEST(UnkillableTest, KernelThreadsIgnoreAll) {
  TestWorld world;
  task_struct* kthread = world.NewProcess();
  kthread->flags |= PF_KTHREAD;
  EXPECT_EQ(Kill(world, world.NewProcess(), kthread, SIGKILL), 0);
  EXPECT_FALSE(Exiting(kthread));
}

struct PermissionRow {
  const char* name;
  uid_t sender;
  uid_t target;
  int sig;
  int expected;
};

TEST(CheckKillPermissionTest, GoesByUid) {
  for (const PermissionRow& row : {
           PermissionRow{"root", 0, 1000, SIGKILL, 0},
           PermissionRow{"the same user", 1000, 1000, SIGKILL, 0},
           PermissionRow{"another user", 1000, 1001, SIGKILL, -EPERM},
           PermissionRow{"a user to root", 1000, 0, SIGTERM, -EPERM},
           PermissionRow{"a probe of another's", 1000, 1001, 0, -EPERM},
           PermissionRow{"a probe", 1000, 1000, 0, 0},
           // Everybody is of one session.
           PermissionRow{"SIGCONT", 1000, 1001, SIGCONT, 0},
           PermissionRow{"no signal: 65", 0, 0, 65, -EINVAL},
           PermissionRow{"no signal: -1", 0, 0, -1, -EINVAL},
           PermissionRow{"no signal comes first", 1000, 0, 65, -EINVAL},
       }) {
    TestWorld world;
    task_struct* sender = world.NewProcess();
    task_struct* target = world.NewProcess();
    sender->uid = row.sender;
    target->uid = row.target;
    EXPECT_EQ(Kill(world, sender, target, row.sig), row.expected) << row.name;
  }
}

TEST(ForceSigTest, UnblocksAndResets) {
  for (const bool blocked : {false, true}) {
    TestWorld world;
    task_struct* p = world.NewProcess();
    if (blocked) p->blocked = SigBit(SIGSEGV);
    const int64_t disposition = world.As(p, [=]() -> int64_t {
      sighand_struct* sighand = p->sighand;
      spin_lock(&sighand->siglock);
      sighand->action[SIGSEGV] = SigDisposition::kHandler;
      spin_unlock(&sighand->siglock);
      force_sig_fault(SIGSEGV);
      spin_lock(&sighand->siglock);
      const SigDisposition now = sighand->action[SIGSEGV];
      spin_unlock(&sighand->siglock);
      return static_cast<int64_t>(now);
    });
    // A handler that was blocked must not run.
    EXPECT_EQ(disposition, static_cast<int64_t>(blocked ? kDefault : kHandler));
    EXPECT_EQ(p->blocked, 0u);
    EXPECT_TRUE(SigSetHas(p->pending, SIGSEGV));
    EXPECT_TRUE(signal_pending(p));
  }
}

TEST(ForceSigTest, MakesAnInitKillableUnlessItIsTraced) {
  for (const bool traced : {false, true}) {
    TestWorld world;
    task_struct* p = world.NewProcess();
    p->signal->flags |= SIGNAL_UNKILLABLE;
    p->ptrace = traced ? PT_SEIZED : 0;
    world.As(p, [] { force_sig_fault(SIGBUS); });
    EXPECT_EQ(p->signal->flags, traced ? SIGNAL_UNKILLABLE : 0);
  }
}

TEST(ZapOtherThreadsTest, SparesTheCallerAndTheDead) {
  TestWorld world;
  task_struct* leader = world.NewProcess();
  task_struct* alive = world.NewThread(leader);
  task_struct* dead = world.NewThread(leader);
  dead->exit_state = EXIT_ZOMBIE;
  EXPECT_EQ(world.As(leader,
                     [=] {
                       spin_lock(&leader->sighand->siglock);
                       const int count = zap_other_threads(leader);
                       spin_unlock(&leader->sighand->siglock);
                       return count;
                     }),
            2);
  EXPECT_TRUE(fatal_signal_pending(alive));
  EXPECT_FALSE(fatal_signal_pending(dead));
  EXPECT_FALSE(fatal_signal_pending(leader));
  // exec's way of killing is no group exit.
  EXPECT_FALSE(Exiting(leader));
}

TEST(NextSignalTest, TakesFaultsFirstThenTheLowest) {
  EXPECT_EQ(next_signal(0, 0), 0);
  EXPECT_EQ(next_signal(SigBit(SIGHUP) | SigBit(SIGSEGV), 0), SIGSEGV);
  EXPECT_EQ(next_signal(SigBit(SIGHUP) | SigBit(SIGSEGV), SigBit(SIGSEGV)),
            SIGHUP);
  EXPECT_EQ(next_signal(SigBit(64) | SigBit(33), 0), 33);
}

TEST(DequeueSignalTest, TakesTheThreadsOwnBeforeTheGroups) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  p->pending = SigBit(SIGUSR2);
  p->signal->shared_pending = SigBit(SIGHUP);
  p->thread_flags |= TIF_SIGPENDING;
  for (const int expected : {SIGUSR2, SIGHUP, 0}) {
    EXPECT_EQ(world.As(p,
                       [=] {
                         pid_type type;
                         spin_lock(&p->sighand->siglock);
                         const int sig = dequeue_signal(0, &type);
                         spin_unlock(&p->sighand->siglock);
                         return sig;
                       }),
              expected);
  }
  EXPECT_FALSE(signal_pending(p));
}

TEST(ExitSignalsTest, PassesTheGroupsSignalsOn) {
  TestWorld world;
  task_struct* leader = world.NewProcess();
  task_struct* blind = world.NewThread(leader);
  task_struct* dying = world.NewThread(leader);
  task_struct* heir = world.NewThread(leader);
  blind->blocked = SigBit(SIGUSR1);
  dying->flags |= PF_EXITING;
  leader->signal->shared_pending = SigBit(SIGUSR1);
  leader->thread_flags |= TIF_SIGPENDING;
  world.As(leader, [=] { exit_signals(leader); });
  EXPECT_NE(leader->flags & PF_EXITING, 0u);
  EXPECT_FALSE(signal_pending(blind));
  EXPECT_FALSE(signal_pending(dying));
  EXPECT_TRUE(signal_pending(heir));
}

TEST(ThreadGroupEmptyTest, AsksForALeaderFromV67On) {
  struct Row {
    const char* version;
    bool left_over_thread_is_alone;
  };
  for (const Row& row : {Row{"v5.15-rc1", true}, Row{"v6.18", false}}) {
    TestWorld world(row.version);
    task_struct* leader = world.NewProcess();
    const auto empty = [&](task_struct* p) {
      return world.As(leader, [=] { return thread_group_empty(p); }) != 0;
    };
    EXPECT_TRUE(empty(leader));
    task_struct* thread = world.NewThread(leader);
    EXPECT_FALSE(empty(leader));
    EXPECT_FALSE(empty(thread));
    leader->signal->thread_head.pop_front();
    EXPECT_EQ(empty(thread), row.left_over_thread_is_alone) << row.version;
  }
}

TEST(DoNotifyParentTest, SaysWhetherTheParentCares) {
  for (const bool ignores : {false, true}) {
    TestWorld world;
    task_struct* parent = world.NewProcess();
    task_struct* child = world.NewProcess();
    child->parent = child->real_parent = parent;
    parent->blocked = SigBit(SIGCHLD);
    const bool autoreap = world.As(child, [=] {
      spin_lock(&parent->sighand->siglock);
      if (ignores) {
        parent->sighand->action[SIGCHLD] = SigDisposition::kIgnore;
      }
      spin_unlock(&parent->sighand->siglock);
      write_lock(tasklist_lock());
      const bool ret = do_notify_parent(child, SIGCHLD);
      write_unlock(tasklist_lock());
      return ret;
    }) != 0;
    EXPECT_EQ(autoreap, ignores);
    EXPECT_EQ(SigSetHas(parent->signal->shared_pending, SIGCHLD), !ignores);
  }
}

}  // namespace
}  // namespace reapsim
