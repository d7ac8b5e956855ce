// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/run_queue.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace reapsim {
namespace {

constexpr int kMinNice = -20;
constexpr int kNices = 40;

// 1024 * 1.25^-nice, to the nearest, by whole numbers only: 5^n * 1024 / 4^n
// for a nice of -n, and the inverse. The kernel's table
// (kernel/sched/core.c:sched_prio_to_weight) differs by less than 1 %.
constexpr std::array<uint64_t, kNices> MakeWeights() {
  std::array<uint64_t, kNices> weights{};
  for (int i = 0; i < kNices; ++i) {
    const int nice = kMinNice + i;
    const int steps = nice < 0 ? -nice : nice;
    // 5^20 < 2^47 and 4^20 = 2^40: with the factor it fits in 64 bits.
    uint64_t five = 1;
    uint64_t four = 1;
    for (int s = 0; s < steps; ++s) {
      five *= 5;
      four *= 4;
    }
    const uint64_t over = nice < 0 ? five : four;
    const uint64_t under = nice < 0 ? four : five;
    weights[static_cast<size_t>(i)] = (over * 1024 + under / 2) / under;
  }
  return weights;
}
constexpr std::array<uint64_t, kNices> kWeights = MakeWeights();

bool IsFifo(const RunEntity& e) { return e.attr.policy == SchedPolicy::kFifo; }

}  // namespace

uint64_t NiceWeight(int nice) {
  REAP_CHECK(nice >= kMinNice && nice < kMinNice + kNices, "run queue: nice");
  return kWeights[static_cast<size_t>(nice - kMinNice)];
}

bool RunsBefore(const RunEntity& a, const RunEntity& b) {
  if (IsFifo(a) != IsFifo(b)) return IsFifo(a);
  if (IsFifo(a) && a.attr.rt_priority != b.attr.rt_priority) {
    return a.attr.rt_priority > b.attr.rt_priority;
  }
  if (!IsFifo(a) && a.vruntime != b.vruntime) return a.vruntime < b.vruntime;
  return a.queued_seq < b.queued_seq;
}

bool WakeupPreempts(const RunEntity& woken, const RunEntity& running,
                    uint64_t granularity_ns) {
  if (IsFifo(woken)) {
    return !IsFifo(running) ||
           woken.attr.rt_priority > running.attr.rt_priority;
  }
  if (IsFifo(running)) return false;
  return woken.vruntime + Weighted(granularity_ns, woken.attr.nice) <
         running.vruntime;
}

void RunQueue::Remove(RunEntity* entity) {
  const auto found = std::find(waiting_.begin(), waiting_.end(), entity);
  REAP_CHECK(found != waiting_.end(), "run queue: not in it");
  waiting_.erase(found);
}

RunEntity* RunQueue::First() const {
  const auto first =
      std::min_element(waiting_.begin(), waiting_.end(),
                       [](const RunEntity* a, const RunEntity* b) {
                         return RunsBefore(*a, *b);
                       });
  return first == waiting_.end() ? nullptr : *first;
}

uint64_t RunQueue::weight() const {
  uint64_t sum = 0;
  for (const RunEntity* e : waiting_) {
    sum += NiceWeight(IsFifo(*e) ? kMinNice : e->attr.nice);
  }
  return sum;
}

void RunQueue::RaiseMinVruntime(const RunEntity* running) {
  bool any = false;
  uint64_t least = 0;
  const auto look = [&](const RunEntity* e) {
    if (e == nullptr || IsFifo(*e)) return;
    if (!any || e->vruntime < least) least = e->vruntime;
    any = true;
  };
  look(running);
  for (const RunEntity* e : waiting_) look(e);
  if (any && least > min_vruntime_) min_vruntime_ = least;
}

}  // namespace reapsim
