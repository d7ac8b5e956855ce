// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/latency_pictures.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "latency/latency.h"
#include "latency/machine.h"
#include "latency/profile.h"
#include "latency/strategy.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr uint64_t kMs = 1'000'000;

class LatencySheetTest : public ::testing::Test {
 protected:
  LatencySheetTest() {
    machine_.name = "two-cores";
    machine_.watermarks = {.min = 4096, .low = 0, .high = 3 * 4096};
    LatencyResult result;
    result.wake_ns = 100 * kMs;
    result.kill_ns = 101 * kMs;
    result.back_ns = 20 * kMs;
    result.call_ns = 25 * kMs;
    result.gone_ns = 30 * kMs;
    result.end_ns = 500 * kMs;
    result.tasks.resize(4);
    result.roles = {Role::kOther, Role::kVictim, Role::kCaller,
                    Role::kBackground};
    LatencyResult drawn = result;
    drawn.timeline.slices = {{90 * kMs, 99 * kMs, 0, 0, SliceKind::kKernel},
                             {110 * kMs, 120 * kMs, 0, 3, SliceKind::kUser}};
    report_.subject = "anon=1MiB";
    report_.with.options.machine = &machine_;
    report_.with.options.profile = &profile_;
    report_.with.options.seed = 7;
    report_.with.results = {result, drawn};
    report_.with.median = 1;
  }

  CostProfile profile_;
  Machine machine_;
  LatencyReport report_;
};

TEST_F(LatencySheetTest, SpreadsTheTimesOfAllRuns) {
  report_.with.results[0].back_ns.reset();
  const PictureSheet sheet = LatencySheet(report_);
  ASSERT_THAT(sheet.spreads, SizeIs(2));
  ASSERT_THAT(sheet.spreads[0].rows, SizeIs(1));
  EXPECT_EQ(sheet.spreads[0].rows[0].label, "mrelease");
  EXPECT_THAT(sheet.spreads[0].rows[0].times,
              ElementsAre(std::nullopt, 20 * kMs));
  EXPECT_THAT(sheet.spreads[1].rows[0].times, ElementsAre(30 * kMs, 30 * kMs));
}

TEST_F(LatencySheetTest, DrawsTheMedianRun) {
  const PictureSheet sheet = LatencySheet(report_);
  ASSERT_THAT(sheet.runs, SizeIs(1));
  const RunPicture& run = sheet.runs[0];
  EXPECT_EQ(run.title, "mrelease, seed 8, the median run");
  EXPECT_EQ(run.zero_ns, 101 * kMs);
  // From the caller's waking until the victim is gone, 31 ms, and a twentieth
  // of that about it.
  EXPECT_EQ(run.begin_ns, 98'450'000);
  EXPECT_EQ(run.end_ns, 132'550'000);
  // Caller and victim, then who runs in that time.
  EXPECT_THAT(run.lanes, ElementsAre(2, 1, 0, 3));
  EXPECT_THAT(run.moments, SizeIs(4));
  ASSERT_THAT(run.levels, SizeIs(2)) << "there is no low watermark";
  EXPECT_EQ(run.levels[1].label, "high");
  EXPECT_EQ(run.levels[1].pages, 3);
}

TEST_F(LatencySheetTest, DrawsAllOfARunThatDidNotComeToAnEnd) {
  report_.with.results[1].gone_ns.reset();
  const PictureSheet sheet = LatencySheet(report_);
  EXPECT_EQ(sheet.runs[0].end_ns, 520 * kMs);
  EXPECT_THAT(sheet.runs[0].moments, SizeIs(3));
}

TEST_F(LatencySheetTest, ComparesWithAKillAlone) {
  report_.kill_only = report_.with;
  report_.kill_only.options.strategy = {.kind = KillStrategy::kKill};
  const PictureSheet sheet = LatencySheet(report_);
  EXPECT_EQ(sheet.spreads[0].rows[1].label, "kill alone");
  EXPECT_THAT(sheet.runs, SizeIs(2));
}

TEST_F(LatencySheetTest, DrawsNoRunWithoutATimeline) {
  report_.with.median = 0;
  EXPECT_THAT(LatencySheet(report_).runs, IsEmpty());
}

}  // namespace
}  // namespace reapsim
