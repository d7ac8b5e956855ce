// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/toy.h"

#include <gtest/gtest.h>

#include <string>

#include "explore/explore.h"

namespace reapsim {
namespace {

ExploreOptions Everything() {
  return {.strategy = Strategy::kStateful, .stop_at_failure = false};
}

std::string Outcomes(const Exploration& found) {
  std::string text;
  for (const auto& [outcome, count] : found.outcomes) text += outcome + "\n";
  return text;
}

TEST(Toy, LosesAnUpdate) {
  ToyWorld world;
  ToyWord* x = world.NewWord(0);
  for (int i = 0; i < 2; ++i) world.AddTask([x] { x->Store(x->Load() + 1); });
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=1\nx0=2\n");
}

TEST(Toy, LosesNoneUnderALock) {
  ToyWorld world;
  ToyWord* x = world.NewWord(0);
  ToyLock* lock = world.NewLock();
  for (int i = 0; i < 2; ++i) {
    world.AddTask([=] {
      lock->Lock();
      x->Store(x->Load() + 1);
      lock->Unlock();
    });
  }
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=2\n");
}

// Plain memory is read and written in one step if no schedule point lies
// between, and seen as it was if one does.
TEST(Toy, CellsHaveNoSchedulePoints) {
  ToyWorld world;
  ToyWord* x = world.NewWord(0);
  int* cell = world.NewCell();
  for (int i = 0; i < 2; ++i) {
    world.AddTask([=] {
      x->Add(1);
      const int before = *cell;
      if (i == 0) (void)x->Load();
      *cell = before + 1;
    });
  }
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=2 c0=1\nx0=2 c0=2\n");
}

TEST(Toy, ReadersShareAndWritersDoNot) {
  ToyWorld world;
  ToyRwLock* lock = world.NewRwLock();
  ToyWord* inside = world.NewWord(0);
  int* most = world.NewCell();
  for (int i = 0; i < 2; ++i) {
    world.AddTask([=] {
      lock->DownRead();
      const int others = inside->Add(1);
      if (others > *most) *most = others;
      inside->Add(-1);
      lock->UpRead();
    });
  }
  world.AddTask([=] {
    lock->DownWrite();
    ToyCheck(inside->Load() == 0);
    lock->UpWrite();
  });
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=0 c0=0\nx0=0 c0=1\n");
}

TEST(Toy, TakesATryLockOnlyIfItIsFree) {
  ToyWorld world;
  ToyLock* lock = world.NewLock();
  ToyWord* taken = world.NewWord(0);
  for (int i = 0; i < 2; ++i) {
    world.AddTask([=] {
      if (!lock->TryLock()) return;
      taken->Add(1);
      lock->Unlock();
    });
  }
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=1\nx0=2\n");
}

TEST(Toy, AwaitsAValue) {
  ToyWorld world;
  ToyWord* x = world.NewWord(0);
  ToyWord* y = world.NewWord(0);
  world.AddTask([=] {
    x->Await(Compare::kAtLeast, 2);
    y->Store(x->Load());
  });
  world.AddTask([=] {
    for (int i = 0; i < 3; ++i) x->Add(1);
  });
  EXPECT_EQ(Outcomes(Explore(world, Everything())), "x0=3 x1=2\nx0=3 x1=3\n");
}

struct Rule {
  const char* name;
  void (*set_up)(ToyWorld*);
  const char* verdict;
};

const Rule kRules[] = {
    {"UnlockingALockOfAnother",
     [](ToyWorld* world) {
       ToyLock* lock = world->NewLock();
       world->AddTask([lock] { lock->Unlock(); });
     },
     "invariant broken: a lock is released by a task that does not hold it"},
    {"ReadUnlockingALockOfAnother",
     [](ToyWorld* world) {
       ToyRwLock* lock = world->NewRwLock();
       world->AddTask([lock] { lock->UpRead(); });
     },
     "invariant broken: a lock is released by a task that does not hold it"},
    {"WriteUnlockingALockOfAnother",
     [](ToyWorld* world) {
       ToyRwLock* lock = world->NewRwLock();
       world->AddTask([lock] { lock->UpWrite(); });
     },
     "invariant broken: a lock is released by a task that does not hold it"},
    {"KeepingALock",
     [](ToyWorld* world) {
       ToyLock* lock = world->NewLock();
       world->AddTask([lock] { lock->Lock(); });
     },
     "leak: a lock is held by a task that has returned"},
    {"KeepingAReadersLock",
     [](ToyWorld* world) {
       ToyRwLock* lock = world->NewRwLock();
       world->AddTask([lock] { lock->DownRead(); });
     },
     "leak: a lock is held by a task that has returned"},
    {"ASumOverItsLimit",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(1);
       world->AddInvariant({.left = 0, .right = 0, .limit = 2});
       world->AddTask([x] { x->Store(2); });
     },
     "invariant broken: T1: the first sum is over its limit"},
    {"AFailedCheck",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(1);
       world->AddTask([x] { ToyCheck(x->Load() == 0); });
     },
     "wrong result: a check of a register fails"},
};

class ToyRuleTest : public ::testing::TestWithParam<Rule> {};

TEST_P(ToyRuleTest, IsAVerdict) {
  ToyWorld world;
  GetParam().set_up(&world);
  const Exploration found = Explore(world, {});
  ASSERT_TRUE(found.failure.has_value());
  const Verdict& verdict = found.failure->verdict;
  EXPECT_EQ(std::string(VerdictName(verdict.kind)) + ": " + verdict.what,
            GetParam().verdict);
}

INSTANTIATE_TEST_SUITE_P(, ToyRuleTest, ::testing::ValuesIn(kRules),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

}  // namespace
}  // namespace reapsim
