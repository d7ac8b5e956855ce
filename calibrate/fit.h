// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0
//
// Prices from measurements: non-negative least squares.
#ifndef REAPSIM_CALIBRATE_FIT_H_
#define REAPSIM_CALIBRATE_FIT_H_

#include <cstddef>
#include <vector>

namespace reapsim {

// sum(units[j] * price[j]) is to be `measured`.
struct FitRow {
  std::vector<double> units;
  double measured = 0;
  double error = 1;  // how far off may be expected; above 0
};

struct Fit {
  std::vector<double> prices;  // none is negative
  // Kinds that the rows tell nothing about, or nothing that others don't: their
  // price is 0.
  std::vector<bool> known;
};

// The prices that make the sum of squares smallest of how far off each row is,
// in units of its error. All rows have as many units, `kinds` of them. The same
// rows give the same prices, to the last bit, wherever arithmetic is IEEE 754
// without extra precision.
Fit FitPrices(const std::vector<FitRow>& rows, size_t kinds);

// sum(units[j] * prices[j]).
double Predict(const std::vector<double>& units,
               const std::vector<double>& prices);

}  // namespace reapsim

#endif  // REAPSIM_CALIBRATE_FIT_H_
