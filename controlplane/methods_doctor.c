/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that must be so for traffic to flow, looked at one by one. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

enum outcome { OUTCOME_OK, OUTCOME_WARN, OUTCOME_FAIL, OUTCOME_SKIPPED };

struct examination {
	struct daemon *d;
	json_t *checks;
	bool failed;
};

static void note(struct examination *x, const char *name, enum outcome outcome, const char *hint,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void note(struct examination *x, const char *name, enum outcome outcome, const char *hint,
		 const char *fmt, ...)
{
	static const char *const words[] = {"ok", "warn", "fail", "skipped"};
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (outcome == OUTCOME_FAIL)
		x->failed = true;
	json_array_append_new(x->checks,
			      json_pack("{s:s, s:s, s:s, s:o}", "name", name, "result",
					words[outcome], "text", text, "hint", doc_text(hint)));
}

/* Attached, and in which of the two ways. */
static void look_at_attachment(struct examination *x, const char *name)
{
	const struct forwarder *f = x->d->forwarder;
	int shared;

	/* With an engine in a process of its own there is nothing to attach. */
	if (forwarder_page(f))
		return;
	if (!forwarder_attached(f, name)) {
		note(x, "program_attached", OUTCOME_FAIL, "the journal says why: fairway journal",
		     "the program isn't attached to %s", name);
		return;
	}
	shared = forwarder_shared(f, name);
	if (shared)
		note(x, "program_attached", OUTCOME_OK, NULL,
		     "program %u on %s, one of %d that libxdp's dispatcher runs there",
		     forwarder_program_id(f), name, shared);
	else
		note(x, "program_attached", OUTCOME_OK, NULL, "program %u on %s, by its own link",
		     forwarder_program_id(f), name);
}

static void look_at_program(struct examination *x)
{
	const struct config_node *node = &x->d->cfg->node;

	for (size_t i = 0; i < node->n_interfaces; i++) {
		const char *name = node->interfaces[i].name;
		struct neighbour_link link;
		char hint[128];

		snprintf(hint, sizeof(hint), "ip link set %s up", name);
		if (neighbour_link_get(x->d->neighbour, name, &link) < 0) {
			note(x, "interface", OUTCOME_FAIL, "`ip link` lists those there are",
			     "interface %s doesn't exist", name);
			continue;
		}
		note(x, "interface", link.up ? OUTCOME_OK : OUTCOME_FAIL, link.up ? NULL : hint,
		     "interface %s is %s, MTU %u", name, link.up ? "up" : "down", link.mtu);
		look_at_attachment(x, name);
	}
}

static void look_at_ports(struct examination *x, const struct lb_page *page)
{
	for (uint32_t i = 0; i < engine_ports(page); i++) {
		const struct lb_page_port *p = &page->engine.port[i];

		note(x, "engine_port", p->link_up ? OUTCOME_OK : OUTCOME_FAIL,
		     p->link_up ? NULL : "is its cable in, and the other side up?",
		     "port %.64s of %.16s has %s", p->name, p->interface,
		     p->link_up ? "link" : "no link");
		if (p->rx_missed)
			note(x, "engine_port", OUTCOME_WARN,
			     "give it more workers or descriptors: node.dpdk.cores, descriptors",
			     "port %.64s had no room for %llu frames", p->name,
			     (unsigned long long)p->rx_missed);
	}
}

/* Does the kernel have hugepages at all? What is free tells nothing: the engine may have them. */
static unsigned long hugepages_total(void)
{
	unsigned long n, total = 0;
	char line[128];
	FILE *in = fopen("/proc/meminfo", "re");

	while (in && fgets(line, sizeof(line), in))
		if (sscanf(line, "HugePages_Total: %lu", &n) == 1)
			total = n;
	if (in)
		fclose(in);
	return total;
}

/* The engine, where it is a process of its own. */
static void look_at_engine(struct examination *x)
{
	const struct lb_page *page = forwarder_page(x->d->forwarder);
	enum dpdk_life life = forwarder_life(x->d->forwarder, clock_now_ns());
	struct err err;

	if (!page)
		return;
	if (x->d->cfg->node.dpdk.hugepages && !hugepages_total())
		note(x, "hugepages", OUTCOME_WARN,
		     "sysctl vm.nr_hugepages=1024, or node.dpdk.hugepages: false",
		     "the kernel has no hugepages of its default size for fairway-dpdk");
	if (forwarder_engine_check(x->d->forwarder, &err) == 0)
		note(x, "engine", OUTCOME_OK, NULL, "fairway-dpdk (pid %u) runs, %u workers",
		     page->engine.pid, engine_workers(page));
	else if (x->d->engine.fallback)
		note(x, "engine", OUTCOME_WARN, "systemctl start fairway-dpdk",
		     "%s: XDP forwards in its place", err.text);
	else
		note(x, "engine", OUTCOME_FAIL,
		     life == DPDK_ALIVE || life == DPDK_SILENT
			     ? "journalctl -u fairway-dpdk; systemctl restart fairway-dpdk"
			     : "systemctl start fairway-dpdk",
		     "%s", err.text);
	if (life == DPDK_ALIVE)
		look_at_ports(x, page);
}

static void look_at_tables(struct examination *x)
{
	struct publish_usage u;

	if (x->d->reconcile_error[0])
		note(x, "tables_loaded", OUTCOME_FAIL, NULL, "%s", x->d->reconcile_error);
	else
		note(x, "tables_loaded", OUTCOME_OK, NULL,
		     "%zu services, %zu pools and %zu routes are in force", x->d->loaded.n_services,
		     x->d->loaded.n_pools, x->d->loaded.n_routes);
	publish_usage(x->d->publish, &u);
	note(x, "table_space", OUTCOME_OK, NULL, "%u of %u reals, %u of %u services used", u.reals,
	     u.reals_max, u.services, u.services_max);
}

/* Entries are spread over buckets of seven: beyond three quarters some buckets are full. */
#define FLOWS_HIGH_PERCENT 75

static void look_at_tracking(struct examination *x)
{
	const char *more = "raise node.tracking.flows";
	struct publish_tracking t;
	uint64_t percent;

	publish_tracking(x->d->publish, &t);
	percent = t.max ? t.entries * 100 / t.max : 0;
	if (t.evicted_confirmed)
		note(x, "tracking", OUTCOME_WARN, more,
		     "%llu flows were forgotten for want of room in the flow table: changes of "
		     "pools may have broken connections",
		     (unsigned long long)t.evicted_confirmed);
	if (percent >= FLOWS_HIGH_PERCENT)
		note(x, "tracking", OUTCOME_WARN, more, "the flow table is %llu %% full",
		     (unsigned long long)percent);
	else if (!t.evicted_confirmed)
		note(x, "tracking", OUTCOME_OK, NULL,
		     "%llu of %llu flow entries used, for %llu connections that need them",
		     (unsigned long long)t.entries, (unsigned long long)t.max,
		     (unsigned long long)t.at_risk);
}

static void look_at_pools(struct examination *x)
{
	for (size_t i = 0; i < x->d->desired.n_pools; i++) {
		const struct vip_pool_report *p = &x->d->desired.pools[i];
		enum outcome outcome = p->n_up == p->pool->n_reals ? OUTCOME_OK : OUTCOME_WARN;
		char hint[128];

		if (p->condition != VIP_POOL_OK)
			outcome = OUTCOME_FAIL;
		snprintf(hint, sizeof(hint), "fairway pool show %s", p->pool->name);
		note(x, "pool", outcome, outcome == OUTCOME_OK ? NULL : hint, "pool %s: %s",
		     p->pool->name, p->reason);
	}
}

static void look_at_ways(struct examination *x)
{
	size_t missing = 0, wanted = 0;

	for (size_t i = 0; i < x->d->n_ways; i++) {
		const struct way_entry *w = x->d->ways[i];
		const char *reason = daemon_way_reason(w);
		char buf[ADDR_STRLEN], hint[ADDR_STRLEN + 32];

		wanted += w->wanted;
		if (w->resolved || !w->wanted)
			continue;
		missing++;
		addr_format(&w->addr, buf);
		snprintf(hint, sizeof(hint), "ip route get %s; ip neigh", buf);
		note(x, "next_hop", OUTCOME_FAIL, hint, "real %s: %s", buf,
		     reason[0] ? reason : "not resolved yet");
	}
	if (!missing)
		note(x, "next_hop", OUTCOME_OK, NULL, "next hops of all %zu addresses are resolved",
		     wanted);
}

static void look_at_vips(struct examination *x)
{
	struct daemon *d = x->d;

	for (size_t i = 0; i < d->desired.n_vips; i++) {
		const struct vip_report *report = &d->desired.vips[i];
		const struct vip_entry *v = daemon_find_vip(d, report->vip->name);
		const char *name = report->vip->name;
		char error[VIP_REASON_LEN];

		daemon_probe_vip(d, report->vip, error, sizeof(error));
		if (error[0])
			note(x, "probe", OUTCOME_FAIL, NULL, "VIP %s: %s", name, error);
		else
			note(x, "probe", OUTCOME_OK, NULL,
			     "VIP %s: packets come out of the program right", name);
		if (vip_state_announced(&d->loaded, &report->vip->address))
			note(x, "announced", OUTCOME_OK, NULL, "VIP %s is announced", name);
		else if (report->vip->announce.when == CONFIG_ANNOUNCE_NEVER || !d->cfg->has_bgp)
			note(x, "announced", OUTCOME_SKIPPED, NULL, "VIP %s: %s", name,
			     report->reason);
		else
			note(x, "announced", d->intent.node_drained ? OUTCOME_WARN : OUTCOME_FAIL,
			     NULL, "VIP %s is not announced: %s", name,
			     v && v->reason[0] ? v->reason : report->reason);
	}
}

static void look_at_bgp(struct examination *x)
{
	struct bgp_peer_snapshot s;

	if (!x->d->cfg->has_bgp) {
		note(x, "bgp_session", OUTCOME_SKIPPED, NULL, "bgp is not configured");
		return;
	}
	for (size_t i = 0; bgp_peer_snapshot(x->d->bgp, i, &s) == 0; i++) {
		char buf[ADDR_STRLEN];

		addr_format(&s.address, buf);
		if (s.state == BGP_STATE_ESTABLISHED)
			note(x, "bgp_session", OUTCOME_OK, NULL,
			     "neighbour %s is established, %u prefixes announced", buf,
			     s.prefixes_announced);
		else
			note(x, "bgp_session", OUTCOME_FAIL, "fairway bgp show",
			     "neighbour %s is %s%s%s", buf, bgp_state_name(s.state),
			     s.last_error[0] ? ": " : "", s.last_error);
	}
}

static void look_at_config(struct examination *x)
{
	if (daemon_config_changed_on_disk(x->d))
		note(x, "config_file", OUTCOME_WARN, "fairway config diff",
		     "%s isn't what is running", x->d->config_path);
	else if (x->d->unsaved)
		note(x, "config_file", OUTCOME_WARN, "fairway config save",
		     "the running configuration has changes that %s doesn't have",
		     x->d->config_path);
	else
		note(x, "config_file", OUTCOME_OK, NULL, "%s is what is running",
		     x->d->config_path);
}

int method_doctor_run(void *arg, json_t *params, struct api_reply *reply)
{
	struct examination x = {.d = arg, .checks = json_array()};

	(void)params;
	look_at_program(&x);
	look_at_engine(&x);
	look_at_tables(&x);
	look_at_tracking(&x);
	look_at_pools(&x);
	look_at_ways(&x);
	look_at_vips(&x);
	look_at_bgp(&x);
	look_at_config(&x);
	reply->result = json_pack("{s:i, s:b, s:o}", "schema_version", API_SCHEMA_VERSION, "ok",
				  !x.failed, "checks", x.checks);
	return 0;
}
