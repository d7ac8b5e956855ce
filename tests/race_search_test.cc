// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Data races of the modelled kernels: those that docs/races.md tells of are
// found, and where locks order everything none is met.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <set>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "explore/explore.h"
#include "syscall/kernel.h"
#include "syscall/kernel_world.h"

namespace reapsim {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

KernelOptions Small(const char* version) {
  return {.version = version,
          .memory = 1 << 20,
          .swap = 1 << 16,
          .page_table_bits = 3};
}

// A process ends by itself while somebody kills it.
void ExitBesideKill(Kernel& k) {
  Task& victim = k.Spawn("victim", {.bare = true});
  Task& killer = k.Spawn("killer", {.bare = true});
  const pid_t pid = victim.pid();
  k.Begin(victim, [](User user) { (void)user.exit_group(3); });
  k.Begin(killer, [=](User user) { (void)user.kill(pid, SIGKILL); });
}

// process_mrelease() against the victim's death.
void CallBesideExit(Kernel& k) {
  Task& victim = k.Spawn("victim", {.bare = true});
  const int64_t heap = k.As(victim).mmap(8_KiB, Anonymous()).kernel();
  EXPECT_TRUE(k.As(victim).touch(heap, 8_KiB).ok());
  Task& lmkd = k.Spawn("lmkd", {.bare = true});
  const int fd =
      static_cast<int>(k.As(lmkd).pidfd_open(victim.pid(), 0).kernel());
  EXPECT_TRUE(k.As(lmkd).kill(victim.pid(), SIGKILL).ok());
  k.Begin(lmkd, [=](User user) { (void)user.process_mrelease(fd, 0); });
}

// Two threads write below a stack.
void TwoGrowAStack(Kernel& k) {
  Task& victim = k.Spawn("victim", {.bare = true});
  Mapping stack = Anonymous();
  stack.flags |= MAP_GROWSDOWN;
  const int64_t top = k.As(victim).mmap(4_KiB, stack).kernel();
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(victim).clone_thread().kernel()));
  for (Task* task : {&victim, &thread}) {
    k.Begin(*task, [=](User user) {
      (void)user.touch(static_cast<uint64_t>(top) - 4096, 4_KiB);
    });
  }
}

// Two threads fault in the same memory.
void TwoFault(Kernel& k) {
  Task& victim = k.Spawn("victim", {.bare = true});
  const int64_t heap = k.As(victim).mmap(8_KiB, Anonymous()).kernel();
  Task& thread =
      k.TaskOf(static_cast<pid_t>(k.As(victim).clone_thread().kernel()));
  for (Task* task : {&victim, &thread}) {
    k.Begin(*task, [=](User user) {
      (void)user.touch(static_cast<uint64_t>(heap), 8_KiB);
    });
  }
}

struct Case {
  const char* name;
  void (*play)(Kernel&);
  const char* version;
  const char* races;  // how the text of one begins; "": none
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class RaceSearchTest : public ::testing::TestWithParam<Case> {};

TEST_P(RaceSearchTest, MeetsThatRaceOrNone) {
  const Case& c = GetParam();
  Kernel k(Small(c.version));
  c.play(k);
  KernelWorld world(&k);
  const Exploration found = Explore(world, {.max_preemptions = 1,
                                            .stop_at_failure = false,
                                            .races = Races::kReport});
  std::set<std::string> races;
  for (const auto& [outcome, count] : found.outcomes) {
    absl::string_view text = outcome;
    if (absl::ConsumePrefix(&text, "!data race: ")) {
      races.insert(std::string(text));
    }
  }
  if (c.races[0] == '\0') {
    EXPECT_THAT(races, IsEmpty());
    EXPECT_THAT(found.races, HasSubstr("merging states"));
  } else {
    EXPECT_THAT(races, Contains(HasSubstr(c.races)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , RaceSearchTest,
    ::testing::Values(
        Case{"ExitCodeV515Rc1", ExitBesideKill, "v5.15-rc1",
             "signal->group_exit_code: "},
        Case{"ExitCodeV618", ExitBesideKill, "v6.18",
             "signal->group_exit_code: "},
        // H10: its use after free, seen as what it is.
        Case{"CallV515Rc1", CallBesideExit, "v5.15-rc1", "frees it at mm/vma"},
        Case{"CallV618", CallBesideExit, "v6.18", ""},
        Case{"StackV515Rc1", TwoGrowAStack, "v5.15-rc1", "vma->vm_start: "},
        Case{"StackV618", TwoGrowAStack, "v6.18", ""},
        Case{"FaultsV515Rc1", TwoFault, "v5.15-rc1", ""},
        Case{"FaultsV618", TwoFault, "v6.18", ""}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reapsim
