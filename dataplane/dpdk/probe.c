/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "dataplane/dpdk/process.h"

struct dpdk_probe {
	struct rte_mempool *pool;
	struct rte_mbuf *mbuf;
	struct lb_counter *row; /* what a probe counts, for nobody */
	uint32_t stride;
};

int dpdk_probe_open(struct dpdk_probe **ret_probe, struct err *err)
{
	struct dpdk_probe *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	p->pool = rte_pktmbuf_pool_create(
		"probes", 1, 0, 0, RTE_PKTMBUF_HEADROOM + LB_PAGE_FRAME_MAX, (int)rte_socket_id());
	p->mbuf = p->pool ? rte_pktmbuf_alloc(p->pool) : NULL;
	if (!p->mbuf) {
		dpdk_probe_free(p);
		return err_set(err, -ENOMEM, "no memory for a packet buffer: %s",
			       rte_strerror(rte_errno));
	}
	*ret_probe = p;
	return 0;
}

void dpdk_probe_free(struct dpdk_probe *p)
{
	if (!p)
		return;
	rte_pktmbuf_free(p->mbuf);
	rte_mempool_free(p->pool);
	free(p->row);
	free(p);
}

/* A row as long as those of the tables. */
static int fit_row(struct dpdk_probe *p, uint32_t stride)
{
	struct lb_counter *row;

	if (stride == p->stride)
		return 0;
	row = calloc(stride, sizeof(*row));
	if (!row)
		return -ENOMEM;
	free(p->row);
	p->row = row;
	p->stride = stride;
	return 0;
}

static int run(struct dpdk_probe *p, const struct lb_tables *tables, struct lb_page_probe *at)
{
	const uint32_t len = at->len; /* read once: the other side is another process */
	const struct lb_moment moment = at->moment;
	struct lb_tables t = *tables;
	char *data;

	if (len > LB_PAGE_FRAME_MAX || fit_row(p, tables->dims.counter_stride))
		return -1;
	t.counters = p->row;
	rte_pktmbuf_reset(p->mbuf);
	data = rte_pktmbuf_append(p->mbuf, (uint16_t)len);
	if (!data)
		return -1;
	memcpy(data, at->frame, len);
	dpdk_process(&t, 0, &moment, p->mbuf, &at->trace);
	if (rte_pktmbuf_pkt_len(p->mbuf) > LB_PAGE_FRAME_MAX)
		return -1;
	at->len = rte_pktmbuf_pkt_len(p->mbuf);
	memcpy(at->frame, rte_pktmbuf_mtod(p->mbuf, const void *), at->len);
	return 0;
}

void dpdk_probe_answer(struct dpdk_probe *p, const struct lb_tables *tables,
		       struct lb_page_probe *at)
{
	const uint64_t asked = __atomic_load_n(&at->asked, __ATOMIC_ACQUIRE);

	if (asked == at->answered)
		return;
	at->failed = run(p, tables, at) < 0;
	__atomic_store_n(&at->answered, asked, __ATOMIC_RELEASE);
}
