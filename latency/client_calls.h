// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// System calls that only the daemons of latency/ make, and the wait of a task
// that finds no memory. For code that runs as a task.
#ifndef REAPSIM_LATENCY_CLIENT_CALLS_H_
#define REAPSIM_LATENCY_CLIENT_CALLS_H_

#include <sys/types.h>

#include <cstdint>

#include "syscall/result.h"

namespace reapsim {

// poll(2) for one pidfd: 1 if its process is dead, every thread of it, or dies
// before the time is up; 0: it does not. -EBADF, -EINTR. Source:
// fs/pidfs.c:pidfd_poll().
SysResult PollPidfd(int pidfd, uint64_t timeout_ns);

// cgroup.procs read in one go: how many of its processes were put into `pids`,
// at most `most`.
SysResult ListCgroup(uint32_t cgroup, pid_t* pids, int most);
// 1 into cgroup.kill: every process of the list that read would give gets
// SIGKILL. 0.
SysResult KillCgroup(uint32_t cgroup);
// 1 into cgroup.freeze, likewise.
SysResult FreezeCgroup(uint32_t cgroup);
// 1 into the cgroup.kill of a process that has a cgroup to itself. 0, -ESRCH.
SysResult KillOwnCgroup(pid_t pid);

// A page fault's way into the allocator's slow path where nothing is left that
// could be reclaimed: sleeps, uninterruptibly, until `pages` are free.
void WaitForFree(uint64_t pages);

// Page faults on anonymous memory, in a row: one charge for all of them.
// REQUIRES: so many pages are free.
void FaultIn(uint64_t addr, uint64_t pages);

}  // namespace reapsim

#endif  // REAPSIM_LATENCY_CLIENT_CALLS_H_
