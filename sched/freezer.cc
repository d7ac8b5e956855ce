// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/freezer.c, kernel/cgroup/legacy_freezer.c,
// kernel/cgroup/freezer.c.

#include "sched/freezer.h"

#include "sched/sched.h"
#include "sched/signal.h"

namespace reapsim {
namespace {

// Makes the task look at its signals although it has none: the flag stays on
// while it is frozen, so that no later signal but SIGKILL wants it.
void fake_signal_wake_up(task_struct* p) {
  if (lock_task_sighand(p) == nullptr) return;
  signal_wake_up(p, false);
  unlock_task_sighand(p);
}

// From v6.1 on a task that is stopped or traced needs no waking to be frozen.
// The state that it had stays in its other bits.
bool __set_task_frozen(task_struct* p) {
  if (!differences().freezer_has_frozen_state) return false;
  const uint32_t state = READ_ONCE(p->__state);
  if ((state & (__TASK_STOPPED | __TASK_TRACED)) == 0) return false;
  p->__state = state | TASK_FROZEN;
  p->frozen = true;
  return true;
}

void cgroup_freeze_task(task_struct* task, bool freeze) {
  if (lock_task_sighand(task) == nullptr) return;
  task->cgroup_v2_freezing = freeze;
  if (freeze) {
    task->jobctl |= JOBCTL_TRAP_FREEZE;
    signal_wake_up(task, false);
  } else {
    task->jobctl &= ~JOBCTL_TRAP_FREEZE;
  }
  unlock_task_sighand(task);
}

}  // namespace

bool freezing(const task_struct* p) {
  if (!p->cgroup_v1_freezing || (p->flags & PF_NOFREEZE) != 0) return false;
  if (RootOf<EngineState>(p).differences.thaws_whole_process) {
    return p->signal->oom_mm == nullptr;
  }
  return (p->thread_flags & TIF_MEMDIE) == 0;
}

bool __refrigerator() {
  task_struct* self = current();
  if (!freezing(self)) return false;
  const uint32_t before = self->__state;
  self->__state = differences().freezer_has_frozen_state ? TASK_FROZEN
                                                         : TASK_UNINTERRUPTIBLE;
  self->frozen = true;
  WaitUntil(Point::kRefrigerator, Access::kRead, NumberOf(self),
            [self] { return !freezing(self); });
  self->frozen = false;
  self->__state = before;
  return true;
}

bool try_to_freeze() {
  return READ_ONCE(current()->cgroup_v1_freezing) && __refrigerator();
}

bool freeze_task(task_struct* p) {
  if (!freezing(p) || frozen(p) || __set_task_frozen(p)) return false;
  fake_signal_wake_up(p);
  return true;
}

void __thaw_task(task_struct* p) {
  MayTouchSignals();
  // A task in the refrigerator finds its own way out; one that was frozen as
  // it stood goes back to what it was.
  if (freezing(p) || !p->frozen) return;
  if ((p->__state & (__TASK_STOPPED | __TASK_TRACED)) == 0) return;
  SchedulePoint(Point::kWake, Access::kWrite, NumberOf(&p->__state));
  p->__state &= ~TASK_FROZEN;
  p->frozen = false;
}

void thaw_process(task_struct* p) {
  rcu_read_lock();
  for (task_struct& t : p->signal->thread_head) __thaw_task(&t);
  rcu_read_unlock();
}

void freezer_change_state(task_struct* p, bool freeze) {
  rcu_read_lock();
  for (task_struct& t : p->signal->thread_head) {
    SchedulePoint(Point::kFlagSet, Access::kWrite,
                  NumberOf(&t.cgroup_v1_freezing));
    t.cgroup_v1_freezing = freeze;
    if (freeze) {
      (void)freeze_task(&t);
    } else {
      __thaw_task(&t);
    }
  }
  rcu_read_unlock();
}

void cgroup_freeze(task_struct* p, bool freeze) {
  rcu_read_lock();
  for (task_struct& t : p->signal->thread_head) cgroup_freeze_task(&t, freeze);
  rcu_read_unlock();
}

void cgroup_enter_frozen() { current()->cgroup_v2_frozen = true; }

void cgroup_leave_frozen(bool always_leave) {
  task_struct* self = current();
  if (always_leave || !self->cgroup_v2_freezing) {
    self->cgroup_v2_frozen = false;
    return;
  }
  if ((self->jobctl & JOBCTL_TRAP_FREEZE) != 0) return;
  sighand_struct* sighand = self->sighand;
  spin_lock(&sighand->siglock);
  self->jobctl |= JOBCTL_TRAP_FREEZE;
  self->thread_flags |= TIF_SIGPENDING;
  spin_unlock(&sighand->siglock);
}

void cgroup_post_fork(task_struct* child) {
  const task_struct* parent = current();
  if (parent->cgroup_v1_freezing) {
    child->cgroup_v1_freezing = true;
    (void)freeze_task(child);
  }
  if (parent->cgroup_v2_freezing) cgroup_freeze_task(child, true);
}

}  // namespace reapsim
