// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Source: mm/page_alloc.c, mm/swap.c (put_page); see the header for what is
// modelled, simplified and stubbed.

#include "mm/page_alloc.h"

#include <new>

#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/page_block.h"
#include "mm/pgtable.h"
#include "mm/tlb.h"
#include "sched/task.h"

namespace reapsim {
namespace {

page* FrameAt(MmState& mm, pfn_t pfn) { return pfn_to_page(mm, pfn); }

void PushFree(MmState& mm, pfn_t pfn) {
  FrameAt(mm, pfn)->_mapcount = mm.free_pages;
  mm.free_pages = pfn;
}

// Cuts the first free huge page into base pages, lowest first in the list.
bool SplitFreeHuge(MmState& mm) {
  const pfn_t head = mm.free_huge;
  if (head == kNoPfn) return false;
  mm.free_huge = FrameAt(mm, head)->_mapcount;
  const auto nr = static_cast<uint32_t>(GeometryOf(mm).hpage_pmd_nr());
  for (uint32_t i = nr; i > 0; --i) PushFree(mm, head + i - 1);
  return true;
}

// The next `nr` frames that were never used, whose records become part of the
// world.
pfn_t TakeFresh(MmState& mm, uint64_t nr) {
  const uint64_t pfn = mm.fresh_pfn;
  if (pfn + nr > mm.options.frames + 1) return kNoPfn;
  mm.fresh_pfn += nr;
  mm.mem_map->used = mm.fresh_pfn * sizeof(page);
  return static_cast<pfn_t>(pfn);
}

void CheckFreeable(MmState& mm, const page* p, pfn_t pfn) {
  Invariant(p->_mapcount == 0 && p->_entire_mapcount == 0,
            "S6: a page is freed while page tables map it");
  Invariant((p->flags & PG_cache) == 0,
            "S6: a page is freed while a page cache holds it");
  if ((p->flags & PG_tlb) != 0) {
    Invariant(!TlbKnowsFrame(mm, pfn),
              "S4: a page is freed while a TLB still translates to it");
  }
}

void FreeOne(MmState& mm, page* p, pfn_t pfn) {
  if ((p->flags & (PG_tlb | PG_cache)) != 0 || p->_mapcount != 0 ||
      p->_entire_mapcount != 0) [[unlikely]] {
    CheckFreeable(mm, p, pfn);
  }
  if ((p->flags & PG_word) != 0) WritePageWord(mm, pfn, 0);
  p->flags = 0;
  PushFree(mm, pfn);
  mm.nr_free++;
}

void FreeHuge(MmState& mm, pfn_t head) {
  const auto nr = static_cast<uint32_t>(GeometryOf(mm).hpage_pmd_nr());
  // Nearly all parts of huge pages are alike, and nothing is to be checked.
  static constexpr page_block kTails = page_block::Of(
      {.flags = PG_anon | PG_swapbacked | PG_allocated | PG_tail});
  for (uint32_t i = 0; i < nr;) {
    page* p = FrameAt(mm, head + i);
    if (nr - i >= kPageBlock && IsBlock(p, kTails)) {
      SetBlock(p, page_block{});
      i += kPageBlock;
      continue;
    }
    CheckFreeable(mm, p, head + i);
    if ((p->flags & PG_word) != 0) WritePageWord(mm, head + i, 0);
    *p = page{};
    ++i;
  }
  FrameAt(mm, head)->_mapcount = mm.free_huge;
  mm.free_huge = head;
  mm.nr_free += nr;
  mm.history->pages_freed += nr;
  Charge(Cost::kHugePageFreed, 1);
}

[[noreturn]] void FailDoublePut() {
  Fail(VerdictKind::kDoubleFree, "S6: a reference to a free page is dropped");
}

// Drops references; returns how many base pages that freed. A huge page has
// been counted and charged for then.
inline uint32_t PutRefs(MmState& mm, pfn_t pfn, uint32_t refs) {
  page* p = FrameAt(mm, pfn);
  if ((p->flags & PG_reserved) != 0) return 0;
  if ((p->flags & (PG_head | PG_tail)) != 0) [[unlikely]] {
    pfn = compound_head(mm, pfn);
    p = FrameAt(mm, pfn);
  }
  if (p->_refcount < refs) [[unlikely]]
    FailDoublePut();
  p->_refcount -= refs;
  if (p->_refcount != 0) return 0;
  if ((p->flags & PG_head) == 0) {
    FreeOne(mm, p, pfn);
    return 1;
  }
  FreeHuge(mm, pfn);
  return 0;
}

void NoteFreed(MmState& mm, uint64_t freed) {
  mm.history->pages_freed += freed;
  Charge(Cost::kPageFreed, freed);
}

}  // namespace

pfn_t compound_head(const MmState& mm, pfn_t pfn) {
  if ((pfn_to_page(mm, pfn)->flags & PG_tail) == 0) return pfn;
  return pfn & ~static_cast<pfn_t>(GeometryOf(mm).hpage_pmd_nr() - 1);
}

pfn_t TakeFrame(MmState& mm) {
  if (mm.nr_free == 0) return kNoPfn;
  pfn_t pfn = mm.free_pages;
  if (pfn == kNoPfn) {
    pfn = TakeFresh(mm, 1);
    if (pfn == kNoPfn) {
      REAP_CHECK(SplitFreeHuge(mm), "page_alloc: free frames are miscounted");
      pfn = mm.free_pages;
    }
  }
  page* p = FrameAt(mm, pfn);
  if (pfn == mm.free_pages) mm.free_pages = p->_mapcount;
  *p = {._refcount = 1, .flags = PG_allocated};
  mm.nr_free--;
  mm.history->pages_allocated++;
  return pfn;
}

pfn_t TakeHugeFrame(MmState& mm) {
  const uint64_t nr = GeometryOf(mm).hpage_pmd_nr();
  if (mm.nr_free < nr) return kNoPfn;
  pfn_t head = mm.free_huge;
  if (head != kNoPfn) {
    mm.free_huge = FrameAt(mm, head)->_mapcount;
  } else {
    const uint64_t aligned = (mm.fresh_pfn + nr - 1) & ~(nr - 1);
    if (aligned + nr > mm.options.frames + 1) return kNoPfn;
    // What lies before the boundary serves as base pages, lowest first.
    const uint64_t skipped = aligned - mm.fresh_pfn;
    const pfn_t first = TakeFresh(mm, skipped + nr);
    for (uint64_t i = skipped; i > 0; --i) {
      PushFree(mm, static_cast<pfn_t>(first + i - 1));
    }
    head = static_cast<pfn_t>(aligned);
  }
  *FrameAt(mm, head) = {._refcount = 1, .flags = PG_allocated | PG_head};
  for (uint64_t i = 1; i < nr; ++i) {
    FrameAt(mm, head + static_cast<pfn_t>(i))->flags = PG_allocated | PG_tail;
  }
  mm.nr_free -= nr;
  mm.history->pages_allocated += nr;
  return head;
}

// The slow path of the kernel's __alloc_pages(), reduced to its last resort:
// __alloc_pages_may_oom().
pfn_t alloc_page() {
  MmState& mm = mm_state();
  pfn_t pfn = TakeFrame(mm);
  while (pfn == kNoPfn) {
    Mark(Point::kAllocPages);
    if (fatal_signal_pending(current())) return kNoPfn;
    if (mm.out_of_memory == nullptr || !mm.out_of_memory()) return kNoPfn;
    pfn = TakeFrame(mm);
  }
  Charge(Cost::kPageAllocated, 1);
  return pfn;
}

pfn_t alloc_huge_page() {
  MmState& mm = mm_state();
  const pfn_t head = TakeHugeFrame(mm);
  if (head != kNoPfn) {
    Charge(Cost::kPageAllocated, GeometryOf(mm).hpage_pmd_nr());
  }
  return head;
}

void get_page(pfn_t pfn) {
  MmState& mm = mm_state();
  page* p = FrameAt(mm, compound_head(mm, pfn));
  if ((p->flags & PG_reserved) != 0) return;
  if (p->_refcount == 0) {
    Fail(VerdictKind::kUseAfterFree, "S6: a reference to a free page is taken");
  }
  p->_refcount++;
}

void put_page(pfn_t pfn) { put_page_refs(pfn, 1); }

void put_page_refs(pfn_t pfn, uint32_t nr) {
  MmState& mm = mm_state();
  const uint32_t freed = PutRefs(mm, pfn, nr);
  if (freed != 0) NoteFreed(mm, freed);
}

uint32_t page_count(pfn_t pfn) {
  MmState& mm = mm_state();
  return READ_ONCE(FrameAt(mm, compound_head(mm, pfn))->_refcount);
}

namespace {

// Frees kPageBlock pages that follow each other and to which nothing refers
// but these slots. False: they are not all like this, and nothing is done.
bool FreePlainBlock(page* mem_map, const uint64_t* encoded, pfn_t* free_pages) {
  static constexpr page_block kPlain = page_block::Of(
      {._refcount = 1, .flags = PG_anon | PG_swapbacked | PG_allocated});
  const uint64_t first = encoded[0];
  if ((first & ENCODED_PAGE_BITS) != 0 || !IsRamp(encoded, first, 1 << 2)) {
    return false;
  }
  const pfn_t pfn = encoded_page_pfn(first);
  page* p = &mem_map[pfn];
  if (!IsBlock(p, kPlain)) return false;
  SetBlock(p, page_block{});
  p[0]._mapcount = *free_pages;
#pragma GCC unroll 8
  for (uint32_t i = 1; i < kPageBlock; ++i) p[i]._mapcount = pfn + i - 1;
  *free_pages = pfn + kPageBlock - 1;
  return true;
}

}  // namespace

void free_pages_and_swap_cache(const uint64_t* encoded, uint32_t nr) {
  MmState& mm = mm_state();
  // Nearly all are base pages that nobody else refers to; they go to the free
  // list with one write each.
  constexpr uint16_t kRare =
      PG_head | PG_tail | PG_reserved | PG_tlb | PG_cache | PG_word;
  page* mem_map = FrameAt(mm, 0);
  pfn_t free_pages = mm.free_pages;
  uint64_t plain = 0;
  uint64_t others = 0;
  for (uint32_t i = 0; i < nr;) {
    if (nr - i >= kPageBlock &&
        FreePlainBlock(mem_map, encoded + i, &free_pages)) {
      i += kPageBlock;
      plain += kPageBlock;
      continue;
    }
    const uint32_t ahead = nr - i < 3 * kPageBlock ? nr - i : 3 * kPageBlock;
    for (uint32_t j = 2 * kPageBlock; j < ahead; ++j) {
      __builtin_prefetch(&mem_map[encoded_page_pfn(encoded[i + j])], 1);
    }
    const uint32_t stop = nr - i < kPageBlock ? nr : i + kPageBlock;
    for (; i < stop; ++i) {
      const uint64_t slot = encoded[i];
      const pfn_t pfn = encoded_page_pfn(slot);
      page* p = &mem_map[pfn];
      const bool run = (slot & ENCODED_PAGE_BIT_NR_PAGES_NEXT) != 0;
      if (!run && p->_refcount == 1 && p->_mapcount == 0 &&
          (p->flags & kRare) == 0) [[likely]] {
        *p = {._mapcount = free_pages};
        free_pages = pfn;
        plain++;
        continue;
      }
      mm.free_pages = free_pages;
      others += PutRefs(mm, pfn, run ? encoded_nr_pages(encoded[++i]) : 1);
      free_pages = mm.free_pages;
    }
  }
  mm.free_pages = free_pages;
  mm.nr_free += plain;
  NoteFreed(mm, plain + others);
}

uint64_t ReadPageWord(const MmState& mm, pfn_t pfn) {
  if ((pfn_to_page(mm, pfn)->flags & PG_word) == 0) return 0;
  return mm.contents.Get(pfn);
}

void WritePageWord(MmState& mm, pfn_t pfn, uint64_t word) {
  page* p = FrameAt(mm, pfn);
  if (word == 0 && (p->flags & PG_word) == 0) return;
  *mm.contents.At(&mm.word_pool, pfn) = word;
  p->flags = static_cast<uint16_t>(word != 0 ? p->flags | PG_word
                                             : p->flags & ~PG_word);
}

void InitFrames(Arena* arena, MmState& mm) {
  const uint64_t frames = mm.options.frames;
  REAP_CHECK(frames >= 1 && frames < (uint64_t{1} << 32), "mm: frames");
  mm.mem_map = arena->Reserve(Part::kState, (frames + 1) * sizeof(page));
  mm.mem_map->used = sizeof(page);  // frame 0 is never handed out
  mm.nr_free = frames;
  mm.zero_pfn = TakeFrame(mm);
  FrameAt(mm, mm.zero_pfn)->flags |= PG_reserved;
  mm.history->pages_allocated = 0;
}

}  // namespace reapsim
