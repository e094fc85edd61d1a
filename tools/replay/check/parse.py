# SPDX-License-Identifier: BSD-2-Clause
"""Frames taken apart, as docs/packets.md has it: VLAN tags, IPv4 with options, IPv6 with extension
headers, fragments. Shares no code with the forwarding core."""
import ipaddress
import struct
from dataclasses import dataclass, field

TCP, UDP, ICMP4, ICMP6 = 6, 17, 1, 58
HOP, ROUTE, FRAGMENT, AUTH, OPTIONS, MOBILITY = 0, 43, 44, 51, 60, 135
EXTENSIONS = {HOP, ROUTE, FRAGMENT, AUTH, OPTIONS, MOBILITY}
DEPTH = 8
TAGS = {"8100", "88a8"}


class Bad(Exception):
    """A frame that isn't a whole packet. to: its destination, where that is known."""

    def __init__(self, verdict, reason, to=None):
        super().__init__(reason)
        self.verdict, self.reason, self.to = verdict, reason, to


@dataclass
class Packet:
    tags: list = field(default_factory=list)
    source: object = None
    to: object = None
    protocol: int = 0
    ip: bytes = b""        # the IP packet, by its own length
    l4: bytes = b""        # what follows its headers
    part: str = None       # None: whole; "first", "later": a fragment
    offset: int = 0
    ident: int = 0
    whole_or_told: bool = False  # DF, or IPv6: may not be cut on the way

    @property
    def version(self):
        return self.source.version


def parse(frame):
    """A Packet; raises Bad."""
    if len(frame) < 14:
        raise Bad("drop", "eth_truncated")
    if frame[0] & 1:
        raise Bad("pass", "multicast")
    packet, at = Packet(), 12
    while frame[at:at + 2].hex() in TAGS:
        if len(packet.tags) == 2:
            raise Bad("pass", "vlan_depth")
        if len(frame) < at + 6:
            raise Bad("drop", "eth_truncated")
        packet.tags.append(frame[at:at + 4])
        at += 4
    kind = frame[at:at + 2].hex()
    if kind == "0800":
        return parse4(packet, frame[at + 2:])
    if kind == "86dd":
        return parse6(packet, frame[at + 2:])
    raise Bad("pass", "not_ip")


def parse4(packet, ip):
    if len(ip) < 20:
        raise Bad("drop", "ip4_truncated")
    if ip[0] >> 4 != 4:
        raise Bad("drop", "ip4_version")
    packet.source, packet.to = ipaddress.ip_address(ip[12:16]), ipaddress.ip_address(ip[16:20])
    header, total = (ip[0] & 15) * 4, int.from_bytes(ip[2:4], "big")
    if header < 20 or header > total:
        raise Bad("drop", "ip4_header_length", packet.to)
    if total > len(ip):
        raise Bad("drop", "ip4_total_length", packet.to)
    packet.protocol, packet.ip, packet.l4 = ip[9], ip[:total], ip[header:total]
    bits = int.from_bytes(ip[6:8], "big")
    packet.whole_or_told = bool(bits & 0x4000)
    if bits & 0x3FFF:
        packet.ident, packet.offset = int.from_bytes(ip[4:6], "big"), (bits & 0x1FFF) * 8
        packet.part = "later" if packet.offset else "first"
    return packet


def parse6(packet, ip):
    if len(ip) < 40:
        raise Bad("drop", "ip6_truncated")
    if ip[0] >> 4 != 6:
        raise Bad("drop", "ip6_version")
    packet.source, packet.to = ipaddress.ip_address(ip[8:24]), ipaddress.ip_address(ip[24:40])
    payload = int.from_bytes(ip[4:6], "big")
    if 40 + payload > len(ip):
        raise Bad("drop", "ip6_payload_length", packet.to)
    packet.ip, packet.whole_or_told = ip[:40 + payload], True
    walk(packet, ip[6], packet.ip[40:])
    return packet


def walk(packet, following, rest):
    """The chain of extension headers, up to what isn't one."""
    for _ in range(DEPTH):
        if following not in EXTENSIONS or packet.part == "later":
            break
        if len(rest) < 8:
            raise Bad("drop", "ip6_extension", packet.to)
        size = 8 if following == FRAGMENT else \
            (rest[1] + 2) * 4 if following == AUTH else (rest[1] + 1) * 8
        if size > len(rest):
            raise Bad("drop", "ip6_extension", packet.to)
        if following == ROUTE and rest[3]:
            raise Bad("drop", "ip6_routing", packet.to)
        if following == FRAGMENT:
            bits, ident = struct.unpack("!HI", rest[2:8])
            if bits & 0xFFF9:
                packet.ident, packet.offset = ident, bits & 0xFFF8
                packet.part = "later" if packet.offset else "first"
        following, rest = rest[0], rest[size:]
    else:
        if following in EXTENSIONS and packet.part != "later":
            raise Bad("drop", "ip6_extension_depth", packet.to)
    packet.protocol, packet.l4 = following, rest


# ---- ICMP ----

def is_echo(packet):
    return packet.l4[0] == (8 if packet.version == 4 else 128)


def is_error(packet):
    return packet.l4[0] in ((3, 11, 12) if packet.version == 4 else (1, 2, 3, 4))


def parse_quote(packet):
    """What an error quotes, as (source, destination, protocol, L4); raises Bad."""
    quote = packet.l4[8:]
    size = 20 if packet.version == 4 else 40
    if len(quote) < size or quote[0] >> 4 != packet.version:
        raise Bad("drop", "icmp_quote", packet.to)
    if packet.version == 6:
        quoted = Packet(source=ipaddress.ip_address(quote[8:24]),
                        to=ipaddress.ip_address(quote[24:40]))
        try:
            walk(quoted, quote[6], quote[40:])
        except Bad:
            raise Bad("drop", "icmp_quote", packet.to) from None
        if quoted.part == "later":
            raise Bad("drop", "icmp_quote", packet.to)
        return quoted.source, quoted.to, quoted.protocol, quoted.l4
    header = (quote[0] & 15) * 4
    if not 20 <= header <= len(quote) or int.from_bytes(quote[6:8], "big") & 0x1FFF:
        raise Bad("drop", "icmp_quote", packet.to)
    return (ipaddress.ip_address(quote[12:16]), ipaddress.ip_address(quote[16:20]), quote[9],
            quote[header:])
