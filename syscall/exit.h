// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// How tasks end, and how their parents learn of it.
//
// Source: kernel/exit.c, v5.15 to v7.2. Differences: guarantees_group_exit
// (v6.1: the last thread in exit(2) makes it a group exit),
// group_exit_one_siglock_section (v6.15: one section with the core dump's),
// coredump_waits_in_exit_mm (up to v5.15).
// Modelled: do_exit() in the kernel's order, exit_mm(), reparenting,
// notification, zombies and their release, wait4() and waitid().
// Simplified: choice of an mm's next owner. Stubbed: process groups, sessions,
// accounting, subreapers.
#ifndef REAPSIM_SYSCALL_EXIT_H_
#define REAPSIM_SYSCALL_EXIT_H_

#include <sys/types.h>

#include <cstdint>

#include "sched/task.h"

namespace reapsim {

// Ends the running task. `code` is a wait status: exit(n) is n << 8, death by
// a signal is its number. No locks held. Passes the marks kDoExit,
// kPtraceEventExit (nothing done but the group-exit part), kExitSignals
// (PF_EXITING clear), kExitSignalsDone (set), kExitMm, kExitMmRelease,
// kExitMmCleared (mm is NULL, its user count not yet dropped), kExitFiles,
// kExitNotify, kZombie (exit_state set), in this order.
// Source: kernel/exit.c:do_exit().
[[noreturn]] void do_exit(int code);

// Ends all threads of the running task's group; `exit_code` as above, unless
// the group is ending already. Source: kernel/exit.c:do_group_exit().
[[noreturn]] void do_group_exit(int exit_code);

// exit(2) as the kernel has it (one thread) and exit_group(2).
[[noreturn]] void sys_exit(int error_code);
[[noreturn]] void sys_exit_group(int error_code);

// Takes a dead task (exit_state EXIT_DEAD) out of all lists and drops the
// reference that its parent's view of it holds; a zombie leader whose last
// thread it was may be released with it. No locks held.
// Source: kernel/exit.c:release_task().
void release_task(task_struct* p);

// Drops a reference that keeps the task visible; the last one of two (its
// release, its last switch) frees it after a grace period.
// Source: kernel/exit.c:put_task_struct_rcu_user().
void put_task_struct_rcu_user(task_struct* task);

// Gives an mm that the running task is leaving another owner, or none.
// Source: kernel/exit.c:mm_update_next_owner().
void mm_update_next_owner(mm_struct* mm);

// True for a group leader that must stay until its threads are gone. Caller:
// tasklist_lock. Source: include/linux/sched/signal.h.
bool delay_group_leader(const task_struct* p);

// What waitid() tells of a child; pid 0 if WNOHANG found nothing.
struct waitid_info {
  pid_t pid = 0;
  uid_t uid = 0;
  int status = 0;
  int cause = 0;  // CLD_*
};

// wait4(2): the child's pid with its status in *stat (which may be null), or 0
// (WNOHANG, none ready), or -ECHILD (no such child), -EINVAL (options),
// -ERESTARTSYS (a signal ended the wait). Children by pid (upid > 0) or any
// (-1, and 0, all being of one process group); upid < -1: -ECHILD.
// Source: kernel/exit.c:kernel_wait4().
int64_t sys_wait4(pid_t upid, int* stat, int options);

// waitid(2): 0 with *info filled in, or an error as above; also -EBADF (no
// such pidfd) and -EAGAIN (a non-blocking pidfd whose process lives). `which`
// is P_ALL, P_PID or P_PIDFD. Source: kernel/exit.c:kernel_waitid().
int64_t sys_waitid(int which, pid_t upid, waitid_info* info, int options);

// Kills all of a pid namespace whose init, the running task, is ending, and
// waits until they are gone. Source:
// kernel/pid_namespace.c:zap_pid_ns_processes().
void zap_pid_ns_processes(pid_namespace* pid_ns);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_EXIT_H_
