// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/ptrace.c, in its order.

#include "syscall/ptrace.h"

#include <signal.h>

#include <cerrno>

#include "mm/fork.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "syscall/signal.h"

namespace reapsim {
namespace {

void ptrace_link(task_struct* child, task_struct* new_parent) {
  new_parent->ptraced.push_front(*child);
  child->parent = new_parent;
}

// The task in the caller's namespace, with a reference, or null.
task_struct* find_get_task_by_vpid(pid_t nr) {
  rcu_read_lock();
  task_struct* task = find_task_by_vpid(nr);
  if (task != nullptr) get_task_struct(task);
  rcu_read_unlock();
  return task;
}

// PTRACE_MODE_ATTACH, as far as uids decide it. Caller: task_lock.
int __ptrace_may_access(const task_struct* task) {
  const task_struct* self = current();
  if (same_thread_group(task, self)) return 0;
  return self->uid == 0 || self->uid == task->uid ? 0 : -EPERM;
}

// Keeps a stopped tracee stopped, whatever signal comes, while its tracer
// works on it. False if it is not stopped or is being killed.
bool ptrace_freeze_traced(task_struct* task) {
  spin_lock(&task->sighand->siglock);
  const bool ret = task_is_traced(task) && !__fatal_signal_pending(task);
  if (ret) task->jobctl |= JOBCTL_PTRACE_FROZEN;
  spin_unlock(&task->sighand->siglock);
  return ret;
}

void ptrace_unfreeze_traced(task_struct* task) {
  if (lock_task_sighand(task) == nullptr) return;
  task->jobctl &= ~JOBCTL_PTRACE_FROZEN;
  if (__fatal_signal_pending(task)) task->jobctl &= ~JOBCTL_TRACED;
  unlock_task_sighand(task);
}

// Whether the running task traces `child` and has it stopped; then it is
// frozen so.
bool ptrace_check_attach(task_struct* child) {
  read_lock(tasklist_lock());
  const bool ret = child->ptrace != 0 && child->parent == current() &&
                   ptrace_freeze_traced(child);
  read_unlock(tasklist_lock());
  return ret;
}

// A tracee that is in a group stop moves on to a trap, which its tracer can
// work on. Caller: tasklist_lock for writing.
void ptrace_set_stopped(task_struct* task) {
  spin_lock(&task->sighand->siglock);
  if (task_is_stopped(task) &&
      task_set_jobctl_pending(task, JOBCTL_TRAP_STOP | JOBCTL_TRAPPING)) {
    task->jobctl &= ~JOBCTL_STOPPED;
    signal_wake_up(task, false);
  }
  spin_unlock(&task->sighand->siglock);
}

// The part of ptrace_attach() under cred_guard_mutex.
int AttachLocked(task_struct* task, uint32_t flags) {
  task_lock(task);
  int error = __ptrace_may_access(task);
  task_unlock(task);
  if (error != 0) return error;
  write_lock(tasklist_lock());
  if (task->exit_state != 0 || task->ptrace != 0) {
    error = -EPERM;
  } else {
    task->ptrace = flags;
    ptrace_link(task, current());
    ptrace_set_stopped(task);
  }
  write_unlock(tasklist_lock());
  return error;
}

// ptrace_attach() for PTRACE_SEIZE.
int ptrace_attach(task_struct* task, uint32_t options) {
  if ((options & ~(PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)) != 0) return -EIO;
  if ((task->flags & PF_KTHREAD) != 0) return -EPERM;
  task_struct* self = current();
  if (same_thread_group(task, self)) return -EPERM;
  uint32_t flags = PT_SEIZED;
  if ((options & PTRACE_O_TRACEEXIT) != 0) flags |= PT_TRACE_EXIT;
  if ((options & PTRACE_O_EXITKILL) != 0) flags |= PT_EXITKILL;
  mutex* cred_guard = &task->signal->cred_guard_mutex;
  if (mutex_lock_interruptible(cred_guard) != 0) return -ERESTARTNOINTR;
  const int error = AttachLocked(task, flags);
  mutex_unlock(cred_guard);
  if (error != 0) return error;
  self->__state = TASK_KILLABLE;
  WaitUntil(Point::kPtraceAttach, Access::kRead, NumberOf(&task->jobctl),
            [task, self] {
              return (task->jobctl & JOBCTL_TRAPPING) == 0 ||
                     fatal_signal_pending(self);
            });
  self->__state = TASK_RUNNING;
  return 0;
}

// Whether the tracer's process ignores its children. Caller: tasklist_lock.
bool ignoring_children(task_struct* tracer) {
  spin_lock(&tracer->sighand->siglock);
  const bool ret = sig_handler(tracer, SIGCHLD) == SigDisposition::kIgnore;
  spin_unlock(&tracer->sighand->siglock);
  return ret;
}

// True if `p`, a zombie, must now be released, which tracing has prevented.
// Caller: tasklist_lock for writing.
bool __ptrace_detach(task_struct* tracer, task_struct* p) {
  __ptrace_unlink(p);
  if (p->exit_state != EXIT_ZOMBIE) return false;
  bool dead = !thread_group_leader(p);
  if (!dead && thread_group_empty(p)) {
    dead = same_thread_group(p->real_parent, tracer)
               ? ignoring_children(tracer)
               : do_notify_parent(p, p->exit_signal);
  }
  if (dead) p->exit_state = EXIT_DEAD;
  return dead;
}

int ptrace_detach(task_struct* child, int sig) {
  if (!valid_signal(sig)) return -EIO;
  write_lock(tasklist_lock());
  child->exit_code = sig;
  (void)__ptrace_detach(current(), child);
  write_unlock(tasklist_lock());
  return 0;
}

int ptrace_resume(task_struct* child, int sig) {
  if (!valid_signal(sig)) return -EIO;
  spin_lock(&child->sighand->siglock);
  child->exit_code = sig;
  child->jobctl &= ~JOBCTL_TRACED;
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&child->jobctl));
  spin_unlock(&child->sighand->siglock);
  return 0;
}

}  // namespace

void ptrace_init_task(task_struct* child, bool ptrace) {
  child->jobctl = 0;
  child->ptrace = 0;
  child->parent = child->real_parent;
  const task_struct* self = current();
  if (!ptrace || self->ptrace == 0) return;
  child->ptrace = self->ptrace;
  ptrace_link(child, self->parent);
  (void)task_set_jobctl_pending(child, JOBCTL_TRAP_STOP);
  child->thread_flags |= TIF_SIGPENDING;
}

void __ptrace_unlink(task_struct* child) {
  REAP_CHECK(child->ptrace != 0, "ptrace: not a tracee");
  IntrusiveList<task_struct, &task_struct::ptrace_entry>& ptraced =
      child->parent->ptraced;
  ptraced.erase(ptraced.iterator_to(*child));
  child->parent = child->real_parent;
  spin_lock(&child->sighand->siglock);
  child->ptrace = 0;
  task_clear_jobctl_pending(child, JOBCTL_TRAP_MASK);
  child->jobctl &= ~JOBCTL_TRAPPING;
  if ((child->flags & PF_EXITING) == 0 &&
      ((child->signal->flags & SIGNAL_STOP_STOPPED) != 0 ||
       child->signal->group_stop_count != 0)) {
    child->jobctl |= JOBCTL_STOP_PENDING;
  }
  if ((child->jobctl & JOBCTL_STOP_PENDING) != 0 || task_is_traced(child)) {
    ptrace_signal_wake_up(child, true);
  }
  spin_unlock(&child->sighand->siglock);
}

void exit_ptrace(task_struct* tracer, DeadList* dead) {
  while (!tracer->ptraced.empty()) {
    task_struct* p = &tracer->ptraced.front();
    if ((p->ptrace & PT_EXITKILL) != 0) {
      (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, p, PIDTYPE_PID);
    }
    if (__ptrace_detach(tracer, p)) dead->push_front(*p);
  }
}

void ptrace_event(int event, SourceLine source) {
  REAP_CHECK(event == PTRACE_EVENT_EXIT, "ptrace: event");
  const uint32_t traced = READ_ONCE(current()->ptrace, source);
  if ((traced & PT_TRACE_EXIT) == 0) return;
  (void)ptrace_notify(event << 8 | SIGTRAP);
}

int64_t sys_ptrace_seize(pid_t pid, uint32_t options) {
  task_struct* child = find_get_task_by_vpid(pid);
  if (child == nullptr) return -ESRCH;
  const int ret = ptrace_attach(child, options);
  put_task_struct(child);
  return ret;
}

int64_t sys_ptrace_cont(pid_t pid, int sig) {
  task_struct* child = find_get_task_by_vpid(pid);
  if (child == nullptr) return -ESRCH;
  int ret = -ESRCH;
  if (ptrace_check_attach(child)) {
    ret = ptrace_resume(child, sig);
    ptrace_unfreeze_traced(child);
  }
  put_task_struct(child);
  return ret;
}

int64_t sys_ptrace_detach(pid_t pid, int sig) {
  task_struct* child = find_get_task_by_vpid(pid);
  if (child == nullptr) return -ESRCH;
  int ret = -ESRCH;
  if (ptrace_check_attach(child)) {
    ret = ptrace_detach(child, sig);
    if (ret != 0) ptrace_unfreeze_traced(child);
  }
  put_task_struct(child);
  return ret;
}

}  // namespace reapsim
