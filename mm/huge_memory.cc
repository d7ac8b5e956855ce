// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/huge_memory.c, in its order; see the header for what is modelled.

#include "mm/huge_memory.h"

#include <cerrno>

#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/tlb.h"

namespace reapsim {
namespace {

uint32_t HpageNr() { return static_cast<uint32_t>(geometry().hpage_pmd_nr()); }

uint64_t HpageStart(uint64_t address) {
  return address & geometry().pmd_mask();
}

bool is_huge_zero_pmd(pte_t pmd) {
  return pmd_trans_huge(pmd) && pte_pfn(pmd) == mm_state().huge_zero_pfn;
}

// The machine's huge zero page, made on first use; kNoPfn if there is no room.
// It is never given back (the kernel does under memory pressure).
pfn_t get_huge_zero_page() {
  MmState& mm = mm_state();
  if (mm.huge_zero_pfn == kNoPfn) {
    mm.huge_zero_pfn = alloc_huge_page();
    if (mm.huge_zero_pfn != kNoPfn) {
      pfn_to_page(mm, mm.huge_zero_pfn)->flags |= PG_reserved;
    }
  }
  return mm.huge_zero_pfn;
}

void MarkAnon(pfn_t head) {
  page* p = pfn_to_page(mm_state(), head);
  for (uint32_t i = 0; i < HpageNr(); ++i) {
    p[i].flags |= PG_anon | PG_swapbacked;
  }
}

// Writes the entry of a new huge page, deposits the table and counts both.
// Caller: PMD lock.
void map_anon_huge(vm_area_struct* vma, pte_t* pmd, pfn_t head, bool dirty,
                   ptdesc* table) {
  mm_struct* mm = vma->vm_mm;
  pte_t entry = pfn_pte(head, vm_page_prot(vma) | _PAGE_PSE);
  if (dirty) entry = maybe_mkwrite(pte_mkdirty(entry), vma);
  MarkAnon(head);
  folio_add_rmap_pmd(head, vma);
  pgtable_trans_huge_deposit(pmd, table);
  *pmd = entry;
  add_mm_counter(mm, MM_ANONPAGES, HpageNr());
  mm_inc_nr_tables(mm);
}

void set_huge_zero_folio(vm_area_struct* vma, pte_t* pmd, pfn_t zero,
                         ptdesc* table) {
  pgtable_trans_huge_deposit(pmd, table);
  *pmd = pfn_pte(zero, vm_page_prot(vma) | _PAGE_PSE);
  mm_inc_nr_tables(vma->vm_mm);
}

void zap_deposited_table(mm_struct* mm, pte_t* pmd) {
  pgtable_free(pgtable_trans_huge_withdraw(pmd));
  mm_dec_nr_tables(mm);
}

}  // namespace

bool thp_vma_suitable(const vm_area_struct* vma, uint64_t address) {
  if (!vma_is_anonymous(vma)) return false;
  if ((vma->vm_flags & (VM_HUGEPAGE | VM_NOHUGEPAGE)) != VM_HUGEPAGE) {
    return false;
  }
  const uint64_t start = HpageStart(address);
  return start >= vma->vm_start && start + geometry().pmd_size() <= vma->vm_end;
}

unsigned do_huge_pmd_anonymous_page(vm_fault* vmf)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  vm_area_struct* vma = vmf->vma;
  mm_struct* mm = vma->vm_mm;
  const bool write = (vmf->flags & FAULT_FLAG_WRITE) != 0;
  const unsigned prepared = vmf_anon_prepare(vmf);
  if (prepared != 0) return prepared;
  const pfn_t head = write ? alloc_huge_page() : get_huge_zero_page();
  if (head == kNoPfn) return VM_FAULT_FALLBACK;
  ptdesc* table = pgtable_alloc_one(mm, 1);
  if (table == nullptr) {
    if (write) put_page(head);
    return VM_FAULT_OOM;
  }
  unsigned ret = 0;
  bool missing = false;
  spinlock_t* ptl = table_lock_of(vmf->pmd);
  spin_lock(ptl);
  if (pte_none(*vmf->pmd)) {
    ret = check_stable_address_space(mm);
    missing = ret == 0 && (vma->vm_flags & VM_UFFD_MISSING) != 0;
    if (ret == 0 && !missing) {
      if (write) {
        map_anon_huge(vma, vmf->pmd, head, /*dirty=*/true, table);
      } else {
        set_huge_zero_folio(vma, vmf->pmd, head, table);
      }
      table = nullptr;
    }
  }
  spin_unlock(ptl);
  if (table != nullptr) {
    pgtable_free(table);
    if (write) put_page(head);
  }
  return missing ? handle_userfault(vmf) : ret;
}

int copy_huge_pmd(pte_t* dst_pmd, pte_t* src_pmd,
                  vm_area_struct* dst_vma) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* dst_mm = dst_vma->vm_mm;
  ptdesc* table = pgtable_alloc_one(dst_mm, 1);
  if (table == nullptr) return -ENOMEM;
  spinlock_t* dst_ptl = table_lock_of(dst_pmd);
  spinlock_t* src_ptl = table_lock_of(src_pmd);
  spin_lock(dst_ptl);
  table_lock_nested(src_ptl, LockClass::kPmdLockNested);
  const pte_t pmd = *src_pmd;
  const bool huge = pmd_trans_huge(pmd);
  if (huge && is_huge_zero_pmd(pmd)) {
    set_huge_zero_folio(dst_vma, dst_pmd, pte_pfn(pmd), table);
  } else if (huge) {
    const pfn_t head = pte_pfn(pmd);
    get_page(head);
    folio_add_rmap_pmd(head, dst_vma);
    add_mm_counter(dst_mm, MM_ANONPAGES, HpageNr());
    mm_inc_nr_tables(dst_mm);
    pgtable_trans_huge_deposit(dst_pmd, table);
    *src_pmd = pte_wrprotect(pmd);
    *dst_pmd = pte_wrprotect(pmd) & ~_PAGE_UFFD_WP;
  }
  table_unlock_nested(src_ptl);
  spin_unlock(dst_ptl);
  if (huge) return 0;
  pgtable_free(table);
  return -EAGAIN;
}

void huge_pmd_set_accessed(vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl = table_lock_of(vmf->pmd);
  spin_lock(ptl);
  if (pmd_trans_huge(*vmf->pmd)) {
    *vmf->pmd = pte_mkyoung(*vmf->pmd);
    const bool write = (vmf->flags & FAULT_FLAG_WRITE) != 0;
    if (write && pte_write(*vmf->pmd)) *vmf->pmd = pte_mkdirty(*vmf->pmd);
  }
  spin_unlock(ptl);
}

unsigned do_huge_pmd_wp_page(vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl = table_lock_of(vmf->pmd);
  spin_lock(ptl);
  const pte_t pmd = *vmf->pmd;
  if (!pmd_trans_huge(pmd)) {
    spin_unlock(ptl);
    return 0;
  }
  if (!is_huge_zero_pmd(pmd) && page_count(pte_pfn(pmd)) == 1) {
    *vmf->pmd = maybe_mkwrite(pte_mkdirty(pte_mkyoung(pmd)), vmf->vma);
    spin_unlock(ptl);
    return 0;
  }
  spin_unlock(ptl);
  __split_huge_pmd(vmf->vma, vmf->pmd, vmf->address);
  return VM_FAULT_FALLBACK;
}

bool zap_huge_pmd(mmu_gather* tlb, vm_area_struct* vma, pte_t* pmd,
                  uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MmState& state = mm_state();
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  const pte_t orig_pmd = *pmd;
  const bool present = pmd_trans_huge(orig_pmd);
  if (!present && !is_swap_pte(orig_pmd)) {
    spin_unlock(ptl);
    return false;
  }
  *pmd = 0;
  pfn_t gathered = kNoPfn;
  zap_deposited_table(tlb->mm, pmd);
  if (present) tlb_remove_tlb_entry(tlb, address, geometry().pmd_size());
  if (!is_huge_zero_pmd(orig_pmd)) {
    const pfn_t head =
        present ? pte_pfn(orig_pmd) : static_cast<pfn_t>(swp_offset(orig_pmd));
    REAP_CHECK((pfn_to_page(state, head)->flags & PG_head) != 0,
               "zap_huge_pmd: not a huge page");
    add_mm_counter(tlb->mm, MM_ANONPAGES, -int64_t{HpageNr()});
    if (present) {
      folio_remove_rmap_pmd(head, vma);
      gathered = head;
    }
  }
  Charge(Cost::kHugePage, 1);
  spin_unlock(ptl);
  if (gathered != kNoPfn &&
      __tlb_remove_folio_pages(tlb, gathered, 1, /*delay_rmap=*/false)) {
    tlb_flush_mmu(tlb);
  }
  return true;
}

namespace {

// Caller: PMD lock.
void __split_huge_pmd_locked(vm_area_struct* vma, pte_t* pmd, uint64_t start) {
  MmState& state = mm_state();
  const pte_t old_pmd = *pmd;
  ptdesc* table = pgtable_trans_huge_withdraw(pmd);
  pte_t* pte = TableEntries(state, table);
  const uint32_t nr = HpageNr();
  if (is_huge_zero_pmd(old_pmd)) {
    const pte_t entry =
        pfn_pte(state.zero_pfn, vm_page_prot(vma) | _PAGE_SPECIAL);
    for (uint32_t i = 0; i < nr; ++i) pte[i] = entry;
  } else if (pmd_trans_huge(old_pmd)) {
    const pfn_t head = pte_pfn(old_pmd);
    page* p = pfn_to_page(state, head);
    // One reference for each entry, instead of one for all.
    p->_refcount += nr - 1;
    for (uint32_t i = 0; i < nr; ++i) {
      pte[i] = (old_pmd & ~_PAGE_PSE) + i * PAGE_SIZE;
      p[i]._mapcount++;
    }
    p->_entire_mapcount--;
  } else {
    for (uint32_t i = 0; i < nr; ++i) pte[i] = old_pmd + i * PAGE_SIZE;
  }
  *pmd = 0;
  flush_tlb_mm_range(vma->vm_mm, start, start + geometry().pmd_size(),
                     static_cast<unsigned>(geometry().shift(2)));
  table_populate(pmd, table);
}

}  // namespace

void __split_huge_pmd(vm_area_struct* vma, pte_t* pmd,
                      uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const uint64_t start = HpageStart(address);
  mmu_notifier_range range = {.mm = vma->vm_mm,
                              .start = start,
                              .end = start + geometry().pmd_size(),
                              .event = MMU_NOTIFY_CLEAR};
  mmu_notifier_invalidate_range_start(&range);
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  if (pmd_trans_huge(*pmd) || is_swap_pte(*pmd)) {
    __split_huge_pmd_locked(vma, pmd, start);
  }
  spin_unlock(ptl);
  mmu_notifier_invalidate_range_end(&range);
}

void split_huge_pmd_address(vm_area_struct* vma, uint64_t address) {
  pte_t* pmd = pmd_offset_lockless(vma->vm_mm, address);
  if (pmd == nullptr) return;
  if (pmd_trans_huge(*pmd) || is_swap_pte(*pmd)) {
    __split_huge_pmd(vma, pmd, address);
  }
}

namespace {

// Puts an entry into the empty PMD of the address, with set(pmd, table), which
// deposits the table. False if it is not empty, or if there is no table.
template <class Set>
bool MapHuge(vm_area_struct* vma, uint64_t address,
             const Set& set) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pte_t* pmd = pmd_alloc(vma->vm_mm, address);
  if (pmd == nullptr) return false;
  ptdesc* table = pgtable_alloc_one(vma->vm_mm, 1);
  if (table == nullptr) return false;
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  const bool empty = pte_none(*pmd);
  if (empty) set(pmd, table);
  spin_unlock(ptl);
  if (!empty) pgtable_free(table);
  return empty;
}

}  // namespace

bool map_huge_page(vm_area_struct* vma, uint64_t address, pfn_t head) {
  return MapHuge(vma, address, [vma, head](pte_t* pmd, ptdesc* table) {
    vma->anon_vma = true;
    map_anon_huge(vma, pmd, head, /*dirty=*/true, table);
  });
}

bool map_huge_zero_page(vm_area_struct* vma, uint64_t address) {
  const pfn_t zero = get_huge_zero_page();
  if (zero == kNoPfn) return false;
  return MapHuge(vma, address, [vma, zero](pte_t* pmd, ptdesc* table) {
    set_huge_zero_folio(vma, pmd, zero, table);
  });
}

}  // namespace reapsim
