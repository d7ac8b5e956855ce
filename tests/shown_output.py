#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the commands that the documents show, and compares or updates.

usage: tests/shown_output.py PROGRAM [ROOT]

Writes what PROGRAM (a built reapsim) prints now into the pages.

A ```console block begins with "$ " and a command that starts with ./reapsim;
what follows is its output, exactly, but that a line "…" stands for any lines.
"""

import os
import re
import subprocess
import sys

PAGES = ("README.md", "docs/lesson-1.md", "docs/litmus.md",
         "docs/design-history.md", "docs/proposals.md", "docs/versions.md",
         "docs/wrong-claims.md")
ANY = "…"
BLOCK = re.compile(r"(?<=^```console\n)\$ ([^\n]*)\n(.*?)(?=^```$)",
                   re.M | re.S)
# A live process is never the same twice: shown, not compared.
LIVE = re.compile(
    r"(?<=^```text\n)process_mrelease\(\) in the model;.*?(?=^```$)",
    re.M | re.S)


def run(command, program, root):
    """What the command prints, run in the root of the tree."""
    assert command.startswith("./reapsim "), command
    command = "set -o pipefail; '%s' %s" % (
        os.path.abspath(program), command[len("./reapsim "):])
    return subprocess.run(["bash", "-c", command], cwd=root, check=True,
                          stdout=subprocess.PIPE).stdout.decode("utf-8")


def shorten(output, shown):
    """The lines of the output that the page shows: those that begin with the
    same word."""
    if ANY not in shown.split("\n"):
        return output
    words = {line.split(" ")[0] for line in shown.split("\n")}
    kept = []
    for line in output.split("\n")[:-1]:
        if line.split(" ")[0] in words:
            kept.append(line)
        elif kept[-1:] != [ANY]:
            kept.append(ANY)
    return "\n".join(kept) + "\n"


def render(page, program, root):
    """The page with the output of now."""
    return BLOCK.sub(
        lambda match: "$ %s\n%s" % (
            match.group(1),
            shorten(run(match.group(1), program, root), match.group(2))),
        page)


def main(program, root):
    for name in PAGES:
        path = os.path.join(root, name)
        with open(path, encoding="utf-8") as file:
            page = file.read()
        page = render(page, program, root)
        page = LIVE.sub(
            lambda _: run("./reapsim reap --pid=self", program, root), page)
        with open(path, "w", encoding="utf-8") as file:
            file.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else
                  os.path.dirname(os.path.dirname(
                      os.path.abspath(__file__)))))
