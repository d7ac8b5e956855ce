// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/mmu_gather.c, include/asm-generic/tlb.h, v5.15 to v7.2, x86-64.
// Modelled: batches and their limits, forced and nested flushes, delayed rmap
//   removal, table batches with RCU or without.
// Simplified: a batch page takes no frame, but there is none when no frame is
//   left; without RCU (up to v6.13) tables wait for the flush in a list of
//   their own instead of among the pages.

#include "mm/mmu_gather.h"

#include <cstddef>

#include "mm/invariants.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/rmap.h"
#include "mm/tlb.h"
#include "sched/task.h"

namespace reapsim {
namespace {

// Pages freed between two chances to reschedule.
constexpr uint32_t MAX_NR_FOLIOS_PER_FREE = 512;

void tlb_flush_rmap_batch(const mmu_gather_batch& batch, vm_area_struct* vma) {
  for (uint32_t i = 0; i < batch.nr; ++i) {
    const uint64_t slot = batch.encoded_pages[i];
    uint32_t nr = 1;
    if ((slot & ENCODED_PAGE_BIT_NR_PAGES_NEXT) != 0) {
      nr = encoded_nr_pages(batch.encoded_pages[++i]);
    }
    if ((slot & ENCODED_PAGE_BIT_DELAY_RMAP) != 0) {
      folio_remove_rmap_ptes(encoded_page_pfn(slot), nr, vma);
    }
  }
}

void tlb_batch_free_encoded_pages(mmu_gather_batch* batch) {
  uint32_t done = 0;
  while (done < batch->nr) {
    uint32_t nr = batch->nr - done;
    if (nr > MAX_NR_FOLIOS_PER_FREE) nr = MAX_NR_FOLIOS_PER_FREE;
    const uint64_t* slots = batch->encoded_pages + done;
    // Don't part a run from its length.
    if ((slots[nr - 1] & ENCODED_PAGE_BIT_NR_PAGES_NEXT) != 0) nr++;
    SchedulePoint(Point::kTlbBatchFree, Access::kWrite,
                  NumberOf(mm_state().mem_map));
    free_pages_and_swap_cache(slots, nr);
    Charge(Cost::kBatchFreed, 1);
    done += nr;
    cond_resched();
  }
  batch->nr = 0;
}

void tlb_batch_pages_flush(mmu_gather* tlb) {
  for (mmu_gather_batch* batch = &tlb->local;
       batch != nullptr && batch->nr != 0; batch = batch->next) {
    tlb_batch_free_encoded_pages(batch);
  }
  tlb->active = &tlb->local;
}

void tlb_batch_list_free(mmu_gather* tlb) {
  for (mmu_gather_batch* batch = tlb->local.next; batch != nullptr;) {
    mmu_gather_batch* next = batch->next;
    auto* page = reinterpret_cast<mmu_gather_batch_page*>(batch);
    REAP_CHECK(mm_state().gather_slab.Delete(page), "mmu_gather: batch");
    batch = next;
  }
  tlb->local.next = nullptr;
}

void FreeTables(ptdesc* first) {
  while (first != nullptr) {
    ptdesc* next = first->next;
    pgtable_free(first);
    first = next;
  }
}

void tlb_remove_table_rcu(rcu_head* head) {
  FreeTables(reinterpret_cast<ptdesc*>(reinterpret_cast<char*>(head) -
                                       offsetof(ptdesc, rcu)));
}

void tlb_table_flush(mmu_gather* tlb) {
  ptdesc* first = tlb->tables;
  if (first == nullptr) return;
  tlb->tables = nullptr;
  tlb->table_count = 0;
  if (!differences().frees_tables_by_rcu) {
    FreeTables(first);
    return;
  }
  // A table's entries may be cached apart from what they translate.
  tlb_flush_mmu_tlbonly(tlb);
  call_rcu(&first->rcu, tlb_remove_table_rcu);
}

void __tlb_reset_range(mmu_gather* tlb) {
  if (tlb->fullmm) {
    tlb->start = tlb->end = TLB_FLUSH_ALL;
  } else {
    tlb->start = geometry().task_size();
    tlb->end = 0;
  }
  tlb->freed_tables = false;
  tlb->cleared_entries = false;
}

void __tlb_gather_mmu(mmu_gather* tlb, mm_struct* mm, bool fullmm) {
  // Slots beyond a batch's count are never read: leave them as they are.
  tlb->mm = mm;
  tlb->fullmm = fullmm;
  tlb->delayed_rmap = false;
  tlb->reserve = differences().gather_full_early ? 1 : 0;
  tlb->batch_count = 0;
  tlb->local = {.next = nullptr,
                .nr = 0,
                .max = MMU_GATHER_BUNDLE,
                .encoded_pages = tlb->__pages};
  tlb->active = &tlb->local;
  tlb->tables = nullptr;
  tlb->table_count = 0;
  tlb->walked_start = ~uint64_t{0};
  tlb->walked_end = 0;
  __tlb_reset_range(tlb);
  atomic_inc(&mm->tlb_flush_pending);
}

}  // namespace

bool tlb_next_batch(mmu_gather* tlb) {
  if (tlb->delayed_rmap && tlb->active != &tlb->local) return false;
  if (tlb->active->next != nullptr) {
    tlb->active = tlb->active->next;
    return true;
  }
  if (tlb->batch_count == MAX_GATHER_BATCH_COUNT) return false;
  MmState& mm = mm_state();
  if (mm.nr_free == 0) return false;
  mmu_gather_batch_page* page = mm.gather_slab.New();
  if (page == nullptr) return false;
  page->batch = {.next = nullptr,
                 .nr = 0,
                 .max = MAX_GATHER_BATCH,
                 .encoded_pages = page->slots};
  tlb->batch_count++;
  tlb->active->next = &page->batch;
  tlb->active = &page->batch;
  return true;
}

void tlb_flush_rmaps(mmu_gather* tlb, vm_area_struct* vma) {
  if (!tlb->delayed_rmap) return;
  // tlb_next_batch() never starts a second batch while rmaps are pending.
  tlb_flush_rmap_batch(tlb->local, vma);
  if (tlb->active != &tlb->local) tlb_flush_rmap_batch(*tlb->active, vma);
  tlb->delayed_rmap = false;
}

void tlb_remove_table(mmu_gather* tlb, ptdesc* table, uint64_t address,
                      uint64_t size) {
  MayFreeTables();
  tlb_remove_tlb_entry(tlb, address, size);
  tlb->freed_tables = true;
  table->next = tlb->tables;
  tlb->tables = table;
  if (++tlb->table_count == MAX_TABLE_BATCH) {
    // Without RCU tables wait among the pages, for the same flush.
    if (!differences().frees_tables_by_rcu) tlb_flush_mmu_tlbonly(tlb);
    tlb_table_flush(tlb);
  }
}

void tlb_end_vma(mmu_gather* tlb, vm_area_struct* vma) {
  (void)tlb;
  (void)vma;
}

void tlb_flush_mmu_tlbonly(mmu_gather* tlb) {
  if (!tlb->freed_tables && !tlb->cleared_entries) return;
  SchedulePoint(Point::kTlbFlush, Access::kWrite, NumberOf(tlb->mm));
  if (tlb->fullmm) {
    flush_tlb_mm(tlb->mm);
  } else {
    flush_tlb_mm_range(tlb->mm, tlb->start, tlb->end, PAGE_SHIFT);
  }
  __tlb_reset_range(tlb);
}

void tlb_flush_mmu(mmu_gather* tlb) {
  tlb_flush_mmu_tlbonly(tlb);
  tlb_table_flush(tlb);
  tlb_batch_pages_flush(tlb);
}

void tlb_gather_mmu(mmu_gather* tlb, mm_struct* mm) {
  __tlb_gather_mmu(tlb, mm, false);
}

void tlb_gather_mmu_fullmm(mmu_gather* tlb, mm_struct* mm) {
  __tlb_gather_mmu(tlb, mm, true);
}

void tlb_finish_mmu(mmu_gather* tlb) {
  // Somebody else unmaps in this mm, too, and may have cleared entries that we
  // then found empty and did not note for the flush.
  if (atomic_read(tlb->mm->tlb_flush_pending) > 1 &&
      !Switched(Switch::kNoTlbFlushPending)) {
    tlb->fullmm = true;
    __tlb_reset_range(tlb);
    tlb->freed_tables = true;
  }
  CheckWillBeFlushed(*tlb);
  tlb_flush_mmu(tlb);
  tlb_batch_list_free(tlb);
  atomic_dec_return(&tlb->mm->tlb_flush_pending);
}

}  // namespace reapsim
