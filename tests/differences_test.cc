// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Each difference between versions that is modelled can be seen: two kernels
// that differ in it alone give another answer, have another effect, or go
// through other steps. What base/difference_table.cc names as the test that
// shows a difference is one of these.

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/errno_names.h"
#include "base/kernel_version.h"
#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "mm/oom_kill.h"
#include "mm/pgtable.h"
#include "mm/userfaultfd.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "states/states.h"
#include "syscall/kernel.h"
#include "syscall/signal.h"

namespace reapsim {
namespace {

constexpr uint64_t kAddr = uint64_t{1} << 40;
constexpr uint64_t kPage = 4096;
constexpr uint64_t kSecond = 1'000'000'000;

// ---- Two kernels that differ in one thing -----------------------------------

// Which of all fields is called that.
size_t IndexOf(absl::string_view name) {
  const auto fields = DifferenceFields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name) return i;
  }
  ADD_FAILURE() << "no difference is called " << name;
  return 0;
}

// `to` with the field that it has in `from`. Each field is a byte, in the order
// of DifferenceFields().
Differences WithField(Differences to, const Differences& from, size_t index) {
  static_assert(sizeof(Differences) == sizeof(char[sizeof(Differences)]));
  std::memcpy(reinterpret_cast<char*>(&to) + index,
              reinterpret_cast<const char*>(&from) + index, 1);
  return to;
}

// What is seen on a kernel, in words.
using Observe = std::string (*)(const KernelOptions& options);

struct Row {
  const char* field;
  const char* version;  // the one kernel
  const char* other;    // the other has this version's value of the field
  Observe observe;
  const char* want;        // of the one
  const char* want_other;  // of the other
};

void PrintTo(const Row& row, std::ostream* out) {
  *out << row.field << ", " << row.version << " and " << row.other;
}

// ---- Means -----------------------------------------------------------------

// "0 released", "EINVAL nothing", "unreachable", or how the kernel breaks.
std::string AnswerOf(const KernelOptions& options, const char* state) {
  const absl::StatusOr<Outcome> outcome = Play(*FindState(state), options);
  if (!outcome.ok()) return std::string(outcome.status().message());
  if (outcome->verdict) return std::string(outcome->verdict.what);
  if (!outcome->called) return "unreachable";
  const int error = outcome->ret.error();
  return absl::StrCat(error == 0 ? "0" : ErrnoName(error), " ",
                      EffectName(EffectOf(*outcome)));
}

std::string Said(const SysResult& result) {
  return result.ok() ? "done" : ErrnoName(result.error());
}

// A machine with a victim and somebody who reaps it.
class World {
 public:
  // A bare victim has no memory but what the test gives it.
  explicit World(const KernelOptions& options, bool bare = false)
      : k(options),
        victim(k.Spawn("victim", {.bare = bare})),
        reaper(k.Spawn("reaper")) {}
  ~World() {
    // Worlds are left as they are: what was to be seen has been seen.
    if (k.stopped()) (void)k.TakeVerdict();
  }

  User Victim() { return k.As(victim); }
  User Reaper() { return k.As(reaper); }
  // Anonymous memory of the victim at kAddr, touched.
  void Touch(uint64_t pages, const Mapping& mapping = Anonymous()) {
    const Bytes size = Pages(pages).bytes();
    EXPECT_EQ(int64_t{Victim().mmap(size, mapping.With(MAP_FIXED), kAddr)},
              static_cast<int64_t>(kAddr));
    EXPECT_TRUE(Victim().touch(kAddr, size).ok());
  }
  void Kill() {
    pidfd = static_cast<int>(Reaper().pidfd_open(victim.pid(), 0).kernel());
    EXPECT_TRUE(Reaper().kill(victim.pid(), SIGKILL).ok());
  }
  void Reap() {
    Kill();
    EXPECT_TRUE(Reaper().process_mrelease(pidfd, 0).ok());
  }
  // The call, made but for what comes after the point.
  void ReapUntil(Point point) {
    Kill();
    BeginReap();
    EXPECT_EQ(k.RunUntil(reaper, point), Stepped::kAtPoint);
  }
  void BeginReap() {
    const int fd = pidfd;
    k.BeginCall(reaper, [fd] { return sys_process_mrelease(fd, 0); });
  }
  // How often whoever runs from now on comes by the point.
  void Watch() { k.engine().KeepTrace(); }
  size_t Passed(Point point) {
    size_t times = 0;
    for (const TraceEntry& entry : k.engine().trace()) {
      if (entry.point == point) ++times;
    }
    return times;
  }
  // The same between two points.
  size_t PassedBetween(Point first, Point last, Point point) {
    size_t times = 0;
    bool inside = false;
    for (const TraceEntry& entry : k.engine().trace()) {
      if (entry.point == first) inside = true;
      if (entry.point == last) inside = false;
      if (inside && entry.point == point) ++times;
    }
    return times;
  }
  // A driver wants to be told of what happens to the page at kAddr.
  mmu_notifier* Subscribe() {
    mm_struct* mm = victim.raw()->mm;
    const SysResult subscriber = k.Call(victim.raw(), [mm]() -> int64_t {
      mmap_write_lock(mm);
      mmu_notifier* made =
          mmu_notifier_register(mm, true, kAddr, kAddr + kPage);
      mmap_write_unlock(mm);
      return reinterpret_cast<int64_t>(made);
    });
    return reinterpret_cast<mmu_notifier*>(subscriber.kernel());
  }
  PageCounts Count(uint64_t addr = kAddr, uint64_t pages = 1) {
    return CountPages(victim.mm().raw(), addr, addr + pages * kPage);
  }
  pte_t Entry(uint64_t addr = kAddr) {
    int level = 0;
    const pte_t* entry = FindEntry(k.mm(), victim.mm().raw(), addr, &level);
    return entry == nullptr ? 0 : *entry;
  }
  Task& Softirq() { return k.TaskOf(k.sched().softirq->pid); }
  // Whether the task is through with what it does.
  std::string Ends(Task& task) {
    return k.RunUntilBlocked(task) == Stepped::kDone ? "done" : "waits";
  }

  Kernel k;
  Task& victim;
  Task& reaper;
  int pidfd = -1;
};

// ---- What is seen ----------------------------------------------------------

// The OOM reaper was there between the victim test and the walk.
std::string WalksAfterTheOomReaper(const KernelOptions& options) {
  World w(options);
  w.k.OomKill(w.victim);
  w.k.Hold(w.victim);
  w.pidfd = static_cast<int>(w.Reaper().pidfd_open(w.victim.pid(), 0).kernel());
  w.BeginReap();
  EXPECT_EQ(w.k.RunUntil(w.reaper, Point::kMreleaseChecked), Stepped::kAtPoint);
  w.k.Hold(w.reaper);
  w.k.AdvanceTime(3 * kSecond);
  EXPECT_TRUE(w.victim.mm().oom_skip());
  w.k.Release(w.reaper);
  const Stepped end = w.k.RunUntil(w.reaper, Point::kReapVma);
  return end == Stepped::kAtPoint ? "walks again" : "no second walk";
}

std::string PidReferences(const KernelOptions& options) {
  World w(options);
  w.ReapUntil(Point::kMreleaseChecked);
  return absl::StrCat(w.victim.raw()->signal->leader_pid->count);
}

std::string OpensAThread(const KernelOptions& options) {
  World w(options);
  const SysResult tid = w.Victim().clone_thread();
  return Said(w.Reaper().pidfd_open(static_cast<pid_t>(tid.kernel()), 0));
}

// A process crashes that shares its memory.
std::string DumpKillsSharer(const KernelOptions& options) {
  World w(options);
  Task& sharer = w.k.TaskOf(static_cast<pid_t>(w.Victim().clone_vm().kernel()));
  w.k.BlockDump(true);
  (void)w.Reaper().kill(w.victim.pid(), SIGSEGV);
  w.k.RunUntilIdle();
  const bool dies = (sharer.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
  return dies ? "the sharer dies" : "the sharer runs on";
}

// v5.15's place to wait, with v5.16's place to be told: no thread waits there.
std::string ThreadAwaitsTheDump(const KernelOptions& options) {
  World w(options);
  Task& thread =
      w.k.TaskOf(static_cast<pid_t>(w.Victim().clone_thread().kernel()));
  w.k.BlockDump(true);
  (void)w.Reaper().tgkill(w.victim.pid(), w.victim.pid(), SIGSEGV);
  w.k.RunUntilIdle();
  return thread.has_mm() ? "with its memory" : "no longer";
}

std::string SiglockSectionsOfExit(const KernelOptions& options) {
  World w(options);
  w.k.Begin(w.victim, [](User user) { (void)user.exit_group(0); });
  (void)w.k.RunUntil(w.victim, Point::kDoExit);
  w.Watch();
  (void)w.k.RunUntilBlocked(w.victim);
  return absl::StrCat(
      w.PassedBetween(Point::kDoExit, Point::kExitSignals, Point::kSpinLock));
}

// A thread that is no leader calls exec, and its leader is just being released.
std::string IsAloneWhileItReplacesTheLeader(const KernelOptions& options) {
  World w(options);
  Task& thread =
      w.k.TaskOf(static_cast<pid_t>(w.Victim().clone_thread().kernel()));
  task_struct* raw = thread.raw();
  w.k.Begin(thread, [](User user) { (void)user.execve(); });
  (void)w.k.RunUntilBlocked(thread);
  (void)w.k.RunUntilBlocked(w.victim);
  EXPECT_EQ(w.k.RunUntil(thread, Point::kReleaseTask), Stepped::kAtPoint);
  const SysResult alone = w.k.Call(w.reaper.raw(), [raw]() -> int64_t {
    return thread_group_empty(raw) ? 1 : 0;
  });
  return alone.kernel() == 1 ? "alone" : "not alone";
}

// A victim of the OOM killer comes to unmap its memory by itself.
std::string VictimReapsItself(const KernelOptions& options) {
  World w(options);
  w.Touch(4);
  const mm_struct* mm = w.victim.mm().raw();
  w.k.OomKill(w.victim);
  (void)w.k.RunUntil(w.victim, Point::kExitMmapUnmap);
  return Mm(mm).unstable() ? "reaped" : "not reaped";
}

// Whoever forgets to look again walks an address space that is gone.
std::string WalkWithoutRecheck(const KernelOptions& given) {
  KernelOptions options = given;
  options.switches.Add(Switch::kNoRecheck);
  return AnswerOf(options, "race.exit_after_check");
}

// A task is killed while it forks.
std::string MmOfAFailedFork(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  const mm_struct* old = w.victim.mm().raw();
  w.k.Begin(w.victim, [](User user) { (void)user.fork(); });
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kDupMmap), Stepped::kAtPoint);
  w.k.BeginCall(w.reaper,
                [pid = w.victim.pid()] { return sys_kill(pid, SIGKILL); });
  (void)w.k.RunUntilBlocked(w.reaper);
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kExitMmap), Stepped::kAtPoint);
  const mm_struct* copy = nullptr;
  w.k.mm().mm_slab.ForEach([&](const mm_struct* mm) {
    if (mm->mm_users == 0 && mm != old) copy = mm;
  });
  if (copy == nullptr) return "there is none";
  return Mm(copy).unstable() ? "unstable" : "stable";
}

// No VMA is left, but perhaps what a failed fork leaves.
std::string LocksToFreeAnEmptyTree(const KernelOptions& options) {
  World w(options);
  Task& empty = w.k.Spawn("empty", {.bare = true});
  w.k.Begin(empty, [](User user) { (void)user.exit_group(0); });
  EXPECT_EQ(w.k.RunUntil(empty, Point::kExitMmap), Stepped::kAtPoint);
  w.Watch();
  EXPECT_EQ(w.k.RunUntil(empty, Point::kExitMmapDone), Stepped::kAtPoint);
  return w.Passed(Point::kDownWrite) == 1 ? "locked" : "not locked";
}

std::string TablesAfterMunmap(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  const uint32_t before = w.k.mm().ptdesc_slab.live();
  w.k.Hold(w.Softirq());
  (void)w.Victim().munmap(kAddr, 4_KiB);
  return before == w.k.mm().ptdesc_slab.live() ? "wait" : "are freed at once";
}

std::string OldMmGoesUnderExecUpdateLock(const KernelOptions& options) {
  World w(options);
  w.k.Begin(w.victim, [](User user) { (void)user.execve(); });
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kExitMmap), Stepped::kAtPoint);
  return rwsem_is_locked(&w.victim.raw()->signal->exec_update_lock)
             ? "locked"
             : "not locked";
}

std::string LockedPagesLeft(const KernelOptions& options) {
  World w(options);
  w.Touch(3, Anonymous().Locked());
  w.Reap();
  return absl::StrCat(w.Count(kAddr, 3).anon);
}

// Two VMAs with a hole between them.
std::string FirstReaped(const KernelOptions& options) {
  World w(options);
  w.Touch(3);
  (void)w.Victim().munmap(kAddr + kPage, 4_KiB);
  w.Kill();
  w.BeginReap();
  for (;;) {
    EXPECT_EQ(w.k.RunUntil(w.reaper, Point::kReapVma), Stepped::kAtPoint);
    if (w.Count(kAddr).anon == 0) return "the lower";
    if (w.Count(kAddr + 2 * kPage).anon == 0) return "the higher";
    (void)w.k.RunUntil(w.reaper, Point::kZapVma);
  }
}

std::string EventOfTheReaper(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  const mmu_notifier* seen = w.Subscribe();
  w.Reap();
  return seen->event == MMU_NOTIFY_CLEAR ? "clear" : "unmap";
}

std::string WatchesFor(const KernelOptions& options, uint64_t feature) {
  World w(options);
  return Said(w.Victim().userfaultfd(feature));
}

std::string ProtectsShmem(const KernelOptions& options) {
  World w(options);
  const int memfd =
      static_cast<int>(int64_t{w.Victim().memfd_create(Pages(1))});
  w.Touch(1, File(memfd).Shared());
  const int uffd = static_cast<int>(int64_t{w.Victim().userfaultfd()});
  return Said(
      w.Victim().uffd_register(uffd, kAddr, 4_KiB, UFFDIO_REGISTER_MODE_WP));
}

std::string Poisons(const KernelOptions& options) {
  World w(options);
  const int64_t addr = w.Victim().mmap(4_KiB, Anonymous());
  const int uffd = static_cast<int>(int64_t{w.Victim().userfaultfd()});
  EXPECT_TRUE(
      w.Victim()
          .uffd_register(uffd, addr, 4_KiB, UFFDIO_REGISTER_MODE_MISSING)
          .ok());
  return Said(w.Victim().uffd_poison(uffd, addr, 4_KiB));
}

std::string Guards(const KernelOptions& options, const Mapping& mapping) {
  World w(options);
  w.Touch(1, mapping);
  return Said(w.Victim().madvise(kAddr, 4_KiB, kMadvGuardInstall));
}

std::string GuardsSharedMemory(const KernelOptions& options) {
  World w(options);
  const int memfd =
      static_cast<int>(int64_t{w.Victim().memfd_create(Pages(1))});
  w.Touch(1, File(memfd).Shared());
  return Said(w.Victim().madvise(kAddr, 4_KiB, kMadvGuardInstall));
}

std::string MapsDroppable(const KernelOptions& options) {
  World w(options);
  return Said(w.Victim().mmap(4_KiB, Droppable()));
}

std::string ZeroPagesOfKsm(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  EXPECT_TRUE(w.Victim().store(kAddr, 0).ok());
  EXPECT_TRUE(w.Victim().madvise(kAddr, 4_KiB, MADV_MERGEABLE).ok());
  (void)w.k.StartKsm(/*use_zero_pages=*/true);
  w.k.RunUntilIdle();
  return absl::StrCat(w.Count().zero, " mapped, ",
                      w.victim.mm().raw()->ksm_zero_pages, " counted");
}

std::string MappingsOfAnExclusivePage(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  const pfn_t pfn = pte_pfn(w.Entry());
  EXPECT_TRUE(w.Victim().make_device_exclusive(kAddr).ok());
  return absl::StrCat(pfn_to_page(w.k.mm(), pfn)->_mapcount);
}

// All but one page of a huge page, which is mapped page by page. Eight places
// for pages are there before a batch page is needed.
std::string BatchPagesForAFolio(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  EXPECT_TRUE(
      w.Victim().mmap(2048_KiB, Anonymous().With(MAP_FIXED), kAddr).ok());
  EXPECT_TRUE(w.Victim().madvise(kAddr, 2048_KiB, MADV_HUGEPAGE).ok());
  EXPECT_TRUE(w.Victim().touch(kAddr, 2048_KiB).ok());
  EXPECT_EQ(w.Count(kAddr, 512).huge_anon, 512u);
  EXPECT_TRUE(w.Victim().madvise(kAddr, 4_KiB, MADV_DONTNEED).ok());
  w.ReapUntil(Point::kTlbFlush);
  return absl::StrCat(w.k.mm().gather_slab.live());
}

std::string LocksToFreeEightSwapSlots(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  w.Touch(8);
  EXPECT_TRUE(w.Victim().madvise(kAddr, 32_KiB, MADV_PAGEOUT).ok());
  EXPECT_EQ(w.Count(kAddr, 8).swap, 8u);
  w.Kill();
  w.Watch();
  EXPECT_TRUE(w.Reaper().process_mrelease(w.pidfd, 0).ok());
  // Beside that of the page table.
  return absl::StrCat(
      w.PassedBetween(Point::kReapVma, Point::kTlbFlush, Point::kSpinLock) - 1);
}

std::string FlushesOf9690Pages(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  w.Touch(9690);
  w.Kill();
  w.Watch();
  EXPECT_TRUE(w.Reaper().process_mrelease(w.pidfd, 0).ok());
  return absl::StrCat(w.Passed(Point::kTlbFlush));
}

// Somebody wants the reaper's CPU while it passes a table of empty entries.
std::string LooksAtAnEmptyTable(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  w.Touch(1);
  EXPECT_TRUE(w.Victim().madvise(kAddr, 4_KiB, MADV_DONTNEED).ok());
  w.Kill();
  w.BeginReap();
  EXPECT_EQ(w.k.RunUntil(w.reaper, Point::kReapVma), Stepped::kAtPoint);
  w.reaper.raw()->thread_flags |= TIF_NEED_RESCHED;
  w.Watch();
  EXPECT_EQ(w.k.Finish(w.reaper), Stepped::kDone);
  // Two looks at the entry above it each time.
  return w.Passed(Point::kPteEntry) == 2 ? "once" : "twice";
}

// Of two tables' worth of memory, in which one page is left.
std::string TablesAfterMadvise(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  w.Touch(1024);
  const Bytes before = w.victim.mm().page_tables();
  EXPECT_TRUE(
      w.Victim().madvise(kAddr, Pages(1023).bytes(), MADV_DONTNEED).ok());
  return absl::StrCat(
      (before.raw() - w.victim.mm().page_tables().raw()) / kPage, " freed");
}

std::string MappingsAtTheFlush(const KernelOptions& options) {
  World w(options);
  const int file =
      static_cast<int>(int64_t{w.Victim().open_file(7, Pages(1), true)});
  w.Touch(1, File(file).Shared());
  const pfn_t pfn = pte_pfn(w.Entry());
  w.k.Begin(w.victim, [](User user) { (void)user.munmap(kAddr, 4_KiB); });
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kTlbFlush), Stepped::kAtPoint);
  return absl::StrCat(pfn_to_page(w.k.mm(), pfn)->_mapcount);
}

std::string WalksUnderRcu(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  w.Kill();
  w.Watch();
  EXPECT_TRUE(w.Reaper().process_mrelease(w.pidfd, 0).ok());
  const size_t sections = w.PassedBetween(
      Point::kMreleaseWalk, Point::kMreleaseDrop, Point::kRcuReadLock);
  return sections > 0 ? "under RCU" : "not under RCU";
}

// What others read of it: 40 pages, and the three of the image.
std::string AnonPagesCounted(const KernelOptions& options) {
  World w(options);
  w.Touch(40);
  return absl::StrCat(w.victim.raw()->mm->rss_stat[MM_ANONPAGES].count);
}

// Holds the victim's mmap_lock, for writing or for reading, as the reaper.
void HoldMmapLock(World& w, bool write) {
  mm_struct* mm = w.victim.raw()->mm;
  w.k.BeginCall(w.reaper,
                [mm, write]() ABSL_NO_THREAD_SAFETY_ANALYSIS -> int64_t {
                  write ? mmap_write_lock(mm) : mmap_read_lock(mm);
                  Mark(Point::kDriverWait);
                  write ? mmap_write_unlock(mm) : mmap_read_unlock(mm);
                  return 0;
                });
  EXPECT_EQ(w.k.RunUntil(w.reaper, Point::kDriverWait), Stepped::kAtPoint);
}

std::string FaultBesideAWriter(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  EXPECT_TRUE(w.Victim().madvise(kAddr, 4_KiB, MADV_DONTNEED).ok());
  HoldMmapLock(w, /*write=*/true);
  w.k.Begin(w.victim, [](User user) { (void)user.touch(kAddr, 4_KiB); });
  return w.Ends(w.victim);
}

std::string VmasAfterMunmap(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  w.k.Hold(w.Softirq());
  const uint32_t before = w.k.mm().vma_slab.live();
  EXPECT_TRUE(w.Victim().munmap(kAddr, 4_KiB).ok());
  return w.k.mm().vma_slab.live() == before ? "waits" : "is freed at once";
}

std::string StackGrowsBesideAReader(const KernelOptions& options) {
  World w(options);
  w.Touch(1, Anonymous().With(MAP_GROWSDOWN));
  HoldMmapLock(w, /*write=*/false);
  w.k.Begin(w.victim,
            [](User user) { (void)user.touch(kAddr - kPage, 4_KiB); });
  return w.Ends(w.victim);
}

std::string MadviseBesideAWriter(const KernelOptions& options) {
  World w(options);
  w.Touch(1);
  HoldMmapLock(w, /*write=*/true);
  w.k.Begin(w.victim,
            [](User user) { (void)user.madvise(kAddr, 4_KiB, MADV_DONTNEED); });
  return w.Ends(w.victim);
}

// A task that finds no frame is killed, and its page fault fails.
std::string FaultWithoutMemory(const KernelOptions& options) {
  World w({.version = options.version,
           .differences = options.differences,
           .memory = Pages(256).bytes().raw(),
           .swap = 0});
  const Bytes size = Pages(512).bytes();
  const Mapping unreserved = Anonymous().With(MAP_FIXED | MAP_NORESERVE);
  EXPECT_TRUE(w.Victim().mmap(size, unreserved, kAddr).ok());
  w.k.Begin(w.victim, [size](User user) { (void)user.touch(kAddr, size); });
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kAllocPages), Stepped::kAtPoint);
  w.Kill();
  EXPECT_EQ(w.k.RunUntil(w.victim, Point::kDoExit), Stepped::kAtPoint);
  return w.victim.raw()->signal->oom_mm != nullptr ? "an OOM victim"
                                                   : "not marked";
}

std::string OomKillForAFault(const KernelOptions& options) {
  World w(options);
  w.Touch(64);
  w.k.Call(w.reaper.raw(), []() -> int64_t {
    oom_control oc = {.gfp_mask = 0};
    return out_of_memory(&oc) ? 1 : 0;
  });
  const bool killed = (w.victim.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
  return killed ? "killed" : "nobody is killed";
}

// An OOM victim in an uninterruptible sleep, and no time passes.
std::string ReapsAtOnce(const KernelOptions& options) {
  World w(options);
  w.k.BlockDriver(true);
  w.k.Begin(w.victim, [](User user) { (void)user.driver_wait(); });
  (void)w.k.RunUntilBlocked(w.victim);
  w.k.OomKill(w.victim);
  w.k.RunUntilIdle();
  return w.victim.mm().unstable() ? "reaped" : "not yet";
}

std::string MarkVictimEvent(const KernelOptions& options) {
  World w(options);
  w.k.OomKill(w.victim);
  for (const std::string& event : w.k.TraceEvents()) {
    if (absl::StrContains(event, "mark_victim")) {
      return absl::StrContains(event, "comm=") ? "with fields" : "pid only";
    }
  }
  return "no event";
}

// What the message about the kill says of 43 pages.
std::string AnonInTheMessage(const KernelOptions& options) {
  World w(options);
  w.Touch(40);
  w.k.OomKill(w.victim);
  for (const std::string& line : w.k.Dmesg()) {
    const size_t at = line.find("anon-rss:");
    if (at != std::string::npos)
      return line.substr(at, line.find(',', at) - at);
  }
  return "no message";
}

std::string OtherThreadIsThawed(const KernelOptions& options) {
  World w(options);
  Task& thread =
      w.k.TaskOf(static_cast<pid_t>(w.Victim().clone_thread().kernel()));
  EXPECT_TRUE(w.Reaper().freeze_v1(w.victim.pid(), true).ok());
  w.k.RunUntilIdle();
  w.k.OomKill(w.victim);
  w.k.RunUntilIdle();
  return thread.phase() == TaskPhase::kGone ? "dies" : "stays frozen";
}

// A reaper has been there, but had to leave a VMA with what it has in swap.
std::string SwapoffOfAReapedMm(const KernelOptions& options) {
  World w(options, /*bare=*/true);
  w.Touch(8);
  EXPECT_TRUE(w.Victim().madvise(kAddr, 32_KiB, MADV_PAGEOUT).ok());
  mm_struct* mm = w.victim.raw()->mm;
  w.Subscribe()->busy = true;
  w.Kill();
  EXPECT_EQ(w.Reaper().process_mrelease(w.pidfd, 0).error(), EAGAIN);
  w.k.Hold(w.victim);
  w.k.Begin(w.reaper, [](User user) { (void)user.swapoff(); });
  const std::string end = w.Ends(w.reaper);
  const PageCounts left = CountPages(mm, kAddr, kAddr + 8 * kPage);
  return absl::StrCat(end, ", ", left.anon, " brought back");
}

std::string StateOfAFrozenTask(const KernelOptions& options) {
  World w(options);
  EXPECT_TRUE(w.Reaper().freeze_v1(w.victim.pid(), true).ok());
  w.k.RunUntilIdle();
  return (w.victim.raw()->__state & TASK_FROZEN) != 0 ? "frozen" : "asleep";
}

// ---- The rows --------------------------------------------------------------

#define ANSWER(state) \
  [](const KernelOptions& options) { return AnswerOf(options, state); }

const Row kRows[] = {
    {"has_process_mrelease", "v5.15-rc1", "v5.14", ANSWER("killed.running"),
     "0 released", "ENOSYS nothing"},
    {"mrelease_original_form", "v5.15", "v5.15-rc1",
     ANSWER("race.exit_after_check"), "0 freed_by_exit",
     "S3: a walk over the VMAs of an mm reaches one that has been freed"},
    {"mrelease_pins_mm_users", "v5.15", "v5.17",
     ANSWER("race.exit_after_check"), "0 freed_by_exit",
     "S3: a walk over the VMAs of an mm reaches one that has been freed"},
    {"mrelease_rechecks_oom_skip", "v5.17", "v5.16", WalksAfterTheOomReaper,
     "no second walk", "walks again"},
    {"pidfd_get_task_drops_pid_early", "v5.16", "v5.15", PidReferences, "2",
     "3"},
    {"has_pidfd_thread", "v6.9", "v6.8", ANSWER("pidfd.thread_live"),
     "ESRCH nothing", "unreachable"},
    {"pidfd_self", "v6.15", "v6.14", ANSWER("pidfd.self_thread"),
     "EINVAL nothing", "EBADF nothing"},
    {"pidfd_self", "v6.17", "v6.16", ANSWER("pidfd.self_thread_group"),
     "EINVAL nothing", "EBADF nothing"},
    {"pidfd_open_nonleader_enoent", "v6.15", "v6.14", OpensAThread, "ENOENT",
     "EINVAL"},
    {"dying_vetoed_by_group_coredump_flag", "v5.17", "v5.16",
     ANSWER("coredump.running"), "EINVAL nothing", "0 released"},
    {"coredump_sets_group_exit", "v5.16", "v5.17", ANSWER("coredump.running"),
     "EINVAL nothing", "0 released"},
    {"coredump_kills_mm_sharers", "v5.16", "v5.15", DumpKillsSharer,
     "the sharer runs on", "the sharer dies"},
    {"coredump_waits_in_exit_mm", "v5.16", "v5.15", ThreadAwaitsTheDump,
     "with its memory", "no longer"},
    {"guarantees_group_exit", "v6.1", "v6.0", ANSWER("exit.single_event_exit"),
     "0 released", "EINVAL nothing"},
    {"group_exit_one_siglock_section", "v6.15", "v6.14", SiglockSectionsOfExit,
     "1", "2"},
    {"thread_group_empty_needs_leader", "v6.7", "v6.6",
     IsAloneWhileItReplacesTheLeader, "alone", "not alone"},
    {"exit_mmap_protocol", "v5.17-rc1", "v5.16",
     ANSWER("race.behind_exit_mmap"),
     "S3: a walk over the VMAs of an mm reaches one that has been freed",
     "0 freed_by_exit"},
    {"exit_mmap_protocol", "v5.17", "v5.17-rc1",
     ANSWER("race.behind_exit_mmap"), "0 freed_by_exit",
     "S3: a walk over the VMAs of an mm reaches one that has been freed"},
    {"exit_mmap_protocol", "v6.1", "v6.0", ANSWER("race.exit_during_walk"),
     "0 freed_by_exit", "0 released"},
    {"has_mmf_oom_victim", "v6.0", "v6.1", VictimReapsItself, "reaped",
     "not reaped"},
    {"uses_maple_tree", "v6.1", "v6.0", WalkWithoutRecheck,
     "S19: a reaper walks an mm that exit_mmap() has taken apart",
     "0 freed_by_exit"},
    {"failed_dup_mmap_leaves_marker", "v6.8", "v6.7", LocksToFreeAnEmptyTree,
     "locked", "not locked"},
    {"failed_dup_mmap_hides_mm", "v6.14", "v6.13", MmOfAFailedFork, "unstable",
     "stable"},
    {"frees_tables_by_rcu", "v6.14", "v6.13", TablesAfterMunmap, "wait",
     "are freed at once"},
    {"exec_defers_old_mm", "v7.2", "v7.1", OldMmGoesUnderExecUpdateLock,
     "not locked", "locked"},
    {"reaps_mlocked", "v5.18", "v5.17", LockedPagesLeft, "0", "3"},
    {"walks_in_reverse", "v6.18", "v6.17", FirstReaped, "the higher",
     "the lower"},
    {"notifies_clear", "v7.1", "v7.0", EventOfTheReaper, "clear", "unmap"},
    {"uffd_wp_anon_marker_cleared", "v6.4", "v6.3",
     [](const KernelOptions& options) {
       return WatchesFor(options, UFFD_FEATURE_WP_UNPOPULATED);
     },
     "done", "EINVAL"},
    {"uffd_wp_markers", "v5.19", "v5.18", ProtectsShmem, "done", "EINVAL"},
    {"has_uffd_wp_async", "v6.7", "v6.6",
     [](const KernelOptions& options) {
       return WatchesFor(options, UFFD_FEATURE_WP_ASYNC);
     },
     "done", "EINVAL"},
    {"has_uffd_poison", "v6.6", "v6.5", Poisons, "done", "EINVAL"},
    {"has_guard_markers", "v6.13", "v6.12",
     [](const KernelOptions& options) { return Guards(options, Anonymous()); },
     "done", "EINVAL"},
    {"guards_any_mapping", "v6.15", "v6.14", GuardsSharedMemory, "done",
     "EINVAL"},
    {"has_droppable", "v6.11", "v6.10", MapsDroppable, "done", "EINVAL"},
    {"ksm_counts_zero_pages", "v6.6", "v6.5", ZeroPagesOfKsm,
     "1 mapped, 1 counted", "1 mapped, 0 counted"},
    {"device_exclusive_keeps_rmap", "v6.15", "v6.14", MappingsOfAnExclusivePage,
     "1", "0"},
    {"zap_batches_ptes", "v6.9", "v6.8", BatchPagesForAFolio, "0", "1"},
    {"zap_batches_swap_entries", "v6.10", "v6.9", LocksToFreeEightSwapSlots,
     "1", "8"},
    {"gather_full_early", "v6.9", "v6.8", FlushesOf9690Pages, "2", "1"},
    {"zap_checks_resched_on_none", "v6.14", "v6.13", LooksAtAnEmptyTable,
     "twice", "once"},
    {"delays_rmap", "v6.2", "v6.1", MappingsAtTheFlush, "1", "0"},
    {"pte_map_may_fail", "v6.5", "v6.4", WalksUnderRcu, "under RCU",
     "not under RCU"},
    {"madvise_reclaims_empty_tables", "v6.14", "v6.13", TablesAfterMadvise,
     "1 freed", "0 freed"},
    {"rss_percpu", "v6.2", "v6.1", AnonPagesCounted, "32", "0"},
    {"per_vma_lock", "v6.4", "v6.3", FaultBesideAWriter, "done", "waits"},
    {"per_vma_lock", "v6.15", "v6.14", VmasAfterMunmap, "is freed at once",
     "waits"},
    {"stack_grows_under_write_lock", "v6.5", "v6.4", StackGrowsBesideAReader,
     "waits", "done"},
    {"madvise_locks_vma", "v6.17", "v6.16", MadviseBesideAWriter, "done",
     "waits"},
    {"use_pf_oom_killer", "v5.16", "v5.15", FaultWithoutMemory, "not marked",
     "an OOM victim"},
    {"oom_ignores_zero_gfp_mask", "v6.1", "v6.2", OomKillForAFault, "killed",
     "nobody is killed"},
    {"oom_reaper_delayed", "v5.18", "v5.17", ReapsAtOnce, "not yet", "reaped"},
    {"mark_victim_has_fields", "v6.9", "v6.8", MarkVictimEvent, "with fields",
     "pid only"},
    {"exact_rss_sums", "v7.2", "v7.1", AnonInTheMessage, "anon-rss:172kB",
     "anon-rss:128kB"},
    {"thaws_whole_process", "v6.18", "v6.17", OtherThreadIsThawed, "dies",
     "stays frozen"},
    {"swapoff_skips_unstable", "v6.18", "v6.17", SwapoffOfAReapedMm,
     "waits, 0 brought back", "done, 8 brought back"},
    {"freezer_has_frozen_state", "v6.1", "v6.0", StateOfAFrozenTask, "frozen",
     "asleep"},
};
#undef ANSWER

// "ReapsMlocked"; with the version from the second row of a field on.
std::string NameOf(const Row& row) {
  std::string name;
  bool upper = true;
  for (const char c : absl::string_view(row.field)) {
    if (c != '_') {
      name += static_cast<char>(upper ? std::toupper(c) : c);
    }
    upper = c == '_';
  }
  for (const Row& each : kRows) {
    if (absl::string_view(each.field) != row.field) continue;
    if (absl::string_view(each.version) == row.version) break;
    for (const char c : absl::string_view(row.version)) {
      if (std::isalnum(c) != 0) name += static_cast<char>(std::toupper(c));
    }
    break;
  }
  return name;
}

class DifferencesTest : public ::testing::TestWithParam<Row> {};

TEST_P(DifferencesTest, CanBeSeen) {
  const Row& row = GetParam();
  const Differences one = Resolve(row.version)->differences;
  const Differences other =
      WithField(one, Resolve(row.other)->differences, IndexOf(row.field));
  EXPECT_EQ(DifferingFields(one, other), std::vector<std::string>{row.field});
  EXPECT_EQ(row.observe({.version = row.version, .differences = one}),
            row.want);
  EXPECT_EQ(row.observe({.version = row.version, .differences = other}),
            row.want_other);
  EXPECT_STRNE(row.want, row.want_other);
}

INSTANTIATE_TEST_SUITE_P(, DifferencesTest, ::testing::ValuesIn(kRows),
                         [](const auto& info) { return NameOf(info.param); });

// ---- The table's own words -------------------------------------------------

TEST(DifferenceTable, HasARowHereForEachDifferenceThatIsModelled) {
  std::set<absl::string_view> seen;
  for (const Row& row : kRows) seen.insert(row.field);
  for (const DifferenceField& field : DifferenceFields()) {
    EXPECT_EQ(seen.count(field.name) != 0, field.modelled()) << field.name;
  }
}

TEST(DifferenceTable, NamesTestsThatExist) {
  std::set<std::string> tests;
  const ::testing::UnitTest& unit = *::testing::UnitTest::GetInstance();
  for (int i = 0; i < unit.total_test_suite_count(); ++i) {
    const ::testing::TestSuite& suite = *unit.GetTestSuite(i);
    for (int j = 0; j < suite.total_test_count(); ++j) {
      tests.insert(absl::StrCat("//tests:differences_test ", suite.name(), ".",
                                suite.GetTestInfo(j)->name()));
    }
  }
  for (const DifferenceField& field : DifferenceFields()) {
    EXPECT_EQ(tests.count(std::string(field.shown_by)) != 0, field.modelled())
        << field.name << " is shown by \"" << field.shown_by << "\"";
  }
}

}  // namespace
}  // namespace reapsim
