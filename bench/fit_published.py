#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Fits profiles to what others have published: bench/published.json.

usage: bench/fit_published.py [--contention=BENCH] [ROOT]

Writes latency/profiles/snapdragon845.json and latency/machines/
snapdragon845.json from the rows marked "fit": those with all cores at their
lowest and at their highest frequency. What one anonymous page costs on either
kind of core, and how much of that does not depend on the frequency, are least
squares of the relative errors of the four rows with a kill alone. How much two
that free memory at once are in each other's way is least squares over the four
rows with a reaper, for which BENCH (a built //bench:latency_bench) runs the
model. Without --contention it stays as it is in the profile.

Writes latency/profiles/reverse_walk.json and swap_heavy.json from times by
function, of the kernel with that patch and of that exit.
"""

import json
import os
import re
import subprocess
import sys
from fractions import Fraction

PUBLISHED = "bench/published.json"
PROFILE = "latency/profiles/snapdragon845.json"
MACHINE = "latency/machines/snapdragon845.json"
WALK_PROFILE = "latency/profiles/reverse_walk.json"
SWAP_PROFILE = "latency/profiles/swap_heavy.json"
SOURCE = "snapdragon845"

# What the device tree of the SoC lists (arch/arm64/boot/dts/qcom/sdm845.dtsi),
# between the frequencies that the source names.
LITTLE_MHZ = [300, 403, 480, 576, 653, 749, 826, 902, 979, 1056, 1133, 1229,
              1325, 1421, 1517, 1613]
BIG_MHZ = [826, 902, 979, 1056, 1133, 1210, 1286, 1363, 1459, 1536, 1613, 1690,
           1766, 1843, 1920, 1997, 2093, 2170, 2246, 2323, 2400, 2477]

PAGE = 4096
MIB = 1 << 20

# Of the time that an anonymous page takes, by what perf saw of an arm64 phone
# (the source "reverse_walk", with its patch): to unmap the page and to free its
# frame.
SHARES = {"anon_page": Fraction(57, 100), "page_freed": Fraction(43, 100)}
# Nanoseconds for each page, once when it is unmapped and once when it is freed,
# in which lines of memory that all walkers write (counters of the LRU lists,
# zones and cgroups) are fetched. They stay in the cache while one walks alone:
# so little that it does not show. With another they travel, and that takes the
# same time at any frequency.
SHARED_LINES = 5
SHARED = {"folio": SHARED_LINES, "batch_freed": SHARED_LINES * 510}
TRIED = range(0, 100001, 2000)  # contention_permille

# Everything else is not published, but that marking a young file page takes
# 55.75 / 44.25 of all else in unmapping it (the source "file_pages"). It stands
# to an anonymous page as on the x86-64 host on which the model was first
# measured: nanoseconds there.
HOST_ANON_PAGE = 225
HOST = {
    "syscall": 150, "reap_walk": 1000, "vma_visited": 190, "vma_skipped": 75,
    "vma_freed": 450, "pte_table_visited": 100, "pte_line": 9,
    "pmd_table_visited": 100, "pmd_line": 10,
    "file_page": 12, "shmem_page": 60, "dirty_page": 60, "young_page": 15,
    "mlocked_page": 125, "huge_page": 2500, "swap_entry": 150,
    "batch_freed": 500, "huge_page_freed": 2200, "page_allocated": 250,
    "page_copied": 300, "page_table_freed": 250, "tlb_flush": 300,
    # There are none on arm64: TLBs are told by the hardware.
    "tlb_ipi": 0,
    "notifier_call": 200, "process_scanned": 7,
    "thread_scanned": 7, "fault": 500, "signal_sent": 500, "fork": 30000,
    "exec": 30000, "exit": 25000, "mm_exit": 5000, "context_switch": 1500,
    "tick": 1000,
}

# The reverse walk, with the patch: milliseconds of victim and reaper together.
WALK_MS = {
    # folio_remove_rmap_ptes(); free_pages_and_swap_cache()
    "folio": Fraction("42.0"), "free": Fraction("42.9"),
    # free_pgtables(), __vm_area_free(), and the files that are let go then:
    # of the VMAs, as it has many
    "vma": Fraction("16.3"),
    # tlb_finish_mmu() itself, once for each VMA that the reaper walks
    "flush": Fraction("2.2"),
}
# The rest of the 132.6 without the 1.0 that is lock wait: the walk.
WALK_MS["walk"] = Fraction("131.6") - sum(WALK_MS.values())
# Of the victim in bench/latency_bench.cc, whose size is not published.
WALK_PAGES = (64 + 128) * 256 + 3000
WALK_VMAS = 1 + 128 + 3000

# The swap-heavy exit: milliseconds in free_swap_and_cache_nr(), in the rest of
# zap_pte_range(), and in the rest of exit_mmap(); and over what these are
# spread.
SWAP_MS = {"swap": Fraction("433.4"), "zap": Fraction("558.6") -
           Fraction("433.4"), "vma": Fraction("577.5") - Fraction("558.6")}
SWAP_ENTRIES = 366488 // 4
SWAP_ANON = 67660 // 4
SWAP_FILE = 131136 // 4
SWAP_VMAS = 3000  # assumed


def figures(root):
    """The figures to fit, by id; times of a page in nanoseconds."""
    with open(os.path.join(root, PUBLISHED), encoding="utf-8") as file:
        sources = json.load(file)["sources"]
    source = [s for s in sources if s["id"] == SOURCE][0]
    return {f["id"]: Fraction(PAGE * 10**9, f["value"] * MIB)
            for f in source["figures"] if f["use"] == "fit"}


def least_squares(rows):
    """x of the rows (coefficients of x, value) with the least sum of squares
    of relative errors, no x below 0. Exact."""
    free = list(range(len(rows[0][0])))
    while True:
        x = solve(rows, free)
        worst = min(free, key=lambda i: x[i])
        if x[worst] >= 0:
            return x
        free.remove(worst)


def solve(rows, free):
    """The same for the unknowns in `free`; the others are 0."""
    n = len(free)
    m = [[sum(Fraction(r[free[i]]) * r[free[j]] / v**2 for r, v in rows)
          for j in range(n)] +
         [sum(Fraction(r[free[i]]) / v for r, v in rows)] for i in range(n)]
    for i in range(n):
        pivot = m[i][i]
        m[i] = [value / pivot for value in m[i]]
        for k in range(n):
            if k != i:
                m[k] = [a - m[k][i] * b for a, b in zip(m[k], m[i])]
    x = [Fraction(0)] * len(rows[0][0])
    for i, unknown in enumerate(free):
        x[unknown] = m[i][n]
    return x


def fit_pages(page):
    """Nanoseconds of one anonymous page at the highest frequency: on a big
    core, on a little one, and what depends on neither."""
    little = Fraction(LITTLE_MHZ[-1], LITTLE_MHZ[0])
    big = Fraction(BIG_MHZ[-1], BIG_MHZ[0])
    return least_squares([
        ((1, 0, 1), page["performance/big/kill"]),
        ((big, 0, 1), page["powersave/big/kill"]),
        ((0, 1, 1), page["performance/little/kill"]),
        ((0, little, 1), page["powersave/little/kill"]),
    ])


def thousandths(value):
    """At most three decimals."""
    return "{:.3f}".format(float(round(value * 1000)) / 1000).rstrip(
        "0").rstrip(".")


def kinds(root):
    """The names of all kinds of cost, in order."""
    with open(os.path.join(root, "sched/cost.h"), encoding="utf-8") as file:
        text = file.read()
    begin = text.index("#define REAPSIM_COSTS")
    return re.findall(r'X\(k\w+,\s*k\w+,\s*"(\w+)"',
                      text[begin:text.index("enum class Cost ")])


def phone_costs(anon_page):
    """What each kind costs on the phone, in nanoseconds, with its origin."""
    prices = {kind: (Fraction(price, HOST_ANON_PAGE) * anon_page,
                     "assumed: as on the x86-64 host, beside a page")
              for kind, price in HOST.items()}
    for kind, share in SHARES.items():
        prices[kind] = (share * anon_page,
                        "fitted: %d %% of an anonymous page" % (share * 100))
    for kind in SHARED:
        prices[kind] = (Fraction(0), "assumed: see contention_origin")
    return prices


def walk_costs():
    """The same of the machine of the reverse walk."""
    prices = phone_costs(WALK_MS["free"] * 10**6 / WALK_PAGES /
                         SHARES["page_freed"])
    measured = lambda what, count: (WALK_MS[what] * 10**6 / count,
                                    "measured: perf, %s" % what)
    # Both go through all VMAs, most of which have a part of one table.
    besides = 2 * WALK_VMAS * sum(
        prices[kind][0] for kind in ("vma_visited", "pte_table_visited",
                                     "pte_line", "pmd_table_visited",
                                     "pmd_line"))
    prices.update(anon_page=((WALK_MS["walk"] * 10**6 - besides) / WALK_PAGES,
                             "measured: perf, the rest of the walk"),
                  folio=measured("folio", WALK_PAGES),
                  page_freed=measured("free", WALK_PAGES),
                  vma_freed=measured("vma", WALK_VMAS),
                  tlb_flush=measured("flush", WALK_VMAS))
    return prices


def swap_costs():
    """The same of the machine of the swap-heavy exit."""
    # A file page is unmapped like any, but its frame stays.
    page = SWAP_MS["zap"] * 10**6 / (SWAP_ANON + SWAP_FILE *
                                     SHARES["anon_page"])
    prices = phone_costs(page)
    prices.update(
        file_page=(SHARES["anon_page"] * page, "measured, as anon_page"),
        young_page=(Fraction(0), "part of file_page"),
        swap_entry=(SWAP_MS["swap"] * 10**6 / SWAP_ENTRIES, "measured"),
        vma_freed=(SWAP_MS["vma"] * 10**6 / SWAP_VMAS, "measured"))
    # All is in these.
    for kind in ("vma_visited", "pte_table_visited", "pte_line",
                 "pmd_table_visited", "pmd_line"):
        prices[kind] = (Fraction(0), "part of the others")
    return prices


def cost_lines(root, prices, stall):
    """The lines of a profile's costs; `stall` is what is to be added to each
    price as time that does not depend on the frequency."""
    lines = []
    for kind in kinds(root):
        price, origin = prices[kind]
        line = '"%s": {"ns": %s' % (kind, thousandths(price))
        if stall and price:
            line += ', "stall_ns": %s' % thousandths(price * stall)
        elif kind in SHARED and not price:
            line += ', "stall_ns": %d, "contended": true' % SHARED[kind]
        lines.append('    %s, "origin": "%s"}' % (line, origin))
    return ",\n".join(lines)


def file_text(top, costs):
    """A profile's file."""
    lines = ['  "%s": %s,\n' % (name, json.dumps(value))
             for name, value in top.items()]
    return "{\n%s  \"costs\": {\n%s\n  }\n}\n" % ("".join(lines), costs)


def phone_text(root, anon_page, stall, contention):
    """The phone's profile."""
    return file_text({
        "name": SOURCE,
        "origin": "Fitted by bench/fit_published.py on the rows powersave and "
                  "performance of Suren Baghdasaryan's RFC of 2019-04-10, "
                  "Qualcomm Snapdragon 845, Android, Linux 5.1-rc1. These "
                  "figures measured the call's predecessor, a flag of "
                  "pidfd_send_signal() that woke oom_reaper, not "
                  "process_mrelease().",
        "machine": "a big core at 2.48 GHz",
        "contention_permille": contention,
        "contention_origin": (
            "Fitted on the four rows with a reaper: lines of memory that two "
            "walkers write travel between them, which takes the same time at "
            "any frequency; folio's and batch_freed's stalls times this."),
    }, cost_lines(root, phone_costs(anon_page), stall / anon_page))


def walk_text(root):
    """The profile of the reverse walk."""
    return file_text({
        "name": "reverse_walk",
        "origin": "From perf's report on the patched kernel in zhongjinji's "
                  "mail of 2025-09-16, an unknown arm64 phone, through "
                  "bench/fit_published.py; the victim's size is assumed.",
        "machine": "the core that was measured on",
        "contention_permille": 0,
        "contention_origin": "none: it is in the times by function",
    }, cost_lines(root, walk_costs(), 0))


def machine_text(big, little):
    """The machine's file: all cores at their highest frequency."""
    capacity = round(1024 * big / little)
    cpu = lambda kind, capacity, mhz: (
        '    {"kind": "%s", "count": 4, "capacity": %d, "mhz": %s, '
        '"start_mhz": %d, "governor": "fixed"}' % (
            kind, capacity, json.dumps(mhz), mhz[-1]))
    return (
        '{\n  "name": "%s",\n  "origin": %s,\n' % (SOURCE, json.dumps(
            "Qualcomm Snapdragon 845 as of Suren Baghdasaryan's RFC of "
            "2019-04-10: 4 little cores of 0.3 to 1.6 GHz, 4 big ones of 0.8 "
            "to 2.5 GHz; frequencies in between from the SoC's device tree. "
            "The little cores' capacity is fitted by bench/fit_published.py; "
            "the device tree's would be 398. Memory and slices are assumed.")) +
        '  "memory": "4GiB",\n  "swap": "2GiB",\n  "cpus": [\n' +
        cpu("little", capacity, LITTLE_MHZ) + ",\n" +
        cpu("big", 1024, BIG_MHZ) +
        '\n  ],\n  "slice": "3ms",\n  "wakeup_granularity": "1ms",\n'
        '  "stall_permille": 1000\n}\n')


def swap_text(root):
    """The profile of the swap-heavy exit."""
    return file_text({
        "name": "swap_heavy",
        "origin": "From the times by function in Lei Liu's mail of 2025-09-09, "
                  "an unknown Android phone, through bench/fit_published.py; "
                  "sizes are those of an app that a colleague measured.",
        "machine": "the core that was measured on",
        "contention_permille": 0,
        "contention_origin": "none: it is in the times by function",
    }, cost_lines(root, swap_costs(), 0))


def loss(bench, path, page):
    """The sum of squares of relative errors over the rows with a reaper."""
    rows = json.loads(subprocess.run(
        [bench, "--benchmark_format=json", "--phone_profile=" + path,
         "--benchmark_filter=^published/%s/p.*/reap/" % SOURCE], check=True,
        stdout=subprocess.PIPE, encoding="utf-8").stdout)["benchmarks"]
    total = Fraction(0)
    for row in rows:
        figure = "/".join(row["name"].split("/")[2:5])
        model = Fraction(round(row["model"] * 1000), 1000)
        published = Fraction(PAGE * 10**9, MIB) / page[figure]
        total += (model / published - 1)**2
    assert len(rows) == 4, rows
    return total


def fit_contention(bench, root, page, anon_page, stall):
    """The value of TRIED with the least loss."""
    path = os.path.join(root, PROFILE)
    tried = []
    for contention in TRIED:
        with open(path, "w", encoding="utf-8") as file:
            file.write(phone_text(root, anon_page, stall, contention))
        tried.append((loss(bench, path, page), contention))
    return min(tried)[1]


def kept_contention(root):
    """What the profile has now."""
    with open(os.path.join(root, PROFILE), encoding="utf-8") as file:
        return json.load(file)["contention_permille"]


def texts(root, contention):
    """All files, by path."""
    big, little, stall = fit_pages(figures(root))
    return {MACHINE: machine_text(big, little),
            PROFILE: phone_text(root, big, stall, contention),
            WALK_PROFILE: walk_text(root), SWAP_PROFILE: swap_text(root)}


def main(arguments):
    bench = None
    if arguments and arguments[0].startswith("--contention="):
        bench = os.path.abspath(arguments.pop(0).partition("=")[2])
    root = arguments[0] if arguments else os.path.dirname(
        os.path.dirname(os.path.abspath(__file__)))
    page = figures(root)
    big, _, stall = fit_pages(page)
    contention = (fit_contention(bench, root, page, big, stall) if bench else
                  kept_contention(root))
    for path, text in texts(root, contention).items():
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
