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
constexpr const char* kVersions[] = {"v5.15-rc1", "v6.18"};

void Map(MmWorld& w, task_struct* task, uint64_t first, uint64_t pages,
         uint64_t prot = PROT_READ | PROT_WRITE, uint64_t extra = 0) {
  w.Run(task, [=] {
    (void)vm_mmap({.addr = kBase + first * kPage,
                   .length = pages * kPage,
                   .prot = prot,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                   .extra_vm_flags = extra});
  });
}

// Runs a call on the task and returns what it returned.
template <class Fn>
int Call(MmWorld& w, task_struct* task, Fn fn) {
  int result = 0;
  w.Run(task, [&result, fn] { result = fn(); });
  return result;
}

int PagesMlocked(MmWorld& w) {
  int mlocked = 0;
  for (pfn_t pfn = 1; pfn < w.mm().fresh_pfn; ++pfn) {
    mlocked += (pfn_to_page(w.mm(), pfn)->flags & PG_mlocked) != 0;
  }
  return mlocked;
}

TEST(MlockTest, LocksCountsAndFaultsIn) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    Map(w, task, 0, 6);
    // Bytes of pages 1 to 3.
    EXPECT_EQ(
        Call(w, task,
             [] { return do_mlock(kBase + kPage + 5, 2 * kPage, false); }),
        0);
    const MemoryReport report = ReportMemory(task->mm);
    EXPECT_EQ(report.locked, 3 * kPage);
    EXPECT_EQ(report.anon, 3 * kPage);
    ASSERT_EQ(report.vmas.size(), 3u);
    EXPECT_EQ(report.vmas[1].locked, 3 * kPage);
    EXPECT_EQ(PagesMlocked(w), 3);
  }
}

TEST(MlockTest, OnFaultWaitsForTheFault) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 4);
  EXPECT_EQ(Call(w, task, [] { return do_mlock(kBase, 4 * kPage, true); }), 0);
  EXPECT_EQ(ReportMemory(task->mm).locked, 4 * kPage);
  EXPECT_EQ(ReportMemory(task->mm).anon, 0u);
  w.Run(task, [] {
    uint64_t word = 1;
    (void)access_user_word(kBase, true, &word);
  });
  EXPECT_EQ(PagesMlocked(w), 1);
}

TEST(MlockTest, PresentPagesAreMarked) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 1);
  w.Run(task, [] {
    uint64_t word = 1;
    (void)access_user_word(kBase, true, &word);
  });
  EXPECT_EQ(PagesMlocked(w), 0);
  EXPECT_EQ(Call(w, task, [] { return do_mlock(kBase, kPage, false); }), 0);
  EXPECT_EQ(PagesMlocked(w), 1);
}

TEST(MlockTest, MunlockUndoesItAndMerges) {
  for (const char* version : kVersions) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* task = w.Spawn();
    Map(w, task, 0, 6);
    ASSERT_EQ(Call(w, task, [] { return do_mlock(kBase, 4 * kPage, false); }),
              0);
    EXPECT_EQ(Call(w, task, [] { return do_munlock(kBase, 6 * kPage); }), 0);
    const MemoryReport report = ReportMemory(task->mm);
    EXPECT_EQ(report.locked, 0u);
    EXPECT_EQ(report.anon, 4 * kPage) << "the pages stay";
    EXPECT_EQ(report.vmas.size(), 1u);
    EXPECT_EQ(PagesMlocked(w), 0);
  }
}

TEST(MlockTest, TwiceCountsOnce) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  for (int i = 0; i < 2; ++i) {
    ASSERT_EQ(Call(w, task, [] { return do_mlock(kBase, 2 * kPage, false); }),
              0);
  }
  EXPECT_EQ(ReportMemory(task->mm).locked, 2 * kPage);
}

TEST(MlockTest, PassesOverWhatCantBeLocked) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2, PROT_READ, VM_PFNMAP);
  EXPECT_EQ(Call(w, task, [] { return do_mlock(kBase, 2 * kPage, false); }), 0);
  EXPECT_EQ(ReportMemory(task->mm).locked, 0u);
}

TEST(MlockTest, SecretMemoryIsLockedForEver) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  const MmapArgs args = {
      .addr = kBase,
      .length = kPage,
      .prot = PROT_READ | PROT_WRITE,
      .flags = MAP_SHARED | MAP_FIXED,
      .mapping = NewMapping(w.mm(), address_space::kSecretmem, 1)};
  w.Run(task, [&] { (void)vm_mmap(args); });
  ASSERT_EQ(ReportMemory(task->mm).locked, kPage);
  EXPECT_EQ(Call(w, task, [] { return do_munlock(kBase, kPage); }), 0);
  EXPECT_EQ(ReportMemory(task->mm).locked, kPage);
}

struct ErrorCase {
  const char* name;
  int (*call)();
  int expected;
  uint64_t locked;  // pages, afterwards
};

class MlockErrorTest : public testing::TestWithParam<ErrorCase> {};

// Pages 0 and 1, 4 and 5 are mapped; the latter without any access.
TEST_P(MlockErrorTest, SaysWhatIsWrong) {
  MmWorld w("v6.18", {.frames = 64, .swap_slots = 1024});
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  Map(w, task, 4, 2, PROT_NONE);
  Map(w, task, 8, 100);
  EXPECT_EQ(Call(w, task, GetParam().call), GetParam().expected);
  EXPECT_EQ(ReportMemory(task->mm).locked, GetParam().locked * kPage);
}

INSTANTIATE_TEST_SUITE_P(
    Branches, MlockErrorTest,
    testing::Values(
        ErrorCase{"Nothing", [] { return do_mlock(kBase, 0, false); }, 0, 0},
        ErrorCase{"RangeWraps",
                  [] { return do_mlock(~uint64_t{0} - kPage, kPage, false); },
                  -EINVAL, 0},
        ErrorCase{"Unmapped",
                  [] { return do_mlock(kBase + 2 * kPage, kPage, false); },
                  -ENOMEM, 0},
        // What comes before the hole is locked all the same.
        ErrorCase{"IntoAHole", [] { return do_mlock(kBase, 3 * kPage, false); },
                  -ENOMEM, 2},
        ErrorCase{"FaultFails",
                  [] { return do_mlock(kBase + 4 * kPage, kPage, false); },
                  -ENOMEM, 1},
        ErrorCase{
            "NoMemory",
            [] { return do_mlock(kBase + 8 * kPage, 100 * kPage, false); },
            -EAGAIN, 100},
        ErrorCase{"MunlockOfAHole",
                  [] { return do_munlock(kBase + 2 * kPage, kPage); }, -ENOMEM,
                  0},
        ErrorCase{"MlockallOfNothing", [] { return do_mlockall(0); }, -EINVAL,
                  0},
        ErrorCase{"MlockallUnknown", [] { return do_mlockall(64); }, -EINVAL,
                  0},
        ErrorCase{"MlockallOnlyOnFault",
                  [] { return do_mlockall(MCL_ONFAULT); }, -EINVAL, 0}),
    [](const auto& test) { return test.param.name; });

TEST(MlockTest, EachCallIsInterruptedWhenKilledInTheWaitForTheLock) {
  int (*const calls[])() = {
      [] { return do_mlock(kBase, kPage, false); },
      [] { return do_munlock(kBase, kPage); },
      [] { return do_mlockall(MCL_CURRENT); },
      [] { return do_munlockall(); },
  };
  for (auto* call : calls) {
    MmWorld w("v6.18");
    task_struct* task = w.Spawn();
    task_struct* holder = w.SpawnSharing(task);
    w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mmap_read_lock(holder->mm);
    });
    int result = 0;
    w.Start(task, [&result, call] { result = call(); });
    ASSERT_FALSE(w.Go(task));
    w.Kill(task);
    ASSERT_TRUE(w.Go(task));
    EXPECT_EQ(result, -EINTR);
  }
}

struct MlockallCase {
  const char* name;
  int flags;
  uint64_t locked;    // pages, with one VMA of 2 pages before and one after
  uint64_t resident;  // pages
};

class MlockallTest : public testing::TestWithParam<MlockallCase> {};

TEST_P(MlockallTest, LocksWhatIsThereWhatComesOrBoth) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  Map(w, task, 0, 2);
  const int flags = GetParam().flags;
  ASSERT_EQ(Call(w, task, [=] { return do_mlockall(flags); }), 0);
  Map(w, task, 4, 2);
  EXPECT_EQ(ReportMemory(task->mm).locked, GetParam().locked * kPage);
  EXPECT_EQ(ReportMemory(task->mm).anon, GetParam().resident * kPage);
  ASSERT_EQ(Call(w, task, [] { return do_munlockall(); }), 0);
  Map(w, task, 8, 2);
  EXPECT_EQ(ReportMemory(task->mm).locked, 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Flags, MlockallTest,
    testing::Values(MlockallCase{"Current", MCL_CURRENT, 2, 2},
                    MlockallCase{"Future", MCL_FUTURE, 2, 2},
                    MlockallCase{"Both", MCL_CURRENT | MCL_FUTURE, 4, 4},
                    MlockallCase{"BothOnFault",
                                 MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT, 4, 0}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace reapsim
