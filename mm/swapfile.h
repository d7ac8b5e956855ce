// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Swap slots.
//
// Source: mm/swapfile.c, v5.15 to v7.2.
// Modelled: one swap area, a reference count and a word for each slot; its end
//   by swapoff(2), which brings back what is in it, mm by mm.
// Simplified: no swap cache, no readahead, no clusters. swapoff() does not ask
//   first whether there is enough memory; where there is nothing for it to do
//   but try again, it waits until fewer slots are in use.
#ifndef REAPSIM_MM_SWAPFILE_H_
#define REAPSIM_MM_SWAPFILE_H_

#include <cstdint>

#include "mm/mm_types.h"

namespace reapsim {

// A slot that holds `word`, with one reference; 0 when swap is full or off.
uint64_t get_swap_page(uint64_t word);
// One reference more to a slot. A free slot is a verdict.
void swap_duplicate(uint64_t slot);
// One reference fewer to each of `nr` consecutive slots; the last frees it.
// Too many are a verdict (S6).
void free_swap_and_cache_nr(uint64_t slot, uint32_t nr);
// References to a slot, and its word. No schedule points; any side.
uint32_t swap_count(const MmState& mm, uint64_t slot);
uint64_t swap_word(const MmState& mm, uint64_t slot);

// swapoff(2) of the one area: 0; -EPERM (needs root), -EINVAL (it is off),
// -ENOMEM, -EINTR; after the latter two it is on again. Takes mmap_lock of each
// mm for reading, and is one of its users meanwhile.
int sys_swapoff();
// What may be swapped out in all. Any side.
inline uint64_t total_swap_pages(const MmState& mm) {
  return mm.swap.writeok ? mm.swap.slots : 0;
}

void InitSwap(MmState& mm);

}  // namespace reapsim

#endif  // REAPSIM_MM_SWAPFILE_H_
