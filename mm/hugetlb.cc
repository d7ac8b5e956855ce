// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/hugetlb.c; see the header for what is modelled.

#include "mm/hugetlb.h"

#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"

namespace reapsim {
namespace {

// Entries of hugetlb pages carry the special bit: they count in no rss counter
// and have no deposited table.
pte_t HugetlbEntry(const vm_area_struct* vma, pfn_t head) {
  return pte_mkdirty(maybe_mkwrite(
      pfn_pte(head, vm_page_prot(vma) | _PAGE_PSE | _PAGE_SPECIAL), vma));
}

}  // namespace

int copy_hugetlb_page_range(vm_area_struct* dst_vma, vm_area_struct* src_vma)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t step = geometry().pmd_size();
  for (uint64_t at = src_vma->vm_start; at < src_vma->vm_end; at += step) {
    pte_t* src = pmd_offset_lockless(src_vma->vm_mm, at);
    if (src == nullptr || !pmd_trans_huge(*src)) continue;
    pte_t* dst = pmd_alloc(dst_vma->vm_mm, at);
    if (dst == nullptr) return -ENOMEM;
    spinlock_t* ptl = table_lock_of(dst);
    spin_lock(ptl);
    get_page(pte_pfn(*src));
    folio_add_rmap_pmd(pte_pfn(*src), dst_vma);
    *dst = *src;
    spin_unlock(ptl);
  }
  return 0;
}

void __unmap_hugepage_range(mmu_gather* tlb, vm_area_struct* vma,
                            uint64_t start,
                            uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t step = geometry().pmd_size();
  for (uint64_t at = start; at < end; at += step) {
    pte_t* pmd = pmd_offset_lockless(vma->vm_mm, at);
    if (pmd == nullptr) continue;
    spinlock_t* ptl = table_lock_of(pmd);
    spin_lock(ptl);
    const pte_t entry = *pmd;
    if (!pmd_trans_huge(entry)) {
      spin_unlock(ptl);
      continue;
    }
    *pmd = 0;
    tlb_remove_tlb_entry(tlb, at, step);
    folio_remove_rmap_pmd(pte_pfn(entry), vma);
    Charge(Cost::kHugePage, 1);
    spin_unlock(ptl);
    if (__tlb_remove_folio_pages(tlb, pte_pfn(entry), 1, false)) {
      tlb_flush_mmu(tlb);
    }
  }
}

unsigned hugetlb_fault(vm_area_struct* vma, uint64_t address,
                       unsigned flags) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pte_t* pmd = pmd_alloc(vma->vm_mm, address);
  if (pmd == nullptr) return VM_FAULT_OOM;
  if (!pte_none(*pmd)) {
    if ((flags & FAULT_FLAG_WRITE) != 0) *pmd = maybe_mkwrite(*pmd, vma);
    return 0;
  }
  const pfn_t head = alloc_huge_page();
  // The kernel's pool is empty: SIGBUS, not out of memory.
  if (head == kNoPfn) return VM_FAULT_SIGBUS;
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  const bool empty = pte_none(*pmd);
  if (empty) {
    folio_add_rmap_pmd(head, vma);
    *pmd = HugetlbEntry(vma, head);
  }
  spin_unlock(ptl);
  if (!empty) put_page(head);
  return 0;
}

}  // namespace reapsim
