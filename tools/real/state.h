/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_STATE_H
#define FAIRWAY_REAL_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "tools/real/sysctl.h"

#define REAL_STATE_DIR      "/run/fairway-real"
#define REAL_MAX_INTERFACES 16

/* Names one network namespace of one boot, and never another. */
#define REAL_NAMESPACE_LEN 64
int real_namespace_id(char ret_id[REAL_NAMESPACE_LEN], struct err *e)
	__attribute__((warn_unused_result));

/* Where the state of this network namespace is kept unless --state says otherwise: a directory of
 * its own below REAL_STATE_DIR, since `ip netns exec` and the like don't separate /run. */
int real_state_default_dir(char *ret_dir, size_t len, struct err *e)
	__attribute__((warn_unused_result));

enum real_encap { REAL_ENCAP_IPIP, REAL_ENCAP_GUE, REAL_ENCAP_L2DSR };
enum real_decap { REAL_DECAP_AUTO, REAL_DECAP_KERNEL, REAL_DECAP_BPF };

const char *real_encap_name(enum real_encap encap);
/* True when the balancer puts a header around packets, so that there is something to decapsulate.
 */
bool real_encap_is_tunnel(enum real_encap encap);
const char *real_decap_name(enum real_decap decap);
int real_encap_parse(const char *text, enum real_encap *ret_encap)
	__attribute__((warn_unused_result));
int real_decap_parse(const char *text, enum real_decap *ret_decap)
	__attribute__((warn_unused_result));

/* A growing set of addresses, in order of arrival. */
struct addr_set {
	struct addr *items;
	size_t n;
};
void addr_set_fini(struct addr_set *set);
bool addr_set_has(const struct addr_set *set, const struct addr *a);
/* Adds what isn't there yet. 0 or -ENOMEM. */
int addr_set_add(struct addr_set *set, const struct addr *a) __attribute__((warn_unused_result));
int addr_set_add_all(struct addr_set *set, const struct addr_set *more)
	__attribute__((warn_unused_result));
void addr_set_remove(struct addr_set *set, const struct addr *a);

/* What the host is to be: all that setup was ever told and hasn't been removed since. */
struct real_config {
	enum real_encap encap;
	enum real_decap decap; /* REAL_DECAP_AUTO only before setup has decided */
	char interfaces[REAL_MAX_INTERFACES][IFNAMSIZ];
	size_t n_interfaces;
	struct addr_set vips;
	struct addr_set outers; /* where the balancer reaches this host */
	bool outers_given;      /* by --outer; else they follow the interfaces' addresses */
	unsigned mtu;           /* given by --mtu; 0: the interfaces' */
	unsigned tc_priority;
	unsigned gue_port; /* REAL_ENCAP_GUE: the UDP port the balancer sends to */
};

/* One thing that setup changed, with what it takes to undo it. Two records are of the same thing
 * when all but before and after are equal. */
enum record_kind {
	RECORD_SYSCTL,
	RECORD_ADDRESS,
	RECORD_TUNNEL,
	RECORD_QDISC,
	RECORD_FILTER,
	RECORD_ROUTE,
};

enum hook { HOOK_INGRESS, HOOK_EGRESS };
const char *hook_name(enum hook hook);

struct record {
	enum record_kind kind;
	char dev[IFNAMSIZ];          /* all but sysctl and route */
	enum hook hook;              /* filter */
	struct addr addr;            /* address, tunnel, route */
	char sysctl[SYSCTL_NAMELEN]; /* sysctl */
	int before, after;           /* sysctl */
};
bool record_same(const struct record *a, const struct record *b);

struct real_state {
	struct real_config config;
	struct record *records; /* in the order of the changes */
	size_t n_records;
};

void real_state_fini(struct real_state *state);
/* A deep copy into uninitialised memory. 0 or -ENOMEM. */
int real_state_copy(struct real_state *copy, const struct real_state *state)
	__attribute__((warn_unused_result));

/* The record of the same thing, or NULL. */
struct record *real_state_find(const struct real_state *state, const struct record *r);
int real_state_add(struct real_state *state, const struct record *r)
	__attribute__((warn_unused_result));
void real_state_drop(struct real_state *state, size_t index);

/* Read DIR/state.json. -ENOENT: nothing has been set up. -ESTALE: it is of another network
 * namespace or an earlier boot; what it recorded went away with those, or is not ours to touch. The
 * caller calls real_state_fini(). */
int real_state_load(struct real_state *state, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
/* Replace DIR/state.json at once, naming this network namespace. */
int real_state_save(const struct real_state *state, const char *dir, struct err *e)
	__attribute__((warn_unused_result));
/* Delete it, and the verifier's log beside it. 0 also when there is none. */
int real_state_delete(const char *dir, struct err *e) __attribute__((warn_unused_result));

/* Hold DIR, made when missing, against a second run of this program. *ret_fd is the lock. */
int real_state_lock(const char *dir, int *ret_fd, struct err *e)
	__attribute__((warn_unused_result));
/* Let go, and take the directory away when it is empty. */
void real_state_unlock(const char *dir, int fd);

#endif
