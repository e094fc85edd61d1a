/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table in another size. An entry keeps the upper 40 bits of its flow's hash, and its
 * bucket tells where the lower 32 lie but for a bucket's width; so it is entered in each of the few
 * buckets of the other table that this range touches. The copies that nobody finds go when they
 * have been idle. */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool has_flow(const struct lb_bucket *b, uint64_t entry)
{
	for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++) {
		const uint64_t seen = __atomic_load_n(&b->entry[way], __ATOMIC_RELAXED);

		if (seen && !((seen ^ entry) & LB_FLOW_TAG_MASK))
			return true;
	}
	return false;
}

/* Enter what isn't there; a full bucket gives up an unconfirmed entry for a confirmed one. */
static void enter(struct lb_bucket *b, uint64_t entry)
{
	if (has_flow(b, entry))
		return;
	for (uint32_t pass = 0; pass < (entry & LB_FLOW_CONFIRMED ? 2U : 1U); pass++) {
		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++) {
			__u64 seen = __atomic_load_n(&b->entry[way], __ATOMIC_RELAXED);

			if (seen && (pass == 0 || seen & LB_FLOW_CONFIRMED))
				continue;
			if (__atomic_compare_exchange_n(&b->entry[way], &seen, entry, false,
							__ATOMIC_RELEASE, __ATOMIC_RELAXED))
				return;
		}
	}
}

static void copy_entry(struct lb_tables *to, uint64_t entry, uint32_t bucket, uint32_t buckets)
{
	/* The lower half of the hash h has (h * buckets) >> 32 == bucket, and entry's top byte. */
	uint64_t low = (((uint64_t)bucket << 32) + buckets - 1) / buckets;
	uint64_t high = ((((uint64_t)bucket + 1) << 32) + buckets - 1) / buckets - 1;
	uint64_t byte = entry & 0xff000000U;

	if (low < byte)
		low = byte;
	if (high > (byte | 0xffffff))
		high = byte | 0xffffff;
	for (uint64_t at = (low * to->dims.flow_buckets) >> 32;
	     low <= high && at <= (high * to->dims.flow_buckets) >> 32; at++)
		enter(&to->flows[at], entry);
}

void publish_flows_copy(struct lb_tables *to, const struct lb_tables *from)
{
	const uint32_t n = from->dims.flow_buckets;

	if (to->dims.flow_buckets == n || !to->dims.flow_buckets)
		return;
	for (uint32_t i = 0; i < n; i++) {
		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++) {
			uint64_t entry =
				__atomic_load_n(&from->flows[i].entry[way], __ATOMIC_RELAXED);

			if (entry)
				copy_entry(to, entry, i, n);
		}
	}
}

void publish_flows_clear(struct lb_tables *t)
{
	for (uint32_t i = 0; i < t->dims.flow_buckets; i++)
		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++)
			__atomic_store_n(&t->flows[i].entry[way], 0, __ATOMIC_RELAXED);
}
