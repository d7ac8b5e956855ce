// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/timer.h"

#include <cerrno>

#include "sched/race.h"
#include "sched/sched.h"

namespace reapsim {
namespace {

// The table of armed timers, and what is known of the one in a slot. The first
// place of the history is that of the count of timers ever armed.
timer_list** Slot(const SchedState& sched, uint32_t i) {
  return reinterpret_cast<timer_list**>(sched.timers.armed->base) + i;
}
TimerHistory* HistoryOf(const SchedState& sched, uint32_t i) {
  return reinterpret_cast<TimerHistory*>(sched.timer_history->base) + i + 1;
}
uint64_t* ArmedEver(const SchedState& sched) {
  return &reinterpret_cast<TimerHistory*>(sched.timer_history->base)->armed_seq;
}

void SetCount(SchedState& sched, uint32_t count) {
  sched.timers.count = count;
  sched.timers.armed->used = count * sizeof(timer_list*);
  sched.timer_history->used = (count + 1) * sizeof(TimerHistory);
}

// A sleeping task's timer and whether it has fired; on the sleeper's stack.
struct SleepTimer {
  timer_list timer;  // must be first: the callback is given its address
  bool fired = false;
};

void EndSleep(timer_list* timer) {
  reinterpret_cast<SleepTimer*>(timer)->fired = true;
}

uint64_t Sleep(uint64_t ns, uint32_t state) {
  task_struct* self = current();
  SleepTimer sleep;
  sleep.timer.function = EndSleep;
  add_timer_ns(&sleep.timer, ns);
  self->__state = state;
  const bool killable = (state & TASK_WAKEKILL) != 0;
  const bool interruptible = (state & TASK_INTERRUPTIBLE) != 0;
  WaitUntil(Point::kTimeout, Access::kRead, NumberOf(self), [&] {
    return sleep.fired || (killable && fatal_signal_pending(self)) ||
           (interruptible && signal_pending(self));
  });
  self->__state = TASK_RUNNING;
  return del_timer(&sleep.timer) ? 1 : 0;
}

}  // namespace

void add_timer(timer_list* timer, uint64_t jiffies) {
  add_timer_ns(timer, jiffies * kNsPerJiffy);
}

void add_timer_ns(timer_list* timer, uint64_t ns) {
  SchedState& sched = Here<SchedState>();
  Invariant(!timer->armed, "a timer is armed twice");
  RaceRelease(timer);
  uint32_t i = 0;
  while (i < sched.timers.count && *Slot(sched, i) != nullptr) ++i;
  REAP_CHECK(i < kMaxTimers, "timer: table full");
  if (i == sched.timers.count) SetCount(sched, i + 1);
  *Slot(sched, i) = timer;
  timer->armed = true;
  timer->number = i;
  *HistoryOf(sched, i) = {
      .deadline_ns = Here<EngineState>().engine->now_ns() + ns,
      .armed_seq = ++*ArmedEver(sched)};
}

bool del_timer(timer_list* timer) {
  if (!timer->armed) return false;
  timer_expired(timer);
  return true;
}

void timer_expired(timer_list* timer) {
  SchedState& sched = RootOf<SchedState>(timer);
  REAP_CHECK(*Slot(sched, timer->number) == timer, "timer: not in its slot");
  *Slot(sched, timer->number) = nullptr;
  timer->armed = false;
  timer->number = 0;
  uint32_t count = sched.timers.count;
  while (count > 0 && *Slot(sched, count - 1) == nullptr) --count;
  SetCount(sched, count);
}

timer_list* earliest_timer(const void* world, uint64_t* deadline_ns) {
  SchedState& sched = RootOf<SchedState>(world);
  timer_list* best = nullptr;
  for (uint32_t i = 0; i < sched.timers.count; ++i) {
    timer_list* timer = *Slot(sched, i);
    if (timer == nullptr) continue;
    const TimerHistory& history = *HistoryOf(sched, i);
    const uint64_t deadline = history.deadline_ns;
    if (best == nullptr || deadline < *deadline_ns ||
        (deadline == *deadline_ns &&
         history.armed_seq < HistoryOf(sched, best->number)->armed_seq)) {
      best = timer;
      *deadline_ns = deadline;
    }
  }
  return best;
}

timer_list* ArmedTimer(const void* world, uint32_t number) {
  const SchedState& sched = RootOf<SchedState>(world);
  return number < sched.timers.count ? *Slot(sched, number) : nullptr;
}

uint64_t schedule_timeout_idle(uint64_t jiffies) {
  return Sleep(jiffies * kNsPerJiffy, TASK_IDLE);
}
uint64_t schedule_timeout_uninterruptible(uint64_t jiffies) {
  return Sleep(jiffies * kNsPerJiffy, TASK_UNINTERRUPTIBLE);
}
uint64_t schedule_timeout_killable(uint64_t jiffies) {
  return Sleep(jiffies * kNsPerJiffy, TASK_KILLABLE);
}

void schedule_hrtimeout_uninterruptible(uint64_t ns) {
  (void)Sleep(ns, TASK_UNINTERRUPTIBLE);
}

int64_t do_nanosleep(uint64_t ns) {
  return Sleep(ns, TASK_INTERRUPTIBLE) == 0 ? 0 : -EINTR;
}

}  // namespace reapsim
