/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* The VIP index and the table of denied prefixes: both are open addressing over the same entries.
 */

static uint8_t kind_of(const struct lb_key *key)
{
	return (uint8_t)(key->word >> 24);
}

static bool is_denied_kind(uint8_t kind)
{
	return kind == LB_KEY_DENIED4 || kind == LB_KEY_DENIED6;
}

struct publish_index {
	struct lb_vip_entry *entries;
	uint32_t n;
	struct space *space;
	enum publish_table table;
};

static struct publish_index index_of(struct publish *p, const struct lb_key *key)
{
	const struct lb_tables *t = p->t;

	if (is_denied_kind(kind_of(key)))
		return (struct publish_index){t->denied, t->dims.deny_entries, &p->denied,
					      PUBLISH_DENIED};
	return (struct publish_index){t->vips, t->dims.vip_entries, &p->entries, PUBLISH_VIPS};
}

struct lb_key publish_entry_key(const struct lb_vip_entry *e)
{
	struct lb_key key = {.word = e->word, .scope = e->scope};

	memcpy(key.addr, e->addr, sizeof(key.addr));
	return key;
}

static uint32_t start_of(const struct lb_key *key)
{
	switch (kind_of(key)) {
	case LB_KEY_EXACT4:
		return lb_hash_vip4(key->addr[0], key->word);
	case LB_KEY_EXACT6:
		return lb_hash_vip6(key->addr, key->word);
	default:
		return lb_hash_key(key);
	}
}

static struct lb_vip_entry *find(struct lb_vip_entry *entries, uint32_t n, const struct lb_key *key)
{
	uint32_t at = start_of(key);

	for (uint32_t i = 0; i < LB_VIP_PROBE_MAX; i++) {
		struct lb_vip_entry *e = &entries[(at + i) & (n - 1)];

		if (e->service == LB_SERVICE_NONE)
			return NULL;
		if (e->service != LB_SERVICE_DELETED && lb_key_matches(e, key))
			return e;
	}
	return NULL;
}

struct lb_vip_entry *publish_key_find(const struct publish *p, const struct lb_key *key)
{
	const struct lb_tables *t = p->t;

	return is_denied_kind(kind_of(key)) ? find(t->denied, t->dims.deny_entries, key)
					    : find(t->vips, t->dims.vip_entries, key);
}

/* Write the key, then publish it by its value. */
static void write_entry(struct lb_vip_entry *e, const struct lb_key *key, uint32_t value)
{
	memcpy(e->addr, key->addr, sizeof(e->addr));
	e->word = key->word;
	e->scope = key->scope;
	__atomic_store_n(&e->service, value, __ATOMIC_RELEASE);
}

static int add(struct publish *p, const struct publish_index *x, const struct lb_key *key,
	       uint32_t value)
{
	uint32_t at = start_of(key);

	for (uint32_t i = 0; i < LB_VIP_PROBE_MAX; i++) {
		uint32_t place = (at + i) & (x->n - 1);

		/* A deleted entry may still be under a reader's eyes until its grace period. */
		if (x->space->state[place] != SPACE_FREE)
			continue;
		space_claim(x->space, place, 1);
		write_entry(&x->entries[place], key, value);
		p->writes++;
		return 0;
	}
	return -ENOSPC;
}

static int make_room(struct publish *p, const struct lb_key *key, struct err *err)
{
	struct publish_index x = index_of(p, key);

	return publish_make_room(p, x.table, x.n, err);
}

/* Enter a key of a listed kind or any other, growing the table when it is crowded. */
static int enter(struct publish *p, const struct lb_key *key, uint32_t value, struct err *err)
{
	struct publish_index x = index_of(p, key);
	int rc = 0;

	/* Sparse, so that the first probe nearly always hits. */
	if (x.space->used - x.space->pending > x.n / 4)
		rc = make_room(p, key, err);
	x = index_of(p, key);
	while (!rc && add(p, &x, key, value)) {
		rc = make_room(p, key, err);
		x = index_of(p, key);
	}
	return rc;
}

/* Which of the node's short lists has to have what before a key of this kind is found. */
static bool listed(const struct lb_key *key, enum publish_list *ret_list, uint32_t *ret_value)
{
	switch (kind_of(key)) {
	case LB_KEY_SHAPED4:
	case LB_KEY_SHAPED6:
		*ret_list = kind_of(key) == LB_KEY_SHAPED4 ? PUBLISH_SHAPES4 : PUBLISH_SHAPES6;
		*ret_value = key->scope;
		return true;
	case LB_KEY_DENIED4:
	case LB_KEY_DENIED6:
		*ret_list = kind_of(key) == LB_KEY_DENIED4 ? PUBLISH_DENIED4 : PUBLISH_DENIED6;
		*ret_value = (key->word & 0xffff) + 1;
		return true;
	default:
		return false;
	}
}

int publish_key_enter(struct publish *p, const struct lb_key *key, uint32_t value, struct err *err)
{
	enum publish_list list;
	uint32_t listed_value;
	int rc;

	if (!listed(key, &list, &listed_value))
		return enter(p, key, value, err);
	rc = publish_list_add(p, list, listed_value, err);
	if (rc)
		return rc;
	rc = enter(p, key, value, err);
	if (rc)
		publish_list_remove(p, list, listed_value);
	return rc;
}

int publish_key_claim(struct publish *p, struct lb_vip_entry *e, struct err *err)
{
	struct lb_key key = publish_entry_key(e);
	struct publish_index x = index_of(p, &key);
	enum publish_list list;
	uint32_t value;

	space_claim(x.space, (uint32_t)(e - x.entries), 1);
	if (e->service == LB_SERVICE_DELETED) {
		space_give(x.space, (uint32_t)(e - x.entries), 1);
		return 0;
	}
	return listed(&key, &list, &value) ? publish_list_add(p, list, value, err) : 0;
}

void publish_key_remove(struct publish *p, struct lb_vip_entry *entry)
{
	struct lb_key key = publish_entry_key(entry);
	struct publish_index x = index_of(p, &key);
	enum publish_list list;
	uint32_t value;

	publish_store32(p, &entry->service, LB_SERVICE_DELETED);
	space_give(x.space, (uint32_t)(entry - x.entries), 1);
	if (listed(&key, &list, &value))
		publish_list_remove(p, list, value);
}

static void sweep(struct lb_vip_entry *entries, uint32_t n, const struct space *space)
{
	for (uint32_t i = 2 * n; i-- > 0;) {
		struct lb_vip_entry *e = &entries[i & (n - 1)];

		if (e->service == LB_SERVICE_DELETED && space->state[i & (n - 1)] == SPACE_FREE &&
		    entries[(i + 1) & (n - 1)].service == LB_SERVICE_NONE)
			__atomic_store_n(&e->service, LB_SERVICE_NONE, __ATOMIC_RELEASE);
	}
}

void publish_index_sweep(struct publish *p)
{
	sweep(p->t->vips, p->t->dims.vip_entries, &p->entries);
	sweep(p->t->denied, p->t->dims.deny_entries, &p->denied);
}

static int copy(struct lb_vip_entry *to, uint32_t n_to, const struct lb_vip_entry *from,
		uint32_t n_from)
{
	for (uint32_t i = 0; i < n_from; i++) {
		struct lb_key key = publish_entry_key(&from[i]);
		uint32_t at = start_of(&key), probe = 0;

		if (from[i].service == LB_SERVICE_NONE || from[i].service == LB_SERVICE_DELETED)
			continue;
		while (probe < LB_VIP_PROBE_MAX &&
		       to[(at + probe) & (n_to - 1)].service != LB_SERVICE_NONE)
			probe++;
		if (probe == LB_VIP_PROBE_MAX)
			return -ENOSPC;
		write_entry(&to[(at + probe) & (n_to - 1)], &key, from[i].service);
	}
	return 0;
}

int publish_index_copy(struct lb_tables *to, const struct lb_tables *from)
{
	int rc = copy(to->vips, to->dims.vip_entries, from->vips, from->dims.vip_entries);

	return rc ? rc
		  : copy(to->denied, to->dims.deny_entries, from->denied, from->dims.deny_entries);
}
