/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/cadence.h"

static uint64_t scale(uint64_t place, uint64_t span_ns)
{
	return (uint64_t)(((unsigned __int128)place * span_ns) >> 64);
}

uint64_t cadence_start(struct cadence *c, uint64_t place, uint64_t interval_ns, uint64_t now_ns)
{
	uint64_t span = interval_ns < CADENCE_FIRST_MAX_NS ? interval_ns : CADENCE_FIRST_MAX_NS;

	c->interval_ns = interval_ns;
	c->base_ns = now_ns + scale(place, interval_ns);
	return now_ns + scale(place, span);
}

/* The first beat strictly after t. */
static uint64_t beat_after(const struct cadence *c, uint64_t t)
{
	if (t < c->base_ns)
		return c->base_ns;
	return c->base_ns + ((t - c->base_ns) / c->interval_ns + 1) * c->interval_ns;
}

uint64_t cadence_next(const struct cadence *c, uint64_t due_ns, uint64_t now_ns,
		      uint64_t *ret_skipped)
{
	uint64_t half = c->interval_ns / 2;
	/* Half an interval of distance: only the first check lies off the grid, and the second
	 * shall not follow on its heels. */
	uint64_t beat = beat_after(c, due_ns + half);
	uint64_t missed;

	*ret_skipped = 0;
	if (beat > now_ns)
		return beat;
	missed = (now_ns - beat) / c->interval_ns;
	beat += missed * c->interval_ns;
	if (now_ns - beat < half) {
		*ret_skipped = missed;
		return beat;
	}
	*ret_skipped = missed + 1;
	return beat + c->interval_ns;
}
