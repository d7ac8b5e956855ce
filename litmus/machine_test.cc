// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "litmus/machine.h"

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "litmus/checker.h"
#include "litmus/condition.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

constexpr char kVersion[] = "v6.18";

// A scenario, and its tasks run one after the other.
struct Played {
  std::unique_ptr<Scenario> scenario;
  std::unique_ptr<Machine> machine;
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
  auto machine =
      Machine::Build(*played.scenario, {.version = version, .exact = true});
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

}  // namespace
}  // namespace reapsim
