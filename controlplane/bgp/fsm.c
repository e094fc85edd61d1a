/* SPDX-License-Identifier: BSD-2-Clause */

/* The state machine of RFC 4271 8.2.2 with its connection collision detection (6.8, RFC 6286), in
 * the shape of one step function. Differences from the letter, each on purpose:
 *   - ConnectRetry backs off from 1 s to 30 s with jitter instead of a fixed 120 s: an appliance
 *     whose router comes back wants its session now.
 *   - Idle is entered, and connections refused, only after protocol errors; after a lost
 * connection, a Cease or a hold timer we wait in Active, where the peer may connect at once.
 *   - a connection that arrives while a session stands is refused, but the session is probed with a
 *     KEEPALIVE: a peer that has restarted then answers the old connection with a reset, and the
 *     new session needn't wait for the hold timer. */

#include "controlplane/bgp/fsm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/clock.h"

#define OUR_CAPABILITIES                                                                           \
	(BGP_CAP_IPV4_UNICAST | BGP_CAP_IPV6_UNICAST | BGP_CAP_FOUR_OCTET_AS |                     \
	 BGP_CAP_ROUTE_REFRESH)

static void act(struct fsm_output *out, enum fsm_action_kind kind, enum fsm_link link)
{
	if (out->n < FSM_ACTIONS_MAX)
		out->actions[out->n++] = (struct fsm_action){kind, link};
}

static void __attribute__((format(printf, 3, 4)))
say(struct fsm_output *out, bool failure, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(out->reason, sizeof(out->reason), fmt, ap);
	va_end(ap);
	out->failure = failure;
}

/* ns less up to a quarter (RFC 4271 10). xorshift32: only to keep nodes out of step. */
static uint64_t jitter(struct fsm *f, uint64_t ns)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 17;
	f->random ^= f->random << 5;
	return ns - ns / 4 * (f->random >> 16) / 65536;
}

static enum fsm_link other(enum fsm_link link)
{
	return link == FSM_OUT ? FSM_IN : FSM_OUT;
}

void fsm_init(struct fsm *f, const struct fsm_config *config, uint32_t random_seed)
{
	*f = (struct fsm){.config = *config, .random = random_seed ? random_seed : 1};
}

enum bgp_state fsm_state(const struct fsm *f)
{
	enum fsm_link_state out = f->conn[FSM_OUT].state, in = f->conn[FSM_IN].state;

	switch (out > in ? out : in) {
	case FSM_LINK_ESTABLISHED:
		return BGP_STATE_ESTABLISHED;
	case FSM_LINK_OPEN_CONFIRM:
		return BGP_STATE_OPEN_CONFIRM;
	case FSM_LINK_OPEN_SENT:
		return BGP_STATE_OPEN_SENT;
	case FSM_LINK_CONNECTING:
		return BGP_STATE_CONNECT;
	default:
		return f->running && !f->idle ? BGP_STATE_ACTIVE : BGP_STATE_IDLE;
	}
}

const struct fsm_conn *fsm_established(const struct fsm *f)
{
	for (int i = 0; i < FSM_N_LINKS; i++) {
		if (f->conn[i].state == FSM_LINK_ESTABLISHED)
			return &f->conn[i];
	}
	return NULL;
}

static void sooner(uint64_t *best, uint64_t t)
{
	if (t && t < *best)
		*best = t;
}

uint64_t fsm_deadline(const struct fsm *f)
{
	uint64_t best = UINT64_MAX;

	sooner(&best, f->retry_ns);
	for (int i = 0; i < FSM_N_LINKS; i++) {
		sooner(&best, f->conn[i].deadline_ns);
		sooner(&best, f->conn[i].keepalive_ns);
		sooner(&best, f->conn[i].send_hold_ns);
	}
	return best;
}

static void arm_hold(struct fsm_conn *c, uint64_t now_ns)
{
	c->deadline_ns = c->hold_time_s ? now_ns + c->hold_time_s * NS_PER_S : 0;
}

static void arm_keepalive(struct fsm *f, struct fsm_conn *c, uint64_t now_ns)
{
	c->keepalive_ns = c->hold_time_s ? now_ns + jitter(f, c->hold_time_s * NS_PER_S / 3) : 0;
}

static void schedule_retry(struct fsm *f, bool hold_back, uint64_t now_ns)
{
	unsigned shift = f->failures < 5 ? f->failures : 5;
	uint64_t wait = FSM_RETRY_MIN_NS << shift;

	if (wait > FSM_RETRY_MAX_NS)
		wait = FSM_RETRY_MAX_NS;
	f->failures++;
	f->idle = hold_back;
	f->retry_ns = hold_back || !f->config.passive ? now_ns + jitter(f, wait) : 0;
}

/* The connection is over: forget it, and see to the next one unless the other carries on. */
static void lose(struct fsm *f, enum fsm_link link, bool hold_back, uint64_t now_ns,
		 struct fsm_output *out)
{
	bool was_up = f->conn[link].state == FSM_LINK_ESTABLISHED;

	f->conn[link] = (struct fsm_conn){0};
	if (was_up) {
		act(out, FSM_DO_DOWN, link);
		if (now_ns - f->established_ns >= FSM_STABLE_NS)
			f->failures = 0;
		f->established_ns = 0;
	}
	if (f->running && f->conn[other(link)].state < FSM_LINK_OPEN_CONFIRM)
		schedule_retry(f, hold_back && !f->conn[other(link)].state, now_ns);
}

/* Send out->error and close. */
static void notify(struct fsm *f, enum fsm_link link, bool hold_back, uint64_t now_ns,
		   struct fsm_output *out)
{
	act(out, FSM_DO_NOTIFY, link);
	lose(f, link, hold_back, now_ns, out);
	bgp_error_text(&out->error, true, out->reason, sizeof(out->reason));
	out->failure = true;
}

static void cease(struct fsm *f, enum fsm_link link, uint8_t subcode, const char *text,
		  uint64_t now_ns, struct fsm_output *out)
{
	bgp_error_set(&out->error, BGP_ERR_CEASE, subcode, "%s", text);
	notify(f, link, false, now_ns, out);
	out->failure = false;
}

static void connect_out(struct fsm *f, uint64_t now_ns, struct fsm_output *out)
{
	f->retry_ns = 0;
	f->idle = false;
	if (f->config.passive)
		say(out, false, "waiting for the peer to connect");
	if (f->config.passive || f->conn[FSM_OUT].state)
		return;
	f->conn[FSM_OUT].state = FSM_LINK_CONNECTING;
	f->conn[FSM_OUT].deadline_ns = now_ns + FSM_CONNECT_TIMEOUT_NS;
	act(out, FSM_DO_CONNECT, FSM_OUT);
	say(out, false, "connecting");
}

static void send_open(struct fsm *f, enum fsm_link link, uint64_t now_ns, struct fsm_output *out)
{
	f->conn[link] = (struct fsm_conn){.state = FSM_LINK_OPEN_SENT,
					  .deadline_ns = now_ns + FSM_OPEN_HOLD_NS};
	act(out, FSM_DO_SEND_OPEN, link);
	say(out, false, link == FSM_OUT ? "connected" : "the peer connected");
}

static void on_stop(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns,
		    struct fsm_output *out)
{
	f->running = false;
	f->idle = false;
	f->retry_ns = 0;
	out->error = *ev->error;
	for (int i = 0; i < FSM_N_LINKS; i++) {
		if (f->conn[i].state >= FSM_LINK_OPEN_SENT) {
			notify(f, (enum fsm_link)i, false, now_ns, out);
		} else if (f->conn[i].state) {
			act(out, FSM_DO_CLOSE, (enum fsm_link)i);
			lose(f, (enum fsm_link)i, false, now_ns, out);
		}
	}
	if (!out->n)
		bgp_error_text(&out->error, true, out->reason, sizeof(out->reason));
	out->failure = false;
}

static void on_deadline(struct fsm *f, enum fsm_link link, uint64_t now_ns, struct fsm_output *out)
{
	struct fsm_conn *c = &f->conn[link];

	if (c->state == FSM_LINK_CONNECTING) {
		act(out, FSM_DO_CLOSE, link);
		lose(f, link, false, now_ns, out);
		say(out, true,
		    "no answer to our connection within %llu s: check the neighbour's address, the "
		    "link, filters for TCP port 179, and that both sides have the same MD5 password "
		    "or none",
		    FSM_CONNECT_TIMEOUT_NS / NS_PER_S);
		return;
	}
	if (c->state == FSM_LINK_OPEN_SENT)
		bgp_error_set(&out->error, BGP_ERR_HOLD_TIMER, 0,
			      "the peer took our connection but sent no OPEN for %llu s",
			      FSM_OPEN_HOLD_NS / NS_PER_S);
	else
		bgp_error_set(
			&out->error, BGP_ERR_HOLD_TIMER, 0,
			"nothing heard from the peer for %llu s: look for a dead link, packet "
			"loss or a stopped peer",
			c->hold_time_s ? c->hold_time_s : FSM_OPEN_HOLD_NS / NS_PER_S);
	notify(f, link, false, now_ns, out);
}

static void on_timer(struct fsm *f, uint64_t now_ns, struct fsm_output *out)
{
	for (int i = 0; i < FSM_N_LINKS; i++) {
		struct fsm_conn *c = &f->conn[i];

		if (c->deadline_ns && now_ns >= c->deadline_ns) {
			on_deadline(f, (enum fsm_link)i, now_ns, out);
		} else if (c->send_hold_ns && now_ns >= c->send_hold_ns) {
			bgp_error_set(&out->error, BGP_ERR_SEND_HOLD_TIMER, 0,
				      "the peer has read nothing for minutes");
			notify(f, (enum fsm_link)i, false, now_ns, out);
		} else if (c->keepalive_ns && now_ns >= c->keepalive_ns) {
			act(out, FSM_DO_SEND_KEEPALIVE, (enum fsm_link)i);
			arm_keepalive(f, c, now_ns);
		}
	}
	if (f->retry_ns && now_ns >= f->retry_ns)
		connect_out(f, now_ns, out);
}

static void on_accepted(struct fsm *f, uint64_t now_ns, struct fsm_output *out)
{
	if (!f->running || f->idle) {
		act(out, FSM_DO_REFUSE, FSM_IN);
		return;
	}
	for (int i = 0; i < FSM_N_LINKS; i++) {
		if (f->conn[i].state == FSM_LINK_ESTABLISHED) {
			act(out, FSM_DO_REFUSE, FSM_IN);
			act(out, FSM_DO_SEND_KEEPALIVE, (enum fsm_link)i);
			return;
		}
	}
	if (f->conn[FSM_IN].state)
		cease(f, FSM_IN, BGP_CEASE_COLLISION, "the peer has connected anew", now_ns, out);
	act(out, FSM_DO_ACCEPT, FSM_IN);
	send_open(f, FSM_IN, now_ns, out);
}

/* RFC 4271 6.2, RFC 6286 2.2. */
static int check_open(const struct fsm *f, const struct bgp_open *open, struct bgp_error *e)
{
	if (open->asn != f->config.remote_asn)
		return bgp_error_set(e, BGP_ERR_OPEN, BGP_OPEN_BAD_PEER_AS,
				     "the peer is in AS %u, the configuration says AS %u: correct "
				     "this neighbour's asn, or the peer's",
				     open->asn, f->config.remote_asn);
	if (!open->router_id)
		return bgp_error_set(e, BGP_ERR_OPEN, BGP_OPEN_BAD_ID,
				     "the peer's router id is 0.0.0.0: give it one");
	if (open->router_id == f->config.local_id && open->asn == f->config.local_asn)
		return bgp_error_set(e, BGP_ERR_OPEN, BGP_OPEN_BAD_ID,
				     "the peer has the same router id as this node: change one of "
				     "them");
	if (open->hold_time_s == 1 || open->hold_time_s == 2)
		return bgp_error_set(e, BGP_ERR_OPEN, BGP_OPEN_BAD_HOLD_TIME,
				     "the peer's hold time is %u s; it must be 0 or at least 3 s",
				     open->hold_time_s);
	return 0;
}

/* The speaker with the higher identifier keeps the connection it opened (RFC 4271 6.8); equal ones
 * are told apart by AS (RFC 6286 2.3). Returns the link to close, or FSM_N_LINKS for none. */
static enum fsm_link collision_loser(const struct fsm *f, enum fsm_link link,
				     const struct bgp_open *open)
{
	const struct fsm_config *cf = &f->config;
	bool ours_wins = cf->local_id != open->router_id ? cf->local_id > open->router_id
							 : cf->local_asn > open->asn;

	switch (f->conn[other(link)].state) {
	case FSM_LINK_ESTABLISHED:
		return link;
	case FSM_LINK_OPEN_CONFIRM:
		return ours_wins ? FSM_IN : FSM_OUT;
	default:
		return FSM_N_LINKS;
	}
}

static void on_open(struct fsm *f, enum fsm_link link, const struct bgp_open *open, uint64_t now_ns,
		    struct fsm_output *out)
{
	struct fsm_conn *c = &f->conn[link];
	enum fsm_link loser;

	if (check_open(f, open, &out->error)) {
		notify(f, link, true, now_ns, out);
		return;
	}
	loser = collision_loser(f, link, open);
	if (loser == link) {
		cease(f, link, BGP_CEASE_COLLISION, "the other connection stays", now_ns, out);
		return;
	}
	c->state = FSM_LINK_OPEN_CONFIRM;
	c->open = *open;
	c->capabilities = open->capabilities & OUR_CAPABILITIES;
	c->hold_time_s = open->hold_time_s < f->config.hold_time_s ? open->hold_time_s
								   : f->config.hold_time_s;
	if (loser != FSM_N_LINKS)
		cease(f, loser, BGP_CEASE_COLLISION, "the other connection stays", now_ns, out);
	f->retry_ns = 0;
	act(out, FSM_DO_SEND_KEEPALIVE, link);
	arm_hold(c, now_ns);
	if (!c->deadline_ns) /* Without a hold time the handshake still has to end. */
		c->deadline_ns = now_ns + FSM_OPEN_HOLD_NS;
	arm_keepalive(f, c, now_ns);
	say(out, false, "the peer's OPEN is good");
}

static void on_keepalive(struct fsm *f, enum fsm_link link, uint64_t now_ns, struct fsm_output *out)
{
	struct fsm_conn *c = &f->conn[link];
	enum fsm_link rival = other(link);

	arm_hold(c, now_ns);
	if (c->state == FSM_LINK_ESTABLISHED)
		return;
	c->state = FSM_LINK_ESTABLISHED;
	f->established_ns = now_ns;
	f->retry_ns = 0;
	if (f->conn[rival].state >= FSM_LINK_OPEN_SENT) {
		cease(f, rival, BGP_CEASE_COLLISION, "the other connection stays", now_ns, out);
	} else if (f->conn[rival].state) {
		act(out, FSM_DO_CLOSE, rival);
		lose(f, rival, false, now_ns, out);
	}
	act(out, FSM_DO_UP, link);
	if (c->hold_time_s)
		say(out, false, "session up, hold time %u s", c->hold_time_s);
	else
		say(out, false, "session up, without hold time");
}

static void on_unexpected(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns,
			  struct fsm_output *out)
{
	static const struct {
		uint8_t subcode;
		const char *name;
	} where[] = {
		[FSM_LINK_OPEN_SENT] = {BGP_FSM_IN_OPEN_SENT, "OpenSent"},
		[FSM_LINK_OPEN_CONFIRM] = {BGP_FSM_IN_OPEN_CONFIRM, "OpenConfirm"},
		[FSM_LINK_ESTABLISHED] = {BGP_FSM_IN_ESTABLISHED, "Established"},
	};
	enum fsm_link_state s = f->conn[ev->link].state;
	uint8_t type = (uint8_t)ev->type;

	bgp_error_set(&out->error, BGP_ERR_FSM, where[s].subcode,
		      "the peer sent message type %u in state %s", type, where[s].name);
	bgp_error_add_data(&out->error, &type, 1); /* RFC 6608 4 */
	notify(f, ev->link, true, now_ns, out);
}

static void on_notification(struct fsm *f, enum fsm_link link, const struct bgp_error *e,
			    uint64_t now_ns, struct fsm_output *out)
{
	bool collision = e->code == BGP_ERR_CEASE && e->subcode == BGP_CEASE_COLLISION;
	bool quiet = collision && f->conn[other(link)].state;
	bool hold_back = e->code != BGP_ERR_CEASE && e->code != BGP_ERR_HOLD_TIMER &&
			 e->code != BGP_ERR_SEND_HOLD_TIMER;

	act(out, FSM_DO_CLOSE, link);
	lose(f, link, hold_back, now_ns, out);
	bgp_error_text(e, false, out->reason, sizeof(out->reason));
	out->failure = !quiet;
}

static void on_message(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns,
		       struct fsm_output *out)
{
	enum fsm_link_state s = f->conn[ev->link].state;

	if (s < FSM_LINK_OPEN_SENT)
		return;
	if (ev->type == BGP_MSG_NOTIFICATION)
		on_notification(f, ev->link, ev->error, now_ns, out);
	else if (ev->type == BGP_MSG_OPEN && s == FSM_LINK_OPEN_SENT)
		on_open(f, ev->link, ev->open, now_ns, out);
	else if (ev->type == BGP_MSG_KEEPALIVE && s >= FSM_LINK_OPEN_CONFIRM)
		on_keepalive(f, ev->link, now_ns, out);
	else if ((ev->type == BGP_MSG_UPDATE || ev->type == BGP_MSG_ROUTE_REFRESH) &&
		 s == FSM_LINK_ESTABLISHED)
		arm_hold(&f->conn[ev->link], now_ns);
	else
		on_unexpected(f, ev, now_ns, out);
}

static void on_closed(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns,
		      struct fsm_output *out)
{
	bool quiet = f->conn[other(ev->link)].state >= FSM_LINK_OPEN_CONFIRM;
	bool early = ev->kind == FSM_EV_CLOSED && f->conn[ev->link].state == FSM_LINK_OPEN_SENT;

	act(out, FSM_DO_CLOSE, ev->link);
	lose(f, ev->link, false, now_ns, out);
	say(out, !quiet, "%s%s", ev->text,
	    early ? " before its OPEN: see whether the peer has this node's address as a neighbour "
		    "and isn't holding back after an error"
		  : "");
}

static void on_send_blocked(struct fsm *f, enum fsm_link link, uint64_t now_ns)
{
	uint64_t wait = 2 * f->conn[link].hold_time_s * NS_PER_S;

	if (wait < FSM_SEND_HOLD_MIN_NS)
		wait = FSM_SEND_HOLD_MIN_NS;
	if (!f->conn[link].send_hold_ns)
		f->conn[link].send_hold_ns = now_ns + wait;
}

void fsm_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns, struct fsm_output *out)
{
	bool alive = f->conn[ev->link].state != FSM_LINK_NONE;

	out->n = 0;
	out->reason[0] = '\0';
	out->failure = false;
	if (ev->kind == FSM_EV_START) {
		f->running = true;
		f->failures = 0;
		connect_out(f, now_ns, out);
	} else if (ev->kind == FSM_EV_STOP) {
		on_stop(f, ev, now_ns, out);
	} else if (ev->kind == FSM_EV_TIMER) {
		on_timer(f, now_ns, out);
	} else if (ev->kind == FSM_EV_ACCEPTED) {
		on_accepted(f, now_ns, out);
	} else if (!alive) {
		return; /* The event crossed our own close. */
	} else if (ev->kind == FSM_EV_CONNECTED) {
		send_open(f, FSM_OUT, now_ns, out);
	} else if (ev->kind == FSM_EV_CONNECT_FAILED || ev->kind == FSM_EV_CLOSED) {
		on_closed(f, ev, now_ns, out);
	} else if (ev->kind == FSM_EV_MESSAGE) {
		on_message(f, ev, now_ns, out);
	} else if (ev->kind == FSM_EV_BAD_MESSAGE) {
		out->error = *ev->error;
		notify(f, ev->link, true, now_ns, out);
	} else if (ev->kind == FSM_EV_SEND_BLOCKED) {
		on_send_blocked(f, ev->link, now_ns);
	} else if (ev->kind == FSM_EV_SEND_CLEAR) {
		f->conn[ev->link].send_hold_ns = 0;
	}
}
