# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the chaos tests share: an edge whose first node runs the DPDK engine, and how to ask and hurt
# it. A second one runs XDP: it has to be there for those that the first one leaves.
#
# A worker that gets no CPU for half a second stands still, and its node withdraws. That is as it
# should be, on a machine that has to share its CPUs with everything in this testbed and more: so the
# engine and its daemon run before others.
#
#   chaos_begin                    topology, real servers and nodes; NODES, REALS,
#                                  CHAOS_DPDK (another line of node.dpdk) and HUGEPAGES (false) are the
#                                  caller's
#   chaos_load LONG RATE           traffic to both VIPs
#   process_word NODE PATH         what `fairway status` says of the engine's process, e.g. .state
#   engine_serves NODE, engine_gone NODE
#   node_start NODE, daemon_start NODE, engine_start NODE
#   journal_says NODE TEXT, warned NODE TEXT, doctor_says NODE TEXT
#   routes_by NODE                 how many routes BIRD has from it
#   ms_until_routes NODE COUNT MS  polls BIRD, prints after how many ms it was so
#   ms_until_withdrawn NODE US     how many ms after that time the daemon withdrew its VIPs
#   spread MS...                   median and largest, in words
#
# Needs the parts that testbed/scenarios/edge_day.sh needs, and that one.

# The clock of measurements; bash's own, so that looking at it costs no process.
us_now() { echo "${EPOCHREALTIME/[.,]/}"; }

chaos_config() {
	EDGE_ENGINE=$(engine_of "$1") node_config "$1" | awk -v more="${CHAOS_DPDK:-}" '
		{ print }
		more != "" && /^    idle:/ { print "    " more }' |
		sed "s/^    hugepages: false/    hugepages: ${HUGEPAGES:-false}/; s/^  name: $1\$/  name: $1-$TB_ID/"
}

# chaos_end: EAL's directory has the node's name, which is this testbed's alone, so that others' engines
# aren't counted with it.
chaos_end() {
	testbed_remove
	[ -z "${TB_ID:-}" ] || rm -rf "/run/dpdk/fairway-lb1-$TB_ID"
}

engine_of() { [ "$1" = lb1 ] && echo dpdk || echo xdp; }

daemon_start() {
	ns_spawn "$1" "fairwayd-$1" nice -n -10 "$BUILD/controlplane/fairwayd" --config "$TB/$1.yaml" \
		--socket "$TB/$1.sock" --bpffs "$TB/bpf/$1" --state "$TB/state-$1"
}

engine_start() {
	ns_spawn "$1" "fairway-dpdk-$1" nice -n -15 "$BUILD/dataplane/dpdk/fairway-dpdk" \
		--config "$TB/$1.yaml" --bpffs "$TB/bpf/$1"
}

node_start() {
	mkdir -p "$TB/bpf/$1" "$TB/state-$1"
	chaos_config "$1" >"$TB/$1.yaml"
	daemon_start "$1"
	[ "$(engine_of "$1")" = xdp ] || engine_start "$1"
}

chaos_begin() {
	local name
	topology_up ipip dpdk
	for name in "${REALS[@]}"; do
		real_setup "$name" >"$TB/setup-$name.log" 2>&1 || die "fairway-real setup failed on $name"
	done
	for name in "${NODES[@]}"; do
		node_start "$name"
	done
	hold_within 30 'the VIPs are announced by every node' vips_have_next_hops "${#NODES[@]}"
	hold_within 10 'all real servers are used' reals_are_up
}

chaos_load() {
	traffic_start --target "${TARGETS[0]}" --target "${TARGETS[1]}" --rate "$2" --concurrency 4000 \
		--long "$1" --every 200 --timeout 20000 || die 'the load client does not start'
	traffic_mark all
	hold_within 15 'traffic flows' traffic_flows all $(($2 * 2))
}

process_word() { cli "$1" --json status 2>/dev/null | jq -r ".process | $2"; }
engine_serves() { [ "$(process_word "$1" .serves)" = true ]; }
engine_gone() { process_gone "fairway-dpdk-$1"; }
journal_says() { [[ $(cli "$1" journal) = *"$2"* ]]; }
warned() { [[ $(cli "$1" --json status | jq -r '.warnings[] | "\(.text) \(.hint)"') = *"$2"* ]]; }
doctor_says() { [[ $(cli "$1" doctor) = *"$2"* ]]; }

routes_by() {
	local count
	count=$(router_cli show route protocol "$1" count 2>/dev/null | awk '/routes for/ { n += $1 } END { print n + 0 }')
	echo "$count"
}

# ms_until_routes NODE COUNT LIMIT_MS [FROM_US]
ms_until_routes() {
	local from=${4:-$(us_now)} now
	while :; do
		now=$(us_now)
		if [ "$(routes_by "$1")" = "$2" ]; then
			echo $((($(us_now) - from) / 1000))
			return 0
		fi
		[ $(((now - from) / 1000)) -lt "$3" ] || return 1
	done
}

# ms_until_withdrawn NODE FROM_US: when its daemon last withdrew a VIP, by its own log.
ms_until_withdrawn() {
	local at
	at=$(grep -o '^ts=[^ ]* .*module=vip msg="not announced' "$TB/fairwayd-$1.log" | tail -n 1)
	at=${at%% *}
	echo $((($(date -d "${at#ts=}" +%s%6N) - $2) / 1000))
}

spread() {
	printf '%s\n' "$@" | sort -n | awk '{ v[NR] = $1 }
		END { printf "median %d ms, largest %d ms, of %d\n", v[int((NR + 1) / 2)], v[NR], NR }'
}
