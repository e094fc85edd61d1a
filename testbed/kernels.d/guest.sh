#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Runs tests in a guest, one after another, and writes down how each ended.
#
#   guest.sh BUILD OUT TEST...    TEST is what testbed/kernels takes
#
# OUT/results has a line for each: exit code, seconds, test. OUT/log.N is what the Nth had to say.
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=testbed/lib/common.sh
. "$ROOT/testbed/lib/common.sh"
BUILD=$1 OUT=$2
shift 2
export ROOT BUILD GTEST_COLOR=no LANG=C.UTF-8
SECONDS_EACH=900

# guest_command TEST: sets COMMAND.
guest_command() {
	local program=${1%%:*} filter=''
	if [[ $1 != */* ]]; then
		COMMAND=("$ROOT/testbed/kernels.d/$1.sh")
		return
	fi
	[ "$program" = "$1" ] || filter=${1#*:}
	COMMAND=("$BUILD/$program" ${filter:+"--gtest_filter=$filter"})
}

# A tunnel module that is loaded late would put a device of its own into every namespace.
sysctl -qw net.core.fb_tunnels_only_for_init_net=1
cd "$BUILD" || exit 1
n=0
for test in "$@"; do
	guest_command "$test"
	start=$(now_ms) rc=0
	timeout --kill-after=10 "$SECONDS_EACH" "${COMMAND[@]}" >"$OUT/log.$n" 2>&1 </dev/null || rc=$?
	printf '%d %d %s\n' "$rc" $((($(now_ms) - start) / 1000)) "$test" >>"$OUT/results"
	n=$((n + 1))
done
: >"$OUT/complete"
