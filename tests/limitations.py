#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the list by file of docs/limitations.md in step with the code.

usage: tests/limitations.py [--update] [ROOT]

Prints the page as it should be, or writes it: everything below the heading
"By file" is taken from the comments at the top of the sources, from what
follows "Simplified:" and "Stubbed:".
"""

import os
import re
import sys

PAGE = "docs/limitations.md"
HEADING = "## By file\n"
ROOMS = ("base", "import", "mm", "sched", "states", "syscall")
CLAUSE = re.compile(
    r"\b(Modelled|Simplified|Stubbed[^:.]{0,12}|Source|Differences?):")


def top_comment(source):
    """The comment at the top without its licence, a paragraph a line."""
    lines = []
    for line in source.split("\n"):
        if line and not line.startswith("//"):
            break
        lines.append(line[2:].strip())
    return re.sub(r"(?<=\S)\n(?=\S)", " ", "\n".join(lines))


def clauses(source):
    """[(keyword, text)] of one source, only what is missing from the model."""
    found = []
    for paragraph in top_comment(source).split("\n"):
        parts = CLAUSE.split(paragraph)
        for keyword, text in zip(parts[1::2], parts[2::2]):
            if keyword.startswith(("Simplified", "Stubbed")):
                found.append((keyword, text.strip()))
    return found


def render(tree):
    """The page as it should be."""
    head = tree.get(PAGE, "").split(HEADING)[0]
    text = head + HEADING + (
        "\nFrom the comments at the top of the sources, by"
        " `tests/limitations.py`;\n`tests/docs_test.py` keeps it so.\n")
    for path in sorted(tree):
        entries = clauses(tree[path]) if path != PAGE else []
        if entries:
            text += "\n**%s**\n\n" % path
        for keyword, clause in entries:
            text += "- %s: %s\n" % (keyword.lower(), clause)
    return text


def read_tree(root):
    """Path from the root -> text, of what this script looks at."""
    paths = [PAGE] if os.path.exists(os.path.join(root, PAGE)) else []
    for room in ROOMS:
        paths += ["%s/%s" % (room, name)
                  for name in os.listdir(os.path.join(root, room))
                  if name.endswith((".cc", ".h"))]
    tree = {}
    for path in paths:
        with open(os.path.join(root, path), encoding="utf-8") as file:
            tree[path] = file.read()
    return tree


def main(arguments):
    update = "--update" in arguments
    places = [word for word in arguments if word != "--update"]
    root = places[0] if places else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))
    text = render(read_tree(root))
    if update:
        with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
            file.write(text)
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
