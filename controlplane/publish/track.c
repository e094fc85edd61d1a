/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The regular walk that keeps tracking just enough. A pass goes
 *
 *   slots --> flows --> fragments
 *
 * in small steps between which anything may change. Over the slots: one that hasn't changed for the
 * settle time makes its current real the previous one as well, so that no more flows are entered
 * for it; one that was settled before the last pass and for which that pass found no entry isn't
 * tracked any more. Over the flows: entries that nobody needs are removed, each by compare-and-swap
 * against what was read, because workers write them at the same time; the others are counted.
 */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"

/* An entry is idle when the clock that stamps it has gone on by so many ticks: half of what its
 * eight bits can tell apart, so that a pass has the other half to find it. */
#define IDLE_TICKS     128U
/* A connection that is no more than begun is forgotten earlier. */
#define HALF_OPEN_NS   (120 * NS_PER_S)
/* As LB_FRAGMENT_LIFE. */
#define FRAGMENT_TICKS 30U
/* Ticks that are caught up in one step, after the process was held up. */
#define TICKS_MAX      16U
/* A pass begins at least so often, although nothing may be tracked: fragments' stamps come round
 * after 256 seconds. */
#define PASS_NS        (60 * NS_PER_S)

void publish_track_times(struct publish *p, uint64_t settle_ns, uint64_t idle_ns)
{
	p->track.settle_ns = settle_ns;
	p->track.idle_ns = idle_ns;
}

/* ---- clocks ---- */

static void tick(__u32 *stamp, uint64_t *last_ns, uint64_t tick_ns, uint64_t now_ns)
{
	uint64_t ticks;

	if (!*last_ns) {
		*last_ns = now_ns;
		return;
	}
	ticks = (now_ns - *last_ns) / tick_ns;
	if (!ticks)
		return;
	*last_ns += ticks * tick_ns;
	__atomic_store_n(stamp, *stamp + (__u32)(ticks < TICKS_MAX ? ticks : TICKS_MAX),
			 __ATOMIC_RELAXED);
}

static uint64_t flow_tick_ns(const struct publish *p)
{
	uint64_t ns = p->track.idle_ns / IDLE_TICKS;

	return ns ? ns : 1;
}

static void tick_clocks(struct publish *p, uint64_t now_ns)
{
	struct publish_track *k = &p->track;

	tick(&p->t->node->flow_stamp, &k->flow_tick_ns, flow_tick_ns(p), now_ns);
	tick(&p->t->node->fragment_stamp, &k->fragment_tick_ns, NS_PER_S, now_ns);
}

/* ---- slots ---- */

static void name_real(struct publish *p, uint32_t id)
{
	if (id < p->n_ids)
		p->ids[id].named = true;
}

static void untrack(struct publish *p, struct publish_pool *pool, __u16 *word)
{
	__atomic_store_n(word, (__u16)(*word & LB_SLOT_REAL_MASK), __ATOMIC_RELEASE);
	p->writes++;
	pool->slots.tracked--;
}

static void settle(struct publish *p, struct publish_pool *pool, __u16 *previous, uint32_t current)
{
	__atomic_store_n(previous, (__u16)current, __ATOMIC_RELEASE);
	p->writes++;
	pool->slots.unsettled--;
}

static void visit_slot(struct publish *p, struct publish_pool *pool, uint32_t i, uint64_t now_ns)
{
	__u16 *word = publish_slot(p->t->slots, pool->ring_start + i);
	__u16 *previous = publish_slot(p->t->previous, pool->ring_start + i);
	uint32_t current = *word & LB_SLOT_REAL_MASK;
	uint8_t *marks = &pool->slots.marks[i];

	name_real(p, current);
	if (!(*word & LB_SLOT_TRACKED))
		return;
	if (*previous && *previous != current) {
		*marks = 0;
		if (now_ns < pool->slots.since_s[i] * NS_PER_S + p->track.settle_ns)
			name_real(p, *previous);
		else
			settle(p, pool, previous, current);
		return;
	}
	if (*marks == PUBLISH_SLOT_QUIET && !(pool->other_hash && pool->has_entries))
		untrack(p, pool, word);
	else
		*marks = PUBLISH_SLOT_QUIET;
}

/* Slots of one pool, up to the budget. True when there are no more. */
static bool walk_pool(struct publish *p, struct publish_pool *pool, uint64_t now_ns,
		      uint32_t *budget)
{
	struct publish_track *k = &p->track;

	if (k->generation != pool->generation) {
		k->generation = pool->generation;
		k->at = 0;
	}
	while (k->at < pool->ring_slots && pool->slots.tracked && *budget) {
		uint32_t end = k->at + LB_SLOTS_PER_LINE;

		for (; k->at < end && k->at < pool->ring_slots; k->at++)
			visit_slot(p, pool, k->at, now_ns);
		--*budget;
	}
	if (k->at < pool->ring_slots && pool->slots.tracked)
		return false;
	if (!pool->slots.tracked)
		publish_slots_fini(&pool->slots);
	return true;
}

/* Records that left their pool and that no slot names. Their pools were walked, if they have
 * anything but members in their slots. */
static void slots_walked(struct publish *p)
{
	for (uint32_t id = 1; p->n_lingering && id < p->n_ids; id++) {
		struct publish_id *info = &p->ids[id];

		if (info->stage == PUBLISH_ID_LINGERS && !info->named)
			info->stage = PUBLISH_ID_UNNAMED;
		else if (info->stage == PUBLISH_ID_QUIET)
			info->stage = PUBLISH_ID_PASS;
	}
}

static void step_slots(struct publish *p, uint64_t now_ns, uint32_t *budget)
{
	struct publish_track *k = &p->track;

	for (; k->pool < p->n_pools; k->pool++) {
		struct publish_pool *pool = &p->pools[k->pool];

		if (pool->name[0] && pool->slots.tracked && !walk_pool(p, pool, now_ns, budget))
			return;
		k->generation = 0;
	}
	slots_walked(p);
	k->phase = PUBLISH_TRACK_FLOWS;
	k->at = 0;
}

/* ---- flows ---- */

static bool swap_entry(__u64 *place, uint64_t seen, uint64_t now)
{
	__u64 expected = seen;

	/* Who reads an heir here reads its record as it was written. */
	return __atomic_compare_exchange_n(place, &expected, now, false, __ATOMIC_RELEASE,
					   __ATOMIC_RELAXED);
}

/* What the slot of an entry's flow says. */
struct flow_slot {
	bool known; /* which slot it is */
	bool tracked, unsettled;
	uint32_t index, current, previous;
};

static struct flow_slot slot_of(const struct publish *p, const struct publish_pool *pool,
				uint64_t entry)
{
	struct flow_slot s = {0};
	uint32_t word;

	if (pool->other_hash && pool->ring_slots)
		return s;
	s.known = true;
	if (!pool->ring_slots)
		return s;
	s.index = (uint32_t)(((entry >> 32) * pool->ring_slots) >> 32);
	word = *publish_slot(p->t->slots, pool->ring_start + s.index);
	s.current = word & LB_SLOT_REAL_MASK;
	s.tracked = word & LB_SLOT_TRACKED;
	if (s.tracked)
		s.previous = *publish_slot(p->t->previous, pool->ring_start + s.index);
	s.unsettled = s.previous && s.previous != s.current;
	return s;
}

/* Half open: made by a packet that may be all there is of its flow, and not by one of a flow that
 * the slot had before it changed. */
static bool half_open(const struct flow_slot *s, uint64_t entry, uint32_t id)
{
	if (entry & LB_FLOW_CONFIRMED || !s->known)
		return false;
	return s->unsettled ? id != s->previous : id == s->current;
}

static bool needless(const struct publish *p, const struct flow_slot *s, uint64_t entry,
		     uint32_t id, uint32_t age)
{
	uint64_t half_open_ticks = HALF_OPEN_NS / flow_tick_ns(p) + 1;

	if (p->ids[id].dead || p->ids[id].pool == PUBLISH_POOL_NONE || age > IDLE_TICKS)
		return true;
	if (s->known && (!s->tracked || (!s->unsettled && id == s->current)))
		return true;
	return half_open(s, entry, id) && age > half_open_ticks;
}

static void count_entry(struct publish *p, struct publish_pool *pool, const struct flow_slot *s,
			uint64_t entry, uint32_t id, uint32_t age)
{
	struct publish_tracking *c = &p->track.counting;
	bool confirmed = entry & LB_FLOW_CONFIRMED;
	uint32_t age_s = (uint32_t)(age * flow_tick_ns(p) / NS_PER_S);

	c->entries++;
	c->confirmed += confirmed;
	c->at_risk += confirmed && s->known && id != s->current;
	c->oldest_s = age_s > c->oldest_s ? age_s : c->oldest_s;
	p->ids[id].flows_counted++;
	p->ids[id].confirmed_counted += confirmed;
	pool->counted = true;
	if (s->known && pool->slots.marks)
		pool->slots.marks[s->index] |= PUBLISH_SLOT_NEEDED;
}

static void visit_flow(struct publish *p, __u64 *place)
{
	uint64_t seen = __atomic_load_n(place, __ATOMIC_RELAXED);
	uint32_t id = (uint32_t)(seen & LB_FLOW_REAL_MASK), age;
	struct flow_slot s = {0};
	bool there;

	if (!seen)
		return;
	there = id && id < p->n_ids && p->ids[id].stage != PUBLISH_ID_NONE;
	if (there && p->ids[id].successor) {
		uint64_t heir = (seen & ~LB_FLOW_REAL_MASK) | p->ids[id].successor;

		if (!swap_entry(place, seen, heir)) {
			p->ids[id].flows_counted++;
			return;
		}
		seen = heir;
		id = p->ids[id].successor;
	}
	age = (p->t->node->flow_stamp - (uint32_t)(seen >> LB_FLOW_STAMP_LOW)) & 0xff;
	if (there && p->ids[id].pool != PUBLISH_POOL_NONE)
		s = slot_of(p, &p->pools[p->ids[id].pool], seen);
	if (!there || needless(p, &s, seen, id, age)) {
		/* A worker may just have used it: then it is looked at again in the next pass. */
		if (swap_entry(place, seen, 0) || !there)
			return;
	}
	if (p->ids[id].pool != PUBLISH_POOL_NONE)
		count_entry(p, &p->pools[p->ids[id].pool], &s, seen, id, age);
	else
		p->ids[id].flows_counted++;
}

static void step_flows(struct publish *p, uint32_t *budget)
{
	struct publish_track *k = &p->track;

	for (; k->at < p->t->dims.flow_buckets && *budget; k->at++, --*budget) {
		struct lb_bucket *b = &p->t->flows[k->at];
		uint64_t hand = __atomic_load_n(&b->hand, __ATOMIC_RELAXED);

		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++)
			visit_flow(p, &b->entry[way]);
		k->counting.evicted_confirmed += hand >> 32;
		k->counting.evicted_unconfirmed += (hand >> 8) & 0xffffff;
	}
	if (k->at < p->t->dims.flow_buckets)
		return;
	k->phase = PUBLISH_TRACK_FRAGMENTS;
	k->at = 0;
}

/* ---- fragments ---- */

static void visit_fragment(struct publish *p, __u64 *place)
{
	uint64_t seen = __atomic_load_n(place, __ATOMIC_RELAXED);
	uint32_t id = (uint32_t)(seen & LB_FLOW_REAL_MASK), age;
	bool there = id && id < p->n_ids && p->ids[id].stage != PUBLISH_ID_NONE;

	if (!seen)
		return;
	age = (p->t->node->fragment_stamp - (uint32_t)(seen >> LB_FLOW_STAMP_LOW)) & 0xff;
	if (!there || p->ids[id].dead || age > FRAGMENT_TICKS) {
		if (swap_entry(place, seen, 0) || !there)
			return;
	}
	p->track.counting.fragments++;
	p->ids[id].fragments_counted++;
}

/* ---- passes ---- */

static void find_other_hashes(struct publish *p)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		p->pools[i].other_hash = false;
	for (uint32_t id = 1; id < p->t->dims.services; id++) {
		const struct publish_record *r = &p->records[id];

		if (p->service_ids.state[id] == SPACE_USED && r->set && r->pool < p->n_pools &&
		    p->t->services[id].flags & LB_SERVICE_HASH)
			p->pools[r->pool].other_hash = true;
	}
}

static bool anything_tracked(const struct publish *p)
{
	for (uint32_t i = 0; i < p->n_pools; i++)
		if (p->pools[i].slots.tracked)
			return true;
	return false;
}

static bool pass_due(const struct publish *p, uint64_t now_ns)
{
	const struct publish_track *k = &p->track;

	return !k->passes || p->n_lingering || k->last.entries || anything_tracked(p) ||
	       now_ns - k->ended_ns >= PASS_NS;
}

static void begin_pass(struct publish *p, uint64_t now_ns)
{
	struct publish_track *k = &p->track;

	find_other_hashes(p);
	for (uint32_t id = 1; id < p->n_ids; id++) {
		p->ids[id].named = false;
		p->ids[id].flows_counted = p->ids[id].confirmed_counted = 0;
		p->ids[id].fragments_counted = 0;
	}
	for (uint32_t i = 0; i < p->n_pools; i++)
		p->pools[i].counted = false;
	memset(&k->counting, 0, sizeof(k->counting));
	k->phase = PUBLISH_TRACK_SLOTS;
	k->pool = k->at = 0;
	k->generation = 0;
	k->began_ns = now_ns;
}

/* A counter in the table that came round, or a new table, adds nothing. */
static uint64_t total(uint64_t was, uint64_t sum_then, uint64_t sum_now)
{
	return was + (sum_now > sum_then ? sum_now - sum_then : 0);
}

static void end_pass(struct publish *p, uint64_t now_ns)
{
	struct publish_track *k = &p->track;
	struct publish_tracking sums = k->counting;

	k->counting.evicted_confirmed =
		total(k->last.evicted_confirmed, k->evicted_confirmed_sum, sums.evicted_confirmed);
	k->counting.evicted_unconfirmed = total(
		k->last.evicted_unconfirmed, k->evicted_unconfirmed_sum, sums.evicted_unconfirmed);
	k->evicted_confirmed_sum = sums.evicted_confirmed;
	k->evicted_unconfirmed_sum = sums.evicted_unconfirmed;
	k->last = k->counting;
	k->passes++;
	k->ended_ns = now_ns;
	k->phase = PUBLISH_TRACK_IDLE;
	for (uint32_t i = 0; i < p->n_pools; i++)
		p->pools[i].has_entries = p->pools[i].counted;
	for (uint32_t id = 1; id < p->n_ids; id++) {
		struct publish_id *info = &p->ids[id];

		info->flows = info->flows_counted;
		info->confirmed = info->confirmed_counted;
		if (info->stage != PUBLISH_ID_PASS)
			continue;
		if (info->flows || info->fragments_counted) {
			info->stage = PUBLISH_ID_QUIET;
			info->clean = false;
		} else if (!info->clean) {
			info->stage = PUBLISH_ID_UNNAMED;
			info->clean = true;
		} else {
			publish_id_give(p, id);
		}
	}
}

static void step_fragments(struct publish *p, uint64_t now_ns, uint32_t *budget)
{
	struct publish_track *k = &p->track;

	for (; k->at < p->t->dims.fragment_buckets && *budget; k->at++, --*budget)
		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++)
			visit_fragment(p, &p->t->fragments[k->at].entry[way]);
	if (k->at >= p->t->dims.fragment_buckets)
		end_pass(p, now_ns);
}

void publish_track_step(struct publish *p, uint64_t now_ns, uint32_t budget)
{
	struct publish_track *k = &p->track;

	p->now_s = publish_seconds(now_ns);
	tick_clocks(p, now_ns);
	/* What was adopted is complete only when the first configuration is in force. */
	if (p->adopting)
		return;
	if (k->phase == PUBLISH_TRACK_IDLE && pass_due(p, now_ns))
		begin_pass(p, now_ns);
	while (budget && k->phase != PUBLISH_TRACK_IDLE) {
		if (k->phase == PUBLISH_TRACK_SLOTS)
			step_slots(p, now_ns, &budget);
		else if (k->phase == PUBLISH_TRACK_FLOWS)
			step_flows(p, &budget);
		else
			step_fragments(p, now_ns, &budget);
	}
}

/* ---- reading ---- */

void publish_tracking(const struct publish *p, struct publish_tracking *ret_tracking)
{
	struct publish_tracking t = p->track.last;

	t.max = (uint64_t)p->t->dims.flow_buckets * LB_BUCKET_WAYS;
	t.lingering = p->n_lingering;
	t.passes = p->track.passes;
	for (uint32_t i = 0; i < p->n_pools; i++) {
		t.tracked_slots += p->pools[i].slots.tracked;
		t.unsettled_slots += p->pools[i].slots.unsettled;
	}
	*ret_tracking = t;
}

int publish_real_flows(const struct publish *p, const char *pool, const struct addr *real,
		       uint32_t *ret_flows, uint32_t *ret_confirmed)
{
	const struct publish_pool *found = publish_pool_find(p, pool);
	const struct publish_real *r = found ? publish_pool_real(found, real) : NULL;

	if (!r)
		return -ENOENT;
	*ret_flows = p->ids[r->id].flows;
	*ret_confirmed = p->ids[r->id].confirmed;
	return 0;
}
