// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Looking at the room from the host: does it all add up, and what is mapped.
// No schedule points, no locks. Only between steps.
#ifndef REAPSIM_MM_DEBUG_H_
#define REAPSIM_MM_DEBUG_H_

#include <cstdint>
#include <string>
#include <vector>

#include "mm/mm_types.h"

namespace reapsim {

// Appends a sentence for each thing that does not add up:
//   - a frame whose map count or reference count is not what page tables and
//     page caches hold, or that is free but mapped;
//   - free frames that are miscounted;
//   - rss counters that differ from what is mapped, pgtables_bytes that differs
//     from the tables in place;
//   - tables that no page table leads to (deposited ones are led to);
//   - swap slots whose count is not what entries hold;
//   - locks that are held, gathers and notifier ranges that are open.
// The world must be at rest: nobody inside a system call that holds pages.
void CheckMmConservation(const MmState& state,
                         std::vector<std::string>* problems);

// One line a present, swapped or marked page of [start, end): "0x1000 anon
// pfn 7 rw dirty word 42"; runs of equal lines are not folded. For messages and
// golden tests.
std::string DumpPages(const mm_struct* mm, uint64_t start, uint64_t end);

}  // namespace reapsim

#endif  // REAPSIM_MM_DEBUG_H_
