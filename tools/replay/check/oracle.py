# SPDX-License-Identifier: BSD-2-Clause
"""What Fairway must do with a packet, worked out from its documentation alone.

This is a second implementation on purpose: it shares no code and no idea of how with the forwarding
core. It decides verdict, reason, VIP and the reals that may be chosen, and builds the frame that
must leave towards a given real.
"""
import ipaddress
import struct
from dataclasses import dataclass, field

TCP, UDP, FRAGMENT = 6, 17, 44
OWN_MAC, GATEWAY_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")


@dataclass
class Expected:
    """vip None: none is named. reals: those that may be chosen; empty: none is named."""
    verdict: str
    reason: str
    vip: str = None
    reals: dict = field(default_factory=dict)
    flow: tuple = None
    ip_bytes: int = 0  # length of the IP packet by its own header


def network(text):
    return ipaddress.ip_network(text) if text else None


class Oracle:
    def __init__(self, config, down=()):
        down = {ipaddress.ip_address(d) for d in down}
        source = config["node"].get("tunnel_source") or {}
        self.source = {4: network(source.get("ipv4")), 6: network(source.get("ipv6"))}
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

    def decide(self, frame):
        if len(frame) < 14:
            return Expected("drop", "eth_truncated")
        if frame[0] & 1:
            return Expected("pass", "multicast")
        kind = frame[12:14].hex()
        if kind in ("8100", "88a8"):
            return Expected("pass", "vlan")
        if kind == "0800":
            return self.decide4(frame[14:])
        if kind == "86dd":
            return self.decide6(frame[14:])
        return Expected("pass", "not_ip")

    def malformed(self, address, reason):
        """Dropped when it is for a VIP, else none of our business."""
        if address in self.vips:
            return Expected("drop", reason, self.vips[address])
        return Expected("pass", "not_vip")

    def decide4(self, ip):
        if len(ip) < 20:
            return Expected("drop", "ip4_truncated")
        if ip[0] >> 4 != 4:
            return Expected("drop", "ip4_version")
        destination = ipaddress.ip_address(ip[16:20])
        header, (total,) = (ip[0] & 15) * 4, struct.unpack("!H", ip[2:4])
        if header < 20 or header > total:
            return self.malformed(destination, "ip4_header_length")
        if total > len(ip):
            return self.malformed(destination, "ip4_total_length")
        if ip[9] not in (TCP, UDP):
            return Expected("pass", "not_tcp_udp")
        if struct.unpack("!H", ip[6:8])[0] & 0x3FFF:
            return self.malformed(destination, "fragment")
        return self.decide_l4(ip[12:16], destination, ip[9], ip[header:total], total)

    def decide6(self, ip):
        if len(ip) < 40:
            return Expected("drop", "ip6_truncated")
        if ip[0] >> 4 != 6:
            return Expected("drop", "ip6_version")
        destination = ipaddress.ip_address(ip[24:40])
        (payload,) = struct.unpack("!H", ip[4:6])
        if 40 + payload > len(ip):
            return self.malformed(destination, "ip6_payload_length")
        if ip[6] == FRAGMENT:
            return self.malformed(destination, "fragment")
        if ip[6] not in (TCP, UDP):
            return Expected("pass", "not_tcp_udp")
        return self.decide_l4(ip[8:24], destination, ip[6], ip[40:40 + payload], 40 + payload)

    def decide_l4(self, source, destination, protocol, l4, ip_bytes):
        if len(l4) < 8:
            return self.malformed(destination, "l4_truncated")
        ports = struct.unpack("!HH", l4[:4])
        pool = self.services.get((destination, protocol, ports[1])) or \
            self.services.get((destination, protocol, None))
        if pool is None:
            return Expected("pass", "not_vip")
        vip = self.vips[destination]
        if protocol == TCP:
            if len(l4) < 20:
                return Expected("drop", "l4_truncated", vip)
            if not 20 <= (l4[12] >> 4) * 4 <= len(l4):
                return Expected("drop", "tcp_header_length", vip)
        elif not 8 <= struct.unpack("!H", l4[4:6])[0] <= len(l4):
            return Expected("drop", "udp_length", vip)
        reals = self.pools[pool][1]
        flow = (source, destination.packed, protocol, ports, pool)
        if not reals:
            return Expected("drop", "no_real", vip)
        return Expected("forward", "forwarded", vip, reals, flow, ip_bytes)

    def decide_for(self, expected, real):
        """The last of the decision: what the outer header can't count doesn't go to this real."""
        outer = 20 if real.version == 4 else 40
        if self.encap_of(expected) == "ipip" and expected.ip_bytes + outer > 65535:
            expected.verdict, expected.reason = "drop", "too_big"

    # ---- the frame that leaves ----

    def encap_of(self, expected):
        return self.pools[expected.flow[4]][0]

    def check_output(self, frame, out, expected, real):
        """The entropy that the outer header carries; raises AssertionError with what is wrong."""
        if self.encap_of(expected) == "l2dsr":
            want = expected.reals[real] + OWN_MAC + frame[12:]
            assert out == want, f"l2dsr frame is\n{out.hex()}\nnot\n{want.hex()}"
            return None
        inner = frame[14:14 + expected.ip_bytes]
        assert out[:12] == GATEWAY_MAC + OWN_MAC, f"MAC addresses {out[:12].hex()}"
        assert out.endswith(inner), "the inner packet is not what came"
        outer = out[14:len(out) - len(inner)]
        if real.version == 4:
            return self.check_outer4(out[12:14], outer, inner, real)
        return self.check_outer6(out[12:14], outer, inner, real)

    def check_source(self, address):
        prefix = self.source[address.version]
        assert address in prefix, f"outer source {address} is not in {prefix}"
        return int(address) - int(prefix.network_address)

    def check_outer4(self, kind, outer, inner, real):
        assert kind.hex() == "0800", f"EtherType {kind.hex()}"
        assert len(outer) == 20, f"outer header of {len(outer)} bytes"
        version, tos, total, _, fragment, ttl, protocol, _, source, target = \
            struct.unpack("!BBHHHBBH4s4s", outer)
        inner4 = inner[0] >> 4 == 4
        inner_tos = inner[1] if inner4 else (struct.unpack("!H", inner[:2])[0] >> 4) & 0xFF
        dont_fragment = struct.unpack("!H", inner[6:8])[0] & 0x4000 if inner4 else 0x4000
        assert version == 0x45, f"version and header length {version:#x}"
        assert tos == inner_tos, f"outer TOS {tos:#x}, inner {inner_tos:#x}"
        assert total == 20 + len(inner), f"outer total length {total}, inner packet {len(inner)}"
        assert fragment == dont_fragment, f"flags {fragment:#x} where {dont_fragment:#x} belongs"
        assert ttl == 64, f"TTL {ttl}"
        assert protocol == (4 if inner4 else 41), f"protocol {protocol}"
        assert target == real.packed, f"outer destination {target.hex()}"
        total_sum = sum(struct.unpack("!10H", outer))
        while total_sum > 0xFFFF:
            total_sum = (total_sum & 0xFFFF) + (total_sum >> 16)
        assert total_sum == 0xFFFF, f"outer checksum sums to {total_sum:#x}"
        return self.check_source(ipaddress.ip_address(source))

    def check_outer6(self, kind, outer, inner, real):
        assert kind.hex() == "86dd", f"EtherType {kind.hex()}"
        assert len(outer) == 40, f"outer header of {len(outer)} bytes"
        first, payload, following, hop_limit = struct.unpack("!IHBB", outer[:8])
        inner4 = inner[0] >> 4 == 4
        inner_class = inner[1] if inner4 else (struct.unpack("!H", inner[:2])[0] >> 4) & 0xFF
        assert first >> 28 == 6, f"version {first >> 28}"
        assert (first >> 20) & 0xFF == inner_class, f"traffic class {(first >> 20) & 0xFF:#x}"
        assert payload == len(inner), f"payload length {payload}, inner packet {len(inner)}"
        assert following == (4 if inner4 else 41), f"next header {following}"
        assert hop_limit == 64, f"hop limit {hop_limit}"
        assert outer[24:] == real.packed, f"outer destination {outer[24:].hex()}"
        return first & 0xFFFFF, self.check_source(ipaddress.ip_address(outer[8:24]))
