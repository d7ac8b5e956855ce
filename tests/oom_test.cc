// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The OOM killer and the OOM reaper, as seen through the whole machine.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mm/kthread.h"
#include "mm/mmap.h"
#include "mm/oom_kill.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"
#include "syscall/syscall_state.h"

namespace reapsim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr uint64_t kSecond = 1'000'000'000;

// A process with that many pages of touched anonymous memory, child of init.
Task& SpawnWith(Kernel& k, const std::string& name, uint64_t pages) {
  Task& task = k.Spawn(name);
  const Bytes size = Pages(pages).bytes();
  const int64_t heap = k.As(task).mmap(size, Anonymous());
  EXPECT_THAT(k.As(task).touch(heap, size), SyscallSucceeds());
  return task;
}

// Keeps the task in an uninterruptible sleep, so that only the reaper can free
// its memory.
void Sleep(Kernel& k, Task& task) {
  k.BlockDriver(true);
  k.Begin(task, [](User user) { (void)user.driver_wait(); });
  EXPECT_EQ(k.RunUntilBlocked(task), Stepped::kBlocked);
}

void ExpectCleanEnd(Kernel& k) { EXPECT_THAT(k.Shutdown(), IsEmpty()); }

bool IsKilled(Task& task) {
  return (task.raw()->signal->flags & SIGNAL_GROUP_EXIT) != 0;
}

// What a task that finds no memory does: it calls the OOM killer.
int64_t RunOutOfMemory() {
  OomState& oom = Here<OomState>();
  mutex_lock(&oom.oom_lock);
  oom_control oc;
  const bool progress = out_of_memory(&oc);
  mutex_unlock(&oom.oom_lock);
  return progress ? 1 : 0;
}

// The same by hand: alt-sysrq-f waits for no victim.
int64_t PressSysrqF() {
  OomState& oom = Here<OomState>();
  mutex_lock(&oom.oom_lock);
  oom_control oc{.order = -1};
  const bool progress = out_of_memory(&oc);
  mutex_unlock(&oom.oom_lock);
  return progress ? 1 : 0;
}

int64_t Badness(Kernel& k, Task& of) {
  task_struct* p = of.raw();
  return k
      .Call(k.init().raw(),
            [p]() -> int64_t {
              // Against 100,000 pages in all: one point of adj is 100 pages.
              const int64_t points = oom_badness(p, 100'000);
              return points == INT64_MIN ? -1 : points;
            })
      .kernel();
}

// ---- The reaper ------------------------------------------------------------

TEST(OomReaper, WaitsTwoSecondsBeforeItReaps) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Sleep(k, victim);
  k.OomKill(victim);
  k.AdvanceTime(2 * kSecond - 1);
  // 64 pages of heap, 1 of stack, 2 copied data pages.
  EXPECT_EQ(victim.mm().rss(MM_ANONPAGES), Pages(67));
  EXPECT_FALSE(victim.mm().oom_skip());
  k.AdvanceTime(1);
  EXPECT_EQ(victim.mm().rss(), Pages(0));
  EXPECT_TRUE(victim.mm().oom_skip());
  EXPECT_TRUE(victim.mm().unstable());
  ExpectCleanEnd(k);
}

TEST(OomReaper, ReapsAtOnceBeforeTheDelayWasAdded) {
  Kernel k({.version = "v5.15-rc1"});
  Task& victim = SpawnWith(k, "victim", 64);
  Sleep(k, victim);
  k.OomKill(victim);
  k.RunUntilIdle();
  EXPECT_EQ(k.now_ns(), 0u);
  EXPECT_EQ(victim.mm().rss(), Pages(0));
  EXPECT_TRUE(victim.mm().oom_skip());
  ExpectCleanEnd(k);
}

TEST(OomReaper, TellsItsStoryInTraceEventsAndInTheLog) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Sleep(k, victim);
  k.OomKill(victim);
  k.AdvanceTime(3 * kSecond);
  const std::string pid = "pid=" + std::to_string(victim.pid());
  EXPECT_THAT(
      k.TraceEvents(),
      ElementsAre(AllOf(StartsWith("mark_victim: " + pid + " comm=victim"),
                        // It reads per-CPU counters, which pass on 32 pages at
                        // a time: of 67 anonymous pages 64, of 8 file pages
                        // none.
                        HasSubstr("anon-rss=256kB"), HasSubstr("file-rss:0kB"),
                        HasSubstr("oom_score_adj=1000")),
                  "wake_reaper: " + pid, "start_task_reaping: " + pid,
                  "finish_task_reaping: " + pid));
  EXPECT_THAT(
      k.Dmesg(),
      ElementsAre(
          AllOf(StartsWith("Out of memory: Killed process"),
                HasSubstr("(victim) total-vm:"), HasSubstr("anon-rss:256kB")),
          // Nothing is left, but the last 3 pages have not been passed on;
          // live kernels of this version say such things, too.
          "oom_reaper: reaped process " + std::to_string(victim.pid()) +
              " (victim), now anon-rss:12kB, file-rss:0kB, shmem-rss:0kB"));
  EXPECT_EQ(victim.mm().rss(), Pages(0));
  ExpectCleanEnd(k);
}

TEST(OomReaper, MarksWithThePidAloneInTheOldForm) {
  Kernel k({.version = "v5.15-rc1"});
  Task& victim = SpawnWith(k, "victim", 4);
  Sleep(k, victim);
  k.OomKill(victim);
  ASSERT_THAT(k.TraceEvents(), Not(IsEmpty()));
  EXPECT_EQ(k.TraceEvents()[0],
            "mark_victim: pid=" + std::to_string(victim.pid()));
  ExpectCleanEnd(k);
}

TEST(OomReaper, LeavesAnMmThatExitHasDealtWithAlone) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  k.OomKill(victim);
  k.RunUntilIdle();  // it exits long before the two seconds are over
  k.AdvanceTime(3 * kSecond);
  for (const std::string& event : k.TraceEvents()) {
    EXPECT_THAT(event, StartsWith("mark_victim"));
  }
  ExpectCleanEnd(k);
}

TEST(OomReaper, GivesUpAfterTenTriesAndHidesTheMm) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  const pid_t tid = static_cast<pid_t>(int64_t{k.As(victim).clone_thread()});
  Task& thread = k.TaskOf(tid);
  k.Begin(thread, [](User user) { (void)user.fork(); });
  ASSERT_EQ(k.RunUntil(thread, Point::kDupMmap), Stepped::kAtPoint);
  k.Hold(thread);  // it keeps mmap_lock for write
  Sleep(k, victim);
  k.OomKill(victim);
  // 2 s of delay, then ten tries with 0.1 s after each.
  k.AdvanceTime(3 * kSecond - 1);
  EXPECT_FALSE(victim.mm().oom_skip());
  k.AdvanceTime(1);
  EXPECT_TRUE(victim.mm().oom_skip());
  EXPECT_FALSE(victim.mm().unstable()) << "it never got to walk";
  EXPECT_THAT(k.Dmesg().back(), StartsWith("oom_reaper: unable to reap pid:"));
  int skipped = 0;
  for (const std::string& event : k.TraceEvents()) {
    skipped += event.starts_with("skip_task_reaping") ? 1 : 0;
  }
  EXPECT_EQ(skipped, 10);
  k.Release(thread);
  ExpectCleanEnd(k);
}

TEST(OomReaper, IsQueuedOnceForAnMmHoweverManyThreadsAreMarked) {
  for (const char* version : {"v5.15-rc1", "v6.18"}) {
    SCOPED_TRACE(version);
    Kernel k({.version = version});
    // Were it to run, the first of two in the queue would be gone at once.
    k.Hold(k.oom_reaper());
    Task& victim = SpawnWith(k, "victim", 8);
    Task& thread =
        k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_thread()}));
    // The thread is about to run out of memory when its group is killed.
    k.BeginCall(thread, RunOutOfMemory);
    ASSERT_EQ(k.RunUntil(thread, Point::kMutexLock), Stepped::kAtPoint);
    k.Hold(thread);
    Sleep(k, victim);
    k.OomKill(victim);
    const Stepped stepped = k.RunUntil(thread, Point::kDoExit);
    if (stepped == Stepped::kAtPoint) k.AdvanceTime(3 * kSecond);
    ASSERT_EQ(k.TakeVerdict().what, "");
    EXPECT_EQ(stepped, Stepped::kAtPoint);
    EXPECT_EQ(k.oom().oom_victims, 2u);
    int woken = 0;
    for (const std::string& event : k.TraceEvents()) {
      woken += event.starts_with("wake_reaper") ? 1 : 0;
    }
    EXPECT_EQ(woken, 1);
    k.Release(thread);
    k.Release(k.oom_reaper());
    ExpectCleanEnd(k);
  }
}

TEST(OomReaper, ReapsAllThatAreQueued) {
  Kernel k;
  k.Hold(k.oom_reaper());
  Task& first = SpawnWith(k, "first", 64);
  Task& second = SpawnWith(k, "second", 64);
  for (Task* victim : {&first, &second}) {
    Sleep(k, *victim);
    EXPECT_THAT(k.As(k.init()).oom_score_adj(victim->pid(), 1000),
                SyscallSucceeds());
    EXPECT_THAT(k.Call(k.init().raw(), PressSysrqF),
                SyscallSucceedsWithValue(1));
    ASSERT_TRUE(IsKilled(*victim));
    EXPECT_THAT(k.As(k.init()).oom_score_adj(victim->pid(), -1000),
                SyscallSucceeds());
  }
  k.AdvanceTime(2 * kSecond);  // both are in the queue
  EXPECT_FALSE(first.mm().oom_skip() || second.mm().oom_skip());
  k.Release(k.oom_reaper());
  k.RunUntilIdle();
  EXPECT_TRUE(first.mm().oom_skip());
  EXPECT_TRUE(second.mm().oom_skip());
  ExpectCleanEnd(k);
}

// ---- The reaper with a guard taken out -------------------------------------

TEST(OomReaperSwitched, NeverGivesUpAndNeverHidesTheMm) {
  Kernel k({.switches = {Switch::kReaperNeverGivesUp}});
  Task& victim = SpawnWith(k, "victim", 64);
  Task& thread =
      k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_thread()}));
  k.Begin(thread, [](User user) { (void)user.fork(); });
  ASSERT_EQ(k.RunUntil(thread, Point::kDupMmap), Stepped::kAtPoint);
  k.Hold(thread);  // it keeps mmap_lock for write
  Sleep(k, victim);
  k.OomKill(victim);
  k.AdvanceTime(30 * kSecond);
  EXPECT_FALSE(victim.mm().oom_skip());
  EXPECT_THAT(k.UnmetGoals(),
              ElementsAre(StartsWith("L1: the memory of the OOM victim victim"),
                          StartsWith("L3: the OOM reaper is not done")));
  k.Release(thread);
  ExpectCleanEnd(k);
}

TEST(OomReaperSwitched, IsAUserOfTheMmWhileItWalks) {
  for (const bool pins : {false, true}) {
    SCOPED_TRACE(pins);
    Kernel k(
        {.switches = pins ? Switches{Switch::kReaperPinsMmUsers} : Switches{}});
    Task& victim = SpawnWith(k, "victim", 64);
    Sleep(k, victim);
    k.OomKill(victim);
    const uint32_t users = victim.mm().users();
    k.Hold(k.oom_reaper());
    k.AdvanceTime(2 * kSecond);
    ASSERT_EQ(k.RunUntil(k.oom_reaper(), Point::kReapVma), Stepped::kAtPoint);
    EXPECT_EQ(victim.mm().users(), users + (pins ? 1 : 0));
    k.Release(k.oom_reaper());
    ExpectCleanEnd(k);
  }
}

// The reaper has got to work when exit_mmap(), beside it, is done.
TEST(OomReaperSwitched, WalksAnMmThatIsDoneWith) {
  for (const bool rechecks : {true, false}) {
    SCOPED_TRACE(rechecks);
    Kernel k({.switches =
                  rechecks ? Switches{} : Switches{Switch::kReaperNoRecheck}});
    Task& victim = SpawnWith(k, "victim", 64);
    const std::string pid = "pid=" + std::to_string(victim.pid());
    Sleep(k, victim);
    k.OomKill(victim);
    k.Hold(k.oom_reaper());
    k.AdvanceTime(2 * kSecond);
    ASSERT_EQ(k.RunUntil(k.oom_reaper(), Point::kOomReapTask),
              Stepped::kAtPoint);
    k.BlockDriver(false);
    k.RunUntilIdle();
    k.Release(k.oom_reaper());
    k.RunUntilIdle();
    EXPECT_EQ(
        k.TraceEvents().back(),
        (rechecks ? "skip_task_reaping: " : "start_task_reaping: ") + pid);
    EXPECT_EQ(
        k.TakeVerdict().what,
        rechecks
            ? ""
            : "S19: a reaper walks an mm that exit_mmap() has taken apart");
    if (rechecks) ExpectCleanEnd(k);
  }
}

// ---- Selection -------------------------------------------------------------

TEST(OomKiller, ChoosesTheLargestProcess) {
  Kernel k;
  Task& small = SpawnWith(k, "small", 16);
  Task& large = SpawnWith(k, "large", 64);
  Task& middle = SpawnWith(k, "middle", 32);
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallSucceedsWithValue(1));
  EXPECT_TRUE(IsKilled(large));
  EXPECT_FALSE(IsKilled(small));
  EXPECT_FALSE(IsKilled(middle));
  ExpectCleanEnd(k);
}

TEST(OomKiller, ChoosesTheLaterOfEquals) {
  Kernel k;
  Task& first = SpawnWith(k, "first", 16);
  Task& second = SpawnWith(k, "second", 16);
  ASSERT_EQ(Badness(k, first), Badness(k, second));
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_FALSE(IsKilled(first));
  EXPECT_TRUE(IsKilled(second));
  ExpectCleanEnd(k);
}

TEST(OomKiller, CountsResidentPagesSwapAndPageTables) {
  Kernel k;
  Task& task = SpawnWith(k, "task", 64);
  // 64 of the 67 anonymous pages have reached the counter that is read (see
  // above), none of the 8 file pages; and the page tables, in pages.
  const int64_t tables =
      static_cast<int64_t>(task.mm().page_tables().raw() / 4096);
  EXPECT_EQ(Badness(k, task), 64 + tables);
  EXPECT_THAT(k.As(task).oom_score_adj(task.pid(), 10), SyscallSucceeds());
  EXPECT_EQ(Badness(k, task), 64 + tables + 10 * 100);
  ExpectCleanEnd(k);
}

TEST(OomKiller, CountsWhatIsSwappedOut) {
  Kernel k;
  Task& task = k.Spawn("task");
  const int64_t heap = k.As(task).mmap(Pages(64).bytes(), Anonymous());
  EXPECT_THAT(k.As(task).touch(heap, Pages(64).bytes()), SyscallSucceeds());
  EXPECT_THAT(k.As(task).madvise(heap, Pages(64).bytes(), MADV_PAGEOUT),
              SyscallSucceeds());
  EXPECT_EQ(task.mm().rss(MM_SWAPENTS), Pages(64));
  // All 64 slots have reached the counter that is read; and of the 64 pages
  // that are gone only 32 have left theirs.
  const int64_t tables =
      static_cast<int64_t>(task.mm().page_tables().raw() / 4096);
  EXPECT_EQ(Badness(k, task), 64 + 32 + tables);
  ExpectCleanEnd(k);
}

TEST(OomKiller, KeepsItsHandsOffTheUnkillable) {
  Kernel k;
  Task& exempt = SpawnWith(k, "exempt", 64);
  EXPECT_THAT(k.As(exempt).oom_score_adj(exempt.pid(), -1000),
              SyscallSucceeds());
  Task& other = SpawnWith(k, "other", 1);
  EXPECT_EQ(Badness(k, exempt), -1);
  EXPECT_EQ(Badness(k, k.init()), -1);
  EXPECT_EQ(Badness(k, k.oom_reaper()), -1);
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_FALSE(IsKilled(exempt));
  EXPECT_TRUE(IsKilled(other));
  ExpectCleanEnd(k);
}

TEST(OomKiller, PassesOverAVforkChild) {
  Kernel k;
  Task& parent = SpawnWith(k, "parent", 16);
  k.Begin(parent, [](User user) { (void)user.vfork(); });
  (void)k.RunUntilBlocked(parent);
  EXPECT_EQ(Badness(k, k.NewestTask()), -1);
  EXPECT_GT(Badness(k, parent), 0);
  ExpectCleanEnd(k);
}

TEST(OomKiller, WaitsForAVictimThatMayStillFreeItsMemory) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Task& next = SpawnWith(k, "next", 32);
  Sleep(k, victim);
  k.OomKill(victim);
  // The scan is given up: that counts as progress, and nobody else dies.
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallSucceedsWithValue(1));
  EXPECT_FALSE(IsKilled(next));
  k.AdvanceTime(3 * kSecond);  // the reaper hides the victim's mm
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_TRUE(IsKilled(next));
  ExpectCleanEnd(k);
}

TEST(OomKiller, WaitsForItsVictimThoughOthersGrowLarger) {
  Kernel k;
  // One before the victim in the list, a candidate until the victim is met,
  // and one behind.
  Task& before = SpawnWith(k, "before", 16);
  Task& victim = SpawnWith(k, "victim", 64);
  Task& behind = SpawnWith(k, "behind", 16);
  Sleep(k, victim);
  (void)k.As(k.init()).run_out_of_memory();
  ASSERT_TRUE(IsKilled(victim));
  for (Task* task : {&before, &behind}) {
    const int64_t heap = k.As(*task).mmap(Pages(128).bytes(), Anonymous());
    EXPECT_THAT(k.As(*task).touch(heap, Pages(128).bytes()), SyscallSucceeds());
  }
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallSucceedsWithValue(1));
  EXPECT_FALSE(IsKilled(before));
  EXPECT_FALSE(IsKilled(behind));
  ExpectCleanEnd(k);
}

// The sharer is no OOM victim itself, only killed with one.
TEST(OomKiller, PassesOverHiddenMemoryWhoeverHasIt) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Task& sharer = k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_vm()}));
  Task& next = SpawnWith(k, "next", 1);
  Sleep(k, victim);
  Sleep(k, sharer);
  k.OomKill(victim);
  EXPECT_GT(Badness(k, sharer), 0);
  k.AdvanceTime(3 * kSecond);  // the reaper hides what they share
  EXPECT_EQ(Badness(k, sharer), -1);
  EXPECT_THAT(k.As(k.init()).oom_score_adj(sharer.pid(), 1000),
              SyscallSucceeds());
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_TRUE(IsKilled(next));
  ExpectCleanEnd(k);
}

TEST(OomKiller, LetsACallerThatDiesThrough) {
  Kernel k;
  Task& caller = SpawnWith(k, "caller", 1);
  Task& large = SpawnWith(k, "large", 64);
  k.BeginCall(caller, RunOutOfMemory);
  ASSERT_EQ(k.RunUntil(caller, Point::kMutexLock), Stepped::kAtPoint);
  EXPECT_THAT(k.As(k.init()).kill(caller.pid(), SIGKILL), SyscallSucceeds());
  k.RunUntilIdle();
  EXPECT_FALSE(caller.has_mm());
  EXPECT_FALSE(IsKilled(large));
  EXPECT_THAT(k.Dmesg(), IsEmpty());
  EXPECT_THAT(k.TraceEvents(),
              ElementsAre(StartsWith("mark_victim: pid=" +
                                     std::to_string(caller.pid()))));
  ExpectCleanEnd(k);
}

TEST(OomKiller, LetsGoOfAVictimThatHasJustLeftItsMemory) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  k.BeginCall(k.init(), RunOutOfMemory);
  // To be weighed, and to be killed.
  for (int locked = 0; locked < 2; ++locked) {
    ASSERT_EQ(k.RunUntil(k.init(), Point::kSpinLock), Stepped::kAtPoint);
  }
  k.Hold(k.init());
  EXPECT_THAT(k.As(victim).exit_group(0), SyscallNeverReturns());
  ASSERT_FALSE(victim.has_mm());
  EXPECT_EQ(k.Finish(k.init()), Stepped::kDone);
  EXPECT_THAT(k.Dmesg(), ElementsAre(HasSubstr("(victim) is already exiting")));
  EXPECT_EQ(k.oom().oom_victims, 0u);
  k.Release(k.init());
  ExpectCleanEnd(k);
}

TEST(OomKiller, StillSelectsAProcessAfterProcessMrelease) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Task& lmkd = k.Spawn("lmkd");
  const int fd =
      static_cast<int>(int64_t{k.As(lmkd).pidfd_open(victim.pid(), 0)});
  Sleep(k, victim);
  EXPECT_THAT(k.As(lmkd).kill(victim.pid(), SIGKILL), SyscallSucceeds());
  EXPECT_THAT(k.As(lmkd).process_mrelease(fd, 0), SyscallSucceeds());
  // Its page tables are left to count, and 3 pages that the per-CPU counters
  // have not passed on; above all, it counts: MMF_OOM_SKIP is not set.
  EXPECT_EQ(Badness(k, victim),
            static_cast<int64_t>(victim.mm().page_tables().raw() / 4096) + 3);
  ExpectCleanEnd(k);
}

TEST(OomKiller, KillsTheAllocatingTaskIfToldTo) {
  Kernel k;
  k.oom().sysctl_oom_kill_allocating_task = true;
  Task& self = SpawnWith(k, "self", 1);
  Task& large = SpawnWith(k, "large", 64);
  EXPECT_THAT(k.As(self).run_out_of_memory(), SyscallSucceedsWithValue(1));
  EXPECT_TRUE(IsKilled(self));
  EXPECT_FALSE(IsKilled(large));
  ExpectCleanEnd(k);
}

TEST(OomKiller, PanicsIfToldTo) {
  Kernel k;
  k.oom().sysctl_panic_on_oom = 1;
  (void)SpawnWith(k, "large", 64);
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallNeverReturns());
  EXPECT_THAT(k.TakeVerdict().what, HasSubstr("panic_on_oom"));
}

TEST(OomKiller, PanicsWhenNobodyIsLeftToKill) {
  Kernel k;
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallNeverReturns());
  EXPECT_THAT(k.TakeVerdict().what,
              HasSubstr("System is deadlocked on memory"));
}

TEST(OomKiller, OnlyHelpsAVictimThatIsDyingAnyway) {
  Kernel k;
  Task& dying = SpawnWith(k, "dying", 64);
  Sleep(k, dying);
  EXPECT_THAT(k.As(k.init()).kill(dying.pid(), SIGKILL), SyscallSucceeds());
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_THAT(k.Dmesg(), IsEmpty()) << "no kill, no message";
  EXPECT_EQ(dying.raw()->thread_flags & TIF_MEMDIE, TIF_MEMDIE);
  EXPECT_EQ(k.oom().oom_victims, 1u);
  ExpectCleanEnd(k);
}

TEST(OomKiller, KillsEverybodyWhoSharesTheMemory) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Task& sharer = k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_vm()}));
  Task& other = SpawnWith(k, "other", 1);
  k.OomKill(victim);
  EXPECT_TRUE(IsKilled(victim));
  EXPECT_TRUE(IsKilled(sharer));
  EXPECT_FALSE(IsKilled(other));
  ExpectCleanEnd(k);
}

TEST(OomKiller, HidesAtOnceWhatInitShares) {
  Kernel k;
  Task& child =
      k.TaskOf(static_cast<pid_t>(int64_t{k.As(k.init()).clone_vm()}));
  k.OomKill(child);
  EXPECT_TRUE(IsKilled(child));
  EXPECT_FALSE(IsKilled(k.init()));
  EXPECT_TRUE(k.init().mm().oom_skip());
  EXPECT_FALSE(k.init().mm().unstable());
  EXPECT_THAT(k.Dmesg().back(), HasSubstr("has mm pinned by 1 (init)"));
  // It never reaches the reaper.
  k.AdvanceTime(3 * kSecond);
  for (const std::string& event : k.TraceEvents()) {
    EXPECT_THAT(event, Not(StartsWith("wake_reaper")));
  }
}

// ---- Frozen victims --------------------------------------------------------

struct ThawCase {
  const char* name;
  const char* version;
  bool whole_process;
};

class OomThawTest : public ::testing::TestWithParam<ThawCase> {};

TEST_P(OomThawTest, LetsThreadsOutOfTheFreezer) {
  Kernel k({.version = GetParam().version});
  Task& victim = SpawnWith(k, "victim", 8);
  Task& thread =
      k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_thread()}));
  EXPECT_THAT(k.As(k.init()).freeze_v1(victim.pid(), true), SyscallSucceeds());
  k.RunUntilIdle();
  ASSERT_TRUE(victim.raw()->frozen && thread.raw()->frozen);
  k.OomKill(victim);
  k.RunUntilIdle();
  // The marked thread, the leader, gets out and dies; the other only where the
  // whole process is thawed.
  EXPECT_EQ(thread.phase() == TaskPhase::kGone, GetParam().whole_process);
  EXPECT_EQ(victim.has_mm(), false);
  k.AdvanceTime(3 * kSecond);  // and the reaper has been there
  if (GetParam().whole_process) {
    EXPECT_THAT(k.UnmetGoals(), IsEmpty());
  } else {
    EXPECT_THAT(k.UnmetGoals(), ElementsAre(StartsWith("L2: everybody who")));
  }
  ExpectCleanEnd(k);
}

const ThawCase kThawCases[] = {
    {"OnlyTheMarkedOneInV515rc1", "v5.15-rc1", false},
    {"AllOfThemInV618", "v6.18", true},
};
INSTANTIATE_TEST_SUITE_P(, OomThawTest, ::testing::ValuesIn(kThawCases),
                         [](const auto& info) { return info.param.name; });

// ---- Running out of frames -------------------------------------------------

TEST(OutOfFrames, KillsTheLargestAndLetsTheAllocationGoOn) {
  // 512 frames in all.
  Kernel k({.memory = 512 * 4096, .swap = 0});
  Task& hog = SpawnWith(k, "hog", 256);
  Task& small = k.Spawn("small");
  const Bytes size = Pages(300).bytes();
  const int64_t heap = k.As(small).mmap(size, Anonymous());
  EXPECT_THAT(k.As(small).touch(heap, size), SyscallSucceeds());
  EXPECT_NE(hog.phase(), TaskPhase::kAlive);
  EXPECT_THAT(k.Dmesg()[0], HasSubstr("(hog)"));
  EXPECT_EQ(small.mm().rss(MM_ANONPAGES), Pages(300 + 3));
  ExpectCleanEnd(k);
}

TEST(OomKiller, DoesNothingWhileDisabled) {
  Kernel k;
  Task& large = SpawnWith(k, "large", 64);
  EXPECT_THAT(k.Call(k.init().raw(),
                     []() -> int64_t { return oom_killer_disable(1) ? 1 : 0; }),
              SyscallSucceedsWithValue(1));
  EXPECT_THAT(k.As(k.init()).run_out_of_memory(), SyscallSucceedsWithValue(0));
  EXPECT_FALSE(IsKilled(large));
  k.Call(k.init().raw(), []() -> int64_t {
    oom_killer_enable();
    return 0;
  });
  (void)k.As(k.init()).run_out_of_memory();
  EXPECT_TRUE(IsKilled(large));
  ExpectCleanEnd(k);
}

TEST(OomKiller, IsNotDisabledWhileAVictimLives) {
  Kernel k;
  Task& victim = SpawnWith(k, "victim", 64);
  Sleep(k, victim);
  k.OomKill(victim);
  EXPECT_THAT(k.Call(k.init().raw(),
                     []() -> int64_t { return oom_killer_disable(5) ? 1 : 0; }),
              SyscallSucceedsWithValue(0));
  EXPECT_FALSE(k.oom().oom_killer_disabled);
  ExpectCleanEnd(k);
}

}  // namespace
}  // namespace reapsim
