/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/schema.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* QUIC by connection id: services, pools and the ids of their reals. */

void check_quic_service(const struct check *c, const struct config_vip *vip,
			const struct config_service *s, const struct config_pool *pool)
{
	if (!s->quic)
		return;
	if (s->protocol != CONFIG_UDP && check_given(c, &s->protocol))
		report_error(c->errs, check_mark(c, &s->quic, &s->mark),
			     "remove it, or use protocol: udp",
			     "a tcp service of vip '%s' has quic: QUIC runs over udp", vip->name);
	if (!pool->has_quic)
		report_error(c->errs, check_mark(c, &s->quic, &s->mark),
			     "add quic: {server_id_length: 4} to the pool",
			     "vip '%s' routes QUIC to pool '%s', which has no quic", vip->name,
			     pool->name);
}

struct named {
	const struct config_real *real;
	struct server_id id;
};

static int compare_ids(const void *a, const void *b)
{
	const struct named *x = a, *y = b;

	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static const char *id_text(const struct server_id *id, char buf[VALUE_STRLEN])
{
	return value_format(schema_field(&schema_real, "server_id"), id, buf);
}

static void tell_id(const struct check *c, const void *owner, const void *first, const void *again)
{
	const struct config_pool *pool = owner;
	const struct named *a = first, *b = again;
	char one[ADDR_STRLEN], other[ADDR_STRLEN], id[VALUE_STRLEN];

	/* One address twice is told elsewhere. */
	if (addr_equal(&a->real->address, &b->real->address))
		return;
	report_error(c->errs, check_mark(c, &b->real->server_id, &b->real->mark),
		     a->real->server_id.length && b->real->server_id.length
			     ? "make them differ"
			     : "the ends of their addresses are the same: give one a server_id of "
			       "its own",
		     "reals %s and %s of pool '%s' have the same server id %s",
		     addr_format(&a->real->address, one), addr_format(&b->real->address, other),
		     pool->name, id_text(&b->id, id));
}

static void check_id(const struct check *c, const struct config_pool *pool,
		     const struct config_real *real)
{
	const struct config_mark *mark = check_mark(c, &real->server_id, &real->mark);
	char text[ADDR_STRLEN], id[VALUE_STRLEN];

	if (!real->server_id.length)
		return;
	addr_format(&real->address, text);
	if (!pool->has_quic)
		report_error(c->errs, mark, "remove it, or add quic: to the pool",
			     "real %s has a server_id, but pool '%s' has no quic", text,
			     pool->name);
	else if (real->server_id.length != pool->quic.server_id_length &&
		 !check_broken(c, &pool->quic.server_id_length))
		report_error(c->errs, mark, "give it as many bytes as server_id_length says",
			     "server_id %s of real %s in pool '%s' has %u bytes, not %u",
			     id_text(&real->server_id, id), text, pool->name,
			     real->server_id.length, pool->quic.server_id_length);
}

int check_quic(const struct check *c, const struct config_pool *pool)
{
	AUTO_FREE struct named *named = calloc(pool->n_reals + 1, sizeof(*named));
	size_t n = 0;

	if (!named)
		return -ENOMEM;
	for (size_t i = 0; i < pool->n_reals; i++) {
		const struct config_real *real = &pool->reals[i];

		check_id(c, pool, real);
		if (pool->has_quic && pool->quic.server_id_length && real->address.family)
			named[n++] = (struct named){real, config_server_id(pool, real)};
	}
	return check_duplicates(c, named, n, sizeof(*named), compare_ids, tell_id, pool);
}
