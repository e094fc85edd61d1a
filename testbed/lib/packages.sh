# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Installs what is missing of testbed/packages, and nothing comes alive by it: no service is
# started, none will start at the next boot, and none that runs already is restarted.
#
# Two things keep packages from starting services: policy-rc.d, which Debian's maintainer scripts
# ask, and SYSTEMD_OFFLINE, which turns systemctl's start and stop into nothing. policy-rc.d is a
# file of the host, so it is there only while apt runs and one that was there before is left alone.

POLICY_RC_D=/usr/sbin/policy-rc.d
POLICY_MARK='# written by the Fairway testbed while it installs packages'

# packages_listed FILE GROUP...: the names in these groups.
packages_listed() {
	local file=$1 line name group why
	shift
	while IFS= read -r line; do
		case $line in '' | '#'*) continue ;; esac
		name=${line%%[[:space:]#]*}
		why=${line#*# }
		group=${why%%:*}
		case " $* " in *" $group "*) printf '%s\n' "$name" ;; esac
	done <"$file"
}

# packages_missing NAME...: those of the names that are not installed.
packages_missing() {
	local installed name
	installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' 2>/dev/null) || installed=
	for name in "$@"; do
		grep -qxF "installed $name" <<<"$installed" || printf '%s\n' "$name"
	done
}

packages_check_host() {
	local names=$1
	if ! command -v apt-get >/dev/null; then
		die "these packages are missing, and this host has no apt to install them with:" \
			"$names. Fairway's testbed runs on Debian 12."
	fi
	[ "$(id -u)" = 0 ] ||
		die "must be root to install what is missing: $names. Run it again as root."
}

policy_deny() {
	if [ -e "$POLICY_RC_D" ] && ! grep -qF "$POLICY_MARK" "$POLICY_RC_D"; then
		return 0
	fi
	printf '#!/bin/sh\n%s\nexit 101\n' "$POLICY_MARK" >"$POLICY_RC_D"
	chmod 755 "$POLICY_RC_D"
}

policy_restore() {
	if [ -e "$POLICY_RC_D" ] && grep -qF "$POLICY_MARK" "$POLICY_RC_D"; then
		rm -f "$POLICY_RC_D"
	fi
}

# apt_quiet ARGS...: apt-get that asks nothing and removes nothing. It says how far it is; its own
# words are shown only when it fails.
apt_quiet() {
	local log rc=0
	log=$(mktemp)
	DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 NEEDRESTART_SUSPEND=1 \
		apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
		--no-remove "$@" </dev/null 2>&1 9>&- | tee "$log" | apt_progress || rc=$?
	[ "$rc" = 0 ] || cat "$log" >&2
	rm -f "$log"
	return "$rc"
}

apt_progress() {
	awk '/^Fetched/ || /^Need to get/ { print "    " $0; fflush() }
		/^Unpacking/ && ++n % 50 == 0 { print "    " n " packages unpacked"; fflush() }'
}

# Every unit and boot script that will start with the host, one link a line.
boot_links() {
	find /etc/systemd/system /etc/rc[0-9S].d -type l ! -name 'K[0-9][0-9]*' 2>/dev/null | sort
}

# boot_disable_new LINKS: takes back what installing switched on for the next boot; links that were
# there before stay. This is how an administrator disables things, so an upgrade respects it.
boot_disable_new() {
	local before=$1 link name
	while IFS= read -r link; do
		name=${link##*/}
		case $link in
		/etc/rc*) update-rc.d "${name#S[0-9][0-9]}" disable >/dev/null 2>&1 ;;
		*) rm -f "$link" ;;
		esac
	done < <(comm -13 <(printf '%s\n' "$before") <(boot_links))
}

# packages_install FILE GROUP...: runs in a subshell so that its clean-up, on an interrupt too,
# stays its own. One run at a time, so a policy-rc.d with our mark can only be left over from one
# that was killed.
packages_install() (
	file=$1
	shift
	mapfile -t listed < <(packages_listed "$file" "$@")
	[ ${#listed[@]} -gt 0 ] || die "$file lists no package for: $*"
	[ "$(id -u)" != 0 ] || {
		mkdir -p /run/lock
		exec 9>/run/lock/fairway-testbed-packages
		flock 9
		policy_restore
	}
	mapfile -t names < <(packages_missing "${listed[@]}")
	[ ${#names[@]} -gt 0 ] || return 0
	packages_check_host "${names[*]}"
	say "installing ${#names[@]} missing packages (no service is started): ${names[*]}"
	before=$(boot_links)
	trap 'boot_disable_new "$before"; policy_restore' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	policy_deny
	apt_quiet update || say 'apt-get update had trouble (above); trying with what is known'
	apt_quiet install -y --no-install-recommends "${names[@]}" ||
		die "apt-get install failed (above): is there a network, a Debian 12 mirror in" \
			"/etc/apt/sources.list, and room on the disk? Wanted: ${names[*]}"
)
