// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/freezer.h"

#include <gtest/gtest.h>

#include "sched/signal.h"
#include "sched/task_testing.h"

namespace reapsim {
namespace {

// Any non-null mm: the freezer asks only whether there is one.
mm_struct* SomeMm(TestWorld& world) {
  return reinterpret_cast<mm_struct*>(&world.sched());
}

TEST(FreezingTest, ExemptsTheOomVictim) {
  // Until v6.17 the marked thread, from v6.18 on its whole process.
  struct Row {
    const char* version;
    bool other_thread_freezes;
  };
  for (const Row& row : {Row{"v5.15-rc1", true}, Row{"v6.18", false}}) {
    TestWorld world(row.version);
    task_struct* marked = world.NewProcess();
    task_struct* other = world.NewThread(marked);
    world.As(world.NewProcess(), [=] { freezer_change_state(marked, true); });
    EXPECT_TRUE(freezing(marked));
    EXPECT_TRUE(freezing(other));
    marked->thread_flags |= TIF_MEMDIE;
    marked->signal->oom_mm = SomeMm(world);
    EXPECT_FALSE(freezing(marked)) << row.version;
    EXPECT_EQ(freezing(other), row.other_thread_freezes) << row.version;
  }
}

TEST(FreezeTaskTest, LeavesSigpendingOnSoThatOnlySigkillIsWanted) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  task_struct* sender = world.NewProcess();
  world.As(sender, [=] { freezer_change_state(p, true); });
  EXPECT_TRUE(signal_pending(p));
  world.Begin(p, [] { return try_to_freeze(); });
  EXPECT_EQ(world.engine().Resume(p->thread), Stop::kBlocked);
  EXPECT_TRUE(frozen(p));
  EXPECT_EQ(p->__state, TASK_FROZEN);
  const auto kill = [=](int sig) {
    return
        [=] { return do_send_sig_info(sig, SEND_SIG_NOINFO, p, PIDTYPE_TGID); };
  };
  world.As(sender, kill(SIGTERM));
  EXPECT_EQ(p->signal->flags, 0u);
  world.As(sender, kill(SIGKILL));
  EXPECT_EQ(p->signal->flags, SIGNAL_GROUP_EXIT);
  // It dies, but stays where it is.
  EXPECT_FALSE(Engine::CanRun(p->thread));
  world.As(sender, [=] { freezer_change_state(p, false); });
  EXPECT_EQ(world.engine().Resume(p->thread), Stop::kYielded);
  EXPECT_FALSE(frozen(p));
}

TEST(FreezeTaskTest, FrozenIsAStateFromV61On) {
  TestWorld world("v5.15-rc1");
  task_struct* p = world.NewProcess();
  world.As(world.NewProcess(), [=] { freezer_change_state(p, true); });
  world.Begin(p, [] { return try_to_freeze(); });
  EXPECT_EQ(world.engine().Resume(p->thread), Stop::kBlocked);
  EXPECT_EQ(p->__state, TASK_UNINTERRUPTIBLE);
}

TEST(FreezeTaskTest, FreezesAStoppedTaskAsItStands) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  task_struct* other = world.NewProcess();
  p->__state = TASK_STOPPED;
  p->jobctl |= JOBCTL_STOPPED;
  world.As(other, [=] { freezer_change_state(p, true); });
  EXPECT_TRUE(frozen(p));
  EXPECT_FALSE(signal_pending(p));
  world.As(other, [=] { freezer_change_state(p, false); });
  EXPECT_FALSE(frozen(p));
  EXPECT_EQ(p->__state, TASK_STOPPED);
}

TEST(ThawProcessTest, LetsAnOomVictimOut) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  task_struct* killer = world.NewProcess();
  world.As(killer, [=] { freezer_change_state(p, true); });
  world.Begin(p, [] { return try_to_freeze(); });
  EXPECT_EQ(world.engine().Resume(p->thread), Stop::kBlocked);
  p->signal->oom_mm = SomeMm(world);
  world.As(killer, [=] { thaw_process(p); });
  EXPECT_EQ(world.engine().Resume(p->thread), Stop::kYielded);
}

TEST(CgroupFreezeTest, SetsTheTrapAndClearsIt) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  task_struct* other = world.NewProcess();
  world.As(other, [=] { cgroup_freeze(p, true); });
  EXPECT_EQ(p->jobctl, JOBCTL_TRAP_FREEZE);
  EXPECT_TRUE(signal_pending(p));
  world.As(other, [=] { cgroup_freeze(p, false); });
  EXPECT_EQ(p->jobctl, 0u);
}

TEST(CgroupFreezeTest, SetsTheTrapAgainForWhoeverLeavesTooEarly) {
  TestWorld world;
  task_struct* p = world.NewProcess();
  world.As(world.NewProcess(), [=] { cgroup_freeze(p, true); });
  world.As(p, [=] {
    cgroup_enter_frozen();
    p->jobctl = 0;
    cgroup_leave_frozen(false);
  });
  EXPECT_TRUE(cgroup_task_frozen(p));
  EXPECT_EQ(p->jobctl, JOBCTL_TRAP_FREEZE);
  world.As(p, [] { cgroup_leave_frozen(true); });
  EXPECT_FALSE(cgroup_task_frozen(p));
}

TEST(CgroupPostForkTest, ChildIsBornFrozen) {
  TestWorld world;
  task_struct* parent = world.NewProcess();
  task_struct* child = world.NewProcess();
  world.As(world.NewProcess(), [=] {
    freezer_change_state(parent, true);
    cgroup_freeze(parent, true);
  });
  world.As(parent, [=] { cgroup_post_fork(child); });
  EXPECT_TRUE(freezing(child));
  EXPECT_EQ(child->jobctl, JOBCTL_TRAP_FREEZE);
  EXPECT_TRUE(signal_pending(child));
}

}  // namespace
}  // namespace reapsim
