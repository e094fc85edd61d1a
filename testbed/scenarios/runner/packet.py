# SPDX-License-Identifier: BSD-2-Clause
"""Frames from text.

    eth / ip4 src=198.51.100.7 dst=203.0.113.1 ttl=63 / tcp dport=80 flags=S / payload "hello"

Layers stand from the outside in. What a layer doesn't say has a default (headers.py); types,
protocols, lengths and checksums come out right unless a field bends them. README.md is the
reference of the notation.
"""
import difflib
import re
import shlex

import headers as h


class PacketError(Exception):
    """The text is no packet; says what to write instead."""


class Sum:
    """A checksum to be counted: where it stands, what it covers, what it is wrong by."""

    def __init__(self, at, start, end, proto=None, wrong=0):
        self.at, self.start, self.end, self.proto, self.wrong = at, start, end, proto, wrong
        self.pseudo = None  # the addresses, once the IP header is known


class Frame:
    """Bytes, and what of them isn't fixed.

    free: (first bit, width, name or None): what an expected frame leaves open.
    """

    def __init__(self, data=b""):
        self.data = bytearray(data)
        self.free, self.sums = [], []

    def prepend(self, data):
        bits = 8 * len(data)
        self.data[:0] = data
        self.free = [(at + bits, width, name) for at, width, name in self.free]
        for s in self.sums:
            s.at, s.start, s.end = s.at + len(data), s.start + len(data), s.end + len(data)

    def trim(self, length):
        del self.data[length:]
        self.free = [f for f in self.free if f[0] + f[1] <= 8 * len(self.data)]
        self.sums = [s for s in self.sums if s.end <= len(self.data)]

    def fill(self):
        """Count the checksums, from the inside out."""
        for s in self.sums:
            self.data[s.at:s.at + 2] = b"\0\0"
            data = bytes(self.data[s.start:s.end])
            if s.pseudo:
                data = s.pseudo + len(data).to_bytes(4, "big") + s.proto.to_bytes(4, "big") + data
            value = h.checksum(data)
            if s.proto == h.UDP and value == 0:
                value = 0xFFFF
            self.data[s.at:s.at + 2] = (value ^ s.wrong).to_bytes(2, "big")

    def take_free(self, got, bound):
        """Take from another frame what is left open here. bound: numbers by name, known from
        before or learnt here."""
        for at, width, name in self.free:
            if at + width > 8 * len(got):
                continue
            value = bound.setdefault(name, read_bits(got, at, width)) if name \
                else read_bits(got, at, width)
            write_bits(self.data, at, width, value)
        self.fill()


def read_bits(data, at, width):
    first, last = at // 8, (at + width + 7) // 8
    return int.from_bytes(data[first:last], "big") >> 8 * last - at - width & (1 << width) - 1


def write_bits(data, at, width, value):
    first, last = at // 8, (at + width + 7) // 8
    shift = 8 * last - at - width
    whole = int.from_bytes(data[first:last], "big")
    whole = whole & ~(((1 << width) - 1) << shift) | value << shift
    data[first:last] = whole.to_bytes(last - first, "big")


# ---- text to layers ----

class Layer:
    def __init__(self, kind, words):
        self.kind, self.words = kind, words  # words: name to text; "" for a bare word

    def take(self, name):
        return self.words.pop(name, None)

    def number(self, name):
        text = self.take(name)
        try:
            return None if text is None else int(text, 0)
        except ValueError:
            raise PacketError(f"{self.kind} {name}={text}: not a number") from None


# Layers that are no headers, and the words that several layers take.
PLAIN = {"payload", "hex", "zeros", "inner", "unchanged", "raw", "pad", "padto", "cut", "quic-long",
         "quic-short"}
COMMON = {"trim": None}
MORE = {"ip4": ["nops", "options"], "tcp": ["nops", "options"], "vlan": ["tpid"],
        "icmp4": ["mtu", "rest"], "icmp6": ["mtu", "rest"], "hop": ["options", "size"],
        "dstopt": ["options", "size"], "route": ["options", "size"],
        "ext": ["proto", "options", "size"], "ah": ["options", "size"],
        "gue": ["options"], "inner": ["skip"], "unchanged": ["skip"],
        "quic-long": ["first", "version", "dcid", "scid"], "quic-short": ["first", "dcid"]}


def suggest(word, known):
    near = difflib.get_close_matches(word, known, 1, 0.6)
    return f": did you mean '{near[0]}'?" if near else f": it is one of {', '.join(sorted(known))}"


def parse_layer(text):
    kind, _, rest = text.partition(" ")
    known = list(h.HEADERS) + sorted(PLAIN)
    if kind not in known:
        raise PacketError(f"unknown layer '{kind}'" + suggest(kind, known))
    if kind in ("payload", "hex", "zeros", "raw", "pad", "padto", "cut"):
        return Layer(kind, {"": rest.strip()})
    fields = {f.name for f in h.HEADERS.get(kind, [])} | set(MORE.get(kind, [])) | set(COMMON)
    words = {}
    for word in shlex.split(rest):
        name, equals, value = word.partition("=")
        if name not in fields:
            raise PacketError(f"{kind} has no field '{name}'" + suggest(name, fields))
        if name in words:
            raise PacketError(f"{kind} {name} is given twice")
        words[name] = value if equals else None
    return Layer(kind, words)


def split_layers(text):
    """By ' / ' outside quotes."""
    return re.split(r'\s+/\s+(?=(?:[^"]*"[^"]*")*[^"]*$)', text.strip()) if text.strip() else []


def from_hex(text, what):
    try:
        return bytes.fromhex(text.replace(":", ""))
    except ValueError:
        raise PacketError(f"{what}: '{text}' isn't hexadecimal") from None


# ---- layers to bytes ----

class Builder:
    """came: the frame that came in, for an expected frame that refers to it."""

    def __init__(self, came=None):
        self.came = came

    def build(self, text):
        layers = [parse_layer(part) for part in split_layers(text)]
        if not layers:
            raise PacketError("no layers: write eth / ip4 / tcp")
        tail = []
        while layers and layers[-1].kind in ("pad", "padto", "cut"):
            tail.insert(0, layers.pop())
        frame, _ = self.layers(layers)
        frame.fill()
        for layer in tail:
            self.tail(frame, layer)
        return frame

    def tail(self, frame, layer):
        size = count(layer)
        if layer.kind == "pad":
            frame.data.extend(bytes(size))
        elif layer.kind == "padto":
            frame.data.extend(bytes(max(0, size - len(frame.data))))
        else:
            frame.sums = []
            del frame.data[size:]

    def layers(self, layers):
        """The frame of these layers, and the kind of the first (None: bytes or nothing)."""
        if not layers:
            return Frame(), None
        layer = layers[0]
        rest, following = self.layers(layers[1:])
        trim = layer.number("trim")
        if layer.kind in PLAIN:
            kind = self.plain(layer, rest)
        else:
            HEADER_BUILDERS.get(layer.kind, build_simple)(layer, rest, following)
            kind = (layer.kind, layer.tpid) if layer.kind == "vlan" else \
                   (layer.kind, layer.proto) if layer.kind == "ext" else layer.kind
        if trim is not None:
            rest.trim(trim)
        return rest, kind

    def plain(self, layer, rest):
        kind = None
        if layer.kind == "payload":
            data = payload(layer.words[""])
        elif layer.kind in ("hex", "raw"):
            data = from_hex(layer.words[""].replace(" ", ""), layer.kind)
        elif layer.kind == "zeros":
            data = bytes(count(layer))
        elif layer.kind in ("pad", "padto", "cut"):
            raise PacketError(f"'{layer.kind}' stands at the end")
        elif layer.kind.startswith("quic"):
            data = quic(layer)
        else:
            data, kind = self.reference(layer)
        rest.prepend(data)
        return kind

    def reference(self, layer):
        if self.came is None:
            raise PacketError(f"'{layer.kind}' refers to what came in: it belongs into 'out'")
        skip = layer.number("skip") or 0
        if layer.kind == "unchanged":
            return bytes(self.came[12 + skip:]), "unchanged"
        inner = ip_packet(self.came)
        return inner[skip:], (None if skip else "ip4" if inner[:1] and inner[0] >> 4 == 4 else "ip6")


def count(layer):
    try:
        return int(layer.words[""], 0)
    except ValueError:
        raise PacketError(f"{layer.kind} needs a number of bytes") from None


def payload(text):
    """A text in quotes, or so many bytes of a pattern in which every place is told apart."""
    if text[:1] == '"' and text[-1:] == '"' and len(text) > 1:
        return text[1:-1].encode()
    try:
        return bytes((i * 7 + 1) & 0xFF for i in range(int(text, 0)))
    except ValueError:
        raise PacketError(f'payload {text}: write payload "text" or payload 32') from None


def ip_packet(frame):
    """The IP packet in a frame, by the length of its own header: no tags, no padding."""
    at, kind = 12, frame[12:14].hex()
    while kind in ("8100", "88a8"):
        at += 4
        kind = frame[at:at + 2].hex()
    ip = bytes(frame[at + 2:])
    if kind == "0800":
        return ip[:int.from_bytes(ip[2:4], "big")]
    return ip[:40 + int.from_bytes(ip[4:6], "big")]


def quic(layer):
    """The invariants of QUIC (RFC 8999)."""
    dcid = from_hex(layer.take("dcid") or "", "dcid")
    first = layer.number("first")
    if layer.kind == "quic-short":
        return bytes([0x40 if first is None else first]) + dcid
    scid = from_hex(layer.take("scid") or "", "scid")
    version = layer.number("version")
    return bytes([0xC0 if first is None else first]) + \
        (1 if version is None else version).to_bytes(4, "big") + \
        bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid


def values_of(layer, auto):
    """Numbers of all fields, and the free ones. auto: numbers of fields that weren't given."""
    values, free = {}, []
    for f in h.HEADERS[layer.kind]:
        if f.name not in layer.words:
            values[f.name] = auto.get(f.name, f.default)
            continue
        text = layer.words[f.name]
        if text is None and f.form != "flag":
            raise PacketError(f"{layer.kind} {f.name} needs a value: {f.name}=...")
        at, width = h.bits_of(layer.kind, f.name)
        if text is not None and (text == "*" or text.startswith("?")):
            free.append((at, width, text[1:] or None))
            values[f.name] = 0
            continue
        if text is not None and "/" in text:
            text, prefix = split_prefix(text, layer.kind, f)
            free.append((at + prefix, width - prefix, None))
        try:
            values[f.name] = 1 if text is None else f.parse(text)
        except ValueError as e:
            raise PacketError(f"{layer.kind} {f.name}={text}: {e}") from None
    return values, free


def split_prefix(text, kind, field):
    """An address of which only the leading bits are said."""
    address, _, prefix = text.partition("/")
    if field.form not in ("ip4", "ip6") or not prefix.isdigit() or int(prefix) > field.bits:
        raise PacketError(f"{kind} {field.name}={text}: only an address may have a prefix length")
    return address, int(prefix)


def take_wrong_checksum(layer):
    """How far 'checksum=bad' is off; 0 for a right one, None for one that is given."""
    text = layer.words.get("checksum")
    if text is None or text == "auto":
        layer.take("checksum")
        return 0
    if text == "bad":
        layer.take("checksum")
        return 0x5555
    return None


def put_header(layer, rest, auto, more=b""):
    values, free = values_of(layer, auto)
    head = h.pack(layer.kind, values)
    rest.prepend(head + more)
    rest.free += free
    return values, len(head) + len(more)


def extra_bytes(layer):
    """Options: bytes in hexadecimal, or so many no-operations."""
    nops, options = layer.number("nops"), layer.take("options")
    data = bytes([1] * (nops or 0)) + (from_hex(options, "options") if options else b"")
    return data


def ethertype(following):
    if isinstance(following, tuple):
        return following[1]
    return h.ETHERTYPES.get(following, 0)


def protocol(following):
    if isinstance(following, tuple):
        return following[1]
    return h.PROTOCOLS.get(following, h.NO_NEXT)


def build_eth(layer, rest, following):
    if following == "unchanged":
        values, _ = values_of(layer, {"type": 0})
        rest.prepend(h.pack("eth", values)[:12])
        return
    put_header(layer, rest, {"type": ethertype(following)})


def build_vlan(layer, rest, following):
    tpid = layer.number("tpid")
    layer.tpid = h.TYPE_VLAN if tpid is None else tpid
    put_header(layer, rest, {"type": ethertype(following)})


def build_ip4(layer, rest, following):
    options = extra_bytes(layer)
    wrong = take_wrong_checksum(layer)
    size = 20 + len(options)
    values, _ = put_header(layer, rest, {
        "ihl": size // 4 & 15, "len": size + len(rest.data) & 0xFFFF, "proto": protocol(following),
        "checksum": 0}, options)
    settle(rest, values, 4)
    if wrong is not None:
        rest.sums.append(Sum(10, 0, size, wrong=wrong))


def build_ip6(layer, rest, following):
    values, _ = put_header(layer, rest, {"len": len(rest.data) & 0xFFFF,
                                         "next": protocol(following)})
    settle(rest, values, 16)


def settle(rest, values, size):
    """The addresses go into the checksums of TCP, UDP and ICMPv6 that wait for them."""
    for s in rest.sums:
        if s.proto is not None and s.pseudo is None:
            s.pseudo = values["src"].to_bytes(size, "big") + values["dst"].to_bytes(size, "big")


def build_tcp(layer, rest, _):
    options = extra_bytes(layer)
    wrong = take_wrong_checksum(layer)
    put_header(layer, rest, {"doff": (20 + len(options)) // 4 & 15, "checksum": 0}, options)
    if wrong is not None:
        rest.sums.append(Sum(16, 0, len(rest.data), h.TCP, wrong))


def build_udp(layer, rest, _):
    wrong = take_wrong_checksum(layer)
    put_header(layer, rest, {"len": 8 + len(rest.data) & 0xFFFF, "checksum": 0})
    if wrong is not None:
        rest.sums.append(Sum(6, 0, len(rest.data), h.UDP, wrong))


def build_icmp(layer, rest, _):
    wrong = take_wrong_checksum(layer)
    mtu = layer.number("mtu")
    word = layer.number("rest") if mtu is None else mtu
    auto = {"checksum": 0}
    if word is not None:
        auto.update(id=word >> 16, seq=word & 0xFFFF)
    put_header(layer, rest, auto)
    if wrong is not None:
        rest.sums.append(Sum(2, 0, len(rest.data), h.ICMP6 if layer.kind == "icmp6" else None, wrong))


def build_extension(layer, rest, following):
    """Extension headers of IPv6; size= bytes in all, filled with PadN."""
    if layer.kind == "ext":
        proto = layer.number("proto")
        if proto is None:
            raise PacketError("ext needs proto=, its own protocol number")
        layer.proto = proto
    fixed = h.size_of(layer.kind)
    size = layer.number("size")
    options = layer.take("options")
    if options is not None:
        body = from_hex(options, "options")
    else:
        size = size or (24 if layer.kind == "ah" else 8)
        body = bytes(size - fixed)
        if layer.kind in ("hop", "dstopt", "ext") and 2 <= len(body) <= 257:
            body = bytes([1, len(body) - 2]) + body[2:]
    whole = fixed + len(body)
    length = whole // 4 - 2 if layer.kind == "ah" else whole // 8 - 1
    put_header(layer, rest, {"next": protocol(following), "len": length & 0xFF}, body)


def build_frag(layer, rest, following):
    put_header(layer, rest, {"next": protocol(following)})


def build_gue(layer, rest, following):
    options = extra_bytes(layer)
    put_header(layer, rest, {"proto": protocol(following)}, options)


def build_simple(layer, rest, _):
    put_header(layer, rest, {})


HEADER_BUILDERS = {"eth": build_eth, "vlan": build_vlan, "ip4": build_ip4, "ip6": build_ip6,
                   "tcp": build_tcp, "udp": build_udp, "icmp4": build_icmp, "icmp6": build_icmp,
                   "hop": build_extension, "dstopt": build_extension, "route": build_extension,
                   "ext": build_extension, "ah": build_extension, "frag": build_frag,
                   "gue": build_gue}


def build(text, came=None):
    """The Frame that a text describes; raises PacketError."""
    return Builder(came).build(text)
