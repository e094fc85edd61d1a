/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <string.h>

/* Keys that lead from the server id in a QUIC connection id to a real of the pool. */

static bool named(const struct publish_pool *pool, const struct publish_real *r)
{
	return pool->spec.quic_length && r->server_id.length == pool->spec.quic_length;
}

/* The pool's real that a key stands for, or NULL. */
static const struct publish_real *real_of(const struct publish_pool *pool, uint32_t place,
					  const struct lb_vip_entry *e)
{
	for (size_t i = 0; i < pool->n_reals; i++) {
		const struct publish_real *r = &pool->reals[i];
		struct lb_key key =
			publish_quic_key(&r->server_id, pool->spec.quic_rotation, place);

		if (named(pool, r) && lb_key_matches(e, &key))
			return r;
	}
	return NULL;
}

static bool is_quic(const struct lb_vip_entry *e)
{
	return e->word >> 24 == LB_KEY_QUIC && e->service != LB_SERVICE_NONE &&
	       e->service != LB_SERVICE_DELETED;
}

int publish_quic_enter(struct publish *p, const struct publish_pool *pool, struct err *err)
{
	uint32_t place = (uint32_t)(pool - p->pools);
	int rc = 0;

	for (size_t i = 0; i < pool->n_reals && !rc; i++) {
		const struct publish_real *r = &pool->reals[i];
		struct lb_key key =
			publish_quic_key(&r->server_id, pool->spec.quic_rotation, place);

		if (named(pool, r) && !publish_key_find(p, &key))
			rc = publish_key_enter(p, &key, r->id, err);
	}
	return rc;
}

/* One key: to its real, or away. */
static void settle(struct publish *p, const struct publish_pool *pool, struct lb_vip_entry *e)
{
	const struct publish_real *r = real_of(pool, e->scope, e);

	if (!r)
		publish_key_remove(p, e);
	else if (e->service != r->id)
		publish_store32(p, &e->service, r->id);
}

void publish_quic_settle(struct publish *p, const struct publish_pool *pool)
{
	uint32_t place = (uint32_t)(pool - p->pools);

	for (uint32_t i = 0; i < p->t->dims.vip_entries; i++) {
		struct lb_vip_entry *e = &p->t->vips[i];

		if (is_quic(e) && e->scope == place)
			settle(p, pool, e);
	}
}

void publish_quic_sweep(struct publish *p)
{
	for (uint32_t i = 0; i < p->t->dims.vip_entries; i++) {
		struct lb_vip_entry *e = &p->t->vips[i];

		if (is_quic(e) &&
		    (e->scope >= p->n_pools || !real_of(&p->pools[e->scope], e->scope, e)))
			publish_key_remove(p, e);
	}
}
