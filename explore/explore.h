// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Search through the schedules of a world: what can happen, and can it go
// wrong?
//
//   Exploration found = Explore(world, {});
//   if (found.failure) std::cout << found.failure->verdict.ToString();
//
// Strategies
//   kAuto        preemption bounds 0, 1, 2, then kStateful: the first failure
//                found has the fewest preemptions that any has.
//   kStateful    depth first, with a copy of the world at each branch and a
//                128-bit hash of each state: every reachable state once. Sound
//                for invariants that are checked at every step, for deadlocks,
//                end states and livelocks. Not for data races: merging states
//                can skip the only racy history. With max_preemptions: every
//                state that so many preemptions reach.
//   kRandom      random walks: uniform among what can go on.
//   kPct         random priorities with `pct_depth` - 1 points of change: a bug
//                of depth d among n tasks and k steps shows in each execution
//                with a probability of at least 1 / (n k^(d-1)). Half way to
//                max_steps it goes on as kRandom: a task that spins would keep
//                the one that it waits for from going on for ever.
//   kBruteForce  every schedule, without any reduction: for checking the
//                others.
//
// A fiber that has not begun, or has done what the host asked of it, is first
// taken to its next operation: what a task does before it, no other can see.
//
// All of it assumes sequential consistency: one step at a time, and every task
// sees all steps made before.
#ifndef REAPSIM_EXPLORE_EXPLORE_H_
#define REAPSIM_EXPLORE_EXPLORE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "explore/schedule.h"
#include "explore/shard.h"
#include "explore/world.h"
#include "sched/verdict.h"

namespace reapsim {

enum class Strategy : uint8_t { kAuto, kStateful, kRandom, kPct, kBruteForce };

// What a search does about unordered plain accesses (sched/race.h).
enum class Races : uint8_t {
  kIgnore,
  kReport,  // one that is met is a verdict: kDataRace
  // The same, and if none is met, there is none. Brute force alone can say so:
  // merging states can skip the only history in which two accesses race. With
  // kAuto it is what is done; a search by any other strategy is refused.
  kProve,
};

// How far a search has come; for people who wait.
struct Progress {
  const char* phase = "";
  uint64_t executions = 0;
  uint64_t states = 0;
  uint64_t transitions = 0;
  uint64_t depth = 0;
  double explored = 0;  // the share of the phase that is behind it; estimated
};

struct ExploreOptions {
  Strategy strategy = Strategy::kAuto;
  int max_preemptions = -1;  // -1: any number
  uint64_t seed = 1;
  uint64_t executions = 10'000;  // of random strategies
  int pct_depth = 3;
  // Searches give up beyond these, and say so.
  uint64_t max_states = 20'000'000;
  uint64_t max_executions = 200'000'000;  // of kBruteForce
  uint64_t max_steps = 100'000;           // of one execution
  // False: a verdict is an outcome like others, and the search goes on.
  bool stop_at_failure = true;
  // True: one end without a verdict is all that is asked for.
  bool stop_at_success = false;
  bool collect_outcomes = true;
  Races races = Races::kIgnore;
  // Which part of the random seeds, or of the beginnings of schedules, to do.
  Shard shard;
  // Called now and then.
  std::function<void(const Progress&)> on_progress;
};

struct Failure {
  Verdict verdict;
  Schedule schedule;  // every choice, from the beginning
  int preemptions = 0;
  // All schedules with fewer preemptions have been tried: none fails. Of a
  // livelock `preemptions` lead to the circle; of one whose circle itself needs
  // some this is false, unless none lead there: no bound allows it, so that
  // others may have been passed over. It is also false, unless there are none,
  // of any failure of a search that watches races.
  bool fewest_preemptions = false;
  // The first step after which every continuation fails, counted from 0; -1:
  // not established.
  int64_t point_of_no_return = -1;
  std::vector<Deviation> deviations;  // the short form of `schedule`
  bool always = false;                // no schedule at all ends otherwise
  std::string outcome;  // the world's, if nobody can go on; else empty
  uint64_t trace_hash = 0;
  std::vector<TraceEntry> trace;  // of the failing execution
  // By choice: how many entries of the trace come before its own.
  std::vector<size_t> entries_before;
  std::vector<std::string> names;  // of the fibers, by number, as it ended
};

// How a verdict stands among the outcomes, and whether an outcome is one.
std::string OutcomeOf(const Verdict& verdict);
bool IsVerdict(const std::string& outcome);

struct Exploration {
  // All that the strategy covers was covered.
  bool exhausted = false;
  std::string unexplored;  // why not, if not
  // What the search can say of data races: "not exhausted: ...", "none in 12
  // executions: all there are". Empty if it was not asked.
  std::string races;
  uint64_t executions = 0;   // ends reached
  uint64_t states = 0;       // distinct states (kStateful)
  uint64_t transitions = 0;  // steps made
  uint64_t deepest = 0;      // steps of the longest execution
  uint64_t data_races = 0;   // executions that ended with one
  // Outcome -> how many end states (kStateful) or executions had it. A verdict
  // is an outcome, too: OutcomeOf().
  absl::btree_map<std::string, uint64_t> outcomes;
  std::optional<Failure> failure;
};

// What the fibers of a trace are called, by number.
std::vector<std::string> NamesOf(const World& world,
                                 const std::vector<TraceEntry>& trace);

// Why Explore() refuses a search by such options, or nothing: what it promises
// to show it can't (Races::kProve).
std::string RefusalOf(const ExploreOptions& options);

// Leaves the world as it was. The world must be at rest, without a verdict.
Exploration Explore(World& world, const ExploreOptions& options = {});

// One execution, to its end.
struct Replayed {
  Schedule schedule;
  std::vector<Deviation> deviations;
  int preemptions = 0;
  Verdict verdict;
  std::string outcome;
  uint64_t trace_hash = 0;
  std::vector<TraceEntry> trace;
  std::vector<size_t> entries_before;  // as in Failure
  // The deviation that could not be taken, if any: the world is another one.
  std::string mismatch;
};
// Looks at the world, and must not change it.
using Watcher = std::function<void()>;
// The one by the plain choices but for those given. `watcher` is called before
// the first choice and after each.
Replayed Replay(World& world, const std::vector<Deviation>& deviations,
                Races races = Races::kIgnore, uint64_t max_steps = 100'000,
                const Watcher& watcher = nullptr);
// The first that kRandom makes of that seed.
Replayed PlayAtRandom(World& world, uint64_t seed,
                      uint64_t max_steps = 100'000);

}  // namespace reapsim

#endif  // REAPSIM_EXPLORE_EXPLORE_H_
