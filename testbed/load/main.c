/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The load client of the testbed: real TCP connections to a VIP, counted so that what a change in
 * the middle cost can be read off: connections that never came to be apart from connections that
 * broke, and which server answered.
 */
#include "testbed/load/load.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PACE_MS   5
#define REPORT_MS 100
#define REOPEN_MS 1000

struct load {
	uv_loop_t loop;
	struct load_options opt;
	struct load_stats stats;
	uv_timer_t pace, report, progress, duration;
	uv_signal_t sigint, sigterm, sigusr1;
	unsigned next_target;
	uint64_t paced_from_ms; /* loop time at which pacing began */
	bool ending;
	int report_error; /* the first one */
};

static void on_conn_closed(void *arg, bool is_long, unsigned target);

static void conn_start(struct load *ld, bool is_long, unsigned target, unsigned delay_ms)
{
	struct load_conn_params params = {
		.loop = &ld->loop,
		.opt = &ld->opt,
		.stats = &ld->stats,
		.target = target,
		.is_long = is_long,
		.delay_ms = delay_ms,
		.closed = on_conn_closed,
		.arg = ld,
	};

	if (!load_conn_new(&params)) {
		fprintf(stderr, "load: out of memory\n");
		exit(1);
	}
}

static bool short_wanted(const struct load *ld)
{
	return ld->opt.short_count || ld->opt.rate_per_s;
}

static bool short_all_started(const struct load *ld)
{
	return ld->opt.short_count && ld->stats.short_started >= ld->opt.short_count;
}

/* How many short ones should have been started by now. */
static uint64_t short_due(const struct load *ld)
{
	uint64_t due = UINT64_MAX;

	if (ld->opt.rate_per_s)
		due = (uv_now(&ld->loop) - ld->paced_from_ms) * ld->opt.rate_per_s / 1000 + 1;
	if (ld->opt.short_count && due > ld->opt.short_count)
		due = ld->opt.short_count;
	return due;
}

static void start_due(struct load *ld)
{
	if (ld->ending || !short_wanted(ld))
		return;
	uint64_t due = short_due(ld);
	while (ld->stats.short_started < due && ld->stats.short_in_flight < ld->opt.concurrency)
		conn_start(ld, false, ld->next_target++ % ld->opt.n_targets, 0);
}

/* Nothing is left to wait for: the loop ends when the handles are closed. */
static void finish(struct load *ld)
{
	uv_handle_t *own[] = {(uv_handle_t *)&ld->pace,     (uv_handle_t *)&ld->report,
			      (uv_handle_t *)&ld->progress, (uv_handle_t *)&ld->duration,
			      (uv_handle_t *)&ld->sigint,   (uv_handle_t *)&ld->sigterm,
			      (uv_handle_t *)&ld->sigusr1};

	load_conn_stop_all();
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!uv_is_closing(own[i]))
			uv_close(own[i], NULL);
}

/* Starts no more; short connections under way may still end by themselves, which their timers see
 * to within the timeout. */
static void begin_ending(struct load *ld)
{
	ld->ending = true;
	if (ld->stats.short_in_flight == 0)
		finish(ld);
}

static void on_conn_closed(void *arg, bool is_long, unsigned target)
{
	struct load *ld = arg;

	if (is_long && !ld->ending) {
		conn_start(ld, true, target, REOPEN_MS);
		return;
	}
	start_due(ld);
	bool done = ld->ending || (!ld->opt.duration_s && short_all_started(ld));
	if (done && !is_long && ld->stats.short_in_flight == 0) {
		ld->ending = true;
		finish(ld);
	}
}

static void on_pace(uv_timer_t *timer)
{
	start_due(timer->data);
}

static void on_report(uv_timer_t *timer)
{
	struct load *ld = timer->data;
	int rc = load_stats_report(&ld->stats, ld->opt.report_path);

	if (rc && !ld->report_error) {
		ld->report_error = rc;
		fprintf(stderr, "load: --report %s: %s\n", ld->opt.report_path, strerror(-rc));
	}
}

static void on_progress(uv_timer_t *timer)
{
	struct load *ld = timer->data;

	load_stats_progress(&ld->stats, stderr);
}

static void on_duration(uv_timer_t *timer)
{
	begin_ending(timer->data);
}

static void on_signal(uv_signal_t *handle, int signum)
{
	struct load *ld = handle->data;

	if (signum == SIGUSR1)
		ld->stats.slowest_ns = 0;
	else
		begin_ending(ld);
}

static void check(int rc, const char *what)
{
	if (rc) {
		fprintf(stderr, "load: %s: %s\n", what, uv_strerror(rc));
		exit(1);
	}
}

static void timer_setup(struct load *ld, uv_timer_t *timer, uv_timer_cb cb, unsigned first_ms,
			unsigned repeat_ms)
{
	check(uv_timer_init(&ld->loop, timer), "timer");
	timer->data = ld;
	if (cb)
		check(uv_timer_start(timer, cb, first_ms, repeat_ms), "timer");
}

static void signal_setup(struct load *ld, uv_signal_t *handle, int signum)
{
	check(uv_signal_init(&ld->loop, handle), "signal");
	handle->data = ld;
	check(uv_signal_start(handle, on_signal, signum), "signal");
}

/* Each connection is a descriptor: take as many as we may. */
static void raise_nofile(const struct load_options *opt)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim))
		return;
	lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) ||
	    lim.rlim_cur < opt->concurrency + opt->long_count + 32)
		fprintf(stderr,
			"load: only %llu open files allowed: some connections will count as "
			"local failures\n",
			(unsigned long long)lim.rlim_cur);
}

static void setup(struct load *ld)
{
	const struct load_options *opt = &ld->opt;

	check(uv_loop_init(&ld->loop), "loop");
	ld->stats.start_ns = uv_hrtime();
	ld->paced_from_ms = uv_now(&ld->loop);
	timer_setup(ld, &ld->pace, on_pace, 0, PACE_MS);
	timer_setup(ld, &ld->report, opt->report_path ? on_report : NULL, 0, REPORT_MS);
	timer_setup(ld, &ld->progress, opt->progress ? on_progress : NULL, 1000, 1000);
	timer_setup(ld, &ld->duration, opt->duration_s ? on_duration : NULL, opt->duration_s * 1000,
		    0);
	signal_setup(ld, &ld->sigint, SIGINT);
	signal_setup(ld, &ld->sigterm, SIGTERM);
	signal_setup(ld, &ld->sigusr1, SIGUSR1);
	/* Spread over one interval, so that requests on long connections come evenly. */
	for (unsigned i = 0; i < opt->long_count; i++)
		conn_start(ld, true, i % opt->n_targets,
			   (unsigned)((uint64_t)i * opt->every_ms / opt->long_count));
}

int main(int argc, char **argv)
{
	static struct load ld;
	int rc = load_options_parse(&ld.opt, argc, argv);

	if (rc)
		return rc > 0 ? 0 : 2;
	signal(SIGPIPE, SIG_IGN);
	raise_nofile(&ld.opt);
	setup(&ld);
	check(uv_run(&ld.loop, UV_RUN_DEFAULT), "loop");
	check(uv_loop_close(&ld.loop), "loop");
	if (ld.opt.report_path)
		rc = load_stats_report(&ld.stats, ld.opt.report_path);
	load_stats_json(&ld.stats, stdout);
	if (fflush(stdout) || rc || ld.report_error) {
		fprintf(stderr, "load: the totals could not be written\n");
		return 1;
	}
	return 0;
}
