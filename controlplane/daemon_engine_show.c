/* SPDX-License-Identifier: BSD-2-Clause */
/* What an engine in a process of its own counts, for /metrics and for the status page. */
#include <stdio.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"
#include "controlplane/methods.h"
#include "controlplane/metrics/text.h"

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* A name of the page with an end. */
struct word {
	char text[LB_PAGE_NAME_LEN + 1];
};

static struct word word_of(const char name[LB_PAGE_NAME_LEN])
{
	struct word w;

	snprintf(w.text, sizeof(w.text), "%.*s", (int)LB_PAGE_NAME_LEN, name);
	return w;
}

/* X(name of the metric, field of struct lb_page_worker, help) */
#define WORKER_COUNTS(X)                                                                           \
	X(fairway_worker_received_total, received, "Frames that the worker took from ports.")      \
	X(fairway_worker_sent_total, sent, "Frames of the worker that ports took.")                \
	X(fairway_worker_tx_dropped_total, tx_dropped,                                             \
	  "Frames of the worker that a port had no room for.")                                     \
	X(fairway_worker_to_kernel_total, to_kernel,                                               \
	  "Frames that the kernel got from the worker.")                                           \
	X(fairway_worker_from_kernel_total, from_kernel,                                           \
	  "Frames that the worker took from the kernel.")                                          \
	X(fairway_worker_kernel_dropped_total, kernel_dropped,                                     \
	  "Frames that the kernel had no room for.")                                               \
	X(fairway_worker_rounds_total, rounds, "How often the worker went round.")

static void put_workers(const struct lb_page *page, FILE *out)
{
#define PUT(metric, field, help)                                                                   \
	metrics_family(out, #metric, "counter", help);                                             \
	for (uint32_t i = 0; i < engine_workers(page); i++) {                                      \
		char number[16], cpu[16];                                                          \
		snprintf(number, sizeof(number), "%u", i);                                         \
		snprintf(cpu, sizeof(cpu), "%u", page->worker[i].cpu);                             \
		metrics_count(out, #metric, page->worker[i].field,                                 \
			      LABELS("worker", number, "cpu", cpu));                               \
	}
	WORKER_COUNTS(PUT)
#undef PUT
}

/* X(name of the metric, type, field of struct lb_page_port, help) */
#define PORT_COUNTS(X)                                                                             \
	X(fairway_port_link_up, "gauge", link_up, "1 when the port has link.")                     \
	X(fairway_port_rx_missed_total, "counter", rx_missed,                                      \
	  "Frames that the card had no room for.")                                                 \
	X(fairway_port_rx_errors_total, "counter", rx_errors,                                      \
	  "Frames that the card found broken, or had no buffer for.")

static void put_ports(const struct lb_page *page, FILE *out)
{
#define PUT(metric, type, field, help)                                                             \
	metrics_family(out, #metric, type, help);                                                  \
	for (uint32_t i = 0; i < engine_ports(page); i++) {                                        \
		const struct lb_page_port *p = &page->engine.port[i];                              \
		metrics_count(out, #metric, p->field,                                              \
			      LABELS("port", word_of(p->name).text, "interface",                   \
				     word_of(p->interface).text));                                 \
	}
	PORT_COUNTS(PUT)
#undef PUT
}

void daemon_engine_metrics(const struct daemon *d, FILE *out)
{
	const struct lb_page *page = forwarder_page(d->forwarder);
	struct err err;

	if (!page)
		return;
	metrics_family(out, "fairway_engine_up", "gauge",
		       "1 while fairway-dpdk runs, all its workers go round and read the tables in "
		       "force.");
	metrics_count(out, "fairway_engine_up", forwarder_engine_check(d->forwarder, &err) == 0,
		      NULL);
	metrics_family(out, "fairway_engine_fallback", "gauge",
		       "1 while XDP forwards in the place of fairway-dpdk.");
	metrics_count(out, "fairway_engine_fallback", d->engine.fallback != 0, NULL);
	metrics_family(out, "fairway_engine_start_time_seconds", "gauge",
		       "When fairway-dpdk started, in seconds of this host's monotonic clock.");
	metrics_value(out, "fairway_engine_start_time_seconds",
		      (double)page->engine.started_ns / NS_PER_S, NULL);
	if (forwarder_life(d->forwarder, clock_now_ns()) != DPDK_ALIVE)
		return;
	put_workers(page, out);
	put_ports(page, out);
}

/* ---- the status page ---- */

void daemon_engine_page(const struct daemon *d, FILE *out)
{
	const struct lb_page *page = forwarder_page(d->forwarder);

	if (!page || forwarder_life(d->forwarder, clock_now_ns()) != DPDK_ALIVE)
		return;
	fprintf(out, "<h2>fairway-dpdk, process %u</h2>", page->engine.pid);
	fputs("<table><tr><th>port<th>interface<th>link<th>queues<th>missed<th>broken</tr>", out);
	for (uint32_t i = 0; i < engine_ports(page); i++) {
		const struct lb_page_port *p = &page->engine.port[i];

		fputs("<tr><td>", out);
		metrics_html(out, word_of(p->name).text);
		fputs("</td><td>", out);
		metrics_html(out, word_of(p->interface).text);
		fprintf(out,
			"</td><td class=\"%s\">%s</td><td class=\"n\">%u</td>"
			"<td class=\"n\">%llu</td><td class=\"n\">%llu</td></tr>",
			p->link_up ? "good" : "bad", p->link_up ? "up" : "down", p->queues,
			(unsigned long long)p->rx_missed, (unsigned long long)p->rx_errors);
	}
	fputs("</table><table><tr><th>worker<th>CPU<th>received<th>sent<th>dropped<th>to the kernel"
	      "</tr>",
	      out);
	for (uint32_t i = 0; i < engine_workers(page); i++) {
		const struct lb_page_worker *w = &page->worker[i];

		fprintf(out,
			"<tr><td class=\"%s\">%u</td><td>%u</td><td class=\"n\">%llu</td>"
			"<td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
			"<td class=\"n\">%llu</td></tr>",
			page->engine.stalled == i + 1 ? "bad" : "", i, w->cpu,
			(unsigned long long)w->received, (unsigned long long)w->sent,
			(unsigned long long)w->tx_dropped, (unsigned long long)w->to_kernel);
	}
	fputs("</table>", out);
}
