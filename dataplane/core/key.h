/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_KEY_H
#define FAIRWAY_CORE_KEY_H

/* Keys other than exact ones: how they are made, compared and placed, for writer and readers. */

#include "dataplane/core/hash.h"
#include "dataplane/core/tables.h"

/* A key as the table holds it. */
struct lb_key {
	__be32 addr[4];
	__u32 word;
	__u32 scope;
};

LB_ALWAYS_INLINE int lb_key_matches(const struct lb_vip_entry *e, const struct lb_key *key)
{
	return lb_get64(e->addr) == lb_get64(key->addr) &&
	       lb_get64(&e->addr[2]) == lb_get64(&key->addr[2]) && e->word == key->word &&
	       e->scope == key->scope;
}

/* Where a key's probe sequence starts, before masking. Exact keys have lb_hash_vip4() and
 * lb_hash_vip6(). */
LB_ALWAYS_INLINE __u32 lb_hash_key(const struct lb_key *key)
{
	return lb_hash_vip6(key->addr, key->word ^ key->scope * 0x9e3779b1U);
}

/* Leading `prefix` bits of an address word that stands `before` bits into its address. */
LB_ALWAYS_INLINE __be32 lb_mask_word(__be32 word, __u32 before, __u32 prefix)
{
	if (prefix >= before + 32)
		return word;
	if (prefix <= before)
		return 0;
	return word & LB_BE32(~0U << (32 - (prefix - before)));
}

LB_ALWAYS_INLINE void lb_mask_addr(__be32 to[4], const __be32 from[4], __u32 prefix)
{
	for (__u32 i = 0; i < 4; i++)
		to[i] = lb_mask_word(from[i], 32 * i, prefix);
}

#endif
