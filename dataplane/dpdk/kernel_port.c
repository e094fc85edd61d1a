/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/kernel_port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_ethdev.h>

#include "controlplane/base/cleanup.h"

#define VIRTIO_RING 1024

static const char *hint(const struct dpdk_port_options *options)
{
	const bool tap = options->exception == DPDK_EXCEPTION_TAP;

	if (access("/dev/net/tun", R_OK | W_OK))
		return "; /dev/net/tun can't be opened (`modprobe tun`)";
	if (!tap && access("/dev/vhost-net", R_OK | W_OK))
		return "; /dev/vhost-net can't be opened (`modprobe vhost-net`, or set "
		       "`exception: tap`)";
	if (if_nametoindex(options->interface))
		return tap ? "; there is an interface of that name, and it is in use or wasn't "
			     "made by `ip tuntap add NAME mode tap multi_queue`: remove or rename "
			     "it"
			   : "; there is an interface of that name: remove or rename it";
	return "";
}

int dpdk_kernel_port_make(const struct dpdk_port_options *options, uint16_t number, uint16_t card,
			  uint16_t queues, uint16_t *ret_id, struct err *err)
{
	const bool tap = options->exception == DPDK_EXCEPTION_TAP;
	char name[32], args[256], text[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_ether_addr mac;
	int rc = rte_eth_macaddr_get(card, &mac);

	if (rc < 0)
		return err_set(err, rc, "the card has no MAC address: %s", strerror(-rc));
	rte_ether_format_addr(text, sizeof(text), &mac);
	snprintf(name, sizeof(name), "%s%u", tap ? "net_tap" : "virtio_user", number);
	if (tap)
		snprintf(args, sizeof(args), "iface=%s,mac=%s,persist", options->interface, text);
	else
		snprintf(args, sizeof(args),
			 "path=/dev/vhost-net,queues=%u,queue_size=%u,iface=%s,mac=%s", queues,
			 VIRTIO_RING, options->interface, text);
	rc = rte_eal_hotplug_add("vdev", name, args);
	if (rc == 0)
		rc = rte_eth_dev_get_port_by_name(name, ret_id);
	if (rc < 0)
		return err_set(err, rc, "it can't be made: %s%s", strerror(-rc), hint(options));
	return 0;
}

int dpdk_kernel_port_up(const char *interface, uint16_t mtu, struct err *err)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {0};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", interface);
	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	req.ifr_mtu = mtu;
	if (ioctl(fd, SIOCSIFMTU, &req) < 0)
		return err_set(err, -errno, "set its MTU to %u: %s", mtu, strerror(errno));
	if (ioctl(fd, SIOCGIFFLAGS, &req) < 0)
		return err_set(err, -errno, "ask for its flags: %s", strerror(errno));
	req.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
		return err_set(err, -errno, "set it up: %s", strerror(errno));
	return 0;
}
