// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "base/units.h"

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <type_traits>

#include "gtest/gtest.h"

namespace reapsim {
namespace {

constexpr uint64_t kMost = std::numeric_limits<uint64_t>::max();

template <class Amount>
std::string Printed(Amount amount) {
  std::ostringstream out;
  out << amount;
  return out.str();
}

static_assert(!std::is_convertible_v<uint64_t, Bytes>);
static_assert(!std::is_convertible_v<uint64_t, Pages>);
static_assert(!std::is_convertible_v<Bytes, Pages>);
static_assert(!std::is_convertible_v<Pages, Bytes>);
static_assert(std::is_trivially_copyable_v<Pages>);
static_assert(sizeof(Pages) == sizeof(uint64_t));

TEST(UnitsTest, LiteralsArePowersOf1024) {
  EXPECT_EQ(100_B, Bytes(100));
  EXPECT_EQ(3_KiB, Bytes(3072));
  EXPECT_EQ(2_MiB, Bytes(2097152));
  EXPECT_EQ(1_GiB, Bytes(1073741824));
  EXPECT_EQ(1_TiB, Bytes(1099511627776));
  EXPECT_EQ(7_pages, Pages(7));
}

TEST(UnitsTest, AddSubtractMultiplyAndCompare) {
  constexpr Pages kFive = 2_pages + 3_pages;
  static_assert(kFive == 5_pages);
  EXPECT_EQ(kFive - 1_pages, 4_pages);
  EXPECT_EQ(kFive * 3, 15_pages);
  EXPECT_EQ(3 * kFive, 15_pages);
  EXPECT_LT(4_pages, kFive);
  EXPECT_GE(1_MiB, 1024_KiB);
  Bytes sum = 1_KiB;
  sum += 1_B;
  EXPECT_EQ(sum, 1025_B);
  sum -= 25_B;
  EXPECT_EQ(sum, 1000_B);
}

TEST(UnitsTest, DivideIntoACountRoundedDown) {
  EXPECT_EQ(10_KiB / 4_KiB, 2u);
  EXPECT_EQ(512_pages / 1_pages, 512u);
}

TEST(UnitsTest, ConvertBetweenPagesAndBytes) {
  EXPECT_EQ((3_pages).bytes(), 12_KiB);
  EXPECT_EQ(WholePages(64_MiB), 16384_pages);
  EXPECT_EQ(PagesToHold(0_B), 0_pages);
  EXPECT_EQ(PagesToHold(1_B), 1_pages);
  EXPECT_EQ(PagesToHold(4096_B), 1_pages);
  EXPECT_EQ(PagesToHold(4097_B), 2_pages);
  // 2^64 - 1 bytes end inside the last page there is.
  EXPECT_EQ(PagesToHold(Bytes(kMost)), Pages(uint64_t{1} << 52));
}

TEST(UnitsTest, PrintInTheLargestUnitThatDivides) {
  EXPECT_EQ(Printed(0_B), "0 B");
  EXPECT_EQ(Printed(100_B), "100 B");
  EXPECT_EQ(Printed(65532_KiB), "65532 KiB");
  EXPECT_EQ(Printed(64_MiB), "64 MiB");
  EXPECT_EQ(Printed(1024_TiB), "1024 TiB");
  EXPECT_EQ(Printed(0_pages), "0 pages");
  EXPECT_EQ(Printed(1_pages), "1 page");
  EXPECT_EQ(Printed(2_pages), "2 pages");
}

TEST(UnitsDeathTest, EndTheProgramRatherThanWrap) {
  EXPECT_DEATH(Pages(kMost) + 1_pages, "units: sum overflows");
  EXPECT_DEATH(1_pages - 2_pages, "units: difference below zero");
  EXPECT_DEATH(Pages(kMost) * 2, "units: product overflows");
  EXPECT_DEATH(Pages(kMost).bytes(), "units: product overflows");
  EXPECT_DEATH(1_pages / 0_pages, "units: division by zero");
  EXPECT_DEATH(WholePages(4097_B), "units: not whole pages");
}

}  // namespace
}  // namespace reapsim
