// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Who maps a page: counts only.
//
// Source: mm/rmap.c, mm/mlock.c (folio_mlock/munlock), v5.15 to v7.2.
// Modelled: map counts of base pages, of parts of huge pages, and of huge pages
//   as a whole; PG_mlocked.
// Simplified: no list of the VMAs that map a page; a page counts as munlocked
//   when its last mapping goes, not with its last mapping in a locked VMA.
#ifndef REAPSIM_MM_RMAP_H_
#define REAPSIM_MM_RMAP_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// One more entry of `vma` maps the page; marks it mlocked in a locked VMA.
// Caller: the lock of the entry's table.
void folio_add_rmap_pte(pfn_t pfn, const vm_area_struct* vma);
void folio_add_rmap_pmd(pfn_t head, const vm_area_struct* vma);
// `nr` entries fewer map the pages from pfn on. A count below zero is a
// verdict (S6).
void folio_remove_rmap_ptes(pfn_t pfn, uint32_t nr, const vm_area_struct* vma);
void folio_remove_rmap_pmd(pfn_t head, const vm_area_struct* vma);

// Marks the page mlocked, or not, as mlock(2) and munlock(2) do for present
// pages. Caller: the lock of the entry's table.
void mlock_folio(pfn_t pfn);
void munlock_folio(pfn_t pfn);

// The rss_stat counter of a mapped page, by its flags: mm_counter().
inline int mm_counter_of(uint16_t page_flags) {
  if ((page_flags & PG_anon) != 0) return MM_ANONPAGES;
  return (page_flags & PG_swapbacked) != 0 ? MM_SHMEMPAGES : MM_FILEPAGES;
}

// Takes the page at `address` away, as reclaim would: an anonymous page goes to
// swap, or nowhere if MADV_FREE gave it up and nobody wrote to it since; a page
// of shmem goes to swap on behalf of its object. False if there is no such
// page, it is not private to one mapping, or swap is full. Source:
// mm/rmap.c:try_to_unmap_one(). Caller: mmap_lock for read.
bool try_to_unmap_one(vm_area_struct* vma, uint64_t address);

}  // namespace reapsim

#endif  // REAPSIM_MM_RMAP_H_
