/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const encap_names[] = {"ipip", "gue", "l2dsr"};
static const char *const decap_names[] = {"auto", "kernel", "bpf"};

static int name_parse(const char *text, const char *const *names, int n)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(text, names[i]))
			return i;
	return -EINVAL;
}

const char *real_encap_name(enum real_encap encap)
{
	return encap_names[encap];
}

bool real_encap_is_tunnel(enum real_encap encap)
{
	return encap != REAL_ENCAP_L2DSR;
}

const char *real_decap_name(enum real_decap decap)
{
	return decap_names[decap];
}

int real_encap_parse(const char *text, enum real_encap *ret_encap)
{
	int i = name_parse(text, encap_names, 3);

	if (i < 0)
		return i;
	*ret_encap = (enum real_encap)i;
	return 0;
}

int real_decap_parse(const char *text, enum real_decap *ret_decap)
{
	int i = name_parse(text, decap_names, 3);

	if (i < 0)
		return i;
	*ret_decap = (enum real_decap)i;
	return 0;
}

const char *hook_name(enum hook hook)
{
	return hook == HOOK_INGRESS ? "ingress" : "egress";
}

void addr_set_fini(struct addr_set *set)
{
	free(set->items);
	set->items = NULL;
	set->n = 0;
}

bool addr_set_has(const struct addr_set *set, const struct addr *a)
{
	for (size_t i = 0; i < set->n; i++)
		if (addr_equal(&set->items[i], a))
			return true;
	return false;
}

int addr_set_add(struct addr_set *set, const struct addr *a)
{
	struct addr *items;

	if (addr_set_has(set, a))
		return 0;
	items = reallocarray(set->items, set->n + 1, sizeof(*items));
	if (!items)
		return -ENOMEM;
	set->items = items;
	set->items[set->n++] = *a;
	return 0;
}

int addr_set_add_all(struct addr_set *set, const struct addr_set *more)
{
	for (size_t i = 0; i < more->n; i++) {
		int ret = addr_set_add(set, &more->items[i]);

		if (ret)
			return ret;
	}
	return 0;
}

void addr_set_remove(struct addr_set *set, const struct addr *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n; i++)
		if (!addr_equal(&set->items[i], a))
			set->items[kept++] = set->items[i];
	set->n = kept;
}

bool record_same(const struct record *a, const struct record *b)
{
	return a->kind == b->kind && a->hook == b->hook && !strcmp(a->dev, b->dev) &&
	       addr_equal(&a->addr, &b->addr) && !strcmp(a->sysctl, b->sysctl);
}

void real_state_fini(struct real_state *state)
{
	addr_set_fini(&state->config.vips);
	addr_set_fini(&state->config.outers);
	free(state->records);
	memset(state, 0, sizeof(*state));
}

int real_state_copy(struct real_state *copy, const struct real_state *state)
{
	*copy = *state;
	memset(&copy->config.vips, 0, sizeof(copy->config.vips));
	memset(&copy->config.outers, 0, sizeof(copy->config.outers));
	copy->records = NULL;
	copy->n_records = 0;
	if (addr_set_add_all(&copy->config.vips, &state->config.vips) ||
	    addr_set_add_all(&copy->config.outers, &state->config.outers))
		goto out_of_memory;
	for (size_t i = 0; i < state->n_records; i++)
		if (real_state_add(copy, &state->records[i]))
			goto out_of_memory;
	return 0;
out_of_memory:
	real_state_fini(copy);
	return -ENOMEM;
}

struct record *real_state_find(const struct real_state *state, const struct record *r)
{
	for (size_t i = 0; i < state->n_records; i++)
		if (record_same(&state->records[i], r))
			return &state->records[i];
	return NULL;
}

int real_state_add(struct real_state *state, const struct record *r)
{
	struct record *records =
		reallocarray(state->records, state->n_records + 1, sizeof(*records));

	if (!records)
		return -ENOMEM;
	state->records = records;
	state->records[state->n_records++] = *r;
	return 0;
}

void real_state_drop(struct real_state *state, size_t index)
{
	memmove(&state->records[index], &state->records[index + 1],
		(state->n_records - index - 1) * sizeof(*state->records));
	state->n_records--;
}
