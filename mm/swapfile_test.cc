// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/swapfile.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <string>

#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/testing.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x100000000;

void Map(MmWorld& w, task_struct* task, uint64_t pages,
         address_space* shmem = nullptr) {
  const uint64_t flags = shmem == nullptr
                             ? MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS
                             : MAP_FIXED | MAP_SHARED;
  w.Run(task, [=] {
    (void)vm_mmap({.addr = kBase,
                   .length = pages * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = flags,
                   .mapping = shmem});
    for (uint64_t i = 0; i < pages; ++i) {
      uint64_t word = i + 1;
      (void)access_user_word(kBase + i * kPage, /*write=*/true, &word);
    }
  });
}

void PageOut(MmWorld& w, task_struct* task, uint64_t pages) {
  int error = 0;
  w.Run(task, [&] { error = do_madvise(kBase, pages * kPage, MADV_PAGEOUT); });
  ASSERT_EQ(error, 0);
  ASSERT_EQ(w.mm().swap.used, pages);
}

// What swapoff() says to that task, which must not have to wait.
int Swapoff(MmWorld& w, task_struct* task) {
  int error = 1;
  w.Run(task, [&] { error = sys_swapoff(); });
  return error;
}

PageCounts Count(const task_struct* task, uint64_t pages) {
  return CountPages(task->mm, kBase, kBase + pages * kPage);
}

uint64_t Load(MmWorld& w, task_struct* task, uint64_t page) {
  uint64_t word = 0;
  w.Run(task, [&] {
    (void)access_user_word(kBase + page * kPage, /*write=*/false, &word);
  });
  return word;
}

TEST(SwapoffTest, BringsBackWhatEveryMmHas) {
  MmWorld w("v6.18");
  task_struct* a = w.Spawn();
  task_struct* b = w.Spawn();
  Map(w, a, 3);
  PageOut(w, a, 3);
  Map(w, b, 4);
  w.Run(b, [] { (void)do_madvise(kBase, 4 * kPage, MADV_PAGEOUT); });
  ASSERT_EQ(w.mm().swap.used, 7u);
  EXPECT_EQ(Swapoff(w, w.Spawn()), 0);
  EXPECT_EQ(w.mm().swap.used, 0u);
  EXPECT_EQ(Count(a, 3).anon, 3u);
  EXPECT_EQ(Count(b, 4).anon, 4u);
  for (uint64_t i = 0; i < 3; ++i) EXPECT_EQ(Load(w, a, i), i + 1);
  for (uint64_t i = 0; i < 4; ++i) EXPECT_EQ(Load(w, b, i), i + 1);
  EXPECT_EQ(w.Problems(), "");
}

TEST(SwapoffTest, BringsBackPagesOfShmemToTheObject) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  address_space* shmem = NewMapping(w.mm(), address_space::kShmem, 2);
  Map(w, task, 2, shmem);
  PageOut(w, task, 2);
  EXPECT_EQ(Swapoff(w, w.Spawn()), 0);
  EXPECT_EQ(Count(task, 2).shmem, 0u);
  EXPECT_NE(CachedPage(shmem, 0), kNoPfn);
  EXPECT_EQ(Load(w, task, 1), 2u);
  w.Run(task, [shmem] { mapping_put(shmem); });
  EXPECT_EQ(w.Problems(), "");
}

TEST(SwapoffTest, NothingIsSwappedOutAfterIt) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 2);
  EXPECT_EQ(total_swap_pages(w.mm()), w.mm().swap.slots);
  EXPECT_EQ(Swapoff(w, task), 0);
  EXPECT_EQ(total_swap_pages(w.mm()), 0u);
  w.Run(task, [] { (void)do_madvise(kBase, 2 * kPage, MADV_PAGEOUT); });
  EXPECT_EQ(Count(task, 2).anon, 2u);
  EXPECT_EQ(Swapoff(w, task), -EINVAL) << "it is off";
}

TEST(SwapoffTest, NeedsRoot) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task->uid = 1000;
  EXPECT_EQ(Swapoff(w, task), -EPERM);
  EXPECT_TRUE(w.mm().swap.writeok);
}

TEST(SwapoffTest, StaysOnIfThereIsNoFrameForWhatIsInIt) {
  MmWorld w("v6.18", {.frames = 64});
  task_struct* task = w.Spawn();
  Map(w, task, 8);
  PageOut(w, task, 8);
  const uint64_t free = w.mm().nr_free;
  w.Run(task, [=] {
    (void)vm_mmap({.addr = kBase + 8 * kPage,
                   .length = free * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS});
    for (uint64_t i = 0; i < free - 3; ++i) {
      uint64_t word = 1;
      (void)access_user_word(kBase + (8 + i) * kPage, /*write=*/true, &word);
    }
  });
  ASSERT_EQ(w.mm().nr_free, 3u);
  EXPECT_EQ(Swapoff(w, task), -ENOMEM);
  EXPECT_EQ(w.mm().swap.used, 5u);
  EXPECT_TRUE(w.mm().swap.writeok);
  EXPECT_FALSE(task->signal->oom_flag_origin);
  EXPECT_EQ(w.Problems(), "");
}

// An mm without users gives its slots back by itself, at its own pace.
TEST(SwapoffTest, WaitsForAnMmThatIsBeingTornDown) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* off = w.Spawn();
  Map(w, task, 2);
  PageOut(w, task, 2);
  w.StartExitMm(task);
  ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapUnmap));
  int error = 1;
  w.Start(off, [&] { error = sys_swapoff(); });
  EXPECT_FALSE(w.Go(off));
  EXPECT_TRUE(w.Go(task));
  EXPECT_TRUE(w.Go(off));
  EXPECT_EQ(error, 0);
}

TEST(SwapoffTest, ASignalEndsTheWait) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* off = w.Spawn();
  Map(w, task, 2);
  PageOut(w, task, 2);
  w.StartExitMm(task);
  ASSERT_TRUE(w.RunUntil(task, Point::kExitMmapUnmap));
  int error = 1;
  w.Start(off, [&] { error = sys_swapoff(); });
  EXPECT_FALSE(w.Go(off));
  w.Kill(off);
  EXPECT_TRUE(w.Go(off));
  EXPECT_EQ(error, -EINTR);
  EXPECT_TRUE(w.mm().swap.writeok);
}

// Its user goes while swapoff() has it: the teardown falls to swapoff().
TEST(SwapoffTest, MayBeTheLastUserOfAnMm) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* off = w.Spawn();
  mm_struct* mm = task->mm;
  Map(w, task, 2);
  PageOut(w, task, 2);
  w.Start(off, [] { (void)sys_swapoff(); });
  ASSERT_TRUE(w.RunUntil(off, Point::kDownRead));
  w.StartExitMm(task);
  EXPECT_TRUE(w.Go(task));
  EXPECT_TRUE(w.mm().mm_slab.IsLive(mm));
  EXPECT_TRUE(w.Go(off));
  EXPECT_FALSE(w.mm().mm_slab.IsLive(mm));
  EXPECT_EQ(w.mm().swap.used, 0u);
}

// CVE-2025-39992: the mm of a fork that failed, or one that a reaper has taken
// the pages of.
TEST(SwapoffTest, LeavesUnstableMemoryAloneFromV618On) {
  for (const char* version : {"v6.17", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    task_struct* off = w.Spawn();
    Map(w, task, 2);
    PageOut(w, task, 2);
    w.Run(task, [mm = task->mm] { set_bit(MMF_UNSTABLE, &mm->flags); });
    w.Start(off, [] { (void)sys_swapoff(); });
    const bool skips = std::string(version) == "v6.18";
    EXPECT_EQ(w.Go(off), !skips);
    EXPECT_EQ(Count(task, 2).swap, skips ? 2u : 0u);
    w.Kill(off);
    EXPECT_TRUE(w.Go(off));
  }
}

}  // namespace
}  // namespace reapsim
