// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How long work takes on a CPU. Whole numbers only: work is counted in
// picoseconds of the reference CPU, the clock in nanoseconds; what a payment
// leaves of its last nanosecond is credit for the next.
#ifndef REAPSIM_SCHED_PAYMENT_H_
#define REAPSIM_SCHED_PAYMENT_H_

#include <cstdint>

#include "sched/cost.h"
#include "sched/timeline.h"

namespace reapsim {

// A CPU's speed, as a fraction of the reference CPU's.
struct Speed {
  uint64_t num = 1;
  uint64_t den = 1;
  // In lowest terms, so that a CPU like the reference is known for one.
  static Speed Of(uint64_t num, uint64_t den);
  // How long `cpu_ps` take, rounded up, in picoseconds.
  uint64_t Time(uint64_t cpu_ps) const;
  // What is done in `ps`, rounded down.
  uint64_t Done(uint64_t ps) const;
};

// What a task has to do before it goes on, and by how much it is ahead.
class Payment {
 public:
  bool any() const { return work_.any; }
  // Whether it is, in part, contended work.
  bool contended() const {
    return (work_.contended_cpu_ps | work_.contended_stall_ps) != 0;
  }
  // Whether it is, in part, the program's own.
  bool user() const {
    return work_.cpu_ps[static_cast<int>(WorkClass::kUser)] != 0;
  }

  // More to do. Contended work takes permille/1000 longer, at the locks; stalls
  // take stall_permille/1000 of what they say.
  void Add(const Work& work, uint64_t contention_permille,
           uint64_t stall_permille);
  // Forgets what is left of the program's own.
  void DropUser();

  // How long the rest takes, in whole nanoseconds from now.
  uint64_t Nanoseconds(const Speed& speed) const;
  // The CPU has worked on it for `ns`, at most Nanoseconds(); `account` is
  // told what that went to.
  void Advance(uint64_t ns, const Speed& speed, TaskAccount* account);

  uint64_t credit_ps() const { return credit_ps_; }

 private:
  uint64_t TimeLeft(const Speed& speed) const;

  Work work_{};
  // Of waiting at locks, at reference speed; and for memory, on any CPU.
  uint64_t contention_ps_ = 0;
  uint64_t contention_stall_ps_ = 0;
  uint64_t credit_ps_ = 0;  // below 1000
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_PAYMENT_H_
