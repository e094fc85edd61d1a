/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/places.h"

#include <errno.h>
#include <stdlib.h>

int places_add(struct places *p, const void *value, const struct config_mark *mark, bool bad)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? 2 * p->cap : 256;
		struct place *items = reallocarray(p->items, cap, sizeof(*items));

		if (!items)
			return -ENOMEM;
		p->items = items;
		p->cap = cap;
	}
	p->items[p->n++] = (struct place){value, *mark, bad};
	p->sorted = false;
	return 0;
}

static int compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)((const struct place *)a)->value;
	uintptr_t y = (uintptr_t)((const struct place *)b)->value;

	return (x > y) - (x < y);
}

const struct place *places_find(struct places *p, const void *value)
{
	const struct place key = {.value = value};

	if (!p->n)
		return NULL;
	if (!p->sorted)
		qsort(p->items, p->n, sizeof(*p->items), compare);
	p->sorted = true;
	return bsearch(&key, p->items, p->n, sizeof(*p->items), compare);
}

void places_fini(struct places *p)
{
	free(p->items);
}
