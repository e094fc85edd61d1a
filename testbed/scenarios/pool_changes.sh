#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Real TCP through one balancer to four real servers while its pools change: real servers drained,
# taken out, put in again and given other weights, one change after another and then at random, first
# in peace and then under a SYN flood of ten times the rate of connections. The flow table has room for
# all connections that need it, and the flood would fill it several times over. No connection may break
# whose real server is alive.
#
#   pool_changes.sh BUILD [SEED]
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1")
RANDOM=${2:-20261128}
# shellcheck disable=SC2034 # read by the topology
NODES=(lb1) REALS=(real1 real2 real3 real4) EDGE_FLOWS=8192
CHANGES=6

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi

# entries_now: how many the flow table of lb1 has, in the memory that the program reads: a bucket is
# seven entries and a word that is none.
entries_now() {
	bpftool -j map dump pinned "$TB/bpf/lb1/lb_flows" | python3 -c '
import json, struct, sys
n = 0
for bucket in json.load(sys.stdin):
    value = bytes(int(b, 16) for b in bucket["value"])
    n += sum(1 for at in range(0, len(value), 64) for e in struct.unpack_from("<7Q", value, at) if e)
print(n)'
}

settled() {
	[ "$(cli lb1 --json status | jq '.tracking | .tracked_slots + .unsettled_slots')" = 0 ] &&
		[ "$(entries_now)" = 0 ]
}

checked() {
	[ "$(cli lb1 --json real list |
		jq '[.reals[] | select(.state != "up" and .state != "draining")] | length')" = 0 ]
}

# change WORDS...: does it, and has so many connections pass after it, none of which fails.
change() {
	wait_until 10 checked || hold 'all real servers that are wanted are up' false
	traffic_mark change
	real_change "$@" || { cat "$TB/changes.log" >&2; hold "real $* is taken" false; }
	# The next change mustn't find a pool whose real servers are still being checked.
	[[ $2 != add && $2 != enable ]] || wait_until 10 real_is "$1" up || hold "$1 comes up" false
	wait_until 10 traffic_flows change 30 || hold "connections flow after: $*" false
	[ "$(traffic_cost all)" = "$NO_COST" ] || hold "no connection breaks by: $* ($(traffic_cost all))" false
}

each_change() {
	change real1 drain
	change real1 enable
	change real2 remove
	change real3 set weight 300
	change real2 add
	change real3 set weight 0
	change real3 set weight 100
	good "real servers drained, removed, added, re-weighted: no connection broke"
}

# random_changes N: at least two real servers take new connections at any time.
random_changes() {
	local left=$1 name VERB
	declare -A state=()
	for name in "${REALS[@]}"; do
		state[$name]=in
	done
	while [ "$left" -gt 0 ]; do
		name=${REALS[RANDOM % ${#REALS[@]}]}
		random_verb "${state[$name]}" "$(printf '%s\n' "${state[@]}" | grep -cx in)" || continue
		case $VERB in
		add | enable) state[$name]=in ;;
		drain) state[$name]=drained ;;
		remove) state[$name]=out ;;
		esac
		# shellcheck disable=SC2086 # "set weight N"
		change "$name" $VERB
		left=$((left - 1))
	done
	for name in "${REALS[@]}"; do
		[ "${state[$name]}" != drained ] || change "$name" enable
		[ "${state[$name]}" != out ] || change "$name" add
	done
	good "$1 changes at random: no connection broke"
}

# random_verb STATE IN: what may be done to a real server of that state, so many taking connections,
# to VERB. No $(...): a subshell has random numbers of its own, not those of the seed.
random_verb() {
	case $1 in
	out) VERB=add ;;
	drained) VERB=enable ;;
	in)
		case $((RANDOM % 3)) in
		0) VERB=drain && [ "$2" -gt 2 ] ;;
		1) VERB=remove && [ "$2" -gt 2 ] ;;
		2) VERB="set weight $((10 + RANDOM % 300))" ;;
		esac
		;;
	esac
}

step_stable() {
	title 'A flood against pools that do not change'
	hold_within 20 'all slots have settled, the flow table is empty' settled
	flood_mark
	flood_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate $((RATE * 10)) --duration 2
	traffic_mark stable
	wait_until 20 process_gone flood || hold 'the flood ends' false
	FLOOD=$(flood_sent)
	hold "$FLOOD SYNs were sent, and forwarded" flood_forwarded
	hold 'not one entry was made in the flow table' is "$(entries_now)" 0
	hold 'no connection broke' is "$(traffic_cost stable)" "$NO_COST"
}

step_changes() {
	title "Changes of the pools: $1"
	traffic_mark all
	each_change
	random_changes "$CHANGES"
	hold 'connections needed the flow table' at_least "$(cli lb1 --json status | jq .tracking.at_risk)" 1
}

# A process that ends resets the connections that it has. Those of the others stay, also when it is
# back and its share of the slots with it.
step_fails() {
	local held
	title 'A real server fails and returns'
	held=$(traffic_get .servers.real2.long_open)
	traffic_mark dies
	process_signal KILL nginx-real2
	hold_within 10 'its failure is found' real_is real2 down
	hold_within 20 'no connection waits' traffic_smooth
	hold "of the long-lived connections its own broke, $held, and no more" \
		at_most "$(traffic_since dies .long.broken)" "$held"
	traffic_mark all
	wait_until 10 traffic_flows all 200 || hold 'new connections flow' false
	nginx_start real2
	hold_within 10 'it is used again' real_is real2 up
	traffic_mark back
	hold_within 10 'new connections flow' traffic_flows back 300
	hold 'it took nobody'"'"'s connection' is "$(traffic_cost all)" "$NO_COST"
}

trap 'testbed_remove' EXIT
trap 'exit 143' TERM INT
topology_up ipip
flood_unanswered "${REALS[@]}" || die 'cannot keep the flood from the real servers'
for name in "${REALS[@]}"; do
	real_setup "$name" >"$TB/setup-$name.log" 2>&1 || die "fairway-real setup failed on $name"
done
node_start lb1
hold_within 20 'the VIPs are announced' vips_have_next_hops 1
hold_within 10 'all real servers are used' reals_are_up
traffic_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate "$RATE" --concurrency 4000 \
	--long 60 --every 200 --timeout 20000 || die 'the load client does not start'
traffic_mark start
hold_within 10 'connections flow' traffic_flows start 200
step_stable
step_changes 'no flood'
flood_mark
flood_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate $((RATE * 10)) --duration 120
step_changes "under a SYN flood, $((RATE * 10)) a second"
step_fails
hold 'all the while the flood ran' process_runs flood
hold 'the flood pushed no connection out of the flow table' \
	is "$(cli lb1 --json status | jq .tracking.evicted_confirmed)" 0
flood_stop
FLOOD=$(flood_sent)
hold "its $FLOOD SYNs were forwarded" flood_forwarded
title 'All of it held'
