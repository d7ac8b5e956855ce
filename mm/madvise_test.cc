// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/oom_kill.h"
#include "mm/smaps.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x100000000;

void Map(MmWorld& w, task_struct* task, uint64_t first, uint64_t pages,
         uint64_t flags = 0, uint64_t extra = 0) {
  w.Run(task, [=] {
    (void)vm_mmap({.addr = kBase + first * kPage,
                   .length = pages * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags,
                   .extra_vm_flags = extra});
  });
}

// Writes `first` + 1, `first` + 2, … to the pages.
void Touch(MmWorld& w, task_struct* task, uint64_t first, uint64_t pages) {
  w.Run(task, [=] {
    for (uint64_t i = first; i < first + pages; ++i) {
      uint64_t word = i + 1;
      (void)access_user_word(kBase + i * kPage, /*write=*/true, &word);
    }
  });
}

int Madvise(MmWorld& w, task_struct* task, uint64_t first, uint64_t pages,
            int advice) {
  int result = 0;
  w.Run(task, [&] {
    result = do_madvise(kBase + first * kPage, pages * kPage, advice);
  });
  return result;
}

AccessResult Read(MmWorld& w, task_struct* task, uint64_t page,
                  uint64_t* word) {
  AccessResult result = AccessResult::kOk;
  w.Run(task, [&] {
    result = access_user_word(kBase + page * kPage, /*write=*/false, word);
  });
  return result;
}

// ---- Errors ----------------------------------------------------------------

struct ErrorCase {
  const char* name;
  const char* version;
  uint64_t start;
  uint64_t length;
  int advice;
  int expected;
};

class MadviseErrorTest : public testing::TestWithParam<ErrorCase> {};

// Mapped: pages 0 and 1; 4 and 5, locked; 8 a PFN mapping; 10 a file.
TEST_P(MadviseErrorTest, SaysWhatIsWrong) {
  const ErrorCase& c = GetParam();
  MmWorld w(c.version);
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  Map(w, task, 4, 2, MAP_LOCKED);
  Map(w, task, 8, 1, 0, VM_PFNMAP | VM_IO);
  const MmapArgs file = {
      .addr = kBase + 10 * kPage,
      .length = kPage,
      .prot = PROT_READ,
      .flags = MAP_PRIVATE | MAP_FIXED,
      .mapping = NewMapping(w.mm(), address_space::kFile, 1)};
  w.Run(task, [&] { (void)vm_mmap(file); });
  int result = 0;
  w.Run(task, [&] { result = do_madvise(c.start, c.length, c.advice); });
  EXPECT_EQ(result, c.expected);
}

constexpr uint64_t At(uint64_t page) { return kBase + page * kPage; }

INSTANTIATE_TEST_SUITE_P(
    Branches, MadviseErrorTest,
    testing::Values(
        ErrorCase{"UnknownAdvice", "v6.18", At(0), kPage, 77, -EINVAL},
        ErrorCase{"Unaligned", "v6.18", At(0) + 1, kPage, MADV_NORMAL, -EINVAL},
        ErrorCase{"LengthWraps", "v6.18", At(0), ~uint64_t{0}, MADV_NORMAL,
                  -EINVAL},
        ErrorCase{"EndWraps", "v6.18", At(0), 0 - kPage, MADV_NORMAL, -EINVAL},
        ErrorCase{"LengthZero", "v6.18", At(99), 0, MADV_NORMAL, 0},
        ErrorCase{"Unmapped", "v6.18", At(99), kPage, MADV_NORMAL, -ENOMEM},
        ErrorCase{"IntoAHole", "v6.18", At(0), 3 * kPage, MADV_NORMAL, -ENOMEM},
        ErrorCase{"FromAHole", "v6.18", At(2), 3 * kPage, MADV_NORMAL, -ENOMEM},
        ErrorCase{"DontneedLockedMemory", "v6.18", At(4), kPage, MADV_DONTNEED,
                  -EINVAL},
        ErrorCase{"DontneedLockedIsNew", "v5.15-rc1", At(4), kPage,
                  kMadvDontneedLocked, -EINVAL},
        ErrorCase{"DontneedLocked", "v6.18", At(4), kPage, kMadvDontneedLocked,
                  0},
        ErrorCase{"DontneedPfns", "v6.18", At(8), kPage, MADV_DONTNEED,
                  -EINVAL},
        ErrorCase{"FreeOfAFile", "v6.18", At(10), kPage, MADV_FREE, -EINVAL},
        ErrorCase{"FreeLockedMemory", "v6.18", At(4), kPage, MADV_FREE,
                  -EINVAL},
        ErrorCase{"ColdLockedMemory", "v6.18", At(4), kPage, MADV_COLD,
                  -EINVAL},
        ErrorCase{"Cold", "v6.18", At(0), kPage, MADV_COLD, 0},
        ErrorCase{"WillNeed", "v6.18", At(0), kPage, MADV_WILLNEED, 0},
        ErrorCase{"PageoutLockedMemory", "v6.18", At(4), kPage, MADV_PAGEOUT,
                  -EINVAL},
        ErrorCase{"DoforkIo", "v6.18", At(8), kPage, MADV_DOFORK, -EINVAL},
        ErrorCase{"DodumpPfns", "v6.18", At(8), kPage, MADV_DODUMP, -EINVAL},
        ErrorCase{"WipeonforkAFile", "v6.18", At(10), kPage, MADV_WIPEONFORK,
                  -EINVAL},
        ErrorCase{"PopulateReadPfns", "v6.18", At(8), kPage, MADV_POPULATE_READ,
                  -EINVAL},
        ErrorCase{"PopulateWriteReadOnly", "v6.18", At(10), kPage,
                  MADV_POPULATE_WRITE, -EINVAL},
        ErrorCase{"PopulateUnmapped", "v6.18", At(2), kPage, MADV_POPULATE_READ,
                  -ENOMEM},
        ErrorCase{"GuardsAreNew", "v5.15-rc1", At(0), kPage, kMadvGuardInstall,
                  -EINVAL},
        ErrorCase{"GuardInAFileOld", "v6.14", At(10), kPage, kMadvGuardInstall,
                  -EINVAL},
        ErrorCase{"GuardInAFile", "v6.18", At(10), kPage, kMadvGuardInstall, 0},
        ErrorCase{"GuardInLockedMemory", "v6.18", At(4), kPage,
                  kMadvGuardInstall, -EINVAL},
        ErrorCase{"GuardRemoveInAFileOld", "v6.14", At(10), kPage,
                  kMadvGuardRemove, -EINVAL},
        ErrorCase{"GuardRemoveInAFile", "v6.18", At(10), kPage,
                  kMadvGuardRemove, 0}),
    [](const auto& test) { return test.param.name; });

TEST(MadviseTest, PopulateBeyondTheFileIsEfault) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const MmapArgs file = {
      .addr = kBase,
      .length = 2 * kPage,
      .prot = PROT_READ,
      .flags = MAP_PRIVATE | MAP_FIXED,
      .mapping = NewMapping(w.mm(), address_space::kFile, 1)};
  w.Run(task, [&] { (void)vm_mmap(file); });
  EXPECT_EQ(Madvise(w, task, 0, 2, MADV_POPULATE_READ), -EFAULT);
}

TEST(MadviseTest, AdviceOnFlagsIsInterruptedWhenKilledInTheWaitForTheLock) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnSharing(task);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_write_lock(holder->mm);
  });
  int result = 0;
  w.Start(task, [&] { result = do_madvise(kBase, kPage, MADV_DONTFORK); });
  ASSERT_FALSE(w.Go(task));
  w.Kill(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, -EINTR);
}

TEST(MadviseTest, AdviceOnPagesWaitsForTheLockUninterruptibly) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnSharing(task);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_write_lock(holder->mm);
  });
  w.Start(task, [] { (void)do_madvise(kBase, kPage, MADV_DONTNEED); });
  ASSERT_FALSE(w.Go(task));
  w.Kill(task);
  EXPECT_FALSE(w.Go(task));
  EXPECT_EQ(task->__state, TASK_UNINTERRUPTIBLE);
}

// ---- Empty page tables -----------------------------------------------------

TEST(MadviseTest, DontneedFreesTheTablesThatItEmptiesFromV614On) {
  struct Case {
    const char* version;
    uint64_t first, pages;
    bool guard;  // on the first page
    int64_t freed;
  };
  // Two tables are in use: kBase begins one.
  for (const Case& c :
       {Case{"v6.13", 0, 1024, false, 0}, Case{"v6.14", 0, 1024, false, 2},
        Case{"v6.18", 0, 1024, false, 2},
        // All that a table maps must be told of at once,
        Case{"v6.18", 1, 1023, false, 1}, Case{"v6.18", 0, 1023, false, 1},
        // and a marker that stays keeps its table.
        Case{"v6.18", 0, 1024, true, 1}}) {
    SCOPED_TRACE(testing::Message()
                 << c.version << " " << c.first << " " << c.pages << c.guard);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    Map(w, task, 0, 1024);
    Touch(w, task, 0, 1024);
    if (c.guard) ASSERT_EQ(Madvise(w, task, 0, 1, kMadvGuardInstall), 0);
    const int64_t before = task->mm->pgtables_bytes;
    ASSERT_EQ(Madvise(w, task, c.first, c.pages, MADV_DONTNEED), 0);
    EXPECT_EQ(before - task->mm->pgtables_bytes, c.freed * 4096);
    w.EndGracePeriods();
    Touch(w, task, 0, 1024);
    EXPECT_EQ(w.Problems(), "");
  }
}

// The table is empty, and not taken away yet, when another thread fills it.
TEST(MadviseTest, DontneedKeepsATableThatIsUsedAgain) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  Map(w, task, 0, 512);
  Touch(w, task, 0, 512);
  const int64_t before = task->mm->pgtables_bytes;
  w.Start(task, [] { (void)do_madvise(kBase, 512 * kPage, MADV_DONTNEED); });
  while (CountPages(task->mm, kBase, kBase + 512 * kPage).anon != 0) {
    ASSERT_TRUE(w.RunUntil(task, Point::kSpinUnlock));
  }
  ASSERT_TRUE(w.RunUntil(task, Point::kSpinLock));
  Touch(w, other, 7, 1);
  EXPECT_TRUE(w.Go(task));
  EXPECT_EQ(task->mm->pgtables_bytes, before);
  uint64_t word = 0;
  EXPECT_EQ(Read(w, task, 7, &word), AccessResult::kOk);
  EXPECT_EQ(word, 8u);
}

// A reaper stands before the lock of a table that goes meanwhile.
TEST(MadviseTest, DontneedMayTakeATableFromUnderAReaper) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnSharing(task);
  Map(w, task, 0, 512);
  Touch(w, task, 0, 512);
  mm_struct* mm = task->mm;
  const int64_t before = mm->pgtables_bytes;
  w.Start(other, [mm]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_lock(mm);
    (void)__oom_reap_task_mm(mm);
    mmap_read_unlock(mm);
  });
  ASSERT_TRUE(w.RunUntil(other, Point::kRcuReadLock));
  ASSERT_TRUE(w.RunUntil(other, Point::kSpinLock));
  EXPECT_EQ(Madvise(w, task, 0, 512, MADV_DONTNEED), 0);
  EXPECT_EQ(mm->pgtables_bytes, before - 4096);
  EXPECT_TRUE(w.Go(other));
  EXPECT_FALSE(w.engine().stopped()) << w.engine().TakeVerdict().ToString();
}

TEST(MadviseTest, TooManyVmasIsEagain) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    for (uint64_t i = 0; i < 65530; ++i) {
      (void)vm_mmap({.addr = kBase + 4 * i * kPage,
                     .length = 2 * kPage,
                     .prot = PROT_READ,
                     .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
    }
  });
  EXPECT_EQ(Madvise(w, task, 0, 1, MADV_DONTFORK), -EAGAIN);
  EXPECT_EQ(Madvise(w, task, 0, 2, MADV_DONTFORK), 0) << "needs no cut";
}

// ---- Flags -----------------------------------------------------------------

struct FlagCase {
  const char* name;
  int advice;
  uint64_t set;
  uint64_t clear;
  int undo;
};

class MadviseFlagTest : public testing::TestWithParam<FlagCase> {};

TEST_P(MadviseFlagTest, IsSetForTheRangeAndCanBeUndone) {
  const FlagCase& c = GetParam();
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4);
  ASSERT_EQ(Madvise(w, task, 1, 2, c.advice), 0);
  const MemoryReport report = ReportMemory(task->mm);
  ASSERT_EQ(report.vmas.size(), 3u);
  EXPECT_EQ(report.vmas[0].vm_flags & c.set, 0u);
  EXPECT_EQ(report.vmas[1].vm_flags & c.set, c.set);
  EXPECT_EQ(report.vmas[1].vm_flags & c.clear, 0u);
  EXPECT_EQ(report.vmas[1].size(), 2 * kPage);
  ASSERT_EQ(Madvise(w, task, 1, 2, c.undo), 0);
  EXPECT_EQ(ReportMemory(task->mm).vmas[0].vm_flags & c.set, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, MadviseFlagTest,
    testing::Values(
        FlagCase{"Sequential", MADV_SEQUENTIAL, VM_SEQ_READ, VM_RAND_READ,
                 MADV_NORMAL},
        FlagCase{"Random", MADV_RANDOM, VM_RAND_READ, VM_SEQ_READ, MADV_NORMAL},
        FlagCase{"DontFork", MADV_DONTFORK, VM_DONTCOPY, 0, MADV_DOFORK},
        FlagCase{"WipeOnFork", MADV_WIPEONFORK, VM_WIPEONFORK, 0,
                 MADV_KEEPONFORK},
        FlagCase{"DontDump", MADV_DONTDUMP, VM_DONTDUMP, 0, MADV_DODUMP},
        FlagCase{"Mergeable", MADV_MERGEABLE, VM_MERGEABLE, 0,
                 MADV_UNMERGEABLE},
        FlagCase{"HugePage", MADV_HUGEPAGE, VM_HUGEPAGE, VM_NOHUGEPAGE,
                 MADV_NOHUGEPAGE}),
    [](const auto& test) { return test.param.name; });

// ---- Pages -----------------------------------------------------------------

TEST(MadviseTest, DontneedDropsPagesAndKeepsTheMapping) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    Map(w, task, 0, 4);
    Touch(w, task, 0, 4);
    ASSERT_EQ(Madvise(w, task, 1, 2, MADV_DONTNEED), 0);
    EXPECT_EQ(ReportMemory(task->mm).anon, 2 * kPage);
    EXPECT_EQ(ReportMemory(task->mm).vmas.size(), 1u);
    uint64_t word = 99;
    EXPECT_EQ(Read(w, task, 1, &word), AccessResult::kOk);
    EXPECT_EQ(word, 0u) << "an empty page comes back";
  }
}

TEST(MadviseTest, AHoleIsReportedButTheRestIsAdvised) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 1);
  Map(w, task, 2, 1);
  Touch(w, task, 0, 1);
  Touch(w, task, 2, 1);
  EXPECT_EQ(Madvise(w, task, 0, 3, MADV_DONTNEED), -ENOMEM);
  EXPECT_EQ(ReportMemory(task->mm).anon, 0u);
}

TEST(MadviseTest, FreeKeepsContentsWhileNothingReclaims) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  Touch(w, task, 0, 2);
  ASSERT_EQ(Madvise(w, task, 0, 2, MADV_FREE), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, 2 * kPage);
  uint64_t word = 0;
  EXPECT_EQ(Read(w, task, 1, &word), AccessResult::kOk);
  EXPECT_EQ(word, 2u);
}

TEST(MadviseTest, PageoutSwapsOutAndAReadBringsBack) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4);
  Touch(w, task, 0, 4);
  ASSERT_EQ(Madvise(w, task, 0, 3, MADV_PAGEOUT), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, kPage);
  EXPECT_EQ(ReportMemory(task->mm).swap, 3 * kPage);
  uint64_t word = 0;
  EXPECT_EQ(Read(w, task, 2, &word), AccessResult::kOk);
  EXPECT_EQ(word, 3u);
  EXPECT_EQ(ReportMemory(task->mm).swap, 2 * kPage);
  EXPECT_EQ(w.Problems(), "");
}

TEST(MadviseTest, FreeFreesSwap) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  Touch(w, task, 0, 2);
  ASSERT_EQ(Madvise(w, task, 0, 2, MADV_PAGEOUT), 0);
  ASSERT_EQ(Madvise(w, task, 0, 1, MADV_FREE), 0);
  EXPECT_EQ(ReportMemory(task->mm).swap, kPage);
  EXPECT_EQ(w.Problems(), "");
}

TEST(MadviseTest, PageoutLeavesPagesWhenSwapIsFull) {
  MmWorld w("v6.18", {.frames = 64, .swap_slots = 3});
  task_struct* task = w.Spawn();
  Map(w, task, 0, 8);
  Touch(w, task, 0, 8);
  ASSERT_EQ(Madvise(w, task, 0, 8, MADV_PAGEOUT), 0);
  const MemoryReport report = ReportMemory(task->mm);
  EXPECT_EQ(report.anon + report.swap, 8 * kPage);
  EXPECT_LE(report.swap, 3 * kPage);
  EXPECT_GT(report.swap, 0u);
}

TEST(MadviseTest, PopulateFaultsInForReadingOrWriting) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4);
  ASSERT_EQ(Madvise(w, task, 0, 4, MADV_POPULATE_READ), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, 0u) << "zero pages";
  EXPECT_EQ(CountPages(task->mm, kBase, kBase + 4 * kPage).zero, 4u);
  ASSERT_EQ(Madvise(w, task, 0, 4, MADV_POPULATE_WRITE), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, 4 * kPage);
}

// ---- Guards ----------------------------------------------------------------

TEST(MadviseGuardTest, MakesAccessFatalUntilRemoved) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4);
  Touch(w, task, 0, 4);
  ASSERT_EQ(Madvise(w, task, 1, 2, kMadvGuardInstall), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, 2 * kPage) << "what was there is gone";
  EXPECT_EQ(CountPages(task->mm, kBase, kBase + 4 * kPage).markers, 2u);
  uint64_t word = 0;
  EXPECT_EQ(Read(w, task, 1, &word), AccessResult::kSigsegv);
  EXPECT_EQ(Read(w, task, 3, &word), AccessResult::kOk);
  ASSERT_EQ(Madvise(w, task, 0, 4, kMadvGuardRemove), 0);
  EXPECT_EQ(Read(w, task, 1, &word), AccessResult::kOk);
  EXPECT_EQ(word, 0u);
}

TEST(MadviseGuardTest, OutlivesDontneedAndGoesWithMunmap) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  ASSERT_EQ(Madvise(w, task, 0, 2, kMadvGuardInstall), 0);
  ASSERT_EQ(Madvise(w, task, 0, 2, MADV_DONTNEED), 0);
  EXPECT_EQ(CountPages(task->mm, kBase, kBase + 2 * kPage).markers, 2u);
  w.Run(task, [] { (void)vm_munmap(kBase, 2 * kPage); });
  EXPECT_EQ(ReportMemory(task->mm).page_tables_bytes, 0u);
}

TEST(MadviseGuardTest, TakesTheWholeHugePageAway) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 512);
  ASSERT_EQ(Madvise(w, task, 0, 512, MADV_HUGEPAGE), 0);
  Touch(w, task, 0, 1);
  ASSERT_EQ(ReportMemory(task->mm).anon_huge, 512 * kPage);
  ASSERT_EQ(Madvise(w, task, 0, 512, kMadvGuardInstall), 0);
  EXPECT_EQ(CountPages(task->mm, kBase, kBase + 512 * kPage).markers, 512u);
  EXPECT_EQ(ReportMemory(task->mm).anon, 0u);
  EXPECT_EQ(w.Problems(), "");
}

}  // namespace
}  // namespace reapsim
