#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/recorded-kernels.md from the recordings.

usage: tests/oracle/summary.py [--update]

Prints the page as it should be, or writes it.
"""

import collections
import glob
import os
import re
import sys

PAGE = "docs/recorded-kernels.md"
FOLDER = "tests/oracle/recorded"
HEAD = """# What real kernels did

Debian's own kernels were booted under emulation, and each row of `reapsim
conform` ([conform](conform.md)) was played on them: the answer, and the memory
before and after, page by page. The model of each version is compared with all
of it in every test run (`//tests/oracle:recorded_test`), and agrees. How to
record them again, and what the files look like, is in
[tests/oracle](../tests/oracle/README.md).

This page is written by `tests/oracle/summary.py --update`; `tests/docs_test.py`
keeps it so.

"""

Recording = collections.namedtuple("Recording", "package kernel rows lacks")


def parse(package, text):
    """A recording: id -> (result, effect), and id -> why there is none."""
    kernel, rows, lacks = "", {}, {}
    for line in text.splitlines():
        fields = line.split("\t")
        if fields[0] == "kernel":
            kernel = fields[1]
        elif fields[0] == "row":
            rows[fields[1]] = (fields[2], fields[3])
        elif fields[0] == "lacks":
            lacks[fields[1]] = fields[2]
    return Recording(package, kernel, rows, lacks)


def by_version(package):
    """Orders "6.9-1" before "6.12.1-1"."""
    return [int(number) for number in re.findall(r"\d+", package)]


def read(root):
    """All recordings, the oldest kernel first."""
    found = []
    for path in glob.glob(os.path.join(root, FOLDER, "*.tsv")):
        with open(path, encoding="utf-8") as file:
            found.append(parse(os.path.basename(path)[:-len(".tsv")],
                               file.read()))
    return sorted(found, key=lambda one: by_version(one.package))


def count(number, what):
    """"1 row", "2 rows"."""
    return "%d %s%s" % (number, what, "" if number == 1 else "s")


def kernels(recordings):
    """The table of kernels."""
    results = sorted({result for one in recordings
                      for result, _ in one.rows.values()})
    yield "| Debian's package | `uname -r` | rows | lacking | %s |" % (
        " | ".join(results))
    yield "|---|---|" + "--:|" * (2 + len(results))
    for one in recordings:
        counts = collections.Counter(result for result, _ in one.rows.values())
        yield "| %s | %s | %d | %d | %s |" % (
            one.package, one.kernel, len(one.rows), len(one.lacks),
            " | ".join(str(counts[result]) for result in results))


def spans(recordings, of_row):
    """[(first, last, value)] for neighbours with one value; None is left
    out."""
    found = []
    for one in recordings:
        value = of_row(one)
        if value is None:
            continue
        series = ".".join(one.package.split(".")[:2])
        if found and found[-1][2] == value:
            found[-1][1] = series
        else:
            found.append([series, series, value])
    return found


def spans_text(found):
    """"6.1 to 6.12 EBADF, 6.16 on EINVAL"."""
    return ", ".join("%s%s %s" % (
        first, "" if first == last else " to " + last, value)
                     for first, last, value in found)


def differing(recordings):
    """The rows whose answer is not the same everywhere."""
    with_call = [one for one in recordings
                 if not any(result == "ENOSYS"
                            for result, _ in one.rows.values())]
    ids = sorted({row for one in with_call for row in one.rows})
    for row in ids:
        found = spans(with_call,
                      lambda one, row=row: one.rows.get(row, (None,))[0])
        if len(found) > 1:
            yield "| %s | %s |" % (row, spans_text(found))


def lacking(recordings):
    """Why rows could not be played, and where."""
    reasons = sorted({(row, why) for one in recordings
                      for row, why in one.lacks.items()})
    for row, why in reasons:
        where = [".".join(one.package.split(".")[:2]) for one in recordings
                 if one.lacks.get(row) == why]
        yield "| %s | %s | %s |" % (row, " ".join(where), why)


def render(recordings):
    """The page."""
    played = sum(len(one.rows) for one in recordings)
    pairs = {(row, result) for one in recordings
             for row, (result, _) in one.rows.items()}
    lines = [
        "%s of %s, %s of row and result." % (
            count(played, "row"), count(len(recordings), "kernel"),
            count(len(pairs), "distinct pair")),
        "",
        *kernels(recordings),
        "",
        "## Where they differ",
        "",
        "Of the kernels that have the call, in these rows the answer is not "
        "the same.",
        "",
        "| row | answers |",
        "|---|---|",
        *differing(recordings),
        "",
        "## What could not be played",
        "",
        "The kernel, or Debian's configuration of it, lacks what the row "
        "needs.",
        "",
        "| row | kernels | why |",
        "|---|---|---|",
        *lacking(recordings),
    ]
    return HEAD + "\n".join(lines) + "\n"


def main():
    """Prints or writes the page."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    page = render(read(root))
    if sys.argv[1:] == ["--update"]:
        with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
            file.write(page)
    elif sys.argv[1:]:
        sys.exit(__doc__)
    else:
        sys.stdout.write(page)


if __name__ == "__main__":
    main()
