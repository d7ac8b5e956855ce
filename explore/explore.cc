// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/explore.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "explore/random.h"
#include "explore/search.h"
#include "explore/stepper.h"
#include "sched/race.h"

namespace reapsim {
namespace {

constexpr absl::string_view kMergingMissesRaces =
    "merging states can skip the only history in which two accesses race";

// A world in explored mode that is put back as it was at the end.
class Session {
 public:
  explicit Session(World* world, Races races = Races::kIgnore)
      : stepper_(world) {
    if (races != Races::kIgnore) PrepareForRaces(stepper_.engine());
    stepper_.engine().Take(&before_);
    if (races != Races::kIgnore) WatchRaces(stepper_.engine());
    stepper_.Settle();
    stepper_.engine().Take(&start_);
  }
  ~Session() {
    stepper_.engine().Restore(before_);
    // What the host has read of a verdict is no longer its business.
    (void)stepper_.engine().TakeVerdict();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void Rewind() { stepper_.engine().Restore(start_); }
  Stepper& stepper() { return stepper_; }
  // Makes the first `count` choices from the beginning. False if the world
  // stopped at a verdict.
  bool Follow(const Schedule& schedule, size_t count) {
    Rewind();
    for (size_t i = 0; i < count; ++i) {
      if (!stepper_.Step(schedule[i])) return false;
    }
    return true;
  }

 private:
  Stepper stepper_;
  Snapshot before_;  // as it was found
  Snapshot start_;   // where each schedule begins
};

// ---- Shards ----------------------------------------------------------------

// `begin` and one more choice.
Beginning With(const Beginning& begin, Choice choice,
               const std::vector<Choice>& enabled) {
  Beginning longer = begin;
  longer.schedule.push_back(choice);
  if (IsPreemption(begin.last, choice, enabled)) longer.preemptions++;
  if (!IsEvent(choice)) longer.last = choice;
  return longer;
}

// The beginnings of all schedules that the limits allow, cut where there are
// enough of them for every shard to get several: breadth first, so that they
// are of similar length.
std::vector<Beginning> Beginnings(Session& session, int shard_count,
                                  const SearchLimits& limits) {
  std::vector<Beginning> begins{{}};
  if (shard_count == 1) return begins;
  const size_t enough = static_cast<size_t>(shard_count) * 16;
  constexpr size_t kMaxLength = 64;
  for (size_t length = 0; length < kMaxLength && begins.size() < enough;
       ++length) {
    std::vector<Beginning> longer;
    for (const Beginning& begin : begins) {
      std::vector<Choice> enabled;
      if (begin.schedule.size() == length &&
          session.Follow(begin.schedule, length)) {
        session.stepper().Enabled(&enabled);
      }
      // Ends and verdicts stay as they are: their shard sees them.
      if (enabled.empty()) longer.push_back(begin);
      for (const Choice choice : enabled) {
        Beginning next = With(begin, choice, enabled);
        const bool within = limits.max_preemptions < 0 ||
                            next.preemptions <= limits.max_preemptions;
        if (within) longer.push_back(std::move(next));
      }
    }
    (void)session.stepper().engine().TakeVerdict();
    begins = std::move(longer);
  }
  return begins;
}

// ---- Depth-first searches --------------------------------------------------

Exploration DepthFirst(Session& session, const ExploreOptions& options,
                       const SearchLimits& limits) {
  DepthFirstSearch search(&session.stepper(), options, limits);
  const std::vector<Beginning> begins =
      Beginnings(session, options.shard.count, limits);
  for (size_t i = 0; i < begins.size() && !search.stopped(); ++i) {
    if (!options.shard.Has(i)) continue;
    const Schedule& schedule = begins[i].schedule;
    if (session.Follow(schedule, schedule.size())) {
      search.Run(begins[i]);
    } else {
      search.NoteFailureOf(begins[i]);
    }
  }
  Exploration found = std::move(search.found());
  found.exhausted = !search.stopped();
  return found;
}

Exploration Bounded(Session& session, const ExploreOptions& options,
                    int bound) {
  return DepthFirst(session, options,
                    {.max_preemptions = bound, .phase = "bounded"});
}

// ---- One execution ---------------------------------------------------------

// Makes the choices that choose(last, enabled) returns, until that is
// kNoChoice, nobody can go on, or the world stops. All but how it ends.
template <class Choose>
Replayed Play(Session& session, uint64_t max_steps, const Choose& choose,
              const Watcher& watcher = nullptr) {
  Stepper& stepper = session.stepper();
  Engine& engine = stepper.engine();
  session.Rewind();
  const size_t before = engine.trace().size();
  engine.KeepTrace();
  if (watcher != nullptr) watcher();
  Replayed played;
  std::vector<Choice> enabled;
  Choice last = kNoChoice;
  while (!engine.stopped() && played.schedule.size() < max_steps) {
    stepper.Enabled(&enabled);
    if (enabled.empty()) break;
    const Choice choice = choose(last, enabled);
    if (choice == kNoChoice) break;
    const auto step = static_cast<uint32_t>(played.schedule.size());
    if (choice != PlainChoice(last, enabled)) {
      played.deviations.push_back({step, choice});
    }
    if (IsPreemption(last, choice, enabled)) played.preemptions++;
    played.schedule.push_back(choice);
    played.entries_before.push_back(engine.trace().size() - before);
    if (!IsEvent(choice)) last = choice;
    (void)stepper.Step(choice);
    if (watcher != nullptr) watcher();
  }
  engine.KeepTrace(false);
  played.trace.assign(engine.trace().begin() + static_cast<ptrdiff_t>(before),
                      engine.trace().end());
  played.trace_hash = engine.trace_hash();
  return played;
}

Replayed PlaySchedule(Session& session, const Schedule& schedule) {
  size_t next = 0;
  return Play(
      session, schedule.size(),
      [&](Choice, const std::vector<Choice>&) { return schedule[next++]; });
}

// How it ends: judged if nobody can go on.
void NoteEnd(Session& session, Replayed* played) {
  World& world = session.stepper().world();
  Engine& engine = session.stepper().engine();
  std::vector<Choice> enabled;
  if (!engine.stopped()) session.stepper().Enabled(&enabled);
  if (enabled.empty() && !engine.stopped()) (void)JudgeEnd(world);
  if (!engine.stopped()) played->outcome = world.Outcome();
  played->verdict = engine.TakeVerdict();
}

// ---- Making the most of a failure ------------------------------------------

// All that one more execution of the failure's schedule tells.
void Retrace(Session& session, Failure* failure) {
  Replayed played = PlaySchedule(session, failure->schedule);
  failure->preemptions = played.preemptions;
  failure->deviations = std::move(played.deviations);
  failure->trace = std::move(played.trace);
  failure->entries_before = std::move(played.entries_before);
  failure->trace_hash = played.trace_hash;
  failure->names = NamesOf(session.stepper().world(), failure->trace);
  // A deadlock is found where a search judges ends, a livelock by the search.
  Engine& engine = session.stepper().engine();
  failure->outcome.clear();
  if (engine.stopped()) {
    failure->verdict = engine.TakeVerdict();
    return;
  }
  std::vector<Choice> enabled;
  session.stepper().Enabled(&enabled);
  if (enabled.empty()) failure->outcome = session.stepper().world().Outcome();
}

// Looks for a failure of any kind with fewer preemptions, from `from` on.
void Minimise(Session& session, const ExploreOptions& options, int from,
              Failure* failure) {
  ExploreOptions quick = options;
  quick.stop_at_failure = true;
  quick.collect_outcomes = false;
  quick.shard = Shard{};
  quick.max_states = std::min<uint64_t>(options.max_states, 2'000'000);
  // Of a livelock's own number, too: if its circle needs no preemption, it is
  // found again.
  const bool livelock = failure->verdict.kind == VerdictKind::kLivelock;
  const int end = failure->preemptions + (livelock ? 1 : 0);
  for (int bound = from; bound < end; ++bound) {
    Exploration found = Bounded(session, quick, bound);
    if (found.failure) {
      *failure = *std::move(found.failure);
      Retrace(session, failure);
      failure->fewest_preemptions =
          bound == 0 || options.races == Races::kIgnore;
      return;
    }
    if (!found.exhausted) return;
  }
  // There is no bound within which one finds a circle that needs preemptions:
  // another one, reached with fewer, may have been passed over. So may a race,
  // by a search that merges states.
  failure->fewest_preemptions = failure->preemptions == 0 ||
                                (!livelock && options.races == Races::kIgnore);
}

// Whether some continuation of the first `count` choices does not fail. Unset:
// too large to tell.
std::optional<bool> CanStillEndWell(Session& session,
                                    const ExploreOptions& options,
                                    const Schedule& schedule, size_t count) {
  if (!session.Follow(schedule, count)) {
    (void)session.stepper().engine().TakeVerdict();
    return false;
  }
  ExploreOptions quick = options;
  quick.stop_at_failure = false;
  quick.stop_at_success = true;
  quick.collect_outcomes = false;
  quick.max_states = 200'000;
  DepthFirstSearch search(&session.stepper(), quick, {.phase = "no return"});
  search.Run({});
  if (search.found_good_end()) return true;
  if (search.stopped()) return std::nullopt;
  return false;
}

// After which choice is it too late? What fails for sure after one choice does
// so after all later ones, so that halving finds the first. `always`: it is too
// late before the first.
int64_t PointOfNoReturn(Session& session, const ExploreOptions& options,
                        const Schedule& schedule, bool* always) {
  size_t good = 0;               // after so many it can still end well
  size_t bad = schedule.size();  // after so many it can't
  // Who goes round in circles may have a way out.
  if (CanStillEndWell(session, options, schedule, bad).value_or(true)) {
    return -1;
  }
  const std::optional<bool> start =
      CanStillEndWell(session, options, schedule, 0);
  if (!start.has_value()) return -1;
  *always = !*start;
  if (*always) return 0;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    const std::optional<bool> well =
        CanStillEndWell(session, options, schedule, middle);
    if (!well.has_value()) return -1;
    (*well ? good : bad) = middle;
  }
  return static_cast<int64_t>(bad) - 1;
}

void Complete(Session& session, const ExploreOptions& options, int fewest_known,
              Failure* failure) {
  Retrace(session, failure);
  Minimise(session, options, fewest_known, failure);
  // Whether a race comes depends on more than the state from which one goes on.
  if (options.races == Races::kIgnore) {
    failure->point_of_no_return =
        PointOfNoReturn(session, options, failure->schedule, &failure->always);
  }
}

// ---- Strategies ------------------------------------------------------------

// How many preemptions are tried before all numbers of them.
constexpr int kFirstBounds = 3;

Exploration Auto(Session& session, const ExploreOptions& options,
                 int* fewest_known) {
  Exploration found;
  const bool bounded = options.max_preemptions >= 0;
  const int bounds = bounded ? options.max_preemptions + 1 : kFirstBounds;
  for (int bound = 0; bound < bounds; ++bound) {
    *fewest_known = bound;
    found = Bounded(session, options, bound);
    if (found.failure || !found.exhausted) return found;
  }
  *fewest_known = bounds;
  if (bounded) return found;
  return DepthFirst(session, options, {.phase = "stateful"});
}

// ---- Data races ------------------------------------------------------------

// What Exploration::races says.
std::string SayOfRaces(const ExploreOptions& options, Strategy strategy,
                       const Exploration& found, const char* missed) {
  if (options.races == Races::kIgnore) return "";
  if (found.data_races > 0) {
    return absl::StrCat("met in ", found.data_races,
                        found.data_races == 1 ? " execution" : " executions");
  }
  constexpr absl::string_view kNot = "not exhausted: ";
  if (missed != nullptr) return absl::StrCat(kNot, missed);
  if (!found.exhausted) return absl::StrCat(kNot, found.unexplored);
  if (strategy != Strategy::kBruteForce) {
    return absl::StrCat(kNot, kMergingMissesRaces);
  }
  std::string text =
      absl::StrCat("none in ", found.executions,
                   found.executions == 1 ? " execution" : " executions",
                   options.max_preemptions < 0
                       ? ": all there are"
                       : absl::StrCat(": all with at most ",
                                      options.max_preemptions, " preemptions"));
  if (options.shard.count > 1) absl::StrAppend(&text, " in this shard");
  return text;
}

}  // namespace

std::string RefusalOf(const ExploreOptions& options) {
  if (options.races != Races::kProve) return "";
  switch (options.strategy) {
    case Strategy::kAuto:
    case Strategy::kBruteForce:
      return "";
    case Strategy::kStateful:
      return absl::StrCat(
          "no search that merges states can promise that there "
          "is no data race: ",
          kMergingMissesRaces, "; brute force can");
    case Strategy::kRandom:
    case Strategy::kPct:
      break;
  }
  return "random executions can't promise that there is no data race; brute "
         "force can";
}

std::string OutcomeOf(const Verdict& verdict) {
  return absl::StrCat("!", VerdictName(verdict.kind), ": ", verdict.what);
}

bool IsVerdict(const std::string& outcome) {
  return !outcome.empty() && outcome.front() == '!';
}

std::vector<std::string> NamesOf(const World& world,
                                 const std::vector<TraceEntry>& trace) {
  uint32_t count = 0;
  for (const TraceEntry& entry : trace) {
    count = std::max(count, entry.fiber + 1);
  }
  std::vector<std::string> names;
  for (uint32_t fiber = 0; fiber < count; ++fiber) {
    names.push_back(world.NameOf(static_cast<Choice>(fiber)));
  }
  return names;
}

Exploration Explore(World& world, const ExploreOptions& options) {
  REAP_CHECK(
      options.shard.index >= 0 && options.shard.index < options.shard.count,
      "explore: shard");
  const std::string refusal = RefusalOf(options);
  if (!refusal.empty()) {
    Exploration refused;
    refused.unexplored = refusal;
    refused.races = refusal;
    return refused;
  }
  Exploration found;
  int fewest_known = 0;
  const Strategy strategy =
      options.races == Races::kProve ? Strategy::kBruteForce : options.strategy;
  Session session(&world, options.races);
  switch (strategy) {
    case Strategy::kAuto:
      found = Auto(session, options, &fewest_known);
      break;
    case Strategy::kStateful:
      found = DepthFirst(
          session, options,
          {.max_preemptions = options.max_preemptions, .phase = "stateful"});
      break;
    case Strategy::kBruteForce:
      found = DepthFirst(session, options,
                         {.merge_states = false,
                          .max_preemptions = options.max_preemptions,
                          .phase = "brute force"});
      break;
    case Strategy::kRandom:
    case Strategy::kPct:
      found = RandomExecutions(&world, options).Run();
      session.stepper().TakeOver();
      break;
  }
  const char* missed = world.engine().races_missed();
  if (options.races == Races::kProve && missed != nullptr) {
    found.exhausted = false;
    found.unexplored = missed;
  }
  found.races = SayOfRaces(options, strategy, found, missed);
  if (found.failure) {
    // What needs fewer preemptions may lie in another shard.
    if (options.shard.count != 1) fewest_known = 0;
    Complete(session, options, fewest_known, &*found.failure);
  }
  return found;
}

Replayed Replay(World& world, const std::vector<Deviation>& deviations,
                Races races, uint64_t max_steps, const Watcher& watcher) {
  Session session(&world, races);
  Engine& engine = session.stepper().engine();
  auto next = deviations.begin();
  size_t step = 0;
  std::string mismatch;
  const auto choose = [&](Choice last, const std::vector<Choice>& enabled) {
    const size_t at = step++;
    if (next == deviations.end() || next->step != at) {
      return PlainChoice(last, enabled);
    }
    const Choice choice = next++->choice;
    if (std::binary_search(enabled.begin(), enabled.end(), choice)) {
      return choice;
    }
    mismatch = absl::StrCat("at choice ", at, " ", world.NameOf(choice),
                            " can't go on, as the schedule wants it to");
    return kNoChoice;
  };
  Replayed replayed = Play(session, max_steps, choose, watcher);
  const bool cut_short = next != deviations.end() && !engine.stopped();
  if (mismatch.empty() && cut_short) {
    mismatch = absl::StrCat("the execution ends before choice ", next->step,
                            " of the schedule");
  }
  NoteEnd(session, &replayed);
  replayed.deviations = deviations;
  replayed.mismatch = std::move(mismatch);
  return replayed;
}

Replayed PlayAtRandom(World& world, uint64_t seed, uint64_t max_steps) {
  Session session(&world);
  const ExploreOptions options{.strategy = Strategy::kRandom,
                               .seed = seed,
                               .executions = 1,
                               .max_steps = max_steps,
                               .collect_outcomes = false};
  Schedule schedule;
  Exploration found;
  {
    RandomExecutions executions(&world, options);
    found = executions.Run();
    schedule = executions.schedule();
  }
  session.stepper().TakeOver();
  Replayed played = PlaySchedule(session, schedule);
  NoteEnd(session, &played);
  // That it was too long only the random search says.
  if (found.failure && !played.verdict) played.verdict = found.failure->verdict;
  return played;
}

}  // namespace reapsim
