// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/signal.c, in its order.

#include "syscall/signal.h"

#include <cerrno>

#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/race.h"
#include "syscall/coredump.h"
#include "syscall/exit.h"
#include "syscall/ptrace.h"

namespace reapsim {
namespace {

// What one look at the signals came to. siglock is held after all but kRelock.
enum class Look : uint8_t { kRelock, kNothing, kHandled, kFatal };

// Sleeps in a stop until nobody wants it any more. The freezer keeps a stopped
// task, too.
template <class Over>
void SleepStopped(Point point, uint32_t state, const Over& over) {
  task_struct* self = current();
  self->__state = state;
  WaitUntil(point, Access::kRead, NumberOf(&self->jobctl),
            [self, &over] { return over() && !freezing(self); });
  self->frozen = false;
  self->__state = TASK_RUNNING;
}

void NotifyParent(bool for_ptracer) {
  read_lock(tasklist_lock());
  do_notify_parent_cldstop(current(), for_ptracer);
  read_unlock(tasklist_lock());
}

// Has the group stop begin: each thread is asked to take part.
void StartGroupStop(int signr) {
  task_struct* self = current();
  signal_struct* sig = self->signal;
  const uint32_t gstop = JOBCTL_STOP_PENDING | JOBCTL_STOP_CONSUME |
                         static_cast<uint32_t>(signr) << kJobctlSignalShift;
  if ((sig->flags & SIGNAL_STOP_STOPPED) == 0) {
    PlainWrite(&sig->group_exit_code, "signal->group_exit_code");
    sig->group_exit_code = signr;
  }
  sig->group_stop_count = 0;
  if (task_set_jobctl_pending(self, gstop)) sig->group_stop_count++;
  for (task_struct& t : sig->thread_head) {
    if (&t == self || task_is_stopped(&t)) continue;
    if (!task_set_jobctl_pending(&t, gstop)) continue;
    sig->group_stop_count++;
    if ((t.ptrace & PT_SEIZED) != 0) {
      ptrace_trap_notify(&t);
    } else {
      signal_wake_up(&t, false);
    }
  }
}

// Starts a group stop for `signr`, or joins the one that is on (then `signr`
// is not looked at). True if it stopped: siglock has been dropped. A tracee
// does not stop here but in a trap, which its caller sees to.
bool do_signal_stop(int signr)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // drops siglock if it stops
  task_struct* self = current();
  if ((self->jobctl & JOBCTL_STOP_PENDING) == 0) {
    if ((self->jobctl & JOBCTL_STOP_DEQUEUED) == 0 ||
        signal_group_exit(self->signal)) {
      return false;
    }
    StartGroupStop(signr);
  }
  if (self->ptrace != 0) {
    (void)task_set_jobctl_pending(self, JOBCTL_TRAP_STOP);
    return false;
  }
  const bool last = task_participate_group_stop(self);
  self->jobctl |= JOBCTL_STOPPED;
  self->__state = TASK_STOPPED;
  spin_unlock(&self->sighand->siglock);
  if (last) NotifyParent(false);
  cgroup_enter_frozen();
  SleepStopped(Point::kDoSignalStop, TASK_STOPPED,
               [self] { return !task_is_stopped(self); });
  return true;
}

// The trap of a seized tracee: for a group stop, or to report that something
// has changed. siglock is held before and after.
void do_jobctl_trap() {
  const task_struct* self = current();
  int signr = static_cast<int>((self->jobctl & JOBCTL_STOP_SIGMASK) >>
                               kJobctlSignalShift);
  if (self->signal->group_stop_count == 0 &&
      (self->signal->flags & SIGNAL_STOP_STOPPED) == 0) {
    signr = SIGTRAP;
  }
  (void)ptrace_stop(signr | PTRACE_EVENT_STOP << 8, CLD_STOPPED, signr);
}

// Frozen by cgroup v2. TIF_SIGPENDING goes, so that the next signal wants this
// thread; one that is not fatal only makes it look and sleep again. siglock
// is held before, not after.
void do_freezer_trap()
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // drops siglock of the caller
  task_struct* self = current();
  if ((self->jobctl & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE)) !=
      JOBCTL_TRAP_FREEZE) {
    spin_unlock(&self->sighand->siglock);
    return;
  }
  self->thread_flags &= ~TIF_SIGPENDING;
  self->__state = TASK_INTERRUPTIBLE;
  spin_unlock(&self->sighand->siglock);
  cgroup_enter_frozen();
  SleepStopped(Point::kFreezerTrap, TASK_INTERRUPTIBLE, [self] {
    return signal_pending(self) || (self->jobctl & JOBCTL_TRAP_FREEZE) == 0;
  });
}

// Shows a signal to the tracer; returns what is left of it: it, another, or 0.
int ptrace_signal(int signr, pid_type type) {
  task_struct* self = current();
  // A SIGCONT while it is shown forbids the stop that may follow.
  self->jobctl |= JOBCTL_STOP_DEQUEUED;
  signr = ptrace_stop(signr, CLD_TRAPPED, signr);
  if (signr == 0) return 0;
  if (SigSetHas(self->blocked, signr) || fatal_signal_pending(self)) {
    (void)send_signal_locked(signr, SEND_SIG_NOINFO, self, type);
    return 0;
  }
  return signr;
}

// Tells the parent what a SIGCONT did while this task slept. siglock is held
// before, not after.
void ReportContinued()
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // drops siglock of the caller
  task_struct* self = current();
  self->signal->flags &= ~SIGNAL_CLD_MASK;
  spin_unlock(&self->sighand->siglock);
  NotifyParent(false);
}

bool MarkedForDeath(const signal_struct* signal) {
  return (signal->flags & SIGNAL_GROUP_EXIT) != 0 ||
         signal->group_exec_task != nullptr;
}

// Sees to pending traps, if any: true, and siglock is dropped.
bool HandleTraps()
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // drops siglock of the caller
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  if ((self->jobctl & JOBCTL_TRAP_MASK) != 0) {
    do_jobctl_trap();
    spin_unlock(&sighand->siglock);
    return true;
  }
  if ((self->jobctl & JOBCTL_TRAP_FREEZE) != 0) {
    do_freezer_trap();
    return true;
  }
  if (!cgroup_task_frozen(self)) return false;
  spin_unlock(&sighand->siglock);
  cgroup_leave_frozen(false);
  return true;
}

// The default action of a signal; kNothing: there is none, take the next.
Look DefaultAction(int signr) {
  if (sig_kernel_ignore(signr)) return Look::kNothing;
  if ((current()->signal->flags & SIGNAL_UNKILLABLE) != 0 &&
      !sig_kernel_only(signr)) {
    return Look::kNothing;
  }
  if (!sig_kernel_stop(signr)) return Look::kFatal;
  return do_signal_stop(signr) ? Look::kRelock : Look::kNothing;
}

Look ActOn(int signr) {
  task_struct* self = current();
  switch (sig_handler(self, signr)) {
    case SigDisposition::kIgnore:
      return Look::kNothing;
    case SigDisposition::kHandler:
      Here<SchedState>().task_slab.HistoryOf(self).signals_handled++;
      return Look::kHandled;
    case SigDisposition::kDefault:
      break;
  }
  return DefaultAction(signr);
}

// The loop of get_signal(), with siglock held; *signr is set for kFatal.
Look LookAtSignals(int* signr) {
  task_struct* self = current();
  for (;;) {
    if (MarkedForDeath(self->signal)) {
      *signr = SIGKILL;
      self->pending &= ~SigBit(SIGKILL);
      recalc_sigpending();
      return Look::kFatal;
    }
    if ((self->jobctl & JOBCTL_STOP_PENDING) != 0 && do_signal_stop(0)) {
      return Look::kRelock;
    }
    if (HandleTraps()) return Look::kRelock;
    pid_type type = PIDTYPE_PID;
    *signr = dequeue_signal(self->blocked, &type);
    if (*signr == 0) return Look::kNothing;
    if (self->ptrace != 0 && *signr != SIGKILL) {
      *signr = ptrace_signal(*signr, type);
      if (*signr == 0) continue;
    }
    const Look look = ActOn(*signr);
    if (look != Look::kNothing) return look;
  }
}

// Does not return, but in a PF_USER_WORKER thread, which ends by itself.
void DieOf(int signr) {
  task_struct* self = current();
  if (cgroup_task_frozen(self)) cgroup_leave_frozen(true);
  self->flags |= PF_SIGNALED;
  if (sig_kernel_coredump(signr)) do_coredump(signr);
  if ((self->flags & PF_USER_WORKER) == 0) do_group_exit(signr);
}

int kill_something_info(int sig, pid_t pid) {
  if (pid > 0) {
    rcu_read_lock();
    const int ret =
        kill_pid_info(sig, SEND_SIG_NOINFO, find_vpid(pid), PIDTYPE_TGID);
    rcu_read_unlock();
    return ret;
  }
  if (pid != -1) return -ESRCH;
  int ret = 0;
  bool found = false;
  read_lock(tasklist_lock());
  for (task_struct& p : Here<SchedState>().tasks) {
    if (task_pid_vnr(&p) <= 1 || same_thread_group(&p, current())) continue;
    const int error =
        group_send_sig_info(sig, SEND_SIG_NOINFO, &p, PIDTYPE_TGID);
    found = true;
    if (error != -EPERM) ret = error;
  }
  read_unlock(tasklist_lock());
  return found ? ret : -ESRCH;
}

int do_send_specific(pid_t tgid, pid_t pid, int sig) {
  int error = -ESRCH;
  rcu_read_lock();
  task_struct* p = find_task_by_vpid(pid);
  if (p != nullptr && task_tgid_vnr(p) == tgid) {
    error = group_send_sig_info(sig, SEND_SIG_NOINFO, p, PIDTYPE_PID);
    // Released meanwhile: as if it had died of the signal.
    if (error == -ESRCH) error = 0;
  }
  rcu_read_unlock();
  return error;
}

}  // namespace

int ptrace_stop(int exit_code, int why, int info_signal)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // drops and retakes the caller's siglock
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  if (self->ptrace == 0 || __fatal_signal_pending(self)) return exit_code;
  self->__state = TASK_TRACED;
  self->jobctl |= JOBCTL_TRACED;
  self->last_siginfo = info_signal;
  self->exit_code = exit_code;
  const bool gstop_done = why == CLD_STOPPED &&
                          (self->jobctl & JOBCTL_STOP_PENDING) != 0 &&
                          task_participate_group_stop(self);
  task_clear_jobctl_pending(self, JOBCTL_TRAP_STOP);
  if (exit_code >> 8 == PTRACE_EVENT_STOP) {
    task_clear_jobctl_pending(self, JOBCTL_TRAP_NOTIFY);
  }
  self->jobctl &= ~JOBCTL_TRAPPING;
  spin_unlock(&sighand->siglock);
  read_lock(tasklist_lock());
  if (self->ptrace != 0) do_notify_parent_cldstop(self, true);
  if (gstop_done && (self->ptrace == 0 || ptrace_reparented(self))) {
    do_notify_parent_cldstop(self, false);
  }
  read_unlock(tasklist_lock());
  cgroup_enter_frozen();
  SleepStopped(Point::kPtraceStop, TASK_TRACED,
               [self] { return !task_is_traced(self); });
  cgroup_leave_frozen(true);
  spin_lock(&sighand->siglock);
  exit_code = self->exit_code;
  self->last_siginfo = 0;
  self->exit_code = 0;
  self->jobctl &= ~JOBCTL_PTRACE_FROZEN;
  (void)recalc_sigpending_tsk(self);
  return exit_code;
}

int ptrace_notify(int exit_code) {
  sighand_struct* sighand = current()->sighand;
  spin_lock(&sighand->siglock);
  const int signr = ptrace_stop(exit_code, CLD_TRAPPED, SIGTRAP);
  spin_unlock(&sighand->siglock);
  return signr;
}

bool get_signal()
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // Look::kRelock: siglock was dropped
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  Mark(Point::kDeliverSignal);
  if (!signal_pending(self)) return false;
  (void)try_to_freeze();
  for (;;) {
    spin_lock(&sighand->siglock);
    if ((self->signal->flags & SIGNAL_CLD_MASK) != 0) {
      ReportContinued();
      continue;
    }
    int signr = 0;
    const Look look = LookAtSignals(&signr);
    if (look == Look::kRelock) continue;
    spin_unlock(&sighand->siglock);
    if (look == Look::kFatal) DieOf(signr);
    return look != Look::kNothing;
  }
}

int64_t sys_kill(pid_t pid, int sig) { return kill_something_info(sig, pid); }

int64_t sys_tgkill(pid_t tgid, pid_t pid, int sig) {
  if (pid <= 0 || tgid <= 0) return -EINVAL;
  return do_send_specific(tgid, pid, sig);
}

int64_t sys_rt_sigaction(int sig, SigDisposition disposition,
                         SigDisposition* old) {
  if (!valid_signal(sig) || sig < 1 || sig_kernel_only(sig)) return -EINVAL;
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  spin_lock(&sighand->siglock);
  if (old != nullptr) *old = sighand->action[sig];
  sighand->action[sig] = disposition;
  flush_ignored_signal(self, sig);
  spin_unlock(&sighand->siglock);
  return 0;
}

int64_t sys_rt_sigprocmask(int how, sigset64 set, sigset64* old) {
  const sigset64 before = current()->blocked;
  sigset64 after = 0;
  switch (how) {
    case SIG_BLOCK:
      after = before | set;
      break;
    case SIG_UNBLOCK:
      after = before & ~set;
      break;
    case SIG_SETMASK:
      after = set;
      break;
    default:
      return -EINVAL;
  }
  set_current_blocked(after);
  if (old != nullptr) *old = before;
  return 0;
}

sigset64 do_sigpending() {
  task_struct* self = current();
  sighand_struct* sighand = self->sighand;
  spin_lock(&sighand->siglock);
  const sigset64 pending = self->pending | self->signal->shared_pending;
  spin_unlock(&sighand->siglock);
  return pending & self->blocked;
}

}  // namespace reapsim
