// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// VMAs one by one: linking, splitting, merging, removing. For the files of
// this room that change address spaces; others use mm/mmap.h.
// Source: mm/vma.c (up to v6.9 in mm/mmap.c); vm_area_*(): kernel/fork.c.
#ifndef REAPSIM_MM_VMA_H_
#define REAPSIM_MM_VMA_H_

#include <algorithm>
#include <cstdint>

#include "mm/mm_types.h"
#include "mm/mmap.h"
#include "mm/pgtable.h"

namespace reapsim {

// How many VMAs an address space may have (vm.max_map_count).
inline constexpr int sysctl_max_map_count = 65530;

inline constexpr uint64_t VM_LOCKED_MASK = VM_LOCKED | VM_LOCKONFAULT;
inline constexpr uint64_t VM_ACCESS_FLAGS = VM_READ | VM_WRITE | VM_EXEC;
// Not to be merged, locked or split off lightly.
inline constexpr uint64_t VM_SPECIAL =
    VM_IO | VM_DONTEXPAND | VM_PFNMAP | VM_MIXEDMAP;

// Rounds up to a page; wraps to 0 near the end of the address range.
constexpr uint64_t PageAlign(uint64_t x) {
  return (x + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}
constexpr bool IsPageAligned(uint64_t x) { return x % PAGE_SIZE == 0; }

inline uint64_t vma_pages(const vm_area_struct* vma) {
  return (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
}

// Which page of the mapped object lies at the address. Source:
// include/linux/pagemap.h.
inline uint64_t linear_page_index(const vm_area_struct* vma, uint64_t address) {
  return ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
}

// One past the highest address that user space may map (TASK_SIZE_MAX: the
// last page below the hole stays free).
inline uint64_t TaskSize(const MmState& mm) {
  return GeometryOf(mm).task_size() - PAGE_SIZE;
}

// ---- Memory of VMAs --------------------------------------------------------

// A new VMA of mm, linked nowhere; null: no memory.
vm_area_struct* vm_area_alloc(mm_struct* mm);
// A copy of `orig`, linked nowhere, with a reference of its own to the
// mapping; null: no memory.
vm_area_struct* vm_area_dup(const vm_area_struct* orig);
// Frees a VMA that is in no tree: v6.4 to v6.14 after a grace period, else at
// once. From v6.15 on page faults that find VMAs under RCU cope with a VMA that
// is free, or used again. A second free is a verdict.
void vm_area_free(vm_area_struct* vma);
// Likewise, at once: nobody else can know of it.
void __vm_area_free(vm_area_struct* vma);

// ---- The set of VMAs -------------------------------------------------------

// The first VMA that has a byte in [start, end), or null.
vm_area_struct* find_vma_intersection(mm_struct* mm, uint64_t start,
                                      uint64_t end);

// Puts a VMA into mm's tree and list, in its place; it is write-locked.
void vma_link(mm_struct* mm, vm_area_struct* vma)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);
// Takes [first, last], which are write-locked, out of tree and list. They stay
// linked to each other.
void detach_vmas_to_be_unmapped(mm_struct* mm, vm_area_struct* first,
                                vm_area_struct* last)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);

// Cuts vma in two at `addr`. The new one is that below `addr` if new_below,
// else that above. 0 or -ENOMEM; split_vma() also heeds the limit on the
// number of VMAs.
int __split_vma(mm_struct* mm, vm_area_struct* vma, uint64_t addr,
                bool new_below) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);
int split_vma(mm_struct* mm, vm_area_struct* vma, uint64_t addr, bool new_below)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);

// Joins vma with its neighbours where nothing tells them apart. Returns the
// VMA that now covers it.
vm_area_struct* vma_merge(mm_struct* mm, vm_area_struct* vma)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);

// Gives [start, end) of vma these flags: splits off what keeps the old ones,
// then merges. Returns the VMA that now covers [start, end), or null: -ENOMEM.
vm_area_struct* vma_modify_flags(mm_struct* mm, vm_area_struct* vma,
                                 uint64_t start, uint64_t end,
                                 uint64_t vm_flags)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);

// Drops what the VMA holds and frees it. `unreachable`: nobody can look it up
// any more.
void remove_vma(vm_area_struct* vma, bool unreachable);

// ---- Unmapping -------------------------------------------------------------

// VMAs that are out of the tree, to be unmapped and freed.
struct vma_munmap_struct {
  vm_area_struct* first = nullptr;  // null: nothing to do
  vm_area_struct* last = nullptr;
  vm_area_struct* next = nullptr;  // that above them, still in the tree
  uint64_t start = 0;
  uint64_t end = 0;
  // The page tables that cover nothing but [start, end) lie in here.
  uint64_t floor = 0;
  uint64_t ceiling = 0;
};

// Cuts [start, end) out of mm's set of VMAs; nobody uses them any more then. 0
// or -ENOMEM.
int vms_gather_munmap_vmas(mm_struct* mm, uint64_t start, uint64_t end,
                           vma_munmap_struct* vms)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);
// Unmaps and frees what was gathered. `mm_wr_locked`: under the write lock.
void vms_complete_munmap_vmas(mm_struct* mm, const vma_munmap_struct& vms,
                              bool mm_wr_locked)
    ABSL_SHARED_LOCKS_REQUIRED(mm->mmap_lock);

// Unmaps and frees [start, end) under the write lock all the way. 0, -EINVAL,
// -ENOMEM.
int do_munmap(mm_struct* mm, uint64_t start, uint64_t length)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mm->mmap_lock);
// -EINVAL unless [start, start + length) is page-aligned user memory.
int check_munmap_range(uint64_t start, uint64_t length);

// ---- Stacks ----------------------------------------------------------------

// RLIMIT_STACK.
inline constexpr uint64_t _STK_LIM = uint64_t{8} << 20;

// vm.mmap_min_addr; less where the whole address space is small.
inline uint64_t MmapMinAddr() {
  return std::min(uint64_t{64} << 10, geometry().task_size() / 8);
}
// How much must stay free below a VMA that grows down; less where the whole
// address space is small.
inline uint64_t StackGuardGap() {
  return std::min(uint64_t{256} << PAGE_SHIFT, geometry().task_size() / 8);
}
// Where the VMA begins for those who look for a free place below it.
uint64_t vm_start_gap(const vm_area_struct* vma);
// Lets a stack reach down to `address`. 0; -EFAULT (it is no stack), -EPERM
// (too low), -ENOMEM (too big, or too near to the VMA below). Caller: mmap_lock
// for write, up to v6.4 for read.
int expand_stack_locked(vm_area_struct* vma, uint64_t address);

// ---- Locked memory ---------------------------------------------------------

// mm/mlock.c. Marks the present pages of [start, end) as locked or not.
void mlock_vma_pages_range(vm_area_struct* vma, uint64_t start, uint64_t end,
                           bool lock);
// Up to v5.17: munlocks all pages of a VMA and clears VM_LOCKED, before the
// VMA is unmapped. Later kernels do it page by page as they unmap.
void munlock_vma_pages_all(vm_area_struct* vma);

// ---- Faulting in (mm/gup.c) ------------------------------------------------

// Makes the pages of [start, end) of one VMA present, writable copies where
// the VMA is private and writable. 0, -EFAULT, -ENOMEM, -EINTR. Caller: its
// mmap_lock for read at least.
int populate_vma_page_range(vm_area_struct* vma, uint64_t start, uint64_t end);
// Likewise for whatever lies in [start, start + length) of the caller's mm;
// takes mmap_lock(R). With ignore_errors always 0.
int __mm_populate(uint64_t start, uint64_t length, bool ignore_errors);
// MADV_POPULATE_*: readable or writable. 0, -EFAULT, -ENOMEM, -EINTR, -EINVAL.
int faultin_page_range(mm_struct* mm, uint64_t start, uint64_t end, bool write)
    ABSL_SHARED_LOCKS_REQUIRED(mm->mmap_lock);

// ---- Accounting ------------------------------------------------------------

// Whether `pages` more of private writable memory may be promised: only what
// could never be had, RAM and swap together, is refused
// (mm/util.c:__vm_enough_memory(), OVERCOMMIT_GUESS).
bool vm_enough_memory(uint64_t pages);

}  // namespace reapsim

#endif  // REAPSIM_MM_VMA_H_
