// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/explore.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "explore/matchers.h"
#include "sched/mutex.h"
#include "sched/task.h"
#include "sched/testing.h"

namespace reapsim {
namespace {

// What the small programs below share.
struct Cells {
  uint32_t counter = 0;
  uint32_t flags[2] = {};
  int results[2] = {};
  mutex lock;
  mutex lock2{.lock_class = LockClass::kTestLock2};
};

class TestWorld : public World {
 public:
  TestWorld() : cells_(bare_.New<Cells>()) {}
  template <class Fn>
  void Add(Fn fn) {
    bare_.Add(fn);
  }
  Engine& engine() override { return bare_.engine(); }
  std::string Outcome() const override {
    return "counter=" + std::to_string(cells_->counter) +
           "; r0=" + std::to_string(cells_->results[0]) +
           "; r1=" + std::to_string(cells_->results[1]) + ";";
  }
  const char* BrokenInvariant() const override {
    return cells_->counter > limit ? "T1: the counter is too large" : nullptr;
  }
  Cells* cells() { return cells_; }
  uint32_t limit = 100;

 private:
  BareWorld bare_;
  Cells* cells_;
};

// counter++ in two steps: a read and a write.
void AddUnlocked(Cells* cells) {
  const uint32_t seen = READ_ONCE(cells->counter);
  SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&cells->counter));
  cells->counter = seen + 1;
}

class LostUpdate : public TestWorld {
 public:
  LostUpdate() {
    Cells* cells = this->cells();
    for (int i = 0; i < 2; ++i) {
      Add([cells] { AddUnlocked(cells); });
    }
  }
};

constexpr Strategy kAll[] = {Strategy::kAuto, Strategy::kStateful,
                             Strategy::kRandom, Strategy::kPct,
                             Strategy::kBruteForce};

TEST(Explore, FindsALostUpdateByEveryStrategy) {
  for (const Strategy strategy : kAll) {
    LostUpdate world;
    const Exploration found =
        Explore(world, {.strategy = strategy, .executions = 1000});
    EXPECT_FALSE(found.failure) << static_cast<int>(strategy);
    EXPECT_EQ(found.outcomes.size(), 2u) << static_cast<int>(strategy);
    EXPECT_TRUE(found.outcomes.contains("counter=1; r0=0; r1=0;"));
    EXPECT_TRUE(found.outcomes.contains("counter=2; r0=0; r1=0;"));
    // The world is as it was.
    EXPECT_EQ(world.cells()->counter, 0u);
    EXPECT_EQ(world.engine().step(), 0u);
  }
}

TEST(Explore, MakesEveryScheduleByBruteForce) {
  LostUpdate world;
  const Exploration found = Explore(world, {.strategy = Strategy::kBruteForce});
  // Each fiber makes two steps, the read and the write: (2 + 2)! / (2! 2!)
  // orders.
  EXPECT_EQ(found.executions, 6u);
  EXPECT_TRUE(found.exhausted);
  // Updates are lost unless one has written before the other reads.
  EXPECT_EQ(found.outcomes.at("counter=2; r0=0; r1=0;") +
                found.outcomes.at("counter=1; r0=0; r1=0;"),
            6u);
}

TEST(Explore, SaysWhatABoundLeavesOut) {
  LostUpdate world;
  const Exploration none = Explore(world, {.max_preemptions = 0});
  EXPECT_TRUE(none.exhausted);
  EXPECT_EQ(none.outcomes.size(), 1u);
  const Exploration one = Explore(world, {.max_preemptions = 1});
  EXPECT_EQ(one.outcomes.size(), 2u);
}

TEST(Explore, ReportsABrokenInvariantWithTheFewestPreemptions) {
  for (const Strategy strategy : kAll) {
    LostUpdate world;
    Cells* cells = world.cells();
    // Needs one preemption: between this task's two additions.
    world.Add([cells] {
      AddUnlocked(cells);
      AddUnlocked(cells);
    });
    world.limit = 3;
    // Four additions, none lost: breaks it without any preemption.
    const Exploration found =
        Explore(world, {.strategy = strategy, .executions = 1000});
    ASSERT_TRUE(found.failure) << static_cast<int>(strategy);
    EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kInvariantBroken);
    EXPECT_EQ(found.failure->verdict.what, "T1: the counter is too large");
    EXPECT_EQ(found.failure->preemptions, 0);
    EXPECT_TRUE(found.failure->fewest_preemptions);
    // By chance another one without preemptions may come first.
    if (strategy == Strategy::kRandom || strategy == Strategy::kPct) continue;
    EXPECT_EQ(FormatDeviations(found.failure->deviations), "-");
  }
}

// A world that answers once after each change, as a kernel's does: most steps
// change nothing that is looked at.
class AnswersOnce : public LostUpdate {
 public:
  const char* BrokenInvariant() const override {
    Cells* seen = const_cast<AnswersOnce*>(this)->cells();
    if (seen->counter != 1 || seen->results[0] != 0) return nullptr;
    seen->results[0] = 1;
    return "T2: somebody has counted";
  }
};

TEST(Explore, AsksForBrokenInvariantsOnceAfterEachStep) {
  for (const Strategy strategy : kAll) {
    AnswersOnce world;
    const Exploration found =
        Explore(world, {.strategy = strategy, .executions = 10});
    EXPECT_THAT(found, FailsWith(VerdictKind::kInvariantBroken,
                                 "T2: somebody has counted"));
    EXPECT_TRUE(found.failure->always);
    EXPECT_EQ(found.failure->outcome, "") << "it does not come to its end";
  }
}

class Abba : public TestWorld {
 public:
  Abba() {
    Cells* cells = this->cells();
    // Same class for both: lockdep would know without any schedule.
    Add([cells] {
      WaitFor(&cells->flags[0]);
      WaitFor(&cells->flags[1]);
      Free(&cells->flags[1]);
      Free(&cells->flags[0]);
    });
    Add([cells] {
      WaitFor(&cells->flags[1]);
      WaitFor(&cells->flags[0]);
      Free(&cells->flags[0]);
      Free(&cells->flags[1]);
    });
  }

 private:
  static void WaitFor(uint32_t* flag) {
    WaitUntil(Point::kWait, Access::kAcquire, NumberOf(flag),
              [flag] { return *flag == 0; });
    *flag = 1;
  }
  static void Free(uint32_t* flag) {
    SchedulePoint(Point::kWake, Access::kRelease, NumberOf(flag));
    *flag = 0;
  }
};

TEST(Explore, FindsADeadlockAndThePointOfNoReturn) {
  for (const Strategy strategy : kAll) {
    Abba world;
    const Exploration found =
        Explore(world, {.strategy = strategy, .executions = 1000});
    ASSERT_TRUE(found.failure) << static_cast<int>(strategy);
    const Failure& failure = *found.failure;
    EXPECT_EQ(failure.verdict.kind, VerdictKind::kDeadlock);
    EXPECT_EQ(failure.preemptions, 1);
    EXPECT_TRUE(failure.fewest_preemptions);
    // P0 and P1 come to their first points (0, then 2 by preemption), and each
    // takes its first lock: with the second of these it is too late.
    EXPECT_EQ(failure.point_of_no_return,
              static_cast<int64_t>(failure.schedule.size()) - 1);
    EXPECT_FALSE(failure.always);
    EXPECT_EQ(failure.outcome, world.Outcome());
    ASSERT_EQ(failure.entries_before.size(), failure.schedule.size());
    for (size_t i = 0; i < failure.schedule.size(); ++i) {
      EXPECT_EQ(failure.trace.at(failure.entries_before[i]).fiber,
                failure.schedule[i]);
    }
    const Replayed again = Replay(world, failure.deviations);
    EXPECT_EQ(again.verdict.kind, VerdictKind::kDeadlock);
    EXPECT_EQ(again.trace_hash, failure.trace_hash);
    EXPECT_EQ(again.schedule, failure.schedule);
    EXPECT_EQ(again.entries_before, failure.entries_before);
  }
}

TEST(Explore, LetsAWatcherLookBeforeAndAfterEachChoice) {
  TestWorld world;
  Cells* cells = world.cells();
  world.Add([cells] {
    for (int i = 0; i < 3; ++i) {
      SchedulePoint(Point::kRefInc, Access::kWrite, NumberOf(&cells->counter));
      cells->counter++;
    }
  });
  std::vector<int64_t> seen;
  const Replayed replayed = Replay(
      world, {}, Races::kIgnore, 100,
      [&seen, cells] { seen.push_back(static_cast<int64_t>(cells->counter)); });
  // The fiber stands before its first step when the schedule begins.
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(replayed.schedule.size(), 3u);
}

TEST(Explore, NamesWhoHoldsTheLockOfAPartialDeadlock) {
  TestWorld world;
  Cells* cells = world.cells();
  world.Add([cells] {
    mutex_lock(&cells->lock);
    WaitUntil(Point::kWait, Access::kRead, 0,
              [cells] { return cells->counter == 1; });
    mutex_unlock(&cells->lock);
  });
  world.Add([cells] {
    mutex_lock(&cells->lock);
    cells->counter = 1;
    mutex_unlock(&cells->lock);
  });
  world.Add([] {});
  const Exploration found = Explore(world, {});
  ASSERT_TRUE(found.failure);
  EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kDeadlock);
  EXPECT_NE(found.failure->verdict.what.find(
                "for a test's lock, which P0 holds since"),
            std::string::npos)
      << found.failure->verdict.what;
}

TEST(Explore, TellsALivelockFromALoopThatOnlyNeedsFairness) {
  struct Case {
    const char* name;
    bool other_sets;  // the flag that the first one waits for
    bool livelock;
  };
  for (const Case& c : {Case{"somebody will set it", true, false},
                        Case{"nobody ever sets it", false, true}}) {
    TestWorld world;
    Cells* cells = world.cells();
    world.Add([cells] {
      while (READ_ONCE(cells->flags[0]) == 0) {
      }
    });
    const bool sets = c.other_sets;
    world.Add([cells, sets] {
      SchedulePoint(Point::kFlagSet, Access::kWrite, 0);
      cells->flags[0] = sets ? 1 : 0;
    });
    const Exploration found = Explore(world, {.strategy = Strategy::kStateful});
    EXPECT_EQ(found.failure.has_value(), c.livelock) << c.name;
    if (found.failure) {
      EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kLivelock);
    }
  }
}

// A task that waits for ever for a flag, in a loop.
void Spin(const uint32_t* flag) {
  while (READ_ONCE(*flag) == 0) {
  }
}

// What must come about here is that somebody counts.
class WantsACount : public TestWorld {
 public:
  void UnmetGoals(std::vector<std::string>* goals) const override {
    if (const_cast<WantsACount*>(this)->cells()->counter == 0) {
      goals->push_back("L0: nobody has counted");
    }
  }
};

TEST(Explore, SaysWhatALivelockKeepsFromComingAbout) {
  for (const bool counts : {false, true}) {
    WantsACount world;
    Cells* cells = world.cells();
    world.Add([cells, counts] {
      if (counts) AddUnlocked(cells);
      Spin(&cells->flags[0]);
    });
    const Exploration found = Explore(world);
    EXPECT_THAT(found, FailsWith(VerdictKind::kLivelock,
                                 counts ? "these may go round for ever"
                                        : "L0: nobody has counted; these may"));
    EXPECT_EQ(found.failure->point_of_no_return, 0);
  }
}

TEST(Explore, SaysWhoHoldsALockBesideALivelock) {
  TestWorld world;
  Cells* cells = world.cells();
  world.Add([cells] {
    mutex_lock(&cells->lock);
    WaitUntil(Point::kWait, Access::kRead, 0,
              [cells] { return cells->counter == 1; });
    mutex_unlock(&cells->lock);
  });
  world.Add([cells] { Spin(&cells->flags[0]); });
  const Exploration found = Explore(world);
  ASSERT_TRUE(found.failure);
  EXPECT_THAT(found.failure->verdict.what,
              ::testing::AllOf(
                  ::testing::HasSubstr("passed over: P1; and P0 waits at Wait "
                                       "(explore/explore_test.cc:"),
                  ::testing::EndsWith(") and holds a test's lock")));
}

TEST(Explore, BoundsOnlyLivelocksWhoseCircleNeedsNoPreemption) {
  struct Case {
    const char* name;
    int spinners;
    bool bounded;  // found although preemptions are counted
  };
  for (const Case& c : {Case{"one goes round alone", 1, true},
                        Case{"two must preempt each other", 2, false}}) {
    SCOPED_TRACE(c.name);
    TestWorld world;
    Cells* cells = world.cells();
    for (int i = 0; i < c.spinners; ++i) {
      world.Add([cells] { Spin(&cells->flags[0]); });
    }
    const Exploration bounded = Explore(world, {.max_preemptions = 2});
    EXPECT_EQ(bounded.failure.has_value(), c.bounded);
    EXPECT_EQ(bounded.exhausted, !c.bounded);
    const Exploration found = Explore(world);
    ASSERT_TRUE(found.failure);
    EXPECT_EQ(found.failure->verdict.kind, VerdictKind::kLivelock);
    EXPECT_EQ(found.failure->fewest_preemptions, c.bounded);
  }
}

// Somebody looks for a flag again and again that an event sets, if it happens;
// and it can't while the second flag is set.
class WaitsForAnEvent : public TestWorld {
 public:
  explicit WaitsForAnEvent(bool happens) : happens_(happens) {
    Cells* cells = this->cells();
    Add([cells] {
      while (READ_ONCE(cells->flags[0]) == 0) {
        cells->flags[1] ^= 1;
      }
    });
  }
  void Events(std::vector<Choice>* out) const override {
    const Cells* seen = const_cast<WaitsForAnEvent*>(this)->cells();
    if (happens_ && seen->flags[0] == 0 && seen->flags[1] == 0) {
      out->push_back(kEventBase);
    }
  }
  void Fire(Choice /*event*/) override { cells()->flags[0] = 1; }

 private:
  bool happens_;
};

TEST(Explore, TakesAnEventThatIsHeldBackNowAndThenToHappen) {
  WaitsForAnEvent never(false);
  EXPECT_THAT(Explore(never),
              FailsWith(VerdictKind::kLivelock, "these may go"));
  WaitsForAnEvent sometimes(true);
  EXPECT_THAT(Explore(sometimes), HoldsInEverySchedule());
}

// What so many shards find, each of which does all of its part.
absl::btree_map<std::string, uint64_t> InShards(World& world,
                                                ExploreOptions options,
                                                int count) {
  absl::btree_map<std::string, uint64_t> together;
  for (int index = 0; index < count; ++index) {
    options.shard = {.index = index, .count = count};
    const Exploration part = Explore(world, options);
    EXPECT_TRUE(part.exhausted);
    for (const auto& [outcome, times] : part.outcomes) {
      together[outcome] += times;
    }
  }
  return together;
}

TEST(Explore, CoversInItsShardsWhatItCoversAlone) {
  for (const Strategy strategy :
       {Strategy::kStateful, Strategy::kBruteForce, Strategy::kAuto}) {
    Abba world;
    const ExploreOptions options{.strategy = strategy,
                                 .stop_at_failure = false};
    const Exploration alone = Explore(world, options);
    auto together = InShards(world, options, 3);
    EXPECT_EQ(together.size(), alone.outcomes.size());
    for (const auto& [outcome, count] : alone.outcomes) {
      EXPECT_TRUE(together.contains(outcome)) << outcome;
      if (strategy == Strategy::kBruteForce) {
        EXPECT_EQ(together[outcome], count) << outcome;
      }
    }
  }
}

TEST(Explore, KeepsToTheBoundInItsShards) {
  for (int bound = 0; bound < 3; ++bound) {
    LostUpdate world;
    const ExploreOptions options{.strategy = Strategy::kStateful,
                                 .max_preemptions = bound,
                                 .stop_at_failure = false};
    const Exploration alone = Explore(world, options);
    EXPECT_EQ(InShards(world, options, 2).size(), alone.outcomes.size())
        << bound;
  }
}

TEST(Explore, SaysWhenItGivesUp) {
  LostUpdate world;
  const Exploration few =
      Explore(world, {.strategy = Strategy::kStateful, .max_states = 3});
  EXPECT_FALSE(few.exhausted);
  EXPECT_EQ(few.unexplored, "more than 3 states");
  const Exploration random =
      Explore(world, {.strategy = Strategy::kRandom, .executions = 10});
  EXPECT_FALSE(random.exhausted);
  EXPECT_EQ(random.executions, 10u);
}

TEST(Explore, PrintsAFailureForPeople) {
  Abba world;
  const Exploration found = Explore(world);
  EXPECT_THAT(found, FailsWith(VerdictKind::kDeadlock, "P0 waits at Wait"));
  EXPECT_THAT(found, ::testing::Not(HoldsInEverySchedule()));
  const std::string text = ::testing::PrintToString(found);
  for (const char* part :
       {"fails:\ndeadlock: P0 waits at Wait (explore/explore_test.cc:",
        "\nP1:\n", "1 preemption, the fewest that fail\n",
        "every schedule fails\nschedule: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(FailsWith, TakesANumberForAWholeOne) {
  struct Case {
    const char* what;
    const char* begin;
    bool matches;
  };
  constexpr VerdictKind kKind = VerdictKind::kInvariantBroken;
  for (const Case& c : {
           Case{"S1: so", "S1", true},
           Case{"S1: so", "S1: s", true},
           Case{"S1", "S1", true},
           Case{"S17: so", "S1", false},
           Case{"S30: so", "S3", false},
           Case{"S30: so", "S30", true},
           Case{"S30: so", "S", true},
           Case{"S30: so", "", true},
           Case{"S3", "S30", false},
       }) {
    Exploration found;
    found.failure = Failure{.verdict = {.kind = kKind, .what = c.what}};
    const bool matches = ::testing::Value(found, FailsWith(kKind, c.begin));
    EXPECT_EQ(matches, c.matches) << c.what << ", " << c.begin;
    EXPECT_FALSE(
        ::testing::Value(found, FailsWith(VerdictKind::kLeak, c.begin)));
  }
}

TEST(HoldsInEverySchedule, SaysOfARandomSearchThatItProvesNothing) {
  LostUpdate world;
  const Exploration found =
      Explore(world, {.strategy = Strategy::kRandom, .executions = 10});
  ::testing::StringMatchResultListener why;
  EXPECT_FALSE(
      ::testing::ExplainMatchResult(HoldsInEverySchedule(), found, &why));
  EXPECT_EQ(why.str(),
            "in which no schedule that was tried fails, but not every one was: "
            "random executions cover what they happen to meet");
}

// A property of the results, which no invariant of the world's knows.
class MustNotLose : public LostUpdate {
 public:
  std::string WrongEnd() const override {
    return Outcome().rfind("counter=2;", 0) == 0 ? "" : "an addition is lost";
  }
};

TEST(Explore, TakesAWrongEndForAFailure) {
  for (const Strategy strategy : kAll) {
    MustNotLose world;
    const Exploration found =
        Explore(world, {.strategy = strategy, .executions = 1000});
    EXPECT_THAT(found,
                FailsWith(VerdictKind::kWrongResult, "an addition is lost"));
    EXPECT_EQ(found.failure->preemptions, 1);
    EXPECT_TRUE(found.failure->fewest_preemptions);
  }
}

TEST(Explore, SaysThatAProgramHolds) {
  LostUpdate world;
  const Exploration found = Explore(world);
  EXPECT_THAT(found, HoldsInEverySchedule());
  EXPECT_EQ(::testing::PrintToString(found).rfind("holds in every", 0), 0u);
}

TEST(Replay, RefusesAScheduleOfAnotherProgram) {
  LostUpdate world;
  EXPECT_EQ(Replay(world, {{2, 7}}).mismatch,
            "at choice 2 P7 can't go on, as the schedule wants it to");
  EXPECT_EQ(Replay(world, {{70, 1}}).mismatch,
            "the execution ends before choice 70 of the schedule");
  EXPECT_EQ(Replay(world, {}).mismatch, "");
}

TEST(Schedule, ReadsWhatItWrites) {
  const std::vector<Deviation> some = {{31, 5}, {40, kEventBase + 2}};
  EXPECT_EQ(FormatDeviations(some), "31:5,40:e2");
  EXPECT_EQ(*ParseDeviations("31:5,40:e2"), some);
  EXPECT_EQ(FormatDeviations({}), "-");
  EXPECT_TRUE(ParseDeviations("-")->empty());
}

TEST(Schedule, SaysWhereATextIsWrong) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : {
           Case{"", "character 1: expected the number of a step"},
           Case{"x", "character 1: expected the number of a step"},
           Case{"3", "character 2: expected ':'"},
           Case{"3:", "character 3: expected the number of a task"},
           Case{"3:e", "character 4: expected the number of a task"},
           Case{"3:1;", "character 4: expected ',' or the end"},
           Case{"3:1,2:1", "character 5: expected a later step"},
           Case{"3:99999", "character 3: expected the number of a task"},
       }) {
    const auto parsed = ParseDeviations(c.text);
    ASSERT_FALSE(parsed.ok()) << c.text;
    EXPECT_NE(std::string(parsed.status().message()).find(c.message),
              std::string::npos)
        << parsed.status().message();
  }
}

}  // namespace
}  // namespace reapsim
