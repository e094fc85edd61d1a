/* SPDX-License-Identifier: BSD-2-Clause */
/* How the node is: status, counters, BGP, journal. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

/* ---- warnings ---- */

static void warn(json_t *list, const char *text, const char *hint)
{
	json_array_append_new(list, json_pack("{s:s, s:o}", "text", text, "hint", doc_text(hint)));
}

static void warn_pools(struct daemon *d, json_t *list)
{
	for (size_t i = 0; i < d->desired.n_pools; i++) {
		const struct vip_pool_report *p = &d->desired.pools[i];
		char text[VIP_POOL_REASON_LEN + 96], hint[96];

		if (p->n_up == p->pool->n_reals && p->n_up_reached == p->n_up)
			continue;
		if (p->n_up == p->pool->n_reals)
			snprintf(text, sizeof(text),
				 "pool %s: next hop known of %zu of its %zu reals only",
				 p->pool->name, p->n_up_reached, p->n_up);
		else
			snprintf(text, sizeof(text), "pool %s: %s", p->pool->name, p->reason);
		snprintf(hint, sizeof(hint), "fairway pool show %s", p->pool->name);
		warn(list, text, hint);
	}
}

static void warn_vips(struct daemon *d, json_t *list)
{
	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];
		const struct vip_entry *v = daemon_find_vip(d, vip->name);
		char text[VIP_REASON_LEN + 128];

		if (!d->cfg->has_bgp || vip->announce.when == CONFIG_ANNOUNCE_NEVER ||
		    d->intent.node_drained || vip_state_announced(&d->loaded, &vip->address))
			continue;
		snprintf(text, sizeof(text), "VIP %s is not announced: %s", vip->name,
			 v && v->reason[0] ? v->reason : "not judged yet");
		warn(list, text, NULL);
	}
}

static void warn_peers(struct daemon *d, json_t *list)
{
	struct bgp_peer_snapshot s;

	if (bgp_listen_error(d->bgp)[0])
		warn(list, bgp_listen_error(d->bgp), NULL);
	for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++) {
		char text[sizeof(s.last_error) + 128], buf[ADDR_STRLEN];

		addr_format(&s.address, buf);
		if (s.state != BGP_STATE_ESTABLISHED)
			snprintf(text, sizeof(text), "BGP session with %s is down%s%s", buf,
				 s.last_error[0] ? ": " : "", s.last_error);
		else if (s.prefixes_unsendable)
			snprintf(text, sizeof(text), "BGP neighbour %s: %s", buf,
				 s.unsendable_reason);
		else
			continue;
		warn(list, text, "fairway bgp show");
	}
}

#define ENGINE_HINT "systemctl status fairway-dpdk; journalctl -u fairway-dpdk"

json_t *doc_warnings(struct daemon *d)
{
	json_t *list = json_array();

	if (d->intent.node_drained)
		warn(list, "the node is drained: no VIP is announced", "fairway node enable");
	if (d->node_blocked[0])
		warn(list, d->node_blocked, d->engine.trouble[0] ? ENGINE_HINT : NULL);
	else if (d->engine.fallback)
		warn(list, d->engine.trouble, "XDP forwards in its place; " ENGINE_HINT);
	if (d->held_text[0])
		warn(list, d->held_text,
		     "if the reals are really dead: fairway node drain; else mend this node's way "
		     "to them");
	if (d->reconcile_error[0])
		warn(list, d->reconcile_error, "tried again every second");
	if (d->intent_warning[0])
		warn(list, d->intent_warning, NULL);
	if (d->metrics_error[0])
		warn(list, d->metrics_error, NULL);
	warn_peers(d, list);
	warn_vips(d, list);
	warn_pools(d, list);
	if (daemon_config_changed_on_disk(d))
		warn(list, "the configuration file isn't what is running",
		     "fairway config diff shows it, fairway config apply applies it");
	return list;
}

/* ---- status ---- */

/* How the program runs, with XDP. */
static json_t *doc_mode(const struct daemon *d)
{
	const struct config_node *node = &d->cfg->node;

	return node->engine == CONFIG_ENGINE_XDP ? json_string(config_xdp_mode_name(node->xdp_mode))
						 : json_null();
}

static json_t *doc_interfaces(struct daemon *d)
{
	const struct config_node *node = &d->cfg->node;
	json_t *list = json_array();

	for (size_t i = 0; i < node->n_interfaces; i++) {
		const char *name = node->interfaces[i].name, *reason = NULL;
		struct neighbour_link link;
		bool there = neighbour_link_get(d->neighbour, name, &link) == 0;
		bool attached = (there || forwarder_page(d->forwarder)) &&
				forwarder_attached(d->forwarder, name);

		if (!there)
			reason = "the interface doesn't exist";
		else if (!attached)
			reason = d->node_blocked[0] ? d->node_blocked : "not attached yet";
		json_array_append_new(
			list, json_pack("{s:s, s:o, s:b, s:o, s:o, s:o, s:o}", "name", name,
					"index", there ? json_integer(link.ifindex) : json_null(),
					"attached", attached, "mode", doc_mode(d), "mac",
					there ? doc_mac(link.mac) : json_null(), "mtu",
					there ? json_integer(link.mtu) : json_null(), "reason",
					doc_text(reason)));
	}
	return list;
}

static json_t *doc_program(struct daemon *d)
{
	char path[PATH_MAX];

	/* With the DPDK engine and tables in files there is none. */
	if (!d->started || !forwarder_program_id(d->forwarder))
		return json_null();
	snprintf(path, sizeof(path), "%s/balancer", d->opt.bpffs);
	return json_pack("{s:I, s:s, s:b}", "id", (json_int_t)forwarder_program_id(d->forwarder),
			 "pinned_at", path, "adopted", d->adopted);
}

static json_t *doc_totals(struct daemon *d)
{
	json_t *totals = json_object();

	for (enum lb_verdict v = LB_PASS; v <= LB_REPLY; v = (enum lb_verdict)(v + 1)) {
		struct publish_count sum = {0}, one;
		json_t *j = json_object();

		for (int r = 0; r < LB_REASON_COUNT; r++) {
			if (publish_reason_verdict((enum lb_reason)r) != v)
				continue;
			publish_count_reason(d->publish, (enum lb_reason)r, &one);
			sum.packets += one.packets;
			sum.bytes += one.bytes;
		}
		doc_count(j, &sum);
		json_object_set_new(totals, publish_verdict_name(v), j);
	}
	return totals;
}

static json_t *doc_tables(struct daemon *d)
{
	struct publish_usage u;
	struct publish_tracking t;

	publish_usage(d->publish, &u);
	publish_tracking(d->publish, &t);
	return json_pack("[{s:s, s:I, s:I}, {s:s, s:I, s:I}, {s:s, s:I, s:I}, {s:s, s:I, s:I}, "
			 "{s:s, s:I, s:I}]",
			 "name", "flows", "used", (json_int_t)t.entries, "max", (json_int_t)t.max,
			 "name", "vip_entries", "used", (json_int_t)u.vip_entries, "max",
			 (json_int_t)u.vip_entries_max, "name", "services", "used",
			 (json_int_t)u.services, "max", (json_int_t)u.services_max, "name", "reals",
			 "used", (json_int_t)u.reals, "max", (json_int_t)u.reals_max, "name",
			 "slot_lines", "used", (json_int_t)u.slot_lines, "max",
			 (json_int_t)u.slot_lines_max);
}

static json_t *doc_tracking(struct daemon *d)
{
	struct publish_tracking t;

	publish_tracking(d->publish, &t);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "entries",
			 (json_int_t)t.entries, "confirmed", (json_int_t)t.confirmed, "max",
			 (json_int_t)t.max, "at_risk", (json_int_t)t.at_risk, "tracked_slots",
			 (json_int_t)t.tracked_slots, "unsettled_slots",
			 (json_int_t)t.unsettled_slots, "evicted_confirmed",
			 (json_int_t)t.evicted_confirmed, "evicted_unconfirmed",
			 (json_int_t)t.evicted_unconfirmed, "lingering_reals",
			 (json_int_t)t.lingering, "oldest_ms", (json_int_t)t.oldest_s * 1000);
}

static json_t *doc_config(struct daemon *d)
{
	json_t *j = json_pack("{s:s, s:b, s:b}", "file", d->config_path, "unsaved_changes",
			      d->unsaved, "changed_on_disk", daemon_config_changed_on_disk(d));

	doc_moment(j, "at", d->config_at_ns);
	return j;
}

static void add_totals(struct daemon *d, json_t *j)
{
	size_t ok = 0, up = 0, total = 0, announced = 0;

	for (size_t i = 0; i < d->desired.n_pools; i++) {
		const struct vip_pool_report *p = &d->desired.pools[i];

		ok += p->condition == VIP_POOL_OK;
		for (size_t r = 0; r < p->pool->n_reals; r++)
			up += p->reals[r].state == VIP_REAL_UP;
		total += p->pool->n_reals;
	}
	for (size_t i = 0; i < d->cfg->n_vips; i++)
		announced += bgp_peers_with(d, &d->cfg->vips[i].address) > 0;
	json_object_set_new(
		j, "vips",
		json_pack("{s:i, s:i}", "announced", (int)announced, "total", (int)d->cfg->n_vips));
	json_object_set_new(j, "pools",
			    json_pack("{s:i, s:i}", "ok", (int)ok, "total", (int)d->cfg->n_pools));
	json_object_set_new(j, "reals",
			    json_pack("{s:i, s:i}", "up", (int)up, "total", (int)total));
}

int method_status_get(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const char *state = !d->started              ? "starting"
			    : d->intent.node_drained ? "drained"
						     : "active";
	uint64_t age = clock_now_ns() - d->started_ns;
	json_t *j;

	(void)params;
	j = json_pack("{s:i, s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "schema_version",
		      API_SCHEMA_VERSION, "node", d->cfg->node.name, "version", FAIRWAY_VERSION,
		      "pid", (int)getpid(), "state", state, "engine",
		      config_engine_name(d->cfg->node.engine), "mode", doc_mode(d), "process",
		      doc_process(d), "program", doc_program(d), "interfaces", doc_interfaces(d),
		      "config", doc_config(d));
	doc_moment(j, "since", d->started_ns);
	json_object_del(j, "age_ms");
	json_object_set_new(j, "uptime_ms", json_integer((json_int_t)(age / NS_PER_MS)));
	json_object_set_new(j, "bgp",
			    json_pack("{s:b, s:i, s:i}", "configured", d->cfg->has_bgp, "peers_up",
				      (int)bgp_peers_up(d), "peers_total",
				      (int)bgp_peer_count(d->bgp)));
	add_totals(d, j);
	json_object_set_new(j, "totals", doc_totals(d));
	json_object_set_new(j, "tables", doc_tables(d));
	json_object_set_new(j, "tracking", doc_tracking(d));
	json_object_set_new(j, "warnings", doc_warnings(d));
	reply->result = j;
	return 0;
}

/* ---- counters ---- */

static json_t *count_services(struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];

		for (size_t s = 0; s < vip->n_services; s++) {
			const struct config_service *svc = &vip->services[s];
			struct publish_count count = {0};
			json_t *j = json_pack("{s:s, s:o, s:s}", "vip", vip->name, "address",
					      doc_vip_address(&vip->address), "protocol",
					      config_protocol_name(svc->protocol));

			doc_ports(j, svc->ports);
			if (publish_count_service(d->publish, &vip->address, (uint8_t)svc->protocol,
						  svc->ports, &count) < 0)
				count = (struct publish_count){0};
			doc_count(j, &count);
			json_array_append_new(list, j);
		}
	}
	return list;
}

static json_t *count_reals(struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->cfg->n_pools; i++) {
		const struct config_pool *pool = &d->cfg->pools[i];

		for (size_t r = 0; r < pool->n_reals; r++) {
			struct publish_count count = {0};
			json_t *j = json_pack("{s:s, s:o}", "pool", pool->name, "address",
					      doc_addr(&pool->reals[r].address));

			if (publish_count_real(d->publish, pool->name, &pool->reals[r].address,
					       &count) < 0)
				count = (struct publish_count){0};
			doc_count(j, &count);
			json_array_append_new(list, j);
		}
	}
	return list;
}

int method_counters_get(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	json_t *reasons = json_array();

	(void)params;
	for (int r = 0; r < LB_REASON_COUNT; r++) {
		enum lb_reason reason = (enum lb_reason)r;
		struct publish_count count;
		json_t *j =
			json_pack("{s:s, s:s, s:s}", "name", publish_reason_name(reason), "verdict",
				  publish_verdict_name(publish_reason_verdict(reason)), "help",
				  publish_reason_help(reason));

		publish_count_reason(d->publish, reason, &count);
		doc_count(j, &count);
		json_array_append_new(reasons, j);
	}
	reply->result = json_pack("{s:i, s:o, s:o, s:o, s:o}", "schema_version", API_SCHEMA_VERSION,
				  "reasons", reasons, "services", count_services(d), "reals",
				  count_reals(d), "tracking", doc_tracking(d));
	return 0;
}

/* ---- bgp ---- */

/* "OpenSent" as "open_sent". */
static json_t *doc_state(enum bgp_state state)
{
	const char *name = bgp_state_name(state);
	char buf[32];
	size_t n = 0;

	for (; *name && n + 2 < sizeof(buf); name++) {
		if (isupper((unsigned char)*name) && n > 0)
			buf[n++] = '_';
		buf[n++] = (char)tolower((unsigned char)*name);
	}
	buf[n] = '\0';
	return json_string(buf);
}

static json_t *doc_capabilities(uint32_t set)
{
	json_t *list = json_array();
	const char *name;

	for (unsigned i = 0; (name = bgp_capability_name(i)) != NULL; i++) {
		if (set & (1u << i))
			json_array_append_new(list, json_string(name));
	}
	return list;
}

static json_t *doc_id(uint32_t id)
{
	struct addr a = {.family = 4,
			 .bytes = {(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8),
				   (uint8_t)id}};

	return id ? doc_addr(&a) : json_null();
}

static json_t *doc_ms(uint64_t ns)
{
	return ns ? json_integer((json_int_t)(ns / NS_PER_MS)) : json_null();
}

static json_t *doc_peer(const struct bgp_peer_snapshot *s)
{
	bool up = s->state == BGP_STATE_ESTABLISHED;
	uint64_t since = 0, now = clock_now_ns();
	json_t *j = json_pack("{s:o, s:I, s:i, s:b, s:o, s:o, s:o, s:o}", "address",
			      doc_addr(&s->address), "asn", (json_int_t)s->asn, "port",
			      (int)(s->port ? s->port : BGP_PORT), "ibgp", s->ibgp, "state",
			      doc_state(s->state), "last_error", doc_text(s->last_error),
			      "last_error_age_ms", doc_ms(s->last_error_age_ns), "retry_in_ms",
			      doc_ms(s->retry_in_ns));

	if (up)
		since = now - s->uptime_ns;
	else if (s->times_connected && s->last_error_age_ns)
		since = now - s->last_error_age_ns;
	doc_moment(j, "since", since);
	json_object_update_new(j,
			       json_pack("{s:i, s:i, s:i, s:o, s:o, s:o, s:i, s:i, s:o, s:o}",
					 "prefixes_announced", (int)s->prefixes_announced,
					 "prefixes_pending", (int)s->prefixes_pending,
					 "prefixes_unsendable", (int)s->prefixes_unsendable,
					 "unsendable_reason", doc_text(s->unsendable_reason),
					 "local_address", doc_addr(&s->local_address), "remote_id",
					 doc_id(s->remote_id), "hold_time_ms", (int)s->hold_time_ms,
					 "keepalive_ms", (int)s->keepalive_ms, "capabilities",
					 doc_capabilities(s->capabilities), "remote_capabilities",
					 doc_capabilities(s->remote_capabilities)));
	json_object_update_new(j, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "messages_in",
					    (json_int_t)s->messages_in, "messages_out",
					    (json_int_t)s->messages_out, "updates_in",
					    (json_int_t)s->updates_in, "updates_out",
					    (json_int_t)s->updates_out, "notifications_in",
					    (json_int_t)s->notifications_in, "notifications_out",
					    (json_int_t)s->notifications_out, "times_connected",
					    (json_int_t)s->times_connected));
	return j;
}

static json_t *doc_prefixes(struct daemon *d)
{
	json_t *list = json_array();

	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];

		if (vip_state_announced(&d->loaded, &vip->address))
			json_array_append_new(list, json_pack("{s:o, s:s}", "prefix",
							      doc_prefix(&vip->address), "vip",
							      vip->name));
	}
	return list;
}

int method_bgp_show(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const char *error = bgp_listen_error(d->bgp);
	bool on = d->cfg->has_bgp;
	struct bgp_peer_snapshot s;
	json_t *peers = json_array();

	(void)params;
	for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++)
		json_array_append_new(peers, doc_peer(&s));
	reply->result = json_pack("{s:i, s:b, s:o, s:o, s:b, s:o, s:o, s:o}", "schema_version",
				  API_SCHEMA_VERSION, "configured", on, "asn",
				  on ? json_integer(d->cfg->bgp.asn) : json_null(), "router_id",
				  on ? doc_addr(&d->cfg->bgp.router_id) : json_null(), "listening",
				  on && !error[0], "listen_error", doc_text(error), "prefixes",
				  doc_prefixes(d), "peers", peers);
	return 0;
}

/* ---- journal ---- */

#define JOURNAL_LIMIT_DEFAULT 100

int method_journal_get(void *arg, json_t *params, struct api_reply *reply)
{
	static const char *const levels[] = {"debug", "info", "warning", "error"};
	json_int_t limit = api_integer(params, "limit", JOURNAL_LIMIT_DEFAULT);
	json_int_t after = api_integer(params, "after", 0);
	uint64_t first = journal_oldest(), last = journal_newest();
	json_t *list;

	(void)arg;
	if (limit < 1 || limit > JOURNAL_ENTRIES)
		return api_bad_param(reply, API_INVALID_VALUE, "limit",
				     "limit must be from 1 to %d", JOURNAL_ENTRIES);
	if (after < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "after", "after can't be negative");
	if ((uint64_t)after >= first)
		first = (uint64_t)after + 1;
	if (last >= (uint64_t)limit && first < last - (uint64_t)limit + 1)
		first = last - (uint64_t)limit + 1;
	list = json_array();
	for (uint64_t seq = first; seq <= last && seq; seq++) {
		const struct journal_entry *e = journal_get(seq);
		json_t *j = json_pack("{s:I, s:s, s:o, s:o, s:s}", "seq", (json_int_t)seq, "level",
				      levels[e->level], "object", doc_text(e->object), "name",
				      doc_text(e->name), "text", e->text);

		doc_moment(j, "at", e->at_ns);
		json_array_append_new(list, j);
	}
	reply->result = json_pack("{s:i, s:o, s:I}", "schema_version", API_SCHEMA_VERSION,
				  "entries", list, "oldest_seq", (json_int_t)journal_oldest());
	return 0;
}
