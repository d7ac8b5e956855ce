// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/rwsem.h"

#include <cerrno>

#include "sched/race.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// How many queued readers one wake-up lets in (MAX_READERS_WAKEUP).
constexpr int kMaxReadersWoken = 256;

bool IsFree(const rw_semaphore* sem) {
  return sem->readers == 0 && sem->writer == 0;
}

bool ReaderMayEnter(const rw_semaphore* sem) {
  if (sem->writer != 0) return false;
  return sem->first == nullptr || (sem->readers == 0 && !sem->handoff);
}

void Enqueue(rw_semaphore* sem, rwsem_waiter* waiter) {
  if (sem->last != nullptr) sem->last->next = waiter;
  if (sem->first == nullptr) sem->first = waiter;
  sem->last = waiter;
}

void Dequeue(rw_semaphore* sem, rwsem_waiter* waiter) {
  rwsem_waiter* before = nullptr;
  for (rwsem_waiter* w = sem->first; w != waiter; w = w->next) before = w;
  (before == nullptr ? sem->first : before->next) = waiter->next;
  if (sem->last == waiter) sem->last = before;
  // The handoff belonged to the head; a new head asks for its own.
  if (before == nullptr) sem->handoff = false;
  waiter->next = nullptr;
}

// Lets in whom a release lets in: nobody if a writer is first (it takes the
// lock itself), else the queued readers, past the writers among them.
void rwsem_mark_wake(rw_semaphore* sem) {
  if (sem->writer != 0 || sem->first == nullptr || sem->first->writer) return;
  int woken = 0;
  for (rwsem_waiter* w = sem->first; w != nullptr;) {
    rwsem_waiter* next = w->next;
    if (!w->writer && woken < kMaxReadersWoken) {
      Dequeue(sem, w);
      w->granted = true;
      sem->readers++;
      woken++;
    }
    w = next;
  }
}

void CheckNotHeld(const rw_semaphore* sem, SourceLine source) {
  Invariant(sem->writer != Here<EngineState>().current->id + 1,
            "a task waits for a rw-semaphore that it holds for write", source);
}

// The slow path of down_read: false if a fatal signal ended the wait.
bool WaitToRead(rw_semaphore* sem, bool killable, SourceLine source) {
  task_struct* self = current();
  rwsem_waiter waiter{.next = nullptr, .writer = false, .granted = false};
  Enqueue(sem, &waiter);
  self->__state = killable ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE;
  WaitUntil(
      Point::kDownReadWait, Access::kAcquire, NumberOf(sem),
      [&waiter, self, killable] {
        return waiter.granted || (killable && fatal_signal_pending(self));
      },
      source);
  self->__state = TASK_RUNNING;
  if (waiter.granted) return true;
  Dequeue(sem, &waiter);
  rwsem_mark_wake(sem);
  return false;
}

bool Read(rw_semaphore* sem, bool killable, SourceLine source) {
  SchedulePoint(Point::kDownRead, Access::kAcquire, NumberOf(sem), source);
  CheckNotHeld(sem, source);
  if (ReaderMayEnter(sem)) {
    sem->readers++;
  } else if (!WaitToRead(sem, killable, source)) {
    return false;
  }
  LockAcquired(sem->lock_class, sem, source, Hold::kShared);
  return true;
}

// The slow path of down_write: false if a fatal signal ended the wait.
bool WaitToWrite(rw_semaphore* sem, bool killable, SourceLine source) {
  task_struct* self = current();
  rwsem_waiter waiter{.next = nullptr, .writer = true, .granted = false};
  Enqueue(sem, &waiter);
  self->__state = killable ? TASK_KILLABLE : TASK_UNINTERRUPTIBLE;
  WaitUntil(
      Point::kDownWriteWait, Access::kAcquire, NumberOf(sem),
      [&waiter, sem, self, killable] {
        return (sem->first == &waiter && IsFree(sem)) ||
               (killable && fatal_signal_pending(self));
      },
      source);
  self->__state = TASK_RUNNING;
  const bool won = sem->first == &waiter && IsFree(sem);
  Dequeue(sem, &waiter);
  if (won) return true;
  rwsem_mark_wake(sem);
  return false;
}

bool Write(rw_semaphore* sem, bool killable, SourceLine source) {
  SchedulePoint(Point::kDownWrite, Access::kAcquire, NumberOf(sem), source);
  CheckNotHeld(sem, source);
  if ((!IsFree(sem) || sem->first != nullptr) &&
      !WaitToWrite(sem, killable, source)) {
    return false;
  }
  sem->writer = current()->thread->id + 1;
  LockAcquired(sem->lock_class, sem, source);
  return true;
}

void CheckWriter(const rw_semaphore* sem, SourceLine source) {
  Invariant(sem->writer == Here<EngineState>().current->id + 1,
            "a rw-semaphore is write-released by a task that does not hold it",
            source);
}

}  // namespace

void down_read(rw_semaphore* sem,
               SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  (void)Read(sem, /*killable=*/false, source);
}

int down_read_killable(rw_semaphore* sem,
                       SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return Read(sem, /*killable=*/true, source) ? 0 : -EINTR;
}

bool down_read_trylock(rw_semaphore* sem,
                       SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kDownRead, Access::kAcquire, NumberOf(sem), source);
  if (sem->writer != 0 || sem->first != nullptr) return false;
  sem->readers++;
  LockAcquiredByTrying(sem->lock_class, sem, source, Hold::kShared);
  return true;
}

void down_write(rw_semaphore* sem,
                SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  (void)Write(sem, /*killable=*/false, source);
}

int down_write_killable(rw_semaphore* sem,
                        SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return Write(sem, /*killable=*/true, source) ? 0 : -EINTR;
}

void up_read(rw_semaphore* sem,
             SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kUpRead, Access::kRelease, NumberOf(sem), source);
  Invariant(sem->readers > 0, "a rw-semaphore is read-released, unheld",
            source);
  LockReleased(sem->lock_class, sem, source, Hold::kShared);
  sem->readers--;
  if (sem->readers == 0) rwsem_mark_wake(sem);
}

void up_write(rw_semaphore* sem,
              SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kUpWrite, Access::kRelease, NumberOf(sem), source);
  CheckWriter(sem, source);
  LockReleased(sem->lock_class, sem, source);
  sem->writer = 0;
  rwsem_mark_wake(sem);
}

void downgrade_write(rw_semaphore* sem,
                     SourceLine source) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  SchedulePoint(Point::kDowngrade, Access::kRelease, NumberOf(sem), source);
  CheckWriter(sem, source);
  RaceRelease(sem);
  sem->writer = 0;
  sem->readers = 1;
  rwsem_mark_wake(sem);
}

bool rwsem_handoff_timeout(rw_semaphore* sem) {
  if (sem->first == nullptr || !sem->first->writer) return false;
  sem->handoff = true;
  return true;
}

}  // namespace reapsim
