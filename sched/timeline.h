// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What timed mode tells of a run: who paid what, and who was where when. Plain
// data; times are nanoseconds of virtual time.
#ifndef REAPSIM_SCHED_TIMELINE_H_
#define REAPSIM_SCHED_TIMELINE_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "sched/cost.h"
#include "sched/point.h"

namespace reapsim {

// What one task paid and waited. run_ns, summed over all tasks, is the time
// for which CPUs were busy.
struct TaskAccount {
  pid_t pid = 0;
  std::string comm;
  uint32_t cgroup = 0;
  uint64_t start_ns = 0;
  uint64_t end_ns = 0;  // 0: it lives
  uint64_t run_ns = 0;  // on a CPU: utime and stime
  // run_ns in parts, in picoseconds, by WorkClass; and at spinlocks, among them
  // those that are only a parameter (MachineConfig::contention_permille).
  uint64_t by_class_ps[kWorkClasses] = {};
  uint64_t spin_ps = 0;
  // Off the CPUs.
  uint64_t runqueue_ns = 0;   // able to run
  uint64_t lock_wait_ns = 0;  // for a rw-semaphore or a mutex
  uint64_t throttled_ns = 0;  // by cpu.max
  uint64_t frozen_ns = 0;
  uint64_t sleep_ns = 0;  // every other wait
  uint64_t switches = 0;  // times that it was switched to

  uint64_t utime_ns() const {
    return by_class_ps[static_cast<int>(WorkClass::kUser)] / 1000;
  }
  uint64_t stime_ns() const { return run_ns - utime_ns(); }
};

struct CpuAccount {
  uint64_t busy_ns = 0;
  uint64_t idle_ns = 0;
};

enum class SliceKind : uint8_t { kUser, kKernel, kSpin };
enum class WaitKind : uint8_t { kRunQueue, kLock, kThrottled, kFrozen, kSleep };

// `task` is an index into TimedMachine::accounts().
struct TimelineSlice {
  uint64_t start_ns;
  uint64_t end_ns;
  uint32_t cpu;
  uint32_t task;
  SliceKind kind;
};
struct TimelineWait {
  uint64_t start_ns;
  uint64_t end_ns;
  uint32_t task;
  WaitKind kind;
  Point point;      // before which it stood
  uint32_t object;  // NumberOf() what it waited for, or 0
};
struct TimelineMark {
  uint64_t at_ns;
  uint32_t task;
  std::string text;
};
struct TimelineGauge {
  uint64_t at_ns;
  uint64_t value;
};
struct TimelineFrequency {
  uint64_t at_ns;
  uint32_t cpu;
  uint32_t mhz;
};

struct Timeline {
  std::vector<TimelineSlice> slices;  // by end; of a CPU, without overlap
  std::vector<TimelineWait> waits;    // by end
  std::vector<TimelineMark> marks;    // by time, as the rest
  std::vector<TimelineGauge> free_pages;
  std::vector<TimelineFrequency> frequencies;
};

}  // namespace reapsim

#endif  // REAPSIM_SCHED_TIMELINE_H_
