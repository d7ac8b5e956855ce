// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/vectors.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/kernel_version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;

// Thousands of plays: once is enough.
const std::string& Played() {
  static const auto* text = new std::string(Vectors());
  return *text;
}

TEST(VectorsTest, AreTheCommittedFile) {
  std::ifstream file("docs/vectors/process_mrelease.tsv");
  std::stringstream committed;
  committed << file.rdbuf();
  EXPECT_EQ(Played(), committed.str())
      << "If modelled code was changed on purpose: ./bazelw run "
         "//states:vectors >docs/vectors/process_mrelease.tsv";
}

// One that is in none of them could change an answer unseen.
TEST(VectorsTest, HaveAVersionForEverySetOfDifferences) {
  std::vector<Differences> seen;
  for (const std::string& version : VectorVersions()) {
    const absl::StatusOr<ResolvedVersion> resolved = Resolve(version);
    ASSERT_TRUE(resolved.ok()) << resolved.status();
    seen.push_back(resolved->differences);
  }
  for (const DifferenceRow& row : DifferenceRows()) {
    if (row.since == KernelVersion{}) continue;
    EXPECT_THAT(seen, ::testing::Contains(DifferencesAt(row.since)))
        << row.field << " from " << row.since;
  }
}

TEST(VectorsTest, HaveOldVersionsBeforeNewOnes) {
  const std::vector<std::string> versions = VectorVersions();
  EXPECT_EQ(versions.front(), "v5.10");
  EXPECT_EQ(versions.back(), ToString(NewestKnownVersion()));
  EXPECT_THAT(versions, ::testing::IsSupersetOf({"v5.15-rc1", "v5.15", "v5.16",
                                                 "v5.17-rc1", "v5.17", "v5.18",
                                                 "v6.0", "v6.19", "v7.0"}));
}

// Seen on v6.16: its sentinel for the caller's process was another one.
TEST(VectorsTest, SayFromWhichVersionToWhichAndWhoWasSeen) {
  const std::string& text = Played();
  EXPECT_THAT(
      text, HasSubstr("pidfd.self_thread_group_first\t-20000: what -10001 was "
                      "in v6.15 and v6.16\tv6.15\tv6.16\tEINVAL\tnothing\t"
                      "recorded 6.16."));
  EXPECT_THAT(text, HasSubstr("notifier.first\ta notifier on the lowest VMA "
                              "would block\tv5.15-rc1\tv7.3\tEAGAIN\t"
                              "partly_released\tsource\n"));
}

}  // namespace
}  // namespace reapsim
