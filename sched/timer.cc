// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/timer.h"

#include "sched/sched.h"

namespace reapsim {
namespace {

// A sleeping task's timer and whether it has fired; on the sleeper's stack.
struct SleepTimer {
  timer_list timer;  // must be first: the callback is given its address
  bool fired = false;
};

void EndSleep(timer_list* timer) {
  reinterpret_cast<SleepTimer*>(timer)->fired = true;
}

uint64_t Sleep(uint64_t jiffies, uint32_t state) {
  task_struct* self = current();
  SleepTimer sleep;
  sleep.timer.function = EndSleep;
  add_timer(&sleep.timer, jiffies);
  self->__state = state;
  const bool killable = (state & TASK_WAKEKILL) != 0;
  WaitUntil(Point::kTimeout, Access::kRead, NumberOf(self), [&] {
    return sleep.fired || (killable && fatal_signal_pending(self));
  });
  self->__state = TASK_RUNNING;
  return del_timer(&sleep.timer) ? 1 : 0;
}

}  // namespace

void add_timer(timer_list* timer, uint64_t jiffies) {
  SchedState& sched = Here<SchedState>();
  Invariant(!timer->armed, "a timer is armed twice");
  uint32_t i = 0;
  while (i < sched.timers.count && sched.timers.armed[i] != nullptr) ++i;
  REAP_CHECK(i < kMaxTimers, "timer: table full");
  if (i == sched.timers.count) sched.timers.count++;
  sched.timers.armed[i] = timer;
  timer->armed = true;
  timer->number = i;
  sched.timer_history->deadline_ns[i] =
      Here<EngineState>().engine->now_ns() + jiffies * kNsPerJiffy;
  sched.timer_history->armed_seq[i] = ++sched.timer_history->seq;
}

bool del_timer(timer_list* timer) {
  if (!timer->armed) return false;
  timer_expired(timer);
  return true;
}

void timer_expired(timer_list* timer) {
  TimerState& timers = RootOf<SchedState>(timer).timers;
  REAP_CHECK(timers.armed[timer->number] == timer, "timer: not in its slot");
  timers.armed[timer->number] = nullptr;
  timer->armed = false;
  timer->number = 0;
  while (timers.count > 0 && timers.armed[timers.count - 1] == nullptr) {
    timers.count--;
  }
}

timer_list* earliest_timer(const void* world, uint64_t* deadline_ns) {
  SchedState& sched = RootOf<SchedState>(world);
  const TimerHistory& history = *sched.timer_history;
  timer_list* best = nullptr;
  for (uint32_t i = 0; i < sched.timers.count; ++i) {
    timer_list* timer = sched.timers.armed[i];
    if (timer == nullptr) continue;
    const uint64_t deadline = history.deadline_ns[i];
    if (best == nullptr || deadline < *deadline_ns ||
        (deadline == *deadline_ns &&
         history.armed_seq[i] < history.armed_seq[best->number])) {
      best = timer;
      *deadline_ns = deadline;
    }
  }
  return best;
}

uint64_t schedule_timeout_idle(uint64_t jiffies) {
  return Sleep(jiffies, TASK_IDLE);
}
uint64_t schedule_timeout_uninterruptible(uint64_t jiffies) {
  return Sleep(jiffies, TASK_UNINTERRUPTIBLE);
}
uint64_t schedule_timeout_killable(uint64_t jiffies) {
  return Sleep(jiffies, TASK_KILLABLE);
}

}  // namespace reapsim
