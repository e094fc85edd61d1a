# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# A guest: another kernel on this machine's files, in QEMU's software emulation.
#
#   guest_run DIR COMMAND...   boots $KERNEL_DIR, runs the command as root and ends with it; what it
#                              writes to DIR/out stays, DIR/console is what the kernel had to say
#
# The host's files are the lowest layer, read-only, with one in memory on top, so the command finds
# everything where it is here and changes nothing. Two network cards, lan0 (one queue) and lan1 (four
# queues: two for each of the guest's CPUs, as XDP_TX wants them), are cabled to one bridge. lan1 is
# behind an IOMMU that remaps interrupts too, so that it can be given away by VFIO; what the kernel
# itself drives isn't translated. Bridge and taps are in a network namespace that ends with QEMU;
# without the right to make one there are no cards. Timings inside mean nothing.

GUEST_MEMORY_MIB=2048
GUEST_CPUS=2
GUEST_LAN0_MAC=02:00:00:00:10:00
GUEST_LAN1_MAC=02:00:00:00:10:01
# What is needed before the host's files are there; the rest is loaded by the kernel as it goes.
GUEST_MODULES=(virtio_pci virtio_net 9pnet_virtio 9p overlay)

# guest_initrd DIR COMMAND...: the first files, which put the layers together.
guest_initrd() {
	local dir=$1/initrd module
	mkdir -p "$dir"/{bin,proc,sys,dev,ro,rw,root,modules}
	cp /bin/busybox "$dir/bin/" || return 1
	for module in "${GUEST_MODULES[@]}"; do
		modprobe -d "$KERNEL_DIR" -S "$KERNEL_RELEASE" --show-depends "$module" || return 1
	done | awk '/^insmod/ && !seen[$2]++ { print $2 }' >"$1/modules"
	while read -r module; do
		case $module in
		*.xz) xz -dc "$module" ;;
		*) cat "$module" ;;
		esac >"$dir/modules/$(basename "${module%.xz}")" || return 1
		basename "${module%.xz}" >>"$dir/modules/order"
	done <"$1/modules"
	# The kernel looks for modprobe here, not where the layers are.
	printf '#!/bin/busybox sh\nexec /bin/busybox chroot /root /sbin/modprobe "$@"\n' >"$dir/modprobe"
	guest_init "$@" >"$dir/init" && chmod +x "$dir"/{init,modprobe} &&
		(cd "$dir" && find . | cpio -o -H newc --quiet) >"$1/initrd.cpio"
}

guest_init() {
	local out=$1/out release=$KERNEL_RELEASE
	shift
	cat <<-EOT
		#!/bin/busybox sh
		b=/bin/busybox
		\$b mount -t proc proc /proc; \$b mount -t sysfs sys /sys; \$b mount -t devtmpfs dev /dev
		while read -r m; do \$b insmod /modules/\$m; done </modules/order
		p9=trans=virtio,version=9p2000.L,msize=262144
		\$b mount -t 9p -o \$p9,ro,cache=loose host /ro
		\$b mount -t tmpfs tmpfs /rw; \$b mkdir /rw/upper /rw/work
		\$b mount -t overlay -o lowerdir=/ro,upperdir=/rw/upper,workdir=/rw/work root /root
		for d in proc sys dev; do \$b mount --bind /\$d /root/\$d; done
		\$b mount -t tmpfs tmpfs /root/run
		\$b mount -t tmpfs tmpfs /root/sys/fs/bpf 2>/dev/null; \$b mount -t bpf bpf /root/sys/fs/bpf
		\$b mkdir -p /root/lib/modules/$release
		\$b mount --bind /root$KERNEL_DIR/lib/modules/$release /root/lib/modules/$release
		\$b mount -t 9p -o \$p9 out /root$out
		echo /modprobe >/proc/sys/kernel/modprobe; \$b chroot /root /sbin/modprobe tun
		\$b ln -s /proc/self/fd /root/dev/fd; \$b hostname guest; \$b ip link set lo up
		PATH=/usr/sbin:/usr/bin:/sbin:/bin \$b chroot /root $(printf '%q ' "$@")
		\$b poweroff -f
	EOT
}

# guest_cards: QEMU's options for the network cards, after making what they hang on in this network
# namespace.
guest_cards() {
	local queues=$((GUEST_CPUS * 2))
	ip link add lan mtu 2000 type bridge stp_state 0 mcast_snooping 0 && ip link set lan up &&
		ip tuntap add tap0 mode tap vnet_hdr && ip tuntap add tap1 mode tap vnet_hdr multi_queue &&
		ip link set tap0 mtu 2000 master lan up && ip link set tap1 mtu 2000 master lan up ||
		return 1
	printf '%s\n' -netdev tap,id=lan0,ifname=tap0,script=no,downscript=no,vhost=off \
		-device "virtio-net-pci,netdev=lan0,mac=$GUEST_LAN0_MAC,csum=off,gso=off,romfile=" \
		-netdev "tap,id=lan1,ifname=tap1,queues=$queues,script=no,downscript=no,vhost=off" \
		-device "virtio-net-pci,netdev=lan1,mac=$GUEST_LAN1_MAC,mq=on,vectors=$((queues * 2 + 2)),csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,iommu_platform=on,ats=on,disable-legacy=on,romfile="
}

# guest_qemu DIR QEMU-OPTION...
guest_qemu() {
	local dir=$1
	shift
	exec qemu-system-x86_64 -machine q35 -device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on \
		-cpu Nehalem -m "$GUEST_MEMORY_MIB" -smp "$GUEST_CPUS" -display none -no-reboot \
		-nodefaults -serial "file:$dir/console" \
		-kernel "$KERNEL_DIR/vmlinux" -initrd "$dir/initrd.cpio" \
		-append 'console=ttyS0 quiet panic=1 loglevel=4 mitigations=off tsc=reliable intel_iommu=on iommu=pt' \
		-virtfs local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$dir/out,mount_tag=out,security_model=none" "$@" </dev/null
}

# guest_boot DIR: in a network namespace of its own where it may make one.
guest_boot() {
	local cards
	if [ -c /dev/net/tun ] && mapfile -t cards < <(guest_cards) && [ ${#cards[@]} -gt 0 ]; then
		guest_qemu "$1" "${cards[@]}"
	fi
	guest_qemu "$1" -nic none
}

guest_run() {
	local dir=$1
	mkdir -p "$dir/out"
	guest_initrd "$@" || return 1
	export -f guest_boot guest_cards guest_qemu
	export KERNEL_DIR GUEST_MEMORY_MIB GUEST_CPUS GUEST_LAN0_MAC GUEST_LAN1_MAC
	local own=()
	! unshare -n true 2>/dev/null || own=(unshare -n)
	# shellcheck disable=SC2016 # expanded by the inner shell
	timeout --foreground "${GUEST_SECONDS:-3600}" "${own[@]}" bash -c 'guest_boot "$1"' guest "$dir" \
		>"$dir/qemu" 2>&1
}
