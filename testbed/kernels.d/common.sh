# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the scenarios of this folder share: one balancer and one real server of the edge topology,
# without BGP. They run in a guest (testbed/kernels) or on any machine whose kernel has what they
# need.
#
#   need MODULE...          ends the scenario as skipped when the kernel has no such module
#   card MAC                the guest's network card of that address (testbed/lib/guest.sh)
#   edge_up                 client, router, lb1 and real1 with nginx; cleaned up at exit
#   edge_up CARD0 CARD1     the same, but the cable to lb1 is these two network cards
#   hold PROMISE COMMAND... says the promise as kept, or ends the scenario with what is known
#   vip_routes VIP...       the router sends these addresses to lb1

: "${ROOT:?}" "${BUILD:?}"
for part in lib/common lib/process lib/netns lib/traffic topologies/edge; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the topology
NODES=(lb1) REALS=(real1) EDGE_ENCAP=ipip EDGE_ENGINE=xdp

skip() {
	printf 'skipped: %s\n' "$*"
	exit 77
}

[ "$(id -u)" = 0 ] || skip 'must be root'

need() {
	local module
	for module in "$@"; do
		modprobe -q "$module" || [ -d "/sys/module/$module" ] ||
			skip "Linux $(uname -r) has no module $module"
	done
}

hold() {
	local promise=$1 log
	shift
	if "$@"; then
		good "$promise"
		return
	fi
	for log in "$TB"/fairwayd-*.log "$TB"/fairway-dpdk-*.log "$TB"/{bird,outer,load}.log "$TB"/probe.json; do
		[ ! -s "$log" ] || { printf -- '--- %s\n' "${log##*/}" && tail -n 15 "$log"; }
	done
	[ ! -S "$TB/lb1.sock" ] || { cli lb1 counters && cli lb1 doctor; }
	die "this does not hold: $promise ($*)"
}

# card MAC: the network card of that address.
card() {
	local file
	for file in /sys/class/net/*/address; do
		[ "$(<"$file")" != "$1" ] || basename "$(dirname "$file")"
	done
}

# edge_up: the topology of edge.sh in as few processes as may be, since each costs a tenth of a
# second and more in software emulation.
edge_up() {
	trap 'testbed_remove' EXIT
	trap 'exit 143' TERM INT
	testbed_make
	edge_make "$@" || die 'cannot make the topology'
	nginx_start real1
}

edge_make() {
	edge_namespaces client router lb1 real1 && edge_links && edge_cable_lb "$@" &&
		edge_host client eth0 198.51.100.10/24 198.51.100.1 2001:db8:c::10/64 2001:db8:c::1 &&
		edge_host lb1 eth0 "$(addr4 lb1)/24" 192.0.2.1 "$(addr6 lb1)/64" 2001:db8:e::1 &&
		edge_host real1 eth0 "$(addr4 real1)/24" 10.0.0.1 "$(addr6 real1)/64" 2001:db8:a::1
}

edge_namespaces() {
	local name
	for name in "$@"; do
		# shellcheck disable=SC2016 # expanded by the inner shell
		ip netns add "$(ns_name "$name")" && in_ns "$name" bash -c '
			cd /proc/sys/net && for v in all default; do
				echo 0 >ipv6/conf/$v/accept_dad && echo 0 >ipv4/conf/$v/rp_filter || exit
			done && [ "$1" != router ] || { echo 1 >ipv4/ip_forward && echo 1 >ipv6/conf/all/forwarding; }
			' bash "$name" || return 1
	done
}

# The router's side of all cables but that to the balancer.
edge_links() {
	{
		echo "link add edge0 mtu $EDGE_MTU type bridge stp_state 0 mcast_snooping 0"
		echo "link add rack0 mtu $EDGE_MTU type bridge stp_state 0 mcast_snooping 0"
		echo "link add client0 type veth peer name eth0 netns $(ns_name client)"
		echo "link add real1 mtu $EDGE_MTU type veth peer name eth0 mtu $EDGE_MTU netns $(ns_name real1)"
		echo 'link set real1 master rack0'
		printf 'link set %s up\n' edge0 rack0 client0 real1
		printf 'address add %s\n' '192.0.2.1/24 dev edge0' '2001:db8:e::1/64 dev edge0 nodad' \
			'10.0.0.1/24 dev rack0' '2001:db8:a::1/64 dev rack0 nodad' \
			'198.51.100.1/24 dev client0' '2001:db8:c::1/64 dev client0 nodad'
	} | ip_ns router -batch - && in_ns client ethtool -K eth0 tx off tso off gso off >/dev/null
}

# edge_cable_lb [CARD0 CARD1]: from edge0 to the balancer's eth0. The router's end of a veth gets a
# program that lets all pass: without one it doesn't take what the other end sends by XDP_TX.
edge_cable_lb() {
	if [ $# = 0 ]; then
		ip_ns router -batch - <<-EOT
			link add lb1 mtu $EDGE_MTU type veth peer name eth0 mtu $EDGE_MTU netns $(ns_name lb1)
			link set lb1 xdpdrv obj $BUILD/bpf/xdp_pass.bpf.o sec xdp
			link set lb1 up
			link set lb1 master edge0
		EOT
	else
		ip link set "$1" netns "$(ns_name router)" name lb1 mtu "$EDGE_MTU" &&
			ip link set "$2" netns "$(ns_name lb1)" name eth0 mtu "$EDGE_MTU" &&
			ip_ns router link set lb1 up && ip_ns router link set lb1 master edge0
	fi
}

# edge_host NAME DEV ADDRESS4 GATEWAY4 ADDRESS6 GATEWAY6
edge_host() {
	ip_ns "$1" -batch - <<-EOT
		link set lo up
		link set $2 up
		address add $3 dev $2
		address add $5 dev $2 nodad
		route add default via $4
		route add default via $6
	EOT
}

# vip_routes VIP...: the router sends these addresses to lb1.
vip_routes() {
	local vip
	for vip in "$@"; do
		case $vip in
		*:*) echo "route add $vip/128 via $(addr6 lb1)" ;;
		*) echo "route add $vip/32 via $(addr4 lb1)" ;;
		esac
	done | ip_ns router -batch -
}

# node_head: the configuration up to the pools.
node_head() {
	cat <<-EOT
		node:
		  name: lb1
		  interfaces: [eth0]
		  tunnel_source: {ipv4: $(addr4 lb1), ipv6: "$(addr6 lb1)"}
		  hash_seed: "0123456789abcdef0123456789abcdef"
	EOT
}

# node_ready COUNT: fairwayd has found its way to so many addresses.
node_ready() { [ "$(grep -c 'next hop resolved' "$TB/fairwayd-lb1.log")" -ge "$1" ]; }

# all_answered COUNT TARGET: so many connections, each answered by real1.
all_answered() {
	local said
	probe "$1" "$2" && said=$(tr -d ' \n' <"$TB/probe.json") &&
		[[ $said == *'"ok":'$1,* && $said == *'"real1":{"short":'$1[,\}]* ]]
}

# upload TARGET: a body of full-size segments arrives whole.
upload() {
	[ -f "$TB/body" ] || head -c 300000 /dev/zero >"$TB/body"
	[ "$(in_ns client curl -sS -m 30 --data-binary @"$TB/body" "http://$1/")" = real1 ]
}
