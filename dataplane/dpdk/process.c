/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/process.h"

#include <rte_mbuf.h>

#include "dataplane/core/memory_target.h"

#include "dataplane/core/forward.h"

static enum lb_reason forward(const struct lb_target *t, struct rte_mbuf *mbuf,
			      const struct lb_decision *d)
{
	const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint32_t padding = lb_padding_bytes(data, data + rte_pktmbuf_data_len(mbuf), d);
	uint8_t *grown;

	if (rte_pktmbuf_headroom(mbuf) < d->grow_bytes ||
	    rte_pktmbuf_trim(mbuf, (uint16_t)padding) < 0)
		return LB_REASON_no_headroom;
	grown = (uint8_t *)rte_pktmbuf_prepend(mbuf, d->grow_bytes);
	if (!grown || lb_write_headers(grown, grown + rte_pktmbuf_data_len(mbuf), d))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, d);
	return LB_REASON_forwarded;
}

void dpdk_process(const struct lb_tables *tables, uint32_t worker, struct rte_mbuf *mbuf,
		  struct lb_trace *ret_trace)
{
	struct lb_target t = lb_memory_target(tables, worker);
	const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	struct lb_decision d = {0};
	enum lb_reason reason = lb_decide(&t, data, data + rte_pktmbuf_data_len(mbuf), &d);

	if (reason == LB_REASON_forwarded) {
		reason = forward(&t, mbuf, &d);
		if (reason != LB_REASON_forwarded)
			lb_count(&t, reason, d.ip_length);
	}
	*ret_trace = lb_trace_of(reason, &d);
}
