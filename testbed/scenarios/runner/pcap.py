# SPDX-License-Identifier: BSD-2-Clause
"""pcap files with nanoseconds."""
import struct

NANO = 0xA1B23C4D
SECOND = 10**9


def write(path, packets):
    """packets: (time in ns, bytes)."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", NANO, 2, 4, 0, 0, 262144, 1))
        for time, data in packets:
            f.write(struct.pack("<IIII", time // SECOND, time % SECOND, len(data), len(data)))
            f.write(data)


def read(path):
    """[(time in ns, bytes)]; raises ValueError for another kind of file."""
    with open(path, "rb") as f:
        blob = f.read()
    if len(blob) < 24 or struct.unpack("<I", blob[:4])[0] != NANO:
        raise ValueError(f"{path}: no pcap file with nanoseconds")
    packets, at = [], 24
    while at < len(blob):
        seconds, fraction, captured, _ = struct.unpack("<IIII", blob[at:at + 16])
        packets.append((seconds * SECOND + fraction, blob[at + 16:at + 16 + captured]))
        at += 16 + captured
    return packets
