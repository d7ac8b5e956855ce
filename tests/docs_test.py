# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the documents true: what they name exists, what they show is so."""

import os
import re
import unittest

from tests import kernel_map
from tests import limitations
from tests.bugs import known_bugs
from tests.oracle import summary

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))

ROW = re.compile(r'\{\s*"([a-z]+\.[a-z0-9_]+)",\s*\d+,')
# `tests/oom_test.cc: OomReaper.WaitsTwoSecondsBeforeItReaps`
TEST_REFERENCE = re.compile(r"`([\w./-]+_test\.cc): (\w+)\.(\w+)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def pages():
    """Every Markdown page of ours."""
    found = [name for name in os.listdir(ROOT) if name.endswith(".md")]
    for directory, _, names in os.walk(os.path.join(ROOT, "docs")):
        found += [os.path.relpath(os.path.join(directory, name), ROOT)
                  for name in names if name.endswith(".md")]
    return sorted(found)


def state_ids(source):
    """The ids of the table of states, from its source."""
    return ROW.findall(source)


def rows_named(text, groups):
    """What looks like a row's id: `killed.running`."""
    return [name for name in re.findall(r"`([a-z]+\.[a-z0-9_]+)`", text)
            if name.split(".")[0] in groups]


def first_block(text, language):
    """The first fenced block of that language."""
    return re.search(r"^```%s\n(.*?)^```$" % language, text, re.M | re.S
                     ).group(1)


class KernelMapTest(unittest.TestCase):

    def test_page_is_in_step_with_the_code(self):
        tree = kernel_map.read_tree(ROOT)
        self.assertEqual(kernel_map.problems(tree), [])
        self.assertGreater(len(kernel_map.Page(tree[kernel_map.PAGE]).rows),
                           400)

    def example(self, source, page=""):
        tree = {"mm/oom_kill.cc": source, kernel_map.PAGE: page}
        tree[kernel_map.PAGE] = kernel_map.render(tree) if not page else page
        return tree

    SOURCE = ("// Source: mm/oom_kill.c.\n\n"
              "// Waits.\n// kernel/exit.c:exit_mm()\n"
              "static void exit_mm(int x) {\n  y(x);\n}\n"
              "bool oom_reap_task_mm(task_struct* tsk,\n"
              "                      mm_struct* mm) {\n}\n"
              "bool Ours() {\n}\n"
              "bool declared(int x);\n")

    def test_takes_file_and_order_from_the_code(self):
        tree = self.example(self.SOURCE)
        self.assertEqual(kernel_map.problems(tree), [])
        self.assertIn(
            "| `exit_mm` | kernel/exit.c | all | modelled |\n"
            "| `oom_reap_task_mm` | mm/oom_kill.c | all | modelled |\n",
            tree[kernel_map.PAGE])
        for other in ("Ours", "declared"):
            self.assertNotIn(other, tree[kernel_map.PAGE])

    def test_notices_a_new_function(self):
        page = self.example(self.SOURCE)[kernel_map.PAGE]
        tree = self.example(self.SOURCE + "void oom_reaper() {\n}\n", page)
        self.assertEqual(len(kernel_map.problems(tree)), 1)

    def test_notices_a_function_that_is_gone(self):
        page = self.example(self.SOURCE)[kernel_map.PAGE]
        tree = self.example(self.SOURCE.replace("void exit_mm", "void Other"),
                            page)
        self.assertEqual(len(kernel_map.problems(tree)), 1)

    def test_notices_a_citation_that_says_otherwise(self):
        page = self.example(self.SOURCE)[kernel_map.PAGE]
        tree = self.example(self.SOURCE.replace("kernel/exit.c", "mm/mmap.c"),
                            page)
        self.assertEqual(len(kernel_map.problems(tree)), 1)

    def test_notices_what_is_there_although_listed_as_not(self):
        page = self.example(self.SOURCE)[kernel_map.PAGE]
        page += "## Not there\n\n| `exit_mm` | a | b | c |\n"
        tree = self.example(self.SOURCE, page)
        self.assertEqual(len(kernel_map.problems(tree)), 1)


class RecordedKernelsTest(unittest.TestCase):

    def test_page_is_in_step_with_the_recordings(self):
        self.assertEqual(summary.render(summary.read(ROOT)),
                         read(summary.PAGE))

    def test_tells_where_neighbours_differ_and_what_is_lacking(self):
        page = summary.render([
            summary.parse("6.9-1", "kernel\t6.9\nrow\ta\tEBADF\t-\n"
                                   "lacks\tb\twhy\n"),
            summary.parse("6.10-1", "kernel\t6.10\nrow\ta\tEBADF\t-\n"),
            summary.parse("7.0-1", "kernel\t7.0\nrow\ta\t0\t-\n"
                                   "row\tc\t0\t-\n")])
        self.assertIn("4 rows of 3 kernels, 3 distinct pairs", page)
        self.assertIn("| 6.9-1 | 6.9 | 1 | 1 | 0 | 1 |", page)
        self.assertIn("| a | 6.9-1 to 6.10-1 EBADF, 7.0-1 0 |", page)
        self.assertNotIn("| c |", page)
        self.assertIn("| b | 6.9-1 | why |", page)


class LimitationsTest(unittest.TestCase):

    def test_page_is_in_step_with_the_code(self):
        tree = limitations.read_tree(ROOT)
        self.assertEqual(limitations.render(tree), tree[limitations.PAGE])

    def test_takes_what_is_missing_and_nothing_else(self):
        source = ("// Copyright\n//\n// Files.\n//\n// Modelled: this.\n"
                  "// Simplified: that,\n//   and that. Stubbed: more.\n"
                  "#ifndef X\n// Simplified: not at the top.\n")
        self.assertEqual(limitations.clauses(source), [
            ("Simplified", "that, and that."), ("Stubbed", "more.")])


class ReferencesTest(unittest.TestCase):

    def test_rows_that_pages_name_are_in_the_table(self):
        ids = state_ids(read("states/states.cc"))
        self.assertGreater(len(ids), 80)
        groups = {name.split(".")[0] for name in ids}
        for page in pages():
            for name in rows_named(read(page), groups):
                self.assertIn(name, ids, page)

    def test_tests_that_pages_name_exist(self):
        count = 0
        for page in pages():
            for path, suite, name in TEST_REFERENCE.findall(read(page)):
                count += 1
                self.assertRegex(
                    read(path),
                    r"TEST(_[FP])?\(\s*%s,\s*%s\)" % (suite, name), page)
        self.assertGreater(count, 20)

    def test_links_lead_somewhere(self):
        for page in pages():
            # Code has brackets before parentheses, too.
            text = re.sub(r"^```.*?^```", "", read(page), flags=re.M | re.S)
            for link in LINK.findall(text):
                path = os.path.join(ROOT, os.path.dirname(page), link)
                self.assertTrue(os.path.exists(path), "%s: %s" % (page, link))

    def test_known_bugs_tells_the_story_of_each_file(self):
        page = read("docs/known-bugs.md")
        bugs = os.path.join(ROOT, "tests", "bugs")
        names = [name for name in os.listdir(bugs) if name.endswith(".reap")]
        self.assertGreater(len(names), 12)
        for name in names:
            text = read("tests/bugs/" + name)
            self.assertIn(known_bugs.story(text), page, name)
            self.assertIn("REAP %s\n" % name[:-len(".reap")], text)

    def test_rooms_of_the_readme_are_those_of_the_tree(self):
        named = set(re.findall(r"^\| `([\w.]+)/` \|", read("README.md"), re.M))
        rooms = {name for name in os.listdir(ROOT)
                 if os.path.exists(os.path.join(ROOT, name, "BUILD"))}
        self.assertEqual(rooms - named, set())

    def test_semantics_names_every_row(self):
        named = re.findall(r"`([a-z]+\.[a-z0-9_]+)`",
                           read("docs/semantics.md"))
        missing = set(state_ids(read("states/states.cc"))) - set(named)
        self.assertEqual(missing, set())


INVARIANT_ROW = re.compile(r"^\| S(\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) "
                           r"\| ([^|]+) \|$", re.M)
ASSERTION = re.compile(r'"S(\d+): ')
# Rooms that hold assertions.
ASSERTING = ("base", "sched", "mm", "syscall")


def sources():
    """path -> text, of what is no test, in the rooms that assert."""
    found = {}
    for room in ASSERTING:
        for name in os.listdir(os.path.join(ROOT, room)):
            if name.endswith((".h", ".cc")) and not name.endswith("_test.cc"):
                path = "%s/%s" % (room, name)
                found[path] = read(path)
    return found


class InvariantsTest(unittest.TestCase):

    def rows(self):
        """number -> (files, functions, how it fires), from the page."""
        rows = {}
        for number, _, places, _, fires in INVARIANT_ROW.findall(
                read("docs/invariants.md")):
            pairs = [place.split(":") for place in places.split(", ")]
            rows[int(number)] = pairs, fires
        return rows

    def test_page_has_each_number_once(self):
        self.assertEqual(sorted(self.rows()), list(range(1, 31)))
        self.assertEqual(
            len(INVARIANT_ROW.findall(read("docs/invariants.md"))), 30)

    def test_page_names_every_file_that_asserts(self):
        rows = self.rows()
        for path, text in sources().items():
            for number in {int(n) for n in ASSERTION.findall(text)}:
                # An example in a comment.
                if (path, number) == ("sched/engine.h", 17):
                    continue
                self.assertIn(path, [file for file, _ in rows[number][0]],
                              "S%d" % number)

    def test_functions_that_the_page_names_assert_that(self):
        for number, (pairs, _) in self.rows().items():
            for path, function in pairs:
                text = read(path)
                self.assertRegex(text, r"\b%s\(" % function, "S%d" % number)
                # Lock order and dead tasks are verdicts without a number.
                if number not in (20, 24):
                    self.assertIn('"S%d: ' % number, text, path)

    def test_each_names_a_test_that_sees_it_fire(self):
        for number, (_, fires) in self.rows().items():
            found = TEST_REFERENCE.findall(fires)
            self.assertEqual(len(found), 1, "S%d" % number)


class DifferencesTest(unittest.TestCase):

    def test_fields_are_modelled_or_not_as_the_table_says(self):
        fields = re.findall(r"    (Call|Tabled|)Field<&D::(\w+)>",
                            read("base/difference_table.cc"))
        self.assertGreater(len(fields), 50)
        code = "".join(text for path, text in sources().items()
                       if not path.startswith("base/"))
        for kind, name in fields:
            asked = re.search(r"\.%s\b" % name, code) is not None
            self.assertEqual(asked, kind != "Tabled", name)


class LocksTest(unittest.TestCase):

    def test_page_names_every_class_of_locks(self):
        text = read("docs/locks.md")
        classes = re.findall(r'  X\(k(?!Test)\w+, "([^"]+)"\)',
                             read("sched/lockdep.h"))
        self.assertGreater(len(classes), 15)
        for name in classes:
            self.assertIn(name, text)

    def test_page_names_every_field_that_the_compiler_guards(self):
        text = read("docs/locks.md")
        fields = []
        for path in ("mm/mm_types.h", "mm/oom_kill.h", "sched/task.h",
                     "sched/sched.h"):
            fields += re.findall(r"(\w+)(?:\[[^\]]*\])?\s+ABSL_GUARDED_BY",
                                 read(path))
        self.assertGreater(len(fields), 6)
        for name in fields:
            self.assertIn("`%s`" % name, text)


class ShownCodeTest(unittest.TestCase):

    def test_readme_shows_the_test_that_is_run(self):
        shown = first_block(read("README.md"), "cpp")
        self.assertIn("\n" + shown, read("tests/readme_test.cc"))
        self.assertTrue(shown.startswith("TEST("))
        self.assertTrue(shown.endswith("}\n"))

    def test_page_on_search_shows_the_test_that_is_run(self):
        shown = first_block(read("docs/explore.md"), "cpp")
        self.assertIn("\n" + shown, read("tests/search_example_test.cc"))
        self.assertTrue(shown.startswith("TEST("))
        self.assertTrue(shown.endswith("}\n"))

    def test_lesson_starts_from_the_file_that_is_there(self):
        text = read("docs/lesson-1.md")
        for path in ("docs/lesson-1/exercise_test.cc",
                     "docs/lesson-1/solution_test.cc"):
            self.assertIn(path, text)
            read(path)


if __name__ == "__main__":
    unittest.main()
