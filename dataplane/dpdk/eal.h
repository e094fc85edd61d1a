/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_EAL_H
#define FAIRWAY_DPDK_EAL_H

/* Starts DPDK's environment (EAL) for the engine: memory, CPUs, devices. */

#include <stdbool.h>

#include "controlplane/base/err.h"
#include "dataplane/dpdk/options.h"

/* Worker i is lcore DPDK_LCORE(i); lcore 0 is the main thread, on the CPUs that no worker has. */
#define DPDK_LCORE(worker) ((unsigned)(worker) + 1)

/* Name of a port's device: what stands before the first comma. */
#define DPDK_DEVICE_NAME_MAX 64
void dpdk_device_name(const char *device, char ret_name[DPDK_DEVICE_NAME_MAX]);

/* PCI devices have an address (0000:3b:00.0, 3b:00.0), virtual ones a driver's name and a number.
 */
bool dpdk_is_pci(const char *device);

int dpdk_eal_start(const struct dpdk_options *opt, struct err *err)
	__attribute__((warn_unused_result));

#endif
