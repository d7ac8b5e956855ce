# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""docs/wrong-claims.md: each row is as it says, in each version it says."""

import json
import os
import re
import subprocess
import unittest

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))
PROGRAM = os.path.join("cmd", "reapsim")
PAGE = os.path.join(ROOT, "docs", "wrong-claims.md")
# One of each epoch, and the last before and the first with what a page names.
VERSIONS = ("v5.15-rc1", "v5.15", "v5.16", "v5.17", "v5.18", "v6.0", "v6.1",
            "v6.4", "v6.8", "v6.9", "v6.12", "v6.15", "v6.17", "v6.18")

# | `killed.running` | 0 (released) reaped | v5.15-rc1.. |
ROW = re.compile(r"^\| `([a-z]+\.[a-z0-9_]+)` "
                 r"\| (\w+)(?: \((\w+)\))?(?: (\w+))? "
                 r"\| (v[\w.-]+?)\.\.(v[\w.-]+)? \|$", re.M)


def order(version):
    """Something to compare versions by."""
    match = re.fullmatch(r"v(\d+)\.(\d+)(?:-rc(\d+))?", version)
    major, minor, rc = match.groups()
    return int(major), int(minor), int(rc) if rc else 1000


def answers(version):
    """What `reapsim states` says of each row."""
    run = subprocess.run([PROGRAM, "states", "--json", "--kernel=" + version],
                         check=True, stdout=subprocess.PIPE)
    return {line["state"]: line for line in json.loads(run.stdout)}


class WrongClaimsTest(unittest.TestCase):

    def test_rows_refute_them_in_every_version_named(self):
        with open(PAGE, encoding="utf-8") as file:
            rows = ROW.findall(file.read())
        self.assertGreater(len(rows), 60)
        played = dict.fromkeys(range(len(rows)), 0)
        for version in VERSIONS:
            lines = answers(version)
            for i, (row, answer, effect, decided, first, last) in enumerate(
                    rows):
                if order(version) < order(first):
                    continue
                if last and order(last) < order(version):
                    continue
                with self.subTest(row=row, version=version):
                    played[i] += 1
                    line = lines[row]
                    self.assertEqual(line["errno"] or str(line["return"]),
                                     answer)
                    if effect:
                        self.assertEqual(line["effect"], effect)
                    if decided:
                        self.assertEqual(line["decided_by"], decided)
        self.assertNotIn(0, played.values())

    def test_every_row_of_a_table_is_read(self):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        lines = [line for line in page.split("\n") if line.startswith("| `")]
        self.assertEqual(len(ROW.findall(page)), len(lines))

    def test_versions_are_in_order(self):
        self.assertEqual(sorted(VERSIONS, key=order), list(VERSIONS))


if __name__ == "__main__":
    unittest.main()
