#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# A worker of fairway-dpdk that stands still, held as by a debugger: it is named in `fairway status`,
# `fairway doctor` and the journal, and the VIPs are withdrawn within a second; let go, it goes on and
# they come back. Held for more than five seconds it ends its process, which says why.
#
#   stall.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day chaos/chaos; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1") NODES=(lb1 lb2) REALS=(real1) LOAD_RATE=50
GONE_MS=1000 # from standing still until the daemon withdraws

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi

# hold_worker: makes worker 0 of lb1 stand still; release_worker lets go of it.
hold_worker() {
	local word
	THREAD=$(process_word lb1 '.workers[0].thread')
	CPU=$(process_word lb1 '.workers[0].cpu')
	exec {HOLDER_OUT}< <("$ROOT/testbed/chaos/stand_still.py" "$THREAD" <"$TB/holder" 2>&1)
	exec {HOLDER_IN}>"$TB/holder"
	read -r -t 30 word <&"$HOLDER_OUT" || word=
	[ "$word" = still ] || die "worker $THREAD isn't held: $word"
	HELD_US=$(us_now)
}

release_worker() {
	exec {HOLDER_IN}>&-
	exec {HOLDER_OUT}<&-
}

step_named() {
	local ms name
	title 'A worker stands still'
	traffic_mark still
	hold_worker
	ms=$(ms_until_routes lb1 0 5000 "$HELD_US") || hold 'the VIPs are withdrawn' false
	say "the router had no route by lb1 after $ms ms"
	ms=$(ms_until_withdrawn lb1 "$HELD_US")
	hold "the daemon withdrew the VIPs after $ms ms" at_most "$ms" "$GONE_MS"
	name="worker 0 of fairway-dpdk (pid $(process_pid fairway-dpdk-lb1)) on CPU $CPU, thread $THREAD, stands still"
	hold 'fairway status names it' warned lb1 "$name"
	hold 'fairway doctor names it' doctor_says lb1 "$name"
	hold 'the journal names it' journal_says lb1 "$name"
	release_worker
	hold_within 10 'let go, the VIPs come back' vips_have_next_hops 2
	hold 'fairway status warns no more' not warned lb1 'stands still'
	hold_within 30 'no connection waits' traffic_smooth
	say "cost: $(traffic_cost still)"
	hold 'the other node took over every connection' is "$(traffic_cost still)" "$NO_COST"
}

not() { ! "$@"; }

holder_ended() { read -r -t 1 HOLDER_WORD <&"$HOLDER_OUT" && [ "$HOLDER_WORD" = ended ]; }

step_held() {
	title 'It stands still for good'
	hold_worker
	hold_within 10 'fairway-dpdk ends by itself' holder_ended
	hold 'after five seconds, not before' at_least $((($(us_now) - HELD_US) / 1000)) 4900
	release_worker
	hold_within 5 'all of it' engine_gone lb1
	hold 'its last words name the worker' \
		grep -q "ends, because a worker doesn't come back.*worker=0 cpu=$CPU" "$TB/fairway-dpdk-lb1.log"
	hold_within 5 'fairwayd knows that it has ended' warned lb1 'has ended'
	hold 'the VIPs are withdrawn' is "$(routes_by lb1)" 0
	engine_start lb1
	hold_within 20 'started again it serves' vips_have_next_hops 2
}

trap 'chaos_end' EXIT
trap 'exit 143' TERM INT
chaos_begin
mkfifo "$TB/holder"
chaos_load 30 "$LOAD_RATE"
step_named
step_held
title 'All of it held'
