// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Freezing tasks: the old freezer (cgroup v1, suspend), which puts them where
// no signal reaches them, and cgroup v2's, from which a fatal signal gets out.
//
// Source: kernel/freezer.c, kernel/cgroup/legacy_freezer.c,
// kernel/cgroup/freezer.c, v5.15 to v7.2. Differences: thaws_whole_process
// (v6.18: every thread of an OOM victim is exempt, before only the marked
// one), freezer_has_frozen_state (v6.1: a stopped task is frozen as it is).
// Modelled: what freezes, what stays frozen under which signal, inheritance.
// Simplified: a cgroup is a flag of each of its tasks; no lost wake-up is
//   possible, so there is no freezer_lock. Stubbed: suspend.
#ifndef REAPSIM_SCHED_FREEZER_H_
#define REAPSIM_SCHED_FREEZER_H_

#include "sched/task.h"

namespace reapsim {

// ---- The old freezer (v1) --------------------------------------------------

// Whether p must enter, or stay in, the refrigerator. Reads only the world, so
// predicates of waits may call it.
bool freezing(const task_struct* p);
// Whether p sits in the refrigerator, or is stopped and can't leave the stop.
inline bool frozen(const task_struct* p) { return p->frozen; }

// Holds the running task for as long as it is freezing(); no signal ends this.
// Its state is TASK_FROZEN, up to v6.0 TASK_UNINTERRUPTIBLE. Returns whether
// it was frozen. Stops at kRefrigerator. No locks held.
bool __refrigerator();
// The same if need be.
bool try_to_freeze();

// Asks a task that is freezing() to freeze: by TIF_SIGPENDING, which stays on.
// False if it need not, or is frozen. Takes siglock.
bool freeze_task(task_struct* p);
// Lets p out if it is no longer freezing(). No locks needed; task_lock and
// oom_lock may be held.
void __thaw_task(task_struct* p);
// The same for every thread of p's group (v6.18 on).
void thaw_process(task_struct* p);

// FROZEN or THAWED into the v1 cgroup of p's process. Takes siglock; RCU or a
// reference protects p.
void freezer_change_state(task_struct* p, bool freeze);

// ---- cgroup v2 -------------------------------------------------------------

// 1 or 0 into cgroup.freeze of p's process. As above.
void cgroup_freeze(task_struct* p, bool freeze);
// The running task counts as frozen, or no longer does. If its cgroup is still
// to be frozen, the latter, without always_leave, asks for the trap again.
void cgroup_enter_frozen();
void cgroup_leave_frozen(bool always_leave);
inline bool cgroup_task_frozen(const task_struct* p) {
  return p->cgroup_v2_frozen;
}

// A new task is born into its parent's cgroups, frozen if they are. Called by
// copy_process() once the child is visible, with no locks held.
void cgroup_post_fork(task_struct* child);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_FREEZER_H_
