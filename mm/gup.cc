// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/gup.c, v5.15 to v7.2.
// Modelled: faulting ranges in, for mlock(2), MAP_POPULATE and
//   MADV_POPULATE_*.
// Simplified: a fault that succeeds is not followed by another look at the
//   entry, so a page that a reaper takes at once is not brought in again.
// Stubbed: pinning pages.

#include <algorithm>
#include <cerrno>

#include "mm/memory.h"
#include "mm/pgtable.h"
#include "mm/vma.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// Whether `address` needs no fault; *next is where to go on if so.
// mm/gup.c:follow_page_mask()
bool IsThere(const mm_struct* mm, uint64_t address, bool write,
             uint64_t* next) {
  int level = 0;
  const pte_t* entry = FindEntry(mm_state(), mm, address, &level);
  if (entry == nullptr || !pte_present(*entry)) return false;
  if (write && !pte_write(*entry)) return false;
  const uint64_t size = geometry().size(level);
  *next = (address & ~(size - 1)) + size;
  return true;
}

// mm/gup.c:faultin_page(): 0, -EFAULT or -ENOMEM.
int faultin_page(vm_area_struct* vma, uint64_t address, bool write) {
  const unsigned ret =
      handle_mm_fault(vma, address, write ? FAULT_FLAG_WRITE : 0);
  if ((ret & VM_FAULT_OOM) != 0) return -ENOMEM;
  if ((ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) != 0) return -EFAULT;
  return 0;
}

// mm/gup.c:__get_user_pages(), for no pages: 0, -EINTR, -EFAULT, -ENOMEM.
int faultin_vma_range(vm_area_struct* vma, uint64_t start, uint64_t end,
                      bool write) {
  for (uint64_t at = start; at < end;) {
    if (fatal_signal_pending(current())) return -EINTR;
    uint64_t next = at + PAGE_SIZE;
    if (!IsThere(vma->vm_mm, at, write, &next)) {
      const int error = faultin_page(vma, at, write);
      if (error != 0) return error;
    }
    at = next;
  }
  return 0;
}

// mm/gup.c:check_vma_flags(), where pages are only to become present.
bool MayFaultIn(const vm_area_struct* vma) {
  return (vma->vm_flags & (VM_IO | VM_PFNMAP)) == 0;
}

}  // namespace

int populate_vma_page_range(vm_area_struct* vma, uint64_t start, uint64_t end) {
  const uint64_t flags = vma->vm_flags;
  if ((flags & VM_LOCKONFAULT) != 0) return 0;
  if (!MayFaultIn(vma) || (flags & VM_ACCESS_FLAGS) == 0) return -EFAULT;
  // Copies of private pages are made now, shared pages are not made dirty.
  const bool write = (flags & (VM_WRITE | VM_SHARED)) == VM_WRITE;
  return faultin_vma_range(vma, start, end, write);
}

int __mm_populate(uint64_t start, uint64_t length, bool ignore_errors) {
  mm_struct* mm = current()->mm;
  const uint64_t end = start + length;
  int error = 0;
  mmap_read_lock(mm);
  for (vm_area_struct* vma = find_vma_intersection(mm, start, end);
       vma != nullptr; vma = find_vma_intersection(mm, vma->vm_end, end)) {
    if (!MayFaultIn(vma)) continue;
    error = populate_vma_page_range(vma, std::max(start, vma->vm_start),
                                    std::min(end, vma->vm_end));
    if (ignore_errors) error = 0;
    if (error != 0) break;
  }
  mmap_read_unlock(mm);
  return error;
}

int faultin_page_range(mm_struct* mm, uint64_t start, uint64_t end,
                       bool write) {
  for (uint64_t at = start; at < end;) {
    vm_area_struct* vma = find_vma(mm, at);
    if (vma == nullptr || vma->vm_start > at) return -ENOMEM;
    const uint64_t need = write ? VM_WRITE : VM_READ;
    if (!MayFaultIn(vma) || (vma->vm_flags & need) == 0) return -EINVAL;
    const uint64_t stop = std::min(end, vma->vm_end);
    const int error = faultin_vma_range(vma, at, stop, write);
    if (error != 0) return error;
    at = stop;
  }
  return 0;
}

}  // namespace reapsim
