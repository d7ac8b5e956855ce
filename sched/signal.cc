// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/signal.c, in its order.

#include "sched/signal.h"

#include <cerrno>

#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/race.h"
#include "sched/sched.h"

namespace reapsim {
namespace {

// Signals that an instruction of the task itself causes.
constexpr sigset64 kSynchronous = SigBit(SIGSEGV) | SigBit(SIGBUS) |
                                  SigBit(SIGILL) | SigBit(SIGTRAP) |
                                  SigBit(SIGFPE) | SigBit(SIGSYS);

// The kernel's lockdep_assert_held().
void AssertSiglockHeld(const task_struct* t) {
  REAP_CHECK(t->sighand->siglock.owner == Here<EngineState>().current->id + 1,
             "signal: siglock is not held");
}

// Writes signal->flags, which others read without siglock.
void WriteSignalFlags(signal_struct* signal, uint32_t flags) {
  MayTouchSignals();
  SchedulePoint(Point::kSignalFlagsWrite, Access::kWrite,
                NumberOf(&signal->flags));
  PlainWrite(&signal->flags, "signal->flags");
  signal->flags = flags;
  Touch();
}

// include/linux/sched/signal.h:signal_set_stop_flags()
void SetStopFlags(signal_struct* signal, uint32_t flags) {
  constexpr uint32_t kStopMask =
      SIGNAL_CLD_MASK | SIGNAL_STOP_STOPPED | SIGNAL_STOP_CONTINUED;
  WriteSignalFlags(signal, (signal->flags & ~kStopMask) | flags);
}

bool sig_handler_ignored(SigDisposition handler, int sig) {
  return handler == SigDisposition::kIgnore ||
         (handler == SigDisposition::kDefault && sig_kernel_ignore(sig));
}

bool sig_task_ignored(const task_struct* t, int sig, bool force) {
  const SigDisposition handler = sig_handler(t, sig);
  // Kernel threads ignore everything unless they ask; none of ours asks.
  if ((t->flags & PF_KTHREAD) != 0) return true;
  if (is_global_init(t) && sig_kernel_only(sig)) return true;
  if ((t->signal->flags & SIGNAL_UNKILLABLE) != 0 &&
      handler == SigDisposition::kDefault && !(force && sig_kernel_only(sig))) {
    return true;
  }
  return sig_handler_ignored(handler, sig);
}

// A blocked signal is never ignored: its action may change before it is
// unblocked. A tracer sees what its tracee ignores, but for SIGKILL.
bool sig_ignored(const task_struct* t, int sig, bool force) {
  if (SigSetHas(t->blocked, sig)) return false;
  if (t->ptrace != 0 && sig != SIGKILL) return false;
  return sig_task_ignored(t, sig, force);
}

bool si_fromuser(SigInfo info) { return info == SEND_SIG_NOINFO; }

bool kill_ok_by_cred(const task_struct* t) {
  const task_struct* self = current();
  return self->uid == 0 || self->uid == t->uid;
}

void FlushGroup(task_struct* p, sigset64 mask) {
  flush_sigqueue_mask(mask, &p->signal->shared_pending);
  for (task_struct& t : p->signal->thread_head) {
    flush_sigqueue_mask(mask, &t.pending);
  }
}

// SIGCONT wakes everybody as it is sent, whatever becomes of it later.
void ContinueGroup(task_struct* p) {
  signal_struct* signal = p->signal;
  FlushGroup(p, kSigStop);
  for (task_struct& t : signal->thread_head) {
    task_clear_jobctl_pending(&t, JOBCTL_STOP_PENDING);
    if ((t.ptrace & PT_SEIZED) != 0) {
      ptrace_trap_notify(&t);
    } else {
      t.jobctl &= ~JOBCTL_STOPPED;
    }
  }
  uint32_t why = 0;
  if ((signal->flags & SIGNAL_STOP_STOPPED) != 0) {
    why = SIGNAL_CLD_CONTINUED;
  } else if (signal->group_stop_count != 0) {
    why = SIGNAL_CLD_STOPPED;
  }
  if (why == 0) return;
  SetStopFlags(signal, why | SIGNAL_STOP_CONTINUED);
  PlainWrite(&signal->group_exit_code, "signal->group_exit_code");
  signal->group_stop_count = 0;
  signal->group_exit_code = 0;
}

// Whether a group that is ending takes this signal all the same: SIGKILL does
// end a core dump.
bool EndingGroupTakes(const signal_struct* signal, int sig) {
  if (!differences().coredump_sets_group_exit) {
    return (signal->flags & SIGNAL_GROUP_EXIT) == 0 && sig == SIGKILL;
  }
  PlainRead(&signal->core_state, "signal->core_state");
  return signal->core_state != nullptr && sig == SIGKILL;
}

// What a stop or continue signal does at once, and whether the signal goes any
// further.
bool prepare_signal(int sig, task_struct* p, bool force) {
  signal_struct* signal = p->signal;
  PlainRead(&signal->flags, "signal->flags");
  if ((signal->flags & (SIGNAL_GROUP_EXIT | SIGNAL_GROUP_COREDUMP)) != 0) {
    return EndingGroupTakes(signal, sig);
  }
  if (sig_kernel_stop(sig)) {
    FlushGroup(p, SigBit(SIGCONT));
  } else if (sig == SIGCONT) {
    ContinueGroup(p);
  }
  return !sig_ignored(p, sig, force);
}

// On a CPU, as far as the model has CPUs: a sleeper that was woken is not,
// until it runs.
bool task_curr(const task_struct* p) {
  return p == current() || p->__state == TASK_RUNNING;
}

bool wants_signal(int sig, const task_struct* p) {
  if (SigSetHas(p->blocked, sig)) return false;
  if ((p->flags & PF_EXITING) != 0) return false;
  if (sig == SIGKILL) return true;
  if (task_is_stopped_or_traced(p)) return false;
  return task_curr(p) || !signal_pending(p);
}

// Who takes it: the task it was sent to, else the first of the group that
// wants it, from the one that took the last such signal. Null: nobody now.
task_struct* ChooseThread(int sig, task_struct* p, pid_type type) {
  if (wants_signal(sig, p)) return p;
  if (type == PIDTYPE_PID || thread_group_empty(p)) return nullptr;
  signal_struct* signal = p->signal;
  task_struct* t = signal->curr_target;
  while (!wants_signal(sig, t)) {
    t = next_thread(t);
    if (t == signal->curr_target) return nullptr;
  }
  signal->curr_target = t;
  return t;
}

bool sig_fatal(const task_struct* p, int sig) {
  return (SigBit(sig) & (kSigIgnoredByDefault | kSigStop)) == 0 &&
         sig_handler(p, sig) == SigDisposition::kDefault;
}

// The whole group starts to die, in the sender's context.
void StartGroupExit(signal_struct* signal, int sig) {
  WriteSignalFlags(signal, SIGNAL_GROUP_EXIT);
  PlainWrite(&signal->group_exit_code, "signal->group_exit_code");
  signal->group_exit_code = sig;
  signal->group_stop_count = 0;
  for (task_struct& t : signal->thread_head) {
    task_clear_jobctl_pending(&t, JOBCTL_PENDING_MASK);
    t.pending |= SigBit(SIGKILL);
    signal_wake_up(&t, true);
  }
}

void complete_signal(int sig, task_struct* p, pid_type type) {
  task_struct* t = ChooseThread(sig, p, type);
  if (t == nullptr) return;
  // A group that ends already is here only with SIGKILL, for its core dump.
  if (sig_fatal(p, sig) && (sig == SIGKILL || p->ptrace == 0) &&
      !sig_kernel_coredump(sig)) {
    StartGroupExit(p->signal, sig);
    return;
  }
  signal_wake_up(t, sig == SIGKILL);
}

bool legacy_queue(sigset64 pending, int sig) {
  return sig < SIGRTMIN && SigSetHas(pending, sig);
}

int __send_signal_locked(int sig, task_struct* t, pid_type type, bool force) {
  AssertSiglockHeld(t);
  if (!prepare_signal(sig, t, force)) return 0;
  sigset64* pending =
      type == PIDTYPE_PID ? &t->pending : &t->signal->shared_pending;
  if (legacy_queue(*pending, sig)) return 0;
  *pending |= SigBit(sig);
  complete_signal(sig, t, type);
  return 0;
}

void force_sig_info_to_current(int sig, SigInfo info)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // action: by send_signal_locked(), too
  task_struct* t = current();
  sighand_struct* sighand = t->sighand;
  spin_lock(&sighand->siglock);
  SigDisposition& action = sighand->action[sig];
  const bool blocked = SigSetHas(t->blocked, sig);
  if (blocked || action == SigDisposition::kIgnore) {
    action = SigDisposition::kDefault;
    t->blocked &= ~SigBit(sig);
  }
  // A tracer must not make an init killable by looking at it.
  if (action == SigDisposition::kDefault && t->ptrace == 0 &&
      (t->signal->flags & SIGNAL_UNKILLABLE) != 0) {
    WriteSignalFlags(t->signal, t->signal->flags & ~SIGNAL_UNKILLABLE);
  }
  (void)send_signal_locked(sig, info, t, PIDTYPE_PID);
  // It may have been pending, blocked.
  if (!signal_pending(t)) signal_wake_up(t, false);
  spin_unlock(&sighand->siglock);
}

bool ParentIgnores(task_struct* parent)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(parent->sighand->siglock) {
  return parent->sighand->action[SIGCHLD] == SigDisposition::kIgnore;
}

// Wakes threads that may take, in tsk's place, the group's pending signals of
// `which`.
void retarget_shared_pending(task_struct* tsk, sigset64 which) {
  signal_struct* signal = tsk->signal;
  if ((signal->flags & SIGNAL_GROUP_EXIT) != 0) return;
  sigset64 retarget = signal->shared_pending & which;
  if (retarget == 0) return;
  for (task_struct& t : signal->thread_head) {
    if (&t == tsk || (t.flags & PF_EXITING) != 0) continue;
    if ((retarget & ~t.blocked) == 0) continue;
    retarget &= t.blocked;
    if (!signal_pending(&t)) signal_wake_up(&t, false);
    if (retarget == 0) break;
  }
}

void SetExiting(task_struct* tsk) {
  SchedulePoint(Point::kTaskFlagsWrite, Access::kWrite, NumberOf(&tsk->flags));
  tsk->flags |= PF_EXITING;
  Touch();
}

// Nobody can be looking for another thread to take a signal.
bool NobodyToRetargetTo(task_struct* tsk) {
  if (thread_group_empty(tsk)) return true;
  return differences().coredump_sets_group_exit
             ? (tsk->signal->flags & SIGNAL_GROUP_EXIT) != 0
             : signal_group_exit(tsk->signal);
}

}  // namespace

bool thread_group_empty(const task_struct* p, SourceLine source) {
  // The list changes under tasklist_lock and siglock; OOM code reads it under
  // neither.
  const ThreadList& threads = p->signal->thread_head;
  SchedulePoint(Point::kRacyRead, Access::kRead, NumberOf(&threads), source);
  if (!RootOf<EngineState>(p).differences.thread_group_empty_needs_leader) {
    for (const task_struct& t : threads) {
      if (&t != p) return false;
    }
    return true;
  }
  return thread_group_leader(p) && !threads.empty() ? &threads.back() == p
                                                    : thread_group_leader(p);
}

task_struct* next_thread(task_struct* p) {
  ThreadList& threads = p->signal->thread_head;
  auto it = threads.iterator_to(*p);
  ++it;
  return it == threads.end() ? &threads.front() : &*it;
}

sighand_struct* lock_task_sighand(task_struct* tsk, SourceLine source)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // returns holding siglock
  rcu_read_lock();
  sighand_struct* sighand = nullptr;
  for (;;) {
    sighand = READ_ONCE(tsk->sighand, source);
    if (sighand == nullptr) break;
    spin_lock(&sighand->siglock, source);
    // de_thread() may have replaced it, __exit_signal() taken it away.
    if (sighand == tsk->sighand) break;
    spin_unlock(&sighand->siglock, source);
  }
  rcu_read_unlock();
  return sighand;
}

void unlock_task_sighand(task_struct* tsk, SourceLine source)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // of lock_task_sighand()
  spin_unlock(&tsk->sighand->siglock, source);
}

SigDisposition sig_handler(const task_struct* p, int sig)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {  // held under another name; see check
  AssertSiglockHeld(p);
  return p->sighand->action[sig];
}

bool recalc_sigpending_tsk(task_struct* t) {
  if ((t->jobctl & (JOBCTL_PENDING_MASK | JOBCTL_TRAP_FREEZE)) == 0 &&
      (t->pending & ~t->blocked) == 0 &&
      (t->signal->shared_pending & ~t->blocked) == 0 &&
      !cgroup_task_frozen(t)) {
    return false;
  }
  t->thread_flags |= TIF_SIGPENDING;
  return true;
}

void recalc_sigpending() {
  task_struct* self = current();
  if (!recalc_sigpending_tsk(self) && !freezing(self)) {
    self->thread_flags &= ~TIF_SIGPENDING;
  }
}

void recalc_sigpending_and_wake(task_struct* t) {
  if (recalc_sigpending_tsk(t)) signal_wake_up(t, false);
}

int next_signal(sigset64 pending, sigset64 mask) {
  sigset64 ready = pending & ~mask;
  if (ready == 0) return 0;
  if ((ready & kSynchronous) != 0) ready &= kSynchronous;
  return __builtin_ctzll(ready) + 1;
}

int dequeue_signal(sigset64 mask, pid_type* type) {
  task_struct* self = current();
  AssertSiglockHeld(self);
  *type = PIDTYPE_PID;
  sigset64* from = &self->pending;
  int sig = next_signal(*from, mask);
  if (sig == 0) {
    *type = PIDTYPE_TGID;
    from = &self->signal->shared_pending;
    sig = next_signal(*from, mask);
  }
  if (sig != 0) *from &= ~SigBit(sig);
  recalc_sigpending();
  // A SIGCONT that comes before the stop clears this mark.
  if (sig != 0 && sig_kernel_stop(sig)) self->jobctl |= JOBCTL_STOP_DEQUEUED;
  return sig;
}

bool task_set_jobctl_pending(task_struct* task, uint32_t mask) {
  if (fatal_signal_pending(task) || (task->flags & PF_EXITING) != 0) {
    return false;
  }
  if ((mask & JOBCTL_STOP_SIGMASK) != 0) task->jobctl &= ~JOBCTL_STOP_SIGMASK;
  task->jobctl |= mask;
  return true;
}

void task_clear_jobctl_pending(task_struct* task, uint32_t mask) {
  if ((mask & JOBCTL_STOP_PENDING) != 0) {
    mask |= JOBCTL_STOP_CONSUME | JOBCTL_STOP_DEQUEUED;
  }
  task->jobctl &= ~mask;
  if ((task->jobctl & JOBCTL_PENDING_MASK) == 0) {
    task->jobctl &= ~JOBCTL_TRAPPING;
  }
}

bool task_participate_group_stop(task_struct* task) {
  signal_struct* sig = task->signal;
  const bool consume = (task->jobctl & JOBCTL_STOP_CONSUME) != 0;
  task_clear_jobctl_pending(task, JOBCTL_STOP_PENDING);
  if (!consume) return false;
  if (sig->group_stop_count > 0) sig->group_stop_count--;
  if (sig->group_stop_count != 0 || (sig->flags & SIGNAL_STOP_STOPPED) != 0) {
    return false;
  }
  SetStopFlags(sig, SIGNAL_STOP_STOPPED);
  return true;
}

void task_join_group_stop(task_struct* task) {
  const uint32_t signr = current()->jobctl & JOBCTL_STOP_SIGMASK;
  signal_struct* sig = current()->signal;
  uint32_t mask = JOBCTL_STOP_PENDING;
  if (sig->group_stop_count != 0) {
    sig->group_stop_count++;
    mask |= JOBCTL_STOP_CONSUME;
  } else if ((sig->flags & SIGNAL_STOP_STOPPED) == 0) {
    return;
  }
  // Its first step looks at signals and stops.
  (void)task_set_jobctl_pending(task, mask | signr);
  task->thread_flags |= TIF_SIGPENDING;
}

void signal_wake_up(task_struct* t, bool fatal) {
  AssertSiglockHeld(t);
  MayTouchSignals();
  if (fatal && (t->jobctl & JOBCTL_PTRACE_FROZEN) == 0) {
    t->jobctl &= ~(JOBCTL_STOPPED | JOBCTL_TRACED);
  }
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&t->thread_flags));
  t->thread_flags |= TIF_SIGPENDING;
}

void ptrace_signal_wake_up(task_struct* t, bool resume) {
  if (resume) t->jobctl &= ~JOBCTL_TRACED;
  signal_wake_up(t, false);
}

void ptrace_trap_notify(task_struct* t) {
  (void)task_set_jobctl_pending(t, JOBCTL_TRAP_NOTIFY);
  ptrace_signal_wake_up(t, false);
}

void flush_sigqueue_mask(sigset64 mask, sigset64* pending) {
  *pending &= ~mask;
}

int check_kill_permission(int sig, SigInfo info, const task_struct* t) {
  if (!valid_signal(sig)) return -EINVAL;
  if (!si_fromuser(info)) return 0;
  if (same_thread_group(current(), t) || kill_ok_by_cred(t)) return 0;
  // Everybody is of one session.
  return sig == SIGCONT ? 0 : -EPERM;
}

int send_signal_locked(int sig, SigInfo info, task_struct* t, pid_type type) {
  Charge(Cost::kSignalSent, 1);
  // SIGKILL and SIGSTOP reach the init of a pid namespace from outside only:
  // from where the sender has no number in it.
  bool force = info == SEND_SIG_PRIV;
  if (info == SEND_SIG_NOINFO) {
    force = task_pid_nr_ns(current(), task_active_pid_ns(t)) == 0;
  }
  return __send_signal_locked(sig, t, type, force);
}

int do_send_sig_info(int sig, SigInfo info, task_struct* p, pid_type type) {
  if (lock_task_sighand(p) == nullptr) return -ESRCH;
  const int ret = send_signal_locked(sig, info, p, type);
  unlock_task_sighand(p);
  return ret;
}

void force_sig(int sig) { force_sig_info_to_current(sig, SEND_SIG_PRIV); }
void force_sig_fault(int sig) { force_sig_info_to_current(sig, kSigInfoFault); }

int zap_other_threads(task_struct* p) {
  int count = 0;
  p->signal->group_stop_count = 0;
  task_clear_jobctl_pending(p, JOBCTL_PENDING_MASK);
  for (task_struct& t : p->signal->thread_head) {
    if (&t == p) continue;
    task_clear_jobctl_pending(&t, JOBCTL_PENDING_MASK);
    count++;
    if (t.exit_state != 0) continue;
    t.pending |= SigBit(SIGKILL);
    signal_wake_up(&t, true);
  }
  return count;
}

int group_send_sig_info(int sig, SigInfo info, task_struct* p, pid_type type) {
  rcu_read_lock();
  const int ret = check_kill_permission(sig, info, p);
  rcu_read_unlock();
  if (ret != 0 || sig == 0) return ret;
  return do_send_sig_info(sig, info, p, type);
}

int kill_pid_info(int sig, SigInfo info, pid* pid, pid_type type) {
  for (;;) {
    rcu_read_lock();
    task_struct* p = pid_task(pid, PIDTYPE_PID);
    const int error =
        p == nullptr ? -ESRCH : group_send_sig_info(sig, info, p, type);
    rcu_read_unlock();
    // Released meanwhile: gone for good, or exec has put another in its place.
    if (p == nullptr || error != -ESRCH) return error;
  }
}

bool do_notify_parent(task_struct* tsk, int sig) {
  bool autoreap = false;
  task_struct* parent = tsk->parent;
  spin_lock(&parent->sighand->siglock);
  if (tsk->ptrace == 0 && sig == SIGCHLD && ParentIgnores(parent)) {
    autoreap = true;
    sig = 0;
  }
  if (sig > 0) (void)__send_signal_locked(sig, parent, PIDTYPE_TGID, false);
  spin_unlock(&parent->sighand->siglock);
  return autoreap;
}

void do_notify_parent_cldstop(task_struct* tsk, bool for_ptracer) {
  task_struct* parent =
      for_ptracer ? tsk->parent : tsk->group_leader->real_parent;
  spin_lock(&parent->sighand->siglock);
  if (!ParentIgnores(parent)) {
    (void)__send_signal_locked(SIGCHLD, parent, PIDTYPE_TGID, false);
  }
  spin_unlock(&parent->sighand->siglock);
}

void exit_signals(task_struct* tsk) {
  if (NobodyToRetargetTo(tsk)) {
    SetExiting(tsk);
    return;
  }
  bool group_stop = false;
  spin_lock(&tsk->sighand->siglock);
  SetExiting(tsk);
  if (signal_pending(tsk)) {
    retarget_shared_pending(tsk, ~tsk->blocked);
    group_stop = (tsk->jobctl & JOBCTL_STOP_PENDING) != 0 &&
                 task_participate_group_stop(tsk);
  }
  spin_unlock(&tsk->sighand->siglock);
  if (!group_stop) return;
  read_lock(tasklist_lock());
  do_notify_parent_cldstop(tsk, false);
  read_unlock(tasklist_lock());
}

void set_current_blocked(sigset64 newset) {
  task_struct* self = current();
  newset &= ~(SigBit(SIGKILL) | SigBit(SIGSTOP));
  sighand_struct* sighand = self->sighand;
  spin_lock(&sighand->siglock);
  if (signal_pending(self) && !thread_group_empty(self)) {
    retarget_shared_pending(self, newset & ~self->blocked);
  }
  self->blocked = newset;
  recalc_sigpending();
  spin_unlock(&sighand->siglock);
}

void flush_ignored_signal(task_struct* p, int sig) {
  if (sig_handler_ignored(sig_handler(p, sig), sig)) FlushGroup(p, SigBit(sig));
}

}  // namespace reapsim
