// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Signals: sending them, and who takes them. The receiving half, what a task
// does about its signals on the way to user mode, is in syscall/signal.h.
//
// Source: kernel/signal.c, include/linux/sched/signal.h, v5.15 to v7.2.
// Differences: coredump_sets_group_exit (up to v5.16 a dumping group has
// SIGNAL_GROUP_COREDUMP only), thread_group_empty_needs_leader.
// Modelled: prepare_signal, wants_signal, complete_signal and all that they
//   decide; group stops; what a dying or stopping child tells its parent.
// Simplified: a signal that is pending is pending once (no queue of siginfo);
//   all processes are of one session and no process group is orphaned; a
//   runnable task has a CPU, a sleeper that was woken has none until it runs.
// Stubbed: signalfd, RLIMIT_SIGPENDING, capabilities other than uid 0's.
#ifndef REAPSIM_SCHED_SIGNAL_H_
#define REAPSIM_SCHED_SIGNAL_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/sched.h"
#include "sched/task.h"

namespace reapsim {

// Further bits of task_struct::jobctl; guarded by siglock.
inline constexpr uint32_t JOBCTL_STOP_DEQUEUED = 1u << 8;
inline constexpr uint32_t JOBCTL_TRAP_STOP = 1u << 9;
inline constexpr uint32_t JOBCTL_TRAP_NOTIFY = 1u << 10;
inline constexpr uint32_t JOBCTL_TRAPPING = 1u << 11;
inline constexpr uint32_t JOBCTL_PTRACE_FROZEN = 1u << 12;
inline constexpr uint32_t JOBCTL_STOP_SIGMASK = 0xffu << 24;
inline constexpr int kJobctlSignalShift = 24;
inline constexpr uint32_t JOBCTL_TRAP_MASK =
    JOBCTL_TRAP_STOP | JOBCTL_TRAP_NOTIFY;
inline constexpr uint32_t JOBCTL_PENDING_MASK =
    JOBCTL_STOP_PENDING | JOBCTL_TRAP_MASK;

// A further flag of signal_struct: the parent has yet to hear of it.
inline constexpr uint32_t SIGNAL_CLD_STOPPED = 0x00000010;
inline constexpr uint32_t SIGNAL_CLD_CONTINUED = 0x00000020;
inline constexpr uint32_t SIGNAL_CLD_MASK =
    SIGNAL_CLD_STOPPED | SIGNAL_CLD_CONTINUED;

// A thread that has stopped for a core dump; lies on its own stack.
struct core_thread {
  task_struct* task = nullptr;  // null: it may go on
  core_thread* next = nullptr;
};

// A running core dump; lies on the dumper's stack (syscall/coredump.h).
struct core_state {
  // Atomic: threads that the dumper still waits for.
  uint32_t nr_threads = 0;
  // The dumper, and behind it the threads that wait for the end of the dump.
  core_thread dumper;
};

// Who sends a signal, as the kernel's pointers and si_codes tell them apart.
enum SigInfo : uint8_t {
  SEND_SIG_NOINFO,  // the running task, by a system call: kill(2)
  SEND_SIG_PRIV,    // the kernel: reaches even a task that is unkillable
  kSigInfoFault,    // the kernel, on a fault of the running task
};

// ---- Helpers of include/linux/sched/signal.h -------------------------------

inline bool valid_signal(int sig) { return sig >= 0 && sig <= kSignals; }
// SIGKILL for this very thread, whatever TIF_SIGPENDING says.
inline bool __fatal_signal_pending(const task_struct* p) {
  return SigSetHas(p->pending, SIGKILL);
}
inline bool task_is_stopped(const task_struct* p) {
  return (p->jobctl & JOBCTL_STOPPED) != 0;
}
inline bool task_is_traced(const task_struct* p) {
  return (p->jobctl & JOBCTL_TRACED) != 0;
}
inline bool task_is_stopped_or_traced(const task_struct* p) {
  return (p->jobctl & (JOBCTL_STOPPED | JOBCTL_TRACED)) != 0;
}
// Traced by somebody who is not its parent.
inline bool ptrace_reparented(const task_struct* child) {
  return !same_thread_group(child->real_parent, child->parent);
}

// Whether no other task is linked to p's group; from v6.7 on, whether p leads
// its group and is last in it. Unreleased zombies count as members. RCU, or
// tasklist_lock, or siglock.
bool thread_group_empty(const task_struct* p,
                        SourceLine source = SourceLine::Current());

// Up to v5.16: the group is exiting, or dumping, or one of its threads execs.
inline bool signal_group_exit(const signal_struct* sig) {
  return (sig->flags & SIGNAL_GROUP_EXIT) != 0 ||
         sig->group_exec_task != nullptr;
}

// The thread after p in its group, the first after the last. p must be linked.
task_struct* next_thread(task_struct* p);

// Takes the siglock of tsk, whatever happens to it meanwhile. Null, and no lock
// held, if tsk has been released. tsk must be protected by a reference or RCU;
// a sighand_struct is freed after a grace period (__cleanup_sighand()).
sighand_struct* lock_task_sighand(task_struct* tsk,
                                  SourceLine source = SourceLine::Current());
void unlock_task_sighand(task_struct* tsk,
                         SourceLine source = SourceLine::Current());

// What the thread group does with a signal. Caller: siglock of p.
SigDisposition sig_handler(const task_struct* p, int sig);

// ---- Pending signals and waking up -----------------------------------------

// Sets TIF_SIGPENDING if t has something to see to; never clears it. Returns
// whether it has. Caller: siglock of t.
bool recalc_sigpending_tsk(task_struct* t);
// The same for the running task, and clears it if not. Caller: its siglock.
void recalc_sigpending();
// The same for another task, which is woken. Caller: its siglock.
void recalc_sigpending_and_wake(task_struct* t);
// The lowest pending signal that is not in `mask`, those that an instruction
// causes first; 0: none.
int next_signal(sigset64 pending, sigset64 mask);
// Takes the next signal that is not in `mask` for the running task, its own
// before its group's; 0: none. *type says whose it was. Caller: siglock.
int dequeue_signal(sigset64 mask, pid_type* type);

// Sets jobctl bits of `mask` unless the task is dying. Caller: siglock.
bool task_set_jobctl_pending(task_struct* task, uint32_t mask);
void task_clear_jobctl_pending(task_struct* task, uint32_t mask);
// Accounts for the running (or exiting) task in a group stop; true if that
// completes it. Caller: siglock.
bool task_participate_group_stop(task_struct* task);
// A thread that is born while its group stops takes part in that. Caller:
// siglock, held also for the parent, which is the running task.
void task_join_group_stop(task_struct* task);

// Tells t that it has a signal: TIF_SIGPENDING; a fatal one ends stops and
// traps, too. Caller: siglock of t.
void signal_wake_up(task_struct* t, bool fatal);
// The same for ptrace: `resume` ends a trap. Caller: siglock of t.
void ptrace_signal_wake_up(task_struct* t, bool resume);
// Asks a seized tracee to stop and report. Caller: siglock of t.
void ptrace_trap_notify(task_struct* t);

// Forgets pending signals of `mask`. Caller: siglock.
void flush_sigqueue_mask(sigset64 mask, sigset64* pending);

// ---- Sending ---------------------------------------------------------------

// 0, or -EINVAL (no such signal), or -EPERM: the running task is neither root,
// nor of the same user, nor of the same process; SIGCONT may go to anybody.
// A signal from the kernel is never refused. RCU.
int check_kill_permission(int sig, SigInfo info, const task_struct* t);

// Sends to a thread (PIDTYPE_PID) or its group (PIDTYPE_TGID). Always 0: a
// signal that is ignored, or comes too late, is dropped without a word.
// Charges kSignalSent. Caller: siglock of t.
int send_signal_locked(int sig, SigInfo info, task_struct* t, pid_type type);

// The same with the lock taken: 0, or -ESRCH if p has been released. A fatal
// signal that somebody wants has made the group exit when this returns.
int do_send_sig_info(int sig, SigInfo info, task_struct* p, pid_type type);

// Makes the running task take a signal that it can't refuse: a blocked one is
// unblocked, a blocked or ignored one gets its default action.
void force_sig(int sig);
// The same for a fault (SIGSEGV, SIGBUS).
void force_sig_fault(int sig);

// SIGKILL for all threads of p's group but p; returns how many there are, the
// dead ones included. Caller: siglock.
int zap_other_threads(task_struct* p);

// do_send_sig_info() behind check_kill_permission(); sig 0 only checks. RCU or
// a reference for p.
int group_send_sig_info(int sig, SigInfo info, task_struct* p, pid_type type);
// To whatever task the pid names now: 0, -ESRCH, -EPERM, -EINVAL.
int kill_pid_info(int sig, SigInfo info, pid* pid, pid_type type);

// ---- Parents ---------------------------------------------------------------

// Tells tsk's parent that it is dead, by `sig`. True if the parent does not
// care (ignores SIGCHLD): the caller then releases tsk itself. Caller:
// tasklist_lock for writing.
bool do_notify_parent(task_struct* tsk, int sig);
// Tells a parent (the tracer, or tsk's leader's real one) that it stopped or
// goes on. Caller: tasklist_lock.
void do_notify_parent_cldstop(task_struct* tsk, bool for_ptracer);

// ---- Exit ------------------------------------------------------------------

// Sets PF_EXITING of the running task: no signal wants it from here on; what
// only it would have taken goes to other threads. No locks held.
void exit_signals(task_struct* tsk);

// The blocked set of the running task: SIGKILL and SIGSTOP can't be in it.
// Signals that it blocks from now on go to other threads. No locks held.
void set_current_blocked(sigset64 newset);
// Forgets pending signals that a new disposition ignores. Caller: siglock.
void flush_ignored_signal(task_struct* p, int sig);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_SIGNAL_H_
