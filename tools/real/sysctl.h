/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_SYSCTL_H
#define FAIRWAY_REAL_SYSCTL_H

#include "controlplane/base/err.h"

/* Long enough for "net.ipv4.conf.DEVICE.NAME" with any device. */
#define SYSCTL_NAMELEN 96

/* Names are written with slashes, "net/ipv4/conf/eth0.100/rp_filter", since devices may have dots.
 * -ENOENT: there is no such setting (the device is gone, or the family is off). */
int sysctl_read(const char *name, int *ret_value, struct err *e)
	__attribute__((warn_unused_result));
int sysctl_write(const char *name, int value, struct err *e) __attribute__((warn_unused_result));

#endif
