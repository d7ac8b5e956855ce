// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Signals: what a task does about them on its way to user mode, and the system
// calls. The sending half is in sched/signal.h.
//
// Source: kernel/signal.c, v5.15 to v7.2, in its order.
// Modelled: default actions with stops, ptrace and both freezers; core dumps.
// Simplified: a handler runs at once and returns (it is counted in
//   TaskHistory::signals_handled), so nothing is blocked while it does.
// Stubbed: process groups and sessions; kill(0) and kill(-n) find nobody.
#ifndef REAPSIM_SYSCALL_SIGNAL_H_
#define REAPSIM_SYSCALL_SIGNAL_H_

#include <sys/types.h>

#include <cstdint>

#include "sched/signal.h"
#include "sched/task.h"

namespace reapsim {

// ---- ptrace's part (called by syscall/ptrace.cc too) -----------------------

// Stops the running task for its tracer with `exit_code`, for reason `why`
// (CLD_TRAPPED, CLD_STOPPED), until it is continued or killed; returns the
// signal to go on with. Does not stop if SIGKILL is pending for it or nobody
// traces it. Caller: siglock, dropped meanwhile. Stops at kPtraceStop.
int ptrace_stop(int exit_code, int why, int info_signal);
// The same without the lock, for events. No locks held.
int ptrace_notify(int exit_code);

// ---- Delivery --------------------------------------------------------------

// Sees to the running task's signals, stops and freezes. True if a handler ran
// (or, in a PF_USER_WORKER thread, if it must end by itself); does not return
// if the task must die. No locks held. Marks kDeliverSignal.
bool get_signal();

// ---- System calls: a value or -errno ---------------------------------------

// kill(2): pid > 0 one process (any of its threads' ids will do), -1 all but
// init and the caller's. -EINVAL (no such signal), -ESRCH, -EPERM.
int64_t sys_kill(pid_t pid, int sig);
// tgkill(2): one thread. -EINVAL also for ids that are not positive.
int64_t sys_tgkill(pid_t tgid, pid_t pid, int sig);
// rt_sigaction(2): -EINVAL for no signal, SIGKILL or SIGSTOP. Pending signals
// that become ignored are forgotten. The old disposition goes to *old, if any.
int64_t sys_rt_sigaction(int sig, SigDisposition disposition,
                         SigDisposition* old = nullptr);
// rt_sigprocmask(2): how is SIG_BLOCK, SIG_UNBLOCK or SIG_SETMASK (-EINVAL
// otherwise). The old set goes to *old, if any.
int64_t sys_rt_sigprocmask(int how, sigset64 set, sigset64* old = nullptr);
// rt_sigpending(2): pending and blocked, the thread's and the group's.
sigset64 do_sigpending();

}  // namespace reapsim

#endif  // REAPSIM_SYSCALL_SIGNAL_H_
