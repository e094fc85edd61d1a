#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Ports of the DPDK engine that are no network card: frames of a capture (net_pcap) go through a first
# node, by L2 direct server return into shared memory (net_memif), through a second node, and into a
# ring (net_ring) that brings them back to it. Two engines, each in a process of its own.
#
#   dpdk_devices.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in common process netns; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/lib/$part.sh"
done
BUILD=$(realpath "$1")

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi
if [ ! -c /dev/net/tun ]; then
	echo 'skipped: there is no /dev/net/tun'
	exit 77
fi

# node_config NAME ENCAP DEVICE_IN DEVICE_OUT: a node whose only way out is the second port.
node_config() {
	cat <<-EOF
		node:
		  name: $1
		  interfaces: [in0, out0]
		  engine: dpdk
		  dpdk:
		    cores: "0"
		    ports:
		      - {device: "$3", interface: in0}
		      - {device: "$4", interface: out0}
		    hugepages: false
		    memory: 128
		    descriptors: 512
		    idle: sleep
		    tables: file
		  tunnel_source: {ipv4: 192.0.2.10}
		  hash_seed: "0123456789abcdef0123456789abcdef"
		metrics: {listen: none}
		pools:
		  - name: web
		    encap: $2
		    reals: [{address: 10.9.0.1, mac: "02:00:00:00:09:01"}]
		vips:
		  - name: web
		    address: $VIP
		    services: [{protocol: tcp, port: $PORT, pool: web}]
		    announce: {when: never}
	EOF
}

cli() { "$BUILD/tools/fairway" --socket "$TB/$1.sock" "${@:2}"; }
answers() { cli "$1" status >/dev/null 2>&1; }
running() { [ "$(cli "$1" --json status | jq -r .process.state)" = running ]; }
total() { cli "$1" --json status | jq ".totals.$2.packets"; }
at_least() { [ "$(total "$1" "$2")" -ge "$3" ]; }

# hold PROMISE COMMAND...: that comes true within 20 s.
hold() {
	wait_until 20 "${@:2}" && good "$1" && return
	tail -n 5 "$TB"/*.log >&2
	die "this does not hold: $1"
}

# node_start NAME ENCAP DEVICE_IN DEVICE_OUT
node_start() {
	local name=$1 i
	ns_add "$name" || die 'cannot make a namespace'
	for i in in0 out0; do
		ip_ns "$name" tuntap add "$i" mode tap multi_queue || die "cannot make the interface $i"
		ip_ns "$name" link set "$i" up || die "cannot set the interface $i up"
	done
	ip_ns "$name" addr add 10.9.0.254/24 dev out0
	node_config "$@" >"$TB/$name.yaml"
	mkdir "$TB/state-$name"
	ns_spawn "$name" "fairwayd-$name" "$BUILD/controlplane/fairwayd" --config "$TB/$name.yaml" \
		--socket "$TB/$name.sock" --tables "$TB/tables-$name" --state "$TB/state-$name"
	hold "fairwayd of $name answers" answers "$name"
	ns_spawn "$name" "engine-$name" "$BUILD/dataplane/dpdk/fairway-dpdk" \
		--config "$TB/$name.yaml" --tables "$TB/tables-$name"
	hold "the engine of $name runs" running "$name"
}

trap 'testbed_remove' EXIT
trap 'exit 143' TERM INT
VIP=203.0.113.1 PORT=80 FRAMES=500
testbed_make
"$ROOT/testbed/perf/generate" --packets "$FRAMES" "$TB" small || die 'cannot make the frames'
title 'Ports that are no network card'
node_start second ipip "net_memif0,role=server,socket=$TB/memif.sock,socket-abstract=no" net_ring0
node_start first l2dsr "net_pcap0,rx_pcap=$TB/small.pcap" \
	"net_memif0,role=client,socket=$TB/memif.sock,socket-abstract=no"
hold 'the first node forwards what net_pcap has' at_least first forward "$FRAMES"
hold 'net_memif brings it to the second, which forwards it' at_least second forward 400
hold 'net_ring brings it back, and a tunnel is not the second node'"'"'s' at_least second pass 400
title 'All of it held'
