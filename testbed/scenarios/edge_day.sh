# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A day at the edge, on the topology of testbed/topologies/edge.sh, each step proved as it goes:
# sessions and routes, the spread of connections, a real server that dies and returns, a pool that
# is empty, a node that dies and returns, pools that change under a SYN flood. A claim that does not
# hold ends the run.

TARGETS=("$VIP4:80" "[$VIP6]:80")
NO_COST='0 new connections failed, 0 short and 0 long-lived ones broke'
SUMMARY=()
RATE=200 # of new connections, per second

# hold PROMISE COMMAND...: says the promise as kept, or ends the run with what is known.
hold() {
	local promise=$1
	shift
	if "$@"; then
		good "$promise"
		return
	fi
	show_trouble >&2
	die "this does not hold: $promise ($*)"
}

# hold_within SECONDS PROMISE COMMAND...: the same, waiting for it; TOOK_MS says how long it took.
hold_within() {
	local limit=$1 promise=$2 start
	shift 2
	start=$(now_ms)
	until wait_until 2 "$@"; do
		TOOK_MS=$(($(now_ms) - start))
		[ "$TOOK_MS" -lt $((limit * 1000)) ] || hold "$promise, within $limit s" false
		say "... $(seconds "$TOOK_MS")$(traffic_words)"
	done
	TOOK_MS=$(($(now_ms) - start))
	good "$promise, after $(seconds "$TOOK_MS")"
}

seconds() { printf '%d.%d s' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# The last words of everything that may have had a part in it.
show_trouble() {
	local log name
	for log in "$TB"/fairwayd-*.log "$TB"/fairway-dpdk-*.log "$TB/bird.log" "$TB/load.log"; do
		[ -s "$log" ] || continue
		printf -- '--- %s\n' "${log##*/}"
		tail -n 15 "$log"
	done
	for name in "${NODES[@]}"; do
		printf -- '--- fairway status on %s\n' "$name"
		cli "$name" status
		cli "$name" real list
	done
}

at_least() { [ "$1" -ge "$2" ]; }
at_most() { [ "$1" -le "$2" ]; }
is() { [ "$1" = "$2" ]; }

# summarize STEP FOUND_MS COST: a line of the table at the end.
summarize() { SUMMARY+=("$(printf '%-22s %8s   %s' "$1" "${2:+$(seconds "$2")}" "$3")"); }

# ---- what the steps ask ----

# real_states NAME: state and age in ms of both its addresses on every node that runs, a line each.
real_states() {
	local node
	for node in "${NODES[@]}"; do
		process_runs "fairwayd-$node" || continue
		cli "$node" --json real list 2>/dev/null |
			jq -r --arg four "$(addr4 "$1")" --arg six "$(addr6 "$1")" \
				'.reals[] | select(.address == $four or .address == $six) |
					"\(.state) \(.age_ms)"' || echo unknown 0
	done
}

real_is() {
	local state
	while read -r state _; do
		[ "$state" = "$2" ] || return 1
	done < <(real_states "$1")
}

# youngest_state_ms NAME: how long ago the last node changed its mind about that real server.
youngest_state_ms() { real_states "$1" | sort -nk2 | awk 'NR == 1 { print $2 }'; }

real_is_ready() { real_tool "$1" check >"$TB/check-$1.log" 2>&1; }

reals_are_up() {
	local name
	for name in "${REALS[@]}"; do
		real_is "$name" up || return 1
	done
}

vips_have_next_hops() { next_hops_are "$VIP4" "$1" && next_hops_are "$VIP6" "$1"; }

forwarded_by() { cli "$1" --json status | jq .totals.forward.packets; }

forwarded() {
	local name sum=0
	for name in "${NODES[@]}"; do
		sum=$((sum + $(forwarded_by "$name")))
	done
	echo "$sum"
}

# flood_forwarded: whether what the flood has sent since flood_mark, FLOOD, was forwarded: the nodes
# forwarded so many packets more than the client's kernel sent. A quarter is allowed for what is under
# way while one looks, and for what the queues of veth lose, the client's segments among it, when the
# CPUs are busy with other tests.
flood_mark() { FORWARDED=$(forwarded) SEGMENTS=$(client_segments); }
flood_forwarded() {
	local more=$(($(forwarded) - FORWARDED - $(client_segments) + SEGMENTS))
	[ "$FLOOD" -gt 0 ] && [ "$more" -ge $((FLOOD * 75 / 100)) ]
}

# None has forwarded anything for half a second.
nodes_are_quiet() {
	local before
	before=$(forwarded)
	sleep 0.5
	[ "$before" = "$(forwarded)" ]
}

# balanced NAME...: each of them answers about its share of the probe.
balanced() {
	local name percent fair=$((100 / $#))
	for name in "$@"; do
		percent=$(probe_percent "$name")
		[ "$percent" -ge $((fair - 8)) ] && [ "$percent" -le $((fair + 8)) ] || return 1
	done
}

# share_is NAME PERCENT: of the probe, about.
share_is() {
	local percent
	percent=$(probe_percent "$1")
	[ "$percent" -ge $(($2 - 8)) ] && [ "$percent" -le $(($2 + 8)) ]
}

nodes_announce() { bgp_established lb1 && bgp_established lb2; }

# ---- the steps ----

step_start() {
	local name
	title '1. Two Fairway nodes announce two VIPs to the router'
	for name in "${REALS[@]}"; do
		real_setup "$name" >"$TB/setup-$name.log" || die "fairway-real setup failed on $name"
		say "$name: $(tail -n 1 "$TB/setup-$name.log")"
		hold "$name is ready for the VIPs (fairway-real check)" real_is_ready "$name"
	done
	for name in "${NODES[@]}"; do
		node_start "$name"
	done
	hold_within 20 'BGP sessions of lb1 and lb2 are up' nodes_announce
	hold_within 20 'both VIPs are in the kernel of the router, over both nodes' \
		vips_have_next_hops 2
	router_cli show protocols | grep -E '^(Name|lb)' | sed 's/^/    /'
	ip_ns router route show "$VIP4" | sed 's/^/    /'
	ip_ns router -6 route show "$VIP6" | sed 's/^/    /'
	hold_within 10 'all six real server addresses pass their health checks' reals_are_up
}

step_spread() {
	local name packets
	declare -A before
	title '2. 2,000 connections, half of them IPv6'
	for name in "${NODES[@]}"; do
		before[$name]=$(forwarded_by "$name")
	done
	probe 2000 "${TARGETS[@]}"
	hold 'all 2,000 were answered' is "$(probe_get .short.ok)" 2000
	probe_show "${REALS[@]}"
	hold 'each real server has about a third' balanced "${REALS[@]}"
	for name in "${NODES[@]}"; do
		packets=$(($(forwarded_by "$name") - before[$name]))
		hold "$name had its part: it forwarded $packets packets" at_least "$packets" 2000
	done
	summarize '2,000 connections' '' 'none failed'
}

step_load() {
	title "3. Load: $RATE new connections a second, 60 long-lived ones that ask every 0.2 s"
	traffic_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate "$RATE" --concurrency 4000 \
		--long 60 --every 200 --timeout 20000 || die 'the load client does not start'
	traffic_mark start
	hold_within 10 'it runs' traffic_flows start 300
	hold 'nothing has failed' is "$(traffic_cost start)" "$NO_COST"
	say "long-lived connections open: $(traffic_get .long.open)"
}

step_real_dies() {
	local held start found limit
	# The last good check may have been a moment before.
	limit=$((HEALTH_FALL * HEALTH_INTERVAL_MS + HEALTH_TIMEOUT_MS))
	title '7. A real server dies under load'
	held=$(traffic_get .servers.real2.long_open)
	traffic_mark dies
	start=$(now_ms)
	process_signal KILL nginx-real2
	say "nginx of real2 killed; it held $held of the long-lived connections"
	wait_until 10 real_is real2 down || hold 'both nodes find it' false
	found=$(($(now_ms) - start - $(youngest_state_ms real2)))
	hold "both nodes found it after $(seconds "$found"), within the check's $(seconds "$limit")" \
		at_most "$found" "$limit"
	hold_within 20 'no connection waits' traffic_smooth
	say "cost: $(traffic_cost dies)"
	summarize 'a real server died' "$found" "$(traffic_cost dies)"
	traffic_mark after
	probe 600 "${TARGETS[@]}"
	probe_show "${REALS[@]}"
	hold 'its share has moved to the other two' balanced real1 real3
	hold_within 10 'new connections flow' traffic_flows after 300
	hold 'and none of them fails any more' is "$(traffic_since after .short.never_established)" 0
}

step_real_returns() {
	local found
	title '8. It returns'
	traffic_mark returns
	nginx_start real2
	say 'nginx of real2 started'
	hold_within 10 'both nodes use it again' real_is real2 up
	found=$TOOK_MS
	traffic_mark after
	probe 600 "${TARGETS[@]}"
	probe_show "${REALS[@]}"
	hold 'it has its share back' balanced "${REALS[@]}"
	hold_within 10 'new connections flow' traffic_flows after 300
	say "cost: $(traffic_cost returns)"
	summarize 'it returned' "$found" "$(traffic_cost returns)"
}

step_pool_dies() {
	local name
	title '9. All real servers die: nobody should be sent here any more'
	traffic_mark empty
	for name in "${REALS[@]}"; do
		process_signal KILL "nginx-$name"
	done
	say 'nginx killed on all three'
	hold_within 15 'both VIPs are withdrawn from the router' vips_have_next_hops 0
	summarize 'all real servers died' "$TOOK_MS" 'VIPs withdrawn'
	hold_within 10 'no packet comes to lb1 or lb2 any more' nodes_are_quiet
	traffic_mark returns
	for name in "${REALS[@]}"; do
		nginx_start "$name"
	done
	say 'nginx started on all three'
	hold_within 15 'both VIPs are announced again, by both nodes' vips_have_next_hops 2
	summarize 'they returned' "$TOOK_MS" 'VIPs announced'
	hold_within 10 'all real servers are used' reals_are_up
	probe 600 "${TARGETS[@]}"
	hold '600 connections are answered' is "$(probe_get .short.ok)" 600
	hold_within 20 'no connection waits any more' traffic_smooth
	say "cost: $(traffic_cost empty)"
}

step_node_dies() {
	local found
	title '4. A Fairway node dies under load: its cable is pulled and its daemon killed'
	traffic_mark node
	ip_ns router link set lb2 down
	process_signal KILL fairwayd-lb2
	say "lb2 is gone; nobody tells the router, it finds out by the hold time, $HOLD_TIME_S s"
	hold_within 15 'the router has taken its routes out' vips_have_next_hops 1
	found=$TOOK_MS
	# The last KEEPALIVE may have come just before. What the router then takes to change its
	# kernel's routes, and this machine to look, is allowed for on top.
	hold 'that was within the hold time' at_most "$found" $((HOLD_TIME_S * 1000 + 1500))
	hold_within 20 'connections that waited have come through lb1' traffic_smooth
	say "cost: $(traffic_cost node); the longest wait was $(seconds "$(traffic_get .slowest_ms)")"
	hold 'no connection was lost: lb1 chose the same real server for each' \
		is "$(traffic_cost node)" "$NO_COST"
	summarize 'a Fairway node died' "$found" "$(traffic_cost node)"
}

step_node_returns() {
	local found
	title '5. It returns'
	traffic_mark node
	ip_ns router link set lb2 up
	node_start lb2
	hold_within 20 'the router spreads over both nodes again' vips_have_next_hops 2
	found=$TOOK_MS
	traffic_mark after
	probe 600 "${TARGETS[@]}"
	hold '600 connections are answered' is "$(probe_get .short.ok)" 600
	hold_within 10 'the load flows' traffic_flows after 300
	hold_within 20 'no connection waits' traffic_smooth
	say "cost: $(traffic_cost node)"
	summarize 'it returned' "$found" "$(traffic_cost node)"
}

# One more real server, not yet in any pool.
real4_up() {
	ns_add real4 && host_up real4 && nginx_start real4 && wait_until 10 real_answers real4 &&
		real_setup real4 >"$TB/setup-real4.log" && flood_unanswered "${REALS[@]}" real4
}

step_pools_change() {
	local held
	title "6. The pools change under load and a SYN flood of $((RATE * 10)) a second"
	real4_up || die 'cannot set up a fourth real server'
	traffic_mark pools
	flood_mark
	flood_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate $((RATE * 10)) \
		--duration 120 || die "the flood does not start: $(tail -n 1 "$TB/flood.log")"
	held=$(traffic_get .servers.real1.long_open)
	hold 'real1 is drained on both nodes' real_change real1 drain
	probe 600 "${TARGETS[@]}"
	hold '600 new connections are answered' is "$(probe_get .short.ok)" 600
	hold 'not one of them went there' is "$(probe_get '.servers.real1.short // 0')" 0
	hold "its $held long-lived connections have stayed with it" \
		is "$(traffic_get .servers.real1.long_open)" "$held"
	hold 'real4 is added' real_change real4 add
	hold_within 10 'both nodes use it' real_is real4 up
	hold 'real3 gets three times the weight' real_change real3 set weight 300
	probe 600 "${TARGETS[@]}"
	hold '600 new connections are answered' is "$(probe_get .short.ok)" 600
	probe_show real2 real3 real4
	hold 'it has three times their share' share_is real3 60
	hold 'real4 has its part' share_is real4 20
	hold_within 20 'no connection waits' traffic_smooth
	hold 'the flood still runs' process_runs flood
	say "cost: $(traffic_cost pools); flow tables: $(flows_used)"
	hold 'not one connection was lost' is "$(traffic_cost pools)" "$NO_COST"
	flood_stop
	FLOOD=$(flood_sent)
	hold "$FLOOD SYNs of the flood were forwarded meanwhile" flood_forwarded
	summarize 'pools changed, flood' '' "$(traffic_cost pools)"
	step_pools_change_back
}

# flows_used: what the nodes remember, in words.
flows_used() {
	local name words=()
	for name in "${NODES[@]}"; do
		words+=("$name $(cli "$name" --json status |
			jq -r '.tracking | "\(.entries) of \(.max), \(.at_risk) of them needed"')")
	done
	printf '%s; %s\n' "${words[@]}"
}

# Three real servers alike, for what follows.
step_pools_change_back() {
	traffic_mark back
	hold 'real1 is back, real3 has its old weight, real4 is removed' pools_as_before
	hold_within 10 'all of them are used' reals_are_up
	hold_within 10 'connections flow' traffic_flows back 300
	hold 'that cost no connection either' is "$(traffic_cost back)" "$NO_COST"
}

pools_as_before() {
	real_change real1 enable && real_change real3 set weight 100 && real_change real4 remove
}

edge_day() {
	step_start
	step_spread
	step_load
	# While no slot has changed: another node knows what a table says, not what flows this one
	# remembers.
	step_node_dies
	step_node_returns
	step_pools_change
	step_real_dies
	step_real_returns
	step_pool_dies
}
