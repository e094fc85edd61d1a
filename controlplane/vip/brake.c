/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/brake.h"

#include <errno.h>
#include <stdlib.h>

#include "controlplane/base/cleanup.h"

/* However slow the checks, what failed longer ago than this isn't "together". */
#define WINDOW_MAX_MS 60000

struct place {
	const struct addr *addr;
	size_t pool;
};

static bool lost(const struct vip_brake_pool *p)
{
	return p->n_up < p->pool->min_healthy && p->n_up + p->n_fell >= p->pool->min_healthy;
}

static int place_cmp(const void *a, const void *b)
{
	return addr_cmp(((const struct place *)a)->addr, ((const struct place *)b)->addr);
}

static size_t root(size_t *parent, size_t i)
{
	while (parent[i] != i) {
		parent[i] = parent[parent[i]];
		i = parent[i];
	}
	return i;
}

/* Lost pools that share no address, directly or through others. */
static int count_groups(const struct vip_brake_pool *pools, size_t n, size_t *ret_groups)
{
	AUTO_FREE struct place *places = NULL;
	AUTO_FREE size_t *parent = calloc(n ? n : 1, sizeof(*parent));
	size_t total = 0, used = 0, groups = 0;

	for (size_t i = 0; i < n; i++)
		total += lost(&pools[i]) ? pools[i].pool->n_reals : 0;
	places = calloc(total ? total : 1, sizeof(*places));
	if (!parent || !places)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		parent[i] = i;
		for (size_t r = 0; lost(&pools[i]) && r < pools[i].pool->n_reals; r++)
			places[used++] = (struct place){&pools[i].pool->reals[r].address, i};
	}
	if (used)
		qsort(places, used, sizeof(*places), place_cmp);
	for (size_t i = 1; i < used; i++) {
		if (addr_equal(places[i - 1].addr, places[i].addr))
			parent[root(parent, places[i].pool)] = root(parent, places[i - 1].pool);
	}
	for (size_t i = 0; i < n; i++)
		groups += lost(&pools[i]) && root(parent, i) == i;
	*ret_groups = groups;
	return 0;
}

int vip_brake_judge(struct vip_brake_pool *pools, size_t n, struct vip_brake_result *ret_result)
{
	struct vip_brake_result res = {0};
	int rc = count_groups(pools, n, &res.groups);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++) {
		res.n_up += pools[i].n_up;
		res.n_fell += pools[i].n_fell;
	}
	res.holding = res.groups >= VIP_BRAKE_GROUPS && res.n_fell >= VIP_BRAKE_REALS &&
		      res.n_fell > res.n_up;
	for (size_t i = 0; i < n; i++)
		pools[i].held = res.holding && lost(&pools[i]);
	*ret_result = res;
	return 0;
}

uint64_t vip_brake_window_ms(const struct config *cfg)
{
	uint64_t window = 0;

	for (size_t i = 0; i < cfg->n_pools; i++) {
		const struct config_health *h = &cfg->pools[i].health;
		uint64_t ms = (uint64_t)h->interval_ms * (h->fall ? h->fall : 1) + h->timeout_ms;

		if (cfg->pools[i].has_health && ms > window)
			window = ms;
	}
	return window > WINDOW_MAX_MS ? WINDOW_MAX_MS : window;
}
