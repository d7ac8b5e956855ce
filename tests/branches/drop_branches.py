#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Breaks one branch of the reap path after another; a test must notice each.

usage: tests/branches/drop_branches.py [--only=ID] [--jobs=N] [--scratch=DIR]

Reads branches.txt beside it. Works on a copy of the tree, with a Bazel output
base of its own. Prints one line per row, and exits 1 if any row survives.
See README.md.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rows as branch_rows  # pylint: disable=wrong-import-position

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# The tests that concern a file, those that notice most first.
TESTS = {
    "mm/oom_kill.cc": ("//states:states_test", "//tests:mrelease_test",
                       "//tests:oom_test", "//states:epochs_test"),
    "mm/mmap.cc": ("//mm:mmap_test", "//tests:exit_mmap_test",
                   "//states:states_test"),
}
# A test that takes longer than this, in seconds, hangs.
HANGS = 300
NOT_COPIED = shutil.ignore_patterns(".git", ".cache", "bazel-*", "__pycache__",
                                    "user.bazelrc")


def copy_tree(scratch, rows):
    """The tree in scratch/tree, with all rows built in."""
    tree = os.path.join(scratch, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT, tree, ignore=NOT_COPIED, symlinks=True)
    for file in TESTS:
        numbered = [row for row in rows if row.file == file]
        path = os.path.join(tree, file)
        with open(path, encoding="utf-8") as source:
            text = source.read()
        first = rows.index(numbered[0]) + 1
        if numbered != rows[first - 1:first - 1 + len(numbered)]:
            raise branch_rows.Error("the rows of %s are not together" % file)
        with open(path, "w", encoding="utf-8") as source:
            source.write(branch_rows.with_all(text, numbered, first))
    return tree


def bazel(scratch, tree, *arguments):
    """Runs Bazel in the copy; its standard output."""
    command = ("bazel", "--output_base=" + os.path.join(scratch, "output_base"),
               *arguments)
    done = subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise branch_rows.Error("bazel %s fails" % arguments[0])
    return done.stdout


def build(scratch, tree, jobs):
    """Test target -> its program."""
    targets = sorted({test for tests in TESTS.values() for test in tests})
    bazel(scratch, tree, "build", "--jobs=%d" % jobs, *targets)
    programs = bazel(scratch, tree, "info", "bazel-bin").strip()
    return {target: os.path.join(programs, *target[2:].split(":"))
            for target in targets}


def first_failure(program, number):
    """Which test notices row `number`, and how; None if all pass."""
    environment = dict(os.environ, REAPSIM_ROW=str(number))
    try:
        done = subprocess.run(
            (program, "--gtest_fail_fast", "--gtest_color=no"),
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=HANGS, check=False)
        output, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output, status = (late.stdout or b"").decode(errors="replace"), None
    if status == 0:
        return None
    failed = re.search(r"^\[  FAILED  \] ([\w./]+)", output, re.M)
    if failed:
        return failed[1]
    begun = re.findall(r"^\[ RUN      \] (\S+)", output, re.M)
    return "%s (%s)" % (begun[-1] if begun else os.path.basename(program),
                        "hangs" if status is None else "crashes")


def verdict(row, number, programs):
    """The row's line, and whether all is well with it."""
    killer = None
    for test in TESTS[row.file]:
        killer = first_failure(programs[test], number)
        if killer:
            break
    if row.equivalent:
        if killer:
            return "NOT EQUIVALENT: killed by " + killer, False
        return "equivalent: " + " ".join(row.equivalent), True
    return ("killed by " + killer, True) if killer else ("SURVIVED", False)


def run(rows, options, scratch):
    """Plays all chosen rows; the number that a test should have noticed."""
    chosen = [(number, row) for number, row in enumerate(rows, start=1)
              if options.only in (None, row.id)]
    if not chosen:
        raise branch_rows.Error("no row '%s'" % options.only)
    tree = copy_tree(scratch, rows)
    programs = build(scratch, tree, options.jobs)
    for test, program in programs.items():
        failure = first_failure(program, 0)
        if failure:
            raise branch_rows.Error("%s fails without any change: %s" % (
                test, failure))
    bad = 0
    equivalent = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        verdicts = pool.map(lambda item: verdict(item[1], item[0], programs),
                            chosen)
        for (_, row), (text, well) in zip(chosen, verdicts):
            print("%s:%s: %s (%s): %s" % (row.file, row.function, row.id,
                                          row.meaning, text), flush=True)
            bad += not well
            equivalent += bool(row.equivalent)
    print("%d rows: %d killed, %d equivalent, %d SURVIVED" % (
        len(chosen), len(chosen) - equivalent - bad, equivalent, bad))
    return bad


def remove(scratch):
    """Ends the copy's Bazel server, and removes everything."""
    tree = os.path.join(scratch, "tree")
    if os.path.isdir(tree):
        subprocess.run(
            ("bazel", "--output_base=" + os.path.join(scratch, "output_base"),
             "shutdown"),
            cwd=tree, check=False, stderr=subprocess.DEVNULL)
    # Bazel's outputs are read-only.
    subprocess.run(("chmod", "-R", "u+w", scratch), check=False)
    shutil.rmtree(scratch, ignore_errors=True)


def main(doc, play, add_options=lambda parser: None):
    """Plays branches.txt: play(rows, options, scratch) is how many are bad."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--only", metavar="ID", help="only this row")
    parser.add_argument("--scratch", metavar="DIR",
                        help="build here, and keep it for the next time")
    add_options(parser)
    options = parser.parse_args()
    scratch = options.scratch or tempfile.mkdtemp(prefix="reapsim-branches-")
    os.makedirs(scratch, exist_ok=True)
    try:
        with open(os.path.join(HERE, "branches.txt"), encoding="utf-8") as file:
            rows = branch_rows.parse(file.read())
        return 1 if play(rows, options, os.path.abspath(scratch)) else 0
    except branch_rows.Error as error:
        print("%s: %s" % (parser.prog.removesuffix(".py"), error),
              file=sys.stderr)
        return 2
    finally:
        if not options.scratch:
            remove(scratch)


if __name__ == "__main__":
    sys.exit(main(__doc__, run, lambda parser: parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1)))
