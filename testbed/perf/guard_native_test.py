#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does testbed/perf/run see slower native and DPDK code? Runs the guard on builds of fairway-replay and
of bursts whose engines execute some instructions more for each packet.

    guard_native_test.py BUILD SLOWER-REPLAY SLOWER-BURSTS
"""
import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
RUN = os.path.join(HERE, "run")
BUILD = ""
NORMAL = {"native": "tools/fairway-replay", "dpdk": "tools/fairway-replay",
          "burst": "tools/replay/test/bursts"}
SLOWER = {}
PARTS = tuple(NORMAL)


def count(program, part):
    done = subprocess.run([sys.executable, os.path.join(HERE, "callgrind.py"), BUILD, program, part],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, text=True)
    if done.returncode == 77:
        raise unittest.SkipTest(done.stdout)
    if done.returncode != 0:
        raise RuntimeError(done.stdout)
    return json.loads(done.stdout)


class Guard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """Counted once for all tests."""
        cls.normal = {part: count(os.path.join(BUILD, NORMAL[part]), part) for part in PARTS}
        cls.slower = {part: count(SLOWER[part], part) for part in PARTS}

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fw-perf-")
        self.addCleanup(self.folder.cleanup)
        self.baseline = os.path.join(self.folder.name, "baseline.json")
        for part in PARTS:
            self.guard(0, part, self.normal[part], "--update")

    def guard(self, status, part, figures, *args):
        """The guard with these figures; None: it counts now."""
        if figures:
            path = os.path.join(self.folder.name, "figures.json")
            with open(path, "w", encoding="utf-8") as f:
                json.dump(figures, f)
            args = ["--figures", path, *args]
        done = subprocess.run([sys.executable, RUN, "--no-times", "--build", BUILD, "--part", part,
                               "--baseline", self.baseline, *args], stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, text=True)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def test_counting_anew_gives_the_same_figures(self):
        with open(self.baseline, encoding="utf-8") as f:
            before = json.load(f)
        self.guard(0, "native", None, "--update")
        with open(self.baseline, encoding="utf-8") as f:
            self.assertEqual(json.load(f), before)

    def test_what_grows_by_five_percent_fails_by_name_and_nothing_else(self):
        for part in PARTS:
            normal, slower = self.normal[part]["cases"], self.slower[part]["cases"]
            failing = 0
            text = self.guard(4, part, self.slower[part])
            for kind in normal:
                old, new = normal[kind]["instructions"], slower[kind]["instructions"]
                # The compiler makes something else of the rest when they stand in it.
                self.assertGreater(new, old, f"{part}: {kind}")
                self.assertEqual(f"  {kind} " in text, new >= old * 1.05, f"{kind}\n{text}")
                failing += new >= old * 1.05
            self.assertTrue(0 < failing < len(normal), text)

    def test_a_packet_that_fares_otherwise_fails(self):
        figures = json.loads(json.dumps(self.normal["native"]))
        figures["cases"]["tcp4"]["action"] = "no_real"
        self.assertIn("what becomes of it", self.guard(4, "native", figures))

    def test_another_compiler_is_skipped_with_words(self):
        self.assertIn("record them with",
                      self.guard(77, "dpdk", {**self.normal["dpdk"], "compiler": "other"}))


if __name__ == "__main__":
    BUILD = sys.argv[1]
    SLOWER = {"native": sys.argv[2], "dpdk": sys.argv[2], "burst": sys.argv[3]}
    program = unittest.main(argv=sys.argv[:1], verbosity=2, exit=False)
    result = program.result
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(77 if result.skipped and not result.testsRun else 0)
