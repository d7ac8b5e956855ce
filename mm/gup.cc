// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Access to another task's memory: find the page, take a reference, use it.
// Pins for DMA. And faulting ranges in, for mlock(2), MAP_POPULATE and
// MADV_POPULATE_*.
//
// Source: mm/gup.c, mm/memory.c:access_remote_vm(), mm/process_vm_access.c,
// v5.15 to v7.2.
// Simplified: one page at a time; no FOLL_FORCE, no fast path, no long-term
//   pins. A page that a reaper takes at once is not faulted in again.

#include <algorithm>
#include <cerrno>

#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

// Whether the entry allows the access.
bool Allows(pte_t entry, bool write) {
  return (entry & _PAGE_PRESENT) != 0 && (!write || pte_write(entry));
}

// The page mapped at `address` with a reference, or kNoPfn if a fault is
// needed. Source: follow_page_mask().
pfn_t follow_page_mask(mm_struct* mm, uint64_t address,
                       bool write) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pte_t* pmd = pmd_offset_lockless(mm, address);
  if (pmd == nullptr || !pte_present(*pmd)) return kNoPfn;
  const Geometry geo = geometry();
  spinlock_t* ptl;
  pfn_t pfn = kNoPfn;
  if (pmd_trans_huge(*pmd)) {
    ptl = table_lock_of(pmd);
    spin_lock(ptl);
    if (pmd_trans_huge(*pmd) && Allows(*pmd, write)) {
      pfn = pte_pfn(*pmd) + static_cast<pfn_t>(geo.index(address, 1));
      get_page(pfn);
    }
    spin_unlock(ptl);
    return pfn;
  }
  const pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  if (pte == nullptr) return kNoPfn;
  if (Allows(*pte, write)) {
    pfn = pte_pfn(*pte);
    get_page(pfn);
  }
  pte_unmap_unlock(ptl);
  return pfn;
}

// Source: check_vma_flags().
bool check_vma_flags(const vm_area_struct* vma, bool write) {
  if ((vma->vm_flags & (VM_IO | VM_PFNMAP)) != 0) return false;
  // mm/secretmem.c: nobody but the MMU may get at it.
  if (vma->vm_mapping != nullptr &&
      vma->vm_mapping->kind == address_space::kSecretmem) {
    return false;
  }
  return (vma->vm_flags & (write ? VM_WRITE : VM_READ)) != 0;
}

// The page at `address` with a reference. Caller: mmap_lock for read, which is
// dropped on the way out. Source: get_user_pages_remote() for one page.
AccessResult GetRemotePage(mm_struct* mm, uint64_t address, bool write,
                           pfn_t* pfn) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  for (;;) {
    vm_area_struct* vma = find_vma(mm, address);
    if (vma == nullptr || vma->vm_start > address ||
        !check_vma_flags(vma, write) || fatal_signal_pending(current())) {
      break;
    }
    *pfn = follow_page_mask(mm, address, write);
    if (*pfn != kNoPfn) {
      mmap_read_unlock(mm);
      return AccessResult::kOk;
    }
    const unsigned ret = handle_mm_fault(
        vma, address, FAULT_FLAG_REMOTE | (write ? FAULT_FLAG_WRITE : 0));
    if ((ret & VM_FAULT_RETRY) != 0) {
      mmap_read_lock(mm);
      continue;
    }
    if ((ret & VM_FAULT_OOM) != 0) {
      mmap_read_unlock(mm);
      return AccessResult::kOom;
    }
    if ((ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) != 0) break;
  }
  mmap_read_unlock(mm);
  return AccessResult::kEfault;
}

}  // namespace

AccessResult access_remote_word(mm_struct* mm, uint64_t address, bool write,
                                uint64_t* word) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (address >= geometry().task_size()) return AccessResult::kEfault;
  pfn_t pfn = kNoPfn;
  mmap_read_lock(mm);
  const AccessResult result = GetRemotePage(mm, address, write, &pfn);
  if (result != AccessResult::kOk) return result;
  // The reference alone keeps the page now.
  MmState& state = mm_state();
  SchedulePoint(Point::kUserAccess, write ? Access::kWrite : Access::kRead,
                static_cast<uint32_t>(address >> PAGE_SHIFT));
  if (write) {
    WritePageWord(state, pfn, *word);
    pfn_to_page(state, compound_head(state, pfn))->flags |= PG_dirty;
  } else {
    *word = ReadPageWord(state, pfn);
  }
  CheckWord(mm, address, write, *word);
  put_page(pfn);
  return AccessResult::kOk;
}

// ---- Pins ------------------------------------------------------------------

int64_t pin_user_pages(uint64_t start, int nr_pages, bool write,
                       pfn_t* pages) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = current()->mm;
  int pinned = 0;
  for (; pinned < nr_pages; ++pinned) {
    const uint64_t address = start + static_cast<uint64_t>(pinned) * PAGE_SIZE;
    if (address >= geometry().task_size()) break;
    mmap_read_lock(mm);
    if (GetRemotePage(mm, address, write, &pages[pinned]) !=
        AccessResult::kOk) {
      break;
    }
  }
  return pinned == 0 ? -EFAULT : pinned;
}

void unpin_user_pages(const pfn_t* pages, int nr_pages, bool dirty) {
  MmState& state = mm_state();
  for (int i = 0; i < nr_pages; ++i) {
    if (dirty) {
      pfn_to_page(state, compound_head(state, pages[i]))->flags |= PG_dirty;
    }
    put_page(pages[i]);
  }
}

// ---- Faulting ranges in ----------------------------------------------------

namespace {

// The lock was dropped and taken again: the VMA must be looked up anew.
constexpr int kLookAgain = 1;

// Whether `address` needs no fault; *next is where to go on if so.
bool IsThere(const mm_struct* mm, uint64_t address, bool write,
             uint64_t* next) {
  int level = 0;
  const pte_t* entry = FindEntry(mm_state(), mm, address, &level);
  if (entry == nullptr || !Allows(*entry, write)) return false;
  const uint64_t size = geometry().size(level);
  *next = (address & ~(size - 1)) + size;
  return true;
}

// __get_user_pages() for no pages: faults [*at, end) of the VMA in, moving *at
// on. 0, kLookAgain, -EINTR, -EFAULT or -ENOMEM. Caller: mmap_lock for read, or
// for write if no userfaultfd watches the VMA. No analysis: a fault that
// userfaultfd resolves drops the lock.
int FaultInVmaRange(vm_area_struct* vma, uint64_t* at, uint64_t end,
                    bool write) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = vma->vm_mm;
  while (*at < end) {
    if (fatal_signal_pending(current())) return -EINTR;
    uint64_t next = *at + PAGE_SIZE;
    if (!IsThere(mm, *at, write, &next)) {
      const unsigned ret =
          handle_mm_fault(vma, *at, write ? FAULT_FLAG_WRITE : 0);
      if ((ret & VM_FAULT_RETRY) != 0) {
        mmap_read_lock(mm);
        return kLookAgain;
      }
      if ((ret & VM_FAULT_OOM) != 0) return -ENOMEM;
      if ((ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) != 0) return -EFAULT;
    }
    *at = next;
  }
  return 0;
}

// populate_vma_page_range(), from *at on; as FaultInVmaRange().
int PopulateVmaRange(vm_area_struct* vma, uint64_t* at, uint64_t end) {
  const uint64_t flags = vma->vm_flags;
  if ((flags & VM_LOCKONFAULT) != 0) return 0;
  if ((flags & (VM_IO | VM_PFNMAP)) != 0 || (flags & VM_ACCESS_FLAGS) == 0) {
    return -EFAULT;
  }
  // Copies of private pages are made now, shared pages are not made dirty.
  const bool write = (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
  return FaultInVmaRange(vma, at, end, write);
}

}  // namespace

int populate_vma_page_range(vm_area_struct* vma, uint64_t start, uint64_t end) {
  // The caller keeps the lock, so userfaultfd can't be waited for.
  if ((vma->vm_flags & VM_UFFD_MISSING) != 0) return -EFAULT;
  return PopulateVmaRange(vma, &start, end);
}

int __mm_populate(uint64_t start, uint64_t length, bool ignore_errors) {
  mm_struct* mm = current()->mm;
  const uint64_t end = start + length;
  int error = 0;
  mmap_read_lock(mm);
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma_intersection(mm, at, end);
    if (vma == nullptr) break;
    at = std::max(at, vma->vm_start);
    const uint64_t stop = std::min(end, vma->vm_end);
    if ((vma->vm_flags & (VM_IO | VM_PFNMAP)) == 0) {
      error = PopulateVmaRange(vma, &at, stop);
      if (error == kLookAgain) continue;
      if (ignore_errors) error = 0;
      if (error != 0) break;
    }
    at = stop;
  }
  mmap_read_unlock(mm);
  return error;
}

int faultin_page_range(mm_struct* mm, uint64_t start, uint64_t end,
                       bool write) {
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma(mm, at);
    if (vma == nullptr || vma->vm_start > at) return -ENOMEM;
    if (!check_vma_flags(vma, write)) return -EINVAL;
    const int error =
        FaultInVmaRange(vma, &at, std::min(end, vma->vm_end), write);
    if (error < 0) return error;
  }
  return 0;
}

}  // namespace reapsim
