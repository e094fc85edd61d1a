/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/forwarder_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/clock.h"

/* The DPDK engine, as it shows on the page. Nothing here starts or stops it. */

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)

/* ---- opening ---- */

/* As many rows of counters as with XDP, so that a node may get more workers and keep its tables. */
static uint32_t counter_rows(const struct config_dpdk *cfg)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);

	return (cpus > cfg->cores.n ? (uint32_t)cpus : cfg->cores.n) + 1;
}

int forwarder_dpdk_open(struct forwarder *f, const struct config_dpdk *cfg, const char *bpffs,
			const char *tables, struct lb_dims dims, struct err *err)
{
	int rc;

	f->fallback = cfg->fallback == CONFIG_FALLBACK_XDP;
	dims.counter_rows = counter_rows(cfg);
	if (cfg->tables == CONFIG_TABLES_FILE)
		rc = native_files_open(tables, &dims, &f->files, err);
	else
		rc = xdp_engine_open(bpffs, &dims, &f->xdp, err);
	if (!rc)
		rc = publish_dpdk_new(f->xdp, f->files, &f->dpdk, err);
	if (!rc)
		f->engine = publish_dpdk_engine(f->dpdk);
	return rc;
}

/* ---- does it serve? ---- */

struct lb_page *forwarder_page(const struct forwarder *f)
{
	return f->dpdk ? publish_dpdk_page(f->dpdk) : NULL;
}

enum dpdk_life forwarder_life(const struct forwarder *f, uint64_t now_ns)
{
	return f->dpdk ? dpdk_page_life(publish_dpdk_page(f->dpdk), now_ns) : DPDK_NONE;
}

static int check_life(const struct lb_page *page, struct err *err)
{
	const uint32_t pid = LOAD(page->engine.pid);

	switch (dpdk_page_life(page, clock_now_ns())) {
	case DPDK_ALIVE:
		break;
	case DPDK_NONE:
		return err_set(err, -EAGAIN, "fairway-dpdk doesn't run");
	case DPDK_ENDED:
		return err_set(err, -EAGAIN, "fairway-dpdk (pid %u) has ended", pid);
	case DPDK_DIED:
		return err_set(err, -EAGAIN, "fairway-dpdk (pid %u) is gone without a word", pid);
	case DPDK_SILENT:
		/* It is busy with ports and memory. */
		if (LOAD(page->engine.state) == LB_PAGE_STARTING)
			break;
		/* The time since would be another text every time. */
		return err_set(err, -EAGAIN,
			       "fairway-dpdk (pid %u) hasn't been heard of for %.1f s or more", pid,
			       (double)LB_PAGE_DEAD_NS / NS_PER_S);
	}
	if (LOAD(page->engine.state) == LB_PAGE_RUNNING)
		return 0;
	return err_set(err, -EAGAIN, "fairway-dpdk (pid %u) is %s", pid,
		       page->engine.state == LB_PAGE_STARTING ? "starting" : "stopping");
}

static int check_workers(const struct lb_page *page, struct err *err)
{
	const uint32_t stalled = LOAD(page->engine.stalled);
	const struct lb_page_worker *w;

	if (!stalled)
		return 0;
	if (stalled > LB_PAGE_WORKERS_MAX)
		return err_set(err, -EAGAIN, "a worker of fairway-dpdk (pid %u) stands still",
			       page->engine.pid);
	w = &page->worker[stalled - 1];
	return err_set(err, -EAGAIN,
		       "worker %u of fairway-dpdk (pid %u) on CPU %u, thread %u, stands still",
		       stalled - 1, page->engine.pid, w->cpu, w->thread);
}

int forwarder_engine_check(const struct forwarder *f, struct err *err)
{
	const struct lb_page *page = forwarder_page(f);
	int rc;

	if (!page)
		return 0;
	rc = check_life(page, err);
	if (!rc)
		rc = check_workers(page, err);
	if (!rc && LOAD(page->engine.generation) != page->generation)
		rc = err_set(err, -EAGAIN,
			     "fairway-dpdk (pid %u) hasn't gone over to the tables in force",
			     page->engine.pid);
	return rc;
}

static const struct lb_page_port *port_of(const struct lb_page *page, const char *ifname)
{
	const uint32_t n = LOAD(page->engine.ports);

	for (uint32_t i = 0; i < n && i < LB_PAGE_PORTS_MAX; i++)
		if (!strncmp(page->engine.port[i].interface, ifname, LB_PAGE_NAME_LEN))
			return &page->engine.port[i];
	return NULL;
}

/* The engine that starts has just taken XDP off, to put its own program on. Withdrawn VIPs would be
 * away for longer. */
static bool changes_over(const struct lb_page *page)
{
	const uint64_t gap_ns = LOAD(page->engine.gap_ns);

	return gap_ns && clock_now_ns() - gap_ns < LB_PAGE_GAP_NS;
}

bool forwarder_fallback(const struct forwarder *f, const char *ifname)
{
	const struct lb_page *page = forwarder_page(f);
	struct err err;

	/* As long as it runs the packets are the engine's, well or badly. */
	return page && f->xdp && f->fallback && LOAD(page->engine.fallback) &&
	       check_life(page, &err) && (xdp_engine_steered(f->xdp, ifname) || changes_over(page));
}

int forwarder_dpdk_check_port(const struct forwarder *f, const char *ifname, struct err *err)
{
	const struct lb_page *page = forwarder_page(f);
	const struct lb_page_port *port;
	int rc = forwarder_engine_check(f, err);

	if (rc)
		return forwarder_fallback(f, ifname) ? 0 : rc;
	port = port_of(page, ifname);
	if (!port)
		return err_set(
			err, -EAGAIN,
			"fairway-dpdk (pid %u) has no port for %s: restart it, it began with "
			"another configuration",
			page->engine.pid, ifname);
	if (!LOAD(port->link_up))
		return err_set(err, -ENOLINK, "the port of %s (%.64s) has no link", ifname,
			       port->name);
	return 0;
}

/* ---- asking ---- */

int forwarder_dpdk_ask(struct forwarder *f, uint8_t *frame, size_t *len, struct lb_trace *ret_trace,
		       struct err *err)
{
	return publish_dpdk_ask(f->dpdk, frame, len, ret_trace, err);
}

int forwarder_dpdk_probe(struct forwarder *f, const uint8_t *frame, size_t len, struct err *err)
{
	const struct lb_page *page = forwarder_page(f);
	int rc = check_life(page, err);

	/* Where the kernel's program takes over, it is what forwards. */
	if (rc)
		return f->xdp && f->fallback && LOAD(page->engine.fallback)
			       ? xdp_engine_probe(f->xdp, frame, len, err)
			       : rc;
	return publish_dpdk_probe(f->dpdk, frame, len, err);
}
