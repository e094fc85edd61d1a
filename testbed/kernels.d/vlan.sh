#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A balancer that is reached through a VLAN: the router sends what is for the VIP with a tag, from
# its VLAN device, and the balancer's eth0 has a VLAN device too. XDP sees the tagged frames on eth0;
# they leave with the tag that they came with, and what isn't for the VIP reaches the VLAN device.
set -uo pipefail

# shellcheck source=testbed/kernels.d/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

VLAN=100
CONNECTIONS=20

# Tags are written into the frame by the sender, and left there for XDP by the receiver.
vlan_up() {
	in_ns router ethtool -K lb1 txvlan off rxvlan off >/dev/null &&
		in_ns lb1 ethtool -K eth0 txvlan off rxvlan off >/dev/null &&
		ip_ns router -batch - <<-EOT && ip_ns lb1 -batch - <<-EOT2
			link add tagged link edge0 type vlan id $VLAN
			link set tagged up
			address add 192.0.3.1/24 dev tagged
			route add $VIP4/32 via 192.0.3.11
		EOT
			link add eth0.$VLAN link eth0 type vlan id $VLAN
			link set eth0.$VLAN up
			address add 192.0.3.11/24 dev eth0.$VLAN
		EOT2
}

# packets NAMESPACE DEVICE
packets() { in_ns "$1" cat "/sys/class/net/$2/statistics/rx_packets"; }

# A connection takes at least four packets to its end: SYN, ACK, request, FIN.
came_back_tagged() { [ "$(packets router tagged)" -ge $((CONNECTIONS * 4)) ]; }
few_at_the_balancers() { [ "$(packets lb1 "eth0.$VLAN")" -lt $CONNECTIONS ]; }

need 8021q
edge_up "$@"
vlan_up || die 'cannot make the VLAN'
{
	node_head
	cat <<-EOT
		pools: [{name: web, encap: ipip, reals: [{address: $(addr4 real1)}]}]
		vips: [{name: web, address: $VIP4, services: [{protocol: tcp, port: 80, pool: web}]}]
	EOT
} >"$TB/lb1.yaml"
real_setup real1 >"$TB/setup.log" 2>&1 || die "fairway-real setup: $(tail -1 "$TB/setup.log")"
node_start lb1
hold 'fairwayd knows the way to the real server' wait_until 30 node_ready 1
hold 'what is for the host itself passes to its VLAN device' \
	wait_until 10 in_ns router busybox ping -q -c 1 -W 2 192.0.3.11
hold "$CONNECTIONS of $CONNECTIONS connections with a tag are answered" \
	wait_until 10 all_answered "$CONNECTIONS" "$VIP4:80"
hold 'they left the balancer with their tag' came_back_tagged
hold "and weren't handed to its kernel" few_at_the_balancers
