/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/pci.h"

#include <dirent.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The name of what a link of this device leads to; false: no such link. */
static bool link_name(const char *sys, const char *address, const char *link,
		      char ret[NAME_MAX + 1])
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sys, address, link);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return false;
	target[n] = '\0';
	name = strrchr(target, '/');
	snprintf(ret, NAME_MAX + 1, "%.*s", NAME_MAX, name ? name + 1 : target);
	return true;
}

/* A group is given to user space as a whole: its bridges are no hindrance, all else is that has a
 * driver of the kernel's (Documentation/driver-api/vfio.rst). */
static bool is_in_the_way(const char *sys, const char *address, char ret_driver[NAME_MAX + 1])
{
	return link_name(sys, address, "driver", ret_driver) && strcmp(ret_driver, "vfio-pci") &&
	       strcmp(ret_driver, "pcieport");
}

/* Another device of its IOMMU group that the kernel drives. */
static bool find_in_the_way(const char *sys, const char *group, char ret_address[NAME_MAX + 1],
			    char ret_driver[NAME_MAX + 1])
{
	char path[PATH_MAX];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s/devices", sys, group);
	dir = opendir(path);
	if (!dir)
		return false;
	while (!found && (entry = readdir(dir)) != NULL) {
		found = is_in_the_way(sys, entry->d_name, ret_driver);
		if (found)
			snprintf(ret_address, NAME_MAX + 1, "%s", entry->d_name);
	}
	closedir(dir);
	return found;
}

static void why_vfio(const char *sys, const char *group, char *ret, size_t size)
{
	char other[NAME_MAX + 1], driver[NAME_MAX + 1];

	if (find_in_the_way(sys, group, other, driver))
		snprintf(ret, size,
			 "%s of the same IOMMU group is with the kernel's driver %s: bind that to "
			 "vfio-pci, too, or put the card into another slot",
			 other, driver);
	else
		snprintf(ret, size,
			 "it is with vfio-pci, but that refused, or DPDK has no driver for this "
			 "card: see what DPDK printed and `dmesg`; where the platform can't remap "
			 "interrupts, `modprobe vfio_iommu_type1 allow_unsafe_interrupts=1`");
}

void dpdk_pci_why(const char *sys, const char *address, char *ret, size_t size)
{
	char path[PATH_MAX], driver[NAME_MAX + 1], group[NAME_MAX + 1];
	const bool has_group = link_name(sys, address, "iommu_group", group);
	const char *to = has_group ? "vfio-pci" : "uio_pci_generic";

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sys, address);
	if (access(path, F_OK))
		snprintf(ret, size,
			 "there is no such PCI device: `lspci -D` shows which there are");
	else if (!link_name(sys, address, "driver", driver))
		snprintf(ret, size,
			 "no driver has it: `modprobe %s; dpdk-devbind.py --bind=%s %s`%s", to, to,
			 address,
			 has_group ? ""
				   : " (vfio-pci needs an IOMMU, and the kernel uses none here: "
				     "firmware setup, then intel_iommu=on)");
	else if (!strcmp(driver, "vfio-pci"))
		why_vfio(sys, has_group ? group : "", ret, size);
	else if (!strcmp(driver, "uio_pci_generic") || !strcmp(driver, "igb_uio"))
		snprintf(ret, size,
			 "it is with %s, but DPDK couldn't use it, or has no driver for this card: "
			 "see what DPDK printed%s",
			 driver,
			 has_group ? "; where there is an IOMMU, vfio-pci is the better choice"
				   : "");
	else
		snprintf(ret, size,
			 "it is with the kernel's driver %s: `modprobe %s; dpdk-devbind.py "
			 "--bind=%s %s`, unless DPDK works beside that driver, as with mlx5; then "
			 "see what DPDK printed",
			 driver, to, to, address);
}
