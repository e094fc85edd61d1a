/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_INTENT_H
#define FAIRWAY_VIP_INTENT_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/config/config.h"

/*
 * What the operator wants of this node beyond the configuration: reals taken out by hand and the
 * node drained. It survives restarts in a small JSON file of the state directory:
 *
 *   {"version": 1, "node_drained": false,
 *    "reals": [{"pool": "web", "address": "10.0.0.11", "intent": "drain"}]}
 */

enum vip_intent_kind {
	VIP_INTENT_ENABLE,  /* the default, never stored */
	VIP_INTENT_DRAIN,   /* no new connections, old ones finish */
	VIP_INTENT_DISABLE, /* nothing at all */
};

struct vip_intent_real {
	char pool[CONFIG_NAME_MAX + 1];
	struct addr real;
	enum vip_intent_kind kind;
};

/* All zero: the operator wants nothing special. */
struct vip_intent {
	bool node_drained;
	struct vip_intent_real *reals;
	size_t n_reals;
};

void vip_intent_fini(struct vip_intent *in);

enum vip_intent_kind vip_intent_get(const struct vip_intent *in, const char *pool,
				    const struct addr *real);
/* 0 or -ENOMEM with nothing changed. */
int vip_intent_set(struct vip_intent *in, const char *pool, const struct addr *real,
		   enum vip_intent_kind kind) __attribute__((warn_unused_result));

/* Forget reals that cfg doesn't have, so that one that is added again later starts enabled.
 * Returns how many were forgotten. */
size_t vip_intent_prune(struct vip_intent *in, const struct config *cfg);

/* Read path into *ret_in. A file that isn't there gives an empty intent. -EINVAL with words for a
 * file that isn't what vip_intent_save() writes; it has then been renamed to path + ".corrupt", and
 * *ret_in is empty. Another -errno with words when it can't be read. */
int vip_intent_load(const char *path, struct vip_intent *ret_in, struct err *err)
	__attribute__((warn_unused_result));
/* Replace path: a new file beside it, synced, renamed over it. On failure the old file stays. */
int vip_intent_save(const char *path, const struct vip_intent *in, struct err *err)
	__attribute__((warn_unused_result));

/* "enable", "drain", "disable". */
const char *vip_intent_name(enum vip_intent_kind kind);

#endif
