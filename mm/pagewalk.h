// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A walk over the page-table entries of a range, each under its lock.
// Source: mm/pagewalk.c:walk_page_range(), v5.15 to v7.2.
#ifndef REAPSIM_MM_PAGEWALK_H_
#define REAPSIM_MM_PAGEWALK_H_

#include <cstdint>

#include "mm/mmap.h"
#include "mm/pgtable.h"

namespace reapsim {
namespace pagewalk_internal {

// A huge entry. False, and nothing done, if it is not (or no longer) one.
template <class Fn>
bool walk_huge_pmd(pte_t* pmd, uint64_t address,
                   const Fn& fn) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!pmd_trans_huge(*pmd)) return false;
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  const bool huge = pmd_trans_huge(*pmd);
  if (huge) fn(pmd, address & geometry().pmd_mask(), /*level=*/2);
  spin_unlock(ptl);
  return huge;
}

// The entries of one table. False if there is no table (any more).
template <class Fn>
bool walk_pte_range(mm_struct* mm, pte_t* pmd, uint64_t start, uint64_t end,
                    const Fn& fn) {
  if (!pte_present(*pmd) || pmd_trans_huge(*pmd)) return false;
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, start, &ptl);
  if (pte == nullptr) return false;
  ChargePteTable(start, end);
  for (uint64_t at = start; at != end; at += PAGE_SIZE, ++pte) {
    if (!pte_none(*pte)) fn(pte, at, /*level=*/1);
  }
  pte_unmap_unlock(ptl);
  return true;
}

}  // namespace pagewalk_internal

// Calls fn(pte_t* entry, uint64_t address, int level) for each entry of
// [start, end) that is not empty, with the lock of its table held: level 1, or
// 2 for a huge page, of which the range may hold only a part. Caller:
// mmap_lock for read at least.
template <class Fn>
void walk_page_range(mm_struct* mm, uint64_t start, uint64_t end,
                     const Fn& fn) {
  namespace internal = pagewalk_internal;
  const Geometry geo = geometry();
  for (uint64_t at = start; at < end;) {
    const uint64_t next = geo.addr_end(at, end, 2);
    pte_t* pmd = pmd_offset_lockless(mm, at);
    if (pmd != nullptr && !internal::walk_huge_pmd(pmd, at, fn) &&
        !internal::walk_pte_range(mm, pmd, at, next, fn) &&
        pmd_trans_huge(*pmd)) {
      // It became a huge page between the two looks.
      internal::walk_huge_pmd(pmd, at, fn);
    }
    at = next;
  }
}

}  // namespace reapsim

#endif  // REAPSIM_MM_PAGEWALK_H_
