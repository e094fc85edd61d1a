/* SPDX-License-Identifier: BSD-2-Clause */
/* A burst of IPv4 packets for one port of one VIP: what most bursts are where few VIPs have most of
 * the traffic. Most of the work is arithmetic on fields side by side. This file is compiled once
 * for each width of vectors, with a name of its own for DPDK_COLUMNS. */
#include <string.h>

#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/core/memory_target.h"

#include "dataplane/core/ahead.h"
#include "dataplane/core/columns.h"
#include "dataplane/dpdk/burst.h"

/* Copies for what is missing cost as much as packets: fewer aren't worth it. */
#define FEW 12U

/* The key that a burst may have in common. */
struct key {
	__be32 dst;
	uint32_t word;
};

static inline const uint8_t *frame_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, const uint8_t *);
}

/* The key of a frame, right if the frame is of the common kind. */
static inline struct key key_of(const struct rte_mbuf *mbuf)
{
	const struct lb_ip4 *ip = (const void *)(frame_of(mbuf) + sizeof(struct lb_eth));
	const struct lb_udp *l4 = (const void *)(ip + 1);

	return (struct key){.dst = lb_get32(ip->dst),
			    .word = lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4)};
}

/* A look at three of them, before all are looked at. */
static inline bool seem_alike(struct rte_mbuf **mbufs, uint32_t n, const struct key *key)
{
	const struct key last = key_of(mbufs[n - 1]), mid = key_of(mbufs[n / 2]);

	return !((key->dst ^ last.dst) | (key->dst ^ mid.dst) | (key->word ^ last.word) |
		 (key->word ^ mid.word));
}

/* False: the buffer of one is of several segments, or has no room for headers. */
static inline bool load(struct lb_columns *c, struct rte_mbuf **mbufs, uint32_t n)
{
	uint32_t odd = 0;

	for (uint32_t i = 0; i < n; i++) {
		lb_columns_load(c, i, frame_of(mbufs[i]), rte_pktmbuf_data_len(mbufs[i]));
		odd |= mbufs[i]->nb_segs ^ 1U;
		odd |= mbufs[i]->data_off < LB_GROW_IP4;
	}
	lb_columns_fill(c, n);
	return !odd;
}

/* Slot and real of each. What a tracked slot is asked for next is not waited for. */
static inline void find_ways(const struct lb_target *t, struct lb_columns *c, uint32_t n)
{
	const __u16 *slots = (const __u16 *)t->tables->slots;
	const struct lb_real *reals = t->tables->reals;
	const uint32_t n_reals = t->tables->dims.reals;

	for (uint32_t i = 0; i < n; i++)
		rte_prefetch0(&slots[c->slot[i]]);
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t word = LB_READ_ONCE(slots[c->slot[i]]);

		/* The word of a tracked slot is no real's number, and real 0 leads nowhere. */
		lb_columns_way(c, i, word, &reals[likely(word < n_reals) ? word : 0]);
		if (likely(!(word & LB_SLOT_TRACKED)))
			continue;
		rte_prefetch0(lb_table_flow(
			t, lb_flow_bucket(c->hash[i], lb_table_node(t)->flow_buckets)));
		rte_prefetch0(lb_table_previous(t, c->slot[i]));
	}
	lb_columns_fill_ways(c, n);
}

/* What forwarding has of the tables. */
struct way_out {
	const struct lb_real *reals;
	struct lb_counter *counters; /* of the reals */
	uint64_t eth_tail; /* the last eight bytes of an Ethernet header, the same for all */
};

/* Headers and counters of a packet whose outer header is made. */
static inline void forward(const struct way_out *out, const struct lb_columns *c, uint32_t i,
			   struct rte_mbuf *mbuf)
{
	struct lb_counter *counter = &out->counters[c->word[i]];
	uint8_t *data;

	mbuf->data_off = (uint16_t)(mbuf->data_off - LB_GROW_IP4);
	mbuf->data_len = (uint16_t)(sizeof(struct lb_eth) + LB_GROW_IP4 + c->ip_length[i]);
	mbuf->pkt_len = mbuf->data_len;
	data = rte_pktmbuf_mtod(mbuf, uint8_t *);
	lb_put64(data, c->nexthop[i]);
	lb_put64(data + 6, out->eth_tail);
	lb_put64(data + 14, c->outer[0][i]);
	lb_put64(data + 22, c->outer[1][i]);
	lb_put32(data + 30, out->reals[c->word[i]].addr[0]);
	LB_WRITE(counter->packets, counter->packets + 1);
	LB_WRITE(counter->bytes, counter->bytes + c->ip_length[i]);
}

/* A packet that the outer headers aren't for. */
static inline struct dpdk_fate finish(const struct dpdk_run *run, const struct lb_target *t,
				      const struct lb_columns *c, uint32_t i,
				      const struct lb_service *service, struct rte_mbuf *mbuf)
{
	const struct lb_ahead a = {
		.data = frame_of(mbuf),
		.service_record = service,
		.real_record = lb_table_real(t, c->word[i]),
		.hash = c->hash[i],
		.ip_length = c->ip_length[i],
		.real = c->word[i],
		.kind = 4,
	};

	return dpdk_finish(run, &a, mbuf);
}

/* Does all that is reached by a burst lie inside the tables? Then it is asked once for all. */
static inline bool lies_inside(const struct lb_target *t, uint32_t ring_start, uint32_t ring_slots)
{
	const struct lb_dims *dims = &t->tables->dims;

	return (uint64_t)ring_start + ring_slots <=
		       (uint64_t)dims->slot_lines * LB_SLOTS_PER_LINE &&
	       lb_real_counter(t, dims->reals - 1) < dims->counter_stride;
}

static inline uint64_t eth_tail_of(const struct lb_iface *iface)
{
	const __be16 proto = LB_BE16(LB_ETH_P_IP4);
	uint64_t tail;

	memcpy(&tail, iface->mac, sizeof(iface->mac));
	memcpy((uint8_t *)&tail + sizeof(iface->mac), &proto, sizeof(proto));
	return tail;
}

bool DPDK_COLUMNS(const struct dpdk_run *run, struct rte_mbuf **mbufs, uint32_t n,
		  struct dpdk_fate *ret_fates, bool *ret_uniform)
{
	const struct lb_target t = lb_memory_target(run->tables, run->worker, 0, run->moment);
	const struct lb_node *node = lb_table_node(&t);
	const struct lb_service *service;
	const struct lb_iface *iface;
	struct dpdk_fate fate = {.verdict = LB_FORWARD};
	struct lb_columns c;
	struct way_out out = {
		.reals = t.tables->reals,
		.counters = &t.row[lb_real_counter(&t, 0)],
	};
	uint32_t ring_start, ring_slots, number, packets = 0, odd = 0;
	uint64_t bytes = 0;
	struct key key;
	bool all;

	if (n < FEW || n > LB_COLUMNS)
		return false;
	key = key_of(mbufs[0]);
	if (!seem_alike(mbufs, n, &key))
		return false;
	service = lb_ahead_service(&t, lb_vip_find4(&t, key.dst, key.word));
	if (!service)
		return false;
	ring_start = LB_READ_ANY(service->ring_start);
	ring_slots = LB_READ_ANY(service->ring_slots);
	if (!lies_inside(&t, ring_start, ring_slots))
		return false;
	if (!load(&c, mbufs, n) ||
	    !lb_columns_keys(&c, node, key.dst, key.word, ring_start, ring_slots))
		return false;
	find_ways(&t, &c, n);
	number = lb_nexthop_iface(c.nexthop[0]) % LB_IFACES_MAX;
	iface = &node->ifaces[number];
	all = lb_columns_outer(&c, number, iface->common_mtu);
	fate.ifindex = iface->flags & LB_IFACE_SOLE ? 0 : iface->ifindex;
	out.eth_tail = eth_tail_of(iface);
	if (likely(all)) {
		for (uint32_t i = 0; i < n; i++) {
			forward(&out, &c, i, mbufs[i]);
			bytes += c.ip_length[i];
		}
		lb_count_many(&t, service->counter, n, bytes);
		ret_fates[0] = fate;
		*ret_uniform = true;
		return true;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (likely(c.fits[i])) {
			forward(&out, &c, i, mbufs[i]);
			packets++;
			bytes += c.ip_length[i];
			ret_fates[i] = fate;
		} else {
			ret_fates[i] = finish(run, &t, &c, i, service, mbufs[i]);
		}
		odd |= ret_fates[i].verdict ^ LB_FORWARD;
		odd |= ret_fates[i].ifindex ^ ret_fates[0].ifindex;
	}
	if (packets)
		lb_count_many(&t, service->counter, packets, bytes);
	*ret_uniform = !odd;
	return true;
}
