# SPDX-License-Identifier: BSD-2-Clause
"""Scenarios through fairway-replay.

A start of an engine costs far more than a packet, so scenarios of one configuration share a
process: each begins an hour after the one before, when fragments are forgotten and rate limits
full again. What a scenario changed is undone behind it, half an hour before the next, so that the
pool has settled. A scenario with 'alone' has a process, and so fresh tables, to itself.
"""
import json
import os
import subprocess

import pcap
from scenario import Packet, ScenarioError
from packet import PacketError, build

START_NS = 1_700_000_000 * 10**9
SECOND_NS = 10**9
HOUR_NS = 3600 * 10**9
REST_NS = HOUR_NS // 2
NO_PRIVILEGE = "needs root"
# Sent while the pool settles; nobody's business, and not judged.
SPACER = bytes(build("eth / arp").data)
UNDO = {"down": "up", "drain": "enable"}


class Unavailable(Exception):
    """The engine can't run here."""


class Result:
    """What an engine said about a packet and what left. verdict: the parsed line."""

    def __init__(self, verdict, left):
        self.verdict, self.left = verdict, left


class Batch:
    """Scenarios for one process. packets: (scenario, step), with None for a spacer."""

    def __init__(self, scenarios):
        self.scenarios = scenarios
        self.packets, self.events, self.frames = [], [], []
        for index, scenario in enumerate(scenarios):
            self.add(scenario, START_NS + index * HOUR_NS)

    def add(self, scenario, start_ns):
        changed_ns = None
        for step in scenario.steps:
            if isinstance(step, Packet):
                # A change has the time of the packet behind it, so when time passes between them
                # it needs one of its own.
                if changed_ns is not None and step.time_ns > changed_ns + SECOND_NS:
                    self.space(start_ns + changed_ns)
                changed_ns = None
                step.frame = frame_of(scenario, step)
                self.packets.append((scenario, step))
                self.frames.append((start_ns + step.time_ns, step.frame))
            else:
                if changed_ns is not None and step.time_ns > changed_ns + SECOND_NS:
                    self.space(start_ns + changed_ns)
                self.event(step.what)
                changed_ns = step.time_ns
        for what in undo(scenario):
            self.event(what)
        if scenario.controls:
            self.space(start_ns + REST_NS)

    def space(self, time_ns):
        self.packets.append(None)
        self.frames.append((time_ns, SPACER))

    def event(self, what):
        self.events.append({"before": len(self.packets), **what})


def undo(scenario):
    """What takes back all changes of a scenario."""
    taken, weights = {}, {}
    for step in scenario.controls:
        (key, value), = step.what.items()
        if key == "weight":
            weights.update(value)
        elif key in UNDO:
            taken[UNDO[key], value] = None
        else:
            taken.pop((key, value), None)
    for key, real in taken:
        yield {key: real}
    if weights:
        yield {"weight": {real: scenario.weight_of(real) for real in weights}}


def frame_of(scenario, step):
    try:
        return bytes(build(step.text).data)
    except PacketError as e:
        raise ScenarioError(f"{scenario.place(step.line)}: {e}") from None


def batches(scenarios):
    """Put scenarios together that may share a process."""
    shared, single = {}, []
    for s in scenarios:
        if s.alone:
            single.append([s])
        else:
            shared.setdefault(s.config, []).append(s)
    return [Batch(group) for group in [*shared.values(), *single]]


def run(program, engine, batch, folder):
    """A Result for each packet of the batch, in order; raises Unavailable, ScenarioError."""
    path = {name: os.path.join(folder, name)
            for name in ("fairway.yaml", "in.pcap", "out.pcap", "verdicts.jsonl", "events.jsonl")}
    with open(path["fairway.yaml"], "w", encoding="utf-8") as f:
        f.write(batch.scenarios[0].config)
    pcap.write(path["in.pcap"], batch.frames)
    command = [program, "--engine", engine, "--config", path["fairway.yaml"], "--in",
               path["in.pcap"], "--out", path["out.pcap"], "--verdicts", path["verdicts.jsonl"]]
    if batch.events:
        with open(path["events.jsonl"], "w", encoding="utf-8") as f:
            f.writelines(json.dumps(event) + "\n" for event in batch.events)
        command += ["--events", path["events.jsonl"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode and NO_PRIVILEGE in done.stderr:
        raise Unavailable(done.stderr.strip())
    if done.returncode:
        raise ScenarioError(f"{batch.scenarios[0].place()}: {' '.join(command)}: "
                            f"exit {done.returncode}\n{done.stderr.strip()}")
    return results(batch, path)


def results(batch, path):
    with open(path["verdicts.jsonl"], encoding="utf-8") as f:
        verdicts = [json.loads(line) for line in f]
    left = iter(pcap.read(path["out.pcap"]))
    if len(verdicts) != len(batch.packets):
        raise ScenarioError(f"fairway-replay wrote {len(verdicts)} verdicts for "
                            f"{len(batch.packets)} packets")
    made = []
    for (time_ns, _), verdict in zip(batch.frames, verdicts):
        leaves = verdict["verdict"] in ("forward", "reply")
        out = next(left, (None, None)) if leaves else (time_ns, None)
        if leaves and out[0] != time_ns:
            raise ScenarioError(f"packet {verdict['index']} came at {time_ns}, what left has "
                                f"{out[0]}")
        made.append(Result(verdict, out[1]))
    if next(left, None):
        raise ScenarioError("more packets left than were forwarded or answered")
    return made
