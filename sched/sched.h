// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The root of the sched room: all tasks, the pid table, RCU and timer queues.
#ifndef REAPSIM_SCHED_SCHED_H_
#define REAPSIM_SCHED_SCHED_H_

#include <cstdint>

#include "sched/file.h"
#include "sched/lockdep.h"
#include "sched/rcu.h"
#include "sched/task.h"
#include "sched/timer.h"

namespace reapsim {

struct RcuState {
  rcu_head* first = nullptr;
  rcu_head* last = nullptr;
};

inline constexpr uint32_t kMaxTimers = 1024;

struct TimerState {
  Extent* armed = nullptr;  // of timer_list*; a table that grows with use
  uint32_t count = 0;       // slots below it may be in use
};
// History part: of the timer in each slot.
struct TimerHistory {
  uint64_t deadline_ns;
  uint64_t armed_seq;
};

// The flags that an object has had when somebody last looked for S14.
struct FlagsSeen {
  uint64_t flags = 0;
};

struct SchedState {
  static constexpr RootId kRoot = RootId::kSched;
  static constexpr uint32_t kMaxPids = 32768;

  rwlock_t tasklist_lock;
  // tasklist_lock (write to change), RCU to read:
  TaskList tasks;  // thread-group leaders, by creation
  // By number in the initial namespace, as far as numbers were ever used.
  Extent* pid_extent = nullptr;  // of pid*

  // Where every task's fiber begins; constant. Runs kthread_fn, or the loop
  // between user mode and system calls.
  void (*task_entry)(void* task) = nullptr;

  task_struct* init_task = nullptr;     // pid 1
  task_struct* kthreadd = nullptr;      // pid 2, parent of kernel threads
  task_struct* softirq = nullptr;       // runs timers and RCU callbacks
  timer_list* expired_timer = nullptr;  // whose function softirq runs next
  pid_namespace* init_pid_ns = nullptr;
  pid_t last_pid = 0;
  pid_t pid_max = kMaxPids;  // no number from here on; set by the host

  // The reader of core dumps does not read: a dump's write waits, killably.
  // Set by the host.
  bool dump_blocked = false;

  Slab<task_struct, TaskHistory> task_slab;
  Slab<signal_struct, FlagsSeen> signal_slab;
  Slab<sighand_struct> sighand_slab;
  Slab<pid> pid_slab;
  Slab<pid_namespace> pid_ns_slab;
  Slab<file> file_slab;
  Slab<files_struct> files_slab;

  RcuState rcu;
  TimerState timers;
  Extent* timer_history = nullptr;  // of TimerHistory; history part

  // tasklist_lock (write to change), RCU to read:
  pid* PidAt(pid_t nr) const {
    const auto index = static_cast<size_t>(nr);
    return index * sizeof(pid*) < pid_extent->used
               ? reinterpret_cast<pid**>(pid_extent->base)[index]
               : nullptr;
  }
  void SetPid(pid_t nr, pid* pid);
  // Numbers from here on were never used.
  pid_t PidLimit() const {
    return static_cast<pid_t>(pid_extent->used / sizeof(struct pid*));
  }
};

// Sets the room up in a new world.
SchedState* InitSched(Arena* arena);

// The history of the running task.
inline TaskHistory& MyHistory() {
  return Here<SchedState>().task_slab.HistoryOf(current());
}
// Notes a reference that the running task has taken (1) or given back (-1).
inline void NoteRef(RefKind kind, int change) {
  TaskHistory& history = MyHistory();
  history.refs[kind] += change;
  history.ref_changes++;
}
// Said by whoever signals, wakes or thaws somebody.
inline void MayTouchSignals(SourceLine source = SourceLine::Current()) {
  Invariant(MyHistory().context != TaskContext::kMrelease,
            "S29: process_mrelease() changes somebody's signal state", source);
}

inline rwlock_t* tasklist_lock() { return &Here<SchedState>().tasklist_lock; }

}  // namespace reapsim

#endif  // REAPSIM_SCHED_SCHED_H_
