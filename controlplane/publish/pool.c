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
		reals[i] = (struct publish_real){
			.addr = members[i].addr,
			.weight = members[i].dead ? 0 : members[i].weight,
			.dead = members[i].dead,
			.server_id = members[i].server_id,
		};
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
		if (!is_new || !reals[i].dead)
			continue;
		/* It is dead from the first: server ids may lead to it before the ring does. */
		p->ids[reals[i].id].dead = true;
		p->t->reals[reals[i].id].nexthop =
			publish_id_word(p, reals[i].id, p->t->reals[reals[i].id].nexthop);
	}
	if (!rc)
		return 0;
	while (i-- > 0)
		if (fresh[i])
			publish_real_undo(p, reals[i].id);
	return rc;
}

/* Slots of a ring as numbers of reals, built by Maglev. */
static int build_ring(const struct publish *p, const char *name, const struct publish_real *reals,
		      size_t n, uint16_t *slots, uint32_t table_size, struct err *err)
{
	AUTO_FREE struct maglev_backend *backends = calloc(n + 1, sizeof(*backends));
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

/* The ring that was in force for this pool before the tables were adopted: the one that leads to
 * its reals. */
static void take_adopted_ring(struct publish *p, struct publish_pool *pool)
{
	uint64_t key = publish_pool_key(pool->name);

	for (size_t i = 0; i < p->n_rings; i++) {
		struct publish_ring *r = &p->rings[i];

		if (r->taken || r->pool_key != key)
			continue;
		r->taken = true;
		pool->ring_start = r->start;
		pool->ring_slots = r->slots;
		return;
	}
}

/* Put a ring where nobody reads. */
static int place_ring(struct publish *p, const struct publish_draft *d, uint32_t *ret_start,
		      struct err *err)
{
	uint32_t line;
	int rc = publish_take(p, PUBLISH_LINES, lines_of(d->n), &line, err);

	if (rc)
		return rc;
	memset(&p->t->slots[line], 0, lines_of(d->n) * sizeof(*p->t->slots));
	memset(&p->t->previous[line], 0, lines_of(d->n) * sizeof(*p->t->previous));
	memcpy(p->t->slots[line].slot, d->slots, d->n * sizeof(*d->slots));
	memcpy(p->t->previous[line].slot, d->previous, d->n * sizeof(*d->previous));
	*ret_start = line * LB_SLOTS_PER_LINE;
	return 0;
}

static bool same_input(const struct publish_pool *pool, const struct publish_real *reals, size_t n,
		       uint32_t table_size)
{
	if (pool->n_reals != n || pool->spec.table_size != table_size)
		return false;
	for (size_t i = 0; i < n; i++)
		if (pool->reals[i].id != reals[i].id || pool->reals[i].weight != reals[i].weight ||
		    pool->reals[i].dead != reals[i].dead)
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
			publish_id_leave(p, old->reals[i].id);
	if (old->ring_slots && (!now || now->ring_start != old->ring_start || !now->ring_slots))
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

/* The slots of *next as Maglev has them, then as they follow those of the pool in force. */
static int draft_ring(struct publish *p, const struct publish_pool *old,
		      const struct publish_pool *next, bool carry, struct publish_draft *d,
		      struct err *err)
{
	int rc = publish_draft_init(d, next->spec.table_size, p->now_s);

	if (rc)
		return err_set(err, rc, "out of memory");
	if (any_weight(next->reals, next->n_reals))
		rc = build_ring(p, next->name, next->reals, next->n_reals, d->slots, d->n, err);
	if (rc)
		return rc;
	if (carry && publish_draft_derive(p, old, next, d))
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* Build and place the ring of *next, or keep the one in force when that comes to the same. */
static int make_ring(struct publish *p, const struct publish_pool *old, struct publish_pool *next,
		     bool carry, struct err *err)
{
	struct publish_draft d = {0};
	int rc = draft_ring(p, old, next, carry, &d, err);

	if (!rc && publish_draft_in_force(p, old, &d)) {
		next->ring_slots = d.n;
	} else if (!rc) {
		next->ring_start = next->ring_slots = 0;
		if (!publish_draft_empty(&d)) {
			rc = place_ring(p, &d, &next->ring_start, err);
			next->ring_slots = rc ? 0 : d.n;
		}
		next->generation = ++p->generations;
	}
	memset(&next->slots, 0, sizeof(next->slots));
	if (!rc && d.state.tracked) {
		next->slots = d.state;
		memset(&d.state, 0, sizeof(d.state));
	}
	publish_draft_fini(&d);
	return rc;
}

/* Who has flows: the living before packets are led to them, the dead after none is led there. */
static void mark_dead(struct publish *p, const struct publish_pool *pool, bool dead)
{
	for (size_t i = 0; i < pool->n_reals; i++)
		if (pool->reals[i].dead == dead)
			publish_id_dead(p, pool->reals[i].id, dead);
}

/* Put *next in force: its services first, then what the old state alone used is given up. */
static int swap_pool(struct publish *p, struct publish_pool *pool, struct publish_pool *next,
		     struct err *err)
{
	struct publish_pool old = *pool;
	int rc;

	mark_dead(p, next, false);
	*pool = *next;
	rc = publish_quic_enter(p, pool, err);
	if (!rc)
		rc = publish_services_repoint(p, (uint32_t)(pool - p->pools), err);
	if (rc)
		*pool = old;
	if (old.spec.quic_length || next->spec.quic_length)
		publish_quic_settle(p, pool);
	if (rc) {
		mark_dead(p, pool, true);
		return rc;
	}
	for (size_t i = 0; i < pool->n_reals; i++)
		publish_id_join(p, pool->reals[i].id, (uint32_t)(pool - p->pools));
	mark_dead(p, pool, true);
	count_slots(p, pool);
	release_old(p, &old, pool);
	publish_ids_succeed(p, (uint32_t)(pool - p->pools));
	publish_slots_fini(&old.slots);
	free(old.reals);
	return 0;
}

static void undo_next(struct publish *p, const struct publish_pool *old, struct publish_pool *next,
		      const uint8_t *fresh)
{
	for (size_t i = 0; i < next->n_reals; i++)
		if (fresh[i])
			publish_real_undo(p, next->reals[i].id);
	if (next->ring_slots && next->ring_start != old->ring_start)
		space_undo(&p->lines, next->ring_start / LB_SLOTS_PER_LINE,
			   lines_of(next->ring_slots));
	publish_slots_fini(&next->slots);
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

/* When a ring is built: when its members changed; whatever they are, because the node changed; and
 * then without what flows remember, because every flow has another slot. */
enum rebuild { REBUILD_CHANGED, REBUILD_ALL, REBUILD_ANEW };

static int set_members(struct publish *p, struct publish_pool *pool,
		       const struct publish_pool_spec *spec, const struct publish_member *members,
		       size_t n, enum rebuild rebuild, struct err *err)
{
	struct publish_pool next = *pool;
	AUTO_FREE uint8_t *fresh = calloc(n + 1, 1);
	uint32_t place = (uint32_t)(pool - p->pools);
	int rc;

	next.spec = *spec;
	memset(&next.slots, 0, sizeof(next.slots));
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
	if (rebuild == REBUILD_CHANGED && same_input(pool, next.reals, n, spec->table_size) &&
	    same_ids(pool, &next)) {
		pool->spec = *spec;
		free(next.reals);
		return 0;
	}
	rc = make_ring(p, pool, &next, rebuild != REBUILD_ANEW, err);
	if (!rc)
		rc = swap_pool(p, &p->pools[place], &next, err);
	if (rc)
		undo_next(p, &p->pools[place], &next, fresh);
	return rc;
}

/* The opposite of pool_create(): an adopted ring goes on as it did. */
static void pool_uncreate(struct publish *p, struct publish_pool *pool)
{
	for (size_t i = 0; i < p->n_rings; i++)
		if (p->rings[i].taken && p->rings[i].start == pool->ring_start && pool->ring_slots)
			p->rings[i].taken = false;
	publish_ids_pool(p, (uint32_t)(pool - p->pools), false);
	publish_slots_fini(&pool->slots);
	free(pool->reals);
	memset(pool, 0, sizeof(*pool));
}

/* A pool that is new to this writer goes on with the ring that was adopted for it. */
static struct publish_pool *pool_create(struct publish *p, const char *name)
{
	struct publish_pool *pool = pool_add(p, name);

	if (!pool)
		return NULL;
	pool->generation = ++p->generations;
	publish_ids_pool(p, (uint32_t)(pool - p->pools), true);
	take_adopted_ring(p, pool);
	if (!pool->ring_slots || !publish_ring_count(p, pool, p->now_s))
		return pool;
	pool_uncreate(p, pool);
	return NULL;
}

static void pool_forget(struct publish *p, struct publish_pool *pool)
{
	release_old(p, pool, NULL);
	publish_ids_pool(p, (uint32_t)(pool - p->pools), false);
	publish_slots_fini(&pool->slots);
	free(pool->reals);
	pool->n_reals = 0;
	if (pool->spec.quic_length)
		publish_quic_settle(p, pool);
	memset(pool, 0, sizeof(*pool));
	/* Packets may still look for server ids under the place's number. */
	pool->state = SPACE_PENDING;
}

int publish_pool_set(struct publish *p, const char *name, const struct publish_pool_spec *spec,
		     const struct publish_member *members, size_t n, uint64_t now_ns,
		     struct err *err)
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
	p->now_s = publish_seconds(now_ns);
	if (!pool)
		pool = pool_create(p, name);
	if (!pool)
		return err_set(err, -ENOMEM, "out of memory");
	place = (uint32_t)(pool - p->pools);
	rc = set_members(p, pool, spec, members, n, REBUILD_CHANGED, err);
	if (rc && created)
		pool_uncreate(p, &p->pools[place]);
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
	pool_forget(p, pool);
	return 0;
}

int publish_pools_refresh(struct publish *p, bool anew, struct err *err)
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
							     .dead = pool->reals[k].dead,
							     .server_id = pool->reals[k].server_id};
		rc = check_members(p, pool->name, &pool->spec, members, n, err);
		if (!rc)
			rc = set_members(p, pool, &pool->spec, members, n,
					 anew ? REBUILD_ANEW : REBUILD_ALL, err);
		if (rc)
			return rc;
	}
	if (anew)
		publish_flows_clear(p->t);
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
