// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "latency/amount.h"

#include <cstdint>
#include <string>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

// What a text is worth; ~0 stands for a text that is refused.
struct Case {
  const char* text;
  uint64_t value;
};
constexpr uint64_t kRefused = ~uint64_t{0};

TEST(AmountTest, ReadsSizes) {
  constexpr Case kCases[] = {
      {"0", 0},
      {"0KiB", 0},
      {"1B", 1},
      {"4KiB", 4096},
      {"64MiB", uint64_t{64} << 20},
      {"3GiB", uint64_t{3} << 30},
      {"2TiB", uint64_t{2} << 40},
      {"16777215TiB", uint64_t{16777215} << 40},
      {"16777216TiB", kRefused},  // 2^64
      {"18446744073709551616B", kRefused},
      {"", kRefused},
      {"64", kRefused},
      {"MiB", kRefused},
      {"1.5GiB", kRefused},
      {"64 MiB", kRefused},
      {"64mib", kRefused},
      {"64M", kRefused},
      {"-1MiB", kRefused},
      {"+1MiB", kRefused},
      {"0x10KiB", kRefused},
  };
  for (const Case& each : kCases) {
    uint64_t bytes = kRefused;
    EXPECT_EQ(ParseSize(each.text, &bytes), each.value != kRefused)
        << each.text;
    EXPECT_EQ(bytes, each.value) << each.text;
  }
}

TEST(AmountTest, PrintsSizesInTheLargestUnitThatDividesThem) {
  EXPECT_EQ(PrintSize(0), "0");
  EXPECT_EQ(PrintSize(1), "1B");
  EXPECT_EQ(PrintSize(4096), "4KiB");
  EXPECT_EQ(PrintSize(uint64_t{65532} << 10), "65532KiB");
  EXPECT_EQ(PrintSize(uint64_t{1} << 40), "1TiB");
}

TEST(AmountTest, ReadsDurations) {
  constexpr Case kCases[] = {
      {"0", 0},
      {"0s", 0},
      {"7ns", 7},
      {"2.5us", 2'500},
      {"3ms", 3'000'000},
      {"2.000001ms", 2'000'001},
      {"10s", 10'000'000'000},
      {"9223372036s", 9'223'372'036'000'000'000},
      {"9223372037s", kRefused},  // 2^63 ns or more
      {"18446744073709551616ns", kRefused},
      {"", kRefused},
      {"3", kRefused},
      {"0.5", kRefused},
      {"ms", kRefused},
      {"3 ms", kRefused},
      {"0.5ns", kRefused},  // a part of a nanosecond
      {"1.0000001ms", kRefused},
      {"1.ms", kRefused},
      {".5ms", kRefused},
      {"1.2.3ms", kRefused},
      {"3m", kRefused},
      {"-3ms", kRefused},
      {"1e3ns", kRefused},
  };
  for (const Case& each : kCases) {
    uint64_t ns = kRefused;
    EXPECT_EQ(ParseDuration(each.text, &ns), each.value != kRefused)
        << each.text;
    EXPECT_EQ(ns, each.value) << each.text;
  }
}

TEST(AmountTest, PrintsDurationsWithAtMostThreeDecimals) {
  EXPECT_EQ(PrintDuration(0), "0");
  EXPECT_EQ(PrintDuration(7), "7ns");
  EXPECT_EQ(PrintDuration(2'500), "2.5us");
  EXPECT_EQ(PrintDuration(1'000'001), "1000.001us");
  EXPECT_EQ(PrintDuration(1'234'567'891), "1234567.891us");
  EXPECT_EQ(PrintDuration(3'000'000'000), "3s");
}

TEST(AmountTest, ReadsThousandths) {
  constexpr Case kCases[] = {
      {"0", 0},
      {"225", 225'000},
      {"12.5", 12'500},
      {"0.001", 1},
      {"0.0001", kRefused},
      {"", kRefused},
      {"-1", kRefused},
      {"1e3", kRefused},
      {"1.", kRefused},
      {".1", kRefused},
      {"x", kRefused},
      {"9223372036854775.807", 9'223'372'036'854'775'807},
      // 2^63 thousandths, and what is beyond 64 bits.
      {"9223372036854775.808", kRefused},
      {"99999999999999999999", kRefused},
  };
  for (const Case& each : kCases) {
    uint64_t thousandths = kRefused;
    EXPECT_EQ(ParseThousandths(each.text, &thousandths), each.value != kRefused)
        << each.text;
    EXPECT_EQ(thousandths, each.value) << each.text;
  }
}

TEST(AmountTest, PrintsThousandthsWithoutNoughtsAtTheEnd) {
  EXPECT_EQ(PrintThousandths(0), "0");
  EXPECT_EQ(PrintThousandths(225'000), "225");
  EXPECT_EQ(PrintThousandths(12'500), "12.5");
  EXPECT_EQ(PrintThousandths(1), "0.001");
}

TEST(AmountTest, ReadsWhatItPrints) {
  // Powers of three hit every unit and every number of decimals.
  for (uint64_t n = 1; n < uint64_t{1} << 62; n *= 3) {
    uint64_t read = 0;
    EXPECT_TRUE(ParseSize(PrintSize(n), &read));
    EXPECT_EQ(read, n);
    EXPECT_TRUE(ParseDuration(PrintDuration(n), &read));
    EXPECT_EQ(read, n);
    EXPECT_TRUE(ParseThousandths(PrintThousandths(n), &read));
    EXPECT_EQ(read, n);
  }
}

TEST(AmountTest, ReadsCounts) {
  constexpr Case kCases[] = {
      {"0", 0},
      {"007", 7},
      {"18446744073709551614", ~uint64_t{1}},
      {"18446744073709551616", kRefused},
      {"", kRefused},
      {"1k", kRefused},
      {" 1", kRefused},
  };
  for (const Case& each : kCases) {
    uint64_t count = kRefused;
    EXPECT_EQ(ParseCount(each.text, &count), each.value != kRefused)
        << each.text;
    EXPECT_EQ(count, each.value) << each.text;
  }
}

}  // namespace
}  // namespace reapsim
