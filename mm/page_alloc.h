// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Page frames: who has one, how many refer to it, and the word in it.
//
// Source: mm/page_alloc.c, include/linux/mm.h, mm/swap.c, v5.15 to v7.2.
// Modelled: a limit of frames, the slow path into the OOM killer, reference
//   counts, huge pages of one PMD entry.
// Simplified: no zones, watermarks, reclaim or reserves; freed base pages
//   never join into huge ones; page-table pages take no frame.
#ifndef REAPSIM_MM_PAGE_ALLOC_H_
#define REAPSIM_MM_PAGE_ALLOC_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// A page with one reference, its word 0. When no frame is left, asks the OOM
// killer (MmState::out_of_memory) and tries again, until that gives up or the
// caller has a fatal signal pending: then kNoPfn. May sleep; no spinlock may
// be held.
pfn_t alloc_page();
// The head of a huge page with one reference, or kNoPfn: callers fall back to
// base pages, so the OOM killer is not asked.
pfn_t alloc_huge_page();

// One reference more or less on the page (for part of a huge page: on its
// head). The last one frees it; a frame that is still mapped (S6) or that some
// TLB can still translate to (S4) must not be freed.
void get_page(pfn_t pfn);
void put_page(pfn_t pfn);
void put_page_refs(pfn_t pfn, uint32_t nr);
// References to the page, or to the huge page that it is part of. One visible
// step.
uint32_t page_count(pfn_t pfn);

// The head of the huge page that `pfn` is part of, or `pfn` itself.
pfn_t compound_head(const MmState& mm, pfn_t pfn);

// Gives back a gather's pages: `nr` encoded slots (see mm/mmu_gather.h).
void free_pages_and_swap_cache(const uint64_t* encoded, uint32_t nr);

// The page's word. Host or modelled side; no schedule points.
uint64_t ReadPageWord(const MmState& mm, pfn_t pfn);
void WritePageWord(MmState& mm, pfn_t pfn, uint64_t word);

// Host side, and below alloc_page(): takes a free frame without waiting, or
// kNoPfn.
pfn_t TakeFrame(MmState& mm);
// As alloc_huge_page(); for worlds that are filled without running.
pfn_t TakeHugeFrame(MmState& mm);

// Reserves the frame records of a new world, and makes its zero page.
void InitFrames(Arena* arena, MmState& mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_PAGE_ALLOC_H_
