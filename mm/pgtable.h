// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Page tables: the 64-bit entries, the geometry, and page-table pages.
//
// Source: arch/x86/include/asm/pgtable.h, include/linux/swapops.h,
// include/linux/pgtable.h, mm/pgtable-generic.c, v5.15 to v7.2.
// Modelled: four levels of real tables; present, swap, migration, device,
//   poison and marker entries; a lock in each table; accounting; deposited
//   tables.
// Simplified: one type for entries of all levels; no fifth level; an entry
//   that points at a table holds the table's slab number + 1 as its frame;
//   page-table pages take no frame from the machine.
#ifndef REAPSIM_MM_PGTABLE_H_
#define REAPSIM_MM_PGTABLE_H_

#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "mm/mm_types.h"

namespace reapsim {

// ---- Geometry --------------------------------------------------------------

// What follows from the number of entries in a table. Levels count from 1, the
// PTE table, to 4, the PGD.
struct Geometry {
  int bits;

  uint64_t ptrs() const { return uint64_t{1} << bits; }
  // How much address space an entry of a table of this level covers.
  int shift(int level) const { return int{PAGE_SHIFT} + bits * (level - 1); }
  uint64_t size(int level) const { return uint64_t{1} << shift(level); }
  uint64_t index(uint64_t address, int level) const {
    return address >> shift(level) & (ptrs() - 1);
  }
  // The end of the entry that covers `address`, or `end` if that is nearer.
  uint64_t addr_end(uint64_t address, uint64_t end, int level) const {
    const uint64_t boundary = (address | (size(level) - 1)) + 1;
    return boundary - 1 < end - 1 ? boundary : end;
  }
  uint64_t pmd_size() const { return size(2); }
  uint64_t pmd_mask() const { return ~(pmd_size() - 1); }
  uint64_t hpage_pmd_nr() const { return ptrs(); }
  uint64_t task_size() const { return uint64_t{1} << (shift(5) - 1); }
};

inline Geometry GeometryOf(const MmState& mm) {
  return {.bits = mm.options.table_bits};
}
// Modelled side.
inline Geometry geometry() { return GeometryOf(Here<MmState>()); }

// Cache lines of a page table that entries `first` to `last` are in.
inline uint64_t EntryLines(uint64_t first, uint64_t last) {
  constexpr uint64_t kEntriesOfALine = 8;
  return last / kEntriesOfALine - first / kEntriesOfALine + 1;
}
// One visit of a level-1 table, and of its entries for [start, end).
inline void ChargePteTable(uint64_t start, uint64_t end) {
  Charge(Cost::kPteTableVisited, 1);
  if (start == end) return;
  Charge(Cost::kPteLine,
         EntryLines(start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT));
}

// ---- Entries ---------------------------------------------------------------

// An entry of any level.
using pte_t = uint64_t;

inline constexpr pte_t _PAGE_PRESENT = 1 << 0;
inline constexpr pte_t _PAGE_RW = 1 << 1;
inline constexpr pte_t _PAGE_USER = 1 << 2;
inline constexpr pte_t _PAGE_ACCESSED = 1 << 5;
inline constexpr pte_t _PAGE_DIRTY = 1 << 6;
inline constexpr pte_t _PAGE_PSE = 1 << 7;       // a huge page, at level 2
inline constexpr pte_t _PAGE_PROTNONE = 1 << 8;  // mapped, no access
inline constexpr pte_t _PAGE_SPECIAL = 1 << 9;  // a frame without a struct page
inline constexpr pte_t _PAGE_UFFD_WP = 1 << 10;
// In entries that are not present:
inline constexpr pte_t _PAGE_SWP_UFFD_WP = 1 << 2;

// A frame is there, accessible or not: what the kernel calls present.
inline bool pte_present(pte_t pte) {
  return (pte & (_PAGE_PRESENT | _PAGE_PROTNONE)) != 0;
}
inline bool pte_none(pte_t pte) { return pte == 0; }
inline bool pte_write(pte_t pte) { return (pte & _PAGE_RW) != 0; }
inline bool pte_dirty(pte_t pte) { return (pte & _PAGE_DIRTY) != 0; }
inline bool pte_young(pte_t pte) { return (pte & _PAGE_ACCESSED) != 0; }
inline bool pte_special(pte_t pte) { return (pte & _PAGE_SPECIAL) != 0; }
inline bool pte_uffd_wp(pte_t pte) { return (pte & _PAGE_UFFD_WP) != 0; }
inline pfn_t pte_pfn(pte_t pte) {
  return static_cast<pfn_t>(pte >> PAGE_SHIFT);
}
inline pte_t pfn_pte(pfn_t pfn, pte_t prot) {
  return uint64_t{pfn} << PAGE_SHIFT | prot;
}
inline pte_t pte_mkdirty(pte_t pte) { return pte | _PAGE_DIRTY; }
inline pte_t pte_mkyoung(pte_t pte) { return pte | _PAGE_ACCESSED; }
inline pte_t pte_mkwrite(pte_t pte) { return pte | _PAGE_RW; }
inline pte_t pte_mkuffd_wp(pte_t pte) {
  return (pte | _PAGE_UFFD_WP) & ~_PAGE_RW;
}
inline pte_t pte_wrprotect(pte_t pte) { return pte & ~_PAGE_RW; }
inline pte_t pte_mkclean(pte_t pte) { return pte & ~_PAGE_DIRTY; }
inline pte_t maybe_mkwrite(pte_t pte, const vm_area_struct* vma) {
  return (vma->vm_flags & VM_WRITE) != 0 ? pte_mkwrite(pte) : pte;
}
// A PMD entry that maps a huge page (present only).
inline bool pmd_trans_huge(pte_t pmd) {
  return pte_present(pmd) && (pmd & _PAGE_PSE) != 0;
}

// The protection bits of entries in a VMA: its vm_page_prot. Private mappings
// and shared ones of files that want to hear of writes begin without
// _PAGE_RW.
pte_t vm_page_prot(const vm_area_struct* vma);

// ---- Entries that are not present ------------------------------------------

// The kinds, in bits 58 to 62; the offset (a slot, a frame, marker bits) is
// where a frame number would be.
enum class SwpType : uint8_t {
  kSwap = 1,
  kMigrationRead,
  kMigrationWrite,
  kDevicePrivate,
  kDeviceExclusive,
  kHwpoison,
  kMarker,
};
inline constexpr int kSwpTypeShift = 58;

// Marker bits.
inline constexpr uint64_t PTE_MARKER_UFFD_WP = 1 << 0;
inline constexpr uint64_t PTE_MARKER_POISONED = 1 << 1;
inline constexpr uint64_t PTE_MARKER_GUARD = 1 << 2;

inline pte_t swp_entry(SwpType type, uint64_t offset) {
  return uint64_t{static_cast<uint8_t>(type)} << kSwpTypeShift |
         offset << PAGE_SHIFT;
}
inline bool is_swap_pte(pte_t pte) { return pte != 0 && !pte_present(pte); }
inline SwpType swp_type(pte_t pte) {
  return static_cast<SwpType>(pte >> kSwpTypeShift & 0x1f);
}
inline uint64_t swp_offset(pte_t pte) {
  return pte << (64 - kSwpTypeShift) >> (64 - kSwpTypeShift + PAGE_SHIFT);
}
inline bool is_migration_entry(pte_t pte) {
  return is_swap_pte(pte) && (swp_type(pte) == SwpType::kMigrationRead ||
                              swp_type(pte) == SwpType::kMigrationWrite);
}
inline pte_t make_pte_marker(uint64_t bits) {
  return swp_entry(SwpType::kMarker, bits);
}
inline bool pte_is_marker(pte_t pte) {
  return is_swap_pte(pte) && swp_type(pte) == SwpType::kMarker;
}
inline bool pte_marker_uffd_wp(pte_t pte) {
  return pte_is_marker(pte) && (swp_offset(pte) & PTE_MARKER_UFFD_WP) != 0;
}

// ---- Page-table pages ------------------------------------------------------

// The entries of a table, by its slab number. No liveness check.
inline pte_t* TableEntries(const MmState& mm, uint32_t number) {
  return reinterpret_cast<pte_t*>(
      mm.tables->base + (uint64_t{number} << (mm.options.table_bits + 3)));
}
inline pte_t* TableEntries(const MmState& mm, const ptdesc* table) {
  return TableEntries(mm, mm.ptdesc_slab.IndexOf(table));
}
// The table to which an entry of a higher level points, or null if it is not
// live.
inline ptdesc* TableAt(const MmState& mm, pte_t entry) {
  return mm.ptdesc_slab.LiveAt(pte_pfn(entry) - 1);
}

// The table to which `entry` points. Fails with "use after free" unless it is
// live (S1), and as a broken invariant unless it is a table of `mm` at `level`
// (S2). Modelled side; each visit of a table goes through here.
ptdesc* pgtable_visit(const mm_struct* mm, pte_t entry, int level);

// A zeroed table; null when none is left. Accounts nothing. May sleep.
ptdesc* pgtable_alloc_one(mm_struct* mm, int level);
// Frees a table that no entry points at. A table that is not live is a double
// free.
void pgtable_free(ptdesc* table);
// Adds the table's size to mm->pgtables_bytes, or takes it away.
void mm_inc_nr_tables(mm_struct* mm);
void mm_dec_nr_tables(mm_struct* mm);

// The PGD of a new mm; false when no memory is left. Not part of
// pgtables_bytes.
bool pgd_alloc(mm_struct* mm);
void pgd_free(mm_struct* mm);

// The entry of the table at `level` that covers `address`: the PMD entry for 2.
// Null if a table above it is missing. Takes no locks; the entry may change.
pte_t* walk_to_level(const mm_struct* mm, uint64_t address, int level);
inline pte_t* pmd_offset_lockless(const mm_struct* mm, uint64_t address) {
  return walk_to_level(mm, address, 2);
}
// As above, but makes the tables above; null when no memory is left.
pte_t* pmd_alloc(mm_struct* mm, uint64_t address);

// The lock of the table in which the entry lies: pmd_lock(), pte_lockptr().
spinlock_t* table_lock_of(const pte_t* entry);

// Maps and locks the PTE table under *pmd; null, and nothing locked, if there
// is none (any more): the caller looks at *pmd again. Returns the entry of
// `address`.
pte_t* pte_offset_map_lock(mm_struct* mm, pte_t* pmd, uint64_t address,
                           spinlock_t** ptl) ABSL_NO_THREAD_SAFETY_ANALYSIS;
void pte_unmap_unlock(spinlock_t* ptl) ABSL_NO_THREAD_SAFETY_ANALYSIS;

// Makes sure that *pmd points at a PTE table, installing a new one under the
// PMD lock if it is empty. 0 or -ENOMEM.
int pte_alloc(mm_struct* mm, pte_t* pmd);
// Installs *table under the PMD lock if *pmd is still empty, and clears it.
void pmd_install(mm_struct* mm, pte_t* pmd, ptdesc** table);
// Writes an entry that points at the table. Caller: the lock of *entry's table.
void table_populate(pte_t* entry, const ptdesc* table);

// Deposits a PTE table for a later split of the huge page at *pmd, and takes
// one back. Caller: PMD lock.
void pgtable_trans_huge_deposit(pte_t* pmd, ptdesc* table);
ptdesc* pgtable_trans_huge_withdraw(pte_t* pmd);

// A second lock of the same class, inside the first: spin_lock_nested().
void table_lock_nested(spinlock_t* ptl,
                       LockClass nested) ABSL_NO_THREAD_SAFETY_ANALYSIS;
void table_unlock_nested(spinlock_t* ptl) ABSL_NO_THREAD_SAFETY_ANALYSIS;

// Host side: the entry that maps `address` and its level (2: a huge page), or
// null. No schedule points, no checks.
const pte_t* FindEntry(const MmState& state, const mm_struct* mm,
                       uint64_t address, int* level);

}  // namespace reapsim

#endif  // REAPSIM_MM_PGTABLE_H_
