/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_DESIRED_H
#define FAIRWAY_VIP_DESIRED_H

#include "controlplane/vip/intent.h"
#include "controlplane/vip/state.h"

/*
 * From what is configured, measured and wanted to what should be in force: which reals each pool
 * sends to, which services exist, and which VIPs are announced; and for each decision the words
 * that say why. A pure function: same inputs, same result, in whatever order anything arrived.
 *
 * - A real is in force when its check says up (or its pool has no check) and the operator didn't
 *   take it out. All the others stay members without a share: those that are drained or still being
 *   checked keep the connections they have, those that failed or are disabled are dead and lose
 * them.
 * - A pool is good while at least min_healthy reals are in force with a weight above 0.
 * - A VIP announced `healthy` is announced while at least one of its services has a good pool that
 *   can be reached. One dead service must not take the others of its address down everywhere: with
 *   the same health view every node would withdraw. The dead service is named in the reason.
 * - A pool of which no real is up is empty, and packets to it drop; except when a VIP that is
 *   announced `always` uses it: dropping everything is then the worst of all answers, so all its
 *   reals that the operator left enabled get packets (fail-open).
 */

enum vip_health {
	VIP_HEALTH_NONE, /* the pool has no check */
	VIP_HEALTH_CHECKING,
	VIP_HEALTH_UP,
	VIP_HEALTH_DOWN,
	VIP_HEALTH_HELD, /* down, but kept in force by vip/brake.h */
};

#define VIP_REASON_LEN      512
#define VIP_POOL_REASON_LEN 256

struct vip_inputs {
	const struct config *cfg;
	const struct vip_intent *intent;
	/* What the check of a real says; asked only for pools with a check. */
	enum vip_health (*health)(void *arg, const char *pool, const struct addr *real);
	/* Is the way to the real known, next hop and all? */
	bool (*resolved)(void *arg, const struct addr *real);
	/* Why this VIP can't be announced although its pools are good (its probe failed), or NULL.
	 */
	const char *(*vip_blocked)(void *arg, const struct config_vip *vip);
	void *arg;
	const char *node_blocked; /* why nothing at all can be announced, or NULL */
};

enum vip_real_state {
	VIP_REAL_UP,
	VIP_REAL_DOWN,
	VIP_REAL_CHECKING,
	VIP_REAL_DRAINING,
	VIP_REAL_DISABLED,
};

struct vip_real_report {
	const struct config_real *real;
	enum vip_real_state state;
	enum vip_health health;
	enum vip_intent_kind admin;
	bool resolved;
	bool member;     /* the connections it has stay with it */
	uint32_t weight; /* the share of new ones it has */
};

enum vip_pool_condition {
	VIP_POOL_OK,
	VIP_POOL_BELOW_MINIMUM,
	VIP_POOL_EMPTY,
};

struct vip_pool_report {
	const struct config_pool *pool;
	enum vip_pool_condition condition;
	char reason[VIP_POOL_REASON_LEN];
	size_t n_up;         /* in force with a share, fail-open not counted */
	size_t n_up_reached; /* of those, with a next hop */
	size_t n_held;       /* of those up, how many only because of the brake */
	bool fail_open;
	struct vip_real_report *reals; /* pool->n_reals of them, same order */
};

struct vip_report {
	const struct config_vip *vip;
	bool announce;
	bool serves; /* not for announcing, but up all the same: a ping to it is answered */
	char reason[VIP_REASON_LEN];
};

struct vip_desired {
	struct vip_state state;
	struct vip_pool_report *pools; /* cfg->n_pools, same order */
	size_t n_pools;
	struct vip_report *vips; /* cfg->n_vips, same order */
	size_t n_vips;
};

/* The reports point into in->cfg. 0 or -ENOMEM. */
int vip_desired_make(const struct vip_inputs *in, struct vip_desired *ret_desired)
	__attribute__((warn_unused_result));
void vip_desired_fini(struct vip_desired *d);

const struct vip_pool_report *vip_desired_pool(const struct vip_desired *d, const char *name);
const struct vip_report *vip_desired_vip(const struct vip_desired *d, const char *name);

/* "up", "down", "checking", "draining", "disabled". */
const char *vip_real_state_name(enum vip_real_state state);
/* "ok", "below_minimum", "empty". */
const char *vip_pool_condition_name(enum vip_pool_condition condition);
/* "none", "checking", "up", "down"; held is "down". */
const char *vip_health_name(enum vip_health health);

#endif
