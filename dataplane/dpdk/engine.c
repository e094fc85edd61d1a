/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "controlplane/base/log.h"
#include "controlplane/base/process.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/port.h"
#include "dataplane/dpdk/probe.h"
#include "dataplane/dpdk/process.h"
#include "dataplane/dpdk/steer.h"
#include "dataplane/dpdk/tables.h"
#include "dataplane/dpdk/worker.h"

#define MODULE "dpdk"

/* How long the main thread sleeps: a packet that is to be tried waits for it. */
#define NAP_NS     200000L
/* Ports are asked how they fare, and the page whether it is still the one. */
#define OBSERVE_NS NS_PER_S
#define LINK_NS    (100 * NS_PER_MS)
/* A worker that stands still for so long doesn't come back: better a new process. */
#define GIVE_UP_NS (5 * NS_PER_S)
/* Between saying that it ends and ending, routers send their traffic elsewhere. */
#define LEAVE_NS   (1500 * NS_PER_MS)

struct engine {
	const struct dpdk_options *opt;
	struct lb_page *page;
	uint64_t page_id;
	struct dpdk_tables *current;
	struct dpdk_tables *old; /* some worker may still be reading it */
	uint64_t old_rounds[LB_PAGE_WORKERS_MAX];
	struct dpdk_shared shared;
	struct dpdk_worker workers[LB_PAGE_WORKERS_MAX];
	struct dpdk_pools pools;
	struct dpdk_probe *probe;
	/* Of each worker: its rounds when they were last seen to have changed, and when. */
	uint64_t seen_rounds[LB_PAGE_WORKERS_MAX], seen_ns[LB_PAGE_WORKERS_MAX];
	uint64_t beat_ns, link_ns, observed_ns;
	uint64_t leave_ns; /* when it ends; 0: it wasn't told to */
	bool eal, launched;
	bool in_gap;      /* the engine before ended while the driver's program was on */
	uint16_t cleared; /* of so many ports the steering program was taken off, none put on yet */
	sigset_t signals;
};

static void set_state(struct engine *e, enum lb_page_state state)
{
	__atomic_store_n(&e->page->engine.state, state, __ATOMIC_RELEASE);
}

/* ---- signals ---- */

/* The signal that came within a nap, or 0. */
static int nap(const struct engine *e, long ns)
{
	const struct timespec t = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
	int signal = sigtimedwait(&e->signals, NULL, &t);

	return signal < 0 ? 0 : signal;
}

static int block_signals(struct engine *e, struct err *err)
{
	sigemptyset(&e->signals);
	sigaddset(&e->signals, SIGTERM);
	sigaddset(&e->signals, SIGINT);
	sigaddset(&e->signals, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &e->signals, NULL) < 0)
		return err_set(err, -errno, "block signals: %s", strerror(errno));
	return 0;
}

/* ---- interfaces that the kernel keeps ---- */

static bool has_kernel_ports(const struct engine *e)
{
	for (uint16_t i = 0; i < e->opt->n_ports; i++)
		if (e->opt->ports[i].exception == DPDK_EXCEPTION_KERNEL)
			return true;
	return false;
}

static int clear_steering(struct engine *e, struct err *err)
{
	__atomic_store_n(&e->page->engine.gap_ns, clock_now_ns(), __ATOMIC_RELEASE);
	for (uint16_t i = 0; i < e->opt->n_ports; i++) {
		int rc = 0;

		if (e->opt->ports[i].exception == DPDK_EXCEPTION_KERNEL)
			rc = dpdk_steer_clear(e->opt->dir, e->opt->ports[i].interface, e->in_gap,
					      err);
		if (rc < 0)
			return rc;
		e->cleared = (uint16_t)(i + 1);
	}
	return 0;
}

static int put_steering(const struct engine *e, const struct lb_tables *tables, struct err *err)
{
	int rc = 0;

	for (uint16_t i = 0; i < e->opt->n_ports && rc == 0; i++)
		if (e->opt->ports[i].exception == DPDK_EXCEPTION_KERNEL)
			rc = dpdk_steer_put(e->opt->dir, e->opt->ports[i].interface, tables, err);
	return rc;
}

/* A start that failed leaves the interfaces as it found them: XDP may have been forwarding. */
static void restore_steering(struct engine *e)
{
	char text[256];
	struct err err;

	for (uint16_t i = 0; i < e->cleared; i++)
		if (e->opt->ports[i].exception == DPDK_EXCEPTION_KERNEL &&
		    dpdk_steer_restore(e->opt->dir, e->opt->ports[i].interface, &err) < 0)
			log_error(MODULE, "the steering program isn't back", "reason=%s",
				  log_quote(err.text, text, sizeof(text)));
	if (e->cleared || !e->in_gap)
		e->page->engine.gap_ns = 0;
}

/* ---- tables ---- */

/* The page, and tables in it: whoever starts first waits here for the other. -ECANCELED when a
 * signal ends that. */
static int wait_for_tables(struct engine *e, struct err *err)
{
	char said[sizeof(err->text)] = "", text[sizeof(err->text) + 16];
	int rc;

	for (;;) {
		rc = e->page ? 0 : dpdk_page_open(e->opt->dir, &e->page, &e->page_id, err);
		if (rc == 0)
			rc = dpdk_tables_open(e->opt->dir, e->page, &e->current, err);
		if (rc != -ENOENT && rc != -EAGAIN)
			return rc;
		if (e->page && dpdk_page_replaced(e->opt->dir, e->page_id)) {
			dpdk_page_close(e->page);
			e->page = NULL;
		}
		if (strcmp(said, err->text) != 0) {
			snprintf(said, sizeof(said), "%s", err->text);
			log_info(MODULE, "waiting for tables", "reason=%s",
				 log_quote(said, text, sizeof(text)));
			sd_notifyf(0, "STATUS=waiting: %s", said);
		}
		if (nap(e, 100 * 1000000L))
			return -ECANCELED;
	}
}

/* One page is one engine's. */
static int claim_page(struct engine *e, uint64_t now_ns, struct err *err)
{
	const uint32_t pid = e->page->engine.pid, state = e->page->engine.state;
	uint64_t gap_ns;
	uint32_t fallback;
	struct stat ns;

	if (pid && pid != (uint32_t)getpid() && state > LB_PAGE_NONE && state < LB_PAGE_ENDED &&
	    now_ns - e->page->engine.beat_ns < LB_PAGE_DEAD_NS && process_runs((pid_t)pid))
		return err_set(
			err, -EBUSY,
			"another fairway-dpdk (process %u) works on the tables in %s: stop it "
			"first, or give each node its own directory",
			pid, e->opt->dir);
	gap_ns = e->page->engine.gap_ns;
	e->in_gap = gap_ns != 0;
	/* Until it runs XDP goes on where it has taken over. */
	fallback = e->page->engine.fallback && e->opt->fallback;
	memset(&e->page->engine, 0, sizeof(e->page->engine));
	e->page->engine.fallback = fallback;
	e->page->engine.gap_ns = gap_ns;
	memset(e->page->worker, 0, sizeof(e->page->worker));
	e->page->engine.pid = (uint32_t)getpid();
	e->page->engine.pid_ns = stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
	e->page->engine.started_ns = now_ns;
	e->page->engine.beat_ns = now_ns;
	e->page->engine.workers = e->opt->n_cores;
	snprintf(e->page->engine.version, sizeof(e->page->engine.version), "%s", FAIRWAY_VERSION);
	set_state(e, LB_PAGE_STARTING);
	return 0;
}

/* A worker counts in the row of its number, and the last row is the control plane's. */
static int check_rows(const struct engine *e, const struct dpdk_tables *t, struct err *err)
{
	if (e->opt->n_cores < t->tables.dims.counter_rows)
		return 0;
	return err_set(err, -EINVAL,
		       "%u workers are more than the tables have counters for (%u): name fewer "
		       "node.dpdk.cores",
		       e->opt->n_cores, t->tables.dims.counter_rows - 1);
}

/* Let go of the old generation once every worker has begun a round since the new one was there. */
static void leave_old_tables(struct engine *e)
{
	if (!e->old)
		return;
	for (uint16_t i = 0; i < e->shared.n_workers; i++)
		if (__atomic_load_n(&e->page->worker[i].rounds, __ATOMIC_ACQUIRE) ==
		    e->old_rounds[i])
			return;
	dpdk_tables_close(e->old);
	e->old = NULL;
	__atomic_store_n(&e->page->engine.generation, e->current->generation, __ATOMIC_RELEASE);
	log_info(MODULE, "took over new tables", "generation=%llu",
		 (unsigned long long)e->current->generation);
}

static void follow_tables(struct engine *e)
{
	struct dpdk_tables *next;
	char text[256];
	struct err err;
	int rc;

	leave_old_tables(e);
	if (e->old ||
	    __atomic_load_n(&e->page->generation, __ATOMIC_ACQUIRE) == e->current->generation)
		return;
	rc = dpdk_tables_open(e->opt->dir, e->page, &next, &err);
	if (rc == 0) {
		rc = check_rows(e, next, &err);
		if (rc == 0)
			rc = put_steering(e, &next->tables, &err);
		if (rc < 0)
			dpdk_tables_close(next);
	}
	if (rc < 0) {
		if (rc != -EAGAIN)
			log_error(MODULE, "new tables can't be taken over, the old ones stay",
				  "reason=%s", log_quote(err.text, text, sizeof(text)));
		return;
	}
	e->old = e->current;
	e->current = next;
	__atomic_store_n(&e->shared.tables, &next->tables, __ATOMIC_SEQ_CST);
	for (uint16_t i = 0; i < e->shared.n_workers; i++)
		e->old_rounds[i] = __atomic_load_n(&e->page->worker[i].rounds, __ATOMIC_SEQ_CST);
}

/* ---- start ---- */

static int start_ports(struct engine *e, struct err *err)
{
	int rc = dpdk_pools_make(e->opt, &e->pools, err);

	/* As late as can be: until its own program is on, nobody forwards. */
	if (rc == 0)
		rc = clear_steering(e, err);
	for (uint16_t i = 0; rc == 0 && i < e->opt->n_ports; i++) {
		rc = dpdk_port_start(e->opt, i, &e->pools, &e->shared.ports[i], err);
		if (rc < 0)
			break;
		e->shared.n_ports = (uint16_t)(i + 1);
		dpdk_port_describe(e->opt, i, &e->shared.ports[i], &e->page->engine.port[i]);
		e->page->engine.ports = e->shared.n_ports;
		log_info(MODULE, "port started",
			 "device=%s driver=%s interface=%s queues=%u mtu=%u",
			 e->page->engine.port[i].name, e->page->engine.port[i].driver,
			 e->page->engine.port[i].interface, e->shared.ports[i].queues,
			 e->page->engine.port[i].mtu);
	}
	return rc;
}

static int start_workers(struct engine *e, uint64_t now_ns, struct err *err)
{
	e->shared.tables = &e->current->tables;
	e->shared.sleep = e->opt->sleep;
	e->shared.n_workers = e->opt->n_cores;
	for (uint16_t i = 0; i < e->opt->n_cores; i++) {
		int rc;

		e->workers[i] = (struct dpdk_worker){
			.shared = &e->shared, .page = &e->page->worker[i], .number = i};
		e->page->worker[i].cpu = e->opt->cores[i];
		e->seen_ns[i] = now_ns;
		rc = rte_eal_remote_launch(dpdk_worker_run, &e->workers[i], DPDK_LCORE(i));
		if (rc < 0)
			return err_set(err, rc, "start worker %u on CPU %u: %s", i,
				       e->opt->cores[i], strerror(-rc));
		e->launched = true;
	}
	return 0;
}

static int start(struct engine *e, struct err *err)
{
	uint64_t gap_ns;
	int rc = block_signals(e, err);

	if (rc == 0)
		rc = wait_for_tables(e, err);
	if (rc == 0)
		rc = check_rows(e, e->current, err);
	if (rc == 0)
		rc = claim_page(e, clock_now_ns(), err);
	if (rc == 0)
		rc = dpdk_eal_start(e->opt, err);
	if (rc < 0)
		return rc;
	e->eal = true;
	rc = dpdk_probe_open(&e->probe, err);
	if (rc == 0)
		rc = start_ports(e, err);
	if (rc == 0)
		rc = start_workers(e, clock_now_ns(), err);
	/* Now that there is somebody to take the packets. */
	if (rc == 0)
		rc = put_steering(e, &e->current->tables, err);
	if (rc < 0)
		return rc;
	gap_ns = clock_now_ns() - e->page->engine.gap_ns;
	e->cleared = 0;
	e->page->engine.gap_ns = 0;
	e->page->engine.fallback = e->opt->fallback && has_kernel_ports(e);
	e->page->engine.generation = e->current->generation;
	set_state(e, LB_PAGE_RUNNING);
	log_info(MODULE, "running", "workers=%u ports=%u vectors=%u generation=%llu gap_ms=%llu",
		 e->shared.n_workers, e->shared.n_ports, dpdk_vectors(),
		 (unsigned long long)e->current->generation,
		 (unsigned long long)(has_kernel_ports(e) ? gap_ns / NS_PER_MS : 0));
	sd_notifyf(0, "READY=1\nSTATUS=running with %u workers", e->shared.n_workers);
	return 0;
}

/* ---- life ---- */

/* How long the worker has stood still, in ns. */
static uint64_t still_ns(struct engine *e, uint16_t i, uint64_t now_ns)
{
	const uint64_t rounds = __atomic_load_n(&e->page->worker[i].rounds, __ATOMIC_RELAXED);

	if (rounds != e->seen_rounds[i] || now_ns < e->seen_ns[i]) {
		e->seen_rounds[i] = rounds;
		e->seen_ns[i] = now_ns;
	}
	return now_ns - e->seen_ns[i];
}

/* Say which worker stands still. A process of which one does for long is of no use. */
static void watch_workers(struct engine *e, uint64_t now_ns)
{
	const uint32_t before = e->page->engine.stalled;
	uint32_t stalled = 0;

	for (uint16_t i = 0; i < e->shared.n_workers && !stalled; i++) {
		const uint64_t ns = still_ns(e, i, now_ns);

		if (ns < LB_PAGE_STALL_NS)
			continue;
		stalled = i + 1U;
		if (stalled != before)
			log_error(MODULE, "a worker stands still", "worker=%u cpu=%u thread=%u", i,
				  e->page->worker[i].cpu, e->page->worker[i].thread);
		if (ns < GIVE_UP_NS)
			continue;
		log_error(MODULE, "ends, because a worker doesn't come back", "worker=%u cpu=%u", i,
			  e->page->worker[i].cpu);
		set_state(e, LB_PAGE_ENDED);
		_exit(1);
	}
	if (before && !stalled)
		log_info(MODULE, "all workers go on", "worker=%u", before - 1);
	__atomic_store_n(&e->page->engine.stalled, stalled, __ATOMIC_RELAXED);
}

static void observe_ports(struct engine *e)
{
	for (uint16_t i = 0; i < e->shared.n_ports; i++)
		dpdk_port_observe(&e->shared.ports[i], &e->page->engine.port[i]);
}

/* -ESTALE: the tables are nobody's any more. */
static int observe(struct engine *e, uint64_t now_ns, struct err *err)
{
	if (now_ns - e->beat_ns >= LB_PAGE_BEAT_NS) {
		e->beat_ns = now_ns;
		watch_workers(e, now_ns);
		__atomic_store_n(&e->page->engine.beat_ns, now_ns, __ATOMIC_RELEASE);
	}
	if (now_ns - e->link_ns >= LINK_NS) {
		e->link_ns = now_ns;
		observe_ports(e);
	}
	if (now_ns - e->observed_ns < OBSERVE_NS)
		return 0;
	e->observed_ns = now_ns;
	sd_notify(0, "WATCHDOG=1");
	if (dpdk_page_replaced(e->opt->dir, e->page_id))
		return err_set(err, -ESTALE,
			       "the tables in %s were removed or replaced by others; a new start "
			       "finds those",
			       e->opt->dir);
	return 0;
}

static void on_signal(struct engine *e, int signal, uint64_t now_ns)
{
	if (signal == 0 || signal == SIGHUP)
		return;
	if (e->leave_ns) {
		e->leave_ns = now_ns; /* twice: at once */
		return;
	}
	/* Where the kernel takes over there is nothing to wait for. */
	e->leave_ns = now_ns + (e->page->engine.fallback ? 0 : LEAVE_NS);
	set_state(e, LB_PAGE_STOPPING);
	log_info(MODULE, "told to end, lets traffic go elsewhere", "signal=%d", signal);
	sd_notify(0, "STOPPING=1");
}

static int live(struct engine *e, struct err *err)
{
	int rc = 0;

	while (rc == 0) {
		const int signal = nap(e, NAP_NS);
		const uint64_t now_ns = clock_now_ns();

		on_signal(e, signal, now_ns);
		if (e->leave_ns && now_ns >= e->leave_ns)
			return 0;
		dpdk_probe_answer(e->probe, &e->current->tables, &e->page->probe);
		follow_tables(e);
		rc = observe(e, now_ns, err);
	}
	return rc;
}

static void end(struct engine *e)
{
	__atomic_store_n(&e->shared.stop, true, __ATOMIC_RELAXED);
	if (e->launched)
		rte_eal_mp_wait_lcore();
	if (e->page && e->page->engine.pid == (uint32_t)getpid()) {
		restore_steering(e);
		set_state(e, LB_PAGE_ENDED);
	}
	dpdk_probe_free(e->probe);
	/* The AF_XDP driver would take the steering program off the interface when it is closed.
	 * Its sockets go with the process. */
	if (!has_kernel_ports(e)) {
		for (uint16_t i = 0; i < e->shared.n_ports; i++)
			dpdk_port_stop(&e->shared.ports[i]);
		if (e->eal)
			rte_eal_cleanup();
	}
	dpdk_tables_close(e->old);
	dpdk_tables_close(e->current);
	dpdk_page_close(e->page);
}

int dpdk_engine_run(const struct dpdk_options *opt, struct err *err)
{
	AUTO_FREE struct engine *e = calloc(1, sizeof(*e));
	int rc;

	if (!e)
		return err_set(err, -ENOMEM, "out of memory");
	e->opt = opt;
	rc = start(e, err);
	if (rc == 0)
		rc = live(e, err);
	end(e);
	return rc == -ECANCELED ? 0 : rc;
}
