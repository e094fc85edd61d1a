# SPDX-License-Identifier: BSD-2-Clause
"""Random frames around a configuration: mostly good ones, and every way of being wrong."""
import ipaddress
import random
import struct

TCP, UDP = 6, 17
ROUTE, FRAGMENT, AUTH = 43, 44, 51


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Corpus:
    def __init__(self, config, seed):
        self.random = random.Random(seed)
        self.targets = []
        for vip in config["vips"]:
            for service in vip.get("services") or []:
                self.targets.append((ipaddress.ip_network(vip["address"]),
                                     {"tcp": TCP, "udp": UDP}[service["protocol"]],
                                     "0-65535" if service["port"] == "any" else service["port"],
                                     [ipaddress.ip_network(p) for p in service.get("deny") or []]))
        self.server_ids = [bytes.fromhex(real["server_id"]) for pool in config["pools"]
                           for real in pool.get("reals") or [] if "server_id" in real]
        self.macs = [bytes.fromhex(real["mac"].replace(":", "")) for pool in config["pools"]
                     for real in pool.get("reals") or [] if real.get("mac")]
        self.flows = [self.flow() for _ in range(400)]

    def address_in(self, prefix):
        return prefix[self.random.randrange(prefix.num_addresses)]

    def port_of(self, ports):
        low, _, high = str(ports).partition("-")
        return self.random.randrange(int(low), int(high or low) + 1)

    def flow(self):
        r = self.random
        prefix, protocol, ports, denied = r.choice(self.targets)
        target, port = self.address_in(prefix), self.port_of(ports)
        if r.random() < 0.1:
            target = ipaddress.ip_address(int(target) ^ 1 << r.randrange(target.max_prefixlen))
        if r.random() < 0.1:
            protocol = TCP + UDP - protocol
        if r.random() < 0.1:
            port = r.randrange(65536)
        source = type(target)(r.getrandbits(target.max_prefixlen))
        if denied and r.random() < 0.5:
            source = self.address_in(r.choice([p for p in denied if p.version == source.version]))
        return source, target, protocol, r.randrange(65536), port

    def quic(self):
        """A short header, mostly with a server id that is known."""
        r = self.random
        first = r.choice([0x40, 0x40, 0x40, 0xC0]) | r.getrandbits(5)
        server_id = r.choice(self.server_ids) if r.random() < 0.8 else r.randbytes(3)
        return bytes([first, r.choice([0x20, 0x3F, r.getrandbits(8)])]) + server_id

    def l4(self, protocol, source_port, port, size):
        r = self.random
        more = r.randbytes(size)
        if protocol == UDP and r.random() < 0.3:
            more = (self.quic() + more)[:size]
        if protocol == UDP:
            data = struct.pack("!HHHH", source_port, port, 8 + size, r.getrandbits(16))
        else:
            options = 4 * r.choice([0, 0, 3, 5, 10])
            data = struct.pack("!HHIIBBHHH", source_port, port, r.getrandbits(32),
                               r.getrandbits(32), (20 + options) // 4 << 4, r.getrandbits(8),
                               r.getrandbits(16), r.getrandbits(16), 0) + r.randbytes(options)
        return data + more

    def ip4(self, source, target, protocol, payload, fragment=None, ident=None):
        """fragment: flags and offset as the header has them; None: any of a whole packet."""
        r = self.random
        options = r.randbytes(4 * r.choice([0, 0, 0, 0, 1, 5, 10]))
        if fragment is None:
            fragment = r.choice([0, 0x4000, 0x4000, 0x8000])
        header = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, r.getrandbits(8),
                             20 + len(options) + len(payload),
                             r.getrandbits(16) if ident is None else ident, fragment,
                             r.randrange(1, 256), protocol, 0, source.packed, target.packed)
        header = header[:10] + struct.pack("!H", checksum(header + options)) + header[12:]
        return header + options + payload

    def extension(self, kind, following):
        """One extension header, of a plausible length; now and then with another."""
        r = self.random
        size = r.choice([8, 8, 16, 24, 40])
        length = (size // 4 - 2 if kind == AUTH else size // 8 - 1)
        if r.random() < 0.05:
            length = r.getrandbits(8)
        return bytes([following, length]) + r.randbytes(1) + \
            bytes([r.choice([0, 0, 0, 0, 0, 1]) if kind == ROUTE else r.getrandbits(8)]) + \
            r.randbytes(size - 4)

    def chain(self, protocol, payload, depth):
        for _ in range(depth):
            kind = self.random.choice([0, 0, 60, 60, ROUTE, AUTH, 135])
            payload = self.extension(kind, protocol) + payload
            protocol = kind
        return protocol, payload

    def ip6(self, source, target, protocol, payload, fragment=None, ident=0):
        """fragment: the word of a fragment header with offset and flag."""
        r = self.random
        if fragment is not None or r.random() < 0.02:
            payload = struct.pack("!BBHI", protocol, r.getrandbits(8),
                                  r.choice([0, 2, 4, 6]) | (fragment or 0), ident) + payload
            protocol = FRAGMENT
        if r.random() < 0.1:
            protocol, payload = self.chain(protocol, payload, r.choice([1, 1, 2, 3, 7, 8, 9, 12]))
        return struct.pack("!IHBB16s16s", 6 << 28 | r.getrandbits(28), len(payload), protocol,
                           r.randrange(1, 256), source.packed, target.packed) + payload

    def ip(self, source, target, *rest, **more):
        return (self.ip4 if target.version == 4 else self.ip6)(source, target, *rest, **more)

    def frame(self, packet, real_mac=False):
        """A frame around an IP packet: tags, padding."""
        r = self.random
        kind = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
        source = r.choice(self.macs) if self.macs and (real_mac or r.random() < 0.05) \
            else r.randbytes(6)
        tags = b"".join(struct.pack("!HH", r.choice([0x8100, 0x88A8]), r.getrandbits(16))
                        for _ in range(r.choice([0] * 12 + [1, 1, 2, 2, 3])))
        frame = bytes([r.getrandbits(8) & 0xFE]) + r.randbytes(5) + source + tags + \
            struct.pack("!H", kind) + packet
        if len(frame) < 60 and r.random() < 0.7:
            frame += bytes(60 - len(frame))
        elif r.random() < 0.1:
            frame += r.randbytes(r.randrange(1, 40))
        return frame

    def good(self):
        r = self.random
        source, target, protocol, source_port, port = r.choice(self.flows)
        kind = r.random()
        if kind < 0.08:
            return self.frame(self.error(source, target, protocol, source_port, port))
        if kind < 0.11:
            return self.frame(self.ip(source, target, *self.ping(target)))
        if kind < 0.14:
            source = self.strange_source(target)
        size = r.choice([0, 0, 1, 2, 7, 32, 100, 536, 1400, 1460, 3000])
        payload = self.l4(protocol, source_port, port, size)
        if r.random() < 0.03:
            protocol = r.choice([1, 2, 4, 41, 47, 50, 58, 132, 255])
        return self.frame(self.ip(source, target, protocol, payload))

    def plain(self):
        """A whole, untagged TCP or UDP packet of one of the flows."""
        r = self.random
        source, target, protocol, source_port, port = r.choice(self.flows)
        payload = self.l4(protocol, source_port, port, r.choice([0, 1, 100, 1400]))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 9, protocol, 0,
                           source.packed, target.packed) if target.version == 4 else \
            struct.pack("!IHBB16s16s", 6 << 28, len(payload), protocol, 9, source.packed,
                        target.packed)
        return bytes(12) + (b"\x08\x00" if target.version == 4 else b"\x86\xdd") + head + payload

    def strange_source(self, target):
        if target.version == 4:
            return self.random.choice([target, *map(ipaddress.ip_address, (
                "0.0.0.1", "127.0.0.1", "224.0.0.5", "255.255.255.255", "10.0.0.11"))])
        return self.random.choice([target, *map(ipaddress.ip_address, (
            "::", "::1", "::2", "::ffff:10.0.0.1", "ff02::1", "fe80::1", "2001:db8:1::11"))])

    def ping(self, target):
        """Protocol and message: echo requests and other messages that aren't errors."""
        r = self.random
        four = target.version == 4
        kind = (8 if four else 128) if r.random() < 0.7 else r.getrandbits(8)
        return (1 if four else 58), bytes([kind, 0]) + r.randbytes(6 + r.choice([0, 1, 8, 56, 1000]))

    def error(self, source, target, protocol, source_port, port):
        """An ICMP error that quotes a packet of the real to this client, at any length."""
        r = self.random
        four = target.version == 4
        l4 = self.l4(protocol, port, source_port, r.choice([0, 4, 100, 600]))
        quoted_from = target if r.random() < 0.95 else source
        fragment = r.choice([None] * 12 + [0x2000 if four else 1, 0x20B9 if four else 0x5C9])
        quote = self.ip(quoted_from, source, protocol if r.random() < 0.95 else 47, l4,
                        fragment=fragment)
        if r.random() < 0.5:
            quote = quote[:r.randrange(min(len(quote), 90) + 1)]
        kind = r.choice([3, 3, 3, 11, 12, 5] if four else [1, 2, 2, 3, 4, 137])
        message = bytes([kind, r.getrandbits(4)]) + r.randbytes(6) + quote
        router = ipaddress.ip_address("192.0.2.254" if four else "2001:db8:fe::1")
        part = {"fragment": 0x2000 if four else 1} if r.random() < 0.03 else {}
        return self.ip(router, target, 1 if four else 58, message, **part)

    def datagram(self):
        """The fragments of a datagram, mostly in order; ids are few, so they come again."""
        r = self.random
        source, target, protocol, source_port, port = r.choice(self.flows)
        data = self.l4(protocol, source_port, port, r.choice([40, 200, 1400]))
        ident, four = r.randrange(4), target.version == 4
        cuts = [0, *sorted(r.sample(range(1, len(data) // 8), min(r.randrange(1, 4),
                                                                  len(data) // 8 - 1)))]
        frames = []
        for begin, end in zip(cuts, [*cuts[1:], None]):
            piece = data[begin * 8:None if end is None else end * 8]
            word = begin << (0 if four else 3) | (0 if end is None else 0x2000 if four else 1)
            frames.append(self.frame(self.ip(source, target, protocol, piece, fragment=word,
                                             ident=ident)))
        if r.random() < 0.2:
            r.shuffle(frames)
        return frames

    def bent(self, frame):
        """One thing wrong with a good frame."""
        r = self.random
        frame = bytearray(frame)
        where = r.randrange(10)
        if where == 0:
            return bytes(frame[:r.randrange(len(frame))])
        if where == 1:
            return bytes(frame[:r.randrange(min(90, len(frame)))])
        if where == 2:
            frame[0] |= 1
        elif where == 3:
            frame[12:14] = bytes.fromhex(r.choice(["0806", "8100", "88a8", "88cc", "0800", "86dd",
                                                   "05dc"]))
        elif where == 4 and len(frame) > 14:
            frame[14] = r.getrandbits(8)
        elif where == 5 and len(frame) > 18:
            frame[16:20] = struct.pack("!HH", r.choice([0, 19, 20, 24, 28, 39, 40, 48, 65535,
                                                        r.getrandbits(16)]), r.getrandbits(16))
        elif where == 6 and len(frame) > 60:
            at = r.randrange(14, 60)
            frame[at] = r.getrandbits(8)
        elif where == 7 and len(frame) > 50:
            at = 14 + (20 if frame[12:14] == b"\x08\x00" else 40) + 12
            frame[at:at + 1] = bytes([r.getrandbits(8)])
        elif where == 8 and len(frame) > 50:
            at = 14 + (20 if frame[12:14] == b"\x08\x00" else 40) + 4
            frame[at:at + 2] = struct.pack("!H", r.choice([0, 7, 8, 9, r.getrandbits(16)]))
        else:
            for _ in range(r.randrange(1, 4)):
                frame[r.randrange(len(frame))] = r.getrandbits(8)
        return bytes(frame)

    def frames(self, n):
        for _ in range(n):
            if self.random.random() < 0.08:
                yield from self.datagram()
                continue
            frame = self.good()
            yield frame if self.random.random() < 0.6 else self.bent(frame)
        yield b""
        whole = self.good()
        for length in range(min(len(whole), 150)):
            yield whole[:length]
        yield from self.large()

    def large(self):
        """Around what the kernel's test run takes, an mbuf, and what a tunnel can carry: the IP
        packet's length is the size."""
        for size in (3386, 3387, 9000, 64986, 64987, 65495, 65496, 65515, 65516, 65535):
            for prefix, protocol, ports, _ in self.targets:
                address, port = self.address_in(prefix), self.port_of(ports)
                four = address.version == 4
                head = (20 if four else 40) + (8 if protocol == UDP else 20)
                source = ipaddress.ip_address("10.0.0.1" if four else "2001:db8::1")
                data = self.random.randbytes(size - head)
                if protocol == UDP:
                    l4 = struct.pack("!HHHH", 7, port, 8 + len(data), 0)
                else:
                    l4 = struct.pack("!HHIIBBHHH", 7, port, 0, 0, 0x50, 0x10, 9, 0, 0)
                if four:
                    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 9,
                                     self.random.choice([0, 0x4000]), 9, protocol, 0,
                                     source.packed, address.packed)
                else:
                    ip = struct.pack("!IHBB16s16s", 6 << 28, size - 40, protocol, 9,
                                     source.packed, address.packed)
                yield bytes(12) + (b"\x08\x00" if four else b"\x86\xdd") + ip + l4 + data
