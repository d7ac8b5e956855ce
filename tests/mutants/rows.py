# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Reads lists of mutants and applies their rows to functions; see README.md.

usage: rows.py LIST SOURCE

Writes SOURCE with all rows of LIST built in; REAPSIM_ROW chooses among them.
"""

import collections
import os
import re
import sys

# What a row must have changed at least once, wherever it stands in a listed
# function: branches, and what takes or drops a lock, a reference or a flag.
BRANCH = re.compile(
    r"\b(?:if|for|while|switch)\s*\(|\bcase\b|\?|&&|\|\||"
    r"\b(?:rcu_read_(?:un)?lock|task_(?:un)?lock|mmap_\w*lock\w*|mmgrab|mmdrop"
    r"|mmget\w*|mmput|put_\w+|set_bit|test_bit)\(")

Row = collections.namedtuple(
    "Row", "id file function meaning origin hunks equivalent line")
Function = collections.namedtuple(
    "Function", "name start end text parameters head body")

# The number of the chosen row, counted from 1; 0 if it is none of this list.
CHOICE = """#include <cstdlib>
#include <cstring>

static const int reapsim_chosen_row = [] {
  static const char* const ids[] = {
      ""%s};
  const char* chosen = std::getenv("REAPSIM_ROW");
  if (chosen == nullptr) return 0;
  for (int row = 1; row < int{sizeof(ids) / sizeof(ids[0])}; ++row) {
    if (std::strcmp(chosen, ids[row]) == 0) return row;
  }
  return 0;
}();

"""


class Error(Exception):
    """A list, or what it speaks of, is not as it should be."""


def parse(text):
    """All rows of a list, in order."""
    rows = []
    where = None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("== "):
            match = re.fullmatch(r"== (\S+) (\w+)", line)
            if not match:
                raise Error("line %d: '== FILE FUNCTION' expected" % number)
            where = match.groups()
            continue
        if line[:2] in ("- ", "+ ", "~ ", "@ ") or line in "-+~@":
            if not rows or where != (rows[-1].file, rows[-1].function):
                raise Error("line %d: no row begins here" % number)
            _add(rows, line[0], line[2:].strip(), number)
            continue
        match = re.fullmatch(r"([a-z0-9_.]+): (.+)", line)
        if not match or not where:
            raise Error("line %d: 'id: what it means' expected" % number)
        rows.append(Row(match[1], *where, match[2], [], [], [], number))
    _check(rows)
    return rows


def list_name(path):
    """The list that holds the rows of a source: "mm/a.cc" -> "mm_a.txt"."""
    return path[:-len(".cc")].replace("/", "_") + ".txt"


def read_all(directory):
    """The rows of all lists in a directory, in the order of their sources."""
    rows = []
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            found = parse(file.read())
        for row in found:
            if list_name(row.file) != name:
                raise Error("%s: line %d: '%s' belongs to %s" % (
                    name, row.line, row.id, list_name(row.file)))
        rows += found
    rows.sort(key=lambda row: (row.file, row.line))
    _check(rows)
    return rows


def _add(rows, kind, text, number):
    """Adds a line to the last row: an origin, old or new text, an argument."""
    row = rows[-1]
    if kind == "@":
        row.origin.append(text)
    elif kind == "~":
        row.equivalent.append(text)
    elif kind == "-" and (not row.hunks or row.hunks[-1][1]):
        row.hunks.append(([text], []))
    elif kind == "-":
        row.hunks[-1][0].append(text)
    elif not row.hunks:
        raise Error("line %d: new text before any old text" % number)
    else:
        row.hunks[-1][1].append(text)


def _check(rows):
    seen = set()
    for row in rows:
        if row.id in seen:
            raise Error("line %d: a second row '%s'" % (row.line, row.id))
        seen.add(row.id)
        if not row.hunks or not all(new for _, new in row.hunks):
            raise Error("line %d: '%s' needs old ('- ') and new ('+ ') text"
                        % (row.line, row.id))


def find_function(source, name):
    """The definition of a function that is not indented."""
    found = []
    for match in re.finditer(r"(?m)^[^\s#/][^\n]*?\b%s\(" % re.escape(name),
                             source):
        close = _closing(source, match.end() - 1)
        body = re.match(r"[^;{}]*\{", source[close:])
        if not body:
            continue  # A declaration.
        end = source.index("\n}\n", close) + 3
        found.append(Function(
            name, match.start(), end, source[match.start():end],
            source[match.end():close - 1],
            source[match.start():match.end() - 1 - len(name)],
            close + body.end()))
    if len(found) != 1:
        raise Error("%s() is defined %d times" % (name, len(found)))
    return found[0]


def _closing(source, start):
    """The place after the bracket that closes the one at `start`."""
    depth = 0
    for place in range(start, len(source)):
        depth += {"(": 1, ")": -1}.get(source[place], 0)
        if depth == 0:
            return place + 1
    raise Error("a bracket is not closed")


def spans(row, text):
    """Where the old text of each hunk stands: once in the function."""
    result = []
    for old, _ in row.hunks:
        words = " ".join(old).split()
        pattern = r"\s+".join(re.escape(word) for word in words)
        places = [match.span() for match in re.finditer(pattern, text)]
        if len(places) != 1:
            raise Error("line %d: %s: '%s' occurs %d times in %s()" % (
                row.line, row.id, " ".join(words), len(places), row.function))
        result += places
    return result


def apply(row, text):
    """The function's text with the row's changes made."""
    changes = sorted(zip(spans(row, text), row.hunks), reverse=True)
    for (start, end), (_, new) in changes:
        text = text[:start] + "\n".join(new) + text[end:]
    return text


def uncovered(text, covered):
    """Branches, locks and references outside all of `covered`."""
    blank = re.sub(r"//[^\n]*", lambda match: " " * len(match[0]), text)
    missing = []
    for match in BRANCH.finditer(blank):
        if not any(start <= match.start() < end for start, end in covered):
            line = text[:match.start()].count("\n")
            missing.append(text.split("\n")[line].strip())
    return missing


def parameter_names(parameters):
    """The names in "int a, T* b"."""
    words = re.sub(r"/\*.*?\*/", "", parameters).split(",")
    return [re.search(r"(\w+)\s*$", word)[1] for word in words if word.strip()]


def with_all(source, rows):
    """The source with a copy of a function for each of its rows.

    The function itself then only chooses: the copy of the row that REAPSIM_ROW
    names, or the original.
    """
    # A parameter that nobody uses needs a name to be passed on by.
    source = re.sub(r"/\*(unused)\*/(?=[,)])", r"\1", source)
    by_function = collections.OrderedDict()
    for number, row in enumerate(rows, start=1):
        by_function.setdefault(row.function, []).append((number, row))
    functions = sorted((find_function(source, name) for name in by_function),
                       key=lambda function: function.start, reverse=True)
    for function in functions:
        # The copies may call the function itself.
        copies = source[function.start:function.body - 1].rstrip() + ";\n"
        cases = ""
        arguments = ", ".join(parameter_names(function.parameters))
        copied = [(0, function.text)] + [
            (number, apply(row, function.text))
            for number, row in by_function[function.name]]
        for number, text in copied:
            copy = "%s_row%d" % (function.name, number)
            copies += re.sub(r"\b%s\(" % function.name, copy + "(", text,
                             count=1) + "\n"
            if number:
                cases += "    case %d:\n      return %s(%s);\n" % (
                    number, copy, arguments)
        chooser = source[function.start:function.body] + (
            "\n  switch (reapsim_chosen_row) {\n%s    default:\n"
            "      return %s_row0(%s);\n  }\n}\n" % (
                cases, function.name, arguments))
        source = (source[:function.start] + copies + chooser
                  + source[function.end:])
    first = source.index("namespace reapsim {")
    return source[:first] + CHOICE % "".join(
        ",\n      \"%s\"" % row.id for row in rows) + source[first:]


def main(arguments):
    """Builds a list into a source."""
    path, source = arguments
    try:
        with open(path, encoding="utf-8") as file:
            rows = parse(file.read())
        with open(source, encoding="utf-8") as file:
            sys.stdout.write(with_all(file.read(), rows))
    except Error as error:
        print("%s: %s" % (path, error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
