// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What daemons read of memory pressure: how long tasks stood still, as
// /proc/pressure/memory has it. The host keeps the total; these make of it what
// the kernel shows. Source: kernel/sched/psi.c, v6.18.
#ifndef REAPSIM_LATENCY_PSI_H_
#define REAPSIM_LATENCY_PSI_H_

#include <cstdint>

namespace reapsim {

// The time for which some task has stood still for want of memory.
class StallClock {
 public:
  void Begin(uint64_t now_ns);
  void End(uint64_t now_ns);
  bool stalled() const { return stalled_; }
  // Up to now.
  uint64_t Total(uint64_t now_ns) const;

 private:
  bool stalled_ = false;
  uint64_t since_ns_ = 0;
  uint64_t total_ns_ = 0;
};

// A trigger, "some THRESHOLD WINDOW": tells its owner that tasks stood still
// for the threshold within the window, at most once in a window. It looks ten
// times in a window.
class PsiTrigger {
 public:
  PsiTrigger(uint64_t threshold_ns, uint64_t window_ns)
      : threshold_ns_(threshold_ns), window_ns_(window_ns) {}
  uint64_t period_ns() const { return window_ns_ / 10; }
  // A look. True: it speaks.
  bool Look(uint64_t now_ns, uint64_t stall_total_ns);

 private:
  uint64_t threshold_ns_;
  uint64_t window_ns_;
  uint64_t start_ns_ = 0;  // of the window, and the total then
  uint64_t start_value_ = 0;
  uint64_t previous_growth_ = 0;
  bool spoke_ = false;
  uint64_t spoke_ns_ = 0;
};

// avg10: the share of time, in percent, for which tasks stood still, over about
// ten seconds.
class PsiAverage {
 public:
  // Takes account of what was since the last look.
  void Look(uint64_t now_ns, uint64_t stall_total_ns);
  uint32_t percent() const;

 private:
  uint64_t next_ns_ = kPeriodNs;  // when the next sample is due
  uint64_t last_ns_ = 0;
  uint64_t last_total_ = 0;
  uint64_t average_ = 0;  // fixed point, kOne is 1 %

  static constexpr uint64_t kPeriodNs = 2'000'000'000;
  static constexpr uint64_t kOne = 2048;
  static constexpr uint64_t kKeep = 1677;  // of 2048: exp(-2 s / 10 s)
};

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_PSI_H_
