#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# fuzz.sh TARGET ONE_CORPUS_FILE SECONDS: a bounded run from the checked-in corpus. What a crash
# needs to be repeated stays in the printed directory.
set -eu
target=$1 corpus=$(dirname "$2") seconds=$3
work=$(mktemp -d "${TMPDIR:-/tmp}/bgp-fuzz-XXXXXX")
mkdir "$work/found"
if "$target" -max_total_time="$seconds" -max_len=8192 -timeout=5 -print_final_stats=1 \
	-artifact_prefix="$work/" "$work/found" "$corpus" >"$work/log" 2>&1; then
	tail -n 12 "$work/log"
	rm -rf "$work"
else
	cat "$work/log"
	echo "fuzz.sh: $target failed; the input is in $work" >&2
	exit 1
fi
