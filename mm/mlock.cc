// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mlock.c, v5.15 to v7.2.
// Modelled: VM_LOCKED, VM_LOCKONFAULT, locked_vm, marking of present pages,
//   faulting in; munlocking before unmapping up to v5.17.
// Simplified: pages that are present are marked by mlock(2) itself; up to
//   v5.17 the kernel leaves that to the faulting in. No RLIMIT_MEMLOCK.

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>

#include "mm/invariants.h"
#include "mm/pagewalk.h"
#include "mm/rmap.h"
#include "mm/vma.h"
#include "sched/race.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// include/linux/mman.h: memory that can't be paged out is not locked, and
// secret memory can't be unlocked.
bool vma_supports_mlock(const vm_area_struct* vma) {
  if ((vma->vm_flags & (VM_SPECIAL | VM_HUGETLB | VM_DROPPABLE)) != 0) {
    return false;
  }
  return vma->vm_mapping == nullptr ||
         vma->vm_mapping->kind != address_space::kSecretmem;
}

// mm/mlock.c:mlock_fixup(): gives [start, end) of vma the flags. 0 or -ENOMEM.
int mlock_fixup(mm_struct* mm, vm_area_struct* vma, uint64_t start,
                uint64_t end, uint64_t newflags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  const uint64_t oldflags = vma->vm_flags;
  if (newflags == oldflags || !vma_supports_mlock(vma)) return 0;
  vma = vma_modify_flags(mm, vma, start, end, newflags);
  if (vma == nullptr) return -ENOMEM;
  const bool was = (oldflags & VM_LOCKED) != 0;
  const bool is = (newflags & VM_LOCKED) != 0;
  if (was == is) return 0;
  const uint64_t pages = (end - start) >> PAGE_SHIFT;
  PlainWrite(&mm->locked_vm, "mm->locked_vm");
  mm->locked_vm = is ? mm->locked_vm + pages : mm->locked_vm - pages;
  mlock_vma_pages_range(vma, start, end, is);
  return 0;
}

// mm/mlock.c:apply_vma_lock_flags(): 0, -EINVAL or -ENOMEM.
int apply_vma_lock_flags(mm_struct* mm, uint64_t start, uint64_t length,
                         uint64_t flags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  const uint64_t end = start + length;
  if (end < start) return -EINVAL;
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma(mm, at);
    if (vma == nullptr || vma->vm_start > at) return -ENOMEM;
    const uint64_t stop = std::min(end, vma->vm_end);
    const int error = mlock_fixup(mm, vma, at, stop,
                                  (vma->vm_flags & ~VM_LOCKED_MASK) | flags);
    if (error != 0) return error;
    at = stop;
  }
  return 0;
}

// mm/mlock.c:apply_mlockall_flags(). What can't be locked is passed over.
void apply_mlockall_flags(mm_struct* mm, int flags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock) {
  uint64_t to_add = 0;
  if ((flags & (MCL_CURRENT | MCL_FUTURE)) != 0) to_add = VM_LOCKED;
  if (to_add != 0 && (flags & MCL_ONFAULT) != 0) to_add |= VM_LOCKONFAULT;
  PlainWrite(&mm->def_flags, "mm->def_flags");
  mm->def_flags &= ~VM_LOCKED_MASK;
  if ((flags & MCL_FUTURE) != 0) mm->def_flags |= to_add;
  if ((flags & MCL_FUTURE) != 0 && (flags & MCL_CURRENT) == 0) return;
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;) {
    const uint64_t end = vma->vm_end;
    (void)mlock_fixup(mm, vma, vma->vm_start, end,
                      (vma->vm_flags & ~VM_LOCKED_MASK) | to_add);
    vma = find_vma(mm, end);
  }
}

// What mlock(2) has to say when faulting in failed, by POSIX:
// mm/mlock.c:__mlock_posix_error_return().
int MlockError(int error) {
  if (error == -EFAULT) return -ENOMEM;
  if (error == -ENOMEM) return -EAGAIN;
  return error;
}

// The start and length in whole pages of the range that holds these bytes.
void WholePages(uint64_t* start, uint64_t* length) {
  *length = PageAlign(*length + *start % PAGE_SIZE);
  *start -= *start % PAGE_SIZE;
}

}  // namespace

void mlock_vma_pages_range(vm_area_struct* vma, uint64_t start, uint64_t end,
                           bool lock) {
  walk_page_range(vma->vm_mm, start, end,
                  [lock](const pte_t* entry, uint64_t, int) {
                    if (!pte_present(*entry) || pte_special(*entry)) return;
                    const pfn_t pfn = pte_pfn(*entry);
                    lock ? mlock_folio(pfn) : munlock_folio(pfn);
                  });
}

void munlock_vma_pages_all(vm_area_struct* vma) {
  MayChangeVmas();
  PlainWrite(&vma->vm_flags, "vma->vm_flags");
  vma->vm_flags &= ~VM_LOCKED_MASK;
  mlock_vma_pages_range(vma, vma->vm_start, vma->vm_end, /*lock=*/false);
}

int do_mlock(uint64_t start, uint64_t length, bool on_fault) {
  mm_struct* mm = current()->mm;
  WholePages(&start, &length);
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  const int error = apply_vma_lock_flags(mm, start, length,
                                         on_fault ? VM_LOCKED_MASK : VM_LOCKED);
  mmap_write_unlock(mm);
  if (error != 0) return error;
  return MlockError(__mm_populate(start, length, /*ignore_errors=*/false));
}

int do_munlock(uint64_t start, uint64_t length) {
  mm_struct* mm = current()->mm;
  WholePages(&start, &length);
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  Mark(Point::kMmapLocked);
  const int error = apply_vma_lock_flags(mm, start, length, 0);
  mmap_write_unlock(mm);
  return error;
}

int do_mlockall(int flags) {
  constexpr int kKnown = MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT;
  if (flags == 0 || (flags & ~kKnown) != 0 || flags == MCL_ONFAULT) {
    return -EINVAL;
  }
  mm_struct* mm = current()->mm;
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  apply_mlockall_flags(mm, flags);
  mmap_write_unlock(mm);
  if ((flags & MCL_CURRENT) != 0) {
    __mm_populate(0, TaskSize(mm_state()), /*ignore_errors=*/true);
  }
  return 0;
}

int do_munlockall() {
  mm_struct* mm = current()->mm;
  if (mmap_write_lock_killable(mm) != 0) return -EINTR;
  apply_mlockall_flags(mm, 0);
  mmap_write_unlock(mm);
  return 0;
}

}  // namespace reapsim
