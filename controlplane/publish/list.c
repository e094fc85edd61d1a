/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <string.h>

/*
 * The short sorted lists of lb_node: shapes of keys, lengths of denied prefixes. Readers walk them
 * from the front while they change, and must meet every value that stays:
 *
 *  - a new value goes in by moving the others back one by one, the last one first: at any moment a
 *    value stands where it stood or one further, never before;
 *  - a value is taken out by putting the one behind it in its place too, one store. The gap that is
 *    now a duplicate wanders to the end by one store per grace period, since a value that moves
 *    forward could slip past a reader that moves the other way.
 */

static __u32 *words(const struct publish *p, enum publish_list list)
{
	struct lb_node *node = p->t->node;

	switch (list) {
	case PUBLISH_SHAPES4:
		return node->shapes4;
	case PUBLISH_SHAPES6:
		return node->shapes6;
	case PUBLISH_DENIED4:
		return node->denied4;
	default:
		return node->denied6;
	}
}

/* Ascending in the order in which readers try: longer prefixes first, then fewer port bits. */
static uint32_t rank(uint32_t value)
{
	return value ^ 0xff00;
}

static uint32_t length(const __u32 *w)
{
	uint32_t n = 0;

	while (n < LB_SHAPES_MAX && w[n])
		n++;
	return n;
}

static void store(struct publish *p, __u32 *where, uint32_t value)
{
	publish_store32(p, where, value);
}

/* Where a value stands or belongs. */
static uint32_t place_of(const __u32 *w, uint32_t n, uint32_t value)
{
	uint32_t at = 0;

	while (at < n && rank(w[at]) < rank(value))
		at++;
	return at;
}

/* The last place with an equal neighbour behind it, or n. */
static uint32_t gap(const __u32 *w, uint32_t n)
{
	for (uint32_t i = n; i-- > 1;)
		if (w[i - 1] == w[i])
			return i - 1;
	return n;
}

static void close_gap(struct publish *p, enum publish_list list)
{
	__u32 *w = words(p, list);
	uint32_t n = length(w), at = gap(w, n);

	if (at < n)
		store(p, &w[at + 1], at + 2 < LB_SHAPES_MAX ? w[at + 2] : 0);
}

static bool has_gap(const struct publish *p, enum publish_list list)
{
	const __u32 *w = words(p, list);
	uint32_t n = length(w);

	return gap(w, n) < n;
}

static struct publish_listed *find_ref(struct publish *p, enum publish_list list, uint32_t value)
{
	struct publish_listed *refs = p->lists[list].refs;

	for (uint32_t i = 0; i < LB_SHAPES_MAX; i++)
		if (refs[i].keys && refs[i].value == value)
			return &refs[i];
	return NULL;
}

static int refuse(enum publish_list list, struct err *err)
{
	if (list == PUBLISH_DENIED4 || list == PUBLISH_DENIED6)
		return err_set(err, -ENOSPC,
			       "more than %u different prefix lengths on deny lists of IPv%u: use "
			       "fewer lengths",
			       LB_SHAPES_MAX, list == PUBLISH_DENIED4 ? 4 : 6);
	return err_set(
		err, -ENOSPC,
		"more than %u different kinds of prefixes and port blocks in IPv%u VIPs: let "
		"port ranges begin and end at multiples of larger powers of two, or use "
		"fewer prefix lengths",
		LB_SHAPES_MAX, list == PUBLISH_SHAPES4 ? 4 : 6);
}

/* Let gaps wander to the end now, when their room is needed. */
static void press(struct publish *p, enum publish_list list)
{
	while (has_gap(p, list)) {
		publish_grace_begin(p);
		p->engine.grace(p->engine.arg);
		publish_grace_end(p);
	}
}

static int insert(struct publish *p, enum publish_list list, uint32_t value, struct err *err)
{
	__u32 *w = words(p, list);
	uint32_t n = length(w), at = place_of(w, n, value);

	if (at < n && w[at] == value)
		return 0;
	if (n == LB_SHAPES_MAX) {
		press(p, list);
		n = length(w);
		at = place_of(w, n, value);
	}
	if (n == LB_SHAPES_MAX)
		return refuse(list, err);
	for (uint32_t i = n; i > at; i--)
		store(p, &w[i], w[i - 1]);
	store(p, &w[at], value);
	p->lists[list].changed = true;
	return 0;
}

int publish_list_add(struct publish *p, enum publish_list list, uint32_t value, struct err *err)
{
	struct publish_listed *ref = find_ref(p, list, value);
	int rc;

	if (ref) {
		ref->keys++;
		return 0;
	}
	rc = insert(p, list, value, err);
	if (rc)
		return rc;
	for (ref = p->lists[list].refs; ref->keys; ref++)
		if (ref == &p->lists[list].refs[LB_SHAPES_MAX - 1])
			return refuse(list, err);
	*ref = (struct publish_listed){.value = value, .keys = 1};
	return 0;
}

/* Every place that holds the value, for adopted lists may hold it twice. */
static void take_out(struct publish *p, enum publish_list list, uint32_t value)
{
	__u32 *w = words(p, list);

	for (uint32_t i = length(w); i-- > 0;)
		if (w[i] == value)
			store(p, &w[i], i + 1 < LB_SHAPES_MAX ? w[i + 1] : 0);
	p->lists[list].changed = true;
}

void publish_list_remove(struct publish *p, enum publish_list list, uint32_t value)
{
	struct publish_listed *ref = find_ref(p, list, value);

	if (ref && --ref->keys == 0)
		take_out(p, list, value);
}

void publish_lists_adopted(struct publish *p)
{
	for (int list = 0; list < PUBLISH_LISTS; list++) {
		__u32 *w = words(p, (enum publish_list)list);

		for (uint32_t i = LB_SHAPES_MAX; i-- > 0;)
			if (w[i] && !find_ref(p, (enum publish_list)list, w[i]))
				take_out(p, (enum publish_list)list, w[i]);
	}
}

bool publish_lists_due(const struct publish *p)
{
	for (int list = 0; list < PUBLISH_LISTS; list++)
		if (has_gap(p, (enum publish_list)list))
			return true;
	return false;
}

void publish_lists_begin(struct publish *p)
{
	for (int list = 0; list < PUBLISH_LISTS; list++)
		p->lists[list].changed = false;
}

void publish_lists_end(struct publish *p)
{
	for (int list = 0; list < PUBLISH_LISTS; list++) {
		if (p->lists[list].changed)
			continue;
		close_gap(p, (enum publish_list)list);
		p->lists[list].changed = true;
	}
}
