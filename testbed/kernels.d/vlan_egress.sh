#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A balancer with one network card and several VLANs on it: the router sends what is for the VIPs
# with one tag, and the way to the real server leads through other VLAN devices, for IPv4 one with a
# tag of its own, for IPv6 one on another (802.1Q in 802.1ad). Frames leave with the tags of the way
# to the real server, whatever they came with.
set -uo pipefail

# shellcheck source=testbed/kernels.d/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

CONNECTIONS=20
FRONT=100 BACK=200 OUTER=300 INNER=30

# Tags are written into the frame by the sender, and left there for XDP by the receiver.
vlans_up() {
	in_ns router ethtool -K lb1 txvlan off rxvlan off >/dev/null &&
		in_ns lb1 ethtool -K eth0 txvlan off rxvlan off >/dev/null &&
		ip_ns router -batch - <<-EOT && ip_ns lb1 -batch - <<-EOT2
			link add front link edge0 type vlan id $FRONT
			link add back link edge0 type vlan id $BACK
			link add outer link edge0 type vlan proto 802.1ad id $OUTER
			link add inner link outer type vlan id $INNER
			link set front up
			link set back up
			link set outer up
			link set inner up
			address add 192.0.3.1/24 dev front
			address add 2001:db8:f::1/64 dev front nodad
			address add 192.0.4.1/24 dev back
			address add 2001:db8:b::1/64 dev inner nodad
			route add $VIP4/32 via 192.0.3.11
			route add $VIP6/128 via 2001:db8:f::11
		EOT
			link add eth0.$FRONT link eth0 type vlan id $FRONT
			link add outer link eth0 type vlan proto 802.1ad id $OUTER
			link add inner link outer address 02:00:00:00:03:00 type vlan id $INNER
			link set eth0.$FRONT up
			link set outer up
			link set inner up
			address add 192.0.3.11/24 dev eth0.$FRONT
			address add 2001:db8:f::11/64 dev eth0.$FRONT nodad
			address add 2001:db8:b::11/64 dev inner nodad
			route add 2001:db8:a::/64 via 2001:db8:b::1
		EOT2
	back_up
}

# The balancer's device to the real server, with a MAC address of its own.
back_up() {
	ip_ns lb1 -batch - <<-EOT
		link add eth0.$BACK link eth0 address 02:00:00:00:02:00 type vlan id $BACK
		link set eth0.$BACK up
		address add 192.0.4.11/24 dev eth0.$BACK
		route add 10.0.0.0/24 via 192.0.4.1
	EOT
}

# A VLAN device on a card that isn't the balancer's.
foreign_up() {
	ip_ns lb1 -batch - <<-EOT
		link add spare type veth peer name spare1
		link set spare up
		link set spare1 up
		link add spare.5 link spare type vlan id 5
		link set spare.5 up
		address add 10.9.0.1/24 dev spare.5
		neigh add 10.9.0.2 lladdr 02:00:00:00:09:02 dev spare.5
	EOT
}

node_yaml() {
	node_head
	cat <<-EOT
		pools:
		  - {name: web4, encap: ipip, reals: [{address: $(addr4 real1)}]}
		  - {name: web6, encap: ipip, reals: [{address: "$(addr6 real1)"}]}
		  - {name: lost, encap: ipip, reals: [{address: 10.9.0.2}]}
		vips:
		  - {name: web4, address: $VIP4, services: [{protocol: tcp, port: 80, pool: web4}]}
		  - {name: web6, address: "$VIP6", services: [{protocol: tcp, port: 80, pool: web6}]}
	EOT
}

# packets NAMESPACE DEVICE
packets() { in_ns "$1" cat "/sys/class/net/$2/statistics/rx_packets"; }

# A connection takes at least four packets to its end: SYN, ACK, request, FIN.
came_by() { [ "$(packets router "$1")" -ge $((CONNECTIONS * 4)) ]; }
few_at_the_balancers() { [ "$(packets lb1 "eth0.$FRONT")" -lt $((CONNECTIONS * 2)) ]; }

# Those to the host itself, and what the router had to ask first.
few_by_the_front() { [ "$(packets router front)" -lt $CONNECTIONS ]; }

# way_to ADDRESS CONDITION: of the next hop that fairwayd has for this real server.
way_to() {
	cli lb1 --json real list |
		jq -e ".reals[] | select(.address == \"$1\") | .next_hop | $2" >/dev/null
}

# The doctor finds trouble with the lost real server.
explained() {
	cli lb1 --json explain tcp 198.51.100.10:5000 "$VIP4:80" |
		jq -e ".outer_destination == \"$(addr4 real1)\" and
			.next_hop.interface == \"eth0.$BACK\"" >/dev/null &&
		{ cli lb1 --json doctor || [ $? = 4 ]; } | jq -e '.checks[] |
			select(.name == "probe" and .result == "ok")' >/dev/null
}

need 8021q
edge_up "$@"
vlans_up || die 'cannot make the VLANs'
foreign_up || die 'cannot make the other card'
node_yaml >"$TB/lb1.yaml"
real_setup real1 >"$TB/setup.log" 2>&1 || die "fairway-real setup: $(tail -1 "$TB/setup.log")"
node_start lb1
hold 'fairwayd knows the ways to the real server' wait_until 60 node_ready 2
hold "one of them is by eth0.$BACK" \
	way_to "$(addr4 real1)" ".resolved and .interface == \"eth0.$BACK\""
hold 'fairway explain knows it too, and the program does what its tables say' explained
hold "$CONNECTIONS of $CONNECTIONS connections are answered" \
	wait_until 10 all_answered "$CONNECTIONS" "$VIP4:80"
hold 'they left the balancer with the tag of the way to the real server' came_by back
hold "$CONNECTIONS of $CONNECTIONS connections by IPv6 are answered" \
	wait_until 10 all_answered "$CONNECTIONS" "[$VIP6]:80"
hold 'they left the balancer with the two tags of that way' came_by inner
hold 'not one went back with the tag it came with' few_by_the_front
hold "and they weren't handed to the balancer's kernel" few_at_the_balancers
hold 'full-size segments get through' upload "$VIP4"
hold 'a VLAN device on a card that is not in node.interfaces is refused in words' \
	way_to 10.9.0.2 '(.resolved | not) and (.reason |
		contains("VLAN device spare.5 lies on spare, which is not in node.interfaces"))'
ip_ns lb1 link del "eth0.$BACK" || die "cannot remove eth0.$BACK"
back_up || die "cannot make eth0.$BACK anew"
hold 'a VLAN device that is made anew is found again' \
	wait_until 30 all_answered "$CONNECTIONS" "$VIP4:80"
