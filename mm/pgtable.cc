// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/memory.c (allocation of tables), mm/pgtable-generic.c,
// arch/x86/mm/pgtable.c; see the header for what is modelled.

#include "mm/pgtable.h"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "mm/mmap.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// What an entry that points at a table has set.
constexpr pte_t _PAGE_TABLE =
    _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED | _PAGE_DIRTY;

uint64_t TableBytes(const MmState& mm) {
  return uint64_t{8} << mm.options.table_bits;
}

// The table in which an entry lies.
ptdesc* TableOf(const MmState& mm, const pte_t* entry) {
  const auto offset = reinterpret_cast<const char*>(entry) - mm.tables->base;
  return mm.ptdesc_slab.LiveAt(
      static_cast<uint32_t>(offset >> (mm.options.table_bits + 3)));
}

// Makes sure that *entry points at a table of `level`, linking a new one under
// `lock` if it is empty. Source: __pmd_alloc(), __pud_alloc().
bool TableAlloc(mm_struct* mm, pte_t* entry, int level,
                spinlock_t* lock) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  if (!pte_none(*entry)) return true;
  ptdesc* table = pgtable_alloc_one(mm, level);
  if (table == nullptr) return false;
  spin_lock(lock);
  if (pte_none(*entry)) {
    mm_inc_nr_tables(mm);
    table_populate(entry, table);
    table = nullptr;
  }
  spin_unlock(lock);
  if (table != nullptr) pgtable_free(table);
  return true;
}

}  // namespace

pte_t vm_page_prot(const vm_area_struct* vma) {
  const uint64_t flags = vma->vm_flags;
  if ((flags & (VM_READ | VM_WRITE | VM_EXEC)) == 0) return _PAGE_PROTNONE;
  pte_t prot = _PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED;
  // A file system wants to hear of the first write; shared memory does not.
  const bool writable_at_once =
      (flags & (VM_SHARED | VM_WRITE)) == (VM_SHARED | VM_WRITE) &&
      vma->vm_ops == VmOps::kShmem && (flags & VM_UFFD_WP) == 0;
  if (writable_at_once) prot |= _PAGE_RW;
  return prot;
}

ptdesc* pgtable_visit(const mm_struct* mm, pte_t entry, int level) {
  ptdesc* table = TableAt(mm_state(), entry);
  if (table == nullptr) [[unlikely]] {
    char text[96];
    std::snprintf(text, sizeof(text),
                  "S1: a freed page table of level %d is walked", level);
    Fail(VerdictKind::kUseAfterFree, text);
  }
  Invariant(table->mm == mm && table->level == level,
            "S2: a page table is used as one of another mm or level");
  return table;
}

ptdesc* pgtable_alloc_one(mm_struct* mm, int level) {
  MmState& state = mm_state();
  ptdesc* table = state.ptdesc_slab.New();
  if (table == nullptr) return nullptr;
  table->level = static_cast<uint8_t>(level);
  table->mm = mm;
  table->ptl.lock_class =
      level == 1 ? LockClass::kPteLock : LockClass::kPmdLock;
  const size_t used =
      size_t{state.ptdesc_slab.high_water()} * TableBytes(state);
  if (state.tables->used < used) state.tables->used = used;
  return table;
}

void pgtable_free(ptdesc* table) {
  MmState& state = mm_state();
  if (!state.ptdesc_slab.IsLive(table)) {
    Fail(VerdictKind::kDoubleFree, "a page table is freed twice");
  }
  Invariant(!spin_is_locked(&table->ptl),
            "S2: a page table is freed while its lock is held");
  // Free memory is zero; what an early-freed table still maps is lost here, as
  // in the kernel, and the frames leak.
  std::memset(TableEntries(state, table), 0, TableBytes(state));
  REAP_CHECK(state.ptdesc_slab.Delete(table), "pgtable: free");
  Charge(Cost::kPageTableFreed, 1);
}

void mm_inc_nr_tables(mm_struct* mm) {
  mm->pgtables_bytes += static_cast<int64_t>(TableBytes(mm_state()));
}

void mm_dec_nr_tables(mm_struct* mm) {
  mm->pgtables_bytes -= static_cast<int64_t>(TableBytes(mm_state()));
}

bool pgd_alloc(mm_struct* mm) {
  mm->pgd = pgtable_alloc_one(mm, 4);
  return mm->pgd != nullptr;
}

void pgd_free(mm_struct* mm) {
  pgtable_free(mm->pgd);
  mm->pgd = nullptr;
}

pte_t* walk_to_level(const mm_struct* mm, uint64_t address, int level) {
  MmState& state = mm_state();
  const Geometry geo = GeometryOf(state);
  const ptdesc* table = mm->pgd;
  if (!state.ptdesc_slab.IsLive(table)) {
    Fail(VerdictKind::kUseAfterFree, "S1: the PGD of a freed mm is walked");
  }
  for (int at = 4;; --at) {
    pte_t* entry = TableEntries(state, table) + geo.index(address, at);
    if (at == level) return entry;
    if (pte_none(*entry)) return nullptr;
    table = pgtable_visit(mm, *entry, at - 1);
  }
}

pte_t* pmd_alloc(mm_struct* mm, uint64_t address) {
  MmState& state = mm_state();
  const Geometry geo = GeometryOf(state);
  pte_t* entry = walk_to_level(mm, address, 4);
  for (int level = 3; level >= 2; --level) {
    // The kernel guards the PGD's entries with page_table_lock, and a PUD's
    // with the lock that the PUD's page would have: the same one on x86.
    if (!TableAlloc(mm, entry, level, &mm->page_table_lock)) return nullptr;
    const ptdesc* table = pgtable_visit(mm, *entry, level);
    entry = TableEntries(state, table) + geo.index(address, level);
  }
  return entry;
}

spinlock_t* table_lock_of(const pte_t* entry) {
  ptdesc* table = TableOf(mm_state(), entry);
  if (table == nullptr) {
    Fail(VerdictKind::kUseAfterFree, "S1: an entry of a freed table is locked");
  }
  return &table->ptl;
}

pte_t* pte_offset_map_lock(mm_struct* mm, pte_t* pmd, uint64_t address,
                           spinlock_t** ptl) {
  MmState& state = mm_state();
  const bool may_fail = differences().pte_map_may_fail;
  // From v6.5 on a read section keeps the table's memory until
  // pte_unmap_unlock(), though not its place under the PMD.
  if (may_fail) rcu_read_lock();
  SchedulePoint(Point::kPteEntry, Access::kRead, NumberOf(pmd));
  const pte_t entry = *pmd;
  if (!pte_present(entry) || pmd_trans_huge(entry)) {
    // Up to v6.4 callers do not expect this: the kernel would walk whatever a
    // zero entry points at.
    Invariant(may_fail, "S1: a page table vanished under a walker");
    rcu_read_unlock();
    return nullptr;
  }
  ptdesc* table = pgtable_visit(mm, entry, 1);
  spin_lock(&table->ptl);
  if (!state.ptdesc_slab.IsLive(table)) {
    Fail(VerdictKind::kUseAfterFree,
         "S1: a page table is freed while a walker waits for its lock");
  }
  // It may have been taken away while we waited for its lock.
  if (may_fail && *pmd != entry) {
    pte_unmap_unlock(&table->ptl);
    return nullptr;
  }
  *ptl = &table->ptl;
  return TableEntries(state, table) + GeometryOf(state).index(address, 1);
}

void pte_unmap_unlock(spinlock_t* ptl) {
  spin_unlock(ptl);
  if (differences().pte_map_may_fail) rcu_read_unlock();
}

int pte_alloc(mm_struct* mm, pte_t* pmd) {
  if (!pte_none(*pmd)) return 0;
  ptdesc* table = pgtable_alloc_one(mm, 1);
  if (table == nullptr) return -ENOMEM;
  pmd_install(mm, pmd, &table);
  if (table != nullptr) pgtable_free(table);
  return 0;
}

void pmd_install(mm_struct* mm, pte_t* pmd,
                 ptdesc** table) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl = table_lock_of(pmd);
  spin_lock(ptl);
  if (pte_none(*pmd)) {
    mm_inc_nr_tables(mm);
    table_populate(pmd, *table);
    *table = nullptr;
  }
  spin_unlock(ptl);
}

void table_populate(pte_t* entry, const ptdesc* table) {
  *entry = pfn_pte(mm_state().ptdesc_slab.IndexOf(table) + 1, _PAGE_TABLE);
}

void pgtable_trans_huge_deposit(pte_t* pmd, ptdesc* table) {
  ptdesc* pmd_table = TableOf(mm_state(), pmd);
  table->next = pmd_table->pmd_huge_pte;
  pmd_table->pmd_huge_pte = table;
}

ptdesc* pgtable_trans_huge_withdraw(pte_t* pmd) {
  ptdesc* pmd_table = TableOf(mm_state(), pmd);
  ptdesc* table = pmd_table->pmd_huge_pte;
  Invariant(table != nullptr, "a huge entry has no deposited page table");
  pmd_table->pmd_huge_pte = table->next;
  table->next = nullptr;
  return table;
}

void table_lock_nested(spinlock_t* ptl, LockClass nested) {
  // The class of a lock says where it stands in the order, so it is the nested
  // one for as long as the lock is held. Fork holds both mmap_locks for write:
  // nobody else can be waiting.
  Invariant(!spin_is_locked(ptl), "fork: a page-table lock is contended");
  ptl->lock_class = nested;
  spin_lock(ptl);
}

void table_unlock_nested(spinlock_t* ptl) {
  const LockClass nested = ptl->lock_class;
  spin_unlock(ptl);
  ptl->lock_class = nested == LockClass::kPteLockNested ? LockClass::kPteLock
                                                        : LockClass::kPmdLock;
}

const pte_t* FindEntry(const MmState& state, const mm_struct* mm,
                       uint64_t address, int* level) {
  const Geometry geo = GeometryOf(state);
  const ptdesc* table = mm->pgd;
  for (int at = 4; table != nullptr; --at) {
    const pte_t* entry = TableEntries(state, table) + geo.index(address, at);
    *level = at;
    if (at == 1 ||
        (at == 2 && (pmd_trans_huge(*entry) || is_swap_pte(*entry)))) {
      return pte_none(*entry) ? nullptr : entry;
    }
    if (pte_none(*entry)) return nullptr;
    table = TableAt(state, *entry);
  }
  return nullptr;
}

}  // namespace reapsim
