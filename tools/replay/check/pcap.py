# SPDX-License-Identifier: BSD-2-Clause
"""Reads and writes pcap files, with nothing but the standard library."""
import struct

MICRO, NANO = 0xA1B2C3D4, 0xA1B23C4D


def write(path, packets, magic=NANO, order="<", link=1, snap=262144):
    """packets: (time in units of the magic, bytes[, length on the wire])."""
    unit = 10**9 if magic == NANO else 10**6
    with open(path, "wb") as f:
        f.write(struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, snap, link))
        for packet in packets:
            time, data = packet[0], packet[1]
            wire = packet[2] if len(packet) > 2 else len(data)
            f.write(struct.pack(order + "IIII", time // unit, time % unit, len(data), wire))
            f.write(data)


def read(path):
    """(magic, [(time, bytes)])"""
    with open(path, "rb") as f:
        blob = f.read()
    order = "<" if blob[:4] in (struct.pack("<I", MICRO), struct.pack("<I", NANO)) else ">"
    magic, _, _, _, _, _, link = struct.unpack(order + "IHHiIII", blob[:24])
    assert magic in (MICRO, NANO), f"{path}: magic {magic:#x}"
    assert link == 1, f"{path}: link type {link}"
    unit = 10**9 if magic == NANO else 10**6
    packets, at = [], 24
    while at < len(blob):
        seconds, fraction, captured, wire = struct.unpack(order + "IIII", blob[at:at + 16])
        assert captured == wire, f"{path}: cut packet"
        assert at + 16 + captured <= len(blob), f"{path}: file ends inside a packet"
        packets.append((seconds * unit + fraction, blob[at + 16:at + 16 + captured]))
        at += 16 + captured
    return magic, packets
