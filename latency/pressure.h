// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A pressure scenario: a machine that runs out of memory, who runs on it, and
// how the daemons that kill are set up. docs/clients.md describes the file
// field by field.
#ifndef REAPSIM_LATENCY_PRESSURE_H_
#define REAPSIM_LATENCY_PRESSURE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "latency/machine.h"
#include "latency/shape.h"

namespace reapsim {

// What a process does until somebody kills it.
enum class Doing : uint8_t {
  kSleeps,  // waits for something to do
  kComputes,
  kDriver,  // sleeps uninterruptibly in a driver, again and again
  kFrozen,  // its cgroup is frozen (v2)
};
// What SIGTERM does to it.
enum class OnSigterm : uint8_t {
  kDies,  // the default action
  kIgnores,
  kCleansUp,  // a handler, which computes for a while and then exits
};

// One or more processes that may be killed.
struct PressureProcess {
  std::string name;
  uint32_t count = 1;
  VictimShape shape;
  int oom_score_adj = 0;  // -1000: nobody kills it
  int nice = 0;
  uint64_t affinity = 0;  // CPUs, a bit each; 0: all
  // Of the names in PressureScenario::cgroups, from 1.
  uint32_t cgroup = 0;
  Doing doing = Doing::kSleeps;
  uint64_t driver_ns = 0;  // kDriver: of each sleep
  OnSigterm on_sigterm = OnSigterm::kDies;
  uint64_t cleanup_ns = 0;  // kCleansUp: on the reference CPU
  // A device uses its memory: for `busy` out of every `period` its driver
  // could not let go of a page without sleeping, so that a reaper that must not
  // sleep gets EAGAIN. 0: there is none.
  uint64_t device_busy_ns = 0;
  uint64_t device_period_ns = 0;
};

// The task that needs memory, and stands still where there is none.
struct Foreground {
  std::string name;
  uint64_t needs = 0;       // bytes
  uint64_t step = 1 << 20;  // bytes that it asks for at a time
  uint64_t rate = 0;        // bytes a second, on the reference CPU
  int nice = 0;
  uint64_t affinity = 0;  // CPUs, a bit each; 0: all
};

// How each daemon is set up; the defaults are their own (docs/clients.md).
struct LmkdSettings {
  uint64_t partial_stall_ns = 70'000'000;  // ro.lmk.psi_partial_stall_ms
  uint64_t kill_timeout_ns = 100'000'000;  // ro.lmk.kill_timeout_ms
  int min_adj = 701;                       // ro.lmk.lowmem_min_oom_score
  uint32_t threads = 2;                    // of the pool that reaps
  uint64_t reaper_cpus = 0;    // cpuset "foreground"; 0: all but the slowest
  uint64_t look_ns = 300'000;  // to read and parse what it decides by
};
struct EarlyoomSettings {
  uint32_t term_percent = 10;      // -m
  uint32_t kill_percent = 5;       // -m
  uint64_t look_ns = 6'000;        // to read /proc/meminfo
  uint64_t process_ns = 12'000;    // to look at one process
  uint32_t other_processes = 200;  // that it looks at and passes over
};
struct OomdSettings {
  uint64_t interval_ns = 5'000'000'000;   // --interval
  uint32_t pressure_percent = 60;         // pressure_above: threshold
  uint64_t duration_ns = 30'000'000'000;  // pressure_above: duration
  uint64_t delay_ns = 15'000'000'000;     // post_action_delay
  bool kernelkill = false;
  uint64_t look_ns = 5'000'000;  // to read all its cgroups
  uint64_t process_ns = 50'000;  // to read what it logs of one process
};

struct PressureScenario {
  std::string name;
  std::string about;
  std::string machine;  // of latency/machines, or a file
  std::string profile;  // of latency/profiles, or a file
  uint64_t free = 0;    // bytes, when it begins
  uint64_t target = 0;  // bytes free, with which the pressure is over
  uint64_t time_limit_ns = 0;
  Foreground foreground;
  std::vector<std::string>
      cgroups;  // names; a cgroup's number is its place, + 1
  std::vector<PressureProcess> processes;
  LmkdSettings lmkd;
  EarlyoomSettings earlyoom;
  OomdSettings oomd;
};

// At most; each has a task, and some have threads.
inline constexpr uint32_t kMaxPressureProcesses = 256;

// Errors are kInvalidArgument, "FILE:LINE:COLUMN: FIELD: …".
absl::StatusOr<PressureScenario> ParsePressure(absl::string_view text,
                                               absl::string_view file);

// The scenarios that come with reapsim, by name.
std::vector<absl::string_view> BuiltinScenarios();
// One of those, or else the scenario in a file. Errors as above, and those of
// reading a file, "FILE: …".
absl::StatusOr<PressureScenario> LoadPressure(const std::string& name_or_path);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_PRESSURE_H_
