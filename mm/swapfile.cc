// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/swapfile.c; see the header for what is modelled.

#include "mm/swapfile.h"

#include "mm/mmap.h"
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
  if (swap.used < swap.slots) {
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

uint32_t swap_count(const MmState& mm, uint64_t slot) {
  return mm.swap.swap_map.Get(slot);
}

uint64_t swap_word(const MmState& mm, uint64_t slot) {
  return mm.swap.contents.Get(slot);
}

void InitSwap(MmState& mm) { mm.swap.slots = mm.options.swap_slots; }

}  // namespace reapsim
