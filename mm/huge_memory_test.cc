// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/huge_memory.h"

#include <sys/mman.h>

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/debug.h"
#include "mm/mmap.h"
#include "mm/page_alloc.h"
#include "mm/populate.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kBase = 0x40000000;
constexpr uint64_t kHuge = 512 * PAGE_SIZE;
constexpr char kVersion[] = "v6.18";

#define EXPECT_CONSERVED(w)                          \
  do {                                               \
    std::vector<std::string> problems;               \
    CheckMmConservation((w).mm(), &problems);        \
    EXPECT_EQ(problems, std::vector<std::string>()); \
  } while (false)

// A private anonymous mapping for huge pages.
task_struct* SpawnWithHuge(MmWorld& w, uint64_t bytes) {
  task_struct* task = w.Spawn();
  w.Run(task, [=] {
    vm_mmap({.addr = kBase,
             .length = bytes,
             .prot = PROT_READ | PROT_WRITE,
             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
    do_madvise(kBase, bytes, MADV_HUGEPAGE);
  });
  return task;
}

void Write(MmWorld& w, task_struct* task, uint64_t address, uint64_t word) {
  AccessResult result = AccessResult::kOom;
  w.Run(task, [&] { result = access_user_word(address, true, &word); });
  ASSERT_EQ(result, AccessResult::kOk);
}

uint64_t Read(MmWorld& w, task_struct* task, uint64_t address) {
  uint64_t word = ~uint64_t{0};
  w.Run(task, [&] { access_user_word(address, false, &word); });
  return word;
}

PageCounts Counts(const task_struct* task) {
  return CountPages(task->mm, 0, ~uint64_t{0});
}

void Reap(MmWorld& w, task_struct* task) {
  w.Run(task, [] {
    mm_struct* mm = current()->mm;
    for (vm_area_struct* vma = vma_first(mm); vma != nullptr;
         vma = vma_next(vma)) {
      mmu_gather tlb;
      tlb_gather_mmu(&tlb, mm);
      unmap_page_range(&tlb, vma, vma->vm_start, vma->vm_end,
                       {.reaping = true});
      tlb_finish_mmu(&tlb);
    }
  });
}

TEST(HugeMemoryTest, OneTouchMapsAWholeHugePage) {
  MmWorld w(kVersion);
  task_struct* task = SpawnWithHuge(w, kHuge);
  const uint64_t free_before = w.mm().nr_free;
  Write(w, task, kBase + 5 * PAGE_SIZE, 7);
  EXPECT_EQ(w.mm().nr_free, free_before - 512);
  EXPECT_EQ(Counts(task).huge_anon, 512u);
  EXPECT_EQ(get_mm_counter_sum(task->mm, MM_ANONPAGES), 512);
  // PUD, PMD and the deposited PTE table.
  EXPECT_EQ(task->mm->pgtables_bytes, 3 * 4096);
  EXPECT_EQ(Read(w, task, kBase + 5 * PAGE_SIZE), 7u);
  EXPECT_EQ(Read(w, task, kBase + 6 * PAGE_SIZE), 0u);
  EXPECT_CONSERVED(w);
}

// The reaper does free page tables: those deposited under the huge entries.
TEST(HugeMemoryTest, ReapingFreesTheDepositedTables) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = SpawnWithHuge(w, 32 * kHuge);
    const uint64_t free_before = w.mm().nr_free;
    for (uint64_t i = 0; i < 32; ++i) Write(w, task, kBase + i * kHuge, i);
    EXPECT_EQ(task->mm->pgtables_bytes, (2 + 32) * 4096);
    Reap(w, task);
    EXPECT_EQ(task->mm->pgtables_bytes, 2 * 4096);
    EXPECT_EQ(get_mm_counter_sum(task->mm, MM_ANONPAGES), 0);
    EXPECT_EQ(w.mm().nr_free, free_before);
    EXPECT_CONSERVED(w);
  }
}

TEST(HugeMemoryTest, TheHugeZeroPageCountsNowhere) {
  MmWorld w(kVersion);
  task_struct* task = SpawnWithHuge(w, kHuge);
  EXPECT_EQ(Read(w, task, kBase), 0u);
  EXPECT_EQ(Counts(task).zero, 512u);
  EXPECT_EQ(get_mm_counter_sum(task->mm, MM_ANONPAGES), 0);
  EXPECT_EQ(task->mm->pgtables_bytes, 3 * 4096);
  EXPECT_CONSERVED(w);
  // A write splits it and makes one base page.
  Write(w, task, kBase + PAGE_SIZE, 9);
  EXPECT_EQ(Counts(task).zero, 511u);
  EXPECT_EQ(Counts(task).anon, 1u);
  EXPECT_EQ(Read(w, task, kBase), 0u);
  EXPECT_EQ(Read(w, task, kBase + PAGE_SIZE), 9u);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, ReapingTheHugeZeroPageFreesItsTable) {
  MmWorld w(kVersion);
  task_struct* task = SpawnWithHuge(w, kHuge);
  Read(w, task, kBase);
  Reap(w, task);
  EXPECT_EQ(task->mm->pgtables_bytes, 2 * 4096);
  EXPECT_EQ(Counts(task).zero, 0u);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, UnmappingAPartSplitsAndKeepsTheRest) {
  MmWorld w(kVersion);
  task_struct* task = SpawnWithHuge(w, kHuge);
  Write(w, task, kBase, 1);
  Write(w, task, kBase + 511 * PAGE_SIZE, 2);
  const uint64_t free_before = w.mm().nr_free;
  w.Run(task, [] { vm_munmap(kBase, 256 * PAGE_SIZE); });
  EXPECT_EQ(Counts(task).anon, 256u);
  EXPECT_EQ(Counts(task).huge_anon, 0u);
  EXPECT_EQ(w.mm().nr_free, free_before) << "the huge page is still in use";
  EXPECT_EQ(Read(w, task, kBase + 511 * PAGE_SIZE), 2u);
  EXPECT_CONSERVED(w);
  // The rest is one run of entries; from v6.9 on it takes two slots.
  Reap(w, task);
  EXPECT_EQ(w.mm().nr_free, free_before + 512);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, PartsOfASplitPageGoOneByOneUpToVersion6p8) {
  MmWorld w("v6.8");
  task_struct* task = SpawnWithHuge(w, kHuge);
  Write(w, task, kBase, 1);
  w.Run(task, [] { vm_munmap(kBase, PAGE_SIZE); });
  const uint64_t free_before = w.mm().nr_free;
  Reap(w, task);
  EXPECT_EQ(w.mm().nr_free, free_before + 512);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, SmallOrUnwillingMappingsGetBasePages) {
  struct Case {
    const char* name;
    uint64_t bytes;
    int advice;
  };
  for (const Case& c : {Case{"too small", kHuge - PAGE_SIZE, MADV_HUGEPAGE},
                        Case{"not asked for", kHuge, MADV_NORMAL},
                        Case{"forbidden", kHuge, MADV_NOHUGEPAGE}}) {
    SCOPED_TRACE(c.name);
    MmWorld w(kVersion);
    task_struct* task = w.Spawn();
    w.Run(task, [c] {
      vm_mmap({.addr = kBase,
               .length = c.bytes,
               .prot = PROT_READ | PROT_WRITE,
               .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
      do_madvise(kBase, c.bytes, c.advice);
    });
    Write(w, task, kBase, 1);
    EXPECT_EQ(Counts(task).anon, 1u);
    EXPECT_EQ(Counts(task).huge_anon, 0u);
  }
}

TEST(HugeMemoryTest, NoRoomForAHugePageMeansABasePage) {
  MmWorld w(kVersion, {.frames = 600});  // 512 to 600 is too short
  task_struct* task = SpawnWithHuge(w, kHuge);
  Write(w, task, kBase, 1);
  EXPECT_EQ(Counts(task).anon, 1u);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, ReapedMemoryGetsNoNewHugePage) {
  MmWorld w(kVersion);
  task_struct* task = SpawnWithHuge(w, kHuge);
  w.Run(task, [] { set_bit(MMF_UNSTABLE, &current()->mm->flags); });
  for (const bool write : {false, true}) {
    AccessResult result = AccessResult::kOk;
    uint64_t word = 1;
    w.Run(task, [&] { result = access_user_word(kBase, write, &word); });
    EXPECT_EQ(result, AccessResult::kSigbus);
  }
  EXPECT_EQ(task->mm->pgtables_bytes, 2 * 4096);
  EXPECT_CONSERVED(w);
}

TEST(HugeMemoryTest, ForkSharesThePageUntilTheFirstWrite) {
  MmWorld w(kVersion);
  task_struct* parent = SpawnWithHuge(w, kHuge);
  task_struct* child = w.SpawnWithoutMm();
  Write(w, parent, kBase, 1);
  mm_struct* copy = nullptr;
  w.Run(parent, [&] { copy = dup_mm(current()->mm); });
  ASSERT_NE(copy, nullptr);
  child->mm = child->active_mm = copy;
  EXPECT_EQ(Counts(child).huge_anon, 512u);
  EXPECT_EQ(child->mm->pgtables_bytes, parent->mm->pgtables_bytes);
  EXPECT_CONSERVED(w);
  // The writer's entry is split, and one page copied.
  Write(w, parent, kBase, 2);
  EXPECT_EQ(Read(w, child, kBase), 1u);
  EXPECT_EQ(Read(w, parent, kBase), 2u);
  EXPECT_EQ(Counts(child).huge_anon, 512u);
  EXPECT_EQ(Counts(parent).huge_anon, 0u);
  EXPECT_CONSERVED(w);
}

TEST(HugetlbTest, PagesCountInNoRssCounter) {
  MmWorld w(kVersion);
  task_struct* task = w.Spawn();
  const uint64_t free_before = w.mm().nr_free;
  w.Run(task, [] {
    vm_mmap({.addr = kBase,
             .length = 2 * kHuge,
             .prot = PROT_READ | PROT_WRITE,
             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             .extra_vm_flags = VM_HUGETLB});
    PopulatePresent(find_vma(current()->mm, kBase), kBase, 1024,
                    PopulateKind::kHuge);
  });
  EXPECT_EQ(Counts(task).hugetlb, 1024u);
  EXPECT_EQ(Counts(task).rss(), 0u);
  EXPECT_CONSERVED(w);
  w.Run(task, [] { vm_munmap(kBase, 2 * kHuge); });
  // Frames 2 to 511 had to be passed over for the alignment; they are free.
  EXPECT_EQ(w.mm().nr_free, free_before);
  EXPECT_CONSERVED(w);
}

TEST(HugetlbTest, AReaperMustNotUnmapThem) {
  MmWorld w(kVersion);
  task_struct* task = w.Spawn();
  w.Run(task, [] {
    vm_mmap({.addr = kBase,
             .length = kHuge,
             .prot = PROT_READ | PROT_WRITE,
             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
             .extra_vm_flags = VM_HUGETLB});
  });
  Reap(w, task);
  ASSERT_TRUE(w.engine().stopped());
  EXPECT_EQ(w.engine().TakeVerdict().what,
            "S21: a reaper unmaps a hugetlb VMA");
}

}  // namespace
}  // namespace reapsim
