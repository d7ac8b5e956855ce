#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""branches.txt fits the sources, and leaves no branch of theirs out."""

import os
import unittest

from tests.branches import rows

# What acceptance asks for, and what it consists of.
FUNCTIONS = {
    "mm/oom_kill.cc": (
        "find_lock_task_mm", "process_shares_mm", "__oom_reap_task_mm",
        "__task_will_free_mem", "SharersWillFreeMem", "task_will_free_mem",
        "process_mrelease_original", "ReapLocked", "process_mrelease_later",
        "do_process_mrelease"),
    "mm/mmap.cc": (
        "ReapOwnMm", "IsMarkedVictim", "MunlockAll", "FreePageTables",
        "FreeVmas", "ForgetVmas", "exit_mmap_unlocked",
        "exit_mmap_write_locked", "exit_mmap_read_then_write", "exit_mmap"),
}

SOURCE = """namespace reapsim {
int F(int a);

int F(int a, const T* b) {
  if (a > 0) return 1;
  mmgrab(b);  // not an if (here)
  return 0;
}

}
"""

# (branches.txt, part of the message)
BAD_LISTS = (
    ("== mm/a.cc\n", "line 1: '== FILE FUNCTION' expected"),
    ("id: before any function\n", "line 1: 'id: what it means' expected"),
    ("== a.cc F\nno colon\n", "line 2: 'id: what it means' expected"),
    ("== a.cc F\n- x\n", "line 2: no row begins here"),
    ("== a.cc F\na: b\n+ x\n", "line 3: new text before any old text"),
    ("== a.cc F\na: b\n", "line 2: 'a' needs old"),
    ("== a.cc F\na: b\n- x\n", "line 2: 'a' needs old"),
    ("== a.cc F\na: b\n- x\n+ y\n== b.cc G\n- x\n", "line 6: no row begins"),
    ("== a.cc F\na: b\n- x\n+ y\na: c\n- x\n+ y\n", "line 5: a second row"),
)


def one_row(old, new="x"):
    return rows.parse("== a.cc F\na.b: it breaks\n- %s\n+ %s\n" % (old, new))[0]


class RowsTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        # Bazel links the test's files into its directory.
        cls.root = os.path.dirname(os.path.realpath("WORKSPACE"))
        cls.rows = rows.parse(cls.read("tests/branches/branches.txt"))

    @classmethod
    def read(cls, path):
        with open(os.path.join(cls.root, path), encoding="utf-8") as file:
            return file.read()

    def texts(self):
        """(file, function) -> the function's text, for all that have rows."""
        return {(row.file, row.function): rows.find_function(
            self.read(row.file), row.function).text for row in self.rows}

    def test_each_row_fits_its_function_exactly_once(self):
        texts = self.texts()
        for row in self.rows:
            with self.subTest(row.id):
                text = texts[row.file, row.function]
                self.assertNotEqual(rows.apply(row, text), text)

    def test_each_function_has_rows(self):
        self.assertEqual(
            sorted(self.texts()),
            sorted((file, name) for file, names in FUNCTIONS.items()
                   for name in names))

    def test_no_branch_lock_or_reference_is_left_out(self):
        for (file, name), text in self.texts().items():
            covered = [span for row in self.rows
                       if (row.file, row.function) == (file, name)
                       for span in rows.spans(row, text)]
            with self.subTest(name):
                self.assertEqual(rows.uncovered(text, covered), [])

    def test_each_list_that_is_wrong_is_refused(self):
        for text, message in BAD_LISTS:
            with self.subTest(text):
                with self.assertRaises(rows.Error) as caught:
                    rows.parse(text)
                self.assertIn(message, str(caught.exception))

    def test_old_text_must_occur_exactly_once(self):
        text = rows.find_function(SOURCE, "F").text
        for old, count in (("if (a < 0)", 0), ("return", 2)):
            with self.subTest(old):
                with self.assertRaises(rows.Error) as caught:
                    rows.spans(one_row(old), text)
                self.assertIn("occurs %d times in F()" % count,
                              str(caught.exception))

    def test_line_breaks_of_the_formatter_do_not_matter(self):
        row = one_row("if (a > 0) return 1;", "return 2;")
        text = "{\n  if (a >\n      0)\n  return 1;}"
        self.assertEqual(rows.apply(row, text), "{\n  return 2;}")

    def test_a_function_must_be_defined_exactly_once(self):
        for name, source in (("G", SOURCE), ("F", SOURCE + SOURCE)):
            with self.subTest(name):
                with self.assertRaises(rows.Error):
                    rows.find_function(source, name)

    def test_what_no_row_changes_is_named(self):
        text = rows.find_function(SOURCE, "F").text
        self.assertEqual(rows.uncovered(text, []),
                         ["if (a > 0) return 1;",
                          "mmgrab(b);  // not an if (here)"])
        spans = rows.spans(one_row("mmgrab(b);"), text)
        self.assertEqual(rows.uncovered(text, spans), ["if (a > 0) return 1;"])

    def test_a_function_chooses_among_its_copies(self):
        row = one_row("return 1;", "return 2;")
        text = rows.with_all(SOURCE, [row], 7)
        self.assertIn("int F_row0(int a, const T* b) {\n  if (a > 0) return 1;",
                      text)
        self.assertIn("int F_row7(int a, const T* b) {\n  if (a > 0) return 2;",
                      text)
        self.assertIn("int F(int a, const T* b) {\n"
                      "  switch (reapsim_chosen_row) {\n"
                      "    case 7:\n      return F_row7(a, b);\n", text)


if __name__ == "__main__":
    unittest.main()
