#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/mutants.md, and ids.bzl for Bazel, from the lists of mutants.

usage: tests/mutants/table.py [--update] [--logs=DIR]

What kills a mutant is taken from the logs in DIR, of a run of
//tests/mutants, or as the page has it. Without --update nothing is written:
exits 1 if a file is not as it should be, and says which.
"""

import argparse
import collections
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import rows as mutant_rows  # pylint: disable=wrong-import-position

PAGE = "docs/mutants.md"
IDS = "tests/mutants/ids.bzl"
ROWS = "tests/mutants/rows"

HEAD = """# Mutants

Wrong implementations of the modelled kernel, and the test that notices each.
%(count)s of them: %(killed)d are killed, %(equivalent)d are equivalent.
Mistakes that no test notices yet are in
[how it works](../tests/mutants/README.md). To play all mutants, or one:

```
./bazelw test --config=mutants //tests/mutants
./bazelw test --config=mutants //tests/mutants:walk.hugetlb
```

Written by
`tests/mutants/table.py --update --logs=.cache/bazel-testlogs/tests/mutants`
after a run of all; don't edit. "From" says where a mistake was seen or comes
from:

- *suites*: one of the 18 wrong models that the outside test suites of this call
  (the kernel's selftest, LTP, glibc) were tried against; together they notice
  6 of them;
- *reader N*: one of the ten facts that are most often got wrong, in the order
  of the list below;
- *H1* to *H34*: a bug that a kernel had or has, by its number in
  [known bugs](known-bugs.md) and in the semantics paper;
- *version*: a difference between versions asked for wrongly;
- *walk end*: an end of a range, of a table or of a count taken one off.

"""

FACTS = (
    "There is no check of permissions.",
    "User space can't see EINTR: the wait for the lock is killable only.",
    "A zombie gives ESRCH.",
    "ESRCH does not say that the memory is gone.",
    "The call never sets `MMF_OOM_SKIP`; a second call walks again.",
    "0 does not say that anything was freed.",
    "The OOM reaper waits two seconds for robust futexes, the call does not.",
    "Fault-around takes no notice of `MMF_UNSTABLE`.",
    "`SIGNAL_GROUP_EXIT` decides, which the sender of the signal sets;"
    " `PF_EXITING` hardly ever.",
    "A shared mapping of a file opened for reading only is reaped.",
)
LINE = re.compile(r"^(\S+): (?:killed by (.*)|(equivalent)|SURVIVED|NOT EQ.*)$",
                  re.M)
CELLS = re.compile(r"^\| ([a-z0-9_]+\.[a-z0-9_.]+) \| .* \| ([^|]*) \|$", re.M)


def read(path):
    """A file's text; nothing if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def known_killers(page):
    """Row id -> what the page says kills it."""
    return {name: cell.strip("`") for name, cell in CELLS.findall(page)}


def logged_killers(directory, rows):
    """Row id -> what a run's log says killed it, None if nothing did."""
    found = {}
    for row in rows:
        log = read(os.path.join(directory, row.id, "test.log"))
        for name, killer, _ in LINE.findall(log):
            if name == row.id:
                found[name] = killer or None
    return found


def ids_bzl(rows):
    """The text of ids.bzl."""
    by_file = by_source(rows)
    lines = [
        "# Copyright 2026 The reapsim Authors",
        "# SPDX-License-Identifier: Apache-2.0", "",
        '"""The ids of all mutants. Written by table.py --update."""', "",
        "# Source -> its mutants.", "IDS = {"]
    for path, mine in by_file.items():
        lines.append('    "%s": [' % path)
        lines += ['        "%s",' % row.id for row in mine]
        lines.append("    ],")
    lines += ["}", "", "# Those that no test can notice.", "EQUIVALENT = ["]
    lines += ['    "%s",' % row.id for row in rows if row.equivalent]
    return "\n".join(lines + ["]", ""])


def by_source(rows):
    """Source -> its rows."""
    found = collections.OrderedDict()
    for row in rows:
        found.setdefault(row.file, []).append(row)
    return found


def page(rows, killers):
    """The text of docs/mutants.md."""
    equivalent = sum(bool(row.equivalent) for row in rows)
    out = [HEAD % {"count": len(rows), "killed": len(rows) - equivalent,
                   "equivalent": equivalent}]
    out.append("The ten facts:\n\n")
    out += ["%d. %s\n" % item for item in enumerate(FACTS, start=1)]
    out.append("\n## By file\n\n| file | mutants | killed | equivalent |\n"
               "|---|---|---|---|\n")
    for path, mine in by_source(rows).items():
        same = sum(bool(row.equivalent) for row in mine)
        out.append("| [%s](#%s) | %d | %d | %d |\n" % (
            path, re.sub(r"[^\w-]", "", path), len(mine), len(mine) - same,
            same))
    for path, mine in by_source(rows).items():
        out.append("\n## %s\n\n| mutant | what becomes of the kernel | from "
                   "| killed by |\n|---|---|---|---|\n" % path)
        for row in mine:
            killer = "`%s`" % (killers.get(row.id) or "?")
            if row.equivalent:
                killer = "equivalent: " + " ".join(row.equivalent)
            out.append("| %s | %s | %s | %s |\n" % (
                row.id, row.meaning.replace("|", "\\|"), ", ".join(row.origin),
                killer))
    return "".join(out)


def problems(root, rows, logged):
    """(files that are to change: path -> text, rows without a killer)."""
    old = read(os.path.join(root, PAGE))
    killers = dict(known_killers(old), **logged)
    texts = {PAGE: page(rows, killers), IDS: ids_bzl(rows)}
    unknown = [row.id for row in rows if not row.equivalent
               and killers.get(row.id) in (None, "?")]
    return {path: text for path, text in texts.items()
            if text != read(os.path.join(root, path))}, unknown


def main(arguments):
    """Updates or compares the two files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--logs", metavar="DIR")
    options = parser.parse_args(arguments)
    root = os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__))))
    rows = mutant_rows.read_all(os.path.join(root, ROWS))
    logged = logged_killers(options.logs, rows) if options.logs else {}
    changed, unknown = problems(root, rows, logged)
    for name in unknown:
        print("%s: nothing is known to kill it" % name, file=sys.stderr)
    for path, text in changed.items():
        if options.update:
            with open(os.path.join(root, path), "w", encoding="utf-8") as file:
                file.write(text)
        else:
            print("%s is not as the lists have it" % path, file=sys.stderr)
    return 1 if unknown or (changed and not options.update) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
