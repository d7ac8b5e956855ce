// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// The trace of each row, on every compiler, optimisation level and sanitizer,
// must have the hash that is written down in trace_hashes.tsv. CI runs this
// test in each configuration.
//
// When modelled code changes on purpose, the file is made anew:
//   ./bazelw run //states:trace_hashes >states/trace_hashes.tsv

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "states/trace_hashes.h"

namespace reapsim {
namespace {

std::string ReadGolden() {
  std::ifstream file("states/trace_hashes.tsv");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(TraceHash, IsAsWrittenDownForEveryRowOfBothVersions) {
  EXPECT_EQ(TraceHashes(), ReadGolden())
      << "If modelled code was changed on purpose: "
         "./bazelw run //states:trace_hashes >states/trace_hashes.tsv";
}

TEST(TraceHash, IsTheSameInARunThatFollows) {
  EXPECT_EQ(TraceHashes(), TraceHashes());
}

}  // namespace
}  // namespace reapsim
