#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Breaks the model, and looks whether `reapsim conform` disagrees with it.

usage: tests/mutants/conform_mutants.py [--only=ID] [--output_base=DIR]

Plays the mutants of the victim test, the sharing walk and the walk over the
VMAs, on the kernel that runs here: for each, one row of conform at least must
disagree. Those that no run of v6.18 can tell are in conform_blind.txt, each
with the reason. Builds with --config=mutants. Needs root. See README.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rows as mutant_rows  # pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

FUNCTIONS = ("find_lock_task_mm", "process_shares_mm", "__oom_reap_task_mm",
             "__task_will_free_mem", "SharersWillFreeMem", "task_will_free_mem")
# Tried first, since they tell most in the least time; then all.
FIRST = ",".join((
    "killed.event_exit", "live.running", "gone.zombie", "signal.sigterm_*",
    "coredump.*", "exit.*", "sharers.*", "oom.victim_*", "kind.vdso",
    "kind.hugetlb", "kind.file_shared*", "kind.memfd_private"))
# In seconds. Longer is too late.
LIMIT = 60


def read_blind():
    """Row id -> why no run can tell."""
    blind = {}
    path = os.path.join(HERE, "conform_blind.txt")
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                row, why = line.split(": ", 1)
                blind[row] = why.strip()
    return blind


def disagreeing(program, row, choice):
    """The rows of conform that disagree, in words; [] if none does."""
    command = [program, "conform", "--json"]
    if choice:
        command.append("--rows=" + choice)
    environment = dict(os.environ, REAPSIM_ROW=row)
    try:
        done = subprocess.run(command, env=environment, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=False)
    except subprocess.TimeoutExpired:
        return ["(the model hangs)"]
    if done.returncode == 0:
        return []
    if done.returncode != 1:
        return ["(the model crashes)"]
    return [state["state"] for state in json.loads(done.stdout)["rows"]
            if state["agree"] is False]


def play(program, row):
    """What disagrees, and after how many seconds it was known."""
    begin = time.monotonic()
    found = disagreeing(program, row, FIRST)
    if not found:
        found = disagreeing(program, row, "")
    return found, time.monotonic() - begin


def shortened(names):
    return ", ".join(names[:3]) + (
        " and %d more" % (len(names) - 3) if len(names) > 3 else "")


def build(options, directory):
    """A copy of the command with all mutants built in."""
    bazel = [os.path.join(ROOT, "bazelw")]
    if options.output_base:
        bazel.append("--output_base=" + os.path.abspath(options.output_base))
    flags = ("-c", "opt", "--config=mutants")
    try:
        subprocess.run((*bazel, "build", *flags, "//cmd:reapsim"), check=True)
        binaries = subprocess.run((*bazel, "info", *flags, "bazel-bin"),
                                  stdout=subprocess.PIPE, check=True, text=True)
    except subprocess.CalledProcessError as error:
        raise mutant_rows.Error("%s fails" % " ".join(error.cmd)) from error
    # A build of something else may not exchange it.
    return shutil.copy(
        os.path.join(binaries.stdout.strip(), "cmd", "reapsim"), directory)


def run(rows, options, program):
    """Plays all chosen rows; the number that are not as they should be."""
    blind = read_blind()
    chosen = [row for row in rows
              if row.function in FUNCTIONS and options.only in (None, row.id)]
    if not chosen:
        raise mutant_rows.Error("no row '%s'" % options.only)
    unknown = set(blind) - {row.id for row in rows}
    if unknown:
        raise mutant_rows.Error("conform_blind.txt: no row %s" %
                                ", ".join(sorted(unknown)))
    found, _ = play(program, "")
    if found:
        raise mutant_rows.Error("host and model disagree without any change: "
                                + shortened(found))
    bad = 0
    print("| left out or wrong | conform |\n|---|---|")
    for row in chosen:
        found, seconds = play(program, row.id)
        if row.id in blind:
            text = ("can't tell: " + blind[row.id] if not found else
                    "TELLS, against conform_blind.txt: " + shortened(found))
        elif found:
            text = "%s (%.0f s)" % (shortened(found), seconds)
        else:
            text = "AGREES"
        bad += bool(found) == (row.id in blind) or seconds > LIMIT
        print("| %s: %s | %s |" % (row.id, row.meaning, text), flush=True)
    return bad


def main(arguments):
    """Builds, and plays all chosen rows."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", metavar="ID", help="only this row")
    parser.add_argument("--output_base", metavar="DIR",
                        help="Bazel's output base")
    options = parser.parse_args(arguments)
    try:
        rows = mutant_rows.read_all(os.path.join(HERE, "rows"))
        with tempfile.TemporaryDirectory() as directory:
            program = build(options, directory)
            return 1 if run(rows, options, program) else 0
    except mutant_rows.Error as error:
        print("conform_mutants: %s" % error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
