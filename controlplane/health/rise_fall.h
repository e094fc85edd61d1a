/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_RISE_FALL_H
#define FAIRWAY_HEALTH_RISE_FALL_H

/* When does a run of check results change what we believe of a server? A pure state machine: no
 * clock, no memory of its own.
 *
 * - UNKNOWN: the first result decides at once, up or down. Nobody is served by waiting for `rise`
 *   results while a whole pool starts.
 * - UP: goes down after `fall` failures in a row; one success starts the count anew.
 * - DOWN: comes up after `rise` successes in a row; one failure starts the count anew. */

#include <stdbool.h>
#include <stdint.h>

enum health_state {
	HEALTH_UNKNOWN,
	HEALTH_UP,
	HEALTH_DOWN,
};

struct rise_fall {
	enum health_state state;
	uint32_t successes; /* in a row, up to now; one of the two is always 0 */
	uint32_t failures;
	uint64_t since_ns; /* monotonic; when the state was entered */
};

void rise_fall_init(struct rise_fall *rf, enum health_state initial, uint64_t now_ns);

/* Take one result. rise and fall of 0 count as 1. True when the state changed. */
bool rise_fall_step(struct rise_fall *rf, bool success, uint32_t rise, uint32_t fall,
		    uint64_t now_ns) __attribute__((warn_unused_result));

/* "unknown", "up", "down". */
const char *health_state_name(enum health_state state);

#endif
