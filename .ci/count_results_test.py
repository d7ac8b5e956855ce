#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""count_results.py counts as it says."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import count_results

CASES = {
    "pass": '<testcase name="Passes" classname="Suite"/>',
    "fail": '<testcase name="Fails" classname="Suite"><failure/></testcase>',
    "skip": '<testcase name="Skips" classname="Suite"><skipped/></testcase>',
    "disabled": '<testcase name="DISABLED_A" status="notrun"/>',
}


class CountResultsTest(unittest.TestCase):

    def setUp(self):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.step = os.path.join(directory.name, "step")
        self.events = []

    def add_test(self, label, status, cases=None, **identity):
        """Records a finished test whose test.xml lists the cases."""
        outputs = []
        if cases is not None:
            path = "%s-%d.xml" % (self.step, len(self.events))
            with open(path, "w", encoding="utf-8") as xml:
                xml.write("<testsuites><testsuite>%s</testsuite></testsuites>"
                          % "".join(CASES[case] for case in cases))
            outputs = [{"name": "test.xml", "uri": "file://" + path}]
        self.events += [
            {"id": {"targetCompleted": {"label": label}},
             "completed": {"success": True}},
            {"id": {"testResult": dict(identity, label=label)},
             "testResult": {"status": status, "testActionOutput": outputs}},
        ]

    def count(self, exit_code):
        """Runs main; returns what it exits with and what it prints."""
        with open(self.step + ".json", "w", encoding="utf-8") as file:
            file.writelines(json.dumps(event) + "\n" for event in self.events)
        if exit_code is not None:
            with open(self.step + ".exit", "w", encoding="utf-8") as file:
                file.write("%d\n" % exit_code)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            status = count_results.main([self.step])
        return status, printed.getvalue().splitlines()

    def test_each_test_case_counts_once(self):
        self.add_test("//a:a_test", "PASSED", ["pass", "pass"])
        self.add_test("//b:b_test", "FAILED", ["pass", "fail"])
        status, lines = self.count(exit_code=3)
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "3 passed, 1 failed")
        self.assertEqual(lines[0], "FAILED step: //b:b_test Suite.Fails")

    def test_skipped_and_disabled_cases_are_no_passes(self):
        self.add_test("//a:a_test", "PASSED", ["pass", "skip", "disabled"])
        status, lines = self.count(exit_code=0)
        self.assertEqual(status, 0)
        self.assertEqual(lines[-1], "1 passed, 0 failed, 2 skipped")

    def test_a_test_without_cases_counts_once(self):
        self.add_test("//a:a_test", "PASSED")
        self.assertEqual(self.count(exit_code=0)[1][-1], "1 passed, 0 failed")

    def test_a_crash_after_passing_cases_is_a_failure(self):
        self.add_test("//a:a_test", "FAILED", ["pass"])
        status, lines = self.count(exit_code=3)
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "1 passed, 1 failed")

    def test_a_timeout_is_a_failure(self):
        self.add_test("//a:a_test", "TIMEOUT")
        status, lines = self.count(exit_code=3)
        self.assertEqual(status, 1)
        self.assertEqual(lines[0], "FAILED step: //a:a_test (TIMEOUT)")

    def test_shards_add_up_and_a_retry_replaces(self):
        self.add_test("//a:a_test", "FAILED", ["fail"], shard=1, attempt=1)
        self.add_test("//a:a_test", "PASSED", ["pass"], shard=1, attempt=2)
        self.add_test("//a:a_test", "PASSED", ["pass"], shard=2, attempt=1)
        self.assertEqual(self.count(exit_code=0)[1][-1], "2 passed, 0 failed")

    def test_what_does_not_build_is_a_failure(self):
        self.add_test("//a:a_test", "PASSED", ["pass"])
        self.events.append({"id": {"targetCompleted": {"label": "//b:b"}},
                            "aborted": {}})
        status, lines = self.count(exit_code=1)
        self.assertEqual(status, 1)
        self.assertEqual(lines[0], "FAILED step: //b:b (does not build)")
        self.assertEqual(lines[-1], "1 passed, 1 failed")

    def test_an_exit_code_that_nothing_explains_is_a_failure(self):
        for exit_code in (1, 2, 3, 37):
            with self.subTest(exit_code):
                self.events = []
                self.add_test("//a:a_test", "PASSED", ["pass"])
                status, lines = self.count(exit_code)
                self.assertEqual(status, 1)
                self.assertEqual(lines[-1], "1 passed, 1 failed")

    def test_a_step_that_never_ran_is_a_failure(self):
        status, lines = self.count(exit_code=None)
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "0 passed, 1 failed")

    def test_passing_nothing_is_no_success(self):
        self.add_test("//a:a_test", "PASSED", ["skip"])
        status, lines = self.count(exit_code=0)
        self.assertEqual(status, 1)
        self.assertEqual(lines[-1], "0 passed, 0 failed, 1 skipped")


if __name__ == "__main__":
    unittest.main()
