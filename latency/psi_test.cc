// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/psi.h"

#include "gtest/gtest.h"

namespace reapsim {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;

TEST(StallClockTest, CountsWhatIsStillGoingOn) {
  StallClock clock;
  clock.Begin(10);
  EXPECT_EQ(clock.Total(15), 5u);
  clock.End(20);
  EXPECT_EQ(clock.Total(100), 10u);
  clock.Begin(200);
  EXPECT_EQ(clock.Total(201), 11u);
}

TEST(PsiTriggerTest, SpeaksAtTheThresholdAndOnceInAWindow) {
  PsiTrigger trigger(70 * kMs, kSecond);
  EXPECT_EQ(trigger.period_ns(), 100 * kMs);
  EXPECT_FALSE(trigger.Look(100 * kMs, 69 * kMs));
  EXPECT_TRUE(trigger.Look(200 * kMs, 70 * kMs));
  EXPECT_FALSE(trigger.Look(1100 * kMs, 900 * kMs));
  EXPECT_TRUE(trigger.Look(1200 * kMs, 1000 * kMs));
}

TEST(PsiTriggerTest, ForgetsWhatIsOutsideTheWindow) {
  PsiTrigger trigger(70 * kMs, kSecond);
  // 60 ms in one window and 30 in the next are never 70 in one second: when the
  // 30 have come, two thirds of the first window are past.
  EXPECT_FALSE(trigger.Look(1001 * kMs, 60 * kMs));
  EXPECT_FALSE(trigger.Look(1700 * kMs, 90 * kMs));
  // But 30 ms right after them are 90.
  PsiTrigger soon(70 * kMs, kSecond);
  EXPECT_FALSE(soon.Look(1001 * kMs, 60 * kMs));
  EXPECT_TRUE(soon.Look(1101 * kMs, 90 * kMs));
}

TEST(PsiAverageTest, FollowsAStandstillAsTheKernelDoes) {
  // 1 - exp(-2 s / 10 s) is 18 %; the kernel rounds the factor to 1677/2048.
  PsiAverage average;
  average.Look(2 * kSecond, 2 * kSecond);
  EXPECT_EQ(average.percent(), 18u);
  average.Look(10 * kSecond, 10 * kSecond);
  // 1 - (1677/2048)^5 = 63.2 %.
  EXPECT_EQ(average.percent(), 63u);
}

TEST(PsiAverageTest, DoesNotDependOnHowOftenOneLooks) {
  PsiAverage seldom;
  PsiAverage often;
  for (uint64_t s = 1; s <= 20; ++s) {
    often.Look(s * kSecond, s * kSecond / 2);
  }
  seldom.Look(20 * kSecond, 10 * kSecond);
  EXPECT_EQ(seldom.percent(), often.percent());
}

}  // namespace
}  // namespace reapsim
