/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <string.h>

struct publish_count publish_counter_sum(const struct lb_tables *t, uint32_t counter)
{
	struct publish_count sum = {0};

	for (uint32_t row = 0; row < t->dims.counter_rows; row++) {
		const struct lb_counter *c =
			&t->counters[(size_t)row * t->dims.counter_stride + counter];

		sum.packets += __atomic_load_n(&c->packets, __ATOMIC_RELAXED);
		sum.bytes += __atomic_load_n(&c->bytes, __ATOMIC_RELAXED);
	}
	return sum;
}

void publish_counter_reset(struct publish *p, uint32_t counter)
{
	for (uint32_t row = 0; row < p->t->dims.counter_rows; row++)
		memset(&p->t->counters[(size_t)row * p->t->dims.counter_stride + counter], 0,
		       sizeof(struct lb_counter));
}

/* What a service's counter has counted since it was last taken into account. */
static struct publish_count rest(const struct publish *p, uint32_t i)
{
	struct publish_count c = publish_counter_sum(p->t, LB_COUNTER_REASONS + i);

	c.packets -= p->retired[i].packets;
	c.bytes -= p->retired[i].bytes;
	return c;
}

static void take_rest(struct publish *p, uint32_t i)
{
	struct lb_counter *forwarded =
		&p->t->counters[(p->t->dims.counter_rows - 1) * (size_t)p->t->dims.counter_stride +
				LB_REASON_forwarded];
	const struct publish_count c = rest(p, i);

	forwarded->packets += c.packets;
	forwarded->bytes += c.bytes;
	p->retired[i].packets += c.packets;
	p->retired[i].bytes += c.bytes;
}

void publish_counter_retire(struct publish *p, uint32_t counter)
{
	take_rest(p, counter - LB_COUNTER_REASONS);
	space_give(&p->service_counters, counter - LB_COUNTER_REASONS, 1);
}

void publish_counters_end(struct publish *p)
{
	for (uint32_t i = 0; i < p->service_counters.n; i++) {
		if (p->service_counters.state[i] != SPACE_MARKED)
			continue;
		take_rest(p, i);
		p->retired[i] = (struct publish_count){0};
	}
}

void publish_count_reason(const struct publish *p, enum lb_reason reason,
			  struct publish_count *ret_count)
{
	struct publish_count sum = publish_counter_sum(p->t, reason);

	/* A forwarded packet is counted by its service alone; what services that are gone had
	 * counted stands in the reason's own counter. */
	if (reason == LB_REASON_forwarded) {
		for (uint32_t i = 0; i < p->service_counters.n; i++) {
			struct publish_count c;

			if (p->service_counters.state[i] == SPACE_FREE)
				continue;
			c = rest(p, i);
			sum.packets += c.packets;
			sum.bytes += c.bytes;
		}
	}
	*ret_count = sum;
}

int publish_count_service(const struct publish *p, const struct prefix *address, uint8_t protocol,
			  struct ports ports, struct publish_count *ret_count)
{
	const struct publish_service *s = publish_service_find(p, address, protocol, ports);

	if (!s)
		return -ENOENT;
	*ret_count = publish_counter_sum(p->t, s->counter);
	return 0;
}

int publish_count_real(const struct publish *p, const char *pool, const struct addr *real,
		       struct publish_count *ret_count)
{
	const struct publish_pool *found = publish_pool_find(p, pool);
	const struct publish_real *r = found ? publish_pool_real(found, real) : NULL;

	if (!r)
		return -ENOENT;
	*ret_count = publish_counter_sum(p->t, LB_COUNTER_REAL(&p->t->dims, r->id));
	return 0;
}

int publish_pool_slots(const struct publish *p, const char *pool, const struct addr *real,
		       uint32_t *ret_slots, uint32_t *ret_ring_slots)
{
	const struct publish_pool *found = publish_pool_find(p, pool);
	const struct publish_real *r = found ? publish_pool_real(found, real) : NULL;

	if (!r)
		return -ENOENT;
	*ret_slots = r->slots;
	*ret_ring_slots = found->ring_slots;
	return 0;
}

/* A trace names a record that may have been replaced since; its place keeps what it stood for. */
const char *publish_service_vip(const struct publish *p, uint32_t service)
{
	uint32_t vip;

	if (!service || service >= p->t->dims.services)
		return NULL;
	vip = p->records[service].vip;
	return vip < p->n_vips && p->vips[vip].name[0] ? p->vips[vip].name : NULL;
}

const char *publish_service_pool(const struct publish *p, uint32_t service)
{
	uint32_t pool;

	if (!service || service >= p->t->dims.services ||
	    p->t->services[service].flags & LB_SERVICE_ADDRESS)
		return NULL;
	pool = p->records[service].pool;
	return pool < p->n_pools && p->pools[pool].name[0] ? p->pools[pool].name : NULL;
}

void publish_real_addr(const struct publish *p, uint32_t real, struct addr *ret_addr)
{
	struct addr a = {0};

	if (real && real < p->t->dims.reals && p->t->reals[real].family) {
		a.family = p->t->reals[real].family;
		memcpy(a.bytes, p->t->reals[real].addr, sizeof(a.bytes));
	}
	*ret_addr = a;
}

void publish_usage(const struct publish *p, struct publish_usage *ret_usage)
{
	*ret_usage = (struct publish_usage){
		.vip_entries = p->entries.used,
		.vip_entries_max = p->t->dims.vip_entries,
		.services = p->service_ids.used,
		.services_max = p->t->dims.services,
		.reals = p->real_ids.used,
		.reals_max = p->t->dims.reals,
		.slot_lines = p->lines.used,
		.slot_lines_max = p->t->dims.slot_lines,
		.denied = p->denied.used,
		.denied_max = p->t->dims.deny_entries,
		.limits = p->limits.used,
		.limits_max = p->t->dims.limits,
		.writes = p->writes,
	};
}

#define REASON_NAME(verdict, name, help)    #name,
#define REASON_HELP(verdict, name, help)    help,
#define REASON_VERDICT(verdict, name, help) LB_##verdict,

const char *publish_reason_name(enum lb_reason reason)
{
	static const char *const names[] = {LB_REASONS(REASON_NAME)};

	return reason < LB_REASON_COUNT ? names[reason] : "unknown";
}

const char *publish_reason_help(enum lb_reason reason)
{
	static const char *const helps[] = {LB_REASONS(REASON_HELP)};

	return reason < LB_REASON_COUNT ? helps[reason] : "unknown reason";
}

enum lb_verdict publish_reason_verdict(enum lb_reason reason)
{
	static const uint8_t verdicts[] = {LB_REASONS(REASON_VERDICT)};

	return reason < LB_REASON_COUNT ? (enum lb_verdict)verdicts[reason] : LB_DROP;
}

const char *publish_verdict_name(enum lb_verdict verdict)
{
	switch (verdict) {
	case LB_PASS:
		return "pass";
	case LB_DROP:
		return "drop";
	case LB_FORWARD:
		return "forward";
	case LB_REPLY:
		return "reply";
	}
	return "unknown";
}
