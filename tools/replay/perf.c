/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/perf.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/replay/capture.h"
#include "tools/replay/lanes.h"

/* Each round goes through all packets as often as it takes for a round to last some milliseconds;
 * an odd number of rounds has one in the middle. */
#define ROUNDS            15
#define ROUND_PACKETS_MIN 100000
#define PACKETS_MAX       (1U << 20)
#define PACKETS_BYTES_MAX (1ULL << 30)
/* With a flow table that is emptied before each pass, which costs more than small passes do. */
#define COLD_PACKETS_MIN  20000
#define COLD_PASSES_MAX   50
/* An engine that is called once a pass takes too long for the call to tell fewer packets from it.
 */
#define COLD_PASS_MIN     1000

struct packets {
	struct replay_frame *frames; /* each owns its bytes */
	size_t n, size;
	uint64_t bytes;
	size_t n_skipped; /* the engine can't run them, or they are beyond what is kept */
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
	p->bytes += packet->len;
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
		if (replay_takes(r, packet.len) && p->n < PACKETS_MAX &&
		    p->bytes + packet.len <= PACKETS_BYTES_MAX)
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
	memset(p->verdicts, 0, sizeof(p->verdicts));
	for (size_t i = 0; i < p->n; i++) {
		struct replay_verdict verdict;
		int ret = replay_process(r, &p->frames[i], &verdict, err);

		if (ret < 0)
			return ret;
		p->verdicts[verdict.verdict]++;
	}
	return 0;
}

/* ---- the flow table ---- */

static void empty_flows(struct replay *r)
{
	struct lb_tables *t = replay_tables(r);

	memset(t->flows, 0, (size_t)t->dims.flow_buckets * sizeof(*t->flows));
}

static uint16_t *slot_of(struct lb_slot_line *lines, uint32_t slot)
{
	return &lines[slot / LB_SLOTS_PER_LINE].slot[slot % LB_SLOTS_PER_LINE];
}

static uint16_t real_at(const struct lb_tables *t, const struct lb_service *s, uint32_t at)
{
	return *slot_of(t->slots, s->ring_start + at) & LB_SLOT_REAL_MASK;
}

/* Every slot as if its real had just changed: what comes through asks the flow table, and whatever
 * is no SYN and has no entry belongs to the previous real and is entered. Where the ring has one
 * real only there is no previous one. */
static void track_ring(const struct lb_tables *t, const struct lb_service *s)
{
	const uint16_t one = real_at(t, s, 0);
	uint16_t other = 0;

	for (uint32_t at = 1; at < s->ring_slots && !other; at++)
		if (real_at(t, s, at) != one)
			other = real_at(t, s, at);
	for (uint32_t at = 0; at < s->ring_slots; at++) {
		*slot_of(t->previous, s->ring_start + at) = real_at(t, s, at) == one ? other : one;
		*slot_of(t->slots, s->ring_start + at) |= LB_SLOT_TRACKED;
	}
}

static void track_all_slots(struct replay *r)
{
	const struct lb_tables *t = replay_tables(r);

	for (uint32_t i = 1; i < t->dims.services; i++)
		if (t->services[i].ring_slots)
			track_ring(t, &t->services[i]);
}

/* ---- measuring ---- */

struct result {
	double min, median, max; /* ns per packet on one CPU */
};

struct measurement {
	struct replay *replay;
	struct packets *packets;
	uint32_t cores;
	size_t passes; /* of a round */
	bool cold;     /* the flow table is empty before each pass */
};

static int compare_ns(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static int compare_sums(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int run_round(const struct measurement *m, struct lanes *lanes,
		     struct replay_sample *ret_samples, struct err *err)
{
	int ret = 0;

	memset(ret_samples, 0, m->cores * sizeof(*ret_samples));
	if (!m->cold)
		return lanes_run(lanes, m->passes * m->packets->n, ret_samples, err);
	for (size_t pass = 0; pass < m->passes && ret == 0; pass++) {
		empty_flows(m->replay);
		ret = lanes_run(lanes, m->packets->n, ret_samples, err);
	}
	return ret;
}

/* Add one lane's rounds, from the quickest to the slowest, to the sums. The quickest round is held
 * against the quickest of the harness, the second against the second, and so on. */
static void add_lane(const struct replay_sample *samples, uint32_t lane, uint32_t cores,
		     double sums[ROUNDS])
{
	uint64_t ns[ROUNDS], harness_ns[ROUNDS];

	for (size_t round = 0; round < ROUNDS; round++) {
		ns[round] = samples[round * cores + lane].ns;
		harness_ns[round] = samples[round * cores + lane].harness_ns;
	}
	qsort(ns, ROUNDS, sizeof(ns[0]), compare_ns);
	qsort(harness_ns, ROUNDS, sizeof(harness_ns[0]), compare_ns);
	for (size_t round = 0; round < ROUNDS; round++)
		if (ns[round] > harness_ns[round])
			sums[round] += (double)(ns[round] - harness_ns[round]);
}

static int run_rounds(const struct measurement *m, struct lanes *lanes, struct result *ret_result,
		      struct err *err)
{
	const double packets = (double)(m->passes * m->packets->n) * m->cores;
	AUTO_FREE struct replay_sample *samples =
		calloc((size_t)ROUNDS * m->cores, sizeof(*samples));
	double sums[ROUNDS] = {0};
	int ret = samples ? 0 : err_set(err, -ENOMEM, "out of memory");

	for (size_t round = 0; round < ROUNDS && ret == 0; round++)
		ret = run_round(m, lanes, &samples[round * m->cores], err);
	if (ret < 0)
		return ret;
	for (uint32_t lane = 0; lane < m->cores; lane++)
		add_lane(samples, lane, m->cores, sums);
	qsort(sums, ROUNDS, sizeof(sums[0]), compare_sums);
	*ret_result = (struct result){sums[0] / packets, sums[ROUNDS / 2] / packets,
				      sums[ROUNDS - 1] / packets};
	return 0;
}

/* Packets that reals were sent, by the engine's own counters. */
static uint64_t forwarded_so_far(const struct measurement *m)
{
	const struct lb_tables *t = replay_tables(m->replay);
	uint64_t packets = 0;

	for (uint32_t row = 0; row < t->dims.counter_rows; row++)
		for (uint32_t real = 1; real < t->dims.reals; real++)
			packets += t->counters[(size_t)row * t->dims.counter_stride +
					       LB_COUNTER_REAL(&t->dims, real)]
					   .packets;
	return packets;
}

/* The measurement holds only if the engine met the packets as they are: it has then forwarded as
 * many as it did one by one. */
static int run_checked(const struct measurement *m, struct lanes *lanes, struct result *ret_result,
		       struct err *err)
{
	const uint64_t expected = (uint64_t)m->packets->verdicts[LB_FORWARD] * m->passes * ROUNDS *
				  m->cores,
		       before = forwarded_so_far(m);
	int ret = run_rounds(m, lanes, ret_result, err);
	uint64_t forwarded;
	void *state;

	if (ret < 0 || !replay_engine(m->replay, &state)->bench_foretells)
		return ret;
	forwarded = forwarded_so_far(m) - before;
	if (forwarded != expected)
		return err_set(err, -EPROTO,
			       "%" PRIu64 " packets were forwarded while measuring where %" PRIu64
			       " were right: the measurement is void; a limit of SYNs or a capture"
			       " that isn't decided alike each time can be why",
			       forwarded, expected);
	return 0;
}

static size_t at_least(size_t packets, size_t n)
{
	return (packets + n - 1) / n;
}

static int measure(struct measurement m, struct result *ret_result, struct err *err)
{
	const struct replay_bench bench = {m.packets->frames, m.packets->n};
	struct lanes *lanes;
	int ret;

	m.passes = at_least(m.cold ? COLD_PACKETS_MIN : ROUND_PACKETS_MIN, m.packets->n);
	if (m.cold && m.passes > COLD_PASSES_MAX)
		m.passes = COLD_PASSES_MAX;
	/* The second time all is as it will be each time: fragments know their first, and flows
	 * are either known or not. */
	empty_flows(m.replay);
	ret = count_verdicts(m.replay, m.packets, err);
	if (m.cold)
		empty_flows(m.replay);
	if (ret == 0)
		ret = count_verdicts(m.replay, m.packets, err);
	if (m.cold)
		empty_flows(m.replay);
	if (ret == 0)
		ret = lanes_open(m.replay, &bench, m.cores, &lanes, err);
	if (ret < 0)
		return ret;
	ret = run_checked(&m, lanes, ret_result, err);
	lanes_close(lanes);
	return ret;
}

/* ---- telling ---- */

static json_int_t per_second(const struct result *r, uint32_t cores)
{
	return (json_int_t)(r->median > 0 ? 1e9 / r->median * cores : 0);
}

static json_t *json_of(const struct result *r, uint32_t cores)
{
	return json_pack("{s:{s:f, s:f, s:f}, s:I}", "ns_per_packet", "min", r->min, "median",
			 r->median, "max", r->max, "packets_per_second", per_second(r, cores));
}

struct results {
	struct result untracked, warm, cold;
	bool has_cold;
};

static int print_results(struct replay *r, const struct replay_options *o, const struct packets *p,
			 const struct results *results, FILE *out, struct err *err)
{
	json_t *root = json_pack(
		"{s:i, s:s, s:s, s:i, s:I, s:I, s:{s:I, s:I, s:I, s:I}, s:i, s:I}",
		"schema_version", 1, "engine", replay_engine_of(r), "input", o->in, "cores",
		(int)o->cores, "packets", (json_int_t)p->n, "packets_skipped",
		(json_int_t)p->n_skipped, "verdicts", "forward",
		(json_int_t)p->verdicts[LB_FORWARD], "reply", (json_int_t)p->verdicts[LB_REPLY],
		"pass", (json_int_t)p->verdicts[LB_PASS], "drop", (json_int_t)p->verdicts[LB_DROP],
		"rounds", ROUNDS, "packets_per_round",
		(json_int_t)(at_least(ROUND_PACKETS_MIN, p->n) * p->n));
	int ret = 0;

	if (!root || json_object_update_new(root, json_of(&results->untracked, o->cores)) < 0 ||
	    json_object_set_new(root, "tracked",
				json_pack("{s:o, s:o}", "warm", json_of(&results->warm, o->cores),
					  "cold",
					  results->has_cold ? json_of(&results->cold, o->cores)
							    : json_null())) < 0)
		ret = err_set(err, -ENOMEM, "out of memory, or %s is no UTF-8", o->in);
	else if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(5)) < 0 ||
		 putc('\n', out) == EOF)
		ret = err_set(err, -EIO, "standard output: can't write");
	json_decref(root);
	return ret;
}

int perf_capture(struct replay *r, const struct replay_options *options, FILE *out, struct err *err)
{
	CLEANUP(packets_fini) struct packets p = {0};
	struct measurement m = {.replay = r, .packets = &p, .cores = options->cores};
	struct results results;
	void *state;
	int ret = load_packets(r, options, &p, err);

	if (ret == 0)
		ret = measure(m, &results.untracked, err);
	if (ret < 0)
		return ret;
	track_all_slots(r);
	ret = measure(m, &results.warm, err);
	m.cold = true;
	results.has_cold = p.n >= COLD_PASS_MIN || !replay_engine(r, &state)->bench_foretells;
	if (ret == 0 && results.has_cold)
		ret = measure(m, &results.cold, err);
	return ret < 0 ? ret : print_results(r, options, &p, &results, out, err);
}
