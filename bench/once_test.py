# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs a benchmark program once, in small, and holds the page against it.

usage: once_test PROGRAM FILTER

No time is looked at: the results must be right, and docs/benchmarks.md must
have a row for each benchmark, and no row for any other.
"""

import json
import os
import re
import subprocess
import sys
import unittest

from bench import report

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))


def output_of(*flags):
    """What the program prints."""
    return subprocess.run([PROGRAM, *flags], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8").stdout


class OnceTest(unittest.TestCase):

    def test_results_are_right(self):
        rows = json.loads(output_of(
            "--benchmark_min_time=0", "--benchmark_format=json",
            "--benchmark_filter=" + FILTER))["benchmarks"]
        self.assertTrue(rows)
        for row in rows:
            error = row.get("error_message", "")
            if error.startswith("skipped"):
                print("%s: %s" % (row["name"], error))
                continue
            self.assertEqual(error, "", row["name"])

    def test_page_has_a_row_for_each_benchmark(self):
        names = {report.plain(line) for line in output_of(
            "--benchmark_list_tests=true").split()}
        self.assertTrue(names)
        with open(os.path.join(ROOT, report.PAGE), encoding="utf-8") as file:
            rows = "".join(line for line in file if line.startswith("|"))
        shown = set(re.findall(r"`([^`/ ]+/[^` ]+)`", rows))
        self.assertEqual(names - shown, set())
        heads = {name.split("/")[0] for name in names}
        self.assertEqual({name for name in shown
                          if name.split("/")[0] in heads} - names, set())


if __name__ == "__main__":
    PROGRAM, FILTER = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
