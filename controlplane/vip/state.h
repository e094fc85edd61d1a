/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_STATE_H
#define FAIRWAY_VIP_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/config/config.h"

/*
 * What the tables and BGP hold, or should hold: the same shape for both, so that a plan is the
 * difference of two states and applying a plan to the one gives the other. Plain memory, sorted by
 * key, hence independent of the order things arrived in.
 */

struct vip_member {
	struct addr addr;
	uint32_t weight;            /* 0: no new connections, but those it has go on (drained) */
	bool dead;                  /* it failed or is disabled: none at all; its weight is 0 */
	struct server_id server_id; /* length 0: the pool has none */
};

struct vip_pool {
	char name[CONFIG_NAME_MAX + 1];
	enum config_encap encap;
	uint16_t gue_port;
	uint32_t table_size;
	uint8_t quic_length; /* bytes of a server id; 0: QUIC isn't routed by them */
	uint8_t quic_rotation;
	struct vip_member *members; /* sorted by address */
	size_t n_members;
};

struct vip_service {
	struct prefix address;
	uint8_t protocol;
	struct ports ports;
	char vip[CONFIG_NAME_MAX + 1];
	char pool[CONFIG_NAME_MAX + 1];
	enum config_hash hash;
	bool quic;
	uint32_t syn_rate, syn_burst; /* rate 0: no limit */
	struct prefix *deny;          /* sorted */
	size_t n_deny;
};

struct vip_route {
	struct prefix address;
	bool announced;
	uint64_t withdrawn_ns; /* when it was withdrawn, for the drain time; 0: not drained for */
};

/* What is set once for the whole node. */
struct vip_node {
	bool set;
	uint8_t hash_seed[16];
	struct prefix source4, source6; /* addr.family 0: none */
	uint32_t echo_rate, too_big_rate;
	uint32_t flows; /* size of the flow table */
	uint64_t settle_ms, idle_ms;
};

struct vip_state {
	struct vip_node node;
	struct vip_pool *pools; /* sorted by name */
	size_t n_pools;
	struct vip_service *services; /* sorted by address, protocol, ports */
	size_t n_services;
	struct vip_route *routes; /* sorted by address */
	size_t n_routes;
};

/* An empty state is all zero. */
void vip_state_fini(struct vip_state *st);

/* Lookups; NULL when there is none. The result lives until the next change. */
struct vip_pool *vip_state_find_pool(const struct vip_state *st, const char *name);
struct vip_service *vip_state_find_service(const struct vip_state *st, const struct prefix *address,
					   uint8_t protocol, struct ports ports);
struct vip_route *vip_state_find_route(const struct vip_state *st, const struct prefix *address);
bool vip_state_announced(const struct vip_state *st, const struct prefix *address);

/* Changes. 0, -ENOMEM, and what keeps a state sound: -ENOENT for a service of a pool that isn't
 * there or the removal of what isn't there, -EBUSY for the removal of a pool in use. */
int vip_state_set_pool(struct vip_state *st, const struct vip_pool *pool)
	__attribute__((warn_unused_result));
int vip_state_remove_pool(struct vip_state *st, const char *name)
	__attribute__((warn_unused_result));
int vip_state_set_service(struct vip_state *st, const struct vip_service *service)
	__attribute__((warn_unused_result));
int vip_state_remove_service(struct vip_state *st, const struct prefix *address, uint8_t protocol,
			     struct ports ports) __attribute__((warn_unused_result));
int vip_state_announce(struct vip_state *st, const struct prefix *address)
	__attribute__((warn_unused_result));
int vip_state_withdraw(struct vip_state *st, const struct prefix *address, uint64_t now_ns)
	__attribute__((warn_unused_result));

/* Forget withdrawals whose drain time has passed. */
void vip_state_expire(struct vip_state *st, uint64_t now_ns, uint64_t drain_ns);

/* Equal in what packets and peers can see: withdrawn routes don't count. */
bool vip_state_equal(const struct vip_state *a, const struct vip_state *b);
bool vip_pool_equal(const struct vip_pool *a, const struct vip_pool *b);
/* A copy that owns its list; 0 or -ENOMEM. */
int vip_service_copy(const struct vip_service *service, struct vip_service *ret_copy)
	__attribute__((warn_unused_result));
void vip_service_fini(struct vip_service *service);
bool vip_service_equal(const struct vip_service *a, const struct vip_service *b);
bool vip_node_equal(const struct vip_node *a, const struct vip_node *b);

/* True when some member has a weight. */
bool vip_pool_forwards(const struct vip_pool *pool);
/* How many have. */
size_t vip_pool_active(const struct vip_pool *pool);
/* Put members into the order states keep. */
void vip_members_sort(struct vip_member *members, size_t n);

#endif
