// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The system calls by which tasks say how they, or others, are to be
// scheduled. They show in timed mode only (sched/timed.h).
//
// Source: kernel/sched/syscalls.c (kernel/sched/core.c up to v6.10),
// kernel/sys.c:setpriority(); no difference between versions.
// Simplified: capabilities are uid 0; cpusets, SCHED_RR, deadlines, and
//   RLIMIT_NICE do not exist.
#ifndef REAPSIM_SYSCALL_SYSCALLS_H_
#define REAPSIM_SYSCALL_SYSCALLS_H_

#include <sys/types.h>

#include <cstdint>

namespace reapsim {

// The CPUs that a task may run on, by bit. 0, -ESRCH: no such task, -EPERM:
// another user's, -EINVAL: no CPU of the machine is among them.
int64_t sys_sched_setaffinity(pid_t pid, uint64_t mask);
// PRIO_PROCESS. Values beyond -20 and 19 are taken for these. 0, -ESRCH,
// -EPERM: another user's, -EACCES: a lower value without being uid 0.
int64_t sys_setpriority(pid_t pid, int nice);
// SCHED_FIFO with a priority of 1 to 99; 0: SCHED_OTHER. 0, -ESRCH, -EINVAL,
// -EPERM: not uid 0 (from FIFO back, or what changes nothing: another user's).
int64_t sys_sched_setscheduler(pid_t pid, int fifo_priority);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_SYSCALLS_H_
