// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "gtest/gtest.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/smaps.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x100000000;

// "0+2rw-p 2+1r--p": first page, pages and permissions of each VMA.
std::string Layout(const mm_struct* mm) {
  std::string text;
  for (const VmaReport& vma : ReportMemory(mm).vmas) {
    if (!text.empty()) text += ' ';
    text += std::to_string((vma.start - kBase) / kPage) + "+" +
            std::to_string(vma.size() / kPage) + PermissionsText(vma.vm_flags);
  }
  return text;
}

void Map(MmWorld& w, task_struct* task, uint64_t first, uint64_t pages,
         uint64_t prot, uint64_t flags = 0) {
  w.Run(task, [=] {
    (void)vm_mmap({.addr = kBase + first * kPage,
                   .length = pages * kPage,
                   .prot = prot,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags});
  });
}

int Mprotect(MmWorld& w, task_struct* task, uint64_t start, uint64_t length,
             uint64_t prot) {
  int result = 0;
  w.Run(task, [&] { result = do_mprotect(start, length, prot); });
  return result;
}

AccessResult Access(MmWorld& w, task_struct* task, uint64_t page, bool write) {
  AccessResult result = AccessResult::kOk;
  w.Run(task, [&] {
    uint64_t word = 5;
    result = access_user_word(kBase + page * kPage, write, &word);
  });
  return result;
}

struct ProtectCase {
  const char* name;
  uint64_t first;  // of the pages to protect
  uint64_t pages;
  uint64_t prot;
  int expected;
  const char* layout;  // of what was "0+4rw-p 6+2rw-p"
};

class MprotectTest : public testing::TestWithParam<ProtectCase> {};

TEST_P(MprotectTest, ChangesWhatIsThereUpToTheFirstHole) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4, PROT_READ | PROT_WRITE);
  Map(w, task, 6, 2, PROT_READ | PROT_WRITE);
  const ProtectCase& c = GetParam();
  EXPECT_EQ(Mprotect(w, task, kBase + c.first * kPage, c.pages * kPage, c.prot),
            c.expected);
  EXPECT_EQ(Layout(task->mm), c.layout);
}

INSTANTIATE_TEST_SUITE_P(
    Ranges, MprotectTest,
    testing::Values(
        ProtectCase{"Nothing", 0, 0, PROT_READ, 0, "0+4rw-p 6+2rw-p"},
        ProtectCase{"Same", 0, 4, PROT_READ | PROT_WRITE, 0, "0+4rw-p 6+2rw-p"},
        ProtectCase{"All", 0, 4, PROT_READ, 0, "0+4r--p 6+2rw-p"},
        ProtectCase{"Middle", 1, 2, PROT_NONE, 0,
                    "0+1rw-p 1+2---p 3+1rw-p 6+2rw-p"},
        ProtectCase{"IntoAHole", 2, 3, PROT_READ, -ENOMEM,
                    "0+2rw-p 2+2r--p 6+2rw-p"},
        ProtectCase{"FromAHole", 5, 2, PROT_READ, -ENOMEM, "0+4rw-p 6+2rw-p"},
        ProtectCase{"Unmapped", 20, 1, PROT_READ, -ENOMEM, "0+4rw-p 6+2rw-p"},
        ProtectCase{"UnknownProtection", 0, 1, 0x100, -EINVAL,
                    "0+4rw-p 6+2rw-p"},
        ProtectCase{"GrowsBothWays", 0, 1, PROT_GROWSUP | PROT_GROWSDOWN,
                    -EINVAL, "0+4rw-p 6+2rw-p"},
        ProtectCase{"GrowsDownButIsNoStack", 0, 1, PROT_READ | PROT_GROWSDOWN,
                    -EINVAL, "0+4rw-p 6+2rw-p"}),
    [](const auto& test) { return test.param.name; });

TEST(MprotectTest, RefusesUnalignedAndWrappingRanges) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 1, PROT_READ);
  EXPECT_EQ(Mprotect(w, task, kBase + 1, kPage, PROT_READ), -EINVAL);
  EXPECT_EQ(Mprotect(w, task, kBase, 0 - kBase, PROT_READ), -ENOMEM);
}

TEST(MprotectTest, ReachesDownToTheStartOfAStack) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4, PROT_READ | PROT_WRITE, MAP_GROWSDOWN);
  EXPECT_EQ(
      Mprotect(w, task, kBase + 2 * kPage, kPage, PROT_READ | PROT_GROWSDOWN),
      0);
  EXPECT_EQ(Layout(task->mm), "0+3r--p 3+1rw-p");
}

TEST(MprotectTest, MergesWhatIsEqualAgain) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4, PROT_READ | PROT_WRITE);
  ASSERT_EQ(Mprotect(w, task, kBase + kPage, kPage, PROT_READ), 0);
  ASSERT_EQ(Layout(task->mm), "0+1rw-p 1+1r--p 2+2rw-p");
  ASSERT_EQ(Mprotect(w, task, kBase + kPage, kPage, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(Layout(task->mm), "0+4rw-p");
}

TEST(MprotectTest, IsRefusedWhatTheMappingMayNotHave) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  address_space* file = NewMapping(w.mm(), address_space::kFile, 1);
  const MmapArgs args = {.addr = kBase,
                         .length = kPage,
                         .prot = PROT_READ,
                         .flags = MAP_SHARED | MAP_FIXED,
                         .mapping = file,
                         .file_writable = false};
  w.Run(task, [&] { (void)vm_mmap(args); });
  EXPECT_EQ(Mprotect(w, task, kBase, kPage, PROT_READ | PROT_WRITE), -EACCES);
  EXPECT_EQ(Layout(task->mm), "0+1r--s");
}

TEST(MprotectTest, RefusesMoreThanRamAndSwap) {
  MmWorld w("v6.18", {.frames = 64, .swap_slots = 16});
  task_struct* task = w.Spawn();
  Map(w, task, 0, 81, PROT_READ);
  EXPECT_EQ(Mprotect(w, task, kBase, 81 * kPage, PROT_READ | PROT_WRITE),
            -ENOMEM);
  EXPECT_EQ(Mprotect(w, task, kBase, 80 * kPage, PROT_READ | PROT_WRITE), 0);
}

TEST(MprotectTest, IsInterruptedWhenKilledInTheWaitForTheLock) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnSharing(task);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_lock(holder->mm);
  });
  int result = 0;
  w.Start(task, [&] { result = do_mprotect(kBase, kPage, PROT_READ); });
  ASSERT_FALSE(w.Go(task));
  w.Kill(task);
  ASSERT_TRUE(w.Go(task));
  EXPECT_EQ(result, -EINTR);
}

TEST(MprotectTest, PresentPagesObeyAtOnce) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    Map(w, task, 0, 2, PROT_READ | PROT_WRITE);
    ASSERT_EQ(Access(w, task, 0, true), AccessResult::kOk);
    ASSERT_EQ(Mprotect(w, task, kBase, kPage, PROT_READ), 0);
    EXPECT_EQ(Access(w, task, 0, true), AccessResult::kSigsegv);
    EXPECT_EQ(Access(w, task, 0, false), AccessResult::kOk);
    ASSERT_EQ(Mprotect(w, task, kBase, kPage, PROT_NONE), 0);
    EXPECT_EQ(Access(w, task, 0, false), AccessResult::kSigsegv);
    EXPECT_EQ(ReportMemory(task->mm).anon, kPage) << "it stays resident";
    ASSERT_EQ(Mprotect(w, task, kBase, kPage, PROT_READ | PROT_WRITE), 0);
    EXPECT_EQ(Access(w, task, 0, true), AccessResult::kOk);
    EXPECT_EQ(ReportMemory(task->mm).anon, kPage);
  }
}

TEST(MprotectTest, AHugePageIsSplitAtTheCut) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 512, PROT_READ | PROT_WRITE);
  w.Run(task, [] { (void)do_madvise(kBase, 512 * kPage, MADV_HUGEPAGE); });
  ASSERT_EQ(Access(w, task, 0, true), AccessResult::kOk);
  ASSERT_EQ(ReportMemory(task->mm).anon_huge, 512 * kPage);
  ASSERT_EQ(Mprotect(w, task, kBase + 8 * kPage, kPage, PROT_READ), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon_huge, 0u);
  EXPECT_EQ(ReportMemory(task->mm).anon, 512 * kPage);
  EXPECT_EQ(Access(w, task, 7, true), AccessResult::kOk);
  EXPECT_EQ(Access(w, task, 8, true), AccessResult::kSigsegv);
  EXPECT_EQ(Access(w, task, 9, true), AccessResult::kOk);
  EXPECT_EQ(w.Problems(), "");
}

TEST(MprotectTest, LockedMemoryThatBecomesWritableIsCopiedAtOnce) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  // Read-only and locked: zero pages, which count nowhere.
  Map(w, task, 0, 3, PROT_READ, MAP_LOCKED);
  ASSERT_EQ(ReportMemory(task->mm).anon, 0u);
  ASSERT_EQ(Mprotect(w, task, kBase, 3 * kPage, PROT_READ | PROT_WRITE), 0);
  EXPECT_EQ(ReportMemory(task->mm).anon, 3 * kPage);
}

}  // namespace
}  // namespace reapsim
