# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Traffic from the testbed's client, and what a change in the middle of it cost.
#
#   traffic_start ARGS...       the load client in the background, in namespace "client"
#   traffic_mark NAME           remembers the totals of this moment
#   traffic_since NAME PATH     how much a number of the totals has grown since, e.g. .short.ok
#   traffic_cost NAME           the same in words, for what went wrong
#   traffic_get PATH            a number of the totals
#   traffic_smooth              true when no connection waits for longer than a second
#   traffic_flows NAME COUNT    true once so many short connections were answered since
#   traffic_words               a few words on how it goes, empty when no load runs
#   traffic_stop

traffic_start() {
	ns_spawn client load "$BUILD/testbed/load" --report "$TB/traffic.json" "$@"
	wait_until 5 [ -s "$TB/traffic.json" ]
}

traffic_stop() { process_end load; }

traffic_get() { jq "$1" "$TB/traffic.json"; }

traffic_mark() {
	cp "$TB/traffic.json" "$TB/traffic-$1.json"
	process_signal USR1 load
}

traffic_since() {
	jq -s "(.[1] | $2) - (.[0] | $2)" "$TB/traffic-$1.json" "$TB/traffic.json"
}

traffic_flows() { [ "$(traffic_since "$1" .short.ok)" -ge "$2" ]; }

traffic_cost() {
	printf '%d new connections failed, %d short and %d long-lived ones broke\n' \
		"$(traffic_since "$1" .short.never_established)" \
		"$(traffic_since "$1" .short.broken)" "$(traffic_since "$1" .long.broken)"
}

# Nothing waits for longer than a second, by a report made after now.
traffic_smooth() {
	local before
	before=$(traffic_get .elapsed_ms)
	sleep 0.2
	[ "$(traffic_get .elapsed_ms)" -gt "$before" ] && [ "$(traffic_get .stalled)" = 0 ]
}

traffic_words() {
	process_runs load || return 0
	jq -r '": \(.short.ok) answered, \(.stalled) waiting for more than a second, " +
		"\(.short.never_established + .short.broken) failed"' "$TB/traffic.json"
}

# probe COUNT TARGET...: so many short connections now, apart from the others; totals in $TB/probe.json
probe() {
	local count=$1 target args=()
	shift
	for target in "$@"; do
		args+=(--target "$target")
	done
	in_ns client "$BUILD/testbed/load" --short "$count" --concurrency 50 "${args[@]}" \
		>"$TB/probe.json" 2>>"$TB/load.log"
}

probe_get() { jq "$1" "$TB/probe.json"; }

# probe_percent SERVER: its share of the probe, rounded.
probe_percent() {
	probe_get "((.servers[\"$1\"].short // 0) * 100 / ([.short.ok, 1] | max) + 0.5) | floor"
}

# probe_show NAME...: the spread as a little chart.
probe_show() {
	local name percent bar
	for name in "$@"; do
		percent=$(probe_percent "$name")
		bar=$(printf '%*s' "$((percent / 2))" '')
		say "$(printf '%-8s %6d  %3d %%  %s' "$name" \
			"$(probe_get ".servers[\"$name\"].short // 0")" "$percent" "${bar// /#}")"
	done
}

# A SYN flood beside it, from addresses that nobody has.
#
#   flood_unanswered NAME...   real servers that spend nothing on it: they have no way back to it
#   flood_start ARGS...        the flood in the background, in namespace "client"
#   flood_stop                 ends it
#   flood_sent                 how many SYNs it has sent, once it has ended
#   client_segments            TCP segments the client's kernel has sent: all but the flood's

flood_unanswered() {
	local name
	for name in "$@"; do
		ip_ns "$name" route add blackhole 198.18.0.0/15 &&
			ip_ns "$name" -6 route add blackhole 2001:2::/48 || return 1
	done
}

flood_start() {
	: >"$TB/flood.log"
	ns_spawn client flood "$BUILD/testbed/flood" "$@"
	wait_until 5 process_runs flood
}

flood_stop() { process_end flood; }

flood_sent() { jq -R 'fromjson? | .sent // 0' "$TB/flood.log" | tail -n 1; }

client_segments() {
	# shellcheck disable=SC2016 # awk's own
	in_ns client awk '$1 == "Tcp:" && n++ { for (i in name) v[name[i]] = $i }
		$1 == "Tcp:" && n == 1 { for (i = 2; i <= NF; i++) name[i] = $i }
		END { print v["OutSegs"] + v["RetransSegs"] }' /proc/net/snmp
}
