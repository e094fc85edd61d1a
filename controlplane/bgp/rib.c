/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/bgp/rib.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a: only to skip most comparisons. */
static uint64_t attrs_hash(const struct bgp_attrs *a)
{
	const uint8_t *p = (const uint8_t *)a;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof(*a); i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

static struct rib_attrs *attrs_get(struct rib *rib, const struct bgp_attrs *a)
{
	uint64_t hash = attrs_hash(a);
	struct rib_attrs *it;

	for (it = rib->attrs; it; it = it->next) {
		if (it->hash == hash && memcmp(&it->attrs, a, sizeof(*a)) == 0) {
			it->refs++;
			return it;
		}
	}
	it = malloc(sizeof(*it));
	if (!it)
		return NULL;
	*it = (struct rib_attrs){
		.id = ++rib->last_id, .hash = hash, .refs = 1, .next = rib->attrs, .attrs = *a};
	rib->attrs = it;
	return it;
}

static void attrs_put(struct rib *rib, struct rib_attrs *a)
{
	struct rib_attrs **at = &rib->attrs;

	if (--a->refs)
		return;
	while (*at != a)
		at = &(*at)->next;
	*at = a->next;
	free(a);
}

void rib_init(struct rib *rib)
{
	*rib = (struct rib){0};
}

void rib_fini(struct rib *rib)
{
	for (size_t i = 0; i < rib->n; i++)
		attrs_put(rib, rib->entries[i].attrs);
	free(rib->entries);
	rib_init(rib);
}

/* Where prefix is, or would go. */
static size_t find(const struct rib *rib, const struct prefix *prefix, bool *ret_found)
{
	size_t lo = 0, hi = rib->n;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int cmp = prefix_cmp(&rib->entries[mid].prefix, prefix);

		if (!cmp) {
			*ret_found = true;
			return mid;
		}
		if (cmp < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static int grow(struct rib *rib)
{
	size_t cap = rib->cap ? 2 * rib->cap : 16;
	struct rib_entry *entries;

	if (rib->n < rib->cap)
		return 0;
	entries = realloc(rib->entries, cap * sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	rib->entries = entries;
	rib->cap = cap;
	return 0;
}

int rib_set(struct rib *rib, const struct prefix *prefix, const struct bgp_attrs *attrs)
{
	struct rib_attrs *a;
	bool found;
	size_t at;

	if (grow(rib))
		return -ENOMEM;
	a = attrs_get(rib, attrs);
	if (!a)
		return -ENOMEM;
	at = find(rib, prefix, &found);
	if (found) {
		bool same = rib->entries[at].attrs == a;

		attrs_put(rib, rib->entries[at].attrs);
		rib->entries[at].attrs = a;
		return !same;
	}
	memmove(&rib->entries[at + 1], &rib->entries[at], (rib->n - at) * sizeof(*rib->entries));
	rib->entries[at] = (struct rib_entry){.prefix = *prefix, .attrs = a};
	rib->n++;
	return 1;
}

bool rib_unset(struct rib *rib, const struct prefix *prefix)
{
	bool found;
	size_t at = find(rib, prefix, &found);

	if (!found)
		return false;
	attrs_put(rib, rib->entries[at].attrs);
	rib->n--;
	memmove(&rib->entries[at], &rib->entries[at + 1], (rib->n - at) * sizeof(*rib->entries));
	return true;
}

void rib_out_init(struct rib_out *out)
{
	*out = (struct rib_out){0};
}

void rib_out_fini(struct rib_out *out)
{
	free(out->sent);
	free(out->fresh);
	rib_out_init(out);
}

void rib_out_reset(struct rib_out *out)
{
	out->n = 0;
	memset(out->family, 0, sizeof(out->family));
}

void rib_out_refresh(struct rib_out *out, uint8_t family)
{
	for (size_t i = 0; i < out->n; i++) {
		if (out->sent[i].prefix.addr.family == family)
			out->sent[i].attrs_id = 0;
	}
}

bool rib_out_set_family(struct rib_out *out, uint8_t family, const struct rib_family *how)
{
	struct rib_family *mine = &out->family[rib_family_index(family)];

	if (mine->sendable == how->sendable && addr_equal(&mine->next_hop, &how->next_hop))
		return false;
	*mine = *how;
	rib_out_refresh(out, family);
	return true;
}

/* A walk along what is wanted and what was sent. */
struct walk {
	const struct rib_out *out;
	const struct rib *rib;
	size_t i, j;
	const struct rib_entry *want; /* NULL: not (or no longer) to be sent. */
	struct rib_sent *have;        /* NULL: the peer doesn't know it. */
};

static bool sendable(const struct rib_out *out, const struct prefix *p)
{
	return out->family[rib_family_index(p->addr.family)].sendable;
}

static bool walk_next(struct walk *w)
{
	int cmp;

	while (w->i < w->rib->n && !sendable(w->out, &w->rib->entries[w->i].prefix))
		w->i++;
	w->want = w->i < w->rib->n ? &w->rib->entries[w->i] : NULL;
	w->have = w->j < w->out->n ? &w->out->sent[w->j] : NULL;
	if (!w->want && !w->have)
		return false;
	cmp = !w->want ? 1 : !w->have ? -1 : prefix_cmp(&w->want->prefix, &w->have->prefix);
	if (cmp > 0)
		w->want = NULL;
	else
		w->i++;
	if (cmp < 0)
		w->have = NULL;
	else
		w->j++;
	return true;
}

static bool walk_differs(const struct walk *w)
{
	return !w->want || !w->have || w->want->attrs->id != w->have->attrs_id;
}

static int reserve(struct rib_out *out, size_t want)
{
	struct rib_sent *p;

	if (want <= out->cap)
		return 0;
	p = realloc(out->sent, want * sizeof(*p));
	if (!p)
		return -ENOMEM;
	out->sent = p;
	p = realloc(out->fresh, want * sizeof(*p));
	if (!p)
		return -ENOMEM;
	out->fresh = p;
	out->cap = want;
	return 0;
}

static void drop_withdrawn(struct rib_out *out)
{
	size_t n = 0;

	for (size_t i = 0; i < out->n; i++) {
		if (!out->sent[i].drop)
			out->sent[n++] = out->sent[i];
	}
	out->n = n;
}

static bool build_withdraw(struct rib_out *out, const struct rib *rib, struct bgp_update_builder *b)
{
	struct walk w = {.out = out, .rib = rib};
	uint8_t family = 0;

	while (walk_next(&w)) {
		if (w.want)
			continue;
		if (!family) {
			family = w.have->prefix.addr.family;
			bgp_update_withdraw(b, family);
		}
		if (w.have->prefix.addr.family != family || !bgp_update_add(b, &w.have->prefix))
			break;
		w.have->drop = true;
	}
	if (family)
		drop_withdrawn(out);
	return family != 0;
}

/* Sort out->fresh[0..n) into out->sent, from the back. */
static void merge_fresh(struct rib_out *out, size_t n)
{
	size_t at = out->n + n, i = out->n;

	out->n = at;
	while (n) {
		if (i && prefix_cmp(&out->sent[i - 1].prefix, &out->fresh[n - 1].prefix) > 0)
			out->sent[--at] = out->sent[--i];
		else
			out->sent[--at] = out->fresh[--n];
	}
}

static bool build_announce(struct rib_out *out, const struct rib *rib,
			   const struct rib_session *session, struct bgp_update_builder *b)
{
	struct walk w = {.out = out, .rib = rib};
	const struct rib_attrs *attrs = NULL;
	uint8_t family = 0;
	size_t n = 0;

	while (walk_next(&w)) {
		if (!w.want || !walk_differs(&w))
			continue;
		if (!attrs) {
			struct bgp_path path = {.ibgp = session->ibgp,
						.as4 = session->as4,
						.asn = session->asn,
						.attrs = w.want->attrs->attrs};

			attrs = w.want->attrs;
			family = w.want->prefix.addr.family;
			path.next_hop = out->family[rib_family_index(family)].next_hop;
			bgp_update_announce(b, &path);
		}
		if (w.want->attrs != attrs || w.want->prefix.addr.family != family)
			continue;
		if (!bgp_update_add(b, &w.want->prefix))
			break;
		if (w.have)
			w.have->attrs_id = attrs->id;
		else
			out->fresh[n++] =
				(struct rib_sent){.prefix = w.want->prefix, .attrs_id = attrs->id};
	}
	merge_fresh(out, n);
	return attrs != NULL;
}

int rib_out_next(struct rib_out *out, const struct rib *rib, const struct rib_session *session,
		 struct bgp_update_builder *b)
{
	if (reserve(out, out->n + rib->n))
		return -ENOMEM;
	if (build_withdraw(out, rib, b) || build_announce(out, rib, session, b))
		return (int)bgp_update_finish(b);
	return 0;
}

void rib_out_count(const struct rib_out *out, const struct rib *rib, struct rib_counts *ret_counts)
{
	struct walk w = {.out = out, .rib = rib};

	*ret_counts = (struct rib_counts){.announced = (uint32_t)out->n};
	while (walk_next(&w))
		ret_counts->pending += walk_differs(&w);
	for (size_t i = 0; i < rib->n; i++) {
		const struct prefix *p = &rib->entries[i].prefix;

		if (!sendable(out, p))
			ret_counts->unsendable[rib_family_index(p->addr.family)]++;
	}
}
