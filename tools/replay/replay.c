/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "tools/replay/memory.h"
#include "tools/replay/setup.h"

struct replay {
	const struct replay_engine *engine;
	void *state;
	struct publish_engine writer;
	struct publish *publish;
	struct memory_buffer buffer; /* for what the engine can't run */
	uint64_t n_by_native;
};

static const struct replay_engine *const engines[] = {
	&replay_engine_native,
	&replay_engine_xdp,
	&replay_engine_dpdk,
};

const char *replay_engine_name(size_t i)
{
	return i < ARRAY_SIZE(engines) ? engines[i]->name : NULL;
}

static const struct replay_engine *find_engine(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(engines); i++)
		if (strcmp(engines[i]->name, name) == 0)
			return engines[i];
	return NULL;
}

/* Room for all of a configuration, so that the tables needn't grow while it is published. */
static struct lb_dims dims_for(const struct config *config)
{
	uint32_t services = 0, reals = 0, table_size = 1;

	for (size_t i = 0; i < config->n_vips; i++)
		services += 1 + (uint32_t)config->vips[i].n_services;
	for (size_t i = 0; i < config->n_pools; i++) {
		reals += (uint32_t)config->pools[i].n_reals;
		if (config->pools[i].table_size > table_size)
			table_size = config->pools[i].table_size;
	}
	return publish_dims(services, reals, (uint32_t)config->n_pools, table_size,
			    PUBLISH_FLOWS_DEFAULT);
}

int replay_open(const char *engine, const struct config *config, const struct addr *down,
		size_t n_down, struct replay **ret_replay, struct err *err)
{
	struct replay *r = calloc(1, sizeof(*r));
	struct lb_dims dims = dims_for(config);
	int ret;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->engine = find_engine(engine);
	if (!r->engine) {
		free(r);
		return err_set(err, -EINVAL, "--engine: no engine '%s': use native, xdp or dpdk",
			       engine);
	}
	ret = r->engine->open(&dims, &r->state, err);
	if (ret == 0) {
		r->writer = r->engine->writer(r->state);
		ret = publish_new(&r->writer, &r->publish, err);
	}
	if (ret == 0)
		ret = setup_tables(config, down, n_down, &r->writer, r->publish, err);
	if (ret < 0) {
		replay_free(r);
		return ret;
	}
	*ret_replay = r;
	return 0;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	publish_free(r->publish);
	if (r->state)
		r->engine->close(r->state);
	memory_buffer_fini(&r->buffer);
	free(r);
}

/* What the kernel's test run or an mbuf can't take, the same code decides over the same tables. */
static int process_by_native(struct replay *r, const struct replay_frame *frame,
			     struct replay_outcome *ret_outcome, struct err *err)
{
	r->n_by_native++;
	return memory_run(replay_tables(r), &r->buffer, frame, ret_outcome, err);
}

struct lb_tables *replay_tables(struct replay *r)
{
	return r->writer.tables(r->writer.arg);
}

const char *replay_engine_of(const struct replay *r)
{
	return r->engine->name;
}

bool replay_takes(const struct replay *r, size_t len)
{
	return len >= r->engine->frame_min && len <= r->engine->frame_max;
}

int replay_bench(struct replay *r, const struct replay_bench *bench, struct err *err)
{
	return r->engine->bench(r->state, bench, err);
}

int replay_process(struct replay *r, const struct replay_frame *frame,
		   struct replay_verdict *ret_verdict, struct err *err)
{
	struct replay_outcome outcome;
	struct replay_verdict verdict = {0};
	int ret;

	/* The tables' coarse clocks go by the packets' time. */
	replay_tables(r)->node->fragment_stamp = (uint32_t)(frame->now_ns / NS_PER_S);
	ret = replay_takes(r, frame->len) ? r->engine->process(r->state, frame, &outcome, err)
					  : process_by_native(r, frame, &outcome, err);

	if (ret < 0)
		return ret;
	verdict.verdict = (enum lb_verdict)outcome.trace.verdict;
	verdict.reason = (enum lb_reason)outcome.trace.reason;
	verdict.vip = publish_service_vip(r->publish, outcome.trace.service);
	publish_real_addr(r->publish, outcome.trace.real, &verdict.real);
	if (verdict.verdict == LB_FORWARD || verdict.verdict == LB_REPLY)
		verdict.frame = outcome.frame;
	*ret_verdict = verdict;
	return 0;
}

uint64_t replay_by_native(const struct replay *r)
{
	return r->n_by_native;
}
