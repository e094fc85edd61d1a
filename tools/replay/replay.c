/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "tools/replay/memory.h"
#include "tools/replay/setup.h"

/* How long fragments are remembered (LB_FRAGMENT_LIFE), and how often those that aren't are looked
 * for: well within the 256 seconds that their stamps tell apart. */
#define FRAGMENT_LIFE_S 30U
#define SWEEP_NS        (60 * NS_PER_S)
/* Strides of the writer's walk: it advances its clocks by at most 16 ticks at a time. */
#define WALK_NS         (NS_PER_S / 10)
#define STRIDES_SHORT   4
#define STRIDE_MIN_NS   (15 * NS_PER_S)
#define STRIDE_MAX_NS   (400 * NS_PER_S)

struct replay {
	const struct replay_engine *engine;
	void *state;
	cpu_set_t cpus;
	struct publish_engine writer;
	struct publish *publish;
	struct memory_buffer buffer; /* for what the engine can't run */
	uint64_t n_by_native;
	uint64_t clock_ns; /* of the last packet */
	uint64_t swept_ns; /* when fragments were last looked through */
	bool changed;      /* replay_change() was called: the writer's walk goes on */
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
			    config->node.tracking.flows);
}

int replay_open(const char *name, const struct config *config, const struct addr *down,
		size_t n_down, struct replay **ret_replay, struct err *err)
{
	const struct replay_engine *engine = find_engine(name);

	if (!engine)
		return err_set(err, -EINVAL, "--engine: no engine '%s': use native, xdp or dpdk",
			       name);
	return replay_open_engine(engine, config, down, n_down, ret_replay, err);
}

int replay_open_engine(const struct replay_engine *engine, const struct config *config,
		       const struct addr *down, size_t n_down, struct replay **ret_replay,
		       struct err *err)
{
	struct replay *r = calloc(1, sizeof(*r));
	struct lb_dims dims = dims_for(config);
	int ret;

	if (!r)
		return err_set(err, -ENOMEM, "out of memory");
	r->engine = engine;
	if (sched_getaffinity(0, sizeof(r->cpus), &r->cpus) < 0)
		CPU_SET(0, &r->cpus);
	ret = r->engine->open(&dims, (uint32_t)CPU_COUNT(&r->cpus), &r->state, err);
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

const char *replay_pool_of(const struct replay *r, uint32_t service)
{
	return publish_service_pool(r->publish, service);
}

void replay_real_addr(const struct replay *r, uint32_t real, struct addr *ret_addr)
{
	publish_real_addr(r->publish, real, ret_addr);
}

const char *replay_engine_of(const struct replay *r)
{
	return r->engine->name;
}

bool replay_takes(const struct replay *r, size_t len)
{
	return len >= r->engine->frame_min && len <= r->engine->frame_max;
}

const struct replay_engine *replay_engine(const struct replay *r, void **ret_state)
{
	*ret_state = r->state;
	return r->engine;
}

const cpu_set_t *replay_cpus(const struct replay *r)
{
	return &r->cpus;
}

/* ---- time ---- */

/* Without a change nothing is tracked but fragments: their clock is set, and what is forgotten is
 * removed before its stamp comes round. */
static void pass_untracked(struct replay *r, uint64_t now_ns)
{
	struct lb_tables *t = replay_tables(r);
	uint32_t now = (uint32_t)(now_ns / NS_PER_S);

	t->node->fragment_stamp = now;
	if (now_ns - r->swept_ns < SWEEP_NS)
		return;
	for (uint32_t i = 0; i < t->dims.fragment_buckets; i++)
		for (uint32_t way = 0; way < LB_BUCKET_WAYS; way++) {
			__u64 *entry = &t->fragments[i].entry[way];

			if (now_ns - r->swept_ns > 2 * SWEEP_NS ||
			    ((now - (*entry >> LB_FLOW_STAMP_LOW)) & 0xff) > 2 * FRAGMENT_LIFE_S)
				*entry = 0;
		}
	r->swept_ns = now_ns;
}

/* The writer's walk, as often as a node would have it, but in longer and longer strides where
 * packets are far apart. */
static void pass_tracked(struct replay *r, uint64_t now_ns)
{
	unsigned strides = 0;

	while (r->clock_ns + WALK_NS <= now_ns) {
		uint64_t left_ns = now_ns - r->clock_ns, stride_ns = STRIDE_MIN_NS;

		if (strides++ >= STRIDES_SHORT && left_ns / 8 > stride_ns)
			stride_ns = left_ns / 8 < STRIDE_MAX_NS ? left_ns / 8 : STRIDE_MAX_NS;
		r->clock_ns += left_ns < stride_ns ? left_ns : stride_ns;
		publish_track_step(r->publish, r->clock_ns, UINT32_MAX);
	}
}

void replay_pass_time(struct replay *r, uint64_t now_ns)
{
	if (r->changed) {
		pass_tracked(r, now_ns);
	} else if (now_ns > r->clock_ns) {
		pass_untracked(r, now_ns);
		r->clock_ns = now_ns;
	}
}

/* ---- changes and packets ---- */

int replay_change(struct replay *r, const struct config *config, const struct setup_real *reals,
		  size_t n_reals, uint64_t now_ns, struct err *err)
{
	int ret;

	replay_pass_time(r, now_ns);
	if (!r->changed) {
		publish_track_times(r->publish, config->node.tracking.settle_time_ms * NS_PER_MS,
				    config->node.tracking.idle_time_ms * NS_PER_MS);
		publish_track_step(r->publish, now_ns, UINT32_MAX);
		r->clock_ns = now_ns;
		r->changed = true;
	}
	ret = setup_reals(config, reals, n_reals, now_ns, &r->writer, r->publish, err);
	if (publish_grace_due(r->publish)) {
		publish_grace_begin(r->publish);
		r->writer.grace(r->writer.arg);
		publish_grace_end(r->publish);
	}
	return ret;
}

int replay_process(struct replay *r, const struct replay_frame *frame,
		   struct replay_verdict *ret_verdict, struct err *err)
{
	struct replay_outcome outcome;
	struct replay_verdict verdict = {0};
	int ret;

	replay_pass_time(r, frame->now_ns);
	ret = replay_takes(r, frame->len) ? r->engine->process(r->state, frame, &outcome, err)
					  : process_by_native(r, frame, &outcome, err);

	if (ret < 0)
		return ret;
	verdict.verdict = (enum lb_verdict)outcome.trace.verdict;
	verdict.reason = (enum lb_reason)outcome.trace.reason;
	verdict.trace = outcome.trace;
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
