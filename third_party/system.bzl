# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0

"""Repositories made from what is installed on this machine."""

def _pkg_config(ctx, option, package):
    result = ctx.execute(["pkg-config", option, package])
    if result.return_code:
        fail("@{}: pkg-config knows no {}. Run ./bazelw, or: apt-get install {}\n{}".format(
            ctx.name,
            package,
            ctx.attr.debian_package,
            result.stderr,
        ))
    return [flag for flag in result.stdout.strip().split(" ") if flag]

def _cc_library(ctx, name, sources):
    """The text of one header-and-link-flags-only cc_library."""
    defines = []
    linkopts = []
    for source in sources:
        if source.startswith("-l"):
            linkopts.append(source)
            continue
        linkopts += _pkg_config(ctx, "--libs", source)
        for flag in _pkg_config(ctx, "--cflags", source):
            # Headers below /usr/include need no flag; others would have to
            # be declared to Bazel, and no package of Debian 12 needs that.
            if flag.startswith("-I"):
                fail("@{}: {} has its headers in {}; reapsim_dependencies() only serves /usr/include".format(ctx.name, source, flag[2:]))
            if flag.startswith("-D"):
                defines.append(flag[2:])
    return "\n".join([
        "cc_library(",
        "    name = {},".format(repr(name)),
        "    defines = {},".format(repr(defines)),
        "    linkopts = {},".format(repr(linkopts)),
        "    visibility = [\"//visibility:public\"],",
        ")",
    ])

def _system_repository_impl(ctx):
    if not ctx.which("pkg-config"):
        fail("no pkg-config here. Run ./bazelw, or: apt-get install pkg-config")
    for header in ctx.attr.headers:
        if not ctx.path(header).exists:
            fail("@{}: no {}. Run ./bazelw, or: apt-get install {}".format(
                ctx.name,
                header,
                ctx.attr.debian_package,
            ))
    builds = {}
    for label, sources in ctx.attr.targets.items():
        package, _, name = label[len("//"):].partition(":")
        builds.setdefault(package, []).append(_cc_library(ctx, name, sources))
    for package, rules in builds.items():
        path = package + "/BUILD" if package else "BUILD"
        ctx.file(path, "\n\n".join(rules) + "\n", executable = False)

system_repository = repository_rule(
    implementation = _system_repository_impl,
    doc = "cc_library targets for libraries that are installed system-wide.",
    attrs = {
        "debian_package": attr.string(
            doc = "What to install when something is missing.",
            mandatory = True,
        ),
        "headers": attr.string_list(
            doc = "Files that prove that a library without .pc is there.",
        ),
        "targets": attr.string_list_dict(
            doc = "Label in this repository to what it links: names that " +
                  "pkg-config knows, or -l flags where it knows none.",
            mandatory = True,
        ),
    },
    configure = True,
    local = True,
)

def _file_repository_impl(ctx):
    for package, text in ctx.attr.builds.items():
        path = package + "/BUILD" if package else "BUILD"
        ctx.file(path, text + "\n", executable = False)
    for label, path in ctx.attr.files.items():
        ctx.symlink(label, path)

file_repository = repository_rule(
    implementation = _file_repository_impl,
    doc = "A repository of files that live in another one.",
    attrs = {
        "builds": attr.string_dict(doc = "Package to its BUILD text."),
        "files": attr.label_keyed_string_dict(
            doc = "File to its path in this repository.",
            allow_files = True,
        ),
    },
    local = True,
)
