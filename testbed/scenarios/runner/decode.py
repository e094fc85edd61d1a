# SPDX-License-Identifier: BSD-2-Clause
"""Frames to text, for people: the notation of packet.py as far as the bytes make sense."""
import headers as h

QUOTING4 = {3, 4, 5, 11, 12}
QUOTING6 = {1, 2, 3, 4}
GUE_PORT = 6080


class Line:
    """One header or run of bytes. bits: (first bit in the frame, width, name of the field)."""

    def __init__(self, text, start, end, bits=()):
        self.text, self.start, self.end, self.bits = text, start, end, list(bits)


def decode(frame):
    """Lines that cover the frame from the first byte to the last."""
    lines = []
    try:
        walk(bytes(frame), "eth", 0, len(frame), lines)
    except IndexError:
        pass
    at = lines[-1].end if lines else 0
    if at < len(frame):
        lines.append(plain("payload" if at else "raw", frame, at, len(frame)))
    return lines


def plain(word, frame, start, end):
    data = bytes(frame[start:end])
    if not any(data) and word == "payload":
        return Line(f"zeros {len(data)}", start, end)
    shown = data[:16].hex()
    text = f"{word} {len(data)} bytes {shown}{'...' if len(data) > 16 else ''}"
    return Line(text, start, end)


def walk(frame, kind, at, end, lines):
    """Decode a header and what it says comes next."""
    while kind:
        size = h.size_of(kind)
        if at + size > end:
            return
        values = take(frame, kind, at, lines)
        kind, at, end = NEXT.get(kind, nothing)(frame, values, at, end, lines)


def take(frame, kind, at, lines):
    whole, width = int.from_bytes(frame[at:at + h.size_of(kind)], "big"), h.size_of(kind) * 8
    values, words, bits, place = {}, [kind], [], 0
    for f in h.HEADERS[kind]:
        value = whole >> width - place - f.bits & (1 << f.bits) - 1
        values[f.name] = value
        bits.append((at * 8 + place, f.bits, f"{kind}.{f.name}"))
        place += f.bits
        if f.form == "flag":
            words += [f.name] if value else []
        elif f.default is None or value != f.default or f.name in ("src", "dst", "sport", "dport"):
            words.append(f"{f.name}={f.show(value)}")
    lines.append(Line(" ".join(words), at, at + width // 8, bits))
    return values


def more(frame, lines, end, limit, word="options"):
    """What a header carries behind its fixed part."""
    start = lines[-1].end
    end = min(end, limit)
    if end > start:
        lines.append(Line(f"  {word} {frame[start:end].hex()}", start, end))
    return max(start, end)


def by_ethertype(number):
    return {h.TYPE_IP4: "ip4", h.TYPE_IP6: "ip6", h.TYPE_ARP: "arp", h.TYPE_VLAN: "vlan",
            h.TYPE_QINQ: "vlan"}.get(number)


def by_protocol(number):
    return {number: kind for kind, number in h.PROTOCOLS.items()}.get(number)


def nothing(_frame, _values, at, end, _lines):
    return None, at, end


def after_type(_frame, values, _at, end, lines):
    return by_ethertype(values["type"]), lines[-1].end, end


def after_ip4(frame, values, at, end, lines):
    behind = more(frame, lines, at + 4 * values["ihl"], end)
    end = max(behind, min(end, at + values["len"]))
    return (None if values["offset"] else by_protocol(values["proto"])), behind, end


def after_ip6(_frame, values, at, end, lines):
    return by_protocol(values["next"]), lines[-1].end, min(end, at + 40 + values["len"])


def after_extension(frame, values, at, end, lines):
    return by_protocol(values["next"]), more(frame, lines, at + 8 * (values["len"] + 1), end), end


def after_ah(frame, values, at, end, lines):
    return by_protocol(values["next"]), more(frame, lines, at + 4 * (values["len"] + 2), end), end


def after_frag(_frame, values, _at, end, lines):
    return (None if values["offset"] else by_protocol(values["next"])), lines[-1].end, end


def after_tcp(frame, values, at, end, lines):
    return None, more(frame, lines, at + 4 * values["doff"], end), end


def after_udp(frame, values, at, end, lines):
    behind = lines[-1].end
    if values["dport"] != GUE_PORT or behind >= end:
        return None, behind, end
    return {0: "gue", 4: "ip4", 6: "ip6"}.get(frame[behind] >> 4), behind, end


def after_gue(frame, values, at, end, lines):
    return by_protocol(values["proto"]), more(frame, lines, at + 4 + 4 * values["hlen"], end), end


def after_icmp4(_frame, values, _at, end, lines):
    return ("ip4" if values["type"] in QUOTING4 else None), lines[-1].end, end


def after_icmp6(_frame, values, _at, end, lines):
    return ("ip6" if values["type"] in QUOTING6 else None), lines[-1].end, end


NEXT = {"eth": after_type, "vlan": after_type, "ip4": after_ip4, "ip6": after_ip6,
        "hop": after_extension, "dstopt": after_extension, "route": after_extension,
        "frag": after_frag, "ah": after_ah, "tcp": after_tcp, "udp": after_udp, "gue": after_gue,
        "icmp4": after_icmp4, "icmp6": after_icmp6}


# ---- two frames beside each other ----

def first_difference(a, b):
    """Index of the first byte that differs, or None."""
    for i, (x, y) in enumerate(zip(a, b)):
        if x != y:
            return i
    return None if len(a) == len(b) else min(len(a), len(b))


def field_at(lines, at, difference):
    """The name of the field in which the bits of byte 'at' differ."""
    for line in lines:
        for first, width, name in line.bits:
            for bit in range(8):
                if difference >> 7 - bit & 1 and first <= at * 8 + bit < first + width:
                    return name
        if line.start <= at < line.end:
            return line.text.split()[0]
    return "behind its end"


def beside(expected, got, width=62):
    """Lines of text: the two frames decoded, side by side, with a mark where they differ."""
    left, right = decode(expected), decode(got)
    rows = []
    for i in range(max(len(left), len(right))):
        a = left[i] if i < len(left) else None
        b = right[i] if i < len(right) else None
        same = a and b and expected[a.start:a.end] == got[b.start:b.end]
        for k, (x, y) in enumerate(wrapped(a, b, width)):
            rows.append(f"  {' ' if same or k else '*'} {x:<{width}}  {y}".rstrip())
    return rows


def wrapped(a, b, width):
    columns = [wrap(line.text if line else "-", width) for line in (a, b)]
    for i in range(max(map(len, columns))):
        yield [c[i] if i < len(c) else "" for c in columns]


def wrap(text, width):
    """Break between words, so that nothing is lost."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append("     ")
        lines[-1] += (" " if lines[-1].strip() else "") + word
    return lines


def hex_rows(expected, got, at):
    """The bytes around a place of both frames."""
    start = max(0, at // 16 * 16 - 16)
    rows = []
    for name, data in (("expected", expected), ("got", got)):
        for row in range(start, min(len(data), start + 48), 16):
            shown = " ".join(f"{'>' if i == at else ''}{data[i]:02x}"
                             for i in range(row, min(row + 16, len(data))))
            rows.append(f"    {name:<9}{row:5}: {shown}")
    return rows


def explain_difference(expected, got):
    """Everything that a person needs to see why two frames aren't the same."""
    at = first_difference(expected, got)
    what = f"{len(expected)} bytes expected, {len(got)} left; " if len(expected) != len(got) else ""
    if at < len(expected) and at < len(got):
        name = field_at(decode(expected), at, expected[at] ^ got[at])
        what += f"first difference at byte {at} ({name}): expected {expected[at]:02x}, " \
                f"got {got[at]:02x}"
    else:
        what += f"the same up to byte {at}, where the shorter ends"
    return [what, f"    {'expected':<62}  got"] + beside(expected, got) + \
        hex_rows(expected, got, at)
