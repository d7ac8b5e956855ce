// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/explore.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "explore/random.h"
#include "explore/search.h"
#include "explore/stepper.h"

namespace reapsim {
namespace {

// A world in explored mode that is put back as it was at the end.
class Session {
 public:
  explicit Session(World* world) : stepper_(world) {
    stepper_.engine().Take(&before_);
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

// The prefixes of all schedules, cut where there are enough of them for every
// shard to get several: breadth first, so that they are of similar length.
std::vector<Schedule> Prefixes(Session& session, int shard_count) {
  std::vector<Schedule> prefixes{{}};
  if (shard_count == 1) return prefixes;
  const size_t enough = static_cast<size_t>(shard_count) * 16;
  constexpr int kMaxLength = 64;
  for (int length = 0; length < kMaxLength && prefixes.size() < enough;
       ++length) {
    std::vector<Schedule> longer;
    for (const Schedule& prefix : prefixes) {
      std::vector<Choice> enabled;
      if (prefix.size() == static_cast<size_t>(length) &&
          session.Follow(prefix, prefix.size())) {
        session.stepper().Enabled(&enabled);
      }
      // Ends and verdicts stay as they are: their shard sees them.
      if (enabled.empty()) longer.push_back(prefix);
      for (const Choice choice : enabled) {
        longer.push_back(prefix);
        longer.back().push_back(choice);
      }
    }
    (void)session.stepper().engine().TakeVerdict();
    prefixes = std::move(longer);
  }
  return prefixes;
}

// ---- Depth-first searches --------------------------------------------------

Exploration DepthFirst(Session& session, const ExploreOptions& options,
                       const SearchLimits& limits) {
  DepthFirstSearch search(&session.stepper(), options, limits);
  const std::vector<Schedule> prefixes = Prefixes(session, options.shard_count);
  for (size_t i = 0; i < prefixes.size() && !search.stopped(); ++i) {
    if (i % static_cast<size_t>(options.shard_count) !=
        static_cast<size_t>(options.shard_index)) {
      continue;
    }
    if (session.Follow(prefixes[i], prefixes[i].size())) {
      search.Run(prefixes[i]);
    } else {
      search.NoteFailureOf(prefixes[i]);
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

// ---- Making the most of a failure ------------------------------------------

int CountPreemptions(Session& session, const Schedule& schedule) {
  int preemptions = 0;
  Choice last = kNoChoice;
  session.Rewind();
  std::vector<Choice> enabled;
  for (const Choice choice : schedule) {
    session.stepper().Enabled(&enabled);
    if (IsPreemption(last, choice, enabled)) preemptions++;
    if (!session.stepper().Step(choice)) break;
    if (!IsEvent(choice)) last = choice;
  }
  (void)session.stepper().engine().TakeVerdict();
  return preemptions;
}

// Looks for a failure of any kind with fewer preemptions, from `from` on.
void Minimise(Session& session, const ExploreOptions& options, int from,
              Failure* failure) {
  ExploreOptions quick = options;
  quick.stop_at_failure = true;
  quick.collect_outcomes = false;
  quick.shard_count = 1;
  quick.shard_index = 0;
  quick.max_states = std::min<uint64_t>(options.max_states, 2'000'000);
  for (int bound = from; bound < failure->preemptions; ++bound) {
    Exploration found = Bounded(session, quick, bound);
    if (found.failure) {
      *failure = *std::move(found.failure);
      failure->preemptions = bound;
      failure->fewest_preemptions = true;
      return;
    }
    if (!found.exhausted) return;
  }
  // A search that counts preemptions sees no livelock: one with fewer of them
  // may have been passed over.
  failure->fewest_preemptions =
      failure->verdict.kind != VerdictKind::kLivelock ||
      failure->preemptions == 0;
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
// so after all later ones, so that halving finds the first.
int64_t PointOfNoReturn(Session& session, const ExploreOptions& options,
                        const Schedule& schedule) {
  size_t good = 0;               // after so many it can still end well
  size_t bad = schedule.size();  // after so many it can't
  const std::optional<bool> start =
      CanStillEndWell(session, options, schedule, 0);
  if (!start.has_value()) return -1;
  if (!*start) return 0;
  while (bad - good > 1) {
    const size_t middle = good + (bad - good) / 2;
    const std::optional<bool> well =
        CanStillEndWell(session, options, schedule, middle);
    if (!well.has_value()) return -1;
    (*well ? good : bad) = middle;
  }
  return static_cast<int64_t>(bad) - 1;
}

std::vector<Deviation> DeviationsOf(Session& session,
                                    const Schedule& schedule) {
  std::vector<Deviation> deviations;
  std::vector<Choice> enabled;
  Choice last = kNoChoice;
  session.Rewind();
  for (size_t i = 0; i < schedule.size(); ++i) {
    session.stepper().Enabled(&enabled);
    if (schedule[i] != PlainChoice(last, enabled)) {
      deviations.push_back({static_cast<uint32_t>(i), schedule[i]});
    }
    if (!session.stepper().Step(schedule[i])) break;
    if (!IsEvent(schedule[i])) last = schedule[i];
  }
  (void)session.stepper().engine().TakeVerdict();
  return deviations;
}

void KeepTraceOf(Session& session, Failure* failure) {
  Engine& engine = session.stepper().engine();
  session.Rewind();
  const size_t before = engine.trace().size();
  engine.KeepTrace();
  for (const Choice choice : failure->schedule) {
    if (!session.stepper().Step(choice)) break;
  }
  engine.KeepTrace(false);
  failure->trace.assign(engine.trace().begin() + static_cast<ptrdiff_t>(before),
                        engine.trace().end());
  failure->trace_hash = engine.trace_hash();
  const uint32_t fibers = engine.state()->fibers.high_water();
  for (uint32_t id = 0; id < fibers; ++id) {
    failure->names.push_back(
        session.stepper().world().NameOf(static_cast<Choice>(id)));
  }
  // A deadlock is found where a search judges ends, a livelock by the search.
  if (engine.stopped()) failure->verdict = engine.TakeVerdict();
}

void Complete(Session& session, const ExploreOptions& options, int fewest_known,
              Failure* failure) {
  failure->preemptions = CountPreemptions(session, failure->schedule);
  Minimise(session, options, fewest_known, failure);
  failure->deviations = DeviationsOf(session, failure->schedule);
  KeepTraceOf(session, failure);
  if (failure->verdict.kind != VerdictKind::kLivelock) {
    failure->point_of_no_return =
        PointOfNoReturn(session, options, failure->schedule);
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

}  // namespace

Exploration Explore(World& world, const ExploreOptions& options) {
  REAP_CHECK(options.shard_count >= 1 && options.shard_index >= 0 &&
                 options.shard_index < options.shard_count,
             "explore: shard");
  Exploration found;
  int fewest_known = 0;
  if (options.strategy == Strategy::kRandom ||
      options.strategy == Strategy::kPct) {
    Snapshot start;
    world.engine().arena()->AllowCopies();
    world.engine().Take(&start);
    Stepper(&world).Settle();
    found = RandomExecutions(&world, options).Run();
    world.engine().Restore(start);
  }
  Session session(&world);
  switch (options.strategy) {
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
      break;
  }
  if (found.failure) {
    Complete(session, options, fewest_known, &*found.failure);
  }
  return found;
}

Replayed Replay(World& world, const std::vector<Deviation>& deviations,
                uint64_t max_steps) {
  Session session(&world);
  Stepper& stepper = session.stepper();
  Engine& engine = stepper.engine();
  const size_t before = engine.trace().size();
  engine.KeepTrace();
  Replayed replayed;
  std::vector<Choice> enabled;
  Choice last = kNoChoice;
  auto next = deviations.begin();
  for (stepper.Enabled(&enabled);
       !enabled.empty() && replayed.schedule.size() < max_steps;
       stepper.Enabled(&enabled)) {
    Choice choice = PlainChoice(last, enabled);
    if (next != deviations.end() && next->step == replayed.schedule.size()) {
      choice = next->choice;
      ++next;
      if (!std::binary_search(enabled.begin(), enabled.end(), choice)) {
        replayed.mismatch = absl::StrCat(
            "at step ", replayed.schedule.size(), " ", world.NameOf(choice),
            " can't go on, as the schedule wants it to");
        break;
      }
    }
    if (IsPreemption(last, choice, enabled)) replayed.preemptions++;
    replayed.schedule.push_back(choice);
    if (!IsEvent(choice)) last = choice;
    if (!stepper.Step(choice)) break;
  }
  if (replayed.mismatch.empty() && next != deviations.end() &&
      !engine.stopped()) {
    replayed.mismatch = absl::StrCat("the execution ends before step ",
                                     next->step, " of the schedule");
  }
  if (replayed.mismatch.empty() && !engine.stopped() && enabled.empty()) {
    (void)stepper.JudgeEnd();
  }
  engine.KeepTrace(false);
  if (!engine.stopped()) replayed.outcome = world.Outcome();
  replayed.trace.assign(engine.trace().begin() + static_cast<ptrdiff_t>(before),
                        engine.trace().end());
  replayed.trace_hash = engine.trace_hash();
  replayed.verdict = engine.TakeVerdict();
  replayed.deviations = deviations;
  return replayed;
}

}  // namespace reapsim
