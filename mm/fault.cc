// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A task's access to its own memory: the TLB, the MMU's walk, the page fault.
//
// Source: arch/x86/mm/fault.c:do_user_addr_fault(), v5.15 to v7.2; the MMU is
// the hardware's.

#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/tlb.h"

namespace reapsim {
namespace {

// What the MMU does on a TLB miss: finds the translation, sets the accessed and
// the dirty bit, and fills the TLB. kNoPfn: page fault.
pfn_t WalkPageTables(mm_struct* mm, uint64_t address, bool write) {
  MmState& state = mm_state();
  const Geometry geo = GeometryOf(state);
  pte_t* entry = pmd_offset_lockless(mm, address);
  if (entry == nullptr) return kNoPfn;
  uint32_t offset = 0;
  if (pmd_trans_huge(*entry)) {
    offset = static_cast<uint32_t>(geo.index(address, 1));
  } else {
    if (!pte_present(*entry)) return kNoPfn;
    const ptdesc* table = pgtable_visit(mm, *entry, 1);
    entry = TableEntries(state, table) + geo.index(address, 1);
  }
  if ((*entry & _PAGE_PRESENT) == 0) return kNoPfn;
  if (write && !pte_write(*entry)) return kNoPfn;
  *entry = pte_mkyoung(*entry);
  if (write) *entry = pte_mkdirty(*entry);
  const pfn_t pfn = pte_pfn(*entry) + offset;
  // A translation that was learned by a read does not know that the dirty bit
  // is set: the first write walks again.
  tlb_fill(current()->cpu, mm, address, pfn, write);
  return pfn;
}

pfn_t Translate(mm_struct* mm, uint64_t address, bool write) {
  const TlbEntry* known = tlb_lookup(current()->cpu, mm, address);
  if (known != nullptr && (known->writable || !write)) return known->pfn;
  return WalkPageTables(mm, address, write);
}

// Whether the VMA forbids the access. Source: access_error().
bool access_error(const vm_area_struct* vma, bool write) {
  if (write) return (vma->vm_flags & VM_WRITE) == 0;
  return (vma->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)) == 0;
}

AccessResult ResultOf(unsigned fault, bool user_mode) {
  if ((fault & VM_FAULT_OOM) != 0) {
    // From kernel mode it is -EFAULT, and nobody is called.
    if (!user_mode || !pagefault_out_of_memory()) return AccessResult::kOom;
    return fatal_signal_pending(current()) ? AccessResult::kOom
                                           : AccessResult::kOk;
  }
  if ((fault & VM_FAULT_SIGBUS) != 0) return AccessResult::kSigbus;
  if ((fault & VM_FAULT_SIGSEGV) != 0) return AccessResult::kSigsegv;
  return AccessResult::kOk;
}

// The part of do_user_addr_fault() under the VMA's own lock. False: it has to
// be done under mmap_lock.
bool FaultUnderVmaLock(mm_struct* mm, uint64_t address, unsigned flags,
                       AccessResult* result) {
  vm_area_struct* vma = lock_vma_under_rcu(mm, address);
  if (vma == nullptr) return false;
  if (access_error(vma, (flags & FAULT_FLAG_WRITE) != 0)) {
    vma_end_read(vma);
    *result = AccessResult::kSigsegv;
    return true;
  }
  const unsigned ret =
      handle_mm_fault(vma, address, flags | FAULT_FLAG_VMA_LOCK);
  if ((ret & VM_FAULT_RETRY) == 0) {
    vma_end_read(vma);
    *result = ResultOf(ret, (flags & FAULT_FLAG_USER) != 0);
    return true;
  }
  *result = AccessResult::kEfault;
  return fatal_signal_pending(current());
}

// The page fault. kOk: try the access again. No analysis: whether the lock is
// held depends on what the functions return.
AccessResult do_user_addr_fault(mm_struct* mm, uint64_t address, bool write,
                                bool user_mode) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const unsigned flags =
      (user_mode ? FAULT_FLAG_USER : 0) | (write ? FAULT_FLAG_WRITE : 0);
  AccessResult result;
  if (user_mode && FaultUnderVmaLock(mm, address, flags, &result)) {
    return result;
  }
  for (;;) {
    vm_area_struct* vma = lock_mm_and_find_vma(mm, address);
    if (vma == nullptr) {
      return fatal_signal_pending(current()) ? AccessResult::kEfault
                                             : AccessResult::kSigsegv;
    }
    if (access_error(vma, write)) {
      mmap_read_unlock(mm);
      return AccessResult::kSigsegv;
    }
    const unsigned ret = handle_mm_fault(vma, address, flags);
    if ((ret & VM_FAULT_RETRY) == 0) {
      mmap_read_unlock(mm);
      return ResultOf(ret, user_mode);
    }
    if (fatal_signal_pending(current())) return AccessResult::kEfault;
  }
}

// Where the running task's word at `address` lies, for reading or writing:
// faults as often as needed.
AccessResult ResolveUserWord(uint64_t address, bool write, bool user_mode,
                             pfn_t* pfn) {
  mm_struct* mm = current()->mm;
  // Kernel threads have none; their use of user memory is an error of ours.
  REAP_CHECK(mm != nullptr, "access_user_word: no mm");
  if (address >= geometry().task_size()) return AccessResult::kSigsegv;
  for (;;) {
    SchedulePoint(Point::kUserAccess, write ? Access::kWrite : Access::kRead,
                  static_cast<uint32_t>(address >> PAGE_SHIFT));
    *pfn = Translate(mm, address, write);
    if (*pfn != kNoPfn) return AccessResult::kOk;
    const AccessResult result =
        do_user_addr_fault(mm, address, write, user_mode);
    if (result != AccessResult::kOk) return result;
  }
}

}  // namespace

AccessResult access_user_word(uint64_t address, bool write, uint64_t* word,
                              bool user_mode) {
  pfn_t pfn = kNoPfn;
  const AccessResult result = ResolveUserWord(address, write, user_mode, &pfn);
  if (result != AccessResult::kOk) return result;
  MmState& state = mm_state();
  if (write) {
    WritePageWord(state, pfn, *word);
  } else {
    *word = ReadPageWord(state, pfn);
  }
  CheckWord(current()->mm, address, write, *word);
  return AccessResult::kOk;
}

AccessResult access_user_word_inatomic(uint64_t address, uint64_t* word) {
  SchedulePoint(Point::kUserAccess, Access::kRead,
                static_cast<uint32_t>(address >> PAGE_SHIFT));
  const pfn_t pfn = Translate(current()->mm, address, /*write=*/false);
  if (pfn == kNoPfn) return AccessResult::kEfault;
  *word = ReadPageWord(mm_state(), pfn);
  CheckWord(current()->mm, address, /*write=*/false, *word);
  return AccessResult::kOk;
}

AccessResult cmpxchg_user_word(uint64_t address, uint64_t expected,
                               uint64_t desired, uint64_t* seen) {
  pfn_t pfn = kNoPfn;
  const AccessResult result =
      ResolveUserWord(address, /*write=*/true, /*user_mode=*/false, &pfn);
  if (result != AccessResult::kOk) return result;
  MmState& state = mm_state();
  mm_struct* mm = current()->mm;
  *seen = ReadPageWord(state, pfn);
  CheckWord(mm, address, /*write=*/false, *seen);
  if (*seen != expected) return AccessResult::kOk;
  WritePageWord(state, pfn, desired);
  CheckWord(mm, address, /*write=*/true, desired);
  return AccessResult::kOk;
}

}  // namespace reapsim
