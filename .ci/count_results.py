#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Counts test results from what Bazel itself recorded.

usage: count_results.py STEP...

Each STEP is a path without ending: STEP.json holds Bazel's build events and
STEP.exit its exit code. A test target that lists test cases in its test.xml
counts once per case, any other once. Prints each failure, a line per step,
and as the last line `N passed, N failed`, with `, N skipped` if there are
any. Exits 1 if anything failed or nothing passed.
"""

import collections
import json
import os
import sys
import urllib.parse
import xml.etree.ElementTree

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
Result = collections.namedtuple("Result", "name outcome")

# Bazel's exit codes that say no more than its events do: a target that does
# not build (1), failing tests (3).
_TOLD_BY_EVENTS = (1, 3)


def case_outcome(case):
    """The outcome of one <testcase> element."""
    if case.find("failure") is not None or case.find("error") is not None:
        return FAILED
    # GoogleTest marks DISABLED_ tests "notrun"; they are no passes either.
    if case.find("skipped") is not None or case.get("status") == "notrun":
        return SKIPPED
    return PASSED


def case_results(label, xml_path):
    """One Result for each test case in a test.xml; none if it is unusable."""
    try:
        root = xml.etree.ElementTree.parse(xml_path).getroot()
    except (OSError, xml.etree.ElementTree.ParseError):
        return []
    results = []
    for case in root.iter("testcase"):
        name = ".".join(filter(None, [case.get("classname"),
                                      case.get("name")]))
        results.append(Result("%s %s" % (label, name), case_outcome(case)))
    return results


def attempt_results(label, event):
    """The Results of one finished test action (one shard of one run)."""
    status = event.get("status", "NO_STATUS")
    results = []
    for output in event.get("testActionOutput", []):
        if output.get("name") == "test.xml":
            path = urllib.parse.unquote(
                urllib.parse.urlparse(output.get("uri", "")).path)
            results = case_results(label, path)
    if status == "PASSED":
        return results or [Result(label, PASSED)]
    # A crash or a timeout may leave a test.xml in which nothing failed.
    if not any(result.outcome == FAILED for result in results):
        results.append(Result("%s (%s)" % (label, status), FAILED))
    return results


def read_events(path):
    """Bazel's build events, or none if it did not get far enough."""
    try:
        with open(path, encoding="utf-8") as lines:
            return [json.loads(line) for line in lines if line.strip()]
    except OSError:
        return []


def step_results(events, exit_code):
    """All Results of one Bazel invocation."""
    attempts = {}
    broken = []
    for event in events:
        identity = event.get("id", {})
        if "testResult" in identity:
            key = identity["testResult"]
            # Later attempts of a flaky test replace earlier ones.
            attempts[key["label"], key.get("run", 0), key.get("shard", 0)] = (
                event.get("testResult", {}))
        elif "targetCompleted" in identity:
            if not event.get("completed", {}).get("success", False):
                broken.append(identity["targetCompleted"]["label"])
    results = []
    for (label, _, _), attempt in attempts.items():
        results += attempt_results(label, attempt)
    tested = {label for label, _, _ in attempts}
    results += [Result(label + " (does not build)", FAILED)
                for label in broken if label not in tested]
    explained = exit_code == 0 or (
        exit_code in _TOLD_BY_EVENTS
        and any(result.outcome == FAILED for result in results))
    if not explained:
        results.append(Result("bazel (exit code %s)" % exit_code, FAILED))
    return results


def read_exit_code(path):
    """Bazel's exit code, or None if it was never started."""
    try:
        with open(path, encoding="utf-8") as text:
            return int(text.read())
    except (OSError, ValueError):
        return None


def format_counts(counts):
    """`N passed, N failed`, and `, N skipped` if there are any."""
    kinds = [PASSED, FAILED] + ([SKIPPED] if counts[SKIPPED] else [])
    return ", ".join("%d %s" % (counts[kind], kind) for kind in kinds)


def main(steps):
    total = collections.Counter()
    for step in steps:
        results = step_results(read_events(step + ".json"),
                               read_exit_code(step + ".exit"))
        for result in results:
            if result.outcome == FAILED:
                print("FAILED %s: %s" % (os.path.basename(step), result.name))
        counts = collections.Counter(result.outcome for result in results)
        print("%-10s %s" % (os.path.basename(step), format_counts(counts)))
        total += counts
    print(format_counts(total))
    return 1 if total[FAILED] or not total[PASSED] else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: count_results.py STEP...")
    sys.exit(main(sys.argv[1:]))
