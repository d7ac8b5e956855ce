// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/race.h"

#include <gtest/gtest.h>

#include <string>

#include "explore/explore.h"
#include "explore/matchers.h"
#include "explore/toy.h"

namespace reapsim {
namespace {

ExploreOptions Watching(Strategy strategy) {
  return {.strategy = strategy, .executions = 100, .races = Races::kReport};
}

constexpr Strategy kStrategies[] = {Strategy::kAuto, Strategy::kStateful,
                                    Strategy::kRandom, Strategy::kPct,
                                    Strategy::kBruteForce};

// What two tasks do to a cell, and whether they race in every schedule.
struct Program {
  const char* name;
  void (*set_up)(ToyWorld*);
  bool races;
};

const Program kPrograms[] = {
    {"TwoWritesWithoutAnything",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           (void)x->Load();
           ToyWrite(cell, 1);
         });
       }
     },
     true},
    {"BeforeTheFirstOperation",
     [](ToyWorld* world) {
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] { ToyWrite(cell, 1); });
       }
     },
     true},
    {"AReadAndAWrite",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         x->Store(1);
         (void)ToyRead(cell);
       });
       world->AddTask([=] {
         x->Store(1);
         ToyWrite(cell, 1);
       });
     },
     true},
    {"TwoReads",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           (void)x->Load();
           (void)ToyRead(cell);
         });
       }
     },
     false},
    {"UnderOneLock",
     [](ToyWorld* world) {
       ToyLock* lock = world->NewLock();
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           lock->Lock();
           ToyWrite(cell, ToyRead(cell) + 1);
           lock->Unlock();
         });
       }
     },
     false},
    {"UnderALockThatWasTried",
     [](ToyWorld* world) {
       ToyLock* lock = world->NewLock();
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           if (!lock->TryLock()) return;
           ToyWrite(cell, ToyRead(cell) + 1);
           lock->Unlock();
         });
       }
     },
     false},
    {"UnderTwoLocks",
     [](ToyWorld* world) {
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         ToyLock* lock = world->NewLock();
         world->AddTask([=] {
           lock->Lock();
           ToyWrite(cell, ToyRead(cell) + 1);
           lock->Unlock();
         });
       }
     },
     true},
    {"ReadersAndAWriterOfOneLock",
     [](ToyWorld* world) {
       ToyRwLock* lock = world->NewRwLock();
       int* cell = world->NewCell();
       world->AddTask([=] {
         lock->DownWrite();
         ToyWrite(cell, 1);
         lock->UpWrite();
       });
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           lock->DownRead();
           (void)ToyRead(cell);
           lock->UpRead();
         });
       }
     },
     false},
    // Also where the one has gone before the other comes.
    {"TwoReadersThatWrite",
     [](ToyWorld* world) {
       ToyRwLock* lock = world->NewRwLock();
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           lock->DownRead();
           ToyWrite(cell, 1);
           lock->UpRead();
         });
       }
     },
     true},
    {"ReleaseAndAcquire",
     [](ToyWorld* world) {
       ToyWord* flag = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         ToyWrite(cell, 1);
         flag->StoreRelease(1);
       });
       world->AddTask([=] {
         if (flag->LoadAcquire() == 1) (void)ToyRead(cell);
       });
     },
     false},
    {"ReleaseWithoutAcquire",
     [](ToyWorld* world) {
       ToyWord* flag = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         ToyWrite(cell, 1);
         flag->StoreRelease(1);
       });
       world->AddTask([=] {
         while (flag->Load() == 0) {
         }
         (void)ToyRead(cell);
       });
     },
     true},
    {"AReleaseThatAnotherStoreHides",
     [](ToyWorld* world) {
       ToyWord* flag = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         ToyWrite(cell, 1);
         flag->StoreRelease(1);
         flag->Store(2);
       });
       world->AddTask([=] {
         flag->Await(Compare::kEqual, 2);
         (void)ToyRead(cell);
       });
     },
     true},
    {"AReleaseThatAnAtomicOperationKeeps",
     [](ToyWorld* world) {
       ToyWord* flag = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         ToyWrite(cell, 1);
         flag->StoreRelease(1);
         (void)flag->Add(1);
       });
       world->AddTask([=] {
         flag->Await(Compare::kEqual, 2);
         (void)ToyRead(cell);
       });
     },
     false},
    // The last one to go frees.
    {"ACounterThatDropsToZero",
     [](ToyWorld* world) {
       ToyWord* users = world->NewWord(2);
       int* cell = world->NewCell();
       for (int i = 0; i < 2; ++i) {
         world->AddTask([=] {
           (void)ToyRead(cell);
           if (users->Add(-1) == 1) ToyWrite(cell, 0);
         });
       }
     },
     false},
    {"AFiberThatATaskMakes",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         (void)x->Load();
         ToyWrite(cell, 1);
         Here<EngineState>().engine->NewFiber(
             cell, [](void* owner) { ToyWrite(static_cast<int*>(owner), 2); });
       });
     },
     false},
    {"AFiberThatATaskMakesBefore",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         (void)x->Load();
         Here<EngineState>().engine->NewFiber(
             cell, [](void* owner) { ToyWrite(static_cast<int*>(owner), 2); });
         ToyWrite(cell, 1);
       });
     },
     true},
    {"MemoryThatIsFreedWhileItIsRead",
     [](ToyWorld* world) {
       ToyWord* x = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         (void)x->Load();
         (void)ToyRead(cell);
       });
       world->AddTask([=] {
         (void)x->Load();
         RaceFree(cell, sizeof(*cell));
       });
     },
     true},
    {"MemoryThatWasFreedAndUsedAgain",
     [](ToyWorld* world) {
       ToyWord* freed = world->NewWord(0);
       int* cell = world->NewCell();
       world->AddTask([=] {
         (void)freed->Load();
         ToyWrite(cell, 1);
         RaceFree(cell, sizeof(*cell));
         freed->Store(1);
       });
       world->AddTask([=] {
         if (freed->Load() == 1) ToyWrite(cell, 2);
       });
     },
     false},
};

class RaceTest : public ::testing::TestWithParam<Program> {};

TEST_P(RaceTest, IsToldByEverySearchThatMeetsIt) {
  for (const Strategy strategy : kStrategies) {
    SCOPED_TRACE(static_cast<int>(strategy));
    ToyWorld world;
    GetParam().set_up(&world);
    if (strategy == Strategy::kBruteForce &&
        std::string(GetParam().name) == "ReleaseWithoutAcquire") {
      continue;  // goes round for ever
    }
    const Exploration found = Explore(world, Watching(strategy));
    if (GetParam().races) {
      EXPECT_THAT(found, FailsWith(VerdictKind::kDataRace, "a cell: task "));
    } else {
      EXPECT_FALSE(found.failure.has_value()) << found;
    }
  }
}

TEST_P(RaceTest, IsNoVerdictUnlessAskedFor) {
  ToyWorld world;
  GetParam().set_up(&world);
  const Exploration found = Explore(world, {.strategy = Strategy::kStateful});
  EXPECT_FALSE(found.failure.has_value()) << found;
  EXPECT_EQ(found.races, "");
}

INSTANTIATE_TEST_SUITE_P(, RaceTest, ::testing::ValuesIn(kPrograms),
                         [](const auto& info) {
                           return std::string(info.param.name);
                         });

// A task writes, and passes a lock, and then says by a relaxed flag that it is
// done; another passes the lock, and reads if the flag is up. If it passes the
// lock first, nothing orders the two accesses; but the state afterwards is the
// same.
void SetUpTheClassicMiss(ToyWorld* world) {
  ToyWord* start = world->NewWord(0);
  ToyWord* flag = world->NewWord(0);
  ToyLock* lock = world->NewLock();
  int* cell = world->NewCell();
  world->AddTask([=] {
    (void)start->Load();
    ToyWrite(cell, 0);
    lock->Lock();
    lock->Unlock();
    flag->Store(1);
  });
  world->AddTask([=] {
    lock->Lock();
    lock->Unlock();
    if (flag->Load() == 1) (void)ToyRead(cell);
  });
}

TEST(Races, MergingStatesMissesWhatBruteForceFinds) {
  ToyWorld world;
  SetUpTheClassicMiss(&world);
  const Exploration merged = Explore(world, Watching(Strategy::kStateful));
  EXPECT_FALSE(merged.failure.has_value()) << merged;
  EXPECT_TRUE(merged.exhausted);
  EXPECT_EQ(merged.races,
            "not exhausted: merging states can skip the only history in which "
            "two accesses race");
  const Exploration all = Explore(world, Watching(Strategy::kBruteForce));
  EXPECT_THAT(all, FailsWith(VerdictKind::kDataRace, "a cell: task 0 writes "));
  EXPECT_EQ(all.races, "met in 1 execution");
}

TEST(Races, NoneIsPromisedByBruteForceAlone) {
  ToyWorld world;
  ToyLock* lock = world.NewLock();
  int* cell = world.NewCell();
  for (int i = 0; i < 2; ++i) {
    world.AddTask([=] {
      lock->Lock();
      ToyWrite(cell, 1);
      lock->Unlock();
    });
  }
  ExploreOptions options{.races = Races::kProve};
  const Exploration all = Explore(world, options);
  EXPECT_THAT(all, HoldsInEverySchedule());
  // The second waits for as long as the first has the lock.
  EXPECT_EQ(all.races, "none in 2 executions: all there are");
  options.strategy = Strategy::kBruteForce;
  options.max_preemptions = 0;
  EXPECT_EQ(Explore(world, options).races,
            "none in 2 executions: all with at most 0 preemptions");
  options.max_preemptions = -1;
  options.max_executions = 1;
  EXPECT_EQ(Explore(world, options).races,
            "not exhausted: more than 1 executions");
}

TEST(Races, APromiseThatASearchCantMakeIsRefused) {
  ToyWorld world;
  world.AddTask([] {});
  const auto refusal = [&](Strategy strategy) {
    const Exploration found =
        Explore(world, {.strategy = strategy, .races = Races::kProve});
    EXPECT_FALSE(found.exhausted);
    EXPECT_EQ(found.states + found.executions, 0u) << "it has searched";
    EXPECT_EQ(found.races, found.unexplored);
    return found.unexplored;
  };
  EXPECT_EQ(refusal(Strategy::kStateful),
            "no search that merges states can promise that there is no data "
            "race: merging states can skip the only history in which two "
            "accesses race; brute force can");
  const std::string by_chance =
      "random executions can't promise that there is no data race; brute force "
      "can";
  EXPECT_EQ(refusal(Strategy::kRandom), by_chance);
  EXPECT_EQ(refusal(Strategy::kPct), by_chance);
}

TEST(Races, RandomExecutionsPromiseNothing) {
  ToyWorld world;
  world.AddTask([] {});
  EXPECT_EQ(Explore(world, Watching(Strategy::kRandom)).races,
            "not exhausted: random executions cover what they happen to meet");
}

TEST(Races, AVerdictNamesBothAccessesAndIsReplayed) {
  for (const Strategy strategy : kStrategies) {
    SCOPED_TRACE(static_cast<int>(strategy));
    ToyWorld world;
    ToyLock* lock = world.NewLock();
    int* cell = world.NewCell();
    world.AddTask([=] {
      lock->Lock();
      ToyWrite(cell, 1, {"here.cc", 10});
      lock->Unlock();
    });
    world.AddTask([=] {
      lock->Lock();
      lock->Unlock();
      (void)ToyRead(cell, {"./there.cc", 20});
    });
    const Exploration found = Explore(world, Watching(strategy));
    ASSERT_TRUE(found.failure.has_value());
    const Verdict& verdict = found.failure->verdict;
    EXPECT_EQ(verdict.what,
              "a cell: task 0 writes it at here.cc:10, task 1 reads it at "
              "there.cc:20, and nothing orders the two");
    const Replayed again =
        Replay(world, found.failure->deviations, Races::kReport);
    EXPECT_EQ(again.verdict.what, verdict.what);
    EXPECT_EQ(again.trace_hash, found.failure->trace_hash);
    EXPECT_FALSE(Replay(world, found.failure->deviations).verdict);
  }
}

// With preemptions: whether fewer would do, a search that merges states does
// not know. The race needs none here.
TEST(Races, FewestPreemptionsAreClaimedOnlyWhereTheyAreNone) {
  ToyWorld world;
  SetUpTheClassicMiss(&world);
  const Exploration found = Explore(world, Watching(Strategy::kBruteForce));
  ASSERT_TRUE(found.failure.has_value());
  EXPECT_EQ(found.failure->preemptions, 1);
  EXPECT_FALSE(found.failure->fewest_preemptions);
  EXPECT_EQ(found.failure->point_of_no_return, -1);
}

// ---- Limits ----------------------------------------------------------------

std::string RacesAfter(void (*set_up)(ToyWorld*)) {
  ToyWorld world;
  set_up(&world);
  ExploreOptions options = Watching(Strategy::kRandom);
  options.executions = 1;
  return Explore(world, options).races;
}

TEST(RaceLimits, TasksBeyondTheLastAreNotWatched) {
  EXPECT_EQ(RacesAfter([](ToyWorld* world) {
              int* cell = world->NewCell();
              for (uint32_t i = 0; i <= kMaxRaceFibers; ++i) {
                world->AddTask([=] { (void)ToyRead(cell + i); });
              }
            }),
            "not exhausted: races of tasks of numbers beyond 31 are not "
            "watched");
}

TEST(RaceLimits, ReadersBeyondTheLastAreNotWatched) {
  EXPECT_EQ(RacesAfter([](ToyWorld* world) {
              int* cell = world->NewCell();
              for (uint32_t i = 0; i <= kMaxRaceReaders; ++i) {
                world->AddTask([=] { (void)ToyRead(cell); });
              }
            }),
            "not exhausted: races of more than 8 unordered readers are not "
            "watched");
}

TEST(RaceLimits, LocationsBeyondTheLastAreNotWatched) {
  EXPECT_EQ(RacesAfter([](ToyWorld* world) {
              int* cell = world->NewCell();
              world->AddTask([=] {
                for (uint32_t i = 0; i <= kMaxRaceLocations; ++i) {
                  PlainRead(cell + i, "a cell");
                }
              });
            }),
            "not exhausted: races at more than 512 locations are not watched");
}

TEST(RaceLimits, ObjectsBeyondTheLastAreNotWatched) {
  EXPECT_EQ(RacesAfter([](ToyWorld* world) {
              int* cell = world->NewCell();
              world->AddTask([=] {
                for (uint32_t i = 0; i <= kMaxRaceObjects; ++i) {
                  RaceRelease(cell + i);
                }
              });
            }),
            "not exhausted: races are not watched beside more than 512 locks "
            "and counters");
}

// Readers whom a later reader is ordered after make room for it.
TEST(RaceLimits, OrderedReadersAreAsManyAsYouLike) {
  EXPECT_EQ(RacesAfter([](ToyWorld* world) {
              ToyLock* lock = world->NewLock();
              int* cell = world->NewCell();
              for (uint32_t i = 0; i <= kMaxRaceReaders; ++i) {
                world->AddTask([=] {
                  lock->Lock();
                  (void)ToyRead(cell);
                  lock->Unlock();
                });
              }
            }),
            "not exhausted: random executions cover what they happen to meet");
}

}  // namespace
}  // namespace reapsim
