# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""What the page says of given results."""

import unittest

from bench import report

MACHINE = {"cpu": "a CPU", "cores": 2, "memory": "1 kB", "kernel": "6.18",
           "day": "2026-11-22", "load_before": "0.00", "load_after": "0.10"}


def results(build="opt", **benchmarks):
    """One program, `calls`, with these (name, CPU time or error)."""
    rows = []
    for name, value in benchmarks.items():
        row = {"name": name.replace("__", "/")}
        if isinstance(value, str):
            row.update(error_occurred=True, error_message=value)
        else:
            row.update(cpu_time=value, real_time=2 * value)
        rows.append(row)
    return report.Results({"calls": {
        "context": {"reapsim_build": build}, "machine": MACHINE,
        "names": [row["name"] for row in rows] + ["calls/v6/ESRCH_other"],
        "benchmarks": rows}})


class ReportTest(unittest.TestCase):

    def test_names_are_without_what_the_library_adds(self):
        for name in ("apply/bash/iterations:5/manual_time", "apply/bash"):
            self.assertEqual(report.plain(name), "apply/bash")

    def test_goals_go_by_the_slowest(self):
        table = report.goals(results(calls__v6__ESRCH_zombie=40.0,
                                     calls__v6__ESRCH_reaped=60.0,
                                     calls__v6__EBADF_closed=50.0))
        self.assertIn("slowest ESRCH | 50.0 | 60.0 | **not met** | "
                      "`calls/v6/ESRCH_reaped`", table)
        self.assertIn("slowest EBADF | 50.0 | 50.0 | met |", table)
        self.assertIn("slowest EINVAL | 50.0 | — | not measured |", table)

    def test_flags_are_not_counted_among_the_other_einval(self):
        table = report.goals(results(calls__v6__EINVAL_flags=10.0,
                                     calls__v6__EINVAL_live=60.0))
        self.assertIn("slowest EINVAL_flags | 50.0 | 10.0 | met |", table)
        self.assertIn("slowest EINVAL | 50.0 | 60.0 | **not met** |", table)

    def test_ends_that_walk_have_no_goal(self):
        self.assertFalse(report.is_error_branch("calls/v6.18/0_again"))
        self.assertFalse(report.is_error_branch("host_call/v6.18/EBADF"))
        self.assertTrue(report.is_error_branch("calls/v6.18/EBADF"))

    def test_the_fastest_run_counts(self):
        kept = results(calls__v6__EBADF=10.0)
        for time, run_type in ((9.0, "iteration"), (8.0, "aggregate"),
                               (12.0, "iteration")):
            kept.add("calls/v6/EBADF", {
                "name": "calls/v6/EBADF", "run_type": run_type,
                "cpu_time": time, "real_time": time})
        self.assertEqual(kept.time("calls/v6/EBADF"), 9.0)

    def test_one_error_is_an_error(self):
        kept = results(calls__v6__EBADF="a wrong result")
        kept.add("calls/v6/EBADF", {
            "name": "calls/v6/EBADF", "run_type": "iteration",
            "cpu_time": 1.0, "real_time": 1.0})
        self.assertEqual(kept.error("calls/v6/EBADF"), "a wrong result")

    def test_an_error_has_no_time(self):
        page = report.render(results(calls__v6__EBADF="a wrong result"))
        self.assertIn("| `calls/v6/EBADF` | error: a wrong result |", page)

    def test_what_was_skipped_says_so(self):
        page = report.render(results(calls__v6__EBADF="skipped: no call"))
        self.assertIn("| `calls/v6/EBADF` | skipped: no call |", page)

    def test_what_was_not_run_has_a_row(self):
        page = report.render(results(calls__v6__EBADF=10.0))
        self.assertIn("| `calls/v6/ESRCH_other` | not run |", page)

    def test_the_page_names_the_machine_and_its_load(self):
        page = report.render(results(calls__v6__EBADF=10.0))
        self.assertIn("| a CPU | 2 | 1 kB | 6.18 | 0.00 | 0.10 |", page)

    def test_says_if_the_machine_was_busy(self):
        idle = results(calls__v6__EBADF=10.0)
        self.assertNotIn("busy when", report.render(idle))
        machine = dict(MACHINE, load_before="3.50 1.00 1.00")
        idle.programs["calls"]["machine"] = machine
        self.assertIn("(load 3.5)", report.render(idle))

    def test_wants_an_optimised_build_of_all(self):
        self.assertIn("-c opt", report.problem_of(results("debug")))
        self.assertIn("page_walk", report.problem_of(results()))


if __name__ == "__main__":
    unittest.main()
