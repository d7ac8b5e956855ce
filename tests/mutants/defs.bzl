# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

"""Sources with mutants built in, and a test for each mutant; see README.md."""

load(":ids.bzl", "EQUIVALENT", "IDS")

# The tests that concern a file, those that notice most first. Several files
# have the same list, which is then named.
_STATES = [
    "//states:states_test",
    "//states:epochs_test",
]

TESTS = {
    "mm/mmap.cc": [
        "//mm:mmap_test",
        "//tests:exit_mmap_test",
    ] + _STATES,
    "mm/oom_kill.cc": [
        "//states:states_test",
        "//tests:mrelease_test",
        "//tests:oom_test",
        "//states:epochs_test",
    ],
}

# A run of continuous integration plays one of so many.
SAMPLES = 8

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
