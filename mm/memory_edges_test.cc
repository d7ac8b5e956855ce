// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The ends of page tables, runs and ranges, and faults that meet others.

#include <sys/mman.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/debug.h"
#include "mm/filemap.h"
#include "mm/fork.h"
#include "mm/huge_memory.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmap_lock.h"
#include "mm/mmu_gather.h"
#include "mm/mmu_notifier.h"
#include "mm/page_alloc.h"
#include "mm/pgtable.h"
#include "mm/populate.h"
#include "mm/rmap.h"
#include "mm/swapfile.h"
#include "mm/testing.h"
#include "mm/tlb.h"

namespace reapsim {
namespace {

constexpr uint64_t kBase = 0x40000000;
constexpr uint64_t kHuge = 512 * PAGE_SIZE;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
constexpr char kNew[] = "v6.18";

void Map(MmWorld& w, task_struct* task, uint64_t at, uint64_t pages,
         address_space* file = nullptr, uint64_t flags = MAP_PRIVATE) {
  const MmapArgs args = {
      .addr = at,
      .length = pages * PAGE_SIZE,
      .prot = kReadWrite,
      .flags = flags | MAP_FIXED | (file == nullptr ? MAP_ANONYMOUS : 0),
      .mapping = file};
  int64_t mapped = 0;
  w.Run(task, [&] { mapped = vm_mmap(args); });
  ASSERT_EQ(mapped, static_cast<int64_t>(at));
}

void MapHuge(MmWorld& w, task_struct* task, uint64_t bytes) {
  Map(w, task, kBase, bytes / PAGE_SIZE);
  w.Run(task, [=] { do_madvise(kBase, bytes, MADV_HUGEPAGE); });
}

void Munmap(MmWorld& w, task_struct* task, uint64_t at, uint64_t pages) {
  w.Run(task, [=] { (void)vm_munmap(at, pages * PAGE_SIZE); });
}

void Write(MmWorld& w, task_struct* task, uint64_t at, uint64_t word) {
  AccessResult result = AccessResult::kEfault;
  w.Run(task, [&] { result = access_user_word(at, true, &word); });
  ASSERT_EQ(result, AccessResult::kOk);
}

// A word, or ~0 if there is none to be had.
uint64_t Read(MmWorld& w, task_struct* task, uint64_t at) {
  AccessResult result = AccessResult::kEfault;
  uint64_t word = 0;
  w.Run(task, [&] { result = access_user_word(at, false, &word); });
  return result == AccessResult::kOk ? word : ~uint64_t{0};
}

void Zap(MmWorld& w, task_struct* task, uint64_t at) {
  w.Run(task, [at] {
    mm_struct* mm = current()->mm;
    vm_area_struct* vma = find_vma(mm, at);
    mmu_gather tlb;
    tlb_gather_mmu(&tlb, mm);
    unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end, {.reaping = true});
    tlb_finish_mmu(&tlb);
  });
}

task_struct* Fork(MmWorld& w, task_struct* parent) {
  mm_struct* mm = nullptr;
  w.Run(parent, [&] { mm = dup_mm(current()->mm); });
  task_struct* child = w.SpawnWithoutMm();
  child->mm = child->active_mm = mm;
  return child;
}

const pte_t* EntryAt(MmWorld& w, task_struct* task, uint64_t at) {
  int level;
  return FindEntry(w.mm(), task->mm, at, &level);
}

int64_t Rss(const task_struct* task, int member) {
  return get_mm_counter_sum(task->mm, member);
}

// How often a point, of one object if it is not 0, is passed while `task` does
// fn.
template <class Fn>
uint64_t CountPoint(MmWorld& w, task_struct* task, Point point, uint32_t object,
                    Fn fn) {
  w.engine().KeepTrace();
  const size_t before = w.engine().trace().size();
  w.Run(task, fn);
  uint64_t count = 0;
  for (size_t i = before; i < w.engine().trace().size(); ++i) {
    const TraceEntry& entry = w.engine().trace()[i];
    count += entry.point == point && (object == 0 || entry.object == object);
  }
  return count;
}

// ---- Tables that others share ----------------------------------------------

struct Neighbours {
  const char* name;
  uint64_t ours;  // two pages each, by number
  uint64_t theirs;
};

// Four entries a table: a PTE table has 4 pages, a PMD table 16, a PUD table
// 64.
constexpr Neighbours kNeighbours[] = {
    {"in the same PTE table, below", 34, 32},
    {"in the same PTE table, above", 32, 34},
    {"in the same PMD table, below", 36, 34},
    {"in the same PMD table, above", 38, 40},
    {"at the far ends of a PMD table, below", 46, 32},
    {"at the far ends of a PMD table, above", 32, 46},
    {"in the same PUD table, below", 48, 46},
    {"in the same PUD table, above", 46, 48},
    {"at the far ends of a PUD table, below", 62, 18},
    {"at the far ends of a PUD table, above", 18, 62},
    {"in another PUD table, below", 64, 62},
    {"in another PUD table, above", 62, 64},
};

TEST(FreePgtablesTest, KeepsExactlyTheTablesThatANeighbourNeeds) {
  for (const char* version : {"v5.15-rc1", kNew}) {
    for (const Neighbours& c : kNeighbours) {
      SCOPED_TRACE(std::string(version) + ", a neighbour " + c.name);
      MmWorld w(version, {.frames = 64, .table_bits = 2});
      task_struct* task = w.Spawn();
      for (const uint64_t page : {c.ours, c.theirs}) {
        Map(w, task, page * PAGE_SIZE, 2);
        Write(w, task, page * PAGE_SIZE, page);
        Write(w, task, (page + 1) * PAGE_SIZE, page + 1);
      }
      Munmap(w, task, c.ours * PAGE_SIZE, 2);
      ASSERT_FALSE(w.engine().stopped());
      // One of each level, 32 bytes each.
      EXPECT_EQ(task->mm->pgtables_bytes, 3 * 32);
      EXPECT_EQ(Read(w, task, c.theirs * PAGE_SIZE), c.theirs);
      EXPECT_EQ(Read(w, task, (c.theirs + 1) * PAGE_SIZE), c.theirs + 1);
      EXPECT_EQ(w.Problems(), "");
    }
  }
}

// The table stays: what is left in it would be there for the next mapping.
TEST(UnmapVmasTest, TakesGuardsWithTheMapping) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task, kBase, 4);
  Write(w, task, kBase, 1);
  w.Run(task, [] {
    do_madvise(kBase + 2 * PAGE_SIZE, 2 * PAGE_SIZE, kMadvGuardInstall);
  });
  ASSERT_NE(EntryAt(w, task, kBase + 2 * PAGE_SIZE), nullptr);
  Munmap(w, task, kBase + 2 * PAGE_SIZE, 2);
  EXPECT_EQ(EntryAt(w, task, kBase + 2 * PAGE_SIZE), nullptr);
}

TEST(ZapTest, GoesOnAfterTablesThatAreNotThere) {
  MmWorld w(kNew, {.frames = 64, .table_bits = 2});
  task_struct* task = w.Spawn();
  // From the end of one PUD table to that of the next.
  Map(w, task, 60 * PAGE_SIZE, 60);
  Write(w, task, 119 * PAGE_SIZE, 1);
  Zap(w, task, 60 * PAGE_SIZE);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
  EXPECT_EQ(w.Problems(), "");
}

// ---- Giving way ------------------------------------------------------------

TEST(ZapTest, GivesWayAtOnceWhenAsked) {
  struct Case {
    const char* name;
    const char* version;
    bool present;
    uint64_t sections;
  };
  // Two tables, and one lock section more if the first is left at once.
  for (const Case& c :
       {Case{"pages", "v5.15-rc1", true, 3}, Case{"pages", kNew, true, 3},
        Case{"empty entries", "v5.15-rc1", false, 2},
        Case{"empty entries", kNew, false, 3}}) {
    SCOPED_TRACE(std::string(c.version) + " " + c.name);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    Map(w, task, kBase, 1024);
    for (uint64_t i = 0; i < 1024; i += 512) {
      Write(w, task, kBase + i * PAGE_SIZE, i);
    }
    if (!c.present) Zap(w, task, kBase);
    task->thread_flags |= TIF_NEED_RESCHED;
    auto& charges = w.engine().state()->fibers.HistoryOf(task->thread).charges;
    const uint64_t before = charges[static_cast<int>(Cost::kPteTableVisited)];
    Zap(w, task, kBase);
    EXPECT_EQ(charges[static_cast<int>(Cost::kPteTableVisited)] - before,
              c.sections);
  }
}

// ---- Runs ------------------------------------------------------------------

TEST(ZapTest, TakesSwapSlotsInRunsWhereTheVersionDoes) {
  struct Case {
    const char* version;
    uint64_t locks;
  };
  for (const Case& c : {Case{"v6.8", 100}, Case{kNew, 2}}) {
    SCOPED_TRACE(c.version);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    Map(w, task, kBase, 101);
    // Slots 1 to 50 and 51 to 100, and a hole between them.
    w.Run(task, [] {
      vm_area_struct* vma = find_vma(current()->mm, kBase);
      PopulatePresent(vma, kBase, 50, PopulateKind::kSwap);
      PopulatePresent(vma, kBase + 51 * PAGE_SIZE, 50, PopulateKind::kSwap);
    });
    ASSERT_EQ(Rss(task, MM_SWAPENTS), 100);
    uint32_t lock = 0;
    w.Run(task, [&] { lock = NumberOf(&mm_state().swap.lock); });
    EXPECT_EQ(CountPoint(w, task, Point::kSpinLock, lock,
                         [] {
                           zap_page_range_single(find_vma(current()->mm, kBase),
                                                 kBase, 101 * PAGE_SIZE);
                         }),
              c.locks);
    EXPECT_EQ(w.mm().swap.used, 0u);
  }
}

// A page of the child's own lies among the entries of the huge page.
TEST(ZapTest, ARunEndsWhereAnotherPageIsMapped) {
  for (const char* version : {"v6.8", kNew}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* parent = w.Spawn();
    MapHuge(w, parent, kHuge);
    Write(w, parent, kBase, 1);
    const uint64_t free_before = w.mm().nr_free;
    task_struct* child = Fork(w, parent);
    Write(w, child, kBase + 5 * PAGE_SIZE, 2);
    ASSERT_EQ(w.mm().nr_free, free_before - 1);
    Zap(w, child, kBase);
    ASSERT_FALSE(w.engine().stopped());
    EXPECT_EQ(w.mm().nr_free, free_before);
    EXPECT_EQ(Rss(child, MM_ANONPAGES), 0);
    EXPECT_EQ(w.Problems(), "");
  }
}

// Where no frame is left for a batch page, the gather's own slots are all.
TEST(ZapTest, ARunTakesTwoSlotsFromV69On) {
  struct Case {
    const char* version;
    uint64_t flushes;
  };
  // 512 pages: eight slots each time, or one run.
  for (const Case& c : {Case{"v6.8", 64}, Case{kNew, 1}}) {
    SCOPED_TRACE(c.version);
    MmWorld w(c.version, {.frames = 1200});
    task_struct* task = w.Spawn();
    MapHuge(w, task, kHuge);
    Write(w, task, kBase, 1);
    w.Run(task, [] {
      split_huge_pmd_address(find_vma(current()->mm, kBase), kBase);
      while (alloc_page() != kNoPfn) {
      }
    });
    ASSERT_EQ(w.mm().nr_free, 0u);
    EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, 0,
                         [] {
                           zap_page_range_single(find_vma(current()->mm, kBase),
                                                 kBase, kHuge);
                         }),
              c.flushes);
    EXPECT_EQ(w.mm().nr_free, 512u);
  }
}

// ---- Huge pages ------------------------------------------------------------

TEST(ZapTest, SplitsAHugePageOfWhichAPartGoes) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapHuge(w, task, kHuge);
  Write(w, task, kBase + 300 * PAGE_SIZE, 7);
  w.Run(task, [] { do_madvise(kBase, 256 * PAGE_SIZE, MADV_DONTNEED); });
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 256);
  EXPECT_EQ(Read(w, task, kBase + 300 * PAGE_SIZE), 7u);
  EXPECT_EQ(w.Problems(), "");
}

// The page belongs to whoever migrates it; its table goes.
TEST(ZapTest, TakesTheEntryOfAHugePageUnderMigration) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapHuge(w, task, kHuge);
  Write(w, task, kBase, 1);
  const uint64_t free_before = w.mm().nr_free;
  pfn_t head = kNoPfn;
  w.Run(task, [&] {
    vm_area_struct* vma = find_vma(current()->mm, kBase);
    pte_t* pmd = pmd_offset_lockless(current()->mm, kBase);
    head = pte_pfn(*pmd);
    folio_remove_rmap_pmd(head, vma);
    *pmd = swp_entry(SwpType::kMigrationWrite, head);
    flush_tlb_mm(current()->mm);
  });
  Zap(w, task, kBase);
  ASSERT_FALSE(w.engine().stopped());
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 0);
  EXPECT_EQ(task->mm->pgtables_bytes, 2 * 4096);
  EXPECT_EQ(w.mm().nr_free, free_before);
  w.Run(task, [&] { put_page(head); });
  EXPECT_EQ(w.mm().nr_free, free_before + 512);
  EXPECT_EQ(w.Problems(), "");
}

// ---- Markers ---------------------------------------------------------------

TEST(ZapTest, LeavesNoMarkerWhereNothingWasProtected) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kShmem, 16);
  Map(w, task, kBase, 4, file);
  ASSERT_EQ(Read(w, task, kBase), 0u);
  w.Run(task, [] { find_vma(current()->mm, kBase)->vm_flags |= VM_UFFD_WP; });
  Zap(w, task, kBase);
  EXPECT_EQ(EntryAt(w, task, kBase), nullptr);
}

// ---- Copies ----------------------------------------------------------------

TEST(ForkTest, CountsEachPageOnceInWhicheverTableItIs) {
  MmWorld w(kNew);
  task_struct* parent = w.Spawn();
  Map(w, parent, kBase, 1024);
  Write(w, parent, kBase, 1);
  Write(w, parent, kBase + 512 * PAGE_SIZE, 2);
  task_struct* child = Fork(w, parent);
  EXPECT_EQ(Rss(child, MM_ANONPAGES), 2);
  EXPECT_EQ(w.Problems(), "");
}

// The whole page is copied, not only what is then written to it.
TEST(FaultTest, APrivateCopyHasTheBytesOfTheFile) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kFile, 16);
  Map(w, task, kBase, 1, file);
  int error = -1;
  w.Run(task,
        [&] { error = do_madvise(kBase, PAGE_SIZE, MADV_POPULATE_WRITE); });
  ASSERT_EQ(error, 0);
  EXPECT_EQ(Rss(task, MM_ANONPAGES), 1);
  EXPECT_EQ(Read(w, task, kBase), FileWord(file, 0));
}

TEST(FaultTest, NoCpuReadsTheOldPageAfterACopy) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  other->cpu = 1;
  Map(w, task, kBase, 1);
  Write(w, task, kBase, 1);
  Fork(w, task);
  ASSERT_EQ(Read(w, other, kBase), 1u);
  Write(w, task, kBase, 2);
  EXPECT_EQ(Read(w, other, kBase), 2u);
}

TEST(FaultTest, MapsNothingAroundItBeyondTheVma) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kFile, 16);
  Map(w, task, kBase + kHuge, 8, file);
  for (uint64_t i = 0; i < 8; ++i) {
    ASSERT_EQ(Read(w, task, kBase + kHuge + i * PAGE_SIZE), FileWord(file, i));
  }
  Map(w, task, kBase, 3, file);
  ASSERT_EQ(Read(w, task, kBase + PAGE_SIZE), FileWord(file, 1));
  EXPECT_NE(EntryAt(w, task, kBase + 2 * PAGE_SIZE), nullptr);
  EXPECT_EQ(EntryAt(w, task, kBase + 3 * PAGE_SIZE), nullptr);
}

// ---- Notifiers -------------------------------------------------------------

struct Deed {
  const char* name;
  void (*prepare)();
  void (*deed)();
  mmu_notifier_event event;
};

void WriteWord() {
  uint64_t word = 2;
  (void)access_user_word(kBase, true, &word);
}

constexpr Deed kDeeds[] = {
    {"fork", WriteWord, [] { mmput(dup_mm(current()->mm)); },
     MMU_NOTIFY_PROTECTION_VMA},
    {"munmap", WriteWord, [] { (void)vm_munmap(kBase, PAGE_SIZE); },
     MMU_NOTIFY_UNMAP},
    {"a copy on write",
     [] {
       uint64_t word;
       (void)access_user_word(kBase, false, &word);
     },
     WriteWord, MMU_NOTIFY_CLEAR},
    {"MADV_DONTNEED", WriteWord,
     [] { do_madvise(kBase, PAGE_SIZE, MADV_DONTNEED); }, MMU_NOTIFY_CLEAR},
    {"the split of a huge page",
     [] {
       do_madvise(kBase, kHuge, MADV_HUGEPAGE);
       WriteWord();
     },
     [] { split_huge_pmd_address(find_vma(current()->mm, kBase), kBase); },
     MMU_NOTIFY_CLEAR},
};

TEST(NotifierTest, HearsOnceOfTheBeginAndOnceOfTheEnd) {
  for (const Deed& c : kDeeds) {
    SCOPED_TRACE(c.name);
    MmWorld w(kNew);
    task_struct* task = w.Spawn();
    Map(w, task, kBase, 512);
    w.Run(task, [&] { c.prepare(); });
    mmu_notifier* heard = nullptr;
    w.Run(task, [&] {
      heard = mmu_notifier_register(current()->mm, false, 0, ~uint64_t{0});
      c.deed();
    });
    EXPECT_EQ(heard->starts, 1u);
    EXPECT_EQ(heard->ends, 1u);
    EXPECT_EQ(heard->event, c.event);
  }
}

// ---- Faults that meet ------------------------------------------------------

struct Meeting {
  const char* name;
  void (*prepare)();  // as the first task, to its memory
  bool forked;        // with a child that keeps what was there
  bool of_file;
  bool write;
  int stops;  // at how many looks at the entry it has a page of its own
  int counter;
};

constexpr Meeting kMeetings[] = {
    {"anonymous memory", [] {}, false, false, true, 2, MM_ANONPAGES},
    {"a file", [] {}, false, true, false, 2, MM_FILEPAGES},
    {"swapped memory",
     [] {
       WriteWord();
       (void)try_to_unmap_one(find_vma(current()->mm, kBase), kBase);
     },
     false, false, false, 2, MM_ANONPAGES},
    {"a copy on write", WriteWord, true, false, true, 3, MM_ANONPAGES},
};

// One task has its page ready when another's is installed.
TEST(FaultTest, ThePageThatComesFirstStays) {
  for (const Meeting& c : kMeetings) {
    SCOPED_TRACE(c.name);
    MmWorld w(kNew);
    task_struct* task = w.Spawn();
    task_struct* other = w.SpawnSharing(task);
    address_space* file = NewMapping(w.mm(), address_space::kFile, 16);
    Map(w, task, kBase, 2, c.of_file ? file : nullptr);
    // The page table is there.
    Write(w, task, kBase + PAGE_SIZE, 1);
    w.Run(task, [&] { c.prepare(); });
    if (c.forked) Fork(w, task);
    const int64_t before = Rss(task, c.counter);
    uint64_t word = 5;
    AccessResult result = AccessResult::kEfault;
    w.Start(task, [&] { result = access_user_word(kBase, c.write, &word); });
    for (int i = 0; i < c.stops; ++i) {
      ASSERT_TRUE(w.RunUntil(task, Point::kPteEntry));
    }
    if (c.write) {
      Write(w, other, kBase, 6);
    } else {
      Read(w, other, kBase);
    }
    ASSERT_TRUE(w.Go(task));
    EXPECT_EQ(result, AccessResult::kOk);
    if (c.write) {
      EXPECT_EQ(Read(w, other, kBase), 5u);
    }
    EXPECT_EQ(Rss(task, c.counter), before + (c.forked ? 0 : 1));
    EXPECT_EQ(w.Problems(), "");
  }
}

// The reaper comes between the fault's first look and its lock.
TEST(FaultTest, GivesNoEmptyPageBesideAReaper) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* reaper = w.SpawnSharing(task);
  Map(w, task, kBase, 2);
  Write(w, task, kBase + PAGE_SIZE, 1);
  uint64_t word = 5;
  AccessResult result = AccessResult::kOk;
  w.Start(task, [&] { result = access_user_word(kBase, true, &word); });
  ASSERT_TRUE(w.RunUntil(task, Point::kPteEntry));
  ASSERT_TRUE(w.RunUntil(task, Point::kPteEntry));
  w.Run(reaper, [] { set_bit(MMF_UNSTABLE, &current()->mm->flags); });
  Zap(w, reaper, kBase);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, AccessResult::kSigbus);
  EXPECT_EQ(w.Problems(), "");
}

// ---- What the gather flushes and frees -------------------------------------

// With TLB entries in their proper places, of CPU 0.
uint32_t Filled(MmWorld& w) { return w.mm().tlb_filled[0]; }

TEST(GatherTest, FlushesNoMoreThanItCleared) {
  // 16 pages a table, so that a table's own range is flushed page by page, too.
  MmWorld w(kNew, {.frames = 64, .table_bits = 4});
  task_struct* task = w.Spawn();
  constexpr uint64_t kFirst = 64 * PAGE_SIZE;
  // In the same table of tables, which stays.
  constexpr uint64_t kOther = 128 * PAGE_SIZE;
  Map(w, task, kFirst, 2);
  Map(w, task, kOther + PAGE_SIZE, 1);
  Write(w, task, kFirst, 1);
  Write(w, task, kOther + PAGE_SIZE, 2);
  ASSERT_EQ(Filled(w), 2u);
  w.Run(task, [] { do_madvise(kFirst, PAGE_SIZE, MADV_DONTNEED); });
  EXPECT_EQ(Filled(w), 1u) << "MADV_DONTNEED";
  Write(w, task, kFirst, 1);
  Munmap(w, task, kFirst, 2);
  EXPECT_EQ(Filled(w), 1u) << "munmap, which frees the table";
}

// Dirty pages of a file come after clean ones, in a batch that has begun; and
// before clean ones, which need more batches.
TEST(GatherTest, DelayedMapCountsKeepToTwoBatches) {
  struct Case {
    const char* name;
    uint64_t dirty_from;
    uint64_t dirty;
    uint64_t flushes;
  };
  for (const Case& c : {Case{"clean ones first", 512, 512, 3},
                        Case{"dirty ones first", 0, 512, 2}}) {
    SCOPED_TRACE(c.name);
    MmWorld w(kNew);
    task_struct* task = w.Spawn();
    address_space* file = NewMapping(w.mm(), address_space::kFile, 2048);
    Map(w, task, kBase, 2048, file, MAP_SHARED);
    w.Run(task, [&] {
      vm_area_struct* vma = find_vma(current()->mm, kBase);
      for (uint64_t i = 0; i < 2048; i += 512) {
        const bool dirty = i >= c.dirty_from && i < c.dirty_from + c.dirty;
        PopulatePresent(
            vma, kBase + i * PAGE_SIZE, 512,
            dirty ? PopulateKind::kFileDirty : PopulateKind::kFileClean);
      }
    });
    EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, 0,
                         [] {
                           zap_page_range_single(find_vma(current()->mm, kBase),
                                                 kBase, 2048 * PAGE_SIZE);
                         }),
              c.flushes);
    EXPECT_EQ(w.Problems(), "");
  }
}

// Each batch of tables has a flush of its own, and none is freed before it.
TEST(GatherTest, PageTablesGoInBatches) {
  struct Case {
    uint64_t tables;
    uint64_t flushes;
  };
  constexpr uint64_t kBatch = MAX_TABLE_BATCH;
  for (const char* version : {"v5.15-rc1", kNew}) {
    // With those above them: 509 tables for 477 of the lowest level, and 510.
    for (const Case& c :
         {Case{16, 1}, Case{477, 1}, Case{478, 2}, Case{2 * kBatch, 3}}) {
      SCOPED_TRACE(std::string(version) + " " + std::to_string(c.tables));
      MmWorld w(version, {.frames = 64, .table_bits = 4});
      task_struct* task = w.Spawn();
      Map(w, task, 16 * PAGE_SIZE, c.tables * 16);
      // Zero pages take no frames.
      for (uint64_t i = 1; i <= c.tables; ++i) {
        ASSERT_EQ(Read(w, task, i * 16 * PAGE_SIZE), 0u);
      }
      EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, 0,
                           [&] {
                             (void)vm_munmap(16 * PAGE_SIZE,
                                             c.tables * 16 * PAGE_SIZE);
                           }),
                c.flushes);
      w.EndGracePeriods();
      EXPECT_EQ(w.mm().ptdesc_slab.live(), 1u) << "the PGD";
      EXPECT_EQ(task->mm->pgtables_bytes, 0);
    }
  }
}

// ---- TLBs ------------------------------------------------------------------

TEST(TlbTest, ATranslationIsUsedUntilItIsFlushed) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task, kBase, 2);
  Write(w, task, kBase, 1);
  Write(w, task, kBase + PAGE_SIZE, 2);
  w.Run(task, [] {
    int level;
    const pte_t* second =
        FindEntry(mm_state(), current()->mm, kBase + PAGE_SIZE, &level);
    tlb_fill(current()->cpu, current()->mm, kBase, pte_pfn(*second), false);
  });
  EXPECT_EQ(Read(w, task, kBase), 2u);
  w.Run(task, [] { flush_tlb_mm(current()->mm); });
  EXPECT_EQ(Read(w, task, kBase), 1u);
}

TEST(TlbTest, AFlushOfAPageIsOfThatPageOnly) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task, kBase, 2);
  Write(w, task, kBase, 1);
  Write(w, task, kBase + PAGE_SIZE, 2);
  ASSERT_EQ(Filled(w), 2u);
  w.Run(task,
        [] { flush_tlb_page(find_vma(current()->mm, kBase), kBase + 8); });
  EXPECT_EQ(Filled(w), 1u);
}

TEST(TlbTest, AFlushInterruptsOtherCpusOnly) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    for (uint32_t cpu : {0, 1}) tlb_fill(cpu, current()->mm, kBase, 1, false);
    flush_tlb_mm(current()->mm);
  });
  const auto& charges =
      w.engine().state()->fibers.HistoryOf(task->thread).charges;
  EXPECT_EQ(charges[static_cast<int>(Cost::kTlbIpi)], 1u);
}

// ---- Huge pages and others -------------------------------------------------

TEST(HugeMemoryTest, NeedsTheWholeRangeInOneVma) {
  struct Case {
    const char* name;
    uint64_t first;  // pages from kBase
    uint64_t pages;
    uint64_t touched;
    int64_t rss;
  };
  for (const Case& c : {Case{"begins too late", 1, 1023, 1, 1},
                        Case{"and has another", 1, 1023, 600, 512},
                        Case{"ends just there", 0, 512, 511, 512},
                        Case{"ends too early", 0, 511, 510, 1}}) {
    SCOPED_TRACE(c.name);
    MmWorld w(kNew);
    task_struct* task = w.Spawn();
    Map(w, task, kBase + c.first * PAGE_SIZE, c.pages);
    w.Run(task, [&] {
      do_madvise(kBase + c.first * PAGE_SIZE, c.pages * PAGE_SIZE,
                 MADV_HUGEPAGE);
    });
    Write(w, task, kBase + c.touched * PAGE_SIZE, 1);
    EXPECT_EQ(Rss(task, MM_ANONPAGES), c.rss);
  }
}

TEST(HugeMemoryTest, WhatAChildWritesIsItsOwn) {
  MmWorld w(kNew);
  task_struct* parent = w.Spawn();
  MapHuge(w, parent, kHuge);
  Write(w, parent, kBase, 1);
  task_struct* child = Fork(w, parent);
  Write(w, child, kBase, 2);
  EXPECT_EQ(Read(w, parent, kBase), 1u);
  EXPECT_EQ(Read(w, child, kBase), 2u);
}

TEST(HugeMemoryTest, IsFlushedToItsLastPage) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  MapHuge(w, task, kHuge);
  Write(w, task, kBase + 5 * PAGE_SIZE, 1);
  ASSERT_EQ(Filled(w), 1u);
  Zap(w, task, kBase);
  EXPECT_FALSE(w.engine().stopped());
  EXPECT_EQ(Filled(w), 0u);
}

// The gather's own slots, and no frame for more.
TEST(HugeMemoryTest, AFullGatherIsEmptied) {
  MmWorld w(kNew, {.frames = 10 * 512});
  task_struct* task = w.Spawn();
  MapHuge(w, task, 9 * kHuge);
  for (uint64_t i = 0; i < 9; ++i) Write(w, task, kBase + i * kHuge, i);
  w.Run(task, [] {
    while (alloc_page() != kNoPfn) {
    }
  });
  EXPECT_EQ(CountPoint(w, task, Point::kTlbFlush, 0,
                       [] {
                         zap_page_range_single(find_vma(current()->mm, kBase),
                                               kBase, 9 * kHuge);
                       }),
            2u);
  EXPECT_EQ(w.mm().nr_free, 9 * 512u);
}

TEST(HugeMemoryTest, IsSplitOnceIfTwoMeet) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  MapHuge(w, task, kHuge);
  Write(w, task, kBase, 1);
  const auto split = [] {
    split_huge_pmd_address(find_vma(current()->mm, kBase), kBase);
  };
  w.Start(task, split);
  ASSERT_TRUE(w.RunUntil(task, Point::kSpinLock));
  w.Run(other, split);
  ASSERT_TRUE(w.Go(task));
  EXPECT_FALSE(w.engine().stopped());
  EXPECT_EQ(w.Problems(), "");
}

TEST(HugeMemoryTest, AZapWaitsForTheLockOfItsEntry) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  MapHuge(w, task, kHuge);
  Write(w, task, kBase, 1);
  // A write makes the entry writable again when the child has gone.
  task_struct* child = Fork(w, task);
  w.StartExitMm(child);
  ASSERT_TRUE(w.Go(child));
  w.Start(task, WriteWord);
  ASSERT_TRUE(w.RunUntil(task, Point::kSpinUnlock));
  ASSERT_EQ(Rss(task, MM_ANONPAGES), 512);
  w.Start(other, [] {
    zap_page_range_single(find_vma(current()->mm, kBase), kBase, kHuge);
  });
  EXPECT_FALSE(w.Go(other));
  ASSERT_TRUE(w.Go(task));
  ASSERT_TRUE(w.Go(other));
  EXPECT_EQ(w.Problems(), "");
}

// ---- Forks -----------------------------------------------------------------

TEST(ForkTest, WaitsForTheReadersOfEachVma) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  task_struct* reader = w.SpawnSharing(task);
  Map(w, task, kBase, 1);
  Write(w, task, kBase, 1);
  vm_area_struct* vma = nullptr;
  w.Run(reader, [&] { vma = lock_vma_under_rcu(current()->mm, kBase); });
  ASSERT_NE(vma, nullptr);
  mm_struct* copy = nullptr;
  w.Start(task, [&] { copy = dup_mm(current()->mm); });
  EXPECT_FALSE(w.Go(task));
  w.Run(reader, [&] { vma_end_read(vma); });
  ASSERT_TRUE(w.Go(task));
  EXPECT_NE(copy, nullptr);
}

// Each of two mappings could be kept, but not what they have become together.
TEST(ForkTest, FailsWhereThereIsNoRoomForAVma) {
  MmWorld w(kNew, {.frames = 64, .swap_slots = 0});
  task_struct* task = w.Spawn();
  Map(w, task, kBase, 40);
  Map(w, task, kBase + 40 * PAGE_SIZE, 40);
  mm_struct* copy = task->mm;
  w.Run(task, [&] { copy = dup_mm(current()->mm); });
  EXPECT_EQ(copy, nullptr);
}

TEST(MmdropTest, EndsTheSubscriptionsThatAreLeft) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    (void)mmu_notifier_register(current()->mm, true, 0, ~uint64_t{0});
  });
  w.StartExitMm(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(w.mm().notifier_slab.live(), 0u);
}

// Those of a list are released before; those of an interval stay to the end.
TEST(NotifierTest, AnIntervalHearsOfTheExit) {
  MmWorld w(kNew);
  task_struct* task = w.Spawn();
  Map(w, task, kBase, 2);
  Write(w, task, kBase, 1);
  mmu_notifier* heard = nullptr;
  mm_struct* mm = task->mm;
  w.Run(task, [&] {
    heard = mmu_notifier_register(current()->mm, true, 0, ~uint64_t{0});
    mmgrab(current()->mm);
  });
  w.StartExitMm(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(heard->starts, 1u);
  EXPECT_EQ(heard->ends, 1u);
  EXPECT_EQ(heard->event, MMU_NOTIFY_UNMAP);
  w.Run(w.SpawnWithoutMm(), [=] { mmdrop(mm); });
}

}  // namespace
}  // namespace reapsim
