// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// mmap_lock, and the locks of single VMAs: who holds a VMA's lock for reading
// may use that VMA, and fault in it, without mmap_lock. Reapers take no VMA
// lock: beside a fault under one, only page-table locks and MMF_UNSTABLE
// decide.
//
// Reading is tried, never waited for; who fails takes mmap_lock. Writing needs
// mmap_lock for write, waits for the VMA's readers, and has no end of its own:
// all VMAs are given up together when mmap_lock is unlocked or downgraded.
//
// Source: mm/mmap_lock.c, include/linux/mmap_lock.h (up to v6.14 mm/memory.c
// and include/linux/mm.h), v5.15 to v7.2.
// Modelled: both forms of the lock, with the memory of VMAs that goes with
//   each; the page fault's way to a VMA under mmap_lock.
// Simplified: the first, unlocked look at the sequence number is left out, as
//   the second one finds what it finds; a VMA that is detached but still in
//   the tree is waited for, where the kernel looks it up again and again; the
//   form of v6.4 to v6.14 is that of v6.12.
// Stubbed: lock_next_vma(), by which /proc/PID/maps walks.
#ifndef REAPSIM_MM_MMAP_LOCK_H_
#define REAPSIM_MM_MMAP_LOCK_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "mm/mm_types.h"
#include "sched/rwsem.h"

namespace reapsim {

// ---- VMA locks -------------------------------------------------------------

// vm_area_struct::vm_refcnt: readers are excluded while this is added.
inline constexpr uint32_t VMA_LOCK_OFFSET = 0x40000000;

// The VMA at `address`, held for reading, or null: there is none, it is being
// changed, or the version has no such locks. Never waits for a writer. The
// caller keeps mm alive. Source: lock_vma_under_rcu().
vm_area_struct* lock_vma_under_rcu(mm_struct* mm, uint64_t address);
// Holds a VMA for reading that nobody can be changing, as the caller holds
// mmap_lock; the caller may drop that then.
void vma_start_read_locked(vm_area_struct* vma);
// Gives a reader's hold up; the VMA may be gone afterwards.
void vma_end_read(vm_area_struct* vma);

// Keeps readers out of the VMA until mmap_lock is given up; waits for those
// inside. Caller: its mm's mmap_lock for write. No-op if it has been done, and
// where there are no such locks.
void vma_start_write(vm_area_struct* vma);
// The VMA is about to enter its mm's tree, or has left it: from then on nobody
// locks it any more, and nobody holds it. Caller: it holds it for writing.
void vma_mark_attached(vm_area_struct* vma);
void vma_mark_detached(vm_area_struct* vma);
// True iff the VMA is held for writing. Caller: mmap_lock for write.
bool VmaIsWriteLocked(const vm_area_struct* vma);
// True iff somebody holds the VMA for reading. Host side, too.
bool VmaIsReadLocked(const vm_area_struct* vma);

// Gives all VMAs up that are held for writing.
void vma_end_write_all(mm_struct* mm)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);

// ---- mmap_lock -------------------------------------------------------------

inline void mmap_read_lock(mm_struct* mm)
    ABSL_SHARED_LOCK_FUNCTION(mm->mmap_lock) {
  down_read(&mm->mmap_lock);
}
// 0 or -EINTR.
inline int mmap_read_lock_killable(mm_struct* mm)
    ABSL_SHARED_TRYLOCK_FUNCTION(0, mm->mmap_lock) {
  return down_read_killable(&mm->mmap_lock);
}
inline bool mmap_read_trylock(mm_struct* mm)
    ABSL_SHARED_TRYLOCK_FUNCTION(true, mm->mmap_lock) {
  return down_read_trylock(&mm->mmap_lock);
}
inline void mmap_read_unlock(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock) {
  up_read(&mm->mmap_lock);
}
inline void mmap_write_lock(mm_struct* mm)
    ABSL_EXCLUSIVE_LOCK_FUNCTION(mm->mmap_lock) {
  down_write(&mm->mmap_lock);
}
inline int mmap_write_lock_killable(mm_struct* mm)
    ABSL_EXCLUSIVE_TRYLOCK_FUNCTION(0, mm->mmap_lock) {
  return down_write_killable(&mm->mmap_lock);
}
inline void mmap_write_unlock(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock) {
  vma_end_write_all(mm);
  up_write(&mm->mmap_lock);
}
// From write to read, without a moment in between for other writers.
inline void mmap_write_downgrade(mm_struct* mm)
    ABSL_UNLOCK_FUNCTION(mm->mmap_lock)
        ABSL_SHARED_LOCK_FUNCTION(mm->mmap_lock) {
  vma_end_write_all(mm);
  downgrade_write(&mm->mmap_lock);
}

// ---- The page fault's way to its VMA ---------------------------------------

// Takes mmap_lock for reading and finds the VMA at `address`, a stack that has
// to grow down to it included. Null, and the lock is not held, if there is
// none or a fatal signal ended a wait (v6.5 on). No analysis: a lock that is
// held depending on the result.
vm_area_struct* lock_mm_and_find_vma(mm_struct* mm, uint64_t address)
    ABSL_NO_THREAD_SAFETY_ANALYSIS;

}  // namespace reapsim

#endif  // REAPSIM_MM_MMAP_LOCK_H_
