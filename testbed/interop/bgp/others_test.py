#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The speaker against FRR, GoBGP and ExaBGP: the same promises, kept to each of them."""
import json
import os
import shutil

from lab import (OUR_AS, OURS4, OURS6, THEIR_AS, THEIRS4, THEIRS6, InteropTest, Speaker, main, run,
                 wait_for)

VIP4, VIP6 = "203.0.113.80/32", "2001:db8:80::80/128"
V4, V6 = f"{THEIRS4} asn={THEIR_AS}", f"{THEIRS6} asn={THEIR_AS}"


class Promises:
    """What every daemon must see. learned(session, prefix) gives None, or a dict of next_hop,
    as_path (list of numbers), communities (list of texts) and med."""
    md5 = True

    def daemon_start(self, password=None):
        raise NotImplementedError

    def daemon_stop(self):
        self.daemon.stop()

    def learned(self, session, prefix):
        raise NotImplementedError

    def wait_learned(self, session, prefix):
        return wait_for(f"{prefix} over {session}", lambda: self.learned(session, prefix))

    def wait_forgotten(self, session, prefix):
        wait_for(f"{prefix} gone from {session}", lambda: self.learned(session, prefix) is None)

    def setUp(self):
        super().setUp()
        self.speaker = Speaker(self.lab)

    def test_vips_arrive_and_go(self):
        self.daemon_start()
        self.speaker.ask(f"announce {VIP4} med=7 community=64512:7")
        self.speaker.ask(f"announce {VIP6}")
        self.speaker.configure(V4, V6)
        self.speaker.wait_established(THEIRS4, THEIRS6)
        for session in (OURS4, OURS6):
            with self.subTest(session=session):
                route = self.wait_learned(session, VIP4)
                self.assertEqual(route["next_hop"], OURS4)
                self.assertEqual(route["as_path"], [OUR_AS])
                self.assertEqual(route["med"], 7)
                self.assertEqual(route["communities"], ["64512:7"])
                self.assertEqual(self.wait_learned(session, VIP6)["next_hop"], OURS6)
        self.speaker.ask(f"withdraw {VIP4}")
        for session in (OURS4, OURS6):
            self.wait_forgotten(session, VIP4)
            self.assertTrue(self.learned(session, VIP6))
        self.speaker.stop("bye")
        for session in (OURS4, OURS6):
            self.wait_forgotten(session, VIP6)

    def test_md5_and_a_restart_of_the_peer(self):
        if not self.md5:
            self.skipTest("needs MD5 on the peer's side")
        self.daemon_start(password="s3cret")
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4 + " password=s3cret", V6 + " password=s3cret")
        self.wait_learned(OURS4, VIP4)
        self.wait_learned(OURS6, VIP4)
        self.daemon_stop()
        self.speaker.wait_down(THEIRS4)
        self.speaker.wait_down(THEIRS6)
        self.daemon_start(password="s3cret")
        self.wait_learned(OURS4, VIP4)
        self.wait_learned(OURS6, VIP4)


class Frr(Promises, InteropTest):
    needs = ("vtysh", "/usr/lib/frr/bgpd", "/usr/lib/frr/zebra")
    lib = "/usr/lib/frr"

    def daemon_start(self, password=None):
        d = self.lab.path("frr")  # FRR drops to its own user, and makes its sockets there
        os.makedirs(d, exist_ok=True)
        shutil.chown(d, "frr", "frr")
        passwords = "".join(f" neighbor {a} password {password}\n"
                            for a in (OURS4, OURS6)) if password else ""
        conf = self.lab.write("bgpd.conf", f"""
hostname frr
router bgp {THEIR_AS}
 bgp router-id {THEIRS4}
 no bgp ebgp-requires-policy
 neighbor {OURS4} remote-as {OUR_AS}
 neighbor {OURS4} timers 3 9
 neighbor {OURS4} timers connect 1
 neighbor {OURS6} remote-as {OUR_AS}
 neighbor {OURS6} timers 3 9
 neighbor {OURS6} timers connect 1
{passwords}
 address-family ipv4 unicast
  neighbor {OURS4} activate
  neighbor {OURS6} activate
 address-family ipv6 unicast
  neighbor {OURS4} activate
  neighbor {OURS6} activate
""")
        zebra = self.lab.write("zebra.conf", "hostname frr\n")
        common = ["-z", f"{d}/zserv.api", "--vty_socket", d, "-P", "0"]
        self.zebra = self.lab.start("zebra", f"{self.lib}/zebra", "-f", zebra, "-i",
                                    f"{d}/zebra.pid", *common)
        wait_for("zebra listens", lambda: os.path.exists(f"{d}/zserv.api"))
        self.daemon = self.lab.start("bgpd", f"{self.lib}/bgpd", "-f", conf, "-i", f"{d}/bgpd.pid",
                                     *common)
        wait_for("bgpd answers", lambda: "BGP" in self.vtysh("show bgp summary"))

    def daemon_stop(self):
        self.daemon.stop()
        self.zebra.stop()
        shutil.rmtree(self.lab.path("frr"))

    def vtysh(self, command):
        return run("vtysh", "--vty_socket", self.lab.path("frr"), "-c", command, check=False)

    def learned(self, session, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        text = self.vtysh(f"show bgp {family} unicast {prefix} json")
        try:
            paths = json.loads(text).get("paths", [])
        except ValueError:
            return None
        for p in paths:
            if p["peer"]["peerId"] == session:
                hops = [h["ip"] for h in p["nexthops"] if h.get("scope") != "link-local"]
                return {"next_hop": hops[0], "med": p.get("metric"),
                        "as_path": [int(a) for a in p["aspath"]["string"].split()],
                        "communities": p.get("community", {}).get("string", "").split()}
        return None


class GoBgp(Promises, InteropTest):
    needs = ("gobgp", "gobgpd")

    def daemon_start(self, password=None):
        auth = f'auth-password = "{password}"' if password else ""
        conf = f"""
[global.config]
  as = {THEIR_AS}
  router-id = "{THEIRS4}"
"""
        for address, local in ((OURS4, THEIRS4), (OURS6, THEIRS6)):
            conf += f"""
[[neighbors]]
  [neighbors.config]
    neighbor-address = "{address}"
    peer-as = {OUR_AS}
    {auth}
  [neighbors.transport.config]
    local-address = "{local}"
  [neighbors.timers.config]
    connect-retry = 1
    idle-hold-time-after-reset = 1
    hold-time = 9
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv4-unicast"
  [[neighbors.afi-safis]]
    [neighbors.afi-safis.config]
      afi-safi-name = "ipv6-unicast"
"""
        path = self.lab.write("gobgpd.toml", conf)
        self.daemon = self.lab.start("gobgpd", "gobgpd", "-f", path, "--api-hosts",
                                     "127.0.0.1:50051", "--pprof-disable")

    def learned(self, session, prefix):
        family = "ipv6" if ":" in prefix else "ipv4"
        text = run("ip", "netns", "exec", self.lab.theirs, "gobgp", "-j", "neighbor", session,
                   "adj-in", "-a", family, check=False)
        try:
            table = json.loads(text)
        except ValueError:
            return None
        paths = table.get(prefix) if isinstance(table, dict) else None
        for p in paths or []:
            attrs = {a["type"]: a for a in p["attrs"]}
            hop = attrs[3] if 3 in attrs else attrs[14]
            return {"next_hop": hop.get("nexthop"), "med": attrs.get(4, {}).get("metric"),
                    "as_path": [n for seg in attrs[2]["as_paths"] for n in seg["asns"]],
                    "communities": [f"{c >> 16}:{c & 0xffff}"
                                    for c in attrs.get(8, {}).get("communities", [])]}
        return None


class ExaBgp(Promises, InteropTest):
    needs = ("exabgp",)

    def daemon_start(self, password=None):
        # ExaBGP prints its events as JSON to a helper, which must keep its stdout open.
        self.sink = self.lab.path("exabgp.json")
        self.start_at = os.path.getsize(self.sink) if os.path.exists(self.sink) else 0
        helper = self.lab.write("sink.sh", f'#!/bin/sh\nexec cat 3>&1 >>{self.sink}\n')
        os.chmod(helper, 0o755)
        md5 = f"md5-password '{password}';" if password else ""
        conf = f"process sink {{ run {helper}; encoder json; }}\n"
        for address, local in ((OURS4, THEIRS4), (OURS6, THEIRS6)):
            conf += f"""
neighbor {address} {{
	router-id {THEIRS4};
	local-address {local};
	local-as {THEIR_AS};
	peer-as {OUR_AS};
	hold-time 9;
	{md5}
	family {{ ipv4 unicast; ipv6 unicast; }}
	api {{ processes [ sink ]; neighbor-changes; receive {{ parsed; update; }} }}
}}
"""
        path = self.lab.write("exabgp.conf", conf)
        env = dict(os.environ, **{"exabgp.daemon.user": "root", "exabgp.daemon.drop": "false",
                                  "exabgp.daemon.daemonize": "false", "exabgp.api.cli": "false",
                                  "exabgp.log.destination": "stderr"})
        self.daemon = self.lab.start("exabgp", "exabgp", path, env=env)

    def messages(self):
        if not os.path.exists(self.sink):
            return
        with open(self.sink, encoding="utf-8") as f:
            f.seek(self.start_at)
            for line in f:
                try:
                    yield json.loads(line)
                except ValueError:
                    return  # still being written

    def learned(self, session, prefix):
        route = None
        for m in self.messages():
            neighbor = m.get("neighbor", {})
            if neighbor.get("address", {}).get("peer") != session:
                continue
            if m["type"] == "state" and neighbor.get("state") == "down":
                route = None
            update = neighbor.get("message", {}).get("update", {})
            for hops in update.get("announce", {}).values():
                for hop, nlris in hops.items():
                    if any(isinstance(n, dict) and n.get("nlri") == prefix for n in nlris):
                        a = update.get("attribute", {})
                        route = {"next_hop": hop, "med": a.get("med"),
                                 "as_path": a.get("as-path", []),
                                 "communities": [f"{x}:{y}" for x, y in a.get("community", [])]}
            for nlris in update.get("withdraw", {}).values():
                if any(n.get("nlri") == prefix for n in nlris):
                    route = None
        return route


if __name__ == "__main__":
    main()
