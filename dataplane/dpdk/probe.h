/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_PROBE_H
#define FAIRWAY_DPDK_PROBE_H

/* Single packets that the control plane wants tried: decided by the workers' code over their
 * tables, counted nowhere, sent nowhere. */

#include "controlplane/base/err.h"
#include "dataplane/core/page.h"

struct dpdk_probe;

int dpdk_probe_open(struct dpdk_probe **ret_probe, struct err *err)
	__attribute__((warn_unused_result));
void dpdk_probe_free(struct dpdk_probe *p);

/* Answer what was asked since the last call, if anything was. */
void dpdk_probe_answer(struct dpdk_probe *p, const struct lb_tables *tables,
		       struct lb_page_probe *at);

#endif
