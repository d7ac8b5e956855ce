// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// ptrace, as far as it holds a dying task: PTRACE_SEIZE, the stop at
// PTRACE_EVENT_EXIT, signal-delivery and group stops.
//
// Source: kernel/ptrace.c, include/linux/ptrace.h, v5.15 to v7.2 without a
// difference in these.
// Simplified: access is by uid; options other than two are refused. Stubbed:
//   PTRACE_ATTACH, TRACEME, LISTEN, registers, memory, events but EXIT.
#ifndef REAPSIM_SYSCALL_PTRACE_H_
#define REAPSIM_SYSCALL_PTRACE_H_

#include <sys/types.h>

#include <cstdint>

#include "sched/task.h"

namespace reapsim {

inline constexpr int PTRACE_EVENT_EXIT = 6;
inline constexpr int PTRACE_EVENT_STOP = 128;
inline constexpr uint32_t PTRACE_O_TRACEEXIT = 1u << PTRACE_EVENT_EXIT;
inline constexpr uint32_t PTRACE_O_EXITKILL = 1u << 20;

// Takes a tracee away from its tracer and lets it go on. Caller: tasklist_lock
// for writing.
void __ptrace_unlink(task_struct* child);

using DeadList = IntrusiveList<task_struct, &task_struct::ptrace_entry>;

// A child is born: traced by its parent's tracer if CLONE_PTRACE asks for it
// and there is one. Caller: tasklist_lock for writing.
// Source: include/linux/ptrace.h.
void ptrace_init_task(task_struct* child, bool ptrace);

// Lets go of all that `tracer`, the running task, traces, killing those seized
// with EXITKILL. Puts those that are to be released afterwards (exit_state is
// EXIT_DEAD then) on `dead`. Caller: tasklist_lock for writing.
void exit_ptrace(task_struct* tracer, DeadList* dead);

// Called by do_exit(): stops the running task if its tracer asked for it. See
// ptrace_stop() in syscall/signal.h for what ends the stop. No locks held.
void ptrace_event(int event, SourceLine source = SourceLine::Current());

// ---- System calls: 0 or -errno ---------------------------------------------

// PTRACE_SEIZE of one thread. -ESRCH (no such task), -EIO (options), -EPERM
// (kernel thread, own thread group, other user, traced already, dead),
// -ERESTARTNOINTR (a signal ended a wait).
int64_t sys_ptrace_seize(pid_t pid, uint32_t options);
// PTRACE_CONT and PTRACE_DETACH: it goes on with signal `sig`, 0 for none.
// -ESRCH (not stopped for this tracer, or killed), -EIO (no such signal).
int64_t sys_ptrace_cont(pid_t pid, int sig);
int64_t sys_ptrace_detach(pid_t pid, int sig);

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_PTRACE_H_
