// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What /proc/PID/smaps and /proc/PID/status say about an address space, for
// the host: reports, effects, tests. No schedule points, no locks; counts
// page-table entries, so it is exact where the kernel's counters are not.
// Source: fs/proc/task_mmu.c.
#ifndef REAPSIM_MM_SMAPS_H_
#define REAPSIM_MM_SMAPS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mm/memory.h"
#include "mm/mm_types.h"

namespace reapsim {

// One VMA. Sizes in bytes.
struct VmaReport {
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t vm_flags = 0;
  VmOps vm_ops = VmOps::kAnonymous;
  uint64_t inode = 0;  // of what is mapped; 0: nothing
  uint64_t pgoff = 0;  // in pages

  uint64_t rss = 0;           // Rss: present pages, but zero pages
  uint64_t anonymous = 0;     // Anonymous: those that belong to nothing else
  uint64_t file = 0;          // present pages of files
  uint64_t shmem = 0;         // present pages of shared memory
  uint64_t anon_huge = 0;     // AnonHugePages: of `anonymous`
  uint64_t swap = 0;          // Swap: also what is swapped out of shared memory
  uint64_t swap_entries = 0;  // of that, what is the mapping's own: VmSwap
  uint64_t hugetlb = 0;       // Shared_Hugetlb and Private_Hugetlb; not in rss
  uint64_t locked = 0;  // Locked: resident and in a locked VMA. Where pages
                        // are shared the kernel shows a part of this.

  uint64_t size() const { return end - start; }

  bool operator==(const VmaReport&) const = default;
};

// An address space. Sizes in bytes.
struct MemoryReport {
  uint64_t rss = 0;  // VmRSS
  uint64_t anon = 0;
  uint64_t file = 0;
  uint64_t shmem = 0;
  uint64_t anon_huge = 0;
  uint64_t swap = 0;               // VmSwap
  uint64_t hugetlb = 0;            // HugetlbPages
  uint64_t page_tables_bytes = 0;  // VmPTE
  uint64_t locked = 0;             // VmLck: the sizes of locked VMAs
  uint64_t size = 0;               // VmSize
  std::vector<VmaReport> vmas;     // by address

  bool operator==(const MemoryReport&) const = default;
};

// The report on an mm that is live, or an empty one for null. Host side.
MemoryReport ReportMemory(const mm_struct* mm);

// "rd wr mr mw me ac": the flags by their two-letter names in smaps, in the
// order of the kernel.
std::string VmFlagsText(uint64_t vm_flags);
// The flag of that two-letter name; 0 for one that the model does not know.
uint64_t VmFlagOf(std::string_view name);
// "rw-p", as in /proc/PID/maps.
std::string PermissionsText(uint64_t vm_flags);

}  // namespace reapsim

#endif  // REAPSIM_MM_SMAPS_H_
