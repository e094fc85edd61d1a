/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/explain.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/base/clock.h"
#include "dataplane/core/memory_target.h"
#include "tools/replay/decode.h"

#include "dataplane/core/forward.h"

/*
 * The core decides in one go and says only what came out. Here its steps are taken one by one, by
 * its own functions over the engine's own tables, and only asked: nothing is written, nothing
 * counted. What the engine then decides is put beside it; should both disagree, it says so.
 */

struct explain {
	struct replay *replay;
	const struct capture_packet *capture;
	struct lb_packet packet;
	bool well_formed;
	bool quotes; /* an ICMP error; flow is that of the packet it quotes */
	bool has_flow;
	struct lb_flow flow;
	bool syn;
	const struct lb_service *service; /* of the flow; NULL: none, or only the VIP's address */
	uint32_t quic_real;
	uint64_t hash;
	uint32_t slot, current, previous;
	bool tracked;
	uint64_t flow_entry, fragment_entry; /* 0: none */
};

/* ---- looking ---- */

static void look_at_slot(struct explain *x, const struct lb_target *t)
{
	const struct lb_tables *tables = t->tables;
	const uint32_t bucket = lb_flow_bucket(x->hash, tables->node->flow_buckets);
	struct lb_bucket *b = lb_table_flow(t, bucket);
	const struct lb_service *s = x->service;
	__u64 entry = 0;
	uint32_t word;

	x->slot = lb_hash_slot(s->flags & LB_SERVICE_HASH ? lb_hash_masked(t, &x->flow, s->hash)
							  : x->hash,
			       s->ring_slots);
	word = lb_slot_word(t, s->ring_start + x->slot);
	x->current = word & LB_SLOT_REAL_MASK;
	x->tracked = word & LB_SLOT_TRACKED;
	x->previous = lb_slot_previous(t, s->ring_start + x->slot);
	if (b && lb_bucket_find(b, x->hash, &entry))
		x->flow_entry = entry;
}

static void look_at_flow(struct explain *x, const struct lb_target *t, const void *data,
			 const void *end)
{
	const uint32_t id = lb_service_find(t, &x->flow);
	const struct lb_service *service = lb_table_service(t, id);

	x->has_flow = true;
	if (id == LB_SERVICE_NONE || !service || service->flags & LB_SERVICE_ADDRESS)
		return;
	x->service = service;
	x->hash = lb_hash_flow(t->tables->node, &x->flow);
	if (service->flags & LB_SERVICE_QUIC && !x->quotes)
		x->quic_real = lb_quic_real(t, data, end, &x->packet, service);
	if (service->ring_slots)
		look_at_slot(x, t);
}

static void look_at_fragment(struct explain *x, const struct lb_target *t)
{
	const struct lb_node *node = t->tables->node;
	const uint64_t hash = lb_fragment_hash(node, &x->packet);
	struct lb_bucket *b = lb_table_fragment(t, lb_flow_bucket(hash, node->fragment_buckets));
	__u64 entry = 0;

	if (b && lb_bucket_find(b, hash, &entry))
		x->fragment_entry = entry;
}

static void look_at_packet(struct explain *x, const struct lb_target *t, const void *data,
			   const void *end)
{
	struct lb_packet *p = &x->packet, quote = {};
	const struct lb_udp *l4 = lb_at(data, end, p->l4, sizeof(*l4));
	const struct lb_tcp *tcp = lb_at(data, end, p->l4, sizeof(*tcp));
	const bool transport =
		p->flow.protocol == LB_IPPROTO_TCP || p->flow.protocol == LB_IPPROTO_UDP;

	if (p->fragment == LB_FRAGMENT_LATER) {
		look_at_fragment(x, t);
	} else if (transport && l4) {
		p->flow.ports = lb_ports(l4);
		x->syn = p->flow.protocol == LB_IPPROTO_TCP && tcp &&
			 (tcp->flags & (LB_TCP_SYN | LB_TCP_ACK)) == LB_TCP_SYN;
		x->flow = p->flow;
		look_at_flow(x, t, data, end);
	} else if (l4 && p->l4_length >= sizeof(*l4) &&
		   p->flow.protocol ==
			   (p->flow.family == 4 ? LB_IPPROTO_ICMP : LB_IPPROTO_ICMPV6) &&
		   lb_icmp_is_error(p->flow.family, *(const uint8_t *)l4) &&
		   lb_parse_quote(data, end, p, &quote) == LB_REASON_forwarded) {
		x->quotes = true;
		x->flow = quote.flow;
		look_at_flow(x, t, data, end);
	}
}

int explain_new(struct replay *r, const struct capture_packet *packet, struct explain **ret_explain,
		struct err *err)
{
	const struct lb_moment moment = {.now_ns = packet->time_ns, .question = 1};
	const struct lb_tables *tables = replay_tables(r);
	struct explain *x = calloc(1, sizeof(*x));
	const uint8_t *end = packet->frame + packet->len;
	struct lb_decision decision = {0};
	struct lb_target t;

	if (!x)
		return err_set(err, -ENOMEM, "out of memory");
	x->replay = r;
	x->capture = packet;
	replay_pass_time(r, packet->time_ns);
	t = lb_memory_target(tables, 0, (uint32_t)packet->len, &moment);
	x->well_formed =
		lb_parse(&t, packet->frame, end, &x->packet, &decision) == LB_REASON_forwarded;
	if (x->well_formed)
		look_at_packet(x, &t, packet->frame, end);
	*ret_explain = x;
	return 0;
}

void explain_free(struct explain *x)
{
	free(x);
}

/* ---- telling ---- */

static void row(FILE *out, const char *label, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void row(FILE *out, const char *label, const char *fmt, ...)
{
	va_list args;

	fprintf(out, "  %-14s ", label);
	va_start(args, fmt);
	vfprintf(out, fmt, args);
	va_end(args);
	putc('\n', out);
}

#define REAL_STRLEN (ADDR_STRLEN + 16)

static bool real_alive(const struct explain *x, uint32_t id)
{
	const struct lb_tables *t = replay_tables(x->replay);

	return id && id < t->dims.reals &&
	       !(lb_nexthop_iface(t->reals[id].nexthop) & LB_NEXTHOP_DEAD);
}

/* "10.0.0.1", "10.0.0.1 (failed)" or "no real". */
static const char *real_text(const struct explain *x, uint32_t id, char text[REAL_STRLEN])
{
	struct addr addr;

	replay_real_addr(x->replay, id, &addr);
	if (!addr.family)
		return "no real";
	addr_format(&addr, text);
	if (!real_alive(x, id))
		strcat(text, " (failed)");
	return text;
}

static void flow_text(const struct lb_flow *f, char text[2 * ADDR_STRLEN + 8])
{
	struct addr src = {.family = f->family}, dst = {.family = f->family};
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	memcpy(src.bytes, f->src, f->family == 4 ? 4 : 16);
	memcpy(dst.bytes, f->dst, f->family == 4 ? 4 : 16);
	snprintf(text, 2 * ADDR_STRLEN + 8, "%s %s %s",
		 f->protocol == LB_IPPROTO_TCP ? "tcp" : "udp",
		 addr_port_format(&src, ntohs((uint16_t)(f->ports >> 16)), a),
		 addr_port_format(&dst, ntohs((uint16_t)f->ports), b));
}

static void tell_service(const struct explain *x, const struct replay_verdict *v, FILE *out)
{
	const char *pool = replay_pool_of(x->replay, v->trace.service);
	char flow[2 * ADDR_STRLEN + 8];

	if (x->has_flow) {
		flow_text(&x->flow, flow);
		row(out, x->quotes ? "flow it quotes" : "flow", "%s", flow);
	}
	if (!v->vip)
		row(out, "service", "none");
	else if (!x->service || !pool)
		row(out, "service", "none of its own; the address is VIP %s", v->vip);
	else
		row(out, "service", "of VIP %s, pool %s%s%s%s", v->vip, pool,
		    x->service->flags & LB_SERVICE_QUIC ? ", routes QUIC" : "",
		    x->service->flags & LB_SERVICE_DENY ? ", denies sources" : "",
		    x->service->flags & LB_SERVICE_LIMIT_SYN ? ", limits SYNs" : "");
}

static const char *hash_of(const struct lb_service *service)
{
	if (service->flags & LB_SERVICE_HASH && service->hash == LB_HASH_SOURCE)
		return "the source address";
	if (service->flags & LB_SERVICE_HASH && service->hash == LB_HASH_SOURCE_DESTINATION)
		return "both addresses";
	if (service->flags & LB_SERVICE_HASH && service->hash == LB_HASH_DESTINATION_PORT)
		return "the destination port";
	return "addresses, ports and protocol";
}

/* What the flow table has to say where the slot is tracked, by the rules of core/track.h. */
static void tell_tracked(const struct explain *x, FILE *out)
{
	const uint32_t remembered = lb_flow_real(x->flow_entry);
	char text[REAL_STRLEN];

	if (x->syn)
		row(out, "flow table", "a SYN begins anew and takes the slot's current real%s",
		    x->flow_entry ? "; what was remembered of the flow is forgotten" : "");
	else if (x->flow_entry && real_alive(x, remembered))
		row(out, "flow table", "hit, %s: the flow stays with %s",
		    x->flow_entry & LB_FLOW_CONFIRMED ? "confirmed" : "not confirmed until now",
		    real_text(x, remembered, text));
	else if (x->flow_entry)
		row(out, "flow table", "hit, but its real failed: %s",
		    real_text(x, remembered, text));
	else
		row(out, "flow table", "miss: %s",
		    real_alive(x, x->previous)
			    ? "the flow is older than the change, so the previous real has it"
			    : "the previous real failed, so the current one takes the flow");
}

static void tell_slot(const struct explain *x, FILE *out)
{
	char text[REAL_STRLEN];

	row(out, "hash", "0x%016" PRIx64 " of the flow; the slot goes by %s", x->hash,
	    hash_of(x->service));
	if (!x->service->ring_slots) {
		row(out, "slot", "none: the pool has no real to send to");
		return;
	}
	row(out, "slot", "%u of %u, %s", x->slot, x->service->ring_slots,
	    x->tracked ? "tracked: its real changed" : "not tracked: its real hasn't changed");
	row(out, "current real", "%s", real_text(x, x->current, text));
	if (!x->tracked) {
		row(out, "flow table", "not asked: the slot is not tracked");
		return;
	}
	row(out, "previous real", "%s%s", real_text(x, x->previous, text),
	    x->previous == x->current ? ": the slot has settled" : "");
	tell_tracked(x, out);
}

static void tell_fragment(const struct explain *x, FILE *out)
{
	char text[REAL_STRLEN];

	if (x->fragment_entry)
		row(out, "fragments", "the first one was seen %u seconds ago and went to %s",
		    (replay_tables(x->replay)->node->fragment_stamp -
		     lb_flow_stamp(x->fragment_entry)) &
			    0xff,
		    real_text(x, lb_flow_real(x->fragment_entry), text));
	else
		row(out, "fragments", "the first one hasn't been seen, and only it has the ports");
}

/* The way to the real, as far as the packet came. */
static void tell_real(const struct explain *x, const struct replay_verdict *v, FILE *out)
{
	static const char *const encaps[] = {
		[LB_ENCAP_IPIP] = "IP in IP",
		[LB_ENCAP_L2DSR] = "L2 DSR",
		[LB_ENCAP_GUE] = "GUE",
	};
	const struct lb_tables *t = replay_tables(x->replay);
	const struct lb_real *real;
	const struct lb_iface *iface;
	char text[REAL_STRLEN];
	uint8_t to[8];

	if (!v->trace.real || v->trace.real >= t->dims.reals)
		return;
	real = &t->reals[v->trace.real];
	iface = &t->node->ifaces[lb_nexthop_iface(real->nexthop) % LB_IFACES_MAX];
	memcpy(to, &real->nexthop, sizeof(to));
	row(out, "real", "%s", real_text(x, v->trace.real, text));
	if (!lb_nexthop_iface(real->nexthop))
		row(out, "next hop", "not known yet");
	else
		row(out, "next hop",
		    "%02x:%02x:%02x:%02x:%02x:%02x from %02x:%02x:%02x:%02x:%02x:%02x by interface"
		    " %u",
		    to[0], to[1], to[2], to[3], to[4], to[5], iface->mac[0], iface->mac[1],
		    iface->mac[2], iface->mac[3], iface->mac[4], iface->mac[5], iface->ifindex);
	if (real->grow_bytes)
		row(out, "outer header", "%s, %u bytes of IPv%u%s",
		    real->encap <= LB_ENCAP_GUE ? encaps[real->encap] : "?", real->grow_bytes,
		    real->family, real->encap == LB_ENCAP_GUE ? " and UDP" : "");
	else
		row(out, "outer header", "none: L2 DSR changes the MAC addresses only");
}

/* The engine's decision and the steps above must be the same. */
static void tell_disagreement(const struct explain *x, const struct replay_verdict *v, FILE *out)
{
	if (!x->service || x->quic_real || !v->trace.real || v->trace.slot == x->slot)
		return;
	row(out, "note",
	    "the %s engine took slot %u, not the one above: a bug, please report it with this"
	    " capture",
	    replay_engine_of(x->replay), v->trace.slot);
}

static void tell_decision(const struct explain *x, const struct replay_verdict *v, FILE *out)
{
	const bool met_slot = v->trace.real || v->reason == LB_REASON_no_real;
	char text[REAL_STRLEN];

	if (x->well_formed)
		tell_service(x, v, out);
	if (x->packet.fragment == LB_FRAGMENT_LATER && v->vip)
		tell_fragment(x, out);
	if (x->quic_real)
		row(out, "connection id", "names %s", real_text(x, x->quic_real, text));
	else if (x->service && x->service->flags & LB_SERVICE_QUIC && met_slot)
		row(out, "connection id", "names no real that is alive: the hash decides");
	if (x->service && met_slot && !x->quic_real)
		tell_slot(x, out);
	tell_real(x, v, out);
	tell_disagreement(x, v, out);
	row(out, "verdict", "%s", publish_verdict_name(v->verdict));
	row(out, "reason", "%s: %s", publish_reason_name(v->reason),
	    publish_reason_help(v->reason));
}

uint16_t explain_gue_port(struct replay *r, uint32_t real)
{
	const struct lb_tables *t = replay_tables(r);

	if (!real || real >= t->dims.reals || t->reals[real].encap != LB_ENCAP_GUE)
		return 0;
	return ntohs(t->reals[real].gue_port);
}

static void tell_time(uint64_t time_ns, FILE *out)
{
	const time_t seconds = (time_t)(time_ns / NS_PER_S);
	char text[32] = "?";
	struct tm tm;

	if (gmtime_r(&seconds, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(out, "%s.%09u UTC", text, (unsigned)(time_ns % NS_PER_S));
}

void explain_print(const struct explain *x, const struct replay_verdict *verdict, FILE *out)
{
	const struct capture_packet *packet = x->capture;

	fprintf(out, "packet %" PRIu64 ", %zu bytes, ", packet->index, packet->len);
	tell_time(packet->time_ns, out);
	if (packet->len < packet->wire_len)
		fprintf(out, ", cut from %zu by the capture", packet->wire_len);
	fputs("\n\ncame in\n", out);
	decode_print(out, "  ", packet->frame, packet->len, 0);
	fprintf(out, "\ndecided by the %s engine\n", replay_engine_of(x->replay));
	tell_decision(x, verdict, out);
	if (!verdict->frame.bytes)
		return;
	fprintf(out, "\nleft, %zu bytes\n", verdict->frame.len);
	decode_print(out, "  ", verdict->frame.bytes, verdict->frame.len,
		     explain_gue_port(x->replay, verdict->trace.real));
}
