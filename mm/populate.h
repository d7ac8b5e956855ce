// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Page tables filled without faulting: how imported and very large address
// spaces get their pages.
#ifndef REAPSIM_MM_POPULATE_H_
#define REAPSIM_MM_POPULATE_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

enum class PopulateKind : uint8_t {
  kAnon,       // private pages, written to
  kZero,       // the shared zero page
  kFileClean,  // pages of the mapping's cache, read only
  kFileDirty,  // shared pages of the mapping's cache, written to
  kShmem,      // as kFileDirty; the mapping is shared memory
  kSwap,       // swap entries
  kHuge,       // huge pages; hugetlb pages in a hugetlb VMA
  kHugeZero,   // the huge zero page
  kGuard,      // guard markers
  kUffdWp,     // markers of userfaultfd's write protection
  kPoison,     // markers of UFFDIO_POISON
  kSpecial,    // frames without a struct page (PFN mappings)
};

// Puts entries of one kind at [start, start + npages * PAGE_SIZE) of the VMA,
// where nothing may be yet; kHuge and kHugeZero count base pages, too, and must
// be aligned. With `uffd_wp` what is present or swapped is write-protected by
// userfaultfd. Counters, references and accounting are as faults would leave
// them. Returns how many pages were done: fewer when frames, swap or tables run
// out. On a fiber; caller: mmap_lock, or nobody else has the mm. Needs no OOM
// killer.
uint64_t PopulatePresent(vm_area_struct* vma, uint64_t start, uint64_t npages,
                         PopulateKind kind, bool uffd_wp = false);

}  // namespace reapsim

#endif  // REAPSIM_MM_POPULATE_H_
