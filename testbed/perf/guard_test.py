#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Does testbed/perf/run see a slower program? Builds the balancer with a few instructions too many,
real ones that the kernel takes, and runs the guard on it.

    guard_test.py BUILD COMPILER...     the compiler of the BPF programs with its arguments
"""
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
RUN = os.path.join(HERE, "run")
BUILD = COMPILER = None


class Guard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One recording for all; each test changes a copy."""
        cls.recorded = tempfile.TemporaryDirectory(prefix="fw-perf-")
        cls.addClassCleanup(cls.recorded.cleanup)
        cls.counted = os.path.join(cls.recorded.name, "counted.json")
        with open(cls.counted, "w", encoding="utf-8") as f:
            subprocess.run([os.path.join(BUILD, "tools", "fairway-bench"), "--count",
                            os.path.join(BUILD, "bpf", "balancer.bpf.o"), "--json", "-"],
                           stdout=f, check=True)
        cls.baseline = os.path.join(cls.recorded.name, "baseline.json")
        cls("compare").compare(0, "--update")

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="fw-perf-")
        self.addCleanup(self.directory.cleanup)
        self.baseline = shutil.copy(type(self).baseline, self.directory.name)

    def run_guard(self, status, *args):
        """The guard, which counts now."""
        done = subprocess.run([sys.executable, RUN, "--no-times", "--part", "bpf", "--build",
                               BUILD, "--baseline", self.baseline, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, text=True)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout

    def compare(self, status, *args):
        """The guard with what was counted before."""
        return self.run_guard(status, "--figures", self.counted, *args)

    def figures(self):
        with open(self.baseline, encoding="utf-8") as f:
            (entry,) = json.load(f)["compilers"].values()
        return entry

    def change_figures(self, change):
        with open(self.baseline, encoding="utf-8") as f:
            baseline = json.load(f)
        (entry,) = baseline["compilers"].values()
        change(entry)
        with open(self.baseline, "w", encoding="utf-8") as f:
            json.dump(baseline, f)

    def slower_by(self, instructions):
        path = os.path.join(self.directory.name, f"slower-{instructions}.o")
        subprocess.run([*COMPILER, f"-DSLOWER_BY={instructions}", "-c",
                        os.path.join(ROOT, "bpf", "slower.bpf.c"), "-o", path], check=True)
        return path

    def test_counting_anew_gives_the_same_figures(self):
        before = self.figures()
        for _ in range(3):
            self.run_guard(0)
        self.run_guard(0, "--update")
        self.assertEqual(before, self.figures())

    def test_five_percent_more_instructions_fail_by_name(self):
        cases = self.figures()["cases"]
        most = max(c["instructions"] for c in cases.values())
        text = self.run_guard(4, "--object", self.slower_by(math.ceil(most * 0.055)))
        for name in cases:
            self.assertIn(f"  {name} ", text)

    def test_two_percent_more_instructions_pass(self):
        least = min(c["instructions"] for c in self.figures()["cases"].values())
        self.run_guard(0, "--object", self.slower_by(max(1, int(least * 0.02))))

    def test_one_helper_call_more_fails(self):
        def one_less(entry):
            entry["cases"]["tcp4"]["calls"] -= 1
        self.change_figures(one_less)
        self.assertIn("helper calls", self.compare(4))

    def test_a_packet_that_fares_otherwise_fails(self):
        def dropped(entry):
            entry["cases"]["tcp4"]["action"] = "drop"
        self.change_figures(dropped)
        self.assertIn("what becomes of it", self.compare(4))

    def test_a_kind_of_packet_that_is_not_recorded_fails(self):
        self.change_figures(lambda entry: entry["cases"].pop("tcp4"))
        self.assertIn("unknown", self.compare(4))

    def test_a_larger_program_fails(self):
        def smaller(entry):
            entry["program"]["instructions"] *= 0.8
        self.change_figures(smaller)
        self.assertIn("whole program", self.compare(4))

    def test_another_compiler_is_skipped_with_words(self):
        with open(self.baseline, encoding="utf-8") as f:
            text = f.read()
        with open(self.baseline, "w", encoding="utf-8") as f:
            f.write(text.replace("clang version", "other version"))
        self.assertIn("--update", self.compare(77))


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("skipped: loading a BPF program needs root")
        sys.exit(77)
    BUILD, COMPILER = sys.argv[1], sys.argv[2:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
