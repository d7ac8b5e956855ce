// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/mmap.h"

#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/smaps.h"
#include "mm/testing.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
// Far from where mappings go by themselves.
constexpr uint64_t kBase = 0x100000000;
constexpr uint64_t kAnon = MAP_PRIVATE | MAP_ANONYMOUS;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
constexpr uint64_t kTaskSize = 0x7ffffffff000;

// A private anonymous mapping of `pages` pages at a fixed address.
MmapArgs AnonAt(uint64_t addr, uint64_t pages, uint64_t flags = 0) {
  return {.addr = addr,
          .length = pages * kPage,
          .prot = kReadWrite,
          .flags = kAnon | MAP_FIXED | flags};
}

// "4+3 9+1": first page and number of pages of each VMA, from kBase.
std::string Layout(const mm_struct* mm) {
  std::string text;
  for (const VmaReport& vma : ReportMemory(mm).vmas) {
    if (!text.empty()) text += ' ';
    text += std::to_string((vma.start - kBase) / kPage) + "+" +
            std::to_string(vma.size() / kPage);
  }
  return text;
}

int64_t Mmap(MmWorld& w, task_struct* task, const MmapArgs& args) {
  int64_t result = 0;
  w.Run(task, [&] { result = vm_mmap(args); });
  return result;
}
int Munmap(MmWorld& w, task_struct* task, uint64_t start, uint64_t length) {
  int result = 0;
  w.Run(task, [&] { result = vm_munmap(start, length); });
  return result;
}
void Touch(MmWorld& w, task_struct* task, uint64_t start, uint64_t pages) {
  w.Run(task, [=] {
    for (uint64_t i = 0; i < pages; ++i) {
      uint64_t word = i + 1;
      (void)access_user_word(start + i * kPage, /*write=*/true, &word);
    }
  });
}

// ---- mmap: errors ----------------------------------------------------------

struct MmapErrorCase {
  const char* name;
  MmapArgs args;
  int64_t expected;
};

class MmapErrorTest : public testing::TestWithParam<MmapErrorCase> {};

TEST_P(MmapErrorTest, SaysWhatIsWrongAndMapsNothing) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_EQ(Mmap(w, task, AnonAt(kBase, 1)), int64_t{kBase});
  EXPECT_EQ(Mmap(w, task, GetParam().args), GetParam().expected);
  EXPECT_EQ(Layout(task->mm), "0+1");
}

INSTANTIATE_TEST_SUITE_P(
    Branches, MmapErrorTest,
    testing::Values(
        MmapErrorCase{"LengthZero", {.flags = kAnon}, -EINVAL},
        MmapErrorCase{
            "LengthWraps", {.length = ~uint64_t{0}, .flags = kAnon}, -ENOMEM},
        MmapErrorCase{"LongerThanUserSpace",
                      {.length = kTaskSize + kPage, .flags = kAnon},
                      -ENOMEM},
        MmapErrorCase{
            "OffsetWraps",
            {.length = 2 * kPage, .flags = kAnon, .pgoff = ~uint64_t{0}},
            -EOVERFLOW},
        MmapErrorCase{"NeitherSharedNorPrivate",
                      {.length = kPage, .flags = MAP_ANONYMOUS},
                      -EINVAL},
        MmapErrorCase{
            "AnonymousSharedValidate",
            {.length = kPage, .flags = MAP_SHARED_VALIDATE | MAP_ANONYMOUS},
            -EINVAL},
        MmapErrorCase{"FixedUnaligned", AnonAt(kBase + 8, 1), -EINVAL},
        MmapErrorCase{"FixedBelowMinAddr", AnonAt(0x8000, 1), -EPERM},
        MmapErrorCase{"FixedBeyondTheEnd", AnonAt(kTaskSize, 1), -ENOMEM},
        MmapErrorCase{"NoReplaceWhereSomethingIs",
                      AnonAt(kBase, 1, MAP_FIXED_NOREPLACE), -EEXIST},
        MmapErrorCase{"GrowsDownShared",
                      {.length = kPage,
                       .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_GROWSDOWN},
                      -EINVAL},
        MmapErrorCase{"GrowsDownOfAFile",
                      {.length = kPage,
                       .flags = MAP_PRIVATE | MAP_GROWSDOWN,
                       .dev_zero = true},
                      -EINVAL},
        MmapErrorCase{"SharedWritableOfAReadOnlyDescriptor",
                      {.length = kPage,
                       .prot = kReadWrite,
                       .flags = MAP_SHARED,
                       .dev_zero = true,
                       .file_writable = false},
                      -EACCES},
        // The machine has 2^20 frames and 2^18 swap slots.
        MmapErrorCase{"MoreThanRamAndSwap",
                      {.length = ((1 << 20) + (1 << 18) + 1) * kPage,
                       .prot = kReadWrite,
                       .flags = kAnon},
                      -ENOMEM}),
    [](const auto& test) { return test.param.name; });

TEST(MmapTest, PrivateSecretMemoryIsRefused) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  address_space* secret = NewMapping(w.mm(), address_space::kSecretmem, 1);
  EXPECT_EQ(
      Mmap(w, task, {.length = kPage, .flags = MAP_PRIVATE, .mapping = secret}),
      -EINVAL);
}

TEST(MmapTest, IsInterruptedWhenKilledInTheWaitForTheLock) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnSharing(task);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_write_lock(holder->mm);
  });
  int64_t result = 0;
  const MmapArgs args = AnonAt(kBase, 1);
  w.Start(task, [&] { result = vm_mmap(args); });
  ASSERT_FALSE(w.Go(task)) << "it should wait";
  EXPECT_EQ(task->__state, TASK_KILLABLE);
  w.Kill(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, -EINTR);
}

TEST(MmapTest, TheNumberOfVmasIsLimited) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  // One page in two, so that nothing merges. do_mmap() refuses the mapping
  // after the limit has been passed by one.
  int64_t last = 0;
  w.Run(task, [&] {
    for (uint64_t i = 0; i <= sysctl_max_map_count; ++i) {
      last = vm_mmap(AnonAt(kBase + 2 * i * kPage, 1));
    }
  });
  EXPECT_GT(last, 0);
  EXPECT_EQ(Mmap(w, task, AnonAt(kBase - 2 * kPage, 1)), -ENOMEM);
  // A hole in the middle needs one VMA more, too.
  EXPECT_EQ(Munmap(w, task, kBase, 2 * kPage), 0);
  EXPECT_EQ(Mmap(w, task, AnonAt(kBase - 4 * kPage, 3)),
            int64_t{kBase - 4 * kPage});
  EXPECT_EQ(Munmap(w, task, kBase - 3 * kPage, kPage), -ENOMEM);
}

// ---- mmap: what becomes of the flags ---------------------------------------

struct FlagsCase {
  const char* name;
  uint64_t prot;
  uint64_t flags;
  enum { kNoFile, kDevZero, kRegular } file;
  bool writable;
  uint64_t set;
  uint64_t clear;
  VmOps ops;
};

class MmapFlagsTest : public testing::TestWithParam<FlagsCase> {};

TEST_P(MmapFlagsTest, AreThoseOfTheKernel) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const FlagsCase& c = GetParam();
  address_space* mapping = nullptr;
  if (c.file == FlagsCase::kRegular) {
    mapping = NewMapping(w.mm(), address_space::kFile, 4);
  }
  ASSERT_GT(Mmap(w, task,
                 {.length = kPage,
                  .prot = c.prot,
                  .flags = c.flags,
                  .mapping = mapping,
                  .dev_zero = c.file == FlagsCase::kDevZero,
                  .file_writable = c.writable}),
            0);
  const VmaReport vma = ReportMemory(task->mm).vmas.at(0);
  EXPECT_EQ(vma.vm_flags & c.set, c.set) << VmFlagsText(vma.vm_flags);
  EXPECT_EQ(vma.vm_flags & c.clear, 0u) << VmFlagsText(vma.vm_flags);
  EXPECT_EQ(vma.vm_ops, c.ops);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, MmapFlagsTest,
    testing::Values(
        FlagsCase{"PrivateAnonymous", kReadWrite, kAnon, FlagsCase::kNoFile,
                  true, VM_READ | VM_WRITE | VM_MAYWRITE | VM_ACCOUNT,
                  VM_EXEC | VM_SHARED | VM_MAYSHARE, VmOps::kAnonymous},
        FlagsCase{"ReadOnlyIsNotAccounted", PROT_READ, kAnon,
                  FlagsCase::kNoFile, true, VM_READ | VM_MAYWRITE,
                  VM_WRITE | VM_ACCOUNT, VmOps::kAnonymous},
        FlagsCase{"NoReserve", kReadWrite, kAnon | MAP_NORESERVE,
                  FlagsCase::kNoFile, true, VM_NORESERVE, VM_ACCOUNT,
                  VmOps::kAnonymous},
        FlagsCase{"SharedAnonymousIsShmem", kReadWrite,
                  MAP_SHARED | MAP_ANONYMOUS, FlagsCase::kNoFile, true,
                  VM_SHARED | VM_MAYSHARE, 0, VmOps::kShmem},
        FlagsCase{"GrowsDown", kReadWrite, kAnon | MAP_GROWSDOWN,
                  FlagsCase::kNoFile, true, VM_GROWSDOWN, 0, VmOps::kAnonymous},
        FlagsCase{"PrivateDevZeroIsAnonymous", kReadWrite, MAP_PRIVATE,
                  FlagsCase::kDevZero, false, VM_MAYWRITE, VM_SHARED,
                  VmOps::kAnonymous},
        FlagsCase{"SharedDevZeroIsShmem", kReadWrite, MAP_SHARED,
                  FlagsCase::kDevZero, true, VM_SHARED, 0, VmOps::kShmem},
        FlagsCase{"SharedFileOfAWritableDescriptor", kReadWrite, MAP_SHARED,
                  FlagsCase::kRegular, true,
                  VM_SHARED | VM_MAYSHARE | VM_MAYWRITE, 0, VmOps::kFile},
        // The reapers ask for VM_SHARED and so reap this one.
        FlagsCase{"SharedFileOfAReadOnlyDescriptor", PROT_READ, MAP_SHARED,
                  FlagsCase::kRegular, false, VM_MAYSHARE,
                  VM_SHARED | VM_MAYWRITE, VmOps::kFile},
        FlagsCase{"PrivateFileOfAReadOnlyDescriptor", kReadWrite, MAP_PRIVATE,
                  FlagsCase::kRegular, false, VM_WRITE | VM_MAYWRITE,
                  VM_SHARED | VM_MAYSHARE, VmOps::kFile}),
    [](const auto& test) { return test.param.name; });

TEST(MmapTest, MapLockedCountsAndFaultsIn) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 5, MAP_LOCKED)), 0);
  const MemoryReport report = ReportMemory(task->mm);
  EXPECT_EQ(report.locked, 5 * kPage);
  EXPECT_EQ(report.anon, 5 * kPage);
}

TEST(MmapTest, MapPopulateFaultsInAndPlainMmapDoesNot) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 5, MAP_POPULATE)), 0);
  ASSERT_GT(Mmap(w, task, AnonAt(kBase + 9 * kPage, 5)), 0);
  const std::vector<VmaReport> vmas = ReportMemory(task->mm).vmas;
  EXPECT_EQ(vmas.at(0).rss, 5 * kPage);
  EXPECT_EQ(vmas.at(1).rss, 0u);
}

// ---- Placement and merging -------------------------------------------------

TEST(MmapTest, PlacesDownwardsFromTheBaseAndMerges) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const MmapArgs three = {
      .length = 3 * kPage, .prot = kReadWrite, .flags = kAnon};
  const int64_t first = Mmap(w, task, three);
  const int64_t second = Mmap(w, task, three);
  EXPECT_EQ(first, static_cast<int64_t>(task->mm->mmap_base - 3 * kPage));
  EXPECT_EQ(second, first - static_cast<int64_t>(3 * kPage));
  EXPECT_EQ(ReportMemory(task->mm).vmas.size(), 1u);
}

TEST(MmapTest, HonoursAHintWhereThereIsRoom) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const MmapArgs hinted = {
      .addr = kBase + 100, .length = kPage, .prot = PROT_READ, .flags = kAnon};
  EXPECT_EQ(Mmap(w, task, hinted), int64_t{kBase});
  EXPECT_EQ(Mmap(w, task, hinted),
            static_cast<int64_t>(task->mm->mmap_base - kPage));
}

TEST(MmapTest, FillsAHoleThatIsLargeEnough) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const MmapArgs four = {
      .length = 4 * kPage, .prot = kReadWrite, .flags = kAnon};
  const int64_t addr = Mmap(w, task, four);
  Mmap(w, task, four);
  ASSERT_EQ(Munmap(w, task, static_cast<uint64_t>(addr), 4 * kPage), 0);
  EXPECT_EQ(Mmap(w, task, four), addr);
}

TEST(MmapTest, GoesAboveTheBaseWhenThereIsNoRoomBelow) {
  // 16 entries a table: 128 MiB of address space.
  MmWorld w("v6.18", {.frames = 1 << 16, .table_bits = 4});
  task_struct* task = w.Spawn();
  const uint64_t base = task->mm->mmap_base;
  const MmapArgs huge = {.length = base - (64 << 10),
                         .prot = PROT_READ,
                         .flags = kAnon | MAP_NORESERVE};
  ASSERT_EQ(Mmap(w, task, huge), 64 << 10);
  EXPECT_EQ(Mmap(w, task, {.length = kPage, .prot = PROT_READ, .flags = kAnon}),
            static_cast<int64_t>(base));
}

struct MergeCase {
  const char* name;
  MmapArgs second;  // mapped behind AnonAt(kBase, 2)
  const char* layout;
};

class MmapMergeTest : public testing::TestWithParam<MergeCase> {};

TEST_P(MmapMergeTest, JoinsNeighboursThatNothingTellsApart) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 2)), 0);
  ASSERT_GT(Mmap(w, task, GetParam().second), 0);
  EXPECT_EQ(Layout(task->mm), GetParam().layout);
}

INSTANTIATE_TEST_SUITE_P(
    Neighbours, MmapMergeTest,
    testing::Values(MergeCase{"Behind", AnonAt(kBase + 2 * kPage, 3), "0+5"},
                    MergeCase{"WithAGap", AnonAt(kBase + 3 * kPage, 3),
                              "0+2 3+3"},
                    MergeCase{"Over", AnonAt(kBase, 2), "0+2"},
                    MergeCase{"OverTheMiddle", AnonAt(kBase + kPage, 3), "0+4"},
                    MergeCase{"OtherProtection",
                              {.addr = kBase + 2 * kPage,
                               .length = kPage,
                               .prot = PROT_READ,
                               .flags = kAnon | MAP_FIXED},
                              "0+2 2+1"},
                    MergeCase{"OtherBacking",
                              {.addr = kBase + 2 * kPage,
                               .length = kPage,
                               .prot = kReadWrite,
                               .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED},
                              "0+2 2+1"},
                    MergeCase{"SpecialMapping",
                              {.addr = kBase + 2 * kPage,
                               .length = kPage,
                               .prot = kReadWrite,
                               .flags = kAnon | MAP_FIXED,
                               .extra_vm_flags = VM_PFNMAP},
                              "0+2 2+1"}),
    [](const auto& test) { return test.param.name; });

TEST(MmapTest, AFileMergesOnlyWhereItsOffsetsGoOn) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kFile, 8);
  MmapArgs args = {.addr = kBase,
                   .length = 2 * kPage,
                   .prot = PROT_READ,
                   .flags = MAP_PRIVATE | MAP_FIXED,
                   .mapping = file};
  ASSERT_GT(Mmap(w, task, args), 0);
  args.addr += 2 * kPage;
  args.pgoff = 2;
  ASSERT_GT(Mmap(w, task, args), 0);
  args.addr += 2 * kPage;
  args.pgoff = 6;
  ASSERT_GT(Mmap(w, task, args), 0);
  EXPECT_EQ(Layout(task->mm), "0+4 4+2");
  // The descriptor's reference and one for each VMA.
  EXPECT_EQ(file->count, 3u);
}

// ---- munmap ----------------------------------------------------------------

struct MunmapCase {
  const char* name;
  uint64_t first;  // of the pages to unmap, from kBase
  uint64_t pages;
  const char* layout;  // of what was "0+4 6+4"
};

class MunmapTest : public testing::TestWithParam<MunmapCase> {};

TEST_P(MunmapTest, CutsExactlyThatOut) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    ASSERT_GT(Mmap(w, task, AnonAt(kBase, 4)), 0);
    ASSERT_GT(Mmap(w, task, AnonAt(kBase + 6 * kPage, 4)), 0);
    Touch(w, task, kBase, 4);
    Touch(w, task, kBase + 6 * kPage, 4);
    const uint64_t free_before = w.mm().nr_free;
    EXPECT_EQ(Munmap(w, task, kBase + GetParam().first * kPage,
                     GetParam().pages * kPage),
              0);
    EXPECT_EQ(Layout(task->mm), GetParam().layout);
    const MemoryReport report = ReportMemory(task->mm);
    uint64_t mapped = 0;
    for (const VmaReport& vma : report.vmas) mapped += vma.size();
    // Every page was touched: what is mapped is resident, and no more is.
    EXPECT_EQ(report.rss, mapped);
    EXPECT_EQ(report.size, mapped);
    EXPECT_EQ((w.mm().nr_free - free_before) * kPage, 8 * kPage - mapped);
    EXPECT_EQ(report.page_tables_bytes, mapped == 0 ? 0 : 3 * kPage);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Ranges, MunmapTest,
    testing::Values(MunmapCase{"Nothing", 20, 1, "0+4 6+4"},
                    MunmapCase{"TheHole", 4, 2, "0+4 6+4"},
                    MunmapCase{"Head", 0, 1, "1+3 6+4"},
                    MunmapCase{"Tail", 3, 1, "0+3 6+4"},
                    MunmapCase{"Middle", 1, 2, "0+1 3+1 6+4"},
                    MunmapCase{"One", 0, 4, "6+4"},
                    MunmapCase{"AcrossBoth", 2, 6, "0+2 8+2"},
                    MunmapCase{"TailAndHole", 3, 3, "0+3 6+4"},
                    MunmapCase{"All", 0, 10, ""}),
    [](const auto& test) { return test.param.name; });

struct MunmapErrorCase {
  const char* name;
  uint64_t start;
  uint64_t length;
};

class MunmapErrorTest : public testing::TestWithParam<MunmapErrorCase> {};

TEST_P(MunmapErrorTest, IsEinval) {
  MmWorld w("v6.18");
  EXPECT_EQ(Munmap(w, w.Spawn(), GetParam().start, GetParam().length), -EINVAL);
}

INSTANTIATE_TEST_SUITE_P(
    Branches, MunmapErrorTest,
    testing::Values(MunmapErrorCase{"Unaligned", kBase + 1, kPage},
                    MunmapErrorCase{"LengthZero", kBase, 0},
                    MunmapErrorCase{"StartBeyondTheEnd", kTaskSize + kPage, 1},
                    MunmapErrorCase{"EndBeyondTheEnd", kTaskSize, kPage}),
    [](const auto& test) { return test.param.name; });

TEST(MunmapTest, IsInterruptedWhenKilledInTheWaitForTheLock) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnSharing(task);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_lock(holder->mm);
  });
  int result = 0;
  // Even a call that would be refused waits first.
  w.Start(task, [&] { result = vm_munmap(1, 0); });
  ASSERT_FALSE(w.Go(task));
  w.Kill(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, -EINTR);
}

TEST(MunmapTest, UnmapsUnderTheReadLockWithTheVmasOutOfReach) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 4)), 0);
  w.Start(task, [] { (void)vm_munmap(kBase, 4 * kPage); });
  ASSERT_TRUE(w.RunUntil(task, Point::kZapVma));
  EXPECT_EQ(task->mm->mmap_lock.readers, 1u);
  EXPECT_EQ(task->mm->mmap_lock.writer, 0u);
  EXPECT_EQ(Layout(task->mm), "");
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(task->mm->mmap_lock.readers, 0u);
}

// From v6.15 on a fault that still looks at the VMA finds out by its count.
TEST(MunmapTest, FreesVmasAfterAGracePeriodWhereTheirLockIsASemaphore) {
  struct Case {
    const char* version;
    uint32_t live_after;
  };
  for (const Case& c : {Case{"v5.15-rc1", 0}, Case{"v6.1", 0}, Case{"v6.4", 1},
                        Case{"v6.14", 1}, Case{"v6.18", 0}}) {
    SCOPED_TRACE(c.version);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    ASSERT_GT(Mmap(w, task, AnonAt(kBase, 1)), 0);
    ASSERT_EQ(Munmap(w, task, kBase, kPage), 0);
    EXPECT_EQ(w.mm().vma_slab.live(), c.live_after);
    w.EndGracePeriods();
    EXPECT_EQ(w.mm().vma_slab.live(), 0u);
  }
}

TEST(MunmapTest, OfLockedMemoryUnlocksIt) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    ASSERT_GT(Mmap(w, task, AnonAt(kBase, 4, MAP_LOCKED)), 0);
    ASSERT_EQ(Munmap(w, task, kBase + kPage, kPage), 0);
    EXPECT_EQ(ReportMemory(task->mm).locked, 3 * kPage);
  }
}

// ---- Walks -----------------------------------------------------------------

TEST(VmaWalkTest, FindsTheFirstVmaThatEndsAboveAnAddress) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 2)), 0);
  ASSERT_GT(Mmap(w, task, AnonAt(kBase + 4 * kPage, 2)), 0);
  struct Case {
    uint64_t page;
    uint64_t start;  // page number of the VMA found; 99: none
  };
  for (const Case& c : {Case{0, 0}, Case{1, 0}, Case{2, 4}, Case{3, 4},
                        Case{5, 4}, Case{6, 99}}) {
    uint64_t found = 99;
    w.Run(task, [&] {
      vm_area_struct* vma = find_vma(task->mm, kBase + c.page * kPage);
      if (vma != nullptr) found = (vma->vm_start - kBase) / kPage;
    });
    EXPECT_EQ(found, c.start) << "page " << c.page;
  }
}

TEST(VmaWalkTest, BothDirectionsSeeTheSameVmas) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  for (uint64_t i = 0; i < 6; i += 2) {
    ASSERT_GT(Mmap(w, task, AnonAt(kBase + i * kPage, 1)), 0);
  }
  uint64_t forward = 0;
  uint64_t backward = 0;
  w.Run(task, [&] {
    for (auto* v = vma_first(task->mm); v != nullptr; v = vma_next(v)) {
      forward = forward * 10 + (v->vm_start - kBase) / kPage;
    }
    for (auto* v = vma_last(task->mm); v != nullptr; v = vma_prev(v)) {
      backward = backward * 10 + (v->vm_start - kBase) / kPage;
    }
  });
  EXPECT_EQ(forward, 24u);
  EXPECT_EQ(backward, 420u);
}

// ---- exit_mmap -------------------------------------------------------------

// Who holds mmap_lock: 'W', 'R' or '-'.
char LockState(const mm_struct* mm) {
  if (mm->mmap_lock.writer != 0) return 'W';
  return mm->mmap_lock.readers != 0 ? 'R' : '-';
}

bool HasBit(const mm_struct* mm, unsigned bit) {
  return (mm->flags >> bit & 1) != 0;
}

struct ExitCase {
  const char* name;
  const char* version;
  bool marked;  // MMF_OOM_VICTIM
  // The lock, and '+' if MMF_OOM_SKIP is set, at kExitMmap, kExitMmapUnmap,
  // kExitMmapFreePgtables and kExitMmapDone.
  const char* states;
};

class ExitMmapTest : public testing::TestWithParam<ExitCase> {};

TEST_P(ExitMmapTest, LocksAndHidesAsItsVersionDoes) {
  const ExitCase& c = GetParam();
  MmWorld w(c.version);
  task_struct* task = w.Spawn();
  mm_struct* mm = task->mm;
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 4)), 0);
  Touch(w, task, kBase, 4);
  if (c.marked) mm->flags |= uint64_t{1} << MMF_OOM_VICTIM;
  w.StartExitMm(task);
  std::string states;
  for (const Point point :
       {Point::kExitMmap, Point::kExitMmapUnmap, Point::kExitMmapFreePgtables,
        Point::kExitMmapDone}) {
    ASSERT_TRUE(w.RunUntil(task, point)) << PointName(point);
    states += LockState(mm);
    if (HasBit(mm, MMF_OOM_SKIP)) states += '+';
    states += ' ';
  }
  EXPECT_EQ(states, c.states);
  EXPECT_TRUE(w.Go(task));
  EXPECT_FALSE(w.engine().verdict());
  EXPECT_EQ(w.mm().mm_slab.live(), 0u);
  EXPECT_EQ(w.mm().vma_slab.live(), 0u);
  w.EndGracePeriods();  // of the page tables, v6.14 on
  EXPECT_EQ(w.mm().ptdesc_slab.live(), 0u);
  EXPECT_EQ(w.Problems(), "");
}

INSTANTIATE_TEST_SUITE_P(
    Protocols, ExitMmapTest,
    testing::Values(ExitCase{"V515", "v5.15-rc1", false, "- - - - "},
                    ExitCase{"V515OomVictim", "v5.15-rc1", true, "- -+ -+ -+ "},
                    ExitCase{"V517rc1", "v5.17-rc1", false, "- W W - "},
                    ExitCase{"V519", "v5.19", false, "- W W - "},
                    ExitCase{"V519OomVictim", "v5.19", true, "- W+ W+ -+ "},
                    ExitCase{"V61", "v6.1", false, "- R W+ -+ "},
                    ExitCase{"V618", "v6.18", false, "- R W+ -+ "}),
    [](const auto& test) { return test.param.name; });

TEST(ExitMmapTest, WithoutVmasDoesNotHide) {
  for (const char* version : {"v5.15-rc1", "v5.19", "v6.1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    mm_struct* mm = task->mm;
    w.StartExitMm(task);
    ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapDone));
    EXPECT_FALSE(HasBit(mm, MMF_OOM_SKIP));
    EXPECT_EQ(LockState(mm), '-');
    EXPECT_TRUE(w.Go(task));
  }
}

// A walker holds mm_count and, while the victim is between two VMAs' frees,
// walks with mmap_lock(R), as v5.15-rc1's process_mrelease did.
TEST(ExitMmapTest, UnlockedTeardownIsCaughtBesideAWalk) {
  MmWorld w("v5.15-rc1");
  task_struct* task = w.Spawn();
  task_struct* walker = w.SpawnWithoutMm();
  mm_struct* mm = task->mm;
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 1)), 0);
  ASSERT_GT(Mmap(w, task, AnonAt(kBase + 2 * kPage, 1)), 0);
  w.Run(walker, [mm] { mmgrab(mm); });
  w.StartExitMm(task);
  ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapDone));
  w.Run(walker, [mm]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_lock(mm);
    (void)vma_first(mm);
  });
  EXPECT_EQ(w.engine().TakeVerdict().kind, VerdictKind::kUseAfterFree);
}

// The walker waits behind the whole teardown, then looks at what is left.
TEST(ExitMmapTest, AWalkAfterItMeetsFreedVmasOnlyWhereTheListDangles) {
  struct Case {
    const char* version;
    VerdictKind expected;
  };
  for (const Case& c :
       {Case{"v5.17-rc1", VerdictKind::kUseAfterFree},
        Case{"v5.19", VerdictKind::kNone}, Case{"v6.18", VerdictKind::kNone}}) {
    SCOPED_TRACE(c.version);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    task_struct* walker = w.SpawnWithoutMm();
    mm_struct* mm = task->mm;
    ASSERT_GT(Mmap(w, task, AnonAt(kBase, 1)), 0);
    w.Run(walker, [mm] { mmgrab(mm); });
    w.StartExitMm(task);
    ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapFreePgtables));
    w.Start(walker, [mm] {
      mmap_read_lock(mm);
      (void)vma_first(mm);
      mmap_read_unlock(mm);
      mmdrop(mm);
    });
    ASSERT_FALSE(w.Go(walker)) << "the teardown holds the lock";
    ASSERT_TRUE(w.Go(task));
    w.Go(walker);
    EXPECT_EQ(w.engine().TakeVerdict().kind, c.expected);
  }
}

TEST(ExitMmapTest, ReadersMayWalkBesideTheUnmappingFromV61On) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* walker = w.SpawnWithoutMm();
  mm_struct* mm = task->mm;
  ASSERT_GT(Mmap(w, task, AnonAt(kBase, 1)), 0);
  w.Run(walker, [mm] { mmgrab(mm); });
  w.StartExitMm(task);
  ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapUnmap));
  w.Run(walker, [mm]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_lock(mm); });
  EXPECT_FALSE(w.RunUntil(task, Point::kExitMmapFreePgtables))
      << "page tables must not go while a reader is inside";
  EXPECT_TRUE(HasBit(mm, MMF_OOM_SKIP));
  w.Run(walker, [mm]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_unlock(mm);
    mmdrop(mm);
  });
  EXPECT_TRUE(w.Go(task));
}

}  // namespace
}  // namespace reapsim
