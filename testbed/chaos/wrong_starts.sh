#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# fairway-dpdk started the wrong way says what is wrong, where, and how to mend it, and exits with 1.
# It leaves the interface as it was: the XDP program of somebody else, and its own.
#
#   wrong_starts.sh BUILD
set -uo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
for part in lib/common lib/process lib/netns lib/traffic topologies/edge scenarios/edge_day chaos/chaos; do
	# shellcheck source=/dev/null
	. "$ROOT/testbed/$part.sh"
done
# real1 is in the pools; it needn't be there.
# shellcheck disable=SC2034 # read by the parts
BUILD=$(realpath "$1") NODES=(lb1) REALS=(real1) EDGE_ENCAP=ipip EDGE_ENGINE=dpdk
# shellcheck disable=SC2034
CHAOS_DPDK='fallback: xdp'

if [ "$(id -u)" != 0 ]; then
	echo 'skipped: must be root, to make network namespaces'
	exit 77
fi

FAILED=0

# started [SED SCRIPT]: fairway-dpdk with the node's configuration changed so; OUT is what it says, RC
# its exit code. It must end by itself.
started() {
	sed "${1:-}" "$TB/lb1.yaml" >"$TB/wrong.yaml"
	OUT=$(in_ns lb1 timeout -k 1 10 "${AS[@]}" "$BUILD/dataplane/dpdk/fairway-dpdk" --config "$TB/wrong.yaml" \
		--bpffs "$TB/bpf/lb1" 2>&1 </dev/null)
	RC=$?
}

# refuses WHAT TEXT...: the last start ended with 1, and each text is in what it said.
refuses() {
	local what=$1 text
	shift
	for text in "$@"; do
		[[ $RC = 1 && $OUT = *"$text"* ]] && continue
		printf 'FAILED: %s: exit %d, "%s" is not in:\n%s\n' "$what" "$RC" "$text" "$OUT"
		FAILED=1
		return
	done
	good "$what: ${OUT##*$'\n'}"
}

program_on() { ip_ns lb1 -j link show dev "$1" | jq -r '.[0].xdp.prog.id // 0'; }

wrong_configurations() {
	title 'A configuration that does not fit'
	started 's/^  engine: dpdk/  engine: xdp/'
	refuses 'engine xdp' "$TB/wrong.yaml" 'engine: xdp' 'engine: dpdk'
	started "s/^    cores: .*/    cores: \"$(($(nproc --all) + 40))\"/"
	refuses 'no such CPU' 'node.dpdk.cores' "there is no CPU $(($(nproc --all) + 40)) here"
	started 's/net_af_xdp0,iface=eth0", interface: eth0, exception: kernel/net_pcap0,rx_iface=nix0", interface: eth0/; s/^    fallback: xdp//'
	refuses 'a device that does not exist' 'DPDK found no port net_pcap0'
	started 's/net_af_xdp0,iface=eth0", interface: eth0, exception: kernel/ff:1f.7", interface: eth0/; s/^    fallback: xdp//'
	refuses 'a PCI device that does not exist' 'DPDK found no port ff:1f.7: there is no such PCI device' 'lspci -D'
	started "s/^    cores: .*/    cores: \"0-1\"/"
	refuses 'more workers than queues' 'port net_af_xdp0: it has 1 RX queues' 'fewer node.dpdk.cores'
	started 's/eth0/eth7/g'
	refuses 'an interface that is missing' 'the kernel has no interface eth7'
	started 's/^    hugepages: false/    hugepages: true/; s/^    memory: .*/    memory: 1000000/'
	refuses 'no hugepages, or too few' 'vm.nr_hugepages' 'node.dpdk.hugepages: false'
}

wrong_surroundings() {
	local before
	title 'Something in its way'
	ip_ns lb1 link set eth0 xdpdrv obj "$BUILD/bpf/xdp_pass.bpf.o" sec xdp
	before=$(program_on eth0)
	started
	refuses "somebody's XDP program on the interface" "eth0 already has an XDP program (id $before)" \
		'ip link set eth0 xdp off'
	is "$(program_on eth0)" "$before" || { echo 'FAILED: it took that program off' && FAILED=1; }
	ip_ns lb1 link set eth0 xdpdrv off
	AS=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	started
	refuses 'not root' 'run as root'
	AS=()
}

# Killed at any moment of its start, also while the driver's own program is on the interface, it must
# not stand in the way of the next one. Moments are spread over as long as a start takes.
killed_early() {
	local start took i
	title 'Killed while it starts'
	start=$(now_ms)
	engine_start lb1
	hold_within 20 'undisturbed it serves' engine_serves lb1
	took=$(($(now_ms) - start))
	for ((i = 0; i < 4; i++)); do
		process_signal KILL fairway-dpdk-lb1
		wait_until 5 engine_gone lb1
		engine_start lb1
		sleep "$(printf '0.%03d' $((took * (i + 1) / 5 % 1000)))"
	done
	process_signal KILL fairway-dpdk-lb1
	wait_until 5 engine_gone lb1
	# And where it hurts most.
	engine_start lb1
	if wait_until 5 drivers_is_on; then
		process_signal KILL fairway-dpdk-lb1
		wait_until 5 engine_gone lb1
		say "killed with $(program_name eth0) on eth0"
		engine_start lb1
	fi
	hold_within 20 'after all that it serves' engine_serves lb1
	process_end fairway-dpdk-lb1
}

program_name() {
	local id
	id=$(program_on "$1")
	[ "$id" = 0 ] || bpftool -j prog show id "$id" | jq -r .name
}

drivers_is_on() { [[ $(program_name eth0) = xsk_def_prog ]] || engine_serves lb1; }

wrong_tables() {
	title 'Tables of somebody else'
	engine_start lb1
	hold_within 20 'one engine serves' engine_serves lb1
	started
	refuses 'a second engine' "another fairway-dpdk (process $(process_pid fairway-dpdk-lb1))" "$TB/bpf/lb1"
	hold 'the first goes on' engine_serves lb1
	# A start that fails after XDP has taken over leaves it there.
	process_signal KILL fairway-dpdk-lb1
	hold_within 10 'killed, XDP forwards in its place' is_fallback
	started "s/^    cores: .*/    cores: \"0-1\"/"
	refuses 'a wrong start after that' 'fewer node.dpdk.cores'
	hold_within 5 'and XDP still forwards' is_fallback
	process_end fairwayd-lb1
	page_says 0 'ff ff ff ff'
	started
	refuses 'a page of no version that is known' "$TB/bpf/lb1/lb_page is of another version of Fairway"
}

is_fallback() { [ "$(process_word lb1 .fallback_in_force)" = true ]; }

# page_says OFFSET BYTES: writes into lb_page.
page_says() {
	python3 - "$TB/bpf/lb1/lb_page" "$1" "$2" <<-'EOF'
		import json, subprocess, sys
		path, at, new = sys.argv[1], int(sys.argv[2]), sys.argv[3].split()
		dump = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", path], check=True, capture_output=True)
		value = [b.replace("0x", "") for b in json.loads(dump.stdout)[0]["value"]]
		value[at:at + len(new)] = new
		subprocess.run(["bpftool", "map", "update", "pinned", path, "key", "0", "0", "0", "0", "value", "hex"] + value,
		               check=True)
	EOF
}

lb1_up() {
	testbed_make
	ns_add router lb1 || die 'cannot make network namespaces'
	router_up || die 'cannot set up the router'
	host_up lb1 || die 'cannot set up lb1'
	chaos_config lb1 >"$TB/lb1.yaml"
	mkdir -p "$TB/bpf/lb1" "$TB/state-lb1"
	daemon_start lb1
	wait_until 20 daemon_answers || die "fairwayd does not start: $(tail -n 3 "$TB/fairwayd-lb1.log")"
}

daemon_answers() { [ "$(cli lb1 --json status 2>/dev/null | jq -r .process.state)" != '' ]; }

trap 'chaos_end' EXIT
trap 'exit 143' TERM INT
AS=()
lb1_up
wrong_configurations
wrong_surroundings
killed_early
wrong_tables
[ "$FAILED" = 0 ] || die 'not every wrong start says what is wrong'
title 'All of it held'
