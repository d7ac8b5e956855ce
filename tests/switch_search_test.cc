// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// What a search finds in small worlds when a guard is taken out, or in a
// version that did not have it yet; and that it finds nothing with it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <memory>
#include <string>

#include "explore/explore.h"
#include "mm/mmap.h"
#include "mm/mmu_notifier.h"
#include "syscall/kernel.h"
#include "syscall/kernel_world.h"

namespace reapsim {
namespace {

using ::testing::StartsWith;

// A machine with the processes of a scene, each about to begin.
struct Machine {
  explicit Machine(KernelOptions options) : k(Small(options)) {}
  static KernelOptions Small(KernelOptions options) {
    options.memory = 1 << 20;
    options.swap = 1 << 16;
    options.page_table_bits = 3;
    return options;
  }
  Task& Victim() {
    Task& task = k.Spawn("victim", {.bare = true});
    heap = k.As(task).mmap(8_KiB, Anonymous()).kernel();
    EXPECT_TRUE(k.As(task).touch(heap, 8_KiB).ok());
    return task;
  }
  // Kills the victim and starts to reap it.
  void Lmkd(Task& victim) {
    Task& lmkd = k.Spawn("lmkd", {.bare = true});
    const int fd =
        static_cast<int>(int64_t{k.As(lmkd).pidfd_open(victim.pid(), 0)});
    EXPECT_TRUE(k.As(lmkd).kill(victim.pid(), SIGKILL).ok());
    k.Begin(lmkd, [=](User user) { (void)user.process_mrelease(fd, 0); });
  }
  Kernel k;
  int64_t heap = 0;
};

// process_mrelease() against the victim's death.
void CallAgainstDeath(Machine& m) { m.Lmkd(m.Victim()); }

// The same; a driver that has subscribed to the memory holds a lock of its own,
// on which it would let the call wait.
void CallAgainstDeathBesideADriver(Machine& m) {
  Task& victim = m.Victim();
  const SysResult address =
      m.k.Call(victim.raw(), []() ABSL_NO_THREAD_SAFETY_ANALYSIS -> int64_t {
        mm_struct* mm = current()->mm;
        mmap_write_lock(mm);
        mmu_notifier* s =
            mmu_notifier_register(mm, /*interval=*/false, 0, ~uint64_t{0});
        mmap_write_unlock(mm);
        return reinterpret_cast<int64_t>(s);
      });
  reinterpret_cast<mmu_notifier*>(address.kernel())->busy = true;
  m.Lmkd(victim);
}

// The call against a thread that gives the same memory back; another thread has
// used it on its own CPU.
void CallAgainstMadvise(Machine& m) {
  Task& victim = m.Victim();
  Task& thread =
      m.k.TaskOf(static_cast<pid_t>(int64_t{m.k.As(victim).clone_thread()}));
  const int64_t heap = m.heap;
  m.k.BeginCall(thread, [heap]() -> int64_t {
    return do_madvise(static_cast<uint64_t>(heap), 2 * PAGE_SIZE,
                      MADV_DONTNEED);
  });
  EXPECT_EQ(m.k.RunUntil(thread, Point::kSyscallEntry), Stepped::kAtPoint);
  m.Lmkd(victim);
}

// The call on a process that is about to dump core, and nobody has killed.
void CallAgainstDump(Machine& m) {
  Task& victim = m.Victim();
  Task& lmkd = m.k.Spawn("lmkd", {.bare = true});
  const int fd =
      static_cast<int>(int64_t{m.k.As(lmkd).pidfd_open(victim.pid(), 0)});
  EXPECT_TRUE(m.k.As(lmkd).kill(victim.pid(), SIGSEGV).ok());
  m.k.Begin(lmkd, [=](User user) { (void)user.process_mrelease(fd, 0); });
}

struct Case {
  const char* name;
  void (*play)(Machine&);
  const char* version;
  Switches switches;
  Checks checks;
  const char* finds;    // how the verdict begins; "" : nothing
  int preemptions = 1;  // that are enough
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class SwitchSearchTest : public ::testing::TestWithParam<Case> {};

TEST_P(SwitchSearchTest, FindsTheHarmAndNoOther) {
  const Case& c = GetParam();
  Machine m({.version = c.version, .switches = c.switches, .checks = c.checks});
  c.play(m);
  KernelWorld world(&m.k);
  const bool harmless = c.finds[0] == '\0';
  const Exploration found = Explore(world, {.max_preemptions = c.preemptions});
  std::string what = found.failure ? found.failure->verdict.what : "";
  EXPECT_THAT(what, StartsWith(c.finds));
  EXPECT_EQ(what.empty(), harmless) << what;
  if (harmless) {
    EXPECT_TRUE(found.exhausted) << found.unexplored;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , SwitchSearchTest,
    ::testing::Values(
        // Not on any list: the victim test reads core_state, then the flag that
        // a dump sets, too.
        Case{"DumpBeginsInTheTest",
             CallAgainstDump,
             "v6.18",
             {},
             {Check::kS16},
             "S16",
             2},
        Case{"H8",
             CallAgainstDeathBesideADriver,
             "v6.18",
             {Switch::kBlockingNotifiers},
             {},
             "L9: victim"},
        Case{"H8Fixed", CallAgainstDeathBesideADriver, "v6.18", {}, {}, ""},
        Case{"H10", CallAgainstDeath, "v5.15-rc1", {}, {}, "S"},
        Case{"H11", CallAgainstDeath, "v5.17-rc1", {}, {}, "S3"},
        Case{"H12", CallAgainstDeath, "v5.15", {}, {Check::kS15}, "S15"},
        Case{"H12Fixed", CallAgainstDeath, "v6.18", {}, {Check::kS15}, ""},
        Case{"H12Switched",
             CallAgainstDeath,
             "v6.18",
             {Switch::kMreleasePinsMmUsers},
             {},
             "S15"},
        Case{"NoRecheck",
             CallAgainstDeath,
             "v6.18",
             {Switch::kNoRecheck},
             {},
             "S19"},
        Case{"ReadLockV618",
             CallAgainstDeath,
             "v6.18",
             {Switch::kFreePgtablesUnderReadLock},
             {},
             "S"},
        Case{"ReadLockV519",
             CallAgainstDeath,
             "v5.19",
             {Switch::kFreePgtablesUnderReadLock},
             {},
             "S"},
        Case{"H32",
             CallAgainstDeath,
             "v6.1",
             {Switch::kExitWithoutLock},
             {},
             "S"},
        Case{"H11Switched",
             CallAgainstDeath,
             "v5.19",
             {Switch::kExitLeavesVmasLinked},
             {},
             "S3"},
        Case{"H30",
             CallAgainstMadvise,
             "v6.12",
             {Switch::kNoTlbFlushPending},
             {},
             "S4"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reapsim
