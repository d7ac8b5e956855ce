// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Each CPU's TLB, and how it is flushed.
//
// Source: arch/x86/mm/tlb.c, v5.15 to v7.2.
// Modelled: a set of translations for each CPU, filled by user accesses; range
//   and full flushes; the bound above which a range becomes a full flush.
// Simplified: a CPU needs an interrupt iff its TLB holds something of the mm
//   (the kernel: iff it may); flushes are not deferred for idle CPUs; huge
//   entries are cached by base page.
#ifndef REAPSIM_MM_TLB_H_
#define REAPSIM_MM_TLB_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

inline constexpr uint64_t TLB_FLUSH_ALL = ~uint64_t{0};
// Above this many entries a range is flushed as a whole mm.
inline constexpr uint64_t tlb_single_page_flush_ceiling = 33;

// Drops the translations of [start, end) of mm from all TLBs; of all of it if
// end is TLB_FLUSH_ALL or the range is long. `stride_shift`: page size.
// Source: flush_tlb_mm_range().
void flush_tlb_mm_range(mm_struct* mm, uint64_t start, uint64_t end,
                        unsigned stride_shift);
void flush_tlb_mm(mm_struct* mm);
void flush_tlb_page(const vm_area_struct* vma, uint64_t address);

// The translation that the CPU has of a page of mm, or null.
const TlbEntry* tlb_lookup(uint32_t cpu, const mm_struct* mm, uint64_t address);
// The CPU learns a translation.
void tlb_fill(uint32_t cpu, mm_struct* mm, uint64_t address, pfn_t pfn,
              bool writable);

// Whether some TLB still translates to the frame. Any side.
bool TlbKnowsFrame(const MmState& mm, pfn_t pfn);

}  // namespace reapsim

#endif  // REAPSIM_MM_TLB_H_
