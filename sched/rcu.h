// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// RCU: read sections, deferred frees, and the end of a grace period as an
// event that the host fires. A callback may run once every read section that
// was open when it was queued has ended.
//
// Source: kernel/rcu/tree.c; no difference between versions.
#ifndef REAPSIM_SCHED_RCU_H_
#define REAPSIM_SCHED_RCU_H_

#include <cstdint>

#include "sched/engine.h"
#include "sched/race.h"

namespace reapsim {

// Embedded in an object whose memory must outlive the readers of now.
struct rcu_head {
  rcu_head* next = nullptr;
  void (*func)(rcu_head* head) = nullptr;
  uint32_t seq = 0;
};

// What orders read sections before the callbacks that wait for them. It orders
// those, too, that a callback need not wait for: some races are not seen.
inline const void* RcuOrder() { return &Here<EngineState>().rcu_seq; }

inline void rcu_read_lock(SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kRcuReadLock, Access::kAcquire, 0, source);
  const EngineState& state = Here<EngineState>();
  Fiber* self = state.current;
  if (self->rcu_nesting++ == 0) self->rcu_seq = state.rcu_seq;
}
inline void rcu_read_unlock(SourceLine source = SourceLine::Current()) {
  SchedulePoint(Point::kRcuReadUnlock, Access::kRelease, 0, source);
  Fiber* self = Here<EngineState>().current;
  Invariant(self->rcu_nesting > 0, "rcu_read_unlock without a lock", source);
  RaceRelease(RcuOrder(), Hold::kShared);
  self->rcu_nesting--;
}
inline bool rcu_read_lock_held() {
  return Here<EngineState>().current->rcu_nesting != 0;
}

// Queues func(head) for after the grace period. Does not wait.
void call_rcu(rcu_head* head, void (*func)(rcu_head* head));

// Runs, oldest first, the callbacks whose grace period can end now; returns
// how many. Called by the softirq task only.
int rcu_process_callbacks();
// Whether rcu_process_callbacks() would run any. Host or modelled side.
bool rcu_callbacks_ready(const void* world);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_RCU_H_
