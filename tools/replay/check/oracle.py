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
OUTER = {("ipip", 4): 20, ("ipip", 6): 40, ("gue", 4): 28, ("gue", 6): 48}
LINK_MTU = 65535


@dataclass
class Expected:
    """vip None: none is named. reals: those that may be chosen, with their MAC addresses; empty:
    none is named. flow: what has one entropy; None: nothing is known."""
    verdict: str
    reason: str
    vip: str = None
    reals: dict = field(default_factory=dict)
    flow: tuple = None
    encap: str = None
    choice: tuple = None  # what the real is chosen by; None: nothing is known
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


@dataclass
class Service:
    protocol: int
    ports: range
    any_port: bool
    pool: str
    hash: str
    deny: list
    quic: bool


@dataclass
class Pool:
    encap: str
    reals: dict      # address to MAC address, those that take connections
    rotation: int = None
    id_length: int = 0
    ids: dict = field(default_factory=dict)  # server id to address

    @staticmethod
    def read(pool, down):
        made = Pool(pool["encap"], {})
        if "quic" in pool:
            made.rotation = pool["quic"].get("rotation", 0)
            made.id_length = pool["quic"]["server_id_length"]
        for real in pool.get("reals") or []:
            address = ipaddress.ip_address(real["address"])
            if address in down:
                continue
            mac = real.get("mac")
            mac = bytes.fromhex(mac.replace(":", "")) if mac else None
            if real.get("weight", 1) > 0:
                made.reals[address] = mac
            own = address.packed.rjust(made.id_length, b"\0")[-made.id_length:]
            made.ids[bytes.fromhex(real["server_id"]) if "server_id" in real else own] = \
                (address, mac)
        return made


def service_of(service):
    ports, any_port = str(service["port"]), service["port"] == "any"
    low, _, high = ("0", "", "65535") if any_port else ports.partition("-")
    return Service({"tcp": TCP, "udp": UDP}[service["protocol"]],
                   range(int(low), int(high or low) + 1), any_port, service["pool"],
                   service.get("hash", "5tuple"), [network(d) for d in service.get("deny") or []],
                   service.get("quic", False))


class Oracle:
    def __init__(self, config, down=()):
        down = {ipaddress.ip_address(d) for d in down}
        source = config["node"].get("tunnel_source") or {}
        self.source = {4: network(source.get("ipv4")), 6: network(source.get("ipv6"))}
        self.fragments = {}
        self.pools = {pool["name"]: Pool.read(pool, down) for pool in config["pools"]}
        # The longest prefix owns an address.
        self.vips = sorted(((network(vip["address"]), vip["name"],
                             [service_of(s) for s in vip.get("services") or []])
                            for vip in config["vips"] if vip.get("services")),
                           key=lambda vip: -vip[0].prefixlen)

    def vip_of(self, address):
        """Name and services of the VIP that owns an address, or None."""
        for prefix, name, services in self.vips:
            if address.version == prefix.version and address in prefix:
                return name, services
        return None

    def name_of(self, address):
        return self.vip_of(address)[0]

    # ---- the decision ----

    def decide(self, frame, now_ns):
        """What must be said of a frame that comes at a time."""
        try:
            packet = parse.parse(frame)
            expected = self.decide_packet(packet, now_ns)
        except Bad as bad:
            if bad.to is None:
                return Expected(bad.verdict, bad.reason)
            if self.vip_of(bad.to) is None:
                return Expected("pass", "not_vip")
            return Expected(bad.verdict, bad.reason, self.name_of(bad.to))
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

    def service_at(self, to, protocol, port):
        """A port or a range beats any port."""
        vip = self.vip_of(to)
        fitting = [s for s in (vip[1] if vip else []) if s.protocol == protocol and port in s.ports]
        return min(fitting, key=lambda s: s.any_port, default=None)

    def to_pool(self, packet, reason, service, flow):
        """flow: source, destination, protocol, ports."""
        pool = self.pools[service.pool]
        vip = self.name_of(packet.to)
        if not pool.reals:
            return Expected("drop", "no_real", vip)
        source, to, protocol, ports = flow
        choice = {"5tuple": flow, "source": (source,), "source_destination": (source, to),
                  "destination_port": (ports[1], to.version)}[service.hash]
        return Expected("forward", reason, vip, pool.reals, flow + (service.pool,), pool.encap,
                        choice=(service.pool, service.hash, *choice))

    def by_connection_id(self, packet, service, expected):
        """QUIC-LB: a short header whose id names a real of the pool."""
        pool, quic = self.pools[service.pool], packet.l4[8:]
        if len(quic) < 2 + pool.id_length or quic[0] & 0x80 or quic[1] >> 5 != pool.rotation:
            return
        real = pool.ids.get(quic[2:2 + pool.id_length])
        if real:
            expected.reals, expected.choice = dict([real]), None

    def decide_l4(self, packet):
        l4 = packet.l4
        if len(l4) < 8:
            raise Bad("drop", "l4_truncated", packet.to)
        ports = int.from_bytes(l4[:2], "big"), int.from_bytes(l4[2:4], "big")
        service = self.service_at(packet.to, packet.protocol, ports[1])
        if service is None:
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
        if any(packet.source in prefix for prefix in service.deny
               if prefix.version == packet.version):
            raise Bad("drop", "denied", packet.to)
        expected = self.to_pool(packet, "forwarded", service,
                                (packet.source, packet.to, packet.protocol, ports))
        if service.quic:
            self.by_connection_id(packet, service, expected)
        return expected

    # ---- fragments ----

    @staticmethod
    def datagram(packet):
        return (packet.source, packet.to, packet.ident,
                packet.protocol if packet.version == 4 else None)

    def decide_later(self, packet, now_ns):
        if self.vip_of(packet.to) is None:
            return Expected("pass", "not_vip")
        self.check_source(packet)
        if packet.protocol == TCP and packet.offset < 20:
            raise Bad("drop", "fragment_overlap", packet.to)
        first = self.fragments.get(self.datagram(packet))
        age = now_ns - first[0] if first else None
        if first is None or age > FRAGMENT_LIFE + SECOND:
            raise Bad("drop", "fragment_early", packet.to)
        _, real, mac, encap = first
        expected = Expected("forward", "fragment_followed", self.name_of(packet.to), {real: mac},
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
        if self.vip_of(packet.to) is None:
            return Expected("pass", "not_vip")
        if len(packet.l4) < 8:
            raise Bad("drop", "l4_truncated", packet.to)
        self.check_source(packet)
        if packet.part:
            raise Bad("drop", "icmp_fragment", packet.to)
        if parse.is_echo(packet):
            name, services = self.vip_of(packet.to)
            if not any(self.pools[service.pool].reals for service in services):
                raise Bad("drop", "echo_down", packet.to)
            return Expected("reply", "echo_answered", name)
        if parse.is_error(packet):
            return self.decide_error(packet)
        return Expected("pass", "not_tcp_udp", self.name_of(packet.to))

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
        service = self.service_at(packet.to, protocol, ports[1])
        if service is None:
            raise Bad("drop", "icmp_no_flow", packet.to)
        return self.to_pool(packet, "icmp_error", service, (to, source, protocol, ports))

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
