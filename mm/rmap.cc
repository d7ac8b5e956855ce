// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/rmap.c, mm/mlock.c; see the header for what is modelled.

#include "mm/rmap.h"

#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"
#include "mm/tlb.h"
#include "mm/vma.h"
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
    if ((p->flags & (PG_anon | PG_dirty | PG_tlb)) == (PG_dirty | PG_tlb))
        [[unlikely]] {
      CheckFlushed(vma, pfn + i);
    }
    if (--p->_mapcount == 0 && (p->flags & PG_mlocked) != 0) {
      p->flags &= static_cast<uint16_t>(~PG_mlocked);
      munlocked++;
    }
  }
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

namespace {

// What reclaim makes of a page: where its contents go.
enum class PageoutTo : uint8_t { kNowhere, kDropped, kSwap, kObjectSwap };

// Whether the page, mapped by `entry`, may go. No reverse map: whoever has
// other references may have other mappings, so such pages stay.
PageoutTo Judge(const vm_area_struct* vma, page* p, pte_t entry) {
  if (!pte_present(entry) || pte_special(entry)) return PageoutTo::kNowhere;
  if ((p->flags & (PG_head | PG_tail | PG_mlocked)) != 0 || p->_mapcount != 1) {
    return PageoutTo::kNowhere;
  }
  if ((p->flags & PG_anon) == 0) {
    const bool shmem = vma->vm_mapping != nullptr &&
                       vma->vm_mapping->kind == address_space::kShmem;
    return shmem && p->_refcount == 2 ? PageoutTo::kObjectSwap
                                      : PageoutTo::kNowhere;
  }
  if (p->_refcount != 1) return PageoutTo::kNowhere;
  if ((p->flags & PG_swapbacked) != 0) return PageoutTo::kSwap;
  // MADV_FREE: written to since, so it is worth keeping after all. Memory that
  // is droppable never is.
  if ((pte_dirty(entry) || (p->flags & PG_dirty) != 0) &&
      (vma->vm_flags & VM_DROPPABLE) == 0) {
    p->flags |= PG_swapbacked;
    return PageoutTo::kNowhere;
  }
  return PageoutTo::kDropped;
}

// What stands in the page's place, and the counters. False: swap is full.
bool Replace(vm_area_struct* vma, uint64_t address, pte_t* pte, PageoutTo to) {
  mm_struct* mm = vma->vm_mm;
  const pte_t entry = *pte;
  const pfn_t pfn = pte_pfn(entry);
  uint64_t slot = 0;
  if (to != PageoutTo::kDropped) {
    slot = get_swap_page(ReadPageWord(mm_state(), pfn));
    if (slot == 0) return false;
  }
  const bool wp = pte_uffd_wp(entry);
  switch (to) {
    case PageoutTo::kSwap:
      *pte = swp_entry(SwpType::kSwap, slot) | (wp ? _PAGE_SWP_UFFD_WP : 0);
      add_mm_counter(mm, MM_ANONPAGES, -1);
      add_mm_counter(mm, MM_SWAPENTS, 1);
      return true;
    case PageoutTo::kObjectSwap: {
      // The object has it now; the process has nothing, or a marker.
      *pte = wp ? make_pte_marker(PTE_MARKER_UFFD_WP) : 0;
      add_mm_counter(mm, MM_SHMEMPAGES, -1);
      const uint64_t pgoff = linear_page_index(vma, address);
      *vma->vm_mapping->i_pages.At(&mm_state().word_pool, pgoff) =
          swp_entry(SwpType::kSwap, slot);
      pfn_to_page(mm_state(), pfn)->flags &= static_cast<uint16_t>(~PG_cache);
      return true;
    }
    case PageoutTo::kDropped:
      *pte = 0;
      add_mm_counter(mm, MM_ANONPAGES, -1);
      return true;
    case PageoutTo::kNowhere:
      break;
  }
  return false;
}

}  // namespace

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
  const pfn_t pfn = pte_pfn(*pte);
  const bool present = pte_present(*pte) && !pte_special(*pte);
  const PageoutTo to =
      present ? Judge(vma, pfn_to_page(state, pfn), *pte) : PageoutTo::kNowhere;
  const bool gone = to != PageoutTo::kNowhere && Replace(vma, address, pte, to);
  if (gone) {
    flush_tlb_page(vma, address);
    folio_remove_rmap_ptes(pfn, 1, vma);
  }
  pte_unmap_unlock(ptl);
  if (gone) put_page_refs(pfn, to == PageoutTo::kObjectSwap ? 2 : 1);
  return gone;
}

}  // namespace reapsim
