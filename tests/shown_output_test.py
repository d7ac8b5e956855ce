# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""What the documents show is what the command prints."""

import os
import unittest

from tests import shown_output

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))
PROGRAM = "cmd/reapsim"


class ShownOutputTest(unittest.TestCase):

    # When it fails: tests/shown_output.py .cache/bazel-bin/cmd/reapsim
    def test_pages_show_what_the_command_prints(self):
        for name in shown_output.PAGES:
            with open(os.path.join(ROOT, name), encoding="utf-8") as file:
                page = file.read()
            self.assertGreater(len(shown_output.BLOCK.findall(page)), 1)
            self.maxDiff = None
            self.assertEqual(
                page, shown_output.render(page, PROGRAM, ROOT), name)

    def test_an_ellipsis_stands_for_lines_that_begin_otherwise(self):
        output = "a 1\nb 2\nc 3\nd 4\n"
        self.assertEqual(shown_output.shorten(output, "a 0\n…\nd 4\n"),
                         "a 1\n…\nd 4\n")
        self.assertEqual(shown_output.shorten(output, "a\nb\nc\n"), output)


if __name__ == "__main__":
    unittest.main()
