/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/vip/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Insert item at index at of a heap array; the array grows by one. */
static int array_insert(void **array, size_t *n, size_t size, size_t at, const void *item)
{
	char *grown = realloc(*array, (*n + 1) * size);

	if (!grown)
		return -ENOMEM;
	*array = grown;
	memmove(grown + (at + 1) * size, grown + at * size, (*n - at) * size);
	memcpy(grown + at * size, item, size);
	(*n)++;
	return 0;
}

static void array_remove(void *array, size_t *n, size_t size, size_t at)
{
	char *base = array;

	memmove(base + at * size, base + (at + 1) * size, (*n - at - 1) * size);
	(*n)--;
}

static int service_key_cmp(const struct vip_service *s, const struct prefix *address,
			   uint8_t protocol, struct ports ports)
{
	int d = prefix_cmp(&s->address, address);

	if (d)
		return d;
	if (s->protocol != protocol)
		return s->protocol < protocol ? -1 : 1;
	return ports_cmp(s->ports, ports);
}

/* Each finder gives the place where the key is or belongs, and whether it is there. */
static size_t pool_place(const struct vip_state *st, const char *name, bool *ret_found)
{
	size_t lo = 0, hi = st->n_pools;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcmp(st->pools[mid].name, name);

		if (d == 0) {
			*ret_found = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t service_place(const struct vip_state *st, const struct prefix *address,
			    uint8_t protocol, struct ports ports, bool *ret_found)
{
	size_t lo = 0, hi = st->n_services;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = service_key_cmp(&st->services[mid], address, protocol, ports);

		if (d == 0) {
			*ret_found = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static size_t route_place(const struct vip_state *st, const struct prefix *address, bool *ret_found)
{
	size_t lo = 0, hi = st->n_routes;

	*ret_found = false;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = prefix_cmp(&st->routes[mid].address, address);

		if (d == 0) {
			*ret_found = true;
			return mid;
		}
		if (d < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

void vip_state_fini(struct vip_state *st)
{
	for (size_t i = 0; i < st->n_pools; i++)
		free(st->pools[i].members);
	for (size_t i = 0; i < st->n_services; i++)
		vip_service_fini(&st->services[i]);
	free(st->pools);
	free(st->services);
	free(st->routes);
	memset(st, 0, sizeof(*st));
}

struct vip_pool *vip_state_find_pool(const struct vip_state *st, const char *name)
{
	bool found;
	size_t at = pool_place(st, name, &found);

	return found ? &st->pools[at] : NULL;
}

struct vip_service *vip_state_find_service(const struct vip_state *st, const struct prefix *address,
					   uint8_t protocol, struct ports ports)
{
	bool found;
	size_t at = service_place(st, address, protocol, ports, &found);

	return found ? &st->services[at] : NULL;
}

struct vip_route *vip_state_find_route(const struct vip_state *st, const struct prefix *address)
{
	bool found;
	size_t at = route_place(st, address, &found);

	return found ? &st->routes[at] : NULL;
}

bool vip_state_announced(const struct vip_state *st, const struct prefix *address)
{
	const struct vip_route *r = vip_state_find_route(st, address);

	return r && r->announced;
}

int vip_state_set_pool(struct vip_state *st, const struct vip_pool *pool)
{
	struct vip_pool copy = *pool;
	bool found;
	size_t at = pool_place(st, pool->name, &found);
	int rc;

	copy.members = NULL;
	if (pool->n_members) {
		copy.members = calloc(pool->n_members, sizeof(*copy.members));
		if (!copy.members)
			return -ENOMEM;
		memcpy(copy.members, pool->members, pool->n_members * sizeof(*copy.members));
		vip_members_sort(copy.members, copy.n_members);
	}
	if (found) {
		free(st->pools[at].members);
		st->pools[at] = copy;
		return 0;
	}
	rc = array_insert((void **)&st->pools, &st->n_pools, sizeof(copy), at, &copy);
	if (rc)
		free(copy.members);
	return rc;
}

int vip_state_remove_pool(struct vip_state *st, const char *name)
{
	bool found;
	size_t at = pool_place(st, name, &found);

	if (!found)
		return -ENOENT;
	for (size_t i = 0; i < st->n_services; i++) {
		if (strcmp(st->services[i].pool, name) == 0)
			return -EBUSY;
	}
	free(st->pools[at].members);
	array_remove(st->pools, &st->n_pools, sizeof(*st->pools), at);
	return 0;
}

int vip_state_set_service(struct vip_state *st, const struct vip_service *service)
{
	struct vip_service copy;
	bool found;
	size_t at = service_place(st, &service->address, service->protocol, service->ports, &found);
	int rc;

	if (!vip_state_find_pool(st, service->pool))
		return -ENOENT;
	rc = vip_service_copy(service, &copy);
	if (rc)
		return rc;
	if (found) {
		vip_service_fini(&st->services[at]);
		st->services[at] = copy;
		return 0;
	}
	rc = array_insert((void **)&st->services, &st->n_services, sizeof(copy), at, &copy);
	if (rc)
		vip_service_fini(&copy);
	return rc;
}

int vip_state_remove_service(struct vip_state *st, const struct prefix *address, uint8_t protocol,
			     struct ports ports)
{
	bool found;
	size_t at = service_place(st, address, protocol, ports, &found);

	if (!found)
		return -ENOENT;
	vip_service_fini(&st->services[at]);
	array_remove(st->services, &st->n_services, sizeof(*st->services), at);
	return 0;
}

int vip_state_announce(struct vip_state *st, const struct prefix *address)
{
	struct vip_route route = {.address = *address, .announced = true};
	bool found;
	size_t at = route_place(st, address, &found);

	if (found) {
		st->routes[at] = route;
		return 0;
	}
	return array_insert((void **)&st->routes, &st->n_routes, sizeof(route), at, &route);
}

int vip_state_withdraw(struct vip_state *st, const struct prefix *address, uint64_t now_ns)
{
	struct vip_route *r = vip_state_find_route(st, address);

	if (!r || !r->announced)
		return -ENOENT;
	r->announced = false;
	r->withdrawn_ns = now_ns;
	return 0;
}

void vip_state_expire(struct vip_state *st, uint64_t now_ns, uint64_t drain_ns)
{
	for (size_t i = st->n_routes; i-- > 0;) {
		const struct vip_route *r = &st->routes[i];

		if (!r->announced && now_ns - r->withdrawn_ns >= drain_ns)
			array_remove(st->routes, &st->n_routes, sizeof(*st->routes), i);
	}
}

bool vip_pool_equal(const struct vip_pool *a, const struct vip_pool *b)
{
	if (strcmp(a->name, b->name) != 0 || a->encap != b->encap || a->gue_port != b->gue_port ||
	    a->table_size != b->table_size || a->quic_length != b->quic_length ||
	    a->quic_rotation != b->quic_rotation || a->n_members != b->n_members)
		return false;
	for (size_t i = 0; i < a->n_members; i++) {
		if (!addr_equal(&a->members[i].addr, &b->members[i].addr) ||
		    a->members[i].weight != b->members[i].weight ||
		    a->members[i].dead != b->members[i].dead ||
		    memcmp(&a->members[i].server_id, &b->members[i].server_id,
			   sizeof(a->members[i].server_id)) != 0)
			return false;
	}
	return true;
}

bool vip_service_equal(const struct vip_service *a, const struct vip_service *b)
{
	if (service_key_cmp(a, &b->address, b->protocol, b->ports) != 0 ||
	    strcmp(a->vip, b->vip) != 0 || strcmp(a->pool, b->pool) != 0 || a->hash != b->hash ||
	    a->quic != b->quic || a->syn_rate != b->syn_rate || a->syn_burst != b->syn_burst ||
	    a->n_deny != b->n_deny)
		return false;
	for (size_t i = 0; i < a->n_deny; i++) {
		if (!prefix_equal(&a->deny[i], &b->deny[i]))
			return false;
	}
	return true;
}

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

int vip_service_copy(const struct vip_service *service, struct vip_service *ret_copy)
{
	struct vip_service copy = *service;

	copy.deny = NULL;
	if (copy.n_deny) {
		copy.deny = calloc(copy.n_deny, sizeof(*copy.deny));
		if (!copy.deny)
			return -ENOMEM;
		memcpy(copy.deny, service->deny, copy.n_deny * sizeof(*copy.deny));
		qsort(copy.deny, copy.n_deny, sizeof(*copy.deny), by_prefix);
	}
	*ret_copy = copy;
	return 0;
}

void vip_service_fini(struct vip_service *service)
{
	free(service->deny);
	service->deny = NULL;
	service->n_deny = 0;
}

bool vip_node_equal(const struct vip_node *a, const struct vip_node *b)
{
	return a->set == b->set && memcmp(a->hash_seed, b->hash_seed, sizeof(a->hash_seed)) == 0 &&
	       prefix_equal(&a->source4, &b->source4) && prefix_equal(&a->source6, &b->source6) &&
	       a->echo_rate == b->echo_rate && a->too_big_rate == b->too_big_rate &&
	       a->flows == b->flows && a->settle_ms == b->settle_ms && a->idle_ms == b->idle_ms;
}

static bool routes_within(const struct vip_state *a, const struct vip_state *b)
{
	for (size_t i = 0; i < a->n_routes; i++) {
		if (a->routes[i].announced && !vip_state_announced(b, &a->routes[i].address))
			return false;
	}
	return true;
}

bool vip_state_equal(const struct vip_state *a, const struct vip_state *b)
{
	if (!vip_node_equal(&a->node, &b->node) || a->n_pools != b->n_pools ||
	    a->n_services != b->n_services)
		return false;
	for (size_t i = 0; i < a->n_pools; i++) {
		if (!vip_pool_equal(&a->pools[i], &b->pools[i]))
			return false;
	}
	for (size_t i = 0; i < a->n_services; i++) {
		if (!vip_service_equal(&a->services[i], &b->services[i]))
			return false;
	}
	return routes_within(a, b) && routes_within(b, a);
}

size_t vip_pool_active(const struct vip_pool *pool)
{
	size_t n = 0;

	for (size_t i = 0; i < pool->n_members; i++)
		n += pool->members[i].weight > 0;
	return n;
}

bool vip_pool_forwards(const struct vip_pool *pool)
{
	return vip_pool_active(pool) > 0;
}

static int member_cmp(const void *a, const void *b)
{
	return addr_cmp(&((const struct vip_member *)a)->addr,
			&((const struct vip_member *)b)->addr);
}

void vip_members_sort(struct vip_member *members, size_t n)
{
	if (n)
		qsort(members, n, sizeof(*members), member_cmp);
}
