/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_RACE_RACE_H
#define FAIRWAY_PUBLISH_RACE_RACE_H

/*
 * Publishing while packets are forwarded. The main thread publishes random changes, one after
 * another without a pause, while workers have an engine decide packets over the same tables; each
 * packet is held against what was in force while it was decided:
 *
 *   change.c --> publish --> tables --> engine (target) --> judge.c
 *      |                                                       ^
 *      +---- truth: what is in force, and until when -----------+
 *
 * A packet tells by itself where all of it came from: the address of a real names its pool, kind of
 * tunnel and number, and so does the MAC address of its next hop, along with the interface and how
 * often it changed; an interface's own address names the interface. So a mixture of two states, or
 * a record that was reused too early, is seen in the packet alone; and what is whole must have been
 * in force at some moment of the packet's round. The publisher says so in the truth: what comes
 * into force is marked before it is published, what goes is given the time when that was done.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "controlplane/publish/publish.h"
#include "dataplane/core/memory.h"

#define RACE_SERVICES 16U
#define RACE_VIPS     13U
#define RACE_POOLS    6U
#define RACE_KINDS    5U /* of tunnels: see race_kinds */
#define RACE_REALS    8U /* of each pool and kind */
#define RACE_HOPS     4U /* colours of a next hop */
#define RACE_IFACES   4U /* numbered from 1 */
#define RACE_FACES    8U /* colours of an interface */
#define RACE_SOURCES  4U /* tunnel sources */
#define RACE_PORTS    4U /* GUE ports of each pool */

#define RACE_IFINDEX 100U /* of interface 0 */
#define RACE_BURST   32U
#define RACE_WORKERS 8U

/* ---- what exists ---- */

struct race_kind {
	enum lb_encap encap;
	uint8_t family;
};
extern const struct race_kind race_kinds[RACE_KINDS];

enum race_flows {
	RACE_NEW,   /* each packet is a SYN, the service gets other pools */
	RACE_LONG,  /* packets of connections, always the same pool */
	RACE_NAMED, /* the same, by QUIC's connection ids */
};

struct race_service {
	uint32_t vip; /* number */
	const char *prefix;
	uint8_t protocol;
	struct ports ports;
	enum race_flows flows;
	bool fragments;
};
extern const struct race_service race_services[RACE_SERVICES];

/* A VIP inside the prefix of another: while it isn't there, packets are the other's. */
#define RACE_INNER 7U
#define RACE_OUTER 4U

static inline uint32_t race_pool_of(uint32_t service)
{
	return service % RACE_POOLS;
}

struct addr race_real_addr(uint32_t pool, uint32_t kind, uint32_t real);
uint16_t race_gue_port(uint32_t pool, uint32_t colour);
void race_hop_mac(uint8_t mac[6], uint32_t pool, uint32_t kind, uint32_t real, uint32_t hop,
		  uint32_t iface);
void race_iface_mac(uint8_t mac[6], uint32_t iface, uint32_t face);
/* A source that every deny list has, each by another prefix. */
extern const char *const race_denied4, *const race_denied6;

/* ---- what is in force ---- */

/* Until when something was so, by the clock of the truth: RACE_NOW while it is, 0 before. */
#define RACE_NOW UINT64_MAX

/* A service's state: not there; or there with its pool, and whether it has a deny list. */
#define RACE_ABSENT              0U
#define RACE_STATE(pool, denies) (1U + 2U * (pool) + ((denies) ? 1U : 0U))
#define RACE_STATES              (1U + 2U * RACE_POOLS)

struct race_truth {
	uint64_t clock; /* one more with each change that is in force whole */
	uint64_t service[RACE_SERVICES][RACE_STATES];
	uint64_t limited[RACE_SERVICES];
	uint64_t absent[RACE_VIPS], up[RACE_VIPS], down[RACE_VIPS];
	uint64_t empty[RACE_POOLS];
	uint64_t share[RACE_POOLS][RACE_KINDS][RACE_REALS]; /* new flows go there */
	uint64_t alive[RACE_POOLS][RACE_KINDS][RACE_REALS];
	uint64_t hop[RACE_POOLS][RACE_KINDS][RACE_REALS][RACE_HOPS * RACE_IFACES];
	uint64_t unresolved[RACE_POOLS][RACE_KINDS][RACE_REALS];
	uint64_t face[RACE_IFACES + 1][RACE_FACES];
	uint64_t source[RACE_SOURCES];
	uint64_t port[RACE_POOLS][RACE_PORTS];
};

/* It is so from now on: before it is published. */
static inline void race_begins(uint64_t *until)
{
	__atomic_store_n(until, RACE_NOW, __ATOMIC_RELEASE);
}

/* It isn't any more: after that is published. */
static inline void race_ends(const struct race_truth *t, uint64_t *until)
{
	if (*until == RACE_NOW)
		__atomic_store_n(until, t->clock, __ATOMIC_RELEASE);
}

static inline void race_tick(struct race_truth *t)
{
	__atomic_store_n(&t->clock, t->clock + 1, __ATOMIC_RELEASE);
}

/* Was it so at some moment since then? */
static inline bool race_held(const uint64_t *until, uint64_t since)
{
	return __atomic_load_n(until, __ATOMIC_ACQUIRE) >= since;
}

/* ---- packets ---- */

enum race_what {
	RACE_SYN,
	RACE_DATA,
	RACE_FIRST, /* fragment */
	RACE_LATER,
	RACE_PING,
};

#define RACE_FRAME_MAX 128U

struct race_packet {
	uint32_t service;
	enum race_what what;
	bool denied; /* its source is on every list */
	size_t len;
	uint8_t frame[RACE_FRAME_MAX];
};

/* What an engine made of one. */
#define RACE_UNTOLD UINT32_MAX
struct race_outcome {
	uint32_t verdict; /* enum lb_verdict */
	uint32_t reason;  /* enum lb_reason, or RACE_UNTOLD */
	uint32_t ifindex; /* or RACE_UNTOLD */
	const uint8_t *data;
	size_t len;
};

struct race_random {
	uint64_t state;
};
uint32_t race_random(struct race_random *r, uint32_t below);

/* Some packets; `age` moves on slowly, old connections end and new ones begin with it. */
void race_packets(struct race_random *r, uint32_t worker, uint32_t age, struct race_packet *packets,
		  uint32_t n);

/* Is the outcome one that something in force since then explains? False with words. */
bool race_judge(const struct race_truth *t, uint64_t since, const struct race_packet *p,
		const struct race_outcome *o, struct err *err);

/* ---- engines ---- */

struct race_target {
	const char *name;
	/* In the main thread, before any worker. 0 or -errno. */
	int (*open)(uint32_t workers, struct err *err);
	/* Run n packets, up to RACE_BURST; outcomes are valid until the worker's next call. */
	void (*run)(const struct lb_tables *tables, uint32_t worker, uint64_t now_ns,
		    const struct race_packet *packets, uint32_t n, struct race_outcome *ret);
	void (*close)(void);
};

/* ---- workers, and the publisher's engine that waits for them ---- */

/* What is done wrong on purpose. */
enum race_mistake {
	RACE_NO_MISTAKE,
	RACE_NO_GRACE,    /* grace periods end at once */
	RACE_NO_FILL,     /* larger tables are in force before they are filled */
	RACE_EARLY_CARRY, /* old counters are carried over while workers still count there */
};

struct race_worker {
	uint64_t rounds __attribute__((aligned(64)));
	struct race *race;
	uint32_t number;
	pthread_t thread;
	uint64_t packets, verdicts[8];
};

struct race {
	const struct race_target *target;
	enum race_mistake mistake;
	uint64_t seed;
	struct race_truth truth;
	struct lb_tables *tables; /* in force */
	bool stop;
	bool waits;         /* the publisher, for workers: they let it have their CPU */
	uint32_t n_workers; /* that run */
	struct race_worker workers[RACE_WORKERS];
	uint64_t marks[RACE_WORKERS];
	uint64_t grown, graces;
	bool failed;
	pthread_mutex_t lock; /* of what follows */
	char words[1400];
};

/* Tables of these dimensions, for so many workers. 0 or -ENOMEM. */
int race_tables(struct race *r, const struct lb_dims *dims, uint32_t workers)
	__attribute__((warn_unused_result));
void race_tables_free(struct race *r);
int race_workers_start(struct race *r, uint32_t n, struct err *err)
	__attribute__((warn_unused_result));
void race_workers_stop(struct race *r);
struct publish_engine race_engine(struct race *r);
/* A grace period of which the publisher doesn't wait for the end. */
void race_grace_mark(struct race *r);
bool race_grace_over(const struct race *r);
/* Say what is wrong; the first words stay. */
void race_fail(struct race *r, const char *words);
bool race_failed(const struct race *r);

/* ---- changes ---- */

struct race_changes;
int race_changes_new(struct race *r, struct race_changes **ret_changes, struct err *err)
	__attribute__((warn_unused_result));
void race_changes_free(struct race_changes *c);
/* One random change. */
int race_change(struct race_changes *c, struct err *err) __attribute__((warn_unused_result));
/* After workers have stopped: do the counters say what they have seen? */
void race_changes_count(const struct race_changes *c);
struct race_sum {
	uint64_t published, stores, restarts;
};
void race_changes_sum(const struct race_changes *c, struct race_sum *sum);

/* ---- the program ---- */

int race_main(int argc, char **argv, const struct race_target *target);

#endif
