/* SPDX-License-Identifier: BSD-2-Clause */
#include <string.h>

#include "dataplane/core/memory_target.h"
#include "dataplane/native/native.h"
#include "tools/replay/test/packet_fuzz.h"

#include "dataplane/core/forward.h"

#define MUST FUZZ_MUST

/* What engines write besides counters. */
struct written {
	struct lb_bucket flows[2], fragments[2];
	struct lb_limit limits[8];
};

static struct lb_tables tables;
static uint64_t frames;

uint64_t fuzz_frames(void)
{
	return frames;
}

static void setup_once(void)
{
	const struct lb_dims dims = world_dims();

	if (tables.node)
		return;
	MUST(native_tables_init(&tables, &dims) == 0);
	MUST(dims.flow_buckets == 2 && dims.fragment_buckets == 2 && dims.limits == 8);
	world_write(&tables);
}

static void remember(struct written *w)
{
	memcpy(w->flows, tables.flows, sizeof(w->flows));
	memcpy(w->fragments, tables.fragments, sizeof(w->fragments));
	memcpy(w->limits, tables.limits, sizeof(w->limits));
}

static void check_nothing_written(const struct written *before)
{
	MUST(memcmp(before->flows, tables.flows, sizeof(before->flows)) == 0);
	MUST(memcmp(before->fragments, tables.fragments, sizeof(before->fragments)) == 0);
	MUST(memcmp(before->limits, tables.limits, sizeof(before->limits)) == 0);
}

/* What the short way for common packets decides, the full rules decide too. */
static void check_common(struct fuzz_bytes in, uint64_t now_ns)
{
	const struct lb_moment question = {.now_ns = now_ns, .question = 1};
	const struct lb_target t = lb_memory_target(&tables, 0, (__u32)in.len, &question);
	const uint8_t *end = in.at + in.len;
	struct lb_decision quick = {0}, full = {0};

	if (!lb_decide_common(&t, in.at, end, &quick))
		return;
	MUST(lb_decide_any(&t, in.at, end, &full) == LB_REASON_forwarded);
	MUST(quick.service == full.service && quick.service_record == full.service_record);
	MUST(quick.real == full.real && quick.real_record == full.real_record);
	MUST(quick.slot == full.slot && quick.nexthop == full.nexthop);
	MUST(quick.iface == full.iface && quick.entropy == full.entropy);
	MUST(quick.ip_length == full.ip_length && quick.inner_family == full.inner_family);
	MUST(quick.grow_bytes == full.grow_bytes && !full.n_tags && !full.n_tags_out);
}

/* A frame in a buffer of its own, that ends where the frame ends. */
struct run {
	uint8_t *buffer;
	struct native_frame frame;
	struct lb_trace trace;
};

static void run_frame(struct run *r, const struct fuzz_frame *f, const struct lb_moment *moment)
{
	struct fuzz_bytes in = {f->bytes, f->len};

	r->buffer = malloc(NATIVE_HEADROOM + f->len);
	MUST(r->buffer);
	r->frame = (struct native_frame){r->buffer + NATIVE_HEADROOM, f->len, NATIVE_HEADROOM};
	if (f->len)
		memcpy(r->frame.data, f->bytes, f->len);
	check_common((struct fuzz_bytes){r->frame.data, f->len}, moment->now_ns);
	frames++;
	native_process(&tables, 0, moment, &r->frame, &r->trace);
	fuzz_check_frame(&tables, &r->trace, in, (struct fuzz_bytes){r->frame.data, r->frame.len});
	fuzz_check_counters(&tables, &r->trace, in);
	memset(tables.counters, 0, tables.dims.counter_stride * sizeof(*tables.counters));
	MUST(r->trace.verdict == lb_reason_verdict((enum lb_reason)r->trace.reason));
}

static void witness_frame(const struct fuzz_witness *witness, const struct run *r,
			  const struct fuzz_frame *f, const struct lb_moment *moment)
{
	if (witness)
		witness->frame(witness->arg, &tables, moment, (struct fuzz_bytes){f->bytes, f->len},
			       (struct fuzz_bytes){r->frame.data, r->frame.len}, &r->trace);
}

/* Ask first, then send: the same answer. */
static void ask(const struct fuzz_witness *witness, const struct fuzz_frame *f, uint64_t now_ns,
		struct run *ret_asked)
{
	const struct lb_moment moment = {.now_ns = now_ns, .question = 1};
	struct written before;

	remember(&before);
	run_frame(ret_asked, f, &moment);
	check_nothing_written(&before);
	witness_frame(witness, ret_asked, f, &moment);
}

static struct lb_trace step(const struct fuzz_witness *witness, const struct fuzz_frame *f,
			    uint64_t now_ns)
{
	const struct lb_moment moment = {.now_ns = now_ns};
	struct run r, asked = {0};

	if (f->control & FUZZ_QUESTION)
		ask(witness, f, now_ns, &asked);
	run_frame(&r, f, &moment);
	witness_frame(witness, &r, f, &moment);
	if (asked.buffer) {
		MUST(memcmp(&r.trace, &asked.trace, sizeof(r.trace)) == 0);
		MUST(r.frame.len == asked.frame.len);
		MUST(memcmp(r.frame.data, asked.frame.data, r.frame.len) == 0);
	}
	free(asked.buffer);
	free(r.buffer);
	return r.trace;
}

void fuzz_run(const struct fuzz_input *in, const struct fuzz_witness *witness)
{
	const struct world_state state = fuzz_state(in);
	struct lb_trace last = {0};
	uint64_t now_ns = 3600000000000ULL;

	setup_once();
	world_set(&tables, &state);
	if (witness)
		witness->begin(witness->arg, &state);
	for (size_t i = 0; i < in->n; i++) {
		const uint8_t control = in->frames[i].control;
		const uint32_t seconds = control & FUZZ_MINUTE ? 60 : control & FUZZ_SECOND;

		now_ns += seconds * 1000000000ULL;
		tables.node->fragment_stamp += seconds;
		tables.node->flow_stamp += seconds / 8;
		if (control & FUZZ_KILL && last.real)
			world_kill(&tables, last.real);
		last = step(witness, &in->frames[i], now_ns);
	}
}

void fuzz_run_frame(const uint8_t *frame, size_t len)
{
	struct fuzz_input in = {.n = 1, .frames = {{.len = len, .bytes = frame}}};

	fuzz_run(&in, NULL);
}
