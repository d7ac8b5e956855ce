// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mmap.c:exit_mmap(), mm/mlock.c, v4.14 to v4.16, and no kernel.
// No analysis in this file: which lock is missing is the point of it.

#include "mm/exit_switches.h"

#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/oom_kill.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

// ---- Parts -----------------------------------------------------------------

void Unmap(mmu_gather* tlb, mm_struct* mm) {
  tlb_gather_mmu_fullmm(tlb, mm);
  Mark(Point::kExitMmapUnmap);
  unmap_vmas(tlb, mm, 0, ~uint64_t{0});
}

// Frees page tables and VMAs under whatever lock the caller has: nobody who
// uses a VMA is waited for, and the VMAs' own locks are not asked.
void FreeAll(mmu_gather* tlb, mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  Mark(Point::kExitMmapFreePgtables);
  free_pgtables(tlb, mm, vma_first(mm), vma_last(mm), /*floor=*/0,
                /*ceiling=*/0, /*mm_wr_locked=*/false);
  tlb_finish_mmu(tlb);
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;) {
    vm_area_struct* next = vma_next(vma);
    mm->mm_mt.erase(mm->mm_mt.iterator_to(*vma));
    vma->detached = true;
    vma->vm_refcnt = 0;
    remove_vma(vma, /*unreachable=*/true);
    cond_resched();
    vma = next;
  }
}

void Forget(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (Switched(Switch::kExitLeavesVmasLinked)) return;
  mm->mmap = nullptr;
  mm->mmap_last = nullptr;
  mm->torn_down = differences().uses_maple_tree;
}

// ---- Munlocking ------------------------------------------------------------

// One page-table range of munlock_vma_pages_range(), up to v4.16: between the
// look at the PMD and the lock nothing keeps a reaper out, and a PMD that is no
// longer huge is taken for one that leads to a table. Source:
// mm/gup.c:follow_page_mask().
void MunlockRange(mm_struct* mm, uint64_t start,
                  uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pte_t* pmd = pmd_offset_lockless(mm, start);
  if (pmd == nullptr) return;
  SchedulePoint(Point::kPteEntry, Access::kRead, NumberOf(pmd));
  if (pte_none(*pmd)) return;
  if (pmd_trans_huge(*pmd)) {
    spinlock_t* ptl = table_lock_of(pmd);
    spin_lock(ptl);
    const bool huge = pmd_trans_huge(*pmd);
    if (huge) munlock_folio(pte_pfn(*pmd));
    spin_unlock(ptl);
    if (huge) return;
  }
  spinlock_t* ptl;
  const pte_t* pte = pte_offset_map_lock(mm, pmd, start, &ptl);
  for (uint64_t at = start; at != end; at += PAGE_SIZE, ++pte) {
    if (pte_present(*pte) && !pte_special(*pte)) munlock_folio(pte_pfn(*pte));
  }
  pte_unmap_unlock(ptl);
}

void MunlockAll(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (mm->locked_vm == 0) return;
  const Geometry geo = geometry();
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;
       vma = vma_next(vma)) {
    if ((vma->vm_flags & VM_LOCKED) == 0) continue;
    mm->locked_vm -= vma_pages(vma);
    // From here on a reaper takes the VMA.
    SchedulePoint(Point::kFlagSet, Access::kWrite, NumberOf(&vma->vm_flags));
    vma->vm_flags &= ~VM_LOCKED_MASK;
    for (uint64_t at = vma->vm_start; at < vma->vm_end;) {
      const uint64_t next = geo.addr_end(at, vma->vm_end, 2);
      MunlockRange(mm, at, next);
      at = next;
    }
  }
}

// ---- Locks left out --------------------------------------------------------

// What the switch makes of the version's lock around a part.
enum class Lock : uint8_t { kNone, kRead, kWrite };

void Take(mm_struct* mm, Lock lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (lock == Lock::kRead) mmap_read_lock(mm);
  if (lock == Lock::kWrite) mmap_write_lock(mm);
}
void Drop(mm_struct* mm, Lock lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (lock == Lock::kRead) mmap_read_unlock(mm);
  if (lock == Lock::kWrite) mmap_write_unlock(mm);
}

// The lock under which page tables and VMAs are freed.
Lock LockToFree() {
  if (Switched(Switch::kExitWithoutLock)) return Lock::kNone;
  return Switched(Switch::kFreePgtablesUnderReadLock) ? Lock::kRead
                                                      : Lock::kWrite;
}

// As from v5.17 on, but for its locks and for what it forgets at the end.
void ExitMmapLessLocked(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const Differences& d = differences();
  const bool hides = d.exit_mmap_protocol == ExitMmapProtocol::kReadThenWrite;
  const Lock to_free = LockToFree();
  const Lock to_unmap =
      hides && to_free == Lock::kWrite ? Lock::kRead : to_free;
  if (IsMarkedVictim(mm)) ReapOwnMm(mm);
  Take(mm, to_unmap);
  if (!d.reaps_mlocked) MunlockAll(mm);
  if (vma_first(mm) == nullptr) {
    Drop(mm, to_unmap);
    return;
  }
  mmu_gather tlb;
  Unmap(&tlb, mm);
  if (hides) HideUnmappedMm(mm);
  if (to_unmap != to_free) {
    Drop(mm, to_unmap);
    Take(mm, to_free);
  }
  FreeAll(&tlb, mm);
  Forget(mm);
  Drop(mm, to_free);
}

// ---- Historical forms ------------------------------------------------------

// v4.15 and v4.16, before 27ae357fa82b.
void ExitMmapMunlockFirst(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MunlockAll(mm);
  if (vma_first(mm) == nullptr) return;
  mmu_gather tlb;
  Unmap(&tlb, mm);
  if (test_bit(MMF_OOM_VICTIM, &mm->flags)) {
    HideMm(mm);
    mmap_write_lock(mm);
    mmap_write_unlock(mm);
  }
  FreeAll(&tlb, mm);
  Forget(mm);
}

// Up to v4.14: who runs exit_mmap() says whose mm it is. Nobody else looks at
// the mark any more once exit_mmap() begins.
void MarkAsCurrents(mm_struct* mm) {
  constexpr uint64_t kMark = uint64_t{1} << MMF_OOM_VICTIM;
  const bool victims = tsk_is_oom_victim(current());
  mm->flags = victims ? mm->flags | kMark : mm->flags & ~kMark;
}

}  // namespace

bool ExitMmapSwitched(mm_struct* mm) {
  const Differences& d = differences();
  if (Switched(Switch::kExitTrustsCurrent) && d.has_mmf_oom_victim) {
    MarkAsCurrents(mm);
  }
  const bool munlocks =
      Switched(Switch::kMunlockBesideReapers) && !d.reaps_mlocked;
  const bool locks_less = (Switched(Switch::kExitWithoutLock) ||
                           Switched(Switch::kFreePgtablesUnderReadLock) ||
                           Switched(Switch::kExitLeavesVmasLinked)) &&
                          d.exit_mmap_protocol != ExitMmapProtocol::kUnlocked;
  if (!munlocks && !locks_less) return false;
  Mark(Point::kExitMmap);
  mmu_notifier_release(mm);
  munlocks ? ExitMmapMunlockFirst(mm) : ExitMmapLessLocked(mm);
  Mark(Point::kExitMmapDone);
  return true;
}

}  // namespace reapsim
