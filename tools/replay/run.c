/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/run.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "controlplane/base/clock.h"
#include "tools/replay/capture.h"
#include "tools/replay/events.h"
#include "tools/replay/verdicts.h"

struct run {
	struct replay *replay;
	struct capture_in *in;
	struct capture_out *out;   /* or NULL */
	struct verdicts *verdicts; /* or NULL */
	struct events *events;     /* or NULL */
	struct run_report *report;
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
		ret = capture_in_open(o->in, &run->in, err);
	if (ret == 0 && o->out)
		ret = capture_out_open(o->out, capture_in_nanoseconds(run->in), &run->out, err);
	if (ret == 0 && o->verdicts)
		ret = verdicts_open(o->verdicts, &run->verdicts, err);
	if (ret == 0 && same_file(o->out, o->verdicts))
		ret = err_set(err, -EINVAL, "%s: is both --out and --verdicts: name two files",
			      o->out);
	return ret;
}

/* A packet's time, whose tv_usec holds what the capture counts in. */
static uint64_t time_ns(const struct run *run, const struct timeval *t)
{
	const uint64_t unit_ns = capture_in_nanoseconds(run->in) ? 1 : NS_PER_US;

	return (uint64_t)t->tv_sec * NS_PER_S + (uint64_t)t->tv_usec * unit_ns;
}

static int run_packet(struct run *run, const struct capture_packet *packet, struct err *err)
{
	struct replay_frame frame = {packet->frame, packet->len, time_ns(run, &packet->time)};
	struct replay_verdict verdict;
	int ret = 0;

	if (run->events)
		ret = events_apply(run->events, run->replay, run->report->n_packets, frame.now_ns,
				   err);
	if (ret == 0)
		ret = replay_process(run->replay, &frame, &verdict, err);

	if (ret < 0)
		return err_prefix(err, ret, "packet %llu",
				  (unsigned long long)run->report->n_packets);
	if (run->verdicts)
		ret = verdicts_write(run->verdicts, run->report->n_packets, &verdict, err);
	if (ret == 0 && run->out && verdict.frame.bytes)
		ret = capture_out_write(run->out, &packet->time, verdict.frame.bytes,
					verdict.frame.len, err);
	run->report->n_packets++;
	run->report->n_cut += packet->len < packet->wire_len;
	return ret;
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
		struct run_report *ret_report, struct err *err)
{
	struct run run = {.replay = r, .report = ret_report};
	struct capture_packet packet;
	int ret, flushed;

	memset(ret_report, 0, sizeof(*ret_report));
	ret = open_files(&run, config, options, err);
	while (ret == 0 && (ret = capture_in_next(run.in, &packet, err)) == 1)
		ret = run_packet(&run, &packet, err);
	flushed = flush_files(&run, ret < 0 ? NULL : err);
	capture_in_free(run.in);
	capture_out_free(run.out);
	verdicts_free(run.verdicts);
	events_free(run.events);
	return ret < 0 ? ret : flushed;
}
