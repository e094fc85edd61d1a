/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/core.h"

#include "dataplane/core/memory_target.h"
#include "dataplane/core/wire.h"

void (*core_race)(__u64 *word);

static int replace64_raced(__u64 *word, __u64 expected, __u64 value)
{
	if (core_race)
		core_race(word);
	return lb_replace64(word, expected, value);
}

#define lb_replace64 replace64_raced
#include "dataplane/core/ahead.h"
#include "dataplane/core/columns.h"
#include "dataplane/core/forward.h"

static const struct lb_moment any_moment = {.now_ns = 1};

void core_mask_addr(__be32 to[4], const __be32 from[4], uint32_t prefix)
{
	lb_mask_addr(to, from, prefix);
}

uint32_t core_hash_slot(uint64_t hash, uint32_t ring_slots)
{
	return lb_hash_slot(hash, ring_slots);
}

uint32_t core_flow_slot(uint64_t entry, uint32_t ring_slots)
{
	return lb_flow_slot(entry, ring_slots);
}

uint64_t core_flow_entry(uint64_t hash, uint32_t real, uint32_t stamp)
{
	return lb_flow_entry(hash, real, stamp);
}

int core_bucket_find(struct lb_bucket *b, uint64_t hash)
{
	__u64 seen;
	const __u64 *place = lb_bucket_find(b, hash, &seen);

	return place ? (int)(place - b->entry) : -1;
}

void core_bucket_put(struct lb_bucket *b, uint64_t entry)
{
	lb_bucket_put(b, entry);
}

uint32_t core_track_real(const struct lb_tables *t, const struct lb_moment *moment, uint32_t slot,
			 uint32_t current, uint64_t hash, uint32_t how)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, moment);

	_Static_assert(CORE_NEW == LB_TRACK_NEW && CORE_READ == LB_TRACK_READ, "the same bits");
	return lb_track_real(&target, slot, current, hash, how);
}

static struct lb_packet packet_of(const struct core_datagram *datagram)
{
	return (struct lb_packet){
		.flow = {.src = {datagram->src},
			 .dst = {datagram->dst},
			 .protocol = datagram->protocol,
			 .family = 4},
		.fragment_id = datagram->id,
	};
}

void core_fragment_remember(const struct lb_tables *t, const struct lb_moment *moment,
			    const struct core_datagram *datagram, uint32_t real)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, moment);
	const struct lb_packet p = packet_of(datagram);

	lb_fragment_remember(&target, &p, real);
}

uint32_t core_fragment_real(const struct lb_tables *t, const struct core_datagram *datagram)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, &any_moment);
	const struct lb_packet p = packet_of(datagram);

	return lb_fragment_real(&target, &p);
}

int core_martian4(__be32 src)
{
	return lb_martian4(src);
}

int core_martian6(const __be32 src[4])
{
	return lb_martian6(src);
}

int core_is_denied(const struct lb_tables *t, int family, const __be32 src[4], uint32_t list)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, &any_moment);
	struct lb_flow f = {.family = (__u8)family};

	__builtin_memcpy(f.src, src, family == 4 ? 4 : 16);
	return lb_is_denied(&target, &f, list);
}

int core_limit_take(const struct lb_tables *t, const struct lb_moment *moment, uint32_t index)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, moment);

	return lb_limit_take(&target, index);
}

uint32_t core_key_find(const struct lb_tables *t, const __be32 addr[4], uint32_t word,
		       uint32_t scope)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, &any_moment);
	struct lb_key key = {.word = word, .scope = scope};

	__builtin_memcpy(key.addr, addr, sizeof(key.addr));
	return lb_key_find(&target, &key);
}

uint32_t core_quic_real(const struct lb_tables *t, struct core_bytes frame, uint32_t l4_length,
			uint32_t service)
{
	const struct lb_target target = lb_memory_target(t, 0, 0, &any_moment);
	const struct lb_packet p = {.l4_length = l4_length};

	return lb_quic_real(&target, frame.at, frame.at + frame.len, &p, &t->services[service]);
}

uint16_t core_checksum_fold(uint64_t sum)
{
	return lb_checksum_fold(sum);
}

uint16_t core_checksum_fold48(uint64_t sum)
{
	return lb_checksum_fold48(sum);
}

uint16_t core_checksum_change(uint16_t checksum, uint16_t from, uint16_t to)
{
	return lb_checksum_change(checksum, from, to);
}

int core_write_headers(uint8_t *frame, size_t len, const struct lb_real *real, int inner_family,
		       uint32_t n_tags)
{
	const struct lb_iface iface = {.ifindex = 1};
	const struct lb_decision d = {
		.real_record = real,
		.iface = &iface,
		.inner_family = (__u8)inner_family,
		.grow_bytes = real->grow_bytes,
	};

	return lb_write_headers(frame, frame + len, &d, d.grow_bytes, n_tags);
}

int core_write_echo(uint8_t *frame, size_t len, int family, uint32_t l4)
{
	const struct lb_decision d = {.inner_family = (__u8)family, .l4 = l4};

	return lb_write_echo(frame, frame + len, &d);
}

int core_write_too_big(uint8_t *frame, size_t len, int family, uint32_t ip_length, uint32_t mtu)
{
	const struct lb_decision d = {
		.inner_family = (__u8)family, .ip_length = ip_length, .mtu = mtu};

	return lb_write_too_big(frame, frame + len, &d);
}

int core_decide(const struct lb_tables *t, const struct lb_moment *moment, struct core_bytes seen,
		uint32_t frame_bytes)
{
	const struct lb_target target = lb_memory_target(t, 0, frame_bytes, moment);
	struct lb_decision d = {0};

	return (int)lb_decide(&target, seen.at, seen.at + seen.len, &d);
}

void core_ahead(const struct lb_tables *t, const struct core_bytes *frames, uint32_t n,
		uint32_t ret_ahead[], uint32_t ret_common[])
{
	const struct lb_moment moment = {0};
	const struct lb_target target = lb_memory_target(t, 0, 0, &moment);
	struct lb_ahead a[CORE_BURST_MAX];
	struct lb_row row = {0};

	for (uint32_t i = 0; i < n; i++)
		lb_ahead_key(&target, &a[i], i, frames[i].at, frames[i].at + frames[i].len, &row);
	lb_ahead_waiting(&target, a, &row);
	for (uint32_t i = 0; i < n; i++)
		lb_ahead_slot(&target, &a[i]);
	for (uint32_t i = 0; i < n; i++) {
		const void *end = frames[i].at + frames[i].len;
		struct lb_decision ahead = {0}, common = {0};

		ret_ahead[i] = lb_ahead_real(&target, &a[i], end, &ahead) ? ahead.real : 0;
		ret_common[i] =
			lb_decide_common(&target, frames[i].at, end, &common) ? common.real : 0;
	}
}

int core_columns(const struct lb_tables *t, const struct core_bytes *frames, uint32_t n,
		 uint32_t iface, struct core_column *ret_columns)
{
	const struct lb_moment moment = {0};
	const struct lb_target target = lb_memory_target(t, 0, 0, &moment);
	const struct lb_ip4 *ip = (const void *)(frames[0].at + sizeof(struct lb_eth));
	const struct lb_udp *l4 = (const void *)(ip + 1);
	const __be32 dst = lb_get32(ip->dst);
	const uint32_t word = lb_vip_word(l4->dst, ip->protocol, LB_KEY_EXACT4);
	const struct lb_service *service =
		lb_ahead_service(&target, lb_vip_find4(&target, dst, word));
	struct lb_columns c;

	if (!service)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		lb_columns_load(&c, i, frames[i].at, (uint16_t)frames[i].len);
	lb_columns_fill(&c, n);
	if (!lb_columns_keys(&c, t->node, dst, word, service->ring_start, service->ring_slots))
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		const uint32_t real = lb_slot_word(&target, c.slot[i]);

		lb_columns_way(&c, i, real, lb_table_real(&target, real));
	}
	lb_columns_fill_ways(&c, n);
	ret_columns->all = lb_columns_outer(&c, iface, t->node->ifaces[iface].common_mtu);
	for (uint32_t i = 0; i < n; i++) {
		ret_columns[i].real = c.word[i];
		ret_columns[i].fits = c.fits[i];
		ret_columns[i].outer[0] = c.outer[0][i];
		ret_columns[i].outer[1] = c.outer[1][i];
	}
	return 1;
}

void core_count_many(const struct lb_tables *t, uint32_t counter, uint32_t packets, uint64_t bytes)
{
	const struct lb_moment moment = {0};
	const struct lb_target target = lb_memory_target(t, 0, 0, &moment);

	lb_count_many(&target, counter, packets, bytes);
}

int core_at(struct core_bytes frame, uint32_t offset, uint32_t bytes)
{
	return lb_at(frame.at, frame.at + frame.len, offset, bytes) != (void *)0;
}
