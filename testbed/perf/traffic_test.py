#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""testbed/perf/generate gives the same bytes on every run, of traffic that its configuration is for;
testbed/perf/draw draws what fairway-replay --perf prints.

    traffic_test.py FAIRWAY-REPLAY
"""
import collections
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
REPLAY = ""
PACKETS = 1200
NAMES = ("small", "imix", "syn-flood", "million-flows", "many-vips", "ipv6", "fragments")
# Of everything that generate --packets 1200 writes: change it only with the traffic, as figures of
# before and after can't be compared then.
DIGEST = "16969bb75d1d2c35ae311dbc211a0c69ae74f2d39f2ca256c638b7a9e21efa77"


def generate(folder, *names, packets=PACKETS, **environment):
    subprocess.run([sys.executable, os.path.join(HERE, "generate"), "--packets", str(packets), folder,
                    *names], check=True, env={**os.environ, **environment})


def files(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name), "rb") as f:
            found[name] = f.read()
    return found


def frames(blob):
    at = 24
    while at < len(blob):
        (length,) = struct.unpack("<I", blob[at + 8:at + 12])
        yield blob[at + 16:at + 16 + length]
        at += 16 + length


class Traffic(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="fw-traffic-")
        cls.addClassCleanup(cls.folder.cleanup)
        generate(cls.folder.name, PYTHONHASHSEED="1")
        cls.files = files(cls.folder.name)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def frames(self, name):
        return list(frames(self.files[name + ".pcap"]))

    def test_the_bytes_are_the_same_on_every_run_and_were_before(self):
        with tempfile.TemporaryDirectory(prefix="fw-traffic-") as other:
            generate(other, PYTHONHASHSEED="2")
            self.assertEqual(self.files, files(other))
        digest = hashlib.sha256()
        for name, content in self.files.items():
            digest.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
        self.assertEqual(digest.hexdigest(), DIGEST)

    def test_one_name_alone_gives_the_same_file(self):
        with tempfile.TemporaryDirectory(prefix="fw-traffic-") as other:
            generate(other, "imix")
            self.assertEqual(sorted(files(other)), ["fairway.yaml", "imix.pcap"])
            self.assertEqual(files(other)["imix.pcap"], self.files["imix.pcap"])

    def test_each_is_what_its_name_says(self):
        self.assertEqual({len(f) for f in self.frames("small")}, {60})
        sizes = collections.Counter(len(f) for f in self.frames("imix"))
        self.assertEqual(set(sizes), {60, 590, 1514})
        self.assertTrue(sizes[60] > sizes[590] > sizes[1514] > 0, sizes)
        self.assertEqual({f[47] for f in self.frames("syn-flood")}, {2})
        for name in ("syn-flood", "million-flows"):
            flows = {f[26:38] for f in self.frames(name)}
            self.assertGreater(len(flows), PACKETS * 0.99, name)
        self.assertGreater(len({f[30:34] for f in self.frames("many-vips")}), 200)
        self.assertEqual({f[12:14] for f in self.frames("ipv6")}, {b"\x86\xdd"})
        for name in NAMES:
            self.assertEqual(len(self.frames(name)), PACKETS, name)

    def test_every_flow_of_a_million_is_another(self):
        with tempfile.TemporaryDirectory(prefix="fw-traffic-") as other:
            generate(other, "million-flows", packets=40000)
            blob = files(other)["million-flows.pcap"]
            self.assertEqual(len({f[26:38] for f in frames(blob)}), 40000)

    def test_the_configuration_is_for_it(self):
        with open(self.path("all.pcap"), "wb") as f:
            f.write(self.files["imix.pcap"][:24])
            for name in NAMES:
                f.write(self.files[name + ".pcap"][24:])
        done = subprocess.run([REPLAY, "--config", self.path("fairway.yaml"), "--in",
                               self.path("all.pcap"), "--verdicts", "-"], check=True,
                              capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        verdicts = [json.loads(line)["verdict"] for line in done.stdout.splitlines()]
        self.assertEqual(verdicts, ["forward"] * PACKETS * len(NAMES))

    def test_a_wrong_name_is_told(self):
        done = subprocess.run([sys.executable, os.path.join(HERE, "generate"), self.path("x"), "imx"],
                              check=False, capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no traffic 'imx'", done.stderr)


class Draw(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="fw-draw-")
        self.addCleanup(self.folder.cleanup)

    def write(self, name, data):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as f:
            json.dump(data, f)
        return path

    def draw(self, *args, status=0):
        done = subprocess.run([sys.executable, os.path.join(HERE, "draw"), *args], check=False,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    @staticmethod
    def run_of(engine, median, traffic="imix"):
        return {"engine": engine, "input": f"/x/{traffic}.pcap", "ns_per_packet":
                {"min": median - 1, "median": median, "max": median + 9}}

    def test_engines_and_commits_have_a_bar_each(self):
        old = self.write("old.json", {"commit": "abc", "runs": [self.run_of("native", 40),
                                                                self.run_of("xdp", 50)]})
        new = self.write("new.json", self.run_of("native", 50))
        svg = ElementTree.fromstring(self.draw(old, f"a<b={new}"))
        name = "{http://www.w3.org/2000/svg}"
        texts = [t.text for t in svg.iter(name + "text")]
        for words in ("imix", "native, abc", "xdp, abc", "native, a<b", "40.0", "50.0 (+25%)"):
            self.assertIn(words, texts)
        widths = [float(r.get("width")) for r in svg.iter(name + "rect")][1:]
        self.assertEqual(len(widths), 3)
        self.assertAlmostEqual(widths[1] / widths[0], 1.25, places=2)

    def test_what_replay_prints_is_drawn(self):
        with tempfile.TemporaryDirectory(prefix="fw-draw-") as other:
            generate(other, "small", packets=100)
            done = subprocess.run([REPLAY, "--perf", "--config", other + "/fairway.yaml", "--in",
                                   other + "/small.pcap"], check=True, stdout=subprocess.PIPE,
                                  text=True)
        path = self.write("now.json", json.loads(done.stdout))
        self.assertIn("native, now", self.draw(path))

    def test_what_is_no_measurement_is_named(self):
        self.assertIn("odd.json", self.draw(self.write("odd.json", {"engine": "xdp"}), status=1))
        self.assertIn("none.json", self.draw("/none.json", status=1))


if __name__ == "__main__":
    REPLAY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
