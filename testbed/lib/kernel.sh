# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Debian's own kernels, downloaded and unpacked, never installed.
#
#   kernel_get SERIES    sets KERNEL_DIR (vmlinux, lib/modules), KERNEL_RELEASE and KERNEL_PACKAGE
#                        to the newest kernel of that series, e.g. 6.1 or 6.12
#
# Debian 12 has 6.1; 6.12 comes with its security updates and its backports. What the host's package
# lists don't know is looked for with lists of our own, so that the host's apt stays as it is.
# Unpacked kernels stay in $KERNEL_CACHE, without the drivers that no test needs.

if [ -z "${KERNEL_CACHE:-}" ]; then
	KERNEL_CACHE=/var/cache/fairway-testbed
	[ "$(id -u)" = 0 ] || KERNEL_CACHE=$ROOT/build/kernels
fi
KERNEL_CACHE_VERSION=1
KERNEL_LEFT_OUT=(sound drivers/{ata,bluetooth,gpu,hid,hwmon,i2c,iio,infiniband,input,isdn,md,media}
	drivers/{message,mmc,mtd,net/ethernet,net/wireless,nvme,platform,scsi,staging,target,usb,video}
	fs/{btrfs,ceph,cifs,f2fs,gfs2,jfs,nfs,nfsd,ocfs2,reiserfs,smb,ubifs,xfs})

# kernel_apt_newest SERIES APT-OPTION...: its newest package, as "NAME VERSION"; fails when there is
# none.
kernel_apt_newest() {
	local series=$1 name version
	shift
	name=$(apt-cache "$@" search --names-only "^linux-image-${series//./\\.}\\.[0-9][^ ]*-amd64\$" |
		awk '$1 !~ /-(cloud|rt)-amd64$/ { print $1 }' | sort -V | tail -1)
	[ -n "$name" ] || return 1
	version=$(apt-cache "$@" policy "$name" | awk '/Candidate:/ { print $2 }')
	[ -n "$version" ] && [ "$version" != '(none)' ] && printf '%s %s\n' "$name" "$version"
}

# kernel_apt_lists DIR: package lists of our own in DIR, the host's sources and Debian 12's
# backports; prints apt's options for them, a word a line.
kernel_apt_lists() {
	local dir=$1 uri
	mkdir -p "$dir"/{lists/partial,cache/archives/partial}
	[ ! -s /etc/apt/sources.list ] || cat /etc/apt/sources.list >"$dir/sources.list"
	# The host's own mirror, whatever it is.
	# shellcheck disable=SC2016 # apt's own variable
	uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
		'Codename: bookworm' 2>/dev/null | head -1)
	printf 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] %s %s\n' \
		"${uri:-http://deb.debian.org/debian}" 'bookworm-backports main' >>"$dir/sources.list"
	printf '%s\n' -o "Dir::Etc::SourceList=$dir/sources.list" -o "Dir::State::Lists=$dir/lists" \
		-o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root
}

# kernel_uncompress VMLINUZ VMLINUX: software emulation would take seconds for it at each boot.
kernel_uncompress() {
	local magic offset
	for magic in 'xz \xfd7zXZ\x00' 'zstd \x28\xb5\x2f\xfd'; do
		offset=$(LC_ALL=C grep -aboPm1 "${magic#* }" "$1" | head -1 | cut -d: -f1)
		[ -n "$offset" ] || continue
		# What follows the kernel in the file is no trouble of ours.
		tail -c "+$((offset + 1))" "$1" | "${magic%% *}" -dc >"$2" 2>/dev/null
		[ "$(head -c 4 "$2")" != $'\x7fELF' ] || return 0
	done
	cp "$1" "$2"
}

# kernel_unpack DEB DIR: in one step, so that an interrupted one leaves nothing that looks whole.
kernel_unpack() {
	local deb=$1 dir=$2 path release exclude=()
	for path in "${KERNEL_LEFT_OUT[@]}"; do
		exclude+=("--exclude=*/lib/modules/*/kernel/$path")
	done
	rm -rf "$dir.new" && mkdir -p "$dir.new/lib" &&
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$dir.new" "${exclude[@]}" || return 1
	[ ! -d "$dir.new/usr/lib/modules" ] || mv "$dir.new/usr/lib/modules" "$dir.new/lib/" || return 1
	release=$(basename "$dir.new"/lib/modules/*)
	kernel_uncompress "$dir.new/boot/vmlinuz-$release" "$dir.new/vmlinux" &&
		depmod -b "$dir.new" "$release" && rm -rf "$dir" && mv "$dir.new" "$dir"
}

# kernel_download PACKAGE VERSION DIR APT-OPTION...
kernel_download() {
	local name=$1 version=$2 dir=$3 tmp rc=0
	shift 3
	tmp=$(mktemp -d "$KERNEL_CACHE/download-XXXXXX") || return 1
	(cd "$tmp" && apt-get "$@" -qq -o APT::Sandbox::User=root download "$name=$version") >&2 &&
		kernel_unpack "$tmp"/*.deb "$dir" || rc=1
	rm -rf "$tmp"
	return "$rc"
}

# kernel_fetch SERIES: puts the newest kernel of a series into the cache, which the caller has
# locked, and prints its directory there. Without a mirror one that is in the cache will do.
kernel_fetch() {
	local series=$1 newest lists dir options=()
	lists=$(mktemp -d)
	newest=$(kernel_apt_newest "$series") || {
		mapfile -t options < <(kernel_apt_lists "$lists")
		apt-get "${options[@]}" -qq update >&2 &&
			newest=$(kernel_apt_newest "$series" "${options[@]}")
	}
	dir=$KERNEL_CACHE/v$KERNEL_CACHE_VERSION-${newest/ /_}
	if [ -n "$newest" ] && { [ -f "$dir/vmlinux" ] ||
		kernel_download "${newest% *}" "${newest#* }" "$dir" "${options[@]}"; }; then
		printf '%s\n' "$dir"
	else
		printf '%s\n' "$KERNEL_CACHE/v$KERNEL_CACHE_VERSION-linux-image-$series."*/vmlinux |
			sort -V | tail -1 | xargs dirname
	fi
	rm -rf "$lists"
}

kernel_get() {
	mkdir -p "$KERNEL_CACHE" || return 1
	{ KERNEL_DIR=$(flock 9 && kernel_fetch "$1"); } 9>"$KERNEL_CACHE/lock"
	[ -f "$KERNEL_DIR/vmlinux" ] || return 1
	# shellcheck disable=SC2034 # for the caller
	KERNEL_RELEASE=$(basename "$KERNEL_DIR"/lib/modules/*)
	# shellcheck disable=SC2034 # for the caller
	KERNEL_PACKAGE=${KERNEL_DIR##*/v"$KERNEL_CACHE_VERSION"-}
}
