// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/rmap.c, mm/mlock.c; see the header for what is modelled.

#include "mm/rmap.h"

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"
#include "mm/tlb.h"
#include "sched/task.h"

namespace reapsim {
namespace {

bool Locked(const vm_area_struct* vma) {
  return (vma->vm_flags & VM_LOCKED) != 0;
}

[[noreturn]] void FailMapcount() {
  Fail(VerdictKind::kInvariantBroken, "S6: a map count drops below zero");
}

}  // namespace

void folio_add_rmap_pte(pfn_t pfn, const vm_area_struct* vma) {
  page* p = pfn_to_page(mm_state(), pfn);
  p->_mapcount++;
  if (Locked(vma)) mlock_folio(pfn);
}

void folio_add_rmap_pmd(pfn_t head, const vm_area_struct* vma) {
  page* p = pfn_to_page(mm_state(), head);
  REAP_CHECK(p->_entire_mapcount != UINT16_MAX, "rmap: too many huge mappings");
  p->_entire_mapcount++;
  if (Locked(vma)) mlock_folio(head);
}

void folio_remove_rmap_ptes(pfn_t pfn, uint32_t nr, const vm_area_struct* vma) {
  MmState& mm = mm_state();
  uint32_t munlocked = 0;
  for (uint32_t i = 0; i < nr; ++i) {
    page* p = pfn_to_page(mm, pfn + i);
    if (p->_mapcount == 0) FailMapcount();
    if (--p->_mapcount == 0 && (p->flags & PG_mlocked) != 0) {
      p->flags &= static_cast<uint16_t>(~PG_mlocked);
      munlocked++;
    }
  }
  (void)vma;
  if (munlocked != 0) Charge(Cost::kMlockedPage, munlocked);
}

void folio_remove_rmap_pmd(pfn_t head, const vm_area_struct* vma) {
  MmState& mm = mm_state();
  page* p = pfn_to_page(mm, head);
  if (p->_entire_mapcount == 0) FailMapcount();
  if (--p->_entire_mapcount == 0 && (p->flags & PG_mlocked) != 0) {
    p->flags &= static_cast<uint16_t>(~PG_mlocked);
    Charge(Cost::kMlockedPage, GeometryOf(mm).hpage_pmd_nr());
  }
  (void)vma;
}

void mlock_folio(pfn_t pfn) {
  page* p = pfn_to_page(mm_state(), pfn);
  if ((p->flags & PG_reserved) == 0) p->flags |= PG_mlocked;
}

void munlock_folio(pfn_t pfn) {
  page* p = pfn_to_page(mm_state(), pfn);
  if ((p->flags & PG_mlocked) == 0) return;
  p->flags &= static_cast<uint16_t>(~PG_mlocked);
  Charge(Cost::kMlockedPage, 1);
}

bool try_to_unmap_one(vm_area_struct* vma,
                      uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MmState& state = mm_state();
  mm_struct* mm = vma->vm_mm;
  address &= ~(PAGE_SIZE - 1);
  pte_t* pmd = pmd_offset_lockless(mm, address);
  if (pmd == nullptr || !pte_present(*pmd) || pmd_trans_huge(*pmd)) {
    return false;
  }
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  if (pte == nullptr) return false;
  const pte_t entry = *pte;
  const pfn_t pfn = pte_pfn(entry);
  const page* p = pfn_to_page(state, pfn);
  const bool candidate =
      pte_present(entry) && !pte_special(entry) &&
      (p->flags & (PG_anon | PG_head | PG_tail | PG_mlocked)) == PG_anon &&
      p->_refcount == 1;
  const uint64_t slot = candidate ? get_swap_page(ReadPageWord(state, pfn)) : 0;
  if (slot != 0) {
    *pte = swp_entry(SwpType::kSwap, slot) |
           (pte_uffd_wp(entry) ? _PAGE_SWP_UFFD_WP : 0);
    flush_tlb_page(vma, address);
    folio_remove_rmap_ptes(pfn, 1, vma);
    add_mm_counter(mm, MM_ANONPAGES, -1);
    add_mm_counter(mm, MM_SWAPENTS, 1);
  }
  pte_unmap_unlock(ptl);
  if (slot != 0) put_page(pfn);
  return slot != 0;
}

}  // namespace reapsim
