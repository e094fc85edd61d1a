#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""`fairway explain` gives the answer that the wire gives: a fairwayd with the configuration of each
scenario, in a network namespace of its own, is asked about the flow of every packet that a question
can describe (a whole TCP or UDP packet without tags, options or extension headers), and must name
the verdict, reason, VIP and real that fairway-replay has for it.

    explain_test.py FAIRWAYD FAIRWAY-REPLAY
"""
import ipaddress
import json
import os
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

import yaml  # noqa: E402

import replay  # noqa: E402
from decode import decode  # noqa: E402
from headers import TCP, UDP, TYPE_IP4, TYPE_IP6  # noqa: E402
from scenario import files, load  # noqa: E402

INSIDE, SKIP = "FAIRWAY_EXPLAIN_INSIDE", 77
SECONDS = 30
# What a question about the first packet of a flow can lead to; the rest is about single packets.
COMPARED = {"forwarded", "not_vip", "no_real", "denied", "martian_source", "land"}
FRAME_MAX = 1500


def run(*argv):
    subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)


def question(frame):
    """The flow of a frame as explain's parameters, or None."""
    four = int.from_bytes(frame[12:14], "big") == TYPE_IP4
    kinds = [line.text.split()[0] for line in decode(frame)]
    if len(frame) > FRAME_MAX or int.from_bytes(frame[12:14], "big") not in (TYPE_IP4, TYPE_IP6):
        return None
    ip = "ip4" if four else "ip6"
    if kinds[:3] not in (["eth", ip, "tcp"], ["eth", ip, "udp"]):
        return None
    if four and (frame[14] != 0x45 or int.from_bytes(frame[20:22], "big") & 0x3FFF):
        return None
    at = 34 if four else 54
    source, to = (frame[26:30], frame[30:34]) if four else (frame[22:38], frame[38:54])
    ports = int.from_bytes(frame[at:at + 2], "big"), int.from_bytes(frame[at + 2:at + 4], "big")
    return {"protocol": {TCP: "tcp", UDP: "udp"}[frame[23] if four else frame[20]],
            "source": endpoint(source, ports[0]), "destination": endpoint(to, ports[1])}


def endpoint(address, port):
    address = ipaddress.ip_address(address)
    return f"{address}:{port}" if address.version == 4 else f"[{address}]:{port}"


def questions(scenarios, program, folder):
    """[(scenario, step, parameters, the wire's verdict)] for one configuration."""
    batch = replay.Batch(scenarios)
    found, seen = [], set()
    for (scenario, step), result in zip(batch.packets, replay.run(program, "native", batch, folder)):
        asked = question(step.frame)
        key = json.dumps(asked)
        if not asked or result.verdict["reason"] not in COMPARED or key in seen:
            continue
        if "quic" in step.text or " len=" in step.text:
            continue
        seen.add(key)
        found.append((scenario, step, asked, result.verdict))
    return found


class Daemon:
    """A fairwayd with a configuration, on a veth pair, every real's neighbour known."""

    def __init__(self, program, config, folder):
        self.folder = folder
        self.log = open(os.path.join(folder, "log"), "w+b")  # pylint: disable=consider-using-with
        self.network(yaml.safe_load(config))
        path = {name: os.path.join(folder, name) for name in ("fairway.yaml", "s", "bpf", "state")}
        for name in ("bpf", "state"):
            os.mkdir(path[name])
        run("mount", "-t", "bpf", "bpf", path["bpf"])
        with open(path["fairway.yaml"], "w", encoding="utf-8") as f:
            f.write(config)
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [program, "--config", path["fairway.yaml"], "--socket", path["s"], "--bpffs",
             path["bpf"], "--state", path["state"]], stdout=self.log, stderr=self.log)
        try:
            self.socket = self.connect(path["s"])
            self.lines = self.socket.makefile("r", encoding="utf-8")
            self.settle()
        except BaseException:
            self.close()
            raise

    @staticmethod
    def network(config):
        run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "peer0")
        for device in ("eth0", "peer0"):
            run("ip", "link", "set", device, "up")
        run("ip", "addr", "add", "10.0.255.1/16", "dev", "eth0")
        run("ip", "-6", "addr", "add", "2001:db8:1::ffff/64", "dev", "eth0", "nodad")
        reals = {real["address"] for pool in config["pools"] for real in pool["reals"]}
        for number, real in enumerate(sorted(reals)):
            run("ip", "neigh", "replace", real, "lladdr", f"02:bb:00:00:00:{number:02x}", "dev",
                "eth0", "nud", "permanent")

    def wait(self, what, condition):
        deadline = time.monotonic() + SECONDS
        while not (found := condition()):
            assert self.process.poll() is None, f"fairwayd ended\n{self.text()}"
            assert time.monotonic() < deadline, f"not in {SECONDS} s: {what}\n{self.text()}"
            time.sleep(0.02)
        return found

    def text(self):
        self.log.seek(0)
        return self.log.read().decode()

    def connect(self, path):
        def attempt():
            s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                s.connect(path)
            except OSError:
                s.close()
                return None
            return s
        return self.wait("a socket to ask", attempt)

    def ask(self, method, params):
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        self.socket.sendall(json.dumps(call).encode() + b"\n")
        return json.loads(self.lines.readline())

    def settle(self):
        def ready():
            status = self.ask("status.get", {}).get("result")
            return status and status["state"] == "active" and status["reals"]["up"] == \
                status["reals"]["total"]
        self.wait("every real up", ready)

    def close(self):
        self.process.terminate()
        self.process.wait(SECONDS)
        run("umount", os.path.join(self.folder, "bpf"))
        run("ip", "link", "del", "eth0")
        self.log.close()


def compare(daemon, asked):
    """How many answers differ; says which."""
    wrong = 0
    for scenario, step, params, wire in asked:
        reply = daemon.ask("explain", params)
        got = {key: reply.get("result", {}).get(key) for key in ("verdict", "reason", "vip", "real")}
        want = {key: wire[key] for key in got}
        if got != want:
            wrong += 1
            print(f"FAILED  {scenario.title} ({scenario.place(step.line)})\n  asked    {params}\n"
                  f"  wire     {want}\n  explain  {got if 'result' in reply else reply}")
    return wrong


def main():
    fairwayd, program = sys.argv[1:3]
    run("ip", "link", "set", "lo", "up")
    by_config = {}
    for scenario in (s for path in files() for s in load(path)):
        if not scenario.controls and not scenario.alone:
            by_config.setdefault(scenario.config, []).append(scenario)
    wrong = total = 0
    for config, scenarios in by_config.items():
        with tempfile.TemporaryDirectory(prefix="fairway-explain-") as folder:
            asked = questions(scenarios, program, folder)
            daemon = Daemon(fairwayd, config, folder)
            try:
                wrong += compare(daemon, asked)
            finally:
                daemon.close()
        total += len(asked)
    print(f"{total} questions about {len(by_config)} configurations, {wrong} wrong")
    assert total > 300, "hardly a scenario was asked about"
    return 1 if wrong else 0


if __name__ == "__main__":
    if os.geteuid() != 0:
        print("SKIP: needs root: network namespaces and BPF")
        sys.exit(SKIP)
    if INSIDE not in os.environ:
        os.execvpe("unshare", ["unshare", "--net", "--mount", "--propagation", "private",
                               sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    sys.exit(main())
