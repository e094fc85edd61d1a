/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Write a service record where nobody reads. */
static void write_record(struct publish *p, uint32_t id, const struct publish_key *key,
			 uint32_t pool, uint32_t vip, uint32_t flags, uint32_t counter)
{
	struct lb_service s = {.flags = flags, .counter = counter, .pool = pool, .vip = vip};

	if (!(flags & LB_SERVICE_ADDRESS)) {
		s.ring_start = p->pools[pool].ring_start;
		s.ring_slots = p->pools[pool].ring_slots;
	}
	p->t->services[id] = s;
	p->records[id] =
		(struct publish_record){.key = *key, .pool = pool, .vip = vip, .set = true};
}

/* Enter a key that is new, growing the index when it is crowded. */
static int enter(struct publish *p, const struct publish_key *key, uint32_t id, struct err *err)
{
	uint32_t room = p->t->dims.vip_entries;
	int rc;

	/* Sparse, so that the first probe nearly always hits. */
	if (p->entries.used - p->entries.pending > room / 4) {
		rc = publish_make_room(p, PUBLISH_VIPS, room, err);
		if (rc)
			return rc;
	}
	while (publish_index_add(p, key, id)) {
		rc = publish_make_room(p, PUBLISH_VIPS, p->t->dims.vip_entries, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* Replace the record behind an entry in one store. */
static int repoint(struct publish *p, struct lb_vip_entry *e, uint32_t pool, uint32_t vip,
		   struct err *err)
{
	struct publish_key key = publish_entry_key(e);
	uint32_t old = e->service, id;
	int rc = publish_take(p, PUBLISH_SERVICES, 1, &id, err);

	if (rc)
		return rc;
	/* The tables may have grown meanwhile. */
	e = publish_index_find(p->t, &key);
	write_record(p, id, &key, pool, vip, p->t->services[old].flags,
		     p->t->services[old].counter);
	publish_store32(p, &e->service, id);
	space_give(&p->service_ids, old, 1);
	return 0;
}

int publish_services_repoint(struct publish *p, uint32_t pool, struct err *err)
{
	const struct publish_pool *to = &p->pools[pool];
	uint32_t n = p->t->dims.services;
	int rc;

	/* Room for all first, so that none is left behind half way. */
	while (to->n_services > p->service_ids.n - p->service_ids.used) {
		rc = publish_make_room(p, PUBLISH_SERVICES, to->n_services, err);
		if (rc)
			return rc;
	}
	for (uint32_t id = 1; id < n; id++) {
		const struct publish_record *r = &p->records[id];
		const struct lb_service *s = &p->t->services[id];
		struct lb_vip_entry *e;

		if (p->service_ids.state[id] != SPACE_USED || !r->set || r->pool != pool ||
		    s->flags & LB_SERVICE_ADDRESS ||
		    (s->ring_start == to->ring_start && s->ring_slots == to->ring_slots))
			continue;
		e = publish_index_find(p->t, &r->key);
		if (!e || e->service != id)
			continue;
		rc = repoint(p, e, pool, r->vip, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* A VIP is its address; its name may change. */
static uint32_t vip_find(const struct publish *p, const struct addr *addr)
{
	for (uint32_t i = 0; i < p->n_vips; i++)
		if (p->vips[i].name[0] && addr_equal(&p->vips[i].addr, addr))
			return i;
	return UINT32_MAX;
}

static int vip_place(struct publish *p, uint32_t *ret_place)
{
	struct publish_vip *grown;

	for (uint32_t i = 0; i < p->n_vips; i++) {
		if (!p->vips[i].name[0]) {
			*ret_place = i;
			return 0;
		}
	}
	grown = realloc(p->vips, (p->n_vips + 1) * sizeof(*p->vips));
	if (!grown)
		return -ENOMEM;
	memset(&grown[p->n_vips], 0, sizeof(*grown));
	p->vips = grown;
	*ret_place = p->n_vips++;
	return 0;
}

/* The VIP of a service; a new one gets its address key, adopted or entered. */
static int vip_get(struct publish *p, const char *name, const struct addr *addr, uint32_t *ret_vip,
		   struct err *err)
{
	struct publish_key key = {.addr = *addr};
	struct lb_vip_entry *e;
	uint32_t place, id;
	int rc;

	if (!*name || strlen(name) >= PUBLISH_NAME_LEN)
		return err_set(err, -EINVAL, "VIP name \"%s\": needs 1 to %d characters", name,
			       PUBLISH_NAME_LEN - 1);
	*ret_vip = vip_find(p, addr);
	if (*ret_vip != UINT32_MAX) {
		memcpy(p->vips[*ret_vip].name, name, strlen(name) + 1);
		return 0;
	}
	if (vip_place(p, &place))
		return err_set(err, -ENOMEM, "out of memory");
	e = publish_index_find(p->t, &key);
	if (e) {
		id = e->service;
		p->t->services[id].vip = place;
		p->records[id].vip = place;
		p->records[id].set = true;
	} else {
		rc = publish_take(p, PUBLISH_SERVICES, 1, &id, err);
		if (rc)
			return rc;
		write_record(p, id, &key, 0, place, LB_SERVICE_ADDRESS, 0);
		rc = enter(p, &key, id, err);
		if (rc) {
			space_undo(&p->service_ids, id, 1);
			return rc;
		}
	}
	p->vips[place] = (struct publish_vip){.addr = *addr, .record = id};
	memcpy(p->vips[place].name, name, strlen(name) + 1);
	*ret_vip = place;
	return 0;
}

void publish_record_drop(struct publish *p, uint32_t id)
{
	const struct lb_service *s = &p->t->services[id];
	struct lb_vip_entry *e = publish_index_find(p->t, &p->records[id].key);

	if (e && e->service == id)
		publish_index_remove(p, e);
	space_give(&p->service_ids, id, 1);
	if (!(s->flags & LB_SERVICE_ADDRESS)) {
		struct lb_counter *forwarded =
			&p->t->counters[(p->t->dims.counter_rows - 1) *
						(size_t)p->t->dims.counter_stride +
					LB_REASON_forwarded];
		struct publish_count c = publish_counter_sum(p->t, s->counter);

		forwarded->packets += c.packets;
		forwarded->bytes += c.bytes;
		space_give(&p->service_counters, s->counter - LB_COUNTER_REASONS, 1);
	}
}

static void vip_put(struct publish *p, uint32_t vip)
{
	if (--p->vips[vip].n_services)
		return;
	publish_record_drop(p, p->vips[vip].record);
	memset(&p->vips[vip], 0, sizeof(p->vips[vip]));
}

/* A key that is there already: another pool or VIP needs a new record, the same ones don't. */
static int service_change(struct publish *p, struct lb_vip_entry *e, uint32_t pool, uint32_t vip,
			  struct err *err)
{
	struct publish_record *r = &p->records[e->service];
	const struct lb_service *s = &p->t->services[e->service];
	bool was_set = r->set;
	uint32_t old_pool = r->pool, old_vip = r->vip;
	int rc = 0;

	if (s->ring_start != p->pools[pool].ring_start ||
	    s->ring_slots != p->pools[pool].ring_slots || (was_set && old_pool != pool)) {
		rc = repoint(p, e, pool, vip, err);
	} else {
		/* Numbers that only traces show. */
		p->t->services[e->service].pool = pool;
		p->t->services[e->service].vip = vip;
		*r = (struct publish_record){.key = r->key, .pool = pool, .vip = vip, .set = true};
	}
	if (rc)
		return rc;
	p->pools[pool].n_services++;
	p->vips[vip].n_services++;
	if (was_set) {
		p->pools[old_pool].n_services--;
		vip_put(p, old_vip);
	}
	return 0;
}

static int service_create(struct publish *p, const struct publish_key *key, uint32_t pool,
			  uint32_t vip, struct err *err)
{
	uint32_t id, counter;
	int rc = publish_take(p, PUBLISH_SERVICES, 1, &id, err);

	if (rc)
		return rc;
	/* There are as many counters as records, and fewer in use. */
	if (space_take(&p->service_counters, 1, &counter)) {
		space_undo(&p->service_ids, id, 1);
		rc = publish_make_room(p, PUBLISH_SERVICES, 1, err);
		return rc ? rc : service_create(p, key, pool, vip, err);
	}
	publish_counter_reset(p, LB_COUNTER_REASONS + counter);
	write_record(p, id, key, pool, vip, 0, LB_COUNTER_REASONS + counter);
	rc = enter(p, key, id, err);
	if (rc) {
		space_undo(&p->service_ids, id, 1);
		space_undo(&p->service_counters, counter, 1);
		return rc;
	}
	p->pools[pool].n_services++;
	p->vips[vip].n_services++;
	return 0;
}

int publish_service_set(struct publish *p, const char *vip, const struct addr *addr,
			uint8_t protocol, uint16_t port, const char *pool, struct err *err)
{
	struct publish_key key = {.addr = *addr, .port = port, .protocol = protocol};
	const struct publish_pool *found = publish_pool_find(p, pool);
	struct lb_vip_entry *e;
	uint32_t place;
	int rc;

	if (!found)
		return err_set(err, -ENOENT, "VIP %s: no pool %s", vip, pool);
	rc = vip_get(p, vip, addr, &place, err);
	if (rc)
		return rc;
	e = publish_index_find(p->t, &key);
	p->vips[place].n_services++;
	rc = e ? service_change(p, e, (uint32_t)(found - p->pools), place, err)
	       : service_create(p, &key, (uint32_t)(found - p->pools), place, err);
	/* Held above so that a failure leaves no VIP without a service. */
	vip_put(p, place);
	return rc;
}

int publish_service_remove(struct publish *p, const struct addr *addr, uint8_t protocol,
			   uint16_t port, struct err *err)
{
	struct publish_key key = {.addr = *addr, .port = port, .protocol = protocol};
	struct lb_vip_entry *e = publish_index_find(p->t, &key);
	const struct publish_record *r;
	char text[ADDR_STRLEN];
	uint32_t id;

	if (!e || !p->records[e->service].set)
		return err_set(err, -ENOENT, "no service %s protocol %u",
			       addr_port_format(addr, port, text), protocol);
	id = e->service;
	r = &p->records[id];
	p->pools[r->pool].n_services--;
	publish_record_drop(p, id);
	vip_put(p, r->vip);
	return 0;
}
