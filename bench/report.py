#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Measures, and writes docs/benchmarks.md.

usage: ./bazelw run -c opt //bench:report -- [--results=DIR] [--reuse] [NAME...]

Runs the programs NAME (all of them without one), keeps what they say in DIR as
NAME.json, and writes the page from everything in DIR. With --reuse it runs
nothing. Wants an optimised build, and a machine with nothing else to do: the
page says how busy it was.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys

from bench.markdown import table

PAGE = "docs/benchmarks.md"
PROGRAMS = ("page_walk", "calls", "import", "explore_bench", "live_vs_model")

# Each benchmark is run so often, and its fastest run counts: the one that
# others disturbed least. The page walk does the same by itself.
REPETITIONS = {"page_walk": 1, "calls": 25, "import": 5, "explore_bench": 5,
               "live_vs_model": 5}
SECONDS_EACH = 0.02

# The goals, on an idle core.
NS_PER_PAGE = {"in_order": 2.0, "scattered": 4.0}
TIMES_BARE = 1.5
TIMES_UNTIMED = 1.2
PEAK_MIB = 6 * 1024
NS_PER_ERROR = 50.0
NS_PER_PROCESS = 5.0
NS_PER_EXECUTION = {"random/lock_2x10": 500.0, "random/lock_3x13": 1000.0,
                    "random/mrelease_race": 10000.0}
MS_TO_EXHAUST = {"exhaust/reap_race_3_2": 300.0,
                 "exhaust/mrelease_race": 10000.0}
TIMES_WITHOUT_INVARIANTS = 1.1
# Twice the executions on two cores, 1.9 times as fast.
TIMES_ONE_CORE = 2 / 1.9
# Ends of the call that walk or wait: no goal is set for them.
NO_GOAL = ("0_again", "0_again_8_threads", "EAGAIN_notifier", "EINTR_killed")

INTRODUCTION = """\
# Benchmarks

How fast the model is, on one machine. It says nothing about how fast a kernel
is: the model frees no real memory, flushes no TLB and takes no interrupt. What
it tells is how much a simulation can afford.

Written by `bench/report.py`; don't edit. To measure anew:

```
./bazelw run -c opt //bench:report
```

One program alone, or one benchmark:

```
./bazelw run -c opt //bench:calls -- --benchmark_filter=v6.18
```

Times are those of the run below and of no other; compare within a table, by the
ratios. A benchmark whose result is wrong (a return value, a counter, a
reference that is left) has no time here but says `error`. Times are of the CPU
and of the fastest of several runs, so that of other processes only the use of
caches and of the clock rate counts.
"""

WALK_TEXT = """\
`walk` is the whole call on a victim that has just been filled, each page-table
entry explicit; `timed` the same in timed mode, with every operation charged for
and paid; `bare` a loop that reads and clears the same entries and counts
down the same frame records, without a model; `memset` fills the bytes of these.
Nanoseconds per entry. Host bytes are page tables and frame records per page.
"""

CALLS_TEXT = """\
`calls/VERSION/BRANCH`: `process_mrelease()` in a loop of a task's own program,
from its entry to its return. `host_call` is the same from the host, one call at
a time: `k.As(task).process_mrelease(...)`. Nanoseconds per call.

Such a call is nearly all schedule points: steps that another task could see, at
which a test may stop this one. Each is counted and hashed into the trace
(`primitive/schedule_point`), and next to each stands a check: that the object
lives, that the lock is free, in which order locks are taken. What
stands in the way of the goal, where it is missed, is their number: fifteen to
forty. Each takes at least as long as `yardstick/add_in_memory`, because it
counts in memory what the next one counts on, and has some fifty instructions
with its checks. `yardstick/add_in_register` is one cycle: it tells which clock
rate the machine had just then.
"""

SCAN_TEXT = """\
`find_lock_task_mm` in a process of so many threads: the first has an mm, the
leader has none any more, only the last has one. `task_will_free_mem` of a
victim with more than one user of its memory, on a machine with so many more
processes: strangers, or sharers of its memory that are killed, too.
"""

IMPORT_TEXT = """\
From the text of smaps (`tests/data/smaps/`, and one made of 60,000 one-page
mappings) to a modelled address space: parsed, planned, applied. Microseconds.
"""

EXPLORE_TEXT = """\
Executions by chance, with an end state and conservation checked for each:
nanoseconds per execution, executions per second, steps per execution. A step is
one operation that another task can see. `lock_2x10` and `lock_3x13` are two and
three tasks of so many steps, one lock; `reap_race_R_M` one task that exits, R
that reap its memory and M that unmap it, as a toy of words and one lock
(`explore/survey_programs.h`); `mrelease_race` is `process_mrelease()` against
`do_exit()` on the whole model, v6.18: two VMAs of two pages each.
`_invariants`: four sums compared after each step. `cores_N`: on so many cores
at once, by the clock.

Where the time goes, by samples, in `lock_2x10`, `lock_3x13` and
`mrelease_race`: to find who can go on and choose (31, 36 and 29 %), to pass
points and switch fibers (26, 30 and 11 %), to put the world back (12, 8 and
9 %), to judge the end and write down what it looks like (16, 11 and 11 %), for
invariants (3, 2 and 6 %); the rest is what the tasks themselves do. Who is next
is drawn by chance, so that no CPU foresees it. In the whole machine four tasks
that sleep are asked at each step whether they can go on.
"""

EXHAUST_TEXT = """\
Every reachable state once (`exhaust/`): milliseconds, and how many states and
transitions there are. Stacks are part of a state, so that these numbers depend
on the compiler.
"""

PROGRAM_TEXT = """\
The programs of `explore/survey_programs.h`, every state once (`states/`) and
every schedule once (`schedules/`), where these are few enough. Ends are the
distinct end states, a deadlock among them; both ways find the same ones
(`explore/survey_test.cc`). What each known bug takes is in its
[story](known-bugs.md).
"""

RELACY_TEXT = """\
[Relacy](https://github.com/dvyukov/relacy) (commit 9f25438), by its random
scheduler, on the two lock programs: measured once, on 2026-11-22, by turns with
the benchmarks above on a machine with load 5 to 6. Relacy also models weak
memory and looks for data races; here every execution is sequentially
consistent, and a world is checked for what it leaves behind.

| program | Relacy, per second of CPU | reapsim, per second of CPU |
|---|--:|--:|
| `lock_2x10` | 510,000 to 654,000 | 664,000 to 796,000 |
| `lock_3x13` | 235,000 to 305,000 | 300,000 to 393,000 |

To repeat it, put this beside Relacy's sources, and build with
`g++ -O2 -std=c++17 -I.`:

```cpp
#include "relacy/relacy.hpp"

template <int kTasks, int kOwn>
struct Lock : rl::test_suite<Lock<kTasks, kOwn>, kTasks> {
  rl::atomic<int> own[kTasks], shared;
  rl::mutex mutex;
  void before() {
    for (auto& word : own) word.store(0, rl::mo_relaxed, $);
    shared.store(0, rl::mo_relaxed, $);
  }
  void thread(unsigned t) {
    for (int i = 0; i < (kOwn + 1) / 2; ++i)
      own[t].fetch_add(1, rl::mo_seq_cst, $);
    mutex.lock($);
    for (int i = 0; i < 2; ++i)
      shared.store(shared.load(rl::mo_seq_cst, $) + 1, rl::mo_seq_cst, $);
    mutex.unlock($);
    for (int i = 0; i < kOwn / 2; ++i) own[t].fetch_add(1, rl::mo_seq_cst, $);
  }
};

int main() {
  rl::test_params params;
  params.iteration_count = 200000;
  params.search_type = rl::random_scheduler_type;
  rl::simulate<Lock<2, 4>>(params);  // or Lock<3, 7>
}
```
"""

LIVE_TEXT = """\
The same memory and the same ends of the call, by the kernel of this host and by
the model of v6.18. Live victims are killed and held at PTRACE_EVENT_EXIT. The
kernel frees real memory and enters and leaves a real kernel; the model does
neither, so the last column is headroom for simulations, not a comparison of
two implementations.
"""


def read_first(path, key, default="unknown"):
    """The value of the first `key : value` line of a file of /proc."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                name, _, value = line.partition(":")
                if name.strip() == key:
                    return value.strip()
    except OSError:
        pass
    return default


def load_average():
    """The three numbers, as text."""
    return " ".join("%.2f" % number for number in os.getloadavg())


def machine():
    """What was measured on."""
    return {
        "cpu": read_first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": read_first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "day": datetime.date.today().isoformat(),
    }


def run(program, binary, directory):
    """Runs one program; its JSON, with the load around it, goes to a file."""
    path = os.path.join(directory, program + ".json")
    before = load_average()
    subprocess.run(
        [binary, "--benchmark_out=" + path, "--benchmark_out_format=json",
         "--benchmark_repetitions=%d" % REPETITIONS[program],
         "--benchmark_min_time=%g" % SECONDS_EACH], check=True)
    with open(path, encoding="utf-8") as file:
        result = json.load(file)
    # All there are, whatever --benchmark_filter has left out.
    listed = subprocess.run([binary, "--benchmark_list_tests=true"],
                            check=True, stdout=subprocess.PIPE,
                            encoding="utf-8").stdout
    result["names"] = [plain(line) for line in listed.split()]
    result["machine"] = dict(machine(), load_before=before,
                             load_after=load_average())
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)


def plain(name):
    """A benchmark's name without the library's additions to it."""
    return "/".join(part for part in name.split("/")
                    if part != "manual_time" and ":" not in part)


def took(row):
    """CPU time where the library measured it, else the manual one."""
    manual = "/manual_time" in row["name"]
    return row["real_time" if manual else "cpu_time"]


class Results:
    """What the programs said, by benchmark."""

    def __init__(self, by_program):
        self.programs = by_program
        self.rows = {}
        for result in by_program.values():
            for row in result["benchmarks"]:
                self.add(plain(row["name"]), row)

    def add(self, name, row):
        """Keeps an error, or else the fastest of the repetitions."""
        if row.get("run_type") == "aggregate":
            return
        kept = self.rows.get(name)
        if kept is None or row.get("error_occurred") or (
                not kept.get("error_occurred") and
                took(row) < took(kept)):
            self.rows[name] = row

    def names(self, program):
        """The benchmarks of one program, in its order."""
        return self.programs.get(program, {}).get("names", [])

    def error(self, name):
        """Why there is no time; None if there is one."""
        row = self.rows.get(name)
        if row is None:
            return "not run"
        return row["error_message"] if row.get("error_occurred") else None

    def value(self, name, key="real_time"):
        """A number of a benchmark, or None."""
        return None if self.error(name) else self.rows[name].get(key)

    def nanoseconds(self, name, key):
        """A counter that the library keeps in seconds."""
        value = self.value(name, key)
        return None if value is None else value * 1e9

    def time(self, name):
        """Of the fastest run."""
        return None if self.error(name) else took(self.rows[name])


def number(value):
    """Three digits, no exponent; an em dash for nothing."""
    if value is None:
        return "—"
    if value >= 100:
        return "{:,.0f}".format(value)
    return "%.1f" % value if value >= 10 else "%.2f" % value


def ratio(value, other):
    """value / other, or None."""
    return value / other if value is not None and other else None


def code(name):
    """The name as code."""
    return "`%s`" % name


def cell(results, name, value):
    """A number, or the error that is there instead."""
    error = results.error(name)
    if error is None:
        return number(value)
    told = error == "not run" or error.startswith("skipped")
    return error if told else "error: " + error


# ---- Goals -------------------------------------------------------------------

def goal(text, limit, worst):
    """A row of the table of goals; `worst` is (value, where) or None."""
    if worst is None:
        return [text, number(limit), "—", "not measured", ""]
    value, where = worst
    return [text, number(limit), number(value),
            "met" if value <= limit else "**not met**", code(where)]


def worst_of(results, names, of):
    """The largest of of(name), with its name."""
    values = [(of(name), name) for name in names]
    values = [pair for pair in values if pair[0] is not None]
    return max(values) if values else None


def is_error_branch(name):
    """Whether the goal for error branches is meant for this benchmark."""
    parts = name.split("/")
    return parts[0] == "calls" and parts[-1] not in NO_GOAL


def per_page_of(results, name):
    """Nanoseconds per page in the least disturbed iteration."""
    return results.value(name, "best_ns_per_page")


def per_execution(results):
    """A function from a benchmark to its nanoseconds per execution."""
    return lambda name: ratio(1e9, results.value(name,
                                                 "executions_per_second"))


def goals(results):
    """All of them, measured."""
    rows = []
    # What fits into a cache is for a test, not for the goals.
    walks = [name for name in results.names("page_walk")
             if name.startswith("walk/") and not name.endswith("/16MiB")]
    per_page = lambda name: per_page_of(results, name)
    for shape, limit in NS_PER_PAGE.items():
        rows.append(goal(
            "ns per 4 KiB page, %s" % shape.replace("_", " "), limit,
            worst_of(results, [name for name in walks
                               if name.split("/")[1] == shape], per_page)))
    rows.append(goal(
        "times the bare loop, in order and scattered", TIMES_BARE,
        worst_of(results, [name for name in walks
                           if name.split("/")[1] in NS_PER_PAGE],
                 lambda name: ratio(per_page(name),
                                    per_page(name.replace("walk", "bare"))))))
    rows.append(goal(
        "times the same walk, with costs charged", TIMES_UNTIMED,
        worst_of(results, [name for name in walks
                           if name.split("/")[1] in NS_PER_PAGE],
                 lambda name: ratio(per_page(name.replace("walk", "timed")),
                                    per_page(name)))))
    rows.append(goal(
        "MiB of the host, 1 TiB in order", PEAK_MIB,
        worst_of(results, [name for name in walks
                           if name.endswith("in_order/1TiB")],
                 lambda name: results.value(name, "peak_rss_MiB"))))
    branches = [name for name in results.names("calls")
                if is_error_branch(name)]
    for kind in ("EINVAL_flags", "EBADF", "ESRCH", "EINVAL", "0_oom_skip"):
        names = [name for name in branches
                 if name.split("/")[-1].startswith(kind) and
                 (kind == "EINVAL_flags" or "EINVAL_flags" not in name)]
        rows.append(goal("ns per error branch, slowest %s" % kind,
                         NS_PER_ERROR, worst_of(results, names, results.time)))
    for size in ("80", "580", "2080", "10000"):
        rows.append(goal(
            "ns per scanned process, of %s" % size, NS_PER_PROCESS,
            worst_of(results, [name for name in results.names("calls")
                               if name == "task_will_free_mem/strangers/" +
                               size],
                     lambda name: results.nanoseconds(name, "per_process"))))
    for name, limit in NS_PER_EXECUTION.items():
        rows.append(goal("ns per execution, %s" % name, limit,
                         worst_of(results, [name], per_execution(results))))
    for name, limit in MS_TO_EXHAUST.items():
        rows.append(goal("ms, %s" % name, limit,
                         worst_of(results, [name], results.time)))
    for name in ("random/reap_race_2_2", "exhaust/reap_race_3_2"):
        rows.append(goal(
            "times %s without invariants" % name, TIMES_WITHOUT_INVARIANTS,
            worst_of(results, [name + "_invariants"],
                     lambda with_them: ratio(results.time(with_them),
                                             results.time(name)))))
    rows.append(goal(
        "times as long on two cores, each as much as one", TIMES_ONE_CORE,
        worst_of(results, ["cores_2/lock_2x10"],
                 lambda name: ratio(results.time(name), results.time(
                     "cores_1/lock_2x10")))))
    return table(["goal, on an idle core", "limit", "measured", "", "worst"],
                 rows)


# ---- Tables ------------------------------------------------------------------

def walk_table(results):
    """The page walk beside its yardsticks."""
    rows = []
    for name in results.names("page_walk"):
        if not name.startswith("walk/"):
            continue
        case = name.partition("/")[2]
        per_page = {kind: per_page_of(results, "%s/%s" % (kind, case))
                    for kind in ("walk", "timed", "bare", "memset")}
        rows.append([
            " ".join(code("%s/%s" % (kind, case)) for kind in per_page),
            cell(results, name, per_page["walk"]), number(per_page["timed"]),
            number(per_page["bare"]), number(per_page["memset"]),
            number(ratio(per_page["timed"], per_page["walk"])),
            number(ratio(per_page["walk"], per_page["bare"])),
            number(ratio(per_page["walk"], per_page["memset"])),
            number(results.value(name, "host_bytes_per_page")),
            number(results.value(name, "peak_rss_MiB"))])
    return table(["benchmarks", "walk", "timed", "bare", "memset",
                  "timed / walk", "walk / bare", "walk / memset",
                  "host bytes per page", "peak MiB"], rows)


def time_table(results, names, unit, per=None):
    """Times, and what they come to per something."""
    header = ["benchmark", unit] + (["ns " + per.replace("_", " ")]
                                    if per else [])
    return table(header, [
        [code(name), cell(results, name, results.time(name))] +
        ([number(results.nanoseconds(name, per))] if per else [])
        for name in names])


def random_table(results):
    """Executions by chance."""
    return table(["benchmark", "ns", "per second", "steps"], [
        [code(name), cell(results, name, per_execution(results)(name)),
         number(results.value(name, "executions_per_second")),
         number(results.value(name, "steps"))]
        for name in results.names("explore_bench")
        if name.startswith(("random/", "pct/", "cores_"))])


def exhaust_table(results):
    """Searches to the end."""
    return table(["benchmark", "ms", "states", "transitions"], [
        [code(name), cell(results, name, results.time(name)),
         number(results.value(name, "states")),
         number(results.value(name, "transitions"))]
        for name in results.names("explore_bench")
        if name.startswith("exhaust/")])


def program_table(results):
    """Small programs, by state and by schedule."""
    rows = []
    for name in results.names("explore_bench"):
        kind, _, program = name.partition("/")
        if kind != "states":
            continue
        every = "schedules/" + program
        tried = every in results.names("explore_bench")
        rows.append([
            " ".join(code(each) for each in ([name, every] if tried
                                             else [name])),
            cell(results, name, results.time(name)),
            number(results.value(name, "states")),
            number(results.value(name, "transitions")),
            number(results.value(name, "ends")),
            number(results.value(every, "executions")) if tried else "—",
            cell(results, every, results.time(every)) if tried else "—"])
    return table(["benchmarks", "ms", "states", "transitions", "ends",
                  "schedules", "ms for all of them"], rows)


def branch_table(results, names):
    """Ends of the call, and of how many schedule points they consist."""
    rows = []
    for name in names:
        time = results.time(name)
        points = results.value(name, "points")
        rows.append([code(name), cell(results, name, time),
                     "—" if points is None else "%.0f" % points,
                     number(ratio(time, points))])
    return table(["benchmark", "ns", "schedule points", "ns per point"], rows)


def live_table(results, live, model, keys):
    """The host's kernel beside the model."""
    rows = []
    for name in results.names("live_vs_model"):
        if not name.startswith(live):
            continue
        other = model + name[len(live):]
        values = [results.value(name, key) if key else results.time(name)
                  for key in keys]
        others = [results.value(other, key) if key else results.time(other)
                  for key in keys]
        rows.append([code(name) + " " + code(other),
                     cell(results, name, values[0]),
                     cell(results, other, others[0]),
                     number(ratio(values[0], others[0]))])
    return table(["benchmarks", "live", "model", "live / model"], rows)


def machine_table(results):
    """Where and when."""
    rows = []
    for program in PROGRAMS:
        if program not in results.programs:
            continue
        what = results.programs[program]["machine"]
        rows.append([code("//bench:" + program), what["day"], what["cpu"],
                     str(what["cores"]), what["memory"], what["kernel"],
                     what["load_before"], what["load_after"]])
    return table(["program", "day", "CPU", "cores", "memory", "kernel",
                  "load before", "load after"], rows)


def busy(results):
    """A warning if the machine had other things to do."""
    loads = [float(load.split()[0])
             for result in results.programs.values()
             for load in (result["machine"]["load_before"],)]
    # Up to one is the program before.
    if max(loads) < 1.5:
        return ""
    return ("**The machine was busy when this was measured** (load %.1f). The "
            "goals are meant\nfor an idle core: measure again before you "
            "believe a miss.\n" % max(loads))


def render(results):
    """The page."""
    calls = results.names("calls")
    first = lambda *heads: [name for name in calls
                            if name.split("/")[0] in heads]
    return "\n".join([
        INTRODUCTION,
        "## Machine\n", machine_table(results),
        "Load averages of 1, 5 and 15 minutes. A busy machine measures "
        "slower: other\nprocesses take caches and the clock rate.\n",
        busy(results),
        "## Goals\n", goals(results),
        "## Page walk\n", WALK_TEXT, walk_table(results),
        "## Calls that end early\n", CALLS_TEXT,
        branch_table(results, first("calls")),
        time_table(results, first("yardstick", "host_call", "primitive"),
                   "ns"),
        "## Threads and processes\n", SCAN_TEXT,
        time_table(results, first("find_lock_task_mm"), "ns"),
        time_table(results, first("task_will_free_mem"), "ns", "per_process"),
        "## Import\n", IMPORT_TEXT,
        time_table(results, results.names("import"), "µs", "per_vma"),
        "## Search\n", EXPLORE_TEXT, random_table(results),
        EXHAUST_TEXT, exhaust_table(results),
        PROGRAM_TEXT, program_table(results),
        "### Beside Relacy\n", RELACY_TEXT,
        "## Beside a live kernel\n", LIVE_TEXT,
        "Nanoseconds per page:\n",
        live_table(results, "live/", "model/", ["ns_per_page"]),
        "Nanoseconds per call:\n",
        live_table(results, "live_call/", "model_call/", [None]),
    ]).rstrip() + "\n"


def load(directory):
    """What is kept in a directory."""
    by_program = {}
    for program in PROGRAMS:
        path = os.path.join(directory, program + ".json")
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                by_program[program] = json.load(file)
    return Results(by_program)


def problem_of(results):
    """Why the page must not be written; None if it may."""
    for program, result in results.programs.items():
        if result["context"].get("reapsim_build") != "opt":
            return "%s is no optimised build: use -c opt" % program
    missing = [p for p in PROGRAMS if p not in results.programs]
    return "nothing of %s" % ", ".join(missing) if missing else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", default=".cache/bench")
    parser.add_argument("--reuse", action="store_true")
    parser.add_argument("programs", nargs="*", metavar="NAME")
    arguments = parser.parse_args()
    root = os.environ.get("BUILD_WORKSPACE_DIRECTORY", ".")
    directory = os.path.join(root, arguments.results)
    os.makedirs(directory, exist_ok=True)
    if not arguments.reuse:
        for program in arguments.programs or PROGRAMS:
            run(program, os.path.join("bench", program), directory)
    results = load(directory)
    problem = problem_of(results)
    if problem:
        sys.exit("report.py: " + problem)
    with open(os.path.join(root, PAGE), "w", encoding="utf-8") as file:
        file.write(render(results))


if __name__ == "__main__":
    main()
