/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DPDK_TABLES_H
#define FAIRWAY_DPDK_TABLES_H

/* The tables that the control plane publishes, and the page by which both sides know of each other
 * (dataplane/core/page.h): mapped from a directory where they are pinned BPF maps or, where there
 * is no BPF, plain files. */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/core/memory.h"
#include "dataplane/core/page.h"

/* Map the page of a directory; *ret_id tells it from others of the same name. -ENOENT as long as
 * there is none, -EPROTO when it is of another version. */
int dpdk_page_open(const char *dir, struct lb_page **ret_page, uint64_t *ret_id, struct err *err)
	__attribute__((warn_unused_result));
void dpdk_page_close(struct lb_page *page);

/* Is the page of this id not the directory's any more? Then nobody writes it. */
bool dpdk_page_replaced(const char *dir, uint64_t id);

/* One generation of the tables. */
struct dpdk_tables {
	struct lb_tables tables;
	uint64_t generation;
	uint64_t bytes[16]; /* of each mapping, in the order of LB_TABLES */
};

/* Map the generation that the page names now. -EAGAIN: there is none yet, or it is just being
 * replaced. */
int dpdk_tables_open(const char *dir, const struct lb_page *page, struct dpdk_tables **ret_tables,
		     struct err *err) __attribute__((warn_unused_result));
void dpdk_tables_close(struct dpdk_tables *t);

#endif
