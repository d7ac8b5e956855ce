# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Holds docs/latency.md against what the benchmarks say now.

usage: latency_doc_test PROGRAM
"""

import os
import sys
import unittest

from bench import latency_report as report

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))


class LatencyDocTest(unittest.TestCase):

    maxDiff = None

    def test_page_shows_what_the_benchmarks_say(self):
        self.assertEqual(report.read(ROOT, report.PAGE),
                         report.fresh_page(ROOT, PROGRAM),
                         "Prices or the model have changed: write it anew "
                         "with ./bazelw run -c opt //bench:latency_report, and "
                         "read whether its sentences still hold")

    def test_numbers_have_three_digits(self):
        for value, text in ((None, "—"), (0, "0"), (0.01234, "0.012"),
                            (1.2345, "1.23"), (12.345, "12.3"),
                            (12345.6, "12,346")):
            self.assertEqual(report.number(value), text)

    def test_spread_goes_by_nearest_rank(self):
        self.assertEqual(report.spread([3, 1, 2]), 2)
        # Of 200, the second from either end.
        self.assertEqual(report.spread(range(200)), 196)

    def test_a_figure_is_met_within_a_quarter(self):
        figure = {"id": "a", "unit": "ms", "use": "held", "value": 100}
        self.assertEqual(report.figure_row(figure, 125.0)[-2:],
                         ["+25 %", "met"])
        self.assertEqual(report.figure_row(figure, 74.0)[-2:],
                         ["-26 %", "**not met**"])

    def test_a_figure_that_is_a_range_is_met_anywhere_in_it(self):
        figure = {"id": "a", "unit": "ms", "use": "held", "value": 100,
                  "to": 200}
        self.assertEqual(report.figure_row(figure, 160.0)[-2:],
                         ["+0 %", "met"])
        self.assertEqual(report.figure_row(figure, 300.0)[-2:],
                         ["+50 %", "**not met**"])


if __name__ == "__main__":
    PROGRAM = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
