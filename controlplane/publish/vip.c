/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* VIPs: the records that say of an address that it is one. */

/* A VIP is its address; its name may change. */
static uint32_t find(const struct publish *p, const struct prefix *address)
{
	for (uint32_t i = 0; i < p->n_vips; i++)
		if (p->vips[i].name[0] && prefix_equal(&p->vips[i].address, address))
			return i;
	return UINT32_MAX;
}

static int make_place(struct publish *p, uint32_t *ret_place)
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

/* The record that all of an adopted VIP's keys lead to, or 0. */
static uint32_t adopted_record(const struct publish *p, const struct lb_key *keys, size_t n)
{
	uint32_t id = 0;

	for (size_t i = 0; i < n; i++) {
		const struct lb_vip_entry *e = publish_key_find(p, &keys[i]);

		if (!e || (i && e->service != id))
			return 0;
		id = e->service;
	}
	return p->records[id].set || p->records[id].n_keys != n ? 0 : id;
}

/* Have a key lead to the record, whatever it led to. */
static int point(struct publish *p, const struct lb_key *key, uint32_t id, struct err *err)
{
	struct lb_vip_entry *e = publish_key_find(p, key);

	if (!e)
		return publish_key_enter(p, key, id, err);
	publish_store32(p, &e->service, id);
	return 0;
}

static void remove_keys(struct publish *p, const struct lb_key *keys, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++) {
		struct lb_vip_entry *e = publish_key_find(p, &keys[i]);

		if (e && e->service == id)
			publish_key_remove(p, e);
	}
}

static int make_record(struct publish *p, const struct lb_key *keys, size_t n, uint32_t vip,
		       uint32_t *ret_id, struct err *err)
{
	uint32_t id;
	int rc = publish_take(p, PUBLISH_SERVICES, 1, &id, err);

	if (rc)
		return rc;
	p->t->services[id] = (struct lb_service){.flags = LB_SERVICE_ADDRESS, .vip = vip};
	for (size_t i = 0; i < n && !rc; i++)
		rc = point(p, &keys[i], id, err);
	if (rc) {
		remove_keys(p, keys, n, id);
		space_give(&p->service_ids, id, 1);
		return rc;
	}
	*ret_id = id;
	return 0;
}

int publish_vip_get(struct publish *p, const char *name, const struct prefix *address,
		    uint32_t *ret_vip, struct err *err)
{
	uint32_t place;

	if (!*name || strlen(name) >= PUBLISH_NAME_LEN)
		return err_set(err, -EINVAL, "VIP name \"%s\": needs 1 to %d characters", name,
			       PUBLISH_NAME_LEN - 1);
	place = find(p, address);
	if (place == UINT32_MAX) {
		if (make_place(p, &place))
			return err_set(err, -ENOMEM, "out of memory");
		p->vips[place] = (struct publish_vip){.address = *address};
	}
	memcpy(p->vips[place].name, name, strlen(name) + 1);
	*ret_vip = place;
	return 0;
}

/* Does another VIP have this one's addresses as long as it isn't there? */
static bool has_wider(const struct publish *p, const struct publish_vip *v)
{
	for (uint32_t i = 0; i < p->n_vips; i++) {
		const struct prefix *other = &p->vips[i].address;

		if (p->vips[i].name[0] && other->len < v->address.len &&
		    prefix_contains(other, &v->address.addr))
			return true;
	}
	return false;
}

int publish_vip_enter(struct publish *p, uint32_t vip, struct err *err)
{
	struct publish_vip *v = &p->vips[vip];
	struct lb_key keys[2];
	size_t n = publish_vip_keys(&v->address, keys);
	uint32_t id = v->record;
	int rc;

	if (id)
		return 0;
	id = adopted_record(p, keys, n);
	/* A packet that has just missed the VIP's service mustn't meet the VIP: it is the wider
	 * one's still. */
	if (!id && has_wider(p, v))
		p->engine.grace(p->engine.arg);
	rc = id ? 0 : make_record(p, keys, n, vip, &id, err);
	if (rc)
		return rc;
	p->t->services[id].vip = vip; /* a number that only traces show */
	p->records[id] =
		(struct publish_record){.vip = vip, .service = PUBLISH_NO_SERVICE, .set = true};
	v->record = id;
	return 0;
}

void publish_vip_put(struct publish *p, uint32_t vip)
{
	struct publish_vip *v = &p->vips[vip];
	struct lb_key keys[2];

	if (--v->n_services)
		return;
	if (v->record) {
		remove_keys(p, keys, publish_vip_keys(&v->address, keys), v->record);
		publish_record_drop(p, v->record);
	}
	memset(v, 0, sizeof(*v));
}

int publish_vip_up(struct publish *p, const struct prefix *address, bool up, struct err *err)
{
	uint32_t place = find(p, address), flags;
	char text[ADDR_STRLEN];

	if (place == UINT32_MAX)
		return err_set(err, -ENOENT, "no VIP %s", prefix_format_short(address, text));
	flags = LB_SERVICE_ADDRESS | (up ? LB_SERVICE_ECHO : 0);
	if (p->t->services[p->vips[place].record].flags != flags)
		publish_store32(p, &p->t->services[p->vips[place].record].flags, flags);
	return 0;
}
