#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Checks what the house rules say about the text of the tree.

usage: tests/tidy.py [ROOT]

Prints one `file:line: message` for each broken rule and exits 1 if there is
any. The rules are the tables below; tests/tidy_test.py holds an example of a
breach for each of them.
"""

import os
import re
import sys

# A room includes only from itself and from rooms on lower floors.
FLOORS = {
    "base": 0,
    "sched": 1,
    "mm": 2,
    "explore": 2,
    "report": 2,
    "syscall": 3,
    "import": 4,
    "states": 4,
    "litmus": 4,
    "latency": 5,
    "conform": 5,
    "shim": 5,
    "calibrate": 6,
    "cmd": 7,
    "bench": 7,
    "tests": 7,
    "examples": 7,
}

# Rooms in which the modelled machine lives.
MODEL = ("base", "sched", "mm", "syscall")
# Rooms whose results must be the same on every machine and in every run.
DETERMINISTIC = MODEL + ("explore", "report", "import", "states", "litmus",
                         "latency")
EVERYWHERE = tuple(FLOORS)

# (rooms, what is banned there, what to write instead)
BANNED = (
    (EVERYWHERE, r"\bstd::s?rand\b|\b[sd]?rand(48)?\(",
     "use Prng (base/prng.h)"),
    (EVERYWHERE, r"\babsl::(Insecure)?BitGen\b|\babsl/random/|"
     r"\bstd::random_device\b|\bstd::mt19937\w*|"
     r"\bstd::default_random_engine\b",
     "use Prng (base/prng.h): the same on every machine"),
    (EVERYWHERE, r"\bstd::\w+_distribution\b|\bstd::shuffle\b",
     "use Prng's bounded draw (base/prng.h): libraries differ here"),
    (EVERYWHERE, r"\bstd::unordered_\w+",
     "use absl::btree_map, or absl::flat_hash_map if it is never iterated"),
    (EVERYWHERE, r"(?<!static_)\bassert\(",
     "use REAP_CHECK (base/check.h): assert vanishes under -c opt"),
    (EVERYWHERE, r"\busing namespace\b", "name what is used"),
    # User::nanosleep() sleeps in the model.
    (EVERYWHERE, r"\bsleep_for\(|\bu?sleep\(|"
     r"(?<![.:])(?<!SysResult )\bnanosleep\(",
     "step the model or wait for an event; no test depends on time"),
    (DETERMINISTIC, r"\bstd::chrono::\w*_clock\b|\bclock_gettime\(|"
     r"\bgettimeofday\(|\btime\((nullptr|NULL|0)\)|\babsl::Now\(",
     "use the kernel's own clock: wall clocks decide nothing here"),
    (DETERMINISTIC, r"%p\b",
     "print an address of the model or an id: pointers differ between runs"),
    (MODEL, r"\bthread_local\b",
     "keep it in the arena: a snapshot must contain it"),
    (MODEL, r"\babsl::(flat|node)_hash_\w+",
     "use an intrusive list or absl::btree_map: hash order differs between"
     " runs"),
    (MODEL, r"\bstd::(recursive_|shared_|timed_)?mutex\b|\babsl::Mutex\b|"
     r"\bstd::thread\b|\bstd::condition_variable\b",
     "use the modelled locks and tasks of sched/"),
)

# (file, word on the line) -> why the rule does not hold there.
EXCEPTIONS = {
    ("sched/heap_guard.cc", "thread_local"):
        "the guard belongs to the host's threads, not to the model",
    ("sched/heap_guard.h", "thread_local"):
        "the guard belongs to the host's threads, not to the model",
}

# Spelt so that this file does not match itself.
MACHINE_PATH = re.compile(
    r"/wor[k]/|/roo[t]/|/home/(?!user\b)\w+|/tm[p]/(?:bz|k|brief)\b")
UNFINISHED = re.compile(r"\b(?:TOD[O]|FIXM[E]|XX[X]|HAC[K])\b")
FOREIGN_LICENCE = re.compile(r"SPDX-[L]icense-Identifier: (?!Apache-2\.0\b)")

COPYRIGHT = re.compile(r"Copyright 20\d\d The reapsim Authors$")
SPDX = re.compile(r"SPDX-[L]icense-Identifier: Apache-2\.0$")
INCLUDE = re.compile(r'\s*#\s*include\s+(["<])([^">]+)[">]')

CODE = (".cc", ".h", ".inc")
SCRIPTS = (".py", ".sh", "bazelw", "reapsim", ".ci/run")
STARLARK = (".bzl", "BUILD", "WORKSPACE")
TEXT = CODE + SCRIPTS + STARLARK + (".md", ".bazelrc", ".reap")
LICENSED = CODE + SCRIPTS + STARLARK
COLUMNS = 80

# Not ours to format.
SKIPPED_DIRECTORIES = (".git", ".cache", "__pycache__", ".vscode", ".idea")


def is_data(path):
    """Recorded input: only checked for what it gives away."""
    return path.startswith("tests/data/") or "/testdata/" in path


def room_of(path):
    """The room a file belongs to, or None outside the house."""
    room = path.split("/")[0]
    return room if room in FLOORS else None


def code_only(line):
    """The line without its // comment."""
    return re.sub(r"(?<!:)//.*", "", line)


def check_layout(path, number, line):
    """Columns, tabs and trailing spaces."""
    if "\t" in line:
        yield number, "tab; indent with spaces"
    # The kernel itself ends this line of smaps with a space.
    if line != line.rstrip() and not line.startswith("VmFlags: "):
        yield number, "trailing space"
    # A long word (a URL, a path) cannot be broken; tables in Markdown and
    # Starlark strings are not wrapped by their formatters either.
    wraps = path.endswith(CODE + SCRIPTS)
    if wraps and len(line) > COLUMNS and len(line.split()[-1]) < 60 and (
            not INCLUDE.match(line)):
        yield number, "%d columns; the limit is %d" % (len(line), COLUMNS)


def check_words(path, number, line):
    """What no file may say."""
    match = MACHINE_PATH.search(line)
    if match:
        yield number, "'%s' is a path of one machine" % match.group()
    if is_data(path):
        return
    match = UNFINISHED.search(line)
    if match:
        yield number, "'%s': finish it, or say it in docs/limitations.md" % (
            match.group())
    if FOREIGN_LICENCE.search(line):
        yield number, "all files are Apache-2.0 (docs/adr/0001-licence.md)"


def check_banned(path, number, line):
    """Calls that break determinism or the model's rules."""
    room = room_of(path)
    code = code_only(line)
    for rooms, pattern, instead in BANNED:
        match = re.search(pattern, code) if room in rooms else None
        if match and (path, match.group()) not in EXCEPTIONS:
            yield number, "%s: %s" % (match.group(), instead)


def check_include(path, number, line):
    """#include only from lower floors, by the path from the root."""
    match = INCLUDE.match(line)
    if not match or match.group(1) == "<":
        return
    target = match.group(2)
    if target.startswith(("absl/", "gmock/", "gtest/", "benchmark/", "boost/",
                          "nlohmann/")):
        return
    mine, theirs = room_of(path), room_of(target)
    if theirs is None:
        yield number, '"%s": include by the path from the root' % target
    elif mine != theirs and FLOORS[theirs] >= FLOORS[mine]:
        yield number, "%s/ (floor %d) may not include from %s/ (floor %d)" % (
            mine, FLOORS[mine], theirs, FLOORS[theirs])


def check_header_guard(path, lines):
    """REAPSIM_MM_MEMORY_H_ for mm/memory.h."""
    guard = "REAPSIM_%s_" % re.sub(r"\W", "_", path).upper()
    if "#ifndef " + guard not in lines or "#define " + guard not in lines:
        yield 1, "header guard is not %s" % guard


def check_licence(lines):
    """The two lines that each source file begins with."""
    # A script has its interpreter, and at most an empty comment, first.
    head = lines[:4]
    if not any(COPYRIGHT.search(line) for line in head) or (
            not any(SPDX.search(line) for line in head)):
        yield 1, ("first lines must be 'Copyright 2026 The reapsim Authors'"
                  " and 'SPDX-License-Identifier: Apache-2.0'")


def check_text(path, text):
    """All breaches in one file, as (line, message)."""
    lines = text.split("\n")
    per_line = [check_words]
    if not is_data(path):
        if path.endswith(TEXT):
            per_line.append(check_layout)
        if path.endswith(CODE) and room_of(path):
            per_line += [check_banned, check_include]
        if path.endswith(LICENSED):
            yield from check_licence(lines)
        if path.endswith(".h"):
            yield from check_header_guard(path, lines)
        if path.endswith(TEXT) and text and lines[-1]:
            yield len(lines), "no newline at the end"
    for number, line in enumerate(lines, start=1):
        for check in per_line:
            yield from check(path, number, line)


def check_build(path, text, siblings, root_build):
    """Every source is built, and every quick test is in //:quick."""
    package = os.path.dirname(path)
    if package == "tests/consumer":  # A workspace of its own.
        return
    if "glob(" not in text:
        for name in siblings:
            # A list of tests may name them without their endings.
            stem = os.path.splitext(name)[0]
            if name.endswith((".cc", ".h", "_test.py", "_test.sh")) and not (
                    re.search('"%s(%s)?"' % (re.escape(stem), re.escape(
                        name[len(stem):])), text)):
                yield 1, "%s is in no target" % name
    if re.search(r"^ *\w+_test\(", text, re.M) and package:
        if not re.search(r'^test_suite\(\n\s*name = "quick"', text, re.M):
            yield 1, 'no test_suite named "quick"'
        if '"//%s:quick"' % package not in root_build:
            yield 1, '"//%s:quick" is missing from //:quick' % package


def read_tree(root):
    """Path from the root -> text, for each text file of the tree."""
    tree = {}
    for directory, subdirectories, names in os.walk(root):
        # bazel-out may hold whole copies of the tree.
        subdirectories[:] = sorted(
            name for name in subdirectories
            if name not in SKIPPED_DIRECTORIES
            and not os.path.islink(os.path.join(directory, name)))
        for name in sorted(names):
            full = os.path.join(directory, name)
            # In a worktree .git is a file.
            if os.path.islink(full) or name in (".git", "user.bazelrc"):
                continue
            with open(full, "rb") as file:
                content = file.read()
            if b"\0" in content:
                continue
            tree[os.path.relpath(full, root)] = content.decode(
                "utf-8", errors="replace")
    return tree


def check_tree(tree):
    """All breaches of the tree, as 'file:line: message', in order."""
    messages = []
    for path, text in sorted(tree.items()):
        breaches = list(check_text(path, text))
        if os.path.basename(path) == "BUILD":
            directory = os.path.dirname(path)
            siblings = sorted(os.path.basename(other) for other in tree
                              if os.path.dirname(other) == directory)
            breaches += check_build(path, text, siblings,
                                    tree.get("BUILD", ""))
        messages += ["%s:%d: %s" % (path, number, message)
                     for number, message in sorted(breaches)]
    return messages


def main(root):
    messages = check_tree(read_tree(root))
    print("\n".join(messages), end="\n" if messages else "")
    return 1 if messages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))))
