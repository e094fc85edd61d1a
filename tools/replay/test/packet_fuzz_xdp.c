/* SPDX-License-Identifier: BSD-2-Clause */
/* The inputs of packet_fuzz.c through the XDP program in the kernel as well (BPF_PROG_TEST_RUN),
 * over the same tables: the same verdict, reason, service, real and slot, the same bytes out, and
 * the same flows, fragments and limits afterwards. */
#include <errno.h>
#include <string.h>

#include "dataplane/xdp/engine.h"
#include "tools/replay/test/packet_fuzz.h"

#define MUST FUZZ_MUST

/* What automake, meson and ctest take for "skipped". */
#define EXIT_SKIP 77

static struct xdp_engine *engine;

static void setup_once(void)
{
	const struct lb_dims dims = world_dims();
	struct err err = {""};
	int rc;

	if (engine)
		return;
	rc = xdp_engine_open(NULL, &dims, &engine, &err);
	if (rc == -EPERM || rc == -EACCES) {
		fprintf(stderr, "skipped: %s\n", err.text);
		_Exit(EXIT_SKIP);
	}
	if (rc) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	world_write(xdp_engine_tables(engine));
}

static void begin(void *arg, const struct world_state *state)
{
	(void)arg;
	world_set(xdp_engine_tables(engine), state);
}

/* What the control plane changes between frames. */
static void follow(struct lb_tables *to, const struct lb_tables *from)
{
	to->node->flow_stamp = from->node->flow_stamp;
	to->node->fragment_stamp = from->node->fragment_stamp;
	memcpy(to->reals, from->reals, from->dims.reals * sizeof(*to->reals));
}

static void check_tables(const struct lb_tables *a, const struct lb_tables *b)
{
	const struct lb_dims *d = &a->dims;

	MUST(memcmp(a->flows, b->flows, d->flow_buckets * sizeof(*a->flows)) == 0);
	MUST(memcmp(a->fragments, b->fragments, d->fragment_buckets * sizeof(*a->fragments)) == 0);
	MUST(memcmp(a->limits, b->limits, d->limits * sizeof(*a->limits)) == 0);
}

static void frame(void *arg, const struct lb_tables *t, const struct lb_moment *moment,
		  struct fuzz_bytes in, struct fuzz_bytes out, const struct lb_trace *trace)
{
	static uint8_t got[XDP_ENGINE_FRAME_MAX + 64];
	struct lb_tables *own = xdp_engine_tables(engine);
	struct lb_trace own_trace;
	struct err err = {""};
	size_t len;

	(void)arg;
	if (in.len < XDP_ENGINE_FRAME_MIN)
		return;
	follow(own, t);
	if (xdp_engine_run(engine, moment, in.at, in.len, got, &len, &own_trace, &err)) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	if (memcmp(&own_trace, trace, sizeof(own_trace)) != 0)
		fprintf(stderr,
			"native: verdict %u reason %u service %u real %u slot %u\n"
			"xdp:    verdict %u reason %u service %u real %u slot %u\n",
			trace->verdict, trace->reason, trace->service, trace->real, trace->slot,
			own_trace.verdict, own_trace.reason, own_trace.service, own_trace.real,
			own_trace.slot);
	MUST(memcmp(&own_trace, trace, sizeof(own_trace)) == 0);
	MUST(len == out.len && memcmp(got, out.at, len) == 0);
	check_tables(own, t);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct fuzz_witness witness = {.begin = begin, .frame = frame};
	struct fuzz_input in;

	setup_once();
	fuzz_read(&in, bytes, len);
	fuzz_run(&in, &witness);
	return 0;
}
