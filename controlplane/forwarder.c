/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/forwarder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/publish/xdp_backend.h"

/* Room for what comes later than the first configuration, before tables must grow. */
#define SPARE_SERVICES 64
#define SPARE_REALS    256
#define SPARE_POOLS    8

struct forwarder {
	struct xdp_engine *xdp;
	struct publish_engine engine;
};

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

int forwarder_open(const struct config *cfg, const char *bpffs, struct forwarder **ret_forwarder,
		   struct err *err)
{
	struct forwarder *f = calloc(1, sizeof(*f));
	struct lb_dims dims = first_dims(cfg);
	int rc;

	if (!f)
		return err_set(err, -ENOMEM, "out of memory");
	rc = xdp_engine_open(bpffs, &dims, &f->xdp, err);
	if (rc < 0) {
		free(f);
		return rc;
	}
	f->engine = publish_xdp_engine(f->xdp);
	*ret_forwarder = f;
	return 0;
}

void forwarder_free(struct forwarder *f)
{
	if (!f)
		return;
	xdp_engine_free(f->xdp);
	free(f);
}

const struct publish_engine *forwarder_engine(const struct forwarder *f)
{
	return &f->engine;
}

bool forwarder_adopted(const struct forwarder *f)
{
	return xdp_engine_adopted(f->xdp);
}

uint32_t forwarder_program_id(const struct forwarder *f)
{
	return xdp_engine_program_id(f->xdp);
}

int forwarder_attach(struct forwarder *f, const char *ifname, enum config_xdp_mode mode,
		     struct err *err)
{
	return xdp_engine_attach(f->xdp, ifname,
				 mode == CONFIG_XDP_GENERIC ? XDP_MODE_GENERIC : XDP_MODE_NATIVE,
				 err);
}

bool forwarder_attached(const struct forwarder *f, const char *ifname)
{
	return xdp_engine_attached(f->xdp, ifname);
}

int forwarder_shared(const struct forwarder *f, const char *ifname)
{
	return xdp_engine_shared(f->xdp, ifname);
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
	int n = xdp_engine_links(f->xdp, names, LB_IFACES_MAX);

	if (n < 0)
		return err_set(err, n, "the pinned links can't be listed: %s", strerror(-n));
	for (int i = 0; i < n; i++) {
		int rc = named(node, names[i]) ? 0 : xdp_engine_detach(f->xdp, names[i], err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

int forwarder_ask(struct forwarder *f, const struct probe_flow *flow,
		  struct forwarder_answer *ret_answer, struct err *err)
{
	uint8_t frame[PROBE_FRAME_MAX], out[XDP_ENGINE_FRAME_MAX + 64];
	size_t len = probe_frame_build(flow, frame), out_len;
	struct forwarder_answer a = {0};
	struct lb_trace trace;
	int rc = xdp_engine_run(f->xdp, &(struct lb_moment){.question = 1}, frame, len, out,
				&out_len, &trace, err);

	if (rc < 0)
		return rc;
	a.verdict = (enum lb_verdict)trace.verdict;
	a.reason = (enum lb_reason)trace.reason;
	a.service = trace.service;
	a.real = trace.real;
	a.slot = trace.slot;
	if (a.verdict == LB_FORWARD) {
		rc = probe_frame_addresses(out, out_len, &a.source, &a.destination);
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

	return xdp_engine_probe(f->xdp, frame, len, err);
}
