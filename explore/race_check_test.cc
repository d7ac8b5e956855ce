// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The race detector is itself checked: on random programs brute force with
// vector clocks must find exactly the races that there are by definition.

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "explore/explore.h"
#include "explore/random_program.h"
#include "explore/reference.h"
#include "explore/toy.h"

namespace reapsim {
namespace {

constexpr uint64_t kBatches = 4;
constexpr uint64_t kProgramsEach = 1000;
constexpr uint64_t kManyExecutions = 100'000;

using Races = std::map<std::string, uint64_t>;

Races RacesOf(const Exploration& found) {
  Races races;
  for (const auto& [outcome, count] : found.outcomes) {
    absl::string_view text = outcome;
    if (absl::ConsumePrefix(&text, "!data race: ")) {
      races[std::string(text)] = count;
    }
  }
  return races;
}

std::string Lines(const Races& races) {
  std::string text;
  for (const auto& [race, count] : races) {
    absl::StrAppend(&text, "  ", race, ": ", count, "\n");
  }
  return text;
}

ExploreOptions EveryRace(Strategy strategy) {
  return {.strategy = strategy,
          .executions = 20,
          .stop_at_failure = false,
          .races = reapsim::Races::kReport};
}

class RaceCheckTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  void CheckProgram(uint64_t seed) {
    const ToyProgram program = RandomPlainProgram(seed);
    SCOPED_TRACE(
        absl::StrCat("RandomPlainProgram(", seed, "):\n", ToString(program)));
    const RaceResult all = RacesByDefinition(program, kManyExecutions);
    ASSERT_TRUE(all.finished);
    ToyWorld world(program);
    const Exploration found = Explore(world, EveryRace(Strategy::kBruteForce));
    EXPECT_TRUE(found.exhausted) << found.unexplored;
    EXPECT_EQ(found.executions, all.executions);
    EXPECT_EQ(Lines(RacesOf(found)), Lines(all.races));
    (all.races.empty() ? clean_ : racy_)++;
    SeesNothingElse(world, all);
  }

  void SeesNothingElse(ToyWorld& world, const RaceResult& all) {
    for (const Strategy strategy :
         {Strategy::kStateful, Strategy::kRandom, Strategy::kPct}) {
      const Races seen = RacesOf(Explore(world, EveryRace(strategy)));
      for (const auto& [race, count] : seen) {
        EXPECT_EQ(all.races.count(race), 1u) << race;
      }
      if (strategy == Strategy::kStateful && seen.size() < all.races.size()) {
        missed_by_merging_++;
      }
    }
  }

  int clean_ = 0;
  int racy_ = 0;
  int missed_by_merging_ = 0;
};

TEST_P(RaceCheckTest, BruteForceFindsTheRacesThatThereAre) {
  for (uint64_t i = 0; i < kProgramsEach; ++i) {
    CheckProgram(GetParam() * kProgramsEach + i);
    if (HasFailure()) return;
  }
  // Fixed by the seeds. There must be many of both, or nothing was compared.
  EXPECT_GE(clean_, 500);
  EXPECT_GE(racy_, 250);
  // Why no search that merges states can promise anything.
  EXPECT_GE(missed_by_merging_, 30);
}

INSTANTIATE_TEST_SUITE_P(, RaceCheckTest,
                         ::testing::Range(uint64_t{0}, kBatches),
                         [](const auto& info) {
                           return absl::StrCat("Batch", info.param);
                         });

}  // namespace
}  // namespace reapsim
