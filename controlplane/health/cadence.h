/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_CADENCE_H
#define FAIRWAY_HEALTH_CADENCE_H

/* When does a target's next check start? Pure arithmetic on monotonic time.
 *
 * Beats lie on a fixed grid (base + k * interval), so a check that takes long, or a loop that is
 * late, never shifts those that follow. Each target has its own place on the grid, and thousands of
 * them spread evenly over the interval. */

#include <stdint.h>

struct cadence {
	uint64_t base_ns;
	uint64_t interval_ns;
};

/* The first check waits no longer than this, however long the interval. */
#define CADENCE_FIRST_MAX_NS 1000000000ULL

/* place is the target's share of the interval, as a fraction of 2^64. Returns when the first check
 * is due: place, scaled to the shorter of the interval and CADENCE_FIRST_MAX_NS, after now_ns. */
uint64_t cadence_start(struct cadence *c, uint64_t place, uint64_t interval_ns, uint64_t now_ns);

/* The beat that follows the check that was due at due_ns and is over now. A beat that passed less
 * than half an interval ago is taken late, at once (then the result is not after now_ns); older
 * ones are skipped, and counted in *ret_skipped. Never two checks for one beat. */
uint64_t cadence_next(const struct cadence *c, uint64_t due_ns, uint64_t now_ns,
		      uint64_t *ret_skipped);

#endif
