/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/space.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int space_init(struct space *s, uint32_t n, uint32_t reserved)
{
	memset(s, 0, sizeof(*s));
	s->state = calloc(n ? n : 1, 1);
	if (!s->state)
		return -ENOMEM;
	s->n = n;
	if (reserved)
		space_claim(s, 0, reserved);
	s->next = reserved;
	return 0;
}

void space_fini(struct space *s)
{
	free(s->state);
	memset(s, 0, sizeof(*s));
}

int space_grow(struct space *s, uint32_t n)
{
	uint8_t *state = realloc(s->state, n);

	if (!state)
		return -ENOMEM;
	memset(state + s->n, SPACE_FREE, n - s->n);
	s->state = state;
	s->next = s->n;
	s->n = n;
	return 0;
}

static bool run_is_free(const struct space *s, uint32_t first, uint32_t count, uint32_t *ret_skip)
{
	for (uint32_t i = count; i-- > 0;) {
		if (s->state[first + i] != SPACE_FREE) {
			*ret_skip = i + 1;
			return false;
		}
	}
	return true;
}

static bool search(struct space *s, uint32_t from, uint32_t to, uint32_t count, uint32_t *ret_first)
{
	uint32_t skip = 0;

	for (uint32_t at = from; at + count <= to && at + count > at; at += skip) {
		if (run_is_free(s, at, count, &skip)) {
			*ret_first = at;
			return true;
		}
	}
	return false;
}

int space_take(struct space *s, uint32_t count, uint32_t *ret_first)
{
	uint32_t first;

	if (!search(s, s->next, s->n, count, &first) && !search(s, 0, s->n, count, &first))
		return -ENOSPC;
	space_claim(s, first, count);
	s->next = first + count;
	*ret_first = first;
	return 0;
}

void space_claim(struct space *s, uint32_t first, uint32_t count)
{
	memset(s->state + first, SPACE_USED, count);
	s->used += count;
}

void space_give(struct space *s, uint32_t first, uint32_t count)
{
	memset(s->state + first, SPACE_PENDING, count);
	s->pending += count;
}

void space_undo(struct space *s, uint32_t first, uint32_t count)
{
	memset(s->state + first, SPACE_FREE, count);
	s->used -= count;
}

void space_grace_begin(struct space *s)
{
	if (!s->pending)
		return;
	for (uint32_t i = 0; i < s->n; i++)
		if (s->state[i] == SPACE_PENDING)
			s->state[i] = SPACE_MARKED;
	s->pending = 0;
}

void space_grace_end(struct space *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		if (s->state[i] != SPACE_MARKED)
			continue;
		s->state[i] = SPACE_FREE;
		s->used--;
	}
}
