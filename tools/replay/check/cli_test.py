#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""fairway-replay as its user meets it: options, files of every kind, and what it says when
something is wrong.

    cli_test.py REPLAY
"""
import json
import os
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pcap  # noqa: E402

REPLAY = ""
CONFIG = """
node:
  name: t
  interfaces: [eth0]
  tunnel_source: {ipv4: 192.0.2.10}
  hash_seed: "0123456789abcdef0123456789abcdef"
pools:
  - name: web
    encap: ipip
    table_size: 251
    reals: [{address: 10.0.0.1}, {address: 10.0.0.2}]
vips:
  - name: web
    address: 203.0.113.80
    services: [{protocol: tcp, port: 80, pool: web}]
"""
SECOND = 10**9


def packet(port=80, source_port=40000, flags=2):
    tcp = struct.pack("!HHIIBBHHH", source_port, port, 0, 0, 0x50, flags, 1000, 0, 0)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 0, 0x4000, 64, 6, 0, bytes([198, 51, 100, 1]),
                     bytes([203, 0, 113, 80]))
    return bytes(12) + b"\x08\x00" + ip + tcp


def pcapng(packets, link=1, resolution=9):
    """A section, one interface, and the packets with times in units of 10^-resolution."""
    def block(kind, body):
        body += bytes(-len(body) % 4)
        length = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + length + body + length
    blob = block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    blob += block(1, struct.pack("<HHI", link, 0, 0) + struct.pack("<HHBxxxHH", 9, 1, resolution,
                                                                  0, 0))
    for time, data in packets:
        blob += block(6, struct.pack("<IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data),
                                     len(data)) + data)
    return blob


class Replay(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.write("fairway.yaml", CONFIG)
        pcap.write(self.path("in.pcap"), [(SECOND, packet()), (2 * SECOND, packet(22)),
                                          (3 * SECOND + 1, packet())])

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content):
        with open(self.path(name), "wb" if isinstance(content, bytes) else "w") as f:
            f.write(content)

    def run_replay(self, *arguments, **options):
        return subprocess.run([REPLAY, *arguments], cwd=self.folder.name, check=False,
                              capture_output=True, timeout=60, **options)

    def replay(self, *more, name="in.pcap", config="fairway.yaml", **options):
        done = self.run_replay("--config", config, "--in", name, "--out", "out.pcap", "--verdicts",
                               "out.jsonl", *more, **options)
        done.text = done.stderr.decode()
        return done

    def verdicts(self):
        with open(self.path("out.jsonl"), encoding="utf-8") as f:
            return [json.loads(line) for line in f]

    def out(self):
        return pcap.read(self.path("out.pcap"))

    def assert_fails(self, done, *words, status=1):
        text = done.stderr.decode()
        self.assertEqual(done.returncode, status, text)
        for word in words:
            self.assertIn(word, text)

    # ---- what it writes ----

    def test_verdicts_are_lines_of_json_in_order(self):
        self.assertEqual(self.replay().returncode, 0)
        with open(self.path("out.jsonl"), encoding="utf-8") as f:
            lines = f.read().splitlines()
        real = json.loads(lines[0])["real"]
        self.assertIn(real, ("10.0.0.1", "10.0.0.2"))
        self.assertEqual(lines, [
            '{"index":0,"verdict":"forward","reason":"forwarded","vip":"web","real":"%s"}' % real,
            '{"index":1,"verdict":"pass","reason":"not_vip","vip":null,"real":null}',
            '{"index":2,"verdict":"forward","reason":"forwarded","vip":"web","real":"%s"}' % real])

    def test_output_has_what_left_with_its_times(self):
        self.replay()
        magic, left = self.out()
        self.assertEqual(magic, pcap.NANO)
        self.assertEqual([time for time, _ in left], [SECOND, 3 * SECOND + 1])
        self.assertEqual([len(frame) for _, frame in left], [74, 74])

    def test_microseconds_stay_microseconds_in_both_byte_orders(self):
        for order in "<>":
            pcap.write(self.path("in.pcap"), [(1700000000999999, packet())], pcap.MICRO, order)
            self.assertEqual(self.replay().returncode, 0)
            self.assertEqual(self.out()[0], pcap.MICRO)
            self.assertEqual(self.out()[1][0][0], 1700000000999999)

    def test_each_output_alone_is_enough(self):
        done = self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", "--verdicts", "-")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(len(done.stdout.splitlines()), 3)
        done = self.run_replay("--config=fairway.yaml", "--in=in.pcap", "--out=-")
        self.assertEqual(done.returncode, 0)
        self.write("piped.pcap", done.stdout)
        self.assertEqual(len(pcap.read(self.path("piped.pcap"))[1]), 2)

    def test_down_takes_a_real_out(self):
        for down, other in (("10.0.0.1", "10.0.0.2"), ("10.0.0.2", "10.0.0.1")):
            self.assertEqual(self.replay("--down", down).returncode, 0)
            self.assertEqual(self.verdicts()[0]["real"], other)
        self.assertEqual(self.replay("--down", "10.0.0.1", "--down", "10.0.0.2").returncode, 0)
        self.assertEqual(self.verdicts()[0]["reason"], "no_real")
        self.assertEqual(self.out()[1], [])

    # ---- events ----

    def flows(self, n, flags):
        return [packet(source_port=40000 + i, flags=flags) for i in range(n)]

    def replay_events(self, lines, packets, step=SECOND):
        self.write("events", "".join(json.dumps(line) + "\n" for line in lines))
        pcap.write(self.path("in.pcap"), [((i + 1) * step, p) for i, p in enumerate(packets)])
        done = self.replay("--events", "events")
        self.assertEqual(done.returncode, 0, done.text)
        return [v["real"] for v in self.verdicts()]

    def test_events_drain_a_real_without_breaking_connections(self):
        first, later, new = self.flows(40, 2), self.flows(40, 16), self.flows(80, 2)[40:]
        reals = self.replay_events([{"before": 40, "drain": "10.0.0.1"}], first + later + new)
        self.assertEqual(set(reals[:40]), {"10.0.0.1", "10.0.0.2"})
        self.assertEqual(reals[:40], reals[40:80])
        self.assertEqual(set(reals[80:]), {"10.0.0.2"})

    def test_events_fail_and_return_a_real(self):
        flow = self.flows(40, 16)
        reals = self.replay_events([{"before": 0, "down": "10.0.0.2"},
                                    {"before": 40, "up": "10.0.0.2"},
                                    {"before": 40, "down": "10.0.0.1"}], flow + flow)
        self.assertEqual(reals, ["10.0.0.1"] * 40 + ["10.0.0.2"] * 40)

    def test_events_change_weights(self):
        syns = self.flows(60, 2)
        reals = self.replay_events([{"before": 0, "weight": {"10.0.0.1": 0}},
                                    {"before": 20, "weight": {"10.0.0.1": 5, "10.0.0.2": 0}}],
                                   syns)
        self.assertEqual(reals, ["10.0.0.2"] * 20 + ["10.0.0.1"] * 40)

    def test_time_passes_as_the_packets_do(self):
        """A drained real's silent flows move on once its slots have settled."""
        flow = [packet(source_port=40000 + i // 2, flags=16) for i in range(40)]
        reals = self.replay_events([{"before": 1, "drain": "10.0.0.1"}], flow, 200 * SECOND)
        self.assertEqual(set(reals[8:]), {"10.0.0.2"})

    def test_wrong_events_are_named_with_their_line(self):
        for line, word in (("{", "not JSON"), ("{}", '"before"'), ('{"before":-1}', '"before"'),
                           ('{"before":0}', "one of down"), ('{"before":0,"dwon":"x"}', "one of"),
                           ('{"before":0,"down":"10.9.9.9"}', "no pool has a real '10.9.9.9'"),
                           ('{"before":0,"down":5}', "no pool has a real"),
                           ('{"before":0,"weight":5}', "ADDRESS"),
                           ('{"before":0,"weight":{"10.0.0.1":1001}}', "0 to 1000"),
                           ('{"before":0,"weight":{"10.0.0.9":1}}', "10.0.0.9"),
                           ('{"before":0,"up":"10.0.0.1","down":"10.0.0.1"}', "one of")):
            self.write("events", '{"before":0,"down":"10.0.0.1"}\n\n' + line + "\n")
            self.assert_fails(self.replay("--events", "events"), "events:3", word)
        self.write("events", '{"before":2,"up":"10.0.0.1"}\n{"before":1,"up":"10.0.0.1"}\n')
        self.assert_fails(self.replay("--events", "events"), "events:2", "go back")
        self.assert_fails(self.replay("--events", "none"), "none", "can't open")

    def test_perf_prints_json(self):
        done = self.run_replay("--perf", "--config", "fairway.yaml", "--in", "in.pcap")
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result["verdicts"], {"forward": 2, "reply": 0, "pass": 1, "drop": 0})
        ns = result["ns_per_packet"]
        self.assertTrue(0 < ns["min"] <= ns["median"] <= ns["max"], ns)

    # ---- what it reads ----

    def test_pcapng_in_nanoseconds_and_microseconds(self):
        for resolution, unit in ((9, 1), (6, 1000)):
            time = 1700000000 * 10**resolution + 123456
            self.write("in.pcapng", pcapng([(time, packet())], resolution=resolution))
            self.assertEqual(self.replay(name="in.pcapng").returncode, 0)
            self.assertEqual(self.out(), (pcap.NANO, [(time * unit, self.out()[1][0][1])]))

    def test_standard_input(self):
        with open(self.path("in.pcap"), "rb") as f:
            done = self.replay(name="-", input=f.read())
        self.assertEqual(done.returncode, 0, done.text)
        self.assertEqual(len(self.verdicts()), 3)
        self.assertEqual(self.out()[1][1][0], 3 * SECOND + 1)

    def test_empty_capture(self):
        pcap.write(self.path("in.pcap"), [])
        self.assertEqual(self.replay().returncode, 0)
        self.assertEqual((self.verdicts(), self.out()[1]), ([], []))

    def test_cut_packets_are_decided_as_they_are_and_told(self):
        pcap.write(self.path("in.pcap"), [(1, packet()[:40], 54), (2, packet())])
        done = self.replay()
        self.assertEqual(done.returncode, 0)
        self.assertEqual([v["reason"] for v in self.verdicts()], ["ip4_total_length", "forwarded"])
        self.assertIn("1 of 2 packets were not captured whole", done.text)

    def test_a_file_that_ends_inside_a_packet_gives_what_came_before(self):
        with open(self.path("in.pcap"), "rb") as f:
            blob = f.read()
        self.write("in.pcap", blob[:-10])
        self.assert_fails(self.replay(), "in.pcap", "damaged after packet 2")
        self.assertEqual(len(self.verdicts()), 2)
        self.assertEqual(len(self.out()[1]), 1)

    def test_garbage_behind_good_packets(self):
        with open(self.path("in.pcap"), "ab") as f:
            f.write(b"\xff" * 64)
        self.assert_fails(self.replay(), "in.pcap", "damaged after packet 3")
        self.assertEqual(len(self.verdicts()), 3)

    def test_no_capture_at_all(self):
        self.write("in.pcap", b"hello, world, this is no capture")
        self.assert_fails(self.replay(), "in.pcap", "not a pcap or pcapng capture")
        self.write("in.pcap", b"")
        self.assert_fails(self.replay(), "in.pcap", "not a pcap or pcapng capture")
        self.assert_fails(self.replay(name="missing.pcap"), "missing.pcap", "No such file")
        self.assert_fails(self.replay(name="."), "capture")

    def test_other_link_types_are_refused(self):
        for link, name in ((276, "LINUX_SLL2"), (101, "RAW"), (113, "LINUX_SLL")):
            pcap.write(self.path("in.pcap"), [(1, packet())], link=link)
            self.assert_fails(self.replay(), name, "Ethernet", "tcpdump -i eth0")

    # ---- outputs that fail ----

    def test_a_full_disk_is_an_error(self):
        pcap.write(self.path("in.pcap"), [(i, packet()) for i in range(3000)])
        for out, verdicts in (("/dev/full", "v"), ("o", "/dev/full")):
            done = self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", "--out", out,
                                   "--verdicts", verdicts)
            self.assert_fails(done, "/dev/full", "No space left")
        with open("/dev/full", "wb") as full:
            done = subprocess.run([REPLAY, "--config", "fairway.yaml", "--in", "in.pcap",
                                   "--verdicts", "-"], cwd=self.folder.name, stdout=full,
                                  stderr=subprocess.PIPE, check=False)
        self.assert_fails(done, "No space left")

    def test_a_full_disk_is_an_error_even_if_only_the_last_bytes_fail(self):
        for out, verdicts in (("/dev/full", "v"), ("o", "/dev/full")):
            done = self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", "--out", out,
                                   "--verdicts", verdicts)
            self.assert_fails(done, "/dev/full", "No space left")

    def test_outputs_that_cannot_be_created(self):
        self.assert_fails(self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", "--out",
                                          "no/such/out.pcap"), "no/such/out.pcap", "No such file")
        self.assert_fails(self.run_replay("--config", "fairway.yaml", "--in", "in.pcap",
                                          "--verdicts", "no/such"), "no/such", "No such file")

    def test_inputs_are_never_overwritten(self):
        os.link(self.path("in.pcap"), self.path("twin.pcap"))
        before = os.path.getsize(self.path("in.pcap"))
        for output in (("--out", "twin.pcap"), ("--verdicts", "in.pcap"), ("--out", "./in.pcap"),
                       ("--out", "fairway.yaml"), ("--verdicts", "fairway.yaml")):
            done = self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", *output)
            self.assert_fails(done, "name another output")
        self.assertEqual(os.path.getsize(self.path("in.pcap")), before)
        self.assert_fails(self.run_replay("--config", "fairway.yaml", "--in", "in.pcap", "--out",
                                          "same", "--verdicts", "same"), "name two files")

    # ---- configurations ----

    def test_errors_of_the_configuration_name_file_and_line(self):
        self.write("fairway.yaml", CONFIG.replace("table_size", "table_sise"))
        self.assert_fails(self.replay(), "fairway.yaml:10:", "table_size")
        self.assert_fails(self.replay(config="none.yaml"), "none.yaml", "No such file")
        self.write("fairway.yaml", "")
        self.assert_fails(self.replay(), "fairway.yaml")

    def test_l2dsr_needs_a_mac_and_says_so(self):
        bad = CONFIG.replace("encap: ipip", "encap: l2dsr")
        self.write("fairway.yaml", bad)
        self.assert_fails(self.replay(), "fairway.yaml:11:", "10.0.0.1", "'web'", "mac")
        self.write("fairway.yaml", bad.replace("10.0.0.1}", "10.0.0.1, mac: 02:aa:00:00:00:01}")
                   .replace("10.0.0.2}", "10.0.0.2, mac: 02:aa:00:00:00:02}"))
        self.assertEqual(self.replay().returncode, 0)
        real = self.verdicts()[0]["real"]
        self.assertEqual(self.out()[1][0][1], bytes.fromhex("02aa000000") + bytes([int(real[-1])])
                         + bytes.fromhex("020000000002") + packet()[12:])

    def test_one_real_in_an_ipip_and_an_l2dsr_pool(self):
        """Through the tunnel it is behind the gateway, by L2 DSR it has its own mac."""
        self.write("fairway.yaml", CONFIG.replace("""vips:""", """  - name: near
    encap: l2dsr
    table_size: 251
    reals: [{address: 10.0.0.1, mac: "02:aa:00:00:00:01"}]
vips:""").replace("port: 80, pool: web}]", """port: 80, pool: web},
               {protocol: tcp, port: 81, pool: near}]"""))
        pcap.write(self.path("in.pcap"), [(1, packet(80)), (2, packet(81))])
        self.assertEqual(self.replay("--down", "10.0.0.2").returncode, 0)
        self.assertEqual([v["real"] for v in self.verdicts()], ["10.0.0.1", "10.0.0.1"])
        self.assertEqual([frame[:6].hex() for _, frame in self.out()[1]],
                         ["020000000001", "02aa00000001"])

    def test_two_macs_for_one_real_are_refused(self):
        pool = """  - name: %s
    encap: l2dsr
    table_size: 251
    reals: [{address: 10.0.0.9, mac: "%s"}]
"""
        self.write("fairway.yaml", CONFIG.replace("vips:", pool % ("a", "02:aa:00:00:00:01") +
                                                  pool % ("b", "02:aa:00:00:00:02") + "vips:"))
        self.assert_fails(self.replay(), "10.0.0.9", "another mac")

    def test_down_must_be_a_real(self):
        self.assert_fails(self.replay("--down", "10.0.0.99"), "10.0.0.99", "no pool")

    # ---- the command line ----

    def test_wrong_usage_is_told_and_ends_with_2(self):
        good = ["--config", "fairway.yaml", "--in", "in.pcap", "--out", "out.pcap"]
        for arguments, words in (
                ([], ["--config"]),
                (["--config", "fairway.yaml"], ["--in FILE is missing"]),
                (good[:4], ["--out", "--verdicts"]),
                (good + ["--verdict", "x"], ["'--verdict'", "did you mean '--verdicts'?"]),
                (good + ["--ouput", "x"], ["did you mean '--out'?"]),
                (good + ["--frobnicate"], ["unknown option '--frobnicate'"]),
                (good + ["-x"], ["unknown option '-x'"]),
                (good + ["extra"], ["'extra'"]),
                (good + ["--engine", "xpd"], ["'xpd'", "did you mean 'xdp'?"]),
                (good + ["--engine", "ebpf"], ["'ebpf'", "native, xdp or dpdk"]),
                (good + ["--engine", "native", "--engine", "xdp"], ["--engine is given twice"]),
                (good + ["--out", "b"], ["--out is given twice"]),
                (good + ["--down"], ["--down needs a value"]),
                (good + ["--down", "10.0.0"], ["'10.0.0' is no IPv4 or IPv6 address"]),
                (good + ["--perf"], ["--perf"]),
                (good + ["--perf=1"], ["--perf takes no value"]),
                (good[:4] + ["--out", "-", "--verdicts", "-"], ["standard output"]),
                (good[:4] + ["--out", ""], ["is empty"])):
            with self.subTest(arguments):
                done = self.run_replay(*arguments)
                self.assert_fails(done, *words, "--help", status=2)
                self.assertEqual(done.stdout, b"")
        self.assertFalse(os.path.exists(self.path("out.pcap")))

    def test_help_and_version(self):
        for word in ("--help", "--version"):
            done = self.run_replay(word)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
        text = self.run_replay("--help").stdout.decode()
        for option in ("--engine", "--config", "--in", "--out", "--verdicts", "--down", "--perf"):
            self.assertIn(option, text)
        self.assertLessEqual(max(map(len, text.splitlines())), 100)

    def test_the_xdp_engine_says_what_it_needs(self):
        if os.geteuid() != 0:
            self.skipTest("needs root, to give it up")
        os.chmod(self.folder.name, 0o777)
        done = self.replay("--engine", "xdp", user=65534, group=65534, extra_groups=[])
        self.assert_fails(done, "needs root", "--engine native")


if __name__ == "__main__":
    REPLAY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
