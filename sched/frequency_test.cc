// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/frequency.h"

#include <gtest/gtest.h>

#include <vector>

namespace reapsim {
namespace {

constexpr uint64_t kPercent = CpuUse::kFull / 100;

TEST(FrequencyTest, UseHalvesItsDistanceInEightTicks) {
  CpuUse use;
  use.Add(8, 1000, 1000, 1000);
  EXPECT_NEAR(static_cast<double>(use.value()), 50.0 * kPercent, kPercent);
  use.Add(8, 0, 1000, 1000);
  EXPECT_NEAR(static_cast<double>(use.value()), 25.0 * kPercent, kPercent);
  // A busy CPU at a third of its frequency is a third full.
  use.Add(1000, 1000, 400, 1200);
  EXPECT_NEAR(static_cast<double>(use.value()), 33.3 * kPercent, kPercent);
}

TEST(FrequencyTest, TheLowestPointThatLeavesAQuarterFree) {
  const std::vector<uint32_t> mhz = {300, 600, 900, 1200};
  struct Row {
    uint64_t percent;
    uint32_t step;
  };
  // 20 % of 1200 MHz and a quarter of that are 300 MHz.
  for (const Row& row : std::vector<Row>{
           {0, 0}, {19, 0}, {21, 1}, {39, 1}, {41, 2}, {61, 3}, {100, 3}}) {
    EXPECT_EQ(StepFor(row.percent * kPercent, mhz), row.step) << row.percent;
  }
}

}  // namespace
}  // namespace reapsim
