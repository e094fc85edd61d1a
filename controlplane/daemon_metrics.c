/* SPDX-License-Identifier: BSD-2-Clause */
/* What the node says of itself over HTTP: /metrics for Prometheus, /healthz, and a page to look at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"
#include "controlplane/daemon_page.h"
#include "controlplane/metrics/http.h"
#include "controlplane/metrics/text.h"

#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* ---- packets ---- */

static void put_reasons(const struct daemon *d, FILE *out)
{
	for (int pass = 0; pass < 2; pass++) {
		const char *name = pass ? "fairway_bytes_total" : "fairway_packets_total";

		metrics_family(out, name, "counter",
			       pass ? "Bytes of the packets seen, by verdict and reason."
				    : "Packets seen, by verdict and reason.");
		for (int r = 0; r < LB_REASON_COUNT; r++) {
			enum lb_reason reason = (enum lb_reason)r;
			struct publish_count c;

			publish_count_reason(d->publish, reason, &c);
			metrics_count(out, name, pass ? c.bytes : c.packets,
				      LABELS("verdict",
					     publish_verdict_name(publish_reason_verdict(reason)),
					     "reason", publish_reason_name(reason)));
		}
	}
}

static void put_service(const struct daemon *d, FILE *out, const char *name, bool bytes,
			const struct config_vip *vip, const struct config_service *s)
{
	char addr[ADDR_STRLEN], port[PORTS_STRLEN] = "0";
	struct publish_count c;

	if (publish_count_service(d->publish, &vip->address, (uint8_t)s->protocol, s->ports, &c) <
	    0)
		return;
	if (!ports_any(s->ports))
		ports_format(s->ports, port);
	metrics_count(out, name, bytes ? c.bytes : c.packets,
		      LABELS("vip", vip->name, "address", prefix_format_short(&vip->address, addr),
			     "protocol", config_protocol_name(s->protocol), "port", port));
}

static void put_services(const struct daemon *d, FILE *out)
{
	for (int pass = 0; pass < 2; pass++) {
		const char *name =
			pass ? "fairway_service_bytes_total" : "fairway_service_packets_total";

		metrics_family(out, name, "counter",
			       pass ? "Bytes forwarded for a service of a VIP (port 0: any)."
				    : "Packets forwarded for a service of a VIP (port 0: any).");
		for (size_t v = 0; v < d->cfg->n_vips; v++) {
			for (size_t s = 0; s < d->cfg->vips[v].n_services; s++)
				put_service(d, out, name, pass, &d->cfg->vips[v],
					    &d->cfg->vips[v].services[s]);
		}
	}
}

/* ---- reals ---- */

enum real_metric {
	REAL_PACKETS,
	REAL_BYTES,
	REAL_UP,
	REAL_SLOTS,
	REAL_FLOWS,
	REAL_RESOLVED,
	REAL_CHECKS,
	REAL_FAILURES,
	REAL_PROBER_ERRORS,
	REAL_LATENCY,
	REAL_METRICS
};

static const struct {
	const char *name, *type, *help;
} real_metrics[REAL_METRICS] = {
	[REAL_PACKETS] = {"fairway_real_packets_total", "counter", "Packets sent to a real."},
	[REAL_BYTES] = {"fairway_real_bytes_total", "counter", "Bytes sent to a real."},
	[REAL_UP] = {"fairway_real_up", "gauge", "1 when the real gets packets."},
	[REAL_SLOTS] = {"fairway_real_slots", "gauge", "Slots of its pool's table that lead here."},
	[REAL_FLOWS] =
		{"fairway_real_tracked_flows", "gauge",
		 "Entries of the flow table that name the real; a drained real's connections."},
	[REAL_RESOLVED] = {"fairway_real_next_hop_resolved", "gauge",
			   "1 when the way to the real is known."},
	[REAL_CHECKS] = {"fairway_real_checks_total", "counter", "Health checks completed."},
	[REAL_FAILURES] = {"fairway_real_check_failures_total", "counter", "Health checks failed."},
	[REAL_PROBER_ERRORS] = {"fairway_real_prober_errors_total", "counter",
				"Checks this node could not make; they say nothing of the real."},
	[REAL_LATENCY] = {"fairway_real_check_latency_seconds", "gauge",
			  "Duration of the last completed check."},
};

static void put_checked(FILE *out, enum real_metric m, const struct real_entry *e,
			const char *const labels[])
{
	struct health_snapshot s;

	if (!e || !e->target)
		return;
	health_target_snapshot(e->target, &s);
	if (m == REAL_CHECKS)
		metrics_count(out, real_metrics[m].name, s.checks, labels);
	else if (m == REAL_FAILURES)
		metrics_count(out, real_metrics[m].name, s.checks_failed, labels);
	else if (m == REAL_PROBER_ERRORS)
		metrics_count(out, real_metrics[m].name, s.prober_errors, labels);
	else
		metrics_value(out, real_metrics[m].name, (double)s.last_latency_ns / NS_PER_S,
			      labels);
}

static void put_real(const struct daemon *d, FILE *out, enum real_metric m,
		     const struct vip_pool_report *p, const struct vip_real_report *r)
{
	const struct addr *addr = &r->real->address;
	const char *name = real_metrics[m].name;
	struct publish_count c = {0};
	uint32_t slots, ring, flows, confirmed;
	char text[ADDR_STRLEN];
	const char *const labels[] = {"pool", p->pool->name, "real", addr_format(addr, text), NULL};

	switch (m) {
	case REAL_PACKETS:
	case REAL_BYTES:
		if (publish_count_real(d->publish, p->pool->name, addr, &c) < 0)
			c = (struct publish_count){0};
		metrics_count(out, name, m == REAL_BYTES ? c.bytes : c.packets, labels);
		return;
	case REAL_UP:
		metrics_count(out, name, r->state == VIP_REAL_UP, labels);
		return;
	case REAL_SLOTS:
		if (publish_pool_slots(d->publish, p->pool->name, addr, &slots, &ring) < 0)
			slots = 0;
		metrics_count(out, name, slots, labels);
		return;
	case REAL_FLOWS:
		if (publish_real_flows(d->publish, p->pool->name, addr, &flows, &confirmed) < 0)
			flows = 0;
		metrics_count(out, name, flows, labels);
		return;
	case REAL_RESOLVED:
		metrics_count(out, name, r->resolved, labels);
		return;
	default:
		put_checked(out, m, daemon_find_real(d, p->pool->name, addr), labels);
	}
}

static void put_reals(const struct daemon *d, FILE *out)
{
	for (int m = 0; m < REAL_METRICS; m++) {
		metrics_family(out, real_metrics[m].name, real_metrics[m].type,
			       real_metrics[m].help);
		for (size_t p = 0; p < d->desired.n_pools; p++) {
			const struct vip_pool_report *pool = &d->desired.pools[p];

			for (size_t r = 0; r < pool->pool->n_reals; r++)
				put_real(d, out, (enum real_metric)m, pool, &pool->reals[r]);
		}
	}
}

static void put_pools(const struct daemon *d, FILE *out)
{
	metrics_family(out, "fairway_pool_reals_up", "gauge", "Reals of the pool in force.");
	for (size_t i = 0; i < d->desired.n_pools; i++)
		metrics_count(out, "fairway_pool_reals_up", d->desired.pools[i].n_up,
			      LABELS("pool", d->desired.pools[i].pool->name));
	metrics_family(out, "fairway_pool_reals", "gauge", "Reals of the pool configured.");
	for (size_t i = 0; i < d->desired.n_pools; i++)
		metrics_count(out, "fairway_pool_reals", d->desired.pools[i].pool->n_reals,
			      LABELS("pool", d->desired.pools[i].pool->name));
}

/* ---- routes ---- */

static void put_vips(const struct daemon *d, FILE *out)
{
	char addr[ADDR_STRLEN];

	metrics_family(out, "fairway_vip_announced", "gauge",
		       "1 when this node offers the VIP to its neighbours.");
	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];

		metrics_count(out, "fairway_vip_announced",
			      vip_state_announced(&d->loaded, &vip->address),
			      LABELS("vip", vip->name, "address",
				     prefix_format_short(&vip->address, addr)));
	}
}

enum peer_metric { PEER_UP, PEER_PREFIXES, PEER_CONNECTED, PEER_IN, PEER_OUT, PEER_METRICS };

static const struct {
	const char *name, *type, *help;
} peer_metrics[PEER_METRICS] = {
	[PEER_UP] = {"fairway_bgp_session_up", "gauge", "1 while the session is established."},
	[PEER_PREFIXES] = {"fairway_bgp_prefixes_announced", "gauge",
			   "Prefixes the neighbour has from us."},
	[PEER_CONNECTED] = {"fairway_bgp_sessions_total", "counter",
			    "How often the session reached Established."},
	[PEER_IN] = {"fairway_bgp_messages_received_total", "counter", "Messages received."},
	[PEER_OUT] = {"fairway_bgp_messages_sent_total", "counter", "Messages sent."},
};

static uint64_t peer_value(const struct bgp_peer_snapshot *s, enum peer_metric m)
{
	switch (m) {
	case PEER_UP:
		return s->state == BGP_STATE_ESTABLISHED;
	case PEER_PREFIXES:
		return s->prefixes_announced;
	case PEER_CONNECTED:
		return s->times_connected;
	case PEER_IN:
		return s->messages_in;
	default:
		return s->messages_out;
	}
}

static void put_peers(const struct daemon *d, FILE *out)
{
	for (int m = 0; m < PEER_METRICS; m++) {
		struct bgp_peer_snapshot s;

		metrics_family(out, peer_metrics[m].name, peer_metrics[m].type,
			       peer_metrics[m].help);
		for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++) {
			char addr[ADDR_STRLEN], asn[16];

			snprintf(asn, sizeof(asn), "%u", s.asn);
			metrics_count(out, peer_metrics[m].name,
				      peer_value(&s, (enum peer_metric)m),
				      LABELS("peer", addr_format(&s.address, addr), "asn", asn));
		}
	}
}

/* ---- node ---- */

static void put_tables(const struct daemon *d, FILE *out)
{
	struct publish_usage u;

	publish_usage(d->publish, &u);
	metrics_family(out, "fairway_table_used", "gauge", "Elements of a table in use.");
	metrics_count(out, "fairway_table_used", u.vip_entries, LABELS("table", "vip_entries"));
	metrics_count(out, "fairway_table_used", u.services, LABELS("table", "services"));
	metrics_count(out, "fairway_table_used", u.reals, LABELS("table", "reals"));
	metrics_count(out, "fairway_table_used", u.slot_lines, LABELS("table", "slot_lines"));
	metrics_family(out, "fairway_table_size", "gauge",
		       "Elements of a table; it grows when need be.");
	metrics_count(out, "fairway_table_size", u.vip_entries_max, LABELS("table", "vip_entries"));
	metrics_count(out, "fairway_table_size", u.services_max, LABELS("table", "services"));
	metrics_count(out, "fairway_table_size", u.reals_max, LABELS("table", "reals"));
	metrics_count(out, "fairway_table_size", u.slot_lines_max, LABELS("table", "slot_lines"));
	metrics_family(out, "fairway_table_writes_total", "counter",
		       "Stores into tables that packets see, since the daemon's start.");
	metrics_count(out, "fairway_table_writes_total", u.writes, NULL);
}

static void put_tracking(const struct daemon *d, FILE *out)
{
	struct publish_tracking t;

	publish_tracking(d->publish, &t);
	metrics_family(out, "fairway_flow_entries", "gauge",
		       "Entries of the flow table, as of the last walk over it.");
	metrics_count(out, "fairway_flow_entries", t.confirmed, LABELS("state", "confirmed"));
	metrics_count(out, "fairway_flow_entries", t.entries - t.confirmed,
		      LABELS("state", "unconfirmed"));
	metrics_family(out, "fairway_flow_entries_max", "gauge", "Room of the flow table.");
	metrics_count(out, "fairway_flow_entries_max", t.max, NULL);
	metrics_family(out, "fairway_flows_at_risk", "gauge",
		       "Connections that would break without their entry.");
	metrics_count(out, "fairway_flows_at_risk", t.at_risk, NULL);
	metrics_family(out, "fairway_flow_evictions_total", "counter",
		       "Entries evicted for want of room; confirmed ones may break connections.");
	metrics_count(out, "fairway_flow_evictions_total", t.evicted_confirmed,
		      LABELS("state", "confirmed"));
	metrics_count(out, "fairway_flow_evictions_total", t.evicted_unconfirmed,
		      LABELS("state", "unconfirmed"));
	metrics_family(out, "fairway_slots_tracked", "gauge",
		       "Slots of all pools whose flows are looked up in the flow table.");
	metrics_count(out, "fairway_slots_tracked", t.tracked_slots, NULL);
	metrics_family(out, "fairway_slots_unsettled", "gauge",
		       "Of those, the ones that changed lately and enter new flows.");
	metrics_count(out, "fairway_slots_unsettled", t.unsettled_slots, NULL);
	metrics_family(out, "fairway_reals_lingering", "gauge",
		       "Reals that left their pool and may still have connections.");
	metrics_count(out, "fairway_reals_lingering", t.lingering, NULL);
}

static void put_node(const struct daemon *d, FILE *out)
{
	const struct config_node *node = &d->cfg->node;

	metrics_family(out, "fairway_info", "gauge", "Always 1; the labels tell.");
	metrics_count(out, "fairway_info", 1,
		      LABELS("node", node->name, "version", FAIRWAY_VERSION, "engine",
			     config_engine_name(node->engine)));
	metrics_family(out, "fairway_uptime_seconds", "gauge", "Since the daemon's start.");
	metrics_value(out, "fairway_uptime_seconds",
		      (double)(clock_now_ns() - d->started_ns) / NS_PER_S, NULL);
	metrics_family(out, "fairway_node_drained", "gauge", "1 after `fairway node drain`.");
	metrics_count(out, "fairway_node_drained", d->intent.node_drained, NULL);
	metrics_family(
		out, "fairway_node_error", "gauge",
		"1 while something desired can't be put in force; the status page says what.");
	metrics_count(out, "fairway_node_error", d->reconcile_error[0] || d->node_blocked[0], NULL);
	metrics_family(out, "fairway_config_unsaved_changes", "gauge",
		       "1 when the running configuration isn't what the file says.");
	metrics_count(out, "fairway_config_unsaved_changes", d->unsaved, NULL);
	metrics_family(out, "fairway_interface_attached", "gauge",
		       "1 when the engine serves the interface.");
	for (size_t i = 0; i < node->n_interfaces; i++)
		metrics_count(out, "fairway_interface_attached",
			      forwarder_attached(d->forwarder, node->interfaces[i].name),
			      LABELS("interface", node->interfaces[i].name));
}

static void put_metrics(struct daemon *d, FILE *out)
{
	put_node(d, out);
	daemon_engine_metrics(d, out);
	put_reasons(d, out);
	put_services(d, out);
	put_reals(d, out);
	put_pools(d, out);
	put_vips(d, out);
	put_peers(d, out);
	put_tables(d, out);
	put_tracking(d, out);
}

/* ---- pages ---- */

static unsigned put_health(const struct daemon *d, FILE *out)
{
	if (!d->started)
		fputs("starting\n", out);
	else if (d->node_blocked[0])
		fprintf(out, "%s\n", d->node_blocked);
	else if (d->reconcile_error[0])
		fprintf(out, "%s\n", d->reconcile_error);
	else {
		fputs(d->intent.node_drained ? "ok, drained\n" : "ok\n", out);
		return 200;
	}
	return 503;
}

static void build_page(void *arg, const char *path, struct metrics_page *page)
{
	struct daemon *d = arg;
	FILE *out = open_memstream(&page->body, &page->len);

	page->status = 200;
	page->content_type = "text/plain; charset=utf-8";
	if (!out)
		return;
	if (strcmp(path, "/metrics") == 0) {
		page->content_type = "text/plain; version=0.0.4; charset=utf-8";
		put_metrics(d, out);
	} else if (strcmp(path, "/healthz") == 0) {
		page->status = put_health(d, out);
	} else if (strcmp(path, "/") == 0) {
		page->content_type = "text/html; charset=utf-8";
		daemon_page_write(d, out);
	} else {
		page->status = 404;
		fputs("there are /, /metrics and /healthz\n", out);
	}
	if (fclose(out) != 0) {
		free(page->body);
		page->body = NULL;
	}
}

void daemon_metrics_stop(struct daemon *d)
{
	metrics_http_free(d->metrics);
	d->metrics = NULL;
}

void daemon_metrics_configure(struct daemon *d)
{
	const struct config_endpoint *want = &d->cfg->metrics.listen;
	struct err err;

	if (d->metrics && addr_equal(&want->addr, &d->metrics_at.addr) &&
	    want->port == d->metrics_at.port)
		return;
	daemon_metrics_stop(d);
	d->metrics_error[0] = '\0';
	d->metrics_at = *want;
	if (want->addr.family == 0)
		return;
	if (metrics_http_new(&d->loop, &want->addr, want->port, build_page, d, &d->metrics, &err) ==
	    0)
		return;
	snprintf(d->metrics_error, sizeof(d->metrics_error), "no metrics: %.900s", err.text);
	journal_write(LOG_LEVEL_WARN, "metrics", NULL, "%s", d->metrics_error);
}
