#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Breaks the model, and looks whether `reapsim conform` disagrees with it.

usage: tests/branches/conform_branches.py [--only=ID] [--scratch=DIR]

Plays the rows of branches.txt that break the victim test, the sharing walk and
the walk over the VMAs, on the kernel that runs here: for each, one row of
conform at least must disagree. Those that no run of v6.18 can tell are in
conform_blind.txt, each with the reason. Needs root. See README.md.
"""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import drop_branches  # pylint: disable=wrong-import-position
import rows as branch_rows  # pylint: disable=wrong-import-position

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
    path = os.path.join(drop_branches.HERE, "conform_blind.txt")
    with open(path, encoding="utf-8") as file:
        for line in file:
            if line.strip() and not line.startswith("#"):
                row, why = line.split(": ", 1)
                blind[row] = why.strip()
    return blind


def disagreeing(program, number, choice):
    """The rows of conform that disagree, in words; [] if none does."""
    command = [program, "conform", "--json"]
    if choice:
        command.append("--rows=" + choice)
    environment = dict(os.environ, REAPSIM_ROW=str(number))
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
    return [row["state"] for row in json.loads(done.stdout)["rows"]
            if row["agree"] is False]


def play(program, number):
    """What disagrees, and after how many seconds it was known."""
    begin = time.monotonic()
    found = disagreeing(program, number, FIRST)
    if not found:
        found = disagreeing(program, number, "")
    return found, time.monotonic() - begin


def shortened(names):
    return ", ".join(names[:3]) + (
        " and %d more" % (len(names) - 3) if len(names) > 3 else "")


def run(rows, options, scratch):
    """Plays all chosen rows; the number that are not as they should be."""
    blind = read_blind()
    chosen = [(number, row) for number, row in enumerate(rows, start=1)
              if row.function in FUNCTIONS and options.only in (None, row.id)]
    if not chosen:
        raise branch_rows.Error("no row '%s'" % options.only)
    unknown = set(blind) - {row.id for row in rows}
    if unknown:
        raise branch_rows.Error("conform_blind.txt: no row %s" %
                                ", ".join(sorted(unknown)))
    tree = drop_branches.copy_tree(scratch, rows)
    drop_branches.bazel(scratch, tree, "build", "-c", "opt", "//cmd:reapsim")
    binaries = drop_branches.bazel(scratch, tree, "info", "-c", "opt",
                                   "bazel-bin").strip()
    program = os.path.join(binaries, "cmd", "reapsim")
    found, _ = play(program, 0)
    if found:
        raise branch_rows.Error("host and model disagree without any change: "
                                + shortened(found))
    bad = 0
    print("| left out or wrong | conform |\n|---|---|")
    for number, row in chosen:
        found, seconds = play(program, number)
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


if __name__ == "__main__":
    sys.exit(drop_branches.main(__doc__, run))
