/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Tables may have been written by a crashed process: believe nothing that points outside. */
static bool service_is_sane(const struct publish *p, uint32_t id)
{
	const struct lb_dims *d = &p->t->dims;
	const struct lb_service *s = id && id < d->services ? &p->t->services[id] : NULL;
	uint64_t lines;

	if (!s)
		return false;
	if (s->flags & LB_SERVICE_ADDRESS)
		return true;
	lines = ((uint64_t)s->ring_start + s->ring_slots + LB_SLOTS_PER_LINE - 1) /
		LB_SLOTS_PER_LINE;
	if ((s->flags & LB_SERVICE_DENY && s->deny_list >= d->services) ||
	    (s->flags & LB_SERVICE_LIMIT_SYN && s->limit >= d->limits))
		return false;
	return s->ring_start % LB_SLOTS_PER_LINE == 0 && lines <= d->slot_lines &&
	       s->counter >= LB_COUNTER_REASONS && s->counter < LB_COUNTER_REASONS + d->services;
}

/* The reals that a slot names, which stay as long as it does. *ret_key: the pool they are of. */
static int adopt_slot(struct publish *p, uint32_t at, uint64_t *ret_key)
{
	uint32_t word = *publish_slot(p->t->slots, at), id = word & LB_SLOT_REAL_MASK;
	uint32_t previous = word & LB_SLOT_TRACKED ? *publish_slot(p->t->previous, at) : 0;

	if (id >= p->n_ids || previous >= p->n_ids)
		return -EPROTO;
	if (id)
		publish_id_adopt(p, id, true);
	if (previous)
		publish_id_adopt(p, previous, false);
	if (!*ret_key && (id || previous))
		*ret_key = p->t->reals[id ? id : previous].pool_key;
	return 0;
}

static int adopt_ring(struct publish *p, uint32_t start, uint32_t slots)
{
	struct publish_ring *grown, ring = {.start = start, .slots = slots};

	if (!slots)
		return 0;
	for (size_t i = 0; i < p->n_rings; i++)
		if (p->rings[i].start == start)
			return p->rings[i].slots == slots ? 0 : -EPROTO;
	for (uint32_t at = start; at < start + slots; at++)
		if (adopt_slot(p, at, &ring.pool_key))
			return -EPROTO;
	grown = realloc(p->rings, (p->n_rings + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->rings = grown;
	p->rings[p->n_rings++] = ring;
	space_claim(&p->lines, start / LB_SLOTS_PER_LINE,
		    (slots + LB_SLOTS_PER_LINE - 1) / LB_SLOTS_PER_LINE);
	return 0;
}

/* Every record in use is kept, also one that only flows name, or nothing yet. */
static void adopt_reals(struct publish *p)
{
	for (uint32_t id = 1; id < p->n_ids; id++)
		if (p->t->reals[id].pool_key)
			publish_id_adopt(p, id, false);
}

/* A record that the first key leads to. */
static int adopt_record(struct publish *p, uint32_t id)
{
	const struct lb_service *s = &p->t->services[id];

	space_claim(&p->service_ids, id, 1);
	p->records[id] = (struct publish_record){.service = PUBLISH_NO_SERVICE};
	if (s->flags & LB_SERVICE_ADDRESS)
		return 0;
	if (p->service_counters.state[s->counter - LB_COUNTER_REASONS] != SPACE_FREE)
		return -EPROTO;
	space_claim(&p->service_counters, s->counter - LB_COUNTER_REASONS, 1);
	if (s->flags & LB_SERVICE_DENY) {
		if (p->deny_lists.state[s->deny_list] != SPACE_FREE)
			return -EPROTO;
		space_claim(&p->deny_lists, s->deny_list, 1);
	}
	if (s->flags & LB_SERVICE_LIMIT_SYN) {
		if (p->limits.state[s->limit] != SPACE_FREE)
			return -EPROTO;
		space_claim(&p->limits, s->limit, 1);
	}
	return adopt_ring(p, s->ring_start, s->ring_slots);
}

/* The pool of a server id keeps its place, which such keys have as their scope. */
static int adopt_quic(struct publish *p, const struct lb_vip_entry *e)
{
	struct publish_pool *grown;

	if (!e->service || e->service >= p->t->dims.reals || e->scope >= LB_REALS_MAX)
		return -EPROTO;
	publish_id_adopt(p, e->service, false);
	if (e->scope >= p->n_pools) {
		grown = realloc(p->pools, (e->scope + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		memset(&grown[p->n_pools], 0, (e->scope + 1 - p->n_pools) * sizeof(*grown));
		p->pools = grown;
		p->n_pools = e->scope + 1;
	}
	p->pools[e->scope].adopted_key = p->t->reals[e->service].pool_key;
	return 0;
}

static int adopt_entry(struct publish *p, struct lb_vip_entry *e, struct err *err)
{
	int rc;

	if (e->service == LB_SERVICE_NONE)
		return 0;
	rc = publish_key_claim(p, e, err);
	if (rc || e->service == LB_SERVICE_DELETED)
		return rc;
	if (e->word >> 24 == LB_KEY_QUIC)
		return adopt_quic(p, e);
	if (!service_is_sane(p, e->service))
		return -EPROTO;
	rc = p->service_ids.state[e->service] == SPACE_FREE ? adopt_record(p, e->service) : 0;
	p->records[e->service].n_keys++;
	return rc;
}

/* Denied prefixes of lists that no service has. */
static void drop_denied(struct publish *p)
{
	for (uint32_t i = 0; i < p->t->dims.deny_entries; i++) {
		struct lb_vip_entry *e = &p->t->denied[i];

		if (e->service != LB_SERVICE_NONE && e->service != LB_SERVICE_DELETED &&
		    (e->scope >= p->deny_lists.n || p->deny_lists.state[e->scope] != SPACE_USED))
			publish_key_remove(p, e);
	}
}

int publish_adopt(struct publish *p, struct err *err)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->t->dims.vip_entries && !rc; i++)
		rc = adopt_entry(p, &p->t->vips[i], err);
	for (uint32_t i = 0; i < p->t->dims.deny_entries && !rc; i++)
		if (p->t->denied[i].service != LB_SERVICE_NONE)
			rc = publish_key_claim(p, &p->t->denied[i], err);
	if (rc)
		return err_set(err, rc,
			       "the tables that are pinned contradict themselves; remove the pins "
			       "to start with empty ones");
	/* Of a list that was leaving when the writer before this one ended. */
	drop_denied(p);
	publish_lists_adopted(p);
	adopt_reals(p);
	p->adopted = p->service_ids.used > 1;
	p->adopting = p->adopted;
	return 0;
}

bool publish_adopted(const struct publish *p)
{
	return p->adopted;
}

bool publish_adopted_member(const struct publish *p, const char *pool, const struct addr *real)
{
	uint64_t key = publish_pool_key(pool);

	for (uint32_t id = 1; id < p->n_ids; id++) {
		const struct lb_real *r = &p->t->reals[id];

		if (p->ids[id].led && r->pool_key == key && r->family == real->family &&
		    memcmp(r->addr, real->bytes, sizeof(r->addr)) == 0)
			return true;
	}
	return false;
}

/* Keys of records that nobody set again. */
static void drop_keys(struct publish *p)
{
	for (uint32_t i = 0; i < p->t->dims.vip_entries; i++) {
		struct lb_vip_entry *e = &p->t->vips[i];

		if (e->service != LB_SERVICE_NONE && e->service != LB_SERVICE_DELETED &&
		    e->word >> 24 != LB_KEY_QUIC && !p->records[e->service].set)
			publish_key_remove(p, e);
	}
}

int publish_adopt_done(struct publish *p, struct err *err)
{
	(void)err;
	drop_keys(p);
	for (uint32_t id = 1; id < p->t->dims.services; id++)
		if (p->service_ids.state[id] == SPACE_USED && !p->records[id].set)
			publish_record_drop(p, id);
	drop_denied(p);
	publish_quic_sweep(p);
	for (uint32_t i = 0; i < p->n_pools; i++)
		p->pools[i].adopted_key = 0;
	for (size_t i = 0; i < p->n_rings; i++)
		if (!p->rings[i].taken)
			space_give(&p->lines, p->rings[i].start / LB_SLOTS_PER_LINE,
				   (p->rings[i].slots + LB_SLOTS_PER_LINE - 1) / LB_SLOTS_PER_LINE);
	for (uint32_t id = 1; id < p->n_ids; id++)
		p->ids[id].led = false;
	free(p->rings);
	p->rings = NULL;
	p->n_rings = 0;
	p->adopting = false;
	return 0;
}
