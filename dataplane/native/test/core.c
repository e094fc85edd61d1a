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

	for (uint32_t i = 0; i < n; i++) {
		a[i].data = frames[i].at;
		a[i].end = frames[i].at + frames[i].len;
		lb_ahead_key(&target, &a[i], i ? &a[i - 1] : (void *)0);
	}
	for (uint32_t i = 0; i < n; i++)
		lb_ahead_service(&target, &a[i], i ? &a[i - 1] : (void *)0);
	for (uint32_t i = 0; i < n; i++)
		lb_ahead_slot(&target, &a[i]);
	for (uint32_t i = 0; i < n; i++) {
		struct lb_decision ahead = {0}, common = {0};

		ret_ahead[i] = lb_ahead_real(&target, &a[i], &ahead) ? ahead.real : 0;
		ret_common[i] =
			lb_decide_common(&target, a[i].data, a[i].end, &common) ? common.real : 0;
	}
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
