#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs every command of fairway against a real fairwayd, which forwards in a network namespace of
its own to two web servers and announces to BIRD. Whatever is made here (namespaces, mounts,
processes) goes when the test's process does.

usage: daemon_test.py FAIRWAY FAIRWAYD [unittest arguments]
"""
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = "FAIRWAY_CLI_TEST_INSIDE"
FAIRWAY = FAIRWAYD = ""

CONFIG = """\
node:
  name: lb1
  interfaces: [edge0]
  engine: xdp
  xdp_mode: generic
  tunnel_source: {ipv4: 10.77.0.1}
  hash_seed: "0123456789abcdef0123456789abcdef"
  drain_time: 1s
bgp:
  asn: 64512
  router_id: 10.77.0.1
  neighbors:
    - {address: 10.77.0.2, asn: 64500, hold_time: 9s}
metrics: {listen: none}
pools:
  - name: web
    encap: ipip
    health: {type: http, port: 8080, path: /, interval: 200ms, timeout: 150ms, rise: 2, fall: 2}
    reals:
      - {address: 10.77.0.11}
      - {address: 10.77.0.12}
      - {address: 10.77.0.13}
  - name: raw
    encap: ipip
    reals:
      - {address: 10.77.0.11}
vips:
  - name: web
    address: 203.0.113.80
    services:
      - {protocol: tcp, port: 443, pool: web}
  - name: raw
    address: 203.0.113.81
    services:
      - {protocol: udp, port: 53, pool: raw}
"""

BIRD = """\
router id 10.77.0.2;
protocol device {{}}
protocol bgp lb1 {{
	local 10.77.0.2 as 64500;
	neighbor 10.77.0.1 as 64512;
	hold time 9;
	ipv4 {{ import all; export none; }};
}}
"""


def run(*argv, **kwargs):
    return subprocess.run([str(a) for a in argv], check=True, capture_output=True, text=True,
                          timeout=60, **kwargs)


def wait_for(what, condition, seconds=20.0):
    """Asks condition until it gives something true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class World:
    """The edge network with everything that runs in it."""

    def __init__(self):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="fairway-cli-"))
        self.config, self.socket = self.dir / "fairway.yaml", self.dir / "s"
        self.log = self.dir / "fairwayd.log"
        self.children, self.daemon = [], None
        self.config.write_text(CONFIG, encoding="utf-8")
        for name in ("bpf", "state", "bird"):
            (self.dir / name).mkdir()
        run("mount", "-t", "bpf", "bpf", self.dir / "bpf")
        try:
            self.make_network()
            self.start_daemon()
        except BaseException:
            self.close()
            raise

    def spawn(self, *argv, log="log"):
        out = open(self.dir / log, "ab")  # pylint: disable=consider-using-with
        child = subprocess.Popen([str(a) for a in argv], stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL)
        out.close()
        self.children.append(child)
        return child

    def beyond(self, *argv):
        """The command line that runs argv beyond the link, where servers and router are."""
        return ["nsenter", "-t", self.far.pid, "-n", *argv]

    def make_network(self):
        run("ip", "link", "set", "lo", "up")
        self.far = self.spawn("unshare", "--net", "sleep", "infinity")
        own = os.readlink("/proc/self/ns/net")
        wait_for("the far namespace",
                 lambda: os.readlink(f"/proc/{self.far.pid}/ns/net") != own)
        run("ip", "link", "add", "edge0", "type", "veth", "peer", "name", "far0", "netns",
            str(self.far.pid))
        run("ip", "addr", "add", "10.77.0.1/24", "dev", "edge0")
        run("ip", "link", "set", "edge0", "up")
        for address in ("10.77.0.2", "10.77.0.11", "10.77.0.12"):
            run(*self.beyond("ip", "addr", "add", f"{address}/24", "dev", "far0"))
        run(*self.beyond("ip", "link", "set", "far0", "up"))
        run(*self.beyond("ip", "route", "add", "203.0.113.0/24", "via", "10.77.0.1"))
        empty = self.dir / "empty"
        empty.mkdir()
        for address in ("10.77.0.11", "10.77.0.12"):
            self.spawn(*self.beyond(sys.executable, "-m", "http.server", "8080", "--bind",
                                    address, "--directory", empty))
        (self.dir / "bird/bird.conf").write_text(BIRD.format(), encoding="utf-8")
        self.spawn(*self.beyond("bird", "-f", "-c", self.dir / "bird/bird.conf", "-s",
                                self.dir / "bird/s", "-P", self.dir / "bird/pid"))

    def start_daemon(self):
        self.daemon = self.spawn(FAIRWAYD, "--config", self.config, "--socket", self.socket,
                                 "--bpffs", self.dir / "bpf", "--state", self.dir / "state",
                                 log="fairwayd.log")
        self.settle()

    def settle(self):
        """Wait until the daemon is done starting: checks have their verdicts, BGP is up."""
        def ready():
            if self.daemon.poll() is not None:
                raise AssertionError("fairwayd ended:\n" + self.log.read_text())
            status = self.json("status", check=False)
            return status and status["state"] == "active" and \
                status["bgp"]["peers_up"] == 1 and status["reals"]["up"] == 3 and \
                status["vips"]["announced"] == 2
        try:
            wait_for("daemon settled", ready, 40)
        except AssertionError as e:
            done = self.fairway("status")
            raise AssertionError(f"{e}\n{done.stdout}{done.stderr}{self.log.read_text()}") from e

    def stop_daemon(self):
        self.daemon.terminate()
        self.daemon.wait(20)

    def fairway(self, *words, **kwargs):
        return subprocess.run([FAIRWAY, "--socket", str(self.socket), *words], text=True,
                              capture_output=True, timeout=60, check=False, **kwargs)

    def json(self, *words, check=True):
        done = self.fairway("--json", *words)
        if not check and done.returncode != 0:
            return None
        if done.returncode not in (0, 4) or done.stderr:
            raise AssertionError(f"{words}: exit {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def close(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        subprocess.run(["umount", self.dir / "bpf"], check=False)
        shutil.rmtree(self.dir)


WORLD = None


def setUpModule():
    global WORLD  # pylint: disable=global-statement
    WORLD = World()


def tearDownModule():
    WORLD.close()


def examples():
    """The JSON examples of docs/api.md by their headings."""
    heading, found = None, {}
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for m in re.finditer(r"^##+ ([^\n]+)$|^```json\n(.*?)^```$", text, re.M | re.S):
        if m.group(1):
            heading = m.group(1)
        else:
            found.setdefault(heading, json.loads(m.group(2)))
    return found


def differences(example, real, where=""):
    """What of the documented form a real document lacks: keys, and types of values."""
    if real is None or example is None:
        return []
    if isinstance(example, bool) or isinstance(real, bool) or not isinstance(
            example, (int, float)) or not isinstance(real, (int, float)):
        if type(example) is not type(real):
            return [f"{where}: {real!r} where {example!r} is documented"]
    if isinstance(example, dict):
        return [d for key, value in example.items() for d in (
            differences(value, real[key], f"{where}.{key}") if key in real
            else [f"{where}.{key} is missing"])]
    if isinstance(example, list) and example:
        return [d for i, item in enumerate(real)
                for d in differences(example[0], item, f"{where}[{i}]")]
    return []


class Case(unittest.TestCase):
    maxDiff = None

    def done(self, *words, **kwargs):
        """Runs a command that must work; gives what it printed."""
        result = WORLD.fairway(*words, **kwargs)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result.stdout)
        return result.stdout

    def refused(self, *words, error, parts=(), **kwargs):
        """Runs a command that must be refused, both ways; gives the error's data."""
        table = WORLD.fairway(*words, **kwargs)
        self.assertEqual((table.returncode, table.stdout), (1, ""), table.stderr)
        self.assertTrue(table.stderr.startswith("fairway: "), table.stderr)
        for part in parts:
            self.assertIn(part, table.stderr)
        as_json = WORLD.fairway("--json", *words, **kwargs)
        self.assertEqual((as_json.returncode, as_json.stdout), (1, ""), as_json.stderr)
        doc = json.loads(as_json.stderr)
        self.assertEqual(doc["error"]["data"]["name"], error, doc)
        self.assertIn("hint", doc["error"]["data"])
        return doc["error"]["data"]

    def vip(self, name):
        return next((v for v in WORLD.json("vip", "list")["vips"] if v["name"] == name), None)

    def real(self, pool, address):
        return next((r for r in WORLD.json("real", "list", pool)["reals"]
                     if r["address"] == address), None)

    def config_file(self, text):
        f = tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=WORLD.dir)
        self.addCleanup(f.close)
        f.write(text)
        f.flush()
        return f.name


class Documents(Case):
    """What the daemon says is what docs/api.md documents."""

    def expect(self, document, example, *where):
        self.assertEqual(document["schema_version"], 1)
        part = document
        for key in where:
            part = part[key]
            if isinstance(part, list):
                self.assertTrue(part, where)
                part = part[0]
        self.assertEqual(differences(example, part), [])

    def test_results_have_the_documented_keys_and_types(self):
        docs = examples()
        for line, heading, where in (
                ("status", "status.get", ()), ("vip list", "VIPs", ("vips",)),
                ("vip show web", "VIPs", ("vip",)), ("vip show web", "Pools", ("pools",)),
                ("vip show web", "Reals", ("pools", "reals")),
                ("pool list", "Pools", ("pools",)), ("pool show web", "Pools", ("pool",)),
                ("pool show web", "Reals", ("reals",)), ("real list web", "Reals", ("reals",)),
                ("bgp show", "bgp.show", ()), ("counters", "counters.get", ()),
                ("explain tcp 198.51.100.7:40000 203.0.113.80:443", "explain", ()),
                ("config check", "config.check", ()), ("config diff", "config.diff", ()),
                ("config show", "config.show", ()), ("journal", "journal.get", ()),
                ("doctor", "doctor.run", ())):
            with self.subTest(line):
                self.expect(WORLD.json(*line.split()), docs[heading], *where)

    def test_keys_are_snake_case(self):
        def walk(value):
            if isinstance(value, dict):
                for key, inner in value.items():
                    self.assertRegex(key, r"^[a-z][a-z0-9]*(_[a-z0-9]+)*$")
                    walk(inner)
            elif isinstance(value, list):
                for inner in value:
                    walk(inner)
        for line in ("status", "vip show web", "pool list", "bgp show", "counters", "journal",
                     "doctor", "config check"):
            walk(WORLD.json(*line.split()))


class Reading(Case):
    def test_status(self):
        out = self.done("status")
        for part in ("lb1", "xdp", "edge0", "1/1 sessions established", "2/2 announced",
                     "3/4 up", "warning: pool web: 2 of 3 reals up"):
            self.assertIn(part, out)
        status = WORLD.json("status")
        self.assertEqual(status["node"], "lb1")
        self.assertEqual("fairway " + status["version"] + "\n", self.done("--version"))
        self.assertEqual(status["pid"], WORLD.daemon.pid)
        self.assertEqual(status["config"]["file"], str(WORLD.config))
        self.assertFalse(status["config"]["unsaved_changes"])
        self.assertGreater(status["program"]["id"], 0)
        self.assertEqual([i["attached"] for i in status["interfaces"]], [True])

    def test_vips(self):
        out = self.done("vip", "list")
        self.assertRegex(out, r"(?m)^web +203\.0\.113\.80 +yes 1/1 +tcp/443=web +2/3 ")
        out = self.done("vip", "show", "web")
        for part in ("203.0.113.80", "tcp/443", "10.77.0.13", "10.77.0.11"):
            self.assertIn(part, out)
        self.refused("vip", "show", "wbe", error="not_found", parts=("wbe", "web"))

    def test_reals_say_why_and_since_when(self):
        up, down = self.real("web", "10.77.0.11"), self.real("web", "10.77.0.13")
        self.assertEqual((up["state"], up["health"], up["admin"]), ("up", "up", "enabled"))
        self.assertEqual(up["ring_slots"], 65537)
        self.assertAlmostEqual(up["share_percent"], 50, delta=1)
        self.assertTrue(up["next_hop"]["resolved"])
        self.assertRegex(up["next_hop"]["mac"], r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")
        self.assertTrue(up["last_check"]["ok"])
        self.assertGreater(up["last_check"]["latency_ms"], 0)
        self.assertEqual((down["state"], down["slots"], down["share_percent"]), ("down", 0, 0))
        self.assertNotEqual(down["reason"], "")
        self.assertFalse(down["last_check"]["ok"])
        out = self.done("real", "list", "web")
        self.assertRegex(out, r"(?m)^web +10\.77\.0\.13 +down ")
        self.assertEqual(len(self.done("real", "list").splitlines()), 5)
        self.refused("real", "list", "wbe", error="not_found", parts=("web",))

    def test_pools(self):
        self.assertRegex(self.done("pool", "list"), r"(?m)^web +ok +2/3 +ipip +http port 8080")
        self.assertIn("10.77.0.12", self.done("pool", "show", "web"))
        self.assertIsNone(WORLD.json("pool", "show", "raw")["pool"]["health"])
        self.refused("pool", "show", "nope", error="not_found")

    def test_bgp(self):
        out = self.done("bgp", "show")
        self.assertRegex(out, r"(?m)^10\.77\.0\.2 +64500 +established ")
        doc = WORLD.json("bgp", "show")
        self.assertEqual({p["prefix"] for p in doc["prefixes"]},
                         {"203.0.113.80/32", "203.0.113.81/32"})
        self.assertEqual(doc["peers"][0]["prefixes_announced"], 2)

    def test_counters_list_every_reason(self):
        doc = WORLD.json("counters")
        text = (ROOT / "dataplane/core/reasons.h").read_text(encoding="utf-8")
        self.assertEqual([r["name"] for r in doc["reasons"]],
                         re.findall(r"X\([A-Z]+, (\w+),", text))
        self.assertIn("forwarded", self.done("counters"))

    def test_explain(self):
        doc = WORLD.json("explain", "tcp", "198.51.100.7:40000", "203.0.113.80:443")
        self.assertEqual((doc["verdict"], doc["vip"], doc["pool"]), ("forward", "web", "web"))
        self.assertIn(doc["real"], ("10.77.0.11", "10.77.0.12"))
        self.assertEqual(doc["outer_source"], "10.77.0.1")
        out = self.done("explain", "tcp", "198.51.100.7:40000", "203.0.113.80:443")
        self.assertIn(doc["real"], out)
        doc = WORLD.json("explain", "tcp", "198.51.100.7:40000", "192.0.2.9:443")
        self.assertEqual((doc["verdict"], doc["reason"], doc["vip"], doc["real"]),
                         ("pass", "not_vip", None, None))
        self.done("explain", "tcp", "198.51.100.7:40000", "203.0.113.80:80")
        self.refused("explain", "tcp", "198.51.100.7:1", "[2001:db8::1]:1",
                     error="invalid_value")

    def test_packets_are_counted_where_they_went(self):
        def counts():
            shown = WORLD.json("counters")
            return {r["name"]: (r["packets"], r["bytes"]) for r in shown["reasons"]}["forwarded"]
        vip, real, forwarded = self.vip("raw"), self.real("raw", "10.77.0.11"), counts()
        # The IP packet counts: 20 bytes of header, 8 of UDP, and 50.
        run(*WORLD.beyond(sys.executable, "-c", "import socket\n"
                          "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
                          "for _ in range(7): s.sendto(b'x' * 50, ('203.0.113.81', 53))"))
        wait_for("7 packets", lambda: counts()[0] == forwarded[0] + 7)
        self.assertEqual(counts()[1], forwarded[1] + 7 * 78)
        for was, now in ((vip, self.vip("raw")), (real, self.real("raw", "10.77.0.11")),
                         (vip["services"][0], self.vip("raw")["services"][0])):
            self.assertEqual((now["packets"] - was["packets"], now["bytes"] - was["bytes"]),
                             (7, 7 * 78))

    def test_explaining_counts_nothing(self):
        before = WORLD.json("vip", "show", "web")["vip"]["packets"]
        self.done("explain", "tcp", "198.51.100.7:40000", "203.0.113.80:443")
        self.assertEqual(WORLD.json("vip", "show", "web")["vip"]["packets"], before)

    def test_journal_and_doctor(self):
        entries = WORLD.json("journal", "limit", "5")["entries"]
        self.assertLessEqual(len(entries), 5)
        self.assertEqual([e["seq"] for e in entries], sorted(e["seq"] for e in entries))
        self.assertIn("WHAT", self.done("journal"))
        doctor = WORLD.fairway("doctor")
        self.assertEqual(doctor.returncode, 0 if WORLD.json("doctor")["ok"] else 4)
        self.assertIn("RESULT", doctor.stdout)


class Changing(Case):
    """Edits; each test leaves the configuration as it found it."""

    def test_vip_comes_and_goes(self):
        out = self.done("vip", "add", "new", "address", "203.0.113.90", "service", "tcp/80=web",
                        "service", "udp/any=raw")
        self.assertIn("203.0.113.90", out)
        self.assertIn("config save", out)
        self.assertTrue(WORLD.json("status")["config"]["unsaved_changes"])
        wait_for("announced", lambda: self.vip("new")["announce"]["announced"])
        self.assertRegex(self.done("vip", "list"),
                         r"(?m)^new +203\.0\.113\.90 +yes 1/1 +tcp/80=web udp/any=raw ")
        self.done("vip", "set", "new", "service", "tcp/80=raw", "no-service", "udp/any",
                  "announce", "never")
        vip = self.vip("new")
        self.assertEqual([(s["protocol"], s["port"], s["pool"]) for s in vip["services"]],
                         [("tcp", 80, "raw")])
        wait_for("withdrawn", lambda: not self.vip("new")["announce"]["announced"])
        self.assertIn("never", self.vip("new")["announce"]["reason"])
        self.done("vip", "set", "new", "address", "203.0.113.91")
        self.assertEqual(self.vip("new")["address"], "203.0.113.91")
        self.done("vip", "remove", "new")
        self.assertIsNone(self.vip("new"))

    def test_unchanged_is_no_error_and_no_change(self):
        out = self.done("vip", "set", "web", "announce", "healthy")
        self.assertIn("nothing to change", out)
        self.assertFalse(WORLD.json("vip", "set", "web", "announce", "healthy")["changed"])

    def test_vip_refusals(self):
        self.refused("vip", "add", "web", "address", "203.0.113.99", error="already_exists")
        self.refused("vip", "add", "web9", "address", "203.0.113.80", error="already_exists",
                     parts=("203.0.113.80",))
        self.refused("vip", "add", "web9", "address", "203.0.113.99", "service", "tcp/1=wbe",
                     error="not_found", parts=("wbe", "web"))
        self.refused("vip", "remove", "nope", error="not_found")
        self.refused("vip", "set", "web", "no-service", "udp/9", error="not_found")
        self.refused("vip", "add", "web9", "address", "127.0.0.1", error="config_errors",
                     parts=("127.0.0.1", "loopback"))
        self.refused("vip", "add", "web9", "address", "203.0.113.99", "service", "tcp/1=web",
                     "service", "tcp/1=raw", error="already_exists")
        self.assertIsNone(self.vip("web9"))

    def test_real_comes_and_goes(self):
        self.done("real", "add", "raw", "10.77.0.12", "weight", "300", "mac",
                  "02:00:00:00:00:0c")
        real = self.real("raw", "10.77.0.12")
        self.assertEqual((real["weight"], real["next_hop"]["mac"], real["next_hop"]["pinned"]),
                         (300, "02:00:00:00:00:0c", True))
        self.assertAlmostEqual(self.real("raw", "10.77.0.12")["share_percent"], 75, delta=1)
        self.done("real", "set", "raw", "10.77.0.12", "weight", "100", "mac", "none")
        real = self.real("raw", "10.77.0.12")
        self.assertEqual((real["weight"], real["next_hop"]["pinned"]), (100, False))
        self.done("real", "remove", "raw", "10.77.0.12")
        self.assertIsNone(self.real("raw", "10.77.0.12"))

    def test_drained_real_gets_no_slots_until_enabled(self):
        for verb, state in (("drain", "draining"), ("disable", "disabled")):
            with self.subTest(verb):
                self.done("real", verb, "10.77.0.12")
                real = self.real("web", "10.77.0.12")
                self.assertEqual((real["state"], real["admin"], real["slots"]),
                                 (state, state, 0))
                self.assertEqual(real["health"], "up")
                self.assertIn("nothing to change", self.done("real", verb, "10.77.0.12"))
                self.done("real", "enable", "10.77.0.12")
                wait_for("slots again", lambda: self.real("web", "10.77.0.12")["slots"])
                real = self.real("web", "10.77.0.12")
                self.assertEqual((real["state"], real["admin"]), ("up", "enabled"))
        self.assertFalse(WORLD.json("real", "enable", "10.77.0.12")["changed"])

    def test_real_refusals(self):
        self.refused("real", "drain", "10.77.0.11", error="conflict", parts=("web", "raw"))
        self.refused("real", "drain", "10.77.0.99", error="not_found", parts=("10.77.0.99",))
        self.refused("real", "drain", "raw", "10.77.0.12", error="not_found")
        self.refused("real", "add", "wbe", "10.77.0.14", error="not_found", parts=("web",))
        self.refused("real", "add", "web", "10.77.0.11", error="already_exists")
        # No tunnel source of this family.
        data = self.refused("real", "add", "web", "2001:db8::1", error="config_errors")
        self.assertTrue(data["errors"])

    def test_node_drain_withdraws_and_enable_announces(self):
        self.done("node", "drain", "--force")
        wait_for("withdrawn", lambda: WORLD.json("status")["vips"]["announced"] == 0)
        status = WORLD.json("status")
        self.assertEqual(status["state"], "drained")
        self.assertTrue(self.vip("web")["services"][0]["forwarding"])
        self.done("node", "enable")
        wait_for("announced", lambda: WORLD.json("status")["vips"]["announced"] == 2)


class Configuration(Case):
    def test_check(self):
        self.assertIn("no errors", self.done("config", "check"))
        self.assertIn("no errors", self.done("config", "check", str(WORLD.config)))
        self.assertEqual(WORLD.json("config", "check")["not_checked"], [])

    def test_check_finds_trouble(self):
        for change, part in ((("10.77.0.13", "10.99.0.1"), "route"),
                             (("edge0", "edge9"), "edge9"), (("  name: lb1", "  nam: lb1"), "nam"),
                             (("port: 53", "port: 99999"), "99999"),
                             (("203.0.113.81", "203.0.113.80"), "203.0.113.80")):
            with self.subTest(part):
                path = self.config_file(CONFIG.replace(*change))
                done = WORLD.fairway("config", "check", path)
                self.assertEqual((done.returncode, done.stderr), (4, ""))
                self.assertRegex(done.stdout, re.escape(path) + r":\d+:\d+: .*" + part)
                doc = WORLD.json("config", "check", path)
                self.assertFalse(doc["ok"])
                self.assertGreater(doc["errors"][0]["line"], 0)

    def test_diff(self):
        self.assertIn("no difference", self.done("config", "diff"))
        path = self.config_file(CONFIG.replace("      - {address: 10.77.0.12}\n", ""))
        out = self.done("config", "diff", path)
        self.assertIn("10.77.0.12", out)
        doc = WORLD.json("config", "diff", path)
        self.assertFalse(doc["equal"])
        self.assertEqual([p["breaks"] for p in doc["plan"]], [None], doc["plan"])
        self.assertEqual(len(WORLD.json("real", "list", "web")["reals"]), 3)
        self.refused("config", "diff", self.config_file("nod: {}"), error="config_errors")

    def test_apply_refuses_errors_and_changes_nothing(self):
        path = self.config_file(CONFIG.replace("protocol: udp", "protcol: udp"))
        data = self.refused("config", "apply", path, error="config_errors",
                            parts=(path + ":", "protcol", "protocol"))
        self.assertGreater(data["errors"][0]["line"], 0)
        self.assertIn("no difference", self.done("config", "diff"))

    def test_apply_and_reload(self):
        path = self.config_file(CONFIG.replace("{address: 10.77.0.12}",
                                               "{address: 10.77.0.12, weight: 50}"))
        out = self.done("config", "apply", path)
        self.assertIn("10.77.0.12", out)
        self.assertEqual(self.real("web", "10.77.0.12")["weight"], 50)
        self.assertTrue(WORLD.json("status")["config"]["unsaved_changes"])
        self.assertIn("nothing to change", self.done("config", "apply", path))
        self.done("config", "apply")
        self.assertEqual(self.real("web", "10.77.0.12")["weight"], 100)
        self.assertFalse(WORLD.json("status")["config"]["unsaved_changes"])

    def test_apply_from_standard_input(self):
        self.assertIn("nothing to change", self.done("config", "apply", "-", input=CONFIG))

    def test_brake_holds_until_forced(self):
        many = CONFIG + "".join(
            f"  - {{name: v{i}, address: 203.0.113.{i}, services: [{{protocol: tcp, port: 1,"
            " pool: web}]}\n" for i in range(1, 5))
        self.done("config", "apply", self.config_file(many))
        path = self.config_file(CONFIG[:CONFIG.index("vips:")] + "vips: []\n")
        doc = WORLD.json("config", "diff", path)
        self.assertTrue(doc["needs_force"])
        self.assertTrue(doc["brake"])
        data = self.refused("config", "apply", path, error="needs_force", parts=("--force",))
        self.assertTrue(data["plan"])
        self.assertIsNotNone(self.vip("web"))
        self.done("config", "apply", path, "--force")
        self.assertEqual(WORLD.json("vip", "list")["vips"], [])
        self.assertIn("no VIPs", self.done("vip", "list"))
        self.done("config", "apply")
        WORLD.settle()

    def test_show_is_a_configuration(self):
        text = self.done("config", "show")
        self.assertIn("no difference", self.done("config", "diff", "-", input=text))

    def test_save(self):
        self.addCleanup(WORLD.config.write_text, CONFIG, encoding="utf-8")
        self.done("vip", "add", "kept", "address", "203.0.113.92")
        self.assertIn("saved", self.done("config", "save"))
        self.assertIn("203.0.113.92", WORLD.config.read_text(encoding="utf-8"))
        self.assertFalse(WORLD.json("status")["config"]["unsaved_changes"])
        self.assertIn("nothing to save", self.done("config", "save"))
        # Somebody edits the file; saving must not lose that.
        text = WORLD.config.read_text(encoding="utf-8") + "# mine\n"
        WORLD.config.write_text(text, encoding="utf-8")
        self.assertTrue(WORLD.json("status")["config"]["changed_on_disk"])
        self.done("vip", "remove", "kept")
        self.refused("config", "save", error="conflict", parts=("--force",))
        self.assertEqual(WORLD.config.read_text(encoding="utf-8"), text)
        self.done("config", "save", "--force")
        self.assertNotIn("203.0.113.92", WORLD.config.read_text(encoding="utf-8"))
        WORLD.config.write_text(CONFIG, encoding="utf-8")
        self.assertIn("nothing to change", self.done("config", "apply"))


class Protocol(Case):
    """The API below the command line, as docs/api.md has it."""

    def exchange(self, data, answers):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(str(WORLD.socket))
            s.sendall(data)
            lines = s.makefile("rb")
            return [json.loads(lines.readline()) for _ in range(answers)]

    def error_of(self, data):
        doc = self.exchange(data, 1)[0]
        self.assertEqual(doc["jsonrpc"], "2.0")
        self.assertNotIn("result", doc)
        self.assertIn("hint", doc["error"]["data"])
        return doc["error"]["code"], doc["error"]["data"]["name"], doc["id"]

    def test_standard_errors(self):
        head = b'{"jsonrpc":"2.0","id":7,"method":'
        for data, expected in (
                (b"nonsense\n", (-32700, "parse_error", None)),
                (b"[]\n", (-32600, "invalid_request", None)),
                (b'{"id":7}\n', (-32600, "invalid_request", 7)),
                (head + b'"no.such"}\n', (-32601, "method_not_found", 7)),
                (head + b'"vip.show","params":{}}\n', (-32602, "invalid_params", 7)),
                (head + b'"vip.show","params":["web"]}\n', (-32602, "invalid_params", 7)),
                (head + b'"vip.show","params":{"name":5}}\n', (-32602, "invalid_params", 7)),
                (head + b'"vip.show","params":{"name":"web","x":1}}\n',
                 (-32602, "invalid_params", 7)),
                (head + b'"real.set","params":{"address":"10.77.0.12","weight":5000}}\n',
                 (3, "invalid_value", 7))):
            with self.subTest(data):
                self.assertEqual(self.error_of(data), expected)

    def test_answers_come_in_order_with_their_ids(self):
        data = b"".join(b'{"jsonrpc":"2.0","id":"%d","method":"vip.list"}\n' % i
                        for i in range(50))
        self.assertEqual([a["id"] for a in self.exchange(data, 50)],
                         [str(i) for i in range(50)])

    def test_notifications_are_not_answered(self):
        data = b'{"jsonrpc":"2.0","method":"vip.list"}\n{"jsonrpc":"2.0","method":"no.such"}\n' \
               b'{"jsonrpc":"2.0","id":1,"method":"vip.list"}\n'
        self.assertEqual(self.exchange(data, 1)[0]["id"], 1)

    def test_a_client_that_vanishes_hurts_nobody(self):
        for data in (b"", b'{"jsonrpc"', b'{"jsonrpc":"2.0","id":1,"method":"counters.get"}\n' * 99):
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(str(WORLD.socket))
                s.sendall(data)
        self.done("status")


class ZStopping(Case):
    """Last, because they end the daemon."""

    def test_intent_outlasts_the_daemon_and_its_absence_is_told(self):
        self.done("real", "drain", "10.77.0.12")
        WORLD.stop_daemon()
        self.assertEqual(WORLD.daemon.returncode, 0, WORLD.log.read_text())
        done = WORLD.fairway("status")
        self.assertEqual((done.returncode, done.stdout), (3, ""))
        self.assertIn(str(WORLD.socket), done.stderr)
        self.assertIn("systemctl status fairwayd", done.stderr)
        check = WORLD.fairway("config", "check", str(WORLD.config))
        self.assertEqual((check.returncode, check.stderr), (0, ""))
        self.assertIn("not checked: routes", check.stdout)
        WORLD.daemon = WORLD.spawn(FAIRWAYD, "--config", WORLD.config, "--socket", WORLD.socket,
                                   "--bpffs", WORLD.dir / "bpf", "--state", WORLD.dir / "state",
                                   log="fairwayd.log")
        status = wait_for("daemon is back", lambda: WORLD.json("status", check=False))
        self.assertTrue(status)
        self.assertEqual(self.real("web", "10.77.0.12")["admin"], "draining")
        self.done("real", "enable", "10.77.0.12")
        WORLD.settle()


def main():
    global FAIRWAY, FAIRWAYD  # pylint: disable=global-statement
    if os.geteuid() != 0:
        print("needs root to make network namespaces")
        return 77
    if MARK not in os.environ:
        os.environ[MARK] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc",
                              "--kill-child", sys.executable, *sys.argv])
    FAIRWAY, FAIRWAYD = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
