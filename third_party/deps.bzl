# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

"""Everything reapsim is built with, as packaged by Debian 12.

Nothing is downloaded. A workspace that wants other versions declares its own
repositories of the same names before it calls reapsim_dependencies().
"""

load("//third_party:absl.bzl", "ABSL_TARGETS")
load("//third_party:system.bzl", "file_repository", "system_repository")

_BAZEL_PACKAGES = {
    "bazel_skylib": "/usr/share/bazel/tools/skylib",
    "platforms": "/usr/share/bazel/platforms",
    "rules_java": "/usr/share/bazel/rules/java",
    "rules_proto": "/usr/share/bazel/rules/proto",
}

def _bazel_dependencies():
    """What Bazel 4 would otherwise fetch from the network by itself."""
    for name, path in _BAZEL_PACKAGES.items():
        if not native.existing_rule(name):
            native.local_repository(name = name, path = path)

    # Debian's bazel-rules-cc does not load in Debian's Bazel.
    if not native.existing_rule("rules_cc"):
        file_repository(
            name = "rules_cc",
            builds = {"cc": ""},
            files = {
                "@reapsim//third_party:rules_cc/cc/defs.bzl": "cc/defs.bzl",
            },
        )

    # Each test depends on this label, though only coverage runs use it.
    if not native.existing_rule("remote_coverage_tools"):
        file_repository(
            name = "remote_coverage_tools",
            builds = {"": "\n".join([
                "filegroup(",
                "    name = \"coverage_report_generator\",",
                "    srcs = [\"coverage_report_generator.sh\"],",
                "    visibility = [\"//visibility:public\"],",
                ")",
            ])},
            files = {
                "@reapsim//third_party:remote_coverage_tools/coverage_report_generator.sh": "coverage_report_generator.sh",
            },
        )

def reapsim_dependencies():
    """Declares the repositories that reapsim's BUILD files refer to."""
    _bazel_dependencies()

    if not native.existing_rule("com_google_absl"):
        system_repository(
            name = "com_google_absl",
            debian_package = "libabsl-dev",
            targets = ABSL_TARGETS,
        )

    if not native.existing_rule("com_google_googletest"):
        system_repository(
            name = "com_google_googletest",
            debian_package = "libgtest-dev libgmock-dev",
            targets = {
                "//:gtest": ["gmock"],
                "//:gtest_main": ["gmock_main"],
            },
        )

    if not native.existing_rule("com_github_google_benchmark"):
        system_repository(
            name = "com_github_google_benchmark",
            debian_package = "libbenchmark-dev",
            targets = {
                "//:benchmark": ["benchmark"],
                "//:benchmark_main": ["-lbenchmark_main", "benchmark"],
            },
        )

    if not native.existing_rule("com_github_nlohmann_json"):
        system_repository(
            name = "com_github_nlohmann_json",
            debian_package = "nlohmann-json3-dev",
            targets = {"//:json": ["nlohmann_json"]},
        )

    if not native.existing_rule("boost"):
        system_repository(
            name = "boost",
            debian_package = "libboost-context-dev",
            headers = [
                "/usr/include/boost/context/detail/fcontext.hpp",
                "/usr/include/boost/intrusive/list.hpp",
            ],
            targets = {
                "//:context": ["-lboost_context"],
                "//:intrusive": [],
            },
        )
