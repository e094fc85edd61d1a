/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_VIP_PLAN_H
#define FAIRWAY_VIP_PLAN_H

#include "controlplane/vip/state.h"

/*
 * The steps from what is loaded to what is desired, in the order that loses no packet that needn't
 * be lost: withdraw first; then make everything forward; then take away what nothing needs any
 * more; announce last. What is the same in both yields no step.
 *
 * A withdrawn VIP goes on being forwarded for the drain time, because routers need a moment and
 * packets are on their way: the steps that would end it are left out of the plan until then, and
 * next_ns says when to plan again.
 */

enum vip_op_kind {
	VIP_OP_WITHDRAW,
	VIP_OP_NODE_SET,
	VIP_OP_POOL_SET,
	VIP_OP_SERVICE_SET,
	VIP_OP_SERVICE_REMOVE,
	VIP_OP_POOL_REMOVE,
	VIP_OP_ANNOUNCE,
};

/* The member that kind names is set. */
struct vip_op {
	enum vip_op_kind kind;
	struct prefix address;      /* WITHDRAW, ANNOUNCE */
	struct vip_node node;       /* NODE_SET */
	struct vip_pool pool;       /* POOL_SET, and the name for POOL_REMOVE */
	struct vip_service service; /* SERVICE_SET, SERVICE_REMOVE */
};

struct vip_plan {
	struct vip_op *ops;
	size_t n;
	uint64_t next_ns; /* plan again then, something waits for a drain; 0: nothing waits */
};

/* 0 or -ENOMEM. */
int vip_plan_make(const struct vip_state *loaded, const struct vip_state *desired, uint64_t now_ns,
		  uint64_t drain_ns, struct vip_plan *ret_plan) __attribute__((warn_unused_result));
void vip_plan_fini(struct vip_plan *plan);

/* Write down that op was carried out. Errors as of the functions of state.h. */
int vip_op_apply(const struct vip_op *op, struct vip_state *loaded, uint64_t now_ns)
	__attribute__((warn_unused_result));

/* One line for people, "announce 203.0.113.80/32"; returns buf. */
const char *vip_op_format(const struct vip_op *op, char *buf, size_t len);

#endif
