// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/mmu_gather.h"

#include <sys/mman.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/debug.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/page_alloc.h"
#include "mm/populate.h"
#include "mm/testing.h"
#include "mm/tlb.h"

namespace reapsim {
namespace {

constexpr uint64_t kBase = 0x40000000;

void MapPages(MmWorld& w, task_struct* task, uint64_t pages, uint64_t flags,
              address_space* file, PopulateKind kind) {
  int64_t mapped = 0;
  uint64_t done = 0;
  const MmapArgs args = {.addr = kBase,
                         .length = pages * PAGE_SIZE,
                         .prot = PROT_READ | PROT_WRITE,
                         .flags = flags | MAP_FIXED,
                         .mapping = file};
  w.Run(task, [&] {
    mapped = vm_mmap(args);
    done = PopulatePresent(find_vma(current()->mm, kBase), kBase, pages, kind);
  });
  ASSERT_EQ(mapped, static_cast<int64_t>(kBase));
  ASSERT_EQ(done, pages);
}

// How often `task` passed a point while it did `fn`.
template <class Fn>
uint64_t CountPoint(MmWorld& w, task_struct* task, Point point, Fn fn) {
  w.engine().KeepTrace();
  const size_t before = w.engine().trace().size();
  w.Run(task, fn);
  uint64_t count = 0;
  for (size_t i = before; i < w.engine().trace().size(); ++i) {
    count += w.engine().trace()[i].point == point ? 1 : 0;
  }
  return count;
}

void ZapAll() {
  vm_area_struct* vma = find_vma(current()->mm, kBase);
  zap_page_range_single(vma, kBase, vma->vm_end - vma->vm_start);
}

struct LimitCase {
  const char* version;
  uint64_t pages;
  uint64_t flushes;
};

// Local slots and 19 batch pages: 8 + 19 * 510 = 9698 pages up to v6.8; from
// v6.9 on the last slot of each stays free: 7 + 19 * 509 = 9678. The last page
// that fits is also the one that finds the gather full.
TEST(MmuGatherTest, FlushesWhenItIsFull) {
  const LimitCase kCases[] = {
      {"v5.15-rc1", 9697, 1}, {"v5.15-rc1", 9698, 1}, {"v5.15-rc1", 9699, 2},
      {"v6.8", 9699, 2},      {"v6.18", 9677, 1},     {"v6.18", 9679, 2},
  };
  for (const LimitCase& c : kCases) {
    SCOPED_TRACE(std::string(c.version) + " " + std::to_string(c.pages));
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    MapPages(w, task, c.pages, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
             PopulateKind::kAnon);
    EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, ZapAll), c.flushes);
    EXPECT_EQ(w.mm().gather_slab.live(), 0u);
  }
}

TEST(MmuGatherTest, FlushesEarlyWhenThereIsNoFrameForABatchPage) {
  MmWorld w("v6.18", {.frames = 41});  // one is the zero page
  task_struct* task = w.Spawn();
  MapPages(w, task, 40, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
           PopulateKind::kAnon);
  ASSERT_EQ(w.mm().nr_free, 0u);
  // Seven local slots fill up; their frames then serve as a batch page.
  EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, ZapAll), 2u);
  EXPECT_EQ(w.mm().nr_free, 40u);
}

// Dirty file pages: the TLB is flushed before the lock of each table is
// dropped, and at most one batch page is in use with rmaps pending.
TEST(MmuGatherTest, DelaysTheRmapOfDirtyFilePages) {
  struct Case {
    const char* version;
    uint64_t flushes;
  };
  // 1024 pages in two tables. Up to v6.1 one flush at the end. From v6.2 on
  // one for each table; 512 pages need 8 + 504 slots, one batch page.
  for (const Case& c : {Case{"v6.1", 1}, Case{"v6.2", 2}, Case{"v6.18", 2}}) {
    SCOPED_TRACE(c.version);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    address_space* file = NewMapping(w.mm(), address_space::kFile, 1024);
    MapPages(w, task, 1024, MAP_SHARED, file, PopulateKind::kFileDirty);
    EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, ZapAll), c.flushes);
    w.Run(task, [file] { mapping_put(file); });
    std::vector<std::string> problems;
    CheckMmConservation(w.mm(), &problems);
    EXPECT_EQ(problems, std::vector<std::string>());
  }
}

TEST(MmuGatherTest, PagesAreFreedInChunksWithAPauseBetween) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  MapPages(w, task, 2048, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
           PopulateKind::kAnon);
  // 7 local slots and then 509 a batch: 2048 - 7 = 4 * 509 + 5.
  EXPECT_EQ(CountPoint(w, task, Point::kTlbBatchFree, ZapAll), 6u);
}

// Two walks of one mm at the same time: the one that finishes while the other
// is on flushes everything, as the other may have cleared what it found empty.
TEST(MmuGatherTest, FlushesEverythingBesideAnotherGather) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  MapPages(w, task, 8, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
           PopulateKind::kAnon);
  uint64_t word = 0;
  w.Run(task, [&] { access_user_word(kBase, false, &word); });
  ASSERT_EQ(w.mm().tlb_filled[0], 1u);
  // The other one has cleared all entries and not flushed yet.
  w.Start(other, ZapAll);
  ASSERT_TRUE(w.RunUntil(other, Point::kTlbFlush));
  EXPECT_EQ(w.mm().tlb_filled[0], 1u);
  w.Run(task, ZapAll);
  EXPECT_EQ(w.mm().tlb_filled[0], 0u);
  EXPECT_TRUE(w.Go(other));
  EXPECT_EQ(task->mm->tlb_flush_pending, 0u);
}

// H30: without the guard a translation outlives the page.
TEST(MmuGatherTest, SwitchedLeavesTheFlushToTheOtherGather) {
  MmWorld w("v6.18", {}, {Switch::kNoTlbFlushPending});
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  MapPages(w, task, 8, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
           PopulateKind::kAnon);
  uint64_t word = 0;
  w.Run(task, [&] { access_user_word(kBase, false, &word); });
  w.Start(other, ZapAll);
  ASSERT_TRUE(w.RunUntil(other, Point::kTlbFlush));
  w.Run(task, ZapAll);
  EXPECT_EQ(w.engine().TakeVerdict().what,
            "S4: a gather ends while a TLB still translates what is no longer "
            "mapped");
}

TEST(MmuGatherTest, TablesWaitForAGracePeriodWhereTheKernelUsesRcu) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    MapPages(w, task, 1, MAP_PRIVATE | MAP_ANONYMOUS, nullptr,
             PopulateKind::kAnon);
    const uint32_t tables = w.mm().ptdesc_slab.live();
    w.Run(task, [] { vm_munmap(kBase, PAGE_SIZE); });
    EXPECT_EQ(task->mm->pgtables_bytes, 0);
    const bool rcu = w.engine().state()->differences.frees_tables_by_rcu;
    EXPECT_EQ(rcu, std::string(version) == "v6.18");
    // All but the PGD go: at once, or after the grace period.
    EXPECT_EQ(w.mm().ptdesc_slab.live(), rcu ? tables : 1u);
    w.Run(task, [] { rcu_process_callbacks(); });
    EXPECT_EQ(w.mm().ptdesc_slab.live(), 1u);
  }
}

TEST(TlbTest, AFrameThatATlbStillKnowsMustNotBeFreed) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    const pfn_t pfn = alloc_page();
    tlb_fill(1, current()->mm, kBase, pfn, true);
    put_page(pfn);
  });
  ASSERT_TRUE(w.engine().stopped());
  EXPECT_EQ(w.engine().TakeVerdict().what,
            "S4: a page is freed while a TLB still translates to it");
}

TEST(TlbTest, LongRangesAreFlushedWhole) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const auto flush = [&](uint64_t pages) {
    w.Run(task, [=] {
      tlb_fill(1, current()->mm, kBase + 63 * PAGE_SIZE, 1, true);
      flush_tlb_mm_range(current()->mm, kBase, kBase + pages * PAGE_SIZE,
                         PAGE_SHIFT);
    });
    return w.mm().tlb_filled[1] == 0;
  };
  EXPECT_FALSE(flush(33)) << "33 pages are flushed one by one";
  EXPECT_TRUE(flush(34)) << "more are flushed with all the rest";
}

TEST(TlbTest, OtherAddressSpacesKeepTheirTranslations) {
  MmWorld w("v6.18");
  task_struct* a = w.Spawn();
  task_struct* b = w.Spawn();
  w.Run(a, [] { tlb_fill(0, current()->mm, kBase, 1, true); });
  w.Run(b, [] { flush_tlb_mm(current()->mm); });
  EXPECT_EQ(w.mm().tlb_filled[0], 1u);
  w.Run(a, [] { flush_tlb_mm(current()->mm); });
  EXPECT_EQ(w.mm().tlb_filled[0], 0u);
}

}  // namespace
}  // namespace reapsim
