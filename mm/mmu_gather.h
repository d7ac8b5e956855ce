// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// mmu_gather: pages and page tables that are out of the page tables, but may
// still be in TLBs; they are freed after the flush.
// Source: mm/mmu_gather.c, include/asm-generic/tlb.h, v5.15 to v7.2, x86-64.
#ifndef REAPSIM_MM_MMU_GATHER_H_
#define REAPSIM_MM_MMU_GATHER_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// Page slots of the gather itself, and of each batch page beyond it.
inline constexpr uint32_t MMU_GATHER_BUNDLE = 8;
inline constexpr uint32_t MAX_GATHER_BATCH = 510;
inline constexpr uint32_t MAX_GATHER_BATCH_COUNT = 19;

// A slot for a page: its frame number above two flags. After a slot with
// _NR_PAGES_NEXT comes one that holds the length of the run (v6.9 on).
inline constexpr uint64_t ENCODED_PAGE_BIT_DELAY_RMAP = 1;
inline constexpr uint64_t ENCODED_PAGE_BIT_NR_PAGES_NEXT = 2;
inline constexpr uint64_t ENCODED_PAGE_BITS = 3;
inline pfn_t encoded_page_pfn(uint64_t slot) {
  return static_cast<pfn_t>(slot >> 2);
}
inline uint32_t encoded_nr_pages(uint64_t slot) {
  return static_cast<uint32_t>(slot >> 2);
}

// A list of slots: the gather's own, or those of a batch page.
struct mmu_gather_batch {
  mmu_gather_batch* next = nullptr;
  uint32_t nr = 0;
  uint32_t max = 0;
  uint64_t* encoded_pages = nullptr;
};
struct mmu_gather_batch_page {
  mmu_gather_batch batch;
  uint64_t slots[MAX_GATHER_BATCH];
};

// Lives on the stack of the task that unmaps.
struct mmu_gather {
  mm_struct* mm = nullptr;
  uint64_t start = 0;  // range to flush; empty when end <= start
  uint64_t end = 0;
  bool fullmm = false;           // everything goes: flush all, not a range
  bool freed_tables = false;     // page-table pages are among what is gathered
  bool cleared_entries = false;  // some entry was: there is something to flush
  bool delayed_rmap = false;     // v6.2 on: rmap of dirty file pages is pending
  uint32_t reserve = 0;  // slots at a batch's end that stay free (v6.9 on: 1)
  uint32_t batch_count = 0;
  mmu_gather_batch* active = nullptr;
  mmu_gather_batch local;
  uint64_t __pages[MMU_GATHER_BUNDLE];
  ptdesc* tables = nullptr;  // page-table pages to free after the flush
  uint32_t table_count = 0;
  // What has been walked, cleared or found empty; for S4 only.
  uint64_t walked_start = ~uint64_t{0};
  uint64_t walked_end = 0;
};

// Page-table pages that one batch of a gather can hold.
inline constexpr uint32_t MAX_TABLE_BATCH = 509;

// Starts a gather; mm->tlb_flush_pending + 1. _fullmm: the mm has no users.
void tlb_gather_mmu(mmu_gather* tlb, mm_struct* mm);
void tlb_gather_mmu_fullmm(mmu_gather* tlb, mm_struct* mm);
// Flushes and frees all that is gathered; forces a full flush when another
// gather runs on the same mm. mm->tlb_flush_pending - 1.
void tlb_finish_mmu(mmu_gather* tlb);
// Flushes and frees what is gathered so far.
void tlb_flush_mmu(mmu_gather* tlb);
// Only the flush, then the delayed rmaps. Under a page-table lock.
void tlb_flush_mmu_tlbonly(mmu_gather* tlb);
void tlb_flush_rmaps(mmu_gather* tlb, vm_area_struct* vma);
// Widens the range to flush.
inline void tlb_remove_tlb_entry(mmu_gather* tlb, uint64_t address,
                                 uint64_t size) {
  if (address < tlb->start) tlb->start = address;
  if (address + size > tlb->end) tlb->end = address + size;
  tlb->cleared_entries = true;
}

// Makes room for more slots; false: flush first.
bool tlb_next_batch(mmu_gather* tlb);

// Gathers a run of `nr` pages of one folio; true: the gather is full, flush.
// The caller has called tlb_remove_tlb_entry().
inline bool __tlb_remove_folio_pages(mmu_gather* tlb, pfn_t pfn, uint32_t nr,
                                     bool delay_rmap) {
  mmu_gather_batch* batch = tlb->active;
  uint64_t slot = uint64_t{pfn} << 2;
  if (delay_rmap) {
    slot |= ENCODED_PAGE_BIT_DELAY_RMAP;
    tlb->delayed_rmap = true;
  }
  if (nr == 1) {
    batch->encoded_pages[batch->nr++] = slot;
  } else {
    batch->encoded_pages[batch->nr++] = slot | ENCODED_PAGE_BIT_NR_PAGES_NEXT;
    batch->encoded_pages[batch->nr++] = uint64_t{nr} << 2;
  }
  return batch->nr + tlb->reserve >= batch->max && !tlb_next_batch(tlb);
}

// Gathers a page-table page that no entry points at any more.
void tlb_remove_table(mmu_gather* tlb, ptdesc* table, uint64_t address,
                      uint64_t size);
// At a VMA's end; x86 merges VMAs: no flush here.
void tlb_end_vma(mmu_gather* tlb, vm_area_struct* vma);

}  // namespace reapsim

#endif  // REAPSIM_MM_MMU_GATHER_H_
