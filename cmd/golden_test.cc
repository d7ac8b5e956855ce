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

std::vector<GoldenCase> Cases() {
  std::vector<GoldenCase> cases = {
      {"Help", "help.txt", {"help"}},
      {"States", "states.txt", {"states"}},
      {"StatesOfTheFirstVersion",
       "states_v5.15-rc1.txt",
       {"states", "--kernel=v5.15-rc1"}},
      {"StatesBeforeTheCall", "states_v5.10.txt", {"states", "--kernel=5.10"}},
      {"StatesJson", "states.json", {"states", "--json"}},
      {"Killed", "killed.txt", {"reap", kExample, "--vmas"}},
      {"KilledJson", "killed.json", {"reap", kExample, "--json"}},
      {"KilledInTheFirstVersion",
       "killed_v5.15-rc1.txt",
       {"reap", kExample, "--vmas", "--kernel=v5.15-rc1"}},
      {"NearestVersion",
       "killed_nearest.txt",
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
      {"Redis", "redis.txt", {"reap", "--smaps=tests/data/smaps/redis.smaps"}},
  };
  return cases;
}

class GoldenTest : public ::testing::TestWithParam<GoldenCase> {};

TEST_P(GoldenTest, PrintsWhatItDid) {
  const CommandResult result = RunCommand(GetParam().args);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const std::string path = absl::StrCat("cmd/testdata/", GetParam().file);
  const char* tree = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (std::getenv("REAPSIM_UPDATE_GOLDENS") != nullptr && tree != nullptr) {
    std::ofstream(absl::StrCat(tree, "/", path)) << result.out;
    return;
  }
  std::ifstream file(path);
  const std::string want{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(result.out, want)
      << "if that is meant, see the top of cmd/golden_test.cc";
}

TEST_P(GoldenTest, KeepsToTheColumnsOfATerminal) {
  if (absl::EndsWith(GetParam().file, ".json")) return;
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
