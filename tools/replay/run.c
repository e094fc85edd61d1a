/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/run.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "tools/replay/capture.h"
#include "tools/replay/events.h"
#include "tools/replay/explain.h"
#include "tools/replay/verdicts.h"

struct run {
	struct replay *replay;
	const struct replay_options *options;
	struct capture_in *in;
	struct capture_out *out;   /* or NULL */
	struct verdicts *verdicts; /* or NULL */
	struct events *events;     /* or NULL */
	FILE *explained;
	bool has_explained;
};

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return a && b && stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) &&
	       x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Creating the outputs must not destroy what is read. */
static int check_paths(const struct replay_options *o, struct err *err)
{
	if (same_file(o->in, o->out) || same_file(o->in, o->verdicts))
		return err_set(err, -EINVAL, "%s: is the input and an output: name another output",
			       o->in);
	if (same_file(o->config, o->out) || same_file(o->config, o->verdicts))
		return err_set(err, -EINVAL,
			       "%s: is the configuration and an output: name another output",
			       o->config);
	return 0;
}

static int open_files(struct run *run, const struct config *config, const struct replay_options *o,
		      struct err *err)
{
	int ret = check_paths(o, err);

	if (ret == 0 && o->events)
		ret = events_load(o->events, config, &run->events, err);

	if (ret == 0)
		ret = capture_in_open(o->in, o->filter, &run->in, err);
	if (ret == 0 && o->out)
		ret = capture_out_open(o->out, capture_in_nanoseconds(run->in), &run->out, err);
	if (ret == 0 && o->verdicts)
		ret = verdicts_open(o->verdicts, &run->verdicts, err);
	if (ret == 0 && same_file(o->out, o->verdicts))
		ret = err_set(err, -EINVAL, "%s: is both --out and --verdicts: name two files",
			      o->out);
	return ret;
}

static int write_verdict(struct run *run, const struct capture_packet *packet,
			 const struct replay_verdict *verdict, struct err *err)
{
	int ret = 0;

	if (run->verdicts)
		ret = verdicts_write(run->verdicts, packet->index, verdict, err);
	if (ret == 0 && run->out && verdict->frame.bytes)
		ret = capture_out_write(run->out, &packet->time, verdict->frame.bytes,
					verdict->frame.len, err);
	return ret;
}

/* Process a packet and, when it is the one, explain it. */
static int process(struct run *run, const struct capture_packet *packet,
		   struct replay_verdict *ret_verdict, struct err *err)
{
	const struct replay_frame frame = {packet->frame, packet->len, packet->time_ns};
	const struct replay_options *o = run->options;
	struct explain *x = NULL;
	int ret = 0;

	if (o->has_explain && o->explain == packet->index)
		ret = explain_new(run->replay, packet, &x, err);
	if (ret == 0)
		ret = replay_process(run->replay, &frame, ret_verdict, err);
	if (ret == 0 && x) {
		explain_print(x, ret_verdict, run->explained);
		run->has_explained = true;
	}
	explain_free(x);
	return ret;
}

static int run_packet(void *arg, const struct capture_packet *packet, struct err *err)
{
	struct run *run = arg;
	struct replay_verdict verdict;
	int ret = 0;

	if (run->events)
		ret = events_apply(run->events, run->replay, packet->index, packet->time_ns, err);
	if (ret == 0 && packet->matches)
		ret = process(run, packet, &verdict, err);
	if (ret < 0)
		return err_prefix(err, ret, "packet %" PRIu64, packet->index);
	if (packet->matches)
		ret = write_verdict(run, packet, &verdict, err);
	/* Nothing else is asked for once that packet is explained. */
	return ret == 0 && run->has_explained && !run->out && !run->verdicts ? 1 : ret;
}

/* The packet that was to be explained didn't come. */
static int explained_nothing(const struct run *run, const struct walk_report *report,
			     struct err *err)
{
	const struct replay_options *o = run->options;

	if (o->explain < report->n_packets)
		return err_set(err, -ENOENT,
			       "--explain %" PRIu64 ": this packet doesn't match --filter '%s'",
			       o->explain, o->filter);
	return err_set(err, -ENOENT,
		       "--explain %" PRIu64 ": %s has %" PRIu64
		       " packets, and they are counted from 0",
		       o->explain, o->in, report->n_packets);
}

/* Flush whatever happened: what was decided before a failure is to be read. */
static int flush_files(struct run *run, struct err *err)
{
	int ret = 0, second = 0;

	if (run->out)
		ret = capture_out_flush(run->out, err);
	if (run->verdicts)
		second = verdicts_flush(run->verdicts, ret < 0 ? NULL : err);
	return ret < 0 ? ret : second;
}

int run_capture(struct replay *r, const struct config *config, const struct replay_options *options,
		FILE *explained, struct walk_report *ret_report, struct err *err)
{
	struct run run = {.replay = r, .options = options, .explained = explained};
	const struct walk walk = {run_packet, &run};
	int ret, flushed;

	memset(ret_report, 0, sizeof(*ret_report));
	ret = open_files(&run, config, options, err);
	if (ret == 0)
		ret = walk_capture(run.in, &walk, options, ret_report, err);
	if (ret == 0 && options->has_explain && !run.has_explained)
		ret = explained_nothing(&run, ret_report, err);
	flushed = flush_files(&run, ret < 0 && ret != -EINTR ? NULL : err);
	capture_in_free(run.in);
	capture_out_free(run.out);
	verdicts_free(run.verdicts);
	events_free(run.events);
	return ret < 0 && (ret != -EINTR || flushed == 0) ? ret : flushed;
}
