// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/engine.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "sched/mutex.h"
#include "sched/spinlock.h"
#include "sched/testing.h"

namespace reapsim {
namespace {

struct Cell {
  int value = 0;
  bool open = false;
  spinlock_t spin{.lock_class = LockClass::kTestLock};
  spinlock_t spin2{.lock_class = LockClass::kTestLock2};
  spinlock_t spin3{.lock_class = LockClass::kTestLock};
  mutex sleep{.lock_class = LockClass::kTestLock};
};

TEST(Engine, RunsAFiberToItsEnd) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  task_struct* t = world.Add([cell] { cell->value = 7; });
  EXPECT_EQ(world.Step(t), Stop::kFinished);
  EXPECT_EQ(cell->value, 7);
  EXPECT_FALSE(world.CanRun(t));
}

TEST(Engine, StopsBeforeThePointThatWasNamed) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  task_struct* t = world.Add([cell] {
    cell->value = 1;
    Mark(Point::kExitMm);
    cell->value = 2;
  });
  EXPECT_EQ(world.StepTo(t, Point::kExitMm), Stop::kAtPoint);
  EXPECT_EQ(cell->value, 1);
  EXPECT_TRUE(world.CanRun(t));
  EXPECT_EQ(world.Step(t), Stop::kFinished);
  EXPECT_EQ(cell->value, 2);
}

TEST(Engine, BlocksUntilTheConditionHolds) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  task_struct* t = world.Add([cell] {
    WaitUntil(Point::kWait, Access::kRead, 0, [cell] { return cell->open; });
    cell->value = 1;
  });
  EXPECT_EQ(world.Step(t), Stop::kBlocked);
  EXPECT_FALSE(world.CanRun(t));
  EXPECT_EQ(t->thread->op.point, Point::kWait);
  cell->open = true;
  EXPECT_TRUE(world.CanRun(t));
  EXPECT_EQ(world.Step(t), Stop::kFinished);
  EXPECT_EQ(cell->value, 1);
}

TEST(Engine, AContendedSpinlockIsAWait) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  const auto program = [cell]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    spin_lock(&cell->spin);
    Mark(Point::kExitMm);
    cell->value++;
    spin_unlock(&cell->spin);
  };
  task_struct* a = world.Add(program);
  task_struct* b = world.Add(program);
  EXPECT_EQ(world.StepTo(a, Point::kExitMm), Stop::kAtPoint);
  EXPECT_EQ(world.Step(b), Stop::kBlocked);
  EXPECT_EQ(world.Step(a), Stop::kFinished);
  EXPECT_EQ(world.Step(b), Stop::kFinished);
  EXPECT_EQ(cell->value, 2);
}

// Each row breaks one rule of the modelled kernel; the verdict names it.
struct Rule {
  const char* name;
  void (*program)(Cell*);
  VerdictKind want;
};

const Rule kRules[] = {
    {"SpinningOnOwnLock",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
       spin_lock(&c->spin);
       spin_lock(&c->spin);
     },
     VerdictKind::kDeadlock},
    {"SleepingWithASpinlock",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
       spin_lock(&c->spin);
       mutex_lock(&c->sleep);
     },
     VerdictKind::kInvariantBroken},
    {"ReleasingAnUnheldSpinlock",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS { spin_unlock(&c->spin); },
     VerdictKind::kInvariantBroken},
    {"ReleasingAnUnheldMutex",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex_unlock(&c->sleep); },
     VerdictKind::kInvariantBroken},
    {"TakingLocksInBothOrders",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
       spin_lock(&c->spin);
       spin_lock(&c->spin2);
       spin_unlock(&c->spin2);
       spin_unlock(&c->spin);
       spin_lock(&c->spin2);
       spin_lock(&c->spin);
     },
     VerdictKind::kLockOrder},
    {"TakingTwoLocksOfOneClass",
     [](Cell* c) ABSL_NO_THREAD_SAFETY_ANALYSIS {
       spin_lock(&c->spin);
       spin_lock(&c->spin3);
     },
     VerdictKind::kLockOrder},
    {"UnlockingRcuUnlocked", [](Cell*) { rcu_read_unlock(); },
     VerdictKind::kInvariantBroken},
    {"CountingBelowZero",
     [](Cell*) {
       uint32_t count = 0;
       (void)atomic_dec_return(&count);
     },
     VerdictKind::kInvariantBroken},
};

class EngineRuleTest : public ::testing::TestWithParam<Rule> {};

TEST_P(EngineRuleTest, IsAVerdictThatStopsTheWorld) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  auto* program = GetParam().program;
  task_struct* t = world.Add([cell, program] { program(cell); });
  EXPECT_EQ(world.Step(t), Stop::kVerdict);
  EXPECT_TRUE(world.engine().stopped());
  const Verdict verdict = world.engine().TakeVerdict();
  EXPECT_STREQ(VerdictName(verdict.kind), VerdictName(GetParam().want));
  EXPECT_EQ(verdict.task, t->thread->id);
}

INSTANTIATE_TEST_SUITE_P(, EngineRuleTest, ::testing::ValuesIn(kRules),
                         [](const auto& info) { return info.param.name; });

uint64_t HashOfRun(bool first_goes_first) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  const auto program = [cell]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    for (int i = 0; i < 3; ++i) {
      spin_lock(&cell->spin);
      cell->value++;
      spin_unlock(&cell->spin);
    }
  };
  task_struct* a = world.Add(program);
  task_struct* b = world.Add(program);
  world.Step(first_goes_first ? a : b);
  world.Step(first_goes_first ? b : a);
  return world.engine().trace_hash();
}

TEST(Engine, TheSameRunHasTheSameTraceHashInEverySlot) {
  const uint64_t hash = HashOfRun(true);
  BareWorld other;  // takes a slot: the next world lies elsewhere
  EXPECT_EQ(HashOfRun(true), hash);
  EXPECT_NE(HashOfRun(false), hash) << "another order is another trace";
}

// To stop a task, or to keep its trace, takes the longer way through each
// point; what comes of it is the same.
TEST(Engine, WhoIsWatchedLeavesTheSameTrace) {
  const auto program = [](Cell* cell) ABSL_NO_THREAD_SAFETY_ANALYSIS {
    spin_lock(&cell->spin);
    Mark(Point::kExitMm);
    (void)READ_ONCE(cell->value);
    spin_unlock(&cell->spin);
  };
  const auto hash_of = [&](Point stop_at, bool keep) {
    BareWorld world;
    Cell* cell = world.New<Cell>();
    if (keep) world.engine().KeepTrace();
    task_struct* t = world.Add([=] { program(cell); });
    Stop stop = world.StepTo(t, stop_at);
    EXPECT_EQ(stop == Stop::kAtPoint, stop_at != Point::kNone);
    while (stop == Stop::kAtPoint) stop = world.Step(t);
    EXPECT_EQ(world.engine().step(), 4u);
    EXPECT_EQ(world.engine().trace().size(), keep ? 4u : 0u);
    return world.engine().trace_hash();
  };
  const uint64_t hash = hash_of(Point::kNone, false);
  EXPECT_NE(hash, 0u);
  EXPECT_EQ(hash_of(Point::kNone, true), hash);
  for (const Point point : {Point::kSpinLock, Point::kExitMm, Point::kRacyRead,
                            Point::kSpinUnlock}) {
    EXPECT_EQ(hash_of(point, false), hash) << PointName(point);
    EXPECT_EQ(hash_of(point, true), hash) << PointName(point);
  }
}

TEST(Engine, KnowsObjectsOnAStackByTheirStack) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  const auto program = [cell] {
    const int first = 0;
    const int second[100] = {};
    Invariant(NumberOf(&first) == NumberOf(&second[99]), "one stack");
    cell->value = static_cast<int>(NumberOf(&first) & 0xffff);
    cell->open = NumberOf(&first) >> 31 != 0;
  };
  for (int i = 0; i < 2; ++i) {
    task_struct* t = world.Add(program);
    EXPECT_EQ(world.Step(t), Stop::kFinished);
    EXPECT_TRUE(cell->open);
    EXPECT_EQ(cell->value, static_cast<int>(t->thread->id));
  }
  EXPECT_EQ(NumberOf(&cell->spin2) - NumberOf(&cell->spin), 1u);
}

TEST(Engine, ASnapshotBringsAWaitingTaskBack) {
  BareWorld world;
  Cell* cell = world.New<Cell>();
  task_struct* t = world.Add([cell] {
    const int before = cell->value;
    WaitUntil(Point::kWait, Access::kRead, 0, [cell] { return cell->open; });
    cell->value += before;
  });
  cell->value = 3;
  EXPECT_EQ(world.Step(t), Stop::kBlocked);
  world.arena().AllowCopies();
  Snapshot waiting;
  world.engine().Take(&waiting);
  const uint64_t step = world.engine().step();
  for (int again = 0; again < 3; ++again) {
    cell->open = true;
    EXPECT_EQ(world.Step(t), Stop::kFinished);
    EXPECT_EQ(cell->value, 6);
    EXPECT_EQ(world.engine().step(), step + 1);
    world.engine().Restore(waiting);
    EXPECT_FALSE(cell->open);
    EXPECT_EQ(cell->value, 3);
    EXPECT_EQ(world.engine().step(), step);
  }
}

TEST(Engine, ASnapshotTakesAVerdictBackAndEndsLaterLives) {
  BareWorld world;
  task_struct* t =
      world.Add([] { Fail(VerdictKind::kLeak, "something is lost"); });
  world.arena().AllowCopies();
  Snapshot before;
  world.engine().Take(&before);
  task_struct* later = world.Add([] {});
  EXPECT_EQ(world.Step(t), Stop::kVerdict);
  EXPECT_TRUE(world.engine().stopped());
  world.engine().Restore(before);
  EXPECT_FALSE(world.engine().stopped());
  EXPECT_FALSE(world.engine().verdict());
  EXPECT_FALSE(world.sched().task_slab.IsLive(later));
  EXPECT_EQ(world.engine().FiberAt(1), nullptr);
  // The same slot, clean: a new life as the first one had it.
  EXPECT_EQ(world.Add([] {}), later);
}

using EngineDeathTest = ::testing::Test;

TEST(EngineDeathTest, RefusesTheHostsHeapInATask) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        BareWorld world;
        task_struct* t =
            world.Add([] { ::operator delete(::operator new(8)); });
        world.Step(t);
      },
      "allocated 8 bytes from the host's heap");
}

TEST(EngineDeathTest, InsistsThatAVerdictIsLookedAt) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        BareWorld world;
        task_struct* t =
            world.Add([] { Fail(VerdictKind::kLeak, "something is lost"); });
        world.Step(t);
      },
      "verdict that nobody looked at.*something is lost");
}

}  // namespace
}  // namespace reapsim
