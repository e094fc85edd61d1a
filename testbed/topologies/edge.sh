# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# The edge of a data centre:
#
#                          BIRD, ECMP
#     client ------------- router =====+== lb1    edge0: 192.0.2.0/24    2001:db8:e::/64
#     198.51.100.10               |    +== lb2
#     2001:db8:c::10              |
#                                 +====+== real1  rack0: 10.0.0.0/24     2001:db8:a::/64
#                                      +== real2
#                                      +== real3
#
# With l2dsr the real servers stand on edge0 too, since a balancer that only rewrites MAC addresses
# has to reach them without a router. The VIPs are 203.0.113.80 and 2001:db8:80::80.
#
#   topology_up ENCAP [ENGINE]   everything but Fairway: links, router, real servers with nginx;
#                                ipip or l2dsr; xdp (default), xdp-generic, dpdk or dpdk-tap
#                                EDGE_DEVICE: what the DPDK engine has eth0 by, AF_XDP
#   topology_down                removes it
#   node_start NAME              Fairway in lb1 or lb2, with $TB/NAME.yaml
#   engine_start NAME            its fairway-dpdk alone
#   cli NAME ARGS...             the CLI of that node
#   real_setup NAME              decapsulation and VIPs on a real server (fairway-real)
#
# Needs ROOT, BUILD and testbed/lib/*.sh.

VIP4=203.0.113.80
VIP6=2001:db8:80::80
ROUTER_ASN=64500
NODE_ASN=64512
NODES=(lb1 lb2)
REALS=(real1 real2 real3)

# Entries of a node's flow table: few, for a flood to have its way with them.
EDGE_FLOWS=4096

# What decides how fast trouble is found; written into the configurations below.
HOLD_TIME_S=6
HEALTH_INTERVAL_MS=500
HEALTH_TIMEOUT_MS=400
HEALTH_RISE=2
HEALTH_FALL=3

# Inside the edge packets carry a tunnel header (40 bytes for IPv6) on top of the client's 1500.
CLIENT_MTU=1500
EDGE_MTU=1600

host_number() {
	case $1 in
	lb1) echo 11 ;;
	lb2) echo 12 ;;
	real1) echo 21 ;;
	real2) echo 22 ;;
	real3) echo 23 ;;
	real4) echo 24 ;;
	*) die "no host $1 in this topology" ;;
	esac
}

# on_rack NAME: whether it stands behind rack0 rather than edge0.
on_rack() { [ "$EDGE_ENCAP" != l2dsr ] && [[ $1 == real* ]]; }

addr4() {
	local net=192.0.2
	! on_rack "$1" || net=10.0.0
	echo "$net.$(host_number "$1")"
}

addr6() {
	local net=2001:db8:e
	! on_rack "$1" || net=2001:db8:a
	echo "$net::$(host_number "$1")"
}

topology_up() {
	EDGE_ENCAP=$1 EDGE_ENGINE=${2:-xdp}
	testbed_make
	ns_add client router "${NODES[@]}" "${REALS[@]}" || die 'cannot make network namespaces'
	router_up || die 'cannot set up the router'
	client_up || die 'cannot set up the client'
	local name
	for name in "${NODES[@]}" "${REALS[@]}"; do
		host_up "$name" || die "cannot set up $name"
	done
	bird_start
	for name in "${REALS[@]}"; do
		nginx_start "$name"
	done
	wait_until 10 bird_ready || die "BIRD does not start: $(tail -3 "$TB/bird.log")"
	for name in "${REALS[@]}"; do
		wait_until 10 real_answers "$name" ||
			die "nginx of $name does not answer: $(tail -3 "$TB/nginx-$name.log")"
	done
}

topology_down() { testbed_remove; }

# ---- links and addresses ----

router_up() {
	in_ns router sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 \
		net.ipv4.fib_multipath_hash_policy=3 net.ipv4.fib_multipath_hash_fields=0x37 \
		net.ipv6.fib_multipath_hash_policy=3 net.ipv6.fib_multipath_hash_fields=0x37 &&
		bridge_add edge0 02:00:00:00:0e:01 192.0.2.1/24 2001:db8:e::1/64 &&
		bridge_add rack0 02:00:00:00:0a:01 10.0.0.1/24 2001:db8:a::1/64
}

# bridge_add NAME MAC ADDRESS4 ADDRESS6: without a MAC address of its own a bridge takes the lowest of
# its ports', so another one whenever a host with a lower one comes.
bridge_add() {
	ip_ns router link add "$1" address "$2" mtu "$EDGE_MTU" type bridge stp_state 0 \
		mcast_snooping 0 && addr_add router "$1" "$3" "$4" && ip_ns router link set "$1" up
}

client_up() {
	link_add router client0 client eth0 "$CLIENT_MTU" &&
		in_ns client sysctl -qw net.ipv4.tcp_tw_reuse=1 &&
		addr_add router client0 198.51.100.1/24 2001:db8:c::1/64 &&
		addr_add client eth0 198.51.100.10/24 2001:db8:c::10/64 &&
		ip_ns client route add default via 198.51.100.1 &&
		ip_ns client -6 route add default via 2001:db8:c::1
}

# A node or a real server, with its cable to a bridge of the router. The router's end gets an XDP
# program that lets all pass: without one it would not see what the other end sends by XDP_TX.
# Frames for unknown MAC addresses are not flooded: a network card would discard those that are not
# for it, a veth hands them over.
host_up() {
	local name=$1 bridge=edge0 gw4=192.0.2.1 gw6=2001:db8:e::1 dev=eth0
	if on_rack "$name"; then
		bridge=rack0 gw4=10.0.0.1 gw6=2001:db8:a::1
	fi
	! behind_tap "$name" || dev=fw0
	link_add router "$name" "$name" eth0 "$EDGE_MTU" &&
		ip_ns router link set "$name" master "$bridge" &&
		ip_ns router link set "$name" type bridge_slave flood off &&
		ip_ns router link set "$name" xdpdrv obj "$BUILD/bpf/xdp_pass.bpf.o" sec xdp &&
		{ ! behind_tap "$name" || tap_up "$name"; } &&
		addr_add "$name" "$dev" "$(addr4 "$name")/24" "$(addr6 "$name")/64" &&
		ip_ns "$name" route add default via "$gw4" &&
		ip_ns "$name" -6 route add default via "$gw6"
}

# behind_tap NAME: whether its addresses are on an interface whose other end fairway-dpdk has.
behind_tap() { [ "$EDGE_ENGINE" = dpdk-tap ] && [[ $1 == lb* ]]; }

# As a host makes it at boot, before any service runs.
tap_up() {
	ip_ns "$1" tuntap add fw0 mode tap multi_queue &&
		ip_ns "$1" link set fw0 up mtu "$EDGE_MTU"
}

# ---- the router's BGP ----

bird_config() {
	local name
	cat <<-EOF
		log stderr all;
		router id 192.0.2.1;
		protocol device { scan time 1; }
		protocol kernel { ipv4 { import none; export all; }; merge paths on; }
		protocol kernel { ipv6 { import none; export all; }; merge paths on; }
		template bgp balancer {
		  local 192.0.2.1 as $ROUTER_ASN;
		  hold time $HOLD_TIME_S;
		  direct;
		  connect delay time 1; connect retry time 2; error wait time 1, 2;
		  ipv4 { import where net ~ [ 203.0.113.0/24{32,32} ]; export none; };
		  ipv6 { import where net ~ [ 2001:db8:80::/48{128,128} ]; export none; };
		}
	EOF
	for name in "${NODES[@]}"; do
		echo "protocol bgp $name from balancer { neighbor $(addr4 "$name") as $NODE_ASN; }"
	done
}

bird_start() {
	bird_config >"$TB/bird.conf"
	ns_spawn router bird bird -f -c "$TB/bird.conf" -s "$TB/bird.ctl" -P "$TB/bird.pid"
}

# router_cli ARGS...: birdc, e.g. router_cli show protocols
router_cli() { birdc -r -s "$TB/bird.ctl" "$@"; }

bird_ready() { router_cli show status 2>/dev/null | grep -q 'up and running'; }

bgp_established() { router_cli show protocols "$1" | grep -q 'Established'; }

# router_next_hops VIP: how many nodes the router's kernel spreads this VIP over.
router_next_hops() {
	local family=-4
	[[ $1 != *:* ]] || family=-6
	ip_ns router "$family" route show "$1" | grep -cw via
}

next_hops_are() { [ "$(router_next_hops "$1")" = "$2" ]; }

# ---- real servers ----

nginx_config() {
	local name=$1 dir=$2
	cat <<-EOF
		daemon off;
		master_process off;
		error_log stderr;
		pid $dir/pid;
		worker_rlimit_nofile 65536;
		events { worker_connections 16384; }
		http {
		  access_log off;
		  default_type text/plain;
		  keepalive_timeout 1h;
		  keepalive_requests 1000000;
		  client_body_temp_path $dir/body; proxy_temp_path $dir/proxy;
		  fastcgi_temp_path $dir/fastcgi; uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;
		  server {
		    listen 80 backlog=4096;
		    listen [::]:80 backlog=4096;
		    location = / { return 200 "$name\n"; }
		    location = /healthz { return 200 "$name\n"; }
		  }
		}
	EOF
}

# nginx_start NAME: one process, so that one signal kills the whole server.
nginx_start() {
	local name=$1 dir=$TB/nginx-$1
	mkdir -p "$dir"
	nginx_config "$name" "$dir" >"$dir/nginx.conf"
	ns_spawn "$name" "nginx-$name" nginx -p "$dir" -e stderr -c "$dir/nginx.conf"
}

real_answers() {
	[ "$(in_ns router curl -s -m 1 "http://$(addr4 "$1")/healthz")" = "$1" ] &&
		[ "$(in_ns router curl -s -m 1 "http://[$(addr6 "$1")]/healthz")" = "$1" ]
}

# real_tool NAME VERB ARGS...: fairway-real on that server.
real_tool() {
	local name=$1 verb=$2
	shift 2
	in_ns "$name" "$BUILD/tools/fairway-real" "$verb" --state "$TB/real-$name" "$@"
}

real_setup() {
	real_tool "$1" setup --encap "$EDGE_ENCAP" --vip "$VIP4" --vip "$VIP6"
}

# real_change NAME VERB ARGS...: the same change of both addresses of a real server on every node.
real_change() {
	local name=$1 verb=$2 family node
	shift 2
	for node in "${NODES[@]}"; do
		for family in 4 6; do
			cli "$node" real "$verb" "web$family" "$("addr$family" "$name")" "$@" \
				>>"$TB/changes.log" 2>&1 || return 1
		done
	done
}

# ---- Fairway ----

# node_config NAME: the node's configuration.
node_config() {
	local name=$1 family real
	cat <<-EOF
		node:
		  name: $name
		  interfaces: [$(node_interface)]
		$(node_engine "$name")
		  tunnel_source: {ipv4: $(addr4 "$name"), ipv6: "$(addr6 "$name")"}
		  hash_seed: "0123456789abcdef0123456789abcdef"
		  # Short, so that the changes of starting up have settled when a node dies: until then
		  # what one node remembers of its flows another doesn't know.
		  tracking: {settle_time: 1s, flows: $EDGE_FLOWS}
		bgp:
		  asn: $NODE_ASN
		  router_id: $(addr4 "$name")
		  neighbors:
		    - {address: 192.0.2.1, asn: $ROUTER_ASN, hold_time: ${HOLD_TIME_S}s, next_hop: {ipv6: "$(addr6 "$name")"}}
		pools:
	EOF
	for family in 4 6; do
		cat <<-EOF
			  - name: web$family
			    encap: $EDGE_ENCAP
			    health: {type: http, port: 80, path: /healthz, interval: ${HEALTH_INTERVAL_MS}ms, timeout: ${HEALTH_TIMEOUT_MS}ms, rise: $HEALTH_RISE, fall: $HEALTH_FALL}
			    reals:
		EOF
		for real in "${REALS[@]}"; do
			printf '      - {address: "%s"}\n' "$("addr$family" "$real")"
		done
	done
	cat <<-EOF
		vips:
		  - name: web4
		    address: $VIP4
		    services: [{protocol: tcp, port: 80, pool: web4}]
		  - name: web6
		    address: "$VIP6"
		    services: [{protocol: tcp, port: 80, pool: web6}]
	EOF
}

with_dpdk() { [[ $EDGE_ENGINE == dpdk* ]]; }

# The interface with the node's addresses: that of its cable, or one that fairway-dpdk makes.
node_interface() { [ "$EDGE_ENGINE" = dpdk-tap ] && echo fw0 || echo eth0; }

# node_engine NAME: what forwards. Two nodes share this machine's CPUs, so their workers sleep when
# there is nothing to do.
node_engine() {
	local cpus exception=kernel
	if ! with_dpdk; then
		echo '  engine: xdp'
		[ "$EDGE_ENGINE" = xdp-generic ] && echo '  xdp_mode: generic' || echo '  xdp_mode: native'
		return
	fi
	[ "$EDGE_ENGINE" = dpdk ] || exception=tap
	cpus=$(nproc)
	cat <<-EOF
		  engine: dpdk
		  dpdk:
		    cores: "$((${1#lb} % cpus))"
		    ports: [{device: "${EDGE_DEVICE:-net_af_xdp0,iface=eth0}", interface: $(node_interface), exception: $exception}]
		    hugepages: false
		    memory: 64
		    descriptors: 512
		    idle: sleep
	EOF
}

node_start() {
	local name=$1
	mkdir -p "$TB/bpf/$name" "$TB/state-$name"
	[ -f "$TB/$name.yaml" ] || node_config "$name" >"$TB/$name.yaml"
	ns_spawn "$name" "fairwayd-$name" "$BUILD/controlplane/fairwayd" --config "$TB/$name.yaml" \
		--socket "$TB/$name.sock" --bpffs "$TB/bpf/$name" --state "$TB/state-$name"
	! with_dpdk || engine_start "$name"
}

engine_start() {
	local name=$1
	ns_spawn "$name" "fairway-dpdk-$name" "$BUILD/dataplane/dpdk/fairway-dpdk" \
		--config "$TB/$name.yaml" --bpffs "$TB/bpf/$name"
}

cli() {
	local name=$1
	shift
	"$BUILD/tools/fairway" --socket "$TB/$name.sock" "$@"
}
