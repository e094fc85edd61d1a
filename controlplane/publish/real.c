/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "dataplane/core/encap.h"

/* FNV-1a: only tells pools apart when their reals are adopted. */
uint64_t publish_pool_key(const char *name)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 0x100000001b3ULL;
	return h;
}

/* The outer source and which bits of its last (IPv4: only) word carry entropy. */
static void set_source(struct lb_real *r, const struct prefix *source)
{
	unsigned host_bits = addr_bits(&source->addr) - source->len;
	uint32_t mask = host_bits >= 32 ? UINT32_MAX : (1U << host_bits) - 1;
	unsigned word = source->addr.family == 4 ? 0 : 3;

	memcpy(r->source, source->addr.bytes, sizeof(r->source));
	r->source_mask = htonl(mask);
	r->source[word] &= ~r->source_mask;
}

static uint8_t grow_bytes(enum lb_encap encap, uint8_t family)
{
	switch (encap) {
	case LB_ENCAP_IPIP:
		return family == 4 ? LB_GROW_IP4 : LB_GROW_IP6;
	case LB_ENCAP_GUE:
		return family == 4 ? LB_GROW_GUE4 : LB_GROW_GUE6;
	case LB_ENCAP_L2DSR:
		break;
	}
	return 0;
}

static struct lb_real make_real(const struct publish *p, const char *pool,
				const struct publish_pool_spec *spec, const struct addr *addr)
{
	struct lb_real r = {
		.encap = (uint8_t)spec->encap,
		.family = addr->family,
		.pool_key = publish_pool_key(pool),
		.grow_bytes = grow_bytes(spec->encap, addr->family),
		.gue_port = spec->encap == LB_ENCAP_GUE ? htons(spec->gue_port) : 0,
	};

	memcpy(r.addr, addr->bytes, sizeof(r.addr));
	if (spec->encap != LB_ENCAP_L2DSR)
		set_source(&r, addr->family == 4 ? &p->node.source4 : &p->node.source6);
	if (addr->family == 4)
		r.checksum_base = lb_checksum_base(r.addr[0]);
	return r;
}

/* Equal in all that a record fixes; next hop and counter are the record's own. */
static bool same_real(const struct lb_real *a, const struct lb_real *b)
{
	return a->family == b->family && a->encap == b->encap && a->pool_key == b->pool_key &&
	       a->source_mask == b->source_mask && a->gue_port == b->gue_port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0 &&
	       memcmp(a->source, b->source, sizeof(a->source)) == 0;
}

bool publish_real_current(const struct publish *p, const struct publish_pool_spec *spec,
			  uint32_t id)
{
	const struct lb_real *r = &p->t->reals[id];
	const struct prefix *source = r->family == 4 ? &p->node.source4 : &p->node.source6;
	struct lb_real want = *r;

	if (spec->encap != (enum lb_encap)r->encap)
		return false;
	want.gue_port = spec->encap == LB_ENCAP_GUE ? htons(spec->gue_port) : 0;
	if (spec->encap != LB_ENCAP_L2DSR)
		set_source(&want, source);
	return same_real(r, &want);
}

static uint64_t hop_word(const struct publish *p, const struct addr *addr)
{
	size_t low = 0, high = p->n_hops;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = addr_cmp(addr, &p->hops[mid].addr);

		if (!c)
			return p->hops[mid].word;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return 0;
}

/* The record of a real that left, or that was adopted and no pool has taken yet. */
static uint32_t find_lingering(const struct publish *p, const struct lb_real *want)
{
	for (uint32_t id = 1; p->n_lingering && id < p->n_ids; id++)
		if (p->ids[id].stage >= PUBLISH_ID_LINGERS && same_real(&p->t->reals[id], want))
			return id;
	return 0;
}

int publish_real_get(struct publish *p, const char *pool, const struct publish_pool_spec *spec,
		     const struct addr *addr, uint32_t *ret_id, bool *ret_new, struct err *err)
{
	struct lb_real want = make_real(p, pool, spec, addr);
	uint32_t id = find_lingering(p, &want);
	uint64_t word = hop_word(p, addr);
	int rc;

	if (id) {
		if (word && p->t->reals[id].nexthop != publish_id_word(p, id, word))
			publish_store64(p, &p->t->reals[id].nexthop, publish_id_word(p, id, word));
		*ret_new = false;
		*ret_id = id;
		return 0;
	}
	rc = publish_take(p, PUBLISH_REALS, 1, &id, err);
	if (rc)
		return rc;
	want.nexthop = word;
	p->t->reals[id] = want;
	publish_counter_reset(p, LB_COUNTER_REAL(&p->t->dims, id));
	*ret_new = true;
	*ret_id = id;
	return 0;
}

void publish_real_undo(struct publish *p, uint32_t id)
{
	p->t->reals[id].pool_key = 0;
	p->ids[id].dead = false;
	space_undo(&p->real_ids, id, 1);
}
