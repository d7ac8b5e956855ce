// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: fs/userfaultfd.c, mm/userfaultfd.c; see the header.

#include "mm/userfaultfd.h"

#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"

namespace reapsim {

unsigned handle_userfault(vm_fault* vmf) {
  const mm_struct* mm = vmf->vma->vm_mm;
  const uint64_t address = vmf->address;
  const pte_t was = vmf->orig_pte;
  task_struct* self = current();
  release_fault_lock(vmf);
  self->__state = TASK_KILLABLE;
  WaitUntil(
      Point::kWait, Access::kRead, NumberOf(mm), [mm, address, was, self] {
        if (fatal_signal_pending(self)) return true;
        int level;
        const pte_t* pte = FindEntry(RootOf<MmState>(mm), mm, address, &level);
        return (pte == nullptr ? 0 : *pte) != was;
      });
  self->__state = TASK_RUNNING;
  return VM_FAULT_RETRY;
}

int mfill_atomic_copy(mm_struct* mm, uint64_t address,
                      uint64_t word) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  address &= ~(PAGE_SIZE - 1);
  vm_area_struct* vma = find_vma(mm, address);
  if (vma == nullptr || vma->vm_start > address || !vma_is_anonymous(vma) ||
      (vma->vm_flags & VM_UFFD_MISSING) == 0) {
    return -ENOENT;
  }
  pte_t* pmd = pmd_alloc(mm, address);
  if (pmd == nullptr || pte_alloc(mm, pmd) != 0) return -ENOMEM;
  const pfn_t pfn = alloc_page();
  if (pfn == kNoPfn) return -ENOMEM;
  MmState& state = mm_state();
  WritePageWord(state, pfn, word);
  pfn_to_page(state, pfn)->flags |= PG_anon | PG_swapbacked;
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  const bool empty = pte != nullptr && pte_none(*pte);
  if (empty) {
    vma->anon_vma = true;
    folio_add_rmap_pte(pfn, vma);
    add_mm_counter(mm, MM_ANONPAGES, 1);
    *pte = maybe_mkwrite(pte_mkdirty(pfn_pte(pfn, vm_page_prot(vma))), vma);
  }
  if (pte != nullptr) pte_unmap_unlock(ptl);
  if (!empty) put_page(pfn);
  return empty ? 0 : -EEXIST;
}

}  // namespace reapsim
