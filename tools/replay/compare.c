/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/compare.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "tools/replay/decode.h"
#include "tools/replay/events.h"
#include "tools/replay/explain.h"

/* So many of the packets that differ are shown; all are counted. */
#define SHOWN_MAX 10

struct compare {
	const struct compare_side *side;
	struct events *events[2]; /* or NULL */
	FILE *out;
	struct compare_report *report;
};

enum difference {
	DIFFERENT_VERDICT = 1,
	DIFFERENT_REASON = 2,
	DIFFERENT_VIP = 4,
	DIFFERENT_REAL = 8,
	DIFFERENT_BYTES = 16,
};

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_bytes(const struct replay_frame *a, const struct replay_frame *b)
{
	return a->len == b->len && (!a->len || memcmp(a->bytes, b->bytes, a->len) == 0);
}

/* What two verdicts differ in, a set of enum difference. */
static unsigned differences(const struct replay_verdict v[2])
{
	unsigned set = 0;

	if (v[0].verdict != v[1].verdict)
		set |= DIFFERENT_VERDICT;
	if (v[0].reason != v[1].reason)
		set |= DIFFERENT_REASON;
	if (!same_text(v[0].vip, v[1].vip))
		set |= DIFFERENT_VIP;
	if (!addr_equal(&v[0].real, &v[1].real))
		set |= DIFFERENT_REAL;
	if (!same_bytes(&v[0].frame, &v[1].frame))
		set |= DIFFERENT_BYTES;
	return set;
}

/* ---- showing ---- */

static void show_what(FILE *out, unsigned set)
{
	static const char *const words[] = {"verdict", "reason", "vip", "real", "bytes"};
	const char *separator = ": different ";

	for (unsigned i = 0; i < 5; i++) {
		if (!(set >> i & 1))
			continue;
		fprintf(out, "%s%s", separator, words[i]);
		separator = ", ";
	}
	putc('\n', out);
}

static void show_verdict(FILE *out, const char *name, const struct replay_verdict *v)
{
	char real[ADDR_STRLEN];

	fprintf(out, "  %-8s %s, reason %s, vip %s, real %s", name,
		publish_verdict_name(v->verdict), publish_reason_name(v->reason),
		v->vip ? v->vip : "none", addr_format(&v->real, real));
	if (v->frame.bytes)
		fprintf(out, ", %zu bytes left", v->frame.len);
	putc('\n', out);
}

static size_t first_difference(const struct replay_frame *a, const struct replay_frame *b)
{
	size_t at = 0;

	while (at < a->len && at < b->len && a->bytes[at] == b->bytes[at])
		at++;
	return at;
}

/* Where the frames that left part, and the bytes around. */
static void show_bytes(const struct compare *c, const struct replay_verdict v[2])
{
	const size_t at = first_difference(&v[0].frame, &v[1].frame);

	fprintf(c->out, "  the bytes differ first at offset %zu\n", at);
	for (int i = 0; i < 2; i++) {
		const struct replay_frame *own = &v[i].frame, *other = &v[1 - i].frame;
		char place[64];

		fprintf(c->out, "  %s: %s\n", c->side[i].name,
			decode_place(own->bytes, own->len,
				     explain_gue_port(c->side[i].replay, v[i].trace.real), at,
				     place, sizeof(place)));
		decode_hex(c->out, "    ", own->bytes, own->len, other->bytes, other->len, at);
	}
}

static void show(const struct compare *c, const struct capture_packet *packet,
		 const struct replay_verdict v[2], unsigned set)
{
	fprintf(c->out, "packet %" PRIu64, packet->index);
	show_what(c->out, set);
	fprintf(c->out, "  came in, %zu bytes\n", packet->len);
	decode_print(c->out, "    ", packet->frame, packet->len, 0);
	for (int i = 0; i < 2; i++)
		show_verdict(c->out, c->side[i].name, &v[i]);
	for (int i = 0; i < 2; i++) {
		if (!v[i].frame.bytes || !(set & DIFFERENT_BYTES))
			continue;
		fprintf(c->out, "  left by %s\n", c->side[i].name);
		decode_print(c->out, "    ", v[i].frame.bytes, v[i].frame.len,
			     explain_gue_port(c->side[i].replay, v[i].trace.real));
	}
	if (set & DIFFERENT_BYTES && v[0].frame.bytes && v[1].frame.bytes)
		show_bytes(c, v);
	putc('\n', c->out);
}

/* ---- comparing ---- */

static int run_side(const struct compare *c, int i, const struct capture_packet *packet,
		    struct replay_verdict *ret_verdict, struct err *err)
{
	const struct replay_frame frame = {packet->frame, packet->len, packet->time_ns};
	int ret = 0;

	if (c->events[i])
		ret = events_apply(c->events[i], c->side[i].replay, packet->index, packet->time_ns,
				   err);
	if (ret == 0 && packet->matches)
		ret = replay_process(c->side[i].replay, &frame, ret_verdict, err);
	return ret < 0 ? err_prefix(err, ret, "%s: packet %" PRIu64, c->side[i].name, packet->index)
		       : 0;
}

static int compare_packet(void *arg, const struct capture_packet *packet, struct err *err)
{
	struct compare *c = arg;
	struct replay_verdict v[2];
	unsigned set;
	int ret = 0;

	for (int i = 0; i < 2 && ret == 0; i++)
		ret = run_side(c, i, packet, &v[i], err);
	if (ret < 0 || !packet->matches)
		return ret;
	set = differences(v);
	if (set && c->report->n_differ++ < SHOWN_MAX)
		show(c, packet, v, set);
	return 0;
}

static void say_result(const struct compare *c)
{
	const uint64_t n = c->report->walk.n_matched, differ = c->report->n_differ;

	if (differ > SHOWN_MAX)
		fprintf(c->out, "the first %d are shown\n", SHOWN_MAX);
	if (differ)
		fprintf(c->out, "%s and %s treat %" PRIu64 " of %" PRIu64 " packets differently\n",
			c->side[0].name, c->side[1].name, differ, n);
	else
		fprintf(c->out, "%s and %s treat all of %" PRIu64 " packets alike\n",
			c->side[0].name, c->side[1].name, n);
}

int compare_capture(const struct compare_side side[2], const struct replay_options *options,
		    FILE *out, struct compare_report *ret_report, struct err *err)
{
	struct compare c = {.side = side, .out = out, .report = ret_report};
	const struct walk walk = {compare_packet, &c};
	struct capture_in *in = NULL;
	int ret = 0;

	memset(ret_report, 0, sizeof(*ret_report));
	for (int i = 0; i < 2 && ret == 0 && options->events; i++)
		ret = events_load(options->events, side[i].config, &c.events[i], err);
	if (ret == 0)
		ret = capture_in_open(options->in, options->filter, &in, err);
	if (ret == 0) {
		ret = walk_capture(in, &walk, options, &ret_report->walk, err);
		say_result(&c);
	}
	if (ret == 0 && (fflush(out) == EOF || ferror(out)))
		ret = err_set(err, -EIO, "standard output: can't write");
	capture_in_free(in);
	for (int i = 0; i < 2; i++)
		events_free(c.events[i]);
	return ret;
}
