// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Lock order, checked as the kernel's lockdep does: by classes, not objects.
// Taking class B while holding class A records A -> B for the rest of the
// world's life; a new edge that closes a cycle is a verdict, even if no run
// ever deadlocks.
//
// The order on the modelled paths (outer to inner):
//   oom_lock
//     > cred_guard_mutex > exec_update_lock
//       > mmap_lock > mmap_lock (nested: the child's, in dup_mmap)
//         > vma lock
//         > page-table locks: page_table_lock > PMD > PTE
//           > swap, notifier list
//         > tasklist_lock
//           > alloc_lock (task_lock) > siglock
#ifndef REAPSIM_SCHED_LOCKDEP_H_
#define REAPSIM_SCHED_LOCKDEP_H_

#include <cstdint>

#include "sched/engine.h"
#include "sched/race.h"

namespace reapsim {

#define REAPSIM_LOCK_CLASSES(X)           \
  X(kOomLock, "oom_lock")                 \
  X(kOomReaperLock, "oom_reaper_lock")    \
  X(kCredGuardMutex, "cred_guard_mutex")  \
  X(kExecUpdateLock, "exec_update_lock")  \
  X(kMmapLock, "mmap_lock")               \
  X(kMmapLockNested, "mmap_lock/1")       \
  X(kVmaLock, "vma lock")                 \
  X(kTasklistLock, "tasklist_lock")       \
  X(kAllocLock, "alloc_lock")             \
  X(kSiglock, "siglock")                  \
  X(kPageTableLock, "page_table_lock")    \
  X(kPmdLock, "ptlock (PMD)")             \
  X(kPteLock, "ptlock (PTE)")             \
  X(kPteLockNested, "ptlock (PTE)/1")     \
  X(kPmdLockNested, "ptlock (PMD)/1")     \
  X(kNotifierLock, "mmu notifier")        \
  X(kSwapLock, "swap_info lock")          \
  X(kFilesLock, "files_struct.file_lock") \
  X(kFreezerMutex, "freezer_mutex")       \
  X(kDriverLock, "a driver's lock")       \
  X(kFutexLock, "futex_hash_bucket.lock") \
  X(kPipeMutex, "pipe_inode_info.mutex")  \
  X(kTestLock, "a test's lock")           \
  X(kTestLock2, "a test's second lock")

enum class LockClass : uint8_t {
#define X(name, text) name,
  REAPSIM_LOCK_CLASSES(X)
#undef X
      kCount
};

inline constexpr int kLockClasses = static_cast<int>(LockClass::kCount);
static_assert(kLockClasses <= kMaxLockClasses);

const char* LockClassName(LockClass lock_class);

// History part: decides verdicts only.
struct LockHistory {
  // inside[a] has bit b, and outside[b] bit a: b has been taken while a was
  // held.
  uint32_t inside[kLockClasses];
  uint32_t outside[kLockClasses];
};

// Notes that a lock of class `inner` is taken inside those of the classes
// `held`, of some for the first time.
void RecordLockOrder(LockHistory* history, uint32_t held, LockClass inner,
                     SourceLine source);

// The running task has taken, or is about to release, a lock: for messages and
// races, in explored mode only.
void NoteHeld(LockClass lock_class, const void* lock, SourceLine source,
              Hold hold);
void NoteReleased(const void* lock, Hold hold);

// The classes that the running task holds, one bit each.
inline uint32_t LocksHeld() { return Here<EngineState>().past->held; }

// Called by each lock when it has been taken and before it is released.
inline void LockAcquired(LockClass lock_class, const void* lock,
                         SourceLine source, Hold hold = Hold::kExclusive) {
  const EngineState& state = Here<EngineState>();
  LockHistory& history = *state.locks;
  uint32_t& held = state.past->held;
  const int i = static_cast<int>(lock_class);
  if ((held & ~history.outside[i]) != 0) [[unlikely]] {
    RecordLockOrder(&history, held, lock_class, source);
  }
  held |= 1u << i;
  if (state.watched) [[unlikely]]
    NoteHeld(lock_class, lock, source, hold);
}
// A lock that was tried and not waited for: it can't close a cycle, so that
// only what is taken inside it is recorded.
void LockAcquiredByTrying(LockClass lock_class, const void* lock,
                          SourceLine source, Hold hold = Hold::kExclusive);
inline void LockReleased(LockClass lock_class, const void* lock,
                         SourceLine source, Hold hold = Hold::kExclusive) {
  const EngineState& state = Here<EngineState>();
  FiberHistory& past = *state.past;
  const int i = static_cast<int>(lock_class);
  Invariant((past.held >> i & 1) != 0,
            "a lock is released by a task that does not hold it", source);
  if (state.watched) [[unlikely]]
    NoteReleased(lock, hold);
  if (past.more[i] != 0) [[unlikely]] {
    past.more[i]--;
    return;
  }
  past.held &= ~(1u << i);
}

}  // namespace reapsim

#endif  // REAPSIM_SCHED_LOCKDEP_H_
