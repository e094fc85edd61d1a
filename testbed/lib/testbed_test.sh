#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# The testbed keeps its own promises: it leaves nothing behind, starts no service, and its load
# client counts what really happened.
#
#   testbed_test.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=$1
for part in lib/common lib/process lib/packages lib/netns topologies/edge; do
	# shellcheck disable=SC1090
	. "$ROOT/testbed/$part.sh"
done

[ "$(id -u)" = 0 ] || {
	echo 'skipped: needs root for network namespaces'
	exit 77
}

TMPDIR=$(mktemp -d)
export TMPDIR
trap 'clean_up' EXIT
trap 'exit 130' INT TERM

clean_up() {
	local dir
	for dir in "$TMPDIR/$TB_PREFIX"??????; do
		[ ! -d "$dir" ] || testbed_remove "$dir"
	done
	rm -rf "$TMPDIR"
}

FAILED=0
expect() {
	local promise=$1
	shift
	if "$@"; then
		good "$promise"
	else
		printf 'FAILED: %s (%s)\n' "$promise" "$*"
		FAILED=1
	fi
}

equal() { [ "$1" = "$2" ] || { printf "'%s' is not '%s'\n" "$1" "$2" && false; }; }

namespaces() { ip netns list | grep -c "^$TB_PREFIX$1-"; }

load() { in_ns client "$BUILD/testbed/load" --timeout 1000 "$@" 2>"$TMPDIR/load.err"; }

title 'a testbed that its owner removes'
topology_up ipip || exit 1
id=$TB_ID dir=$TB
expect 'seven namespaces' equal "$(namespaces "$id")" 7
expect 'its owner runs, so it is not left over' equal "$(testbed_leftovers)" ''

title 'the load client'
out=$(load --target "$(addr4 real1):80" --target "[$(addr6 real2)]:80" --short 200 --long 10)
expect 'counts answers' equal "$(jq -c '[.short.ok, .short.broken]' <<<"$out")" '[200,0]'
expect 'by server' equal "$(jq -c '[.servers[].short]' <<<"$out")" '[100,100]'
out=$(load --target "$(addr4 real1):81" --short 20)
expect 'counts refused connections' equal "$(jq -c '[.short.refused, .short.broken]' <<<"$out")" '[20,0]'
load --target "$(addr4 real1):80" --long 8 --every 50 --duration 30 --report "$TMPDIR/report" >/dev/null &
pid=$!
long_open() { [ "$(jq .long.open "$TMPDIR/report" 2>/dev/null)" = 8 ]; }
long_broken() { [ "$(jq .long.broken "$TMPDIR/report")" = 8 ]; }
expect 'keeps long connections open' wait_until 10 long_open
process_signal KILL nginx-real1
expect 'counts those that break' wait_until 10 long_broken
load_pid=$(pgrep -P "$pid") || load_pid=$pid
kill "$load_pid"
wait "$pid"
expect 'ends on a signal' equal "$?" 0

title 'removing it'
topology_down
expect 'no namespace is left' equal "$(namespaces "$id")" 0
expect 'no mount is left' equal "$(grep -c " $dir/" /proc/mounts)" 0
expect 'no directory is left' [ ! -e "$dir" ]

title 'a testbed whose owner is killed'
bash -c 'set -u; ROOT=$1 BUILD=$2
	for part in lib/common lib/process lib/netns topologies/edge; do
		. "$ROOT/testbed/$part.sh"
	done
	topology_up l2dsr && kill -KILL $$' - "$ROOT" "$BUILD" 2>/dev/null
left=$(testbed_leftovers)
id=${left##*"$TB_PREFIX"}
expect 'is found' [ -d "$left" ]
expect 'and its namespaces are there' equal "$(namespaces "$id")" 7
mapfile -t pids < <(cut -d' ' -f1 "$left/processes")
expect 'and its processes run' kill -0 "${pids[@]}"
testbed_remove "$left"
expect 'removing it leaves no namespace' equal "$(namespaces "$id")" 0
expect 'and no process' equal "$(for pid in "${pids[@]}"; do process_start_time "$pid"; done)" ''

title 'installing packages'
POLICY_RC_D=$TMPDIR/policy-rc.d
policy_deny
expect 'services are denied' equal "$("$POLICY_RC_D" nginx start; echo $?)" 101
policy_restore
expect 'and policy-rc.d is gone after it' [ ! -e "$POLICY_RC_D" ]
echo '# of the host' >"$POLICY_RC_D"
policy_deny
policy_restore
expect 'a policy of the host stays' equal "$(cat "$POLICY_RC_D")" '# of the host'
printf '%s\n' '# words' '' 'one  # build: why' 'two # test: why' >"$TMPDIR/list"
expect 'groups choose packages' equal "$(packages_listed "$TMPDIR/list" build)" one
expect 'what is installed is not missing' equal "$(packages_missing dpkg no-such-package)" \
	no-such-package

exit "$FAILED"
