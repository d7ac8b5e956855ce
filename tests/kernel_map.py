#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Keeps docs/kernel-map.md in step with the modelled code.

usage: tests/kernel_map.py [--update] [ROOT]

Prints the page as it should be, or writes it. What functions there are, where
and in which order, comes from the code: every function that is spelt as the
kernel spells (small letters and underscores). A citation in the comment right
above a definition, `mm/oom_kill.c:oom_reaper()`, gives the kernel's file. All
else is kept from the page as it is: versions, how true the model is, what is
ours, and the text around the tables. New functions appear as "modelled".
"""

import os
import re
import sys

PAGE = "docs/kernel-map.md"
ROOMS = ("mm", "sched", "syscall")
TAIL = "## Not there"
HOW = ("modelled", "simplified", "stubbed")
HEADER = ("| function | kernel file | versions | how |\n"
          "|---|---|---|---|\n")

KERNEL_NAME = re.compile(r"[a-z_][a-z0-9_]*$")
OTHER_BLOCK = re.compile(
    r"(namespace|using|struct|class|enum|union|static_assert|template|"
    r"typedef|public|private)\b")
CITATION = re.compile(r"([\w/-]+\.[chS]):(\w+)\(\)")
SOURCE = re.compile(r"Source:\s+([\w/-]+\.[chS])")


def model_files(tree):
    """The files that stand for kernel files, in order."""
    return [path for path in sorted(tree)
            if path.split("/")[0] in ROOMS and path.endswith((".cc", ".h"))
            and not path.endswith("_test.cc") and "testing" not in path]


def without_text(source):
    """The source without comments, strings and preprocessor lines."""
    source = re.sub(r"//[^\n]*", "", source)
    source = re.sub(r'"(\\.|[^"\\\n])*"', '""', source)
    source = re.sub(r"^#(?:.*\\\n)*.*$",
                    lambda m: "\n" * m.group().count("\n"), source,
                    flags=re.M)
    return re.sub(r"\b(__attribute__\(\(.*?\)\)|alignas\(\w+\))", "", source)


def definitions(source):
    """Kernel-named functions defined at file level: (name, line from 0)."""
    lines = without_text(source).split("\n")
    found = []
    number = 0
    while number < len(lines):
        start = number
        number += 1
        if not re.match(r"[A-Za-z_\[]", lines[start]) or (
                OTHER_BLOCK.match(lines[start])):
            continue
        signature = lines[start]
        while number < len(lines) and not re.search(r"[{;]", signature):
            signature += " " + lines[number]
            number += 1
        head = re.split(r"[{;]", signature)[0]
        is_body = re.search(r"[{;]", signature + ";").group() == "{"
        name = re.search(r"([\w:~]+)\s*\(", head)
        if (is_body and name and "operator" not in head
                and "=" not in head[:name.start()]
                and KERNEL_NAME.match(name.group(1))
                and name.group(1) not in [known for known, _ in found]):
            found.append((name.group(1), start))
    return found


def citation_above(source, line, name):
    """The kernel file that the comment above the definition gives, or None."""
    lines = source.split("\n")
    comment = []
    while line > 0 and lines[line - 1].startswith("//"):
        line -= 1
        comment.insert(0, lines[line].lstrip("/ "))
    for path, function in CITATION.findall(" ".join(comment)):
        if function == name:
            return path
    return None


def default_source(tree, path):
    """The first file that a model file, or its header, names as source."""
    for candidate in (path, re.sub(r"\.cc$", ".h", path)):
        # A Source: line may be wrapped.
        text = re.sub(r"\n//\s*", " ", tree.get(candidate, ""))
        match = SOURCE.search(text)
        if match:
            return match.group(1)
    return "?"


class Page:
    """docs/kernel-map.md, taken apart."""

    def __init__(self, text):
        parts = re.split(r"^(?=## )", text, flags=re.M)
        self.head = parts[0]
        self.tail = ""
        self.rows = {}  # (our file, function) -> (kernel file, versions, how)
        self.ours = {}  # our file -> names
        for part in parts[1:]:
            if self.tail or part.startswith(TAIL):
                self.tail += part
            else:
                self.read_section(part)

    def read_section(self, part):
        path = part.split("\n")[0][len("## "):].strip("`")
        for line in part.split("\n"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| `") and len(cells) == 4:
                self.rows[path, cells[0].strip("`")] = tuple(cells[1:])
            elif line.startswith("Ours: "):
                self.ours[path] = re.findall(r"`(\w+)`", line)


def render(tree):
    """The page as it should be."""
    page = Page(tree.get(PAGE, ""))
    text = page.head
    for path in model_files(tree):
        rows, ours = "", []
        for name, line in definitions(tree[path]):
            if name in page.ours.get(path, ()):
                ours.append("`%s`" % name)
                continue
            known = page.rows.get((path, name))
            kernel_file, versions, how = known or (
                default_source(tree, path), "all", "modelled")
            cited = citation_above(tree[path], line, name)
            rows += "| `%s` | %s | %s | %s |\n" % (
                name, cited or kernel_file, versions, how)
        if not rows and not ours:
            continue
        text += "## %s\n\n" % path
        text += HEADER + rows + "\n" if rows else ""
        text += "Ours: %s.\n\n" % ", ".join(ours) if ours else ""
    return text + page.tail


def problems(tree):
    """What is wrong with the page, as lines; none if all is well."""
    found = []
    if render(tree) != tree.get(PAGE, ""):
        found.append("%s is out of date: run tests/kernel_map.py --update, "
                     "then read what it changed" % PAGE)
    page = Page(tree.get(PAGE, ""))
    defined = set()
    for path in model_files(tree):
        defined.update(name for name, _ in definitions(tree[path]))
    for (path, name), (kernel_file, _, how) in sorted(page.rows.items()):
        if how.split(":")[0] not in HOW:
            found.append("%s: %s is neither of %s" % (name, how, HOW))
        if not re.match(r"[\w/.-]+\.[chS]$", kernel_file):
            found.append("%s in %s: '%s' is no kernel file" % (
                name, path, kernel_file))
    for name in re.findall(r"^\| `(\w+)` \|", page.tail, re.M):
        if name in defined:
            found.append("%s is listed as not there, but is defined" % name)
    return found


def read_tree(root):
    """Path from the root -> text, of what this script looks at."""
    tree = {}
    for room in ROOMS:
        for name in sorted(os.listdir(os.path.join(root, room))):
            path = "%s/%s" % (room, name)
            if name.endswith((".cc", ".h")):
                with open(os.path.join(root, path), encoding="utf-8") as file:
                    tree[path] = file.read()
    if os.path.exists(os.path.join(root, PAGE)):
        with open(os.path.join(root, PAGE), encoding="utf-8") as file:
            tree[PAGE] = file.read()
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
