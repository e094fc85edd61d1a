/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Services. One record serves all keys of a service: one for a port, several for a range or for any
 * port. A change writes a new record and repoints each key by one store, so that a packet sees the
 * old record or the new one, each whole.
 */

static bool is_key(const struct publish_service *s, const struct prefix *address, uint8_t protocol,
		   struct ports ports)
{
	return s->used && s->protocol == protocol && ports_equal(s->ports, ports) &&
	       prefix_equal(&s->address, address);
}

struct publish_service *publish_service_find(const struct publish *p, const struct prefix *address,
					     uint8_t protocol, struct ports ports)
{
	struct lb_key keys[PORTS_BLOCKS_MAX];
	const struct lb_vip_entry *e;

	publish_service_keys(address, protocol, ports, keys);
	e = publish_key_find(p, &keys[0]);
	if (e) {
		uint32_t place = p->records[e->service].service;

		if (place < p->n_services && is_key(&p->services[place], address, protocol, ports))
			return &p->services[place];
	}
	/* Another one has taken its first port over, or it isn't there. */
	for (uint32_t i = 0; i < p->n_services; i++)
		if (is_key(&p->services[i], address, protocol, ports))
			return &p->services[i];
	return NULL;
}

static struct lb_service make_record(const struct publish *p, const struct publish_service *s)
{
	const struct publish_pool *pool = &p->pools[s->pool];
	struct lb_service r = {
		.ring_start = pool->ring_start,
		.ring_slots = pool->ring_slots,
		.counter = s->counter,
		.pool = s->pool,
		.vip = s->vip,
		.hash = (uint32_t)s->hash,
	};

	if (s->hash != LB_HASH_5TUPLE)
		r.flags |= LB_SERVICE_HASH;
	if (s->limited) {
		r.flags |= LB_SERVICE_LIMIT_SYN;
		r.limit = s->limit;
	}
	if (s->n_deny) {
		r.flags |= LB_SERVICE_DENY;
		r.deny_list = s->deny_list;
	}
	if (s->quic && pool->spec.quic_length) {
		r.flags |= LB_SERVICE_QUIC;
		r.quic_length[pool->spec.quic_rotation] = pool->spec.quic_length;
	}
	return r;
}

/* Equal in all that packets depend on. */
static bool same_record(const struct lb_service *a, const struct lb_service *b)
{
	struct lb_service x = *a;

	x.vip = b->vip;
	if (!(x.flags & LB_SERVICE_QUIC))
		x.pool = b->pool;
	return memcmp(&x, b, sizeof(x)) == 0;
}

/* Do all keys of the service lead to its record? */
static bool has_keys(const struct publish *p, const struct publish_service *s)
{
	struct lb_key keys[PORTS_BLOCKS_MAX];
	size_t n = publish_service_keys(&s->address, s->protocol, s->ports, keys);

	for (size_t i = 0; i < n; i++) {
		const struct lb_vip_entry *e = publish_key_find(p, &keys[i]);

		if (!e || e->service != s->record)
			return false;
	}
	return true;
}

static void remove_keys(struct publish *p, const struct publish_service *s)
{
	struct lb_key keys[PORTS_BLOCKS_MAX];
	size_t n = publish_service_keys(&s->address, s->protocol, s->ports, keys);

	for (size_t i = 0; i < n; i++) {
		struct lb_vip_entry *e = publish_key_find(p, &keys[i]);

		if (e && e->service == s->record)
			publish_key_remove(p, e);
	}
}

/* Point the service's keys at a new record; on failure they are as before. */
static int point_keys(struct publish *p, const struct publish_service *s, uint32_t id,
		      struct err *err)
{
	struct lb_key keys[PORTS_BLOCKS_MAX];
	uint32_t was[PORTS_BLOCKS_MAX];
	size_t n = publish_service_keys(&s->address, s->protocol, s->ports, keys), i;
	struct lb_vip_entry *e;
	int rc = 0;

	for (i = 0; i < n; i++) {
		e = publish_key_find(p, &keys[i]);
		was[i] = e ? e->service : LB_SERVICE_NONE;
		if (e)
			publish_store32(p, &e->service, id);
		else
			rc = publish_key_enter(p, &keys[i], id, err);
		if (rc)
			break;
	}
	while (rc && i-- > 0) {
		e = publish_key_find(p, &keys[i]);
		if (e && was[i] == LB_SERVICE_NONE)
			publish_key_remove(p, e);
		else if (e)
			publish_store32(p, &e->service, was[i]);
	}
	return rc;
}

/* Have the service's keys lead to a record of what it is now. */
static int publish_record(struct publish *p, uint32_t place, struct err *err)
{
	struct publish_service *s = &p->services[place];
	struct lb_service want = make_record(p, s);
	uint32_t id, old = s->record;
	int rc;

	if (old && same_record(&want, &p->t->services[old]) && has_keys(p, s)) {
		/* Numbers that only traces show. */
		if (want.pool != p->t->services[old].pool)
			p->t->services[old].pool = s->pool;
		if (want.vip != p->t->services[old].vip)
			p->t->services[old].vip = s->vip;
		id = old;
	} else {
		rc = publish_take(p, PUBLISH_SERVICES, 1, &id, err);
		if (rc)
			return rc;
		p->t->services[id] = want;
		rc = point_keys(p, s, id, err);
		if (rc) {
			/* Packets may have met it meanwhile. */
			space_give(&p->service_ids, id, 1);
			return rc;
		}
		if (old)
			space_give(&p->service_ids, old, 1);
		s->record = id;
	}
	p->records[id] = (struct publish_record){
		.vip = s->vip, .pool = s->pool, .service = place, .set = true};
	return 0;
}

int publish_services_repoint(struct publish *p, uint32_t pool, struct err *err)
{
	const struct publish_pool *to = &p->pools[pool];
	int rc;

	/* Room for all first, so that none is left behind half way. */
	while (to->n_services > p->service_ids.n - p->service_ids.used) {
		rc = publish_make_room(p, PUBLISH_SERVICES, to->n_services, err);
		if (rc)
			return rc;
	}
	for (uint32_t i = 0; i < p->n_services; i++) {
		if (!p->services[i].used || p->services[i].pool != pool)
			continue;
		rc = publish_record(p, i, err);
		if (rc)
			return rc;
	}
	return 0;
}

void publish_record_drop(struct publish *p, uint32_t id)
{
	const struct lb_service *s = &p->t->services[id];

	space_give(&p->service_ids, id, 1);
	if (s->flags & LB_SERVICE_ADDRESS)
		return;
	publish_counter_retire(p, s->counter);
	if (s->flags & LB_SERVICE_DENY)
		space_give(&p->deny_lists, s->deny_list, 1);
	if (s->flags & LB_SERVICE_LIMIT_SYN)
		space_give(&p->limits, s->limit, 1);
}

/* ---- making and taking away ---- */

static int make_place(struct publish *p, uint32_t *ret_place)
{
	struct publish_service *grown;

	for (uint32_t i = p->n_services; i-- > 0;) {
		if (!p->services[i].used) {
			*ret_place = i;
			return 0;
		}
	}
	grown = realloc(p->services, (p->n_services + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->services = grown;
	*ret_place = p->n_services++;
	memset(&grown[*ret_place], 0, sizeof(*grown));
	return 0;
}

/* There are as many counters as records, and fewer in use. */
static int take_counter(struct publish *p, struct publish_service *s, struct err *err)
{
	uint32_t counter;
	int rc = 0;

	while (!rc && space_take(&p->service_counters, 1, &counter))
		rc = publish_make_room(p, PUBLISH_SERVICES, 1, err);
	if (rc)
		return rc;
	s->counter = LB_COUNTER_REASONS + counter;
	publish_counter_reset(p, s->counter);
	return 0;
}

/* The adopted record that just the keys of this service lead to, or 0. */
static uint32_t adopted_record(const struct publish *p, const struct publish_service_spec *spec)
{
	struct lb_key keys[PORTS_BLOCKS_MAX];
	size_t n = publish_service_keys(&spec->address, spec->protocol, spec->ports, keys);
	uint32_t id = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lb_vip_entry *e = publish_key_find(p, &keys[i]);

		if (!e || (i && e->service != id))
			return 0;
		id = e->service;
	}
	return p->records[id].set || p->records[id].n_keys != n ? 0 : id;
}

/* Take over what an adopted record has. */
static int adopt(struct publish *p, struct publish_service *s, uint32_t id, struct err *err)
{
	const struct lb_service *r = &p->t->services[id];

	s->record = id;
	s->counter = r->counter;
	p->records[id].set = true;
	if (r->flags & LB_SERVICE_LIMIT_SYN)
		s->limit = r->limit;
	if (!(r->flags & LB_SERVICE_DENY))
		return 0;
	s->has_list = true;
	s->deny_list = r->deny_list;
	return publish_deny_adopt(p, s) ? err_set(err, -ENOMEM, "out of memory") : 0;
}

/* A list and a limit are there before the record that names them, and go after it. On failure the
 * service is as it was, but that its list and limit are the new ones already. */
static int set(struct publish *p, uint32_t place, const struct publish_service_spec *spec,
	       uint32_t pool, uint32_t vip, struct err *err)
{
	struct publish_service *s = &p->services[place], was = *s;
	struct prefix *old = NULL;
	size_t n_old = 0;
	int rc = publish_deny_set(p, s, spec->deny, spec->n_deny, &old, &n_old, err);

	if (rc)
		return rc;
	if (spec->syn_rate)
		rc = publish_limit_set(p, s, spec->syn_rate, spec->syn_burst, err);
	if (!rc) {
		s->pool = pool;
		s->vip = vip;
		s->hash = spec->hash;
		s->quic = spec->quic;
		s->limited = spec->syn_rate != 0;
		rc = publish_record(p, place, err);
	}
	publish_deny_leave(p, s, old, n_old);
	if (rc) {
		s->pool = was.pool;
		s->vip = was.vip;
		s->hash = was.hash;
		s->quic = was.quic;
		s->limited = was.limited;
		return rc;
	}
	if (!s->n_deny)
		publish_deny_give(p, s);
	if (!s->limited)
		publish_limit_give(p, s);
	return 0;
}

/* Give up what the service has, its record included. */
static void drop(struct publish *p, struct publish_service *s)
{
	remove_keys(p, s);
	if (s->record)
		space_give(&p->service_ids, s->record, 1);
	if (s->counter)
		publish_counter_retire(p, s->counter);
	publish_deny_give(p, s);
	publish_limit_give(p, s);
	memset(s, 0, sizeof(*s));
}

static int create(struct publish *p, const struct publish_service_spec *spec, uint32_t pool,
		  uint32_t vip, struct err *err)
{
	uint32_t place, id = adopted_record(p, spec);
	struct publish_service *s;
	int rc;

	if (make_place(p, &place))
		return err_set(err, -ENOMEM, "out of memory");
	s = &p->services[place];
	*s = (struct publish_service){.used = true,
				      .address = spec->address,
				      .protocol = spec->protocol,
				      .ports = spec->ports};
	rc = id ? adopt(p, s, id, err) : take_counter(p, s, err);
	if (!rc)
		rc = set(p, place, spec, pool, vip, err);
	if (!rc)
		rc = publish_vip_enter(p, vip, err);
	if (rc) {
		drop(p, &p->services[place]);
		return rc;
	}
	p->pools[pool].n_services++;
	p->vips[vip].n_services++;
	return 0;
}

static int modify(struct publish *p, struct publish_service *s,
		  const struct publish_service_spec *spec, uint32_t pool, uint32_t vip,
		  struct err *err)
{
	uint32_t old_pool = s->pool, old_vip = s->vip;
	int rc = set(p, (uint32_t)(s - p->services), spec, pool, vip, err);

	if (rc)
		return rc;
	p->pools[old_pool].n_services--;
	p->pools[pool].n_services++;
	p->vips[vip].n_services++;
	publish_vip_put(p, old_vip);
	return 0;
}

int publish_service_set(struct publish *p, const struct publish_service_spec *spec, struct err *err)
{
	const struct publish_pool *found = publish_pool_find(p, spec->pool);
	struct publish_service *s;
	uint32_t vip, pool;
	int rc;

	if (!found)
		return err_set(err, -ENOENT, "VIP %s: no pool %s", spec->vip, spec->pool);
	pool = (uint32_t)(found - p->pools);
	rc = publish_vip_get(p, spec->vip, &spec->address, &vip, err);
	if (rc)
		return rc;
	/* Held so that a failure leaves no VIP without a service. */
	p->vips[vip].n_services++;
	s = publish_service_find(p, &spec->address, spec->protocol, spec->ports);
	rc = s ? modify(p, s, spec, pool, vip, err) : create(p, spec, pool, vip, err);
	publish_vip_put(p, vip);
	return rc;
}

/* Does another service have some of this one's ports as long as it is there, or when it is gone? */
static bool has_overlap(const struct publish *p, const struct publish_service *s)
{
	for (uint32_t i = 0; i < p->n_services; i++) {
		const struct publish_service *other = &p->services[i];

		if (other != s && other->used && other->vip == s->vip &&
		    other->protocol == s->protocol && ports_overlap(other->ports, s->ports))
			return true;
	}
	return false;
}

int publish_service_remove(struct publish *p, const struct prefix *address, uint8_t protocol,
			   struct ports ports, struct err *err)
{
	struct publish_service *s = publish_service_find(p, address, protocol, ports);
	char text[ADDR_STRLEN], words[PORTS_STRLEN];
	uint32_t vip;

	if (!s)
		return err_set(err, -ENOENT, "no service %s port %s protocol %u",
			       prefix_format_short(address, text), ports_format(ports, words),
			       protocol);
	vip = s->vip;
	p->pools[s->pool].n_services--;
	/* A packet may have missed one of fewer ports that was set just now, and has to find this
	 * one. */
	if (has_overlap(p, s))
		p->engine.grace(p->engine.arg);
	/* The VIP before its last service: between the two a wider VIP has its other ports already,
	 * and no packet that both states serve is lost. */
	publish_vip_put(p, vip);
	drop(p, s);
	return 0;
}
