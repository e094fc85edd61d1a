# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A testbed: network namespaces and everything in them, under one directory $TB made by mktemp.
#
#   testbed_make              sets TB and TB_ID; namespaces will be called fw-$TB_ID-NAME
#   testbed_remove [DIR]      ends its processes, removes namespaces, mounts and the directory
#   testbed_leftovers         directories of testbeds whose owner no longer runs
#   in_ns NAME COMMAND...     runs a command in a namespace
#   ns_spawn NAME LOG COMMAND...   the same in the background
#
# Nothing outside is touched: links are made inside the namespaces, BPF objects are pinned in a
# bpffs of the testbed's own ($TB/bpf; the kernel's usual one would be another in each namespace).

TB_PREFIX=fw-

# testbed_make: the id is what mktemp has found to be free.
testbed_make() {
	[ "$(id -u)" = 0 ] || die 'must be root: network namespaces and BPF programs are made'
	TB=$(mktemp -d "${TMPDIR:-/tmp}/${TB_PREFIX}XXXXXX") || die 'mktemp failed'
	TB_ID=${TB##*"$TB_PREFIX"}
	printf '%s %s\n' "$$" "$(process_start_time $$)" >"$TB/owner"
	: >"$TB/processes"
	chmod 755 "$TB" # daemons that drop root read their configuration here
	mkdir "$TB/bpf"
	mount -t bpf bpf "$TB/bpf" ||
		die "cannot mount a bpffs on $TB/bpf: this needs CAP_SYS_ADMIN and CONFIG_BPF_SYSCALL"
}

ns_name() { printf '%s%s-%s\n' "$TB_PREFIX" "$TB_ID" "$1"; }

# ns_add NAME...: namespaces with loopback up, that neither autoconfigure nor wait for DAD. What
# they would inherit from the host's IPv4 settings is set to the kernel's defaults.
ns_add() {
	local name
	for name in "$@"; do
		ip netns add "$(ns_name "$name")" || return 1
		ip -n "$(ns_name "$name")" link set lo up
		in_ns "$name" sysctl -qw net.ipv6.conf.all.accept_dad=0 \
			net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.accept_ra=0 \
			net.ipv4.conf.{all,default}.{rp_filter,arp_ignore,arp_announce,arp_filter}=0 \
			net.ipv4.ip_forward=0 || return 1
	done
}

in_ns() {
	local name=$1
	shift
	ip netns exec "$(ns_name "$name")" "$@"
}

# ip_ns NAME ARGS...: ip(8) in a namespace.
ip_ns() {
	local name=$1
	shift
	ip -n "$(ns_name "$name")" "$@"
}

ns_spawn() {
	local name=$1 log=$2
	shift 2
	process_spawn "$log" ip netns exec "$(ns_name "$name")" "$@"
}

# link_add NAME1 DEV1 NAME2 DEV2 MTU: a cable between two namespaces. Offloads are off: a veth hands
# packets over with half a checksum otherwise, which no XDP program can complete.
link_add() {
	local a=$1 dev_a=$2 b=$3 dev_b=$4 mtu=$5
	ip_ns "$a" link add "$dev_a" mtu "$mtu" type veth \
		peer name "$dev_b" mtu "$mtu" netns "$(ns_name "$b")" || return 1
	in_ns "$a" ethtool -K "$dev_a" tx off tso off gso off gro off >/dev/null || return 1
	in_ns "$b" ethtool -K "$dev_b" tx off tso off gso off gro off >/dev/null || return 1
	ip_ns "$a" link set "$dev_a" up && ip_ns "$b" link set "$dev_b" up
}

# addr_add NAME DEV ADDRESS/LEN...
addr_add() {
	local name=$1 dev=$2 address
	shift 2
	for address in "$@"; do
		case $address in
		*:*) ip_ns "$name" address add "$address" dev "$dev" nodad ;;
		*) ip_ns "$name" address add "$address" dev "$dev" ;;
		esac || return 1
	done
}

testbed_remove() {
	local dir=${1:-${TB:-}} id ns
	[ -n "$dir" ] && [ -f "$dir/owner" ] || return 0
	id=${dir##*"$TB_PREFIX"}
	process_end_all "$dir"
	for ns in $(ip netns list | awk -v p="$TB_PREFIX$id-" 'index($1, p) == 1 { print $1 }'); do
		ip netns delete "$ns"
	done
	if mountpoint -q "$dir/bpf"; then
		umount "$dir/bpf" || umount --lazy "$dir/bpf"
	fi
	rm -rf --one-file-system "$dir"
}

# A testbed is left over when the script that made it has gone, killed or told to keep it.
testbed_leftovers() {
	local dir pid start
	for dir in "${TMPDIR:-/tmp}/$TB_PREFIX"??????; do
		[ -f "$dir/owner" ] || continue
		read -r pid start <"$dir/owner"
		[ "$(process_start_time "$pid")" = "$start" ] || printf '%s\n' "$dir"
	done
}
