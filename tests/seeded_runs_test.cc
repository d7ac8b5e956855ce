// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// A seed makes the same execution on every compiler, optimisation level and
// sanitizer, and so does the schedule noted of it: both end as is written down
// in seeded_runs.tsv. CI runs this test in each configuration.
//
// When modelled code or a scenario changes on purpose, the file is made anew:
//   ./bazelw build //tests:seeded_runs
//   bazel-bin/tests/seeded_runs >tests/seeded_runs.tsv

#include "tests/seeded_runs.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

TEST(SeededRunsTest, EndAsWrittenDown) {
  std::ifstream file("tests/seeded_runs.tsv");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(SeededRuns(), golden.str())
      << "If this was meant: ./bazelw build //tests:seeded_runs and "
         "bazel-bin/tests/seeded_runs >tests/seeded_runs.tsv";
}

}  // namespace
}  // namespace reapsim
