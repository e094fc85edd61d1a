/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_DPDK_BACKEND_H
#define FAIRWAY_PUBLISH_DPDK_BACKEND_H

/* How tables reach the DPDK engine, which runs in a process of its own: over the maps of the XDP
 * engine, or over files where there is no BPF, and by the page beside either. */

#include "controlplane/publish/dpdk_page.h"
#include "controlplane/publish/publish.h"
#include "dataplane/native/files.h"
#include "dataplane/xdp/engine.h"

struct publish_dpdk;

/* One of xdp and files is NULL; the other must outlive what is returned. Tells the page which
 * tables are in force. */
int publish_dpdk_new(struct xdp_engine *xdp, struct native_files *files,
		     struct publish_dpdk **ret_dpdk, struct err *err)
	__attribute__((warn_unused_result));
/* Tables and page stay. NULL is accepted. */
void publish_dpdk_free(struct publish_dpdk *d);

/* The writer's view; d must outlive it. */
struct publish_engine publish_dpdk_engine(struct publish_dpdk *d);
struct lb_page *publish_dpdk_page(struct publish_dpdk *d);

/* The process ends and will reuse no space: grace periods end now. From any thread. */
void publish_dpdk_stop(struct publish_dpdk *d);

/* What the core, run here, does with a frame by the tables in force, which is replaced by what
 * would leave; nothing is counted or entered. */
int publish_dpdk_ask(struct publish_dpdk *d, uint8_t frame[LB_PAGE_FRAME_MAX], size_t *len,
		     struct lb_trace *ret_trace, struct err *err)
	__attribute__((warn_unused_result));

/* Have the engine run a frame and the core here too: 0 when both forward it with the same bytes.
 * -ETIMEDOUT as dpdk_page_probe(). */
int publish_dpdk_probe(struct publish_dpdk *d, const uint8_t *frame, size_t len, struct err *err)
	__attribute__((warn_unused_result));

#endif
