// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "sched/bandwidth.h"

#include <gtest/gtest.h>

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;

TEST(BandwidthTest, CpusTakeSlicesUntilThePoolIsEmpty) {
  // 12 ms: slices of 5, 5 and 2.
  Bandwidth b({.cgroup = 1, .quota_ns = 12 * kMs, .period_ns = 100 * kMs}, 2,
              /*now_ns=*/7);
  EXPECT_EQ(b.next_period_ns(), 100 * kMs + 7);
  EXPECT_EQ(b.MayRun(0), 5 * kMs);
  EXPECT_EQ(b.MayRun(0), 5 * kMs);
  EXPECT_EQ(b.MayRun(1), 5 * kMs);
  b.Used(0, 3 * kMs);
  EXPECT_EQ(b.MayRun(0), 2 * kMs);
  b.Used(0, 2 * kMs);
  EXPECT_EQ(b.MayRun(0), 2 * kMs);
  b.Used(0, 2 * kMs);
  EXPECT_EQ(b.MayRun(0), 0u);
  EXPECT_EQ(b.MayRun(1), 5 * kMs);
}

TEST(BandwidthTest, WhatWasOverrunIsTakenFromTheNextPeriod) {
  Bandwidth b({.cgroup = 1, .quota_ns = 4 * kMs, .period_ns = 10 * kMs}, 1, 0);
  EXPECT_EQ(b.MayRun(0), 4 * kMs);
  // It held a lock, and ran for 5 ms longer than it might.
  b.Used(0, 9 * kMs);
  EXPECT_EQ(b.MayRun(0), 0u);
  b.Refill();
  EXPECT_EQ(b.next_period_ns(), 20 * kMs);
  // 4 ms are not enough for the debt.
  EXPECT_EQ(b.MayRun(0), 0u);
  b.Refill();
  EXPECT_EQ(b.MayRun(0), 3 * kMs);
}

}  // namespace
}  // namespace reapsim
