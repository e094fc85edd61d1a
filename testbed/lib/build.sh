# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Configures and builds. A build directory that is there already is kept as it was configured.

# build_configure DIR [MESON OPTION...]
build_configure() {
	local dir=$1 log
	shift
	[ ! -f "$dir/build.ninja" ] || return 0
	log=$(mktemp)
	meson setup "$dir" "$@" >"$log" 2>&1 || {
		cat "$log" >&2
		rm -f "$log"
		return 1
	}
	rm -f "$log"
}

# build_make DIR [TARGET...]: on a terminal ninja shows how far it is, elsewhere only what went
# wrong.
build_make() {
	local dir=$1
	shift
	if [ -t 1 ]; then
		ninja -C "$dir" "$@"
	else
		ninja --quiet -C "$dir" "$@"
	fi
}
