// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/page_alloc.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/debug.h"
#include "mm/memory.h"
#include "mm/pgtable.h"
#include "mm/swapfile.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr char kVersion[] = "v6.18";

// What the world stopped for, or "" if it goes on.
std::string VerdictOf(MmWorld& w) { return w.engine().TakeVerdict().what; }

TEST(PageAllocTest, FreedFramesAreUsedAgainAndForgetTheirWord) {
  MmWorld w(kVersion, {.frames = 2});  // one is the zero page
  task_struct* task = w.Spawn();
  pfn_t first = 0;
  pfn_t second = 0;
  uint64_t word = 1;
  w.Run(task, [&] {
    first = alloc_page();
    WritePageWord(mm_state(), first, 42);
    put_page(first);
    second = alloc_page();
    word = ReadPageWord(mm_state(), second);
  });
  EXPECT_EQ(first, second);
  EXPECT_EQ(word, 0u);
  EXPECT_EQ(w.mm().nr_free, 0u);
}

TEST(PageAllocTest, WithoutAnOomKillerAllocationsFail) {
  MmWorld w(kVersion, {.frames = 1});
  task_struct* task = w.Spawn();
  pfn_t pfn = 7;
  w.Run(task, [&] { pfn = alloc_page(); });
  EXPECT_EQ(pfn, kNoPfn);
}

TEST(PageAllocTest, TriesAgainForAsLongAsTheOomKillerSaysSo) {
  MmWorld w(kVersion, {.frames = 2});
  task_struct* task = w.Spawn();
  // "Kills" whoever has frame 2.
  w.mm().out_of_memory = [] {
    put_page(2);
    return true;
  };
  pfn_t pfn = 0;
  w.Run(task, [&] {
    alloc_page();
    pfn = alloc_page();
  });
  EXPECT_EQ(pfn, 2u);
}

TEST(PageAllocTest, AKilledTaskGivesUp) {
  MmWorld w(kVersion, {.frames = 1});
  task_struct* task = w.Spawn();
  w.mm().out_of_memory = [] { return true; };
  w.Kill(task);
  pfn_t pfn = 7;
  w.Run(task, [&] { pfn = alloc_page(); });
  EXPECT_EQ(pfn, kNoPfn);
}

TEST(PageAllocTest, HugePagesServeAsBasePagesWhenNothingElseIsLeft) {
  // 4 entries a table: frames 4 to 7 are the only huge page.
  MmWorld w(kVersion, {.frames = 7, .table_bits = 2});
  task_struct* task = w.Spawn();
  pfn_t head = 0;
  pfn_t none = 7;
  pfn_t last = 0;
  w.Run(task, [&] {
    head = alloc_huge_page();
    none = alloc_huge_page();
    put_page(head);
    for (int i = 0; i < 6; ++i) last = alloc_page();
  });
  EXPECT_EQ(head, 4u);
  EXPECT_EQ(none, kNoPfn);
  EXPECT_EQ(last, 7u);
  EXPECT_EQ(w.mm().nr_free, 0u);
}

struct MisuseCase {
  const char* name;
  void (*misuse)();
  VerdictKind kind;
  const char* what;
};

TEST(PageAllocTest, MisuseIsAVerdict) {
  const MisuseCase kCases[] = {
      {"put twice",
       [] {
         const pfn_t pfn = alloc_page();
         put_page(pfn);
         put_page(pfn);
       },
       VerdictKind::kDoubleFree, "S6: a reference to a free page is dropped"},
      {"get a free page",
       [] {
         const pfn_t pfn = alloc_page();
         put_page(pfn);
         get_page(pfn);
       },
       VerdictKind::kUseAfterFree, "S6: a reference to a free page is taken"},
      {"free a mapped page",
       [] {
         const pfn_t pfn = alloc_page();
         pfn_to_page(mm_state(), pfn)->_mapcount = 1;
         put_page(pfn);
       },
       VerdictKind::kInvariantBroken,
       "S6: a page is freed while page tables map it"},
      {"free a swap slot twice",
       [] {
         const uint64_t slot = get_swap_page(1);
         free_swap_and_cache_nr(slot, 1);
         free_swap_and_cache_nr(slot, 1);
       },
       VerdictKind::kDoubleFree, "S6: a free swap slot is freed"},
      {"free a page table twice",
       [] {
         ptdesc* table = pgtable_alloc_one(current()->mm, 1);
         pgtable_free(table);
         pgtable_free(table);
       },
       VerdictKind::kDoubleFree, "a page table is freed twice"},
      {"walk a freed page table",
       [] {
         ptdesc* table = pgtable_alloc_one(current()->mm, 1);
         pte_t entry;
         table_populate(&entry, table);
         pgtable_free(table);
         pgtable_visit(current()->mm, entry, 1);
       },
       VerdictKind::kUseAfterFree,
       "S1: a freed page table of level 1 is walked"},
      {"walk another mm's page table",
       [] {
         ptdesc* table = pgtable_alloc_one(nullptr, 1);
         pte_t entry;
         table_populate(&entry, table);
         pgtable_visit(current()->mm, entry, 1);
       },
       VerdictKind::kInvariantBroken,
       "S2: a page table is used as one of another mm or level"},
  };
  for (const MisuseCase& c : kCases) {
    SCOPED_TRACE(c.name);
    MmWorld w(kVersion);
    task_struct* task = w.Spawn();
    w.Run(task, [c] { c.misuse(); });
    EXPECT_EQ(w.engine().verdict().kind, c.kind);
    EXPECT_EQ(VerdictOf(w), c.what);
  }
}

TEST(SwapfileTest, SlotsAreCountedAndUsedAgain) {
  MmWorld w(kVersion, {.swap_slots = 2});
  task_struct* task = w.Spawn();
  uint64_t slots[4] = {};
  w.Run(task, [&] {
    slots[0] = get_swap_page(5);
    slots[1] = get_swap_page(6);
    slots[2] = get_swap_page(7);
    swap_duplicate(slots[0]);
    free_swap_and_cache_nr(slots[0], 2);
    slots[3] = get_swap_page(8);
  });
  EXPECT_EQ(slots[2], 0u) << "full";
  EXPECT_EQ(swap_count(w.mm(), slots[0]), 1u) << "one of two references left";
  EXPECT_EQ(slots[3], slots[1]);
  EXPECT_EQ(swap_word(w.mm(), slots[3]), 8u);
}

TEST(SwapfileTest, RunsOfSlotsCrossLeavesOfTheTable) {
  constexpr uint32_t kSlots = 1200;  // 512 to a leaf
  MmWorld w(kVersion, {.swap_slots = kSlots});
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    for (uint64_t i = 1; i <= kSlots; ++i) {
      REAP_CHECK_EQ(get_swap_page(i % 3), i, "slots are taken in order");
    }
    swap_duplicate(511);
    swap_duplicate(512);
    free_swap_and_cache_nr(1, kSlots);
  });
  ASSERT_FALSE(w.engine().stopped());
  EXPECT_EQ(w.mm().swap.used, 2u);
  for (uint64_t i = 1; i <= kSlots; ++i) {
    const bool kept = i == 511 || i == 512;
    EXPECT_EQ(swap_count(w.mm(), i), kept ? 1u : 0u) << i;
    EXPECT_EQ(swap_word(w.mm(), i), kept ? i % 3 : 0u) << i;
  }
  w.Run(task, [] { free_swap_and_cache_nr(510, 2); });
  EXPECT_EQ(VerdictOf(w), "S6: a free swap slot is freed");
}

TEST(PageAllocTest, EachPartOfAHugePageIsCheckedWhenItIsFreed) {
  for (const uint32_t part : {0, 1, 7, 8, 100, 511}) {
    SCOPED_TRACE(part);
    MmWorld w(kVersion);
    task_struct* task = w.Spawn();
    w.Run(task, [part] {
      MmState& mm = mm_state();
      const pfn_t head = alloc_huge_page();
      for (uint32_t i = 0; i < 512; ++i) {
        pfn_to_page(mm, head + i)->flags |= PG_anon | PG_swapbacked;
      }
      pfn_to_page(mm, head + part)->_mapcount = 1;
      put_page(head);
    });
    EXPECT_EQ(VerdictOf(w), "S6: a page is freed while page tables map it");
  }
}

// A check that finds nothing wrong in any world would be worth nothing.
TEST(DebugTest, FindsWhatDoesNotAddUp) {
  struct Case {
    const char* name;
    void (*damage)();
    const char* problem;
  };
  const Case kCases[] = {
      {"counter", [] { add_mm_counter(current()->mm, MM_ANONPAGES, 1); },
       "S7: mm 0: MM_ANONPAGES is 1, but 0 are mapped"},
      {"tables", [] { mm_inc_nr_tables(current()->mm); },
       "S7: mm 0: pgtables_bytes is 4096, tables have 0"},
      {"leaked frame", [] { alloc_page(); },
       "S6: frame 2: 1 references, but 0 holders"},
      {"lost table", [] { pgtable_alloc_one(current()->mm, 1); },
       "a table of level 1 is lost"},
      {"leaked slot", [] { get_swap_page(1); },
       "S6: swap slot 1: count 1, but 0 entries"},
      {"lock",
       []() ABSL_NO_THREAD_SAFETY_ANALYSIS {
         down_read(&current()->mm->mmap_lock);
       },
       "mm 0: mmap_lock is held"},
      {"gather", [] { current()->mm->tlb_flush_pending++; },
       "mm 0: 1 gathers are open"},
      {"free frames", [] { mm_state().nr_free--; },
       "frames: 1 allocated and 1048574 free, of 1048576"},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    MmWorld w(kVersion);
    task_struct* task = w.Spawn();
    std::vector<std::string> problems;
    CheckMmConservation(w.mm(), &problems);
    EXPECT_EQ(problems, std::vector<std::string>());
    w.Run(task, [c] { c.damage(); });
    CheckMmConservation(w.mm(), &problems);
    EXPECT_EQ(problems, std::vector<std::string>{c.problem});
  }
}

TEST(PgtableTest, EntriesGiveBackWhatWasPutIntoThem) {
  for (const uint64_t offset : {uint64_t{1}, uint64_t{1} << 32}) {
    for (const SwpType type : {SwpType::kSwap, SwpType::kMarker}) {
      const pte_t entry = swp_entry(type, offset) | _PAGE_SWP_UFFD_WP;
      EXPECT_TRUE(is_swap_pte(entry));
      EXPECT_EQ(swp_type(entry), type);
      EXPECT_EQ(swp_offset(entry), offset);
    }
  }
  const pte_t entry = pfn_pte(0xffffffff, _PAGE_PRESENT);
  EXPECT_TRUE(pte_present(entry));
  EXPECT_EQ(pte_pfn(entry), 0xffffffffu);
  EXPECT_TRUE(pte_present(pfn_pte(1, _PAGE_PROTNONE)))
      << "mapped without access is present";
}

TEST(PgtableTest, GeometryFollowsTheEntriesOfATable) {
  const Geometry full = {.bits = 9};
  EXPECT_EQ(full.pmd_size(), uint64_t{2} << 20);
  EXPECT_EQ(full.task_size(), uint64_t{1} << 47);
  const Geometry small = {.bits = 2};
  EXPECT_EQ(small.pmd_size(), 4 * PAGE_SIZE);
  EXPECT_EQ(small.task_size(), uint64_t{1} << 19);
  EXPECT_EQ(small.addr_end(0x1000, 0x9000, 2), 0x4000u);
  EXPECT_EQ(small.addr_end(0x5000, 0x7000, 2), 0x7000u);
}

}  // namespace
}  // namespace reapsim
