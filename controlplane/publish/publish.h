/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_PUBLISH_H
#define FAIRWAY_PUBLISH_PUBLISH_H

/*
 * The writer of the tables. It owns the numbers (service, real, ring places) behind the names of
 * the configuration, builds every change aside and publishes it with one store, so that a packet
 * sees the old or the new state and nothing between; what a change leaves behind is reused only
 * after the engine's grace period. An object set to what it already is causes no write at all.
 *
 * The same writer serves XDP (pinned maps), native (plain memory) and DPDK (either, shared with
 * another process): struct publish_engine.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/base/ports.h"
#include "controlplane/base/server_id.h"
#include "dataplane/core/memory.h"
#include "dataplane/core/reasons.h"
#include "dataplane/core/tables.h"

/* What the writer does when an engine moves the tables to a larger set: fill() copies the content
 * before any packet reads the new set, carry() adds the old set's counters once no packet writes
 * them any more. */
struct publish_move {
	void *arg;
	int (*fill)(void *arg, struct lb_tables *to, const struct lb_tables *from, struct err *err);
	void (*carry)(void *arg, struct lb_tables *to, const struct lb_tables *from);
};

/* What an engine does for the writer. */
struct publish_engine {
	const char *name;
	void *arg;
	/* The engine's tables now. They stay valid until grow() succeeds or the engine is freed. */
	struct lb_tables *(*tables)(void *arg);
	/* Replace the tables by larger ones of the same content without losing a packet or a count.
	 * 0, or -errno with words and the old tables still in force. */
	int (*grow)(void *arg, const struct lb_dims *dims, const struct publish_move *move,
		    struct err *err);
	/* Return when no reader still uses what was unpublished before the call. May block for
	 * milliseconds; safe to call from another thread. */
	void (*grace)(void *arg);
	/* Would grace() return within milliseconds, so that a loop may call it? NULL: always. */
	bool (*grace_is_short)(void *arg);
};

struct publish;

/* Adopts what the engine's tables hold: services, rings and reals stay in force and keep their
 * numbers and counters when they are set again. -EPROTO when the layout version is another.
 * The engine must outlive the writer. */
int publish_new(const struct publish_engine *engine, struct publish **ret_publish, struct err *err)
	__attribute__((warn_unused_result));
/* The tables stay as they are. */
void publish_free(struct publish *p);

/* The fleet's hash seed, the sources of outer headers, and how many answers of ICMP the node gives
 * per second (0: as many as it is asked for). A source of family 0 is none; setting a pool that
 * needs it is then an error. A changed source rebuilds the reals that use it. */
struct publish_node {
	uint8_t hash_seed[16];
	struct prefix source4, source6;
	uint32_t echo_rate, too_big_rate;
};
int publish_node_set(struct publish *p, const struct publish_node *node, struct err *err)
	__attribute__((warn_unused_result));

/* An interface frames can leave by. mtu 0: packets of any size. sole: the engine is attached to
 * this one only. */
int publish_iface_set(struct publish *p, uint32_t ifindex, const uint8_t mac[6], uint32_t mtu,
		      bool sole, struct err *err) __attribute__((warn_unused_result));

/* The same for an interface that may be a VLAN device: routes and next hops name one, frames leave
 * by the one below, with tags. Without tags they keep those that they came with. What is set before
 * for the same device and tags changes, whatever number names it now. -EINVAL: more tags than a
 * frame may have. */
struct publish_egress {
	uint32_t ifindex; /* by which next hops name it */
	uint32_t device;  /* kernel's number of the device that sends; the same without tags */
	uint8_t mac[6];
	uint32_t mtu;
	bool sole; /* the engine is attached to this device only */
	uint32_t n_tags;
	uint32_t tags[LB_TAGS_MAX]; /* TPID << 16 | TCI, outermost first */
};
int publish_egress_set(struct publish *p, const struct publish_egress *egress, struct err *err)
	__attribute__((warn_unused_result));

/* The next hop of every real with this address; mac NULL: unknown, packets to it are dropped as
 * real_unresolved. ifindex must have been set with publish_iface_set() or publish_egress_set().
 * Remembered also for reals that come later. */
int publish_nexthop_set(struct publish *p, const struct addr *real, uint32_t ifindex,
			const uint8_t *mac, struct err *err) __attribute__((warn_unused_result));

struct publish_member {
	struct addr addr;
	uint32_t weight; /* share of slots relative to the other members; 0: none, but flows that
			  * have this real keep it */
	struct server_id server_id; /* of the pool's length; length 0: QUIC doesn't name it */
	bool dead;                  /* it failed: no share, and its flows go elsewhere */
};

/* What a pool is besides its members. */
struct publish_pool_spec {
	enum lb_encap encap;
	uint16_t gue_port; /* UDP destination port of GUE */
	uint32_t table_size;
	uint8_t quic_length; /* bytes of its reals' server ids; 0: QUIC isn't routed by them */
	uint8_t quic_rotation;
};

/* Create a pool or change it: the ring is built by Maglev from the members (in any order) and
 * swapped in for every service that uses the pool. No members: packets drop as no_real.
 *
 * Flows keep their real as long as it isn't dead, also when it has no weight any more or is no
 * member any more: slots that change are tracked, and the record of a real that left lives on until
 * nothing names it. A table of another size, or another hash seed, can't take that over: flows may
 * then move. now_ns: monotonic, as for publish_track_step(). */
int publish_pool_set(struct publish *p, const char *name, const struct publish_pool_spec *spec,
		     const struct publish_member *members, size_t n, uint64_t now_ns,
		     struct err *err) __attribute__((warn_unused_result));
/* -EBUSY while a service uses it, -ENOENT when there is none. */
int publish_pool_remove(struct publish *p, const char *name, struct err *err)
	__attribute__((warn_unused_result));

/* A service of a VIP. Address, protocol and ports are its key. */
struct publish_service_spec {
	struct prefix address; /* the VIP: one address, or all of a prefix */
	uint8_t protocol;
	struct ports ports;
	const char *vip, *pool;
	enum lb_hash_mode hash;
	bool quic;                 /* by connection id, where it names a real of the pool */
	const struct prefix *deny; /* sources that are refused */
	size_t n_deny;
	uint32_t syn_rate; /* SYNs per second; 0: no limit */
	uint32_t syn_burst;
};

/* Create a service or change it. Of VIPs that overlap the longest prefix owns an address; of the
 * services of one VIP a packet goes to the one of the fewest ports. Services other than PORTS_ANY
 * mustn't overlap for good; while they do, the one set last has the ports. */
int publish_service_set(struct publish *p, const struct publish_service_spec *spec, struct err *err)
	__attribute__((warn_unused_result));
int publish_service_remove(struct publish *p, const struct prefix *address, uint8_t protocol,
			   struct ports ports, struct err *err) __attribute__((warn_unused_result));

/* Is this VIP up: is a ping to it answered? A new VIP isn't. -ENOENT when it has no service. */
int publish_vip_up(struct publish *p, const struct prefix *address, bool up, struct err *err)
	__attribute__((warn_unused_result));

/* Drop everything adopted that was not set since publish_new(): call once, after the first whole
 * configuration was applied. */
int publish_adopt_done(struct publish *p, struct err *err) __attribute__((warn_unused_result));

/* After publish_new(): did the adopted tables send packets to this real of this pool? Lets a
 * restarted daemon start its health checks from what was true before. */
bool publish_adopted_member(const struct publish *p, const char *pool, const struct addr *real);
/* True when anything was adopted at all. */
bool publish_adopted(const struct publish *p);

/* Space given up by changes waits for a grace period. publish_grace_due() says whether anything
 * waits; publish_grace_begin() marks it, then engine->grace() may run on any thread, then
 * publish_grace_end() makes the marked space free. Changes between begin and end are fine. */
bool publish_grace_due(const struct publish *p);
void publish_grace_begin(struct publish *p);
void publish_grace_end(struct publish *p);

/* ---- just-enough tracking ---- */

#define PUBLISH_SETTLE_NS_DEFAULT (300ULL * 1000000000)
#define PUBLISH_IDLE_NS_DEFAULT   (3600ULL * 1000000000)

/* How long after its last change a slot remembers the choices it makes, and after how long without
 * a packet a flow is forgotten. */
void publish_track_times(struct publish *p, uint64_t settle_ns, uint64_t idle_ns);

/* A bounded piece of the regular walk over tracked slots, flows and fragments; call it every 100 ms
 * or so. It lets slots settle and forgets what needn't be remembered; a budget of 4096 buckets
 * takes about a millisecond at worst. */
#define PUBLISH_TRACK_BUDGET 4096U
void publish_track_step(struct publish *p, uint64_t now_ns, uint32_t budget);

/* Give the flow table room for so many flows; entries move along. 0 without a write when it has
 * that size already. */
int publish_flows_set(struct publish *p, uint32_t flows, struct err *err)
	__attribute__((warn_unused_result));

/* The last whole walk's result, but for what has no "as of the last walk". */
struct publish_tracking {
	uint64_t entries, confirmed, max; /* of the flow table */
	uint64_t at_risk;   /* confirmed entries whose real isn't their slot's current one */
	uint64_t fragments; /* entries of the fragment table */
	uint64_t evicted_confirmed, evicted_unconfirmed; /* since the table was made */
	uint32_t oldest_s;                               /* since the oldest entry was last used */
	uint32_t tracked_slots, unsettled_slots;         /* now */
	uint32_t lingering; /* reals that left and that slots or flows may still name, now */
	uint64_t passes;
};
void publish_tracking(const struct publish *p, struct publish_tracking *ret_tracking);

/* Entries of the flow table that name this real, and how many of them are confirmed. -ENOENT. */
int publish_real_flows(const struct publish *p, const char *pool, const struct addr *real,
		       uint32_t *ret_flows, uint32_t *ret_confirmed);
/* Do packets, or may flows, still need the next hop of this address? */
bool publish_holds(const struct publish *p, const struct addr *real);

/* ---- reading ---- */

struct publish_count {
	uint64_t packets, bytes;
};
void publish_count_reason(const struct publish *p, enum lb_reason reason,
			  struct publish_count *ret_count);
/* -ENOENT when there is no such object. */
int publish_count_service(const struct publish *p, const struct prefix *address, uint8_t protocol,
			  struct ports ports, struct publish_count *ret_count);
int publish_count_real(const struct publish *p, const char *pool, const struct addr *real,
		       struct publish_count *ret_count);
/* Slots of the pool's ring that lead to this real; *ret_ring_slots the ring's size. -ENOENT. */
int publish_pool_slots(const struct publish *p, const char *pool, const struct addr *real,
		       uint32_t *ret_slots, uint32_t *ret_ring_slots);

/* What the numbers of a struct lb_trace stand for: NULL (or family 0) when there is none. */
const char *publish_service_vip(const struct publish *p, uint32_t service);
const char *publish_service_pool(const struct publish *p, uint32_t service);
void publish_real_addr(const struct publish *p, uint32_t real, struct addr *ret_addr);

/* How full the tables are, for status and doctor. */
struct publish_usage {
	uint32_t vip_entries, vip_entries_max;
	uint32_t services, services_max;
	uint32_t reals, reals_max;
	uint32_t slot_lines, slot_lines_max;
	uint32_t denied, denied_max; /* prefixes on deny lists */
	uint32_t limits, limits_max;
	uint64_t writes; /* stores that readers can see, since publish_new() */
};
void publish_usage(const struct publish *p, struct publish_usage *ret_usage);

/* Dimensions to create tables with, for so many services, reals and pools of this table size:
 * generous, so that most nodes never grow. flows is the size of the flow table, which never grows
 * by itself. */
#define PUBLISH_FLOWS_DEFAULT (1U << 20)
struct lb_dims publish_dims(uint32_t services, uint32_t reals, uint32_t pools, uint32_t table_size,
			    uint32_t flows);

/* Names and help of reasons (from LB_REASONS) and verdicts. */
const char *publish_reason_name(enum lb_reason reason);
const char *publish_reason_help(enum lb_reason reason);
enum lb_verdict publish_reason_verdict(enum lb_reason reason);
const char *publish_verdict_name(enum lb_verdict verdict);

#endif
