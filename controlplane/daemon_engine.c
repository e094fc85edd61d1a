/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine in a process of its own: see ten times a second whether it lives, whether its workers
 * go round and its ports have link. What changes goes to the journal, and VIPs follow. */
#include <stdio.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"

#define LOOK_MS 100

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_ACQUIRE)

static uint32_t ports_of(const struct lb_page *page)
{
	const uint32_t n = LOAD(page->engine.ports);

	return n < LB_PAGE_PORTS_MAX ? n : LB_PAGE_PORTS_MAX;
}

/* ---- what there is to see ---- */

static void look(const struct daemon *d, const struct lb_page *page, struct engine_seen *ret)
{
	struct err err = {.text = ""};

	memset(ret, 0, sizeof(*ret));
	ret->serves = forwarder_engine_check(d->forwarder, &err) == 0;
	if (!ret->serves)
		snprintf(ret->trouble, sizeof(ret->trouble), "%.300s", err.text);
	ret->started_ns = LOAD(page->engine.started_ns);
	ret->stalled = LOAD(page->engine.stalled);
	for (size_t i = 0; i < d->cfg->node.n_interfaces && i < 32; i++)
		if (!ret->serves &&
		    forwarder_fallback(d->forwarder, d->cfg->node.interfaces[i].name))
			ret->fallback |= 1U << i;
	for (uint32_t i = 0; i < ports_of(page); i++)
		if (!LOAD(page->engine.port[i].link_up))
			ret->no_link |= 1U << i;
}

/* ---- telling what changed ---- */

static void tell_engine(const struct lb_page *page, const struct engine_seen *was,
			const struct engine_seen *now)
{
	if (!now->serves && strcmp(was->trouble, now->trouble) != 0)
		journal_write(LOG_LEVEL_WARN, "engine", NULL, "%s", now->trouble);
	else if (now->serves && (!was->serves || was->started_ns != now->started_ns))
		journal_write(LOG_LEVEL_INFO, "engine", NULL,
			      "fairway-dpdk %.*s (pid %u) forwards: %u worker%s, %u port%s",
			      (int)LB_PAGE_NAME_LEN, page->engine.version, page->engine.pid,
			      page->engine.workers, page->engine.workers == 1 ? "" : "s",
			      page->engine.ports, page->engine.ports == 1 ? "" : "s");
}

static void tell_fallback(const struct daemon *d, const struct engine_seen *was,
			  const struct engine_seen *now)
{
	for (size_t i = 0; i < d->cfg->node.n_interfaces && i < 32; i++) {
		const uint32_t bit = 1U << i;

		if ((was->fallback ^ now->fallback) & bit)
			journal_write(now->serves ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "engine",
				      d->cfg->node.interfaces[i].name,
				      now->fallback & bit
					      ? "XDP forwards in the place of fairway-dpdk"
					      : "XDP doesn't stand in for fairway-dpdk any more");
	}
}

static void tell_links(const struct lb_page *page, const struct engine_seen *was,
		       const struct engine_seen *now)
{
	for (uint32_t i = 0; now->serves && i < ports_of(page); i++) {
		const struct lb_page_port *p = &page->engine.port[i];
		const uint32_t bit = 1U << i;

		if ((was->no_link ^ now->no_link) & bit)
			journal_write(now->no_link & bit ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
				      "engine", p->interface, "port %.*s %s", (int)LB_PAGE_NAME_LEN,
				      p->name, now->no_link & bit ? "has no link" : "has link");
	}
}

static void on_look(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	const struct lb_page *page = forwarder_page(d->forwarder);
	struct engine_seen now;

	if (d->stopping)
		return;
	look(d, page, &now);
	if (memcmp(&now, &d->engine, sizeof(now)) == 0)
		return;
	tell_engine(page, &d->engine, &now);
	tell_fallback(d, &d->engine, &now);
	tell_links(page, &d->engine, &now);
	d->engine = now;
	daemon_look_at_interfaces(d);
}

void daemon_engine_start(struct daemon *d)
{
	if (!forwarder_page(d->forwarder))
		return;
	on_look(&d->engine_timer);
	uv_timer_start(&d->engine_timer, on_look, LOOK_MS, LOOK_MS);
}
