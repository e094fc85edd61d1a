/* SPDX-License-Identifier: BSD-2-Clause */

/* One neighbour: carries out what its state machine decides, and keeps it told of what we offer. */

#include "controlplane/bgp/speaker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/bgp/sock.h"

static const struct {
	uint8_t family;
	uint32_t capability;
	const char *name;
} families[2] = {
	{4, BGP_CAP_IPV4_UNICAST, "IPv4"},
	{6, BGP_CAP_IPV6_UNICAST, "IPv6"},
};

static void on_timer(uv_timer_t *timer)
{
	static const struct fsm_event ev = {.kind = FSM_EV_TIMER};
	struct peer *p = timer->data;
	uint64_t now = clock_now_ns();

	/* If the loop stood still, what the peer said in time waits unread. */
	for (int i = 0; i < FSM_N_LINKS; i++) {
		const struct fsm_conn *fc = &p->fsm.conn[i];

		if (p->conn[i] && fc->state >= FSM_LINK_OPEN_SENT && fc->deadline_ns &&
		    now >= fc->deadline_ns)
			conn_read(p->conn[i]);
	}
	peer_step(p, &ev);
}

static void rearm(struct peer *p)
{
	uint64_t at = fsm_deadline(&p->fsm), now = clock_now_ns(), wait_ms;

	if (at == UINT64_MAX) {
		uv_timer_stop(&p->timer);
		return;
	}
	wait_ms = at > now ? (at - now + NS_PER_MS - 1) / NS_PER_MS : 0;
	uv_update_time(p->sp->loop);
	(void)uv_timer_start(&p->timer, on_timer, wait_ms, 0); /* Fails only when closing. */
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct peer *p = handle->data;
	struct bgp_speaker *sp = p->sp;

	rib_out_fini(&p->out);
	free(p);
	speaker_handle_closed(sp);
}

struct peer *peer_new(struct bgp_speaker *sp, const struct bgp_neighbor *config)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->sp = sp;
	p->config = *config;
	p->accepted_fd = -1;
	rib_out_init(&p->out);
	(void)uv_timer_init(sp->loop, &p->timer); /* Always 0. */
	p->timer.data = p;
	speaker_handle_opened(sp);
	return p;
}

void peer_free(struct peer *p)
{
	for (int i = 0; i < FSM_N_LINKS; i++) {
		if (p->conn[i])
			conn_close(p->conn[i]);
	}
	uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}

static void note_error(struct peer *p, const char *text)
{
	p->last_error_ns = clock_now_ns();
	snprintf(p->last_error, sizeof(p->last_error), "%s", text);
}

static void notice(struct peer *p, enum peer_notice kind, const char *text)
{
	if (strcmp(text, p->told[kind]) == 0)
		return;
	snprintf(p->told[kind], sizeof(p->told[kind]), "%s", text);
	if (p->sp->events.notice)
		p->sp->events.notice(p->sp->arg, &p->config.address, text);
}

static const struct addr *configured_next_hop(const struct peer *p, uint8_t family)
{
	return family == 4 ? &p->config.next_hop_ipv4 : &p->config.next_hop_ipv6;
}

/* Decide for one family whether and with which next hop this session carries it. */
static bool refresh_family(struct peer *p, unsigned i, const struct fsm_conn *fc,
			   const struct conn *c)
{
	const struct addr *fixed = configured_next_hop(p, families[i].family);
	struct rib_family how = {0};
	struct err err = {{0}};

	if (!(fc->capabilities & families[i].capability)) {
		err_set(&err, 0,
			"the peer didn't offer %s unicast: enable that address family for this node "
			"on the peer",
			families[i].name);
	} else if (fixed->family) {
		how = (struct rib_family){.sendable = true, .next_hop = *fixed};
	} else if (bgp_next_hop(&c->local, families[i].family, &how.next_hop, &err) == 0) {
		how.sendable = true;
		err.text[0] = '\0';
	}
	memcpy(p->unsendable[i], err.text, sizeof(p->unsendable[i]));
	return rib_out_set_family(&p->out, families[i].family, &how);
}

static void explain_unsendable(struct peer *p)
{
	struct rib_counts counts;
	char text[1024];

	rib_out_count(&p->out, &p->sp->rib, &counts);
	for (unsigned i = 0; i < 2; i++) {
		if (!counts.unsendable[i])
			continue;
		snprintf(text, sizeof(text), "%s prefixes aren't announced to this peer: %.900s",
			 families[i].name, p->unsendable[i]);
		notice(p, i ? PEER_NOTICE_IPV6 : PEER_NOTICE_IPV4, text);
	}
}

static struct conn *established(struct peer *p)
{
	for (int i = 0; i < FSM_N_LINKS; i++) {
		if (p->conn[i] && p->fsm.conn[i].state == FSM_LINK_ESTABLISHED)
			return p->conn[i];
	}
	return NULL;
}

static void send_message(struct peer *p, struct conn *c, const uint8_t *msg, size_t len)
{
	p->messages_out++;
	conn_send(c, msg, len);
}

static void fill(struct peer *p)
{
	const struct fsm_conn *fc = fsm_established(&p->fsm);
	struct rib_session session = {.ibgp = p->config.asn == p->sp->asn, .asn = p->sp->asn};
	struct conn *c = established(p);
	struct bgp_update_builder b;
	int len;

	if (!c)
		return;
	session.as4 = fc->capabilities & BGP_CAP_FOUR_OCTET_AS;
	while (conn_room(c) >= BGP_MESSAGE_MAX + CONN_TX_RESERVE) {
		len = rib_out_next(&p->out, &p->sp->rib, &session, &b);
		if (len < 0)
			notice(p, PEER_NOTICE_MEMORY,
			       "out of memory while announcing; trying again at the next keepalive");
		if (len <= 0)
			break;
		p->updates_out++;
		send_message(p, c, b.buf, (size_t)len);
	}
	explain_unsendable(p);
}

/* Addresses come and go, so this is asked again at every keepalive. */
static void refresh_families(struct peer *p)
{
	struct conn *c = established(p);
	bool changed = false;

	if (!c)
		return;
	for (unsigned i = 0; i < 2; i++)
		changed |= refresh_family(p, i, fsm_established(&p->fsm), c);
	if (changed)
		fill(p);
}

static void do_connect(struct peer *p, struct err *err)
{
	int fd;

	if (bgp_sock_connect(&p->config, &fd, err))
		return;
	p->conn[FSM_OUT] = conn_new(p, FSM_OUT, fd, true, err);
}

static void do_accept(struct peer *p, struct err *err)
{
	int fd = p->accepted_fd;

	p->accepted_fd = -1;
	if (bgp_sock_accepted(fd, &p->config, err)) {
		close(fd);
		return;
	}
	p->conn[FSM_IN] = conn_new(p, FSM_IN, fd, false, err);
}

static void send_open(struct peer *p, struct conn *c)
{
	struct bgp_open open = {
		.asn = p->sp->asn,
		.router_id = p->sp->router_id,
		.hold_time_s = p->fsm.config.hold_time_s,
		.capabilities = BGP_CAP_IPV4_UNICAST | BGP_CAP_IPV6_UNICAST |
				BGP_CAP_FOUR_OCTET_AS | BGP_CAP_ROUTE_REFRESH,
	};
	uint8_t msg[BGP_MESSAGE_MAX];

	send_message(p, c, msg, bgp_encode_open(&open, msg));
}

static void send_keepalive(struct peer *p, struct conn *c)
{
	uint8_t msg[BGP_MESSAGE_MAX];

	send_message(p, c, msg, bgp_encode_keepalive(msg));
	refresh_families(p);
	fill(p);
}

static void do_notify(struct peer *p, struct conn *c, const struct bgp_error *e)
{
	uint8_t msg[BGP_MESSAGE_MAX];

	p->notifications_out++;
	send_message(p, c, msg, bgp_encode_notification(e, msg));
	conn_linger(c);
}

static void do_up(struct peer *p)
{
	p->times_connected++;
	memset(p->told, 0, sizeof(p->told));
	rib_out_reset(&p->out);
	refresh_families(p);
	fill(p);
}

static void act(struct peer *p, const struct fsm_action *a, const struct fsm_output *out,
		struct err *err)
{
	struct conn *c = p->conn[a->link];

	switch (a->kind) {
	case FSM_DO_CONNECT:
		do_connect(p, err);
		return;
	case FSM_DO_ACCEPT:
		do_accept(p, err);
		return;
	case FSM_DO_REFUSE:
		close(p->accepted_fd);
		p->accepted_fd = -1;
		return;
	case FSM_DO_DOWN:
		rib_out_reset(&p->out);
		return;
	case FSM_DO_UP:
		do_up(p);
		return;
	default:
		break;
	}
	if (!c)
		return; /* It couldn't be made; the state machine hears of it next. */
	if (a->kind == FSM_DO_SEND_OPEN)
		send_open(p, c);
	else if (a->kind == FSM_DO_SEND_KEEPALIVE)
		send_keepalive(p, c);
	else if (a->kind == FSM_DO_NOTIFY)
		do_notify(p, c, &out->error);
	else if (a->kind == FSM_DO_CLOSE)
		conn_close(c);
}

/* Tell the state machine whether the peer reads what we send (RFC 9687). */
static void watch_sending(struct peer *p)
{
	struct fsm_output out;

	for (int i = 0; i < FSM_N_LINKS; i++) {
		struct fsm_event ev = {.link = (enum fsm_link)i};
		struct conn *c = p->conn[i];

		if (!c || c->connecting)
			continue;
		if (c->tx_progress) {
			c->tx_progress = false;
			ev.kind = FSM_EV_SEND_CLEAR;
			fsm_step(&p->fsm, &ev, clock_now_ns(), &out);
		}
		if (c->tx_len) {
			ev.kind = FSM_EV_SEND_BLOCKED;
			fsm_step(&p->fsm, &ev, clock_now_ns(), &out);
		}
	}
}

void peer_flush(struct peer *p)
{
	fill(p);
	watch_sending(p);
	rearm(p);
}

static void report(struct peer *p, enum bgp_state before, const struct fsm_output *out)
{
	enum bgp_state after = fsm_state(&p->fsm);
	const struct bgp_events *events = &p->sp->events;

	if (out->failure)
		note_error(p, out->reason);
	if (before != after && events->peer_state)
		events->peer_state(p->sp->arg, &p->config.address, before, after, out->reason);
	if (out->failure && before != BGP_STATE_ESTABLISHED)
		notice(p, PEER_NOTICE_SESSION, out->reason);
}

void peer_step(struct peer *p, const struct fsm_event *ev)
{
	enum bgp_state before = fsm_state(&p->fsm);
	struct err err = {{0}};
	struct fsm_output out;

	fsm_step(&p->fsm, ev, clock_now_ns(), &out);
	for (unsigned i = 0; i < out.n; i++)
		act(p, &out.actions[i], &out, &err);
	watch_sending(p);
	report(p, before, &out);
	if (err.text[0]) {
		struct fsm_event failed = {.kind = FSM_EV_CONNECT_FAILED, .text = err.text};

		failed.link = ev->kind == FSM_EV_ACCEPTED ? FSM_IN : FSM_OUT;
		peer_step(p, &failed);
		return;
	}
	rearm(p);
}

static void notice_tolerated(struct peer *p, const struct bgp_update_summary *summary)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "the peer sent a malformed UPDATE (%s); the session goes on (RFC 7606)",
		 summary->detail);
	notice(p, PEER_NOTICE_UPDATE, text);
}

void peer_message(struct peer *p, struct conn *c, uint8_t type, const uint8_t *msg, size_t len)
{
	struct fsm_conn *fc = &p->fsm.conn[c->link];
	struct fsm_event ev = {
		.kind = FSM_EV_MESSAGE, .link = c->link, .type = (enum bgp_msg_type)type};
	struct bgp_update_summary summary = {0};
	struct bgp_error error;
	struct bgp_open open;
	uint8_t family = 0;
	int ret = 0;

	p->messages_in++;
	ev.error = &error;
	ev.open = &open;
	if (type == BGP_MSG_OPEN) {
		ret = bgp_decode_open(msg, len, &open, &error);
		if (!ret) {
			p->remote_id = open.router_id;
			p->remote_capabilities = open.capabilities;
		}
	} else if (type == BGP_MSG_NOTIFICATION) {
		p->notifications_in++;
		bgp_decode_notification(msg, len, &error);
	} else if (type == BGP_MSG_ROUTE_REFRESH) {
		ret = bgp_decode_route_refresh(msg, len, &family, &error);
	} else if (type == BGP_MSG_UPDATE && fc->state == FSM_LINK_ESTABLISHED) {
		p->updates_in++;
		ret = bgp_decode_update(msg, len, fc->capabilities & BGP_CAP_FOUR_OCTET_AS,
					p->config.asn == p->sp->asn, &summary, &error);
	}
	if (ret) {
		peer_bad_message(p, c, &error);
		return;
	}
	if (summary.tolerated)
		notice_tolerated(p, &summary);
	peer_step(p, &ev);
	if (family && established(p)) {
		rib_out_refresh(&p->out, family);
		fill(p);
	}
}

void peer_bad_message(struct peer *p, struct conn *c, const struct bgp_error *e)
{
	struct fsm_event ev = {.kind = FSM_EV_BAD_MESSAGE, .link = c->link, .error = e};

	peer_step(p, &ev);
}

void peer_accept(struct peer *p, int fd)
{
	static const struct fsm_event ev = {.kind = FSM_EV_ACCEPTED, .link = FSM_IN};

	p->accepted_fd = fd;
	peer_step(p, &ev);
}

void peer_start(struct peer *p, const struct bgp_neighbor *config)
{
	static const struct fsm_event ev = {.kind = FSM_EV_START};
	struct fsm_config fc = {
		.local_asn = p->sp->asn,
		.remote_asn = config->asn,
		.local_id = p->sp->router_id,
		.hold_time_s = (uint16_t)(config->hold_time_ms / 1000),
		.passive = config->passive,
	};

	p->config = *config;
	fsm_init(&p->fsm, &fc, speaker_random());
	peer_step(p, &ev);
}

void peer_stop(struct peer *p, uint8_t cease_subcode, const char *message)
{
	struct fsm_event ev = {.kind = FSM_EV_STOP};
	struct bgp_error e;

	bgp_error_set_shutdown(&e, cease_subcode, message);
	ev.error = &e;
	peer_step(p, &ev);
}

void peer_update_next_hops(struct peer *p, const struct bgp_neighbor *config)
{
	p->config = *config;
	refresh_families(p);
}

static void snapshot_unsendable(const struct peer *p, const struct rib_counts *counts,
				struct bgp_peer_snapshot *ret)
{
	size_t n = 0;

	ret->prefixes_unsendable = counts->unsendable[0] + counts->unsendable[1];
	for (unsigned i = 0; i < 2; i++) {
		if (!counts->unsendable[i] || n >= sizeof(ret->unsendable_reason))
			continue;
		n += (size_t)snprintf(ret->unsendable_reason + n,
				      sizeof(ret->unsendable_reason) - n, "%s%s: %.240s",
				      n ? "; " : "", families[i].name, p->unsendable[i]);
	}
}

static void snapshot_session(const struct peer *p, uint64_t now_ns, struct bgp_peer_snapshot *ret)
{
	const struct fsm_conn *fc = fsm_established(&p->fsm);
	const struct conn *c = fc ? p->conn[fc - p->fsm.conn] : NULL;
	struct rib_counts counts;

	if (!fc || !c)
		return;
	ret->uptime_ns = now_ns - p->fsm.established_ns;
	ret->local_address = c->local;
	ret->hold_time_ms = fc->hold_time_s * 1000u;
	ret->keepalive_ms = fc->hold_time_s * 1000u / 3;
	ret->capabilities = fc->capabilities;
	rib_out_count(&p->out, &p->sp->rib, &counts);
	ret->prefixes_announced = counts.announced;
	ret->prefixes_pending = counts.pending;
	snapshot_unsendable(p, &counts, ret);
}

void peer_snapshot(const struct peer *p, uint64_t now_ns, struct bgp_peer_snapshot *ret)
{
	*ret = (struct bgp_peer_snapshot){
		.address = p->config.address,
		.asn = p->config.asn,
		.port = p->config.port ? p->config.port : BGP_PORT,
		.ibgp = p->config.asn == p->sp->asn,
		.state = fsm_state(&p->fsm),
		.remote_id = p->remote_id,
		.remote_capabilities = p->remote_capabilities,
		.messages_in = p->messages_in,
		.messages_out = p->messages_out,
		.updates_in = p->updates_in,
		.updates_out = p->updates_out,
		.notifications_in = p->notifications_in,
		.notifications_out = p->notifications_out,
		.times_connected = p->times_connected,
	};
	if (p->fsm.retry_ns > now_ns)
		ret->retry_in_ns = p->fsm.retry_ns - now_ns;
	if (p->last_error_ns)
		ret->last_error_age_ns = now_ns - p->last_error_ns;
	snprintf(ret->last_error, sizeof(ret->last_error), "%s", p->last_error);
	snapshot_session(p, now_ns, ret);
}
