#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Replays random frames through one engine and compares every verdict and every byte that leaves
with what oracle.py works out from the documentation.

    check.py REPLAY ENGINE [PACKETS] [SEED]

Exit status: 0 all is as it must be, 1 not, 77 the engine can't run here.
"""
import collections
import copy
import ipaddress
import json
import os
import subprocess
import sys
import tempfile

import yaml

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import corpus  # noqa: E402
import oracle  # noqa: E402
import outer  # noqa: E402
import pcap  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))

# What the corpus must lead to, so that it can't wither unseen.
REASONS = set("""
    forwarded fragment_followed icmp_error echo_answered echo_down too_big_answered not_ip vlan_depth
    multicast not_vip not_tcp_udp eth_truncated ip4_truncated ip4_version ip4_header_length
    ip4_total_length
    ip6_truncated ip6_version ip6_payload_length ip6_extension ip6_extension_depth ip6_routing
    l4_truncated tcp_header_length udp_length fragment_early fragment_overlap martian_source land
    encapsulated denied icmp_fragment icmp_quote icmp_no_flow looped no_real too_big
    """.split())


def replay(program, engine, folder, config, packets, down=(), magic=pcap.NANO, order="<"):
    """Verdicts, magic and packets of the output."""
    paths = {name: os.path.join(folder, name)
             for name in ("config.yaml", "in.pcap", "out.pcap", "out.jsonl")}
    with open(paths["config.yaml"], "w", encoding="utf-8") as f:
        yaml.safe_dump(config, f)
    pcap.write(paths["in.pcap"], packets, magic, order)
    command = [program, "--engine", engine, "--config", paths["config.yaml"], "--in",
               paths["in.pcap"], "--out", paths["out.pcap"], "--verdicts", paths["out.jsonl"]]
    for address in down:
        command += ["--down", address]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if engine == "xdp" and "needs root" in done.stderr:
        print("SKIP: " + done.stderr)
        sys.exit(77)
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{done.stderr}"
    with open(paths["out.jsonl"], encoding="utf-8") as f:
        verdicts = [json.loads(line) for line in f]
    return (verdicts,) + pcap.read(paths["out.pcap"])


class Judge:
    def __init__(self, config, down):
        self.oracle = oracle.Oracle(config, down)
        self.outer = outer.Outer(self.oracle.source)
        self.real_of_choice, self.entropy_of_flow = {}, {}
        self.seen = collections.Counter()
        self.shares = collections.defaultdict(collections.Counter)

    def packet(self, index, frame, verdict, left):
        """left: iterator over the output. Raises AssertionError."""
        now_ns = self.times[index] * self.unit
        expected = self.oracle.decide(frame, now_ns)
        real = ipaddress.ip_address(verdict["real"]) if verdict["real"] else None
        if expected.unsure:
            next(left if verdict["verdict"] in ("forward", "reply") else iter(()), None)
            return
        if real in expected.reals:
            self.oracle.decide_for(expected, frame, real)
        self.seen[expected.reason] += 1
        self.check_verdict(index, verdict, expected, real)
        out = self.output(index, expected, left)
        if expected.verdict == "forward":
            self.oracle.sent(expected, real, now_ns)
        if out is None:
            return
        entropy = self.outer.check(frame, out, expected, real)
        if expected.flow and expected.verdict == "forward":
            known = self.entropy_of_flow.setdefault(expected.flow, entropy)
            assert known == entropy, f"entropy of this flow was {known}, now {entropy}"
            self.shares[expected.flow[-1]][real] += 1

    def check_verdict(self, index, verdict, expected, real):
        assert list(verdict) == ["index", "verdict", "reason", "vip", "real"], verdict
        assert verdict["index"] == index, f"index {verdict['index']}"
        for key in ("verdict", "reason", "vip"):
            assert verdict[key] == getattr(expected, key), \
                f"{key} is {verdict[key]!r}, expected {getattr(expected, key)!r}"
        if not expected.reals:
            assert real is None, f"real {real} where there is none"
            return
        assert real in expected.reals, f"real {real} may not be chosen"
        if expected.choice:
            known = self.real_of_choice.setdefault(expected.choice, real)
            assert known == real, f"this flow went to {known} before, now to {real}"

    def output(self, index, expected, left):
        if not expected.leaves:
            return None
        out = next(left, None)
        assert out is not None, "the output lacks this packet"
        assert out[0] == self.times[index], f"timestamp {out[0]}, came at {self.times[index]}"
        return out[1]

    def run(self, packets, verdicts, left, unit):
        """unit: nanoseconds in a unit of the packets' times."""
        self.times, self.unit = [time for time, _ in packets], unit
        left = iter(left)
        assert len(verdicts) == len(packets), f"{len(verdicts)} verdicts, {len(packets)} packets"
        for index, ((_, frame), verdict) in enumerate(zip(packets, verdicts)):
            try:
                self.packet(index, frame, verdict, left)
            except AssertionError as e:
                raise AssertionError(f"packet {index}: {e}\n  frame {frame[:160].hex()} "
                                     f"({len(frame)} bytes)\n  verdict {verdict}") from e
        assert next(left, None) is None, "more packets left than were forwarded"


def entropy_of_source(entropies):
    """The part of each entropy that stands in the source address."""
    return {e[0][1] if isinstance(e[0], tuple) else e[0] for e in entropies if e is not None}


def scenario(program, engine, folder, config, seed, n, down=(), magic=pcap.NANO, order="<"):
    frames = corpus.Corpus(config, seed).frames(n)
    step = 1_000_000_007 if magic == pcap.NANO else 1_000_003
    packets = [(1_700_000_000 * (10**9 if magic == pcap.NANO else 10**6) + i * step, frame)
               for i, frame in enumerate(frames)]
    verdicts, out_magic, left = replay(program, engine, folder, config, packets, down, magic, order)
    judge = Judge(config, down)
    judge.run(packets, verdicts, left, 1 if magic == pcap.NANO else 1000)
    assert out_magic == magic, "the precision of timestamps changed"
    return judge


def check_perf(program, engine, folder, config, seed, n):
    """--perf goes round the very packets of a run, and its verdicts are the same."""
    corp = corpus.Corpus(config, seed)
    packets = [(1_700_000_000_000_000_000 + i, corp.plain()) for i in range(n)]
    verdicts, _, _ = replay(program, engine, folder, config, packets)
    count = collections.Counter(v["verdict"] for v in verdicts)
    done = subprocess.run([program, "--perf", "--engine", engine, "--config",
                           os.path.join(folder, "config.yaml"), "--in",
                           os.path.join(folder, "in.pcap")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"--perf: exit {done.returncode}\n{done.stderr}"
    result = json.loads(done.stdout)
    assert result["engine"] == engine
    assert result["packets"] + result["packets_skipped"] == n
    assert sum(result["verdicts"].values()) == result["packets"]
    assert 0 < result["verdicts"]["forward"] <= count["forward"]
    ns = result["ns_per_packet"]
    assert 0 <= ns["min"] <= ns["median"] <= ns["max"] and ns["median"] > 0, ns


def main():
    program, engine = sys.argv[1], sys.argv[2]
    n = int(sys.argv[3]) if len(sys.argv) > 3 else 4000
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    with open(os.path.join(HERE, "edge.yaml"), encoding="utf-8") as f:
        plain = yaml.safe_load(f)
    prefixes = copy.deepcopy(plain)
    prefixes["node"]["tunnel_source"] = {"ipv4": "198.18.0.0/15", "ipv6": "2001:db8:ff::/64"}
    prefixes["node"]["hash_seed"] = "fedcba9876543210fedcba9876543210"
    with tempfile.TemporaryDirectory() as folder:
        first = scenario(program, engine, folder, plain, seed, n)
        second = scenario(program, engine, folder, prefixes, seed + 1, n, magic=pcap.MICRO)
        scenario(program, engine, folder, plain, seed + 2, n // 4, order=">",
                 down=["10.0.0.11", "2001:db8:1::12"])
        check_perf(program, engine, folder, plain, seed + 3, n // 4)
    labelled = [e[0][0] for e in first.entropy_of_flow.values() if e and isinstance(e[0], tuple)]
    assert len(set(labelled)) > 0.9 * len(labelled), \
        f"{len(set(labelled))} flow labels for {len(labelled)} flows"
    assert entropy_of_source(first.entropy_of_flow.values()) == {0}, "an address has no entropy"
    many = entropy_of_source(second.entropy_of_flow.values())
    flows = sum(e is not None for e in second.entropy_of_flow.values())
    assert len(many) > 0.9 * flows, f"{len(many)} sources for {flows} flows"
    missing = sorted(REASONS - set(first.seen))
    assert not missing, f"the corpus has no packet for {', '.join(missing)}"
    print(f"{engine}: {sum(first.seen.values())} + {sum(second.seen.values())} packets, "
          f"{len(first.entropy_of_flow)} flows, as they must be")
    print(", ".join(f"{reason} {count}" for reason, count in first.seen.most_common()))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssertionError as problem:
        print(f"FAILED: {problem}")
        sys.exit(1)
