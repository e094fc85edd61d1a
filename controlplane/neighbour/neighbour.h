/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NEIGHBOUR_NEIGHBOUR_H
#define FAIRWAY_NEIGHBOUR_NEIGHBOUR_H

/* Next hops and their MAC addresses, kept current by rtnetlink.
 *
 * A watch asks: through which interface, to which MAC address must a packet for this target go?
 * The kernel answers (its routes, its neighbour table), and is asked again whenever it says that
 * routes, rules, neighbours, links or addresses changed. Entries that watches need are marked
 * managed (NTF_MANAGED), so that the kernel keeps them resolved though it sends no traffic itself.
 *
 * Losing ARP must not lose traffic. A neighbour that goes stale or fails says only that it didn't
 * answer the question; it may well still take packets (an overloaded switch, a full ARP queue, a
 * filter). So the last good MAC address stays published, resolved stays true and confirmed turns
 * false, until a different address is learnt or the route leads elsewhere. Whether the real server
 * works is for its health check to say. Only what makes sending impossible clears resolved: no
 * route, the interface down or gone, or a target that is this host itself.
 *
 * Nothing here blocks: the kernel answers rtnetlink requests before the send returns. All calls
 * belong to the loop's thread; the namespace is the one the thread is in when neighbour_new() is
 * called. */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"

struct neighbour;
struct neighbour_watch;

#define NEIGHBOUR_REASON_LEN 256

struct neighbour_nexthop {
	bool resolved;       /* ifindex, mac and src_mac may be used */
	bool confirmed;      /* the kernel vouches for mac now; false: the last known one is kept */
	bool on_link;        /* the target itself is the neighbour; else gateway is */
	uint32_t ifindex;    /* 0 where there is no route */
	uint8_t mac[6];      /* of the neighbour */
	uint8_t src_mac[6];  /* of the interface */
	struct addr gateway; /* family 0 when on_link; may be IPv6 for an IPv4 target */
	uint32_t mtu;        /* of the route, or of its interface */
	/* Words for the operator when not resolved or not confirmed, "" else. */
	char reason[NEIGHBOUR_REASON_LEN];
};

struct neighbour_link {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	uint8_t mac[6]; /* zeros unless ethernet */
	uint32_t mtu;
	bool ethernet;
	bool admin_up; /* set up by the operator */
	bool up;       /* admin_up, and with carrier */
	/* Of a VLAN device: the tag of its frames, TPID << 16 | VLAN identifier (0: it is none),
	 * and the interface below (0: in another network namespace). */
	uint32_t tag;
	uint32_t lower;
};

#define NEIGHBOUR_TAGS_MAX 2

/* How frames leave that are routed through an interface. */
struct neighbour_egress {
	struct neighbour_link link;   /* that interface: source MAC address and MTU */
	struct neighbour_link device; /* what sends them: the same, or what VLAN devices lie on */
	uint32_t n_tags;
	uint32_t tags[NEIGHBOUR_TAGS_MAX]; /* as neighbour_link.tag, outermost first */
};

/* Told from the loop, never from within a call of this header. A callback may add and remove any
 * watch, that one included, but must not call neighbour_free(). Members may be NULL. */
struct neighbour_events {
	void *arg;
	/* Something of the next hop changed, the words included: compare what you publish. The
	 * first call comes soon after neighbour_watch_add(), resolved or not. */
	void (*nexthop)(void *arg, struct neighbour_watch *watch, void *owner,
			const struct neighbour_nexthop *nexthop);
	/* An interface appeared, changed or (present false) went away. */
	void (*link)(void *arg, const struct neighbour_link *link, bool present);
};

/* Reads the links once; the only call that takes more than a moment. events is copied.
 * 0, or -errno with words in err. */
int neighbour_new(uv_loop_t *loop, const struct neighbour_events *events, struct neighbour **ret_nb,
		  struct err *err) __attribute__((warn_unused_result));

/* Frees it and all watches; no callback comes after this. Handles that the loop still knows are
 * released in the loop's next turn. Entries marked managed by it lose that mark. NULL accepted. */
void neighbour_free(struct neighbour *nb);

/* Watch the way to target. The answer comes by event; until then the next hop is unresolved.
 * 0, -EINVAL (no address), -ENOMEM. */
int neighbour_watch_add(struct neighbour *nb, const struct addr *target, void *owner,
			struct neighbour_watch **ret_watch) __attribute__((warn_unused_result));

/* No callback for it comes after this. NULL is accepted. */
void neighbour_watch_remove(struct neighbour_watch *watch);

/* What was last published; valid until the watch is removed or the loop runs. */
const struct neighbour_nexthop *neighbour_watch_nexthop(const struct neighbour_watch *watch);
const struct addr *neighbour_watch_target(const struct neighbour_watch *watch);

/* The interface as last told by the kernel. 0 or -ENODEV. */
int neighbour_link_get(const struct neighbour *nb, const char *name,
		       struct neighbour_link *ret_link) __attribute__((warn_unused_result));
int neighbour_link_get_by_index(const struct neighbour *nb, uint32_t ifindex,
				struct neighbour_link *ret_link)
	__attribute__((warn_unused_result));

/* The way from an interface that routes name down to the one that sends: through VLAN devices,
 * until sends() says of a name that frames may leave there. An interface that is no VLAN device is
 * its own way, whatever sends() says. 0; -ENODEV (no such interface, or none below that sends) or
 * -E2BIG (more than two tags) with words in err. */
int neighbour_egress_get(const struct neighbour *nb, uint32_t ifindex,
			 bool (*sends)(void *arg, const char *name), void *arg,
			 struct neighbour_egress *ret_egress, struct err *err)
	__attribute__((warn_unused_result));

/* Is there a route to target, and does it lead off this host? For configuration checks: needs no
 * struct neighbour, no loop. 0; or -ENETUNREACH (none), -EHOSTUNREACH (an unreachable, prohibit or
 * blackhole route), -EADDRINUSE (the target is this host), -EINVAL (broadcast, multicast), or
 * another -errno when the kernel couldn't be asked; words in err. ret_ifindex may be NULL. */
int neighbour_route_check(const struct addr *target, uint32_t *ret_ifindex, struct err *err)
	__attribute__((warn_unused_result));

#endif
