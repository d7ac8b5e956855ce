# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

"""Sources with mutants built in, and a test for each mutant; see README.md."""

load(":ids.bzl", "EQUIVALENT", "IDS")

# A kernel as a whole, by answers and effects.
_ANSWERS = [
    "//states:states_test",
    "//tests:mrelease_test",
    "//tests:call_edges_test",
    "//tests:oom_test",
]
_MEMORY = [
    "//mm:memory_test",
    "//mm:memory_edges_test",
    "//mm:madvise_test",
    "//mm:huge_memory_test",
    "//mm:fork_test",
    "//mm:mmap_test",
    "//mm:mmu_gather_test",
    "//tests:reaped_memory_test",
    "//tests:rare_memory_test",
    "//tests:invariants_test",
]
_PROCESSES = [
    "//syscall:exit_test",
    "//syscall:signal_test",
    "//syscall:wait_test",
    "//syscall:exec_test",
    "//syscall:coredump_test",
    "//syscall:fork_test",
    "//syscall:ptrace_test",
    "//syscall:cgroup_test",
    "//syscall:kernel_test",
]

# Many schedules or many versions. They take longest.
_SEARCHES = [
    "//tests:differences_test",
    "//states:epochs_test",
    "//tests:switch_search_test",
    "//tests:race_search_test",
    "//litmus:reap_corpus_test",
]

# The tests that concern a file, those that notice most in the least time first.
TESTS = {
    "mm/fork.cc": _MEMORY + _PROCESSES + _ANSWERS + _SEARCHES,
    "mm/huge_memory.cc": _MEMORY + _ANSWERS + _SEARCHES,
    "mm/memory.cc": _MEMORY + _ANSWERS + _SEARCHES,
    "mm/mmap.cc": [
        "//mm:mmap_test",
        "//tests:exit_mmap_test",
        "//states:states_test",
        "//states:epochs_test",
    ],
    "mm/mmap_lock.cc": ["//mm:mmap_lock_test"] + _MEMORY + _ANSWERS + _SEARCHES,
    "mm/mmu_gather.cc": _MEMORY + _ANSWERS + _SEARCHES,
    "mm/mmu_notifier.cc": ["//mm:mmu_notifier_test"] + _MEMORY + _ANSWERS,
    "mm/oom_kill.cc": _ANSWERS + ["//syscall:cgroup_test"] + _SEARCHES,
    "mm/tlb.cc": _MEMORY + _ANSWERS + _SEARCHES,
    "sched/pid.cc": [
        "//sched:pid_test",
        "//syscall:pidfd_test",
    ] + _PROCESSES + _ANSWERS,
    "sched/rwsem.cc": ["//sched:rwsem_test"] + _ANSWERS + _SEARCHES,
    "sched/signal.cc": ["//sched:signal_test"] + _PROCESSES + _ANSWERS + _SEARCHES,
    "syscall/coredump.cc": _PROCESSES + _ANSWERS + _SEARCHES,
    "syscall/entry.cc": _PROCESSES + _ANSWERS,
    "syscall/exec.cc": _PROCESSES + _ANSWERS + _SEARCHES,
    "syscall/exit.cc": _PROCESSES + _ANSWERS + _SEARCHES,
    "syscall/pidfd.cc": ["//syscall:pidfd_test"] + _ANSWERS,
    "syscall/signal.cc": _PROCESSES + _ANSWERS + _SEARCHES,
}

# A run of continuous integration plays one of so many.
SAMPLES = 36

def with_mutants(srcs):
    """Sources for a cc_library, those that have mutants exchanged for these.

    With --config=mutants only: otherwise they are what the list says.

    Args:
      srcs: a list of files of this package.

    Returns:
      what srcs is to be.
    """
    result = [src for src in srcs if _path(src) not in IDS]
    for src in srcs:
        path = _path(src)
        if path not in IDS:
            continue
        rows = Label("//tests/mutants:rows/%s.txt" %
                     path[:-len(".cc")].replace("/", "_"))
        rows = str(rows)
        native.genrule(
            name = src[:-len(".cc")] + "_mutants",
            srcs = [
                rows,
                src,
            ],
            outs = ["mutants/" + src],
            cmd = "$(location {tool}) $(SRCS) >$@".format(tool = _TOOL),
            tags = ["manual"],
            tools = [_TOOL],
            visibility = ["//visibility:private"],
        )
        result += select({
            _BUILT_IN: ["mutants/" + src],
            "//conditions:default": [src],
        })
    return result

_TOOL = str(Label("//tests/mutants:rows"))
_BUILT_IN = str(Label("//tests/mutants:built_in"))

def _path(src):
    return native.package_name() + "/" + src

def _play(name, expected, programs):
    native.py_test(
        name = name,
        size = "medium",
        srcs = ["play.py"],
        args = select({
            _BUILT_IN: ["mutants"],
            "//conditions:default": ["plain"],
        }) + [
            name,
            expected,
        ] + ["$(rootpath %s)" % program for program in programs],
        data = programs,
        main = "play.py",
        tags = [
            "manual",
            "mutant",
        ],
    )

def mutant_tests():
    """A test for each mutant, `control`, and suites: `mutants`, `sample_N`."""
    names = []
    programs = {}
    for path in sorted(IDS):
        for program in TESTS[path]:
            programs[program] = True
        for name in IDS[path]:
            names.append(name)
            expected = "equivalent" if name in EQUIVALENT else "killed"
            _play(name, expected, TESTS[path])
    _play("control", "control", sorted(programs))
    native.test_suite(
        name = "mutants",
        tags = ["manual"],
        tests = ["control"] + names,
    )
    for sample in range(SAMPLES):
        native.test_suite(
            name = "sample_%d" % sample,
            tags = ["manual"],
            tests = ["control"] + [
                name
                for number, name in enumerate(names)
                if number % SAMPLES == sample
            ],
        )
