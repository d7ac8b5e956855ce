// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

// The test that is printed for a victim is a test of its own
// (testdata/random_printed_test.txt), which is built and run beside this one.
// To write it anew: REAPSIM_UPDATE_GOLDENS=1 ./bazelw run
// //conform:random_print_test

#include "conform/random_print.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/status/statusor.h"
#include "conform/random_testing.h"
#include "gtest/gtest.h"
#include "import/read_file.h"

namespace reapsim {
namespace {

constexpr char kPrinted[] = "conform/testdata/random_printed_test.txt";

TEST(TestTextTest, ThePrintedTestIsTheOneThatIsBuilt) {
  const RandomRun run = PlayVictimOnModel(AllKinds(), AllMemories(), "v6.18");
  ASSERT_TRUE(run.status.ok()) << run.status;
  const std::string text = TestText({.seed = 1,
                                     .index = 17,
                                     .host = "6.18.44",
                                     .version = "v6.18",
                                     .differences = {"none: an example"}},
                                    AllKinds(), run, AllMemories());
  const char* update = std::getenv("REAPSIM_UPDATE_GOLDENS");
  const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
  if (update != nullptr && workspace != nullptr) {
    std::ofstream(std::string(workspace) + "/" + kPrinted) << text;
    return;
  }
  const absl::StatusOr<std::string> printed = ReadFile(kPrinted);
  ASSERT_TRUE(printed.ok()) << printed.status();
  EXPECT_EQ(text, *printed);
}

}  // namespace
}  // namespace reapsim
