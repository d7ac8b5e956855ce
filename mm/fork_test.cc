// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/fork.h"

#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "mm/memory.h"
#include "mm/smaps.h"
#include "mm/testing.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x100000000;

// Maps and writes `pages` pages, each page holding its number + 1.
void MapAndTouch(MmWorld& w, task_struct* task, uint64_t start,
                 uint64_t pages) {
  w.Run(task, [=] {
    (void)vm_mmap({.addr = start,
                   .length = pages * kPage,
                   .prot = PROT_READ | PROT_WRITE,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
    for (uint64_t i = 0; i < pages; ++i) {
      uint64_t word = i + 1;
      (void)access_user_word(start + i * kPage, /*write=*/true, &word);
    }
  });
}

uint64_t Read(MmWorld& w, task_struct* task, uint64_t address) {
  uint64_t word = ~uint64_t{0};
  w.Run(task, [&] { (void)access_user_word(address, false, &word); });
  return word;
}

// Forks `parent`'s mm into a new task, or returns null if that fails.
task_struct* Fork(MmWorld& w, task_struct* parent) {
  mm_struct* mm = nullptr;
  w.Run(parent, [&] { mm = dup_mm(current()->mm); });
  if (mm == nullptr) return nullptr;
  task_struct* child = w.SpawnWithoutMm();
  child->mm = child->active_mm = mm;
  return child;
}

void ExitMm(MmWorld& w, task_struct* task) {
  w.StartExitMm(task);
  ASSERT_TRUE(w.Go(task));
}

bool HasBit(const mm_struct* mm, unsigned bit) {
  return (mm->flags >> bit & 1) != 0;
}

// ---- dup_mm ----------------------------------------------------------------

TEST(DupMmTest, SharesPagesUntilOneSideWrites) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    MmWorld w(version);
    task_struct* parent = w.Spawn();
    MapAndTouch(w, parent, kBase, 4);
    const uint64_t free_before = w.mm().nr_free;
    task_struct* child = Fork(w, parent);
    ASSERT_NE(child, nullptr);
    EXPECT_EQ(w.mm().nr_free, free_before);
    EXPECT_EQ(ReportMemory(child->mm).anon, 4 * kPage);
    w.Run(child, [] {
      uint64_t word = 77;
      (void)access_user_word(kBase, /*write=*/true, &word);
    });
    EXPECT_EQ(w.mm().nr_free, free_before - 1);
    EXPECT_EQ(Read(w, child, kBase), 77u);
    EXPECT_EQ(Read(w, parent, kBase), 1u);
    EXPECT_EQ(Read(w, child, kBase + kPage), 2u);
    ExitMm(w, child);
    ExitMm(w, parent);
    EXPECT_EQ(w.mm().mm_slab.live(), 0u);
    EXPECT_EQ(w.Problems(), "");
  }
}

struct InheritCase {
  const char* name;
  int advice;
  bool mapped;        // in the child
  uint64_t resident;  // pages, in the child
};

class DupMmAdviceTest : public testing::TestWithParam<InheritCase> {};

TEST_P(DupMmAdviceTest, DecidesWhatTheChildGets) {
  MmWorld w("v6.18");
  task_struct* parent = w.Spawn();
  MapAndTouch(w, parent, kBase, 2);
  const int advice = GetParam().advice;
  w.Run(parent, [=] { (void)do_madvise(kBase, 2 * kPage, advice); });
  task_struct* child = Fork(w, parent);
  ASSERT_NE(child, nullptr);
  const MemoryReport report = ReportMemory(child->mm);
  EXPECT_EQ(report.vmas.size(), GetParam().mapped ? 1u : 0u);
  EXPECT_EQ(report.size, GetParam().mapped ? 2 * kPage : 0u);
  EXPECT_EQ(report.anon, GetParam().resident * kPage);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DupMmAdviceTest,
    testing::Values(InheritCase{"Normal", MADV_NORMAL, true, 2},
                    InheritCase{"DontFork", MADV_DONTFORK, false, 0},
                    InheritCase{"WipeOnFork", MADV_WIPEONFORK, true, 0}),
    [](const auto& test) { return test.param.name; });

TEST(DupMmTest, TheChildLocksNothing) {
  MmWorld w("v6.18");
  task_struct* parent = w.Spawn();
  MapAndTouch(w, parent, kBase, 2);
  w.Run(parent, [] {
    (void)do_mlock(kBase, 2 * kPage, /*on_fault=*/false);
    (void)do_mlockall(MCL_FUTURE);
  });
  task_struct* child = Fork(w, parent);
  ASSERT_NE(child, nullptr);
  const MemoryReport report = ReportMemory(child->mm);
  EXPECT_EQ(report.locked, 0u);
  EXPECT_EQ(report.vmas.at(0).vm_flags & VM_LOCKED, 0u);
  // Nor will it: VM_INIT_DEF_MASK.
  w.Run(child, [] {
    (void)vm_mmap({.addr = kBase + 8 * kPage,
                   .length = kPage,
                   .prot = PROT_READ,
                   .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
  });
  EXPECT_EQ(ReportMemory(child->mm).locked, 0u);
}

TEST(DupMmTest, HoldsBothLocksForWrite) {
  MmWorld w("v6.18");
  task_struct* parent = w.Spawn();
  MapAndTouch(w, parent, kBase, 1);
  w.Start(parent, [] { (void)dup_mm(current()->mm); });
  ASSERT_TRUE(w.RunUntil(parent, Point::kDupMmap));
  int locked_for_write = 0;
  w.mm().mm_slab.ForEach([&](const mm_struct* mm) {
    locked_for_write += mm->mmap_lock.writer != 0;
  });
  EXPECT_EQ(locked_for_write, 2);
  EXPECT_TRUE(w.Go(parent));
  EXPECT_EQ(parent->mm->mmap_lock.writer, 0u);
}

TEST(DupMmTest, FailsWhenKilledInTheWaitForTheParentsLock) {
  MmWorld w("v6.18");
  task_struct* parent = w.Spawn();
  task_struct* holder = w.SpawnSharing(parent);
  w.Run(holder, [holder]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_read_lock(holder->mm);
  });
  bool failed = false;
  w.Start(parent, [&] { failed = dup_mm(current()->mm) == nullptr; });
  ASSERT_FALSE(w.Go(parent));
  w.Kill(parent);
  ASSERT_TRUE(w.Go(parent));
  EXPECT_TRUE(failed);
  EXPECT_EQ(w.mm().mm_slab.live(), 1u) << "the child's mm is gone";
}

struct HalfWayCase {
  const char* version;
  int stops;  // times that kDupMmap is reached before the kill
  bool unstable;
  bool oom_skip;  // before its own exit_mmap
};

// Killed with two VMAs to copy: before the first, or between them.
TEST(DupMmTest, KilledHalfWayLeavesTheMmAsItsVersionDoes) {
  for (const HalfWayCase& c : {HalfWayCase{"v5.15-rc1", 1, false, false},
                               HalfWayCase{"v5.15-rc1", 2, false, false},
                               HalfWayCase{"v6.18", 1, true, true},
                               HalfWayCase{"v6.18", 2, true, true}}) {
    SCOPED_TRACE(std::string(c.version) + " " + std::to_string(c.stops));
    MmWorld w(c.version);
    task_struct* parent = w.Spawn();
    MapAndTouch(w, parent, kBase, 1);
    MapAndTouch(w, parent, kBase + 2 * kPage, 1);
    bool failed = false;
    w.Start(parent, [&] { failed = dup_mm(current()->mm) == nullptr; });
    for (int i = 0; i < c.stops; ++i) {
      ASSERT_TRUE(w.RunUntil(parent, Point::kDupMmap));
    }
    w.Kill(parent);
    ASSERT_TRUE(w.RunUntil(parent, Point::kExitMmap));
    w.mm().mm_slab.ForEach([&](const mm_struct* mm) {
      if (mm == parent->mm) return;
      EXPECT_EQ(HasBit(mm, MMF_UNSTABLE), c.unstable);
      EXPECT_EQ(HasBit(mm, MMF_OOM_SKIP), c.oom_skip);
      EXPECT_EQ(ReportMemory(mm).vmas.size(), static_cast<size_t>(c.stops - 1));
    });
    ASSERT_TRUE(w.Go(parent));
    EXPECT_TRUE(failed);
    EXPECT_EQ(w.mm().mm_slab.live(), 1u);
    ExitMm(w, parent);
  }
}

// ---- The two counts --------------------------------------------------------

TEST(MmCountTest, TheLastUserTearsDownAndTheLastReferenceFrees) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* other = w.SpawnWithoutMm();
  mm_struct* mm = task->mm;
  MapAndTouch(w, task, kBase, 3);
  w.Run(other, [mm] { mmgrab(mm); });
  EXPECT_EQ(mm->mm_users, 1u);
  EXPECT_EQ(mm->mm_count, 2u);
  ExitMm(w, task);
  EXPECT_EQ(mm->mm_users, 0u);
  EXPECT_EQ(mm->mm_count, 1u);
  EXPECT_EQ(w.mm().vma_slab.live(), 0u);
  bool got = true;
  w.Run(other, [&] { got = mmget_not_zero(mm); });
  EXPECT_FALSE(got);
  w.Run(other, [mm] { mmdrop(mm); });
  EXPECT_EQ(w.mm().mm_slab.live(), 0u);
  w.EndGracePeriods();
  EXPECT_EQ(w.mm().ptdesc_slab.live(), 0u) << "the PGD goes last";
}

TEST(MmCountTest, MmputOfASharerOnlyCounts) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  task_struct* sharer = w.SpawnSharing(task);
  MapAndTouch(w, task, kBase, 3);
  ExitMm(w, sharer);
  EXPECT_EQ(task->mm->mm_users, 1u);
  EXPECT_EQ(ReportMemory(task->mm).anon, 3 * kPage);
}

TEST(MmCountTest, TheLastMmputWaitsForAioDeafToSignals) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  mm_struct* mm = task->mm;
  mm->aio_in_flight = 1;
  w.StartExitMm(task);
  ASSERT_FALSE(w.Go(task));
  EXPECT_EQ(task->__state, TASK_UNINTERRUPTIBLE);
  w.Kill(task);
  EXPECT_FALSE(w.Go(task));
  mm->aio_in_flight = 0;
  EXPECT_TRUE(w.Go(task));
}

// What a task does wrong, and what is said about it.
struct WrongCase {
  const char* name;
  void (*what)(mm_struct* mm);
  VerdictKind kind;
  const char* text;
};

class MmVerdictTest : public testing::TestWithParam<WrongCase> {};

TEST_P(MmVerdictTest, IsAVerdict) {
  MmWorld w("v6.18");
  task_struct* task = w.Spawn();
  mm_struct* mm = task->mm;
  auto* what = GetParam().what;
  w.Run(task, [=] { what(mm); });
  const Verdict verdict = w.engine().TakeVerdict();
  EXPECT_EQ(verdict.kind, GetParam().kind) << verdict.ToString();
  EXPECT_NE(verdict.what.find(GetParam().text), std::string::npos)
      << verdict.what;
}

void DropUser(mm_struct* mm) {
  current()->mm = current()->active_mm = nullptr;
  mmput(mm);
}

INSTANTIATE_TEST_SUITE_P(
    Misuse, MmVerdictTest,
    testing::Values(WrongCase{"MmputWhileTheTaskHasIt",
                              [](mm_struct* mm) { mmput(mm); },
                              VerdictKind::kInvariantBroken, "S17"},
                    WrongCase{"MmdropOnceTooOften",
                              [](mm_struct* mm) {
                                DropUser(mm);
                                mmdrop(mm);
                              },
                              VerdictKind::kUseAfterFree, "mm_struct"},
                    WrongCase{"MmgrabAfterTheEnd",
                              [](mm_struct* mm) {
                                DropUser(mm);
                                mmgrab(mm);
                              },
                              VerdictKind::kUseAfterFree, "mm_struct"},
                    WrongCase{"MmdropOfTheUsersReference",
                              [](mm_struct* mm) { mmdrop(mm); },
                              VerdictKind::kInvariantBroken, "S17"},
                    WrongCase{"MmgetWithoutUsers",
                              [](mm_struct* mm) {
                                mmgrab(mm);
                                DropUser(mm);
                                mmget(mm);
                              },
                              VerdictKind::kInvariantBroken, "S17"},
                    WrongCase{"RssLeftOver",
                              [](mm_struct* mm) {
                                mm->rss_stat[MM_ANONPAGES].count = 1;
                                DropUser(mm);
                              },
                              VerdictKind::kInvariantBroken, "S7"},
                    WrongCase{"PageTablesLeftOver",
                              [](mm_struct* mm) {
                                mm->pgtables_bytes = 4096;
                                DropUser(mm);
                              },
                              VerdictKind::kInvariantBroken, "S7"},
                    WrongCase{"LockLeftHeld",
                              [](mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
                                mmgrab(mm);
                                DropUser(mm);
                                mmap_read_lock(mm);
                                mmdrop(mm);
                              },
                              VerdictKind::kInvariantBroken, "mmap_lock"}),
    [](const auto& test) { return test.param.name; });

// ---- Tasks
// -----------------------------------------------------------------

TEST(PutTaskTest, TheLastReferenceFreesTaskFiberAndSignal) {
  MmWorld w("v6.18");
  task_struct* dead = w.SpawnWithoutMm();
  task_struct* other = w.SpawnWithoutMm();
  dead->signal->thread_head.clear();
  dead->exit_state = EXIT_DEAD;
  w.Run(other, [dead] { get_task_struct(dead); });
  w.Run(other, [dead] { put_task_struct(dead); });
  EXPECT_TRUE(w.sched().task_slab.IsLive(dead));
  w.Run(other, [dead] { put_task_struct(dead); });
  EXPECT_FALSE(w.sched().task_slab.IsLive(dead));
  EXPECT_EQ(w.sched().signal_slab.live(), 1u);
  EXPECT_EQ(w.engine().state()->fibers.live(), 1u);
}

TEST(PutTaskTest, TheLastSignalReferenceDropsTheOomMm) {
  MmWorld w("v6.18");
  task_struct* victim = w.Spawn();
  task_struct* other = w.SpawnWithoutMm();
  mm_struct* mm = victim->mm;
  w.Run(victim, [mm] { mmgrab(mm); });
  victim->signal->oom_mm = mm;
  ExitMm(w, victim);
  ASSERT_TRUE(w.mm().mm_slab.IsLive(mm));
  victim->signal->thread_head.clear();
  victim->exit_state = EXIT_DEAD;
  w.Run(other, [victim] { put_task_struct(victim); });
  EXPECT_FALSE(w.mm().mm_slab.IsLive(mm));
}

struct WrongPutCase {
  const char* name;
  uint32_t exit_state;
  bool twice;
  VerdictKind kind;
};

TEST(PutTaskTest, MisuseIsAVerdict) {
  for (const WrongPutCase& c :
       {WrongPutCase{"not exited", 0, false, VerdictKind::kInvariantBroken},
        WrongPutCase{"twice", EXIT_DEAD, true, VerdictKind::kUseAfterFree}}) {
    SCOPED_TRACE(c.name);
    MmWorld w("v6.18");
    task_struct* dead = w.SpawnWithoutMm();
    task_struct* other = w.SpawnWithoutMm();
    dead->signal->thread_head.clear();
    dead->exit_state = c.exit_state;
    const bool twice = c.twice;
    w.Run(other, [=] {
      put_task_struct(dead);
      if (twice) put_task_struct(dead);
    });
    EXPECT_EQ(w.engine().TakeVerdict().kind, c.kind);
  }
}

TEST(PutTaskTest, ATaskThatDropsItselfIsAVerdict) {
  MmWorld w("v6.18");
  task_struct* task = w.SpawnWithoutMm();
  task->signal->thread_head.clear();
  task->exit_state = EXIT_DEAD;
  w.Run(task, [task] { put_task_struct(task); });
  EXPECT_EQ(w.engine().TakeVerdict().kind, VerdictKind::kInvariantBroken);
}

}  // namespace
}  // namespace reapsim
