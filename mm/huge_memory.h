// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Transparent huge pages: one PMD entry maps as many pages as a PTE table
// holds.
//
// Source: mm/huge_memory.c, v5.15 to v7.2.
// Modelled: anonymous huge pages and the huge zero page where madvise asked
//   for them; the page table deposited with each for a later split; zap, split,
//   copy at fork.
// Simplified: "madvise" is the only mode; a write to the huge zero page splits
//   it in every version; file and shmem memory is never huge.
#ifndef REAPSIM_MM_HUGE_MEMORY_H_
#define REAPSIM_MM_HUGE_MEMORY_H_

#include <cstdint>

#include "mm/memory.h"

namespace reapsim {

// Whether a fault at `address` may install a huge entry: an anonymous VMA with
// VM_HUGEPAGE that covers the whole of it.
bool thp_vma_suitable(const vm_area_struct* vma, uint64_t address);

// The first touch. VM_FAULT_FALLBACK: use base pages.
unsigned do_huge_pmd_anonymous_page(vm_fault* vmf);
// A write to a huge entry that forbids it. VM_FAULT_FALLBACK: it is split now,
// go on with base pages.
unsigned do_huge_pmd_wp_page(vm_fault* vmf);
// Sets the accessed bit, and for a write the dirty bit.
void huge_pmd_set_accessed(vm_fault* vmf);

// Copies a huge entry to the child. 0; -ENOMEM; -EAGAIN: it is not huge (any
// more), copy base pages. Both mmap_locks held for write.
int copy_huge_pmd(pte_t* dst_pmd, pte_t* src_pmd, vm_area_struct* dst_vma);

// Unmaps a huge entry, and frees the table deposited with it at once. False if
// the entry is not huge (any more).
bool zap_huge_pmd(mmu_gather* tlb, vm_area_struct* vma, pte_t* pmd,
                  uint64_t address);
// Maps the same pages by the deposited table. Nothing if the entry is not huge
// (any more). May sleep for notifiers.
void __split_huge_pmd(vm_area_struct* vma, pte_t* pmd, uint64_t address);
// As above for whatever maps `address`: before the protection or the flags of
// a part of it change. Source: split_huge_pmd_address().
void split_huge_pmd_address(vm_area_struct* vma, uint64_t address);

// Installs a huge page that the caller has taken, without faulting. False if
// no table is left, or something is there already.
bool map_huge_page(vm_area_struct* vma, uint64_t address, pfn_t head);
// The same with the huge zero page.
bool map_huge_zero_page(vm_area_struct* vma, uint64_t address);

}  // namespace reapsim

#endif  // REAPSIM_MM_HUGE_MEMORY_H_
