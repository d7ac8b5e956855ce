// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "conform/random_shrink.h"

#include <signal.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace reapsim {
namespace {

class Shrinker {
 public:
  Shrinker(const RandomVictim& victim, int tries,
           const std::function<bool(const RandomVictim&)>& fails)
      : best_(victim), tries_(tries), fails_(fails) {}

  RandomVictim Run() {
    bool smaller = true;
    while (smaller && tries_ > 0) {
      smaller = KillAtOnce();
      smaller |= DropSteps();
      smaller |= DropTasks();
      smaller |= SimplifySteps();
    }
    return std::move(best_);
  }

 private:
  bool Try(RandomVictim victim) {
    if (victim == best_ || tries_ <= 0) return false;
    --tries_;
    if (!fails_(victim)) return false;
    best_ = std::move(victim);
    return true;
  }

  // SIGKILL for all, and nobody who has to be told to go on with it.
  bool KillAtOnce() {
    RandomVictim victim;
    for (RandomStep step : best_.steps) {
      if (step.kind == StepKind::kCont) continue;
      if (step.kind == StepKind::kKill || step.kind == StepKind::kTgkill) {
        step.what = SIGKILL;
      }
      victim.steps.push_back(step);
    }
    return Try(std::move(victim));
  }

  // Chunks from the end: what comes late depends on what comes early.
  bool DropSteps() {
    bool dropped = false;
    size_t chunk = std::max<size_t>(best_.steps.size() / 2, 1);
    for (;; chunk /= 2) {
      size_t end = best_.steps.size();
      while (end > 0) {
        const size_t start = end > chunk ? end - chunk : 0;
        RandomVictim victim = best_;
        const auto at = victim.steps.begin();
        victim.steps.erase(at + static_cast<ptrdiff_t>(start),
                           at + static_cast<ptrdiff_t>(end));
        dropped |= Try(std::move(victim));
        end = start;
      }
      if (chunk == 1) return dropped;
    }
  }

  // Leaves out a task: whoever would have made it does what it does.
  bool DropTasks() {
    bool dropped = false;
    for (size_t i = best_.steps.size(); i-- > 0;) {
      const RandomStep made = best_.steps[i];
      if (!MakesTask(made.kind)) continue;
      RandomVictim victim = best_;
      victim.steps.erase(victim.steps.begin() + static_cast<ptrdiff_t>(i));
      for (RandomStep& step : victim.steps) {
        if (step.task == made.id) step.task = made.task;
        if (step.kind == StepKind::kCall && step.id == made.id) {
          step.id = made.task;
        }
      }
      dropped |= Try(std::move(victim));
    }
    return dropped;
  }

  // What a step could be instead, the simplest first.
  static std::vector<RandomStep> Simpler(const RandomStep& step) {
    std::vector<RandomStep> all;
    const auto with = [&](auto change) {
      RandomStep other = step;
      change(other);
      if (!(other == step)) all.push_back(other);
    };
    if (IsMemoryStep(step.kind)) {
      with([](RandomStep& s) { s.first = 0; });
      with([](RandomStep& s) { s.stride = 1; });
      with([](RandomStep& s) { s.pages = std::min<uint16_t>(s.pages, 1); });
      with([](RandomStep& s) { s.pages = (s.pages + 1) / 2; });
    }
    if (step.kind == StepKind::kMap) {
      with([](RandomStep& s) {
        s.what = static_cast<uint32_t>(RandomMapping::kAnonymous);
      });
    }
    if (step.kind == StepKind::kKill || step.kind == StepKind::kTgkill) {
      with([](RandomStep& s) { s.what = SIGKILL; });
      with([](RandomStep& s) { s.kind = StepKind::kKill; });
    }
    if (step.kind == StepKind::kVfork) {
      with([](RandomStep& s) { s.kind = StepKind::kCloneVm; });
    }
    if (step.kind == StepKind::kCall) {
      with([](RandomStep& s) { s.id = kHarness; });
      with([](RandomStep& s) { s.flags = 0; });
      with([](RandomStep& s) {
        s.what = static_cast<uint32_t>(RandomFd::kPidfd);
      });
    }
    if (step.task != 0) with([](RandomStep& s) { s.task = 0; });
    return all;
  }

  bool SimplifySteps() {
    bool simplified = false;
    for (size_t i = 0; i < best_.steps.size(); ++i) {
      for (const RandomStep& step : Simpler(best_.steps[i])) {
        RandomVictim victim = best_;
        victim.steps[i] = step;
        simplified |= Try(std::move(victim));
      }
    }
    return simplified;
  }

  RandomVictim best_;
  int tries_;
  const std::function<bool(const RandomVictim&)>& fails_;
};

}  // namespace

RandomVictim ShrinkVictim(
    const RandomVictim& victim, int tries,
    const std::function<bool(const RandomVictim&)>& fails) {
  return Shrinker(victim, tries, fails).Run();
}

}  // namespace reapsim
