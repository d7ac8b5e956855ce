// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Assertions about address spaces that belong to no one kernel file: what
// reapers, exit and process_mrelease() must not do. Each fails with the number
// of its invariant; docs/invariants.md lists all. None has a schedule point.
#ifndef REAPSIM_MM_INVARIANTS_H_
#define REAPSIM_MM_INVARIANTS_H_

#include <cstdint>

#include "mm/mm_types.h"
#include "mm/pgtable.h"
#include "sched/sched.h"

namespace reapsim {

struct mmu_gather;  // mm/mmu_gather.h

// ---- Reapers ---------------------------------------------------------------

// One walk of __oom_reap_task_mm(), from its first step to its last.
class ReapSection {
 public:
  explicit ReapSection(mm_struct* mm);
  ~ReapSection();
  ReapSection(const ReapSection&) = delete;
  ReapSection& operator=(const ReapSection&) = delete;

 private:
  mm_struct* mm_;
};

// S21: a reaper may take this VMA.
void CheckMayReap(const vm_area_struct* vma);
// S28: a reaper clears this marker.
void CheckMarkerGoes(const vm_area_struct* vma, uint64_t bits);
// S22, S23: said by whoever frees tables, or changes the set of VMAs.
void MayFreeTables();
void MayChangeVmas();
// S19: said by whoever begins a walk.
void CheckNotTornDown(const mm_struct* mm, SourceLine source);

// ---- exit_mmap(), mmput() --------------------------------------------------

// Sets MMF_OOM_SKIP. S30: not for process_mrelease().
void HideMm(mm_struct* mm);
// The same by exit_mmap(), v6.1 on. S18: all is unmapped.
void HideUnmappedMm(mm_struct* mm);
// S18: the tables of a whole mm, or of a range of it, are freed by somebody who
// says that he holds mmap_lock for writing.
void MayFreeAllTables(const mm_struct* mm);
// S15: an address space is torn down in this context.
void MayTearDown();

// ---- Pages -----------------------------------------------------------------

// S5: a dirty file page is about to lose a mapping by this VMA.
void CheckFlushed(const vm_area_struct* vma, pfn_t pfn);

// S4: a gather is about to flush for the last time. What it has walked and no
// entry maps any more must not stay in a TLB: others may have cleared entries
// that it found empty, and not have flushed yet.
void CheckWillBeFlushed(const mmu_gather& tlb);

// Check::kS10: a reaper has taken all of the VMA's pages.
void NoteReaped(vm_area_struct* vma);

// Check::kS9. A reaper is about to take what the entries from `pte` on, for
// [address, end) of a private mapping, map. Caller: their lock.
void NoteReapedWords(const vm_area_struct* vma, const pte_t* pte,
                     uint64_t address, uint64_t end);
// Somebody has stored, or is about to see, this word of mm.
void CheckReapedWord(const mm_struct* mm, uint64_t address, bool write,
                     uint64_t word);
inline void CheckWord(const mm_struct* mm, uint64_t address, bool write,
                      uint64_t word) {
  if (Checked(Check::kS9)) [[unlikely]] {
    CheckReapedWord(mm, address, write, word);
  }
}
// The mm is about to be freed.
void ForgetReapedWords(const mm_struct* mm);

// ---- process_mrelease() ----------------------------------------------------

// What one call did, as its end is judged.
struct MreleaseFacts {
  unsigned int flags = 0;
  long ret = 0;
  bool walked = false;
  uint32_t refused = 0;          // notifiers that refused
  int32_t refs[kRefKinds] = {};  // references taken less those given back
  uint32_t ref_changes = 0;      // either
  bool locks_changed = false;    // lock classes held, RCU or spinlock depth
};
// The rule that they break (S11, S26, S27), or null.
const char* BrokenMreleaseRule(const MreleaseFacts& facts);

// From the entry of a call to its end.
class MreleaseWatch {
 public:
  explicit MreleaseWatch(unsigned int flags);
  // Fails if a rule is broken; returns `ret`.
  long End(long ret) const;

 private:
  unsigned int flags_;
  TaskHistory before_;
  uint32_t locks_;
  uint32_t rcu_nesting_;
  uint32_t atomic_depth_;
};

}  // namespace reapsim

#endif  // REAPSIM_MM_INVARIANTS_H_
