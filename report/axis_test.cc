// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "report/axis.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;

template <class Ticks>
std::vector<std::string> LabelsOf(const Ticks& ticks) {
  std::vector<std::string> labels;
  for (const auto& tick : ticks) labels.push_back(tick.label);
  return labels;
}

TEST(DurationText, HasThreeDigitsInTheLargestUnit) {
  EXPECT_EQ(DurationText(0), "0 ns");
  EXPECT_EQ(DurationText(999), "999 ns");
  EXPECT_EQ(DurationText(1'000), "1 us");
  EXPECT_EQ(DurationText(1'234'567), "1.23 ms");
  EXPECT_EQ(DurationText(12'345'678), "12.3 ms");
  EXPECT_EQ(DurationText(123'456'789), "123 ms");
  EXPECT_EQ(DurationText(1'999'999'999), "2.00 s");
  EXPECT_EQ(DurationText(UINT64_MAX), "18,446,744,074 s");
}

TEST(BytesText, HasThreeDigitsInTheLargestUnit) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(4096), "4 KiB");
  EXPECT_EQ(BytesText(uint64_t{1} << 30), "1 GiB");
  EXPECT_EQ(BytesText((uint64_t{1} << 30) + (uint64_t{1} << 28)), "1.25 GiB");
}

TEST(BytesAxis, BeginsAtZeroIfThatIsNear) {
  const LinearAxis axis = BytesAxis(1 << 20, 8 << 20, 4);
  EXPECT_THAT(LabelsOf(axis.ticks),
              ElementsAre("0", "2 MiB", "4 MiB", "6 MiB", "8 MiB"));
  EXPECT_EQ(axis.PixelOf(4 << 20, 100), 50);
  EXPECT_EQ(axis.PixelOf(16 << 20, 100), 100) << "beyond: at the end";
}

TEST(BytesAxis, BeginsNearWhatVariesLittle) {
  const LinearAxis axis =
      BytesAxis(uint64_t{100} << 20, uint64_t{103} << 20, 4);
  EXPECT_THAT(LabelsOf(axis.ticks),
              ElementsAre("100 MiB", "101 MiB", "102 MiB", "103 MiB"));
}

TEST(BytesAxis, HasALengthWhereNothingVaries) {
  const LinearAxis axis = BytesAxis(0, 0, 4);
  EXPECT_EQ(axis.PixelOf(0, 100), 0);
  EXPECT_THAT(LabelsOf(axis.ticks), ElementsAre("0", "4 KiB"));
}

TEST(DurationAxis, IsLinearFromZeroForTimesOfOneSize) {
  const LinearAxis axis = DurationAxis(3'000'000, 48'000'000);
  EXPECT_FALSE(axis.logarithmic);
  EXPECT_THAT(LabelsOf(axis.ticks),
              ElementsAre("0", "10 ms", "20 ms", "30 ms", "40 ms", "50 ms"));
  EXPECT_EQ(axis.PixelOf(25'000'000, 100), 50);
}

TEST(DurationAxis, IsLogarithmicForTimesFarApart) {
  const LinearAxis axis = DurationAxis(20'000, 9'000'000);
  EXPECT_TRUE(axis.logarithmic);
  EXPECT_THAT(LabelsOf(axis.ticks),
              ElementsAre("10 us", "100 us", "1 ms", "10 ms"));
  EXPECT_EQ(axis.PixelOf(10'000, 300), 0);
  // One decade of three; rounded down.
  EXPECT_NEAR(axis.PixelOf(100'000, 300), 100, 1);
  EXPECT_EQ(axis.PixelOf(10'000'000, 300), 300);
}

TEST(DurationAxis, HasALengthWithoutAnyTime) {
  EXPECT_EQ(DurationAxis(0, 0).PixelOf(0, 100), 0);
}

TEST(TimeAxis, CountsBothWaysFromZero) {
  // From 10 to 110 ms, zero at 30 ms: at most 8 steps of 20 ms.
  const TimeAxis axis = TimeAxisOf(10'000'000, 110'000'000, 30'000'000, 8);
  EXPECT_EQ(axis.unit, "ms");
  EXPECT_THAT(LabelsOf(axis.ticks),
              ElementsAre("-20", "0", "20", "40", "60", "80"));
  EXPECT_EQ(axis.ticks[1].at_ns, 30'000'000);
}

TEST(TimeAxis, HasZeroOutside) {
  const TimeAxis axis = TimeAxisOf(2'000'000'000, 6'000'000'000, 0, 8);
  EXPECT_EQ(axis.unit, "s");
  EXPECT_THAT(LabelsOf(axis.ticks), ElementsAre("2", "3", "4", "5", "6"));
}

TEST(TimeAxis, HasAsManyDecimalsAsItsStep) {
  const TimeAxis axis = TimeAxisOf(0, 2'000'000'000, 0, 4);
  EXPECT_EQ(axis.unit, "s");
  EXPECT_THAT(LabelsOf(axis.ticks), ElementsAre("0", "1", "2"));
  EXPECT_THAT(LabelsOf(TimeAxisOf(0, 2'000'000'000, 0, 8).ticks),
              ElementsAre("0.0", "0.5", "1.0", "1.5", "2.0"));
}

}  // namespace
}  // namespace reapsim
