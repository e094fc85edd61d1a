#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Reads frames from a network card and judges the outer headers of the IPIP packets in them.

    outer.py CARD COUNT MAC SOURCE DESTINATION VIP

Prints `ready`, then a line for each UDP packet to the VIP inside IPIP: `good`, or what is wrong.
Ends after COUNT of them.
"""

import socket
import struct
import sys

ETH_P_IP, IPIP, UDP = 0x0800, 4, 17


def checksum_holds(header):
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def judge(frame, mac, source, destination):
    """What is wrong with the outer header, or 'good'."""
    outer, inner = frame[14:34], frame[34:]
    expected = {
        "source MAC": (frame[6:12], bytes.fromhex(mac.replace(":", ""))),
        "type": (frame[12:14], struct.pack("!H", ETH_P_IP)),
        "version and length": (outer[0], 0x45),
        "total length": (outer[2:4], struct.pack("!H", 20 + struct.unpack_from("!H", inner, 2)[0])),
        "source": (outer[12:16], socket.inet_aton(source)),
        "destination": (outer[16:20], socket.inet_aton(destination)),
        "checksum": (checksum_holds(outer), True),
        "inner checksum": (checksum_holds(inner[:20]), True),
    }
    wrong = [f"{name} is {seen!r}, not {want!r}" for name, (seen, want) in expected.items()
             if seen != want]
    return "; ".join(wrong) or "good"


def is_ours(frame, vip):
    return (len(frame) >= 62 and frame[12:14] == struct.pack("!H", ETH_P_IP) and frame[23] == IPIP
            and frame[43] == UDP and frame[50:54] == socket.inet_aton(vip))


def main():
    card, count, mac, source, destination, vip = sys.argv[1:]
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    wire.bind((card, 0))
    print("ready", flush=True)
    seen = 0
    while seen < int(count):
        frame, origin = wire.recvfrom(2048)
        if origin[2] != socket.PACKET_OUTGOING and is_ours(frame, vip):
            seen += 1
            print(judge(frame, mac, source, destination), flush=True)


if __name__ == "__main__":
    main()
