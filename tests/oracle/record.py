#!/usr/bin/env python3
# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Records what Debian's kernels do in every row of `reapsim conform`.

usage: ./bazelw run -c opt //tests/oracle:record -- [--series=X.Y,...]
                                                     [--work=DIR]

Downloads the newest kernel of each series from the archive that this machine's
apt knows, boots it in an emulator with an initramfs made here, and writes what
the probe saw to recorded/PACKAGE_VERSION.tsv beside this script. A series that
is gone from the archive is skipped, with a message. Root is needed only to
install the emulator, where there is none.
See README.md.
"""

import argparse
import collections
import functools
import glob
import gzip
import lzma
import os
import re
import shutil
import subprocess
import sys

# `bazel run` tells where the tree is that the recordings go to.
ROOT = os.environ.get("BUILD_WORKSPACE_DIRECTORY", os.getcwd())
RECORDED = os.path.join(ROOT, "tests/oracle/recorded")
EMULATOR = "qemu-system-x86"

SERIES = ("5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "6.19", "7.0", "7.1",
          "7.2", "7.3")
# Where the archive keeps them; security updates are an archive of their own.
SUITES = ("bullseye", "bookworm", "trixie", "trixie-backports", "sid")
SECURITY_SUITES = ("bullseye-security", "bookworm-security",
                   "trixie-security")
# The kernel's own file: in a package of its own from v6.19 on.
PACKAGE = re.compile(r"linux-(?:image|binary)-.*-cloud-amd64(?:-unsigned)?")
# Some kernels have these built in, and 32 MiB of swap suffice.
MODULES = ("kernel/fs/fuse/fuse.ko",)
SWAP_BYTES = 32 << 20
# Seconds until a guest counts as hung; it needs about 60 when nothing else
# runs.
HANGS = 1200

Kernel = collections.namedtuple("Kernel", "series package version")


class Error(Exception):
    """Something that the user can mend."""


def run(*command, **options):
    """The output of a command that has to succeed."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          check=False, **options)
    if done.returncode:
        raise Error("%s: %s" % (" ".join(command[:2]), done.stderr.decode(
            errors="replace").strip() or "exit %d" % done.returncode))
    return done.stdout.decode(errors="replace")


# ---- Finding and downloading -------------------------------------------------


class Archive:
    """Debian's archive, with package lists of its own in `work`."""

    def __init__(self, work):
        self._work = work
        lists = os.path.join(work, "apt")
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            os.makedirs(os.path.join(lists, folder), exist_ok=True)
        sources = os.path.join(lists, "etc/sources.list")
        with open(sources, "w", encoding="utf-8") as file:
            file.writelines(self._sources())
        self._options = []
        for name, value in (
                ("Dir::Etc::sourcelist", sources),
                ("Dir::Etc::sourceparts", "/dev/null"),
                ("Dir::State::lists", os.path.join(lists, "lists")),
                ("Dir::Cache", os.path.join(lists, "cache")),
                ("APT::Sandbox::User", "root"),
                ("APT::Default-Release", "")):
            self._options += ("-o", "%s=%s" % (name, value))

    @staticmethod
    def _sources():
        """Lines of a sources.list, with the addresses that apt uses here."""
        sites = {}
        for line in run("apt-get", "indextargets", "--format",
                        "$(ORIGIN) $(RELEASE) $(SITE)",
                        "Created-By: Packages").splitlines():
            origin, release, site = line.split(" ", 2)
            if origin == "Debian":
                sites.setdefault(release.endswith("-security"), site)
        if False not in sites:
            raise Error("apt knows no archive of Debian here; run apt-get "
                        "update on a Debian machine")
        lines = ["deb %s %s main\n" % (sites[False], suite)
                 for suite in SUITES]
        if True in sites:
            lines += ["deb %s %s main\n" % (sites[True], suite)
                      for suite in SECURITY_SUITES]
        return lines

    def update(self):
        """Fetches the package lists; a suite that is gone is left out."""
        subprocess.run(("apt-get", *self._options, "update", "-qq"),
                       stdin=subprocess.DEVNULL, check=False)

    @functools.lru_cache(maxsize=None)
    def _packages(self):
        """Name and version of all kernel packages."""
        found = set()
        for entry in run("apt-cache", *self._options,
                         "dumpavail").split("\n\n"):
            package = re.search(r"(?m)^Package: (\S+)$", entry)
            version = re.search(r"(?m)^Version: (\S+)$", entry)
            if not (package and version):
                continue
            if PACKAGE.fullmatch(package[1]):
                found.add((package[1], version[1]))
        return found

    def kernels(self, series):
        """Those of a series, the newest first."""
        found = [Kernel(series, package, version)
                 for package, version in self._packages()
                 if re.match(re.escape(series) + r"[.~-]", version)]
        return sorted(found, key=functools.cmp_to_key(newer_first))

    def download(self, kernel):
        """The package unpacked; raises Error if the archive lacks it."""
        place = os.path.join(self._work, "kernels", "%s_%s" % (
            kernel.package, kernel.version))
        if os.path.isdir(place):
            return place
        debs = os.path.join(self._work, "debs")
        os.makedirs(debs, exist_ok=True)
        run("apt-get", *self._options, "download",
            "%s=%s" % (kernel.package, kernel.version), cwd=debs)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        deb = glob.glob(os.path.join(debs, kernel.package + "_*.deb"))[0]
        shutil.rmtree(place + ".part", ignore_errors=True)
        run("dpkg-deb", "-x", deb, place + ".part")
        os.remove(deb)
        os.rename(place + ".part", place)
        return place


def newer_first(a, b):
    """Which of two kernels comes first; of one version, the signed package."""
    for order, relation in ((-1, "gt"), (1, "lt")):
        if not subprocess.run(("dpkg", "--compare-versions", a.version,
                               relation, b.version), check=False).returncode:
            return order
    return len(a.package) - len(b.package)


def only_file(place, *patterns):
    """The file in `place` that matches one of the patterns, or None."""
    for pattern in patterns:
        found = sorted(glob.glob(os.path.join(place, pattern)))
        if found:
            return found[0]
    return None


# ---- The initramfs -----------------------------------------------------------


class Initramfs:
    """An archive in cpio's "newc" format."""

    def __init__(self):
        self._parts = []
        self._folders = set()

    def add(self, name, data, mode=0o100755, device=(0, 0)):
        """A file, with the folders that it needs."""
        folder = os.path.dirname(name)
        if folder and folder not in self._folders:
            self.folder(folder)
        number = len(self._parts) + 1
        encoded = name.encode() + b"\0"
        header = b"070701" + b"".join(b"%08x" % field for field in (
            number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(encoded),
            0))
        entry = header + encoded
        entry += b"\0" * (-len(entry) % 4) + data
        self._parts.append(entry + b"\0" * (-len(data) % 4))

    def folder(self, name):
        """A folder, with those that it is in."""
        self._folders.add(name)
        self.add(name, b"", mode=0o040755)

    def write(self, path):
        """The archive as a file."""
        self.add("TRAILER!!!", b"", mode=0)
        with open(path, "wb") as file:
            file.write(gzip.compress(b"".join(self._parts), 1, mtime=0))


def read(path):
    """A file's bytes."""
    with open(path, "rb") as file:
        return file.read()


def module_bytes(path):
    """A kernel module's bytes, unpacked."""
    return lzma.decompress(read(path)) if path.endswith(".xz") else read(path)


def libraries(program):
    """What the dynamic linker loads for a program, itself included."""
    return re.findall(r"(?m)^\s*(?:\S+ => )?(/\S+) \(0x", run("ldd", program))


def make_initramfs(place, probe, path):
    """All that the guest has: the probe, modules, and one program with
    libraries, which a row runs."""
    image = Initramfs()
    image.folder("dev")
    image.add("dev/console", b"", mode=0o020600, device=(5, 1))
    image.add("init", read(probe))
    for program in ("/bin/sleep", *libraries("/bin/sleep")):
        image.add(program.lstrip("/"), read(program))
    for number, module in enumerate(MODULES):
        file = only_file(place, *(
            "%slib/modules/*/%s%s" % (usr, module, packed)
            for usr in ("", "usr/") for packed in ("", ".xz")))
        if file:
            image.add("modules/%d-%s" % (number, os.path.basename(module)),
                      module_bytes(file))
    image.write(path)


def make_swap(path):
    """A swap area: its first page says what it is and how long."""
    page = bytearray(4096)
    page[1024:1032] = (1).to_bytes(4, "little") + (
        SWAP_BYTES // 4096 - 1).to_bytes(4, "little")
    page[-10:] = b"SWAPSPACE2"
    with open(path, "wb") as file:
        file.write(page)
        file.truncate(SWAP_BYTES)


# ---- Recording ---------------------------------------------------------------


def record(kernel, place, vmlinuz, probe, work):
    """Boots a kernel; the text that its probe sent."""
    initramfs = os.path.join(work, "initramfs")
    swap = os.path.join(work, "swap")
    sent = os.path.join(work, "sent")
    make_initramfs(place, probe, initramfs)
    make_swap(swap)
    try:
        console = run(
            "qemu-system-x86_64", "-M", "pc", "-accel", "tcg,thread=multi",
            "-cpu", "max", "-smp", "2", "-m", "1024", "-kernel", vmlinuz,
            "-initrd", initramfs, "-append",
            "console=ttyS0 quiet loglevel=3 panic=-1 "
            "transparent_hugepage=madvise",
            "-display", "none", "-monitor", "none", "-no-reboot",
            "-nic", "none", "-serial", "stdio", "-serial", "file:" + sent,
            "-drive", "file=%s,if=none,format=raw,id=swap" % swap,
            "-device", "nvme,serial=swap,drive=swap", timeout=HANGS)
    except subprocess.TimeoutExpired as late:
        raise Error("%s %s hangs: %s" % (
            kernel.package, kernel.version,
            (late.stdout or b"").decode(errors="replace")[-2000:])) from late
    if "probe: done" not in console:
        raise Error("%s %s: %s" % (kernel.package, kernel.version,
                                   console[-2000:]))
    for line in console.splitlines():
        if line.startswith("guest: "):
            print("  " + line.strip())
    with open(sent, encoding="utf-8") as file:
        return file.read()


def record_newest(archive, series, probe, work):
    """Records the newest kernel of a series that can be had; its package."""
    for kernel in archive.kernels(series):
        try:
            place = archive.download(kernel)
        except Error as error:
            print("%s: %s can't be had: %s" % (series, kernel.package, error))
            continue
        vmlinuz = only_file(place, "boot/vmlinuz-*",
                            "usr/lib/modules/*/vmlinuz",
                            "lib/modules/*/vmlinuz")
        if vmlinuz is None:
            continue  # It only names the package that holds the kernel.
        print("%s: %s %s" % (series, kernel.package, kernel.version),
              flush=True)
        text = record(kernel, place, vmlinuz, probe, work)
        os.makedirs(RECORDED, exist_ok=True)
        for old in glob.glob(os.path.join(RECORDED, "*.tsv")):
            if re.match(re.escape(series) + r"[.~-]", os.path.basename(old)):
                os.remove(old)
        with open(os.path.join(RECORDED, kernel.version + ".tsv"), "w",
                  encoding="utf-8") as file:
            file.write(text)
        print("  %d rows, %d lacks" % (text.count("\nrow\t"),
                                       text.count("\nlacks\t")), flush=True)
        return True
    print("%s: skipped, the archive has no kernel of it" % series)
    return False


def install_emulator():
    """Installs it where it is not there, which needs root."""
    if shutil.which("qemu-system-x86_64"):
        return
    if os.geteuid() != 0:
        raise Error("there is no emulator; as root: apt-get install %s" %
                    EMULATOR)
    print("installing %s" % EMULATOR, flush=True)
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends",
        EMULATOR, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def main():
    """Records what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--series", default=",".join(SERIES),
                        help="such as 6.1,6.12; default: all")
    parser.add_argument("--work", default=os.path.join(ROOT, ".cache/oracle"),
                        help="where downloads are kept")
    parser.add_argument("--probe", required=True,
                        help="the static program; the target gives it")
    options = parser.parse_args()
    try:
        install_emulator()
        work = os.path.abspath(options.work)
        archive = Archive(work)
        archive.update()
        all_series = options.series.split(",")
        failed = []
        recorded = 0
        for series in all_series:
            try:
                recorded += record_newest(archive, series, options.probe,
                                          work)
            except Error as error:
                print("%s: %s" % (series, error), flush=True)
                failed.append(series)
        print("%d of %d series recorded%s" % (
            recorded, len(all_series),
            "; failed: " + " ".join(failed) if failed else ""))
        return 1 if failed or not recorded else 0
    except Error as error:
        print("record: %s" % error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
