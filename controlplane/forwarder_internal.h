/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_FORWARDER_INTERNAL_H
#define FAIRWAY_FORWARDER_INTERNAL_H

#include "controlplane/forwarder.h"
#include "controlplane/publish/dpdk_backend.h"
#include "controlplane/publish/xdp_backend.h"

/* Shared by forwarder.c, which knows the XDP engine, and forwarder_dpdk.c. */

struct forwarder {
	struct xdp_engine *xdp;     /* NULL: there is no BPF, tables are files */
	struct native_files *files; /* or NULL */
	struct publish_dpdk *dpdk;  /* NULL: engine xdp */
	struct publish_engine engine;
	bool fallback; /* VIPs may rest on the kernel's program: node.dpdk.fallback: xdp */
};

/* The forwarder's functions of the same names, where f->dpdk is set. */
int forwarder_dpdk_open(struct forwarder *f, const struct config_dpdk *cfg, const char *bpffs,
			const char *tables, struct lb_dims dims, struct err *err)
	__attribute__((warn_unused_result));
/* 0 when packets of the interface are forwarded, by the engine or where it isn't by the kernel's
 * program; else -EAGAIN, or -ENOLINK, and why not. */
int forwarder_dpdk_check_port(const struct forwarder *f, const char *ifname, struct err *err)
	__attribute__((warn_unused_result));
int forwarder_dpdk_ask(struct forwarder *f, uint8_t *frame, size_t *len, struct lb_trace *ret_trace,
		       struct err *err) __attribute__((warn_unused_result));
int forwarder_dpdk_probe(struct forwarder *f, const uint8_t *frame, size_t len, struct err *err)
	__attribute__((warn_unused_result));

#endif
