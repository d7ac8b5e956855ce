// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/machine.h"

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gtest/gtest.h"
#include "litmus/checker.h"
#include "litmus/condition.h"

namespace reapsim {
namespace {

constexpr char kVersion[] = "v6.18";

// A scenario, and its tasks run one after the other.
struct Played {
  std::unique_ptr<Scenario> scenario;
  std::unique_ptr<ScenarioMachine> machine;
  std::string error;
};

Played Play(absl::string_view text, const std::string& version = kVersion) {
  Played played;
  absl::StatusOr<Scenario> scenario = ReadScenario(text, "test.reap");
  if (!scenario.ok()) {
    played.error = std::string(scenario.status().message());
    return played;
  }
  played.scenario = std::make_unique<Scenario>(*std::move(scenario));
  auto machine = ScenarioMachine::Build(*played.scenario, {.version = version});
  if (!machine.ok()) {
    played.error = std::string(machine.status().message());
    return played;
  }
  played.machine = *std::move(machine);
  played.machine->kernel().RunUntilIdle();
  return played;
}

// The outcome of tasks that run one after the other, P0 first; or the error.
std::string OutcomeOf(absl::string_view text,
                      const std::string& version = kVersion) {
  const Played played = Play(text, version);
  if (!played.error.empty()) return played.error;
  Kernel& kernel = played.machine->kernel();
  const std::string outcome = kernel.stopped() ? kernel.TakeVerdict().ToString()
                                               : played.machine->Outcome();
  return outcome;
}

std::string File(absl::string_view init, absl::string_view rest) {
  return absl::StrCat("REAP test\n(* Result: Never *)\n{", init, "}\n", rest);
}

TEST(MachineTest, PlaysTheShortestStory) {
  EXPECT_EQ(OutcomeOf(File("process lmkd; process victim;"
                           "anon heap[4]: victim;"
                           "lmkd: fd = pidfd_open(victim, 0);"
                           "lmkd: kill(victim, SIGKILL);",
                           "P0(lmkd) { r0 = process_mrelease(fd, 0); }"
                           "exists (0:r0=0 /\\ rss(victim)=0 /\\"
                           "        state(victim)=zombie)")),
            "0:r0=0; rss(victim)=0; state(victim)=zombie;");
}

struct Story {
  const char* what;
  const char* init;
  const char* programs;  // and the condition, whose terms are shown
  const char* outcome;
};

TEST(MachineTest, DoesWhatEachDeclarationAndStatementSays) {
  const Story kStories[] = {
      {"arithmetic, from left to right", "process p;",
       "P0(p) { r0 = 1 + 2 | 8; r1 = -r0; r2 = r1 + 0x10; }"
       "exists (0:r0=11 /\\ 0:r1=-11 /\\ 0:r2=5)",
       "0:r0=11; 0:r1=-EAGAIN; 0:r2=5;"},
      {"words of memory", "process p; anon a[3]: p; p: a[2] = 7;",
       "P0(p) { r0 = 1; a[r0] = 5; r1 = a[1]; r2 = a[r0 + 1];"
       "        r3 = load(&a[2]); }"
       "exists (0:r1=0 /\\ 0:r2=0 /\\ 0:r3=0)",
       "0:r1=5; 0:r2=7; 0:r3=7;"},
      {"what is touched",
       "process p; anon a[4]: p; anon b[4]: p, touched=2;"
       "anon c[4]: p, untouched; anon d[2]: p, locked, untouched;",
       "P0(p) { r0 = getpid(); }"
       "exists (present(a)=0 /\\ present(b)=0 /\\ present(c)=0 /\\"
       "        present(d)=0 /\\ anon(p)=0)",
       "present(a)=4; present(b)=2; present(c)=0; present(d)=2; anon(p)=8;"},
      {"kinds of memory",
       "process p; file f[2]: p; file w[1]: p, written;"
       "memfd m[3]: p;",
       "P0(p) { r0 = getpid(); }"
       "exists (anon(p)=0 /\\ filepages(p)=0 /\\ shmem(p)=0 /\\ rss(p)=0)",
       "anon(p)=1; filepages(p)=2; shmem(p)=3; rss(p)=6;"},
      {"the same file elsewhere",
       "process p, q; memfd m[2]: p;"
       "memfd n[2]: q, of=m;",
       "P0(p) { m[1] = 42; } P1(q) { r0 = n[1]; } exists (1:r0=0)", "1:r0=42;"},
      {"a thread shares, a process does not",
       "process p, q; anon a[1]: p;"
       "thread t: p; sharer s: p;",
       "P0(t) { a[0] = 3; } P1(s) { r0 = a[0]; }"
       "exists (1:r0=0 /\\ mm_users(p)=0 /\\ mm_users(q)=0)",
       "1:r0=3; mm_users(p)=3; mm_users(q)=1;"},
      {"a borrower", "process p; anon a[1]: p; p: a[0] = 9; borrower b: p;",
       "P0(b) { r0 = get_user(a); } exists (0:r0=0 /\\ mm_users(p)=0)",
       "0:r0=9; mm_users(p)=2;"},
      {"who dies has no more results", "process p, q; q: kill(p, SIGKILL);",
       "P0(p) { r0 = getpid(); } exists (0:r0=0 /\\ state(p)=gone)",
       "0:r0=never; state(p)=zombie;"},
      {"a device that does not answer",
       "process p; block device;"
       "p: start driver_wait();",
       "P0(init) { r0 = getpid(); } exists (waits(p)=0)", "waits(p)=1;"},
      {"... until it does", "process p; block device; p: start driver_wait();",
       "P0(init) { r0 = unblock_device(); } exists (0:r0=1 /\\ waits(p)=1)",
       "0:r0=0; waits(p)=0;"},
      {"a driver that sleeps in its mmap() holds mmap_lock",
       "process p; thread t: p; anon a[1]: p; p: dev = open_device(1);"
       "block device;"
       "p: start mmap(NULL, 1, PROT_READ, MAP_SHARED, dev, 0);",
       "P0(t) { r0 = munmap(a, 1); }"
       "exists (0:r0=0 /\\ waits(p)=1 /\\ waits(t)=1)",
       "0:r0=never; waits(p)=1; waits(t)=1;"},
      {"... until the device answers",
       "process p; thread t: p; anon a[1]: p; p: dev = open_device(1);"
       "block device;"
       "p: start mmap(NULL, 1, PROT_READ, MAP_SHARED, dev, 0);",
       "P0(init) { r0 = unblock_device(); } P1(t) { r0 = munmap(a, 1); }"
       "exists (1:r0=1 /\\ waits(p)=1 /\\ waits(t)=1)",
       "1:r0=0; waits(p)=0; waits(t)=0;"},
      {"a pipe", "process p; anon a[2]: p; p: in = pipe(); p: a[0] = 6;",
       "P0(p) { r0 = write(in + 1, a, 1); r1 = read(in, &a[1], 1);"
       "        r2 = a[1]; }"
       "exists (0:r0=0 /\\ 0:r1=0 /\\ 0:r2=0)",
       "0:r0=4096; 0:r1=4096; 0:r2=6;"},
      {"what was run before", "process p, q; q: kill(p, SIGKILL); run p;",
       "P0(q) { r0 = kill(p, 0); } exists (state(p)=gone /\\ freed(p)=0)",
       "state(p)=zombie; freed(p)=1;"},
      // Shared memory is reaped if its descriptor can't be written through.
      {"read-only memory: of a file, the descriptor is, too",
       "process lmkd, victim; file f[1]: victim, shared, readonly;"
       "memfd m[1]: victim, readonly; lmkd: fd = pidfd_open(victim, 0);"
       "block device; victim: start driver_wait();"
       "lmkd: kill(victim, SIGKILL);",
       "P0(lmkd) { r0 = process_mrelease(fd, 0); }"
       "exists (0:r0=0 /\\ present(f)=0 /\\ present(m)=1)",
       "0:r0=0; present(f)=0; present(m)=1;"},
      {"an own machine",
       "machine cpus=1, pages=64, entries=16;"
       "process p: uid=5, oom_score_adj=9, image;",
       "P0(p) { r0 = setuid(0); } exists (0:r0=0)", "0:r0=-EPERM;"},
  };
  for (const Story& each : kStories) {
    EXPECT_EQ(OutcomeOf(File(each.init, each.programs)), each.outcome)
        << each.what;
  }
}

TEST(MachineTest, SaysHowToGetALargerMachine) {
  const std::string rest = "P0(p) { r0 = getpid(); } exists (state(p)=gone)";
  EXPECT_EQ(OutcomeOf(File("process p;\nanon heap[1000]: p;", rest)),
            "test.reap:4:1: mmap() fails with ENOMEM under v6.18; expected "
            "less memory, or a larger machine: first of all a declaration such "
            "as machine pages=4096, entries=16;");
  EXPECT_EQ(OutcomeOf(File("machine pages=4096, entries=16; process p;\n"
                           "anon heap[1000]: p;",
                           rest)),
            "state(p)=alive;");
}

}  // namespace
}  // namespace reapsim
