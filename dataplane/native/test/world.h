/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NATIVE_TEST_WORLD_H
#define FAIRWAY_NATIVE_TEST_WORLD_H

/*
 * Tables that have some of everything the core knows: for the fuzzers and the unit tests of the
 * core. They are written here directly, not by the publisher, so that states can be had that a
 * configuration leads to only for moments.
 *
 * VIPs, each as 203.0.113.N and 2001:db8:80::N:
 *    1  tcp and udp 80 IPIP to IPv4, 81 to IPv6, 82 L2 DSR, 83 GUE, 84 all kinds; tcp 85 a real
 *       without a next hop, 86 one behind two tags, 90 nobody
 *    2  tcp any port IPIP, but 8081; udp any port L2 DSR
 *    3  tcp 1024 to 2047
 *    4  tcp 80, 81, 82 by source, source and destination, destination port
 *    5  udp 443 QUIC
 *    6  tcp and udp 80 with a deny list
 *    7  tcp 80 with a SYN limit
 *    8  udp 443 and tcp 443 with all of these
 *    9  tcp 80, and the VIP is down
 * and the prefixes 203.0.114.0/24 and 2001:db8:81::/48: tcp any port, udp 0 to 1023.
 * Denied are 198.51.100.128/25, 100.64.0.1/32, 2001:db8:bad::/48 and 2001:db8:c::66/128.
 */

#include <stdint.h>

#include "dataplane/core/memory.h"

#define WORLD_RING     13U /* slots of a ring; each stands in a line of its own */
#define WORLD_REAL_MAX 10U

enum world_real {
	WORLD_IPIP4 = 1,
	WORLD_IPIP4_TAGS, /* behind interface 2 */
	WORLD_IPIP6,
	WORLD_L2DSR,
	WORLD_GUE4,
	WORLD_GUE6,
	WORLD_UNRESOLVED,
	WORLD_DEAD,
	WORLD_IPIP4_QINQ, /* behind interface 3 */
	WORLD_IPIP6_TAGS,
};

enum world_slots {
	WORLD_SLOTS_PLAIN,
	WORLD_SLOTS_SETTLED, /* tracked, previous and current are the same */
	WORLD_SLOTS_MOVED,   /* tracked, previous is another */
	WORLD_SLOTS_DIED,    /* tracked, previous is dead */
	WORLD_SLOTS_NEW,     /* tracked, previous is none */
	WORLD_SLOTS_ALL,     /* some of each */
	WORLD_SLOTS_COUNT,
};

#define WORLD_LIMIT_ECHO    0x1U
#define WORLD_LIMIT_TOO_BIG 0x2U
#define WORLD_LIMIT_SYN     0x4U

enum world_flows {
	WORLD_FLOWS_EMPTY,
	WORLD_FLOWS_UNCONFIRMED,
	WORLD_FLOWS_CONFIRMED,
	WORLD_FLOWS_MIXED,
	WORLD_FLOWS_COUNT,
};

/* What differs from case to case. */
struct world_state {
	uint8_t slots; /* enum world_slots */
	uint16_t mtu;  /* of interface 1 */
	uint8_t tags;  /* that interface 1 sends with, 0 to LB_TAGS_MAX; more: none, but the flag */
	uint8_t limits; /* WORLD_LIMIT_*: those that let one event through and then none */
	uint8_t flows;  /* enum world_flows: what the buckets are filled with by others */
	uint8_t hand;   /* where evictions begin */
	uint16_t dead;  /* bit n: real n is dead */
};

/* The state in which nothing is special. */
extern const struct world_state world_plain;

struct lb_dims world_dims(void);

/* Write everything into zeroed tables of world_dims(), in the plain state. */
void world_write(struct lb_tables *t);

/* Bring tables that world_write() wrote, and whatever engines did to them since, into a state:
 * clocks, flows, fragments, limits and all counters are reset. */
void world_set(struct lb_tables *t, const struct world_state *state);

/* Mark a real as dead, as the control plane does. */
void world_kill(struct lb_tables *t, uint32_t real);

#endif
