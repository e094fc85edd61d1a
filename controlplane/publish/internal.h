/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_INTERNAL_H
#define FAIRWAY_PUBLISH_INTERNAL_H

#include "controlplane/publish/publish.h"
#include "controlplane/publish/space.h"
#include "dataplane/core/key.h"

#define PUBLISH_NAME_LEN 64

/* A real server of a pool that has a record in the tables. */
struct publish_real {
	struct addr addr;
	uint32_t weight;
	uint32_t id;
	uint32_t slots; /* of the ring that lead here */
	struct server_id server_id;
};

struct publish_pool {
	char name[PUBLISH_NAME_LEN]; /* empty: this place is free */
	struct publish_pool_spec spec;
	uint64_t adopted_key;       /* adopted keys have this place as their scope, for this pool */
	uint8_t state;              /* of the place: FREE, USED, PENDING, MARKED */
	struct publish_real *reals; /* sorted by address */
	size_t n_reals;
	uint32_t ring_start; /* in slots */
	uint32_t ring_slots; /* 0: no ring */
	uint32_t n_services;
};

struct publish_vip {
	char name[PUBLISH_NAME_LEN]; /* empty: this place is free */
	struct prefix address;
	uint32_t record; /* of the address keys */
	uint32_t n_services;
};

/* What packets to a service go through on their way to the pool. */
struct publish_service {
	bool used; /* false: this place is free */
	struct prefix address;
	uint8_t protocol;
	struct ports ports;
	uint32_t vip, pool; /* places */
	uint32_t record;    /* 0: none yet */
	uint32_t counter;
	enum lb_hash_mode hash;
	bool quic;
	bool has_list; /* deny_list is a number of its own */
	uint32_t deny_list;
	struct prefix *deny; /* sorted */
	size_t n_deny;
	bool limited;
	uint32_t limit; /* 0: none */
};

#define PUBLISH_NO_SERVICE UINT32_MAX

/* What a record stands for; parallel to the services table. A record that was replaced keeps it. */
struct publish_record {
	uint32_t vip, pool;
	uint32_t service; /* place, or PUBLISH_NO_SERVICE */
	uint32_t n_keys;  /* entries found by adoption */
	bool set;         /* set since publish_new(), not only adopted */
};

/* The short lists of lb_node. */
enum publish_list {
	PUBLISH_SHAPES4,
	PUBLISH_SHAPES6,
	PUBLISH_DENIED4,
	PUBLISH_DENIED6,
	PUBLISH_LISTS,
};

struct publish_listed {
	uint32_t value;
	uint32_t keys; /* that need it; 0: not listed */
};

/* Rings found by adoption that no pool has taken over yet. */
struct publish_ring {
	uint32_t start, slots;
	bool taken;
};

struct publish_hop {
	struct addr addr;
	uint64_t word; /* lb_real.nexthop */
};

struct publish {
	struct publish_engine engine;
	struct lb_tables *t;
	struct publish_node node;
	bool node_set;
	struct publish_pool *pools;
	uint32_t n_pools;
	struct publish_vip *vips;
	uint32_t n_vips;
	struct publish_service *services;
	uint32_t n_services;
	struct publish_record *records;
	struct {
		struct publish_listed refs[LB_SHAPES_MAX];
		bool changed; /* since the grace period began */
	} lists[PUBLISH_LISTS];
	struct publish_hop *hops; /* sorted by address */
	size_t n_hops;
	/* Places in the tables. Counters of services and deny lists have numbers of their own,
	 * because a record is replaced by a new one whenever its service changes. */
	struct space entries, denied, service_ids, service_counters, deny_lists, limits, lines,
		real_ids;
	struct publish_ring *rings;
	size_t n_rings;
	uint8_t *adopted_reals; /* by id: one of the two below, 0: nothing led to it */
	uint32_t n_adopted_reals;
	bool adopted;
	uint64_t writes;
};

/* One store that readers see. */
static inline void publish_store32(struct publish *p, uint32_t *where, uint32_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELEASE);
	p->writes++;
}

static inline void publish_store64(struct publish *p, __u64 *where, uint64_t value)
{
	__atomic_store_n(where, value, __ATOMIC_RELEASE);
	p->writes++;
}

/* In adopted_reals: packets went there by a ring, or by the connection id of QUIC alone. */
#define PUBLISH_ADOPTED_RING 1
#define PUBLISH_ADOPTED_QUIC 2

/* ---- keys.c ---- */

size_t publish_service_keys(const struct prefix *address, uint8_t protocol, struct ports ports,
			    struct lb_key keys[PORTS_BLOCKS_MAX]);
size_t publish_vip_keys(const struct prefix *address, struct lb_key keys[2]);
struct lb_key publish_deny_key(const struct prefix *prefix, uint32_t list);
struct lb_key publish_quic_key(const struct server_id *id, uint8_t rotation, uint32_t pool);

/* ---- index.c: the VIP index and the table of denied prefixes ---- */

struct lb_key publish_entry_key(const struct lb_vip_entry *entry);
/* The entry of a key, or NULL. Growing tables moves entries. */
struct lb_vip_entry *publish_key_find(const struct publish *p, const struct lb_key *key);
/* Add a key that isn't there, with what it needs in the node's lists; the tables may grow. */
int publish_key_enter(struct publish *p, const struct lb_key *key, uint32_t value, struct err *err);
void publish_key_remove(struct publish *p, struct lb_vip_entry *entry);
/* Take an adopted entry into account. */
int publish_key_claim(struct publish *p, struct lb_vip_entry *entry, struct err *err);
/* Turn deleted entries at the ends of probe chains back into unused ones. */
void publish_index_sweep(struct publish *p);
/* Enter every key of `from` into the empty tables of `to`. -ENOSPC: too many collide. */
int publish_index_copy(struct lb_tables *to, const struct lb_tables *from);

/* ---- list.c ---- */

/* One key more, or less, needs the value. */
int publish_list_add(struct publish *p, enum publish_list list, uint32_t value, struct err *err);
void publish_list_remove(struct publish *p, enum publish_list list, uint32_t value);
/* All keys are claimed: take out what none needs. */
void publish_lists_adopted(struct publish *p);
/* The lists' part of a grace period. */
bool publish_lists_due(const struct publish *p);
void publish_lists_begin(struct publish *p);
void publish_lists_end(struct publish *p);

/* ---- grow.c ---- */

enum publish_table {
	PUBLISH_VIPS,
	PUBLISH_SERVICES,
	PUBLISH_LINES,
	PUBLISH_REALS,
	PUBLISH_DENIED,
	PUBLISH_LIMITS,
};
/* Make room for `more` elements: by waiting for what is pending, else by growing the tables. */
int publish_make_room(struct publish *p, enum publish_table table, uint32_t more, struct err *err);
/* Take places, making room as needed. */
int publish_take(struct publish *p, enum publish_table table, uint32_t count, uint32_t *ret_first,
		 struct err *err);

/* ---- adopt.c ---- */

int publish_adopt(struct publish *p, struct err *err);

/* ---- real.c ---- */

uint64_t publish_pool_key(const char *name);
/* The record of a real: an existing one of the same content, or a new one that nobody reads yet. */
int publish_real_get(struct publish *p, const char *pool, const struct publish_pool_spec *spec,
		     const struct addr *addr, uint32_t *ret_id, bool *ret_new, struct err *err);
/* Does a pool's real keep its record (its tunnel is as it was)? */
bool publish_real_current(const struct publish *p, const struct publish_pool_spec *spec,
			  uint32_t id);

/* ---- pool.c ---- */

struct publish_pool *publish_pool_find(const struct publish *p, const char *name);
const struct publish_real *publish_pool_real(const struct publish_pool *pool,
					     const struct addr *addr);
/* The pools' part of a grace period. */
bool publish_pools_due(const struct publish *p);
void publish_pools_step(struct publish *p, enum space_state from, enum space_state to);
/* Rebuild every pool whose reals no longer fit the node's tunnel sources or hash seed. */
int publish_pools_refresh(struct publish *p, struct err *err);

/* ---- service.c ---- */

struct publish_service *publish_service_find(const struct publish *p, const struct prefix *address,
					     uint8_t protocol, struct ports ports);
/* Have every service of the pool lead to its ring, by its server ids. */
int publish_services_repoint(struct publish *p, uint32_t pool, struct err *err);
/* Give up a record that nothing points to any more. */
void publish_record_drop(struct publish *p, uint32_t id);

/* ---- vip.c ---- */

/* The VIP of an address, made when there is none; its number of services is the caller's. */
int publish_vip_get(struct publish *p, const char *name, const struct prefix *address,
		    uint32_t *ret_vip, struct err *err);
/* One service less; the last takes the VIP along. */
void publish_vip_put(struct publish *p, uint32_t vip);

/* ---- deny.c: deny lists and limits of services ---- */

/* Have the service's list hold just these prefixes; it keeps its number when there are none. */
int publish_deny_set(struct publish *p, struct publish_service *s, const struct prefix *deny,
		     size_t n, struct err *err);
/* Find the prefixes of an adopted list. */
int publish_deny_adopt(struct publish *p, struct publish_service *s);
/* Give up list and number. */
void publish_deny_give(struct publish *p, struct publish_service *s);
int publish_limit_set(struct publish *p, struct publish_service *s, uint32_t rate, uint32_t burst,
		      struct err *err);
void publish_limit_give(struct publish *p, struct publish_service *s);
/* Write a limit that has a place. rate 0: none. */
void publish_limit_write(struct publish *p, uint32_t limit, uint32_t rate, uint32_t burst);

/* ---- quic.c ---- */

/* Enter the server ids of the pool's reals that aren't there yet. */
int publish_quic_enter(struct publish *p, const struct publish_pool *pool, struct err *err);
/* Have the server ids that are there lead to the pool's reals, and remove others. */
void publish_quic_settle(struct publish *p, const struct publish_pool *pool);
/* Remove keys of places that no pool has, or whose pool doesn't know them. */
void publish_quic_sweep(struct publish *p);

/* ---- count.c ---- */

/* Set a counter to zero in all rows: when its number is given to a new object. */
void publish_counter_reset(struct publish *p, uint32_t counter);
/* The sum over all rows. */
struct publish_count publish_counter_sum(const struct lb_tables *t, uint32_t counter);

#endif
