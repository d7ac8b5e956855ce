// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/smaps.h"

#include <sys/mman.h>

#include <string>

#include "gtest/gtest.h"
#include "mm/memory.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x100000000;

TEST(SmapsTest, NoMmIsAnEmptyReport) {
  EXPECT_EQ(ReportMemory(nullptr), MemoryReport{});
}

TEST(SmapsTest, CountsByKindVmaByVmaAndInTotal) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    // 8 pages of private memory, of which 4 are written; of those one is
    // swapped out.
    (void)vm_mmap({.addr = kBase,
                   .length = 8 * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
    // 4 pages of shared memory, of which 2 are written.
    (void)vm_mmap({.addr = kBase + 16 * kPage,
                   .length = 4 * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED});
    for (const uint64_t page : {0, 1, 2, 3, 16, 17}) {
      uint64_t word = 1;
      (void)access_user_word(kBase + page * kPage, /*write=*/true, &word);
    }
    (void)do_madvise(kBase, kPage, MADV_PAGEOUT);
    (void)do_mlock(kBase + 16 * kPage, 4 * kPage, /*on_fault=*/true);
  });
  const MemoryReport report = ReportMemory(task->mm);
  EXPECT_EQ(report.size, 12 * kPage);
  EXPECT_EQ(report.anon, 3 * kPage);
  EXPECT_EQ(report.swap, kPage);
  EXPECT_EQ(report.shmem, 2 * kPage);
  EXPECT_EQ(report.file, 0u);
  EXPECT_EQ(report.rss, 5 * kPage);
  EXPECT_EQ(report.locked, 4 * kPage);
  // One table of each level below the PGD covers both mappings.
  EXPECT_EQ(report.page_tables_bytes, 3 * kPage);
  ASSERT_EQ(report.vmas.size(), 2u);
  EXPECT_EQ(report.vmas[0].anonymous, 3 * kPage);
  EXPECT_EQ(report.vmas[0].swap, kPage);
  EXPECT_EQ(report.vmas[0].locked, 0u);
  EXPECT_EQ(report.vmas[0].inode, 0u);
  EXPECT_EQ(report.vmas[1].shmem, 2 * kPage);
  EXPECT_EQ(report.vmas[1].locked, 2 * kPage);
  EXPECT_NE(report.vmas[1].inode, 0u);
}

TEST(SmapsTest, NamesFlagsAsTheKernelDoes) {
  EXPECT_EQ(VmFlagsText(0), "");
  EXPECT_EQ(VmFlagsText(VM_READ | VM_MAYREAD | VM_ACCOUNT), "rd mr ac");
  EXPECT_EQ(VmFlagsText(VM_NOHUGEPAGE | VM_LOCKED | VM_SHARED), "sh lo nh");
}

TEST(SmapsTest, ReadsTheNamesItWrites) {
  for (int bit = 0; bit < 64; ++bit) {
    const uint64_t flag = uint64_t{1} << bit;
    const std::string name = VmFlagsText(flag);
    if (name.empty()) continue;
    EXPECT_EQ(VmFlagOf(name), flag) << name;
  }
  EXPECT_EQ(VmFlagOf("zz"), 0u);
}

TEST(SmapsTest, WritesPermissionsAsInMaps) {
  EXPECT_EQ(PermissionsText(0), "---p");
  EXPECT_EQ(PermissionsText(VM_READ | VM_EXEC), "r-xp");
  // A read-only descriptor, mapped shared: the letter is s all the same.
  EXPECT_EQ(PermissionsText(VM_READ | VM_MAYSHARE), "r--s");
  EXPECT_EQ(PermissionsText(VM_READ | VM_WRITE | VM_SHARED | VM_MAYSHARE),
            "rw-s");
}

}  // namespace
}  // namespace reapsim
