// Copyright 2026 The reapsim Authors
// SPDX-License-Identifier: Apache-2.0

#include "calibrate/fit.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "base/check.h"

namespace reapsim {
namespace {

// A unit is a pivot if it is more than this part of its column.
constexpr double kIndependent = 1e-7;

// Normal equations of the rows, their columns scaled to length 1.
struct Normal {
  std::vector<std::vector<double>> a;  // kinds x kinds
  std::vector<double> b;
  std::vector<double> scale;  // of each column; 0: there is nothing in it
};

Normal Equations(const std::vector<FitRow>& rows, size_t kinds) {
  Normal n;
  n.a.assign(kinds, std::vector<double>(kinds, 0));
  n.b.assign(kinds, 0);
  n.scale.assign(kinds, 0);
  for (const FitRow& row : rows) {
    const double w = 1 / (row.error * row.error);
    for (size_t i = 0; i < kinds; ++i) {
      for (size_t j = 0; j < kinds; ++j) {
        n.a[i][j] += w * row.units[i] * row.units[j];
      }
      n.b[i] += w * row.units[i] * row.measured;
    }
  }
  for (size_t i = 0; i < kinds; ++i) n.scale[i] = std::sqrt(n.a[i][i]);
  for (size_t i = 0; i < kinds; ++i) {
    if (n.scale[i] == 0) continue;
    for (size_t j = 0; j < kinds; ++j) {
      if (n.scale[j] != 0) n.a[i][j] /= n.scale[i] * n.scale[j];
    }
    n.b[i] /= n.scale[i];
  }
  return n;
}

// Solves for the kinds in `active` by Cholesky's method. A kind that those
// before it explain gets 0, and false in `known`.
std::vector<double> Solve(const Normal& n, const std::vector<size_t>& active,
                          std::vector<bool>* known) {
  const size_t m = active.size();
  std::vector<std::vector<double>> l(m, std::vector<double>(m, 0));
  std::vector<bool> used(m, false);
  for (size_t i = 0; i < m; ++i) {
    double pivot = n.a[active[i]][active[i]];
    for (size_t j = 0; j < i; ++j) {
      if (!used[j]) continue;
      double sum = n.a[active[i]][active[j]];
      for (size_t k = 0; k < j; ++k) sum -= l[i][k] * l[j][k];
      l[i][j] = sum / l[j][j];
      pivot -= l[i][j] * l[i][j];
    }
    used[i] = pivot > kIndependent;
    l[i][i] = used[i] ? std::sqrt(pivot) : 0;
    (*known)[active[i]] = used[i];
  }
  std::vector<double> y(m, 0);
  for (size_t i = 0; i < m; ++i) {
    if (!used[i]) continue;
    double sum = n.b[active[i]];
    for (size_t k = 0; k < i; ++k) sum -= l[i][k] * y[k];
    y[i] = sum / l[i][i];
  }
  std::vector<double> x(m, 0);
  for (size_t i = m; i-- > 0;) {
    if (!used[i]) continue;
    double sum = y[i];
    for (size_t k = i + 1; k < m; ++k) sum -= l[k][i] * x[k];
    x[i] = sum / l[i][i];
  }
  std::vector<double> all(n.b.size(), 0);
  for (size_t i = 0; i < m; ++i) all[active[i]] = x[i];
  return all;
}

// How much the error falls if this kind's price rises from `x`.
double Descent(const Normal& n, const std::vector<double>& x, size_t i) {
  double sum = n.b[i];
  for (size_t j = 0; j < x.size(); ++j) sum -= n.a[i][j] * x[j];
  return sum;
}

}  // namespace

// Lawson and Hanson's algorithm: kinds enter one by one, that which helps most
// first; those whose price would be negative leave again.
Fit FitPrices(const std::vector<FitRow>& rows, size_t kinds) {
  for (const FitRow& row : rows) {
    REAP_CHECK(row.units.size() == kinds && row.error > 0,
               "calibrate: a row that can't be fitted");
  }
  const Normal n = Equations(rows, kinds);
  constexpr double kNothing = 1e-9;
  Fit fit;
  fit.known.assign(kinds, false);
  std::vector<double> x(kinds, 0);
  std::vector<bool> in(kinds, false);
  std::vector<bool> tried(kinds, false);
  // Each round lets one kind in; a bound that is never reached in exact
  // arithmetic.
  for (size_t round = 0; round < 10 * kinds; ++round) {
    size_t best = kinds;
    double most = kNothing;
    for (size_t i = 0; i < kinds; ++i) {
      if (in[i] || tried[i] || n.scale[i] == 0) continue;
      const double descent = Descent(n, x, i);
      if (descent > most) {
        most = descent;
        best = i;
      }
    }
    if (best == kinds) break;
    in[best] = true;
    for (;;) {
      std::vector<size_t> active;
      for (size_t i = 0; i < kinds; ++i) {
        if (in[i]) active.push_back(i);
      }
      const std::vector<double> z = Solve(n, active, &fit.known);
      // As far towards z as no price becomes negative.
      double step = 1;
      for (const size_t i : active) {
        if (z[i] < 0) step = std::min(step, x[i] / (x[i] - z[i]));
      }
      if (z[best] <= 0 && x[best] == 0) {
        // It does not help after all: arithmetic's noise.
        in[best] = false;
        tried[best] = true;
        break;
      }
      bool all_positive = true;
      for (const size_t i : active) {
        x[i] += step * (z[i] - x[i]);
        if (z[i] < 0 && x[i] <= kNothing) {
          x[i] = 0;
          in[i] = false;
          all_positive = false;
        }
      }
      if (all_positive) break;
    }
  }
  fit.prices.assign(kinds, 0);
  for (size_t i = 0; i < kinds; ++i) {
    fit.known[i] = n.scale[i] != 0 && (fit.known[i] || !in[i]);
    if (n.scale[i] != 0) fit.prices[i] = x[i] / n.scale[i];
  }
  return fit;
}

double Predict(const std::vector<double>& units,
               const std::vector<double>& prices) {
  double sum = 0;
  for (size_t i = 0; i < units.size(); ++i) sum += units[i] * prices[i];
  return sum;
}

}  // namespace reapsim
