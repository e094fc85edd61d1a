/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A ring that follows another. Packets in flight know nothing of a change, so each slot of the new
 * ring tells how its flows come to their real (dataplane/core/track.h reads it):
 *
 *  - a slot that leads where it led keeps its state;
 *  - a slot that changes is tracked, and flows that the flow table doesn't know have the real it
 * led to before. When it changes again before it settled, they have the one before that: every flow
 *    that came to the real between was entered while it came;
 *  - the dead have no flows: a slot whose only other real is dead needs not be tracked for it.
 */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"

uint32_t publish_seconds(uint64_t ns)
{
	return (uint32_t)((ns + NS_PER_S - 1) / NS_PER_S);
}

void publish_slots_fini(struct publish_slots *s)
{
	free(s->since_s);
	free(s->marks);
	memset(s, 0, sizeof(*s));
}

int publish_draft_init(struct publish_draft *d, uint32_t n, uint32_t now_s)
{
	memset(d, 0, sizeof(*d));
	d->n = n;
	d->now_s = now_s;
	d->slots = calloc(n, sizeof(*d->slots));
	d->previous = calloc(n, sizeof(*d->previous));
	d->state.since_s = calloc(n, sizeof(*d->state.since_s));
	d->state.marks = calloc(n, sizeof(*d->state.marks));
	if (d->slots && d->previous && d->state.since_s && d->state.marks)
		return 0;
	publish_draft_fini(d);
	return -ENOMEM;
}

void publish_draft_fini(struct publish_draft *d)
{
	free(d->slots);
	free(d->previous);
	publish_slots_fini(&d->state);
	memset(d, 0, sizeof(*d));
}

/* What derive() asks of records, by id. */
struct heirs {
	uint16_t *now; /* the record that stands for the same real after the change */
	uint8_t *dead; /* before it, or after it */
};

static int heirs_init(const struct publish *p, const struct publish_pool *next, uint32_t place,
		      struct heirs *h)
{
	h->now = calloc(p->n_ids, sizeof(*h->now));
	h->dead = calloc(p->n_ids, sizeof(*h->dead));
	if (!h->now || !h->dead)
		return -ENOMEM;
	for (uint32_t id = 1; id < p->n_ids; id++) {
		const struct publish_id *info = &p->ids[id];
		const struct publish_real *heir = NULL;

		h->now[id] = (uint16_t)id;
		h->dead[id] = info->dead;
		if (info->stage != PUBLISH_ID_NONE && info->pool == place) {
			struct addr addr = publish_id_addr(p, id);

			heir = publish_pool_real(next, &addr);
		}
		if (heir) {
			h->now[id] = (uint16_t)heir->id;
			h->dead[id] |= heir->dead;
		}
	}
	return 0;
}

static void keep_tracked(struct publish_draft *d, uint32_t i, uint32_t previous)
{
	d->slots[i] |= LB_SLOT_TRACKED;
	d->previous[i] = (uint16_t)previous;
	d->state.tracked++;
}

static void keep_unsettled(struct publish_draft *d, uint32_t i, uint32_t previous, uint32_t since_s)
{
	keep_tracked(d, i, previous);
	d->state.since_s[i] = since_s;
	d->state.unsettled++;
}

/* was: the slot's word in the ring in force; was_previous: the same of the previous array. */
static void derive_slot(struct publish_draft *d, const struct publish_slots *state,
			const struct heirs *h, uint32_t i, uint32_t was, uint32_t was_previous)
{
	const bool tracked = was & LB_SLOT_TRACKED;
	const uint32_t old = was & LB_SLOT_REAL_MASK, to = d->slots[i];
	const uint32_t from = h->now[old];
	uint32_t before = tracked && !h->dead[was_previous] ? h->now[was_previous] : 0;
	uint32_t kept;

	if (before == from)
		before = 0;
	if (to == from) {
		if (before)
			keep_unsettled(d, i, before, state->since_s[i]);
		else if (tracked)
			keep_tracked(d, i, to);
		return;
	}
	kept = before ? before : h->dead[old] ? 0 : from;
	if (kept && kept != to)
		keep_unsettled(d, i, kept, d->now_s);
	else if (tracked || kept)
		keep_tracked(d, i, to);
}

int publish_draft_derive(const struct publish *p, const struct publish_pool *old,
			 const struct publish_pool *next, struct publish_draft *d)
{
	AUTO_FREE uint16_t *now = NULL;
	AUTO_FREE uint8_t *dead = NULL;
	struct heirs h = {0};
	int rc;

	if (!old->ring_slots || !p->t->dims.flow_buckets)
		return 0;
	if (old->ring_slots != d->n) {
		/* What the flow table has entered stays true, whatever the size of the ring. */
		for (uint32_t i = 0; old->slots.tracked && i < d->n; i++)
			keep_tracked(d, i, d->slots[i]);
		return 0;
	}
	rc = heirs_init(p, next, (uint32_t)(old - p->pools), &h);
	now = h.now;
	dead = h.dead;
	for (uint32_t i = 0; !rc && i < d->n; i++) {
		uint32_t at = old->ring_start + i;

		derive_slot(d, &old->slots, &h, i, *publish_slot(p->t->slots, at),
			    *publish_slot(p->t->previous, at));
	}
	return rc;
}

bool publish_draft_in_force(const struct publish *p, const struct publish_pool *pool,
			    const struct publish_draft *d)
{
	if (pool->ring_slots != d->n)
		return false;
	for (uint32_t i = 0; i < d->n; i++) {
		uint32_t at = pool->ring_start + i;

		if (*publish_slot(p->t->slots, at) != d->slots[i])
			return false;
		if (d->slots[i] & LB_SLOT_TRACKED &&
		    *publish_slot(p->t->previous, at) != d->previous[i])
			return false;
	}
	return true;
}

bool publish_draft_empty(const struct publish_draft *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (d->slots[i])
			return false;
	return true;
}

int publish_ring_count(const struct publish *p, struct publish_pool *pool, uint32_t now_s)
{
	struct publish_slots *s = &pool->slots;

	publish_slots_fini(s);
	s->since_s = calloc(pool->ring_slots, sizeof(*s->since_s));
	s->marks = calloc(pool->ring_slots, sizeof(*s->marks));
	if (!s->since_s || !s->marks) {
		publish_slots_fini(s);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < pool->ring_slots; i++) {
		uint32_t word = *publish_slot(p->t->slots, pool->ring_start + i);
		uint32_t previous = *publish_slot(p->t->previous, pool->ring_start + i);

		if (!(word & LB_SLOT_TRACKED))
			continue;
		s->tracked++;
		if (!previous || previous == (word & LB_SLOT_REAL_MASK))
			continue;
		s->unsettled++;
		s->since_s[i] = now_s;
	}
	return 0;
}
