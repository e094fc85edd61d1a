/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_PCI_H
#define FAIRWAY_DPDK_PCI_H

/* What the kernel knows of a PCI device that DPDK couldn't use. */

#include <stddef.h>

/* Why that may be, and how to mend it, in words that follow "DPDK found no port NAME: ".
 * address as lspci has it, 0000:3b:00.0; sys is where sysfs is, /sys. */
void dpdk_pci_why(const char *sys, const char *address, char *ret, size_t size);

#endif
