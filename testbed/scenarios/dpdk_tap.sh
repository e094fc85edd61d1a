#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The exception path of the DPDK engine: a node that has given its whole port away keeps its
# addresses on a TAP interface, whose other end fairway-dpdk has. BGP, health checks, ARP, neighbour
# discovery and ping to the host go that way, over the same port as the traffic of VIPs; and the
# interface is there, with its addresses, when the engine comes back.
#
#   dpdk_tap.sh BUILD [DEVICE]   DEVICE: what DPDK has the port by, net_af_xdp0,iface=eth0
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1") NODES=(lb1) REALS=(real1 real2) EDGE_DEVICE=${2:-}

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi
if [ ! -c /dev/net/tun ]; then
	echo 'skipped: there is no /dev/net/tun'
	exit 77
fi

host_answers() {
	in_ns router busybox ping -c 1 -W 1 "$(addr4 lb1)" >/dev/null 2>&1
}

worker() { cli lb1 --json status | jq ".process.workers[0].$1"; }
has_moved() { [ "$(worker to_kernel)" -gt 0 ] && [ "$(worker from_kernel)" -gt 0 ]; }

in_service() {
	hold_within 20 'BGP is up through the TAP interface' bgp_established lb1
	hold_within 20 'the real servers are checked through it' reals_are_up
	hold_within 20 'the VIPs are announced' vips_have_next_hops 1
}

trap 'testbed_remove' EXIT
trap 'exit 143' TERM INT

title 'A node behind its TAP interface'
topology_up ipip dpdk-tap
for name in "${REALS[@]}"; do
	real_setup "$name" >"$TB/setup-$name.log" 2>&1 ||
		die "setup of $name: $(tail -n 1 "$TB/setup-$name.log")"
done
node_start lb1
in_service
hold 'the engine has taken packets to the kernel and back' has_moved
hold_within 5 'the host answers ping' host_answers
probe 200 "${TARGETS[@]}"
hold '200 connections are answered' is "$(jq .short.ok "$TB/probe.json")" 200
hold 'lb1 has forwarded their packets' at_least "$(forwarded_by lb1)" 600

title 'The engine is killed and comes back'
process_signal KILL fairway-dpdk-lb1
hold_within 5 'the VIPs are withdrawn, or the session has ended' vips_have_next_hops 0
engine_start lb1
in_service
probe 100 "${TARGETS[@]}"
hold '100 connections are answered' is "$(jq .short.ok "$TB/probe.json")" 100
title 'All of it held'
