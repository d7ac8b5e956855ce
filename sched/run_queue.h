// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who gets a CPU: the run queue of one CPU, and the rules by which it is
// shared out. SCHED_FIFO before fair tasks; among these the one that has had
// least for its weight (virtual runtime). Ties: who was queued first.
//
// Source: kernel/sched/fair.c, kernel/sched/rt.c, v5.15 to v7.2.
// Simplified: one rule for all versions, that of CFS up to v6.5, without
//   groups' own queues; EEVDF's deadlines are not modelled.
#ifndef REAPSIM_SCHED_RUN_QUEUE_H_
#define REAPSIM_SCHED_RUN_QUEUE_H_

#include <cstdint>
#include <vector>

#include "sched/engine.h"

namespace reapsim {

// A task, as run queues see it.
struct RunEntity {
  SchedAttr attr;
  uint64_t vruntime = 0;    // ns, weighted; of fair tasks
  uint64_t queued_seq = 0;  // when it was queued; lower is earlier
};

// The share of a fair task: 1024 for nice 0, a quarter more for each step down.
uint64_t NiceWeight(int nice);

// What `ns` on a CPU add to the virtual runtime of a task of that weight.
inline uint64_t Weighted(uint64_t ns, int nice) {
  return ns * 1024 / NiceWeight(nice);
}

// Whether a runs before b, both waiting.
bool RunsBefore(const RunEntity& a, const RunEntity& b);
// Whether `woken` takes the CPU from `running` at once.
bool WakeupPreempts(const RunEntity& woken, const RunEntity& running,
                    uint64_t granularity_ns);

class RunQueue {
 public:
  bool empty() const { return waiting_.empty(); }
  const std::vector<RunEntity*>& waiting() const { return waiting_; }
  void Add(RunEntity* entity) { waiting_.push_back(entity); }
  void Remove(RunEntity* entity);
  // Who is next, or null.
  RunEntity* First() const;
  // The sum of the weights that wait; a FIFO task has that of nice -20.
  uint64_t weight() const;

  // No fair task that is put here begins with less than this (it would have the
  // CPU for itself until it has caught up). Never falls.
  uint64_t min_vruntime() const { return min_vruntime_; }
  void RaiseMinVruntime(const RunEntity* running);

 private:
  std::vector<RunEntity*> waiting_;
  uint64_t min_vruntime_ = 0;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_RUN_QUEUE_H_
