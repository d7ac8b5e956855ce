#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Writes what bench/latency_bench says into docs/latency.md.

usage: ./bazelw run -c opt //bench:latency_report

Times are the model's own, the same in every build and on every machine: so a
test holds the page against a fresh run (latency_doc_test.py).
"""

import json
import math
import os
import re
import subprocess
import sys
import textwrap

from bench.markdown import table

PAGE = "docs/latency.md"
PUBLISHED = "bench/published.json"
BEGIN = "<!-- bench/latency_report.py: begin -->\n"
END = "<!-- bench/latency_report.py: end -->\n"
# Counters that are no times.
COUNTS = ("pages", "reaped", "refused")
# A figure counts as met within this.
WITHIN = 0.25

INTRODUCTION = """\
## The claims, as benchmarks

`bench/latency_bench` runs each of these in virtual time, once with `kill()`
alone and once with `kill()` and `process_mrelease()`. The time starts when
`kill()` is called. Milliseconds; **back** is when {back} % of all memory that
comes back is free (what is freed in one piece, up to 510 pages, counts from
when that begins), **call** when the call returns, **gone** when the victim is a
zombie. CPU is what the victim and the caller paid, from the kill on.

```
./bazelw run -c opt //bench:latency_bench -- --benchmark_filter=^sleep/
```

Written by `bench/latency_report.py`, and compared with a fresh run by
`//bench:latency_doc_test`; don't edit.
"""


def run(binary):
    """What the benchmarks say."""
    return json.loads(subprocess.run(
        [binary, "--benchmark_format=json"], check=True,
        stdout=subprocess.PIPE, encoding="utf-8").stdout)


def plain(name):
    """A benchmark's name without the library's additions to it."""
    return "/".join(part for part in name.split("/")
                    if part != "manual_time" and ":" not in part)


def number(value):
    """Three digits, no exponent; an em dash for nothing."""
    if value is None:
        return "—"
    if value == 0:
        return "0"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return "{:,.{}f}".format(value, min(digits, 3))


def spread(values):
    """p99 minus p1, by nearest rank."""
    ranked = sorted(values)
    rank = lambda percent: ranked[
        max(0, math.ceil(percent * len(ranked) / 100) - 1)]
    return rank(99) - rank(1)


class Rows:
    """What the benchmarks said, by name without the library's additions."""

    def __init__(self, result):
        self.rows = {plain(row["name"]): row for row in result["benchmarks"]}
        self.context = result["context"]
        for name, row in self.rows.items():
            if row.get("error_occurred"):
                sys.exit("%s: %s" % (name, row["error_message"]))

    def of(self, claim):
        """The names of a claim's rows, without their way, in order."""
        names = []
        for name in self.rows:
            if name.startswith(claim + "/"):
                row = name[len(claim) + 1:].rpartition("/")[0]
                if row not in names:
                    names.append(row)
        return names

    def value(self, claim, row, way, key):
        """A counter, or None where the row has none."""
        return self.rows.get("%s/%s/%s" % (claim, row, way), {}).get(key)


class Claim:
    """One table: its benchmarks' first name, and what is said of it. Values in
    braces in the reading are computed: {ROW:WAY:COUNTER}."""

    def __init__(self, name, title, setup, first, reading):
        self.name = name
        self.title = title
        self.setup = setup
        self.first = first
        self.reading = reading

    def render(self, rows):
        lines = []
        backs = {"kill": [], "call": []}
        for row in rows.of(self.name):
            get = lambda way, key, row=row: rows.value(self.name, row, way, key)
            for way, values in backs.items():
                if get(way, "back") is not None:
                    values.append(get(way, "back"))
            gain = None
            if get("kill", "back") is not None and get("call", "back"):
                gain = get("kill", "back") / get("call", "back")
            lines.append(["`%s/%s`" % (self.name, row)] + [
                number(value) for value in (
                    get("kill", "back"), get("call", "back"), gain,
                    get("call", "call"), get("kill", "gone"),
                    get("call", "gone"), get("kill", "victim_cpu"),
                    get("call", "victim_cpu"), get("call", "caller_cpu"))])
        text = "### %s\n\n%s\n\n" % (self.title, fill(self.setup))
        text += table([self.first, "back: kill", "with call", "times",
                       "call", "gone: kill", "with call", "CPU, victim: kill",
                       "with call", "caller"], lines)
        if len(lines) > 1:
            text += "\n" + fill(
                "Spread of **back** over these rows, p99 − p1: %s ms with a "
                "kill alone, %s ms with the call." % (
                    number(spread(backs["kill"])),
                    number(spread(backs["call"])))) + "\n"
        return text + "\n" + fill(self.read(rows)) + "\n"

    def read(self, rows):
        """The reading with its values."""
        def value(match):
            row, way, key = match.group(1).split(":")
            counted = rows.value(self.name, row, way, key)
            return ("{:,.0f}".format(counted) if key in COUNTS else
                    number(counted))
        return re.sub(r"\{([^{}]+)\}", value, self.reading)


def fill(text):
    """Lines of at most 80 columns."""
    return "\n".join(textwrap.wrap(text, 80, break_long_words=False,
                                   break_on_hyphens=False))


PHONE = ("A phone (`latency/machines/snapdragon845.json`, prices of "
         "`latency/profiles/snapdragon845.json`), v6.18. ")
VICTIM = "256 MiB of anonymous pages on a little core, a caller on a big one; "
FAST = "all cores at their highest frequency. "
HOST = ("Two equal CPUs with nothing else to do (`latency/machines/"
        "default.json`), prices of `latency/profiles/host.json`, v6.18. ")

CLAIMS = [
    Claim("sleep", "A victim in uninterruptible sleep",
          PHONE + VICTIM + FAST + "The victim waits for a device that answers "
          "so long after the kill.", "answers after",
          "With a kill alone the memory comes back {10s:kill:back} ms after "
          "the kill if the device takes 10 s; the call has it back after "
          "{10s:call:back} ms whatever the device does, and from 100 ms on the "
          "caller pays for all of it. Only a victim that is awake helps, or "
          "stands in the way: {0:call:back} ms."),
    Claim("core", "A slow core",
          PHONE + VICTIM + "the caller's core at its highest frequency, the "
          "victim's as said.", "victim's core",
          "At 300 MHz the victim takes {little_300MHz:kill:back} ms alone, "
          "{little_300MHz:kill:victim_cpu} ms of its own CPU time; with the "
          "call {little_300MHz:call:back} ms, of which the caller spends "
          "{little_300MHz:call:caller_spin} ms waiting for locks, and for "
          "memory, that the slow victim has. Beside a fast victim it does not "
          "pay: {big_2477MHz:call:back} ms instead of {big_2477MHz:kill:back}, "
          "as the published figures have it."),
    Claim("nice", "A busy run queue",
          PHONE + VICTIM + FAST + "The victim computes, at nice 0 or 19, on "
          "one core that it shares with so many others at nice 0.",
          "nice, beside others",
          "At nice 19 beside 8 others the kill alone takes "
          "{19_beside_8:kill:back} ms, as the victim has to wait for its turn "
          "to die; with the call {19_beside_8:call:back} ms. At nice 0 the "
          "victim's turn can come in the middle of a page table, whose lock it "
          "then keeps: {0_beside_8:call:back} ms."),
    Claim("caller", "A slow caller: the call does not pay",
          PHONE + "256 MiB of anonymous pages on a big core at its highest "
          "frequency, alone; the caller as said.", "caller",
          "The victim alone is done after {big:kill:back} ms. A caller on a "
          "little core at 300 MHz makes that {little_300MHz:call:back} ms: "
          "it holds page-table locks longer than the victim would have taken, "
          "and the victim burns {little_300MHz:call:victim_spin} ms waiting "
          "for them. Niceness changes nothing on a core of one's own. Beside "
          "two others at nice 0 the caller does harm: what it has unmapped and "
          "not yet freed, and the mmap_lock that exit_mmap() needs, wait for "
          "its turns, so that the memory is back after "
          "{little_300MHz_nice_19_beside_2:call:back} ms, and the call returns "
          "after {little_300MHz_nice_19_beside_2:call:call}."),
    Claim("huge", "Huge pages: it does not pay either",
          HOST + "A victim of so much memory, in small and in huge pages. Look "
          "at **gone**: up to 510 huge pages are freed in one piece.",
          "memory",
          "In huge pages 512 MiB are gone after {thp_512MiB:kill:gone} ms with "
          "a kill alone and {thp_512MiB:call:gone} ms with the call, in small "
          "ones after {anon_512MiB:kill:gone} and {anon_512MiB:call:gone}: "
          "with huge pages there is little time left to win, and on a live "
          "machine it was lost (see the published figures)."),
    Claim("reapers", "1 to 8 reapers",
          PHONE + "A victim of 64 MiB in one mapping, 192 of 1 MiB each and "
          "1,000 of one page, on a little core; so many processes call at "
          "once, each on a core of its own, the big ones first, the eighth "
          "beside the victim. CPU of the callers together.", "reapers",
          "One reaper takes the memory back in {1:call:back} ms instead of "
          "{1:kill:back}; four in {4:call:back}, and pay {4:call:caller_cpu} "
          "ms instead of {1:call:caller_cpu}: they go the same way and wait "
          "for each other. A second reaper is not worth it."),
    Claim("frozen", "A frozen victim",
          PHONE + VICTIM + FAST + "The victim is frozen, by the freezer of v1 "
          "or v2, and thawed so long after the kill.", "thawed after",
          "A v1 freezer keeps a killed victim, and its memory, until it is "
          "thawed: {v1_10s:kill:back} ms alone, {v1_10s:call:back} ms with the "
          "call, paid by the caller. In v2 a frozen victim dies at once."),
    Claim("walk", "Forward against reverse walk",
          "Two equal CPUs (`latency/machines/default.json`), prices of the "
          "source of that patch (`latency/profiles/reverse_walk.json`). "
          "256 MiB, in one mapping or (64 MiB in one, 192 of 1 MiB, 1,000 of "
          "one page) in many. v6.17 walks upwards as exit does, v6.18 "
          "downwards, but inside a mapping upwards.", "kernel and mappings",
          "With many mappings both spin {v6.17_many_mappings:call:caller_spin} "
          "+ {v6.17_many_mappings:call:victim_spin} ms (caller + victim) at "
          "page-table locks when they go the same way, and "
          "{v6.18_many_mappings:call:caller_spin} + "
          "{v6.18_many_mappings:call:victim_spin} ms when they meet from both "
          "ends; with one mapping nothing has changed."),
    Claim("pinned", "Memory pinned by a third party",
          PHONE + VICTIM + FAST + "Somebody who reads the victim's memory (or "
          "/proc/PID/cmdline) holds mm_users until so long after the kill.",
          "held for",
          "With a kill alone the victim is gone at once and its memory stays, "
          "until who holds it lets go and pays for the exit: "
          "{10s:kill:back} ms, and {10s:kill:other_cpu} of CPU for somebody "
          "who only wanted to read. The call, made before the victim has let "
          "go, has it back after {10s:call:back} ms, and leaves "
          "{10s:call:other_cpu} to the reader."),
    Claim("pool", "100 victims and two reaper threads",
          PHONE + "100 victims of 32 MiB on the four little cores, killed at "
          "once by one process on a big core: all by itself (kill), or through "
          "two threads of it that each kill one and call. `_or_kill`: as lmkd "
          "does it, the main thread kills alone while both are busy.", "pool",
          "Through two threads on big cores all memory is back after "
          "{two_threads:call:back} ms instead of {two_threads:kill:back}. With "
          "lmkd's rule only {two_threads_or_kill:call:reaped} of 100 are "
          "reaped when all are to go at once: {two_threads_or_kill:call:back} "
          "ms."),
    Claim("swap", "Much in swap",
          HOST + "512 MiB, of which so much is swapped out: 31 and 65 % are "
          "what an app was seen to have after 0 and 15 minutes in the "
          "background.",
          "in swap",
          "Swap entries are given back one by one, in the walk: at 65 % the "
          "kill alone takes {65_percent:kill:back} ms for what little memory "
          "comes back, the call {65_percent:call:back} ms."),
    Claim("file", "Much of files",
          HOST + "512 MiB, of which so much is pages of files: clean and "
          "mapped privately, or dirty and mapped shared.", "of files",
          "File pages stay in the page cache, for reclaim to free: of 512 MiB "
          "only {90_percent:call:pages} pages come back at 90 %, with or "
          "without the call; shared mappings the call passes over, and the "
          "victim still has to unmap them ({shared_dirty_50_percent:call:gone} "
          "ms until it is gone)."),
]


def grid_text(rows):
    """The predictability of it all."""
    lines = []
    for way, name in (("kill", "kill alone"), ("call", "with the call")):
        row = rows.rows["grid/" + way]
        lines.append([name] + [number(row[key]) for key in (
            "cells", "p1", "p50", "p99", "spread")])
    kill, call = (rows.rows["grid/" + way]["spread"] for way in
                  ("kill", "call"))
    return ("### Predictability\n\n" + fill(
        PHONE + "256 MiB; the victim sleeps, computes (alone, beside two "
        "others, at nice 19 beside two others), waits for a device for 10 or "
        "100 ms, or is frozen for 100 ms; on a little or a big core, at every "
        "second frequency of it. The caller is on another big core at its "
        "highest. **back** over all cells:") + "\n\n" + table(
            ["", "cells", "p1", "p50", "p99", "p99 − p1"], lines) + "\n" +
            fill("When the memory is back depends %s times less on where the "
                 "victim is, and on what it does, once it is called for: the "
                 "call makes it predictable, which matters more than the mean."
                 % number(kill / call)) + "\n")


def published_text(rows, sources):
    """The published figures beside the model."""
    text = ("### Published figures\n\n" + fill(
        "Nothing is tuned to a row: one profile for each source, made by "
        "`bench/fit_published.py` from the rows marked fit; the others are "
        "predictions. Met: within %d %%." % (WITHIN * 100)) + "\n\n")
    for source in sources:
        who = source["who"]
        if source["link"]:
            who = "[%s](%s)" % (who, source["link"])
        text += "#### %s\n\n" % who
        for key, name in (("measured", "Measured"), ("told", "Told"),
                          ("not_told", "Not told"), ("reading", "Reading")):
            if key in source:
                text += fill("%s: %s" % (name, with_models(
                    source[key], source["id"], rows))) + "\n\n"
        lines = []
        for figure in source["figures"]:
            row = rows.rows.get("published/%s/%s" % (source["id"],
                                                     figure["id"]))
            if row is None:
                continue
            lines.append(figure_row(figure, row["model"]))
        if lines:
            text += table(["figure", "use", "published", "model", "error", ""],
                          lines) + "\n"
    return text


def with_models(text, source, rows):
    """The text with the model's figures where it says {FIGURE}."""
    return re.sub(r"\{([\w/]+)\}", lambda match: number(
        rows.rows["published/%s/%s" % (source, match.group(1))]["model"]), text)


def figure_row(figure, model):
    """One published figure, which may be a range, and the model's."""
    low, high = figure["value"], figure.get("to", figure["value"])
    shown = number(low) if high == low else "%s to %s" % (number(low),
                                                          number(high))
    nearest = min(max(model, low), high)
    error = model / nearest - 1
    return ["`%s`, %s" % (figure["id"], figure["unit"]), figure["use"], shown,
            number(model), "%+.0f %%" % (error * 100),
            "met" if abs(error) <= WITHIN else "**not met**"]


def render(result, sources):
    """What stands between the two marks."""
    rows = Rows(result)
    return "\n".join([
        INTRODUCTION.format(back=99),
        "\n".join(claim.render(rows) for claim in CLAIMS),
        grid_text(rows), published_text(rows, sources).rstrip() + "\n"])


def put_into(page, text):
    """The page with that text between the marks."""
    begin = page.index(BEGIN) + len(BEGIN)
    return page[:begin] + text + page[page.index(END):]


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def fresh_page(root, binary):
    """The page as it should be."""
    sources = json.loads(read(root, PUBLISHED))["sources"]
    return put_into(read(root, PAGE), render(run(binary), sources))


def main():
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")
    page = fresh_page(root, "bench/latency_bench")
    with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main()
