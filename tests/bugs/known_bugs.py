#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes docs/known-bugs.md from runs of `reapsim check`.

usage: tests/bugs/known_bugs.py REAPSIM   (a built command; -c opt is faster)

Run from the top of the tree.
"""

import glob
import json
import os
import re
import subprocess
import sys

PAGE = "docs/known-bugs.md"
FILES = "tests/bugs/*.reap"
HEAD = """# Known bugs

Each is a file in `tests/bugs/`: a few processes, what they do, and the question
whether it can go wrong. The search finds the schedules; none is written down in
a file. The names are those of the semantics paper's list of bugs. To run all of
them:

```console
$ ./reapsim check tests/bugs/*.reap --kernel=all
```

*all* in the tables: every schedule was tried, so the answer holds for these
tasks and this machine ([search](explore.md)). A row with a switch takes a guard
out of the modelled kernel, or puts an old protocol back (`base/switches.h`);
one with a [proposal](proposals.md) lays over it what no kernel has.
Schedules have the fewest preemptions that show the bug.

Written by `tests/bugs/known_bugs.py`; don't edit.
"""


def story(text):
    """The comment's prose, without its Result lines."""
    comment = re.search(r"\(\*(.*?)\*\)", text, re.S).group(1)
    lines = [re.sub(r"^ \* ?", "", line).rstrip()
             for line in comment.strip("\n").split("\n")]
    return "\n".join(line for line in lines
                     if not line.startswith("Result:")).strip()


def check(reapsim, path, *flags):
    """What the command prints; it must not fail."""
    run = subprocess.run([reapsim, "check", path, *flags], text=True,
                         stdout=subprocess.PIPE, check=False)
    if run.returncode != 0:
        sys.exit("%s: %s\n%s" % (path, " ".join(flags), run.stdout))
    return run.stdout


def row(case):
    """A line of the table."""
    kernel = case["kernel"]
    if case["switches"]:
        kernel += " with " + ", ".join(case["switches"])
    coverage = "all" if case["exhausted"] else "until found"
    return "| %s | %s | %s | %s | %d | %d |" % (
        kernel, case["observation"], case.get("broken") or "", coverage,
        case["executions"], case["explored_states"])


def schedule(reapsim, path, case):
    """The schedule that the command prints for a case."""
    flags = ["--kernel=" + case["kernel"], "--schedule"]
    if case["switches"]:
        flags.append("--with=" + ",".join(case["switches"]))
    text = check(reapsim, path, *flags)
    # A version may have a case without switches, too: ours comes with its name.
    name = "+".join(["Kernel " + case["kernel"], *case["switches"]])
    text = text[text.index(name + "\n"):]
    begin = text.index("Schedule to")
    return text[begin:text.index("\n", text.index("Replay:")) + 1]


def section(reapsim, path):
    """The part of the page about one file."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    cases = json.loads(check(reapsim, path, "--kernel=all", "--json"))
    shown = [case for case in cases if case["observation"] != "Never"]
    name = os.path.basename(path)[:-len(".reap")]
    lines = ["", "## " + name, "", story(text), "",
             "[%s](../%s)" % (path, path), "",
             "| kernel | observed | breaks | schedules | ends | states |",
             "|---|---|---|---|--:|--:|"]
    lines += [row(case) for case in cases]
    # The oldest kernel that has it as it was.
    shown.sort(key=lambda case: len(case["switches"]))
    lines += ["", "```text", schedule(reapsim, path, shown[0]).rstrip("\n"),
              "```"]
    return "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 2 or not os.path.exists(PAGE[:4]):
        sys.exit(__doc__)
    page = HEAD + "".join(section(os.path.abspath(sys.argv[1]), path)
                          for path in sorted(glob.glob(FILES)))
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()
