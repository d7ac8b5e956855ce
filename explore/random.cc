// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "explore/random.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "sched/heap_guard.h"

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
  schedule_ = std::make_unique_for_overwrite<Choice[]>(options.max_steps);
  events_.reserve(Engine::kMaxFibers);
}

RandomExecutions::~RandomExecutions() { engine_.SetChooser(nullptr); }

Exploration RandomExecutions::Run() {
  uint64_t seeds = options_.seed;
  for (uint64_t i = 0; i < options_.executions; ++i) {
    // Every shard draws all seeds and uses its own.
    const uint64_t seed = SplitMix64(seeds);
    if (!options_.shard.Has(i)) continue;
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
  steps_ = 0;
  too_long_ = false;
  if (by_priority_) SetPriorities();
  ListFibers();
  while (!engine_.stopped()) {
    if (event_ != kNoChoice) world_->Fire(std::exchange(event_, kNoChoice));
    Fiber* fiber = Next(nullptr);
    if (fiber != nullptr) {
      // Runs on through Next() until it can't decide.
      (void)engine_.Resume(fiber);
    } else if (too_long_) {
      engine_.Report(
          VerdictKind::kLivelock,
          absl::StrCat("no end after ", options_.max_steps, " steps"));
    } else if (event_ == kNoChoice) {
      break;
    }
  }
  found_.executions++;
  found_.transitions += steps_;
  found_.deepest = std::max(found_.deepest, steps_);
  longest_ = std::max(longest_, steps_);
  if (!engine_.stopped()) (void)JudgeEnd(*world_);
}

// Null: event_ is to happen, or nothing can, or there is a verdict, or
// too_long_. `running`, not suspended yet, counts by its operation.
Fiber* RandomExecutions::Next(Fiber* running) {
  if (ReportBrokenInvariant(*world_, engine_)) [[unlikely]] {
    return nullptr;
  }
  if (steps_ == options_.max_steps) [[unlikely]] {
    too_long_ = true;
    return nullptr;
  }
  if (fiber_changes_ != engine_.fiber_changes()) [[unlikely]] {
    ListFibers();
  } else if (running == nullptr) {
    std::erase_if(fibers_, [](const Fiber* fiber) {
      return fiber->status == FiberStatus::kDone;
    });
  }
  Fiber** end = enabled_.data();
  for (Fiber* fiber : fibers_) {
    if (fiber->op.enabled == nullptr || fiber->op.enabled(fiber->op.arg)) {
      *end++ = fiber;
    }
  }
  enabled_count_ = static_cast<size_t>(end - enabled_.data());
  events_.clear();
  world_->Events(&events_);
  const size_t count = EnabledCount();
  if (count == 0) return nullptr;
  size_t i = 0;
  if (by_priority_ && steps_ < options_.max_steps / 2) {
    i = PickByPriority();
  } else if (count != 1) {
    i = prng_.SmallBelow(static_cast<uint32_t>(count));
  }
  const Choice choice = EnabledAt(i);
  schedule_[steps_++] = choice;
  if (i < enabled_count_) [[likely]]
    return enabled_[i];
  event_ = choice;
  return nullptr;
}

void RandomExecutions::ListFibers() {
  HostSection host;  // also called on a fiber's stack
  fibers_.clear();
  engine_.state()->fibers.ForEach([this](Fiber* fiber) {
    if (fiber->status != FiberStatus::kDone) fibers_.push_back(fiber);
  });
  if (enabled_.size() < fibers_.size()) enabled_.resize(fibers_.size());
  fiber_changes_ = engine_.fiber_changes();
}

Choice RandomExecutions::EnabledAt(size_t i) const {
  return i < enabled_count_ ? static_cast<Choice>(enabled_[i]->id)
                            : events_[i - enabled_count_];
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

size_t RandomExecutions::HighestPriority() {
  size_t best = 0;
  for (size_t i = 1; i < EnabledCount(); ++i) {
    // One after the other: either may draw its number now.
    const uint32_t priority = PriorityOf(EnabledAt(i));
    if (priority > PriorityOf(EnabledAt(best))) best = i;
  }
  return best;
}

size_t RandomExecutions::PickByPriority() {
  size_t best = HighestPriority();
  // At a point of change the one that would go next falls behind all others.
  while (changes_ < change_at_.size() && change_at_[changes_] <= steps_) {
    PriorityOf(EnabledAt(best)) =
        static_cast<uint32_t>(change_at_.size() - changes_++);
    best = HighestPriority();
  }
  return best;
}

void RandomExecutions::NoteFailure() {
  const Verdict verdict = engine_.TakeVerdict();
  if (verdict.kind == VerdictKind::kDataRace) found_.data_races++;
  if (options_.collect_outcomes) found_.outcomes[OutcomeOf(verdict)]++;
  if (found_.failure) return;
  found_.failure = Failure{.verdict = verdict, .schedule = schedule()};
}

}  // namespace reapsim
