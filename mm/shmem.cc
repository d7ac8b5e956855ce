// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/shmem.c; see the header for what is modelled.

#include "mm/shmem.h"

#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"

namespace reapsim {

unsigned shmem_fault(vm_fault* vmf) {
  address_space* mapping = vmf->vma->vm_mapping;
  if (vmf->pgoff >= mapping->nr_pages) return VM_FAULT_SIGBUS;
  vmf->page = CachedPage(mapping, vmf->pgoff);
  unsigned ret = 0;
  if (vmf->page == kNoPfn) {
    if (mapping->i_pages.Get(vmf->pgoff) == 0 &&
        (vmf->vma->vm_flags & VM_UFFD_MISSING) != 0) {
      return handle_userfault(vmf);
    }
    const pfn_t fresh = alloc_page();
    if (fresh == kNoPfn) return VM_FAULT_OOM;
    // Somebody else may have filled the hole while we waited for a frame.
    vmf->page = CachedPage(mapping, vmf->pgoff);
    if (vmf->page != kNoPfn) {
      put_page(fresh);
    } else {
      MmState& mm = mm_state();
      const uint64_t swapped = mapping->i_pages.Get(vmf->pgoff);
      if (swapped != 0) {
        WritePageWord(mm, fresh, swap_word(mm, swp_offset(swapped)));
        free_swap_and_cache_nr(swp_offset(swapped), 1);
        ret = VM_FAULT_MAJOR;
      }
      AddToPageCache(mm, mapping, vmf->pgoff, fresh);
      vmf->page = fresh;
    }
  }
  get_page(vmf->page);
  return ret;
}

}  // namespace reapsim
