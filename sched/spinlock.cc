// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/spinlock.h"

namespace reapsim {

void WaitForSpinLock(spinlock_t* lock, SourceLine source) {
  if (lock->owner == Here<EngineState>().current->id + 1) {
    Fail(VerdictKind::kDeadlock, "a task spins on a lock that it holds",
         source);
  }
  WaitUntil(
      Point::kSpinLock, Access::kAcquire, NumberOf(lock),
      [lock] { return lock->owner == 0; }, source);
}

void read_lock(rwlock_t* lock,
               SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  WaitUntil(
      Point::kSpinLock, Access::kAcquire, NumberOf(lock),
      [lock] { return lock->writer == 0; }, source);
  lock->readers++;
  Here<EngineState>().current->atomic_depth++;
  LockAcquired(lock->lock_class, lock, source, Hold::kShared);
}

void read_unlock(rwlock_t* lock,
                 SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kSpinUnlock, Access::kRelease, NumberOf(lock), source);
  Invariant(lock->readers > 0, "a rwlock is read-released, but has no reader",
            source);
  LockReleased(lock->lock_class, lock, source, Hold::kShared);
  lock->readers--;
  Here<EngineState>().current->atomic_depth--;
}

void write_lock(rwlock_t* lock,
                SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  WaitUntil(
      Point::kSpinLock, Access::kAcquire, NumberOf(lock),
      [lock] { return lock->writer == 0 && lock->readers == 0; }, source);
  Fiber* self = Here<EngineState>().current;
  lock->writer = self->id + 1;
  self->atomic_depth++;
  LockAcquired(lock->lock_class, lock, source);
}

void write_unlock(rwlock_t* lock,
                  SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kSpinUnlock, Access::kRelease, NumberOf(lock), source);
  Fiber* self = Here<EngineState>().current;
  Invariant(lock->writer == self->id + 1,
            "a rwlock is write-released by a task that does not hold it",
            source);
  LockReleased(lock->lock_class, lock, source);
  lock->writer = 0;
  self->atomic_depth--;
}

}  // namespace reapsim
