/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/perf.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/replay/capture.h"

/* Each round goes through all packets as often as it takes for a round to last some milliseconds;
 * an odd number of rounds has one in the middle. */
#define ROUNDS            15
#define ROUND_PACKETS_MIN 100000
#define PACKETS_MAX       (1U << 20)

struct packets {
	struct replay_frame *frames; /* each owns its bytes */
	size_t n, size;
	size_t n_skipped; /* the engine can't run them, or they are beyond PACKETS_MAX */
	size_t verdicts[LB_REPLY + 1];
};

static void packets_fini(struct packets *p)
{
	for (size_t i = 0; i < p->n; i++)
		free((void *)p->frames[i].bytes);
	free(p->frames);
}

static int add_packet(struct packets *p, const struct capture_packet *packet, struct err *err)
{
	uint8_t *bytes = malloc(packet->len + 1);

	if (bytes && p->n == p->size) {
		size_t size = p->size ? 2 * p->size : 1024;
		struct replay_frame *grown = realloc(p->frames, size * sizeof(*grown));

		if (grown) {
			p->frames = grown;
			p->size = size;
		}
	}
	if (!bytes || p->n == p->size) {
		free(bytes);
		return err_set(err, -ENOMEM, "no memory for packet %zu", p->n);
	}
	memcpy(bytes, packet->frame, packet->len);
	p->frames[p->n++] = (struct replay_frame){.bytes = bytes, .len = packet->len};
	return 0;
}

static int load_packets(struct replay *r, const struct replay_options *options, struct packets *p,
			struct err *err)
{
	struct capture_packet packet;
	struct capture_in *in;
	int ret = capture_in_open(options->in, options->filter, &in, err);

	if (ret < 0)
		return ret;
	while (ret == 0 && (ret = capture_in_next(in, &packet, err)) == 1) {
		ret = 0;
		if (!packet.matches)
			continue;
		if (replay_takes(r, packet.len) && p->n < PACKETS_MAX)
			ret = add_packet(p, &packet, err);
		else
			p->n_skipped++;
	}
	capture_in_free(in);
	if (ret == 0 && p->n == 0)
		ret = err_set(err, -EINVAL, "%s: no packet that this engine can measure",
			      options->in);
	return ret;
}

static int count_verdicts(struct replay *r, struct packets *p, struct err *err)
{
	for (size_t i = 0; i < p->n; i++) {
		struct replay_verdict verdict;
		int ret = replay_process(r, &p->frames[i], &verdict, err);

		if (ret < 0)
			return ret;
		p->verdicts[verdict.verdict]++;
	}
	return 0;
}

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int print_result(struct replay *r, const struct packets *p, size_t count,
			const uint64_t sorted_ns[ROUNDS], FILE *out, struct err *err)
{
	double per = 1.0 / (double)count, median = (double)sorted_ns[ROUNDS / 2] * per;
	json_t *root = json_pack(
		"{s:i, s:s, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:i, s:I, s:{s:f, s:f, s:f}, s:I}",
		"schema_version", 1, "engine", replay_engine_of(r), "packets", (json_int_t)p->n,
		"packets_skipped", (json_int_t)p->n_skipped, "verdicts", "forward",
		(json_int_t)p->verdicts[LB_FORWARD], "reply", (json_int_t)p->verdicts[LB_REPLY],
		"pass", (json_int_t)p->verdicts[LB_PASS], "drop", (json_int_t)p->verdicts[LB_DROP],
		"rounds", ROUNDS, "packets_per_round", (json_int_t)count, "ns_per_packet", "min",
		(double)sorted_ns[0] * per, "median", median, "max",
		(double)sorted_ns[ROUNDS - 1] * per, "packets_per_second",
		(json_int_t)(median > 0 ? 1e9 / median : 0));
	int ret = 0;

	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(5)) < 0 ||
	    putc('\n', out) == EOF)
		ret = err_set(err, -EIO, "standard output: can't write");
	json_decref(root);
	return ret;
}

int perf_capture(struct replay *r, const struct replay_options *options, FILE *out, struct err *err)
{
	CLEANUP(packets_fini) struct packets p = {0};
	uint64_t ns[ROUNDS];
	size_t count;
	int ret = load_packets(r, options, &p, err);

	if (ret == 0)
		ret = count_verdicts(r, &p, err);
	if (ret < 0)
		return ret;
	count = (ROUND_PACKETS_MIN + p.n - 1) / p.n * p.n;
	ret = replay_bench(r,
			   &(struct replay_bench){.frames = p.frames,
						  .n = p.n,
						  .count = count,
						  .rounds = ROUNDS,
						  .ret_ns = ns},
			   err);
	if (ret < 0)
		return ret;
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_ns);
	return print_result(r, &p, count, ns, out, err);
}
