# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Holds the profiles of published figures against their fit."""

import os
import unittest
from fractions import Fraction

from bench import fit_published as fit

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))


class FitPublishedTest(unittest.TestCase):

    def test_files_are_what_the_fit_writes(self):
        texts = fit.texts(ROOT, fit.kept_contention(ROOT))
        self.assertEqual(len(texts), 4)
        for path, text in texts.items():
            with open(os.path.join(ROOT, path), encoding="utf-8") as file:
                self.assertEqual(file.read(), text, path)

    def test_only_rows_marked_fit_are_looked_at(self):
        self.assertEqual(len(fit.figures(ROOT)), 8)
        self.assertFalse([name for name in fit.figures(ROOT)
                          if name.startswith("schedutil")])

    def test_every_kind_of_cost_has_a_price(self):
        for prices in (fit.phone_costs(Fraction(100)), fit.walk_costs(),
                       fit.swap_costs()):
            self.assertEqual(set(prices), set(fit.kinds(ROOT)))
            self.assertGreaterEqual(min(price for price, _ in prices.values()),
                                    0)

    def test_least_squares_solves_what_has_a_solution(self):
        # 2 a + 3 b at two speeds of a.
        self.assertEqual(
            fit.least_squares([((1, 1), 5), ((4, 1), 11), ((2, 1), 7)]),
            [2, 3])

    def test_no_unknown_gets_negative(self):
        # Exact would be a = 4 and b = -1.
        a, b = fit.least_squares([((1, 1), 3), ((2, 1), 7)])
        self.assertEqual(b, 0)
        # Relative errors a / 3 - 1 and 2 a / 7 - 1.
        self.assertEqual(a, (Fraction(1, 3) + Fraction(2, 7)) /
                         (Fraction(1, 9) + Fraction(4, 49)))


if __name__ == "__main__":
    unittest.main()
