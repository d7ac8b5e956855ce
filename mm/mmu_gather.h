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

// One batch page: slots for encoded pages (bit 0: delayed rmap; runs: v6.9).
struct mmu_gather_batch {
  mmu_gather_batch* next = nullptr;
  uint32_t nr = 0;
  uint32_t max = 0;
  uint64_t encoded_pages[MAX_GATHER_BATCH] = {};
};

struct mmu_gather {
  mm_struct* mm = nullptr;
  uint64_t start = 0;  // range to flush; empty when end <= start
  uint64_t end = 0;
  bool fullmm = false;  // the mm has no users: no flush is needed
  bool need_flush_all = false;
  bool freed_tables = false;
  bool delayed_rmap = false;  // v6.2 on: rmap of dirty file pages is pending
  uint32_t batch_count = 0;
  mmu_gather_batch* active = nullptr;
  struct {
    mmu_gather_batch* next;
    uint32_t nr;
    uint32_t max;
    uint64_t encoded_pages[MMU_GATHER_BUNDLE];
  } local = {};
  ptdesc* tables = nullptr;  // page-table pages to free after the flush
  uint32_t table_count = 0;
};

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
void tlb_remove_tlb_entry(mmu_gather* tlb, uint64_t address, uint64_t size);
// Gathers a run of `nr` pages of one folio; true: the gather is full, flush.
bool __tlb_remove_folio_pages(mmu_gather* tlb, pfn_t pfn, uint32_t nr,
                              bool delay_rmap);
// Gathers a page-table page.
void tlb_remove_table(mmu_gather* tlb, ptdesc* table);
// At a VMA's end; x86 merges VMAs: no flush here.
void tlb_end_vma(mmu_gather* tlb, vm_area_struct* vma);

}  // namespace reapsim

#endif  // REAPSIM_MM_MMU_GATHER_H_
