#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The speaker against BIRD 2: routes, security, and everything that goes wrong."""
import time

from bird import Bird, both_sessions, protocol
from lab import (OUR_AS, OURS4, OURS6, THEIR_AS, THEIRS4, THEIRS6, InteropTest, Speaker, main, run,
                 wait_for)

V4, V6 = f"{THEIRS4} asn={THEIR_AS}", f"{THEIRS6} asn={THEIR_AS}"
VIP4, VIP6 = "203.0.113.80/32", "2001:db8:80::80/128"


class Bird2(InteropTest):
    needs = ("bird", "birdc")

    def setUp(self):
        super().setUp()
        self.speaker = Speaker(self.lab)

    def test_vips_of_both_families_arrive_over_both_transports(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4} med=7 community=64512:7 community=65535:666")
        self.speaker.ask(f"announce {VIP6}")
        self.speaker.configure(V4, V6)
        self.speaker.wait_established(THEIRS4, THEIRS6)
        for proto in ("v4", "v6"):
            bird.wait_route(VIP4, proto, f"BGP.next_hop: {OURS4}", f"BGP.as_path: {OUR_AS}",
                            "BGP.origin: IGP", "BGP.med: 7", "(64512,7) (65535,666)")
            bird.wait_route(VIP6, proto, f"BGP.next_hop: {OURS6}", f"BGP.as_path: {OUR_AS}")
        p = self.speaker.peer(THEIRS4)
        self.assertEqual(p["announced"], 2)
        self.assertEqual(p["hold_time_ms"], 9000)
        self.assertEqual(p["capabilities"], ["ipv4-unicast", "ipv6-unicast", "four-octet-as",
                                             "route-refresh"])
        self.speaker.ask(f"withdraw {VIP4}")
        for proto in ("v4", "v6"):
            bird.wait_gone(VIP4, proto)
            self.assertTrue(bird.route(VIP6, proto))

    def test_announcing_again_and_an_unchanged_configuration_send_nothing(self):
        Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4, V6)
        self.speaker.wait_established(THEIRS4, THEIRS6)
        before = wait_for("the VIP is announced", lambda: (
            lambda p: p if p["announced"] == 1 else None)(self.speaker.peer(THEIRS4)))
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.ask("withdraw 203.0.113.99/32")
        self.speaker.configure(V6, V4)  # the order of neighbours means nothing
        after = self.speaker.peer(THEIRS4)
        self.assertEqual(after["updates_out"], before["updates_out"])
        self.assertEqual(after["state"], "Established")
        self.assertEqual(after["times_connected"], 1)

    def test_a_changed_neighbour_is_reset_and_the_others_stay(self):
        Bird(self.lab, both_sessions())
        self.speaker.configure(V4, V6)
        self.speaker.wait_established(THEIRS4, THEIRS6)
        self.speaker.configure(V4 + " hold=6", V6)
        down = self.speaker.wait_down(THEIRS4)
        self.assertIn("other configuration change (6/6)", down["reason"])
        self.speaker.wait_established(THEIRS4, THEIRS6)
        self.assertEqual(self.speaker.peer(THEIRS4)["hold_time_ms"], 6000)
        self.assertEqual(self.speaker.peer(THEIRS6)["times_connected"], 1)

    def test_a_changed_next_hop_is_announced_in_the_running_session(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4)
        bird.wait_route(VIP4, "v4", OURS4)
        self.speaker.configure(V4 + " next_hop4=10.9.0.77")
        bird.wait_route(VIP4, "v4", "BGP.next_hop: 10.9.0.77")
        self.assertEqual(self.speaker.peer(THEIRS4)["times_connected"], 1)

    def test_without_an_address_for_the_next_hop_the_prefix_waits_and_says_so(self):
        bird = Bird(self.lab, both_sessions())
        run("ip", "-n", self.lab.ours, "-6", "addr", "del", f"{OURS6}/64", "dev", "veth-a")
        self.speaker.ask(f"announce {VIP6}")
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4)
        bird.wait_route(VIP4, "v4", OURS4)
        p = self.speaker.peer(THEIRS4)
        self.assertEqual((p["announced"], p["unsendable"]), (1, 1))
        self.assertIn("veth-a", p["unsendable_reason"])
        self.assertIn("no global IPv6 address", p["unsendable_reason"])
        run("ip", "-n", self.lab.ours, "-6", "addr", "add", f"{OURS6}/64", "dev", "veth-a", "nodad")
        bird.wait_route(VIP6, "v4", f"BGP.next_hop: {OURS6}")

    def test_only_negotiated_families_are_sent(self):
        Bird(self.lab, protocol("v4", OURS4, THEIRS4, channels="ipv4 { import all; export none; };"))
        self.speaker.ask(f"announce {VIP6}")
        self.speaker.configure(V4)
        self.speaker.wait_established(THEIRS4)
        p = self.speaker.peer(THEIRS4)
        self.assertEqual((p["announced"], p["unsendable"]), (0, 1))
        self.assertIn("didn't offer IPv6 unicast", p["unsendable_reason"])

    def test_route_refresh_gets_the_table_again(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4)
        bird.wait_route(VIP4, "v4")
        before = self.speaker.peer(THEIRS4)["updates_out"]
        bird.c("reload in v4")
        wait_for("the table is sent again",
                 lambda: self.speaker.peer(THEIRS4)["updates_out"] > before)
        self.assertTrue(bird.route(VIP4, "v4"))

    def test_ibgp_carries_local_pref_and_an_empty_path(self):
        bird = Bird(self.lab, protocol("v4", OURS4, THEIRS4, asn=64512, our_as=64512))
        self.speaker.ask(f"announce {VIP4} local_pref=250")
        self.speaker.configure(f"{THEIRS4} asn=64512", asn=64512)
        route = bird.wait_route(VIP4, "v4", "BGP.local_pref: 250")
        self.assertRegex(route, r"BGP\.as_path: *\n")

    def test_a_two_octet_peer_learns_the_true_as(self):
        bird = Bird(self.lab, protocol("v4", OURS4, THEIRS4, our_as=None, extra="enable as4 off;"))
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4)
        # BIRD puts the path together from AS_PATH (23456) and AS4_PATH.
        bird.wait_route(VIP4, "v4", f"BGP.as_path: {OUR_AS}")
        self.assertNotIn("four-octet-as", self.speaker.peer(THEIRS4)["capabilities"])

    def test_md5_lets_the_right_password_in_and_tells_of_a_wrong_one(self):
        Bird(self.lab, both_sessions(extra='password "s3cret";'))
        self.speaker.configure(V4 + " password=s3cret", V6 + " password=s3cret")
        self.speaker.wait_established(THEIRS4, THEIRS6)
        self.speaker.configure(V4 + " password=wrong", V6 + " password=s3cret")
        told = self.speaker.wait_event("a word about the password", lambda e: (
            e["event"] == "notice" and e["peer"] == THEIRS4), deadline=25)
        self.assertIn("MD5 password", told["text"])
        self.assertEqual(self.speaker.peer(THEIRS6)["times_connected"], 1)

    def test_md5_works_when_the_peer_connects(self):
        Bird(self.lab, both_sessions(extra='password "s3cret";'))
        self.speaker.configure(V4 + " password=s3cret passive=1", V6 + " password=s3cret passive=1")
        self.speaker.wait_established(THEIRS4, THEIRS6)

    def test_gtsm_works_in_both_directions(self):
        Bird(self.lab, both_sessions(extra="ttl security on; multihop 1;"))
        self.speaker.configure(V4 + " ttl=1", V6 + " ttl=1 passive=1")
        self.speaker.wait_established(THEIRS4, THEIRS6)

    def test_silence_ends_the_session_with_the_hold_time(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4 + " hold=3")
        bird.wait_route(VIP4, "v4")
        start = time.monotonic()
        self.lab.blackhole(True)
        down = self.speaker.wait_down(THEIRS4, deadline=6)
        self.assertIn("hold timer expired (4/0): nothing heard from the peer for 3 s",
                      down["reason"])
        bird.wait_gone(VIP4, "v4", deadline=6)
        self.assertLess(time.monotonic() - start, 6)
        self.assertGreater(time.monotonic() - start, 1.5)
        self.lab.blackhole(False)
        self.speaker.wait_established(THEIRS4)
        bird.wait_route(VIP4, "v4")

    def test_a_killed_node_loses_its_routes_with_the_hold_time(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4 + " hold=3")
        bird.wait_route(VIP4, "v4")
        self.lab.blackhole(True)  # the host dies: not even a FIN gets out
        self.speaker.kill()
        bird.wait_gone(VIP4, "v4", deadline=5)

    def test_a_restarted_peer_is_back_at_once_with_the_table(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4)
        bird.wait_route(VIP4, "v4")
        seen = len(self.speaker.events)
        bird.process.stop()
        down = self.speaker.wait_down(THEIRS4, since=seen)
        self.assertIn("Cease", down["reason"])
        bird.start()
        self.speaker.wait_established(THEIRS4)
        bird.wait_route(VIP4, "v4")
        self.assertEqual(self.speaker.peer(THEIRS4)["times_connected"], 2)

    def test_an_amnesiac_peer_need_not_wait_for_the_hold_timer(self):
        """The peer crashes unseen and comes back: its new connection makes us probe the old one."""
        bird = Bird(self.lab, protocol("v4", OURS4, THEIRS4, extra="hold time 90;"))
        self.speaker.configure(V4 + " hold=90")
        self.speaker.wait_established(THEIRS4)
        run("ip", "netns", "exec", self.lab.theirs, "sysctl", "-qw", "net.ipv4.tcp_orphan_retries=1")
        # Nothing may be on its way, or its retransmission would be the probe.
        wait_for("all is acknowledged", lambda: all("unacked:" not in run(
            "ip", "netns", "exec", ns, "ss", "-tinH") for ns in (self.lab.ours, self.lab.theirs)))
        self.lab.blackhole(True)
        bird.process.stop(kill=True)
        wait_for("the dead peer's kernel forgets the connection", lambda: OURS4 not in run(
            "ip", "netns", "exec", self.lab.theirs, "ss", "-tanH"))
        self.lab.blackhole(False)
        bird.start()
        wait_for("a second session", lambda: (
            lambda p: p["state"] == "Established" and p["times_connected"] == 2)(
                self.speaker.peer(THEIRS4)))

    def test_both_sides_connecting_at_once_end_with_one_session(self):
        """Higher and lower router id than the peer's; both sides connect as soon as they can."""
        for router_id in ("10.9.0.1", "10.9.0.200"):
            with self.subTest(router_id=router_id):
                bird = Bird(self.lab, both_sessions(extra="connect delay time 1;"))
                self.speaker.ask(f"announce {VIP4}")
                self.speaker.configure(V4, V6, router_id=router_id)
                self.speaker.wait_established(THEIRS4, THEIRS6)
                bird.wait_route(VIP4, "v4")
                bird.wait_route(VIP4, "v6")
                bird.process.stop()
                self.speaker.configure()

    def test_the_wrong_as_is_explained_on_both_sides(self):
        bird = Bird(self.lab, protocol("v4", OURS4, THEIRS4, asn=64999))
        self.speaker.configure(V4)
        told = self.speaker.wait_event("a word about the AS", lambda e: e["event"] == "notice")
        self.assertIn("bad peer AS (2/2)", told["text"])
        bird.process.stop()
        seen = len(self.speaker.events)
        Bird(self.lab, protocol("v4", OURS4, THEIRS4, our_as=64998))
        told = self.speaker.wait_event("the peer's view", lambda e: (
            e["event"] == "notice" and "expects another AS" in e["text"]), since=seen)
        self.assertIn("the peer ended it: OPEN message error / bad peer AS (2/2)", told["text"])

    def test_stop_says_goodbye_with_the_message_and_peers_forget_at_once(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.ask(f"announce {VIP4}")
        self.speaker.configure(V4, V6)
        bird.wait_route(VIP4, "v4")
        bird.wait_route(VIP4, "v6")
        self.speaker.stop("kernel update, back at 5")
        bird.wait_gone(VIP4, "v4", deadline=2)
        bird.wait_gone(VIP4, "v6", deadline=2)
        with open(self.lab.path("bird.log"), encoding="utf-8") as log:
            self.assertIn("kernel update, back at 5", log.read())

    def test_a_shutdown_message_of_the_peer_reaches_our_operator(self):
        bird = Bird(self.lab, both_sessions())
        self.speaker.configure(V4)
        self.speaker.wait_established(THEIRS4)
        run("birdc", "-s", bird.ctl, "disable", "v4", '"moving racks"')
        down = self.speaker.wait_down(THEIRS4)
        self.assertIn("administrative shutdown (6/2): \"moving racks\"", down["reason"])

    def test_a_taken_port_is_reported_and_sessions_still_come_up(self):
        Bird(self.lab, both_sessions())
        self.lab.start("squatter", "bird", "-f", "-c", self.lab.write("squat.conf", protocol(
            "x", "10.9.0.99", OURS4, extra="passive;") + f"router id 1.1.1.1;\nprotocol device {{}}\n"),
            "-s", self.lab.path("squat.ctl"), ns=self.lab.ours)
        wait_for("the port is taken", lambda: ":179" in run(
            "ip", "netns", "exec", self.lab.ours, "ss", "-ltn"))
        self.speaker.configure(V4)
        self.assertIn("cannot listen on 0.0.0.0:179", self.speaker.ask("show")["listen_error"])
        self.speaker.wait_established(THEIRS4)

    def test_a_large_table_from_the_peer_costs_no_memory(self):
        routes = "\n".join(f"route 10.{i // 250}.{i % 250}.0/24 blackhole;" for i in range(20000))
        Bird(self.lab, f"protocol static {{ ipv4; {routes} }}\n" + protocol(
            "v4", OURS4, THEIRS4, channels="ipv4 { import all; export all; };"))
        self.speaker.configure(V4)
        self.speaker.wait_established(THEIRS4)

        def rss():
            with open(f"/proc/{self.speaker.proc.pid}/status", encoding="ascii") as f:
                return next(int(l.split()[1]) for l in f if l.startswith("VmRSS"))
        before = rss()
        wait_for("the table is in", lambda: self.speaker.peer(THEIRS4)["updates_in"] >= 20)
        time_in = self.speaker.peer(THEIRS4)["updates_in"]
        self.assertGreater(time_in, 0)
        self.assertLess(rss() - before, 512)
        self.assertEqual(self.speaker.peer(THEIRS4)["state"], "Established")


if __name__ == "__main__":
    main()
