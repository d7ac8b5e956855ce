// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Hugetlb mappings: huge pages that count in no rss counter, and that reapers
// leave alone.
//
// Source: mm/hugetlb.c, v5.15 to v7.2.
// Modelled: faults, fork, unmapping.
// Simplified: pages come from the machine's free frames, not from a pool; all
//   mappings are private to their mm but for fork, which shares the pages
//   without copy on write.
#ifndef REAPSIM_MM_HUGETLB_H_
#define REAPSIM_MM_HUGETLB_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "mm/mmu_gather.h"

namespace reapsim {

// Returns VM_FAULT_* bits. MMF_UNSTABLE is not looked at.
unsigned hugetlb_fault(vm_area_struct* vma, uint64_t address, unsigned flags);
// 0 or -ENOMEM.
int copy_hugetlb_page_range(vm_area_struct* dst_vma, vm_area_struct* src_vma);
void __unmap_hugepage_range(mmu_gather* tlb, vm_area_struct* vma,
                            uint64_t start, uint64_t end);

}  // namespace reapsim

#endif  // REAPSIM_MM_HUGETLB_H_
