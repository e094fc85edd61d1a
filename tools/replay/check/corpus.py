# SPDX-License-Identifier: BSD-2-Clause
"""Random frames around a configuration: mostly good ones, and every way of being wrong."""
import ipaddress
import random
import struct

TCP, UDP = 6, 17


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
                self.targets.append((ipaddress.ip_address(vip["address"]),
                                     {"tcp": TCP, "udp": UDP}[service["protocol"]],
                                     None if service["port"] == "any" else service["port"]))
        self.flows = [self.flow() for _ in range(400)]

    def flow(self):
        r = self.random
        target, protocol, port = r.choice(self.targets)
        if r.random() < 0.1:
            target = ipaddress.ip_address(int(target) ^ 1 << r.randrange(target.max_prefixlen))
        if r.random() < 0.1:
            protocol = TCP + UDP - protocol
        if port is None or r.random() < 0.1:
            port = r.randrange(65536)
        source = r.getrandbits(target.max_prefixlen)
        return (ipaddress.ip_address(source) if target.version == 4
                else ipaddress.IPv6Address(source)), target, protocol, r.randrange(65536), port

    def l4(self, protocol, source_port, port, size):
        r = self.random
        if protocol == UDP:
            data = struct.pack("!HHHH", source_port, port, 8 + size, r.getrandbits(16))
        else:
            options = 4 * r.choice([0, 0, 3, 5, 10])
            data = struct.pack("!HHIIBBHHH", source_port, port, r.getrandbits(32),
                               r.getrandbits(32), (20 + options) // 4 << 4, r.getrandbits(8),
                               r.getrandbits(16), r.getrandbits(16), 0) + r.randbytes(options)
        return data + r.randbytes(size)

    def ip4(self, source, target, protocol, payload):
        r = self.random
        options = r.randbytes(4 * r.choice([0, 0, 0, 0, 1, 5, 10]))
        fragment = r.choice([0, 0x4000, 0x4000, 0x8000])
        if r.random() < 0.04:
            fragment = r.choice([0x2000, 0x6000, 1, 0x1FFF, 0x2001])
        header = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, r.getrandbits(8),
                             20 + len(options) + len(payload), r.getrandbits(16), fragment,
                             r.randrange(1, 256), protocol, 0, source.packed, target.packed)
        header = header[:10] + struct.pack("!H", checksum(header + options)) + header[12:]
        return header + options + payload

    def ip6(self, source, target, protocol, payload):
        r = self.random
        if r.random() < 0.04:
            protocol, payload = r.choice([
                (44, struct.pack("!BBHI", protocol, 0, r.choice([0, 1, 8, 9]), 7) + payload),
                (0, bytes([protocol, 0, 1, 4, 0, 0, 0, 0]) + payload),
                (60, bytes([protocol, 0, 1, 4, 0, 0, 0, 0]) + payload)])
        return struct.pack("!IHBB16s16s", 6 << 28 | r.getrandbits(28), len(payload), protocol,
                           r.randrange(1, 256), source.packed, target.packed) + payload

    def good(self):
        r = self.random
        source, target, protocol, source_port, port = r.choice(self.flows)
        size = r.choice([0, 0, 1, 2, 7, 32, 100, 536, 1400, 1460, 3000])
        payload = self.l4(protocol, source_port, port, size)
        if r.random() < 0.03:
            protocol = r.choice([1, 2, 4, 41, 47, 50, 58, 132, 255])
        packet = (self.ip4 if target.version == 4 else self.ip6)(source, target, protocol, payload)
        kind = 0x0800 if target.version == 4 else 0x86DD
        mac = bytes([r.getrandbits(8) & 0xFE]) + r.randbytes(11)
        frame = mac + struct.pack("!H", kind) + packet
        if len(frame) < 60 and r.random() < 0.7:
            frame += bytes(60 - len(frame))
        elif r.random() < 0.1:
            frame += r.randbytes(r.randrange(1, 40))
        return frame

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
            for address, protocol, port in self.targets:
                four = address.version == 4
                head = (20 if four else 40) + (8 if protocol == UDP else 20)
                source = ipaddress.ip_address("10.0.0.1" if four else "2001:db8::1")
                port = 5 if port is None else port
                data = self.random.randbytes(size - head)
                if protocol == UDP:
                    l4 = struct.pack("!HHHH", 7, port, 8 + len(data), 0)
                else:
                    l4 = struct.pack("!HHIIBBHHH", 7, port, 0, 0, 0x50, 0x10, 9, 0, 0)
                if four:
                    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, size, 9, 0, 9, protocol, 0,
                                     source.packed, address.packed)
                else:
                    ip = struct.pack("!IHBB16s16s", 6 << 28, size - 40, protocol, 9,
                                     source.packed, address.packed)
                yield bytes(12) + (b"\x08\x00" if four else b"\x86\xdd") + ip + l4 + data
