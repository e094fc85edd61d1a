/* SPDX-License-Identifier: BSD-2-Clause */
/* From what is to what should be: desired, plan, execution; and the regular look at whether this
 * node really forwards. */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"
#include "controlplane/vip/probe.h"

#define RETRY_MS     1000
#define PAUSE_MAX_MS 250

/* A VIP with many services is probed by its first few. */
#define PROBED_SERVICES 4
/* Flows tried before a service counts as broken: one real's next hop may be unknown. */
#define PROBE_FLOWS     32

/* ---- the brake against a wrong prober ---- */

static bool pool_held(const struct daemon *d, const char *pool)
{
	for (size_t i = 0; i < d->n_held; i++) {
		if (strcmp(d->held[i], pool) == 0)
			return true;
	}
	return false;
}

bool daemon_held(const struct daemon *d, const struct real_entry *e)
{
	return e->fell_ns && pool_held(d, e->pool);
}

static void brake_view(const struct daemon *d, const struct config_pool *pool, uint64_t now,
		       struct vip_brake_pool *ret)
{
	uint64_t window = vip_brake_window_ms(d->cfg) * NS_PER_MS;
	bool was_held = pool_held(d, pool->name);

	*ret = (struct vip_brake_pool){.pool = pool};
	for (size_t r = 0; pool->has_health && r < pool->n_reals; r++) {
		const struct real_entry *e =
			daemon_find_real(d, pool->name, &pool->reals[r].address);

		if (!e || !e->target)
			continue;
		if (health_target_state(e->target) == HEALTH_UP)
			ret->n_up++;
		else if (e->fell_ns && (was_held || now - e->fell_ns <= window))
			ret->n_fell++;
	}
}

static void tell_brake(struct daemon *d, const struct vip_brake_result *res)
{
	bool was = d->held_text[0] != '\0';

	d->held_text[0] = '\0';
	if (res->holding)
		snprintf(d->held_text, sizeof(d->held_text),
			 "%zu unrelated pools lost their reals together, %zu reals failed and %zu "
			 "are up: this node's checks are suspected, and those pools keep the reals "
			 "they had",
			 res->groups, res->n_fell, res->n_up);
	if (res->holding != was)
		journal_write(res->holding ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, "node", NULL, "%s",
			      res->holding ? d->held_text : "the checks are believed again");
}

/* Judge anew which pools are held. Out of memory leaves it as it was. */
static int brake(struct daemon *d)
{
	size_t n = d->cfg->n_pools, held = 0;
	struct vip_brake_pool *views = calloc(n ? n : 1, sizeof(*views));
	char(*names)[CONFIG_NAME_MAX + 1] = calloc(n ? n : 1, sizeof(*names));
	struct vip_brake_result res;
	int rc = -ENOMEM;

	for (size_t i = 0; views && i < n; i++)
		brake_view(d, &d->cfg->pools[i], clock_now_ns(), &views[i]);
	if (views && names)
		rc = vip_brake_judge(views, n, &res);
	if (rc < 0) {
		free(views);
		free(names);
		return rc;
	}
	for (size_t i = 0; i < n; i++) {
		if (views[i].held)
			memcpy(names[held++], d->cfg->pools[i].name, sizeof(names[0]));
	}
	free(views);
	free(d->held);
	d->held = names;
	d->n_held = held;
	tell_brake(d, &res);
	return 0;
}

/* ---- inputs ---- */

static enum vip_health input_health(void *arg, const char *pool, const struct addr *real)
{
	const struct real_entry *e = daemon_find_real(arg, pool, real);

	if (!e || !e->target)
		return VIP_HEALTH_CHECKING;
	switch (health_target_state(e->target)) {
	case HEALTH_UP:
		return VIP_HEALTH_UP;
	case HEALTH_DOWN:
		return daemon_held(arg, e) ? VIP_HEALTH_HELD : VIP_HEALTH_DOWN;
	case HEALTH_UNKNOWN:
		break;
	}
	return VIP_HEALTH_CHECKING;
}

static bool input_resolved(void *arg, const struct addr *real)
{
	const struct way_entry *w = daemon_find_way(arg, real);

	return w && w->resolved;
}

static const char *input_blocked(void *arg, const struct config_vip *vip)
{
	const struct vip_entry *v = daemon_find_vip(arg, vip->name);

	return v && v->probe_error[0] ? v->probe_error : NULL;
}

void daemon_inputs(struct daemon *d, const struct config *cfg, const struct vip_intent *intent,
		   struct vip_inputs *ret)
{
	*ret = (struct vip_inputs){.cfg = cfg,
				   .intent = intent,
				   .health = input_health,
				   .resolved = input_resolved,
				   .vip_blocked = input_blocked,
				   .arg = d,
				   .node_blocked = d->node_blocked[0] ? d->node_blocked : NULL};
}

/* ---- probes ---- */

static bool service_can_forward(const struct daemon *d, const struct config_service *s)
{
	const struct vip_pool_report *p = vip_desired_pool(&d->desired, s->pool);

	return p && p->condition == VIP_POOL_OK && p->n_up_reached > 0;
}

static int probe_service(struct daemon *d, const struct config_vip *vip,
			 const struct config_service *s, struct err *err)
{
	/* A flood that uses a limit of SYNs up must not take the VIP off the air. */
	struct probe_flow flow = {.protocol = (uint8_t)s->protocol,
				  .ongoing = s->syn_rate != 0,
				  .destination_port = vip_probe_port(vip, s)};
	int rc = -EIO;

	/* All of it may belong to VIPs inside, or its ports to other services: then there is
	 * nothing to probe. */
	if (!flow.destination_port || !vip_probe_address(d->cfg, vip, &flow.destination))
		return 0;
	if (!vip_probe_source(vip, s, &flow.source))
		return 0;
	for (uint16_t i = 0; i < PROBE_FLOWS && rc < 0 && rc != -ETIMEDOUT; i++) {
		flow.source_port = (uint16_t)(32768 + i);
		rc = forwarder_probe(d->forwarder, &flow, err);
	}
	return rc;
}

int daemon_probe_vip(struct daemon *d, const struct config_vip *vip, char *ret, size_t len)
{
	char ports[PORTS_STRLEN];
	size_t probed = 0;
	struct err err;
	int rc;

	ret[0] = '\0';
	for (size_t i = 0; i < vip->n_services && probed < PROBED_SERVICES; i++) {
		const struct config_service *s = &vip->services[i];

		if (!service_can_forward(d, s))
			continue;
		probed++;
		rc = probe_service(d, vip, s, &err);
		if (rc == 0)
			continue;
		snprintf(ret, len, "probe failed: %s/%s: %.300s", config_protocol_name(s->protocol),
			 ports_format(s->ports, ports), err.text);
		return rc;
	}
	return 0;
}

static const struct config_vip *vip_of(const struct config *cfg, const struct prefix *address)
{
	for (size_t i = 0; i < cfg->n_vips; i++) {
		if (prefix_equal(&cfg->vips[i].address, address))
			return &cfg->vips[i];
	}
	return NULL;
}

/* ---- carrying out ---- */

static enum lb_encap encap_of(enum config_encap encap)
{
	switch (encap) {
	case CONFIG_ENCAP_IPIP:
		break;
	case CONFIG_ENCAP_GUE:
		return LB_ENCAP_GUE;
	case CONFIG_ENCAP_L2DSR:
		return LB_ENCAP_L2DSR;
	}
	return LB_ENCAP_IPIP;
}

static enum lb_hash_mode hash_of(enum config_hash hash)
{
	switch (hash) {
	case CONFIG_HASH_5TUPLE:
		break;
	case CONFIG_HASH_SOURCE:
		return LB_HASH_SOURCE;
	case CONFIG_HASH_SOURCE_DESTINATION:
		return LB_HASH_SOURCE_DESTINATION;
	case CONFIG_HASH_DESTINATION_PORT:
		return LB_HASH_DESTINATION_PORT;
	}
	return LB_HASH_5TUPLE;
}

static int run_pool_set(struct daemon *d, const struct vip_pool *pool, struct err *err)
{
	struct publish_member *m = calloc(pool->n_members ? pool->n_members : 1, sizeof(*m));
	struct publish_pool_spec spec = {
		.encap = encap_of(pool->encap),
		.gue_port = pool->gue_port,
		.table_size = pool->table_size,
		.quic_length = pool->quic_length,
		.quic_rotation = pool->quic_rotation,
	};
	int rc;

	if (!m)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < pool->n_members; i++)
		m[i] = (struct publish_member){.addr = pool->members[i].addr,
					       .weight = pool->members[i].weight,
					       .dead = pool->members[i].dead,
					       .server_id = pool->members[i].server_id};
	rc = publish_pool_set(d->publish, pool->name, &spec, m, pool->n_members, clock_now_ns(),
			      err);
	free(m);
	return rc;
}

static int run_node_set(struct daemon *d, const struct vip_node *node, struct err *err)
{
	struct publish_node n = {.source4 = node->source4,
				 .source6 = node->source6,
				 .echo_rate = node->echo_rate,
				 .too_big_rate = node->too_big_rate};

	int rc;

	memcpy(n.hash_seed, node->hash_seed, sizeof(n.hash_seed));
	rc = publish_node_set(d->publish, &n, err);
	return rc ? rc : daemon_track_configure(d, node, err);
}

static int run_service_set(struct daemon *d, const struct vip_service *s, struct err *err)
{
	struct publish_service_spec spec = {
		.address = s->address,
		.protocol = s->protocol,
		.ports = s->ports,
		.vip = s->vip,
		.pool = s->pool,
		.hash = hash_of(s->hash),
		.quic = s->quic,
		.deny = s->deny,
		.n_deny = s->n_deny,
		.syn_rate = s->syn_rate,
		.syn_burst = s->syn_burst,
	};

	return publish_service_set(d->publish, &spec, err);
}

/* Everything this VIP's services need is loaded as desired. */
static bool loaded_whole(const struct daemon *d, const struct prefix *address)
{
	for (size_t i = 0; i < d->desired.state.n_services; i++) {
		const struct vip_service *want = &d->desired.state.services[i], *have;
		const struct vip_pool *pool;

		if (!prefix_equal(&want->address, address))
			continue;
		have = vip_state_find_service(&d->loaded, address, want->protocol, want->ports);
		pool = vip_state_find_pool(&d->loaded, want->pool);
		if (!have || !vip_service_equal(have, want) || !pool ||
		    !vip_pool_equal(pool, vip_state_find_pool(&d->desired.state, want->pool)))
			return false;
	}
	return true;
}

static int run_announce(struct daemon *d, const struct prefix *address, struct err *err)
{
	const struct config_vip *vip = vip_of(d->cfg, address);
	struct vip_entry *v = vip ? daemon_find_vip(d, vip->name) : NULL;

	if (!v)
		return err_set(err, -ENOENT, "no VIP has this address");
	if (!loaded_whole(d, address))
		return err_set(err, -EAGAIN, "its tables could not be loaded");
	daemon_probe_vip(d, vip, v->probe_error, sizeof(v->probe_error));
	if (v->probe_error[0])
		return err_set(err, -EAGAIN, "%s", v->probe_error);
	return bgp_announce(d->bgp, address, NULL, err);
}

static int run_op(struct daemon *d, const struct vip_op *op, struct err *err)
{
	const struct vip_service *s = &op->service;

	switch (op->kind) {
	case VIP_OP_WITHDRAW:
		bgp_withdraw(d->bgp, &op->address);
		return 0;
	case VIP_OP_NODE_SET:
		return run_node_set(d, &op->node, err);
	case VIP_OP_POOL_SET:
		return run_pool_set(d, &op->pool, err);
	case VIP_OP_SERVICE_SET:
		return run_service_set(d, s, err);
	case VIP_OP_SERVICE_REMOVE:
		return publish_service_remove(d->publish, &s->address, s->protocol, s->ports, err);
	case VIP_OP_POOL_REMOVE:
		return publish_pool_remove(d->publish, op->pool.name, err);
	case VIP_OP_ANNOUNCE:
		return run_announce(d, &op->address, err);
	}
	return -EINVAL;
}

/* Carry out all steps; one that fails doesn't keep the others from being tried. 0, or the first
 * failure. */
static int run_plan(struct daemon *d, const struct vip_plan *plan, struct err *err)
{
	int first = 0;

	for (size_t i = 0; i < plan->n; i++) {
		char text[256];
		struct err e = {.text = ""};
		int rc = run_op(d, &plan->ops[i], &e);

		if (rc == 0)
			rc = vip_op_apply(&plan->ops[i], &d->loaded, clock_now_ns());
		vip_op_format(&plan->ops[i], text, sizeof(text));
		if (rc == 0) {
			journal_write(LOG_LEVEL_DEBUG, "plan", NULL, "%s", text);
			continue;
		}
		/* Not yet: its own reason says why, and it is tried again. */
		if (rc == -EAGAIN && plan->ops[i].kind == VIP_OP_ANNOUNCE)
			continue;
		if (first == 0)
			first = err_set(err, rc, "%s: %s", text,
					e.text[0] ? e.text : strerror(-rc));
	}
	return first;
}

static bool serves(const struct daemon *d, const struct prefix *address)
{
	for (size_t i = 0; i < d->desired.n_vips; i++) {
		if (prefix_equal(&d->desired.vips[i].vip->address, address))
			return d->desired.vips[i].serves;
	}
	return false;
}

/* A ping is answered while the VIP is announced, or serves without being meant to be. One that is
 * withdrawn is silent, though it goes on forwarding for its drain time. */
static int run_echo(struct daemon *d, struct err *err)
{
	const struct prefix *last = NULL;

	for (size_t i = 0; i < d->loaded.n_services; i++) {
		const struct prefix *address = &d->loaded.services[i].address;
		int rc;

		if (last && prefix_equal(last, address))
			continue;
		last = address;
		rc = publish_vip_up(d->publish, address,
				    vip_state_announced(&d->loaded, address) || serves(d, address),
				    err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_all(struct daemon *d, const struct vip_plan *plan, struct err *err)
{
	struct err echo;
	int rc = run_plan(d, plan, err), rc_echo = run_echo(d, &echo);

	return rc == 0 && rc_echo < 0 ? err_set(err, rc_echo, "%s", echo.text) : rc;
}

/* ---- telling ---- */

static void tell_real(struct daemon *d, const struct vip_pool_report *p,
		      const struct vip_real_report *r, uint64_t now)
{
	struct real_entry *e = daemon_find_real(d, p->pool->name, &r->real->address);
	char name[CONFIG_NAME_MAX + ADDR_STRLEN + 2], buf[ADDR_STRLEN];
	struct health_snapshot snap = {.last_result = ""};

	if (!e || e->state == r->state)
		return;
	e->state = r->state;
	e->since_ns = now;
	if (e->target)
		health_target_snapshot(e->target, &snap);
	snprintf(name, sizeof(name), "%s %s", p->pool->name, addr_format(&e->addr, buf));
	journal_write(r->state == VIP_REAL_DOWN ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "real", name,
		      "%s%s%s", vip_real_state_name(r->state),
		      r->health == VIP_HEALTH_HELD ? ", held although its check fails: "
		      : snap.last_result[0]        ? ": "
						   : "",
		      snap.last_result);
}

static void tell_vip(struct daemon *d, const struct vip_report *report, uint64_t now)
{
	struct vip_entry *v = daemon_find_vip(d, report->vip->name);
	bool announced = vip_state_announced(&d->loaded, &report->vip->address);
	enum log_level level = announced ? LOG_LEVEL_INFO : LOG_LEVEL_WARN;
	const char *reason = report->reason;

	if (!v)
		return;
	if (report->announce && !announced && v->probe_error[0])
		reason = v->probe_error;
	if (v->announced != announced)
		v->since_ns = now;
	else if (strcmp(v->reason, reason) == 0)
		return;
	else if (v->reason[0])
		level = LOG_LEVEL_DEBUG; /* the same for another reason: a pool's reals come and go
					  */
	v->announced = announced;
	snprintf(v->reason, sizeof(v->reason), "%s", reason);
	journal_write(level, "vip", v->name, "%s: %s", announced ? "announced" : "not announced",
		      v->reason);
}

static void tell(struct daemon *d)
{
	uint64_t now = clock_now_ns();

	for (size_t p = 0; p < d->desired.n_pools; p++) {
		for (size_t r = 0; r < d->desired.pools[p].pool->n_reals; r++)
			tell_real(d, &d->desired.pools[p], &d->desired.pools[p].reals[r], now);
	}
	for (size_t i = 0; i < d->desired.n_vips; i++)
		tell_vip(d, &d->desired.vips[i], now);
}

/* ---- grace periods ---- */

static void grace_run(uv_work_t *work)
{
	struct daemon *d = work->data;
	const struct publish_engine *engine = forwarder_engine(d->forwarder);

	engine->grace(engine->arg);
}

static void grace_done(uv_work_t *work, int status)
{
	struct daemon *d = work->data;

	(void)status;
	d->grace_running = false;
	publish_grace_end(d->publish);
	daemon_grace(d);
}

void daemon_grace(struct daemon *d)
{
	if (d->grace_running || d->stopping || !publish_grace_due(d->publish))
		return;
	publish_grace_begin(d->publish);
	d->grace_work.data = d;
	if (uv_queue_work(&d->loop, &d->grace_work, grace_run, grace_done) == 0) {
		d->grace_running = true;
		return;
	}
	/* Without a worker the period must pass all the same. */
	forwarder_engine(d->forwarder)->grace(forwarder_engine(d->forwarder)->arg);
	publish_grace_end(d->publish);
}

/* ---- reconcile ---- */

static void reconcile_cb(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct err err;

	if (d->stopping)
		return;
	if (daemon_reconcile(d, &err) < 0)
		return; /* told by reconcile itself, and tried again */
}

void daemon_dirty(struct daemon *d)
{
	uv_timer_t *timer = &d->reconcile_timer;

	if (!d->started || d->stopping)
		return;
	if (uv_is_active((uv_handle_t *)timer) && uv_timer_get_due_in(timer) <= d->pause_ms)
		return;
	uv_timer_start(timer, reconcile_cb, d->pause_ms, 0);
}

static void remember_error(struct daemon *d, const char *text)
{
	if (strcmp(d->reconcile_error, text) == 0)
		return;
	snprintf(d->reconcile_error, sizeof(d->reconcile_error), "%s", text);
	if (text[0])
		journal_write(LOG_LEVEL_ERROR, "node", NULL, "%s (tried again every second)", text);
	else
		journal_write(LOG_LEVEL_INFO, "node", NULL, "everything is in force again");
}

static void schedule(struct daemon *d, int rc, uint64_t next_ns)
{
	uint64_t now = clock_now_ns(), ms = 0;

	if (rc < 0)
		ms = RETRY_MS;
	else if (next_ns)
		ms = next_ns > now ? (next_ns - now + NS_PER_MS - 1) / NS_PER_MS : 1;
	if (ms)
		uv_timer_start(&d->reconcile_timer, reconcile_cb, ms, 0);
	else
		uv_timer_stop(&d->reconcile_timer);
}

/* When much changes at once, e.g. thousands of reals fail within a second, give checks and sessions
 * as much time between reconciliations as those take. */
static void set_pause(struct daemon *d, uint64_t took_ns)
{
	uint64_t ms = took_ns / NS_PER_MS;

	d->pause_ms = ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS;
}

int daemon_reconcile(struct daemon *d, struct err *err)
{
	uint64_t began_ns = clock_now_ns();
	uint64_t drain_ns = d->cfg->node.drain_time_ms * NS_PER_MS;
	struct vip_desired desired;
	struct vip_inputs in;
	struct vip_plan plan = {0};
	struct err e = {.text = ""};
	int rc;

	rc = brake(d);
	daemon_inputs(d, d->cfg, &d->intent, &in);
	if (rc == 0)
		rc = vip_desired_make(&in, &desired);
	if (rc == 0) {
		vip_desired_fini(&d->desired);
		d->desired = desired;
		vip_state_expire(&d->loaded, clock_now_ns(), drain_ns);
		rc = vip_plan_make(&d->loaded, &d->desired.state, clock_now_ns(), drain_ns, &plan);
	}
	if (rc == 0)
		rc = run_all(d, &plan, &e);
	else
		err_set(&e, rc, "%s", strerror(-rc));
	tell(d);
	remember_error(d, rc < 0 ? e.text : "");
	schedule(d, rc, plan.next_ns);
	daemon_grace(d);
	vip_plan_fini(&plan);
	set_pause(d, clock_now_ns() - began_ns);
	return rc < 0 ? err_set(err, rc, "%s", e.text) : 0;
}

/* ---- once a second ---- */

/* Keep the program attached where the configuration wants it, and say when it isn't. An interface
 * that doesn't exist brings no packets, nor does a port without link: as long as another is
 * attached, that is no reason to withdraw. */
static void look_at_interfaces(struct daemon *d, char *ret, size_t len)
{
	const bool external = forwarder_page(d->forwarder) != NULL;
	char quiet[VIP_REASON_LEN] = "none of the node's interfaces exists";
	size_t attached = 0;
	struct err err;

	ret[0] = '\0';
	for (size_t i = 0; i < d->cfg->node.n_interfaces; i++) {
		const char *name = d->cfg->node.interfaces[i].name;
		int rc;

		if (forwarder_attached(d->forwarder, name)) {
			attached++;
			continue;
		}
		if (!external && if_nametoindex(name) == 0)
			continue;
		rc = forwarder_attach(d->forwarder, name, d->cfg->node.xdp_mode, &err);
		if (rc == 0) {
			if (!external)
				journal_write(
					LOG_LEVEL_WARN, "node", name,
					"the program was no longer attached; attached it again");
			attached++;
		} else if (rc == -ENOLINK) {
			snprintf(quiet, sizeof(quiet), "%.300s", err.text);
		} else {
			snprintf(ret, len, "%s%s%s%.300s",
				 external ? "" : "the program isn't attached to ",
				 external ? "" : name, external ? "" : ": ", err.text);
		}
	}
	if (attached == 0 && !ret[0])
		snprintf(ret, len, "%s", quiet);
}

static bool interfaces_changed(struct daemon *d)
{
	char blocked[VIP_REASON_LEN];
	bool changed;

	look_at_interfaces(d, blocked, sizeof(blocked));
	changed = strcmp(blocked, d->node_blocked) != 0;
	memcpy(d->node_blocked, blocked, sizeof(blocked));
	return changed;
}

void daemon_look_at_interfaces(struct daemon *d)
{
	if (d->started && !d->stopping && interfaces_changed(d))
		daemon_dirty(d);
}

/* An engine in a process of its own takes a fraction of a millisecond for each. */
#define EXTERNAL_PROBES 32
/* It is given so many ticks to answer one. */
#define LATE_PROBES     5

static bool probe_again(struct daemon *d)
{
	const bool external = forwarder_page(d->forwarder) != NULL;
	const size_t n = d->desired.n_vips;
	size_t left = external ? EXTERNAL_PROBES : n;
	bool changed = false;
	int rc = 0;

	/* What doesn't run can't be asked; its VIPs are withdrawn for that. */
	if (external && d->node_blocked[0])
		return false;
	for (size_t i = 0; i < n && left && rc != -ETIMEDOUT; i++, d->probe_next++) {
		const struct vip_report *report = &d->desired.vips[d->probe_next % n];
		struct vip_entry *v = daemon_find_vip(d, report->vip->name);
		char now[VIP_REASON_LEN];

		if (!v || (!report->announce && !v->probe_error[0]))
			continue;
		left--;
		rc = daemon_probe_vip(d, report->vip, now, sizeof(now));
		/* Late answers may be this host's scheduler; an engine that is gone shows by its
		 * beat. */
		d->probe_late = rc == -ETIMEDOUT ? d->probe_late + 1 : 0;
		if (d->probe_late && d->probe_late < LATE_PROBES)
			break;
		if (strcmp(now, v->probe_error) == 0)
			continue;
		memcpy(v->probe_error, now, sizeof(now));
		changed = true;
	}
	return changed;
}

void daemon_tick(struct daemon *d)
{
	bool changed;

	if (!d->started || d->stopping)
		return;
	changed = interfaces_changed(d);
	changed |= probe_again(d);
	if (changed)
		daemon_dirty(d);
}
