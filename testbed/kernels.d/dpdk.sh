#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The DPDK engine on a network card that the kernel has given up: two workers have two of its queues,
# and all that isn't for a VIP goes to the kernel and comes from it by an interface that the engine
# makes: BGP, health checks, neighbours, ping. Once the card's PCI device is with vfio-pci, behind an
# IOMMU, and the interface is a TAP, which was there before both services and outlives the engine;
# once the device is with uio_pci_generic, and the interface by vhost-net, which comes and goes with
# the engine. The card is the guest's second (testbed/lib/guest.sh); the router's cable to it is the
# first.
set -uo pipefail

# shellcheck source=testbed/kernels.d/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Software emulation with other work on the machine: nothing here is about time.
# shellcheck disable=SC2034 # read by the topology
HOLD_TIME_S=60 HEALTH_INTERVAL_MS=2000 HEALTH_TIMEOUT_MS=1900 EDGE_ENGINE=dpdk
CARD_MAC=02:00:00:00:10:01
CONNECTIONS=20 DATAGRAMS=64
VLAN=100
HUGEPAGES=160

# pci_of CARD: the PCI device that it is, below which virtio has one of its own.
pci_of() {
	local dir
	dir=$(readlink -f "/sys/class/net/$1/device") || return 1
	until [[ ${dir##*/} == ????:??:??.? ]]; do
		dir=${dir%/*}
		[ -n "$dir" ] || return 1
	done
	printf '%s\n' "${dir##*/}"
}

driver_is() { [[ $(readlink "/sys/bus/pci/devices/$PCI/driver") == */"$1" ]]; }

# bind DRIVER: the card's device to this driver; '' to the one the kernel has for it. What
# dpdk-devbind.py does, in a moment.
bind() {
	local device=/sys/bus/pci/devices/$PCI
	[ ! -e "$device/driver" ] || echo "$PCI" >"$device/driver/unbind"
	echo "$1" >"$device/driver_override" && echo "$PCI" >/sys/bus/pci/drivers_probe &&
		driver_is "${1:-virtio-pci}"
}

# ---- what this scenario has otherwise than the topology: see there ----

node_interface() { echo fw0; }

# MTU: of the port and of fw0. Clients send packets of 1500 bytes.
node_engine() {
	cat <<-EOT
		  engine: dpdk
		  dpdk:
		    cores: "0-1"
		    ports: [{device: "$PCI", interface: fw0, exception: $EXCEPTION, mtu: $MTU}]
		    memory: 256
		    descriptors: 256
		    idle: sleep
	EOT
}

cabled() {
	edge_namespaces client router lb1 real1 && edge_links &&
		ip link set "$FIRST" netns "$(ns_name router)" name lb1 mtu "$EDGE_MTU" &&
		ip_ns router link set lb1 up && ip_ns router link set lb1 master edge0 &&
		edge_host client eth0 198.51.100.10/24 198.51.100.1 2001:db8:c::10/64 2001:db8:c::1 &&
		edge_host real1 eth0 "$(addr4 real1)/24" 10.0.0.1 "$(addr6 real1)/64" 2001:db8:a::1 &&
		in_ns router ethtool -K lb1 txvlan off rxvlan off >/dev/null && ip_ns router -batch - <<-EOT
			link add tagged link edge0 type vlan id $VLAN
			link set tagged up
			address add 192.0.3.1/24 dev tagged
		EOT
}

# What an operator would have done for eth0.
addressed() {
	edge_host lb1 fw0 "$(addr4 lb1)/24" 192.0.2.1 "$(addr6 lb1)/64" 2001:db8:e::1 &&
		ip_ns lb1 -batch - <<-EOT
			link add fw0.$VLAN link fw0 type vlan id $VLAN
			link set fw0.$VLAN up
			address add 192.0.3.11/24 dev fw0.$VLAN
		EOT
}

# ---- what is asked ----

there() { ip_ns lb1 link show dev "$1" >/dev/null 2>&1; }
gone() { ! there "$1"; }
# pings ADDRESS [BYTES]
pings() { in_ns router busybox ping -q -c 1 -W 2 -s "${2:-56}" "$1" >/dev/null; }
neighbour_is() { ip_ns router neigh show "$1" | grep -q "lladdr $CARD_MAC"; }
card_runs() { [ -n "$(card "$CARD_MAC")" ]; }

process() {
	cli lb1 --json status >"$TB/status.json" 2>/dev/null && jq -e ".process | $1" "$TB/status.json" >/dev/null
}

# Frames that all workers have received, as the page has it, and as the core has counted.
received() { cli lb1 --json status | jq '[.process.workers[].received] | add'; }
decided() { cli lb1 --json counters | jq '[.reasons[].packets] | add'; }
reason() { cli lb1 --json counters | jq ".reasons[] | select(.name == \"$1\") | .packets"; }
service() {
	cli lb1 --json counters |
		jq ".services[] | select(.vip == \"web4\" and .protocol == \"$1\") | .packets"
}

# What the core had decided before and after the workers' word was asked for: there is always some
# frame under way. Its counters outlast the engine, the workers' don't.
reading() { echo "$(decided) $(received) $(decided)"; }

# counters_agree READING: since then.
counters_agree() {
	local from received to from0 received0 to0
	read -r from0 received0 to0 <<<"$1"
	read -r from received to < <(reading)
	received=$((received - received0)) from=$((from - to0)) to=$((to - from0))
	say "received $received, decided $from to $to"
	[ "$received" -gt $((CONNECTIONS * 4)) ] && [ "$from" -le "$received" ] &&
		[ "$received" -le "$to" ]
}

# The router watches its end of the cable while the client sends datagrams, each from another port.
datagrams_sent() {
	ns_spawn router outer python3 "$ROOT/testbed/kernels.d/outer.py" lb1 "$DATAGRAMS" "$CARD_MAC" \
		"$(addr4 lb1)" "$(addr4 real1)" "$VIP4"
	# On a starved machine a probe may go unanswered, and the VIP be withdrawn for a moment.
	wait_until 30 [ -s "$TB/outer.log" ] && wait_until 60 next_hops_are "$VIP4" 1 || return 1
	# shellcheck disable=SC2016 # expanded by the inner shell
	in_ns client bash -c 'for ((i = 0; i < $2; i++)); do echo "$i" >"/dev/udp/$1/53" || exit; done' \
		bash "$VIP4" "$DATAGRAMS"
}
all_good() { [ "$(grep -c '^good$' "$TB/outer.log")" = "$DATAGRAMS" ]; }

packets() { in_ns "$1" cat "/sys/class/net/$2/statistics/rx_packets"; }

configured() {
	node_config lb1 | sed 's/{protocol: tcp, port: 80, pool: web4}/&, {protocol: udp, port: 53, pool: web4}/' \
		>"$TB/lb1.yaml"
}

# engine_says TEXT: it ends with an error that has this.
engine_says() {
	local out rc=0
	out=$(in_ns lb1 timeout -k 1 30 "$BUILD/dataplane/dpdk/fairway-dpdk" --config "$TB/lb1.yaml" \
		--bpffs "$TB/bpf/lb1" 2>&1 </dev/null) || rc=$?
	[[ $rc = 1 && $out == *"$1"* ]] && return
	printf 'exit %d: %s\n' "$rc" "$out"
	return 1
}

# ---- what is promised, by whatever way the kernel has its packets ----

kernel_is_reached() {
	hold "$EXCEPTION: the engine runs, with two workers and two of the card's queues" \
		wait_until 60 process ".state == \"running\" and (.workers | length) == 2 and
			(.ports[0] | .driver == \"net_virtio\" and .queues == 2 and .link and .mtu == $MTU)"
	wait_until 10 there fw0 || die "there is no interface fw0: $(tail -3 "$TB/fairway-dpdk-lb1.log")"
	[ "$EXCEPTION" = tap ] || addressed || die "cannot give fw0 its addresses"
	hold 'the kernel answers a ping by IPv4' wait_until 20 pings "$(addr4 lb1)"
	hold 'and one by IPv6' wait_until 20 pings "$(addr6 lb1)"
	hold "and one that fills the MTU" wait_until 20 pings "$(addr4 lb1)" $((MTU - 28))
	hold "its address is the card's MAC address for the router" neighbour_is "$(addr4 lb1)"
	hold 'so it is by IPv6' neighbour_is "$(addr6 lb1)"
	hold 'what the kernel got and sent is counted' process \
		'([.workers[].to_kernel] | add) > 0 and ([.workers[].from_kernel] | add) > 0'
	hold 'BGP is established by that way' wait_until 60 bgp_established lb1
	hold 'health checks go there and back: the router has a next hop for the VIP' \
		wait_until 60 next_hops_are "$VIP4" 1
	hold 'and for the one of IPv6' wait_until 60 next_hops_are "$VIP6" 1
}

# traffic_is_forwarded WORDS OPERATOR: and whether there were packets too large for the tunnel.
traffic_is_forwarded() {
	local begin tcp udp large
	begin=$(reading) tcp=$(service tcp) udp=$(service udp) large=$(reason too_big_answered)
	hold "$CONNECTIONS of $CONNECTIONS connections are answered" \
		wait_until 20 all_answered "$CONNECTIONS" "$VIP4:80"
	hold "$CONNECTIONS of $CONNECTIONS connections by IPv6 are answered" \
		wait_until 20 all_answered "$CONNECTIONS" "[$VIP6]:80"
	hold 'each took at least four packets' test "$(service tcp)" -ge $((tcp + CONNECTIONS * 4))
	hold "$DATAGRAMS datagrams are sent to the VIP" datagrams_sent
	hold 'all of them come from the card with the right outer header' wait_until 20 all_good
	hold 'and all are counted for the service' test "$(service udp)" = $((udp + DATAGRAMS))
	hold 'both workers received some' process '[.workers[].received] | min > 0'
	hold 'what workers received is what the core decided' counters_agree "$begin"
	hold 'nothing was lost on the way' process \
		'[.workers[] | .tx_dropped, .kernel_dropped] + [.ports[] | .rx_missed, .rx_errors] | add == 0'
	hold 'full-size segments get through' upload "$VIP4"
	hold "with an MTU of $MTU the client $1 that they were too large" \
		test "$(reason too_big_answered)" "$2" "$large"
}

# A connection takes at least four packets to its end: SYN, ACK, request, FIN.
tags_are_kept() {
	local out kernel
	ip_ns router route replace "$VIP4/32" via 192.0.3.11 metric 1 ||
		die 'cannot send the VIP by the VLAN'
	hold "what is for the host itself passes to its VLAN device, and back" \
		wait_until 10 pings 192.0.3.11
	out=$(packets router tagged) kernel=$(packets lb1 "fw0.$VLAN")
	hold "$CONNECTIONS of $CONNECTIONS connections with a tag are answered" \
		wait_until 10 all_answered "$CONNECTIONS" "$VIP4:80"
	hold 'they left the balancer with their tag' \
		test "$(packets router tagged)" -ge $((out + CONNECTIONS * 4))
	hold "and weren't handed to its kernel" \
		test "$(packets lb1 "fw0.$VLAN")" -lt $((kernel + CONNECTIONS))
	ip_ns router route del "$VIP4/32" via 192.0.3.11 metric 1
}

# start_both EXCEPTION MTU
start_both() {
	EXCEPTION=$1 MTU=$2
	configured
	rm -f "$TB"/{fairwayd-lb1,fairway-dpdk-lb1,outer}.log
	node_start lb1
}

# With an IOMMU a card needs no hugepages: any memory has an address that it can be told.
engine_runs_without_hugepages() {
	process_end fairway-dpdk-lb1
	sed -i 's/^    memory: .*/&\n    hugepages: false/' "$TB/lb1.yaml"
	engine_start lb1
	hold 'without hugepages it runs, too' wait_until 60 process '.state == "running"'
	hold 'connections are answered' wait_until 60 all_answered "$CONNECTIONS" "$VIP4:80"
}

end_both() {
	process_end fairway-dpdk-lb1
	process_end fairwayd-lb1
}

routes_stay() {
	ip_ns lb1 route show default | grep -q "via 192.0.2.1 dev fw0" &&
		ip_ns lb1 -6 route show default | grep -q "via 2001:db8:e::1 dev fw0" &&
		ip_ns lb1 -6 address show dev fw0 | grep -q "$(addr6 lb1)/64"
}

engine_restarts() {
	process_end fairway-dpdk-lb1
	hold 'when the engine ends, it says so' process '.state == "ended"'
	hold 'addresses and routes stay' routes_stay
	hold 'the VIPs are withdrawn' wait_until 20 next_hops_are "$VIP4" 0
	engine_start lb1
	hold 'and come back with it' wait_until 60 next_hops_are "$VIP4" 1
	hold 'connections are answered again' wait_until 20 all_answered "$CONNECTIONS" "$VIP4:80"
	# Nothing can be told to the router then: the way there was the engine's.
	process_signal KILL fairway-dpdk-lb1
	hold 'when it is killed, fairwayd knows' wait_until 20 process '.state == "died"'
	engine_start lb1
	hold 'the next one finds the card as it is' wait_until 60 process '.state == "running"'
	hold 'connections are answered again' wait_until 60 all_answered "$CONNECTIONS" "$VIP4:80"
	hold 'the router has a next hop for the VIP' wait_until 60 next_hops_are "$VIP4" 1
}

FIRST=$(card 02:00:00:00:10:00) SECOND=$(card "$CARD_MAC")
[ -n "$FIRST$SECOND" ] || skip "no network cards: QEMU was started without /dev/net/tun"
[ -x "$BUILD/dataplane/dpdk/fairway-dpdk" ] || skip 'fairway-dpdk is not built'
need vfio_pci vfio_iommu_type1 uio_pci_generic vhost_net 8021q
PCI=$(pci_of "$SECOND") || die "$SECOND is no PCI device"
sysctl -qw vm.nr_hugepages=$HUGEPAGES
[ "$(sysctl -n vm.nr_hugepages)" = $HUGEPAGES ] || skip "$HUGEPAGES hugepages can't be had"
ip link set "$SECOND" down

trap 'testbed_remove' EXIT
trap 'exit 143' TERM INT
testbed_make
cabled || die 'cannot make the topology'
nginx_start real1
bird_start
real_setup real1 >"$TB/setup.log" 2>&1 || die "fairway-real setup: $(tail -1 "$TB/setup.log")"
hold 'the card is behind an IOMMU' test -e "/sys/bus/pci/devices/$PCI/iommu_group"
hold "the card isn't the kernel's any more, but vfio-pci's" bind vfio-pci

# The interface, its addresses and routes are there before both services, as after boot.
ip_ns lb1 tuntap add fw0 mode tap multi_queue || die 'cannot make the TAP interface'
addressed || die 'cannot give fw0 its addresses'
start_both tap 1500
kernel_is_reached
traffic_is_forwarded 'was told' -gt
tags_are_kept
engine_restarts
engine_runs_without_hugepages
end_both
hold 'the interface is still there' there fw0
ip_ns lb1 link del fw0

# No interface: fairwayd waits for the engine to make it.
hold 'the card is uio_pci_generic'"'"'s' bind uio_pci_generic
start_both virtio-user "$EDGE_MTU"
kernel_is_reached
traffic_is_forwarded "wasn't told" -eq
tags_are_kept
process_end fairway-dpdk-lb1
hold 'the interface goes with the engine' wait_until 10 gone fw0
hold 'and the VIPs are withdrawn' wait_until 20 next_hops_are "$VIP4" 0
end_both

hold 'the card is given back to the kernel' bind ''
hold 'which makes its interface again' wait_until 20 card_runs
hold 'the engine leaves it alone and says who has it' engine_says \
	"DPDK found no port $PCI: it is with the kernel's driver virtio-pci: "
ip link set "$(card "$CARD_MAC")" netns "$(ns_name lb1)" name eth0 &&
	edge_host lb1 eth0 "$(addr4 lb1)/24" 192.0.2.1 "$(addr6 lb1)/64" 2001:db8:e::1
hold 'and the interface works' wait_until 20 pings "$(addr4 lb1)"
