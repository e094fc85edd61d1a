/* SPDX-License-Identifier: BSD-2-Clause */
/* An engine in a process of its own, as it shows on its page: for status and doctor. */
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

static json_t *doc_word(const char word[LB_PAGE_NAME_LEN])
{
	json_t *j = json_stringn(word, strnlen(word, LB_PAGE_NAME_LEN));

	return j ? j : json_null();
}

static json_t *doc_worker(const struct lb_page *page, uint32_t i)
{
	const struct lb_page_worker *w = &page->worker[i];

	return json_pack("{s:I, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "number",
			 (json_int_t)i, "cpu", (json_int_t)w->cpu, "thread", (json_int_t)w->thread,
			 "stalled", page->engine.stalled == i + 1, "received",
			 (json_int_t)w->received, "sent", (json_int_t)w->sent, "tx_dropped",
			 (json_int_t)w->tx_dropped, "to_kernel", (json_int_t)w->to_kernel,
			 "from_kernel", (json_int_t)w->from_kernel, "kernel_dropped",
			 (json_int_t)w->kernel_dropped);
}

static json_t *doc_port(const struct lb_page_port *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:i, s:b, s:I, s:I, s:I}", "device",
			 doc_word(p->name), "driver", doc_word(p->driver), "interface",
			 doc_word(p->interface), "mac", doc_mac(p->mac), "mtu", (int)p->mtu, "link",
			 p->link_up != 0, "queues", (json_int_t)p->queues, "rx_missed",
			 (json_int_t)p->rx_missed, "rx_errors", (json_int_t)p->rx_errors);
}

uint32_t engine_workers(const struct lb_page *page)
{
	return page->engine.workers < LB_PAGE_WORKERS_MAX ? page->engine.workers
							  : LB_PAGE_WORKERS_MAX;
}

uint32_t engine_ports(const struct lb_page *page)
{
	return page->engine.ports < LB_PAGE_PORTS_MAX ? page->engine.ports : LB_PAGE_PORTS_MAX;
}

static const char *state_word(const struct lb_page *page, enum dpdk_life life)
{
	switch (life) {
	case DPDK_NONE:
		return "none";
	case DPDK_SILENT:
		return "silent";
	case DPDK_ENDED:
		return "ended";
	case DPDK_DIED:
		return "died";
	case DPDK_ALIVE:
		break;
	}
	return page->engine.state == LB_PAGE_STARTING  ? "starting"
	       : page->engine.state == LB_PAGE_RUNNING ? "running"
						       : "stopping";
}

json_t *doc_process(const struct daemon *d)
{
	const struct lb_page *page = forwarder_page(d->forwarder);
	json_t *workers, *ports;
	uint64_t now_ns = clock_now_ns();
	enum dpdk_life life;
	struct err err;
	bool serves, alive;

	if (!page)
		return json_null();
	life = forwarder_life(d->forwarder, now_ns);
	alive = life == DPDK_ALIVE;
	serves = forwarder_engine_check(d->forwarder, &err) == 0;
	workers = json_array();
	ports = json_array();
	/* What a dead one counted is of no use to anybody. */
	for (uint32_t i = 0; alive && i < engine_workers(page); i++)
		json_array_append_new(workers, doc_worker(page, i));
	for (uint32_t i = 0; alive && i < engine_ports(page); i++)
		json_array_append_new(ports, doc_port(&page->engine.port[i]));
	return json_pack("{s:I, s:o, s:s, s:b, s:o, s:I, s:s, s:I, s:b, s:o, s:o}", "pid",
			 (json_int_t)page->engine.pid, "version", doc_word(page->engine.version),
			 "state", state_word(page, life), "serves", serves, "reason",
			 doc_text(serves ? NULL : err.text), "uptime_ms",
			 alive && now_ns > page->engine.started_ns
				 ? (json_int_t)((now_ns - page->engine.started_ns) / NS_PER_MS)
				 : (json_int_t)0,
			 "tables", config_tables_name(d->cfg->node.dpdk.tables), "generation",
			 (json_int_t)page->generation, "fallback_in_force",
			 !serves && d->engine.fallback, "workers", workers, "ports", ports);
}
