// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Each invariant of docs/invariants.md can fire: by a switch, in an old
// version, or where a test does what no kernel code does. Those of single files
// of mm/ are tested beside them.

#include "mm/invariants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cerrno>
#include <string>
#include <vector>

#include "mm/memory.h"
#include "mm/mmap.h"
#include "mm/mmu_gather.h"
#include "mm/testing.h"
#include "mm/userfaultfd.h"
#include "mm/vma.h"
#include "sched/freezer.h"
#include "sched/pid.h"
#include "sched/signal.h"
#include "states/states.h"
#include "syscall/fork.h"
#include "syscall/kernel.h"
#include "syscall/matchers.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// ---- By a row of the table of states ---------------------------------------

struct RowCase {
  const char* row;
  const char* version;
  Switches switches;
  Checks checks;
  const char* verdict;  // how it begins
};

std::string VerdictOf(const RowCase& c) {
  absl::StatusOr<std::unique_ptr<Scene>> scene = Scene::Create(
      {.version = c.version, .switches = c.switches, .checks = c.checks});
  EXPECT_TRUE(scene.ok());
  FindState(c.row)->play(**scene);
  const Outcome& outcome = (*scene)->outcome();
  EXPECT_TRUE(outcome.called) << outcome.unreachable;
  if (outcome.verdict) return outcome.verdict.what;
  // It may come only when the world ends.
  (void)(*scene)->Shutdown();
  return (*scene)->k().TakeVerdict().what;
}

class InvariantByRowTest : public ::testing::TestWithParam<RowCase> {};

TEST_P(InvariantByRowTest, Fires) {
  EXPECT_THAT(VerdictOf(GetParam()), StartsWith(GetParam().verdict));
}

INSTANTIATE_TEST_SUITE_P(
    , InvariantByRowTest,
    ::testing::Values(
        RowCase{"race.exit_during_walk", "v5.15-rc1", {}, {}, "S"},
        RowCase{"pidfd.self_thread",
                "v6.18",
                {Switch::kPidfdSelfLeaksPid},
                {},
                "S11: process_mrelease() keeps or loses a reference to a pid"},
        RowCase{"race.exit_after_check",
                "v5.15",
                {},
                {Check::kS15},
                "S15: process_mrelease() tears an address space down"},
        RowCase{"race.exit_after_check",
                "v6.18",
                {Switch::kMreleasePinsMmUsers},
                {},
                "S15: process_mrelease() tears an address space down"},
        RowCase{"coredump.running",
                "v6.18",
                {Switch::kCoreDumpIsNoVeto},
                {},
                "S16: process_mrelease() reaps although it saw a core dump"},
        RowCase{"race.exit_after_check",
                "v6.18",
                {Switch::kNoRecheck},
                {},
                "S19: a reaper walks an mm that exit_mmap() has taken apart"},
        // Under an empty list of v5.17 a walk is harmless.
        RowCase{
            "race.exit_after_check", "v5.17", {Switch::kNoRecheck}, {}, ""}));

// ---- By what a search asks after every step --------------------------------

// A victim that is being reaped: the caller stands before its first VMA.
class BeingReaped {
 public:
  explicit BeingReaped(const KernelOptions& options = {}) : k_(options) {
    heap_ = k_.As(victim_).mmap(16_KiB, Anonymous());
    EXPECT_TRUE(k_.As(victim_).touch(heap_, 16_KiB).ok());
    fd_ =
        static_cast<int>(int64_t{k_.As(caller_).pidfd_open(victim_.pid(), 0)});
  }
  void Reap() {
    EXPECT_TRUE(k_.As(caller_).kill(victim_.pid(), SIGKILL).ok());
    k_.BeginCall(caller_, [fd = fd_] { return sys_process_mrelease(fd, 0); });
    EXPECT_EQ(k_.RunUntil(caller_, Point::kReapVma), Stepped::kAtPoint);
  }
  std::string Broken() {
    const char* broken = k_.BrokenInvariant();
    return broken == nullptr ? "" : broken;
  }
  Kernel& k() { return k_; }
  Task& victim() { return victim_; }
  Task& caller() { return caller_; }
  int64_t heap() const { return heap_; }

 private:
  Kernel k_;
  Task& victim_ = k_.Spawn("victim");
  Task& caller_ = k_.Spawn("caller");
  int64_t heap_;
  int fd_;
};

TEST(StepInvariants, HoldWhileAVictimIsReaped) {
  BeingReaped w;
  EXPECT_EQ(w.Broken(), "");
  w.Reap();
  EXPECT_EQ(w.Broken(), "");
  EXPECT_EQ(w.k().Finish(w.caller()), Stepped::kDone);
  w.k().RunUntilIdle();
  EXPECT_EQ(w.Broken(), "");
  EXPECT_THAT(w.k().Shutdown(), IsEmpty());
}

TEST(StepInvariants, S8FiresIfASharerNeedNotDie) {
  BeingReaped w({.switches = {Switch::kSharersNeedNotDie}});
  (void)w.k().As(w.victim()).clone_vm(CLONE_PARENT);
  w.Reap();
  EXPECT_THAT(w.Broken(), StartsWith("S8: "));
  EXPECT_EQ(w.k().Finish(w.caller()), Stepped::kDone);
  EXPECT_EQ(w.Broken(), "");
}

TEST(StepInvariants, S10FiresIfAMonitorFillsReapedMemory) {
  for (const bool asked : {false, true}) {
    BeingReaped w({.checks = asked ? Checks{Check::kS10} : Checks{}});
    const int uffd =
        static_cast<int>(int64_t{w.k().As(w.victim()).userfaultfd()});
    ASSERT_TRUE(
        w.k()
            .As(w.victim())
            .uffd_register(uffd, w.heap(), 16_KiB, UFFDIO_REGISTER_MODE_MISSING)
            .ok());
    const int there = static_cast<int>(
        int64_t{w.k().As(w.victim()).send_fd(uffd, w.caller().pid())});
    const int64_t source = w.k().As(w.caller()).mmap(4_KiB, Anonymous());
    w.Reap();
    EXPECT_EQ(w.k().Finish(w.caller()), Stepped::kDone);
    EXPECT_EQ(w.Broken(), "");
    const SysResult copied =
        w.k().As(w.caller()).uffd_copy(there, w.heap(), source, 4_KiB);
    ASSERT_TRUE(copied.ok()) << copied.error();
    EXPECT_THAT(w.Broken(), StartsWith(asked ? "S10: " : ""));
    EXPECT_EQ(w.Broken().empty(), !asked);
    EXPECT_THAT(w.k().Shutdown(), IsEmpty());
  }
}

// ---- Goals -----------------------------------------------------------------

TEST(Goals, L8IsThatTheCallDoesNotWaitForNothing) {
  using ::testing::Contains;
  using ::testing::Not;
  for (const bool killed : {false, true}) {
    SCOPED_TRACE(killed);
    Kernel k;
    Task& victim = k.Spawn("victim");
    Task& caller = k.Spawn("caller");
    const int dev = static_cast<int>(
        int64_t{k.As(victim).open_device(Pages(1), DeviceMemory::kPfnmap)});
    const int fd =
        static_cast<int>(int64_t{k.As(caller).pidfd_open(victim.pid(), 0)});
    // A driver's mmap() sleeps with mmap_lock held for writing.
    k.BlockDriver(true);
    k.Begin(victim,
            [=](User user) { (void)user.mmap(4_KiB, File(dev).Shared()); });
    EXPECT_EQ(k.RunUntilBlocked(victim), Stepped::kBlocked);
    EXPECT_TRUE(k.As(caller).kill(victim.pid(), SIGKILL).ok());
    k.BeginCall(caller, [=] { return sys_process_mrelease(fd, 0); });
    EXPECT_EQ(k.RunUntilBlocked(caller), Stepped::kBlocked);
    // It waits for somebody, and rightly.
    EXPECT_THAT(k.UnmetGoals(), Not(Contains(StartsWith("L8: "))));
    if (killed) {
      EXPECT_TRUE(k.As(k.init()).kill(caller.pid(), SIGKILL).ok());
    } else {
      k.BlockDriver(false);
      EXPECT_EQ(k.RunUntil(victim, Point::kDeliverSignal), Stepped::kAtPoint);
    }
    EXPECT_THAT(k.UnmetGoals(),
                Contains("L8: caller (pid " + std::to_string(caller.pid()) +
                         ") waits for mmap_lock in process_mrelease(), "
                         "although " +
                         (killed ? "it has been killed"
                                 : "nobody holds that for writing")));
    k.RunUntilIdle();
    EXPECT_THAT(k.UnmetGoals(), Not(Contains(StartsWith("L8: "))));
    k.BlockDriver(false);
    EXPECT_THAT(k.Shutdown(), IsEmpty());
  }
}

TEST(Goals, L9IsThatExitMmapGetsItsLock) {
  BeingReaped w;
  w.Reap();
  w.k().Hold(w.caller());  // it reads
  w.k().RunUntilIdle();
  EXPECT_THAT(w.k().UnmetGoals(),
              ::testing::ElementsAre(StartsWith("L9: victim (pid ")));
  w.k().Release(w.caller());
  w.k().RunUntilIdle();
  EXPECT_THAT(w.k().UnmetGoals(), IsEmpty());
  EXPECT_THAT(w.k().Shutdown(), IsEmpty());
}

TEST(StepInvariants, S16FiresIfADumpBeginsBesideAWalk) {
  BeingReaped w({.checks = {Check::kS16}});
  w.Reap();
  core_state* const none = w.victim().raw()->signal->core_state;
  w.victim().raw()->signal->core_state = reinterpret_cast<core_state*>(&w);
  EXPECT_THAT(w.Broken(), StartsWith("S16: "));
  w.victim().raw()->signal->core_state = none;
  EXPECT_EQ(w.Broken(), "");
}

// By hand, for nothing in the modelled kernel does it.
TEST(StepInvariants, S12FiresIfTheListOfTheOomReaperHasNoEnd) {
  BeingReaped w;
  task_struct* task = w.victim().raw();
  const auto queue = [&](task_struct* head, task_struct* next)
                         ABSL_NO_THREAD_SAFETY_ANALYSIS {
                           w.k().oom().oom_reaper_list = head;
                           task->oom_reaper_list = next;
                         };
  queue(task, nullptr);
  EXPECT_EQ(w.Broken(), "");
  queue(task, task);
  EXPECT_THAT(w.Broken(), StartsWith("S12: "));
  queue(nullptr, nullptr);
  EXPECT_EQ(w.Broken(), "");
}

TEST(StepInvariants, S14FiresIfAFlagGoesOffAgain) {
  BeingReaped w;
  w.Reap();
  EXPECT_EQ(w.Broken(), "");
  uint32_t& signal_flags = w.victim().raw()->signal->flags;
  uint64_t& mm_flags = w.victim().raw()->mm->flags;
  const uint64_t were = mm_flags;
  ASSERT_NE(were & uint64_t{1} << MMF_UNSTABLE, 0u);
  mm_flags &= ~(uint64_t{1} << MMF_UNSTABLE);
  EXPECT_THAT(w.Broken(), StartsWith("S14: "));
  mm_flags = were;
  EXPECT_EQ(w.Broken(), "");
  signal_flags &= ~SIGNAL_GROUP_EXIT;
  EXPECT_THAT(w.Broken(), StartsWith("S8: ")) << "and S14, after it";
  signal_flags |= SIGNAL_GROUP_EXIT;
}

TEST(StepInvariants, S17FiresIfATaskHasAnMmWithoutUsers) {
  BeingReaped w;
  mm_struct* mm = w.victim().raw()->mm;
  mm->mm_users--;
  EXPECT_THAT(w.Broken(), StartsWith("S17: a task has"));
  mm->mm_users++;
  const uint32_t count = mm->mm_count;
  mm->mm_count = 0;
  EXPECT_THAT(w.Broken(), StartsWith("S17: an mm has users"));
  mm->mm_count = count;
  EXPECT_EQ(w.Broken(), "");
}

TEST(StepInvariants, S25FiresIfAnOomVictimsMmIsGone) {
  BeingReaped w;
  mm_struct* mm = w.caller().raw()->mm;
  w.victim().raw()->signal->oom_mm = mm;
  EXPECT_EQ(w.Broken(), "");
  const uint32_t users = mm->mm_users;
  const uint32_t count = mm->mm_count;
  mm->mm_users = 0;
  mm->mm_count = 0;
  w.caller().raw()->mm = nullptr;
  EXPECT_THAT(w.Broken(), StartsWith("S25: "));
  mm->mm_users = users;
  mm->mm_count = count;
  w.caller().raw()->mm = mm;
  w.victim().raw()->signal->oom_mm = nullptr;
}

// ---- S9: the contents of reaped memory -------------------------------------

// A page of a private file, overwritten by the victim: fault-around brings the
// file's word back, and H19 is that.
TEST(ReapedWords, S9FiresIfTheFileComesBack) {
  for (const bool asked : {false, true}) {
    Kernel k({.checks = asked ? Checks{Check::kS9} : Checks{}});
    Task& victim = k.Spawn("victim");
    Task& caller = k.Spawn("caller");
    const int file =
        static_cast<int>(int64_t{k.As(victim).open_file(9, Pages(64), true)});
    const int64_t at = k.As(victim).mmap(Pages(64).bytes(), File(file));
    ASSERT_TRUE(k.As(victim).store(at, 0x42).ok());
    const int fd =
        static_cast<int>(int64_t{k.As(caller).pidfd_open(victim.pid(), 0)});
    EXPECT_TRUE(k.As(caller).kill(victim.pid(), SIGKILL).ok());
    EXPECT_TRUE(k.As(caller).process_mrelease(fd, 0).ok());
    EXPECT_EQ(k.As(caller).peek(victim.pid(), at).never(), asked);
    EXPECT_THAT(k.TakeVerdict().what, StartsWith(asked ? "S9: " : ""));
  }
}

TEST(ReapedWords, S9FiresIfAZeroPageComesBack) {
  BeingReaped w(
      {.switches = {Switch::kFaultsIgnoreUnstable}, .checks = {Check::kS9}});
  ASSERT_TRUE(w.k().As(w.victim()).store(w.heap(), 0x42).ok());
  w.Reap();
  EXPECT_EQ(w.k().Finish(w.caller()), Stepped::kDone);
  EXPECT_TRUE(w.k().As(w.caller()).peek(w.victim().pid(), w.heap()).never());
  EXPECT_THAT(w.k().TakeVerdict().what, StartsWith("S9: "));
}

// What is stored after the reap is what must be read from then on.
TEST(ReapedWords, S9KnowsWhatIsStoredLater) {
  BeingReaped w(
      {.switches = {Switch::kFaultsIgnoreUnstable}, .checks = {Check::kS9}});
  const pid_t pid = w.victim().pid();
  ASSERT_TRUE(w.k().As(w.victim()).store(w.heap(), 0x42).ok());
  w.Reap();
  EXPECT_EQ(w.k().Finish(w.caller()), Stepped::kDone);
  EXPECT_TRUE(w.k().As(w.caller()).poke(pid, w.heap(), 0x77).ok());
  EXPECT_EQ(w.k().As(w.caller()).peek(pid, w.heap()).kernel(), 0x77);
  EXPECT_THAT(w.k().Shutdown(), IsEmpty());
}

// ---- Rules of one call -----------------------------------------------------

struct FactsCase {
  MreleaseFacts facts;
  const char* broken;  // how it begins; "" : nothing is
};

TEST(MreleaseRules, AreBrokenByTheseFactsAndNoOthers) {
  const FactsCase kCases[] = {
      {{}, ""},
      {{.ret = -ESRCH, .ref_changes = 4}, ""},
      {{.ret = 0, .walked = true, .ref_changes = 6}, ""},
      {{.flags = 1, .ret = -EINVAL}, ""},
      {{.flags = 1, .ret = -ENOSYS}, ""},
      {{.flags = 1, .ret = 0}, "S27"},
      {{.flags = 1, .ret = -EBADF}, "S27"},
      {{.flags = 1, .ret = -EINVAL, .ref_changes = 2}, "S27"},
      {{.refs = {1}},
       "S11: process_mrelease() keeps or loses a reference to a "
       "pid"},
      {{.refs = {0, -1}},
       "S11: process_mrelease() keeps or loses a reference "
       "to a task"},
      {{.refs = {0, 0, 1}},
       "S11: process_mrelease() keeps or loses an "
       "mm_count"},
      {{.refs = {0, 0, 0, 1}},
       "S11: process_mrelease() keeps or loses an "
       "mm_users"},
      {{.locks_changed = true}, "S11: process_mrelease() returns with other"},
      {{.ret = -EAGAIN, .walked = true, .refused = 1}, ""},
      {{.ret = -EAGAIN, .walked = true}, "S26: process_mrelease() says EAGAIN"},
      {{.ret = 0, .walked = true, .refused = 1},
       "S26: process_mrelease() says "
       "0"},
      // An exit_mmap() that ran in the call asked notifiers, too: no walk.
      {{.ret = 0, .refused = 1}, ""},
  };
  for (const FactsCase& c : kCases) {
    const char* broken = BrokenMreleaseRule(c.facts);
    EXPECT_THAT(broken == nullptr ? "" : broken, StartsWith(c.broken));
    EXPECT_EQ(broken == nullptr, c.broken[0] == '\0') << broken;
  }
}

// ---- What must not be done in a walk, in the call, or by a reaper ----------

struct DeedCase {
  const char* name;
  const char* version;
  // Done by a task with three pages at 64 KiB, on a fiber.
  void (*deed)(mm_struct* mm);
  const char* verdict;
};

constexpr uint64_t kAt = 0x10000;

vm_area_struct* VmaOf(mm_struct* mm) { return find_vma(mm, kAt); }

const DeedCase kDeeds[] = {
    {"S15OomReaper", "v6.18",
     [](mm_struct* mm) {
       MyHistory().context = TaskContext::kOomReaper;
       current()->mm = nullptr;
       mmput(mm);
     },
     "S15: the OOM reaper tears an address space down"},
    {"S18Hidden", "v6.18", [](mm_struct* mm) { HideUnmappedMm(mm); },
     "S18: exit_mmap() sets MMF_OOM_SKIP before all is unmapped"},
    {"S18Unlocked", "v5.19",
     [](mm_struct* mm) {
       mmu_gather tlb;
       tlb_gather_mmu(&tlb, mm);
       free_pgtables(&tlb, mm, vma_first(mm), vma_last(mm), 0, 0, true);
     },
     "S18: page tables are freed without mmap_lock held for writing"},
    {"S21Shared", "v6.18",
     [](mm_struct* mm) {
       VmaOf(mm)->vm_flags |= VM_SHARED;
       VmaOf(mm)->vm_ops = VmOps::kShmem;
       CheckMayReap(VmaOf(mm));
     },
     "S21: a reaper unmaps shared memory"},
    {"S21Locked", "v5.15-rc1",
     [](mm_struct* mm) {
       VmaOf(mm)->vm_flags |= VM_LOCKED;
       CheckMayReap(VmaOf(mm));
     },
     "S21: a reaper unmaps locked memory"},
    {"S21LockedLater", "v6.18",
     [](mm_struct* mm) {
       VmaOf(mm)->vm_flags |= VM_LOCKED;
       CheckMayReap(VmaOf(mm));
     },
     ""},
    {"S22", "v6.18",
     [](mm_struct* mm) {
       ReapSection section(mm);
       mmu_gather tlb;
       tlb_gather_mmu(&tlb, mm);
       tlb_remove_table(&tlb, mm->pgd, 0, PAGE_SIZE);
     },
     "S22: a reaper frees a page table"},
    {"S23Unlinks", "v6.18",
     [](mm_struct* mm) {
       ReapSection section(mm);
       (void)vm_munmap(kAt, PAGE_SIZE);
     },
     "S23: a reaper changes the set of VMAs"},
    {"S23Munlocks", "v5.15-rc1",
     [](mm_struct* mm) {
       ReapSection section(mm);
       munlock_vma_pages_all(VmaOf(mm));
     },
     "S23: a reaper changes the set of VMAs"},
    {"S30", "v6.18",
     [](mm_struct* mm) {
       MyHistory().context = TaskContext::kMrelease;
       HideMm(mm);
     },
     "S30: process_mrelease() sets MMF_OOM_SKIP"},
    {"S30AsItsUser", "v5.15",
     [](mm_struct* mm) {
       MyHistory().context = TaskContext::kMrelease;
       HideMm(mm);
     },
     ""},
};

TEST(Deeds, AreNotForEverybody) {
  for (const DeedCase& c : kDeeds) {
    SCOPED_TRACE(c.name);
    MmWorld w(c.version);
    task_struct* task = w.Spawn();
    w.Run(task, [] {
      (void)vm_mmap({.addr = kAt,
                     .length = 3 * PAGE_SIZE,
                     .prot = PROT_READ | PROT_WRITE,
                     .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED});
      uint64_t word = 7;
      (void)access_user_word(kAt, /*write=*/true, &word);
    });
    w.Run(task, [deed = c.deed, mm = task->mm] { deed(mm); });
    EXPECT_EQ(w.engine().TakeVerdict().what, c.verdict);
  }
}

TEST(Deeds, S29FiresIfTheCallTouchesSignals) {
  struct Case {
    const char* name;
    void (*deed)(task_struct* victim);
  };
  const Case kCases[] = {
      {"kills",
       [](task_struct* victim) {
         (void)do_send_sig_info(SIGKILL, SEND_SIG_PRIV, victim, PIDTYPE_TGID);
       }},
      {"wakes",
       [](task_struct* victim) ABSL_NO_THREAD_SAFETY_ANALYSIS {
         spin_lock(&victim->sighand->siglock);
         signal_wake_up(victim, false);
       }},
      {"thaws", [](task_struct* victim) { thaw_process(victim); }},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Kernel k;
    Task& victim = k.Spawn("victim");
    Task& caller = k.Spawn("caller");
    const SysResult result =
        k.Call(caller.raw(), [deed = c.deed, task = victim.raw()]() -> int64_t {
          MyHistory().context = TaskContext::kMrelease;
          deed(task);
          return 0;
        });
    EXPECT_TRUE(result.never());
    EXPECT_EQ(k.TakeVerdict().what,
              "S29: process_mrelease() changes somebody's signal state");
  }
}

// S5: a dirty file page whose map count drops while a TLB may write to it.
TEST(Deeds, S5FiresIfTheMapCountDropsBeforeTheFlush) {
  for (const bool switched : {false, true}) {
    SCOPED_TRACE(switched);
    Kernel k({.switches =
                  switched ? Switches{Switch::kRmapBeforeFlush} : Switches{}});
    Task& task = k.Spawn("task");
    const int file =
        static_cast<int>(int64_t{k.As(task).open_file(9, Pages(4), true)});
    const int64_t at = k.As(task).mmap(4_KiB, File(file).Shared());
    ASSERT_TRUE(k.As(task).store(at, 1).ok());
    EXPECT_EQ(k.As(task).munmap(at, 4_KiB).never(), switched);
    EXPECT_THAT(k.TakeVerdict().what,
                StartsWith(switched ? "S5: a dirty file page" : ""));
  }
}

// S20: what find_lock_task_mm() found is nobody's once it is unlocked.
TEST(Deeds, S20FiresIfTheThreadIsUsedAfterItsRelease) {
  Kernel k;
  Task& victim = k.Spawn("victim");
  Task& caller = k.Spawn("caller");
  k.BeginCall(caller,
              [task = victim.raw()]()
                  ABSL_NO_THREAD_SAFETY_ANALYSIS -> int64_t {
                    task_struct* p = find_lock_task_mm(task);
                    task_unlock(p);
                    Mark(Point::kMreleaseChecked);
                    get_task_struct(p);
                    return 0;
                  });
  ASSERT_EQ(k.RunUntil(caller, Point::kMreleaseChecked), Stepped::kAtPoint);
  k.Hold(caller);
  EXPECT_TRUE(k.As(k.init()).kill(victim.pid(), SIGKILL).ok());
  EXPECT_TRUE(k.As(k.init()).waitpid(victim.pid()).ok());
  k.RunUntilIdle();
  EXPECT_TRUE(k.Finish(caller) == Stepped::kVerdict);
  EXPECT_EQ(k.TakeVerdict().what, "a task_struct is used after its free");
}

// S12: two threads of one victim, each queued for the mm of both.
TEST(Deeds, S12FiresIfAnMmIsQueuedTwice) {
  Kernel k({.switches = {Switch::kVictimsQueuedTwice}});
  Task& victim = k.Spawn("victim");
  Task& thread =
      k.TaskOf(static_cast<pid_t>(int64_t{k.As(victim).clone_thread()}));
  const auto run_out_of_memory = []() -> int64_t {
    OomState& oom = Here<OomState>();
    mutex_lock(&oom.oom_lock);
    oom_control oc;
    (void)out_of_memory(&oc);
    mutex_unlock(&oom.oom_lock);
    return 0;
  };
  for (Task* task : {&victim, &thread}) {
    k.BeginCall(*task, run_out_of_memory);
    ASSERT_EQ(k.RunUntil(*task, Point::kMutexLock), Stepped::kAtPoint);
    k.Hold(*task);
  }
  EXPECT_TRUE(k.As(k.init()).kill(victim.pid(), SIGKILL).ok());
  for (Task* task : {&victim, &thread}) {
    ASSERT_EQ(k.RunUntil(*task, Point::kDoExit), Stepped::kAtPoint);
  }
  k.Hold(k.oom_reaper());
  k.AdvanceTime(3'000'000'000);
  EXPECT_EQ(k.TakeVerdict().what,
            "S12: an mm is queued for the OOM reaper twice");
}

}  // namespace
}  // namespace reapsim
