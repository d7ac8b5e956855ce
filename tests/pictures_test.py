# Copyright 2026 The reapsim Authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures are well formed, self-contained, and the same every time."""

import html.parser
import json
import os
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.realpath("WORKSPACE"))
PROGRAM = os.path.abspath("cmd/reapsim")
VOID = ("meta", "input", "br", "link", "img", "hr", "rect", "path", "circle")


class Page(html.parser.HTMLParser):
    """Fails at a tag that closes none; keeps what a test asks for."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.ids = []
        self.outside = []
        self.data = []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if "id" in attrs:
            self.ids.append(attrs["id"])
        for name in ("src", "href", "xlink:href"):
            if not attrs.get(name, "#").startswith("#"):
                self.outside.append(attrs[name])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError("</%s> at %s" % (tag, self.getpos()))

    def handle_data(self, data):
        if self.open and self.open[-1] == "script" and data.startswith("{"):
            self.data.append(json.loads(data))


def run(*args):
    """Runs reapsim with a file's name in place of FILE; the file's text."""
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "picture")
        done = subprocess.run(
            [PROGRAM] + [arg.replace("FILE", path) for arg in args],
            cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        with open(path, encoding="utf-8") as file:
            return file.read()


class PicturesTest(unittest.TestCase):

    def page(self, text):
        page = Page()
        page.feed(text)
        page.close()
        self.assertEqual(page.open, [])
        self.assertEqual(page.outside, [])
        self.assertEqual(len(page.ids), len(set(page.ids)))
        # Nothing that a style could load.
        self.assertNotRegex(text, r"@import|url\(|@font-face")
        return page

    def svg(self, text):
        tree = xml.etree.ElementTree.fromstring(text)
        tags = [element.tag.split("}")[1] for element in tree]
        self.assertEqual(tags[:2], ["title", "desc"])
        self.assertNotRegex(text, r"@import|url\(|<script|href=")
        self.assertIn("prefers-color-scheme:dark", text)

    def test_a_schedule_is_the_same_page_every_time(self):
        args = ("check", "litmus/examples/exit-versus-call.reap",
                "--html=FILE")
        first = run(*args)
        self.page(first)
        # How many states were searched hangs on the compiler, not on the run.
        self.assertEqual(first, run(*args))

    def test_steps_lead_forward_and_back(self):
        text = run("check", "litmus/examples/exit-versus-call.reap",
                   "--kernel=v5.15-rc1", "--html=FILE")
        [data] = self.page(text).data
        self.assertGreater(len(data["steps"]), 50)
        values = list(data["start"])
        for step in data["steps"]:
            for fact, before, after in step:
                self.assertEqual(values[fact], before)
                self.assertNotEqual(before, after)
                values[fact] = after
        self.assertNotEqual(values, data["start"])
        for step in reversed(data["steps"]):
            for fact, before, after in step:
                self.assertEqual(values[fact], after)
                values[fact] = before
        self.assertEqual(values, data["start"])

    def test_the_page_tells_what_the_schedule_is_about(self):
        text = run("check", "litmus/examples/exit-versus-call.reap",
                   "--kernel=v5.15-rc1", "--html=FILE")
        for told in ("MMF_UNSTABLE", "PF_EXITING", "mm_users", "mm_count",
                     "TLB entries", "anonymous pages",
                     "takes mmap_lock, mm of victim (to read)",
                     "from here on, every schedule ends so", "S3"):
            self.assertIn(told, text)

    def test_a_case_without_a_schedule_says_so(self):
        text = run("check", "litmus/examples/exit-versus-call.reap",
                   "--kernel=v6.18", "--html=FILE")
        self.assertEqual(self.page(text).data, [])
        self.assertIn("No schedule to show", text)

    def test_a_replayed_schedule_is_a_page_too(self):
        text = run("replay",
                   "litmus/examples/killed-first.reap@v6.18/-", "--html=FILE")
        [data] = self.page(text).data
        rows = re.findall(r'<tr id="c0-s(\d+)"', text)
        self.assertEqual(data["numbers"], [int(row) for row in rows])

    LATENCY = ("latency", "--shape=anon=64MiB", "--seeds=3")

    def test_a_latency_is_drawn_the_same_every_time(self):
        first = run(*self.LATENCY, "--svg=FILE")
        self.svg(first)
        for told in ("the first kill", "99 % of the memory is back",
                     "kill alone", "free memory", "CPU 0"):
            self.assertIn(told, first)
        self.assertEqual(first, run(*self.LATENCY, "--svg=FILE"))
        self.page(run(*self.LATENCY, "--html=FILE"))

    CLIENTS = ("clients", "--scenario=phone", "--client=lmkd", "--seeds=2")

    def test_clients_are_drawn_the_same_every_time(self):
        first = run(*self.CLIENTS, "--svg=FILE")
        self.svg(first)
        for told in ("lmkd, as it is", "lmkd, no mrelease", "free memory",
                     "first kill", "target ", "CPU 0"):
            self.assertIn(told, first)
        self.assertEqual(first, run(*self.CLIENTS, "--svg=FILE"))
        # Some 40 KB for each of five runs, long as they are.
        self.assertLess(len(first), 2000000)

    def test_a_page_of_clients_has_the_numbers_too(self):
        text = run(*self.CLIENTS, "--html=FILE")
        self.page(text)
        self.assertIn("<h2>In numbers</h2>", text)
        self.assertIn("The longest waits", text)

    def test_pictures_of_runs_are_well_formed(self):
        directory = os.path.join(ROOT, "report", "testdata")
        for name in sorted(os.listdir(directory)):
            with open(os.path.join(directory, name), encoding="utf-8") as file:
                text = file.read()
            if name.endswith(".svg"):
                self.svg(text)
            else:
                self.page(text)


if __name__ == "__main__":
    unittest.main()
