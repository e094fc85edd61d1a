#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Packets don't circle without end: a real server that was never told of the VIP, with forwarding on,
# sends what it is given on to the router, which sends it to the balancer again. Each round costs the
# packet one of its TTL in the real server and one in the router, as with any loop; the balancer must
# not give it back, nor put a tunnel around a tunnel.
#
#   loop.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1") NODES=(lb1) REALS=(real1)
SYNS=20 TTL=64

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi

misconfigure() {
	in_ns real1 sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.conf.{all,eth0}.{rp_filter,send_redirects}=0
}

# How often lb1 has sent something of the flood's.
rounds() { echo $(($(forwarded) - FORWARDED)); }

# circle ENCAP WORDS: sends packets into the loop, and says how often each was forwarded.
circle() {
	local sent
	FORWARDED=$(forwarded)
	flood_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate "$SYNS" --duration 1
	wait_until 10 process_gone flood || hold 'the flood ends' false
	sent=$(flood_sent)
	hold_within 10 'the last of them has ended' nodes_are_quiet
	hold "$sent packets were forwarded $(rounds) times: none more often than its TTL allows" \
		at_most "$(rounds)" $((sent * TTL / 2))
	hold "$1" "${@:2}"
}

more_than_once() { [ "$(rounds)" -gt $((SYNS * 2)) ]; }
just_once() { [ "$(rounds)" -le "$SYNS" ]; }

trap 'testbed_remove' EXIT
trap 'exit 143' TERM INT

for encap in l2dsr ipip; do
	title "A real server that lost the VIP and forwards, $encap"
	topology_up "$encap"
	if [ "$encap" = ipip ]; then
		real_setup real1 >"$TB/setup.log" 2>&1 || die "setup: $(tail -n 1 "$TB/setup.log")"
		ip_ns real1 address del "$VIP4/32" dev lo
		ip_ns real1 address del "$VIP6/128" dev lo
	fi
	misconfigure || die 'cannot turn forwarding on'
	node_start lb1
	hold_within 20 'the VIPs are announced' vips_have_next_hops 1
	hold_within 10 'the real server is used' reals_are_up
	if [ "$encap" = l2dsr ]; then
		circle 'they did circle' more_than_once
	else
		circle 'what fairway-real has set up lets none of them out again' just_once
	fi
	testbed_remove
done
title 'All of it held'
