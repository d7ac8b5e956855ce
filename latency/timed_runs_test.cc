// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Virtual time is the same on every compiler, optimisation level and sanitizer:
// all these runs end as is written down in timed_runs.tsv. CI runs this test in
// each configuration.
//
// When modelled code changes on purpose, the file is made anew:
//   ./bazelw build //latency:timed_runs
//   bazel-bin/latency/timed_runs >latency/timed_runs.tsv

#include "latency/timed_runs.h"

#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

TEST(TimedRunsTest, EndAsWrittenDown) {
  std::ifstream file("latency/timed_runs.tsv");
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(TimedRuns(), golden.str())
      << "If this was meant: ./bazelw build //latency:timed_runs and "
         "bazel-bin/latency/timed_runs >latency/timed_runs.tsv";
}

}  // namespace
}  // namespace reapsim
