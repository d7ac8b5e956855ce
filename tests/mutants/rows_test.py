#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""The lists fit the sources, and leave no branch of the reap path out."""

import contextlib
import io
import os
import tempfile
import unittest

from tests.mutants import play
from tests.mutants import rows
from tests.mutants import table

# Here no branch, lock or reference is left without a row: the call, the victim
# test, the walk and exit_mmap(), and what they consist of.
COMPLETE = {
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

# (list, part of the message)
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
        cls.rows = rows.read_all(os.path.join(cls.root, table.ROWS))

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

    def test_no_branch_lock_or_reference_of_the_reap_path_is_left_out(self):
        for file, names in COMPLETE.items():
            for name in names:
                text = rows.find_function(self.read(file), name).text
                covered = [span for row in self.rows
                           if (row.file, row.function) == (file, name)
                           for span in rows.spans(row, text)]
                with self.subTest(name):
                    self.assertNotEqual(covered, [])
                    self.assertEqual(rows.uncovered(text, covered), [])

    def test_bazel_and_the_page_have_each_row_and_what_kills_it(self):
        self.assertEqual(table.problems(self.root, self.rows, {}), ({}, []))

    def test_a_row_belongs_to_the_list_of_its_source(self):
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "mm_b.txt"), "w",
                      encoding="utf-8") as file:
                file.write("== mm/a.cc F\na: b\n- x\n+ y\n")
            with self.assertRaises(rows.Error) as caught:
                rows.read_all(directory)
        self.assertIn("mm_b.txt: line 2: 'a' belongs to mm_a.txt",
                      str(caught.exception))

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
        text = rows.with_all(SOURCE, [row])
        self.assertIn("int F_row0(int a, const T* b) {\n  if (a > 0) return 1;",
                      text)
        self.assertIn("int F_row1(int a, const T* b) {\n  if (a > 0) return 2;",
                      text)
        self.assertIn("int F(int a, const T* b) {\n"
                      "  switch (reapsim_chosen_row) {\n"
                      "    case 1:\n      return F_row1(a, b);\n", text)
        self.assertIn('      "",\n      "a.b"};\n', text)


class PlayTest(unittest.TestCase):

    FAILS = "[ RUN      ] A.B\n[  FAILED  ] A.B (3 ms)\n"
    CRASHES = "[ RUN      ] A.B\n[       OK ] A.B\n[ RUN      ] A.C\ncheck"

    def test_says_what_the_end_of_a_program_means(self):
        for output, status, expected in (
                (self.FAILS, 1, "A.B"),
                ("", 0, None),
                (self.CRASHES, -6, "A.C (crashes)"),
                (self.CRASHES, -24, "A.C (hangs)"),
                (self.CRASHES, None, "A.C (hangs)"),
                ("", 2, "x_test (crashes)")):
            with self.subTest(output=output, status=status):
                self.assertEqual(play.verdict("mm/x_test", output, status),
                                 expected)

    def test_passes_only_if_all_is_as_expected(self):
        for expected, program, line, well in (
                ("killed", "/bin/false", "r: killed by false (crashes)", True),
                ("killed", "/bin/true", "r: SURVIVED", False),
                ("equivalent", "/bin/true", "r: equivalent", True),
                ("equivalent", "/bin/false",
                 "r: NOT EQUIVALENT: killed by false (crashes)", False),
                ("control", "/bin/true", "control: passes", True),
                ("control", "/bin/false",
                 "false (crashes): fails without any change", False)):
            with self.subTest(expected=expected, program=program):
                self.assertEqual(play.play("r", expected, [program]),
                                 (line, well))

    def test_stops_at_the_first_failure(self):
        line, _ = play.play("r", "killed", ["/bin/true", "/bin/false", "none"])
        self.assertEqual(line, "r: killed by false (crashes)")

    def test_a_plain_build_has_no_mutants_to_play(self):
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertEqual(play.main(["plain", "r", "killed"]), 1)
        self.assertIn("--config=mutants", said.getvalue())


class TableTest(unittest.TestCase):

    def test_takes_killers_from_logs_and_keeps_those_of_the_page(self):
        row = one_row("x")
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "a.b"))
            for log, expected in (("a.b: killed by T.U/v\n", {"a.b": "T.U/v"}),
                                  ("a.b: SURVIVED\n", {"a.b": None}),
                                  ("", {})):
                with open(os.path.join(directory, "a.b", "test.log"), "w",
                          encoding="utf-8") as file:
                    file.write("-----\n" + log)
                with self.subTest(log):
                    self.assertEqual(table.logged_killers(directory, [row]),
                                     expected)
        text = table.page([row], {"a.b": "T.U/v (hangs)"})
        self.assertEqual(table.known_killers(text), {"a.b": "T.U/v (hangs)"})

    def test_a_mutant_that_survived_is_told(self):
        with tempfile.TemporaryDirectory() as root:
            self.assertEqual(
                table.problems(root, [one_row("x")], {"a.b": None})[1],
                ["a.b"])


if __name__ == "__main__":
    unittest.main()
