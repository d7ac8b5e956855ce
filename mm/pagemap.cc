// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/proc/task_mmu.c; see the header for what is modelled.

#include "mm/pagemap.h"

#include <algorithm>
#include <utility>

#include "mm/page_alloc.h"
#include "mm/pgtable.h"

namespace reapsim {
namespace {

// PM_FILE and PM_MMAP_EXCLUSIVE of a page that counts somewhere.
uint64_t PageBits(const MmState& state, pfn_t pfn, bool present) {
  const page* p = pfn_to_page(state, pfn);
  const page* head = pfn_to_page(state, compound_head(state, pfn));
  uint64_t bits = (head->flags & PG_anon) != 0 ? 0 : PM_FILE;
  if (present && p->_mapcount + head->_entire_mapcount == 1) {
    bits |= PM_MMAP_EXCLUSIVE;
  }
  return bits;
}

// fs/proc/task_mmu.c:pte_to_pagemap_entry(), the half for entries that are not
// present.
uint64_t nonpresent_to_pagemap_entry(const MmState& state, pte_t pte,
                                     uint32_t index) {
  uint64_t bits = PM_SWAP;
  if ((pte & _PAGE_SWP_UFFD_WP) != 0 || pte_marker_uffd_wp(pte)) {
    bits |= PM_UFFD_WP;
  }
  switch (swp_type(pte)) {
    case SwpType::kMarker:
      if ((swp_offset(pte) & PTE_MARKER_GUARD) != 0) bits |= PM_GUARD_REGION;
      break;
    case SwpType::kMigrationRead:
    case SwpType::kMigrationWrite:
    case SwpType::kDevicePrivate:
    case SwpType::kDeviceExclusive:
      bits |= PageBits(state, static_cast<pfn_t>(swp_offset(pte)) + index,
                       /*present=*/false);
      break;
    case SwpType::kSwap:
    case SwpType::kHwpoison:
      break;
  }
  return bits;
}

uint64_t present_to_pagemap_entry(const MmState& state, pte_t pte, bool huge,
                                  uint32_t index) {
  uint64_t bits = PM_PRESENT;
  if (huge) bits |= PAGE_IS_HUGE;
  if (pte_uffd_wp(pte)) bits |= PM_UFFD_WP;
  const pfn_t pfn = pte_pfn(pte);
  // The huge zero page is no anonymous page, and pagemap does not know better.
  if (huge && pfn == state.huge_zero_pfn) {
    return bits | PAGE_IS_PFNZERO | PM_FILE;
  }
  if (!huge && pfn == state.zero_pfn) return bits | PAGE_IS_PFNZERO;
  // Only hugetlb pages are special and have a struct page.
  if (pte_special(pte) && !huge) return bits;
  return bits | PageBits(state, pfn + index, /*present=*/true);
}

// fs/proc/task_mmu.c:pagemap_hugetlb_range(). Pages of a private mapping are
// anonymous; here they bear no flag that says so.
uint64_t hugetlb_to_pagemap_entry(const MmState& state,
                                  const vm_area_struct& vma, pte_t pte,
                                  uint32_t index) {
  const uint64_t bits = PM_PRESENT | PAGE_IS_HUGE |
                        PageBits(state, pte_pfn(pte) + index, /*present=*/true);
  return (vma.vm_flags & VM_MAYSHARE) != 0 ? bits : bits & ~PM_FILE;
}

class Reporter {
 public:
  Reporter(const MmState& state, const vm_area_struct& vma)
      : state_(state), geo_(GeometryOf(state)), vma_(vma) {}

  std::vector<PagemapRun> Run(const ptdesc* pgd) {
    Table(pgd, 4, 0);
    return std::move(runs_);
  }

 private:
  void Table(const ptdesc* table, int level, uint64_t base) {
    const pte_t* entries = TableEntries(state_, table);
    const uint64_t size = geo_.size(level);
    for (uint64_t i = 0; i < geo_.ptrs(); ++i) {
      const uint64_t address = base + i * size;
      if (pte_none(entries[i]) || address >= vma_.vm_end ||
          address + size <= vma_.vm_start) {
        continue;
      }
      const pte_t entry = entries[i];
      if (level == 1 ||
          (level == 2 && (pmd_trans_huge(entry) || is_swap_pte(entry)))) {
        Leaf(entry, level, address);
        continue;
      }
      const ptdesc* below = TableAt(state_, entry);
      if (below != nullptr) Table(below, level - 1, address);
    }
  }

  // The part of a leaf that lies in the VMA.
  void Leaf(pte_t entry, int level, uint64_t address) {
    const uint64_t start = std::max(address, vma_.vm_start);
    const uint64_t end = std::min(address + geo_.size(level), vma_.vm_end);
    for (uint64_t at = start; at < end; at += PAGE_SIZE) {
      const auto index = static_cast<uint32_t>((at - address) >> PAGE_SHIFT);
      Add(at, Entry(entry, level, index));
    }
  }

  uint64_t Entry(pte_t entry, int level, uint32_t index) const {
    if (!pte_present(entry)) {
      return nonpresent_to_pagemap_entry(state_, entry, index);
    }
    if ((vma_.vm_flags & VM_HUGETLB) != 0) {
      return hugetlb_to_pagemap_entry(state_, vma_, entry, index);
    }
    return present_to_pagemap_entry(state_, entry, level == 2, index);
  }

  void Add(uint64_t address, uint64_t bits) {
    if (!runs_.empty()) {
      PagemapRun& last = runs_.back();
      if (last.bits == bits && last.start + last.pages * PAGE_SIZE == address) {
        ++last.pages;
        return;
      }
    }
    runs_.push_back({.start = address, .pages = 1, .bits = bits});
  }

  const MmState& state_;
  const Geometry geo_;
  const vm_area_struct& vma_;
  std::vector<PagemapRun> runs_;
};

}  // namespace

// No analysis: the host looks while nobody moves.
std::vector<std::vector<PagemapRun>> ReportPagemap(const mm_struct* mm)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::vector<std::vector<PagemapRun>> report;
  if (mm == nullptr) return report;
  const MmState& state = RootOf<MmState>(mm);
  for (const vm_area_struct& vma : mm->mm_mt) {
    std::vector<PagemapRun>& runs = report.emplace_back();
    // walk_page_range() passes such VMAs by.
    if ((vma.vm_flags & VM_PFNMAP) != 0 || mm->pgd == nullptr) continue;
    runs = Reporter(state, vma).Run(mm->pgd);
  }
  return report;
}

}  // namespace reapsim
