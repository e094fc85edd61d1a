# SPDX-License-Identifier: BSD-2-Clause
"""Holds what an engine did against what a scenario expects, and says what is wrong."""
import ipaddress
import re

from decode import beside, explain_difference
from packet import PacketError, build
from scenario import ScenarioError


def verdict_text(verdict):
    words = [verdict["verdict"], verdict["reason"]]
    words += [f"{key}={verdict[key]}" for key in ("vip", "real") if verdict[key]]
    return " ".join(words)


class Memory:
    """What ?names stand for, once for each packet that 'each' makes of a step."""

    def __init__(self):
        self.instances = {}

    def of(self, instance):
        return self.instances.setdefault(instance, {})


def real_is(expected, got, bound):
    """expected: None, an address, several with '|' between, *, or ?name."""
    if expected is None or got is None:
        return expected == got
    if expected == "*":
        return True
    if expected.startswith("?"):
        return bound.setdefault(expected, got) == got
    return got in [str(ipaddress.ip_address(a)) for a in expected.split("|")]


def with_bound(text, bound):
    """Addresses in the place of ?names that a verdict has learnt."""
    return re.sub(r"\?\w+", lambda m: str(bound.get(m[0], m[0])), text)


def check_packet(scenario, step, result, bound):
    """Lines that say what is wrong; none if nothing is."""
    expected, got = step.verdict, result.verdict
    lines = []
    same = (expected.verdict == got["verdict"] and expected.reason == got["reason"] and
            expected.vip == got["vip"] and real_is(expected.real, got["real"], bound))
    if not same:
        lines += ["verdict", f"    expected  {with_bound(str(expected), bound)}",
                  f"    got       {verdict_text(got)}"]
    if result.left is None or step.out is None:
        if result.left is not None:
            lines += ["what left"] + beside(b"", result.left)
        return lines
    return lines + check_left(scenario, step, result.left, bound)


def check_left(scenario, step, left, bound):
    try:
        frame = build(with_bound(step.out, bound), step.frame)
        frame.take_free(left, bound)
    except (PacketError, IndexError) as e:
        raise ScenarioError(f"{scenario.place(step.line)}: out: {e}") from None
    if frame.data == left:
        return []
    return ["what left"] + ["    " + line if i == 0 else line for i, line in
                            enumerate(explain_difference(bytes(frame.data), left))]


def report(scenario, step, engine, lines):
    """A failure as a person wants to read it."""
    where = f"{scenario.place(step.line)}"
    packets = scenario.packets
    head = [f"FAILED  {scenario.title}", f"  {where}, packet {packets.index(step) + 1} of "
            f"{len(packets)}, engine {engine}"]
    head += [f"  why so: {scenario.why}"] if scenario.why else []
    head += [f"  in: {step.text}"]
    return "\n".join(head + ["  " + line for line in lines] +
                     [f"  again: testbed/scenarios/run --engine {engine} '{scenario.title}'"])


def judge(batch, results, engine):
    """(scenario, text) for each scenario that failed: its first packet that is wrong."""
    failed, memories = {}, {}
    for sent, result in zip(batch.packets, results):
        if sent is None or sent[0] in failed:
            continue
        scenario, step = sent
        memory = memories.setdefault(scenario, Memory())
        lines = check_packet(scenario, step, result, memory.of(step.instance))
        if lines:
            failed[scenario] = report(scenario, step, engine, lines)
    return failed


def compare(batch, results, reference, engine):
    """The bits that expectations leave open are native's too."""
    failed = {}
    for sent, mine, native in zip(batch.packets, results, reference):
        if sent is None or sent[0] in failed or \
                (mine.verdict == native.verdict and mine.left == native.left):
            continue
        scenario, step = sent
        lines = ["native decided otherwise", f"    native    {verdict_text(native.verdict)}",
                 f"    {engine:<9} {verdict_text(mine.verdict)}"]
        if mine.left and native.left and mine.left != native.left:
            lines += explain_difference(native.left, mine.left)
        failed[scenario] = report(scenario, step, engine, lines)
    return failed
