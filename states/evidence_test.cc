// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "states/evidence.h"

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "base/kernel_version.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "states/states.h"

namespace reapsim {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

ResolvedVersion At(const std::string& version) {
  absl::StatusOr<ResolvedVersion> resolved = Resolve(version);
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  return *resolved;
}

std::string Of(const std::string& row, const std::string& version) {
  return EvidenceOfRow(row, At(version)).Text();
}

TEST(EvidenceTest, ARecordedKernelOfTheSeriesIsNamed) {
  EXPECT_THAT(Of("killed.running", "v6.12"),
              StartsWith("recorded: Debian 6.12."));
  EXPECT_THAT(Of("killed.running", "6.1.0-56-cloud-amd64"),
              StartsWith("recorded: Debian 6.1."));
  EXPECT_THAT(Of("killed.running", "v5.10"),
              StartsWith("recorded: Debian 5.10."));
}

// v6.13 was not run; v6.12 was, and later ones, and nothing is known between
// them that could change the answer.
TEST(EvidenceTest, AKernelThatAnswersAlikeIsNamedAsSuch) {
  EXPECT_THAT(Of("killed.running", "v6.13"),
              testing::AllOf(StartsWith("recorded: Debian 6."),
                             HasSubstr("not known to answer otherwise")));
}

// v5.15 to v6.0 could not be had, nor a notifier that refuses.
TEST(EvidenceTest, WhatNoKernelWasSeenToDoWasRead) {
  EXPECT_THAT(Of("killed.running", "v5.17"), Not(HasSubstr("recorded")));
  EXPECT_THAT(Of("notifier.first", "v6.18"), Not(HasSubstr("recorded")));
}

// What v5.17-rc1 does, v5.17 does not: a series says nothing of its candidates.
TEST(EvidenceTest, AReleaseIsNoEvidenceForItsCandidates) {
  EXPECT_THAT(Of("killed.running", "v6.1-rc1"),
              HasSubstr("not known to answer otherwise"));
}

TEST(EvidenceTest, NoKernelWasMadeToTakeASchedule) {
  EXPECT_EQ(EvidenceOfSchedules().Text(),
            "source: no kernel was made to take these schedules");
}

TEST(EvidenceTest, EveryRecordedStateIsOneOfTheTable) {
  ASSERT_GE(RecordedKernels().size(), 11u);
  for (const RecordedKernel& kernel : RecordedKernels()) {
    int known = 0;
    for (const State& state : States()) known += kernel.HasRow(state.id);
    EXPECT_GE(known, 60) << kernel.package_version;
  }
}

}  // namespace
}  // namespace reapsim
