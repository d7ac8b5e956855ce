// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Sleeping mutexes. Source: kernel/locking/mutex.c; no difference between
// versions.
#ifndef REAPSIM_SCHED_MUTEX_H_
#define REAPSIM_SCHED_MUTEX_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/engine.h"
#include "sched/lockdep.h"

namespace reapsim {

struct ABSL_LOCKABLE mutex {
  uint32_t owner = 0;  // fiber id + 1; 0: free
  LockClass lock_class = LockClass::kTestLock;
};

// Waits uninterruptibly.
void mutex_lock(mutex* lock, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_LOCK_FUNCTION(lock);
// 0, or -EINTR if a fatal signal for the caller ended the wait.
int mutex_lock_killable(mutex* lock, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(0, lock);
// 0, or -EINTR if any signal for the caller ended the wait.
int mutex_lock_interruptible(mutex* lock,
                             SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(0, lock);
// True if the lock was free and is now held.
bool mutex_trylock(mutex* lock, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(true, lock);
void mutex_unlock(mutex* lock, SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(lock);

}  // namespace reapsim

#endif  // REAPSIM_SCHED_MUTEX_H_
