/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "dataplane/core/hash.h"

struct lb_vip_entry publish_entry(const struct publish_key *key)
{
	struct lb_vip_entry e = {
		.word = lb_vip_word(htons(key->port), key->protocol, key->addr.family),
	};

	memcpy(e.addr, key->addr.bytes, sizeof(e.addr));
	return e;
}

struct publish_key publish_entry_key(const struct lb_vip_entry *entry)
{
	struct publish_key key = {
		.addr.family = (uint8_t)(entry->word >> 24),
		.port = ntohs((uint16_t)entry->word),
		.protocol = (uint8_t)(entry->word >> 16),
	};

	memcpy(key.addr.bytes, entry->addr, sizeof(entry->addr));
	return key;
}

static uint32_t start_of(const struct lb_vip_entry *e)
{
	return e->word >> 24 == 4 ? lb_hash_vip4(e->addr[0], e->word)
				  : lb_hash_vip6(e->addr, e->word);
}

static bool same_key(const struct lb_vip_entry *a, const struct lb_vip_entry *b)
{
	return memcmp(a->addr, b->addr, sizeof(a->addr)) == 0 && a->word == b->word;
}

struct lb_vip_entry *publish_index_find(const struct lb_tables *t, const struct publish_key *key)
{
	struct lb_vip_entry want = publish_entry(key);
	uint32_t at = start_of(&want), mask = t->dims.vip_entries - 1;

	for (uint32_t i = 0; i < LB_VIP_PROBE_MAX; i++) {
		struct lb_vip_entry *e = &t->vips[(at + i) & mask];

		if (e->service == LB_SERVICE_NONE)
			return NULL;
		if (e->service != LB_SERVICE_DELETED && same_key(e, &want))
			return e;
	}
	return NULL;
}

/* Write the key, then publish it by its service. */
static void enter(struct lb_vip_entry *e, const struct lb_vip_entry *key, uint32_t service)
{
	memcpy(e->addr, key->addr, sizeof(e->addr));
	e->word = key->word;
	__atomic_store_n(&e->service, service, __ATOMIC_RELEASE);
}

int publish_index_add(struct publish *p, const struct publish_key *key, uint32_t service)
{
	struct lb_vip_entry want = publish_entry(key);
	uint32_t at = start_of(&want), mask = p->t->dims.vip_entries - 1;

	for (uint32_t i = 0; i < LB_VIP_PROBE_MAX; i++) {
		uint32_t place = (at + i) & mask;

		/* A deleted entry may still be under a reader's eyes until its grace period. */
		if (p->entries.state[place] != SPACE_FREE)
			continue;
		space_claim(&p->entries, place, 1);
		enter(&p->t->vips[place], &want, service);
		p->writes++;
		return 0;
	}
	return -ENOSPC;
}

void publish_index_remove(struct publish *p, struct lb_vip_entry *entry)
{
	publish_store32(p, &entry->service, LB_SERVICE_DELETED);
	space_give(&p->entries, (uint32_t)(entry - p->t->vips), 1);
}

void publish_index_sweep(struct publish *p)
{
	uint32_t n = p->t->dims.vip_entries;

	for (uint32_t i = 2 * n; i-- > 0;) {
		struct lb_vip_entry *e = &p->t->vips[i & (n - 1)];

		if (e->service == LB_SERVICE_DELETED &&
		    p->entries.state[i & (n - 1)] == SPACE_FREE &&
		    p->t->vips[(i + 1) & (n - 1)].service == LB_SERVICE_NONE)
			__atomic_store_n(&e->service, LB_SERVICE_NONE, __ATOMIC_RELEASE);
	}
}

int publish_index_copy(struct lb_tables *to, const struct lb_tables *from)
{
	uint32_t mask = to->dims.vip_entries - 1;

	for (uint32_t i = 0; i < from->dims.vip_entries; i++) {
		const struct lb_vip_entry *e = &from->vips[i];
		uint32_t at, probe = 0;

		if (e->service == LB_SERVICE_NONE || e->service == LB_SERVICE_DELETED)
			continue;
		at = start_of(e);
		while (probe < LB_VIP_PROBE_MAX &&
		       to->vips[(at + probe) & mask].service != LB_SERVICE_NONE)
			probe++;
		if (probe == LB_VIP_PROBE_MAX)
			return -ENOSPC;
		enter(&to->vips[(at + probe) & mask], e, e->service);
	}
	return 0;
}
