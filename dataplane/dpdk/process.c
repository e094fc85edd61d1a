/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/process.h"

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/core/memory_target.h"

#include "dataplane/core/ahead.h"
#include "dataplane/core/forward.h"
#include "dataplane/dpdk/burst.h"

/* The core looks at the first segment; a frame whose first one is shorter than any headers gets its
 * bytes together before. */
#define HEADERS_MAX 256U

/* ---- frames ---- */

/* The start of the frame after it moved by so many bytes into the headroom, or NULL. */
static inline uint8_t *grow_head(struct rte_mbuf *mbuf, int bytes)
{
	if (bytes > 0 && rte_pktmbuf_headroom(mbuf) < bytes)
		return NULL;
	return (uint8_t *)(bytes < 0 ? rte_pktmbuf_adj(mbuf, (uint16_t)-bytes)
				     : rte_pktmbuf_prepend(mbuf, (uint16_t)bytes));
}

static inline const void *end_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const uint8_t *) + rte_pktmbuf_data_len(mbuf);
}

/* Give up segments at the end that lie whole within what is cut off; the rest of it into the last
 * one that stays. */
static int cut_segments(struct rte_mbuf *mbuf, uint32_t bytes)
{
	while (bytes) {
		struct rte_mbuf *before = mbuf, *last = rte_pktmbuf_lastseg(mbuf);

		if (last->data_len > bytes || last == mbuf)
			return rte_pktmbuf_trim(mbuf, (uint16_t)bytes);
		while (before->next != last)
			before = before->next;
		bytes -= last->data_len;
		mbuf->pkt_len -= last->data_len;
		mbuf->nb_segs--;
		before->next = NULL;
		rte_pktmbuf_free_seg(last);
	}
	return 0;
}

static inline int cut_tail(struct rte_mbuf *mbuf, uint32_t bytes)
{
	if (likely(!bytes))
		return 0;
	if (unlikely(mbuf->nb_segs > 1))
		return cut_segments(mbuf, bytes);
	return rte_pktmbuf_trim(mbuf, (uint16_t)bytes);
}

/* ---- what becomes of one ---- */

/* The headers of a whole frame of one segment: what lies behind its packet is cut off and room is
 * made for them at once. That the frame holds any of what they take over is known. */
static __rte_always_inline int encapsulate_whole(struct rte_mbuf *mbuf, const struct lb_decision *d,
						 uint32_t grow_bytes)
{
	const uint32_t known = (uint32_t)(sizeof(struct lb_eth) + sizeof(struct lb_ip4));
	uint8_t *data;

	if (unlikely(mbuf->data_off < grow_bytes))
		return -1;
	mbuf->data_off = (uint16_t)(mbuf->data_off - grow_bytes);
	if (grow_bytes)
		mbuf->data_len = (uint16_t)(sizeof(struct lb_eth) + grow_bytes + d->ip_length);
	mbuf->pkt_len = mbuf->data_len;
	data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	return lb_write_headers(data, data + grow_bytes + known, d, grow_bytes, 0);
}

/* With grow_bytes a constant the headers are written without asking again what they are. */
static __rte_always_inline int encapsulate(struct rte_mbuf *mbuf, const struct lb_decision *d,
					   uint32_t grow_bytes, uint32_t n_tags, int more)
{
	uint8_t *grown = grow_head(mbuf, (int)grow_bytes + 4 * more);

	return grown ? lb_write_headers(grown, end_of(mbuf), d, grow_bytes, n_tags) : -1;
}

static __rte_always_inline int
encapsulate_by_kind(struct rte_mbuf *mbuf, const struct lb_decision *d, uint32_t n_tags, int more)
{
	if (likely(d->grow_bytes == LB_GROW_IP4))
		return encapsulate(mbuf, d, LB_GROW_IP4, n_tags, more);
	switch (d->grow_bytes) {
	case LB_GROW_IP6:
		return encapsulate(mbuf, d, LB_GROW_IP6, n_tags, more);
	case LB_GROW_GUE4:
		return encapsulate(mbuf, d, LB_GROW_GUE4, n_tags, more);
	case LB_GROW_GUE6:
		return encapsulate(mbuf, d, LB_GROW_GUE6, n_tags, more);
	default:
		return encapsulate(mbuf, d, 0, n_tags, more);
	}
}

/* The same for a frame of several segments. Nothing is cut off when there is no room. */
static int encapsulate_chain(struct rte_mbuf *mbuf, const struct lb_decision *d)
{
	const uint32_t l2 = (uint32_t)sizeof(struct lb_eth);

	if (rte_pktmbuf_headroom(mbuf) < d->grow_bytes)
		return -1;
	if (d->grow_bytes && cut_tail(mbuf, rte_pktmbuf_pkt_len(mbuf) - l2 - d->ip_length) < 0)
		return -1;
	return encapsulate_by_kind(mbuf, d, 0, 0);
}

static __rte_always_inline int encapsulate_common(struct rte_mbuf *mbuf,
						  const struct lb_decision *d)
{
	if (unlikely(mbuf->nb_segs > 1))
		return encapsulate_chain(mbuf, d);
	if (likely(d->grow_bytes == LB_GROW_IP4))
		return encapsulate_whole(mbuf, d, LB_GROW_IP4);
	if (d->grow_bytes == LB_GROW_IP6)
		return encapsulate_whole(mbuf, d, LB_GROW_IP6);
	if (d->grow_bytes == LB_GROW_GUE4)
		return encapsulate_whole(mbuf, d, LB_GROW_GUE4);
	if (d->grow_bytes == LB_GROW_GUE6)
		return encapsulate_whole(mbuf, d, LB_GROW_GUE6);
	return encapsulate_whole(mbuf, d, 0);
}

static enum lb_reason forward(const struct lb_target *t, struct rte_mbuf *mbuf,
			      enum lb_reason reason, const struct lb_decision *d)
{
	if (cut_tail(mbuf, d->grow_bytes ? d->padding : 0) ||
	    encapsulate_by_kind(mbuf, d, d->n_tags_out, d->n_tags_out - d->n_tags))
		return LB_REASON_no_headroom;
	lb_count_forwarded(t, reason, d);
	return reason;
}

/* What is quoted is summed up, so it has to lie in one piece. */
static int write_too_big(struct rte_mbuf *mbuf, const struct lb_decision *d)
{
	const uint32_t cut = rte_pktmbuf_pkt_len(mbuf) - lb_quoted_frame_bytes(d);
	uint8_t *grown;

	if (cut_tail(mbuf, cut) < 0 || rte_pktmbuf_linearize(mbuf) < 0)
		return -1;
	grown = grow_head(mbuf, (int)lb_too_big_grow(d));
	return grown ? lb_write_too_big(grown, end_of(mbuf), d) : -1;
}

static int write_echo(struct rte_mbuf *mbuf, const struct lb_decision *d)
{
	return lb_write_echo(rte_pktmbuf_mtod(mbuf, uint8_t *), end_of(mbuf), d);
}

static enum lb_reason reply(const struct lb_target *t, struct rte_mbuf *mbuf, enum lb_reason reason,
			    const struct lb_decision *d)
{
	if (d->reply == LB_REPLY_ECHO ? write_echo(mbuf, d) : write_too_big(mbuf, d))
		return LB_REASON_no_headroom;
	lb_count(t, reason, lb_frame_bytes(t));
	return reason;
}

/* Carry out what lb_decide_any() said. */
static enum lb_reason act(const struct lb_target *t, struct rte_mbuf *mbuf, enum lb_reason reason,
			  const struct lb_decision *d)
{
	const enum lb_verdict verdict = lb_reason_verdict(reason);

	if (verdict == LB_FORWARD)
		reason = forward(t, mbuf, reason, d);
	else if (verdict == LB_REPLY)
		reason = reply(t, mbuf, reason, d);
	if (reason == LB_REASON_no_headroom)
		lb_count(t, reason, lb_frame_bytes(t));
	return reason;
}

/* Every rule, for a frame that isn't of the common kind. Not inlined: it would take the registers
 * of those that are. */
static __rte_noinline enum lb_reason process_any(const struct lb_target *t, struct rte_mbuf *mbuf,
						 struct lb_decision *d)
{
	const uint32_t first = rte_pktmbuf_data_len(mbuf);

	if (unlikely(mbuf->nb_segs > 1 && first < HEADERS_MAX && rte_pktmbuf_linearize(mbuf) < 0)) {
		lb_count(t, LB_REASON_no_headroom, lb_frame_bytes(t));
		return LB_REASON_no_headroom;
	}
	return act(t, mbuf,
		   lb_decide_any(t, rte_pktmbuf_mtod(mbuf, const uint8_t *), end_of(mbuf), d), d);
}

void dpdk_process(const struct lb_tables *tables, uint32_t worker, const struct lb_moment *moment,
		  struct rte_mbuf *mbuf, struct lb_trace *ret_trace)
{
	const struct lb_target t =
		lb_memory_target(tables, worker, rte_pktmbuf_pkt_len(mbuf), moment);
	struct lb_decision d = {0};
	enum lb_reason reason = LB_REASON_forwarded;

	if (lb_decide_common(&t, rte_pktmbuf_mtod(mbuf, const uint8_t *), end_of(mbuf), &d)) {
		d.n_tags = d.n_tags_out = 0;
		reason = act(&t, mbuf, reason, &d);
	} else {
		reason = process_any(&t, mbuf, &d);
	}
	*ret_trace = lb_trace_of(reason, &d);
}

/* ---- bursts ---- */

/* Packets in a row for one service are counted at once. */
struct tally {
	uint32_t counter, packets;
	uint64_t bytes;
};

static inline void tally_flush(const struct lb_target *t, const struct tally *tally)
{
	if (tally->packets)
		lb_count_many(t, tally->counter, tally->packets, tally->bytes);
}

static inline void tally_add(const struct lb_target *t, struct tally *tally, uint32_t counter,
			     uint32_t bytes)
{
	if (unlikely(counter != tally->counter)) {
		tally_flush(t, tally);
		*tally = (struct tally){.counter = counter};
	}
	tally->packets++;
	tally->bytes += bytes;
}

static inline uint32_t leaves_by(const struct lb_decision *d)
{
	return d->iface->flags & LB_IFACE_SOLE ? 0 : d->iface->ifindex;
}

/* A frame that left the common way. What it needs is made here again: were it shared with the
 * common way, that could keep none of it in registers. */
static __rte_noinline struct dpdk_fate finish_any(const struct dpdk_run *run, struct rte_mbuf *mbuf)
{
	const struct lb_target t =
		lb_memory_target(run->tables, run->worker, rte_pktmbuf_pkt_len(mbuf), run->moment);
	struct lb_decision d = {0};
	struct dpdk_fate fate = {
		.verdict = lb_reason_verdict(process_any(&t, mbuf, &d)),
	};

	if (fate.verdict == LB_FORWARD)
		fate.ifindex = leaves_by(&d);
	return fate;
}

static __rte_noinline struct dpdk_fate drop_no_headroom(const struct dpdk_run *run, uint32_t bytes)
{
	const struct lb_target t = lb_memory_target(run->tables, run->worker, bytes, NULL);

	lb_count(&t, LB_REASON_no_headroom, bytes);
	return (struct dpdk_fate){.verdict = LB_DROP};
}

/* The last step for one packet. */
static __rte_always_inline struct dpdk_fate finish(const struct dpdk_run *run,
						   const struct lb_target *t,
						   const struct lb_ahead *a, struct rte_mbuf *mbuf,
						   struct tally *tally)
{
	struct lb_decision d;

	if (unlikely(!lb_ahead_real(t, a, end_of(mbuf), &d)))
		return finish_any(run, mbuf);
	if (unlikely(encapsulate_common(mbuf, &d)))
		return drop_no_headroom(run, rte_pktmbuf_pkt_len(mbuf));
	tally_add(t, tally, d.service_record->counter, d.ip_length);
	lb_count(t, lb_real_counter(t, d.real), d.ip_length);
	return (struct dpdk_fate){.verdict = LB_FORWARD, .ifindex = leaves_by(&d)};
}

struct dpdk_fate dpdk_finish(const struct dpdk_run *run, const struct lb_ahead *a,
			     struct rte_mbuf *mbuf)
{
	const struct lb_target t = lb_memory_target(run->tables, run->worker, 0, run->moment);
	struct tally tally = {0};
	const struct dpdk_fate fate = finish(run, &t, a, mbuf, &tally);

	tally_flush(&t, &tally);
	return fate;
}

/* Of any kinds, step by step. */
static bool burst_of_any(const struct dpdk_run *run, struct rte_mbuf **mbufs, uint32_t n,
			 struct dpdk_fate *ret_fates)
{
	/* A copy that nobody else has the address of: its members needn't be read again after each
	 * store. */
	const struct lb_tables own = *run->tables;
	const struct lb_target t = lb_memory_target(&own, run->worker, 0, run->moment);
	struct tally tally = {0};
	struct lb_ahead a[DPDK_BURST];
	struct lb_row row = {.n_waiting = 0};
	uint32_t odd = 0; /* bits in which a fate differs from being sent as the first one is */

	for (uint32_t i = 0; i < n; i++)
		lb_ahead_key(&t, &a[i], i, rte_pktmbuf_mtod(mbufs[i], const void *),
			     end_of(mbufs[i]), &row);
	lb_ahead_waiting(&t, a, &row);
	for (uint32_t i = 0; i < n; i++)
		lb_ahead_slot(&t, &a[i]);
	for (uint32_t i = 0; i < n; i++) {
		ret_fates[i] = finish(run, &t, &a[i], mbufs[i], &tally);
		odd |= ret_fates[i].verdict ^ LB_FORWARD;
		odd |= ret_fates[i].ifindex ^ ret_fates[0].ifindex;
	}
	tally_flush(&t, &tally);
	return !odd;
}

bool dpdk_process_burst(const struct lb_tables *tables, uint32_t worker,
			const struct lb_moment *moment, struct rte_mbuf **mbufs, uint32_t n,
			struct dpdk_fate *ret_fates)
{
	const struct dpdk_run run = {.tables = tables, .worker = worker, .moment = moment};
	bool uniform;

	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[i], const void *));
	if (dpdk_columns()(&run, mbufs, n, ret_fates, &uniform))
		return uniform;
	return burst_of_any(&run, mbufs, n, ret_fates);
}
