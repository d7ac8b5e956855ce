// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// cpu.max: a cgroup's fair tasks may run for `quota` in each `period`. CPUs
// take it from the cgroup's pool in slices of 5 ms; what a slice was overrun by
// is a debt of that CPU.
//
// Source: kernel/sched/fair.c (CFS bandwidth control), v5.15 to v7.2.
// Simplified: slices that are left over are not given back; no bursts; a
//   cgroup is flat.
#ifndef REAPSIM_SCHED_BANDWIDTH_H_
#define REAPSIM_SCHED_BANDWIDTH_H_

#include <cstdint>
#include <vector>

#include "sched/machine_config.h"

namespace reapsim {

class Bandwidth {
 public:
  static constexpr uint64_t kSliceNs = 5'000'000;

  Bandwidth(const BandwidthConfig& config, size_t cpus, uint64_t now_ns);

  uint32_t cgroup() const { return config_.cgroup; }
  uint64_t next_period_ns() const { return next_period_ns_; }
  // A task of the cgroup has run there.
  void Used(size_t cpu, uint64_t ns);
  // For how long one may run there from now, which may take another slice. 0:
  // it is throttled.
  uint64_t MayRun(size_t cpu);
  // At next_period_ns(): everybody may run again.
  void Refill();

 private:
  BandwidthConfig config_;
  uint64_t pool_ns_;
  uint64_t next_period_ns_;
  std::vector<int64_t> local_ns_;  // by CPU; below 0: a debt
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_BANDWIDTH_H_
