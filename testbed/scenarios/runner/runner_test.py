#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The notation, the format and the judgement of scenarios. A runner that can't fail proves nothing,
so most of this is about what it must refuse."""
import os
import subprocess
import sys
import tempfile
import unittest

import yaml

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import decode  # noqa: E402
import judge  # noqa: E402
import packet  # noqa: E402
import replay  # noqa: E402
import scenario  # noqa: E402

CONFIG = """
config: |
  node: {name: t}
  pools: [{name: p, reals: [{address: 10.0.0.1}, {address: 10.0.0.2, weight: 7}]}]
  vips: []
"""


def data(text, came=None):
    return bytes(packet.build(text, came).data)


def load(text):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as f:
        f.write(CONFIG + text)
        f.flush()
        return scenario.load(f.name)


class Notation(unittest.TestCase):
    def test_frames_are_those_of_another_builder(self):
        with open(os.path.join(HERE, "vectors.txt"), encoding="utf-8") as f:
            vectors = yaml.safe_load(f)
        self.assertGreater(len(vectors), 5)
        for text, expected in vectors:
            self.assertEqual(data(text).hex(), expected, text)

    def test_decoding_names_every_byte(self):
        for text in ("eth / ip4 nops=8 / tcp nops=4 / payload 9 / pad 3",
                     "eth / vlan id=5 / ip6 / hop / frag mf / dstopt size=16 / udp / payload 3",
                     "eth / ip4 / icmp4 type=3 / ip4 / tcp trim=8", "eth / arp", "raw 0102",
                     "eth / ip4 / udp dport=6080 checksum=0 / ip6 / tcp"):
            frame = data(text)
            lines = decode.decode(frame)
            self.assertEqual(lines[0].start, 0)
            for a, b in zip(lines, lines[1:]):
                self.assertEqual(a.end, b.start, text)
            self.assertEqual(lines[-1].end, len(frame), text)

    def test_no_cut_frame_trips_the_decoder(self):
        whole = data("eth / vlan id=5 / ip6 / hop / frag mf / dstopt size=16 / icmp6 type=2 / ip6 /"
                     " tcp nops=4 / payload 3")
        for length in range(len(whole) + 1):
            lines = decode.decode(whole[:length])
            self.assertEqual(lines[-1].end if lines else 0, length)

    def test_checksums_can_be_bent(self):
        right, wrong = data("eth / ip4 / tcp"), data("eth / ip4 / tcp checksum=bad")
        self.assertEqual(right[:50], wrong[:50])
        self.assertNotEqual(right[50:52], wrong[50:52])
        self.assertEqual(data("eth / ip4 / udp checksum=0")[40:42], b"\0\0")
        self.assertEqual(data("eth / ip4 checksum=0xabcd / udp")[24:26], b"\xab\xcd")

    def test_references_to_what_came(self):
        came = data("eth / vlan id=7 / ip4 / udp / payload 2 / pad 5")
        ip = data("eth / ip4 / udp / payload 2")[14:]
        self.assertEqual(data("eth / ip4 src=1.1.1.1 dst=2.2.2.2 / inner", came)[34:], ip)
        self.assertEqual(data("eth / ip4 / inner trim=9", came)[34:], ip[:9])
        self.assertEqual(data("eth dst=02:00:00:00:00:07 / unchanged", came)[12:], came[12:])

    def test_mistakes_are_named(self):
        for text, words in (("eth / ip5", "unknown layer 'ip5': did you mean 'ip6'"),
                            ("eth / tcp dprt=5", "no field 'dprt': did you mean 'dport'"),
                            ("eth / ip4 ttl=300", "doesn't fit into 8 bits"),
                            ("eth / ip4 ttl", "needs a value"),
                            ("eth / ip4 offset=9", "no multiple of 8"),
                            ("eth / ip4 src=1.2.3", "src=1.2.3"),
                            ("eth / ip4 ttl=1/2", "only an address may have a prefix"),
                            ("eth / inner", "belongs into 'out'"),
                            ("eth / pad 5 / ip4", "stands at the end"),
                            ("eth / hex 0g", "isn't hexadecimal"),
                            ("", "no layers")):
            with self.assertRaisesRegex(packet.PacketError, words.replace("(", r"\(")):
                packet.build(text)


class Files(unittest.TestCase):
    def test_each_makes_packets_step_by_step(self):
        (s,) = load("""
scenarios:
  - name: a
    each: {p: 1..3, f: [S, A]}
    steps:
      - {in: eth / ip4 / tcp sport=$p flags=$f, verdict: pass not_vip}
      - {down: 10.0.0.1}
      - {advance: 10s}
      - {in: eth / ip4 / tcp sport=$p, verdict: pass not_vip}
""")
        self.assertEqual(len(s.packets), 12)
        self.assertEqual(s.packets[1].text, "eth / ip4 / tcp sport=1 flags=A")
        self.assertIsInstance(s.steps[6], scenario.Control)
        self.assertEqual(s.packets[6].time_ns - s.packets[5].time_ns, 10**10 + 10**6)

    def test_events_stand_before_the_packet_they_precede(self):
        (s,) = load("""
scenarios:
  - name: a
    steps:
      - {down: 10.0.0.1}
      - {in: eth / arp, verdict: pass not_ip}
      - {up: 10.0.0.1}
      - {weight: {$a: 5}}
      - {in: eth / arp, verdict: pass not_ip}
words: {a: 10.0.0.1}
""")
        self.assertEqual(replay.Batch([s]).events[:3], [{"before": 0, "down": "10.0.0.1"},
                                                        {"before": 1, "up": "10.0.0.1"},
                                                        {"before": 1, "weight": {"10.0.0.1": 5}}])

    def test_changes_are_undone_half_an_hour_before_the_next(self):
        one, two = load("""
scenarios:
  - name: a
    steps:
      - {down: 10.0.0.1}
      - {drain: 10.0.0.2}
      - {down: 10.0.0.3}
      - {up: 10.0.0.3}
      - {weight: {10.0.0.2: 1}}
      - {in: eth / arp, verdict: pass not_ip}
  - {name: b, in: eth / arp, verdict: pass not_ip}
""")
        batch = replay.Batch([one, two])
        self.assertEqual([e for e in batch.events if e["before"] == 1],
                         [{"before": 1, "up": "10.0.0.1"}, {"before": 1, "enable": "10.0.0.2"},
                          {"before": 1, "weight": {"10.0.0.2": 7}}])
        times = [time - batch.frames[0][0] for time, _ in batch.frames]
        self.assertEqual(times, [0, replay.HOUR_NS // 2, replay.HOUR_NS])
        self.assertEqual(batch.packets, [(one, one.packets[0]), None, (two, two.packets[0])])

    def test_a_change_happens_before_the_time_that_passes_behind_it(self):
        (s,) = load("""
scenarios:
  - name: a
    steps:
      - {down: 10.0.0.1}
      - {advance: 10m}
      - {up: 10.0.0.1}
      - {advance: 5m}
      - {in: eth / arp, verdict: pass not_ip}
""")
        batch = replay.Batch([s])
        times = [time - batch.frames[0][0] for time, _ in batch.frames]
        self.assertEqual(times, [0, 600 * 10**9, 900 * 10**9, replay.HOUR_NS // 2])
        self.assertEqual([e["before"] for e in batch.events], [0, 1])

    def test_scenarios_have_clients_of_their_own(self):
        one, two = load("""
scenarios:
  - {name: a, in: eth / ip4 src=$client, verdict: pass not_ip}
  - {name: b, in: eth / ip6 src=$client6, verdict: pass not_ip}
""")
        self.assertEqual(one.packets[0].text, "eth / ip4 src=100.64.0.1")
        self.assertEqual(two.packets[0].text, "eth / ip6 src=2001:db8:c:2::7")

    def test_only_scenarios_alone_have_a_process_alone(self):
        made = load("""
scenarios:
  - {name: a, in: eth / arp, verdict: pass not_ip}
  - {name: b, alone: true, in: eth / arp, verdict: pass not_ip}
  - {name: c, steps: [{up: 10.0.0.1}, {in: eth / arp, verdict: pass not_ip}]}
""")
        self.assertEqual([[s.name for s in b.scenarios] for b in replay.batches(made)],
                         [["a", "c"], ["b"]])

    def test_mistakes_are_named_with_their_line(self):
        for text, words in (
                ("scenaros: []", ":7.*no 'scenaros'.*did you mean 'scenarios'"),
                ("scenarios: [{in: eth}]", ":7.*needs a name"),
                ("scenarios: [{name: a}]", ":7.*either 'in' or 'steps'"),
                ("scenarios: [{name: a, in: eth}]", ":7.*what is expected"),
                ("scenarios: [{name: a, in: eth, verdict: drop}]", ":7.*VERDICT REASON"),
                ("scenarios: [{name: a, in: eth, verdict: drop x out}]", "where vip=NAME"),
                ("scenarios: [{name: a, in: eth, verdict: drop x, out: eth}]", "has no 'out'"),
                ("scenarios: [{name: a, in: eth, verdict: reply x}]", "needs out"),
                ("scenarios: [{name: a, in: eth $b, verdict: drop x}]", "no word '\\$b'"),
                ("scenarios: [{name: a, name: b}]", "stands twice"),
                ("scenarios: [{name: a, steps: [{advance: 5}]}]", "no time"),
                ("scenarios: [{name: a, steps: [{weight: 10.0.0.1}]}]", "write {ADDRESS: N}"),
                ("scenarios:\n  - {name: a, in: e, verdict: drop x}\n"
                 "  - {name: a, in: e, verdict: drop x}", ":9: two scenarios"),
                ("words: {a: $b, b: $a}\nscenarios: [{name: a, in: $a, verdict: drop x}]",
                 "contain themselves")):
            with self.assertRaisesRegex(scenario.ScenarioError, words, msg=text):
                load("\n" + text)


class Judgement(unittest.TestCase):
    def judge(self, verdict, out, got, left, frame="eth / ip4 / tcp", bound=None):
        s = scenario.Scenario("x.yaml", 1, "a", None, "", False, [])
        step = scenario.Packet(1, frame, scenario.parse_verdict(verdict, "x"), out, 0, 0)
        step.frame = data(frame)
        s.steps.append(step)
        names = dict(zip(("verdict", "reason", "vip", "real"), got))
        return judge.check_packet(s, step, replay.Result(names, left),
                                  {} if bound is None else bound)

    def test_every_part_of_the_verdict_counts(self):
        good = ("drop", "too_big", "web", "10.0.0.1")
        text = "drop too_big vip=web real=10.0.0.1"
        self.assertEqual(self.judge(text, None, good, None), [])
        for i, wrong in enumerate(("pass", "no_real", None, None)):
            self.assertTrue(self.judge(text, None, good[:i] + (wrong,) + good[i + 1:], None))
        self.assertTrue(self.judge("drop too_big", None, good, None))

    def test_every_byte_that_left_counts(self):
        out = "eth / ip4 id=* / inner"
        right = bytearray(data("eth / ip4 id=0x7777 / ip4 / tcp"))
        self.assertEqual(self.judge("forward x", out, ("forward", "x", None, None), right), [])
        for i in range(len(right)):
            wrong = bytearray(right)
            wrong[i] ^= 0x10
            lines = self.judge("forward x", out, ("forward", "x", None, None), wrong)
            self.assertTrue(lines, i)
            self.assertTrue(any("first difference at byte" in line for line in lines), i)
        for wrong in (right[:-1], right + b"\0", b""):
            self.assertTrue(self.judge("forward x", out, ("forward", "x", None, None), wrong))

    def test_a_free_field_may_be_held_to_be_the_same(self):
        out, bound = "eth / ip6 flow=?f / inner", {}
        got = ("forward", "x", None, None)
        one, two = (data(f"eth / ip6 flow={f} / ip4 / tcp") for f in (5, 6))
        self.assertEqual(self.judge("forward x", out, got, one, bound=bound), [])
        self.assertEqual(self.judge("forward x", out, got, one, bound=bound), [])
        self.assertTrue(self.judge("forward x", out, got, two, bound=bound))

    def test_an_address_may_be_any_of_a_prefix(self):
        got = ("forward", "x", None, None)
        for source, fine in (("198.18.0.0", True), ("198.18.255.1", True), ("198.19.0.1", False)):
            left = data(f"eth / ip4 src={source} / ip4 / tcp")
            wrong = self.judge("forward x", "eth / ip4 src=198.18.0.0/16 / inner", got, left)
            self.assertEqual(not wrong, fine, source)

    def test_a_real_may_be_one_of_several_and_must_then_stay(self):
        bound = {}

        def real(expected, got):
            return not self.judge(f"drop x real={expected}", None, ("drop", "x", None, got), None,
                                  bound=bound)
        self.assertTrue(real("10.0.0.1|10.0.0.2", "10.0.0.2"))
        self.assertFalse(real("10.0.0.1|10.0.0.2", "10.0.0.3"))
        self.assertFalse(real("10.0.0.1|10.0.0.2", None))
        self.assertTrue(real("?r", "10.0.0.3"))
        self.assertTrue(real("?r", "10.0.0.3"))
        self.assertFalse(real("?r", "10.0.0.4"))


class Command(unittest.TestCase):
    def run_it(self, *arguments):
        return subprocess.run([os.path.join(HERE, "../run"), *arguments], capture_output=True,
                              text=True, check=False)

    def test_lists_and_shows(self):
        names = self.run_it("--list").stdout.splitlines()
        self.assertGreater(len(names), 100)
        shown = self.run_it("--show", names[0])
        self.assertIn(names[0], shown.stdout)
        self.assertEqual(shown.returncode, 0)

    def test_says_what_is_wrong(self):
        done = self.run_it("no such scenario")
        self.assertEqual(done.returncode, 2)
        self.assertIn("no scenario is called 'no such scenario'", done.stderr)
        done = self.run_it("--replay", "/nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertIn("isn't built", done.stderr)


if __name__ == "__main__":
    unittest.main()
