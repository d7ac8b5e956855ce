// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/populate.h"

#include "mm/filemap.h"
#include "mm/huge_memory.h"
#include "mm/hugetlb.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/swapfile.h"

namespace reapsim {
namespace {

// One call's constants, and what it has counted in the current table.
struct Population {
  MmState& state;
  vm_area_struct* vma;
  PopulateKind kind;
  pte_t anon_prot;
  bool uffd_wp;
  int64_t rss[NR_MM_COUNTERS] = {};
};

// The page of the mapping's cache at `address`, made if need be, with a
// reference; kNoPfn when no frame is left.
pfn_t CachePage(Population* p, uint64_t address) {
  address_space* mapping = p->vma->vm_mapping;
  const uint64_t pgoff =
      ((address - p->vma->vm_start) >> PAGE_SHIFT) + p->vma->vm_pgoff;
  if (mapping == nullptr || pgoff >= mapping->nr_pages) return kNoPfn;
  pfn_t pfn = CachedPage(mapping, pgoff);
  if (pfn == kNoPfn) {
    pfn = TakeFrame(p->state);
    if (pfn == kNoPfn) return kNoPfn;
    WritePageWord(p->state, pfn, FileWord(mapping, pgoff));
    AddToPageCache(p->state, mapping, pgoff, pfn);
  }
  get_page(pfn);
  return pfn;
}

// The device's frame at the address; where the VMA has no device behind it, a
// number that stands for one.
pfn_t SpecialFrame(const Population& p, uint64_t address) {
  const address_space* mapping = p.vma->vm_mapping;
  const uint64_t pgoff =
      ((address - p.vma->vm_start) >> PAGE_SHIFT) + p.vma->vm_pgoff;
  const pfn_t pfn = mapping == nullptr ? kNoPfn : CachedPage(mapping, pgoff);
  return pfn != kNoPfn ? pfn : static_cast<pfn_t>(address >> PAGE_SHIFT);
}

// The entry of one page, or 0 when something has run out.
pte_t MakeEntry(Population* p, uint64_t address) {
  switch (p->kind) {
    case PopulateKind::kAnon: {
      const pfn_t pfn = TakeFrame(p->state);
      if (pfn == kNoPfn) return 0;
      pfn_to_page(p->state, pfn)->flags |= PG_anon | PG_swapbacked;
      folio_add_rmap_pte(pfn, p->vma);
      p->rss[MM_ANONPAGES]++;
      return pfn_pte(pfn, p->anon_prot);
    }
    case PopulateKind::kZero:
      return pfn_pte(p->state.zero_pfn, vm_page_prot(p->vma) | _PAGE_SPECIAL);
    case PopulateKind::kFileClean:
    case PopulateKind::kFileDirty:
    case PopulateKind::kShmem: {
      const pfn_t pfn = CachePage(p, address);
      if (pfn == kNoPfn) return 0;
      folio_add_rmap_pte(pfn, p->vma);
      p->rss[mm_counter_of(pfn_to_page(p->state, pfn)->flags)]++;
      return pfn_pte(pfn, p->kind == PopulateKind::kFileClean
                              ? vm_page_prot(p->vma)
                              : p->anon_prot);
    }
    case PopulateKind::kSwap: {
      const uint64_t slot = get_swap_page(0);
      if (slot == 0) return 0;
      p->rss[MM_SWAPENTS]++;
      return swp_entry(SwpType::kSwap, slot);
    }
    case PopulateKind::kGuard:
      return make_pte_marker(PTE_MARKER_GUARD);
    case PopulateKind::kUffdWp:
      return make_pte_marker(PTE_MARKER_UFFD_WP);
    case PopulateKind::kPoison:
      return make_pte_marker(PTE_MARKER_POISONED);
    case PopulateKind::kSpecial:
      return pfn_pte(SpecialFrame(*p, address), p->anon_prot | _PAGE_SPECIAL);
    case PopulateKind::kHuge:
    case PopulateKind::kHugeZero:
      break;
  }
  REAP_CHECK(false, "populate: kind");
  return 0;
}

// The entry, write-protected by userfaultfd.
pte_t ProtectedEntry(pte_t entry) {
  return pte_present(entry) ? pte_mkuffd_wp(entry) : entry | _PAGE_SWP_UFFD_WP;
}

// Fills one PTE table; returns the end of what was done.
uint64_t PopulateTable(Population* p, uint64_t address,
                       uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = p->vma->vm_mm;
  pte_t* pmd = pmd_alloc(mm, address);
  if (pmd == nullptr || pte_alloc(mm, pmd) != 0) return address;
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  for (; address != end; address += PAGE_SIZE, ++pte) {
    REAP_CHECK(pte_none(*pte), "populate: something is there");
    const pte_t entry = MakeEntry(p, address);
    if (entry == 0) break;
    *pte = p->uffd_wp ? ProtectedEntry(entry) : entry;
  }
  for (int member = 0; member < NR_MM_COUNTERS; ++member) {
    add_mm_counter(mm, member, p->rss[member]);
    p->rss[member] = 0;
  }
  pte_unmap_unlock(ptl);
  return address;
}

bool PopulateHugeEntry(vm_area_struct* vma, uint64_t address,
                       PopulateKind kind) {
  if (kind == PopulateKind::kHugeZero) {
    return map_huge_zero_page(vma, address);
  }
  if ((vma->vm_flags & VM_HUGETLB) != 0) {
    return hugetlb_fault(vma, address, FAULT_FLAG_WRITE) == 0;
  }
  const pfn_t head = TakeHugeFrame(mm_state());
  if (head == kNoPfn) return false;
  if (map_huge_page(vma, address, head)) return true;
  put_page(head);
  return false;
}

bool PopulateHuge(vm_area_struct* vma, uint64_t address, PopulateKind kind,
                  bool uffd_wp) {
  if (!PopulateHugeEntry(vma, address, kind)) return false;
  if (uffd_wp) {
    pte_t* pmd = pmd_offset_lockless(vma->vm_mm, address);
    *pmd = pte_mkuffd_wp(*pmd);
  }
  return true;
}

}  // namespace

uint64_t PopulatePresent(vm_area_struct* vma, uint64_t start, uint64_t npages,
                         PopulateKind kind, bool uffd_wp) {
  const Geometry geo = geometry();
  const uint64_t end = start + npages * PAGE_SIZE;
  REAP_CHECK(start >= vma->vm_start && end <= vma->vm_end, "populate: range");
  if (kind == PopulateKind::kHuge || kind == PopulateKind::kHugeZero) {
    REAP_CHECK(((start | end) & ~geo.pmd_mask()) == 0, "populate: alignment");
    uint64_t at = start;
    while (at != end && PopulateHuge(vma, at, kind, uffd_wp))
      at += geo.pmd_size();
    return (at - start) >> PAGE_SHIFT;
  }
  if (kind == PopulateKind::kAnon || kind == PopulateKind::kSwap) {
    vma->anon_vma = true;
  }
  Population p = {.state = mm_state(),
                  .vma = vma,
                  .kind = kind,
                  .anon_prot = maybe_mkwrite(
                      pte_mkdirty(pte_mkyoung(vm_page_prot(vma))), vma),
                  .uffd_wp = uffd_wp};
  for (uint64_t at = start; at != end;) {
    const uint64_t next = geo.addr_end(at, end, 2);
    const uint64_t done = PopulateTable(&p, at, next);
    if (done != next) return (done - start) >> PAGE_SHIFT;
    at = next;
  }
  return npages;
}

}  // namespace reapsim
