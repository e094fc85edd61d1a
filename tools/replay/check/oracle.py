# SPDX-License-Identifier: BSD-2-Clause
"""What Fairway must do with a packet, worked out from its documentation alone.

This is a second implementation on purpose: it shares no code and no idea of how with the forwarding
core. parse.py takes the frame apart, this decides verdict, reason, VIP and the reals that may be
chosen, and outer.py checks the frame that left towards a given real.
"""
import ipaddress
from dataclasses import dataclass, field

import parse
from parse import ICMP4, ICMP6, TCP, UDP, Bad

SECOND = 10**9
FRAGMENT_LIFE = 30 * SECOND
# Replay doesn't clear the table of fragments, whose times come round.
STAMP_WRAP = 250 * SECOND
OUTER = {("ipip", 4): 20, ("ipip", 6): 40, ("gue", 4): 28, ("gue", 6): 48}
LINK_MTU = 65535


@dataclass
class Expected:
    """vip None: none is named. reals: those that may be chosen, with their MAC addresses; empty:
    none is named. flow: what goes to one real; None: nothing known of the flow."""
    verdict: str
    reason: str
    vip: str = None
    reals: dict = field(default_factory=dict)
    flow: tuple = None
    encap: str = None
    packet: parse.Packet = None
    mtu: int = 0
    unsure: bool = False  # time is on a border: nothing is demanded

    @property
    def leaves(self):
        return self.verdict in ("forward", "reply")


def network(text):
    return ipaddress.ip_network(text) if text else None


def martian(address):
    if address.version == 4:
        first = address.packed[0]
        return first in (0, 127) or first >= 224
    return address.packed[0] == 0xFF or int(address) in (0, 1) or \
        address.packed[:12] == bytes(10) + b"\xff\xff"


class Oracle:
    def __init__(self, config, down=()):
        down = {ipaddress.ip_address(d) for d in down}
        source = config["node"].get("tunnel_source") or {}
        self.source = {4: network(source.get("ipv4")), 6: network(source.get("ipv6"))}
        self.fragments = {}
        self.pools = {}
        for pool in config["pools"]:
            reals = {}
            for real in pool.get("reals") or []:
                address = ipaddress.ip_address(real["address"])
                if address not in down and real.get("weight", 1) > 0:
                    mac = real.get("mac")
                    reals[address] = bytes.fromhex(mac.replace(":", "")) if mac else None
            self.pools[pool["name"]] = (pool["encap"], reals)
        self.services, self.vips = {}, {}
        for vip in config["vips"]:
            address = ipaddress.ip_address(vip["address"])
            if vip.get("services"):
                self.vips[address] = vip["name"]
            for service in vip.get("services") or []:
                number = {"tcp": TCP, "udp": UDP}[service["protocol"]]
                port = service["port"] if service["port"] != "any" else None
                self.services[address, number, port] = service["pool"]

    # ---- the decision ----

    def decide(self, frame, now_ns):
        """What must be said of a frame that comes at a time."""
        try:
            packet = parse.parse(frame)
            expected = self.decide_packet(packet, now_ns)
        except Bad as bad:
            if bad.to is None:
                return Expected(bad.verdict, bad.reason)
            if bad.to not in self.vips:
                return Expected("pass", "not_vip")
            return Expected(bad.verdict, bad.reason, self.vips[bad.to])
        expected.packet = packet
        return expected

    def decide_packet(self, packet, now_ns):
        if packet.part == "later":
            return self.decide_later(packet, now_ns)
        if packet.protocol in (TCP, UDP):
            return self.decide_l4(packet)
        if packet.protocol in (4, 41):
            raise Bad("drop", "encapsulated", packet.to)
        if packet.protocol == (ICMP4 if packet.version == 4 else ICMP6):
            return self.decide_icmp(packet)
        return Expected("pass", "not_tcp_udp")

    def check_source(self, packet):
        if martian(packet.source):
            raise Bad("drop", "martian_source", packet.to)
        if packet.source == packet.to:
            raise Bad("drop", "land", packet.to)

    def pool_of(self, to, protocol, port):
        return self.services.get((to, protocol, port)) or self.services.get((to, protocol, None))

    def to_pool(self, packet, reason, pool, flow):
        encap, reals = self.pools[pool]
        vip = self.vips[packet.to]
        if not reals:
            return Expected("drop", "no_real", vip)
        return Expected("forward", reason, vip, reals, flow + (pool,), encap)

    def decide_l4(self, packet):
        l4 = packet.l4
        if len(l4) < 8:
            raise Bad("drop", "l4_truncated", packet.to)
        ports = int.from_bytes(l4[:2], "big"), int.from_bytes(l4[2:4], "big")
        pool = self.pool_of(packet.to, packet.protocol, ports[1])
        if pool is None:
            return Expected("pass", "not_vip")
        if packet.protocol == TCP:
            if len(l4) < 20:
                raise Bad("drop", "l4_truncated", packet.to)
            if not 20 <= (l4[12] >> 4) * 4 <= len(l4):
                raise Bad("drop", "tcp_header_length", packet.to)
        else:
            length = int.from_bytes(l4[4:6], "big")
            if length < 8 or (length > len(l4) and not packet.part):
                raise Bad("drop", "udp_length", packet.to)
        self.check_source(packet)
        return self.to_pool(packet, "forwarded", pool,
                            (packet.source, packet.to, packet.protocol, ports))

    # ---- fragments ----

    @staticmethod
    def datagram(packet):
        return (packet.source, packet.to, packet.ident,
                packet.protocol if packet.version == 4 else None)

    def decide_later(self, packet, now_ns):
        if packet.to not in self.vips:
            return Expected("pass", "not_vip")
        self.check_source(packet)
        if packet.protocol == TCP and packet.offset < 20:
            raise Bad("drop", "fragment_overlap", packet.to)
        first = self.fragments.get(self.datagram(packet))
        age = now_ns - first[0] if first else None
        if first is None or FRAGMENT_LIFE + SECOND < age < STAMP_WRAP:
            raise Bad("drop", "fragment_early", packet.to)
        _, real, mac, encap = first
        expected = Expected("forward", "fragment_followed", self.vips[packet.to], {real: mac},
                            None, encap)
        expected.unsure = age > FRAGMENT_LIFE - SECOND
        return expected

    def sent(self, expected, real, now_ns):
        """A packet went to a real: its fragments will follow."""
        if expected.reason == "forwarded" and expected.packet.part == "first":
            self.fragments[self.datagram(expected.packet)] = \
                (now_ns, real, expected.reals[real], expected.encap)

    # ---- ICMP ----

    def decide_icmp(self, packet):
        if packet.to not in self.vips:
            return Expected("pass", "not_vip")
        if len(packet.l4) < 8:
            raise Bad("drop", "l4_truncated", packet.to)
        self.check_source(packet)
        if packet.part:
            raise Bad("drop", "icmp_fragment", packet.to)
        if parse.is_echo(packet):
            return Expected("drop", "echo_down", self.vips[packet.to])
        if parse.is_error(packet):
            return self.decide_error(packet)
        return Expected("pass", "not_tcp_udp", self.vips[packet.to])

    def decide_error(self, packet):
        """To the real whose packet to a client is quoted: the client's flow, turned round."""
        source, to, protocol, l4 = parse.parse_quote(packet)
        if protocol not in (TCP, UDP):
            raise Bad("drop", "icmp_no_flow", packet.to)
        if len(l4) < 4:
            raise Bad("drop", "icmp_quote", packet.to)
        if source != packet.to:
            raise Bad("drop", "icmp_no_flow", packet.to)
        ports = int.from_bytes(l4[2:4], "big"), int.from_bytes(l4[:2], "big")
        pool = self.pool_of(packet.to, protocol, ports[1])
        if pool is None:
            raise Bad("drop", "icmp_no_flow", packet.to)
        return self.to_pool(packet, "icmp_error", pool, (to, source, protocol, ports))

    # ---- the last of the decision, when the real is known ----

    def decide_for(self, expected, frame, real):
        """What may not go to this very real: back to where it came from, or too large a packet."""
        packet = expected.packet
        if expected.encap == "l2dsr":
            if frame[6:12] == expected.reals[real]:
                expected.verdict, expected.reason = "drop", "looped"
            return
        room = LINK_MTU - OUTER[expected.encap, real.version]
        if len(packet.ip) <= room:
            return
        # Errors are about TCP and UDP packets, never about an error or a part of a packet.
        if expected.reason == "forwarded" and packet.whole_or_told:
            expected.verdict, expected.reason, expected.mtu = "reply", "too_big_answered", room
        else:
            expected.verdict, expected.reason = "drop", "too_big"
