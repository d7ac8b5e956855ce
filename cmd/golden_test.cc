// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Whole outputs, byte for byte. Where a change of them is meant:
//   REAPSIM_UPDATE_GOLDENS=1 ./bazelw run //cmd:golden_test
// writes them anew into the source tree, to be read before they are committed.

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <ostream>
#include <regex>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "cmd/run.h"
#include "gtest/gtest.h"
#include "report/text.h"

namespace reapsim {
namespace {

struct GoldenCase {
  const char* test;
  const char* file;  // in cmd/testdata
  std::vector<std::string> args;
};

void PrintTo(const GoldenCase& each, std::ostream* out) { *out << each.file; }

constexpr char kExample[] = "--smaps=cmd/testdata/example.smaps";
constexpr char kProfile[] = "--profile=cmd/testdata/latency_profile.json";

std::vector<GoldenCase> Cases() {
  std::vector<GoldenCase> cases = {
      {"Help", "help.txt", {"help"}},
      {"States", "states.txt", {"states"}},
      {"StatesOfTheFirstVersion",
       "states_v5.15-rc1.txt",
       {"states", "--kernel=v5.15-rc1"}},
      {"StatesBeforeTheCall", "states_v5.10.txt", {"states", "--kernel=5.10"}},
      {"StatesJson", "states.json", {"states", "--json"}},
      {"Versions", "versions.txt", {"versions"}},
      {"VersionsJson", "versions.json", {"versions", "--json"}},
      {"VersionsThatDifferInLittle",
       "versions_diff.txt",
       {"versions", "--diff", "6.17", "6.18.44-cloud"}},
      {"VersionsThatDifferInLittleJson",
       "versions_diff.json",
       {"versions", "--json", "--diff", "v5.15-rc1", "v5.15"}},
      {"VersionsThatDoNotDiffer",
       "versions_same.txt",
       {"versions", "--diff", "6.18", "6.18.44-cloud"}},
      {"Killed", "killed.txt", {"reap", kExample, "--vmas"}},
      {"KilledJson", "killed.json", {"reap", kExample, "--json"}},
      {"KilledInTheFirstVersion",
       "killed_v5.15-rc1.txt",
       {"reap", kExample, "--vmas", "--kernel=v5.15-rc1"}},
      {"VersionOfADistribution",
       "killed_debian.txt",
       {"reap", kExample, "--kernel=6.1.0-47-cloud-amd64"}},
      {"SigtermHandled",
       "sigterm_handled.txt",
       {"reap", kExample, "--vmas", "--signal=TERM", "--handler"}},
      {"SigtermHandledJson",
       "sigterm_handled.json",
       {"reap", kExample, "--json", "--signal=TERM", "--handler"}},
      {"SharedWithLive",
       "shared_with_live.txt",
       {"reap", kExample, "--shared-with-live"}},
      {"NotifierRefuses",
       "notifier.txt",
       {"reap", kExample, "--vmas", "--state=notifier.third"}},
      {"Waited", "waited.txt", {"reap", kExample, "--state=gone.waited"}},
      {"FreedByExit",
       "freed_by_exit.txt",
       {"reap", kExample, "--vmas", "--state=race.exit_during_walk"}},
      {"KernelBroken",
       "kernel_broken.txt",
       {"reap", kExample, "--state=race.exit_during_walk",
        "--kernel=v5.15-rc1"}},
      {"KernelBrokenJson",
       "kernel_broken.json",
       {"reap", kExample, "--state=race.exit_during_walk", "--kernel=v5.15-rc1",
        "--json"}},
      {"Bash", "bash.txt", {"reap", "--smaps=tests/data/smaps/bash.smaps"}},
      {"Chromium",
       "chromium_renderer.txt",
       {"reap", "--smaps=tests/data/smaps/chromium_renderer.smaps"}},
      {"Jvm", "jvm.txt", {"reap", "--smaps=tests/data/smaps/jvm.smaps"}},
      {"Postgres",
       "postgres.txt",
       {"reap", "--smaps=tests/data/smaps/postgres.smaps"}},
      {"Python",
       "python3.txt",
       {"reap", "--smaps=tests/data/smaps/python3.smaps", "--vmas"}},
      {"CheckAlways",
       "check_killed_first.txt",
       {"check", "litmus/examples/killed-first.reap", "--kernel=v6.18"}},
      {"CheckWithSchedule",
       "check_exit_versus_call.txt",
       {"check", "litmus/examples/exit-versus-call.reap", "--schedule"}},
      {"CheckJson",
       "check_exit_versus_call.json",
       {"check", "litmus/examples/exit-versus-call.reap", "--json",
        "--kernel=v5.15-rc1"}},
      {"RunScenario",
       "run_killed_first.txt",
       {"run", "litmus/examples/killed-first.reap"}},
      {"RunFtrace",
       "run_ftrace.txt",
       {"run", "litmus/examples/out-of-memory.reap", "--ftrace"}},
      {"Latency",
       "latency.txt",
       {"latency", "--shape=anon=16MiB,vmas=100", "--seeds=5", kProfile}},
      {"LatencyOnABusyMachine",
       "latency_busy.txt",
       {"latency", "--shape=anon=16MiB", "--seeds=5", kProfile,
        "--machine=cmd/testdata/latency_machine.json", "--victims=3",
        "--strategy=pool:2", "--state=uninterruptible:5ms",
        "--victim=nice=19,cpus=little", "--caller=cpus=big"}},
      {"LatencyOfAKill",
       "latency_kill.txt",
       {"latency", kExample, "--strategy=kill", "--seeds=1", kProfile,
        "--pinned"}},
      {"LatencyJson",
       "latency.json",
       {"latency", "--shape=anon=1MiB", "--seeds=2", kProfile, "--json"}},
      {"Redis", "redis.txt", {"reap", "--smaps=tests/data/smaps/redis.smaps"}},
  };
  return cases;
}

// How many states a search tells apart hangs on the compiler: what lies dead on
// a stack is part of them. Where in the model a schedule passes changes with
// every edit.
std::string WithoutCounts(const std::string& text) {
  static const auto* counts = new std::regex(
      "(Searched |states?, |ends?, |executions?, |, steps |"
      "\"(executions|explored_states|steps|count)\": )[0-9,]*[0-9]");
  static const auto* lines = new std::regex("(\\.(cc|h):)[0-9]+ *");
  return std::regex_replace(std::regex_replace(text, *counts, "$1N"), *lines,
                            "$1N ");
}

class GoldenTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTest, PrintsWhatItDid) {
  const CommandResult result = RunCommand(GetParam().args);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string path = absl::StrCat("cmd/testdata/", GetParam().file);
  const char* tree = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (std::getenv("REAPSIM_UPDATE_GOLDENS") != nullptr && tree != nullptr) {
    std::ofstream(absl::StrCat(tree, "/", path)) << WithoutCounts(result.out);
    return;
  }
  std::ifstream file(path);
  const std::string want{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(WithoutCounts(result.out), want)
      << "if that is meant, see the top of cmd/golden_test.cc";
}

TEST_P(GoldenTest, KeepsToTheColumnsOfATerminal) {
  const absl::string_view file = GetParam().file;
  // The lines of run_ftrace.txt are the kernel's own.
  if (absl::EndsWith(file, ".json") || file == "run_ftrace.txt") return;
  for (absl::string_view line :
       absl::StrSplit(RunCommand(GetParam().args).out, '\n')) {
    EXPECT_LE(line.size(), kColumns) << line;
    EXPECT_FALSE(absl::EndsWith(line, " ")) << line;
  }
}

INSTANTIATE_TEST_SUITE_P(, GoldenTest, ::testing::ValuesIn(Cases()),
                         [](const ::testing::TestParamInfo<GoldenCase>& info) {
                           return info.param.test;
                         });

}  // namespace
}  // namespace reapsim
