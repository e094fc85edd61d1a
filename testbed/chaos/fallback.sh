#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# `fallback: xdp`: fairway-dpdk is killed with traffic on the only node there is. XDP takes over and
# not one connection breaks, neither those of slots that have just changed, which only the flow table
# knows; the VIPs stay announced, and the engine takes over again when it is back. The same around a
# restart of fairwayd and around tables that grow, with and without the engine.
#
#   fallback.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day chaos/chaos; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1") NODES=(lb1) REALS=(real1 real2 real3) CHAOS_DPDK='fallback: xdp' EDGE_FLOWS=8192
LOAD_RATE=100

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi

# ---- what is so ----

xdp_forwards() { [ "$(process_word lb1 .fallback_in_force)" = true ]; }
vips_announced() { [ "$(routes_by lb1)" = 2 ]; }
no_cost_since() { [ "$(traffic_cost "$1")" = "$NO_COST" ]; }
at_risk() { cli lb1 --json status | jq .tracking.at_risk; }
some_at_risk() { [ "$(at_risk)" -gt 0 ]; }

# withdrawals: how often the daemon has withdrawn a VIP. Not for a worker that got no CPU for half a
# second: that is as it should be, and a machine that others use, too, can do it.
withdrawals() { grep 'module=vip msg="not announced' "$TB/fairwayd-lb1.log" | grep -vc 'stands still'; }

# smooth_round NAME WHAT: traffic has flowed well, since the mark.
smooth_round() {
	cp "$TB/traffic.json" "$TB/traffic-$1-after.json" # a mark that keeps the longest wait
	hold_within 20 "connections flow $2" traffic_flows "$1-after" $((LOAD_RATE * 2))
	hold_within 20 'and none waits' traffic_smooth
	say "cost: $(traffic_cost "$1"); the longest wait was $(traffic_get .slowest_ms) ms"
	hold 'not one connection broke' no_cost_since "$1"
	hold 'the VIPs were announced all the time' is "$(withdrawals)" "$WITHDRAWN"
}

# ---- hurting it ----

engine_dies() {
	traffic_mark "$1"
	process_signal KILL fairway-dpdk-lb1
	hold_within 5 'XDP forwards' xdp_forwards
	hold 'fairway status says so' warned lb1 'XDP forwards in its place'
	hold 'fairway doctor says so' doctor_says lb1 'XDP forwards in its place'
	hold 'the journal says so' journal_says lb1 'XDP forwards in the place of fairway-dpdk'
	smooth_round "$1" 'by XDP'
}

engine_returns() {
	traffic_mark "$1"
	engine_start lb1
	hold_within 20 'the engine serves' engine_serves lb1
	hold 'XDP does not forward any more' is "$(process_word lb1 .fallback_in_force)" false
	smooth_round "$1" 'by the engine'
}

# With one node alone there is no other way for the packets while the session is down, so the router has
# a static route as well.
daemon_restarts() {
	traffic_mark "$1"
	process_end fairwayd-lb1
	daemon_start lb1
	hold_within 20 'fairwayd is back and announces' vips_announced
	hold_within 20 'its real servers are used' reals_are_up
	WITHDRAWN=$(withdrawals)
	smooth_round "$1" "$2"
}

# more_vips COUNT: the configuration with so many VIPs more, of eight services each, and one at the
# end that real traffic goes to.
more_vips() {
	local i port
	chaos_config lb1
	for ((i = 0; i < $1; i++)); do
		printf '  - name: more%d\n    address: 198.18.%d.%d\n    services:\n' "$i" $((i / 200)) $((i % 200 + 1))
		for port in 1 2 3 4 5 6 7 8; do
			echo "      - {protocol: tcp, port: $port, pool: web4}"
		done
	done
	printf '  - name: last\n    address: %s\n    services: [{protocol: tcp, port: 80, pool: web4}]\n' "$LAST"
}

# tables_grow NAME COUNT WHERE: applies that; the tables must not have had room for it.
tables_grow() {
	local generation
	traffic_mark "$1"
	generation=$(process_word lb1 .generation)
	more_vips "$2" >"$TB/more.yaml"
	cli lb1 config apply "$TB/more.yaml" >"$TB/apply.log" 2>&1 ||
		hold "$2 VIPs are added ($(tail -n 2 "$TB/apply.log" | xargs))" false
	hold "$2 VIPs are added, for which the tables grew" \
		at_least "$(process_word lb1 .generation)" $((generation + 1))
	hold_within 10 'the last of them is announced' next_hops_are "$LAST" 1
	probe 200 "$LAST:80"
	hold "it forwards $3" is "$(probe_get .short.ok)" 200
	smooth_round "$1" "$3"
}

# ---- the steps ----

step_dies() {
	title '1. The engine dies and returns'
	engine_dies dies
	engine_returns returns
	RETURN_MS=$(traffic_get .slowest_ms)
}

step_changed_slots() {
	local held
	title '2. It dies while connections hang on the flow table'
	held=$(traffic_get .servers.real1.long_open)
	hold 'real1 is drained' real_change real1 drain
	hold_within 10 'connections need the flow table' some_at_risk
	engine_dies changed
	hold "the $held long-lived connections of real1 have stayed with it" \
		is "$(traffic_get .servers.real1.long_open)" "$held"
	hold 'real1 is back: more slots change, by tables that XDP reads' real_change real1 enable
	hold_within 10 'it is used' reals_are_up
	engine_returns changed
	hold 'real2 is drained' real_change real2 drain
	smooth_round changed 'by the engine'
	hold 'real2 is back' real_change real2 enable
	hold_within 10 'it is used' reals_are_up
}

step_daemon() {
	title '3. fairwayd is restarted while the engine runs'
	daemon_restarts restart 'by the engine'
}

step_grow() {
	title '4. The tables grow'
	tables_grow grow 150 'by the engine'
	hold_within 10 'the engine serves from the new ones' engine_serves lb1
	engine_dies grown
	tables_grow grow-dead 600 'by XDP'
	daemon_restarts restart-dead 'by XDP'
	hold 'XDP forwards' xdp_forwards
	engine_returns grown-returns
}

trap 'chaos_end' EXIT
trap 'exit 143' TERM INT
LAST=203.0.113.81
chaos_begin
for name in "${REALS[@]}"; do
	real_tool "$name" setup --encap ipip --vip "$VIP4" --vip "$VIP6" --vip "$LAST" \
		>>"$TB/setup-$name.log" 2>&1 || die "fairway-real setup failed on $name"
done
for vip in "$VIP4" "$VIP6"; do
	via=$(addr4 lb1)
	[[ $vip != *:* ]] || via=$(addr6 lb1)
	ip_ns router route add "$vip" via "$via" metric 4000
done
WITHDRAWN=$(withdrawals)
chaos_load 60 "$LOAD_RATE"
step_dies
step_changed_slots
step_daemon
step_grow
say "the engine's return cost a request at most $RETURN_MS ms"
title 'All of it held'
