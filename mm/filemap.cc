// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/filemap.c, fs/inode.c; see the header for what is modelled.

#include "mm/filemap.h"

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"

namespace reapsim {
namespace {

bool IsFrame(uint64_t entry) {
  return entry != 0 && entry >> kSwpTypeShift == 0;
}

void truncate_inode_pages(address_space* mapping) {
  MmState& mm = mm_state();
  mapping->i_pages.ForEach([&](uint64_t pgoff, uint64_t& entry) {
    (void)pgoff;
    if (entry == 0) return;
    if (IsFrame(entry)) {
      const auto pfn = static_cast<pfn_t>(entry);
      pfn_to_page(mm, pfn)->flags &= static_cast<uint16_t>(~PG_cache);
      put_page(pfn);
    } else {
      free_swap_and_cache_nr(swp_offset(entry), 1);
    }
    entry = 0;
  });
  mapping->i_pages.Clear(&mm.word_pool);
}

}  // namespace

address_space* NewMapping(MmState& mm, address_space::Kind kind,
                          uint64_t nr_pages) {
  address_space* mapping = mm.mapping_slab.New();
  if (mapping == nullptr) return nullptr;
  mapping->kind = kind;
  mapping->inode = mm.next_inode++;
  mapping->count = 1;
  mapping->nr_pages = nr_pages;
  return mapping;
}

void mapping_get(address_space* mapping) { atomic_inc(&mapping->count); }

void mapping_put(address_space* mapping) {
  if (!mm_state().mapping_slab.IsLive(mapping)) {
    Fail(VerdictKind::kUseAfterFree, "a freed file is put");
  }
  if (atomic_dec_return(&mapping->count) != 0) return;
  truncate_inode_pages(mapping);
  REAP_CHECK(mm_state().mapping_slab.Delete(mapping), "filemap: mapping");
}

uint64_t FileWord(const address_space* mapping, uint64_t pgoff) {
  if (mapping->kind != address_space::kFile) return 0;
  // Readable in a dump: the inode in the upper half, the page in the lower.
  return mapping->inode << 32 | (pgoff & 0xffffffff);
}

pfn_t CachedPage(const address_space* mapping, uint64_t pgoff) {
  const uint64_t entry = mapping->i_pages.Get(pgoff);
  return IsFrame(entry) ? static_cast<pfn_t>(entry) : kNoPfn;
}

void AddToPageCache(MmState& mm, address_space* mapping, uint64_t pgoff,
                    pfn_t pfn) {
  *mapping->i_pages.At(&mm.word_pool, pgoff) = pfn;
  page* p = pfn_to_page(mm, pfn);
  p->flags |= PG_cache;
  if (mapping->kind == address_space::kShmem) p->flags |= PG_swapbacked;
}

pfn_t GetFilePage(address_space* mapping, uint64_t pgoff, bool* read) {
  *read = false;
  pfn_t pfn = CachedPage(mapping, pgoff);
  if (pfn == kNoPfn) {
    const pfn_t fresh = alloc_page();
    if (fresh == kNoPfn) return kNoPfn;
    // Somebody else may have read it while we waited for a frame.
    pfn = CachedPage(mapping, pgoff);
    if (pfn != kNoPfn) {
      put_page(fresh);
    } else {
      MmState& mm = mm_state();
      WritePageWord(mm, fresh, FileWord(mapping, pgoff));
      AddToPageCache(mm, mapping, pgoff, fresh);
      pfn = fresh;
      *read = true;
    }
  }
  get_page(pfn);
  return pfn;
}

unsigned filemap_fault(vm_fault* vmf) {
  address_space* mapping = vmf->vma->vm_mapping;
  if (vmf->pgoff >= mapping->nr_pages) return VM_FAULT_SIGBUS;
  bool read = false;
  vmf->page = GetFilePage(mapping, vmf->pgoff, &read);
  if (vmf->page == kNoPfn) return VM_FAULT_OOM;
  return read ? VM_FAULT_MAJOR : 0;
}

unsigned filemap_map_pages(vm_fault* vmf, uint64_t start,
                           uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = vmf->vma->vm_mm;
  const address_space* mapping = vmf->vma->vm_mapping;
  if (end >= mapping->nr_pages) end = mapping->nr_pages - 1;
  while (start <= end && CachedPage(mapping, start) == kNoPfn) start++;
  if (start > end) return 0;
  if (pte_none(*vmf->pmd)) {
    pmd_install(mm, vmf->pmd, &vmf->prealloc_pte);
  }
  const uint64_t first_address =
      vmf->address + (start - vmf->pgoff) * PAGE_SIZE;
  pte_t* pte = pte_offset_map_lock(mm, vmf->pmd, first_address, &vmf->ptl);
  if (pte == nullptr) return VM_FAULT_NOPAGE;
  unsigned ret = 0;
  for (uint64_t pgoff = start; pgoff <= end; ++pgoff, ++pte) {
    const pfn_t pfn = CachedPage(mapping, pgoff);
    if (pfn == kNoPfn || !pte_none(*pte)) continue;
    get_page(pfn);
    set_file_pte(vmf, pte, pfn, /*write=*/false);
    if (pgoff == vmf->pgoff) ret = VM_FAULT_NOPAGE;
  }
  pte_unmap_unlock(vmf->ptl);
  return ret;
}

}  // namespace reapsim
