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
	bool dead; /* weight is 0 then */
};

/* What is known of a ring's slots besides what the tables hold. The arrays are there only while a
 * slot is tracked. */
struct publish_slots {
	uint32_t *since_s; /* when each unsettled slot changed, in whole seconds of now_ns */
	uint8_t *marks;    /* PUBLISH_SLOT_* each */
	uint32_t tracked, unsettled;
};
#define PUBLISH_SLOT_QUIET  0x1U /* was settled when this pass, or the last one, began */
#define PUBLISH_SLOT_NEEDED 0x2U /* the flow table has an entry that needs the slot tracked */

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
	uint64_t generation; /* another one whenever the ring changes */
	struct publish_slots slots;
	bool other_hash;  /* a service picks slots by another hash than that of flows */
	bool has_entries; /* the flow table named a real of the pool in the last pass */
	bool counted;     /* the same in this pass */
};

struct publish_vip {
	char name[PUBLISH_NAME_LEN]; /* empty: this place is free */
	struct prefix address;
	uint32_t record; /* of the address keys; 0: not entered yet */
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
	uint64_t pool_key; /* of the reals it leads to */
	bool taken;
};

/* What is known of a real's record by its id; see linger.c. */
enum publish_stage {
	PUBLISH_ID_NONE,    /* no record, or given up */
	PUBLISH_ID_MEMBER,  /* of a pool */
	PUBLISH_ID_LINGERS, /* a member no more, but slots or flows may name it */
	PUBLISH_ID_UNNAMED, /* no slot names it; waits for a grace period */
	PUBLISH_ID_MARKED,  /* the period runs */
	PUBLISH_ID_QUIET,   /* it is over: the next pass tells whether flows name it */
	PUBLISH_ID_PASS,    /* such a pass is under way */
};

#define PUBLISH_POOL_NONE UINT32_MAX

struct publish_id {
	uint8_t stage; /* enum publish_stage */
	bool dead;
	bool led;                  /* a ring led to it when it was adopted */
	bool named;                /* by a slot, in this pass */
	bool clean;                /* a pass has found no entry that names it */
	uint16_t successor;        /* the record that replaced it; 0: none */
	uint32_t pool;             /* its place in pools, or PUBLISH_POOL_NONE */
	uint32_t flows, confirmed; /* entries that name it, as of the last pass */
	uint32_t flows_counted, confirmed_counted, fragments_counted; /* in this pass */
};

enum publish_phase {
	PUBLISH_TRACK_IDLE,
	PUBLISH_TRACK_SLOTS,
	PUBLISH_TRACK_FLOWS,
	PUBLISH_TRACK_FRAGMENTS
};

/* A walk over slots, flows and fragments in small steps; see track.c. */
struct publish_track {
	uint64_t settle_ns, idle_ns;
	uint64_t flow_tick_ns, fragment_tick_ns; /* when the clocks last advanced; 0: never */
	enum publish_phase phase;
	uint32_t at;         /* next line or bucket of the phase */
	uint32_t pool;       /* of the phase SLOTS */
	uint64_t generation; /* of that pool's ring */
	uint64_t passes, began_ns, ended_ns;
	uint64_t evicted_confirmed_sum,
		evicted_unconfirmed_sum; /* in the table, at the last pass */
	struct publish_tracking last, counting;
};

/* A prefix that leaves a deny list; packets may still go by the list as it was. */
struct publish_leaving {
	struct prefix prefix;
	uint32_t list;
	bool marked; /* a grace period runs */
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
	/* By service counter: what was added to the reason's own already, when its service went. */
	struct publish_count *retired;
	struct publish_leaving *leaving;
	size_t n_leaving;
	struct {
		struct publish_listed refs[LB_SHAPES_MAX];
		bool changed; /* since the grace period began */
	} lists[PUBLISH_LISTS];
	/* By which number next hops name each of the node's interfaces; 0: not set by this writer.
	 */
	uint32_t iface_names[LB_IFACES_MAX];
	struct publish_hop *hops; /* sorted by address */
	size_t n_hops;
	/* Places in the tables. Counters of services and deny lists have numbers of their own,
	 * because a record is replaced by a new one whenever its service changes. */
	struct space entries, denied, service_ids, service_counters, deny_lists, limits, lines,
		real_ids, ifaces;
	struct publish_ring *rings;
	size_t n_rings;
	struct publish_id *ids; /* as many as there are reals in the tables */
	uint32_t n_ids, n_lingering;
	uint64_t generations;
	uint32_t now_s; /* of the last call that told the time */
	struct publish_track track;
	bool adopting; /* what was adopted and not set again hasn't been dropped yet */
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
/* Replace the tables by a set of these dimensions and the same content. */
int publish_regrow(struct publish *p, const struct lb_dims *dims, struct err *err);
/* Make room for `more` elements: by waiting for what is pending, else by growing the tables. */
int publish_make_room(struct publish *p, enum publish_table table, uint32_t more, struct err *err);
/* Take places, making room as needed. */
int publish_take(struct publish *p, enum publish_table table, uint32_t count, uint32_t *ret_first,
		 struct err *err);

/* ---- adopt.c ---- */

int publish_adopt(struct publish *p, struct err *err);

/* ---- linger.c: records live as long as slots or flows name them ---- */

/* Give each real of the tables its place in ids. 0 or -ENOMEM. */
int publish_ids_resize(struct publish *p) __attribute__((warn_unused_result));
/* A record in use that is found by adoption. */
void publish_id_adopt(struct publish *p, uint32_t id, bool led);
/* The record is a member of this pool now. */
void publish_id_join(struct publish *p, uint32_t id, uint32_t pool);
/* It is a member no more; it is given back when nothing names it. */
void publish_id_leave(struct publish *p, uint32_t id);
/* Link what lingers to a pool that appears, or unlink it from one that goes. */
void publish_ids_pool(struct publish *p, uint32_t pool, bool there);
/* The pool's members changed: flows of other records of the same address go on with theirs, or are
 * dead as they are. */
void publish_ids_succeed(struct publish *p, uint32_t pool);
void publish_id_dead(struct publish *p, uint32_t id, bool dead);
/* lb_real.nexthop of a record whose next hop is `word`: with its dead bit. */
uint64_t publish_id_word(const struct publish *p, uint32_t id, uint64_t word);
/* No slot and no flow names it any more. */
void publish_id_give(struct publish *p, uint32_t id);
struct addr publish_id_addr(const struct publish *p, uint32_t id);
bool publish_ids_due(const struct publish *p);
void publish_ids_grace_begin(struct publish *p);
void publish_ids_grace_end(struct publish *p);

/* ---- ring.c: what a new ring takes over from the old one ---- */

static inline __u16 *publish_slot(struct lb_slot_line *lines, uint32_t at)
{
	return &lines[at / LB_SLOTS_PER_LINE].slot[at % LB_SLOTS_PER_LINE];
}

/* A ring being made: its slots are current reals at first, words with tracked bits in the end. */
struct publish_draft {
	uint16_t *slots, *previous;
	uint32_t n;
	uint32_t now_s;
	struct publish_slots state;
};

/* Room for n slots, all 0. 0 or -ENOMEM. */
int publish_draft_init(struct publish_draft *d, uint32_t n, uint32_t now_s)
	__attribute__((warn_unused_result));
void publish_draft_fini(struct publish_draft *d);
/* Make the draft what comes after the ring of `old`: slots that change remember the real they had.
 * `next` tells who is dead then. 0 or -ENOMEM. */
int publish_draft_derive(const struct publish *p, const struct publish_pool *old,
			 const struct publish_pool *next, struct publish_draft *d)
	__attribute__((warn_unused_result));
/* Is it slot for slot what the pool has in force? */
bool publish_draft_in_force(const struct publish *p, const struct publish_pool *pool,
			    const struct publish_draft *d);
/* Does it lead nowhere, and remember nothing? */
bool publish_draft_empty(const struct publish_draft *d);
/* Count what is tracked in a ring that was adopted; unsettled slots changed now. 0 or -ENOMEM. */
int publish_ring_count(const struct publish *p, struct publish_pool *pool, uint32_t now_s)
	__attribute__((warn_unused_result));
void publish_slots_fini(struct publish_slots *s);
/* Whole seconds, rounded up. */
uint32_t publish_seconds(uint64_t ns);

/* ---- flows.c: another size of the flow table ---- */

/* Enter what `from` holds and `to` doesn't. */
void publish_flows_copy(struct lb_tables *to, const struct lb_tables *from);
void publish_flows_clear(struct lb_tables *t);

/* ---- real.c ---- */

uint64_t publish_pool_key(const char *name);
/* The record of a real: an existing one of the same content, or a new one that nobody reads yet. */
int publish_real_get(struct publish *p, const char *pool, const struct publish_pool_spec *spec,
		     const struct addr *addr, uint32_t *ret_id, bool *ret_new, struct err *err);
/* Give back a record that nobody ever read. */
void publish_real_undo(struct publish *p, uint32_t id);
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
/* Rebuild every pool after a change of the node's tunnel sources, or, anew, of its hash seed. */
int publish_pools_refresh(struct publish *p, bool anew, struct err *err);

/* ---- service.c ---- */

struct publish_service *publish_service_find(const struct publish *p, const struct prefix *address,
					     uint8_t protocol, struct ports ports);
/* Have every service of the pool lead to its ring, by its server ids. */
int publish_services_repoint(struct publish *p, uint32_t pool, struct err *err);
/* Give up a record that nothing points to any more. */
void publish_record_drop(struct publish *p, uint32_t id);

/* ---- vip.c ---- */

/* The place of an address's VIP, made when there is none; its number of services is the caller's.
 */
int publish_vip_get(struct publish *p, const char *name, const struct prefix *address,
		    uint32_t *ret_vip, struct err *err);
/* Have the VIP own its addresses, once it has a service: a wider VIP that had them is asked no more
 * for any port, so nothing may be missing by then. */
int publish_vip_enter(struct publish *p, uint32_t vip, struct err *err);
/* One service less; the last takes the VIP along, and has to be there still when it goes. */
void publish_vip_put(struct publish *p, uint32_t vip);

/* ---- deny.c: deny lists and limits of services ---- */

/* Have the service's list hold these prefixes; it keeps its number when there are none. What it had
 * besides is kept, in *ret_old, until the record that goes with the list is in force and
 * publish_deny_leave() is told; always call that when this returned 0. */
int publish_deny_set(struct publish *p, struct publish_service *s, const struct prefix *deny,
		     size_t n, struct prefix **ret_old, size_t *ret_n_old, struct err *err);
void publish_deny_leave(struct publish *p, const struct publish_service *s, struct prefix *old,
			size_t n_old);
/* The lists' part of a grace period. */
bool publish_deny_due(const struct publish *p);
void publish_deny_grace_begin(struct publish *p);
void publish_deny_grace_end(struct publish *p);
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
/* The service of a counter goes: what it counted, and what packets under way will until the grace
 * period ends, goes to the reason's own counter. */
void publish_counter_retire(struct publish *p, uint32_t counter);
/* The counters' part of a grace period's end, before their places are free. */
void publish_counters_end(struct publish *p);
/* The sum over all rows. */
struct publish_count publish_counter_sum(const struct lb_tables *t, uint32_t counter);

#endif
