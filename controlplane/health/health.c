/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/health.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "controlplane/health/cadence.h"
#include "controlplane/health/connect.h"
#include "controlplane/health/due_heap.h"
#include "controlplane/health/http.h"
#include "controlplane/health/target_config.h"
#include "controlplane/health/verdict.h"

/* The checker has an epoll set of its own, with the sockets of all checks and one timerfd in it,
 * and hangs into the daemon's loop by a single uv_poll handle on that set. So a target costs the
 * loop nothing, and freeing one is immediate: libuv handles would have to be closed through the
 * loop.
 *
 * A target is always in the heap of due times: while waiting, with its next beat; while a check
 * runs, with that check's deadline. One turn (on_wake) takes what sockets have to say first, then
 * curl's timer, then what is due, each bounded, so that a herd of checks can't keep the loop from
 * its other work. Sockets come before deadlines because after a stall of the loop an answer that is
 * there must count, however late it is read. */

/* Bounds of one turn: a connect on loopback takes 30 us, an event less. */
#define EVENTS_PER_TURN 256
#define DUE_PER_TURN    64

/* 2^64 divided by the golden ratio: steps of it spread any number of targets evenly over the
 * interval, and better than chance would. */
#define GOLDEN_STEP 0x9e3779b97f4a7c15ULL

enum phase {
	PHASE_WAITING,
	PHASE_CONNECTING,
	PHASE_ASKING, /* an HTTP request is with curl */
};

LIST_HEAD(target_list, health_target);

struct health_checker {
	uv_poll_t poll;
	int epoll_fd;
	struct io timer;
	uint64_t armed_ns; /* what the timerfd is set to; UINT64_MAX: off */
	struct health_events events;
	struct http_client *http;
	struct due_heap due;
	struct target_list targets;
	uint64_t next_place;
	struct health_stats stats;
};

struct health_target {
	LIST_ENTRY(health_target) link;
	struct health_checker *checker;
	void *owner;
	struct health_target_config *config;
	struct http_request *http; /* NULL for TCP */
	uint64_t place;
	struct cadence cadence;
	struct due due;
	uint64_t beat_ns; /* the beat that the last check started for */
	enum phase phase;
	struct io io; /* the connecting socket; fd -1 when there is none */
	uint64_t started_ns;
	struct rise_fall rise_fall;
	struct health_snapshot record; /* its state and counts in a row are rise_fall's */
};

static struct health_target *target_of_due(struct due *due)
{
	return (struct health_target *)((char *)due - offsetof(struct health_target, due));
}

static struct health_target *target_of_io(struct io *io)
{
	return (struct health_target *)((char *)io - offsetof(struct health_target, io));
}

/* --- the timer --- */

/* Set the timerfd for the earliest thing to come. */
static void arm(struct health_checker *c)
{
	struct due *first = due_heap_first(&c->due);
	uint64_t wake_ns = http_client_wake_ns(c->http);
	struct itimerspec spec = {0};

	if (first && first->at_ns < wake_ns)
		wake_ns = first->at_ns;
	if (wake_ns == c->armed_ns)
		return;
	if (wake_ns != UINT64_MAX) {
		if (wake_ns == 0)
			wake_ns = 1; /* zero would switch it off */
		spec.it_value.tv_sec = (time_t)(wake_ns / NS_PER_S);
		spec.it_value.tv_nsec = (long)(wake_ns % NS_PER_S);
	}
	/* Can't fail: the descriptor is a timer and the time is normal. */
	timerfd_settime(c->timer.fd, TFD_TIMER_ABSTIME, &spec, NULL);
	c->armed_ns = wake_ns;
}

static void on_timer(struct io *io, uint32_t epoll_events)
{
	struct health_checker *c =
		(struct health_checker *)((char *)io - offsetof(struct health_checker, timer));
	uint64_t expirations;

	(void)epoll_events;
	/* Nothing to read means that it was set anew in between. */
	if (read(io->fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		c->armed_ns = UINT64_MAX;
}

/* --- one check --- */

/* Leave no socket and no request behind, whatever the phase. */
static void stop_check(struct health_target *t)
{
	if (t->phase == PHASE_WAITING)
		return;
	if (t->io.fd >= 0) {
		io_unwatch(t->checker->epoll_fd, &t->io);
		close(t->io.fd);
		t->io.fd = -1;
	}
	if (t->phase == PHASE_ASKING)
		http_request_cancel(t->http);
	t->phase = PHASE_WAITING;
	t->checker->stats.running--;
}

static void schedule_next(struct health_target *t, uint64_t now_ns)
{
	uint64_t skipped;

	t->beat_ns = cadence_next(&t->cadence, t->beat_ns, now_ns, &skipped);
	t->record.beats_skipped += skipped;
	t->checker->stats.beats_skipped += skipped;
	due_heap_move(&t->checker->due, &t->due, t->beat_ns);
}

/* The last thing done with t: the callback may remove it. */
static void report_prober_error(struct health_target *t, const char *text)
{
	const struct health_events *events = &t->checker->events;
	bool is_news = strcmp(t->record.last_prober_error, text) != 0;

	t->record.prober_errors++;
	t->checker->stats.prober_errors++;
	if (!is_news)
		return;
	snprintf(t->record.last_prober_error, HEALTH_REASON_LEN, "%s", text);
	if (events->prober_error)
		events->prober_error(events->arg, t, t->owner, text);
}

/* Likewise. */
static void report_result(struct health_target *t, bool success, const char *text, uint64_t now_ns)
{
	const struct health_events *events = &t->checker->events;
	enum health_state was = t->rise_fall.state;

	t->record.checks++;
	t->record.checks_failed += !success;
	t->checker->stats.checks++;
	t->checker->stats.checks_failed += !success;
	t->record.last_check_ns = now_ns;
	t->record.last_latency_ns = now_ns - t->started_ns;
	t->record.last_prober_error[0] = '\0';
	snprintf(t->record.last_result, HEALTH_REASON_LEN, "%s", text);
	if (rise_fall_step(&t->rise_fall, success, t->config->rise, t->config->fall, now_ns) &&
	    events->changed)
		events->changed(events->arg, t, t->owner, was, t->rise_fall.state, text);
}

/* The check is over. The callbacks in here may free t. */
static void finish(struct health_target *t, const struct verdict *verdict)
{
	uint64_t now_ns = clock_now_ns();

	stop_check(t);
	schedule_next(t, now_ns);
	if (verdict->outcome == OUTCOME_PROBER)
		report_prober_error(t, verdict->text);
	else
		report_result(t, verdict->outcome == OUTCOME_PASS, verdict->text, now_ns);
}

static void on_http_done(void *owner, const struct verdict *verdict)
{
	finish(owner, verdict);
}

/* The socket of a TCP connect has news. */
static void on_connect(struct io *io, uint32_t epoll_events)
{
	struct health_target *t = target_of_io(io);
	struct verdict verdict;
	int fd;

	(void)epoll_events;
	if (connect_finish(io->fd, &verdict) < 0) {
		finish(t, &verdict);
		return;
	}
	if (!t->http) {
		verdict_set(&verdict, OUTCOME_PASS, "connected");
		finish(t, &verdict);
		return;
	}
	io_unwatch(t->checker->epoll_fd, io);
	fd = io->fd;
	io->fd = -1;
	t->phase = PHASE_ASKING;
	if (http_request_start(t->http, fd, &verdict) < 0)
		finish(t, &verdict);
}

static void start_check(struct health_target *t)
{
	struct verdict verdict;
	int err;

	t->started_ns = clock_now_ns();
	t->phase = PHASE_CONNECTING;
	t->checker->stats.running++;
	due_heap_move(&t->checker->due, &t->due, t->started_ns + t->config->timeout_ms * NS_PER_MS);
	if (connect_start(&t->config->address, t->config->port, &t->io.fd, &verdict) < 0) {
		finish(t, &verdict);
		return;
	}
	err = io_watch(t->checker->epoll_fd, &t->io, EPOLLOUT);
	if (err < 0) {
		verdict_set(&verdict, OUTCOME_PROBER, "cannot watch a socket: %s", strerror(-err));
		finish(t, &verdict);
	}
}

/* A deadline that is noticed this late says that the loop stood still, and perhaps the answer is
 * waiting in a queue behind it: no verdict over the server. */
static bool is_too_late(const struct health_target *t, uint64_t now_ns)
{
	uint64_t allowance_ns = t->config->timeout_ms * NS_PER_MS / 4;

	if (allowance_ns < 20 * NS_PER_MS)
		allowance_ns = 20 * NS_PER_MS;
	return now_ns - t->due.at_ns > allowance_ns;
}

static void time_out(struct health_target *t, uint64_t now_ns)
{
	struct verdict verdict;

	if (is_too_late(t, now_ns))
		verdict_set(&verdict, OUTCOME_PROBER,
			    "this host was too busy to read the answer in time; result discarded");
	else if (t->phase == PHASE_ASKING)
		http_request_timed_out(t->http, t->config->timeout_ms, &verdict);
	else
		verdict_set(&verdict, OUTCOME_FAIL, "timeout after %u ms, connecting",
			    t->config->timeout_ms);
	finish(t, &verdict);
}

/* --- one turn of the loop --- */

/* One event at a time: its handling may remove any target, and with it what a longer batch would
 * still point to. True when there was nothing left to read. */
static bool handle_sockets(struct health_checker *c)
{
	struct epoll_event event;

	for (int i = 0; i < EVENTS_PER_TURN; i++) {
		struct io *io;

		if (epoll_wait(c->epoll_fd, &event, 1, 0) <= 0)
			return true;
		io = event.data.ptr;
		io->ready(io, event.events);
	}
	return false;
}

static void handle_due(struct health_checker *c, bool sockets_drained)
{
	uint64_t now_ns = clock_now_ns();

	for (int i = 0; i < DUE_PER_TURN; i++) {
		struct due *first = due_heap_first(&c->due);
		struct health_target *t;

		if (!first || first->at_ns > now_ns)
			return;
		t = target_of_due(first);
		if (t->phase == PHASE_WAITING)
			start_check(t);
		else if (sockets_drained)
			time_out(t, now_ns);
		else
			return; /* its answer may be among what is still to be read */
	}
}

static void on_wake(uv_poll_t *poll, int status, int events)
{
	struct health_checker *c = poll->data;
	bool sockets_drained;

	/* An error of the epoll descriptor itself can't be, and the sockets tell their own. */
	(void)status;
	(void)events;
	sockets_drained = handle_sockets(c);
	http_client_run(c->http, clock_now_ns());
	handle_due(c, sockets_drained);
	arm(c);
}

/* --- the checker --- */

static int open_fds(struct health_checker *c)
{
	int ret;

	c->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll_fd < 0)
		return -errno;
	c->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	ret = c->timer.fd < 0 ? -errno : io_watch(c->epoll_fd, &c->timer, EPOLLIN);
	return ret;
}

static void close_fds(struct health_checker *c)
{
	if (c->timer.fd >= 0)
		close(c->timer.fd);
	if (c->epoll_fd >= 0)
		close(c->epoll_fd);
}

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* From here on the loop holds the memory, and gives it back when the handle is closed. */
static int join_loop(struct health_checker *c, uv_loop_t *loop)
{
	int ret = uv_poll_init(loop, &c->poll, c->epoll_fd);

	if (ret < 0)
		return ret;
	c->poll.data = c;
	ret = uv_poll_start(&c->poll, UV_READABLE, on_wake);
	if (ret < 0)
		uv_close((uv_handle_t *)&c->poll, on_closed);
	return ret;
}

int health_new(uv_loop_t *loop, const struct health_events *events,
	       struct health_checker **ret_checker)
{
	struct health_checker *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return -ENOMEM;
	c->epoll_fd = -1;
	c->timer = (struct io){.fd = -1, .ready = on_timer};
	c->armed_ns = UINT64_MAX;
	c->events = *events;
	LIST_INIT(&c->targets);
	/* A start of its own, so that the nodes of a fleet don't check in step. */
	if (getrandom(&c->next_place, sizeof(c->next_place), 0) != sizeof(c->next_place))
		ret = -errno;
	else
		ret = open_fds(c);
	if (ret == 0)
		ret = http_client_new(c->epoll_fd, on_http_done, &c->http);
	if (ret == 0)
		ret = join_loop(c, loop);
	if (ret == 0) {
		*ret_checker = c;
		return 0;
	}
	http_client_free(c->http);
	close_fds(c);
	if (!c->poll.data)
		free(c);
	return ret;
}

void health_free(struct health_checker *c)
{
	struct health_target *t;

	if (!c)
		return;
	while ((t = LIST_FIRST(&c->targets)))
		health_target_remove(t);
	http_client_free(c->http);
	due_heap_fini(&c->due);
	uv_close((uv_handle_t *)&c->poll, on_closed);
	close_fds(c);
}

/* --- targets --- */

static void free_config(struct health_target_config *config)
{
	if (!config)
		return;
	target_config_fini(config);
	free(config);
}

/* The configuration and what is built from it; both the caller's on success. */
static int prepare(struct health_target *t, const struct health_target_config *config,
		   struct health_target_config **ret_config, struct http_request **ret_http,
		   struct err *err)
{
	struct health_target_config *copy = calloc(1, sizeof(*copy));
	struct http_request *http = NULL;
	int ret;

	if (!copy)
		return err_set(err, -ENOMEM, "out of memory");
	ret = target_config_copy(config, copy, err);
	if (ret == 0 && copy->type != HEALTH_TCP) {
		ret = http_request_new(t->checker->http, copy, t, &http);
		if (ret < 0)
			err_set(err, ret, "out of memory");
	}
	if (ret < 0) {
		free_config(copy);
		return ret;
	}
	*ret_config = copy;
	*ret_http = http;
	return 0;
}

static uint64_t first_beat(struct health_target *t)
{
	return cadence_start(&t->cadence, t->place, t->config->interval_ms * NS_PER_MS,
			     clock_now_ns());
}

int health_target_add(struct health_checker *checker, const struct health_target_config *config,
		      void *owner, enum health_state initial, struct health_target **ret_target,
		      struct err *err)
{
	struct health_target *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	t->checker = checker;
	t->owner = owner;
	t->due.slot = DUE_NOWHERE;
	t->io = (struct io){.fd = -1, .ready = on_connect};
	ret = prepare(t, config, &t->config, &t->http, err);
	if (ret < 0) {
		free(t);
		return ret;
	}
	t->place = checker->next_place;
	t->beat_ns = first_beat(t);
	ret = due_heap_add(&checker->due, &t->due, t->beat_ns);
	if (ret < 0) {
		http_request_free(t->http);
		free_config(t->config);
		free(t);
		return err_set(err, ret, "out of memory");
	}
	checker->next_place += GOLDEN_STEP;
	rise_fall_init(&t->rise_fall, initial, clock_now_ns());
	LIST_INSERT_HEAD(&checker->targets, t, link);
	checker->stats.targets++;
	arm(checker);
	*ret_target = t;
	return 0;
}

void health_target_remove(struct health_target *t)
{
	if (!t)
		return;
	stop_check(t);
	due_heap_remove(&t->checker->due, &t->due);
	LIST_REMOVE(t, link);
	t->checker->stats.targets--;
	http_request_free(t->http);
	free_config(t->config);
	free(t);
}

int health_target_set(struct health_target *t, const struct health_target_config *config,
		      struct err *err)
{
	struct health_target_config *new_config;
	struct http_request *new_http;
	int ret;

	ret = prepare(t, config, &new_config, &new_http, err);
	if (ret < 0)
		return ret;
	if (target_config_equal(t->config, new_config)) {
		http_request_free(new_http);
		free_config(new_config);
		return 0;
	}
	stop_check(t);
	http_request_free(t->http);
	free_config(t->config);
	t->config = new_config;
	t->http = new_http;
	t->beat_ns = first_beat(t);
	due_heap_move(&t->checker->due, &t->due, t->beat_ns);
	arm(t->checker);
	return 0;
}

enum health_state health_target_state(const struct health_target *t)
{
	return t->rise_fall.state;
}

void health_target_snapshot(const struct health_target *t, struct health_snapshot *ret_snapshot)
{
	*ret_snapshot = t->record;
	ret_snapshot->state = t->rise_fall.state;
	ret_snapshot->since_ns = t->rise_fall.since_ns;
	ret_snapshot->successes = t->rise_fall.successes;
	ret_snapshot->failures = t->rise_fall.failures;
}

void health_stats_get(const struct health_checker *checker, struct health_stats *ret_stats)
{
	*ret_stats = checker->stats;
}
