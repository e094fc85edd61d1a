# SPDX-License-Identifier: BSD-2-Clause
"""The headers that packets are written with: each a list of fields from the first bit to the last.

packet.py builds frames from this table and decode.py reads them with it. It knows nothing of
Fairway.
"""
import ipaddress

TCP, UDP, ICMP4, ICMP6 = 6, 17, 1, 58
IPIP, IPV6 = 4, 41
HOP, ROUTE, FRAG, AH, DSTOPT = 0, 43, 44, 51, 60
TYPE_IP4, TYPE_IP6, TYPE_ARP, TYPE_VLAN, TYPE_QINQ = 0x0800, 0x86DD, 0x0806, 0x8100, 0x88A8

# Flags of TCP by their letters, from the highest bit to the lowest.
TCP_FLAGS = "CEUAPRSF"


class Field:
    """bits: width. form: num, hex, mac, ip4, ip6, tcp (flags), flag (bare word), eights (bytes that
    the header counts in eights). default None: worked out from what the header stands before."""

    def __init__(self, name, bits, default=0, form="num"):
        self.name, self.bits, self.default, self.form = name, bits, default, form

    def parse(self, text):
        """The number that stands in the header; raises ValueError."""
        if self.form == "mac":
            parts = text.split(":")
            if len(parts) != 6:
                raise ValueError("a MAC address is six bytes, 02:00:00:00:00:01")
            return int("".join(f"{int(p, 16):02x}" for p in parts), 16)
        if self.form == "ip4":
            return int(ipaddress.IPv4Address(text))
        if self.form == "ip6":
            return int(ipaddress.IPv6Address(text))
        if self.form == "tcp" and text and not set(text) - set(TCP_FLAGS):
            return sum(1 << 7 - TCP_FLAGS.index(letter) for letter in text)
        number = int(text, 0)
        if self.form == "eights":
            if number % 8:
                raise ValueError(f"{number} is no multiple of 8")
            number //= 8
        if not 0 <= number < 1 << self.bits:
            raise ValueError(f"{text} doesn't fit into {self.bits} bits")
        return number

    def show(self, number):
        """The text that parse() takes."""
        if self.form == "mac":
            digits = f"{number:012x}"
            return ":".join(digits[i:i + 2] for i in range(0, 12, 2))
        if self.form == "ip4":
            return str(ipaddress.IPv4Address(number))
        if self.form == "ip6":
            return str(ipaddress.IPv6Address(number))
        if self.form == "tcp":
            return "".join(c for i, c in enumerate(TCP_FLAGS) if number >> 7 - i & 1) or "0"
        if self.form == "hex":
            return f"{number:#x}"
        return str(number * 8 if self.form == "eights" else number)


def num(name, bits, default=0):
    return Field(name, bits, default)


def hexa(name, bits, default=0):
    return Field(name, bits, default, "hex")


def flag(name):
    return Field(name, 1, 0, "flag")


def address(name, form, default):
    return Field(name, 32 if form == "ip4" else 128, Field(name, 0, 0, form).parse(default), form)


def mac(name, default):
    return Field(name, 48, Field(name, 48, 0, "mac").parse(default), "mac")


# The client, the VIP and the node that a packet has unless it says otherwise.
CLIENT4, CLIENT6 = "198.51.100.7", "2001:db8:c::7"
VIP4, VIP6 = "203.0.113.1", "2001:db8:80::1"

HEADERS = {
    "eth": [mac("dst", "02:00:00:00:00:02"), mac("src", "02:00:00:00:00:99"), hexa("type", 16, None)],
    "vlan": [num("pcp", 3), flag("dei"), num("id", 12), hexa("type", 16, None)],
    "ip4": [num("version", 4, 4), num("ihl", 4, None), hexa("tos", 8), num("len", 16, None),
            hexa("id", 16, 0x1234), flag("rf"), flag("df"), flag("mf"),
            Field("offset", 13, 0, "eights"), num("ttl", 8, 57), num("proto", 8, None),
            hexa("checksum", 16, None), address("src", "ip4", CLIENT4), address("dst", "ip4", VIP4)],
    "ip6": [num("version", 4, 6), hexa("tc", 8), hexa("flow", 20), num("len", 16, None),
            num("next", 8, None), num("hlim", 8, 57), address("src", "ip6", CLIENT6),
            address("dst", "ip6", VIP6)],
    "hop": [num("next", 8, None), num("len", 8, None)],
    "dstopt": [num("next", 8, None), num("len", 8, None)],
    "route": [num("next", 8, None), num("len", 8, None), num("type", 8), num("left", 8)],
    "ext": [num("next", 8, None), num("len", 8, None)],
    "frag": [num("next", 8, None), num("reserved", 8), Field("offset", 13, 0, "eights"),
             num("rf", 2), flag("mf"), hexa("id", 32, 0x12345678)],
    "ah": [num("next", 8, None), num("len", 8, None), num("reserved", 16), hexa("spi", 32, 1),
           num("seq", 32, 1)],
    "tcp": [num("sport", 16, 40000), num("dport", 16, 80), hexa("seq", 32, 0x01020304),
            hexa("ack", 32, 0x05060708), num("doff", 4, None), num("reserved", 4),
            Field("flags", 8, 0x10, "tcp"), num("win", 16, 65535), hexa("checksum", 16, None),
            num("urg", 16)],
    "udp": [num("sport", 16, 40000), num("dport", 16, 80), num("len", 16, None),
            hexa("checksum", 16, None)],
    "icmp4": [num("type", 8, 8), num("code", 8), hexa("checksum", 16, None), num("id", 16),
              num("seq", 16)],
    "icmp6": [num("type", 8, 128), num("code", 8), hexa("checksum", 16, None), num("id", 16),
              num("seq", 16)],
    "arp": [num("hardware", 16, 1), hexa("proto", 16, 0x0800), num("hlen", 8, 6), num("plen", 8, 4),
            num("op", 16, 1), mac("sha", "02:00:00:00:00:99"), address("spa", "ip4", CLIENT4),
            mac("tha", "00:00:00:00:00:00"), address("tpa", "ip4", VIP4)],
    "gue": [num("version", 2), flag("control"), num("hlen", 5), num("proto", 8, None),
            hexa("flags", 16)],
}

# What says of a header that it comes next: an EtherType, and an IP protocol.
ETHERTYPES = {"vlan": TYPE_VLAN, "ip4": TYPE_IP4, "ip6": TYPE_IP6, "arp": TYPE_ARP}
PROTOCOLS = {"hop": HOP, "route": ROUTE, "frag": FRAG, "ah": AH, "dstopt": DSTOPT, "tcp": TCP,
             "udp": UDP, "icmp4": ICMP4, "icmp6": ICMP6, "ip4": IPIP, "ip6": IPV6}
NO_NEXT = 59


def size_of(kind):
    return sum(f.bits for f in HEADERS[kind]) // 8


def pack(kind, values):
    """Bytes of a header; every field has a number."""
    whole = width = 0
    for f in HEADERS[kind]:
        whole = whole << f.bits | values[f.name]
        width += f.bits
    return whole.to_bytes(width // 8, "big")


def bits_of(kind, name):
    """First bit and width of a field."""
    at = 0
    for f in HEADERS[kind]:
        if f.name == name:
            return at, f.bits
        at += f.bits
    raise KeyError(name)


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data = bytes(data) + b"\0"
    total = int.from_bytes(data, "big") % 0xFFFF
    if total == 0 and any(data):
        total = 0xFFFF
    return total ^ 0xFFFF
