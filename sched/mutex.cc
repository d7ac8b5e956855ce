// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/mutex.h"

#include <cerrno>

#include "sched/task.h"

namespace reapsim {
namespace {

// Waits in the given task state until the lock is free or `give_up` says so;
// true if the lock was taken.
bool WaitAndTake(mutex* lock, uint32_t state,
                 bool (*give_up)(const task_struct*), SourceLine source) {
  task_struct* self = current();
  Invariant(lock->owner != self->thread->id + 1,
            "a task waits for a mutex that it holds", source);
  self->__state = lock->owner == 0 ? TASK_RUNNING : state;
  WaitUntil(
      Point::kMutexLock, Access::kAcquire, NumberOf(lock),
      [lock, self, give_up] {
        return lock->owner == 0 || (give_up != nullptr && give_up(self));
      },
      source);
  self->__state = TASK_RUNNING;
  if (lock->owner != 0) return false;
  lock->owner = self->thread->id + 1;
  LockAcquired(lock->lock_class, lock, source);
  return true;
}

}  // namespace

void mutex_lock(mutex* lock, SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  (void)WaitAndTake(lock, TASK_UNINTERRUPTIBLE, nullptr, source);
}

int mutex_lock_killable(mutex* lock,
                        SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return WaitAndTake(lock, TASK_KILLABLE, fatal_signal_pending, source)
             ? 0
             : -EINTR;
}

int mutex_lock_interruptible(mutex* lock,
                             SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return WaitAndTake(lock, TASK_INTERRUPTIBLE, signal_pending, source) ? 0
                                                                       : -EINTR;
}

bool mutex_trylock(mutex* lock,
                   SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kMutexLock, Access::kAcquire, NumberOf(lock), source);
  if (lock->owner != 0) return false;
  lock->owner = current()->thread->id + 1;
  LockAcquired(lock->lock_class, lock, source);
  return true;
}

void mutex_unlock(mutex* lock,
                  SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kMutexUnlock, Access::kRelease, NumberOf(lock), source);
  Invariant(lock->owner == current()->thread->id + 1,
            "a mutex is released by a task that does not hold it", source);
  LockReleased(lock->lock_class, lock, source);
  lock->owner = 0;
}

}  // namespace reapsim
