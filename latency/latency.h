// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How long until a killed process's memory is back: one kill in virtual time,
// on a described machine, with prices from a profile.
//
//   LatencyOptions options;
//   options.profile = &profile;
//   options.machine = &machine;
//   options.victim.shape = *ParseShape("anon=1GiB", "here");
//   LatencyResult result = RunLatency(options);
//   … *result.back_ns …
//
// The machine runs its background loads, and the victim what it does, for some
// time. Then a caller wakes up, kills the victim, and does what the strategy
// says. Each seed draws the phases of the CPUs' ticks and of the background
// loads, and how long they run before; all else follows.
#ifndef REAPSIM_LATENCY_LATENCY_H_
#define REAPSIM_LATENCY_LATENCY_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "import/import_mm.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/shape.h"
#include "latency/strategy.h"
#include "sched/timeline.h"

namespace reapsim {

// What the victim does when it is killed.
enum class StateAtKill : uint8_t {
  kSleeping,         // in a wait that a signal ends
  kRunning,          // computes, in all its threads
  kUninterruptible,  // sleeps in a driver, for victim.uninterruptible_ns more
  kFrozenV1,  // in a frozen cgroup (v1): does not die before it is thawed
  kFrozenV2,  // in a frozen cgroup (v2)
};

// How somebody is to be scheduled.
struct Standing {
  int nice = 0;
  uint8_t fifo = 0;       // SCHED_FIFO priority; 0: a fair task
  uint64_t affinity = 0;  // CPUs, a bit each; 0: all
  uint32_t cgroup = 0;    // of the machine's
};

struct LatencyVictim {
  VictimShape shape;
  const ImportPlan* import = nullptr;  // its memory, instead of the shape's
  uint32_t count = 1;                  // victims alike, killed one by one
  StateAtKill state = StateAtKill::kSleeping;
  uint64_t uninterruptible_ns = 0;  // after the caller has woken up
  // A third party is a user of its memory (as in a remote access that does not
  // end), for as long as the run takes.
  bool pinned = false;
  Standing standing;
};

struct LatencyOptions {
  const CostProfile* profile = nullptr;
  const Machine* machine = nullptr;
  std::string kernel = "v6.18";
  LatencyVictim victim;
  Standing caller;  // its threads, too
  StrategyChoice strategy;
  uint64_t seed = 1;
  // When to give up, after the caller has woken up and after
  // victim.uninterruptible_ns.
  uint64_t deadline_ns = 20'000'000'000;
  bool keep_timeline = false;
};

// What some tasks paid and waited for together, from the moment the caller woke
// up to the end of the run.
struct Bill {
  uint64_t run_ns = 0;  // on CPUs
  // What that went to, in picoseconds; spinning is apart.
  uint64_t by_class_ps[kWorkClasses] = {};
  uint64_t spin_ps = 0;
  uint64_t runqueue_ns = 0;
  uint64_t lock_wait_ns = 0;
  uint64_t throttled_ns = 0;
  uint64_t frozen_ns = 0;
  uint64_t sleep_ns = 0;
  uint64_t switches = 0;

  uint64_t class_ns(WorkClass work) const {
    return by_class_ps[static_cast<int>(work)] / 1000;
  }
  static Bill Between(const TaskAccount& before, const TaskAccount& after);
  void Add(const Bill& other);
};

enum class Role : uint8_t {
  kCaller,      // with its threads
  kVictim,      // all of them, with threads and who has the same memory
  kBackground,  // the machine's loads
  kOther,       // the kernel's threads, and everybody else
};
inline constexpr int kRoles = 4;
const char* RoleName(Role role);

// Free frames, above those that were free when the caller woke up.
struct MemoryPoint {
  uint64_t at_ns = 0;  // of the run's clock
  uint64_t pages = 0;
};

// Where a time is missing, that has not come about by the deadline.
struct LatencyResult {
  // The run's clock when the caller woke up, and when it was about to send the
  // first signal. The times after these are since the latter.
  uint64_t wake_ns = 0;
  uint64_t kill_ns = 0;
  std::optional<uint64_t> back_ns;  // 99 % of the frames are free
  std::optional<uint64_t> all_ns;   // all of them
  std::optional<uint64_t> call_ns;  // the last call has returned
  std::optional<uint64_t> gone_ns;  // the last victim is a zombie
  uint64_t end_ns = 0;              // the run's clock when it ended

  // Frames that the victims' death gives back, sooner or later. Page tables
  // take none in the model.
  uint64_t pages = 0;
  std::vector<ReapCall> calls;
  std::vector<MemoryPoint> memory;
  Bill bills[kRoles];
  // What does not add up in the accounts; empty: all does.
  std::string account_problem;

  // From the start of the run. The timeline with keep_timeline only; it has
  // marks for what the caller and the victims came to.
  Timeline timeline;
  std::vector<TaskAccount> tasks;
  std::vector<Role> roles;  // of tasks
  std::vector<CpuAccount> cpus;

  const Bill& bill(Role role) const { return bills[static_cast<int>(role)]; }
};

// REQUIRES: the kernel is a version that is known; affinities name CPUs that
// the machine has, cgroups that it has; at most kMaxVictims victims and
// kMaxReapers threads.
LatencyResult RunLatency(const LatencyOptions& options);

// A time over several runs. Runs in which it did not come about are last.
struct Spread {
  uint32_t runs = 0;
  uint32_t missing = 0;
  // Nearest rank; none: that run is missing.
  std::optional<uint64_t> p1, p50, p90, p99, max;
  // p99 - p1.
  std::optional<uint64_t> spread() const;
};
Spread SpreadOf(std::vector<std::optional<uint64_t>> times);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_LATENCY_H_
