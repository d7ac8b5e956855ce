// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A machine on which reaping is timed: its CPUs, its memory, and who else runs.
// docs/latency-files.md describes the file field by field.
#ifndef REAPSIM_LATENCY_MACHINE_H_
#define REAPSIM_LATENCY_MACHINE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "sched/machine_config.h"
#include "syscall/kernel.h"

namespace reapsim {

// Bytes of free memory. Below `low`, kswapd would work; below `min`, who
// allocates has to wait until memory comes back. 0: none.
struct Watermarks {
  uint64_t min = 0;
  uint64_t low = 0;
  uint64_t high = 0;
  bool operator==(const Watermarks&) const = default;
};

// cpu.max of a cgroup, whose number is its place in the list, from 1: 0 is the
// root. quota_ns 0: no limit.
struct MachineCgroup {
  std::string name;
  uint64_t quota_ns = 0;
  uint64_t period_ns = 100'000'000;
  bool operator==(const MachineCgroup&) const = default;
};

// Tasks that work and sleep by turns; which part of it they begin with is by
// chance.
struct BackgroundLoad {
  std::string name;
  uint32_t count = 1;
  int nice = 0;
  uint32_t fifo = 0;      // SCHED_FIFO priority; 0: a fair task
  uint64_t affinity = 0;  // CPUs, a bit each; 0: all
  uint64_t busy_ns = 0;   // of work on the reference CPU
  uint64_t sleep_ns = 0;  // 0: it never sleeps
  uint32_t cgroup = 0;
  bool operator==(const BackgroundLoad&) const = default;
};

struct Machine {
  std::string name;
  std::string origin;  // what it describes, and where that is from
  std::string kernel;  // a version, or empty: the command's
  uint64_t memory = uint64_t{4} << 30;  // bytes
  uint64_t swap = 0;
  Watermarks watermarks;
  // CPUs, slices, cpu.max: `contention_permille` is the profile's unless it is
  // overridden here.
  MachineConfig config;
  std::optional<uint32_t> contention_permille;
  // cpu.max stops a task in the middle of a call; not given: up to v6.17.
  std::optional<bool> throttle_in_kernel;
  std::vector<MachineCgroup> cgroups;
  std::vector<BackgroundLoad> background;

  // The CPUs of a kind, a bit each; 0: there is none.
  uint64_t CpusOfKind(absl::string_view kind) const;
  // The number of the cgroup of that name, or nullopt.
  std::optional<uint32_t> CgroupOf(absl::string_view name) const;
};

// Errors are kInvalidArgument, "FILE:LINE:COLUMN: FIELD: …".
absl::StatusOr<Machine> ParseMachine(absl::string_view text,
                                     absl::string_view file);

// The file. What it prints, ParseMachine() reads as the same machine.
std::string PrintMachine(const Machine& machine);

// What the engine is told: with the profile's contention where the machine does
// not say, and with what the version does about cpu.max. `kernel` is a version
// that is known.
MachineConfig ConfigOf(const Machine& machine, uint32_t contention_permille,
                       absl::string_view kernel);
// The memory, swap and CPUs of the machine. The version is left as it is.
void SetMachine(const Machine& machine, KernelOptions* options);
// Its free pages, for TimedMachine::KeepTimeline(); `kernel` is a Kernel.
uint64_t GaugeFreePages(const void* kernel);

// The machines that come with reapsim, by name; "default" is the default.
std::vector<absl::string_view> BuiltinMachines();
// The text of one; empty: there is none of that name.
absl::string_view BuiltinMachineText(absl::string_view name);
// One of those, or else the machine in a file. Errors as above, and those of
// reading a file, "FILE: …".
absl::StatusOr<Machine> LoadMachine(const std::string& name_or_path);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_MACHINE_H_
