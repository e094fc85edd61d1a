/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/process.h"

#include <rte_mbuf.h>

#include "dataplane/core/memory_target.h"

#include "dataplane/core/forward.h"

/* The start of the frame after it moved by so many bytes into the headroom, or NULL. */
static uint8_t *grow_head(struct rte_mbuf *mbuf, int bytes)
{
	if (bytes > 0 && rte_pktmbuf_headroom(mbuf) < bytes)
		return NULL;
	return (uint8_t *)(bytes < 0 ? rte_pktmbuf_adj(mbuf, (uint16_t)-bytes)
				     : rte_pktmbuf_prepend(mbuf, (uint16_t)bytes));
}

static enum lb_reason forward(const struct lb_target *t, struct rte_mbuf *mbuf,
			      enum lb_reason reason, const struct lb_decision *d)
{
	const uint32_t padding = d->grow_bytes ? d->padding : 0;
	const int grow = (int)d->grow_bytes + 4 * (d->n_tags_out - d->n_tags);
	uint8_t *grown;

	if (rte_pktmbuf_trim(mbuf, (uint16_t)padding) < 0)
		return LB_REASON_no_headroom;
	grown = grow_head(mbuf, grow);
	if (!grown || lb_write_headers(grown, grown + rte_pktmbuf_data_len(mbuf), d, d->grow_bytes,
				       d->n_tags_out))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, reason, d);
	return reason;
}

static int write_too_big(struct rte_mbuf *mbuf, const struct lb_decision *d)
{
	const uint32_t cut = rte_pktmbuf_data_len(mbuf) - lb_quoted_frame_bytes(d);
	uint8_t *grown;

	if (rte_pktmbuf_trim(mbuf, (uint16_t)cut) < 0)
		return -1;
	grown = grow_head(mbuf, (int)lb_too_big_grow(d));
	return grown ? lb_write_too_big(grown, grown + rte_pktmbuf_data_len(mbuf), d) : -1;
}

static int write_echo(struct rte_mbuf *mbuf, const struct lb_decision *d)
{
	uint8_t *data = rte_pktmbuf_mtod(mbuf, uint8_t *);

	return lb_write_echo(data, data + rte_pktmbuf_data_len(mbuf), d);
}

static enum lb_reason reply(const struct lb_target *t, struct rte_mbuf *mbuf, enum lb_reason reason,
			    const struct lb_decision *d)
{
	if (d->reply == LB_REPLY_ECHO ? write_echo(mbuf, d) : write_too_big(mbuf, d))
		return LB_REASON_no_headroom;
	lb_count(t, reason, lb_frame_bytes(t));
	return reason;
}

void dpdk_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		  struct rte_mbuf *mbuf, struct lb_trace *ret_trace)
{
	const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	const uint32_t bytes = rte_pktmbuf_data_len(mbuf);
	struct lb_target t = lb_memory_target(tables, worker, bytes, moment);
	struct lb_decision d = {0};
	enum lb_reason reason = lb_decide(&t, data, data + bytes, &d);
	const enum lb_verdict verdict = lb_reason_verdict(reason);

	if (verdict == LB_FORWARD)
		reason = forward(&t, mbuf, reason, &d);
	else if (verdict == LB_REPLY)
		reason = reply(&t, mbuf, reason, &d);
	if (reason == LB_REASON_no_headroom)
		lb_count(&t, reason, bytes);
	*ret_trace = lb_trace_of(reason, &d);
}
