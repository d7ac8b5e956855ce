// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/lane_bins.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Bar = LaneBins::Run;

// Ten pixels of 100 ns each, from 1000 on.
constexpr PixelScale kScale = {1000, 2000, 10};

TEST(PixelScale, KnowsWhereEachPixelBegins) {
  EXPECT_EQ(kScale.TimeAt(0), 1000);
  EXPECT_EQ(kScale.TimeAt(3), 1300);
  EXPECT_EQ(kScale.TimeAt(10), 2000);
  EXPECT_EQ(kScale.PixelAt(1299), 2);
  EXPECT_EQ(kScale.PixelAt(1300), 3);
  EXPECT_EQ(kScale.PixelAt(0), 0);
  EXPECT_EQ(kScale.PixelAt(5000), 9);
}

TEST(PixelScale, AgreesWithItselfWhereItRounds) {
  const PixelScale odd = {7, 1007, 333};
  for (uint64_t ns = 7; ns < 1007; ++ns) {
    const uint32_t pixel = odd.PixelAt(ns);
    EXPECT_LE(odd.TimeAt(pixel), ns);
    EXPECT_GT(odd.TimeAt(pixel + 1), ns);
  }
}

TEST(LaneBins, MakesOneRunOfWhatIsAlike) {
  LaneBins bins(kScale);
  bins.Add(0, 1000, 1300);
  bins.Add(0, 1300, 1500);
  bins.Add(1, 1500, 1700);
  EXPECT_THAT(bins.Runs(0, 8), ElementsAre(Bar{0, 5, 0, 4}, Bar{5, 7, 1, 4}));
}

TEST(LaneBins, PutsTogetherWhatIsShorterThanAPixel) {
  LaneBins bins(kScale);
  // 200 slices of 1 ns in 2 pixels, 150 of them of kind 1.
  for (uint64_t at = 1200; at < 1400; ++at) {
    bins.Add(at % 4 == 0 ? 0 : 1, at, at + 1);
  }
  EXPECT_THAT(bins.Runs(0, 8), ElementsAre(Bar{2, 4, 1, 4}));
  EXPECT_EQ(bins.TotalOf(0), 50);
  EXPECT_EQ(bins.TotalOf(1), 150);
}

TEST(LaneBins, ShowsAQuarterOfWhatIsHardlyThere) {
  LaneBins bins(kScale);
  bins.Add(0, 1250, 1251);
  bins.Add(0, 1300, 1326);
  EXPECT_THAT(bins.Runs(0, 8), ElementsAre(Bar{2, 3, 0, 1}, Bar{3, 4, 0, 2}));
}

TEST(LaneBins, LeavesOutWhatIsOutside) {
  LaneBins bins(kScale);
  bins.Add(0, 0, 1000);
  bins.Add(0, 2000, 3000);
  bins.Add(0, 500, 500);
  EXPECT_THAT(bins.Runs(0, 8), IsEmpty());
  bins.Add(0, 0, 3000);
  EXPECT_THAT(bins.Runs(0, 8), ElementsAre(Bar{0, 10, 0, 4}));
  EXPECT_EQ(bins.TotalOf(0), 1000);
}

TEST(LaneBins, LooksAtTheKindsAskedFor) {
  LaneBins bins(kScale);
  bins.Add(0, 1000, 1100);
  bins.Add(5, 1000, 1100);
  EXPECT_THAT(bins.Runs(5, 6), ElementsAre(Bar{0, 1, 5, 4}));
  EXPECT_THAT(bins.Runs(1, 5), IsEmpty());
}

TEST(PathOf, DrawsUpwards) {
  const std::vector<Bar> runs = {{0, 5, 0, 4}, {5, 7, 1, 4}, {8, 9, 0, 1}};
  EXPECT_EQ(PathOf(runs, 0, 100, 50, 16), "M100 50v-16h5v16zM108 50v-4h1v4z");
  EXPECT_EQ(PathOf(runs, 2, 100, 50, 16), "");
}

}  // namespace
}  // namespace reapsim
