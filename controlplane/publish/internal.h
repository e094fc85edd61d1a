/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_INTERNAL_H
#define FAIRWAY_PUBLISH_INTERNAL_H

#include "controlplane/publish/publish.h"
#include "controlplane/publish/space.h"

#define PUBLISH_NAME_LEN 64

struct publish_key {
	struct addr addr;
	uint16_t port;
	uint8_t protocol;
};

/* A real server of a pool that has a record in the tables. */
struct publish_real {
	struct addr addr;
	uint32_t weight;
	uint32_t id;
	uint32_t slots; /* of the ring that lead here */
};

struct publish_pool {
	char name[PUBLISH_NAME_LEN]; /* empty: this place is free */
	enum lb_encap encap;
	uint32_t table_size;
	struct publish_real *reals; /* sorted by address */
	size_t n_reals;
	uint32_t ring_start; /* in slots */
	uint32_t ring_slots; /* 0: no ring */
	uint32_t n_services;
};

struct publish_vip {
	char name[PUBLISH_NAME_LEN]; /* empty: this place is free */
	struct addr addr;
	uint32_t record; /* of the address key */
	uint32_t n_services;
};

/* What a service record stands for; parallel to the services table. */
struct publish_record {
	struct publish_key key;
	uint32_t pool, vip; /* places in pools and vips */
	bool set;           /* set since publish_new(), not only adopted */
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
	struct publish_record *records;
	struct publish_hop *hops; /* sorted by address */
	size_t n_hops;
	/* Places in the tables. Counters of services have numbers of their own, because a record
	 * is replaced by a new one whenever its service changes. */
	struct space entries, service_ids, service_counters, lines, real_ids;
	struct publish_ring *rings;
	size_t n_rings;
	uint8_t *adopted_reals; /* by id: a ring led to it when it was adopted */
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

/* ---- index.c: the VIP index ---- */

struct lb_vip_entry publish_entry(const struct publish_key *key);
struct publish_key publish_entry_key(const struct lb_vip_entry *entry);
/* The entry of a key, or NULL. */
struct lb_vip_entry *publish_index_find(const struct lb_tables *t, const struct publish_key *key);
/* Add a key that isn't there. -ENOSPC: no place within LB_VIP_PROBE_MAX; the table must grow. */
int publish_index_add(struct publish *p, const struct publish_key *key, uint32_t service);
void publish_index_remove(struct publish *p, struct lb_vip_entry *entry);
/* Turn deleted entries at the ends of probe chains back into unused ones. */
void publish_index_sweep(struct publish *p);
/* Enter every key of `from` into the empty index of `to`. -ENOSPC as above. */
int publish_index_copy(struct lb_tables *to, const struct lb_tables *from);

/* ---- grow.c ---- */

enum publish_table { PUBLISH_VIPS, PUBLISH_SERVICES, PUBLISH_LINES, PUBLISH_REALS };
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
int publish_real_get(struct publish *p, const char *pool, enum lb_encap encap,
		     const struct addr *addr, uint32_t *ret_id, bool *ret_new, struct err *err);
/* Does a pool's real need another record (its tunnel source changed)? */
bool publish_real_current(const struct publish *p, enum lb_encap encap, uint32_t id);

/* ---- pool.c ---- */

struct publish_pool *publish_pool_find(const struct publish *p, const char *name);
const struct publish_real *publish_pool_real(const struct publish_pool *pool,
					     const struct addr *addr);
/* Rebuild every pool whose reals no longer fit the node's tunnel sources or hash seed. */
int publish_pools_refresh(struct publish *p, struct err *err);

/* ---- service.c ---- */

/* Point every service of the pool at its ring. */
int publish_services_repoint(struct publish *p, uint32_t pool, struct err *err);
/* Drop a service or address record and its entry. */
void publish_record_drop(struct publish *p, uint32_t id);

/* ---- count.c ---- */

/* Set a counter to zero in all rows: when its number is given to a new object. */
void publish_counter_reset(struct publish *p, uint32_t counter);
/* The sum over all rows. */
struct publish_count publish_counter_sum(const struct lb_tables *t, uint32_t counter);

#endif
