// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// exit_mmap() step by step, in each of its protocols: what it has done at
// which point, whom it waits for, and what it leaves behind.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <string>
#include <vector>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "mm/smaps.h"
#include "mm/testing.h"
#include "mm/vma.h"

namespace reapsim {
namespace {

constexpr uint64_t kBase = 0x100000000;
constexpr uint64_t kApart = 0x10000000;
constexpr const char* kAllProtocols[] = {"v5.15-rc1", "v5.17-rc1", "v5.19",
                                         "v6.1", "v6.18"};

bool HasBit(const mm_struct* mm, unsigned bit) {
  return (mm->flags >> bit & 1) != 0;
}

// A dying task with two VMAs of four touched pages, whose mm_struct a walker
// keeps alive by mm_count, as process_mrelease() does.
class Dying {
 public:
  explicit Dying(const char* version, bool empty = false,
                 Switches switches = {})
      : w_(version, {}, switches),
        task_(w_.Spawn()),
        walker_(w_.SpawnWithoutMm()),
        mm_(task_->mm) {
    w_.Run(walker_, [mm = mm_] { mmgrab(mm); });
    if (empty) return;
    for (const uint64_t at : {kBase, kBase + kApart}) Map(at);
  }
  ~Dying() {
    if (!w_.engine().stopped()) {
      EXPECT_TRUE(w_.Go(task_));
      w_.Run(walker_, [mm = mm_] { mmdrop(mm); });
    }
    const Verdict verdict = w_.engine().TakeVerdict();
    EXPECT_FALSE(verdict) << verdict.ToString();
    if (w_.engine().stopped()) return;
    w_.EndGracePeriods();
    EXPECT_EQ(w_.Problems(), "");
    EXPECT_EQ(w_.mm().mm_slab.live(), 0u);
    EXPECT_EQ(w_.mm().vma_slab.live(), 0u);
    EXPECT_EQ(w_.mm().ptdesc_slab.live(), 0u);
  }

  void Map(uint64_t at) {
    w_.Run(task_, [at] {
      (void)vm_mmap({.addr = at,
                     .length = 4 * PAGE_SIZE,
                     .prot = PROT_READ | PROT_WRITE,
                     .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
      for (uint64_t i = 0; i < 4; ++i) {
        uint64_t word = i + 1;
        (void)access_user_word(at + i * PAGE_SIZE, /*write=*/true, &word);
      }
    });
  }
  void Lock(uint64_t at) {
    w_.Run(task_, [at] { (void)do_mlock(at, 4 * PAGE_SIZE, false); });
  }
  // As the OOM killer marks it.
  void MarkAsOomVictim() { mm_->flags |= uint64_t{1} << MMF_OOM_VICTIM; }
  mmu_notifier* Subscribe() {
    mmu_notifier* s = nullptr;
    w_.Run(task_, [&s]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mm_struct* mm = current()->mm;
      mmap_write_lock(mm);
      s = mmu_notifier_register(mm, /*interval=*/false, 0, ~uint64_t{0});
      mmap_write_unlock(mm);
    });
    return s;
  }

  void Exit() { w_.StartExitMm(task_); }
  // Whether the exit comes to stand before the point.
  bool Reaches(Point point) { return w_.RunUntil(task_, point); }
  // Whether it is over.
  bool Ends() { return w_.Go(task_); }
  void ReadLock() {
    w_.Run(walker_,
           [mm = mm_]() ABSL_NO_THREAD_SAFETY_ANALYSIS { mmap_read_lock(mm); });
  }
  void ReadUnlock() {
    w_.Run(walker_, [mm = mm_]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
      mmap_read_unlock(mm);
    });
  }
  template <class Fn>
  void Walker(Fn fn) {
    w_.Run(walker_, fn);
  }

  uint64_t Rss() const { return ReportMemory(mm_).rss; }
  uint64_t LockedPages() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return mm_->locked_vm;
  }
  int LockedVmas() const {
    int count = 0;
    for (const VmaReport& vma : ReportMemory(mm_).vmas) {
      if ((vma.vm_flags & VM_LOCKED) != 0) count++;
    }
    return count;
  }
  bool TreeIsEmpty() const ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return mm_->mm_mt.empty();
  }
  bool IsLocked() const {
    return mm_->mmap_lock.readers != 0 || mm_->mmap_lock.writer != 0;
  }
  bool hidden() const { return HasBit(mm_, MMF_OOM_SKIP); }
  bool unstable() const { return HasBit(mm_, MMF_UNSTABLE); }
  mm_struct* mm() const { return mm_; }
  Engine& engine() { return w_.engine(); }
  MmState& state() { return w_.mm(); }

 private:
  MmWorld w_;
  task_struct* task_;
  task_struct* walker_;
  mm_struct* mm_;
};

// ---- In the right order ----------------------------------------------------

TEST(ExitMmap, UnmapsThenFreesTablesThenVmas) {
  for (const char* version : kAllProtocols) {
    SCOPED_TRACE(version);
    Dying d(version);
    const int64_t tables = d.mm()->pgtables_bytes;
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_EQ(d.Rss(), 2 * 16 * 1024u);
    ASSERT_TRUE(d.Reaches(Point::kExitMmapFreePgtables));
    EXPECT_EQ(d.Rss(), 0u);
    EXPECT_EQ(d.mm()->pgtables_bytes, tables);
    EXPECT_EQ(d.state().vma_slab.live(), 2u);
    ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
    EXPECT_EQ(d.mm()->pgtables_bytes, 0);
    EXPECT_EQ(d.mm()->tlb_flush_pending, 0u);
    EXPECT_EQ(d.state().vma_slab.live(), 0u);
    EXPECT_TRUE(d.TreeIsEmpty());
    EXPECT_FALSE(d.IsLocked());
  }
}

TEST(ExitMmap, TakesNothingApartWhereThereIsNothing) {
  for (const char* version : kAllProtocols) {
    SCOPED_TRACE(version);
    Dying d(version, /*empty=*/true);
    d.Exit();
    EXPECT_FALSE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_TRUE(d.Ends());
    EXPECT_FALSE(d.IsLocked());
    EXPECT_FALSE(d.hidden());
  }
}

TEST(ExitMmap, ReleasesNotifiersFirst) {
  for (const char* version : kAllProtocols) {
    SCOPED_TRACE(version);
    Dying d(version);
    mmu_notifier* driver = d.Subscribe();
    // It would have to wait for the driver if it still asked it.
    driver->busy = true;
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_TRUE(driver->released);
    ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
    EXPECT_EQ(driver->starts, 0u);
  }
}

// ---- OOM victims, up to v6.0 -----------------------------------------------

TEST(ExitMmap, ReapsAndHidesAnOomVictimBeforeItUnmaps) {
  for (const char* version : {"v5.15-rc1", "v5.17-rc1", "v5.19"}) {
    SCOPED_TRACE(version);
    Dying d(version);
    d.MarkAsOomVictim();
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kReapVma));
    EXPECT_FALSE(d.hidden()) << "the reaper may still be of help";
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_EQ(d.Rss(), 0u);
    EXPECT_TRUE(d.unstable());
    EXPECT_TRUE(d.hidden());
  }
}

// S18: whoever sees the flag may count on the pages being gone.
TEST(ExitMmap, HidesTheMmOnlyOnceAllIsUnmapped) {
  for (const char* version : {"v6.1", "v6.18"}) {
    SCOPED_TRACE(version);
    Dying d(version);
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kZapVma));
    EXPECT_FALSE(d.hidden());
    ASSERT_TRUE(d.Reaches(Point::kZapVma)) << "the second VMA";
    EXPECT_FALSE(d.hidden());
    ASSERT_TRUE(d.Reaches(Point::kExitMmapFreePgtables));
    EXPECT_TRUE(d.hidden());
  }
}

TEST(ExitMmap, ReapsNobodyElse) {
  for (const char* version : kAllProtocols) {
    SCOPED_TRACE(version);
    Dying d(version);
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_FALSE(d.unstable());
    EXPECT_FALSE(d.hidden());
  }
}

TEST(ExitMmap, V515WaitsForAReaperOnlyIfItIsAnOomVictims) {
  for (const bool marked : {false, true}) {
    SCOPED_TRACE(marked);
    Dying d("v5.15-rc1");
    if (marked) d.MarkAsOomVictim();
    d.ReadLock();
    d.Exit();
    EXPECT_EQ(d.Reaches(Point::kExitMmapUnmap), !marked);
    d.ReadUnlock();
    EXPECT_TRUE(d.Ends());
  }
}

// ---- Locked memory ---------------------------------------------------------

// v5.18 left it to the walk. The count of locked pages then stays as it was.
TEST(ExitMmap, MunlocksFirstUpToV517) {
  struct Case {
    const char* version;
    uint64_t pages;
    int vmas;
  };
  for (const Case& c :
       {Case{"v5.15-rc1", 0, 0}, Case{"v5.17-rc1", 0, 0}, Case{"v5.17", 0, 0},
        Case{"v5.19", 8, 2}, Case{"v6.1", 8, 2}, Case{"v6.18", 8, 2}}) {
    SCOPED_TRACE(c.version);
    Dying d(c.version);
    // Between them one that is not locked.
    d.Map(kBase + 2 * kApart);
    d.Lock(kBase);
    d.Lock(kBase + 2 * kApart);
    ASSERT_EQ(d.LockedPages(), 8u);
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_EQ(d.LockedPages(), c.pages);
    EXPECT_EQ(d.LockedVmas(), c.vmas);
  }
}

// ---- Beside readers --------------------------------------------------------

struct ReaderCase {
  const char* version;
  bool unmaps;  // with a reader inside
  bool frees_tables;
};

TEST(ExitMmap, WaitsForReadersAsItsVersionDoes) {
  for (const ReaderCase& c :
       {ReaderCase{"v5.15-rc1", true, true},
        ReaderCase{"v5.17-rc1", false, false},
        ReaderCase{"v5.19", false, false}, ReaderCase{"v6.1", true, false},
        ReaderCase{"v6.18", true, false}}) {
    SCOPED_TRACE(c.version);
    Dying d(c.version);
    d.ReadLock();
    d.Exit();
    EXPECT_EQ(d.Reaches(Point::kExitMmapUnmap), c.unmaps);
    EXPECT_EQ(d.Reaches(Point::kExitMmapFreePgtables), c.frees_tables);
    // Whoever comes later is told by the flag, before the tables go.
    EXPECT_EQ(d.hidden(), c.unmaps && !c.frees_tables);
    d.ReadUnlock();
    EXPECT_TRUE(d.Ends());
  }
}

// An empty tree may hold the marker of a failed fork from v6.8 on: it is
// destroyed under the write lock.
TEST(ExitMmap, WaitsForReadersOfAnEmptyTreeOnlyWhereItMayHoldAMarker) {
  struct Case {
    const char* version;
    bool waits;
  };
  for (const Case& c : {Case{"v5.15-rc1", false}, Case{"v5.19", true},
                        Case{"v6.1", false}, Case{"v6.18", true}}) {
    SCOPED_TRACE(c.version);
    Dying d(c.version, /*empty=*/true);
    d.ReadLock();
    d.Exit();
    EXPECT_EQ(d.Ends(), !c.waits);
    d.ReadUnlock();
    EXPECT_TRUE(d.Ends());
  }
}

// ---- Afterwards ------------------------------------------------------------

// A reaper that gets the lock after it all must find no VMA, from either end.
TEST(ExitMmap, LeavesNoVmaToBeFound) {
  for (const char* version : {"v5.19", "v6.1", "v6.18"}) {
    SCOPED_TRACE(version);
    Dying d(version);
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
    bool first = true;
    bool last = true;
    d.Walker([&, mm = d.mm()] {
      first = vma_first(mm) != nullptr;
      last = vma_last(mm) != nullptr;
    });
    EXPECT_FALSE(first);
    EXPECT_FALSE(last);
    EXPECT_FALSE(d.engine().stopped());
  }
}

// v5.15 and v5.17-rc1 to rc5 left the mm pointing at what it had freed.
TEST(ExitMmap, LeftTheListDanglingInOlderVersions) {
  for (const char* version : {"v5.15-rc1", "v5.17-rc1"}) {
    SCOPED_TRACE(version);
    Dying d(version);
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
    d.Walker([mm = d.mm()] { (void)vma_first(mm); });
    EXPECT_EQ(d.engine().TakeVerdict().kind, VerdictKind::kUseAfterFree);
  }
}

// ---- With a guard taken out ------------------------------------------------

TEST(ExitMmapSwitched, IsTheVersionsWhereTheSwitchMeansNothing) {
  struct Case {
    const char* version;
    Switch id;
  };
  for (const Case& c : {Case{"v5.15-rc1", Switch::kExitWithoutLock},
                        Case{"v5.15-rc1", Switch::kFreePgtablesUnderReadLock},
                        Case{"v5.19", Switch::kMunlockBesideReapers},
                        Case{"v6.18", Switch::kExitTrustsCurrent}}) {
    SCOPED_TRACE(c.version);
    Dying d(c.version, /*empty=*/false, {c.id});
    d.ReadLock();
    d.Exit();
    const ReaderCase as_ever = std::string(c.version) == "v5.15-rc1"
                                   ? ReaderCase{c.version, true, true}
                               : std::string(c.version) == "v5.19"
                                   ? ReaderCase{c.version, false, false}
                                   : ReaderCase{c.version, true, false};
    EXPECT_EQ(d.Reaches(Point::kExitMmapUnmap), as_ever.unmaps);
    EXPECT_EQ(d.Reaches(Point::kExitMmapFreePgtables), as_ever.frees_tables);
    d.ReadUnlock();
    EXPECT_TRUE(d.Ends());
  }
}

TEST(ExitMmapSwitched, FreesTablesBesideReaders) {
  for (const Switch id :
       {Switch::kFreePgtablesUnderReadLock, Switch::kExitWithoutLock}) {
    for (const char* version :
         {"v5.17-rc1", "v5.19", "v6.1", "v6.4", "v6.18"}) {
      SCOPED_TRACE(version);
      Dying d(version, /*empty=*/false, {id});
      d.ReadLock();
      d.Exit();
      ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
      EXPECT_EQ(d.mm()->pgtables_bytes, 0);
      EXPECT_EQ(d.state().vma_slab.live(), 0u);
      // From v6.1 on the mm is hidden, as ever.
      EXPECT_EQ(d.hidden(), version[1] == '6');
      d.ReadUnlock();
    }
  }
}

TEST(ExitMmapSwitched, LeavesTheListDanglingUnderTheLocksOfItsVersion) {
  for (const char* version : {"v5.19", "v6.1", "v6.18"}) {
    SCOPED_TRACE(version);
    Dying d(version, /*empty=*/false, {Switch::kExitLeavesVmasLinked});
    d.ReadLock();
    d.Exit();
    EXPECT_FALSE(d.Reaches(Point::kExitMmapFreePgtables));
    d.ReadUnlock();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapDone));
    d.Walker([mm = d.mm()] { (void)vma_first(mm); });
    EXPECT_EQ(d.engine().TakeVerdict().kind, VerdictKind::kUseAfterFree);
  }
}

TEST(ExitMmapSwitched, MunlocksAnOomVictimThatIsNotHiddenYet) {
  for (const char* version : {"v5.15-rc1", "v5.17"}) {
    SCOPED_TRACE(version);
    Dying d(version, /*empty=*/false, {Switch::kMunlockBesideReapers});
    d.Lock(kBase);
    d.MarkAsOomVictim();
    d.ReadLock();
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap)) << "with a reaper inside";
    EXPECT_EQ(d.LockedVmas(), 0);
    EXPECT_FALSE(d.hidden());
    EXPECT_FALSE(d.unstable()) << "it has not reaped itself";
    EXPECT_FALSE(d.Reaches(Point::kExitMmapFreePgtables)) << "it waits here";
    EXPECT_TRUE(d.hidden());
    d.ReadUnlock();
    EXPECT_TRUE(d.Ends());
  }
}

// H5: whoever drops the last user of an OOM victim's mm is no OOM victim.
TEST(ExitMmapSwitched, DoesNotKnowAVictimsMmIfAnotherTaskTearsItDown) {
  for (const char* version : {"v5.15-rc1", "v5.19"}) {
    SCOPED_TRACE(version);
    Dying d(version, /*empty=*/false, {Switch::kExitTrustsCurrent});
    d.MarkAsOomVictim();
    d.Exit();
    ASSERT_TRUE(d.Reaches(Point::kExitMmapUnmap));
    EXPECT_FALSE(d.unstable());
    EXPECT_FALSE(d.hidden());
  }
}

}  // namespace
}  // namespace reapsim
