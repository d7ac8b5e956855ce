// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Timers, and sleeps that end after a time. When a timer fires is up to the
// host: AdvanceTime() in direct mode, a deadline in timed mode, any moment
// after arming in explored mode. So the deadline lies in the history part: the
// state knows only which timers are armed.
//
// Source: kernel/time/timer.c; no difference between versions.
#ifndef REAPSIM_SCHED_TIMER_H_
#define REAPSIM_SCHED_TIMER_H_

#include <cstdint>

#include "sched/engine.h"

namespace reapsim {

// Ticks in a second, as Debian configures it.
inline constexpr uint64_t HZ = 250;
inline constexpr uint64_t kNsPerJiffy = 1'000'000'000 / HZ;

struct task_struct;

struct timer_list {
  void (*function)(timer_list* timer) = nullptr;
  bool armed = false;
  uint32_t number = 0;  // place in the table of deadlines while armed
};

// Arms the timer to fire `jiffies` ticks from now; function(timer) then runs
// in the softirq task. It must not be armed.
void add_timer(timer_list* timer, uint64_t jiffies);
// The same to the nanosecond (kernel/time/hrtimer.c).
void add_timer_ns(timer_list* timer, uint64_t ns);
// Disarms it. True if it was armed.
bool del_timer(timer_list* timer);

// Host side: the armed timer with the earliest deadline (ties: the one armed
// first), or null; and its deadline.
timer_list* earliest_timer(const void* world, uint64_t* deadline_ns);
// The armed timer in that place of the table, or null. Host side.
timer_list* ArmedTimer(const void* world, uint32_t number);
// Disarms a timer that is about to fire. Host or softirq side.
void timer_expired(timer_list* timer);

// Sleeps for `jiffies` ticks. _idle and _uninterruptible can't be cut short;
// _killable ends at a fatal signal. Returns the ticks left (0 or 1: whether it
// was cut short is all that callers ask).
uint64_t schedule_timeout_idle(uint64_t jiffies);
uint64_t schedule_timeout_uninterruptible(uint64_t jiffies);
uint64_t schedule_timeout_killable(uint64_t jiffies);

// The same for `ns` nanoseconds: kernel/time/hrtimer.c.
void schedule_hrtimeout_uninterruptible(uint64_t ns);
// TASK_INTERRUPTIBLE. 0, or -EINTR if a signal cut it short, which is not made
// up for: kernel/time/hrtimer.c:do_nanosleep().
int64_t do_nanosleep(uint64_t ns);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TIMER_H_
