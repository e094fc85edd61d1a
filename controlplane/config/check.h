/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_CHECK_H
#define FAIRWAY_CONFIG_CHECK_H

#include "controlplane/config/places.h"
#include "controlplane/config/report.h"

/* The checks behind config_parse() and config_validate(); private to this folder. */

/* One run over a configuration. While a file is read (places is set), values that could not be read
 * are holes, reported already, that the checks pass over. */
struct check {
	const struct config *cfg;
	struct config_errors *errs;
	struct places *places; /* NULL: the configuration was edited in memory */
	const struct config_pool **pools_by_name;
	const struct config_vip **vips_by_address;
	bool vip_lengths[2][129]; /* prefix lengths of IPv4 and IPv6 VIPs */
	struct pool_facts {
		const struct config_real *first_ipv4, *first_ipv6;
		bool used;
	} * facts; /* of cfg->pools, same order */
};

/* What values mean together. Findings go to errs; 0 or -ENOMEM. */
int check_meaning(const struct config *cfg, struct config_errors *errs, struct places *places)
	__attribute__((warn_unused_result));

/* What the decoder checks of single values, for a configuration that didn't come from it. */
void check_values(const struct config *cfg, struct config_errors *errs);

/* ---- Helpers of the checks (check.c) ---- */

/* Report at the value, or where the file doesn't have it at its object. */
const struct config_mark *check_mark(const struct check *c, const void *value,
				     const struct config_mark *object);
/* The value was required, and is there and readable. */
bool check_given(const struct check *c, const void *value);
/* The value is in the file, and could not be read. */
bool check_broken(const struct check *c, const void *value);

#define CHECK_LINE_STRLEN 32
/* " (line 12)" while a file is read, else "". Returns buf. */
const char *check_line(const struct check *c, const struct config_mark *mark,
		       char buf[CHECK_LINE_STRLEN]);

/* The VIP that owns an address, or NULL. */
const struct config_vip *check_vip_at(const struct check *c, const struct addr *address);

/* What makes an address useless for a VIP or a real ("a multicast address"), or NULL. */
const char *check_unfit(const struct addr *a);

/* Call tell for each item that compares equal to an earlier one, with the first of its kind.
 * 0 or -ENOMEM. */
int check_duplicates(const struct check *c, const void *items, size_t n, size_t size,
		     int (*compare)(const void *a, const void *b),
		     void (*tell)(const struct check *c, const void *owner, const void *first,
				  const void *again),
		     const void *owner) __attribute__((warn_unused_result));

/* A sorted array of pointers to the items (equal ones in their order), or NULL out of memory. */
const void **check_sort(const void *items, size_t n, size_t size,
			int (*compare)(const void *a, const void *b))
	__attribute__((warn_unused_result));

/* ---- The checks ---- */
int check_node(const struct check *c) __attribute__((warn_unused_result));  /* check_node.c */
int check_dpdk(const struct check *c) __attribute__((warn_unused_result));  /* check_dpdk.c */
int check_bgp(const struct check *c) __attribute__((warn_unused_result));   /* check_node.c */
int check_pools(const struct check *c) __attribute__((warn_unused_result)); /* check_pool.c */
int check_quic(const struct check *c, const struct config_pool *pool)       /* check_quic.c */
	__attribute__((warn_unused_result));
/* What a service asks of its pool. */
void check_quic_service(const struct check *c, const struct config_vip *vip,
			const struct config_service *s, const struct config_pool *pool);
int check_vips(const struct check *c) __attribute__((warn_unused_result)); /* check_vip.c */

#endif
