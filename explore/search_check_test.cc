// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The search is itself checked: on random programs it must see exactly what the
// reference sees, which shares no code with it.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "explore/explore.h"
#include "explore/random_program.h"
#include "explore/reference.h"
#include "explore/toy.h"

namespace reapsim {
namespace {

using Outcomes = std::set<std::string>;

// Twenty tests, so that Bazel can run them side by side: 10,000 programs.
constexpr uint64_t kBatches = 20;
constexpr uint64_t kProgramsEach = 500;

constexpr uint64_t kManyStates = 100'000;
// A schedule that comes by more steps than this goes round in a loop.
constexpr uint64_t kManySteps = 500;

// How a search calls it. Who is stuck where, and who goes round, it tells in
// its own words: only the kind is compared.
std::string OutcomeOf(const Trouble& trouble) {
  const std::string kind = absl::StrCat("!", VerdictName(trouble.kind));
  const bool in_own_words = trouble.kind == VerdictKind::kDeadlock ||
                            trouble.kind == VerdictKind::kLivelock;
  return in_own_words ? kind : absl::StrCat(kind, ": ", trouble.what);
}

// All outcomes that so many preemptions can bring about; -1: any number. Where
// they are counted, a livelock is one whose circle needs none.
Outcomes Expected(const ReferenceResult& result, int preemptions) {
  const auto within = [preemptions](int needed) {
    return preemptions < 0 || needed <= preemptions;
  };
  Outcomes outcomes;
  for (const auto& [end, needed] : result.ends) {
    if (within(needed)) outcomes.insert(end);
  }
  for (const auto& [trouble, needed] : result.troubles) {
    if (preemptions >= 0 && trouble.kind == VerdictKind::kLivelock) continue;
    if (within(needed)) outcomes.insert(OutcomeOf(trouble));
  }
  if (preemptions >= 0 && result.plain_livelock.has_value() &&
      within(*result.plain_livelock)) {
    outcomes.insert("!livelock");
  }
  return outcomes;
}

Outcomes Seen(const Exploration& found) {
  Outcomes outcomes;
  for (const auto& [outcome, count] : found.outcomes) {
    const std::string kind = outcome.substr(0, outcome.find(':'));
    const bool in_own_words = kind == "!deadlock" || kind == "!livelock";
    outcomes.insert(in_own_words ? kind : outcome);
  }
  return outcomes;
}

std::string Lines(const Outcomes& outcomes) {
  std::string text;
  for (const std::string& outcome : outcomes) {
    absl::StrAppend(&text, "  ", outcome, "\n");
  }
  return text;
}

// What all searches that don't stop at a failure have in common.
ExploreOptions EveryOutcome(Strategy strategy) {
  return {.strategy = strategy,
          .max_states = kManyStates,
          .max_steps = kManySteps,
          .stop_at_failure = false};
}

// The fewest preemptions with which a program goes wrong.
int FewestPreemptions(const ReferenceResult& result) {
  int fewest = result.plain_livelock.value_or(1 << 20);
  for (const auto& [trouble, needed] : result.troubles) {
    if (trouble.kind != VerdictKind::kLivelock) {
      fewest = std::min(fewest, needed);
    }
  }
  return fewest;
}

// A failure is what the reference sees when it follows the same schedule.
void CheckFailure(const Failure& failure, const Reference& reference) {
  const Reference::Run run = reference.Follow(
      std::vector<int>(failure.schedule.begin(), failure.schedule.end()));
  ASSERT_EQ(run.impossible, "");
  EXPECT_EQ(failure.preemptions, run.preemptions);
  if (failure.verdict.kind == VerdictKind::kLivelock) {
    EXPECT_FALSE(run.trouble.has_value());
    // Who goes round may have a way out.
    const int64_t doomed_from_the_start = reference.CanEndWell() ? -1 : 0;
    EXPECT_EQ(failure.point_of_no_return,
              run.doomed_by.has_value() ? static_cast<int64_t>(*run.doomed_by)
                                        : doomed_from_the_start);
    return;
  }
  ASSERT_TRUE(run.trouble.has_value());
  EXPECT_STREQ(VerdictName(failure.verdict.kind),
               VerdictName(run.trouble->kind));
  if (failure.verdict.kind != VerdictKind::kDeadlock) {
    EXPECT_EQ(failure.verdict.what, run.trouble->what);
  }
  // If nothing can end well, all is lost with the first step.
  EXPECT_EQ(failure.point_of_no_return,
            static_cast<int64_t>(run.doomed_by.value_or(0)));
}

// One batch of programs. How often each thing happened is counted: a check that
// never had its chance would prove nothing.
class SearchCheckTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  // Every search leaves the world as it was, so that one will do.
  void CheckProgram(uint64_t seed) {
    const ToyProgram program = RandomProgram(seed);
    SCOPED_TRACE(
        absl::StrCat("RandomProgram(", seed, "):\n", ToString(program)));
    const Reference reference(program, kManyStates);
    ASSERT_TRUE(reference.result().finished);
    ToyWorld world(program);
    StatefulSeesExactlyWhatCanHappen(world, reference.result());
    BoundedSeesWhatSoManyPreemptionsBringAbout(world, reference.result(),
                                               static_cast<int>(seed % 3));
    RandomSeesNothingElse(world, reference.result(), seed);
    FailureHasTheFewestPreemptions(world, reference);
    if (!HasLoop(program)) BruteForceSeesTheSame(world, program);
  }

  void StatefulSeesExactlyWhatCanHappen(ToyWorld& world,
                                        const ReferenceResult& result) {
    const Exploration found = Explore(world, EveryOutcome(Strategy::kStateful));
    EXPECT_TRUE(found.exhausted) << found.unexplored;
    EXPECT_EQ(Lines(Seen(found)), Lines(Expected(result, -1)));
    EXPECT_EQ(found.failure.has_value(), !result.troubles.empty());
    if (!found.failure) clean_++;
    for (const std::string& outcome : Seen(found)) {
      if (outcome[0] != '!') continue;
      // "!invariant broken: T1: the first sum ..." by what is broken.
      fired_[outcome.substr(0, outcome.find(": T"))]++;
    }
  }

  void BoundedSeesWhatSoManyPreemptionsBringAbout(ToyWorld& world,
                                                  const ReferenceResult& result,
                                                  int bound) {
    ExploreOptions options = EveryOutcome(Strategy::kStateful);
    options.max_preemptions = bound;
    const Exploration found = Explore(world, options);
    EXPECT_TRUE(found.exhausted) << found.unexplored;
    EXPECT_EQ(Lines(Seen(found)), Lines(Expected(result, bound)))
        << "with at most " << bound << " preemptions";
  }

  void RandomSeesNothingElse(ToyWorld& world, const ReferenceResult& result,
                             uint64_t seed) {
    const Outcomes expected = Expected(result, -1);
    for (const Strategy strategy : {Strategy::kRandom, Strategy::kPct}) {
      ExploreOptions options = EveryOutcome(strategy);
      options.executions = 10;
      options.seed = seed;
      const Outcomes outcomes = Seen(Explore(world, options));
      for (const std::string& outcome : outcomes) {
        EXPECT_EQ(expected.count(outcome), 1u) << outcome;
      }
      seen_by_chance_ += outcomes.size();
    }
  }

  void FailureHasTheFewestPreemptions(ToyWorld& world,
                                      const Reference& reference) {
    const Exploration found = Explore(world, {.max_states = kManyStates});
    ASSERT_EQ(found.failure.has_value(), !reference.result().troubles.empty());
    if (!found.failure) {
      EXPECT_TRUE(found.exhausted) << found.unexplored;
      return;
    }
    CheckFailure(*found.failure, reference);
    const int fewest = FewestPreemptions(reference.result());
    // Beyond that the search no longer goes by their number.
    if (fewest > 2) return;
    needed_[fewest]++;
    if (found.failure->verdict.kind == VerdictKind::kLivelock) livelocks_++;
    EXPECT_EQ(found.failure->preemptions, fewest);
    EXPECT_TRUE(found.failure->fewest_preemptions);
  }

  void BruteForceSeesTheSame(ToyWorld& world, const ToyProgram& program) {
    const ReferenceResult all = AllSchedules(program, 300);
    if (!all.finished) return;
    brute_forced_++;
    const Exploration found =
        Explore(world, EveryOutcome(Strategy::kBruteForce));
    EXPECT_TRUE(found.exhausted) << found.unexplored;
    EXPECT_EQ(found.executions, all.executions);
    EXPECT_EQ(found.transitions, all.transitions);
    EXPECT_EQ(Lines(Seen(found)), Lines(Expected(all, -1)));
  }

  int clean_ = 0;
  std::map<std::string, int> fired_;
  std::map<int, int> needed_;  // by number of preemptions
  int livelocks_ = 0;          // found where preemptions are counted
  size_t seen_by_chance_ = 0;
  int brute_forced_ = 0;
};

TEST_P(SearchCheckTest, EverySearchAgreesWithTheReference) {
  for (uint64_t i = 0; i < kProgramsEach; ++i) {
    CheckProgram(GetParam() * kProgramsEach + i);
    if (HasFailure()) return;
  }
  // How many programs go wrong in which way is fixed by their seeds. What
  // matters is that there are many of each, and of those that don't.
  EXPECT_GE(clean_, 250);
  EXPECT_GE(fired_["!deadlock"], 15);
  EXPECT_GE(fired_["!livelock"], 25);
  EXPECT_GE(fired_["!invariant broken"], 20);
  EXPECT_GE(fired_[absl::StrCat("!invariant broken: ", kToyNotHeld)], 15);
  EXPECT_GE(fired_[absl::StrCat("!wrong result: ", kToyWrongResult)], 10);
  EXPECT_GE(fired_[absl::StrCat("!leak: ", kToyLeak)], 8);
  EXPECT_EQ(fired_.size(), 6u);
  EXPECT_GE(needed_[0], 50);
  EXPECT_GE(needed_[1], 1);
  EXPECT_GE(livelocks_, 5);
  // On average more than one end of each program's, and each time.
  EXPECT_GT(seen_by_chance_, 2 * kProgramsEach);
  EXPECT_GE(brute_forced_, 40);
}

INSTANTIATE_TEST_SUITE_P(, SearchCheckTest,
                         ::testing::Range(uint64_t{0}, kBatches),
                         [](const auto& info) {
                           return absl::StrCat("Batch", info.param);
                         });

}  // namespace
}  // namespace reapsim
