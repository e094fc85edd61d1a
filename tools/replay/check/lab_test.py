#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fairway-replay as a laboratory: captures of any size, the end by a signal, --filter, --explain and
--compare.

    lab_test.py REPLAY [ENGINE]     with an engine: only what each engine must do
"""
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import cli_test  # noqa: E402
import pcap  # noqa: E402
from cli_test import CONFIG, SECOND, packet, pcapng  # noqa: E402

REPLAY, ENGINE = "", "native"
HEADER = struct.pack("<IHHiIII", pcap.NANO, 2, 4, 0, 0, 262144, 1)
SECONDS = 60


def record(time_ns, data):
    return struct.pack("<IIII", time_ns // SECOND, time_ns % SECOND, len(data), len(data)) + data


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("fairway.yaml", CONFIG)

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w") as f:
            f.write(content)

    def capture(self, packets, name="in.pcap"):
        pcap.write(self.path(name), [((i + 1) * SECOND, p) for i, p in enumerate(packets)])

    def arguments(self, *more):
        return [REPLAY, "--config", "fairway.yaml", "--in", "in.pcap", *more]

    def replay(self, *more, status=0, **options):
        done = subprocess.run(self.arguments(*more), cwd=self.folder.name, check=False,
                              capture_output=True, timeout=SECONDS, text=True, **options)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def start(self, *more, **options):
        process = subprocess.Popen(  # pylint: disable=consider-using-with
            [REPLAY, "--config", "fairway.yaml", "--in", "-", *more], cwd=self.folder.name,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        process.kill()
        process.wait()
        for file in (process.stdin, process.stdout, process.stderr):
            if file:
                file.close()

    def lines(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            text = f.read()
        self.assertTrue(not text or text.endswith("\n"), text[-200:])
        return [json.loads(line) for line in text.splitlines()]


class Sizes(Folder):
    def most_memory(self, count):
        """The largest size, in KiB, of a process that replays so many full packets."""
        full = record(SECOND, packet() + bytes(1400))
        process = self.start("--verdicts", "/dev/null", "--out", "/dev/null")
        with process.stdin as pipe:
            pipe.write(HEADER)
            for _ in range(count // 100):
                pipe.write(full * 100)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        return usage.ru_maxrss

    def test_memory_does_not_grow_with_the_capture(self):
        few, many = self.most_memory(1000), self.most_memory(60000)
        self.assertLess(many - few, 4096, "KiB more for 80 MB more of packets")

    def test_a_pcapng_that_ends_inside_a_block(self):
        whole = pcapng([(i, packet()) for i in range(20)])
        self.write("in.pcap", whole[:-30])
        done = self.replay("--verdicts", "v", "--out", "o", status=1)
        self.assertIn("in.pcap: damaged after packet 19: packet index 19 can't be read", done.stderr)
        self.assertEqual(len(self.lines("v")), 19)
        self.assertEqual(len(pcap.read(self.path("o"))[1]), 19)

    def test_a_pcapng_block_of_an_impossible_length(self):
        whole = bytearray(pcapng([(i, packet()) for i in range(20)]))
        at = len(whole) - 2 * (len(pcapng([(0, packet())])) - len(pcapng([]))) + 4
        whole[at:at + 4] = b"\xff\xff\xff\x7f"
        self.write("in.pcap", bytes(whole))
        done = self.replay("--verdicts", "v", status=1)
        self.assertIn("in.pcap: damaged after packet 18", done.stderr)
        self.assertEqual(len(self.lines("v")), 18)


class Signals(Folder):
    COUNT = 400  # their verdicts fit into a pipe, but not into the buffer before it

    def stop(self, signals, status, word):
        """Feed packets, leave the input open, and send the signal once verdicts come out."""
        process = self.start("--verdicts", "-", "--out", "out.pcap", stderr=subprocess.PIPE)
        process.stdin.write(HEADER)
        for i in range(self.COUNT):
            process.stdin.write(record((i + 1) * SECOND, packet(80 if i % 2 else 22)))
        process.stdin.flush()
        first = os.read(process.stdout.fileno(), 1)
        process.send_signal(signals)
        text = first + process.stdout.read()
        errors = process.stderr.read().decode()
        self.assertEqual(process.wait(SECONDS), status, errors)
        self.assertIn(f"stopped by {word} after ", errors)
        told = int(errors.split(" after ")[1].split()[0])
        lines = text.decode().splitlines()
        self.assertTrue(text.endswith(b"\n"))
        self.assertEqual([json.loads(line)["index"] for line in lines], list(range(told)))
        self.assertLess(0, told)
        self.assertEqual(len(pcap.read(self.path("out.pcap"))[1]), told // 2)

    def test_sigint_leaves_whole_files_and_says_how_many_packets(self):
        self.stop(signal.SIGINT, 130, "SIGINT")

    def test_sigterm_too(self):
        self.stop(signal.SIGTERM, 143, "SIGTERM")

    def test_a_comparison_that_is_stopped_says_what_it_has_compared(self):
        process = self.start("--compare", "native,native", "--progress", stderr=subprocess.PIPE)
        process.stdin.write(HEADER + record(SECOND, packet()) * 64)
        process.stdin.flush()
        told = feed_until(process, process.stderr.fileno(), b"\n")
        process.send_signal(signal.SIGINT)
        text, errors = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, 130, told + errors)
        self.assertIn(b"native-1 and native-2 treat all of", text)
        self.assertIn(b"stopped by SIGINT", errors)


def feed_until(process, fd, what):
    """Write packets to a process until it has said something, and return that."""
    some, said = record(SECOND, packet()) * 64, b""
    deadline = time.monotonic() + SECONDS
    while what not in said and time.monotonic() < deadline:
        process.stdin.write(some)
        process.stdin.flush()
        # Not as fast as it can: what it says comes by the clock.
        if select.select([fd], [], [], 0.005)[0]:
            said += os.read(fd, 4096)
    return said


class Progress(Folder):
    def test_asked_for_it_is_told_in_lines_and_not_too_often(self):
        process = self.start("--verdicts", "v", "--progress", stderr=subprocess.PIPE)
        start = time.monotonic()
        process.stdin.write(HEADER)
        said = feed_until(process, process.stderr.fileno(), b"\n")
        process.stdin.close()
        said += process.stderr.read()
        self.assertEqual(process.wait(SECONDS), 0)
        lines = said.decode().splitlines()
        self.assertRegex(lines[0], r"^fairway-replay: \d+ packets, \d+ per second$")
        with open(self.path("v"), "rb") as f:
            self.assertIn(f"fairway-replay: {sum(1 for _ in f)} packets", lines[-1])
        self.assertLessEqual(len(lines), time.monotonic() - start + 1)

    def test_of_a_file_it_tells_the_share(self):
        self.capture([packet()] * 5)
        self.assertIn("5 packets", self.replay("--verdicts", "v", "--progress").stderr)
        self.assertIn("100 % of the capture", self.replay("--verdicts", "v", "--progress").stderr)
        self.assertEqual(self.replay("--verdicts", "v").stderr, "")

    def test_on_a_terminal_it_is_one_line_that_goes_away(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        process = self.start("--verdicts", "v", stderr=theirs)
        os.close(theirs)
        process.stdin.write(HEADER)
        said = feed_until(process, ours, b"\r")
        process.stdin.close()
        self.assertEqual(process.wait(SECONDS), 0)
        try:
            while more := os.read(ours, 4096):
                said += more
        except OSError:  # how a terminal whose other side is closed says that it has ended
            pass
        self.assertNotIn(b"\n", said)
        self.assertTrue(said.endswith(b"\r\033[K"), said)


class Filter(Folder):
    def test_indexes_stay_those_of_the_capture(self):
        self.capture([packet(22), packet(80), packet(443), packet(80)])
        self.replay("--verdicts", "v", "--filter", "tcp dst port 80")
        self.assertEqual([v["index"] for v in self.lines("v")], [1, 3])

    def test_events_happen_before_packets_that_do_not_match_too(self):
        self.capture([packet(80, flags=16), packet(22), packet(80, flags=16)])
        reals = {"10.0.0.1", "10.0.0.2"}
        self.replay("--verdicts", "v", "--filter", "port 80")
        (first,) = {v["real"] for v in self.lines("v")}
        self.write("events", json.dumps({"before": 1, "down": first}))
        self.replay("--verdicts", "v", "--filter", "port 80", "--events", "events")
        self.assertEqual([v["real"] for v in self.lines("v")], [first, *(reals - {first})])

    def test_a_wrong_expression_is_named(self):
        self.capture([packet()])
        done = self.replay("--verdicts", "v", "--filter", "prot 80", status=1)
        self.assertIn("--filter 'prot 80'", done.stderr)
        self.assertIn("pcap-filter(7)", done.stderr)

    def test_it_works_with_compare_and_perf(self):
        self.capture([packet(22), packet(80), packet(80)])
        self.assertIn("all of 2 packets", self.replay("--compare", "native,native", "--filter",
                                                      "port 80").stdout)
        perf = json.loads(self.replay("--perf", "--filter", "port 22").stdout)
        self.assertEqual((perf["packets"], perf["verdicts"]["pass"]), (1, 1))


class Explain(Folder):
    """On every engine."""

    def explain(self, index, *more, status=0):
        done = self.replay("--engine", ENGINE, "--explain", str(index), *more, status=status)
        return done.stdout if status == 0 else done.stderr

    def rows(self, text):
        """{label: value} of the part that tells the decision."""
        part = text.split("engine\n")[1].split("\n\n")[0]
        return {line[2:16].strip(): line[17:] for line in part.splitlines()}

    def test_a_packet_that_is_forwarded(self):
        self.capture([packet(), packet(port=22)])
        text = self.explain(0)
        rows = self.rows(text)
        self.assertIn(f"decided by the {ENGINE} engine", text)
        self.assertEqual(rows["flow"], "tcp 198.51.100.1:40000 203.0.113.80:80")
        self.assertEqual(rows["service"], "of VIP web, pool web")
        self.assertRegex(rows["hash"], "^0x[0-9a-f]{16} of the flow; the slot goes by addresses")
        self.assertRegex(rows["slot"], r"^\d+ of 251, not tracked")
        self.assertEqual(rows["flow table"], "not asked: the slot is not tracked")
        self.assertEqual(rows["current real"], rows["real"])
        self.assertEqual(rows["next hop"],
                         "02:00:00:00:00:01 from 02:00:00:00:00:02 by interface 1")
        self.assertEqual(rows["outer header"], "IP in IP, 20 bytes of IPv4")
        self.assertEqual(rows["verdict"], "forward")
        self.assertEqual(rows["reason"], "forwarded: sent to a real server")
        self.assertNotIn("note", rows)
        self.assertIn(f"IPv4      192.0.2.10 -> {rows['real']}, IPv4 inside, length 60, TTL 64",
                      text.split("left, 74 bytes\n")[1])

    def test_a_tracked_slot_and_the_flow_table(self):
        """A drained real: its older flows stay, and are found in the flow table the second time."""
        flow = [packet(source_port=40000 + i, flags=16) for i in range(20)]
        self.capture(flow + flow + [packet(source_port=40000 + i) for i in range(20)])
        self.replay("--engine", ENGINE, "--verdicts", "v")
        old = next(v["index"] for v in self.lines("v") if v["real"] == "10.0.0.1")
        self.write("events", '{"before":1,"drain":"10.0.0.1"}' if old else
                   '{"before":0,"drain":"10.0.0.1"}')
        miss = self.rows(self.explain(old or 0, "--events", "events"))
        self.assertIn("tracked: its real changed", miss["slot"])
        self.assertEqual((miss["current real"], miss["previous real"], miss["real"]),
                         ("10.0.0.2", "10.0.0.1", "10.0.0.1"))
        self.assertIn("miss: the flow is older than the change", miss["flow table"])
        hit = self.rows(self.explain(old + 20, "--events", "events"))
        self.assertEqual(hit["flow table"],
                         "hit, not confirmed until now: the flow stays with 10.0.0.1")
        syn = self.rows(self.explain(old + 40, "--events", "events"))
        self.assertIn("a SYN begins anew", syn["flow table"])
        self.assertEqual(syn["real"], "10.0.0.2")

    def test_packets_that_go_nowhere(self):
        self.capture([packet(22), packet()[:40], packet()[:12] + b"\x08\x06" + bytes(30)])
        rows = self.rows(self.explain(0))
        self.assertEqual(rows["service"], "none")
        self.assertIn("not_vip", rows["reason"])
        self.assertNotIn("slot", rows)
        text = self.explain(1)
        self.assertIn("cut off", text)
        self.assertIn("ip4_total_length: IPv4 total length beyond the frame", text)
        self.assertNotIn("left,", text)
        self.assertIn("not_ip", self.rows(self.explain(2))["reason"])

    def test_the_packet_must_be_there(self):
        self.capture([packet(), packet(22)])
        self.assertIn("in.pcap has 2 packets, and they are counted from 0",
                      self.explain(2, status=1))
        self.assertIn("doesn't match --filter", self.explain(1, "--filter", "port 80", status=1))


class Compare(Folder):
    def test_two_engines_alike(self):
        self.capture([packet(80 if i % 3 else 22, source_port=40000 + i) for i in range(50)])
        done = self.replay("--compare", f"native,{ENGINE}")
        self.assertRegex(done.stdout, "^native.* and .* treat all of 50 packets alike\n$")

    def test_two_configurations_that_differ(self):
        self.capture([packet(source_port=40000 + i) for i in range(40)] + [packet(22)])
        self.write("other.yaml", CONFIG.replace("10.0.0.2", "10.0.0.3"))
        done = self.replay("--compare", f"{ENGINE},{ENGINE}", "--against", "other.yaml", status=4)
        shown = done.stdout.split("\n\n")
        self.assertEqual(len(shown), 11, "ten packets and the sum")
        for text in shown[:-1]:
            self.assertRegex(text, r"^packet \d+: different real, bytes\n")
            self.assertIn("-> 203.0.113.80", text)
            for side, real in ((1, "10.0.0.[12]"), (2, "10.0.0.[13]")):
                self.assertRegex(text, f"{ENGINE}-{side} +forward, reason forwarded, vip web, "
                                       f"real {real}, 74 bytes left")
            self.assertRegex(text, r"differ first at offset (25|30|33)\n")
            self.assertRegex(text, r"byte \d+ of the IPv4 at 14")
        self.replay("--engine", ENGINE, "--verdicts", "a")
        self.write("fairway.yaml", CONFIG.replace("10.0.0.2", "10.0.0.3"))
        self.replay("--engine", ENGINE, "--verdicts", "b")
        differ = sum(a != b for a, b in zip(self.lines("a"), self.lines("b")))
        self.assertIn(f"treat {differ} of 41 packets differently", shown[-1])
        self.assertIn("the first 10 are shown", shown[-1])

    def test_verdicts_that_differ_without_a_packet_that_leaves(self):
        self.capture([packet()])
        self.write("other.yaml", CONFIG.replace("port: 80,", "port: 81,"))
        text = self.replay("--compare", f"{ENGINE},{ENGINE}", "--against", "other.yaml",
                           status=4).stdout
        self.assertIn("packet 0: different verdict, reason, vip, real, bytes", text)
        self.assertRegex(text, "-2 +pass, reason not_vip, vip none, real none\n")
        self.assertNotIn("differ first at", text)

    def test_damage_and_usage(self):
        self.write("in.pcap", HEADER + record(1, packet())[:-3])
        self.assertIn("damaged after packet 0",
                      self.replay("--compare", "native,native", status=1).stderr)
        for more, words in ((["--compare", "native"], "must be two of"),
                            (["--compare", "native,ebpf"], "must be two of"),
                            (["--compare", "native,xdp", "--out", "x"], "only compares"),
                            (["--compare", "native,xdp", "--engine", "xdp"], "leave out --engine"),
                            (["--against", "other.yaml", "--verdicts", "v"], "add --compare"),
                            (["--explain", "-1"], "'-1' is no number"),
                            (["--explain", "1", "--explain", "2"], "given twice"),
                            (["--explain", "1", "--verdicts", "-"], "standard output"),
                            (["--verdicts", "v", "--cores", "2"], "add --perf"),
                            (["--perf", "--cores", "0"], "'0' is no number from 1")):
            with self.subTest(more):
                self.assertIn(words, self.replay(*more, status=2).stderr)


class Perf(Folder):
    """On every engine."""

    def measure(self, *more):
        return json.loads(self.replay("--perf", "--engine", ENGINE, *more).stdout)

    def test_flows_that_are_known_and_that_are_not(self):
        self.capture([packet(source_port=1000 + i, flags=16) for i in range(1000)])
        perf = self.measure()
        self.assertEqual((perf["engine"], perf["packets"], perf["cores"], perf["input"]),
                         (ENGINE, 1000, 1, "in.pcap"))
        for result in (perf, perf["tracked"]["warm"], perf["tracked"]["cold"]):
            ns = result["ns_per_packet"]
            self.assertTrue(0 <= ns["min"] <= ns["median"] <= ns["max"], ns)
            self.assertGreaterEqual(result["packets_per_second"], 0)
        self.assertLess(perf["ns_per_packet"]["min"],
                        perf["tracked"]["cold"]["ns_per_packet"]["min"])

    def test_several_cpus_at_once(self):
        self.capture([packet(source_port=1000 + i, flags=16) for i in range(1000)])
        cpus = len(os.sched_getaffinity(0))
        if cpus < 2:
            self.skipTest("this process may use one CPU only")
        perf = self.measure("--cores", "2")
        self.assertEqual(perf["cores"], 2)
        self.assertAlmostEqual(perf["packets_per_second"] * perf["ns_per_packet"]["median"], 2e9,
                               delta=2e7)
        done = self.replay("--perf", "--engine", ENGINE, "--cores", str(cpus + 1), status=1)
        self.assertIn(f"this process may use {cpus} CPUs only", done.stderr)


if __name__ == "__main__":
    REPLAY = cli_test.REPLAY = os.path.abspath(sys.argv.pop(1))
    names = []
    if len(sys.argv) > 1:
        ENGINE = sys.argv.pop(1)
        names = ["Explain.test_a_packet_that_is_forwarded",
                 "Explain.test_a_tracked_slot_and_the_flow_table", "Perf",
                 "Compare.test_two_engines_alike"]
    unittest.main(argv=sys.argv[:1] + names)
