#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The balancer on a network card with several queues, in its driver: flows arrive on more than one,
# so that each CPU forwards some of them, and what the CPUs counted adds up to what was asked. The
# card is the guest's second (testbed/lib/guest.sh); the router's cable to it is the first.
set -uo pipefail

# shellcheck source=testbed/kernels.d/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CONNECTIONS=200

# packets_by_cpu: a line for each CPU's row of the counters, what it has forwarded. Rows are one after
# another, in one element of the map; the last is the control plane's.
packets_by_cpu() {
	bpftool -j map dump pinned "$TB/bpf/lb1/lb_counters" | python3 -c '
import json, struct, sys
SERVICES = 64  # LB_COUNTER_REASONS, LB_COUNTER_SERVICE
ROWS = int(sys.argv[1]) + 1
[element] = json.load(sys.stdin)
value = bytes(int(b, 16) for b in element["value"])
size = len(value) // ROWS
for at in range(0, size * (ROWS - 1), size):
    packets = struct.unpack_from("<%dQ" % (size // 8), value, at)[::2]
    print(sum(packets[SERVICES:]) // 2)  # each for its service and for its real
' "$(nproc)"
}

# spread_interrupts: those of the card's receive queues to the CPUs in turn, as an operator would.
spread_interrupts() {
	local device irq queue n=0
	device=$(basename "$(in_ns lb1 readlink -f /sys/class/net/eth0/device)")
	while IFS=': ' read -r irq queue; do
		echo $((queue % $(nproc))) >"/proc/irq/$irq/smp_affinity_list" && n=$((n + 1))
	done < <(sed -nE "s/^ *([0-9]+):.* $device-input\.([0-9]+)\$/\1: \2/p" /proc/interrupts)
	[ "$n" -gt 1 ]
}

every_cpu_forwarded() { [ "$(awk '$1 > 0' "$TB/by_cpu" | wc -l)" = "$(nproc)" ]; }

# A connection takes at least four packets to its end: SYN, ACK, request, FIN.
all_counted() { [ "$(awk '{ n += $1 } END { print n }' "$TB/by_cpu")" -ge $((CONNECTIONS * 4)) ]; }

queues_are() { in_ns lb1 ethtool -l eth0 | grep -c "^Combined:.*$1" >/dev/null; }

FIRST=$(card 02:00:00:00:10:00) SECOND=$(card 02:00:00:00:10:01)
[ -n "$FIRST$SECOND" ] || skip "no network cards: QEMU was started without /dev/net/tun"
[ "$(nproc)" -gt 1 ] || skip 'one CPU only'
edge_up "$FIRST" "$SECOND"
{
	node_head
	cat <<-EOT
		pools: [{name: web, encap: ipip, reals: [{address: $(addr4 real1)}]}]
		vips: [{name: web, address: $VIP4, services: [{protocol: tcp, port: 80, pool: web}]}]
	EOT
} >"$TB/lb1.yaml"
hold 'the card has two queues for each CPU' queues_are $(($(nproc) * 2))
real_setup real1 >"$TB/setup.log" 2>&1 || die "fairway-real setup: $(tail -1 "$TB/setup.log")"
vip_routes "$VIP4"
spread_interrupts || die "the interrupts of the card's queues cannot be told apart: see /proc/interrupts"
node_start lb1
hold 'fairwayd knows the way to the real server' wait_until 30 node_ready 1
cli lb1 --json status >"$TB/status.json"
hold 'the program is in the driver' grep -q '"mode": *"native"' "$TB/status.json"
hold 'one connection is answered' wait_until 10 all_answered 1 "$VIP4:80"
hold "$CONNECTIONS of $CONNECTIONS connections are answered" all_answered "$CONNECTIONS" "$VIP4:80"
packets_by_cpu >"$TB/by_cpu"
say "forwarded by each CPU: $(paste -sd' ' "$TB/by_cpu")"
hold 'every CPU forwarded some' every_cpu_forwarded
hold 'every packet is counted' all_counted
