/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/forwarder_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Room for what comes later than the first configuration, before tables must grow. */
#define SPARE_SERVICES 64
#define SPARE_REALS    256
#define SPARE_POOLS    8

static struct lb_dims first_dims(const struct config *cfg)
{
	uint32_t services = SPARE_SERVICES, reals = SPARE_REALS, table_size = 65537;

	for (size_t i = 0; i < cfg->n_vips; i++)
		services += (uint32_t)cfg->vips[i].n_services + 1;
	for (size_t i = 0; i < cfg->n_pools; i++) {
		reals += (uint32_t)cfg->pools[i].n_reals;
		if (cfg->pools[i].table_size > table_size)
			table_size = cfg->pools[i].table_size;
	}
	return publish_dims(services, reals, SPARE_POOLS + (uint32_t)cfg->n_pools, table_size,
			    cfg->node.tracking.flows);
}

static int open_xdp(struct forwarder *f, const char *bpffs, const struct lb_dims *dims,
		    struct err *err)
{
	int rc = xdp_engine_open(bpffs, dims, &f->xdp, err);

	/* A DPDK engine of an earlier configuration would go on by tables that nobody grows for it.
	 */
	if (!rc)
		rc = xdp_engine_page_remove(f->xdp, err);
	if (!rc)
		f->engine = publish_xdp_engine(f->xdp);
	return rc;
}

int forwarder_open(const struct config *cfg, const char *bpffs, const char *tables,
		   struct forwarder **ret_forwarder, struct err *err)
{
	struct forwarder *f = calloc(1, sizeof(*f));
	struct lb_dims dims = first_dims(cfg);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	rc = cfg->node.engine == CONFIG_ENGINE_DPDK
		     ? forwarder_dpdk_open(f, &cfg->node.dpdk, bpffs, tables, dims, err)
		     : open_xdp(f, bpffs, &dims, err);
	if (rc < 0) {
		forwarder_free(f);
		return rc;
	}
	*ret_forwarder = f;
	return 0;
}

void forwarder_stop(struct forwarder *f)
{
	if (f && f->dpdk)
		publish_dpdk_stop(f->dpdk);
}

void forwarder_free(struct forwarder *f)
{
	if (!f)
		return;
	publish_dpdk_free(f->dpdk);
	xdp_engine_free(f->xdp);
	native_files_free(f->files);
	free(f);
}

const struct publish_engine *forwarder_engine(const struct forwarder *f)
{
	return &f->engine;
}

bool forwarder_adopted(const struct forwarder *f)
{
	return f->xdp ? xdp_engine_adopted(f->xdp) : native_files_adopted(f->files);
}

uint32_t forwarder_program_id(const struct forwarder *f)
{
	return f->xdp ? xdp_engine_program_id(f->xdp) : 0;
}

int forwarder_attach(struct forwarder *f, const char *ifname, enum config_xdp_mode mode,
		     struct err *err)
{
	if (f->dpdk)
		return forwarder_dpdk_check_port(f, ifname, err);
	return xdp_engine_attach(f->xdp, ifname,
				 mode == CONFIG_XDP_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE,
				 err);
}

bool forwarder_attached(const struct forwarder *f, const char *ifname)
{
	struct err err;

	if (f->dpdk)
		return forwarder_dpdk_check_port(f, ifname, &err) == 0;
	return xdp_engine_attached(f->xdp, ifname);
}

int forwarder_shared(const struct forwarder *f, const char *ifname)
{
	return f->dpdk ? 0 : xdp_engine_shared(f->xdp, ifname);
}

static bool named(const struct config_node *node, const char *ifname)
{
	for (size_t i = 0; i < node->n_interfaces; i++) {
		if (strcmp(node->interfaces[i].name, ifname) == 0)
			return true;
	}
	return false;
}

int forwarder_detach_others(struct forwarder *f, const struct config_node *node, struct err *err)
{
	char names[LB_IFACES_MAX][16];
	int n = f->xdp ? xdp_engine_links(f->xdp, names, LB_IFACES_MAX) : 0;

	if (n < 0)
		return err_set(err, n, "the pinned links can't be listed: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		/* Packets are one engine's. */
		bool keep = !f->dpdk && named(node, names[i]);
		int rc = keep ? 0 : xdp_engine_detach(f->xdp, names[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_xdp(struct forwarder *f, uint8_t *frame, size_t *len, struct lb_trace *ret_trace,
		   struct err *err)
{
	uint8_t out[XDP_ENGINE_FRAME_MAX + 64];
	int rc = xdp_engine_run(f->xdp, &(struct lb_moment){.question = 1}, frame, *len, out, len,
				ret_trace, err);

	/* What leaves isn't longer than a probe and its tunnel. */
	if (rc == 0)
		memcpy(frame, out, *len < LB_PAGE_FRAME_MAX ? *len : LB_PAGE_FRAME_MAX);
	return rc;
}

int forwarder_ask(struct forwarder *f, const struct probe_flow *flow,
		  struct forwarder_answer *ret_answer, struct err *err)
{
	uint8_t frame[LB_PAGE_FRAME_MAX];
	size_t len = probe_frame_build(flow, frame);
	struct forwarder_answer a = {0};
	struct lb_trace trace;
	int rc = f->dpdk ? forwarder_dpdk_ask(f, frame, &len, &trace, err)
			 : run_xdp(f, frame, &len, &trace, err);

	if (rc < 0)
		return rc;
	a.verdict = (enum lb_verdict)trace.verdict;
	a.reason = (enum lb_reason)trace.reason;
	a.service = trace.service;
	a.real = trace.real;
	a.slot = trace.slot;
	if (a.verdict == LB_FORWARD) {
		rc = probe_frame_addresses(frame, len, &a.source, &a.destination);
		if (rc < 0)
			return err_set(err, rc, "the program forwards a frame that isn't IP");
	}
	*ret_answer = a;
	return 0;
}

int forwarder_probe(struct forwarder *f, const struct probe_flow *flow, struct err *err)
{
	uint8_t frame[PROBE_FRAME_MAX];
	size_t len = probe_frame_build(flow, frame);

	return f->dpdk ? forwarder_dpdk_probe(f, frame, len, err)
		       : xdp_engine_probe(f->xdp, frame, len, err);
}
