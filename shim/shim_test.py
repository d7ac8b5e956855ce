# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Runs the programs of shim/testdata under the shim.

usage: shim_test.py REAPSIM CASES PROGRAM_DIRECTORY

CASES has what is run and all that comes of it: lines `$ PROGRAM [FLAGS]`, each
with its output, on which numbers of processes are N, and the exit status. With
REAPSIM_UPDATE_CASES=FILE in the environment it is written anew there.
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

REAPSIM, CASES, PROGRAMS = (os.path.abspath(each) for each in sys.argv[1:4])
# A program that is never done is one that the shim left waiting.
PATIENCE_S = 120
# Under the sanitizers a program that has the shim in it has theirs, too, which
# insists on being loaded before all others.
os.environ["ASAN_OPTIONS"] = ":".join(
    [*filter(None, [os.environ.get("ASAN_OPTIONS")]),
     "verify_asan_link_order=0"])


def run(flags, program, arguments=()):
    """What comes of `program` under the shim: text, then the exit status."""
    path = program if "/" in program else os.path.join(PROGRAMS, program)
    done = subprocess.run(
        [REAPSIM, "shim", *flags, "--", path, *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, timeout=PATIENCE_S, check=False)
    # The address sanitizer wonders about the model's stacks.
    noise = re.compile(r"==\d+==WARNING: ASan is ignoring .*\n"
                       r"False positive error reports may follow\n"
                       r"For details see .*\n")
    text = done.stdout.decode() + noise.sub("", done.stderr.decode())
    text = text.replace(PROGRAMS + "/", "")
    return re.sub(r"process \d+", "process N", text), done.returncode


def read_cases():
    """[(command, expected text)], as CASES has them."""
    cases = []
    with open(CASES, encoding="utf-8") as file:
        for line in file:
            if line.startswith("$ "):
                cases.append((line[2:].strip(), []))
            elif cases:
                cases[-1][1].append(line)
    return [(command, "".join(lines)) for command, lines in cases]


def play(command):
    """The text of a case."""
    program, *flags = command.split()
    text, status = run(flags, program)
    return f"{text}exit {status}\n"


class ShimTest(unittest.TestCase):

    def test_clients_see_what_the_model_says(self):
        update = os.environ.get("REAPSIM_UPDATE_CASES")
        played = [(command, play(command)) for command, _ in read_cases()]
        if update:
            with open(update, "w", encoding="utf-8") as file:
                for command, text in played:
                    file.write(f"$ {command}\n{text}")
            return
        self.assertGreater(len(played), 20)
        for (command, text), (_, expected) in zip(played, read_cases()):
            with self.subTest(command):
                self.assertEqual(text, expected)

    def test_the_same_every_time(self):
        for flags in ([], ["--schedule=seed=7"], ["--schedule=steps=100"]):
            with self.subTest(flags):
                runs = {run(flags, "retry") for _ in range(10)}
                self.assertEqual(len(runs), 1, runs)

    def test_a_program_keeps_its_exit_status(self):
        for script, status in (("exit 5", 5), ("kill -TERM $$", 128 + 15),
                               ("kill -KILL $$", 128 + 9)):
            with self.subTest(script):
                self.assertEqual(run([], "/bin/sh", ["-c", script]),
                                 ("", status))

    def test_a_shell_kills_its_job(self):
        self.assertEqual(
            run([], "/bin/sh",
                ["-c", "sleep 100 & kill -9 $!; wait $! 2>&-; echo $?"]),
            ("137\n", 0))

    def test_who_kills_and_who_reaps_may_be_two_programs(self):
        # The parent waits for the reaper alone, and for the victim after that.
        script = """
import os, signal, subprocess, sys
victim = subprocess.Popen(["sleep", "100"])
victim.kill()
sys.stdout.write(subprocess.run(
    [sys.argv[1], str(victim.pid)], stdout=subprocess.PIPE,
    check=True).stdout.decode())
print(victim.wait())
"""
        reaper = os.path.join(PROGRAMS, "reap_pid")
        for schedule, answer in (("reaper-first", "0"),
                                 ("victim-first", "ESRCH"), ("stuck", "0")):
            with self.subTest(schedule):
                self.assertEqual(
                    run([f"--schedule={schedule}"], "/usr/bin/python3",
                        ["-c", script, reaper]),
                    (f"process_mrelease: {answer}\n-9\n", 0))

    def test_a_kernel_that_breaks_ends_the_run(self):
        # Not in each order of steps, but in one of the first.
        for seed in range(50):
            text, status = run(["--with=free-pgtables-under-read-lock",
                                f"--schedule=seed={seed}"], "retry")
            if "reapsim: shim: the modelled kernel breaks: " in text:
                self.assertEqual(status, 1)
                return
        self.fail("no seed breaks it")

    def test_nobody_is_left_behind_stopped(self):
        script = "sleep 100 & echo $!; kill -9 $!; exec /bin/true"
        text, status = run(["--schedule=stuck"], "/bin/sh", ["-c", script])
        self.assertEqual(status, 0)
        self.assertFalse(os.path.exists(f"/proc/{int(text)}"))

    def test_what_the_shim_does_can_be_read(self):
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as trace:
            _, status = run([f"--trace={trace.name}"], "retry")
            self.assertEqual(status, 0)
            self.assertEqual(
                re.sub(r"\d+ (mappings|KiB)|process \d+", "N", trace.read()),
                """\
reapsim: shim: kernel v6.18
reapsim: shim: process_mrelease(a bad descriptor, 0) = EBADF, by pidfd
reapsim: shim: process_mrelease(a process that lives, 4294967295) = EINVAL, \
by flags
reapsim: shim: process_mrelease(a process that lives, 0) = EINVAL, \
by not_freeing.not_exiting
reapsim: shim: N imported: N, N, 1 threads, 0 other processes with its memory
reapsim: shim: N killed by N
reapsim: shim: process_mrelease(N, 0) = 0, by reaped
reapsim: shim: N is waited for
reapsim: shim: N has ended
reapsim: shim: process_mrelease(a process that is gone, 0) = ESRCH, \
by no_process
""")

    def test_a_static_program_is_refused_before_it_runs(self):
        self.assertEqual(
            run([], "static"),
            ("reapsim: cannot run static under the shim: it is linked "
             "statically, so that its calls can't be intercepted\n", 2))

    @unittest.skipUnless(os.geteuid() == 0, "only root can give files away")
    def test_a_setuid_program_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "retry")
            with open(os.path.join(PROGRAMS, "retry"), "rb") as source:
                program = source.read()
            with open(path, "wb") as copy:
                copy.write(program)
            os.chown(path, 65534, 65534)
            os.chmod(path, 0o4755)
            text, status = run([], path)
            self.assertIn("it gains rights when it starts", text)
            self.assertEqual(status, 2)

    def test_a_program_may_have_the_shim_in_it(self):
        program = os.path.join(os.path.dirname(PROGRAMS), "linked_client")
        for schedule, last, status in (
                ("reaper-first", "released a child of 1 MiB", 0),
                ("victim-first", "waited for: ESRCH", 1),
                ("nonsense", "", 2)):
            with self.subTest(schedule):
                done = subprocess.run(
                    [program], env={"REAPSIM_SHIM_SCHEDULE": schedule},
                    capture_output=True, timeout=PATIENCE_S, check=False)
                lines = done.stdout.decode().splitlines() or [""]
                self.assertEqual((lines[-1], done.returncode), (last, status))
        self.assertEqual(run(["--schedule=victim-first"], program)[1], 1)

    def test_the_library_alone_says_what_is_missing(self):
        library = os.path.join(os.path.dirname(PROGRAMS),
                               "libreapsim_shim.so")
        done = subprocess.run(
            [os.path.join(PROGRAMS, "retry")], env={"LD_PRELOAD": library},
            capture_output=True, timeout=PATIENCE_S, check=False)
        self.assertEqual((done.stdout, done.returncode), (b"", 2))
        self.assertIn(b"loaded without reapsim shim", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
