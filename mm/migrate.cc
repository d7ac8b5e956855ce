// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/migrate.c, mm/migrate_device.c; see the header.

#include "mm/migrate.h"

#include <cerrno>

#include "mm/filemap.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/rmap.h"
#include "mm/tlb.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

// A page on its way.
struct Moving {
  vm_area_struct* vma;
  uint64_t address;
  pfn_t from = kNoPfn;  // with a reference of ours
  pte_t entry = 0;      // what stands in its place
};

// The PTE of the address, locked; null if there is no PTE table.
pte_t* LockEntry(mm_struct* mm, uint64_t address,
                 spinlock_t** ptl) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  pte_t* pmd = pmd_offset_lockless(mm, address);
  if (pmd == nullptr || !pte_present(*pmd) || pmd_trans_huge(*pmd)) {
    return nullptr;
  }
  return pte_offset_map_lock(mm, pmd, address, ptl);
}

// Whether the entry maps a base page that nobody else maps. 0 or an errno as of
// migrate_pages().
int MayMove(pte_t pte) {
  if (!pte_present(pte)) return -ENOENT;
  if (pte_special(pte)) return -EFAULT;
  const page* p = pfn_to_page(mm_state(), pte_pfn(pte));
  if ((p->flags & (PG_head | PG_tail)) != 0) return -EBUSY;
  return p->_mapcount > 1 ? -EACCES : 0;
}

// Puts a migration entry where the page was mapped, and takes a reference.
// mm/rmap.c:try_to_migrate_one()
int try_to_migrate_one(Moving* m) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = m->vma->vm_mm;
  const pte_t* pmd = pmd_offset_lockless(mm, m->address);
  if (pmd != nullptr && pmd_trans_huge(*pmd)) return -EBUSY;
  spinlock_t* ptl;
  pte_t* pte = LockEntry(mm, m->address, &ptl);
  if (pte == nullptr) return -ENOENT;
  const int error = MayMove(*pte);
  if (error == 0) {
    m->from = pte_pfn(*pte);
    get_page(m->from);
    m->entry = swp_entry(pte_write(*pte) ? SwpType::kMigrationWrite
                                         : SwpType::kMigrationRead,
                         m->from) |
               (pte_uffd_wp(*pte) ? _PAGE_SWP_UFFD_WP : 0);
    if (pte_dirty(*pte)) {
      pfn_to_page(mm_state(), m->from)->flags |= PG_dirty;
    }
    *pte = m->entry;
    flush_tlb_page(m->vma, m->address);
    folio_remove_rmap_ptes(m->from, 1, m->vma);
  }
  pte_unmap_unlock(ptl);
  if (error == 0) put_page(m->from);
  return error;
}

// Maps `pfn` where the migration entry stands, if it still does.
// mm/migrate.c:remove_migration_pte()
void remove_migration_pte(const Moving& m,
                          pfn_t pfn) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl;
  pte_t* pte = LockEntry(m.vma->vm_mm, m.address, &ptl);
  if (pte == nullptr) return;
  if (*pte == m.entry) {
    get_page(pfn);
    folio_add_rmap_pte(pfn, m.vma);
    pte_t entry = pfn_pte(pfn, vm_page_prot(m.vma));
    if (swp_type(m.entry) == SwpType::kMigrationWrite) {
      entry = pte_mkwrite(entry);
    }
    if ((pfn_to_page(mm_state(), pfn)->flags & PG_dirty) != 0) {
      entry = pte_mkdirty(entry);
    }
    if ((m.entry & _PAGE_SWP_UFFD_WP) != 0) entry = pte_mkuffd_wp(entry);
    *pte = entry;
  }
  pte_unmap_unlock(ptl);
}

// Copies the page, and lets the page cache have the new one. False if somebody
// else holds a reference: then it must not move.
// mm/migrate.c:move_to_new_folio()
bool move_to_new_folio(const Moving& m, pfn_t to) {
  MmState& state = mm_state();
  page* from = pfn_to_page(state, m.from);
  const bool cached = (from->flags & PG_cache) != 0;
  if (page_count(m.from) != (cached ? 2u : 1u)) return false;
  WritePageWord(state, to, ReadPageWord(state, m.from));
  constexpr uint16_t kMoved =
      PG_anon | PG_swapbacked | PG_dirty | PG_referenced | PG_mlocked | PG_ksm;
  pfn_to_page(state, to)->flags |= from->flags & kMoved;
  if (cached) {
    address_space* mapping = m.vma->vm_mapping;
    const uint64_t pgoff = linear_page_index(m.vma, m.address);
    REAP_CHECK(CachedPage(mapping, pgoff) == m.from, "migrate: page cache");
    get_page(to);
    AddToPageCache(state, mapping, pgoff, to);
    from->flags &= static_cast<uint16_t>(~PG_cache);
    put_page(m.from);
  }
  return true;
}

// The VMA at the address if it is anonymous, or null.
vm_area_struct* FindAnonVma(mm_struct* mm, uint64_t address) {
  vm_area_struct* vma = find_vma(mm, address);
  return vma != nullptr && vma->vm_start <= address && vma_is_anonymous(vma)
             ? vma
             : nullptr;
}

bool IsAnonPage(pfn_t pfn) {
  return (pfn_to_page(mm_state(), pfn)->flags & (PG_anon | PG_ksm)) == PG_anon;
}

// A page of device memory.
pfn_t NewDevicePage(uint64_t word) {
  const pfn_t pfn = alloc_page();
  if (pfn == kNoPfn) return kNoPfn;
  pfn_to_page(mm_state(), pfn)->flags |= PG_anon | PG_swapbacked;
  WritePageWord(mm_state(), pfn, word);
  return pfn;
}

// A page on the device where there was none.
// mm/migrate_device.c:migrate_vma_insert_page()
int migrate_vma_insert_page(vm_area_struct* vma,
                            uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* mm = vma->vm_mm;
  pte_t* pmd = pmd_alloc(mm, address);
  if (pmd == nullptr || pte_alloc(mm, pmd) != 0) return -ENOMEM;
  const pfn_t pfn = NewDevicePage(0);
  if (pfn == kNoPfn) return -ENOMEM;
  vma->anon_vma = true;
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  int error = -EBUSY;
  if (pte != nullptr) {
    if (check_stable_address_space(mm) != 0) {
      error = -EINVAL;
    } else if (pte_none(*pte)) {
      error = 0;
      folio_add_rmap_pte(pfn, vma);
      add_mm_counter(mm, MM_ANONPAGES, 1);
      *pte = swp_entry(SwpType::kDevicePrivate, pfn);
    }
    pte_unmap_unlock(ptl);
  }
  if (error != 0) put_page(pfn);
  return error;
}

// Puts an entry that is not present in the place of the anonymous page's:
// make(pfn) says which, or 0 to leave it. 0 or -EBUSY.
template <class Make>
int ReplaceAnonPage(vm_area_struct* vma, uint64_t address,
                    const Make& make) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl;
  pte_t* pte = LockEntry(vma->vm_mm, address, &ptl);
  if (pte == nullptr) return -EBUSY;
  const pfn_t pfn = pte_pfn(*pte);
  int error = -EBUSY;
  if (MayMove(*pte) == 0 && IsAnonPage(pfn)) {
    const pte_t entry = make(pfn);
    if (entry != 0) {
      *pte = entry;
      flush_tlb_page(vma, address);
      error = 0;
    }
  }
  pte_unmap_unlock(ptl);
  return error;
}

}  // namespace

int migrate_pages(mm_struct* mm, uint64_t address) {
  address &= ~(PAGE_SIZE - 1);
  const pfn_t to = alloc_page();
  if (to == kNoPfn) return -ENOMEM;
  mmap_read_lock(mm);
  Moving m = {.vma = find_vma(mm, address), .address = address};
  int error = -EFAULT;
  if (m.vma != nullptr && m.vma->vm_start <= address) {
    error = try_to_migrate_one(&m);
  }
  if (error == 0) {
    Mark(Point::kUnmapForMigration);
    const bool moved = move_to_new_folio(m, to);
    remove_migration_pte(m, moved ? to : m.from);
    error = moved ? 0 : -EAGAIN;
    put_page(m.from);
  }
  mmap_read_unlock(mm);
  put_page(to);
  return error;
}

int migrate_vma_to_device(mm_struct* mm, uint64_t address) {
  address &= ~(PAGE_SIZE - 1);
  const pfn_t device = NewDevicePage(0);
  if (device == kNoPfn) return -ENOMEM;
  pfn_t from = kNoPfn;
  mmap_read_lock(mm);
  vm_area_struct* vma = FindAnonVma(mm, address);
  int error = -EFAULT;
  if (vma != nullptr) {
    error = ReplaceAnonPage(vma, address, [&](pfn_t pfn) -> pte_t {
      if (pfn_to_page(mm_state(), pfn)->_refcount != 1) return 0;
      from = pfn;
      WritePageWord(mm_state(), device, ReadPageWord(mm_state(), pfn));
      folio_remove_rmap_ptes(pfn, 1, vma);
      folio_add_rmap_pte(device, vma);
      return swp_entry(SwpType::kDevicePrivate, device);
    });
    int level = 0;
    if (error != 0 && FindEntry(mm_state(), mm, address, &level) == nullptr) {
      error = migrate_vma_insert_page(vma, address);
    }
  }
  mmap_read_unlock(mm);
  put_page(from != kNoPfn ? from : device);
  return error;
}

int make_device_exclusive(mm_struct* mm, uint64_t address) {
  address &= ~(PAGE_SIZE - 1);
  mmap_read_lock(mm);
  vm_area_struct* vma = FindAnonVma(mm, address);
  const int error = vma == nullptr
                        ? -EFAULT
                        : ReplaceAnonPage(vma, address, [vma](pfn_t pfn) {
                            if (!differences().device_exclusive_keeps_rmap) {
                              folio_remove_rmap_ptes(pfn, 1, vma);
                            }
                            return swp_entry(SwpType::kDeviceExclusive, pfn);
                          });
  mmap_read_unlock(mm);
  return error;
}

unsigned migrate_to_ram(vm_fault* vmf) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  vm_area_struct* vma = vmf->vma;
  const auto device = static_cast<pfn_t>(swp_offset(vmf->orig_pte));
  const pfn_t pfn = NewDevicePage(0);
  if (pfn == kNoPfn) return VM_FAULT_OOM;
  spinlock_t* ptl;
  pte_t* pte = LockEntry(vma->vm_mm, vmf->address, &ptl);
  bool moved = false;
  if (pte != nullptr) {
    moved = *pte == vmf->orig_pte;
    if (moved) {
      WritePageWord(mm_state(), pfn, ReadPageWord(mm_state(), device));
      folio_remove_rmap_ptes(device, 1, vma);
      folio_add_rmap_pte(pfn, vma);
      *pte = maybe_mkwrite(
          pte_mkdirty(pte_mkyoung(pfn_pte(pfn, vm_page_prot(vma)))), vma);
    }
    pte_unmap_unlock(ptl);
  }
  put_page(moved ? device : pfn);
  return 0;
}

pte_t restore_exclusive_pte(const vm_area_struct* vma, pte_t pte) {
  const auto pfn = static_cast<pfn_t>(swp_offset(pte));
  if (!differences().device_exclusive_keeps_rmap) folio_add_rmap_pte(pfn, vma);
  return maybe_mkwrite(
      pte_mkdirty(pte_mkyoung(pfn_pte(pfn, vm_page_prot(vma)))), vma);
}

unsigned remove_device_exclusive_entry(vm_fault* vmf)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  spinlock_t* ptl;
  pte_t* pte = LockEntry(vmf->vma->vm_mm, vmf->address, &ptl);
  if (pte == nullptr) return 0;
  if (*pte == vmf->orig_pte) *pte = restore_exclusive_pte(vmf->vma, *pte);
  pte_unmap_unlock(ptl);
  return 0;
}

}  // namespace reapsim
