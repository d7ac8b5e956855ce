// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Cgroup files: both freezers, cgroup.kill, cgroup.procs.
//
// Source: kernel/cgroup/cgroup.c, legacy_freezer.c, freezer.c; no difference
// between versions here. Simplified: to freezers and cgroup.kill each process
// has cgroups of its own; for cgroup.procs a cgroup is a number, without a
// parent; any task may write to their files. `pid` is a process in the caller's
// namespace.
#ifndef REAPSIM_SYSCALL_CGROUP_H_
#define REAPSIM_SYSCALL_CGROUP_H_

#include <sys/types.h>

#include <cstdint>

#include "sched/task.h"

namespace reapsim {

// freezer.state (v1): FROZEN or THAWED. 0 or -ESRCH.
int64_t sys_cgroup_v1_freeze(pid_t pid, bool freeze);
// cgroup.freeze (v2): 1 or 0. 0 or -ESRCH.
int64_t sys_cgroup_v2_freeze(pid_t pid, bool freeze);
// 1 into cgroup.kill (v2): SIGKILL for the process. 0 or -ESRCH.
int64_t sys_cgroup_kill(pid_t pid);

// The process into cgroup.procs (v2): it is in that cgroup from now on, and so
// are the children that it has then. 0 or -ESRCH.
int64_t sys_cgroup_attach(pid_t pid, uint32_t cgroup);
// cgroup.procs read (v2): the process that stands at `index` in the list, from
// 0, as the caller's namespace knows it. Zombies are not listed. -ESRCH: so
// many are not.
int64_t sys_cgroup_procs(uint32_t cgroup, uint32_t index);
// Proposal::kCgroupPidfds: a pidfd of that process. -ENOENT: no kernel has such
// a file; -ESRCH as above; -EMFILE.
int64_t sys_cgroup_pidfds(uint32_t cgroup, uint32_t index);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_CGROUP_H_
