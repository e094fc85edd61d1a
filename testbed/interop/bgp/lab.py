# SPDX-License-Identifier: BSD-2-Clause
"""Two network namespaces, the speaker under test in one, another BGP daemon in the other, and
between them a bridge in a third that can be cut unseen. Names carry the process id; everything is gone when the lab is closed, and only
processes started here are ever signalled."""
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

OURS4, THEIRS4 = "10.9.0.1", "10.9.0.2"
OURS6, THEIRS6 = "2001:db8:9::1", "2001:db8:9::2"
OUR_AS, THEIR_AS = 4200000001, 64500
DEADLINE = 20.0


def wait_for(what, probe, deadline=DEADLINE):
    """The first true answer of probe(); fails after deadline seconds, saying what didn't come."""
    end = time.monotonic() + deadline
    while True:
        answer = probe()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"after {deadline:g} s still not: {what} (last: {answer!r})")
        time.sleep(0.02)  # between two looks, not instead of one


def run(*cmd, check=True):
    done = subprocess.run(cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=DEADLINE)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(cmd)}: exit {done.returncode}: {done.stdout}")
    return done.stdout


class Process:
    """A program in a namespace, with its output in a file; stopped by its own pid."""

    def __init__(self, ns, log, *cmd, env=None):
        self.log = log
        with open(log, "ab") as out:
            self.proc = subprocess.Popen(["ip", "netns", "exec", ns, *cmd], stdin=subprocess.DEVNULL,
                                         stdout=out, stderr=out, env=env, start_new_session=True)

    def stop(self, kill=False):
        if self.proc.poll() is None:
            self.proc.kill() if kill else self.proc.terminate()
            try:
                self.proc.wait(5)
            except subprocess.TimeoutExpired:
                self.proc.kill()
                self.proc.wait()


class Lab:
    def __init__(self):
        self.ours, self.theirs, self.wire = (f"bgp{os.getpid()}{x}" for x in "abw")
        self.dir = tempfile.mkdtemp(prefix="bgp-interop-")
        os.chmod(self.dir, 0o755)  # FRR and GoBGP may drop their privileges
        self.closers = []
        try:
            self._build()
        except BaseException:
            self.close()
            raise

    def _build(self):
        for ns in (self.ours, self.theirs, self.wire):
            run("ip", "netns", "add", ns)
            # No duplicate address detection, so that IPv6 works at once.
            run("ip", "netns", "exec", ns, "sysctl", "-qw",
                "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
            run("ip", "-n", ns, "link", "set", "lo", "up")
        run("ip", "-n", self.wire, "link", "add", "wire0", "type", "bridge", "stp_state", "0",
            "mcast_snooping", "0")
        run("ip", "-n", self.wire, "link", "set", "wire0", "up")
        self._attach(self.ours, "veth-a", OURS4, OURS6)
        self._attach(self.theirs, "veth-b", THEIRS4, THEIRS6)

    def _attach(self, ns, dev, v4, v6):
        port = "port-" + dev[-1]
        run("ip", "-n", self.wire, "link", "add", port, "type", "veth", "peer", "name", dev,
            "netns", ns)
        run("ip", "-n", self.wire, "link", "set", port, "master", "wire0", "up")
        run("ip", "-n", ns, "addr", "add", f"{v4}/24", "dev", dev)
        run("ip", "-n", ns, "-6", "addr", "add", f"{v6}/64", "dev", dev, "nodad")
        run("ip", "-n", ns, "link", "set", dev, "up")

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(self.path(name), 0o644)
        return self.path(name)

    def start(self, name, *cmd, ns=None, env=None):
        p = Process(ns or self.theirs, self.path(name + ".log"), *cmd, env=env)
        self.closers.append(p.stop)
        return p

    def blackhole(self, on):
        """Packets vanish in both directions, and no end sees its link go down."""
        run("ip", "-n", self.wire, "link", "set", "port-b", *(["nomaster"] if on else
                                                              ["master", "wire0"]))

    def logs(self):
        for name in sorted(os.listdir(self.dir)):
            if name.endswith(".log"):
                with open(self.path(name), encoding="utf-8", errors="replace") as f:
                    print(f"--- {name}\n{f.read()[-4000:]}", file=sys.stderr)

    def close(self):
        for closer in reversed(self.closers):
            closer()
        for ns in (self.ours, self.theirs, self.wire):
            run("ip", "netns", "del", ns, check=False)
        shutil.rmtree(self.dir, ignore_errors=True)


class Speaker:
    """bgp_speaker_cli: commands in, events out."""

    def __init__(self, lab, ns=None):
        cli = os.environ.get("BGP_SPEAKER_CLI", "build/controlplane/bgp/bgp_speaker_cli")
        self.proc = subprocess.Popen(["ip", "netns", "exec", ns or lab.ours, cli], text=True,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.events = []
        self.answers = queue.Queue()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        lab.closers.append(self.kill)

    def _read(self):
        for line in self.proc.stdout:
            event = json.loads(line)
            if event["event"] in ("answer", "peers"):
                self.answers.put(event)
            else:
                self.events.append(event)

    def send(self, *lines):
        self.proc.stdin.write("".join(line + "\n" for line in lines))
        self.proc.stdin.flush()

    def ask(self, line):
        self.send(line)
        answer = self.answers.get(timeout=DEADLINE)
        if answer.get("ret", 0):
            raise AssertionError(f"{line}: {answer['text']}")
        return answer

    def configure(self, *neighbors, asn=OUR_AS, router_id="10.9.0.1", settings=()):
        self.send(f"set asn {asn}", f"set router_id {router_id}", "clear",
                  *(f"set {s}" for s in settings), *(f"neighbor {n}" for n in neighbors))
        self.ask("apply")

    def peers(self):
        return {p["address"]: p for p in self.ask("show")["peers"]}

    def peer(self, address):
        return self.peers()[address]

    def wait_established(self, *addresses, deadline=DEADLINE):
        wait_for(f"sessions with {', '.join(addresses)}",
                 lambda: all(self.peers()[a]["state"] == "Established" for a in addresses)
                 or [(p["state"], p["last_error"]) for p in self.peers().values()] and None,
                 deadline)

    def wait_event(self, what, match, since=0, deadline=DEADLINE):
        return wait_for(what, lambda: next((e for e in self.events[since:] if match(e)), None),
                        deadline)

    def wait_down(self, address, since=0, deadline=DEADLINE):
        return self.wait_event(f"{address} leaves Established",
                               lambda e: e["event"] == "state" and e["peer"] == address
                               and e["from"] == "Established", since, deadline)

    def kill(self):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait()
        self.reader.join(5)
        self.proc.stdin.close()
        self.proc.stdout.close()

    def stop(self, message=""):
        self.send(f"stop {message}" if message else "stop")
        if self.proc.wait(5):
            raise AssertionError(f"bgp_speaker_cli: exit {self.proc.returncode}")


class InteropTest(unittest.TestCase):
    needs = ()

    def setUp(self):
        for program in self.needs:
            if not shutil.which(program):
                self.skipTest(f"{program} isn't installed")
        self.started = time.monotonic()
        self.lab = Lab()
        self.addCleanup(self._close)

    def _close(self):
        result = self._outcome.result
        if any(test is self for test, _ in result.errors + result.failures):
            self.lab.logs()
        self.lab.close()
        print(f"({time.monotonic() - self.started:.1f} s) ", end="", file=sys.stderr)


def main():
    """Run the module's tests; exit 77 without the right to make namespaces."""
    if os.geteuid() != 0:
        print("skipped: network namespaces need root")
        sys.exit(77)
    program = unittest.main(verbosity=2, exit=False)
    if program.result.testsRun and len(program.result.skipped) == program.result.testsRun:
        sys.exit(77)
    sys.exit(not program.result.wasSuccessful())
