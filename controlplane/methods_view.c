/* SPDX-License-Identifier: BSD-2-Clause */
/* VIPs, pools and reals as documents. */
#include <string.h>

#include <stdio.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

/* ---- bgp ---- */

size_t bgp_peers_up(const struct daemon *d)
{
	struct bgp_peer_snapshot s;
	size_t up = 0;

	for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++)
		up += s.state == BGP_STATE_ESTABLISHED;
	return up;
}

size_t bgp_peers_with(const struct daemon *d, const struct prefix *prefix)
{
	unsigned family = prefix->addr.family == 4 ? BGP_CAP_IPV4_UNICAST : BGP_CAP_IPV6_UNICAST;
	struct bgp_peer_snapshot s;
	size_t n = 0;

	if (!vip_state_announced(&d->loaded, prefix))
		return 0;
	for (size_t i = 0; bgp_peer_snapshot(d->bgp, i, &s) == 0; i++)
		n += s.state == BGP_STATE_ESTABLISHED && (s.capabilities & family) &&
		     s.prefixes_pending == 0 && s.prefixes_announced > 0;
	return n;
}

/* ---- vip ---- */

static json_t *doc_announce(struct daemon *d, const struct config_vip *vip)
{
	const struct vip_entry *v = daemon_find_vip(d, vip->name);
	bool announced = vip_state_announced(&d->loaded, &vip->address);
	size_t with = bgp_peers_with(d, &vip->address), total = bgp_peer_count(d->bgp);
	char reason[VIP_REASON_LEN + 64];
	json_t *j;

	snprintf(reason, sizeof(reason), "%s", v && v->reason[0] ? v->reason : "not judged yet");
	if (announced)
		snprintf(reason + strlen(reason), 64, "; %zu of %zu neighbours have it", with,
			 total);
	j = json_pack("{s:s, s:b, s:s, s:i, s:i}", "when", config_announce_name(vip->announce.when),
		      "announced", announced, "reason", reason, "peers_announced", (int)with,
		      "peers_total", (int)total);
	doc_moment(j, "since", v ? v->since_ns : 0);
	return j;
}

/* What a service does beside choosing its pool. */
static void doc_options(json_t *object, const struct config_service *s)
{
	json_t *deny = json_array();
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < s->n_deny; i++)
		json_array_append_new(deny, json_string(prefix_format(&s->deny[i].prefix, text)));
	json_object_update_new(
		object,
		json_pack("{s:s, s:o, s:o, s:o, s:b}", "hash", config_hash_name(s->hash), "deny",
			  deny, "syn_rate", s->syn_rate ? json_integer(s->syn_rate) : json_null(),
			  "syn_burst",
			  s->syn_rate ? json_integer(config_syn_burst(s)) : json_null(), "quic",
			  s->quic));
}

static json_t *doc_service(struct daemon *d, const struct config_vip *vip,
			   const struct config_service *s, struct publish_count *total)
{
	const struct vip_pool_report *p = vip_desired_pool(&d->desired, s->pool);
	const struct config_pool *pool = config_find_pool(d->cfg, s->pool);
	bool loaded = vip_state_find_service(&d->loaded, &vip->address, (uint8_t)s->protocol,
					     s->ports) != NULL;
	bool forwarding = loaded && p && (p->n_up_reached > 0 || p->fail_open);
	struct publish_count count = {0};
	const char *reason = NULL;
	json_t *j;

	if (!loaded)
		reason = "not loaded yet";
	else if (p && p->n_up == 0 && !p->fail_open)
		reason = p->reason;
	else if (!forwarding)
		reason = "no next hop of its reals is resolved";
	if (publish_count_service(d->publish, &vip->address, (uint8_t)s->protocol, s->ports,
				  &count) < 0)
		count = (struct publish_count){0};
	total->packets += count.packets;
	total->bytes += count.bytes;
	j = json_pack("{s:s, s:s, s:s, s:i, s:i, s:b, s:o}", "protocol",
		      config_protocol_name(s->protocol), "pool", s->pool, "encap",
		      config_encap_name(pool->encap), "reals_up", p ? (int)p->n_up : 0,
		      "reals_total", (int)pool->n_reals, "forwarding", forwarding, "reason",
		      doc_text(reason));
	doc_ports(j, s->ports);
	doc_options(j, s);
	doc_count(j, &count);
	return j;
}

json_t *doc_vip(struct daemon *d, const struct config_vip *vip)
{
	struct publish_count total = {0};
	json_t *services = json_array(), *j;

	for (size_t i = 0; i < vip->n_services; i++)
		json_array_append_new(services, doc_service(d, vip, &vip->services[i], &total));
	j = json_pack("{s:s, s:o, s:o, s:o, s:o}", "name", vip->name, "address",
		      doc_vip_address(&vip->address), "prefix", doc_prefix(&vip->address),
		      "announce", doc_announce(d, vip), "services", services);
	doc_count(j, &total);
	return j;
}

/* ---- pool ---- */

static json_t *doc_health(const struct config_pool *pool)
{
	const struct config_health *h = &pool->health;
	bool http = h->type != CONFIG_HEALTH_TCP;

	if (!pool->has_health)
		return json_null();
	return json_pack("{s:s, s:i, s:o, s:o, s:i, s:i, s:i, s:i, s:s}", "type",
			 config_health_type_name(h->type), "port", (int)h->port, "path",
			 doc_text(http ? h->path : NULL), "host", doc_text(http ? h->host : NULL),
			 "interval_ms", (int)h->interval_ms, "timeout_ms", (int)h->timeout_ms,
			 "rise", (int)h->rise, "fall", (int)h->fall, "via",
			 config_health_via_name(h->via));
}

static json_t *users_of(struct daemon *d, const char *pool)
{
	json_t *names = json_array();

	for (size_t i = 0; i < d->cfg->n_vips; i++) {
		const struct config_vip *vip = &d->cfg->vips[i];

		for (size_t s = 0; s < vip->n_services; s++) {
			if (strcmp(vip->services[s].pool, pool) != 0)
				continue;
			json_array_append_new(names, json_string(vip->name));
			break;
		}
	}
	return names;
}

json_t *doc_pool(struct daemon *d, const struct config_pool *pool)
{
	const struct vip_pool_report *p = vip_desired_pool(&d->desired, pool->name);
	struct publish_count total = {0}, count;
	json_t *j;

	for (size_t i = 0; i < pool->n_reals; i++) {
		if (publish_count_real(d->publish, pool->name, &pool->reals[i].address, &count) < 0)
			continue;
		total.packets += count.packets;
		total.bytes += count.bytes;
	}
	j = json_pack("{s:s, s:s, s:i, s:i, s:s, s:s, s:i, s:i, s:o, s:o}", "name", pool->name,
		      "encap", config_encap_name(pool->encap), "table_size", (int)pool->table_size,
		      "min_healthy", (int)pool->min_healthy, "state",
		      vip_pool_condition_name(p ? p->condition : VIP_POOL_EMPTY), "reason",
		      p ? p->reason : "not judged yet", "reals_up", p ? (int)p->n_up : 0,
		      "reals_total", (int)pool->n_reals, "health", doc_health(pool), "vips",
		      users_of(d, pool->name));
	json_object_update_new(
		j, json_pack("{s:o, s:o}", "gue_port",
			     pool->encap == CONFIG_ENCAP_GUE ? json_integer(pool->gue_port)
							     : json_null(),
			     "quic",
			     pool->has_quic ? json_pack("{s:i, s:i}", "server_id_length",
							(int)pool->quic.server_id_length,
							"rotation", (int)pool->quic.rotation)
					    : json_null()));
	doc_count(j, &total);
	return j;
}

/* ---- real ---- */

static json_t *doc_server_id(const struct config_pool *pool, const struct config_real *real)
{
	struct server_id id = config_server_id(pool, real);
	char text[2 * SERVER_ID_MAX + 1];

	if (!id.length)
		return json_null();
	for (size_t i = 0; i < id.length; i++)
		snprintf(text + 2 * i, 3, "%02x", id.bytes[i]);
	return json_string(text);
}

static const struct vip_real_report *report_of(struct daemon *d, const struct config_pool *pool,
					       const struct config_real *real)
{
	const struct vip_pool_report *p = vip_desired_pool(&d->desired, pool->name);

	for (size_t i = 0; p && i < p->pool->n_reals; i++) {
		if (addr_equal(&p->reals[i].real->address, &real->address))
			return &p->reals[i];
	}
	return NULL;
}

json_t *doc_next_hop(struct daemon *d, const struct config_real *real)
{
	const struct way_entry *w = daemon_find_way(d, &real->address);
	const struct neighbour_nexthop *nh = w ? neighbour_watch_nexthop(w->watch) : NULL;
	bool pinned = w && w->pin.set, resolved = w && w->resolved;
	struct neighbour_link link = {.name = ""};

	if (nh && nh->ifindex && neighbour_link_get_by_index(d->neighbour, nh->ifindex, &link) < 0)
		link.name[0] = '\0';
	return json_pack("{s:b, s:o, s:o, s:o, s:b, s:o}", "resolved", resolved, "interface",
			 doc_text(link.name), "gateway",
			 nh && !nh->on_link ? doc_addr(&nh->gateway) : json_null(), "mac",
			 !resolved ? json_null() : doc_mac(pinned ? w->pin.bytes : nh->mac),
			 "pinned", pinned, "reason",
			 nh ? doc_text(pinned && resolved ? NULL : daemon_way_reason(w))
			    : json_string("not asked yet"));
}

static json_t *doc_last_check(const struct config_pool *pool, const struct real_entry *e)
{
	struct health_snapshot s;
	bool ok, up;
	json_t *j;

	if (!e || !e->target)
		return json_null();
	health_target_snapshot(e->target, &s);
	if (s.last_check_ns == 0)
		return json_null();
	ok = s.successes > 0;
	up = s.state == HEALTH_UP;
	j = json_pack("{s:b, s:s, s:f, s:i, s:i}", "ok", ok, "text", s.last_result, "latency_ms",
		      (double)s.last_latency_ns / 1e6, "in_a_row",
		      (int)(ok ? s.successes : s.failures), "needed",
		      (int)(up ? pool->health.fall : pool->health.rise));
	doc_moment(j, "at", s.last_check_ns);
	return j;
}

static void real_reason(const struct real_entry *e, enum vip_real_state state,
			char reason[HEALTH_REASON_LEN])
{
	struct health_snapshot s = {.last_result = ""};

	if (e && e->target)
		health_target_snapshot(e->target, &s);
	if (state == VIP_REAL_DRAINING || state == VIP_REAL_DISABLED)
		snprintf(reason, HEALTH_REASON_LEN, "%s by the operator",
			 vip_real_state_name(state));
	else if (!e || !e->target)
		snprintf(reason, HEALTH_REASON_LEN, "its pool has no health check");
	else if (e->fell_ns && state == VIP_REAL_UP && s.state == HEALTH_DOWN)
		snprintf(reason, HEALTH_REASON_LEN, "held although its check says: %.200s",
			 s.last_result);
	else if (s.last_prober_error[0])
		snprintf(reason, HEALTH_REASON_LEN, "can't be checked from here: %.200s",
			 s.last_prober_error);
	else if (s.last_check_ns == 0 && state == VIP_REAL_UP)
		snprintf(reason, HEALTH_REASON_LEN,
			 "was up before the daemon's restart, not checked since");
	else
		snprintf(reason, HEALTH_REASON_LEN, "%s",
			 s.last_result[0] ? s.last_result : "not checked yet");
}

json_t *doc_real(struct daemon *d, const struct config_pool *pool, const struct config_real *real)
{
	static const char *const admin_words[] = {"enabled", "draining", "disabled"};
	const struct vip_real_report *r = report_of(d, pool, real);
	const struct real_entry *e = daemon_find_real(d, pool->name, &real->address);
	enum vip_real_state state = r ? r->state : VIP_REAL_CHECKING;
	uint32_t slots = 0, ring = 0, flows = 0, confirmed = 0;
	struct publish_count count = {0};
	char reason[HEALTH_REASON_LEN];
	json_t *j;

	if (publish_pool_slots(d->publish, pool->name, &real->address, &slots, &ring) < 0)
		slots = 0;
	if (ring == 0)
		ring = pool->table_size;
	if (publish_count_real(d->publish, pool->name, &real->address, &count) < 0)
		count = (struct publish_count){0};
	if (publish_real_flows(d->publish, pool->name, &real->address, &flows, &confirmed) < 0)
		flows = confirmed = 0;
	real_reason(e, state, reason);
	j = json_pack("{s:s, s:o, s:i, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:f, s:o, s:o}", "pool",
		      pool->name, "address", doc_addr(&real->address), "weight", (int)real->weight,
		      "encap", config_encap_name(pool->encap), "state", vip_real_state_name(state),
		      "reason", reason, "health",
		      vip_health_name(r ? r->health : VIP_HEALTH_CHECKING), "admin",
		      admin_words[r ? r->admin : VIP_INTENT_ENABLE], "slots", (int)slots,
		      "ring_slots", (int)ring, "share_percent", 100.0 * slots / ring, "next_hop",
		      doc_next_hop(d, real), "last_check", doc_last_check(pool, e));
	json_object_set_new(j, "server_id", doc_server_id(pool, real));
	json_object_set_new(j, "tracked_flows", json_integer(flows));
	json_object_set_new(j, "tracked_confirmed", json_integer(confirmed));
	doc_moment(j, "since", e ? e->since_ns : 0);
	doc_count(j, &count);
	return j;
}

json_t *doc_reals(struct daemon *d, const struct config_pool *pool)
{
	json_t *list = json_array();

	for (size_t i = 0; i < pool->n_reals; i++)
		json_array_append_new(list, doc_real(d, pool, &pool->reals[i]));
	return list;
}

/* ---- methods ---- */

int method_vip_list(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	json_t *list = json_array();

	(void)params;
	for (size_t i = 0; i < d->cfg->n_vips; i++)
		json_array_append_new(list, doc_vip(d, &d->cfg->vips[i]));
	reply->result = result_new();
	json_object_set_new(reply->result, "vips", list);
	return 0;
}

/* Each pool once, in the order of the services. */
static json_t *pools_of(struct daemon *d, const struct config_vip *vip)
{
	json_t *list = json_array();

	for (size_t i = 0; i < vip->n_services; i++) {
		const struct config_pool *pool = config_find_pool(d->cfg, vip->services[i].pool);
		bool seen = false;
		json_t *j;

		for (size_t k = 0; k < i; k++)
			seen |= strcmp(vip->services[k].pool, vip->services[i].pool) == 0;
		if (seen)
			continue;
		j = doc_pool(d, pool);
		json_object_set_new(j, "reals", doc_reals(d, pool));
		json_array_append_new(list, j);
	}
	return list;
}

int method_vip_show(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const struct config_vip *vip = need_vip(d, params, reply);

	if (!vip)
		return -1;
	reply->result = result_new();
	json_object_set_new(reply->result, "vip", doc_vip(d, vip));
	json_object_set_new(reply->result, "pools", pools_of(d, vip));
	return 0;
}

int method_pool_list(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	json_t *list = json_array();

	(void)params;
	for (size_t i = 0; i < d->cfg->n_pools; i++)
		json_array_append_new(list, doc_pool(d, &d->cfg->pools[i]));
	reply->result = result_new();
	json_object_set_new(reply->result, "pools", list);
	return 0;
}

int method_pool_show(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const struct config_pool *pool = need_pool(d, api_string(params, "name"), reply);

	if (!pool)
		return -1;
	reply->result = result_new();
	json_object_set_new(reply->result, "pool", doc_pool(d, pool));
	json_object_set_new(reply->result, "reals", doc_reals(d, pool));
	return 0;
}

int method_real_list(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const char *only = api_string(params, "pool");
	json_t *list = json_array(), *some;

	if (only && !need_pool(d, only, reply)) {
		json_decref(list);
		return -1;
	}
	for (size_t i = 0; i < d->cfg->n_pools; i++) {
		if (only && strcmp(d->cfg->pools[i].name, only) != 0)
			continue;
		some = doc_reals(d, &d->cfg->pools[i]);
		json_array_extend(list, some);
		json_decref(some);
	}
	reply->result = result_new();
	json_object_set_new(reply->result, "reals", list);
	return 0;
}
