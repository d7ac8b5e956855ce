// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/shmem.c; see the header for what is modelled.

#include "mm/shmem.h"

#include <cerrno>

#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"

namespace reapsim {

namespace {

// The page that was swapped out to `entry` comes back as `fresh`.
void BringBack(address_space* mapping, uint64_t pgoff, uint64_t entry,
               pfn_t fresh) {
  MmState& mm = mm_state();
  WritePageWord(mm, fresh, swap_word(mm, swp_offset(entry)));
  free_swap_and_cache_nr(swp_offset(entry), 1);
  AddToPageCache(mm, mapping, pgoff, fresh);
}

// mm/shmem.c:shmem_unuse_inode(): 0 or -ENOMEM.
int shmem_unuse_inode(address_space* mapping) {
  for (uint64_t pgoff = 0; pgoff < mapping->nr_pages; ++pgoff) {
    const uint64_t entry = mapping->i_pages.Get(pgoff);
    if (entry == 0 || CachedPage(mapping, pgoff) != kNoPfn) continue;
    const pfn_t fresh = alloc_page();
    if (fresh == kNoPfn) return -ENOMEM;
    // A fault may have been faster while we waited for a frame.
    if (mapping->i_pages.Get(pgoff) == entry) {
      BringBack(mapping, pgoff, entry, fresh);
    } else {
      put_page(fresh);
    }
  }
  return 0;
}

}  // namespace

int shmem_unuse() {
  auto& mappings = mm_state().mapping_slab;
  for (uint32_t number = 0; number < mappings.high_water(); ++number) {
    address_space* mapping = mappings.LiveAt(number);
    if (mapping == nullptr || mapping->kind != address_space::kShmem) continue;
    mapping_get(mapping);
    const int error = shmem_unuse_inode(mapping);
    mapping_put(mapping);
    if (error != 0) return error;
  }
  return 0;
}

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
      const uint64_t swapped = mapping->i_pages.Get(vmf->pgoff);
      if (swapped != 0) {
        BringBack(mapping, vmf->pgoff, swapped, fresh);
        ret = VM_FAULT_MAJOR;
      } else {
        AddToPageCache(mm_state(), mapping, vmf->pgoff, fresh);
      }
      vmf->page = fresh;
    }
  }
  get_page(vmf->page);
  return ret;
}

}  // namespace reapsim
