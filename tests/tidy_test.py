#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""The tree is tidy, and tests/tidy.py notices when it is not."""

import os
import unittest

from tests import tidy

HEADER = ("// Copyright 2026 The reapsim Authors\n"
          "// SPDX-License-Identifier: Apache-2.0\n")

# (what is wrong, file, text after the licence, line, part of the message)
BREACHES = (
    ("long line", "mm/a.cc", "int a;  //" + " b" * 40 + "\n", 3, "columns"),
    ("tab", "mm/a.cc", "\tint a;\n", 3, "tab"),
    ("trailing space", "mm/a.cc", "int a; \n", 3, "trailing space"),
    ("no final newline", "mm/a.cc", "int a;", 3, "no newline"),
    ("rand", "mm/a.cc", "int a = std::rand();\n", 3, "Prng"),
    ("rand of C", "tests/a.cc", "int a = rand();\n", 3, "Prng"),
    ("BitGen", "tests/a.cc", "absl::BitGen gen;\n", 3, "Prng"),
    ("random_device", "cmd/a.cc", "std::random_device d;\n", 3, "Prng"),
    ("distribution", "mm/a.cc", "std::uniform_int_distribution<> d;\n", 3,
     "bounded draw"),
    ("unordered map", "cmd/a.cc", "std::unordered_map<int, int> m;\n", 3,
     "btree_map"),
    ("hash map in the model", "mm/a.cc", "absl::flat_hash_map<int, int> m;\n",
     3, "hash order"),
    ("assert", "mm/a.cc", "void F() { assert(true); }\n", 3, "REAP_CHECK"),
    ("using namespace", "mm/a.cc", "using namespace std;\n", 3, "name what"),
    ("sleep", "tests/a.cc", "void F() { usleep(1); }\n", 3, "time"),
    ("wall clock", "mm/a.cc", "auto t = std::chrono::steady_clock::now();\n",
     3, "clock"),
    ("pointer printed", "report/a.cc", "auto f = \"%p\";\n", 3, "pointers"),
    ("thread_local", "mm/a.cc", "thread_local int a;\n", 3, "snapshot"),
    ("host lock", "sched/a.cc", "std::mutex a;\n", 3, "modelled locks"),
    ("unfinished", "mm/a.cc", "// TO" "DO: more\n", 3, "finish it"),
    ("path of a machine", "docs/a.md", "see /ro" "ot/a\n", 3, "one machine"),
    ("path in recorded data", "tests/data/a.txt", "/wo" "rk/a\n", 3,
     "one machine"),
    ("foreign licence", "mm/a.md", "SPDX-" "License-Identifier: GPL-2.0\n", 3,
     "Apache-2.0"),
    ("higher floor", "base/a.cc", '#include "mm/a.h"\n', 3, "floor"),
    ("same floor", "report/a.cc", '#include "mm/a.h"\n', 3, "floor"),
    ("not from the root", "mm/a.cc", '#include "a.h"\n', 3, "from the root"),
    ("header guard", "mm/a.h", "#ifndef A_H_\n#define A_H_\n#endif\n", 1,
     "REAPSIM_MM_A_H_"),
)

# What looks like a breach and is none.
ALLOWED = (
    ("lower floor", "mm/a.cc", '#include "sched/task.h"\n'),
    ("own room", "mm/a.cc", '#include "mm/a.h"\n'),
    ("library", "mm/a.cc", '#include "absl/types/span.h"\n'),
    ("only a comment", "mm/a.cc", "// not std::rand()\n"),
    ("static_assert", "mm/a.cc", "static_assert(true);\n"),
    ("operand", "mm/a.cc", "int operand(int a);\n"),
    ("clock in a benchmark", "bench/a.cc",
     "auto t = std::chrono::steady_clock::now();\n"),
    ("long address", "mm/a.cc", "// https://example.com/" + "a" * 80 + "\n"),
    ("wide table", "docs/a.md", "| a | " + "b " * 50 + "|\n"),
    ("host's guard", "sched/heap_guard.cc", "thread_local bool a;\n"),
    ("header guard", "mm/a.h",
     "#ifndef REAPSIM_MM_A_H_\n#define REAPSIM_MM_A_H_\n#endif\n"),
)

SUITE = 'test_suite(\n    name = "quick",\n    tags = ["small"],\n)\n'
BUILD_HEADER = HEADER.replace("//", "#")


def workspace_root():
    """The source tree: Bazel links its files into the test's directory."""
    return os.path.dirname(os.path.realpath("WORKSPACE"))


class TidyTest(unittest.TestCase):

    def test_the_tree_is_tidy(self):
        tree = tidy.read_tree(workspace_root())
        self.assertIn("tests/tidy_test.py", tree)
        messages = tidy.check_tree(tree)
        if messages:
            self.fail("\n" + "\n".join(messages))

    def test_each_breach_is_named_with_its_line(self):
        for title, path, text, line, message in BREACHES:
            with self.subTest(title):
                found = tidy.check_tree({path: HEADER + text})
                self.assertEqual(len(found), 1, found)
                self.assertTrue(
                    found[0].startswith("%s:%d: " % (path, line)), found)
                self.assertIn(message, found[0])

    def test_what_looks_like_a_breach_passes(self):
        for title, path, text in ALLOWED:
            with self.subTest(title):
                self.assertEqual(tidy.check_tree({path: HEADER + text}), [])

    def test_each_banned_word_has_an_example(self):
        for rooms, pattern, _ in tidy.BANNED:
            with self.subTest(pattern):
                self.assertTrue(any(
                    tidy.room_of(path) in rooms
                    and tidy.re.search(pattern, text)
                    for _, path, text, _, _ in BREACHES))

    def test_each_exception_is_needed(self):
        tree = tidy.read_tree(workspace_root())
        for path, word in tidy.EXCEPTIONS:
            with self.subTest(path):
                self.assertIn(word, tree.get(path, ""))

    def test_a_source_without_licence_is_named(self):
        self.assertIn("mm/a.cc:1: first lines",
                      tidy.check_tree({"mm/a.cc": "int a;\n"})[0])

    def test_a_test_that_no_target_runs_is_named(self):
        found = tidy.check_tree({
            "mm/BUILD": BUILD_HEADER,
            "mm/a_test.cc": HEADER,
        })
        self.assertEqual(found, ["mm/BUILD:1: a_test.cc is in no target"])

    def test_a_package_missing_from_quick_is_named(self):
        build = BUILD_HEADER + 'cc_test(\n    name = "a_test",\n)\n'
        found = tidy.check_tree({"mm/BUILD": build})
        self.assertEqual(found, [
            'mm/BUILD:1: "//mm:quick" is missing from //:quick',
            'mm/BUILD:1: no test_suite named "quick"',
        ])
        found = tidy.check_tree({
            "BUILD": BUILD_HEADER + '"//mm:quick"\n',
            "mm/BUILD": build + SUITE,
        })
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
