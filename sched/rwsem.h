// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The reader-writer semaphore, of which mmap_lock is one.
//
// Who gets in (the rules that a user of the lock can see):
//   - a new reader: no writer holds it, and either nobody waits, or no reader
//     holds it and the waiting writer has not asked for a handoff;
//   - trylock for reading: no writer holds it and nobody waits;
//   - a new writer: nobody holds it and nobody waits;
//   - on release, a reader at the head of the queue brings up to 256 queued
//     readers in with it, past the writers among them; a writer at the head
//     takes the lock itself, and a reader may steal in before it does;
//   - after 4 ms at the head a writer sets the handoff: then nobody steals.
//     The 4 ms are an event, rwsem_handoff_timeout().
// A killable wait that a fatal signal ends leaves the queue, unless the lock
// has been granted meanwhile: then it keeps it and succeeds.
//
// Source: kernel/locking/rwsem.c, v5.15 to v7.2 without a difference in these.
// Simplified: optimistic spinning (exists in timed mode only), PREEMPT_RT.
#ifndef REAPSIM_SCHED_RWSEM_H_
#define REAPSIM_SCHED_RWSEM_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "sched/engine.h"
#include "sched/lockdep.h"

namespace reapsim {

// One waiting task; lies on the waiter's own stack, as in the kernel.
struct rwsem_waiter {
  rwsem_waiter* next;
  bool writer;
  bool granted;  // readers only: the lock is already theirs
};

struct ABSL_LOCKABLE rw_semaphore {
  uint32_t readers = 0;  // that hold it
  uint32_t writer = 0;   // fiber id + 1; 0: none
  bool handoff = false;  // the writer at the head must be next
  rwsem_waiter* first = nullptr;
  rwsem_waiter* last = nullptr;
  LockClass lock_class = LockClass::kTestLock;
};

// Waits uninterruptibly.
void down_read(rw_semaphore* sem, SourceLine source = SourceLine::Current())
    ABSL_SHARED_LOCK_FUNCTION(sem);
// 0, or -EINTR if a fatal signal for the caller ended the wait. A free lock is
// taken even with a fatal signal pending.
int down_read_killable(rw_semaphore* sem,
                       SourceLine source = SourceLine::Current())
    ABSL_SHARED_TRYLOCK_FUNCTION(0, sem);
// True if it was taken.
bool down_read_trylock(rw_semaphore* sem,
                       SourceLine source = SourceLine::Current())
    ABSL_SHARED_TRYLOCK_FUNCTION(true, sem);
void down_write(rw_semaphore* sem, SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_LOCK_FUNCTION(sem);
// 0, or -EINTR if a fatal signal for the caller ended the wait.
int down_write_killable(rw_semaphore* sem,
                        SourceLine source = SourceLine::Current())
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(0, sem);
void up_read(rw_semaphore* sem, SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(sem);
void up_write(rw_semaphore* sem, SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(sem);
// Writer becomes reader; queued readers at the head come in.
void downgrade_write(rw_semaphore* sem,
                     SourceLine source = SourceLine::Current())
    ABSL_UNLOCK_FUNCTION(sem) ABSL_SHARED_LOCK_FUNCTION(sem);

// Host side: the event "the writer at the head has waited for 4 ms". False if
// no writer is at the head.
bool rwsem_handoff_timeout(rw_semaphore* sem);

inline bool rwsem_is_locked(const rw_semaphore* sem) {
  return sem->readers != 0 || sem->writer != 0;
}
inline bool rwsem_is_contended(const rw_semaphore* sem) {
  return sem->first != nullptr;
}

}  // namespace reapsim

#endif  // REAPSIM_SCHED_RWSEM_H_
