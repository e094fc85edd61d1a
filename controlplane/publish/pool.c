/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/maglev/maglev.h"

struct publish_pool *publish_pool_find(const struct publish *p, const char *name)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].name[0] && strcmp(p->pools[i].name, name) == 0)
			return &p->pools[i];
	return NULL;
}

const struct publish_real *publish_pool_real(const struct publish_pool *pool,
					     const struct addr *addr)
{
	size_t low = 0, high = pool->n_reals;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = addr_cmp(addr, &pool->reals[mid].addr);

		if (!c)
			return &pool->reals[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	return addr_cmp(&((const struct publish_real *)a)->addr,
			&((const struct publish_real *)b)->addr);
}

static uint32_t lines_of(uint32_t slots)
{
	return (slots + LB_SLOTS_PER_LINE - 1) / LB_SLOTS_PER_LINE;
}

/* A place for a new pool; the array may move. */
/* A free place: the one that adopted keys of this pool have as their scope, else one that none
 * has. */
static struct publish_pool *pool_place(const struct publish *p, uint64_t key)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].state == SPACE_FREE && p->pools[i].adopted_key == key)
			return &p->pools[i];
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].state == SPACE_FREE && !p->pools[i].adopted_key)
			return &p->pools[i];
	return NULL;
}

static struct publish_pool *pool_add(struct publish *p, const char *name)
{
	struct publish_pool *pool = pool_place(p, publish_pool_key(name)), *grown;

	if (!pool) {
		grown = realloc(p->pools, (p->n_pools + 1) * sizeof(*p->pools));
		if (!grown)
			return NULL;
		p->pools = grown;
		pool = &p->pools[p->n_pools++];
	}
	memset(pool, 0, sizeof(*pool));
	memcpy(pool->name, name, strlen(name) + 1);
	pool->state = SPACE_USED;
	return pool;
}

static int check_members(const struct publish *p, const char *name,
			 const struct publish_pool_spec *spec, const struct publish_member *members,
			 size_t n, struct err *err)
{
	char text[ADDR_STRLEN];

	if (!p->node_set)
		return err_set(err, -EINVAL, "the node's hash seed is not set");
	if (!*name || strlen(name) >= PUBLISH_NAME_LEN)
		return err_set(err, -EINVAL, "pool name \"%s\": needs 1 to %d characters", name,
			       PUBLISH_NAME_LEN - 1);
	for (size_t i = 0; i < n && spec->encap != LB_ENCAP_L2DSR; i++) {
		const struct prefix *source =
			members[i].addr.family == 4 ? &p->node.source4 : &p->node.source6;

		if (!source->addr.family)
			return err_set(err, -EINVAL,
				       "pool %s: real %s needs an IPv%u tunnel source: set "
				       "node.tunnel_source.ipv%u",
				       name, addr_format(&members[i].addr, text),
				       members[i].addr.family, members[i].addr.family);
	}
	return 0;
}

/* Members as reals sorted by address, each with a record. *ret_fresh marks records made here. */
static int make_reals(struct publish *p, const struct publish_pool *old, const char *name,
		      const struct publish_pool_spec *spec, const struct publish_member *members,
		      size_t n, struct publish_real *reals, uint8_t *fresh, struct err *err)
{
	char text[ADDR_STRLEN];
	int rc = 0;
	size_t i;

	for (i = 0; i < n; i++)
		reals[i] = (struct publish_real){.addr = members[i].addr,
						 .weight = members[i].weight,
						 .server_id = members[i].server_id};
	qsort(reals, n, sizeof(*reals), by_address);
	for (i = 0; i < n && !rc; i++) {
		const struct publish_real *had =
			old ? publish_pool_real(old, &reals[i].addr) : NULL;
		bool is_new = false;

		if (i && addr_equal(&reals[i].addr, &reals[i - 1].addr))
			rc = err_set(err, -EEXIST, "pool %s: real %s is there twice", name,
				     addr_format(&reals[i].addr, text));
		else if (had && publish_real_current(p, spec, had->id))
			reals[i].id = had->id;
		else
			rc = publish_real_get(p, name, spec, &reals[i].addr, &reals[i].id, &is_new,
					      err);
		fresh[i] = is_new;
	}
	if (!rc)
		return 0;
	while (i-- > 0)
		if (fresh[i])
			space_undo(&p->real_ids, reals[i].id, 1);
	return rc;
}

/* Slots of a ring as numbers of reals, built by Maglev. */
static int build_ring(const struct publish *p, const char *name, const struct publish_real *reals,
		      size_t n, uint16_t *slots, uint32_t table_size, struct err *err)
{
	AUTO_FREE struct maglev_backend *backends = calloc(n, sizeof(*backends));
	int rc;

	if (!backends)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < n; i++) {
		backends[i].id = (uint16_t)reals[i].id;
		backends[i].weight = reals[i].weight;
		memcpy(backends[i].key, reals[i].addr.bytes, sizeof(backends[i].key));
	}
	rc = maglev_populate(backends, n, p->node.hash_seed, slots, table_size);
	if (rc)
		return err_set(err, rc, "pool %s: fill %u slots: %s%s", name, table_size,
			       strerror(-rc),
			       rc == -EINVAL ? " (the table size must be a prime)" : "");
	return 0;
}

static void count_slots(const struct publish *p, struct publish_pool *pool)
{
	AUTO_FREE uint32_t *by_id = calloc(p->t->dims.reals, sizeof(*by_id));

	for (uint32_t i = 0; by_id && i < pool->ring_slots; i++) {
		uint32_t at = pool->ring_start + i;

		by_id[p->t->slots[at / LB_SLOTS_PER_LINE].slot[at % LB_SLOTS_PER_LINE] &
		      LB_SLOT_REAL_MASK]++;
	}
	for (size_t i = 0; by_id && i < pool->n_reals; i++)
		pool->reals[i].slots = by_id[pool->reals[i].id];
}

/* An adopted ring of exactly these slots saves building one and repointing services. */
static bool take_adopted_ring(struct publish *p, const uint16_t *slots, uint32_t n,
			      uint32_t *ret_start)
{
	for (size_t i = 0; i < p->n_rings; i++) {
		struct publish_ring *r = &p->rings[i];

		if (r->taken || r->slots != n ||
		    memcmp(p->t->slots[r->start / LB_SLOTS_PER_LINE].slot, slots,
			   n * sizeof(*slots)) != 0)
			continue;
		r->taken = true;
		*ret_start = r->start;
		return true;
	}
	return false;
}

/* Put a ring where nobody reads. */
static int place_ring(struct publish *p, const uint16_t *slots, uint32_t n, uint32_t *ret_start,
		      struct err *err)
{
	uint32_t line;
	int rc;

	if (take_adopted_ring(p, slots, n, ret_start))
		return 0;
	rc = publish_take(p, PUBLISH_LINES, lines_of(n), &line, err);
	if (rc)
		return rc;
	memset(&p->t->slots[line], 0, lines_of(n) * sizeof(*p->t->slots));
	memset(&p->t->previous[line], 0, lines_of(n) * sizeof(*p->t->previous));
	memcpy(p->t->slots[line].slot, slots, n * sizeof(*slots));
	*ret_start = line * LB_SLOTS_PER_LINE;
	return 0;
}

static bool same_ring_input(const struct publish_pool *pool, const struct publish_real *reals,
			    size_t n, uint32_t table_size)
{
	if (pool->n_reals != n || pool->spec.table_size != table_size)
		return false;
	for (size_t i = 0; i < n; i++)
		if (pool->reals[i].id != reals[i].id || pool->reals[i].weight != reals[i].weight)
			return false;
	return true;
}

static bool is_member(const struct publish_real *reals, size_t n, const struct publish_real *r)
{
	const struct publish_real *found = bsearch(r, reals, n, sizeof(*reals), by_address);

	return found && found->id == r->id;
}

/* Give up what the old state had and the new one hasn't. */
static void release_old(struct publish *p, const struct publish_pool *old,
			const struct publish_pool *now)
{
	for (size_t i = 0; i < old->n_reals; i++)
		if (!now || !is_member(now->reals, now->n_reals, &old->reals[i]))
			space_give(&p->real_ids, old->reals[i].id, 1);
	if (old->ring_slots)
		space_give(&p->lines, old->ring_start / LB_SLOTS_PER_LINE,
			   lines_of(old->ring_slots));
}

static bool any_weight(const struct publish_real *reals, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (reals[i].weight)
			return true;
	return false;
}

/* Build and place the ring of *next. */
static int make_ring(struct publish *p, struct publish_pool *next, struct err *err)
{
	AUTO_FREE uint16_t *slots = NULL;
	int rc;

	next->ring_start = next->ring_slots = 0;
	if (!any_weight(next->reals, next->n_reals))
		return 0;
	slots = calloc(next->spec.table_size, sizeof(*slots));
	if (!slots)
		return err_set(err, -ENOMEM, "out of memory");
	rc = build_ring(p, next->name, next->reals, next->n_reals, slots, next->spec.table_size,
			err);
	if (!rc)
		rc = place_ring(p, slots, next->spec.table_size, &next->ring_start, err);
	if (!rc)
		next->ring_slots = next->spec.table_size;
	return rc;
}

/* Put *next in force: its services first, then what the old state alone used is given up. */
static int swap_pool(struct publish *p, struct publish_pool *pool, struct publish_pool *next,
		     struct err *err)
{
	struct publish_pool old = *pool;
	int rc;

	*pool = *next;
	rc = publish_quic_enter(p, pool, err);
	if (!rc)
		rc = publish_services_repoint(p, (uint32_t)(pool - p->pools), err);
	if (rc)
		*pool = old;
	if (old.spec.quic_length || next->spec.quic_length)
		publish_quic_settle(p, pool);
	if (rc)
		return rc;
	for (size_t i = 0; i < pool->n_reals; i++)
		if (pool->reals[i].id < p->n_adopted_reals)
			p->adopted_reals[pool->reals[i].id] = 0;
	count_slots(p, pool);
	release_old(p, &old, pool);
	free(old.reals);
	return 0;
}

static void undo_next(struct publish *p, struct publish_pool *next, const uint8_t *fresh)
{
	for (size_t i = 0; i < next->n_reals; i++)
		if (fresh[i])
			space_undo(&p->real_ids, next->reals[i].id, 1);
	if (next->ring_slots)
		space_undo(&p->lines, next->ring_start / LB_SLOTS_PER_LINE,
			   lines_of(next->ring_slots));
	free(next->reals);
}

/* The same server ids, found by the same way. */
static bool same_ids(const struct publish_pool *a, const struct publish_pool *b)
{
	if (a->spec.quic_length != b->spec.quic_length ||
	    a->spec.quic_rotation != b->spec.quic_rotation)
		return false;
	for (size_t i = 0; i < a->n_reals; i++)
		if (memcmp(&a->reals[i].server_id, &b->reals[i].server_id,
			   sizeof(a->reals[i].server_id)) != 0)
			return false;
	return true;
}

static int set_members(struct publish *p, struct publish_pool *pool,
		       const struct publish_pool_spec *spec, const struct publish_member *members,
		       size_t n, bool force, struct err *err)
{
	struct publish_pool next = *pool;
	AUTO_FREE uint8_t *fresh = calloc(n + 1, 1);
	uint32_t place = (uint32_t)(pool - p->pools);
	int rc;

	next.spec = *spec;
	next.n_reals = n;
	next.reals = calloc(n + 1, sizeof(*next.reals));
	if (!next.reals || !fresh) {
		free(next.reals);
		return err_set(err, -ENOMEM, "out of memory");
	}
	rc = make_reals(p, pool, pool->name, spec, members, n, next.reals, fresh, err);
	if (rc) {
		free(next.reals);
		return rc;
	}
	if (!force && same_ring_input(pool, next.reals, n, spec->table_size) &&
	    same_ids(pool, &next)) {
		pool->spec = *spec;
		free(next.reals);
		return 0;
	}
	rc = make_ring(p, &next, err);
	if (!rc)
		rc = swap_pool(p, &p->pools[place], &next, err);
	if (rc)
		undo_next(p, &next, fresh);
	return rc;
}

int publish_pool_set(struct publish *p, const char *name, const struct publish_pool_spec *spec,
		     const struct publish_member *members, size_t n, struct err *err)
{
	int rc = check_members(p, name, spec, members, n, err);
	uint32_t table_size = spec->table_size;
	struct publish_pool *pool = publish_pool_find(p, name);
	bool created = !pool;
	uint32_t place;

	if (rc)
		return rc;
	if (table_size > MAGLEV_SLOTS_MAX || !maglev_is_prime(table_size))
		return err_set(err, -EINVAL, "pool %s: table size %u is not a prime up to %u", name,
			       table_size, MAGLEV_SLOTS_MAX);
	if (!pool)
		pool = pool_add(p, name);
	if (!pool)
		return err_set(err, -ENOMEM, "out of memory");
	place = (uint32_t)(pool - p->pools);
	rc = set_members(p, pool, spec, members, n, false, err);
	if (rc && created)
		memset(&p->pools[place], 0, sizeof(*p->pools));
	return rc;
}

int publish_pool_remove(struct publish *p, const char *name, struct err *err)
{
	struct publish_pool *pool = publish_pool_find(p, name);

	if (!pool)
		return err_set(err, -ENOENT, "no pool %s", name);
	if (pool->n_services)
		return err_set(err, -EBUSY, "pool %s is used by %u services", name,
			       pool->n_services);
	release_old(p, pool, NULL);
	free(pool->reals);
	pool->n_reals = 0;
	if (pool->spec.quic_length)
		publish_quic_settle(p, pool);
	memset(pool, 0, sizeof(*pool));
	/* Packets may still look for server ids under the place's number. */
	pool->state = SPACE_PENDING;
	return 0;
}

int publish_pools_refresh(struct publish *p, struct err *err)
{
	for (uint32_t i = 0; i < p->n_pools; i++) {
		struct publish_pool *pool = &p->pools[i];
		AUTO_FREE struct publish_member *members = NULL;
		size_t n = pool->n_reals;
		int rc;

		if (!pool->name[0])
			continue;
		members = calloc(n + 1, sizeof(*members));
		if (!members)
			return err_set(err, -ENOMEM, "out of memory");
		for (size_t k = 0; k < n; k++)
			members[k] = (struct publish_member){.addr = pool->reals[k].addr,
							     .weight = pool->reals[k].weight,
							     .server_id = pool->reals[k].server_id};
		rc = check_members(p, pool->name, &pool->spec, members, n, err);
		if (!rc)
			rc = set_members(p, pool, &pool->spec, members, n, true, err);
		if (rc)
			return rc;
	}
	return 0;
}

bool publish_pools_due(const struct publish *p)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].state == SPACE_PENDING)
			return true;
	return false;
}

/* Places that were given up go from one state to the next. */
void publish_pools_step(struct publish *p, enum space_state from, enum space_state to)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].state == from)
			p->pools[i].state = (uint8_t)to;
}
