// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The machine of timed mode, described: its CPUs, how they are shared out, and
// what else time depends on. What operations cost is apart (Prices).
#ifndef REAPSIM_SCHED_MACHINE_CONFIG_H_
#define REAPSIM_SCHED_MACHINE_CONFIG_H_

#include <cstdint>
#include <string>
#include <vector>

namespace reapsim {

enum class Governor : uint8_t {
  kFixed,    // stays at its first operating point
  kStepped,  // follows use, as schedutil does: see sched/frequency.h
};

struct CpuConfig {
  std::string kind = "cpu";  // "little", "big": for people
  // How fast it is at its highest frequency; 1024 is the reference CPU, for
  // which prices hold.
  uint32_t capacity = 1024;
  std::vector<uint32_t> mhz = {1000};  // its operating points, ascending
  uint32_t opp = 0;                    // the one it begins at
  Governor governor = Governor::kFixed;
  // When its timer ticks, within kNsPerJiffy.
  uint64_t tick_phase_ns = 0;
};

// cpu.max of a cgroup.
struct BandwidthConfig {
  uint32_t cgroup = 0;
  uint64_t quota_ns = 0;
  uint64_t period_ns = 100'000'000;
};

struct MachineConfig {
  std::vector<CpuConfig> cpus = {{}, {}};  // 1 to 64
  uint64_t slice_ns = 3'000'000;           // a fair task's turn
  // How far behind in virtual runtime a woken task must be to preempt.
  uint64_t wakeup_granularity_ns = 1'000'000;
  // By how much contended work takes longer for each other CPU that does the
  // like at the time.
  uint32_t contention_permille = 0;
  uint32_t stall_permille = 1000;  // of stall prices: the memory's speed
  // Whether cpu.max stops a task inside of the kernel, or not before it goes
  // back to user mode.
  bool throttle_in_kernel = true;
  std::vector<BandwidthConfig> bandwidth;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_MACHINE_CONFIG_H_
