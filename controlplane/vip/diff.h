/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_DIFF_H
#define FAIRWAY_VIP_DIFF_H

#include "controlplane/vip/desired.h"

/*
 * What a change is, in the operator's terms: which objects of the configuration are added, changed
 * and removed, which VIPs are announced and withdrawn for it, and whom each step hurts. The list is
 * in the order in which things happen.
 */

struct vip_change {
	const char *action; /* add, remove, change, announce, withdraw, drain, enable, disable */
	const char *object; /* node, bgp, neighbor, vip, service, pool, real, metrics */
	char name[2 * CONFIG_NAME_MAX + ADDR_STRLEN];
	char text[256];
	char breaks[192]; /* "": nobody */
};

struct vip_changes {
	struct vip_change *items;
	size_t n;
	bool oom; /* the list is incomplete */
};

void vip_changes_fini(struct vip_changes *list);

/* Append one; a failure shows in list->oom. The result may be filled further, or is NULL. */
struct vip_change *vip_changes_add(struct vip_changes *list, const char *action, const char *object,
				   const char *name, const char *text_fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* From one configuration and what it desires to another. was NULL: from nothing. 0 or -ENOMEM. */
int vip_diff(const struct config *was_cfg, const struct vip_desired *was, const struct config *cfg,
	     const struct vip_desired *want, struct vip_changes *ret_list)
	__attribute__((warn_unused_result));

/* A brake: how much one change of configuration may take away before somebody has to say `force`.
 * More than half of the VIPs, or of a pool's reals, where there were at least four. 0, or -EPERM
 * with words in err. */
#define VIP_BRAKE_REMOVALS "removals"
int vip_brake_removals(const struct config *was, const struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));

#endif
