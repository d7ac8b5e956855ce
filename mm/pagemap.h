// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What /proc/PID/pagemap says about an address space, page by page, with what
// its PAGEMAP_SCAN knows beyond that, for the host: the comparison with real
// processes. No schedule points, no locks.
//
// Source: fs/proc/task_mmu.c:pagemap_read(), v6.15 to v7.2.
// Simplified: no frame numbers, no soft-dirty bits; bits and categories that
//   came with later versions are there in all of them.
#ifndef REAPSIM_MM_PAGEMAP_H_
#define REAPSIM_MM_PAGEMAP_H_

#include <cstdint>
#include <vector>

#include "mm/mm_types.h"

namespace reapsim {

// Bits of an entry.
inline constexpr uint64_t PM_MMAP_EXCLUSIVE = uint64_t{1} << 56;
inline constexpr uint64_t PM_UFFD_WP = uint64_t{1} << 57;
inline constexpr uint64_t PM_GUARD_REGION = uint64_t{1} << 58;
inline constexpr uint64_t PM_FILE = uint64_t{1} << 61;
inline constexpr uint64_t PM_SWAP = uint64_t{1} << 62;
inline constexpr uint64_t PM_PRESENT = uint64_t{1} << 63;
// Categories of PAGEMAP_SCAN that entries don't have; here they stand in the
// place of the frame number.
inline constexpr uint64_t PAGE_IS_PFNZERO = 1 << 5;
inline constexpr uint64_t PAGE_IS_HUGE = 1 << 6;

// Pages in a row with the same bits, of which at least one is set.
struct PagemapRun {
  uint64_t start = 0;
  uint64_t pages = 0;
  uint64_t bits = 0;
  bool operator==(const PagemapRun&) const = default;
};

// Of each VMA, by address, the runs of pages that have an entry. A VMA of PFNs
// (VM_PFNMAP) shows none. Host side; an empty list for null.
std::vector<std::vector<PagemapRun>> ReportPagemap(const mm_struct* mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_PAGEMAP_H_
