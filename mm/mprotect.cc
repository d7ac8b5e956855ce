// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mprotect.c, v5.15 to v7.2.
// Modelled: flags, their limits, and the change of present entries.
// Simplified: an entry never becomes writable here; the next write faults and
//   finds that out (v6.1 on saves that fault where it can). A page under
//   migration keeps the access that it had.
// Stubbed: protection keys, sealing, PROT_GROWSUP.

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/pagewalk.h"
#include "mm/vma.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// mm/mprotect.c:change_protection(): gives the entries of [start, end) the
// access that the VMA now has.
void change_protection(vm_area_struct* vma, uint64_t start, uint64_t end) {
  constexpr pte_t kAccess =
      _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_PROTNONE;
  mmu_notifier_range range{.mm = vma->vm_mm,
                           .start = start,
                           .end = end,
                           .event = MMU_NOTIFY_PROTECTION_VMA,
                           .blockable = true};
  const pte_t access = vm_page_prot(vma) & kAccess;
  mmu_gather tlb;
  tlb_gather_mmu(&tlb, vma->vm_mm);
  mmu_notifier_invalidate_range_start(&range);
  const Geometry geo = geometry();
  walk_page_range(
      vma->vm_mm, start, end, [&](pte_t* entry, uint64_t address, int level) {
        if (!pte_present(*entry)) return;
        const pte_t changed = (*entry & ~kAccess) | access;
        if (changed == *entry) return;
        *entry = pte_uffd_wp(changed) ? pte_wrprotect(changed) : changed;
        tlb_remove_tlb_entry(&tlb, address, geo.size(level));
      });
  mmu_notifier_invalidate_range_end(&range);
  tlb_finish_mmu(&tlb);
}

// mm/mprotect.c:mprotect_fixup(): gives [start, end) of vma the flags. 0 or
// -ENOMEM.
int mprotect_fixup(mm_struct* mm, vm_area_struct* vma, uint64_t start,
                   uint64_t end, uint64_t newflags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  const uint64_t oldflags = vma->vm_flags;
  if (newflags == oldflags) return 0;
  constexpr uint64_t kCounted =
      VM_ACCOUNT | VM_WRITE | VM_HUGETLB | VM_SHARED | VM_NORESERVE;
  if ((newflags & VM_WRITE) != 0 && (oldflags & kCounted) == 0) {
    if (!vm_enough_memory((end - start) >> PAGE_SHIFT)) return -ENOMEM;
    newflags |= VM_ACCOUNT;
  }
  vma = vma_modify_flags(mm, vma, start, end, newflags);
  if (vma == nullptr) return -ENOMEM;
  change_protection(vma, start, end);
  // Private locked memory becomes writable: the copies are made now.
  if ((oldflags & (VM_WRITE | VM_SHARED | VM_LOCKED)) == VM_LOCKED &&
      (newflags & VM_WRITE) != 0) {
    (void)populate_vma_page_range(vma, start, end);
  }
  return 0;
}

uint64_t ProtBits(uint64_t prot) {
  return ((prot & PROT_READ) != 0 ? VM_READ : 0) |
         ((prot & PROT_WRITE) != 0 ? VM_WRITE : 0) |
         ((prot & PROT_EXEC) != 0 ? VM_EXEC : 0);
}

// The part of do_mprotect_pkey() under the lock: VMA by VMA, until an error.
int ProtectRange(mm_struct* mm, uint64_t start, uint64_t end, uint64_t prot)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  vm_area_struct* first = find_vma_intersection(mm, start, end);
  if (first == nullptr) return -ENOMEM;
  if ((prot & PROT_GROWSDOWN) != 0) {
    // From the stack's present lower end on.
    start = first->vm_start;
    if ((first->vm_flags & VM_GROWSDOWN) == 0) return -EINVAL;
  }
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma(mm, at);
    if (vma == nullptr || vma->vm_start > at) return -ENOMEM;
    const uint64_t newflags =
        (vma->vm_flags & ~VM_ACCESS_FLAGS) | ProtBits(prot);
    // Each VM_MAY flag is its permission, four bits up.
    if ((newflags & ~(newflags >> 4) & VM_ACCESS_FLAGS) != 0) return -EACCES;
    const uint64_t stop = std::min(end, vma->vm_end);
    const int error = mprotect_fixup(mm, vma, at, stop, newflags);
    if (error != 0) return error;
    at = stop;
  }
  return 0;
}

}  // namespace

int do_mprotect(uint64_t start, uint64_t length, uint64_t prot) {
  constexpr uint64_t kGrows = PROT_GROWSDOWN | PROT_GROWSUP;
  if ((prot & kGrows) == kGrows || !IsPageAligned(start)) return -EINVAL;
  if (length == 0) return 0;
  const uint64_t end = start + PageAlign(length);
  if (end <= start) return -ENOMEM;
  // arch_validate_prot(): nothing but these can be asked for; and no mapping
  // of the model grows up.
  constexpr uint64_t kKnown =
      PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN | /*PROT_SEM=*/0x8;
  if ((prot & ~kKnown) != 0) return -EINVAL;
  mm_struct* mm = current()->mm;
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  const int error = ProtectRange(mm, start, end, prot);
  mmap_write_unlock(mm);
  return error;
}

}  // namespace reapsim
