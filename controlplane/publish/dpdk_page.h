/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_DPDK_PAGE_H
#define FAIRWAY_PUBLISH_DPDK_PAGE_H

/* The page (dataplane/core/page.h) from the writer's side: to say which tables are in force, to see
 * whether the engine lives, to wait for its workers and to have it try a packet. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/core/page.h"

/* Make zeros a page, or judge one that is there: -EPROTO when it is of another version. where: what
 * the words call it. */
int dpdk_page_take(struct lb_page *page, const char *where, struct err *err)
	__attribute__((warn_unused_result));

/* Tables of these dimensions are in force now, in a new generation. */
void dpdk_page_publish(struct lb_page *page, const struct lb_dims *dims);

/* What the beat and the process say together. */
enum dpdk_life {
	DPDK_NONE,   /* there was never an engine */
	DPDK_ALIVE,  /* it says so */
	DPDK_SILENT, /* its process exists and says nothing: it hangs, or was stopped */
	DPDK_ENDED,  /* it said goodbye */
	DPDK_DIED,   /* it said nothing and is gone */
};
enum dpdk_life dpdk_page_life(const struct lb_page *page, uint64_t now_ns);
/* Since the engine was last heard of. */
uint64_t dpdk_page_silence_ns(const struct lb_page *page, uint64_t now_ns);

/* Return when the engine reads the tables of the page's generation; or has said nothing for
 * LB_PAGE_DEAD_NS, or after a second: then it reads the old ones, which are its own memory. */
void dpdk_page_wait_moved(const struct lb_page *page);

/* Return when every worker has held no pointer into the tables once since the call, or the engine
 * that was there is gone, or *stop is set. One that stands still in a live process is waited for.
 */
void dpdk_page_grace(const struct lb_page *page, const bool *stop);

/* How long a probe waits for its answer; the engine takes about 0.3 ms. */
#define DPDK_PROBE_NS 20000000ULL

/* Have the engine run a frame, which is replaced by what would leave. -ETIMEDOUT when it doesn't
 * answer; as long as it owes that answer, further calls fail so at once. */
int dpdk_page_probe(struct lb_page *page, const struct lb_moment *moment,
		    uint8_t frame[LB_PAGE_FRAME_MAX], size_t *len, struct lb_trace *ret_trace,
		    struct err *err) __attribute__((warn_unused_result));

#endif
