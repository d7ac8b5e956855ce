// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/random.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace reapsim {
namespace {

// PCT's priorities: those given at the start are above all that are given at a
// point of change, the latest of which is the lowest.
constexpr uint32_t kFirstHighPriority = 1 << 16;
constexpr size_t kPriorities = 1 << 10;
constexpr uint64_t kExecutionsBetweenProgress = 1 << 10;

// Fibers first, events behind them.
size_t PriorityIndex(Choice choice) {
  const size_t index =
      IsEvent(choice) ? kPriorities / 2 + (choice - kEventBase) : choice;
  return std::min(index, kPriorities - 1);
}

}  // namespace

RandomExecutions::RandomExecutions(World* world, const ExploreOptions& options)
    : world_(world),
      engine_(world->engine()),
      options_(options),
      by_priority_(options.strategy == Strategy::kPct) {
  engine_.arena()->AllowCopies();
  engine_.Take(&start_);
  engine_.SetChooser(this);
  // Nothing may grow on a fiber's stack.
  schedule_.reserve(options.max_steps + 1);
  enabled_.resize(2 * Engine::kMaxFibers);
  events_.reserve(Engine::kMaxFibers);
}

RandomExecutions::~RandomExecutions() { engine_.SetChooser(nullptr); }

Exploration RandomExecutions::Run() {
  uint64_t seeds = options_.seed;
  for (uint64_t i = 0; i < options_.executions; ++i) {
    // Every shard draws all seeds and uses its own.
    const uint64_t seed = SplitMix64(seeds);
    if (i % static_cast<uint64_t>(options_.shard_count) !=
        static_cast<uint64_t>(options_.shard_index)) {
      continue;
    }
    if (found_.executions != 0) engine_.Restore(start_);
    Execute(seed);
    if (engine_.stopped()) {
      NoteFailure();
      if (options_.stop_at_failure) break;
    } else if (options_.collect_outcomes) {
      found_.outcomes[world_->Outcome()]++;
    }
    if (options_.on_progress &&
        found_.executions % kExecutionsBetweenProgress == 0) {
      options_.on_progress(
          {.phase = by_priority_ ? "pct" : "random",
           .executions = found_.executions,
           .transitions = found_.transitions,
           .depth = found_.deepest,
           .explored = static_cast<double>(i + 1) /
                       static_cast<double>(options_.executions)});
    }
  }
  found_.unexplored = "random executions cover what they happen to meet";
  return std::move(found_);
}

void RandomExecutions::Execute(uint64_t seed) {
  prng_ = Prng(seed);
  schedule_.clear();
  too_long_ = false;
  if (by_priority_) SetPriorities();
  while (!engine_.stopped() && FindEnabled(nullptr)) {
    const Choice choice = event_ != kNoChoice ? event_ : Pick();
    event_ = kNoChoice;
    if (IsEvent(choice)) {
      world_->Fire(choice);
      if (ReportBrokenInvariant(*world_, engine_)) break;
    } else {
      // Runs on through Next() until it can't decide.
      (void)engine_.Resume(engine_.FiberAt(choice));
    }
    if (too_long_) {
      engine_.Report(
          VerdictKind::kLivelock,
          absl::StrCat("no end after ", options_.max_steps, " steps"));
    }
  }
  found_.executions++;
  found_.transitions += schedule_.size();
  found_.deepest = std::max<uint64_t>(found_.deepest, schedule_.size());
  longest_ = std::max<uint64_t>(longest_, schedule_.size());
  if (!engine_.stopped()) (void)JudgeEnd(*world_);
}

Fiber* RandomExecutions::Next(Fiber* running) {
  if (ReportBrokenInvariant(*world_, engine_)) [[unlikely]] {
    return nullptr;
  }
  if (schedule_.size() >= options_.max_steps) [[unlikely]] {
    too_long_ = true;
    return nullptr;
  }
  if (!FindEnabled(running)) return nullptr;
  const Choice choice = Pick();
  if (IsEvent(choice)) {
    event_ = choice;
    return nullptr;
  }
  return engine_.FiberAt(choice);
}

// `running`, which has not been suspended yet, counts by its operation.
bool RandomExecutions::FindEnabled(const Fiber* running) {
  Choice* end = enabled_.data();
  engine_.state()->fibers.ForEach([&](const Fiber* fiber) {
    const bool waits = fiber->status <= FiberStatus::kSuspended;
    if (!waits && fiber != running) return;
    if (fiber->op.enabled == nullptr || fiber->op.enabled(fiber->op.arg)) {
      *end++ = static_cast<Choice>(fiber->id);
    }
  });
  events_.clear();
  world_->Events(&events_);
  for (const Choice event : events_) *end++ = event;
  enabled_count_ = static_cast<size_t>(end - enabled_.data());
  return enabled_count_ != 0;
}

Choice RandomExecutions::Pick() {
  Choice choice = enabled_[0];
  if (by_priority_ && schedule_.size() < options_.max_steps / 2) {
    choice = PickByPriority();
  } else if (enabled_count_ != 1) {
    choice = enabled_[prng_.SmallBelow(static_cast<uint32_t>(enabled_count_))];
  }
  schedule_.push_back(choice);
  return choice;
}

uint32_t& RandomExecutions::PriorityOf(Choice choice) {
  uint32_t& priority = priority_[PriorityIndex(choice)];
  // Ties are possible and harmless: the lower number goes first.
  if (priority == kUnset) {
    priority = kFirstHighPriority +
               static_cast<uint32_t>(prng_.Below(kFirstHighPriority));
  }
  return priority;
}

void RandomExecutions::SetPriorities() {
  priority_.assign(kPriorities, kUnset);
  change_at_.clear();
  for (int i = 1; i < options_.pct_depth; ++i) {
    change_at_.push_back(prng_.Below(longest_));
  }
  std::sort(change_at_.begin(), change_at_.end());
  changes_ = 0;
}

Choice RandomExecutions::HighestPriority() {
  Choice best = enabled_[0];
  for (size_t i = 1; i < enabled_count_; ++i) {
    if (PriorityOf(enabled_[i]) > PriorityOf(best)) best = enabled_[i];
  }
  return best;
}

Choice RandomExecutions::PickByPriority() {
  Choice best = HighestPriority();
  // At a point of change the one that would go next falls behind all others.
  while (changes_ < change_at_.size() &&
         change_at_[changes_] <= schedule_.size()) {
    PriorityOf(best) = static_cast<uint32_t>(change_at_.size() - changes_++);
    best = HighestPriority();
  }
  return best;
}

void RandomExecutions::NoteFailure() {
  const Verdict verdict = engine_.TakeVerdict();
  if (verdict.kind == VerdictKind::kDataRace) found_.data_races++;
  if (options_.collect_outcomes) found_.outcomes[OutcomeOf(verdict)]++;
  if (found_.failure) return;
  found_.failure = Failure{.verdict = verdict, .schedule = schedule_};
}

}  // namespace reapsim
