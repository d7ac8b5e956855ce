// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Writing to cgroup files: both freezers, cgroup.kill.
//
// Source: kernel/cgroup/cgroup.c, legacy_freezer.c, freezer.c; no difference
// between versions here. Simplified: each process has cgroups of its own; any
// task may write to their files. `pid` is a process in the caller's namespace.
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

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_CGROUP_H_
