// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: kernel/entry/common.c, kernel/softirq.c.

#include "syscall/entry.h"

#include "mm/ksm.h"
#include "mm/kthread.h"
#include "mm/mmap.h"
#include "sched/engine.h"
#include "sched/race.h"
#include "sched/rcu.h"
#include "sched/sched.h"
#include "syscall/exit.h"
#include "syscall/signal.h"

namespace reapsim {
namespace {

// Stands in user mode until there is something to do.
void UserMode(task_struct* task) {
  task->__state = TASK_INTERRUPTIBLE;
  WaitUntil(Point::kUserMode, Access::kMark, NumberOf(task), [task] {
    return task->program.run != nullptr || signal_pending(task);
  });
  task->__state = TASK_RUNNING;
}

// Makes the calls of the task's program, then hands back to the host, which
// waits for them.
void RunProgram(task_struct* task) {
  UserProgram& program = task->program;
  program.run(program.closure);
  program.run = nullptr;
  program.done = true;
  Here<EngineState>().engine->Yield();
}

}  // namespace

void SyscallEnter() {
  Charge(Cost::kSyscall, 1);
  Mark(Point::kSyscallEntry);
}

void NoteResult(int64_t result) { current()->program.result = result; }

bool exit_to_user_mode_loop() {
  task_struct* self = current();
  bool handled = false;
  while (signal_pending(self)) {
    const bool taken = get_signal();
    // A worker has no handlers: it was told to end, and ends by itself, as
    // vhost's do (kernel/vhost_task.c).
    if (taken && (self->flags & PF_USER_WORKER) != 0) do_exit(0);
    handled |= taken;
  }
  return handled;
}

void TaskEntry(void* arg) {
  auto* task = static_cast<task_struct*>(arg);
  if (task->kthread_fn != nullptr) {
    task->kthread_fn(task->kthread_arg);
    do_exit(0);
  }
  for (;;) {
    (void)exit_to_user_mode_loop();
    UserMode(task);
    // Signals go before the next call: a dying task makes none.
    if (!signal_pending(task)) RunProgram(task);
  }
}

void BorrowerThread(void* arg) {
  const auto* loan = static_cast<const MmLoan*>(arg);
  task_struct* self = current();
  mmget(loan->mm);
  kthread_use_mm(loan->mm);
  for (;;) {
    self->__state = TASK_INTERRUPTIBLE;
    WaitUntil(Point::kUserMode, Access::kMark, NumberOf(self),
              [=] { return self->program.run != nullptr || loan->over; });
    self->__state = TASK_RUNNING;
    if (self->program.run == nullptr) break;
    RunProgram(self);
  }
  kthread_unuse_mm(loan->mm);
  mmput(loan->mm);
}

void KsmThread(void* use_zero_pages) { ksm_do_scan(use_zero_pages != nullptr); }

void SoftirqThread(void* /*unused*/) {
  SchedState* sched = &Here<SchedState>();
  for (;;) {
    WaitUntil(Point::kWait, Access::kRead, NumberOf(&sched->rcu), [sched] {
      return sched->expired_timer != nullptr || rcu_callbacks_ready(sched);
    });
    if (timer_list* timer = sched->expired_timer; timer != nullptr) {
      sched->expired_timer = nullptr;
      RaceAcquire(timer);
      timer->function(timer);
    }
    (void)rcu_process_callbacks();
  }
}

}  // namespace reapsim
