// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "mm/mmap_lock.h"

#include <sys/mman.h>

#include <string>

#include "gtest/gtest.h"
#include "mm/filemap.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "mm/pgtable.h"
#include "mm/populate.h"
#include "mm/testing.h"
#include "mm/tlb.h"
#include "mm/vma.h"
#include "sched/rcu.h"

namespace reapsim {
namespace {

constexpr uint64_t kPage = PAGE_SIZE;
constexpr uint64_t kBase = 0x40000000;
constexpr uint64_t kReadWrite = PROT_READ | PROT_WRITE;
constexpr const char* kSemaphore = "v6.12";
constexpr const char* kRefcount = "v6.18";

MmapArgs AnonAt(uint64_t addr, uint64_t pages, uint64_t flags = 0) {
  return {.addr = addr,
          .length = pages * kPage,
          .prot = kReadWrite,
          .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | flags};
}

// A process of two threads, the second of which tends to hold locks. At kBase
// it has four pages, the first of which is there.
class Process {
 public:
  explicit Process(const std::string& version, Switches switches = {})
      : w(version, {}, switches) {
    task = w.Spawn();
    other = w.SpawnSharing(task);
    mm = task->mm;
    Map(AnonAt(kBase, 4));
    EXPECT_EQ(Write(task, 0), AccessResult::kOk);
  }
  ~Process() {
    if (w.engine().stopped()) return;
    EXPECT_EQ(task->thread->rcu_nesting, 0u);
    EXPECT_EQ(other->thread->rcu_nesting, 0u);
  }

  void Map(const MmapArgs& args) {
    int64_t result = 0;
    w.Run(other, [&] { result = vm_mmap(args); });
    EXPECT_EQ(result, static_cast<int64_t>(args.addr));
  }
  // One access, from beginning to end.
  AccessResult Write(task_struct* who, uint64_t page) {
    StartAccess(who, kBase + page * kPage, /*write=*/true);
    EXPECT_TRUE(w.Go(who));
    return result;
  }
  // Its outcome will be in `result`.
  void StartAccess(task_struct* who, uint64_t address, bool write,
                   bool user_mode = true) {
    result = AccessResult::kOk;
    w.Start(who, [this, address, write, user_mode] {
      uint64_t word = 7;
      result = access_user_word(address, write, &word, user_mode);
    });
  }
  void HoldForWriting() {
    w.Run(other,
          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_write_lock(mm); });
  }
  // The VMA at `address`, too.
  void HoldForWriting(uint64_t address) {
    w.Run(other, [this, address]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mmap_write_lock(mm);
      vma_start_write(find_vma(mm, address));
    });
  }
  void Release() {
    w.Run(other,
          [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_write_unlock(mm); });
  }
  vm_area_struct* VmaAt(uint64_t address) {
    vm_area_struct* vma = nullptr;
    w.Run(other, [&] { vma = find_vma(mm, address); });
    return vma;
  }
  // Stops a fault of `task` that holds the lock of the VMA at kBase.
  void StopInAFault() {
    StartAccess(task, kBase + kPage, /*write=*/true);
    ASSERT_TRUE(w.RunUntil(task, Point::kHandleMmFault));
  }

  MmWorld w;
  task_struct* task;
  task_struct* other;
  mm_struct* mm;
  AccessResult result = AccessResult::kOk;
};

// The host looks while nobody runs.
int MapCount(const mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return mm->map_count;
}
uint64_t TotalVm(const mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return mm->total_vm;
}
uint64_t LockedVm(const mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return mm->locked_vm;
}

// ---- Faults beside a writer ------------------------------------------------

struct BesideCase {
  const char* name;
  const char* version;
  bool goes_on;
};

class FaultBesideAWriterTest : public testing::TestWithParam<BesideCase> {};

TEST_P(FaultBesideAWriterTest, NeedsMmapLockOnlyUpToV63) {
  Process p(GetParam().version);
  p.HoldForWriting();
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  EXPECT_EQ(p.w.Go(p.task), GetParam().goes_on);
  p.Release();
  EXPECT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
  EXPECT_EQ(p.w.Problems(), "");
}

INSTANTIATE_TEST_SUITE_P(Versions, FaultBesideAWriterTest,
                         testing::Values(BesideCase{"V515", "v5.15-rc1", false},
                                         BesideCase{"V61", "v6.1", false},
                                         BesideCase{"V63", "v6.3", false},
                                         BesideCase{"V64", "v6.4", true},
                                         BesideCase{"V614", "v6.14", true},
                                         BesideCase{"V615", "v6.15", true},
                                         BesideCase{"V618", "v6.18", true}),
                         [](const auto& test) { return test.param.name; });

class VmaLockTest : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Forms, VmaLockTest,
                         testing::Values(kSemaphore, kRefcount),
                         [](const auto& test) {
                           return test.param == std::string(kRefcount)
                                      ? "Refcount"
                                      : "Semaphore";
                         });

TEST_P(VmaLockTest, FaultWaitsForMmapLockIfItsVmaIsWriteLocked) {
  Process p(GetParam());
  p.HoldForWriting(kBase);
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  p.Release();
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
}

TEST_P(VmaLockTest, FaultIsNotHeldUpByTheLockOfAnotherVma) {
  Process p(GetParam());
  p.Map(AnonAt(kBase + 8 * kPage, 1));
  p.HoldForWriting(kBase + 8 * kPage);
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  EXPECT_TRUE(p.w.Go(p.task));
}

// The VMAs are given up before mmap_lock is.
TEST_P(VmaLockTest, UnlockingFreesTheVmasFirst) {
  Process p(GetParam());
  task_struct* third = p.w.SpawnSharing(p.task);
  p.HoldForWriting(kBase);
  p.w.Start(p.other,
            [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_write_unlock(p.mm); });
  ASSERT_TRUE(p.w.RunUntil(p.other, Point::kVmaEndWriteAll));
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task)) << "the first fault came too early";
  ASSERT_TRUE(p.w.RunUntil(p.other, Point::kUpWrite));
  p.StartAccess(third, kBase + 2 * kPage, /*write=*/true);
  EXPECT_TRUE(p.w.Go(third));
}

TEST_P(VmaLockTest, DowngradingFreesTheVmas) {
  Process p(GetParam());
  p.HoldForWriting(kBase);
  p.w.Run(p.other, [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    mmap_write_downgrade(p.mm);
  });
  p.StopInAFault();
  EXPECT_TRUE(VmaIsReadLocked(p.VmaAt(kBase)));
  EXPECT_EQ(p.mm->mmap_lock.readers, 1u) << "only the one who downgraded";
}

TEST_P(VmaLockTest, ForbiddenAccessIsRefusedUnderIt) {
  Process p(GetParam());
  p.w.Run(p.other, [] { (void)do_mprotect(kBase, 4 * kPage, PROT_READ); });
  p.HoldForWriting();
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
  EXPECT_FALSE(VmaIsReadLocked(p.VmaAt(kBase)));
}

TEST_P(VmaLockTest, KernelsOwnFaultsTakeMmapLock) {
  Process p(GetParam());
  p.HoldForWriting();
  p.StartAccess(p.task, kBase + kPage, /*write=*/true, /*user_mode=*/false);
  EXPECT_FALSE(p.w.Go(p.task));
  p.Release();
  EXPECT_TRUE(p.w.Go(p.task));
}

// ---- Faults that a VMA lock is not enough for ------------------------------

struct NotEnoughCase {
  const char* name;
  address_space::Kind kind;  // kDevice: anonymous
  uint64_t flags;
  bool write;
  bool goes_on;  // under the VMA's lock
};

class NotEnoughTest : public testing::TestWithParam<NotEnoughCase> {};

TEST_P(NotEnoughTest, FaultsUnderMmapLock) {
  const NotEnoughCase& c = GetParam();
  for (const char* version : {kSemaphore, kRefcount}) {
    SCOPED_TRACE(version);
    Process p(version);
    const bool anonymous = c.kind == address_space::kDevice;
    constexpr uint64_t kAt = kBase + 0x10000000;
    p.Map({.addr = kAt,
           .length = 4 * kPage,
           .prot = kReadWrite,
           .flags = c.flags | MAP_FIXED | (anonymous ? MAP_ANONYMOUS : 0),
           .mapping = anonymous ? nullptr : NewMapping(p.w.mm(), c.kind, 4)});
    p.HoldForWriting();
    p.StartAccess(p.task, kAt, c.write);
    EXPECT_EQ(p.w.Go(p.task), c.goes_on);
    p.Release();
    EXPECT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kOk);
    EXPECT_FALSE(VmaIsReadLocked(p.VmaAt(kAt)));
    // Once it has anonymous pages, private memory needs no more.
    p.HoldForWriting();
    p.StartAccess(p.task, kAt + kPage, c.write);
    EXPECT_EQ(p.w.Go(p.task), c.kind != address_space::kSecretmem);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, NotEnoughTest,
    testing::Values(NotEnoughCase{"FirstAnonymousPage", address_space::kDevice,
                                  MAP_PRIVATE, true, false},
                    NotEnoughCase{"ZeroPage", address_space::kDevice,
                                  MAP_PRIVATE, false, true},
                    NotEnoughCase{"FileRead", address_space::kFile, MAP_PRIVATE,
                                  false, true},
                    NotEnoughCase{"FirstCopyOfAFile", address_space::kFile,
                                  MAP_PRIVATE, true, false},
                    NotEnoughCase{"SharedFile", address_space::kFile,
                                  MAP_SHARED, true, true},
                    NotEnoughCase{"Shmem", address_space::kShmem, MAP_SHARED,
                                  true, true},
                    NotEnoughCase{"SecretmemRead", address_space::kSecretmem,
                                  MAP_SHARED, false, false},
                    NotEnoughCase{"SecretmemWrite", address_space::kSecretmem,
                                  MAP_SHARED, true, false}),
    [](const auto& test) { return test.param.name; });

// A page that is there, mapped from the file, is copied on the first write.
TEST_P(VmaLockTest, FirstCopyOnWriteNeedsMmapLock) {
  Process p(GetParam());
  constexpr uint64_t kAt = kBase + 0x10000000;
  p.Map({.addr = kAt,
         .length = kPage,
         .prot = kReadWrite,
         .flags = MAP_PRIVATE | MAP_FIXED,
         .mapping = NewMapping(p.w.mm(), address_space::kFile, 1)});
  p.StartAccess(p.task, kAt, /*write=*/false);
  ASSERT_TRUE(p.w.Go(p.task));
  p.HoldForWriting();
  p.StartAccess(p.task, kAt, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  p.Release();
  EXPECT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
}

TEST_P(VmaLockTest, FirstHugePageNeedsMmapLock) {
  Process p(GetParam());
  constexpr uint64_t kHuge = uint64_t{2} << 20;
  p.Map(AnonAt(kBase + kHuge, kHuge / kPage));
  p.w.Run(p.other,
          [] { (void)do_madvise(kBase + kHuge, kHuge, MADV_HUGEPAGE); });
  p.HoldForWriting();
  p.StartAccess(p.task, kBase + kHuge, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  p.Release();
  EXPECT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
}

TEST_P(VmaLockTest, DevicePrivateMemoryNeedsMmapLock) {
  Process p(GetParam());
  p.w.Run(p.other, [&p] {
    int level = 0;
    auto* entry =
        const_cast<pte_t*>(FindEntry(mm_state(), p.mm, kBase, &level));
    *entry = swp_entry(SwpType::kDevicePrivate, pte_pfn(*entry));
    flush_tlb_mm(p.mm);
  });
  p.HoldForWriting();
  p.StartAccess(p.task, kBase, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  p.Release();
  EXPECT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk) << "the driver brings it back";
}

TEST_P(VmaLockTest, IsDroppedWhileUserfaultfdResolves) {
  Process p(GetParam());
  vm_area_struct* vma = p.VmaAt(kBase);
  vma->vm_flags |= VM_UFFD_MISSING;
  p.StartAccess(p.task, kBase + kPage, /*write=*/false);
  ASSERT_FALSE(p.w.Go(p.task)) << "it sleeps";
  EXPECT_FALSE(VmaIsReadLocked(vma));
  p.w.Kill(p.task);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kEfault);
  EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
}

// ---- Writers wait for readers ----------------------------------------------

struct WriterCase {
  const char* name;
  void (*run)(mm_struct* mm);
  bool waits;
};

class WriterTest : public testing::TestWithParam<WriterCase> {};

// A fault is under way in the VMA at kBase, four pages of it.
TEST_P(WriterTest, WaitsForAReaderOfEachVmaThatItChanges) {
  const WriterCase& c = GetParam();
  for (const char* version : {kSemaphore, kRefcount}) {
    SCOPED_TRACE(version);
    Process p(version);
    p.StopInAFault();
    const vm_area_struct* vma = p.VmaAt(kBase);
    auto* run = c.run;
    mm_struct* mm = p.mm;
    p.w.Start(p.other, [run, mm] { run(mm); });
    EXPECT_EQ(p.w.Go(p.other), !c.waits);
    EXPECT_EQ(vma->vm_start, kBase) << "it changed beside its reader";
    EXPECT_EQ(vma->vm_end, kBase + 4 * kPage);
    EXPECT_EQ(vma->vm_flags & (VM_WRITE | VM_LOCKED | VM_DONTCOPY), VM_WRITE);
    ASSERT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kOk);
    EXPECT_TRUE(p.w.Go(p.other));
    EXPECT_FALSE(p.w.engine().verdict());
    p.w.EndGracePeriods();
    EXPECT_EQ(p.w.Problems(), "");
  }
}

void MapAt(uint64_t page, uint64_t pages, uint64_t prot = kReadWrite) {
  (void)vm_mmap({.addr = kBase + page * kPage,
                 .length = pages * kPage,
                 .prot = prot,
                 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
}

INSTANTIATE_TEST_SUITE_P(
    Calls, WriterTest,
    testing::Values(
        WriterCase{"Munmap",
                   [](mm_struct*) { (void)vm_munmap(kBase, 4 * kPage); }, true},
        WriterCase{"MunmapOfItsStart",
                   [](mm_struct*) { (void)vm_munmap(kBase, kPage); }, true},
        WriterCase{
            "MunmapOfItsEnd",
            [](mm_struct*) { (void)vm_munmap(kBase + 3 * kPage, kPage); },
            true},
        WriterCase{"MapOverIt", [](mm_struct*) { MapAt(3, 1, PROT_READ); },
                   true},
        WriterCase{"MapBelowAndMerge", [](mm_struct*) { MapAt(-1, 1); }, true},
        WriterCase{"MapAboveAndMerge", [](mm_struct*) { MapAt(4, 1); }, true},
        WriterCase{"MapAboveOfAnotherKind",
                   [](mm_struct*) { MapAt(4, 1, PROT_READ); }, false},
        WriterCase{
            "MunmapOfAnother",
            [](mm_struct*) { (void)vm_munmap(kBase + 4 * kPage, kPage); },
            false},
        WriterCase{
            "Mprotect",
            [](mm_struct*) { (void)do_mprotect(kBase, 4 * kPage, PROT_READ); },
            true},
        WriterCase{
            "MprotectThatChangesNothing",
            [](mm_struct*) { (void)do_mprotect(kBase, 4 * kPage, kReadWrite); },
            false},
        WriterCase{"Mlock",
                   [](mm_struct*) {
                     (void)do_mlock(kBase, 4 * kPage, /*on_fault=*/true);
                   },
                   true},
        WriterCase{"Dontfork",
                   [](mm_struct*) {
                     (void)do_madvise(kBase, 4 * kPage, MADV_DONTFORK);
                   },
                   true},
        WriterCase{
            "Dontneed",
            [](mm_struct*) { (void)do_madvise(kBase, kPage, MADV_DONTNEED); },
            false},
        WriterCase{"Fork", [](mm_struct* mm) { mmput(dup_mm(mm)); }, true}),
    [](const auto& test) { return test.param.name; });

// Of merging VMAs the one that goes is locked, too.
TEST_P(VmaLockTest, MergingWaitsForAReaderOfTheUpperVma) {
  Process p(GetParam());
  p.Map({.addr = kBase - kPage,
         .length = kPage,
         .prot = PROT_READ,
         .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
  p.StopInAFault();
  p.w.Start(p.other,
            [] { (void)do_mprotect(kBase - kPage, kPage, kReadWrite); });
  EXPECT_FALSE(p.w.Go(p.other));
  ASSERT_TRUE(p.w.Go(p.task));
  ASSERT_TRUE(p.w.Go(p.other));
  EXPECT_EQ(MapCount(p.mm), 1);
}

// While a writer waits, no reader comes in.
TEST_P(VmaLockTest, WaitingWriterKeepsNewReadersOut) {
  Process p(GetParam());
  task_struct* third = p.w.SpawnSharing(p.task);
  p.StopInAFault();
  p.w.Start(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  ASSERT_FALSE(p.w.Go(p.other));
  AccessResult late = AccessResult::kOk;
  p.w.Start(third, [&late] {
    uint64_t word = 7;
    late = access_user_word(kBase + 2 * kPage, true, &word);
  });
  EXPECT_FALSE(p.w.Go(third)) << "it waits for mmap_lock";
  ASSERT_TRUE(p.w.Go(p.task));
  ASSERT_TRUE(p.w.Go(p.other));
  ASSERT_TRUE(p.w.Go(third));
  EXPECT_EQ(p.result, AccessResult::kOk);
  EXPECT_EQ(late, AccessResult::kSigsegv);
}

// Nobody who may fault is left when exit_mmap() runs; whoever holds a VMA all
// the same is waited for before the page tables go.
TEST_P(VmaLockTest, ExitWaitsForReadersBeforeThePageTablesGo) {
  MmWorld w(GetParam());
  task_struct* task = w.Spawn();
  task_struct* holder = w.SpawnWithoutMm();
  mm_struct* mm = task->mm;
  vm_area_struct* vma = nullptr;
  w.Run(task, [] {
    (void)vm_mmap(AnonAt(kBase, 1));
    uint64_t word = 1;
    (void)access_user_word(kBase, true, &word);
  });
  w.Run(holder, [mm, &vma] {
    mmgrab(mm);
    vma = lock_vma_under_rcu(mm, kBase);
  });
  ASSERT_NE(vma, nullptr);
  w.StartExitMm(task);
  EXPECT_FALSE(w.Go(task));
  EXPECT_NE(mm->pgtables_bytes, 0);
  w.Run(holder, [mm, vma] {
    vma_end_read(vma);
    mmdrop(mm);
  });
  EXPECT_TRUE(w.Go(task));
  EXPECT_EQ(w.mm().mm_slab.live(), 0u);
}

// ---- A VMA that changes between its look-up and its lock -------------------

// Stops the fault of `task` at page `page` after it has found the VMA.
void StopAfterLookup(Process& p, uint64_t page) {
  p.StartAccess(p.task, kBase + page * kPage, /*write=*/true);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaStartRead));
}

TEST(RefcountTest, VmaThatWasFreedIsLookedUpAgain) {
  Process p(kRefcount);
  StopAfterLookup(p, 1);
  p.w.Run(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  EXPECT_EQ(p.w.mm().vma_slab.live(), 0u);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaLookup)) << "it looks again";
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
  EXPECT_FALSE(p.w.engine().verdict());
}

TEST(RefcountTest, LookingAgainFindsWhatTookThePlace) {
  Process p(kRefcount);
  StopAfterLookup(p, 1);
  p.Map(AnonAt(kBase, 4));
  // That it has anonymous pages already, and that mmap_lock is not free, shows
  // that the fault does with the new VMA's lock.
  p.StartAccess(p.other, kBase, /*write=*/true);
  ASSERT_TRUE(p.w.Go(p.other));
  p.HoldForWriting();
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
}

// The slots of freed VMAs are used again; the fault's may then be a VMA of
// another process, or another one of its own.
TEST(RefcountTest, VmaThatBecameAnotherOneIsGivenUp) {
  for (const bool other_mm : {false, true}) {
    SCOPED_TRACE(other_mm ? "of another process" : "elsewhere");
    Process p(kRefcount);
    task_struct* user = other_mm ? p.w.Spawn() : p.other;
    vm_area_struct* vma = p.VmaAt(kBase);
    StopAfterLookup(p, 1);
    p.w.Run(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
    constexpr uint64_t kElsewhere = kBase + 0x10000000;
    for (int i = 0; i < 1000 && !p.w.mm().vma_slab.IsLive(vma); ++i) {
      p.w.Run(user, [] {
        (void)vm_munmap(kElsewhere, kPage);
        (void)vm_mmap(AnonAt(kElsewhere, 1));
      });
    }
    ASSERT_TRUE(p.w.mm().vma_slab.IsLive(vma));
    ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaEndRead)) << "it had it";
    EXPECT_EQ(vma->vm_refcnt, 2u);
    ASSERT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kSigsegv);
    EXPECT_EQ(vma->vm_refcnt, 1u);
    EXPECT_EQ(user->mm->mm_count, 1u);
    EXPECT_FALSE(p.w.engine().verdict());
  }
}

// The other process may be gone as soon as its VMA is let go: it is held.
TEST(RefcountTest, AnotherProcessOfTheVmaOutlivesTheMistake) {
  Process p(kRefcount);
  task_struct* user = p.w.Spawn();
  mm_struct* theirs = user->mm;
  vm_area_struct* vma = p.VmaAt(kBase);
  StopAfterLookup(p, 1);
  p.w.Run(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  for (int i = 0; i < 1000 && !p.w.mm().vma_slab.IsLive(vma); ++i) {
    p.w.Run(user, [] {
      (void)vm_munmap(kBase, 4 * kPage);
      (void)vm_mmap(AnonAt(kBase, 4));
    });
  }
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaEndRead));
  EXPECT_EQ(theirs->pgtables_bytes, 0) << "it faulted in their memory";
  p.w.StartExitMm(user);
  EXPECT_FALSE(p.w.Go(user)) << "its VMA is held";
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_TRUE(p.w.Go(user));
  EXPECT_FALSE(p.w.mm().mm_slab.IsLive(theirs));
  EXPECT_FALSE(p.w.engine().verdict());
}

TEST(SemaphoreTest, VmaIsNotFreedWhileSomebodyMayHaveFoundIt) {
  Process p(kSemaphore);
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaLookup));
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kDownRead)) << "trying the VMA's";
  p.w.Run(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  p.w.EndGracePeriods();
  EXPECT_EQ(p.w.mm().vma_slab.live(), 1u);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaLookup)) << "it looks again";
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
  p.w.EndGracePeriods();
  EXPECT_EQ(p.w.mm().vma_slab.live(), 0u);
}

TEST_P(VmaLockTest, VmaThatShrankIsGivenUp) {
  // Its first page that has gone, and the last.
  for (const uint64_t page : {2, 3}) {
    SCOPED_TRACE(page);
    Process p(GetParam());
    p.StartAccess(p.task, kBase + page * kPage, /*write=*/true);
    ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaLookup));
    ASSERT_TRUE(p.w.RunUntil(p.task, GetParam() == std::string(kRefcount)
                                         ? Point::kVmaStartRead
                                         : Point::kDownRead));
    p.w.Run(p.other, [] { (void)vm_munmap(kBase + 2 * kPage, 2 * kPage); });
    ASSERT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kSigsegv);
    EXPECT_FALSE(VmaIsReadLocked(p.VmaAt(kBase)));
  }
}

// The reader has its reference before it sees that the VMA is write-locked;
// whoever detaches the VMA at that moment waits for it.
TEST(RefcountTest, DetachingWaitsForWhoeverIsAboutToSeeThatItIsLocked) {
  Process p(kRefcount);
  StopAfterLookup(p, 1);
  p.w.Start(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  ASSERT_TRUE(p.w.RunUntil(p.other, Point::kVmaDetach));
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kVmaLockSeq));
  EXPECT_FALSE(p.w.Go(p.other));
  EXPECT_FALSE(p.w.Go(p.task)) << "it waits for mmap_lock now";
  ASSERT_TRUE(p.w.Go(p.other));
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
}

// munmap() of two VMAs has detached the first, which is still in the tree, and
// waits for a reader of the second.
TEST(RefcountTest, DetachedVmaInTheTreeIsWaitedFor) {
  Process p(kRefcount);
  task_struct* third = p.w.SpawnSharing(p.task);
  constexpr uint64_t kUpper = kBase + 8 * kPage;
  p.Map(AnonAt(kUpper, 1));
  vm_area_struct* vma = p.VmaAt(kBase);
  p.w.Start(third, [] {
    uint64_t word = 7;
    (void)access_user_word(kUpper, false, &word);
  });
  ASSERT_TRUE(p.w.RunUntil(third, Point::kHandleMmFault));
  p.w.Start(p.other, [] { (void)vm_munmap(kBase, 9 * kPage); });
  ASSERT_FALSE(p.w.Go(p.other));
  EXPECT_EQ(vma->vm_refcnt, 0u);
  p.StartAccess(p.task, kBase + kPage, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  EXPECT_FALSE(rwsem_is_contended(&p.mm->mmap_lock))
      << "it spins on the tree, it does not queue for mmap_lock";
  ASSERT_TRUE(p.w.Go(third));
  ASSERT_TRUE(p.w.Go(p.other));
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
}

// ---- Beside a reaper -------------------------------------------------------

void Reap(mm_struct* mm) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  mmap_read_lock(mm);
  (void)__oom_reap_task_mm(mm);
  mmap_read_unlock(mm);
}

TEST_P(VmaLockTest, DoesNotKeepAReaperFromAPageThatIsThere) {
  Process p(GetParam());
  p.StopInAFault();
  p.w.Run(p.other, [&p] { Reap(p.mm); });
  EXPECT_EQ(get_mm_counter_sum(p.mm, MM_ANONPAGES), 0);
  // The fault has not yet seen what the reaper did: the flag under the entry's
  // lock says so.
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigbus);
  EXPECT_EQ(get_mm_counter_sum(p.mm, MM_ANONPAGES), 0);
  EXPECT_EQ(p.w.Problems(), "");
}

// The fault is inside the lock of its entry, before or after it has looked at
// the flag: the reaper waits there, and takes the page away again.
TEST_P(VmaLockTest, PageThatCameFirstIsReapedAfterIt) {
  Process p(GetParam());
  p.StopInAFault();
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kFlagRead));
  p.w.Start(p.other, [&p] { Reap(p.mm); });
  EXPECT_FALSE(p.w.Go(p.other)) << "the entry's lock";
  EXPECT_TRUE((p.mm->flags >> MMF_UNSTABLE & 1) != 0);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigbus) << "it looked after the reaper";
  ASSERT_TRUE(p.w.Go(p.other));
  EXPECT_EQ(get_mm_counter_sum(p.mm, MM_ANONPAGES), 0);
}

TEST_P(VmaLockTest, PageInstalledBesideAReaperIsReaped) {
  Process p(GetParam());
  ASSERT_EQ(p.Write(p.task, 1), AccessResult::kOk);
  p.StartAccess(p.task, kBase + 2 * kPage, /*write=*/true);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kFlagRead));
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kSpinUnlock)) << "it is installed";
  p.w.Start(p.other, [&p] { Reap(p.mm); });
  EXPECT_FALSE(p.w.Go(p.other));
  EXPECT_EQ(get_mm_counter_sum(p.mm, MM_ANONPAGES), 3);
  ASSERT_TRUE(p.w.Go(p.task));
  ASSERT_TRUE(p.w.Go(p.other));
  EXPECT_EQ(get_mm_counter_sum(p.mm, MM_ANONPAGES), 0);
  EXPECT_EQ(p.w.Problems(), "");
}

// ---- madvise ---------------------------------------------------------------

struct MadviseCase {
  const char* name;
  const char* version;
  int advice;
  uint64_t first_page;
  uint64_t pages;
  bool uffd;
  bool goes_on;
};

class MadviseBesideAWriterTest : public testing::TestWithParam<MadviseCase> {};

// There are two VMAs: four pages, and four others above them.
TEST_P(MadviseBesideAWriterTest, NeedsMmapLockUnlessOneVmaIsEnough) {
  const MadviseCase& c = GetParam();
  Process p(c.version);
  p.Map({.addr = kBase + 4 * kPage,
         .length = 4 * kPage,
         .prot = PROT_READ,
         .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
  if (c.uffd) p.VmaAt(kBase)->vm_flags |= VM_UFFD_WP;
  p.HoldForWriting();
  int result = -1;
  p.w.Start(p.task, [&c, &result] {
    result =
        do_madvise(kBase + c.first_page * kPage, c.pages * kPage, c.advice);
  });
  EXPECT_EQ(p.w.Go(p.task), c.goes_on);
  p.Release();
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(result, 0);
  EXPECT_FALSE(VmaIsReadLocked(p.VmaAt(kBase)));
}

INSTANTIATE_TEST_SUITE_P(
    Advice, MadviseBesideAWriterTest,
    testing::Values(
        MadviseCase{"Dontneed", "v6.18", MADV_DONTNEED, 0, 4, false, true},
        MadviseCase{"Free", "v6.18", MADV_FREE, 0, 4, false, true},
        MadviseCase{"DontneedLocked", "v6.18", /*MADV_DONTNEED_LOCKED=*/24, 0,
                    4, false, true},
        MadviseCase{"OfTwoVmas", "v6.18", MADV_DONTNEED, 3, 2, false, false},
        MadviseCase{"OfAWatchedVma", "v6.18", MADV_DONTNEED, 0, 4, true, false},
        MadviseCase{"Cold", "v6.18", MADV_COLD, 0, 4, false, false},
        MadviseCase{"DontneedInV616", "v6.16", MADV_DONTNEED, 0, 4, false,
                    false},
        MadviseCase{"DontneedInV515", "v5.15-rc1", MADV_DONTNEED, 0, 4, false,
                    false}),
    [](const auto& test) { return test.param.name; });

TEST(MadviseBesideAWriterTest, IsHeldUpIfTheVmaIsWriteLocked) {
  Process p(kRefcount);
  p.HoldForWriting(kBase);
  p.w.Start(p.task, [] { (void)do_madvise(kBase, kPage, MADV_DONTNEED); });
  EXPECT_FALSE(p.w.Go(p.task));
}

// ---- Rules -----------------------------------------------------------------

TEST_P(VmaLockTest, IsFoundOnlyWhereThereIsAVma) {
  Process p(GetParam());
  bool found[3];
  p.w.Run(p.task, [&p, &found] {
    const uint64_t kAt[] = {kBase - 1, kBase + 4 * kPage - 1,
                            kBase + 4 * kPage};
    for (int i = 0; i < 3; ++i) {
      vm_area_struct* vma = lock_vma_under_rcu(p.mm, kAt[i]);
      found[i] = vma != nullptr;
      if (vma != nullptr) vma_end_read(vma);
    }
  });
  EXPECT_FALSE(found[0]);
  EXPECT_TRUE(found[1]);
  EXPECT_FALSE(found[2]);
  EXPECT_EQ(p.task->thread->rcu_nesting, 0u);
}

// What userfaultfd does: the VMA's lock is taken under mmap_lock, which is then
// dropped.
TEST_P(VmaLockTest, MayBeTakenUnderMmapLock) {
  Process p(GetParam());
  p.w.Run(p.task, [&p] {
    mmap_read_lock(p.mm);
    vm_area_struct* vma = find_vma(p.mm, kBase);
    vma_start_read_locked(vma);
    mmap_read_unlock(p.mm);
  });
  p.w.Start(p.other, [] { (void)vm_munmap(kBase, 4 * kPage); });
  EXPECT_FALSE(p.w.Go(p.other));
  p.w.Run(p.task, [&p] { vma_end_read(find_vma(p.mm, kBase)); });
  EXPECT_TRUE(p.w.Go(p.other));
}

TEST_P(VmaLockTest, WaitingForMmapLockInsideItIsAnInversion) {
  Process p(GetParam());
  p.HoldForWriting(kBase);  // the right order
  p.Release();
  p.w.Run(p.task, [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    (void)lock_vma_under_rcu(p.mm, kBase);
    mmap_read_lock(p.mm);
  });
  EXPECT_EQ(p.w.engine().TakeVerdict().kind, VerdictKind::kLockOrder);
}

TEST_P(VmaLockTest, TryingMmapLockInsideItIsNone) {
  Process p(GetParam());
  p.HoldForWriting(kBase);
  p.Release();
  p.w.Run(p.task, [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    vm_area_struct* vma = lock_vma_under_rcu(p.mm, kBase);
    if (mmap_read_trylock(p.mm)) mmap_read_unlock(p.mm);
    vma_end_read(vma);
  });
  EXPECT_FALSE(p.w.engine().verdict());
}

struct MisuseCase {
  const char* name;
  void (*run)(mm_struct* mm);
};

class MisuseTest : public testing::TestWithParam<MisuseCase> {};

TEST_P(MisuseTest, IsAVerdict) {
  Process p(kRefcount);
  auto* run = GetParam().run;
  mm_struct* mm = p.mm;
  p.w.Run(p.task, [run, mm] { run(mm); });
  EXPECT_EQ(p.w.engine().TakeVerdict().kind, VerdictKind::kInvariantBroken);
}

INSTANTIATE_TEST_SUITE_P(
    Rules, MisuseTest,
    testing::Values(
        MisuseCase{"WriteLockingUnderTheReadLock",
                   [](mm_struct* mm) {
                     mmap_read_lock(mm);
                     vma_start_write(find_vma(mm, kBase));
                     mmap_read_unlock(mm);
                   }},
        MisuseCase{"DetachingUnlocked",
                   [](mm_struct* mm) {
                     mmap_write_lock(mm);
                     vma_mark_detached(find_vma(mm, kBase));
                     mmap_write_unlock(mm);
                   }},
        MisuseCase{"DetachingTwice",
                   [](mm_struct* mm) {
                     mmap_write_lock(mm);
                     vm_area_struct* vma = find_vma(mm, kBase);
                     vma_start_write(vma);
                     vma_mark_detached(vma);
                     vma_mark_detached(vma);
                     mmap_write_unlock(mm);
                   }},
        MisuseCase{"AttachingTwice",
                   [](mm_struct* mm) {
                     mmap_write_lock(mm);
                     vm_area_struct* vma = find_vma(mm, kBase);
                     vma_start_write(vma);
                     vma_mark_attached(vma);
                     mmap_write_unlock(mm);
                   }},
        MisuseCase{"FreeingAttached",
                   [](mm_struct* mm) { vm_area_free(find_vma(mm, kBase)); }},
        MisuseCase{"UnlockingUnheld",
                   [](mm_struct* mm) { vma_end_read(find_vma(mm, kBase)); }}),
    [](const auto& test) { return test.param.name; });

// ---- Stacks ----------------------------------------------------------------

constexpr uint64_t kStackTop = kBase + 0x10000000;
constexpr uint64_t kGap = 256;  // pages: stack_guard_gap

// A stack of one page below kStackTop.
void MapStack(Process& p) {
  p.Map(AnonAt(kStackTop - kPage, 1, MAP_GROWSDOWN));
}

struct StackCase {
  const char* name;
  uint64_t pages_down;  // how far below kStackTop the access is
  uint64_t below_down;  // where another mapping ends; 0: there is none
  uint64_t below_prot;
  uint64_t below_flags;
  uint64_t pages_after;  // of the stack; 1: it did not grow
};

class StackTest : public testing::TestWithParam<StackCase> {};

TEST_P(StackTest, GrowsDownToAFault) {
  const StackCase& c = GetParam();
  for (const char* version : {"v5.15-rc1", "v6.4", "v6.18"}) {
    SCOPED_TRACE(version);
    Process p(version);
    MapStack(p);
    if (c.below_down != 0) {
      p.Map({.addr = kStackTop - (c.below_down + 1) * kPage,
             .length = kPage,
             .prot = c.below_prot,
             .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | c.below_flags});
    }
    const uint64_t total_vm = TotalVm(p.mm);
    p.StartAccess(p.task, kStackTop - c.pages_down * kPage, /*write=*/true);
    ASSERT_TRUE(p.w.Go(p.task));
    const bool grew = c.pages_after > 1;
    EXPECT_EQ(p.result, grew ? AccessResult::kOk : AccessResult::kSigsegv);
    const vm_area_struct* stack = p.VmaAt(kStackTop - 1);
    EXPECT_EQ(stack->vm_start, kStackTop - c.pages_after * kPage);
    EXPECT_EQ(stack->vm_pgoff, stack->vm_start / kPage);
    EXPECT_EQ(TotalVm(p.mm), total_vm + c.pages_after - 1);
    EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
    EXPECT_EQ(p.w.Problems(), "");
  }
}

constexpr uint64_t kLimit = 2048;  // pages: RLIMIT_STACK

INSTANTIATE_TEST_SUITE_P(
    Branches, StackTest,
    testing::Values(
        StackCase{"ByAPage", 2, 0, 0, 0, 2},
        StackCase{"ByMore", 100, 0, 0, 0, 100},
        StackCase{"ToItsLimit", kLimit, 0, 0, 0, kLimit},
        StackCase{"NotBeyondItsLimit", kLimit + 1, 0, 0, 0, 1},
        StackCase{"UpToTheGapAboveAMapping", 10, 10 + kGap, PROT_READ, 0, 10},
        StackCase{"NotIntoTheGap", 10, 9 + kGap, PROT_READ, 0, 1},
        StackCase{"BesideWhatNobodyMayTouch", 10, 11, PROT_NONE, 0, 10},
        StackCase{"BesideAnotherStack", 10, 11, PROT_READ, MAP_GROWSDOWN, 10}),
    [](const auto& test) { return test.param.name; });

TEST(StackTest, DoesNotGrowIfItIsNone) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    Process p(version);
    p.StartAccess(p.task, kBase - kPage, /*write=*/true);
    ASSERT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kSigsegv);
    EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
  }
}

// Nor does it wait for the lock to grow under.
TEST(StackTest, WhatIsNoneAsksForNoWriteLock) {
  Process p("v6.18");
  p.w.Run(p.other,
          [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_lock(p.mm); });
  p.StartAccess(p.task, kBase - kPage, /*write=*/true);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
}

TEST(StackTest, DoesNotGrowBelowTheLowestAddress) {
  Process p("v6.18");
  constexpr uint64_t kLowest = uint64_t{64} << 10;  // vm.mmap_min_addr
  p.Map(AnonAt(kLowest, 1, MAP_GROWSDOWN));
  p.StartAccess(p.task, kLowest - kPage, /*write=*/true);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kSigsegv);
}

TEST(StackTest, CountsLockedPagesThatItGrowsBy) {
  Process p("v6.18");
  p.Map(AnonAt(kStackTop - kPage, 1, MAP_GROWSDOWN | MAP_LOCKED));
  p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(LockedVm(p.mm), 3u);
}

// Which lock it takes.
TEST(StackTest, GrowsUnderTheWriteLockFromV65On) {
  struct Case {
    const char* version;
    bool goes_on;  // beside a reader
  };
  for (const Case& c : {Case{"v5.15-rc1", true}, Case{"v6.4", true},
                        Case{"v6.5", false}, Case{"v6.18", false}}) {
    SCOPED_TRACE(c.version);
    Process p(c.version);
    MapStack(p);
    p.w.Run(p.other,
            [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_lock(p.mm); });
    p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
    EXPECT_EQ(p.w.Go(p.task), c.goes_on);
    p.w.Run(p.other,
            [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_unlock(p.mm); });
    EXPECT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, AccessResult::kOk);
  }
}

TEST(StackTest, WaitForTheWriteLockEndsWithAFatalSignal) {
  Process p("v6.18");
  MapStack(p);
  p.w.Run(p.other,
          [&p]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_lock(p.mm); });
  p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
  ASSERT_FALSE(p.w.Go(p.task));
  p.w.Kill(p.task);
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kEfault);
  EXPECT_EQ(p.mm->mmap_lock.readers, 1u);
}

// The wait for mmap_lock itself became killable at the same time.
TEST(StackTest, WaitForMmapLockIsDeafToSignalsUpToV64) {
  struct Case {
    const char* version;
    bool ends;
  };
  for (const Case& c : {Case{"v5.15-rc1", false}, Case{"v6.4", false},
                        Case{"v6.5", true}, Case{"v6.18", true}}) {
    SCOPED_TRACE(c.version);
    Process p(c.version);
    p.HoldForWriting(kBase);
    p.StartAccess(p.task, kBase + kPage, /*write=*/true);
    ASSERT_FALSE(p.w.Go(p.task));
    p.w.Kill(p.task);
    EXPECT_EQ(p.w.Go(p.task), c.ends);
  }
}

// Between the read lock and the write lock somebody else was there.
TEST(StackTest, IsLookedUpAgainUnderTheWriteLock) {
  struct Case {
    const char* what;
    void (*meanwhile)();
    AccessResult result;
  };
  const Case kCases[] = {
      {"has grown",
       [] {
         uint64_t word = 1;
         (void)access_user_word(kStackTop - 8 * kPage, true, &word);
       },
       AccessResult::kOk},
      {"is gone", [] { (void)vm_munmap(kStackTop - kPage, kPage); },
       AccessResult::kSigsegv},
      {"is gone, and its memory is another VMA's",
       [] {
         (void)vm_munmap(kStackTop - kPage, kPage);
         (void)vm_mmap(AnonAt(kBase + 64 * kPage, 1));
       },
       AccessResult::kSigsegv},
      {"is no stack any more",
       [] { (void)vm_mmap(AnonAt(kStackTop - kPage, 1)); },
       AccessResult::kSigsegv},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    Process p("v6.18");
    MapStack(p);
    p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
    ASSERT_TRUE(p.w.RunUntil(p.task, Point::kDownWrite));
    auto* meanwhile = c.meanwhile;
    p.w.Run(p.other, [meanwhile] { meanwhile(); });
    ASSERT_TRUE(p.w.Go(p.task));
    EXPECT_EQ(p.result, c.result);
    EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
  }
}

// Two threads under the read lock; the slower one finds that all is done.
TEST(StackTest, GrowsOnceIfTwoFaultsMeet) {
  Process p("v5.15-rc1");
  MapStack(p);
  const uint64_t total_vm = TotalVm(p.mm);
  p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
  ASSERT_TRUE(p.w.RunUntil(p.task, Point::kSpinLock)) << "page_table_lock";
  p.w.Run(p.other, [] {
    uint64_t word = 1;
    (void)access_user_word(kStackTop - 8 * kPage, true, &word);
  });
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
  EXPECT_EQ(p.VmaAt(kStackTop - 1)->vm_start, kStackTop - 8 * kPage);
  EXPECT_EQ(TotalVm(p.mm), total_vm + 7);
}

TEST_P(VmaLockTest, StackWaitsForItsReadersBeforeItGrows) {
  Process p(GetParam());
  task_struct* third = p.w.SpawnSharing(p.task);
  MapStack(p);
  p.w.Start(third, [] {
    uint64_t word = 1;
    (void)access_user_word(kStackTop - kPage, true, &word);
  });
  ASSERT_TRUE(p.w.RunUntil(third, Point::kHandleMmFault));
  p.StartAccess(p.task, kStackTop - 3 * kPage, /*write=*/true);
  EXPECT_FALSE(p.w.Go(p.task));
  ASSERT_TRUE(p.w.Go(third));
  ASSERT_TRUE(p.w.Go(p.task));
  EXPECT_EQ(p.result, AccessResult::kOk);
}

// ---- Placement near stacks -------------------------------------------------

struct PlaceCase {
  const char* name;
  uint64_t hint;  // pages below kStackTop; 0: none
  bool refused;   // the hint is not heeded
};

class PlaceTest : public testing::TestWithParam<PlaceCase> {};

TEST_P(PlaceTest, KeepsTheGapBelowAStack) {
  const PlaceCase& c = GetParam();
  Process p("v6.18");
  MapStack(p);
  const uint64_t hint = kStackTop - c.hint * kPage;
  int64_t addr = 0;
  p.w.Run(p.other, [&addr, hint] {
    addr = vm_mmap({.addr = hint,
                    .length = kPage,
                    .prot = kReadWrite,
                    .flags = MAP_PRIVATE | MAP_ANONYMOUS});
  });
  EXPECT_EQ(static_cast<uint64_t>(addr) != hint, c.refused);
}

// The stack has one page; then the gap; then the page.
INSTANTIATE_TEST_SUITE_P(Hints, PlaceTest,
                         testing::Values(PlaceCase{"InTheGap", kGap + 1, true},
                                         PlaceCase{"BelowIt", kGap + 2, false},
                                         PlaceCase{"OnTheStack", 1, true}),
                         [](const auto& test) { return test.param.name; });

TEST(PlaceTest, GoesBelowTheGapOfAStackNearTheTop) {
  Process p("v6.18");
  int64_t first = 0;
  int64_t second = 0;
  p.w.Run(p.other, [&first, &second] {
    first = vm_mmap({.length = kPage,
                     .prot = kReadWrite,
                     .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN});
    second = vm_mmap({.length = kPage,
                      .prot = kReadWrite,
                      .flags = MAP_PRIVATE | MAP_ANONYMOUS});
  });
  EXPECT_EQ(first - second, static_cast<int64_t>((kGap + 1) * kPage));
}

// ---- munmap() and stacks ---------------------------------------------------

TEST(StackTest, MunmapNextToOneIsNotDowngradedUpToV64) {
  struct Case {
    const char* version;
    uint64_t page;  // of those below the stack, from the lowest, of two VMAs
    bool downgrades;
  };
  for (const Case& c : {Case{"v5.15-rc1", 0, true}, Case{"v5.15-rc1", 1, false},
                        Case{"v6.4", 1, false}, Case{"v6.5", 1, true},
                        Case{"v6.18", 1, true}}) {
    SCOPED_TRACE(c.version);
    Process p(c.version);
    MapStack(p);
    p.Map(AnonAt(kStackTop - 10 * kPage, 2));
    const uint64_t at = kStackTop - (10 - c.page) * kPage;
    p.w.Start(p.other, [at] { (void)vm_munmap(at, kPage); });
    ASSERT_TRUE(p.w.RunUntil(p.other, Point::kZapVma));
    EXPECT_EQ(p.mm->mmap_lock.writer == 0, c.downgrades);
    EXPECT_EQ(p.mm->mmap_lock.readers, c.downgrades ? 1u : 0u);
    ASSERT_TRUE(p.w.Go(p.other));
    EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
    EXPECT_EQ(p.w.Problems(), "");
  }
}

TEST(StackTest, SwitchedMunmapNextToOneIsDowngradedEarlierToo) {
  Process p("v6.4", {Switch::kMunmapAlwaysDowngrades});
  MapStack(p);
  p.Map(AnonAt(kStackTop - 10 * kPage, 2));
  p.w.Start(p.other, [] { (void)vm_munmap(kStackTop - 9 * kPage, kPage); });
  ASSERT_TRUE(p.w.RunUntil(p.other, Point::kZapVma));
  EXPECT_EQ(p.mm->mmap_lock.writer, 0u);
  EXPECT_EQ(p.mm->mmap_lock.readers, 1u);
  ASSERT_TRUE(p.w.Go(p.other));
}

TEST(StackTest, MunmapOfNothingDoesNotDowngrade) {
  Process p("v6.18");
  p.w.Start(p.other, [] { (void)vm_munmap(kBase + 16 * kPage, kPage); });
  EXPECT_FALSE(p.w.RunUntil(p.other, Point::kDowngrade));
  EXPECT_FALSE(rwsem_is_locked(&p.mm->mmap_lock));
}

}  // namespace
}  // namespace reapsim
