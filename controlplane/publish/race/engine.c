/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Workers, and the publisher's engine that waits for them: as dataplane/core/page.h says it of
 * workers in another process. A worker raises its rounds whenever it holds no pointer into the
 * tables; once each has done so, nobody reads what was unpublished before.
 */
#include "controlplane/publish/race/race.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/native/native.h"

void race_fail(struct race *r, const char *words)
{
	pthread_mutex_lock(&r->lock);
	if (!r->failed)
		snprintf(r->words, sizeof(r->words), "%s", words);
	__atomic_store_n(&r->failed, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&r->lock);
}

bool race_failed(const struct race *r)
{
	return __atomic_load_n(&r->failed, __ATOMIC_ACQUIRE);
}

/* ---- workers ---- */

static void tell(struct race *r, uint64_t since, const struct race_packet *p,
		 const struct race_outcome *o, const char *why)
{
	static const char *const whats[] = {"SYN", "data", "first fragment", "later fragment",
					    "ping"};
	const uint64_t now = __atomic_load_n(&r->truth.clock, __ATOMIC_ACQUIRE);
	char words[1400];
	int n = snprintf(words, sizeof(words),
			 "%s: a %s to service %u (%s)%s, decided between changes %" PRIu64
			 " and %" PRIu64 ": verdict %s, reason %s\n  frame that left:",
			 why, whats[p->what], p->service, race_services[p->service].prefix,
			 p->denied ? " from a denied source" : "", since, now,
			 publish_verdict_name((enum lb_verdict)o->verdict),
			 o->reason == RACE_UNTOLD ? "(not told)"
						  : publish_reason_name((enum lb_reason)o->reason));

	for (size_t i = 0; i < o->len && n > 0 && (size_t)n + 4 < sizeof(words); i++)
		n += snprintf(words + n, sizeof(words) - (size_t)n, "%s%02x",
			      i % 32 ? "" : "\n    ", o->data[i]);
	race_fail(r, words);
}

static uint64_t coarse_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static void *work(void *arg)
{
	struct race_worker *w = arg;
	struct race *r = w->race;
	struct race_random random = {r->seed * 2654435761U + w->number + 1};
	struct race_packet packets[RACE_BURST];
	struct race_outcome outcomes[RACE_BURST];
	uint64_t bursts = 0;

	memset(packets, 0, sizeof(packets));
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		const struct lb_tables *tables;
		struct err err;
		uint64_t since;

		race_packets(&random, w->number, (uint32_t)(bursts++ / 64), packets, RACE_BURST);
		since = __atomic_load_n(&r->truth.clock, __ATOMIC_ACQUIRE);
		tables = __atomic_load_n(&r->tables, __ATOMIC_ACQUIRE);
		r->target->run(tables, w->number, coarse_now_ns(), packets, RACE_BURST, outcomes);
		__atomic_store_n(&w->rounds, w->rounds + 1, __ATOMIC_RELEASE);
		/* As in the engine: nothing of the next round is read before. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (__atomic_load_n(&r->waits, __ATOMIC_RELAXED))
			sched_yield();
		for (uint32_t i = 0; i < RACE_BURST; i++) {
			w->verdicts[outcomes[i].verdict % 8]++;
			if (!race_judge(&r->truth, since, &packets[i], &outcomes[i], &err))
				tell(r, since, &packets[i], &outcomes[i], err.text);
		}
		w->packets += RACE_BURST;
	}
	return NULL;
}

int race_workers_start(struct race *r, uint32_t n, struct err *err)
{
	r->stop = false;
	for (r->n_workers = 0; r->n_workers < n; r->n_workers++) {
		struct race_worker *w = &r->workers[r->n_workers];
		int rc;

		w->race = r;
		w->number = r->n_workers;
		rc = pthread_create(&w->thread, NULL, work, w);
		if (rc)
			return err_set(err, -rc, "start worker %u: %s", w->number, strerror(rc));
	}
	return 0;
}

void race_workers_stop(struct race *r)
{
	__atomic_store_n(&r->stop, true, __ATOMIC_RELAXED);
	while (r->n_workers)
		pthread_join(r->workers[--r->n_workers].thread, NULL);
}

/* ---- grace periods ---- */

void race_grace_mark(struct race *r)
{
	/* What was unpublished before is seen before the rounds are read. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < r->n_workers; i++)
		r->marks[i] = __atomic_load_n(&r->workers[i].rounds, __ATOMIC_SEQ_CST);
	r->graces++;
}

bool race_grace_over(const struct race *r)
{
	for (uint32_t i = 0; i < r->n_workers; i++)
		if (r->mistake != RACE_NO_GRACE &&
		    __atomic_load_n(&r->workers[i].rounds, __ATOMIC_ACQUIRE) == r->marks[i])
			return false;
	return true;
}

static void wait_for(struct race *r)
{
	uint64_t marks[RACE_WORKERS];

	/* Another one may be under way, whose end is looked for later. */
	memcpy(marks, r->marks, sizeof(marks));
	race_grace_mark(r);
	__atomic_store_n(&r->waits, true, __ATOMIC_RELAXED);
	while (!race_grace_over(r))
		sched_yield();
	__atomic_store_n(&r->waits, false, __ATOMIC_RELAXED);
	memcpy(r->marks, marks, sizeof(marks));
}

static void grace(void *arg)
{
	wait_for(arg);
}

/* ---- tables ---- */

static struct lb_tables *tables(void *arg)
{
	return ((struct race *)arg)->tables;
}

static void put_in_force(struct race *r, struct lb_tables *t)
{
	__atomic_store_n(&r->tables, t, __ATOMIC_SEQ_CST);
}

static void free_tables(struct lb_tables *t)
{
	native_tables_fini(t);
	free(t);
}

static int grow(void *arg, const struct lb_dims *dims, const struct publish_move *move,
		struct err *err)
{
	struct race *r = arg;
	struct lb_tables *old = r->tables, kept = *old, *grown = calloc(1, sizeof(*grown));
	int rc = grown ? native_tables_init(grown, dims) : -ENOMEM;

	if (rc) {
		free(grown);
		return err_set(err, rc, "no memory for larger tables");
	}
	/* The old set goes on with the memory that it shares with the new one, so that its own
	 * struct stays as it is while workers read it. */
	native_tables_exchange(grown, &kept);
	if (r->mistake == RACE_NO_FILL)
		put_in_force(r, grown);
	rc = move->fill(move->arg, grown, old, err);
	if (rc) {
		native_tables_exchange(&kept, grown);
		free_tables(grown);
		return rc;
	}
	if (r->mistake == RACE_EARLY_CARRY)
		move->carry(move->arg, grown, old);
	put_in_force(r, grown);
	wait_for(r);
	if (r->mistake != RACE_EARLY_CARRY)
		move->carry(move->arg, grown, old);
	r->grown++;
	/* Without grace periods somebody may still be reading it. */
	if (r->mistake != RACE_NO_GRACE) {
		native_tables_fini(&kept);
		free(old);
	}
	return 0;
}

int race_tables(struct race *r, const struct lb_dims *dims, uint32_t workers)
{
	struct lb_dims d = *dims;
	struct lb_tables *t = calloc(1, sizeof(*t));

	d.counter_rows = workers + 1;
	if (!t || native_tables_init(t, &d)) {
		free(t);
		return -ENOMEM;
	}
	r->tables = t;
	return 0;
}

void race_tables_free(struct race *r)
{
	if (r->tables)
		free_tables(r->tables);
	r->tables = NULL;
}

struct publish_engine race_engine(struct race *r)
{
	return (struct publish_engine){
		.name = "race", .arg = r, .tables = tables, .grow = grow, .grace = grace};
}
