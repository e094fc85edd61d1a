/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_OPTIONS_H
#define FAIRWAY_DPDK_OPTIONS_H

/* What fairway-dpdk runs with, as the configuration says it. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/core/page.h"

/* How packets that aren't ours reach the kernel. */
enum dpdk_exception {
	DPDK_EXCEPTION_TAP,         /* an interface that we make, by /dev/net/tun */
	DPDK_EXCEPTION_VIRTIO_USER, /* the same by vhost-net, which is faster */
	DPDK_EXCEPTION_KERNEL,      /* it has them by itself: only packets for VIPs come to us */
};

struct dpdk_port_options {
	const char *device;    /* PCI address, or name and arguments of a virtual device */
	const char *interface; /* what the kernel knows the port by */
	enum dpdk_exception exception;
	uint16_t queues; /* RX queues; 0: one for each worker */
	uint16_t mtu;    /* 0: what the device has */
};

struct dpdk_options {
	const char *node; /* its name, to tell several on one host apart */
	const char *dir;  /* where the tables are */
	bool bpf;         /* they are pinned maps */
	const struct dpdk_port_options *ports;
	uint16_t n_ports;
	const uint16_t *cores; /* CPU of each worker */
	uint16_t n_cores;
	const char *const *eal; /* further arguments of EAL */
	size_t n_eal;
	bool symmetric; /* RSS: both directions of a flow on one worker */
	bool hugepages;
	uint32_t memory_mib;
	uint16_t descriptors;
	bool sleep;    /* a worker without packets sleeps for a moment */
	bool fallback; /* where it ends XDP takes over, and VIPs stay announced */
};

#endif
