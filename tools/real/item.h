/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_ITEM_H
#define FAIRWAY_REAL_ITEM_H

#include "tools/real/host_addr.h"
#include "tools/real/link.h"
#include "tools/real/program.h"
#include "tools/real/state.h"

/* A configuration becomes a list of items, each one thing that must hold on the host. `setup` makes
 * each hold, `check` looks at each, `remove` undoes what the records say. So the three can't
 * disagree about what belongs to it. */
enum item_kind {
	ITEM_LINK,      /* a device exists and is up */
	ITEM_OUTER,     /* the balancer's target is an address of this host */
	ITEM_SYSCTL,    /* a setting has a value that will do */
	ITEM_ROUTE,     /* a route drops what is for an address that has left lo */
	ITEM_ADDRESS,   /* an address is on lo (or on our tunnel), and nowhere else */
	ITEM_TUNNEL,    /* the kernel's own decapsulator exists */
	ITEM_TUNNEL_UP, /* and is up, which comes after its guard */
	ITEM_QDISC,     /* a device has the clsact qdisc that filters hang on */
	ITEM_FILTER,    /* our BPF program hangs there with the right tables */
};

enum sysctl_rule {
	RULE_ARP_IGNORE,   /* answers ARP only for addresses of the device asked */
	RULE_ARP_ANNOUNCE, /* asks by ARP only with addresses of the device asking */
	RULE_RP_FILTER,    /* not strict, counting conf/all */
	RULE_RP_LOOSE,     /* just 2, which conf/all can't make stricter */
	RULE_IPV6_ON,      /* disable_ipv6 is 0; never changed here */
};

struct item {
	enum item_kind kind;
	struct record rec; /* names the thing, also where no record is kept */
	enum sysctl_rule rule;
	enum program_role role;
	enum tunnel_kind tunnel;
	bool of_tunnel; /* on a device of ours: goes with it, needs no record */
	bool fresh;     /* setup: recorded by this run */
	bool done;      /* setup: changed by this run */
};

struct item_list {
	struct item *items;
	size_t n;
};

/* One run of the program. */
struct real_run {
	struct nl *nl;
	const char *dir;
	struct real_state state;
	bool stale; /* the directory held the state of another namespace or boot */
	struct host_addrs addrs;
	struct addr_set blackholes; /* host routes that drop, in the main table */
	struct decap_settings settings;
	struct program *prog; /* loaded when the first filter needs it */
	/* Is told each change as it is made: "set", "added", ... and the thing. */
	void (*tell)(const char *verb, const char *what);
	struct {
		struct program_place place;
		int fd;
	} replaced[REAL_MAX_INTERFACES * 2 + DECAP_MAX_OUTERS * 2]; /* for a roll-back */
	size_t n_replaced;
};

/* What looking at an item gave. */
struct finding {
	bool ok;
	bool stale;     /* filter: ours hangs there, with other tables */
	int value;      /* sysctl: as it is */
	char text[256]; /* as it is, in words */
	char mend[256]; /* when not ok: what to do about it */
};

/* List the items of a configuration whose decap is decided, in the order of making them. The caller
 * frees with item_list_fini(). */
int item_list_init(struct item_list *list, const struct real_config *config)
	__attribute__((warn_unused_result));
void item_list_fini(struct item_list *list);

/* The name of the device of ours that decapsulates for this outer address. */
void item_tunnel_name(enum tunnel_kind kind, const struct addr *outer, char ret_name[IFNAMSIZ]);

/* "sysctl net.ipv4.conf.all.arp_ignore"; returns buf. */
const char *record_describe(const struct record *r, char *buf, size_t len);
const char *item_describe(const struct item *item, char *buf, size_t len);
/* Why it is wanted: a fixed sentence. */
const char *item_purpose(const struct item *item);
/* False for what only the operator can change. */
bool item_is_recorded(const struct item *item);

/* Look; changes nothing. Fails only where looking itself does. */
int item_probe(struct real_run *run, const struct item *item, struct finding *ret, struct err *e)
	__attribute__((warn_unused_result));
/* Make it hold, knowing what probing found. */
int item_apply(struct real_run *run, const struct item *item, const struct finding *found,
	       struct err *e) __attribute__((warn_unused_result));

/* Undo one change. A thing that is gone, or that someone has changed since, is left as it is, and
 * note (of len bytes) then says so; else note becomes "". */
int record_undo(struct real_run *run, const struct record *r, char *note, size_t len, struct err *e)
	__attribute__((warn_unused_result));

#endif
