// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/memory.c, v5.15 to v7.2, in its order.
// Modelled: counters, freeing of page tables, copies at fork, the zap walk,
//   faults on anonymous, file, shared and swapped memory.
// Simplified: no NUMA hinting, no large folios but those of a whole PMD entry,
//   no VM_FAULT_RETRY for page locks (pages are never locked), no FOLL_FORCE;
//   PUD entries are never huge.
// Stubbed: uprobes, soft-dirty, page_mkwrite.
//
// One PTE table's lock section is one step to the other tasks: entries are
// read and written in it without schedule points of their own.

#include "mm/memory.h"

#include <cerrno>

#include "mm/filemap.h"
#include "mm/huge_memory.h"
#include "mm/hugetlb.h"
#include "mm/invariants.h"
#include "mm/ksm.h"
#include "mm/migrate.h"
#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "mm/page_alloc.h"
#include "mm/page_block.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/shmem.h"
#include "mm/swapfile.h"
#include "mm/tlb.h"
#include "mm/userfaultfd.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

// Events that a thread caches before it moves them into the mm (up to v6.1).
constexpr uint32_t TASK_RSS_EVENTS_THRESH = 64;
// How far a CPU's share may be off before it spills (v6.2 on).
constexpr int32_t percpu_counter_batch = 32;

bool HasStructPage(pte_t pte) { return !pte_special(pte); }

// Private, and could become writable.
bool is_cow_mapping(uint64_t vm_flags) {
  return (vm_flags & (VM_SHARED | VM_MAYWRITE)) == VM_MAYWRITE;
}

}  // namespace

// ---- Counters --------------------------------------------------------------

void add_mm_counter(mm_struct* mm, int member, int64_t value) {
  if (value == 0) return;
  auto& stat = mm->rss_stat[member];
  if (!differences().rss_percpu) {
    stat.count += value;
    return;
  }
  const int64_t share = stat.percpu[current()->cpu] + value;
  if (share >= percpu_counter_batch || share <= -percpu_counter_batch) {
    stat.count += share;
    stat.percpu[current()->cpu] = 0;
  } else {
    stat.percpu[current()->cpu] = static_cast<int32_t>(share);
  }
}

void add_mm_counter_fast(mm_struct* mm, int member, int64_t value) {
  task_struct* self = current();
  if (differences().rss_percpu || self->mm != mm) {
    add_mm_counter(mm, member, value);
  } else {
    self->rss_cache[member] += static_cast<int32_t>(value);
  }
}

void sync_mm_rss(mm_struct* mm) {
  if (differences().rss_percpu) return;
  task_struct* self = current();
  for (int member = 0; member < NR_MM_COUNTERS; ++member) {
    mm->rss_stat[member].count += self->rss_cache[member];
    self->rss_cache[member] = 0;
  }
  self->rss_cache_events = 0;
}

int64_t get_mm_counter(const mm_struct* mm, int member) {
  const int64_t count = READ_ONCE(mm->rss_stat[member].count);
  return count < 0 ? 0 : count;
}

int64_t get_mm_counter_sum(const mm_struct* mm, int member) {
  const auto& stat = mm->rss_stat[member];
  int64_t sum = stat.count;
  for (const int32_t share : stat.percpu) sum += share;
  if (!RootOf<EngineState>(mm).differences.rss_percpu) {
    RootOf<SchedState>(mm).task_slab.ForEach([&](const task_struct* task) {
      if (task->mm == mm) sum += task->rss_cache[member];
    });
  }
  return sum;
}

namespace {

// Moves the caller's cached events after every 64th fault.
void check_sync_rss_stat(mm_struct* mm) {
  task_struct* self = current();
  if (differences().rss_percpu || self->mm != mm) return;
  if (++self->rss_cache_events > TASK_RSS_EVENTS_THRESH) sync_mm_rss(mm);
}

void add_mm_rss_vec(mm_struct* mm, const int64_t* rss) {
  if (current()->mm == mm) sync_mm_rss(mm);
  for (int member = 0; member < NR_MM_COUNTERS; ++member) {
    add_mm_counter(mm, member, rss[member]);
  }
}

// ---- Freeing page tables ---------------------------------------------------

// What free_pgd_range() and its parts pass down.
struct FreeRange {
  mmu_gather* tlb;
  uint64_t floor;
  uint64_t ceiling;
};

// Whether the table whose entries cover [start, end) may go: nothing else can
// lie in the part of the address space that an entry of `level` covers.
// `start` is rounded down to that part.
bool TableIsOnlyOurs(const FreeRange& range, const Geometry& geo, int level,
                     uint64_t* start, uint64_t end) {
  const uint64_t mask = ~(geo.size(level) - 1);
  *start &= mask;
  if (*start < range.floor) return false;
  uint64_t ceiling = range.ceiling;
  if (ceiling != 0) {
    ceiling &= mask;
    if (ceiling == 0) return false;
  }
  return end - 1 <= ceiling - 1;
}

// Frees what the table at `level` under *entry holds of [address, end), and
// the table itself if that was all. Source: free_pte_range() to
// free_p4d_range().
void FreeTableRange(const FreeRange& range, pte_t* entry, int level,
                    uint64_t address, uint64_t end) {
  mm_struct* mm = range.tlb->mm;
  const Geometry geo = geometry();
  uint64_t start = address;
  Invariant(!pmd_trans_huge(*entry),
            "S1: a huge entry is still there when page tables are freed");
  ptdesc* table = pgtable_visit(mm, *entry, level);
  if (level > 1) {
    pte_t* below = TableEntries(mm_state(), table) + geo.index(address, level);
    for (uint64_t next; address != end; address = next, ++below) {
      next = geo.addr_end(address, end, level);
      if (!pte_none(*below)) {
        FreeTableRange(range, below, level - 1, address, next);
      }
    }
  }
  // The entry one level up covers this table. For PTE tables free_pgd_range()
  // has trimmed the range already.
  if (level == 1) {
    start &= geo.pmd_mask();
  } else if (!TableIsOnlyOurs(range, geo, level + 1, &start, end)) {
    return;
  }
  SchedulePoint(Point::kPteEntry, Access::kWrite, NumberOf(entry));
  *entry = 0;
  tlb_remove_table(range.tlb, table, start, geo.size(level + 1));
  mm_dec_nr_tables(mm);
}

void free_pgd_range(mmu_gather* tlb, uint64_t address, uint64_t end,
                    uint64_t floor, uint64_t ceiling) {
  const Geometry geo = geometry();
  const uint64_t pmd_size = geo.pmd_size();
  // 0 as floor and address is the bottom of the address space, as end and
  // ceiling its top: hence the comparisons of value - 1.
  address &= geo.pmd_mask();
  if (address < floor) {
    address += pmd_size;
    if (address == 0) return;
  }
  if (ceiling != 0) {
    ceiling &= geo.pmd_mask();
    if (ceiling == 0) return;
  }
  if (end - 1 > ceiling - 1) end -= pmd_size;
  if (address > end - 1) return;
  const FreeRange range = {.tlb = tlb, .floor = floor, .ceiling = ceiling};
  pte_t* pgd = walk_to_level(tlb->mm, address, 4);
  for (uint64_t next; address != end; address = next, ++pgd) {
    next = geo.addr_end(address, end, 4);
    if (!pte_none(*pgd)) FreeTableRange(range, pgd, 3, address, next);
  }
}

}  // namespace

void free_pgtables(mmu_gather* tlb, mm_struct* mm, vm_area_struct* first,
                   vm_area_struct* last, uint64_t floor, uint64_t ceiling,
                   bool mm_wr_locked) {
  REAP_CHECK(tlb->mm == mm, "free_pgtables: gather of another mm");
  if (mm_wr_locked) MayFreeAllTables(mm);
  const uint64_t pmd_size = geometry().pmd_size();
  for (vm_area_struct* vma = first; vma != nullptr;) {
    const uint64_t address = vma->vm_start;
    vm_area_struct* next = vma == last ? nullptr : vma_next(vma);
    if (mm_wr_locked) vma_start_write(vma);
    // VMAs that are near each other share tables: one call for all of them.
    while (next != nullptr && next->vm_start <= vma->vm_end + pmd_size) {
      vma = next;
      next = vma == last ? nullptr : vma_next(vma);
      if (mm_wr_locked) vma_start_write(vma);
    }
    free_pgd_range(tlb, address, vma->vm_end, floor,
                   next != nullptr ? next->vm_start : ceiling);
    vma = next;
  }
}

// ---- Copying at fork -------------------------------------------------------

namespace {

// A fork's copy of one VMA's tables.
struct CopyRange {
  vm_area_struct* dst_vma;
  vm_area_struct* src_vma;
  int64_t rss[NR_MM_COUNTERS];
};

void copy_present_pte(CopyRange* copy, pte_t* dst, pte_t* src);

// An entry that is not present. Source: copy_nonpresent_pte().
void copy_nonpresent_pte(CopyRange* copy, pte_t* dst, pte_t* src) {
  MmState& mm = mm_state();
  pte_t pte = *src;
  const auto pfn = static_cast<pfn_t>(swp_offset(pte));
  switch (swp_type(pte)) {
    case SwpType::kSwap:
      swap_duplicate(swp_offset(pte));
      copy->rss[MM_SWAPENTS]++;
      break;
    case SwpType::kMigrationWrite:
    case SwpType::kMigrationRead:
      copy->rss[mm_counter_of(pfn_to_page(mm, pfn)->flags)]++;
      if (swp_type(pte) == SwpType::kMigrationWrite &&
          is_cow_mapping(copy->src_vma->vm_flags)) {
        pte = swp_entry(SwpType::kMigrationRead, pfn);
        *src = pte;
      }
      break;
    case SwpType::kDevicePrivate:
      get_page(pfn);
      folio_add_rmap_pte(pfn, copy->dst_vma);
      copy->rss[MM_ANONPAGES]++;
      break;
    case SwpType::kDeviceExclusive:
      // The device loses it first.
      *src = restore_exclusive_pte(copy->src_vma, pte);
      copy_present_pte(copy, dst, src);
      return;
    case SwpType::kHwpoison:
      break;
    case SwpType::kMarker:
      // A uffd-wp marker means nothing where no uffd watches.
      if ((copy->dst_vma->vm_flags & VM_UFFD_WP) == 0) {
        const uint64_t kept = swp_offset(pte) & ~PTE_MARKER_UFFD_WP;
        pte = kept != 0 ? make_pte_marker(kept) : 0;
      }
      break;
  }
  if ((copy->dst_vma->vm_flags & VM_UFFD_WP) == 0) pte &= ~_PAGE_SWP_UFFD_WP;
  *dst = pte;
}

void copy_present_pte(CopyRange* copy, pte_t* dst, pte_t* src) {
  MmState& mm = mm_state();
  pte_t pte = *src;
  if (HasStructPage(pte)) {
    const pfn_t pfn = pte_pfn(pte);
    get_page(pfn);
    folio_add_rmap_pte(pfn, copy->dst_vma);
    copy->rss[mm_counter_of(pfn_to_page(mm, pfn)->flags)]++;
  }
  if (is_cow_mapping(copy->src_vma->vm_flags) && pte_write(pte)) {
    pte = pte_wrprotect(pte);
    *src = pte;
  }
  if ((copy->src_vma->vm_flags & VM_SHARED) != 0) pte = pte_mkclean(pte);
  if ((copy->dst_vma->vm_flags & VM_UFFD_WP) == 0) pte &= ~_PAGE_UFFD_WP;
  *dst = pte;
}

// One PTE table's worth. 0 or -ENOMEM.
int copy_pte_range(CopyRange* copy, pte_t* dst_pmd, pte_t* src_pmd,
                   uint64_t address,
                   uint64_t end) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mm_struct* dst_mm = copy->dst_vma->vm_mm;
  mm_struct* src_mm = copy->src_vma->vm_mm;
  MmState& state = mm_state();
  const Geometry geo = GeometryOf(state);
  if (pte_alloc(dst_mm, dst_pmd) != 0) return -ENOMEM;
  spinlock_t* dst_ptl;
  pte_t* dst = pte_offset_map_lock(dst_mm, dst_pmd, address, &dst_ptl);
  ptdesc* src_table = pgtable_visit(src_mm, *src_pmd, 1);
  pte_t* src = TableEntries(state, src_table) + geo.index(address, 1);
  table_lock_nested(&src_table->ptl, LockClass::kPteLockNested);
  const uint64_t start = address;
  for (int64_t& count : copy->rss) count = 0;
  for (; address != end; address += PAGE_SIZE, ++src, ++dst) {
    if (pte_none(*src)) continue;
    if (pte_present(*src)) {
      copy_present_pte(copy, dst, src);
    } else {
      copy_nonpresent_pte(copy, dst, src);
    }
  }
  ChargePteTable(start, end);
  table_unlock_nested(&src_table->ptl);
  add_mm_rss_vec(dst_mm, copy->rss);
  pte_unmap_unlock(dst_ptl);
  cond_resched();
  return 0;
}

// The entries of the source's table at `level` that cover [address, end).
// Source: copy_p4d_range() to copy_pmd_range().
int CopyTableRange(CopyRange* copy, pte_t* src, int level, uint64_t address,
                   uint64_t end) {
  mm_struct* src_mm = copy->src_vma->vm_mm;
  const Geometry geo = geometry();
  for (uint64_t next; address != end; address = next, ++src) {
    next = geo.addr_end(address, end, level);
    if (pte_none(*src)) continue;
    if (level > 2) {
      const ptdesc* table = pgtable_visit(src_mm, *src, level - 1);
      pte_t* below =
          TableEntries(mm_state(), table) + geo.index(address, level - 1);
      const int ret = CopyTableRange(copy, below, level - 1, address, next);
      if (ret != 0) return ret;
      continue;
    }
    pte_t* dst = pmd_alloc(copy->dst_vma->vm_mm, address);
    if (dst == nullptr) return -ENOMEM;
    if (pmd_trans_huge(*src)) {
      const int ret = copy_huge_pmd(dst, src, copy->dst_vma);
      if (ret == -ENOMEM) return ret;
      if (ret == 0) continue;
    }
    const int ret = copy_pte_range(copy, dst, src, address, next);
    if (ret != 0) return ret;
  }
  return 0;
}

// Whether the child could not simply fault the pages in again.
bool vma_needs_copy(const vm_area_struct* dst_vma,
                    const vm_area_struct* src_vma) {
  return src_vma->anon_vma || (dst_vma->vm_flags & VM_UFFD_WP) != 0 ||
         (src_vma->vm_flags & (VM_HUGETLB | VM_PFNMAP | VM_MIXEDMAP)) != 0;
}

}  // namespace

int copy_page_range(vm_area_struct* dst_vma, vm_area_struct* src_vma) {
  if (!vma_needs_copy(dst_vma, src_vma)) return 0;
  if ((src_vma->vm_flags & VM_HUGETLB) != 0) {
    return copy_hugetlb_page_range(dst_vma, src_vma);
  }
  const bool is_cow = is_cow_mapping(src_vma->vm_flags);
  mmu_notifier_range range = {.mm = src_vma->vm_mm,
                              .start = src_vma->vm_start,
                              .end = src_vma->vm_end,
                              .event = MMU_NOTIFY_PROTECTION_VMA};
  if (is_cow) mmu_notifier_invalidate_range_start(&range);
  CopyRange copy = {.dst_vma = dst_vma, .src_vma = src_vma, .rss = {}};
  pte_t* pgd = walk_to_level(src_vma->vm_mm, src_vma->vm_start, 4);
  const int ret =
      CopyTableRange(&copy, pgd, 4, src_vma->vm_start, src_vma->vm_end);
  if (is_cow) mmu_notifier_invalidate_range_end(&range);
  return ret;
}

// ---- The zap walk ----------------------------------------------------------

namespace {

// How many of the `max_nr` entries from pte on are none.
uint64_t NonePtes(const pte_t* pte, uint64_t max_nr) {
  constexpr uint64_t kStep = 8;
  uint64_t nr = 0;
  for (; nr + kStep <= max_nr; nr += kStep) {
    pte_t any = 0;
    for (uint64_t i = 0; i < kStep; ++i) any |= pte[nr + i];
    if (!pte_none(any)) break;
  }
  while (nr < max_nr && pte_none(pte[nr])) ++nr;
  return nr;
}

// One lock section of zap_pte_range(): what it has done so far.
struct ZapSection {
  mmu_gather* tlb;
  vm_area_struct* vma;
  const zap_details& details;
  page* mem_map;
  bool batches;      // runs of one folio are one unit
  bool delays_rmap;  // of dirty file pages, until after the flush
  bool force_flush = false;
  bool force_break = false;
  int64_t rss[NR_MM_COUNTERS] = {};
  uint64_t dirty = 0;
  uint64_t young = 0;
  uint64_t joined = 0;  // pages that belong to the same folio as the one before
};

// Leaves a uffd-wp marker where a protected page of a file was: userfaultfd
// must not forget the protection because the page went.
void zap_install_uffd_wp_if_needed(const ZapSection& z, pte_t* pte, uint32_t nr,
                                   pte_t was) {
  if (vma_is_anonymous(z.vma) || z.details.drop_markers) return;
  if ((z.vma->vm_flags & VM_UFFD_WP) == 0) return;
  const bool armed = pte_present(was) ? pte_uffd_wp(was)
                                      : (was & _PAGE_SWP_UFFD_WP) != 0 ||
                                            pte_marker_uffd_wp(was);
  if (!armed) return;
  for (uint32_t i = 0; i < nr; ++i)
    pte[i] = make_pte_marker(PTE_MARKER_UFFD_WP);
}

// How many of the `max_nr` entries from pte on map consecutive pages of one
// huge page in the same way. Source: folio_pte_batch().
uint32_t folio_pte_batch(const ZapSection& z, const pte_t* pte,
                         uint64_t max_nr) {
  constexpr pte_t kIgnored = _PAGE_DIRTY | _PAGE_ACCESSED;
  uint32_t nr = 1;
  pte_t expected = *pte & ~kIgnored;
  while (nr < max_nr) {
    expected += PAGE_SIZE;
    if ((pte[nr] & ~kIgnored) != expected) break;
    // The next huge page may follow in memory.
    if ((z.mem_map[pte_pfn(expected)].flags & PG_head) != 0) break;
    nr++;
  }
  return nr;
}

// `nr` entries that map one folio's pages.
void zap_present_folio_ptes(ZapSection* z, pte_t* pte, uint32_t nr) {
  const pte_t first = *pte;
  const pfn_t pfn = pte_pfn(first);
  pte_t any = 0;
  for (uint32_t i = 0; i < nr; ++i) {
    any |= pte[i];
    pte[i] = 0;
  }
  const uint16_t flags = z->mem_map[pfn].flags;
  bool delay_rmap = false;
  if ((flags & PG_anon) == 0) {
    page* head = &z->mem_map[compound_head(mm_state(), pfn)];
    if (pte_dirty(any)) {
      head->flags |= PG_dirty;
      z->dirty += nr;
      delay_rmap = z->delays_rmap;
      z->force_flush |= delay_rmap;
    }
    if (pte_young(any) && (z->vma->vm_flags & VM_SEQ_READ) == 0) {
      head->flags |= PG_referenced;
      z->young += nr;
    }
  }
  z->joined += nr - 1;
  z->rss[mm_counter_of(flags)] -= nr;
  zap_install_uffd_wp_if_needed(*z, pte, nr, first);
  if (!delay_rmap) folio_remove_rmap_ptes(pfn, nr, z->vma);
  if (__tlb_remove_folio_pages(z->tlb, pfn, nr, delay_rmap)) {
    z->force_flush = true;
    z->force_break = true;
  }
}

// An entry that maps a frame with a struct page, and asks for nothing more.
bool PlainPte(pte_t pte) {
  constexpr pte_t kBits = _PAGE_PRESENT | _PAGE_SPECIAL | _PAGE_UFFD_WP;
  return (pte & kBits) == _PAGE_PRESENT;
}

// What a private page's record says while one entry maps it and nothing else
// is known of it, and after that.
constexpr page kPlainMapped = {._refcount = 1,
                               ._mapcount = 1,
                               .flags = PG_anon | PG_swapbacked | PG_allocated};
constexpr page kPlainUnmapped = {
    ._refcount = 1, ._mapcount = 0, .flags = kPlainMapped.flags};

// Unmaps kPageBlock pages whose frames follow each other and that are all plain
// pages. False: they are not all like this, and nothing is done.
bool ZapPlainBlock(page* mem_map, pte_t* pte, uint64_t* slots) {
  static constexpr page_block kMapped = page_block::Of(kPlainMapped);
  static constexpr page_block kUnmapped = page_block::Of(kPlainUnmapped);
  const pte_t first = pte[0];
  if (!PlainPte(first) || !IsRamp(pte, first, PAGE_SIZE)) return false;
  page* p = &mem_map[pte_pfn(first)];
  // The records that the walk comes to some blocks from here.
  __builtin_prefetch(p + 16 * kPageBlock, 1);
  if (!IsBlock(p, kMapped)) return false;
  SetBlock(p, kUnmapped);
  SetRamp(slots, uint64_t{pte_pfn(first)} << 2, 1 << 2);
  SetRamp(pte, 0, 0);
  return true;
}

// The next of at most `end` entries that map plain anonymous pages, one by one.
// Stops after a block, or at the first other entry; returns how many.
uint32_t ZapPlainSingly(page* mem_map, pte_t* pte, uint64_t* slots,
                        uint64_t end) {
  constexpr uint16_t kFlags = PG_anon | PG_head | PG_tail | PG_mlocked;
  const uint64_t stop = end < kPageBlock ? end : kPageBlock;
  // The frames lie anywhere: their records come from memory. What the entries
  // beyond hold is only guessed; a wrong guess costs nothing.
  const uint64_t ahead = end < 3 * kPageBlock ? end : 3 * kPageBlock;
  for (uint64_t i = 2 * kPageBlock; i < ahead; ++i) {
    __builtin_prefetch(&mem_map[pte_pfn(pte[i])], 1);
  }
  uint32_t nr = 0;
  for (; nr < stop; ++nr) {
    const pte_t ptent = pte[nr];
    if (!PlainPte(ptent)) break;
    page* p = &mem_map[pte_pfn(ptent)];
    if ((p->flags & kFlags) != PG_anon || p->_mapcount == 0) break;
    p->_mapcount--;
    pte[nr] = 0;
    slots[nr] = uint64_t{pte_pfn(ptent)} << 2;
  }
  return nr;
}

// As many of the `max_nr` entries from pte on as map plain anonymous pages, and
// as the current batch has room for: what nearly all of a walk is. The entry
// that would fill the batch is left to zap_present_ptes().
uint32_t ZapPlainAnonPtes(ZapSection* z, pte_t* pte, uint64_t max_nr) {
  mmu_gather_batch* batch = z->tlb->active;
  uint64_t* slots = batch->encoded_pages + batch->nr;
  const uint64_t room = batch->max - z->tlb->reserve - batch->nr - 1;
  const uint64_t end = max_nr < room ? max_nr : room;
  uint32_t nr = 0;
  uint32_t step = 0;
  do {
    if (end - nr >= kPageBlock &&
        ZapPlainBlock(z->mem_map, pte + nr, slots + nr)) {
      step = kPageBlock;
    } else {
      step = ZapPlainSingly(z->mem_map, pte + nr, slots + nr, end - nr);
    }
    nr += step;
  } while (step == kPageBlock);
  batch->nr += nr;
  z->rss[MM_ANONPAGES] -= nr;
  return nr;
}

// At least one present entry; returns how many.
uint32_t zap_present_ptes(ZapSection* z, pte_t* pte, uint64_t max_nr) {
  const pte_t ptent = *pte;
  if (pte_special(ptent)) {
    *pte = 0;
    ksm_might_unmap_zero_page(z->tlb->mm, ptent);
    zap_install_uffd_wp_if_needed(*z, pte, 1, ptent);
    return 1;
  }
  const page* p = &z->mem_map[pte_pfn(ptent)];
  uint32_t nr = 1;
  if (z->batches && (p->flags & (PG_head | PG_tail)) != 0) {
    nr = folio_pte_batch(*z, pte, max_nr);
  }
  zap_present_folio_ptes(z, pte, nr);
  return nr;
}

// How many of the `max_nr` entries from pte on are consecutive swap slots.
uint32_t swap_pte_batch(const pte_t* pte, uint64_t max_nr) {
  uint32_t nr = 1;
  while (nr < max_nr && pte[nr] == *pte + nr * PAGE_SIZE) nr++;
  return nr;
}

// Whether a marker goes. Others than uffd-wp and guards always do.
bool ZapsMarker(const ZapSection& z, pte_t ptent) {
  const uint64_t bits = swp_offset(ptent);
  if (z.details.drop_markers ||
      (z.details.reaping && Switched(Switch::kReaperDropsMarkers))) {
    return true;
  }
  if ((bits & PTE_MARKER_GUARD) != 0) return false;
  if ((bits & PTE_MARKER_UFFD_WP) == 0) return true;
  return vma_is_anonymous(z.vma) && differences().uffd_wp_anon_marker_cleared;
}

// At least one entry that is neither none nor present; returns how many.
uint32_t zap_nonpresent_ptes(ZapSection* z, pte_t* pte, uint64_t max_nr) {
  const pte_t ptent = *pte;
  const auto pfn = static_cast<pfn_t>(swp_offset(ptent));
  uint32_t nr = 1;
  switch (swp_type(ptent)) {
    case SwpType::kSwap:
      if (differences().zap_batches_swap_entries) {
        nr = swap_pte_batch(pte, max_nr);
      }
      z->rss[MM_SWAPENTS] -= nr;
      free_swap_and_cache_nr(swp_offset(ptent), nr);
      break;
    case SwpType::kMigrationRead:
    case SwpType::kMigrationWrite:
      // The page belongs to whoever migrates it, who finds the entry gone.
      z->rss[mm_counter_of(z->mem_map[pfn].flags)]--;
      break;
    case SwpType::kDevicePrivate:
    case SwpType::kDeviceExclusive:
      z->rss[MM_ANONPAGES]--;
      if (swp_type(ptent) == SwpType::kDevicePrivate ||
          differences().device_exclusive_keeps_rmap) {
        folio_remove_rmap_ptes(pfn, 1, z->vma);
      }
      put_page(pfn);
      break;
    case SwpType::kHwpoison:
      break;
    case SwpType::kMarker:
      if (!ZapsMarker(*z, ptent)) return 1;
      if (z->details.reaping) CheckMarkerGoes(z->vma, swp_offset(ptent));
      break;
  }
  for (uint32_t i = 0; i < nr; ++i) pte[i] = 0;
  zap_install_uffd_wp_if_needed(*z, pte, nr, ptent);
  return nr;
}

void ChargeZap(const ZapSection& z) {
  const auto anon = static_cast<uint64_t>(-z.rss[MM_ANONPAGES]);
  const auto file = static_cast<uint64_t>(-z.rss[MM_FILEPAGES]);
  const auto shmem = static_cast<uint64_t>(-z.rss[MM_SHMEMPAGES]);
  Charge(Cost::kAnonPage, anon);
  Charge(Cost::kFilePage, file);
  Charge(Cost::kShmemPage, shmem);
  Charge(Cost::kFolio, anon + file + shmem - z.joined);
  Charge(Cost::kDirtyPage, z.dirty);
  Charge(Cost::kYoungPage, z.young);
}

// The entries of one PTE table that cover [address, end). Returns how far it
// came: less than `end` when it has to give way in between.
uint64_t zap_pte_range(mmu_gather* tlb, vm_area_struct* vma, pte_t* pmd,
                       uint64_t address, uint64_t end,
                       const zap_details& details) {
  mm_struct* mm = tlb->mm;
  const Differences& diff = differences();
  spinlock_t* ptl;
  pte_t* pte = pte_offset_map_lock(mm, pmd, address, &ptl);
  if (pte == nullptr) return address;
  ZapSection z = {.tlb = tlb,
                  .vma = vma,
                  .details = details,
                  .mem_map = pfn_to_page(mm_state(), 0),
                  .batches = diff.zap_batches_ptes,
                  .delays_rmap = diff.delays_rmap};
  if (details.reaping && Checked(Check::kS9)) [[unlikely]] {
    NoteReapedWords(vma, pte, address, end);
  }
  const uint64_t start = address;
  // What was present, and may be in TLBs.
  uint64_t flush_start = end;
  uint64_t flush_end = address;
  const bool resched = need_resched();
  const bool resched_on_none = resched && diff.zap_checks_resched_on_none;
  while (address != end) {
    const uint64_t max_nr = (end - address) >> PAGE_SHIFT;
    uint64_t nr;
    const pte_t ptent = *pte;
    if (pte_none(ptent)) {
      if (resched_on_none) break;
      nr = NonePtes(pte, max_nr);
    } else if (resched) {
      break;
    } else if (pte_present(ptent)) {
      nr = ZapPlainAnonPtes(&z, pte, max_nr);
      if (nr == 0) nr = zap_present_ptes(&z, pte, max_nr);
      if (flush_start == end) flush_start = address;
      flush_end = address + nr * PAGE_SIZE;
    } else {
      nr = zap_nonpresent_ptes(&z, pte, max_nr);
    }
    pte += nr;
    address += nr * PAGE_SIZE;
    if (z.force_break) [[unlikely]]
      break;
  }
  if (flush_start < flush_end) {
    tlb_remove_tlb_entry(tlb, flush_start, flush_end - flush_start);
  }
  add_mm_rss_vec(mm, z.rss);
  ChargePteTable(start, address);
  ChargeZap(z);
  if (z.force_flush) {
    tlb_flush_mmu_tlbonly(tlb);
    tlb_flush_rmaps(tlb, vma);
  }
  pte_unmap_unlock(ptl);
  if (z.force_flush) tlb_flush_mmu(tlb);
  return address;
}

// mm/pt_reclaim.c:try_to_free_pte(): frees the PTE table under *pmd if it is
// there and empty. `address` is the first that it maps.
void try_to_free_pte(mmu_gather* tlb, pte_t* pmd,
                     uint64_t address) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  const Geometry geo = geometry();
  spinlock_t* pml = table_lock_of(pmd);
  spin_lock(pml);
  const pte_t entry = *pmd;
  if (!pte_present(entry) || pmd_trans_huge(entry)) {
    spin_unlock(pml);
    return;
  }
  ptdesc* table = pgtable_visit(tlb->mm, entry, 1);
  spin_lock(&table->ptl);
  const pte_t* entries = TableEntries(mm_state(), table);
  // Somebody may have filled one since, and markers were left where they are.
  const bool empty = NonePtes(entries, geo.ptrs()) == geo.ptrs();
  if (empty) *pmd = 0;
  spin_unlock(&table->ptl);
  spin_unlock(pml);
  if (!empty) return;
  tlb_remove_table(tlb, table, address, geo.pmd_size());
  mm_dec_nr_tables(tlb->mm);
}

uint64_t zap_pmd_range(mmu_gather* tlb, vm_area_struct* vma, pte_t* pmd,
                       uint64_t address, uint64_t end,
                       const zap_details& details) {
  const Geometry geo = geometry();
  uint64_t first = address;  // under this PMD
  while (address != end) {
    const uint64_t next = geo.addr_end(address, end, 2);
    SchedulePoint(Point::kPteEntry, Access::kRead, NumberOf(pmd));
    bool zapped = false;
    if (is_swap_pte(*pmd) || pmd_trans_huge(*pmd)) {
      if (next - address != geo.pmd_size()) {
        __split_huge_pmd(vma, pmd, address);
      } else {
        zapped = zap_huge_pmd(tlb, vma, pmd, address);
      }
    }
    if (zapped || pte_none(*pmd)) {
      address = next;
    } else {
      address = zap_pte_range(tlb, vma, pmd, address, next, details);
      // mm/pt_reclaim.c:reclaim_pt_is_enabled()
      if (address == next && details.reclaim_pt &&
          next - first == geo.pmd_size()) [[unlikely]] {
        try_to_free_pte(tlb, pmd, first);
      }
    }
    if (address == next) {
      pmd++;
      first = next;
    }
    cond_resched();
  }
  return address;
}

// The entries of a table at `level`, which is above the PMDs. Source:
// zap_p4d_range(), zap_pud_range().
void ZapTableRange(mmu_gather* tlb, vm_area_struct* vma, pte_t* entry,
                   int level, uint64_t address, uint64_t end,
                   const zap_details& details) {
  const Geometry geo = geometry();
  for (uint64_t next; address != end; address = next, ++entry) {
    next = geo.addr_end(address, end, level);
    if (pte_none(*entry)) continue;
    const ptdesc* table = pgtable_visit(tlb->mm, *entry, level - 1);
    pte_t* below =
        TableEntries(mm_state(), table) + geo.index(address, level - 1);
    if (level > 3) {
      ZapTableRange(tlb, vma, below, level - 1, address, next, details);
      continue;
    }
    Charge(Cost::kPmdTableVisited, 1);
    Charge(Cost::kPmdLine,
           EntryLines(address >> geo.shift(2), (next - 1) >> geo.shift(2)));
    zap_pmd_range(tlb, vma, below, address, next, details);
    cond_resched();
  }
}

}  // namespace

void unmap_page_range(mmu_gather* tlb, vm_area_struct* vma, uint64_t start,
                      uint64_t end, const zap_details& details) {
  vma_check_live(vma);
  Invariant(start < end && start >= vma->vm_start && end <= vma->vm_end,
            "a walk of a range that the VMA does not have");
  SchedulePoint(Point::kZapVma, Access::kMark, NumberOf(vma));
  Charge(Cost::kVmaVisited, 1);
  if (details.reaping) CheckMayReap(vma);
  if (start < tlb->walked_start) tlb->walked_start = start;
  if (end > tlb->walked_end) tlb->walked_end = end;
  if ((vma->vm_flags & VM_HUGETLB) != 0) {
    __unmap_hugepage_range(tlb, vma, start, end);
    return;
  }
  pte_t* pgd = walk_to_level(vma->vm_mm, start, 4);
  ZapTableRange(tlb, vma, pgd, 4, start, end, details);
  tlb_end_vma(tlb, vma);
}

namespace {

void unmap_single_vma(mmu_gather* tlb, vm_area_struct* vma, uint64_t start,
                      uint64_t end, const zap_details& details) {
  if (start < vma->vm_start) start = vma->vm_start;
  if (end > vma->vm_end) end = vma->vm_end;
  if (start < end) unmap_page_range(tlb, vma, start, end, details);
}

}  // namespace

void unmap_vmas(mmu_gather* tlb, mm_struct* mm, uint64_t start, uint64_t end) {
  mmu_notifier_range range = {
      .mm = mm, .start = start, .end = end, .event = MMU_NOTIFY_UNMAP};
  mmu_notifier_invalidate_range_start(&range);
  for (vm_area_struct* vma = find_vma(mm, start);
       vma != nullptr && vma->vm_start < end; vma = vma_next(vma)) {
    unmap_single_vma(tlb, vma, start, end, {.drop_markers = true});
  }
  mmu_notifier_invalidate_range_end(&range);
}

void zap_page_range_single(vm_area_struct* vma, uint64_t start, uint64_t size,
                           const zap_details& details) {
  mmu_notifier_range range = {.mm = vma->vm_mm,
                              .start = start,
                              .end = start + size,
                              .event = MMU_NOTIFY_CLEAR};
  mmu_gather tlb;
  tlb_gather_mmu(&tlb, vma->vm_mm);
  mmu_notifier_invalidate_range_start(&range);
  unmap_single_vma(&tlb, vma, start, start + size, details);
  mmu_notifier_invalidate_range_end(&range);
  tlb_finish_mmu(&tlb);
}

// ---- Faults ----------------------------------------------------------------

unsigned check_stable_address_space(mm_struct* mm) {
  if (Switched(Switch::kFaultsIgnoreUnstable)) return 0;
  return test_bit(MMF_UNSTABLE, &mm->flags) ? VM_FAULT_SIGBUS : 0;
}

void release_fault_lock(const vm_fault* vmf) {
  if ((vmf->flags & FAULT_FLAG_VMA_LOCK) != 0) {
    vma_end_read(vmf->vma);
  } else {
    mmap_read_unlock(vmf->vma->vm_mm);
  }
}

unsigned vmf_anon_prepare(const vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  if (vma->anon_vma) return 0;
  if ((vmf->flags & FAULT_FLAG_VMA_LOCK) == 0) {
    vma->anon_vma = true;
    return 0;
  }
  // It may be shared with a neighbour, whose lock is not held.
  mm_struct* mm = vma->vm_mm;
  if (!mmap_read_trylock(mm)) {
    vma_end_read(vma);
    return VM_FAULT_RETRY;
  }
  vma->anon_vma = true;
  mmap_read_unlock(mm);
  return 0;
}

namespace {

constexpr unsigned VM_FAULT_ERROR =
    VM_FAULT_OOM | VM_FAULT_SIGBUS | VM_FAULT_SIGSEGV;
// The fault is over, well or badly; after VM_FAULT_RETRY without mmap_lock.
constexpr unsigned kFaultOver =
    VM_FAULT_ERROR | VM_FAULT_NOPAGE | VM_FAULT_RETRY;

bool IsWrite(const vm_fault* vmf) {
  return (vmf->flags & FAULT_FLAG_WRITE) != 0;
}

// Whether the entry is not what the fault began with. Caller: its lock.
bool vmf_pte_changed(const vm_fault* vmf) { return *vmf->pte != vmf->orig_pte; }

void Unlock(vm_fault* vmf) {
  pte_unmap_unlock(vmf->ptl);
  vmf->pte = nullptr;
}

// Locks the entry. False if the table went away meanwhile.
bool MapLock(vm_fault* vmf) {
  vmf->pte =
      pte_offset_map_lock(vmf->vma->vm_mm, vmf->pmd, vmf->address, &vmf->ptl);
  return vmf->pte != nullptr;
}

// A new anonymous page, with the word of the page that it copies.
pfn_t NewAnonPage(pfn_t copy_of) {
  const pfn_t pfn = alloc_page();
  if (pfn == kNoPfn) return kNoPfn;
  MmState& mm = mm_state();
  pfn_to_page(mm, pfn)->flags |= PG_anon | PG_swapbacked;
  if (copy_of != kNoPfn) {
    WritePageWord(mm, pfn, ReadPageWord(mm, copy_of));
    Charge(Cost::kPageCopied, 1);
  }
  return pfn;
}

// The entry of an anonymous page of the VMA that has just been written to, or
// is about to be.
pte_t AnonEntry(const vm_area_struct* vma, pfn_t pfn) {
  pte_t entry = pte_mkyoung(pfn_pte(pfn, vm_page_prot(vma)));
  if ((vma->vm_flags & VM_WRITE) != 0) entry = pte_mkwrite(pte_mkdirty(entry));
  return entry;
}

// The page may be written as it is: nobody else has it. Caller: the entry's
// lock, which this drops.
void wp_page_reuse(vm_fault* vmf) {
  const pte_t entry = pte_mkyoung(vmf->orig_pte);
  *vmf->pte = maybe_mkwrite(pte_mkdirty(entry), vmf->vma);
  Unlock(vmf);
}

// Replaces what is mapped by a private copy. A reference to vmf->page (if any)
// goes with it.
unsigned wp_page_copy(vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  mm_struct* mm = vma->vm_mm;
  const pfn_t old_page = vmf->page;
  const unsigned ret = vmf_anon_prepare(vmf);
  if (ret != 0) {
    if (old_page != kNoPfn) put_page(old_page);
    return ret;
  }
  const pfn_t new_page = NewAnonPage(old_page);
  if (new_page == kNoPfn) {
    if (old_page != kNoPfn) put_page(old_page);
    return VM_FAULT_OOM;
  }
  mmu_notifier_range range = {.mm = mm,
                              .start = vmf->address,
                              .end = vmf->address + PAGE_SIZE,
                              .event = MMU_NOTIFY_CLEAR};
  mmu_notifier_invalidate_range_start(&range);
  bool copied = false;
  if (MapLock(vmf)) {
    copied = !vmf_pte_changed(vmf);
    if (copied) {
      if (old_page == kNoPfn) {
        ksm_might_unmap_zero_page(mm, vmf->orig_pte);
        add_mm_counter_fast(mm, MM_ANONPAGES, 1);
      } else {
        const int counter =
            mm_counter_of(pfn_to_page(mm_state(), old_page)->flags);
        if (counter != MM_ANONPAGES) {
          add_mm_counter_fast(mm, counter, -1);
          add_mm_counter_fast(mm, MM_ANONPAGES, 1);
        }
      }
      // No TLB may translate to the old page once the new one is written.
      *vmf->pte = 0;
      flush_tlb_page(vma, vmf->address);
      folio_add_rmap_pte(new_page, vma);
      *vmf->pte = AnonEntry(vma, new_page);
      if (old_page != kNoPfn) folio_remove_rmap_ptes(old_page, 1, vma);
    }
    Unlock(vmf);
  }
  mmu_notifier_invalidate_range_end(&range);
  if (!copied) put_page(new_page);
  // The fault's own reference, and the one of the entry that went.
  if (old_page != kNoPfn) put_page_refs(old_page, copied ? 2 : 1);
  return 0;
}

// A write to a shared page that is mapped read-only. Source: wp_page_shared(),
// wp_pfn_shared().
unsigned wp_page_shared(vm_fault* vmf) {
  if (vmf->page != kNoPfn) {
    pfn_to_page(mm_state(), vmf->page)->flags |= PG_dirty;
  }
  wp_page_reuse(vmf);
  return 0;
}

// Whether nobody else has the anonymous page. Source:
// wp_can_reuse_anon_folio().
bool CanReuse(pfn_t pfn) {
  const uint16_t flags = pfn_to_page(mm_state(), pfn)->flags;
  return (flags & PG_anon) != 0 &&
         (flags & (PG_head | PG_tail | PG_ksm)) == 0 && page_count(pfn) == 1;
}

// A write to a present entry that forbids it. Caller: the entry's lock, which
// this drops. MMF_UNSTABLE is not looked at.
unsigned do_wp_page(vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  if (pte_uffd_wp(*vmf->pte) && (vma->vm_flags & VM_UFFD_WP) != 0) {
    if (!userfaultfd_wp_async(vma)) {
      Unlock(vmf);
      return handle_userfault(vmf);
    }
    *vmf->pte &= ~_PAGE_UFFD_WP;
    vmf->orig_pte = *vmf->pte;
  }
  vmf->page = pte_special(vmf->orig_pte) ? kNoPfn : pte_pfn(vmf->orig_pte);
  if ((vma->vm_flags & (VM_SHARED | VM_MAYSHARE)) != 0) {
    return wp_page_shared(vmf);
  }
  if (vmf->page != kNoPfn && CanReuse(vmf->page)) {
    wp_page_reuse(vmf);
    return 0;
  }
  if (vmf->page != kNoPfn) get_page(vmf->page);
  Unlock(vmf);
  return wp_page_copy(vmf);
}

// A marker is not what the fault is about any more: forget it and try again.
unsigned pte_marker_clear(vm_fault* vmf) {
  if (!MapLock(vmf)) return 0;
  if (!vmf_pte_changed(vmf)) *vmf->pte = 0;
  Unlock(vmf);
  return 0;
}

unsigned do_pte_missing(vm_fault* vmf);

unsigned handle_pte_marker(vm_fault* vmf) {
  const uint64_t bits = swp_offset(vmf->orig_pte);
  if ((bits & PTE_MARKER_POISONED) != 0) return VM_FAULT_SIGBUS;
  if ((bits & PTE_MARKER_GUARD) != 0) return VM_FAULT_SIGSEGV;
  if ((vmf->vma->vm_flags & VM_UFFD_WP) == 0) return pte_marker_clear(vmf);
  return do_pte_missing(vmf);
}

// Waits until whoever migrates the page has put an entry back. Source:
// mm/migrate.c:migration_entry_wait().
void migration_entry_wait(const vm_fault* vmf) {
  const mm_struct* mm = vmf->vma->vm_mm;
  const uint64_t address = vmf->address;
  const pte_t was = vmf->orig_pte;
  WaitUntil(
      Point::kWait, Access::kRead, NumberOf(vmf->pmd), [mm, address, was] {
        int level;
        const pte_t* pte = FindEntry(RootOf<MmState>(mm), mm, address, &level);
        return pte == nullptr || *pte != was;
      });
}

// An entry that is not present. MMF_UNSTABLE is not looked at.
unsigned do_swap_page(vm_fault* vmf) {
  switch (swp_type(vmf->orig_pte)) {
    case SwpType::kSwap:
      break;
    case SwpType::kMarker:
      return handle_pte_marker(vmf);
    case SwpType::kMigrationRead:
    case SwpType::kMigrationWrite:
      migration_entry_wait(vmf);
      return 0;
    case SwpType::kDevicePrivate:
      // Its driver relies on mmap_lock.
      if ((vmf->flags & FAULT_FLAG_VMA_LOCK) != 0) {
        vma_end_read(vmf->vma);
        return VM_FAULT_RETRY;
      }
      return migrate_to_ram(vmf);
    case SwpType::kDeviceExclusive:
      return remove_device_exclusive_entry(vmf);
    case SwpType::kHwpoison:
      return VM_FAULT_SIGBUS;
  }
  vm_area_struct* vma = vmf->vma;
  mm_struct* mm = vma->vm_mm;
  MmState& state = mm_state();
  const uint64_t slot = swp_offset(vmf->orig_pte);
  vma->anon_vma = true;
  const pfn_t pfn = NewAnonPage(kNoPfn);
  if (pfn == kNoPfn) return VM_FAULT_OOM;
  if (!MapLock(vmf)) {
    put_page(pfn);
    return 0;
  }
  if (vmf_pte_changed(vmf)) {
    Unlock(vmf);
    put_page(pfn);
    return 0;
  }
  // Under the lock the entry, and so its reference to the slot, stays.
  WritePageWord(state, pfn, swap_word(state, slot));
  add_mm_counter_fast(mm, MM_ANONPAGES, 1);
  add_mm_counter_fast(mm, MM_SWAPENTS, -1);
  pte_t entry = pte_mkyoung(pfn_pte(pfn, vm_page_prot(vma)));
  if ((vmf->orig_pte & _PAGE_SWP_UFFD_WP) != 0) entry = pte_mkuffd_wp(entry);
  if (IsWrite(vmf) && !pte_uffd_wp(entry)) {
    entry = maybe_mkwrite(pte_mkdirty(entry), vma);
  }
  folio_add_rmap_pte(pfn, vma);
  *vmf->pte = entry;
  free_swap_and_cache_nr(slot, 1);
  Unlock(vmf);
  return VM_FAULT_MAJOR;
}

// The first touch of private anonymous memory.
unsigned do_anonymous_page(vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  mm_struct* mm = vma->vm_mm;
  MmState& state = mm_state();
  if ((vma->vm_flags & VM_SHARED) != 0) return VM_FAULT_SIGBUS;
  if (pte_alloc(mm, vmf->pmd) != 0) return VM_FAULT_OOM;
  pfn_t pfn = kNoPfn;
  pte_t entry;
  if (IsWrite(vmf)) {
    const unsigned prepared = vmf_anon_prepare(vmf);
    if (prepared != 0) return prepared;
    pfn = NewAnonPage(kNoPfn);
    if (pfn == kNoPfn) return VM_FAULT_OOM;
    if ((vma->vm_flags & VM_DROPPABLE) != 0) {
      pfn_to_page(state, pfn)->flags &= static_cast<uint16_t>(~PG_swapbacked);
    }
    entry = AnonEntry(vma, pfn);
  } else {
    entry = pfn_pte(state.zero_pfn, vm_page_prot(vma) | _PAGE_SPECIAL);
  }
  unsigned ret = 0;
  bool installed = false;
  bool missing = false;
  if (MapLock(vmf)) {
    if (!vmf_pte_changed(vmf)) {
      // Under the lock: a reaper that has been here has set the flag before.
      ret = check_stable_address_space(mm);
      missing = ret == 0 && (vma->vm_flags & VM_UFFD_MISSING) != 0;
      installed = ret == 0 && !missing;
    }
    if (installed) {
      if (pfn != kNoPfn) {
        add_mm_counter_fast(mm, MM_ANONPAGES, 1);
        folio_add_rmap_pte(pfn, vma);
      }
      // A marker here says that the page is to be write-protected.
      if (pte_marker_uffd_wp(vmf->orig_pte)) entry = pte_mkuffd_wp(entry);
      *vmf->pte = entry;
    }
    Unlock(vmf);
  }
  if (!installed && pfn != kNoPfn) put_page(pfn);
  return missing ? handle_userfault(vmf) : ret;
}

unsigned __do_fault(vm_fault* vmf) {
  switch (vmf->vma->vm_ops) {
    case VmOps::kFile:
      return filemap_fault(vmf);
    case VmOps::kShmem:
      return shmem_fault(vmf);
    case VmOps::kAnonymous:
    case VmOps::kHugetlb:
    case VmOps::kSpecial:
      break;
  }
  // A special mapping has its pages from the start; there is nothing to bring
  // one back.
  return VM_FAULT_SIGBUS;
}

}  // namespace

void set_file_pte(const vm_fault* vmf, pte_t* pte, pfn_t pfn, bool write) {
  vm_area_struct* vma = vmf->vma;
  pte_t entry = pfn_pte(pfn, vm_page_prot(vma));
  if (write) entry = maybe_mkwrite(pte_mkdirty(entry), vma);
  if (pte_marker_uffd_wp(*pte)) entry = pte_mkuffd_wp(entry);
  folio_add_rmap_pte(pfn, vma);
  *pte = entry;
  add_mm_counter_fast(vma->vm_mm,
                      mm_counter_of(pfn_to_page(mm_state(), pfn)->flags), 1);
}

unsigned finish_fault(vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  const bool is_private = (vma->vm_flags & VM_SHARED) == 0;
  const bool is_cow = IsWrite(vmf) && is_private;
  Mark(Point::kFinishFault);
  // Even for reads: the copy that should be here may have been reaped. This is
  // before the lock, so a reaper may still set the flag in between; it then
  // finds and removes what is mapped here.
  if (is_private) {
    const unsigned ret = check_stable_address_space(vma->vm_mm);
    if (ret != 0) return ret;
  }
  if (pte_none(*vmf->pmd)) {
    if (vmf->prealloc_pte != nullptr) {
      pmd_install(vma->vm_mm, vmf->pmd, &vmf->prealloc_pte);
    } else if (pte_alloc(vma->vm_mm, vmf->pmd) != 0) {
      return VM_FAULT_OOM;
    }
  }
  if (!MapLock(vmf)) return VM_FAULT_NOPAGE;
  if (vmf_pte_changed(vmf)) {
    Unlock(vmf);
    return VM_FAULT_NOPAGE;
  }
  set_file_pte(vmf, vmf->pte, is_cow ? vmf->cow_page : vmf->page, IsWrite(vmf));
  Unlock(vmf);
  return 0;
}

namespace {

// Maps what the cache already holds near the fault. MMF_UNSTABLE is not looked
// at, so this brings back the file's bytes where a private copy was reaped.
unsigned do_fault_around(vm_fault* vmf) {
  vm_area_struct* vma = vmf->vma;
  const Geometry geo = geometry();
  const uint64_t pte_off = geo.index(vmf->address, 1);
  const uint64_t vma_off = vmf->pgoff - vma->vm_pgoff;
  const uint64_t vma_pages = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;
  uint64_t from = pte_off & ~(kFaultAroundPages - 1);
  if (pte_off - from > vma_off) from = pte_off - vma_off;
  uint64_t to = from + kFaultAroundPages;
  if (to > geo.ptrs()) to = geo.ptrs();
  if (to > pte_off + vma_pages - vma_off) to = pte_off + vma_pages - vma_off;
  if (pte_none(*vmf->pmd)) {
    vmf->prealloc_pte = pgtable_alloc_one(vma->vm_mm, 1);
    if (vmf->prealloc_pte == nullptr) return VM_FAULT_OOM;
  }
  return filemap_map_pages(vmf, vmf->pgoff + from - pte_off,
                           vmf->pgoff + to - 1 - pte_off);
}

// Whether the mapping's kind has map_pages(): files and shmem, but for
// secretmem, and no device.
bool HasMapPages(const vm_area_struct* vma) {
  if (vma->vm_ops == VmOps::kShmem) return true;
  return vma->vm_ops == VmOps::kFile &&
         vma->vm_mapping->kind != address_space::kSecretmem;
}

bool should_fault_around(const vm_fault* vmf) {
  return HasMapPages(vmf->vma) && (vmf->vma->vm_flags & VM_UFFD_WP) == 0;
}

// The handlers of the kinds that have map_pages() are known not to need
// mmap_lock; special mappings have no handler. 0, or VM_FAULT_RETRY: the VMA's
// own lock was held, and is dropped now.
unsigned vmf_can_call_fault(const vm_fault* vmf) {
  if (HasMapPages(vmf->vma) || vmf->vma->vm_ops == VmOps::kSpecial ||
      (vmf->flags & FAULT_FLAG_VMA_LOCK) == 0) {
    return 0;
  }
  vma_end_read(vmf->vma);
  return VM_FAULT_RETRY;
}

unsigned do_read_fault(vm_fault* vmf) {
  if (should_fault_around(vmf)) {
    const unsigned ret = do_fault_around(vmf);
    if (ret != 0) return ret;
  }
  unsigned ret = vmf_can_call_fault(vmf);
  if (ret != 0) return ret;
  ret = __do_fault(vmf);
  if ((ret & kFaultOver) != 0) return ret;
  ret |= finish_fault(vmf);
  if ((ret & kFaultOver) != 0) put_page(vmf->page);
  return ret;
}

unsigned do_cow_fault(vm_fault* vmf) {
  unsigned ret = vmf_can_call_fault(vmf);
  if (ret == 0) ret = vmf_anon_prepare(vmf);
  if (ret != 0) return ret;
  vmf->cow_page = NewAnonPage(kNoPfn);
  if (vmf->cow_page == kNoPfn) return VM_FAULT_OOM;
  ret = __do_fault(vmf);
  bool mapped = false;
  if ((ret & kFaultOver) == 0) {
    MmState& mm = mm_state();
    WritePageWord(mm, vmf->cow_page, ReadPageWord(mm, vmf->page));
    Charge(Cost::kPageCopied, 1);
    ret |= finish_fault(vmf);
    put_page(vmf->page);
    mapped = (ret & kFaultOver) == 0;
  }
  if (!mapped) put_page(vmf->cow_page);
  return ret;
}

unsigned do_shared_fault(vm_fault* vmf) {
  unsigned ret = vmf_can_call_fault(vmf);
  if (ret != 0) return ret;
  ret = __do_fault(vmf);
  if ((ret & kFaultOver) != 0) return ret;
  ret |= finish_fault(vmf);
  if ((ret & kFaultOver) != 0) {
    put_page(vmf->page);
  } else {
    pfn_to_page(mm_state(), vmf->page)->flags |= PG_dirty;
  }
  return ret;
}

unsigned do_fault(vm_fault* vmf) {
  unsigned ret;
  if (!IsWrite(vmf)) {
    ret = do_read_fault(vmf);
  } else if ((vmf->vma->vm_flags & VM_SHARED) == 0) {
    ret = do_cow_fault(vmf);
  } else {
    ret = do_shared_fault(vmf);
  }
  if (vmf->prealloc_pte != nullptr) {
    pgtable_free(vmf->prealloc_pte);
    vmf->prealloc_pte = nullptr;
  }
  return ret;
}

unsigned do_pte_missing(vm_fault* vmf) {
  return vma_is_anonymous(vmf->vma) ? do_anonymous_page(vmf) : do_fault(vmf);
}

// A present entry whose accessed or dirty bit is missing, or that another
// thread has made good already. Caller: the entry's lock, which this drops.
void SetAccessFlags(vm_fault* vmf) {
  pte_t entry = pte_mkyoung(vmf->orig_pte);
  if (IsWrite(vmf)) entry = pte_mkdirty(entry);
  *vmf->pte = entry;
  Unlock(vmf);
}

unsigned handle_pte_fault(vm_fault* vmf) {
  SchedulePoint(Point::kPteEntry, Access::kRead, NumberOf(vmf->pmd));
  vmf->orig_pte = 0;
  if (!pte_none(*vmf->pmd)) {
    if (!pte_present(*vmf->pmd) || pmd_trans_huge(*vmf->pmd)) return 0;
    // Read without the lock; each handler looks again under it.
    const ptdesc* table = pgtable_visit(vmf->vma->vm_mm, *vmf->pmd, 1);
    vmf->orig_pte =
        TableEntries(mm_state(), table)[geometry().index(vmf->address, 1)];
  }
  if (pte_none(vmf->orig_pte)) return do_pte_missing(vmf);
  if (!pte_present(vmf->orig_pte)) return do_swap_page(vmf);
  if (!MapLock(vmf)) return 0;
  if (vmf_pte_changed(vmf)) {
    Unlock(vmf);
    return 0;
  }
  if (IsWrite(vmf) && !pte_write(vmf->orig_pte)) return do_wp_page(vmf);
  SetAccessFlags(vmf);
  return 0;
}

unsigned __handle_mm_fault(vm_area_struct* vma, uint64_t address,
                           unsigned flags) {
  mm_struct* mm = vma->vm_mm;
  vm_fault vmf;
  vmf.vma = vma;
  vmf.address = address & ~(PAGE_SIZE - 1);
  vmf.pgoff = linear_page_index(vma, vmf.address);
  vmf.flags = flags;
  vmf.pmd = pmd_alloc(mm, address);
  if (vmf.pmd == nullptr) return VM_FAULT_OOM;
  const pte_t pmd = *vmf.pmd;
  if (pte_none(pmd) && thp_vma_suitable(vma, address)) {
    const unsigned ret = do_huge_pmd_anonymous_page(&vmf);
    if ((ret & VM_FAULT_FALLBACK) == 0) return ret;
  } else if (pmd_trans_huge(pmd)) {
    if (IsWrite(&vmf) && !pte_write(pmd)) {
      const unsigned ret = do_huge_pmd_wp_page(&vmf);
      if ((ret & VM_FAULT_FALLBACK) == 0) return ret;
    } else {
      huge_pmd_set_accessed(&vmf);
      return 0;
    }
  }
  return handle_pte_fault(&vmf);
}

}  // namespace

unsigned handle_mm_fault(vm_area_struct* vma, uint64_t address,
                         unsigned flags) {
  Mark(Point::kHandleMmFault);
  Charge(Cost::kFault, 1);
  vma_check_live(vma);
  REAP_CHECK(address >= vma->vm_start && address < vma->vm_end,
             "handle_mm_fault: address outside of the VMA");
  check_sync_rss_stat(vma->vm_mm);
  if ((vma->vm_flags & VM_HUGETLB) != 0) {
    return hugetlb_fault(vma, address, flags);
  }
  return __handle_mm_fault(vma, address, flags);
}

}  // namespace reapsim
