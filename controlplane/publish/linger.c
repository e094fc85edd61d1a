/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The life of a real's record. A member that leaves its pool lingers: slots that changed and flows
 * go on naming its record, which therefore stays as it is, until
 *
 *   no slot names it         LINGERS -> UNNAMED    a walk over the slots found none (track.c)
 *   no reader enters it      UNNAMED -> MARKED -> QUIET    a grace period has passed since
 *   no flow names it         QUIET -> PASS         a whole walk over flows and fragments found none
 *   no reader had one        PASS -> UNNAMED ...   once more: who found a flow just before it was
 *                                                  removed may have entered a fragment since
 *
 * Then it is given up like any other place in the tables, which takes another grace period.
 */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int publish_ids_resize(struct publish *p)
{
	uint32_t n = p->t->dims.reals;
	struct publish_id *ids;

	if (n <= p->n_ids)
		return 0;
	ids = realloc(p->ids, n * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	memset(ids + p->n_ids, 0, (n - p->n_ids) * sizeof(*ids));
	p->ids = ids;
	p->n_ids = n;
	return 0;
}

struct addr publish_id_addr(const struct publish *p, uint32_t id)
{
	struct addr addr = {.family = p->t->reals[id].family};

	memcpy(addr.bytes, p->t->reals[id].addr, sizeof(addr.bytes));
	return addr;
}

static uint64_t dead_word(void)
{
	const uint16_t bit = LB_NEXTHOP_DEAD;
	uint64_t word = 0;

	memcpy((uint8_t *)&word + 6, &bit, sizeof(bit));
	return word;
}

static uint32_t pool_of(const struct publish *p, uint64_t key)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].name[0] && publish_pool_key(p->pools[i].name) == key)
			return i;
	return PUBLISH_POOL_NONE;
}

void publish_id_adopt(struct publish *p, uint32_t id, bool led)
{
	struct publish_id *info = &p->ids[id];

	info->led |= led;
	if (info->stage != PUBLISH_ID_NONE)
		return;
	space_claim(&p->real_ids, id, 1);
	info->stage = PUBLISH_ID_LINGERS;
	info->pool = pool_of(p, p->t->reals[id].pool_key);
	info->dead = p->t->reals[id].nexthop & dead_word();
	p->n_lingering++;
}

void publish_id_join(struct publish *p, uint32_t id, uint32_t pool)
{
	struct publish_id *info = &p->ids[id];

	if (info->stage == PUBLISH_ID_NONE)
		memset(info, 0, sizeof(*info));
	else if (info->stage != PUBLISH_ID_MEMBER)
		p->n_lingering--;
	info->stage = PUBLISH_ID_MEMBER;
	info->successor = 0;
	info->clean = false;
	info->pool = pool;
}

void publish_id_leave(struct publish *p, uint32_t id)
{
	if (p->ids[id].stage != PUBLISH_ID_MEMBER)
		return;
	p->ids[id].stage = PUBLISH_ID_LINGERS;
	p->ids[id].named = true;
	p->n_lingering++;
}

void publish_ids_pool(struct publish *p, uint32_t pool, bool there)
{
	uint64_t key = there ? publish_pool_key(p->pools[pool].name) : 0;

	for (uint32_t id = 1; id < p->n_ids; id++) {
		struct publish_id *info = &p->ids[id];

		if (info->stage == PUBLISH_ID_NONE)
			continue;
		if (!there && info->pool == pool)
			info->pool = PUBLISH_POOL_NONE;
		else if (there && p->t->reals[id].pool_key == key)
			info->pool = pool;
	}
}

void publish_ids_succeed(struct publish *p, uint32_t pool)
{
	for (uint32_t id = 1; p->n_lingering && id < p->n_ids; id++) {
		struct publish_id *info = &p->ids[id];
		const struct publish_real *heir;
		struct addr addr;

		if (info->stage < PUBLISH_ID_LINGERS || info->pool != pool)
			continue;
		addr = publish_id_addr(p, id);
		heir = publish_pool_real(&p->pools[pool], &addr);
		info->successor = heir ? (uint16_t)heir->id : info->successor;
		/* It is the same server by another tunnel. */
		if (heir && heir->dead && !info->dead)
			publish_id_dead(p, id, true);
	}
}

uint64_t publish_id_word(const struct publish *p, uint32_t id, uint64_t word)
{
	return (word & ~dead_word()) | (p->ids[id].dead ? dead_word() : 0);
}

void publish_id_dead(struct publish *p, uint32_t id, bool dead)
{
	__u64 *nexthop = &p->t->reals[id].nexthop;
	uint64_t word;

	p->ids[id].dead = dead;
	word = publish_id_word(p, id, *nexthop);
	if (word != *nexthop)
		publish_store64(p, nexthop, word);
}

void publish_id_give(struct publish *p, uint32_t id)
{
	memset(&p->ids[id], 0, sizeof(p->ids[id]));
	/* Readers don't know it; adoption tells by it which records are in use. */
	p->t->reals[id].pool_key = 0;
	p->n_lingering--;
	space_give(&p->real_ids, id, 1);
	for (uint32_t i = 1; i < p->n_ids; i++)
		if (p->ids[i].successor == id)
			p->ids[i].successor = 0;
}

bool publish_ids_due(const struct publish *p)
{
	for (uint32_t id = 1; p->n_lingering && id < p->n_ids; id++)
		if (p->ids[id].stage == PUBLISH_ID_UNNAMED)
			return true;
	return false;
}

static void advance(struct publish *p, enum publish_stage from, enum publish_stage to)
{
	for (uint32_t id = 1; p->n_lingering && id < p->n_ids; id++)
		if (p->ids[id].stage == from)
			p->ids[id].stage = (uint8_t)to;
}

void publish_ids_grace_begin(struct publish *p)
{
	advance(p, PUBLISH_ID_UNNAMED, PUBLISH_ID_MARKED);
}

void publish_ids_grace_end(struct publish *p)
{
	advance(p, PUBLISH_ID_MARKED, PUBLISH_ID_QUIET);
}

bool publish_holds(const struct publish *p, const struct addr *real)
{
	for (uint32_t id = 1; id < p->n_ids; id++) {
		struct addr addr;

		if (p->ids[id].stage == PUBLISH_ID_NONE)
			continue;
		addr = publish_id_addr(p, id);
		if (addr_equal(&addr, real))
			return true;
	}
	return false;
}
