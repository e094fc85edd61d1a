# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Background processes of a testbed, written down in $TB/processes so that exactly these are ended:
# each by its pid and start time, because a pid alone may belong to somebody else by now.

# process_start_time PID: empty when there is none, or when it is dead with all its threads and only
# unburied.
process_start_time() {
	local stat tasks=("/proc/$1/task/"*)
	{ stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 0
	stat=${stat##*) }
	# shellcheck disable=SC2086 # fields 3 to 22 of proc(5), split on purpose
	set -- $stat
	if [ "$1" != Z ] || [ ${#tasks[@]} -gt 1 ]; then
		printf '%s\n' "${20}"
	fi
}

# process_spawn NAME COMMAND...: runs it in the background with $TB/NAME.log as its output.
process_spawn() {
	local name=$1 pid
	shift
	setsid "$@" </dev/null >>"$TB/$name.log" 2>&1 &
	pid=$!
	printf '%s %s %s\n' "$pid" "$(process_start_time "$pid")" "$name" >>"$TB/processes"
	disown "$pid"
}

# process_pid NAME: the latest of that name, if it still runs.
process_pid() {
	local pid start name found=
	while read -r pid start name; do
		[ "$name" != "$1" ] || found="$pid $start"
	done <"$TB/processes"
	read -r pid start <<<"$found"
	[ -n "$pid" ] && [ "$(process_start_time "$pid")" = "$start" ] && printf '%s\n' "$pid"
}

process_runs() { process_pid "$1" >/dev/null; }

process_gone() { ! process_runs "$1"; }

# process_signal SIGNAL NAME: fails when it doesn't run.
process_signal() {
	local pid
	pid=$(process_pid "$2") && kill "-$1" "$pid"
}

# process_end NAME: asks it to end, makes it after five seconds.
process_end() {
	process_signal TERM "$1" 2>/dev/null || return 0
	wait_until 5 process_gone "$1" || process_signal KILL "$1" 2>/dev/null || true
	wait_until 2 process_gone "$1"
}

# process_end_all DIR: everything a testbed has started, asked all at once.
process_end_all() {
	local TB=$1 name
	[ -f "$TB/processes" ] || return 0
	while read -r _ _ name; do
		process_signal TERM "$name" 2>/dev/null || true
	done <"$TB/processes"
	while read -r _ _ name; do
		process_end "$name"
	done <"$TB/processes"
}
