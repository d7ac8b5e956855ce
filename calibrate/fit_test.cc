// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/fit.h"

#include <cstdint>
#include <vector>

#include "base/prng.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace reapsim {
namespace {

using ::testing::ElementsAre;

// Rows whose measured values follow from `prices`, all but `wrong` of it.
FitRow Row(const std::vector<double>& units, const std::vector<double>& prices,
           double wrong = 0) {
  const double exact = Predict(units, prices);
  return {.units = units, .measured = exact * (1 + wrong), .error = exact / 10};
}

TEST(FitTest, FindsPricesThatMeetEveryRow) {
  const std::vector<double> prices = {200, 640, 1000};
  const Fit fit =
      FitPrices({Row({1000, 2, 1}, prices), Row({10, 300, 1}, prices),
                 Row({1, 1, 1}, prices), Row({50, 20, 1}, prices)},
                3);
  ASSERT_THAT(fit.prices, ::testing::SizeIs(3));
  EXPECT_NEAR(fit.prices[0], 200, 1e-6);
  EXPECT_NEAR(fit.prices[1], 640, 1e-6);
  EXPECT_NEAR(fit.prices[2], 1000, 1e-6);
  EXPECT_THAT(fit.known, ElementsAre(true, true, true));
}

// Of 60 rows that are up to a tenth off either way; unit counts from one to
// several thousand.
TEST(FitTest, ComesCloseWhenRowsAreOffByChance) {
  const std::vector<double> prices = {220, 65, 4700, 150};
  Prng prng(7);
  std::vector<FitRow> rows;
  for (int i = 0; i < 60; ++i) {
    std::vector<double> units(prices.size(), 1);
    units[prng.Below(units.size())] =
        static_cast<double>(prng.Between(1, 5000));
    const double wrong = static_cast<double>(prng.Between(0, 200)) / 1000 - 0.1;
    rows.push_back(Row(units, prices, wrong));
  }
  const Fit fit = FitPrices(rows, prices.size());
  for (size_t i = 0; i < prices.size(); ++i) {
    EXPECT_NEAR(fit.prices[i] / prices[i], 1, 0.08) << i;
  }
}

TEST(FitTest, IsTheSameEachTime) {
  Prng prng(3);
  std::vector<FitRow> rows;
  for (int i = 0; i < 40; ++i) {
    FitRow row;
    for (int j = 0; j < 6; ++j) {
      row.units.push_back(static_cast<double>(prng.Below(1000)));
    }
    row.measured = static_cast<double>(prng.Between(1000, 900'000));
    row.error = row.measured / 10;
    rows.push_back(row);
  }
  EXPECT_EQ(FitPrices(rows, 6).prices, FitPrices(rows, 6).prices);
}

// The second kind would be paid for: the best that is allowed is nothing, and
// the first has to do alone. (100 / 10 and 90 / 10 are equally near to 9.47.)
TEST(FitTest, PaysNobody) {
  const Fit fit = FitPrices({{.units = {10, 0}, .measured = 100, .error = 10},
                             {.units = {10, 10}, .measured = 90, .error = 10}},
                            2);
  EXPECT_DOUBLE_EQ(fit.prices[1], 0);
  EXPECT_NEAR(fit.prices[0], 9.5, 1e-9);
}

TEST(FitTest, LeavesOutWhatNoRowHas) {
  const Fit fit = FitPrices({{.units = {4, 0}, .measured = 40, .error = 1}}, 2);
  EXPECT_DOUBLE_EQ(fit.prices[0], 10);
  EXPECT_DOUBLE_EQ(fit.prices[1], 0);
  EXPECT_THAT(fit.known, ElementsAre(true, false));
}

// Three times as much of one as of the other in every row: either price would
// do, and one of them is enough.
TEST(FitTest, TakesOneOfTwoKindsThatCannotBeToldApart) {
  const std::vector<double> prices = {30, 10};
  const Fit fit = FitPrices({Row({1, 3}, prices), Row({5, 15}, prices)}, 2);
  EXPECT_TRUE(fit.prices[0] == 0 || fit.prices[1] == 0);
  EXPECT_NEAR(Predict({1, 3}, fit.prices), 60, 1e-6);
}

// A row counts by its error: ten times as sure, a hundred times as much.
TEST(FitTest, TrustsRowsByTheirErrors) {
  const Fit fit = FitPrices({{.units = {1}, .measured = 100, .error = 1},
                             {.units = {1}, .measured = 200, .error = 10}},
                            1);
  EXPECT_NEAR(fit.prices[0], (100 * 100 + 200) / 101.0, 1e-9);
}

// What others explain already may be more than what was measured.
TEST(FitTest, BearsRowsBelowZero) {
  const Fit fit = FitPrices({{.units = {1}, .measured = -5, .error = 1},
                             {.units = {2}, .measured = -1, .error = 1}},
                            1);
  EXPECT_DOUBLE_EQ(fit.prices[0], 0);
}

TEST(FitTest, MakesNothingOfNoRows) {
  const Fit fit = FitPrices({}, 2);
  EXPECT_THAT(fit.prices, ElementsAre(0, 0));
  EXPECT_THAT(fit.known, ElementsAre(false, false));
}

}  // namespace
}  // namespace reapsim
