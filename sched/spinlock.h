// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Spinlocks and the tasklist rwlock, as native objects: a contended lock is a
// wait that is enabled when the lock is free (the waiter burns its CPU only in
// timed mode). A task that holds one must not sleep; the engine checks it.
//
// Source: include/linux/spinlock.h, rwlock.h; no difference between versions.
#ifndef REAPSIM_SCHED_SPINLOCK_H_
#define REAPSIM_SCHED_SPINLOCK_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/engine.h"
#include "sched/lockdep.h"

namespace reapsim {

struct ABSL_LOCKABLE spinlock_t {
  uint32_t owner = 0;  // fiber id + 1; 0: free
  LockClass lock_class = LockClass::kTestLock;
};

inline bool spin_is_locked(const spinlock_t* lock) { return lock->owner != 0; }

// The longer way through spin_lock(): the lock is taken, or somebody looks on.
void WaitForSpinLock(spinlock_t* lock, SourceLine source);

inline void spin_lock(spinlock_t* lock,
                      SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_LOCK_FUNCTION(lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  EngineState& state = Here<EngineState>();
  if (lock->owner != 0 || state.watched) [[unlikely]] {
    WaitForSpinLock(lock, source);
  } else {
    state.history->Count(state.runner, Point::kSpinLock, NumberOf(lock));
  }
  Fiber* self = state.current;
  lock->owner = self->id + 1;
  self->atomic_depth++;
  LockAcquired(lock->lock_class, lock, source);
}

inline void spin_unlock(spinlock_t* lock,
                        SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kSpinUnlock, Access::kRelease, NumberOf(lock), source);
  Fiber* self = Here<EngineState>().current;
  Invariant(lock->owner == self->id + 1,
            "a spinlock is released by a task that does not hold it", source);
  LockReleased(lock->lock_class, lock, source);
  lock->owner = 0;
  self->atomic_depth--;
}

// A reader-writer spinlock; readers may nest with other tasks' readers.
struct ABSL_LOCKABLE rwlock_t {
  uint32_t writer = 0;  // fiber id + 1; 0: none
  uint32_t readers = 0;
  LockClass lock_class = LockClass::kTasklistLock;
};

void read_lock(rwlock_t* lock, SourceLine source = SourceLine::Current())
    ABSL_SHARED_LOCK_FUNCTION(lock);
void read_unlock(rwlock_t* lock, SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(lock);
void write_lock(rwlock_t* lock, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_LOCK_FUNCTION(lock);
void write_unlock(rwlock_t* lock, SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(lock);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_SPINLOCK_H_
