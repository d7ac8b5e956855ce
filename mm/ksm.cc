// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/ksm.c; see the header.

#include "mm/ksm.h"

#include <algorithm>
#include <cerrno>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pagewalk.h"
#include "mm/rmap.h"
#include "mm/tlb.h"

namespace reapsim {
namespace {

constexpr int kMaxWords = 512;

// What the first half of a pass has seen of each word.
struct SeenWords {
  int count = 0;
  struct {
    uint64_t word;
    bool twice;
  } words[kMaxWords];
};

// mm/ksm.c:is_ksm_zero_pte()
bool is_ksm_zero_pte(pte_t pte) {
  return pte_present(pte) && pte_special(pte) && pte_dirty(pte) &&
         pte_pfn(pte) == mm_state().zero_pfn;
}

// mm/ksm.c:ksm_test_exit()
bool ksm_test_exit(mm_struct* mm) { return atomic_read(mm->mm_users) == 0; }

// Whether the entry maps an anonymous page that nobody else has, by mapping or
// by a pin. mm/ksm.c:write_protect_page()
bool MayMerge(pte_t pte) {
  if (!pte_present(pte) || pte_special(pte)) return false;
  const page* p = pfn_to_page(mm_state(), pte_pfn(pte));
  constexpr uint16_t kKind = PG_anon | PG_ksm | PG_head | PG_tail;
  return (p->flags & kKind) == PG_anon && p->_mapcount == 1 &&
         p->_refcount == 1;
}

void Note(SeenWords* seen, uint64_t word) {
  for (int i = 0; i < seen->count; ++i) {
    if (seen->words[i].word != word) continue;
    seen->words[i].twice = true;
    return;
  }
  if (seen->count < kMaxWords) seen->words[seen->count++] = {word, false};
}

bool IsTwice(const SeenWords& seen, uint64_t word) {
  return std::any_of(
      seen.words, seen.words + seen.count,
      [word](const auto& each) { return each.word == word && each.twice; });
}

// The merged page that holds `word`, or kNoPfn. Frames that have been freed
// since are known by their flags. mm/ksm.c:stable_tree_search()
pfn_t stable_tree_search(uint64_t word) {
  MmState& state = mm_state();
  pfn_t found = kNoPfn;
  state.ksm_stable.ForEach([&](uint64_t index, const uint8_t& is_stable) {
    const auto pfn = static_cast<pfn_t>(index);
    if (is_stable != 0 && found == kNoPfn &&
        (pfn_to_page(state, pfn)->flags & PG_ksm) != 0 &&
        ReadPageWord(state, pfn) == word) {
      found = pfn;
    }
  });
  return found;
}

// Lets the entry map the merged page, or the zero page, in place of its own,
// which `*freed` then is. mm/ksm.c:replace_page()
void replace_page(vm_area_struct* vma, pte_t* entry, uint64_t address,
                  pfn_t kpage, pfn_t* freed) {
  mm_struct* mm = vma->vm_mm;
  MmState& state = mm_state();
  *freed = pte_pfn(*entry);
  *entry = 0;
  flush_tlb_page(vma, address);
  if (kpage == state.zero_pfn) {
    pte_t zero = pfn_pte(kpage, vm_page_prot(vma) | _PAGE_SPECIAL);
    add_mm_counter(mm, MM_ANONPAGES, -1);
    if (differences().ksm_counts_zero_pages) {
      zero = pte_mkdirty(zero);
      state.ksm_zero_pages++;
      mm->ksm_zero_pages++;
    }
    *entry = pte_wrprotect(zero);
  } else {
    get_page(kpage);
    folio_add_rmap_pte(kpage, vma);
    *entry = pte_wrprotect(pfn_pte(kpage, vm_page_prot(vma)));
  }
  folio_remove_rmap_ptes(*freed, 1, vma);
}

// mm/ksm.c:cmp_and_merge_page(), for the entry at an address. Caller: the
// entry's lock.
void cmp_and_merge_page(vm_area_struct* vma, pte_t* entry, uint64_t address,
                        const SeenWords& seen, bool use_zero_pages) {
  MmState& state = mm_state();
  const pfn_t pfn = pte_pfn(*entry);
  const uint64_t word = ReadPageWord(state, pfn);
  pfn_t kpage = kNoPfn;
  if (use_zero_pages && word == 0) {
    kpage = state.zero_pfn;
  } else {
    kpage = stable_tree_search(word);
    if (kpage == kNoPfn) {
      if (!IsTwice(seen, word)) return;
      // The first of its kind: others join it.
      *entry = pte_wrprotect(*entry);
      flush_tlb_page(vma, address);
      pfn_to_page(state, pfn)->flags |= PG_ksm;
      *state.ksm_stable.At(&state.byte_pool, pfn) = 1;
      return;
    }
  }
  pfn_t freed = kNoPfn;
  replace_page(vma, entry, address, kpage, &freed);
  put_page(freed);
}

// fn(vma, entry, address) for each page of the mm that may be merged.
template <class Fn>
void ForEachCandidate(mm_struct* mm, const Fn& fn) {
  for (vm_area_struct* vma = vma_first(mm); vma != nullptr;
       vma = vma_next(vma)) {
    if ((vma->vm_flags & VM_MERGEABLE) == 0 || !vma->anon_vma) continue;
    walk_page_range(mm, vma->vm_start, vma->vm_end,
                    [&](pte_t* entry, uint64_t address, int level) {
                      if (level == 1 && MayMerge(*entry)) {
                        fn(vma, entry, address);
                      }
                    });
  }
}

// fn(mm) for each mm that has entered, with its mmap_lock held for reading.
template <class Fn>
void ForEachMm(const Fn& fn) {
  MmState& state = mm_state();
  for (uint32_t i = 0; i < state.mm_slab.high_water(); ++i) {
    mm_struct* mm = state.mm_slab.LiveAt(i);
    if (mm == nullptr || !test_bit(MMF_VM_MERGEABLE, &mm->flags)) continue;
    mmgrab(mm);
    state.ksm_scan_mm = mm;
    mmap_read_lock(mm);
    Mark(Point::kKsmScan);
    if (!ksm_test_exit(mm)) fn(mm);
    mmap_read_unlock(mm);
    state.ksm_scan_mm = nullptr;
    mmdrop(mm);
  }
}

}  // namespace

int unmerge_ksm_pages(vm_area_struct* vma, uint64_t start, uint64_t end) {
  MmState& state = mm_state();
  for (uint64_t at = start; at < end; at += PAGE_SIZE) {
    int level = 0;
    const pte_t* entry = FindEntry(state, vma->vm_mm, at, &level);
    if (entry == nullptr || level != 1 || !pte_present(*entry)) continue;
    const bool merged =
        is_ksm_zero_pte(*entry) ||
        (!pte_special(*entry) &&
         (pfn_to_page(state, pte_pfn(*entry))->flags & PG_ksm) != 0);
    if (!merged) continue;
    const unsigned ret =
        handle_mm_fault(vma, at, FAULT_FLAG_WRITE | FAULT_FLAG_REMOTE);
    if ((ret & VM_FAULT_OOM) != 0) return -ENOMEM;
    if ((ret & (VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV)) != 0) return -EFAULT;
  }
  return 0;
}

void ksm_do_scan(bool use_zero_pages) {
  SeenWords seen;
  ForEachMm([&seen](mm_struct* mm) {
    ForEachCandidate(mm,
                     [&seen](vm_area_struct*, const pte_t* entry, uint64_t) {
                       Note(&seen, ReadPageWord(mm_state(), pte_pfn(*entry)));
                     });
  });
  ForEachMm([&](mm_struct* mm) {
    ForEachCandidate(
        mm, [&](vm_area_struct* vma, pte_t* entry, uint64_t address) {
          cmp_and_merge_page(vma, entry, address, seen, use_zero_pages);
        });
  });
}

void __ksm_enter(mm_struct* mm) {
  if (test_and_set_bit(MMF_VM_MERGEABLE, &mm->flags)) return;
  mmgrab(mm);
}

void ksm_fork(mm_struct* mm, mm_struct* oldmm) {
  if (!test_bit(MMF_VM_MERGEABLE, &oldmm->flags)) return;
  // The entries were copied.
  mm->ksm_zero_pages = oldmm->ksm_zero_pages;
  mm_state().ksm_zero_pages += mm->ksm_zero_pages;
  __ksm_enter(mm);
}

void ksm_exit(mm_struct* mm) {
  if (!test_bit(MMF_VM_MERGEABLE, &mm->flags)) return;
  if (READ_ONCE(mm_state().ksm_scan_mm) == mm) {
    // ksmd may be at work on it; it looks at mm_users under the lock.
    mmap_write_lock(mm);
    mmap_write_unlock(mm);
  }
  mm->flags &= ~(uint64_t{1} << MMF_VM_MERGEABLE);
  MmdropOfOthers(mm);
}

void ksm_might_unmap_zero_page(mm_struct* mm, pte_t pte) {
  if (!differences().ksm_counts_zero_pages || !is_ksm_zero_pte(pte)) return;
  Invariant(mm->ksm_zero_pages > 0 && mm_state().ksm_zero_pages > 0,
            "KSM's zero pages are counted below zero");
  mm->ksm_zero_pages--;
  mm_state().ksm_zero_pages--;
}

}  // namespace reapsim
