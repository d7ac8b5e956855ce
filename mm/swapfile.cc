// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/swapfile.c; see the header for what is modelled.

#include "mm/swapfile.h"

#include <cerrno>

#include "mm/fork.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/shmem.h"
#include "mm/vma.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// Slots whose count has dropped to 0 are found again by a scan from the bottom:
// nothing links them, so that equal sets of used slots are equal worlds.
uint64_t FindFree(const swap_info_struct& swap) {
  if (swap.next_fresh <= swap.slots) return swap.next_fresh;
  for (uint64_t slot = 1; slot <= swap.slots; ++slot) {
    if (swap.swap_map.Get(slot) == 0) return slot;
  }
  return 0;
}

}  // namespace

uint64_t get_swap_page(uint64_t word) {
  MmState& mm = mm_state();
  swap_info_struct& swap = mm.swap;
  spin_lock(&swap.lock);
  uint64_t slot = 0;
  if (swap.writeok && swap.used < swap.slots) {
    slot = FindFree(swap);
    REAP_CHECK(slot != 0, "swapfile: used slots are miscounted");
    if (slot == swap.next_fresh) swap.next_fresh++;
    swap.used++;
    *swap.swap_map.At(&mm.byte_pool, slot) = 1;
    if (word != 0) *swap.contents.At(&mm.word_pool, slot) = word;
  }
  spin_unlock(&swap.lock);
  return slot;
}

void swap_duplicate(uint64_t slot) {
  swap_info_struct& swap = mm_state().swap;
  spin_lock(&swap.lock);
  uint8_t* count = swap.swap_map.Find(slot);
  if (count == nullptr || *count == 0) {
    Fail(VerdictKind::kUseAfterFree, "S6: a free swap slot is duplicated");
  }
  REAP_CHECK(*count < 255, "swapfile: too many references to one slot");
  (*count)++;
  spin_unlock(&swap.lock);
}

void free_swap_and_cache_nr(uint64_t slot, uint32_t nr) {
  swap_info_struct& swap = mm_state().swap;
  spin_lock(&swap.lock);
  const uint64_t end = slot + nr;
  while (slot != end) {
    // Up to the end of a leaf the counts lie side by side.
    const uint64_t leaf_end = (slot | (kRadixFanout - 1)) + 1;
    const uint64_t stop = leaf_end < end ? leaf_end : end;
    uint8_t* count = swap.swap_map.Find(slot);
    uint64_t* word = swap.contents.Find(slot);
    for (; slot != stop; ++slot) {
      if (count == nullptr || *count == 0) {
        Fail(VerdictKind::kDoubleFree, "S6: a free swap slot is freed");
      }
      if (--*count == 0) {
        swap.used--;
        if (word != nullptr) *word = 0;
      }
      ++count;
      if (word != nullptr) ++word;
    }
  }
  Charge(Cost::kSwapEntry, nr);
  spin_unlock(&swap.lock);
}

// ---- swapoff ---------------------------------------------------------------

namespace {

// The first swap entry of [*address, end), which lies in one PTE table; 0 if
// there is none. *address is where it was found.
pte_t NextSwapEntry(mm_struct* mm, pte_t* pmd, uint64_t* address,
                    uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!pte_present(*pmd) || pmd_trans_huge(*pmd)) return 0;
  spinlock_t* ptl;
  const pte_t* pte = pte_offset_map_lock(mm, pmd, *address, &ptl);
  if (pte == nullptr) return 0;
  pte_t found = 0;
  for (; *address != end && found == 0; ++pte) {
    if (is_swap_pte(*pte) && swp_type(*pte) == SwpType::kSwap) {
      found = *pte;
    } else {
      *address += PAGE_SIZE;
    }
  }
  pte_unmap_unlock(ptl);
  return found;
}

// mm/swapfile.c:unuse_pte(): a page takes the entry's place. 0 or -ENOMEM.
int unuse_pte(vm_area_struct* vma, pte_t* pmd, uint64_t address,
              pte_t old) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  MmState& state = mm_state();
  mm_struct* mm = vma->vm_mm;
  const pfn_t pfn = alloc_page();
  if (pfn == kNoPfn) return -ENOMEM;
  pfn_to_page(state, pfn)->flags |= PG_anon | PG_swapbacked;
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  if (pte == nullptr || *pte != old) {
    // Somebody was faster while we waited for a frame.
    if (pte != nullptr) pte_unmap_unlock(ptl);
    put_page(pfn);
    return 0;
  }
  const uint64_t slot = swp_offset(old);
  WritePageWord(state, pfn, swap_word(state, slot));
  add_mm_counter(mm, MM_SWAPENTS, -1);
  add_mm_counter(mm, MM_ANONPAGES, 1);
  folio_add_rmap_pte(pfn, vma);
  const pte_t fresh = pfn_pte(pfn, vm_page_prot(vma)) & ~_PAGE_ACCESSED;
  *pte = (old & _PAGE_SWP_UFFD_WP) != 0 ? pte_mkuffd_wp(fresh) : fresh;
  free_swap_and_cache_nr(slot, 1);
  pte_unmap_unlock(ptl);
  return 0;
}

// mm/swapfile.c:unuse_vma(): 0 or -ENOMEM.
int unuse_vma(vm_area_struct* vma) {
  const Geometry geo = geometry();
  for (uint64_t address = vma->vm_start; address != vma->vm_end;) {
    const uint64_t next = geo.addr_end(address, vma->vm_end, 2);
    pte_t* pmd = pmd_offset_lockless(vma->vm_mm, address);
    while (pmd != nullptr && address != next) {
      const pte_t entry = NextSwapEntry(vma->vm_mm, pmd, &address, next);
      if (entry == 0) break;
      const int error = unuse_pte(vma, pmd, address, entry);
      if (error != 0) return error;
    }
    address = next;
  }
  return 0;
}

// mm/swapfile.c:unuse_mm(): 0 or -ENOMEM.
int unuse_mm(mm_struct* mm) {
  mmap_read_lock(mm);
  int error = 0;
  // What is being torn down brings nothing back, and the VMAs of a fork that
  // failed half-way are not all there.
  if (!differences().swapoff_skips_unstable ||
      check_stable_address_space(mm) == 0) {
    for (vm_area_struct* vma = vma_first(mm); vma != nullptr && error == 0;
         vma = vma_next(vma)) {
      if (vma->anon_vma && (vma->vm_flags & VM_HUGETLB) == 0) {
        error = unuse_vma(vma);
      }
      cond_resched();
    }
  }
  mmap_read_unlock(mm);
  return error;
}

// One round over all objects and mms: 0 or -ENOMEM.
int UnuseAll() {
  MmState& state = mm_state();
  int error = shmem_unuse();
  for (uint32_t number = 0;
       error == 0 && state.swap.used != 0 && !signal_pending(current()) &&
       number < state.mm_slab.high_water();
       ++number) {
    mm_struct* mm = state.mm_slab.LiveAt(number);
    if (mm == nullptr || !mmget_not_zero(mm)) continue;
    error = unuse_mm(mm);
    // Its last user may have gone meanwhile: then this tears it down.
    mmput(mm);
  }
  return error;
}

// mm/swapfile.c:try_to_unuse(): 0, -ENOMEM or -EINTR.
int try_to_unuse() {
  const swap_info_struct& swap = mm_state().swap;
  while (swap.used != 0) {
    const uint64_t before = swap.used;
    const int error = UnuseAll();
    if (error != 0) return error;
    if (swap.used == 0) break;
    if (signal_pending(current())) return -EINTR;
    // An mm without users frees its slots at its own pace. The kernel tries on.
    if (swap.used < before) continue;
    const task_struct* self = current();
    WaitUntil(Point::kWait, Access::kRead, NumberOf(&swap),
              [self, before, left = &swap.used] {
                return *left < before || signal_pending(self);
              });
  }
  return 0;
}

void SetWriteok(bool writeok) {
  swap_info_struct& swap = mm_state().swap;
  spin_lock(&swap.lock);
  swap.writeok = writeok;
  spin_unlock(&swap.lock);
}

}  // namespace

int sys_swapoff() {
  task_struct* self = current();
  if (self->uid != 0) return -EPERM;
  const swap_info_struct& swap = mm_state().swap;
  if (!swap.writeok || swap.slots == 0) return -EINVAL;
  SetWriteok(false);
  // If it uses up all memory, it is itself the one to kill.
  self->signal->oom_flag_origin = true;
  const int error = try_to_unuse();
  self->signal->oom_flag_origin = false;
  if (error != 0) SetWriteok(true);
  return error;
}

uint32_t swap_count(const MmState& mm, uint64_t slot) {
  return mm.swap.swap_map.Get(slot);
}

uint64_t swap_word(const MmState& mm, uint64_t slot) {
  return mm.swap.contents.Get(slot);
}

void InitSwap(MmState& mm) { mm.swap.slots = mm.options.swap_slots; }

}  // namespace reapsim
