#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Real servers that decapsulate with what their kernel brings, and no Fairway on them: ipip, sit and
# ip6tnl devices, for GUE with fou in front of them. Each pair of inner and outer address family
# carries TCP from the client through the balancer, short requests and full-size segments.
set -uo pipefail

# shellcheck source=testbed/kernels.d/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

FAMILIES=(44 46 64 66) # inner, outer
FOU_PORT=6080

# vip ENCAP FAMILIES
vip() {
	local net=1
	[ "$1" = ipip ] || net=2
	case $2 in
	4?) echo "203.0.113.$net${2#4}" ;;
	6?) echo "2001:db8:80::$net${2#6}" ;;
	esac
}

real_address() {
	case $1 in
	?4) addr4 real1 ;;
	?6) addr6 real1 ;;
	esac
}

# config ENCAP...: a pool and a VIP for each pair of families.
config() {
	local encap families
	node_head
	echo 'pools:'
	for encap in "$@"; do
		for families in "${FAMILIES[@]}"; do
			printf '  - name: %s\n    encap: %s\n    reals: [{address: "%s"}]\n' \
				"$encap$families" "$encap" "$(real_address "$families")"
		done
	done
	echo 'vips:'
	for encap in "$@"; do
		for families in "${FAMILIES[@]}"; do
			printf '  - name: %s\n    address: "%s"\n    services: [{protocol: tcp, port: 80, pool: %s}]\n' \
				"$encap$families" "$(vip "$encap" "$families")" "$encap$families"
		done
	done
}

# The real server: devices that take any of the four off, and the VIPs. In front of them, for GUE, a
# UDP port of fou for each outer family.
real_decapsulates() {
	{
		echo "link add t44 type ipip local $(addr4 real1) remote any"
		echo "link add t64 type sit local $(addr4 real1) remote any"
		echo "link add t6 type ip6tnl mode any local $(addr6 real1) remote any"
		printf 'link set %s up\n' t44 t64 t6
		printf 'address add %s dev lo\n' "$@"
	} | ip_ns real1 -batch - || return 1
	[[ " ${ENCAPS[*]} " != *' gue '* ]] || {
		need fou fou6
		ip_ns real1 fou add port "$FOU_PORT" gue && ip_ns real1 -6 fou add port "$FOU_PORT" gue
	}
}

# url VIP: as curl and load write it.
target() {
	case $1 in
	*:*) echo "[$1]:80" ;;
	*) echo "$1:80" ;;
	esac
}

# decapsulated DEVICE: it has taken the header off many a packet.
decapsulated() {
	local packets
	packets=$(in_ns real1 cat "/sys/class/net/$1/statistics/rx_packets") && [ "$packets" -gt 100 ]
}

need ipip sit ip6_tunnel
edge_up "$@"
ENCAPS=(ipip gue)
config "${ENCAPS[@]}" >"$TB/lb1.yaml"
if ! in_ns lb1 "$BUILD/controlplane/fairwayd" --check --config "$TB/lb1.yaml" >"$TB/check.log" 2>&1 &&
	grep -m1 "'gue' is not supported" "$TB/check.log"; then
	ENCAPS=(ipip)
	config ipip >"$TB/lb1.yaml"
fi
VIPS=()
for encap in "${ENCAPS[@]}"; do
	for families in "${FAMILIES[@]}"; do
		VIPS+=("$(vip "$encap" "$families")")
	done
done
real_decapsulates "${VIPS[@]}" || die 'cannot set up the real server'
vip_routes "${VIPS[@]}" || die 'cannot lead the VIPs to the balancer'
node_start lb1
hold 'fairwayd knows the way to the real server' wait_until 30 node_ready 2
for encap in "${ENCAPS[@]}"; do
	for families in "${FAMILIES[@]}"; do
		name="$encap, IPv${families:0:1} in IPv${families:1:1}"
		to=$(target "$(vip "$encap" "$families")")
		hold "$name: 20 of 20 connections are answered" wait_until 10 all_answered 20 "$to"
		hold "$name: 300 kB upload" upload "$to"
	done
done
for device in t44 t64 t6; do
	hold "it was the kernel's $device that took headers off" decapsulated "$device"
done
