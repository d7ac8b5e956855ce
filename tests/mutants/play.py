#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Plays one mutant: runs tests with its row chosen, until one fails.

usage: play.py BUILT ROW EXPECTED PROGRAM...

BUILT is "mutants" or "plain": what the programs were built as. EXPECTED is
"killed", "equivalent", or "control": all programs must pass, without a row.
Says what it found in one line, `ROW: killed by TEST`, and exits 1 if that is
not as expected.
"""

import os
import re
import resource
import subprocess
import sys

# The slowest of the programs needs 1.5 seconds of CPU time. One that needs
# more than this hangs; how busy the machine is makes no difference.
CPU_SECONDS = 6
# For what waits without running.
SECONDS = 280
# What Bazel tells the test that it runs, which the programs are not.
BAZELS_OWN = re.compile(r"XML_OUTPUT_FILE|TEST_\w+|TESTBRIDGE_\w+|GTEST_\w+")


def limit():
    """No endless loop, no core file."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def failure(program, row):
    """Which test of a program fails, and how; None if all pass."""
    environment = {name: value for name, value in os.environ.items()
                   if not BAZELS_OWN.fullmatch(name)}
    if row:
        environment["REAPSIM_ROW"] = row
    try:
        done = subprocess.run(
            (program, "--gtest_fail_fast", "--gtest_color=no"),
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=SECONDS,
            preexec_fn=limit if row else None, check=False)
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = late.stdout or b"", None
    return verdict(program, output.decode(errors="replace"), status)


def verdict(program, output, status):
    """What a program's end means; status None is the wall clock's."""
    if status == 0:
        return None
    failed = re.search(r"^\[  FAILED  \] ([\w./]+)", output, re.M)
    if failed:
        return failed[1]
    begun = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
    # -24 is SIGXCPU.
    return "%s (%s)" % (begun[-1] if begun else os.path.basename(program),
                        "hangs" if status in (None, -24) else "crashes")


def play(row, expected, programs):
    """The line to print, and whether it is as expected."""
    chosen = "" if expected == "control" else row
    found = next(filter(None, (failure(program, chosen)
                               for program in programs)), None)
    if expected == "control":
        return (("%s: fails without any change" % found, False) if found
                else ("control: passes", True))
    if expected == "equivalent":
        return (("%s: NOT EQUIVALENT: killed by %s" % (row, found), False)
                if found else ("%s: equivalent" % row, True))
    return (("%s: killed by %s" % (row, found), True) if found
            else ("%s: SURVIVED" % row, False))


def main(arguments):
    """Plays what the arguments say."""
    built, row, expected, *programs = arguments
    if built != "mutants":
        print("no mutant is built in: give --config=mutants")
        return 1
    line, well = play(row, expected, programs)
    print(line)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
