/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_QDISC_H
#define FAIRWAY_REAL_QDISC_H

#include <stddef.h>

#include "tools/real/netlink.h"

/* The kind of the qdisc that stands at the device's ingress: "clsact", "ingress", or "" for none.
 */
int qdisc_ingress_kind(struct nl *nl, int ifindex, char ret_kind[16])
	__attribute__((warn_unused_result));

int qdisc_clsact_add(struct nl *nl, int ifindex) __attribute__((warn_unused_result));
/* 0 also when it is gone already. */
int qdisc_clsact_del(struct nl *nl, int ifindex) __attribute__((warn_unused_result));

/* How many filters hang on both of the device's clsact hooks. */
int qdisc_count_filters(struct nl *nl, int ifindex, size_t *ret_n)
	__attribute__((warn_unused_result));

#endif
