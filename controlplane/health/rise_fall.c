/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/rise_fall.h"

void rise_fall_init(struct rise_fall *rf, enum health_state initial, uint64_t now_ns)
{
	*rf = (struct rise_fall){.state = initial, .since_ns = now_ns};
}

/* Counts stop at the top rather than wrap: a server can be up for years. */
static void count_up(uint32_t *count)
{
	if (*count < UINT32_MAX)
		(*count)++;
}

bool rise_fall_step(struct rise_fall *rf, bool success, uint32_t rise, uint32_t fall,
		    uint64_t now_ns)
{
	enum health_state next = success ? HEALTH_UP : HEALTH_DOWN;
	uint32_t needed = success ? rise : fall;
	uint32_t *run = success ? &rf->successes : &rf->failures;

	*(success ? &rf->failures : &rf->successes) = 0;
	count_up(run);
	if (rf->state == next)
		return false;
	if (rf->state != HEALTH_UNKNOWN && *run < needed)
		return false;
	rf->state = next;
	rf->since_ns = now_ns;
	return true;
}

const char *health_state_name(enum health_state state)
{
	switch (state) {
	case HEALTH_UNKNOWN:
		return "unknown";
	case HEALTH_UP:
		return "up";
	case HEALTH_DOWN:
		return "down";
	}
	return "invalid";
}
