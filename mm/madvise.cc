// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/madvise.c, mm/ksm.c:ksm_madvise(),
// mm/khugepaged.c:hugepage_madvise(), v5.15 to v7.2.
// Modelled: the flags that advice sets; MADV_DONTNEED, which frees empty page
//   tables, too, from v6.14 on; MADV_PAGEOUT of anonymous base pages and of
//   shmem; MADV_FREE, whose pages MADV_PAGEOUT, the only reclaim there is,
//   drops; MADV_POPULATE_*; guard markers; the VMA's own lock instead of
//   mmap_lock, where that is enough.
// Simplified: a table that MADV_DONTNEED has emptied is never taken away in the
//   same lock section. MADV_FREE and MADV_PAGEOUT leave huge pages alone.
//   MADV_COLD and MADV_WILLNEED change nothing.
// Stubbed (-EINVAL): MADV_REMOVE, MADV_COLLAPSE, MADV_HWPOISON,
//   MADV_SOFT_OFFLINE.

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "mm/ksm.h"
#include "mm/memory.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/pagewalk.h"
#include "mm/rmap.h"
#include "mm/swapfile.h"
#include "mm/vma.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// Advice about [start, end) of one VMA.
struct Advice {
  int behavior;
  uint64_t start;
  uint64_t end;
};

// mm/madvise.c:madvise_behavior_valid()
bool madvise_behavior_valid(int behavior) {
  switch (behavior) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case MADV_FREE:
    case MADV_DONTFORK:
    case MADV_DOFORK:
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_WIPEONFORK:
    case MADV_KEEPONFORK:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
      return true;
    case kMadvDontneedLocked:
      // It came in v5.18, as did the reaping of locked memory.
      return differences().reaps_mlocked;
    case kMadvGuardInstall:
    case kMadvGuardRemove:
      return differences().has_guard_markers;
    default:
      return false;
  }
}

// mm/madvise.c:madvise_need_mmap_write()
bool madvise_need_mmap_write(int behavior) {
  switch (behavior) {
    case MADV_WILLNEED:
    case MADV_DONTNEED:
    case kMadvDontneedLocked:
    case MADV_COLD:
    case MADV_PAGEOUT:
    case MADV_FREE:
    case MADV_POPULATE_READ:
    case MADV_POPULATE_WRITE:
    case kMadvGuardInstall:
    case kMadvGuardRemove:
      return false;
    default:
      return true;
  }
}

// ---- Advice on pages -------------------------------------------------------

// mm/madvise.c:can_madv_lru_vma(), madvise_dontneed_free_valid_vma(). Huge
// pages of hugetlbfs are beyond the model.
bool MayDropPages(const vm_area_struct* vma, int behavior) {
  uint64_t forbidden = VM_PFNMAP | VM_HUGETLB;
  if (behavior != kMadvDontneedLocked) forbidden |= VM_LOCKED;
  return (vma->vm_flags & forbidden) == 0;
}

// mm/madvise.c:madvise_free_pte_range(), one entry.
void FreeLazily(mmu_gather* tlb, mm_struct* mm, pte_t* entry, uint64_t address,
                int level) {
  if (level != 1) return;
  if (is_swap_pte(*entry) && swp_type(*entry) == SwpType::kSwap) {
    free_swap_and_cache_nr(swp_offset(*entry), 1);
    *entry = 0;
    add_mm_counter(mm, MM_SWAPENTS, -1);
    return;
  }
  if (!pte_present(*entry) || pte_special(*entry)) return;
  page* p = pfn_to_page(mm_state(), pte_pfn(*entry));
  // What others map, too, is not ours to call free.
  if ((p->flags & PG_anon) == 0 || p->_mapcount != 1) return;
  // No longer worth a place in swap: reclaim drops it while it stays clean.
  p->flags &=
      static_cast<uint16_t>(~(PG_dirty | PG_referenced | PG_swapbacked));
  *entry = pte_mkclean(*entry) & ~_PAGE_ACCESSED;
  tlb_remove_tlb_entry(tlb, address, PAGE_SIZE);
}

// mm/madvise.c:madvise_free_single_vma()
int madvise_free_single_vma(vm_area_struct* vma, const Advice& advice) {
  if (!vma_is_anonymous(vma)) return -EINVAL;
  mm_struct* mm = vma->vm_mm;
  mmu_notifier_range range{.mm = mm,
                           .start = advice.start,
                           .end = advice.end,
                           .event = MMU_NOTIFY_CLEAR,
                           .blockable = true};
  mmu_gather tlb;
  tlb_gather_mmu(&tlb, mm);
  mmu_notifier_invalidate_range_start(&range);
  walk_page_range(mm, advice.start, advice.end,
                  [&](pte_t* entry, uint64_t address, int level) {
                    FreeLazily(&tlb, mm, entry, address, level);
                  });
  mmu_notifier_invalidate_range_end(&range);
  tlb_finish_mmu(&tlb);
  return 0;
}

// mm/madvise.c:madvise_dontneed_free()
int madvise_dontneed_free(vm_area_struct* vma, const Advice& advice) {
  if (!MayDropPages(vma, advice.behavior)) return -EINVAL;
  if (advice.behavior == MADV_FREE) return madvise_free_single_vma(vma, advice);
  const bool reclaim_pt = differences().madvise_reclaims_empty_tables;
  zap_page_range_single(vma, advice.start, advice.end - advice.start,
                        {.reclaim_pt = reclaim_pt});
  return 0;
}

// mm/madvise.c:madvise_pageout()
int madvise_pageout(vm_area_struct* vma, const Advice& advice) {
  if (!MayDropPages(vma, MADV_PAGEOUT)) return -EINVAL;
  const Geometry geo = geometry();
  for (uint64_t at = advice.start; at < advice.end;) {
    const uint64_t next = geo.addr_end(at, advice.end, 2);
    const pte_t* pmd = pmd_offset_lockless(vma->vm_mm, at);
    if (pmd != nullptr && pte_present(*pmd) && !pmd_trans_huge(*pmd)) {
      for (; at < next; at += PAGE_SIZE) try_to_unmap_one(vma, at);
    }
    at = next;
  }
  return 0;
}

// ---- Guard markers ---------------------------------------------------------

// mm/madvise.c:is_valid_guard_vma()
bool is_valid_guard_vma(const vm_area_struct* vma, bool allow_locked) {
  uint64_t forbidden = VM_SPECIAL | VM_HUGETLB;
  if (!allow_locked) forbidden |= VM_LOCKED;
  if (differences().guards_any_mapping) {
    return (vma->vm_flags & forbidden) == 0;
  }
  return vma_is_anonymous(vma) &&
         (vma->vm_flags & (VM_MAYWRITE | forbidden)) == VM_MAYWRITE;
}

// Fills what is empty of [start, end), which lies in one PTE table, with
// markers. False if something is mapped there.
bool InstallGuards(mm_struct* mm, pte_t* pmd, uint64_t start, uint64_t end) {
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, start, &ptl);
  if (pte == nullptr) return false;
  bool empty = true;
  for (uint64_t at = start; at != end && empty; at += PAGE_SIZE, ++pte) {
    empty = pte_none(*pte) || pte_is_marker(*pte);
    if (empty) *pte = make_pte_marker(PTE_MARKER_GUARD);
  }
  pte_unmap_unlock(ptl);
  return empty;
}

// mm/madvise.c:madvise_guard_install(): 0, -EINVAL or -ENOMEM.
int madvise_guard_install(vm_area_struct* vma, const Advice& advice) {
  if (!is_valid_guard_vma(vma, /*allow_locked=*/false)) return -EINVAL;
  mm_struct* mm = vma->vm_mm;
  // Without an anon_vma, fork would not copy the markers.
  vma->anon_vma = true;
  const Geometry geo = geometry();
  for (uint64_t at = advice.start; at < advice.end;) {
    const uint64_t next = geo.addr_end(at, advice.end, 2);
    pte_t* pmd = pmd_alloc(mm, at);
    if (pmd == nullptr) return -ENOMEM;
    if (!pmd_trans_huge(*pmd)) {
      if (pte_alloc(mm, pmd) != 0) return -ENOMEM;
      if (InstallGuards(mm, pmd, at, next)) {
        at = next;
        continue;
      }
    }
    // Something is mapped, or was faulted in since the last time.
    zap_page_range_single(vma, at, next - at);
  }
  return 0;
}

// mm/madvise.c:madvise_guard_remove()
int madvise_guard_remove(vm_area_struct* vma, const Advice& advice) {
  if (!is_valid_guard_vma(vma, /*allow_locked=*/true)) return -EINVAL;
  walk_page_range(vma->vm_mm, advice.start, advice.end,
                  [](pte_t* entry, uint64_t, int) {
                    if (pte_is_marker(*entry) &&
                        (swp_offset(*entry) & PTE_MARKER_GUARD) != 0) {
                      *entry = 0;
                    }
                  });
  return 0;
}

// ---- Advice on VMAs --------------------------------------------------------

// mm/ksm.c:ksm_madvise(). 0, or what unmerge_ksm_pages() fails with.
int ksm_madvise(vm_area_struct* vma, const Advice& advice, uint64_t* vm_flags) {
  if (advice.behavior == MADV_UNMERGEABLE) {
    if ((*vm_flags & VM_MERGEABLE) == 0) return 0;
    *vm_flags &= ~VM_MERGEABLE;
    return vma->anon_vma ? unmerge_ksm_pages(vma, advice.start, advice.end) : 0;
  }
  constexpr uint64_t kNever =
      VM_SHARED | VM_MAYSHARE | VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE;
  if ((*vm_flags & kNever) != 0) return 0;
  __ksm_enter(vma->vm_mm);
  *vm_flags |= VM_MERGEABLE;
  return 0;
}

// The flags that a VMA gets by advice of the second kind. 0 or -EINVAL.
int AdvisedFlags(vm_area_struct* vma, const Advice& advice, uint64_t* out) {
  const uint64_t flags = vma->vm_flags;
  *out = flags;
  switch (advice.behavior) {
    case MADV_NORMAL:
      *out = flags & ~(VM_RAND_READ | VM_SEQ_READ);
      return 0;
    case MADV_SEQUENTIAL:
      *out = (flags & ~VM_RAND_READ) | VM_SEQ_READ;
      return 0;
    case MADV_RANDOM:
      *out = (flags & ~VM_SEQ_READ) | VM_RAND_READ;
      return 0;
    case MADV_DONTFORK:
      *out = flags | VM_DONTCOPY;
      return 0;
    case MADV_DOFORK:
      *out = flags & ~VM_DONTCOPY;
      return (flags & VM_IO) != 0 ? -EINVAL : 0;
    case MADV_WIPEONFORK:
      *out = flags | VM_WIPEONFORK;
      return vma->vm_mapping != nullptr || (flags & VM_SHARED) != 0 ? -EINVAL
                                                                    : 0;
    case MADV_KEEPONFORK:
      *out = flags & ~VM_WIPEONFORK;
      return (flags & VM_DROPPABLE) != 0 ? -EINVAL : 0;
    case MADV_DONTDUMP:
      *out = flags | VM_DONTDUMP;
      return 0;
    case MADV_DODUMP:
      *out = flags & ~VM_DONTDUMP;
      return (flags & VM_HUGETLB) == 0 && (flags & VM_SPECIAL) != 0 ? -EINVAL
                                                                    : 0;
    case MADV_MERGEABLE:
    case MADV_UNMERGEABLE:
      return ksm_madvise(vma, advice, out);
    case MADV_HUGEPAGE:
      *out = (flags & ~VM_NOHUGEPAGE) | VM_HUGEPAGE;
      return 0;
    case MADV_NOHUGEPAGE:
      *out = (flags & ~VM_HUGEPAGE) | VM_NOHUGEPAGE;
      return 0;
    default:
      return -EINVAL;
  }
}

// mm/madvise.c:madvise_vma_behavior() for advice that changes pages.
int AdvisePages(vm_area_struct* vma, const Advice& advice) {
  switch (advice.behavior) {
    case MADV_DONTNEED:
    case kMadvDontneedLocked:
    case MADV_FREE:
      return madvise_dontneed_free(vma, advice);
    case MADV_PAGEOUT:
      return madvise_pageout(vma, advice);
    case MADV_COLD:
      return MayDropPages(vma, MADV_COLD) ? 0 : -EINVAL;
    case kMadvGuardInstall:
      return madvise_guard_install(vma, advice);
    case kMadvGuardRemove:
      return madvise_guard_remove(vma, advice);
    default:  // MADV_WILLNEED
      return 0;
  }
}

// ... and for advice that changes flags.
int AdviseFlags(mm_struct* mm, vm_area_struct* vma, const Advice& advice)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  uint64_t flags;
  const int error = AdvisedFlags(vma, advice, &flags);
  if (error != 0) return error;
  if (flags == vma->vm_flags) return 0;
  if (vma_modify_flags(mm, vma, advice.start, advice.end, flags) != nullptr) {
    return 0;
  }
  return -EAGAIN;
}

// mm/madvise.c:madvise_walk_vmas(): visits what is mapped of [start, end), and
// says at the end that there were holes.
template <class Visit>
int madvise_walk_vmas(mm_struct* mm, uint64_t start, uint64_t end,
                      const Visit& visit) {
  int unmapped_error = 0;
  while (start < end) {
    vm_area_struct* vma = find_vma(mm, start);
    if (vma == nullptr) return -ENOMEM;
    if (start < vma->vm_start) {
      unmapped_error = -ENOMEM;
      start = vma->vm_start;
      if (start >= end) break;
    }
    const uint64_t stop = std::min(end, vma->vm_end);
    const int error = visit(vma, start, stop);
    if (error != 0) return error;
    start = stop;
  }
  return unmapped_error;
}

// mm/madvise.c:get_lock_mode(), try_vma_read_lock(): the one VMA that the
// advice is about, read-locked, if its own lock is enough. Null: it has to be
// mmap_lock.
vm_area_struct* try_vma_read_lock(mm_struct* mm, uint64_t start, uint64_t end,
                                  int behavior) {
  if (!differences().madvise_locks_vma ||
      (behavior != MADV_DONTNEED && behavior != kMadvDontneedLocked &&
       behavior != MADV_FREE)) {
    return nullptr;
  }
  vm_area_struct* vma = lock_vma_under_rcu(mm, start);
  if (vma == nullptr) return nullptr;
  if (end <= vma->vm_end &&
      (vma->vm_flags & (VM_UFFD_MISSING | VM_UFFD_WP)) == 0) {
    return vma;
  }
  vma_end_read(vma);
  return nullptr;
}

int AdviseUnderRead(mm_struct* mm, uint64_t start, uint64_t end, int behavior) {
  vm_area_struct* only = try_vma_read_lock(mm, start, end, behavior);
  if (only != nullptr) {
    const int result = AdvisePages(only, {behavior, start, end});
    vma_end_read(only);
    return result;
  }
  mmap_read_lock(mm);
  int error = 0;
  if (behavior == MADV_POPULATE_READ || behavior == MADV_POPULATE_WRITE) {
    error = faultin_page_range(mm, start, end, behavior == MADV_POPULATE_WRITE);
  } else {
    error = madvise_walk_vmas(
        mm, start, end, [=](vm_area_struct* vma, uint64_t from, uint64_t to) {
          return AdvisePages(vma, {behavior, from, to});
        });
  }
  mmap_read_unlock(mm);
  return error;
}

int AdviseUnderWrite(mm_struct* mm, uint64_t start, uint64_t end,
                     int behavior) {
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  // The analysis does not look through the lambda at the lock held around it.
  const int error =
      madvise_walk_vmas(mm, start, end,
                        [=](vm_area_struct* vma, uint64_t from, uint64_t to)
                            ABSL_NO_THREAD_SAFETY_ANALYSIS {
                              return AdviseFlags(mm, vma, {behavior, from, to});
                            });
  mmap_write_unlock(mm);
  return error;
}

}  // namespace

int do_madvise(uint64_t start, uint64_t length, int advice) {
  if (!madvise_behavior_valid(advice) || !IsPageAligned(start)) return -EINVAL;
  const uint64_t whole = PageAlign(length);
  if (length != 0 && whole == 0) return -EINVAL;
  const uint64_t end = start + whole;
  if (end < start) return -EINVAL;
  if (end == start) return 0;
  mm_struct* mm = current()->mm;
  return madvise_need_mmap_write(advice)
             ? AdviseUnderWrite(mm, start, end, advice)
             : AdviseUnderRead(mm, start, end, advice);
}

}  // namespace reapsim
