// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/rcu.h"

#include "sched/race.h"
#include "sched/sched.h"

namespace reapsim {
namespace {

// True iff no read section that was open when `head` was queued still is.
bool GracePeriodOver(EngineState& engine, const rcu_head* head) {
  bool over = true;
  engine.fibers.ForEach([&](Fiber* fiber) {
    if (fiber->rcu_nesting != 0 && fiber->rcu_seq < head->seq) over = false;
  });
  return over;
}

}  // namespace

void call_rcu(rcu_head* head, void (*func)(rcu_head* head)) {
  RcuState& rcu = Here<SchedState>().rcu;
  Invariant(head->func == nullptr, "an rcu_head is queued twice");
  head->func = func;
  head->next = nullptr;
  RaceRelease(RcuOrder(), Hold::kShared);
  head->seq = ++Here<EngineState>().rcu_seq;
  if (rcu.last != nullptr) rcu.last->next = head;
  if (rcu.first == nullptr) rcu.first = head;
  rcu.last = head;
}

int rcu_process_callbacks() {
  EngineState& engine = Here<EngineState>();
  RcuState& rcu = Here<SchedState>().rcu;
  int done = 0;
  while (rcu.first != nullptr && GracePeriodOver(engine, rcu.first)) {
    rcu_head* head = rcu.first;
    rcu.first = head->next;
    if (rcu.first == nullptr) rcu.last = nullptr;
    // The object that holds the head may be gone when func returns.
    auto* func = head->func;
    head->func = nullptr;
    head->next = nullptr;
    RaceAcquire(RcuOrder());
    func(head);
    done++;
  }
  return done;
}

bool rcu_callbacks_ready(const void* world) {
  const RcuState& rcu = RootOf<SchedState>(world).rcu;
  return rcu.first != nullptr &&
         GracePeriodOver(RootOf<EngineState>(world), rcu.first);
}

}  // namespace reapsim
