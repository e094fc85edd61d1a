/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_BRAKE_H
#define FAIRWAY_VIP_BRAKE_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/config/config.h"

/*
 * The brake against a prober that is wrong. When pools that have nothing to do with each other lose
 * their reals at the same time, the likeliest thing to be broken is the one they have in common:
 * this node's checks. Withdrawing everything is then the worst answer, so those pools keep the
 * reals they had, and the operator is told.
 *
 * It is narrow on purpose. A pool that keeps its minimum drops its failed reals as ever, and a pool
 * that empties by itself is withdrawn as promised. It takes all of:
 * - VIP_BRAKE_GROUPS pools, no two of which share a real's address, fall below their minimum;
 * - within the time that the slowest check needs for a verdict;
 * - more reals failed than are still up, and at least VIP_BRAKE_REALS of them.
 * It lets go as soon as that is no longer so. Draining the node withdraws all the same.
 */

#define VIP_BRAKE_GROUPS 3
#define VIP_BRAKE_REALS  12

struct vip_brake_pool {
	const struct config_pool *pool;
	size_t n_up;   /* reals whose check says up */
	size_t n_fell; /* reals that failed of late, or while the pool was held already */
	bool held;     /* result */
};

struct vip_brake_result {
	bool holding;
	size_t groups; /* unrelated pools that fell below their minimum */
	size_t n_fell; /* reals failed of late, over all pools */
	size_t n_up;
};

/* Judge all pools with a check, setting held of each. 0 or -ENOMEM with nothing set. */
int vip_brake_judge(struct vip_brake_pool *pools, size_t n, struct vip_brake_result *ret_result)
	__attribute__((warn_unused_result));

/* How long ago a failure counts as of late for this configuration, in ms. */
uint64_t vip_brake_window_ms(const struct config *cfg);

#endif
