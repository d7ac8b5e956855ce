// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The stepped governor: a CPU's frequency follows its use. At each tick the
// use of the last one is added to a mean that halves in 32 ms; the frequency
// is the lowest operating point that leaves a quarter of head-room over it. Use
// is measured in what the CPU could do at its highest frequency, so from a low
// one it climbs step by step. A SCHED_FIFO task gets the highest at once.
//
// Source: kernel/sched/cpufreq_schedutil.c, kernel/sched/pelt.c.
// Simplified: one mean for each CPU instead of one for each task; looked at
//   once a tick (4 ms); CPUs of one cluster change apart.
#ifndef REAPSIM_SCHED_FREQUENCY_H_
#define REAPSIM_SCHED_FREQUENCY_H_

#include <cstdint>
#include <vector>

namespace reapsim {

class CpuUse {
 public:
  // A full scale of use.
  static constexpr uint64_t kFull = 1024 * 1024;

  // Over `ticks` ticks the CPU was busy for `busy_permille` of the time, at
  // `mhz` of `max_mhz`.
  void Add(uint64_t ticks, uint64_t busy_permille, uint32_t mhz,
           uint32_t max_mhz);
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// The place in the ascending table of operating points for that use.
uint32_t StepFor(uint64_t use, const std::vector<uint32_t>& mhz);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_FREQUENCY_H_
