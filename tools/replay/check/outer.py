# SPDX-License-Identifier: BSD-2-Clause
"""Checks frames that left: outer headers, L2 DSR, and what the balancer answers by itself."""
import ipaddress
import struct

OWN_MAC, GATEWAY_MAC = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
GUE_PORT = 6080
QUOTE = {4: 548, 6: 1232}


def checksum(data):
    if len(data) % 2:
        data = data + b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def tags_of(packet):
    return b"".join(packet.tags)


class Outer:
    """sources: prefixes by family, from which the outer source is taken."""

    def __init__(self, sources):
        self.sources = sources

    def check(self, frame, out, expected, real):
        """The entropy that the outer headers carry; raises AssertionError with what is wrong."""
        packet = expected.packet
        if expected.verdict == "reply":
            answer = self.echo(frame, packet) if expected.reason == "echo_answered" \
                else self.too_big(frame, packet, expected.mtu)
            assert out == answer, f"the answer is\n{out.hex()}\nnot\n{answer.hex()}"
            return None
        if expected.encap == "l2dsr":
            want = expected.reals[real] + OWN_MAC + frame[12:]
            assert out == want, f"l2dsr frame is\n{out.hex()}\nnot\n{want.hex()}"
            return None
        inner, tags = packet.ip, tags_of(packet)
        assert out[:12] == GATEWAY_MAC + OWN_MAC, f"MAC addresses {out[:12].hex()}"
        assert out[12:12 + len(tags)] == tags, f"tags {out[12:12 + len(tags)].hex()}"
        assert out.endswith(inner), "the inner packet is not what came"
        at = 12 + len(tags)
        kind, outer = out[at:at + 2], out[at + 2:len(out) - len(inner)]
        port = None
        udp = 8 if expected.encap == "gue" else 0
        if udp:
            port = self.check_udp(outer[-8:], len(inner))
            outer = outer[:-8]
        check = self.check4 if real.version == 4 else self.check6
        return check(kind, outer, inner, real, udp), port

    @staticmethod
    def check_udp(header, inner):
        source, to, length, check = struct.unpack("!4H", header)
        assert (to, length, check) == (GUE_PORT, inner + 8, 0), f"GUE's UDP header {header.hex()}"
        assert source >= 49152, f"GUE's source port {source}"
        return source

    def check_source(self, address):
        prefix = self.sources[address.version]
        assert address in prefix, f"outer source {address} is not in {prefix}"
        return int(address) - int(prefix.network_address)

    def check4(self, kind, outer, inner, real, udp):
        assert kind.hex() == "0800", f"EtherType {kind.hex()}"
        assert len(outer) == 20, f"outer header of {len(outer)} bytes"
        version, tos, total, _, fragment, ttl, protocol, _, source, target = \
            struct.unpack("!BBHHHBBH4s4s", outer)
        inner4 = inner[0] >> 4 == 4
        inner_tos = inner[1] if inner4 else (struct.unpack("!H", inner[:2])[0] >> 4) & 0xFF
        dont_fragment = struct.unpack("!H", inner[6:8])[0] & 0x4000 if inner4 else 0x4000
        assert version == 0x45, f"version and header length {version:#x}"
        assert tos == inner_tos, f"outer TOS {tos:#x}, inner {inner_tos:#x}"
        assert total == 20 + udp + len(inner), f"outer total length {total}, inner {len(inner)}"
        assert fragment == dont_fragment, f"flags {fragment:#x} where {dont_fragment:#x} belongs"
        assert ttl == 64, f"TTL {ttl}"
        assert protocol == (17 if udp else 4 if inner4 else 41), f"protocol {protocol}"
        assert target == real.packed, f"outer destination {target.hex()}"
        assert checksum(outer) == 0, "outer checksum is wrong"
        return self.check_source(ipaddress.ip_address(source))

    def check6(self, kind, outer, inner, real, udp):
        assert kind.hex() == "86dd", f"EtherType {kind.hex()}"
        assert len(outer) == 40, f"outer header of {len(outer)} bytes"
        first, payload, following, hop_limit = struct.unpack("!IHBB", outer[:8])
        inner4 = inner[0] >> 4 == 4
        inner_class = inner[1] if inner4 else (struct.unpack("!H", inner[:2])[0] >> 4) & 0xFF
        assert first >> 28 == 6, f"version {first >> 28}"
        assert (first >> 20) & 0xFF == inner_class, f"traffic class {(first >> 20) & 0xFF:#x}"
        assert payload == udp + len(inner), f"payload length {payload}, inner {len(inner)}"
        assert following == (17 if udp else 4 if inner4 else 41), f"next header {following}"
        assert hop_limit == 64, f"hop limit {hop_limit}"
        assert outer[24:] == real.packed, f"outer destination {outer[24:].hex()}"
        return first & 0xFFFFF, self.check_source(ipaddress.ip_address(outer[8:24]))

    # ---- answers, which are known to the bit ----

    @staticmethod
    def ethernet(frame, packet):
        kind = "0800" if packet.version == 4 else "86dd"
        return frame[6:12] + frame[:6] + tags_of(packet) + bytes.fromhex(kind)

    def echo(self, frame, packet):
        """The request turned round; what is wrong with its checksums stays as wrong."""
        ip, at = bytearray(packet.ip), len(packet.ip) - len(packet.l4)
        if packet.version == 4:
            ip[10:12] = changed(ip[10:12], ip[8:10], bytes([64]) + ip[9:10])
            ip[8], ip[12:16], ip[16:20] = 64, packet.to.packed, packet.source.packed
        else:
            ip[7], ip[8:24], ip[24:40] = 64, packet.to.packed, packet.source.packed
        answer = bytes([0 if packet.version == 4 else 129])
        ip[at + 2:at + 4] = changed(ip[at + 2:at + 4], ip[at:at + 2], answer + ip[at + 1:at + 2])
        ip[at:at + 1] = answer
        padding = frame[14 + len(tags_of(packet)) + len(ip):]
        return self.ethernet(frame, packet) + bytes(ip) + padding

    def too_big(self, frame, packet, mtu):
        quote = packet.ip[:QUOTE[packet.version]]
        quote = quote[:len(quote) // 4 * 4]
        to, source = packet.source.packed, packet.to.packed
        if packet.version == 4:
            icmp = struct.pack("!BBHHH", 3, 4, 0, 0, mtu) + quote
            icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
            ip = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(icmp), 0, 0x4000, 64, 1, 0) + \
                source + to
            ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        else:
            icmp = struct.pack("!BBHI", 2, 0, 0, mtu) + quote
            pseudo = source + to + struct.pack("!II", len(icmp), 58)
            icmp = icmp[:2] + struct.pack("!H", checksum(pseudo + icmp)) + icmp[4:]
            ip = struct.pack("!IHBB", 6 << 28, len(icmp), 58, 64) + source + to
        return self.ethernet(frame, packet) + ip + icmp


def changed(check, old, new):
    """RFC 1624, equation 3."""
    total = (int.from_bytes(check, "big") ^ 0xFFFF) + (int.from_bytes(old, "big") ^ 0xFFFF) + \
        int.from_bytes(new, "big")
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)
