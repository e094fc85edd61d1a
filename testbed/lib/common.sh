# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Words and waiting, shared by everything in the testbed.

if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] && [ -z "${NO_COLOR:-}" ]; then
	C_BOLD=$'\e[1m' C_GREEN=$'\e[32m' C_RED=$'\e[31m' C_OFF=$'\e[0m'
else
	C_BOLD='' C_GREEN='' C_RED='' C_OFF=''
fi

# A heading, a line of narration, a promise that held, one that did not.
title() { printf '\n%s%s%s\n' "$C_BOLD" "$*" "$C_OFF"; }
say() { printf '    %s\n' "$*"; }
good() { printf '  %sok%s %s\n' "$C_GREEN" "$C_OFF" "$*"; }

die() {
	printf '%s%s: %s%s\n' "$C_RED" "${0##*/}" "$*" "$C_OFF" >&2
	exit 1
}

# now_ms: monotonic milliseconds since boot.
now_ms() {
	local up
	read -r up _ </proc/uptime
	printf '%d\n' "$((10#${up/./} * 10))"
}

# wait_until SECONDS COMMAND...: asks again and again until the command succeeds; fails when the
# time is over.
wait_until() {
	local end=$(($(now_ms) + $1 * 1000))
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$end" ] || return 1
		sleep 0.05
	done
}
