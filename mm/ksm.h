// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// KSM: a kernel thread that lets equal anonymous pages share one frame.
//
// Source: mm/ksm.c, v5.15 to v7.2.
// Modelled: MADV_MERGEABLE and MADV_UNMERGEABLE; a scan that merges pages with
//   equal words, in one process or several; zero pages that it places, and
//   their counters (v6.6); an exit that waits for a scan of its mm.
// Simplified: a scan is one pass over everything, made when the host asks; it
//   knows at most 512 different words.
// Stubbed: checksums, smart scan, PR_SET_MEMORY_MERGE, NUMA.
#ifndef REAPSIM_MM_KSM_H_
#define REAPSIM_MM_KSM_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "mm/pgtable.h"

namespace reapsim {

// MADV_MERGEABLE for the first time in an mm: scans look at it from now on.
void __ksm_enter(mm_struct* mm);
// A fork's child is looked at if its parent is.
void ksm_fork(mm_struct* mm, mm_struct* oldmm);
// The mm has no users any more. Waits for a scan that is at work on it.
void ksm_exit(mm_struct* mm);
// MADV_UNMERGEABLE: gives the range pages of its own. 0, -ENOMEM, -EFAULT.
// Caller: mmap_lock.
int unmerge_ksm_pages(vm_area_struct* vma, uint64_t start, uint64_t end);

// One pass, as the kernel thread ksmd makes it; takes each mm's mmap_lock for
// reading. With `use_zero_pages` pages of zeroes become the zero page. Passes
// the mark kKsmScan in each mm.
void ksm_do_scan(bool use_zero_pages);

// An entry that maps the zero page because KSM put it there goes.
void ksm_might_unmap_zero_page(mm_struct* mm, pte_t pte);

}  // namespace reapsim

#endif  // REAPSIM_MM_KSM_H_
