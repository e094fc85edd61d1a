/* SPDX-License-Identifier: BSD-2-Clause */
/* What happens to a flow, as the attached program itself says. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/methods.h"

/* What the answer's numbers stand for. */
struct explained {
	struct probe_flow flow;
	struct forwarder_answer answer;
	const struct config_vip *vip;         /* NULL: not a VIP's service */
	const struct config_service *service; /* with vip */
	const struct config_pool *pool;       /* with service */
	const struct config_real *real;       /* NULL: no real */
	uint32_t ring_slots;
};

static void step(json_t *list, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void step(json_t *list, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(list, json_string(text));
}

static int parse_endpoint(const json_t *params, const char *name, struct addr *ret_addr,
			  uint16_t *ret_port, struct api_reply *reply)
{
	const char *text = api_string(params, name);

	if (addr_port_parse(text, ret_addr, ret_port) == 0)
		return 0;
	api_bad_param(reply, API_INVALID_VALUE, name, "'%.100s' is not ADDRESS:PORT", text);
	return api_hint(reply, "write 192.0.2.1:40000 or [2001:db8::1]:40000");
}

static int parse_flow(const json_t *params, struct probe_flow *ret, struct api_reply *reply)
{
	struct probe_flow flow = {0};
	enum config_protocol protocol;
	struct err err;

	if (config_protocol_parse(api_string(params, "protocol"), &protocol, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "protocol", "%s", err.text);
	flow.protocol = (uint8_t)protocol;
	if (parse_endpoint(params, "source", &flow.source, &flow.source_port, reply) < 0 ||
	    parse_endpoint(params, "destination", &flow.destination, &flow.destination_port,
			   reply) < 0)
		return -1;
	if (flow.source.family != flow.destination.family)
		return api_bad_param(reply, API_INVALID_VALUE, "source",
				     "source and destination must both be IPv4 or both be IPv6");
	*ret = flow;
	return 0;
}

/* From the numbers of the trace to the objects of the running configuration. A pool or VIP that is
 * draining away is no longer in it: then the names stay unknown. */
static void resolve(struct daemon *d, struct explained *x)
{
	const struct forwarder_answer *a = &x->answer;
	const char *vip = a->service ? publish_service_vip(d->publish, a->service) : NULL;
	const char *pool = a->service ? publish_service_pool(d->publish, a->service) : NULL;
	struct addr real = {0};
	uint32_t slots;

	x->vip = vip ? config_find_vip(d->cfg, vip) : NULL;
	x->pool = pool ? config_find_pool(d->cfg, pool) : NULL;
	if (x->vip) {
		enum config_protocol protocol = (enum config_protocol)x->flow.protocol;

		x->service = config_service_at(x->vip, protocol, x->flow.destination_port);
	}
	if (a->real)
		publish_real_addr(d->publish, a->real, &real);
	if (x->pool && real.family)
		x->real = config_find_real(x->pool, &real);
	if (x->real &&
	    publish_pool_slots(d->publish, x->pool->name, &real, &slots, &x->ring_slots) < 0)
		x->ring_slots = 0;
}

static void step_lookup(const struct explained *x, json_t *steps)
{
	char dst[ADDR_STRLEN], port[PORTS_STRLEN];

	addr_format(&x->flow.destination, dst);
	if (!x->vip || !x->service) {
		step(steps, "%s %s/%u is no service of this node", dst,
		     config_protocol_name((enum config_protocol)x->flow.protocol),
		     x->flow.destination_port);
		return;
	}
	ports_format(x->service->ports, port);
	step(steps, "%s %s/%u is service %s/%s of VIP %s, pool %s", dst,
	     config_protocol_name((enum config_protocol)x->flow.protocol), x->flow.destination_port,
	     config_protocol_name(x->service->protocol), port, x->vip->name, x->service->pool);
}

static void step_real(struct daemon *d, const struct explained *x, json_t *steps)
{
	const struct real_entry *e;
	char addr[ADDR_STRLEN];

	if (!x->real)
		return;
	e = daemon_find_real(d, x->pool->name, &x->real->address);
	step(steps, "slot %u of %u leads to real %s (%s)", x->answer.slot, x->ring_slots,
	     addr_format(&x->real->address, addr), e ? vip_real_state_name(e->state) : "unknown");
}

static void step_end(struct daemon *d, const struct explained *x, json_t *steps)
{
	const struct way_entry *w = x->real ? daemon_find_way(d, &x->real->address) : NULL;
	const struct neighbour_nexthop *nh = w ? neighbour_watch_nexthop(w->watch) : NULL;
	struct neighbour_link link = {.name = "?"};
	char from[ADDR_STRLEN], to[ADDR_STRLEN];

	if (x->answer.verdict != LB_FORWARD || !nh) {
		step(steps, "%s: %s", publish_verdict_name(x->answer.verdict),
		     publish_reason_help(x->answer.reason));
		return;
	}
	if (neighbour_link_get_by_index(d->neighbour, nh->ifindex, &link) < 0)
		snprintf(link.name, sizeof(link.name), "?");
	if (x->pool->encap == CONFIG_ENCAP_L2DSR)
		step(steps, "sent unchanged by %s to the real's MAC address", link.name);
	else
		step(steps, "sent in %s from %s to %s by %s",
		     x->pool->encap == CONFIG_ENCAP_GUE ? "GUE" : "IPIP",
		     addr_format(&x->answer.source, from), addr_format(&x->answer.destination, to),
		     link.name);
}

static json_t *warnings_of(struct daemon *d, const struct explained *x)
{
	json_t *list = json_array();

	if (x->vip && !vip_state_announced(&d->loaded, &x->vip->address)) {
		const struct vip_entry *v = daemon_find_vip(d, x->vip->name);

		step(list, "VIP %s is not announced, routers send it no packets: %s", x->vip->name,
		     v && v->reason[0] ? v->reason : "not judged yet");
	}
	return list;
}

int method_explain(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct explained x = {0};
	bool tunnelled, sent;
	struct err err;
	json_t *steps;

	if (parse_flow(params, &x.flow, reply) < 0)
		return -1;
	if (forwarder_ask(d->forwarder, &x.flow, &x.answer, &err) < 0)
		return api_fail(reply, API_FAILED, "%s", err.text);
	resolve(d, &x);
	steps = json_array();
	step_lookup(&x, steps);
	step_real(d, &x, steps);
	step_end(d, &x, steps);
	sent = x.answer.verdict == LB_FORWARD;
	tunnelled = sent && x.pool && x.pool->encap != CONFIG_ENCAP_L2DSR;
	reply->result = json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:s, s:s}", "schema_version", API_SCHEMA_VERSION,
		"protocol", api_string(params, "protocol"), "source", api_string(params, "source"),
		"destination", api_string(params, "destination"), "verdict",
		publish_verdict_name(x.answer.verdict), "reason",
		publish_reason_name(x.answer.reason), "help", publish_reason_help(x.answer.reason));
	json_object_update_new(
		reply->result,
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "vip",
			  doc_text(x.vip ? x.vip->name : NULL), "service",
			  x.service ? json_pack("{s:s, s:i, s:i}", "protocol",
						config_protocol_name(x.service->protocol), "port",
						(int)x.service->ports.first, "port_last",
						(int)x.service->ports.last)
				    : json_null(),
			  "pool", doc_text(x.pool ? x.pool->name : NULL), "slot",
			  x.real ? json_integer(x.answer.slot) : json_null(), "real",
			  x.real ? doc_addr(&x.real->address) : json_null(), "encap",
			  doc_text(x.real ? config_encap_name(x.pool->encap) : NULL),
			  "outer_source", tunnelled ? doc_addr(&x.answer.source) : json_null(),
			  "outer_destination",
			  tunnelled ? doc_addr(&x.answer.destination) : json_null(), "next_hop",
			  x.real ? doc_next_hop(d, x.real) : json_null(), "steps", steps,
			  "warnings", warnings_of(d, &x)));
	return 0;
}
