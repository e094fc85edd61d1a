/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon's life: put together, wait for what the kernel says of the ways to the reals, load the
 * tables, attach, announce; and at the end a goodbye to the routers while packets flow on. */
#include "controlplane/daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/clock.h"

#define TICK_MS 1000
/* How long the start waits for the kernel's answers about next hops. */
#define WAYS_MS 2000

/* ---- stopping ---- */

static void close_handle(void *handle)
{
	uv_handle_t *h = handle;

	if (h->type != UV_UNKNOWN_HANDLE && !uv_is_closing(h))
		uv_close(h, NULL);
}

/* The routers know; let go of the rest. The loop ends when its last handle is closed. Program,
 * tables and links stay pinned. */
static void stopped_bgp(void *arg)
{
	struct daemon *d = arg;

	bgp_free(d->bgp);
	d->bgp = NULL;
	daemon_targets_free(d);
	health_free(d->health);
	d->health = NULL;
	neighbour_free(d->neighbour);
	d->neighbour = NULL;
	close_handle(&d->sigterm);
	close_handle(&d->sigint);
	close_handle(&d->sighup);
	close_handle(&d->reconcile_timer);
	close_handle(&d->tick_timer);
	close_handle(&d->track_timer);
	close_handle(&d->engine_timer);
}

static void daemon_stop(struct daemon *d, int exit_code)
{
	if (d->stopping)
		return;
	d->stopping = true;
	d->exit_code = exit_code;
	forwarder_stop(d->forwarder);
	daemon_notify("STOPPING=1");
	daemon_metrics_stop(d);
	api_server_free(d->api);
	d->api = NULL;
	if (d->bgp)
		bgp_stop(d->bgp, "fairwayd stops", stopped_bgp, d);
	else
		stopped_bgp(d);
}

/* ---- signals and ticks ---- */

static void on_stop_signal(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;

	journal_write(LOG_LEVEL_INFO, "node", NULL,
		      "stopping on signal %d: routes are withdrawn, the engine forwards on",
		      signum);
	daemon_stop(d, 0);
}

static void on_reload_signal(uv_signal_t *handle, int signum)
{
	struct daemon *d = handle->data;

	(void)signum;
	if (!d->started || d->stopping)
		return;
	daemon_notify("RELOADING=1\nMONOTONIC_USEC=%llu",
		      (unsigned long long)(clock_now_ns() / 1000));
	daemon_config_reload(d);
	daemon_notify("READY=1");
}

static void on_tick(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	daemon_tick(d);
	daemon_notify("WATCHDOG=1");
}

/* ---- BGP's events ---- */

static void on_peer_state(void *arg, const struct addr *peer, enum bgp_state from,
			  enum bgp_state to, const char *reason)
{
	bool edge = from == BGP_STATE_ESTABLISHED || to == BGP_STATE_ESTABLISHED;
	enum log_level level = !edge                         ? LOG_LEVEL_DEBUG
			       : to == BGP_STATE_ESTABLISHED ? LOG_LEVEL_INFO
							     : LOG_LEVEL_WARN;
	char buf[ADDR_STRLEN];

	(void)arg;
	journal_write(level, "neighbor", addr_format(peer, buf), "%s -> %s: %s",
		      bgp_state_name(from), bgp_state_name(to), reason);
}

static void on_bgp_notice(void *arg, const struct addr *peer, const char *text)
{
	char buf[ADDR_STRLEN];

	(void)arg;
	journal_write(LOG_LEVEL_WARN, peer ? "neighbor" : "bgp",
		      peer ? addr_format(peer, buf) : NULL, "%s", text);
}

/* ---- starting ---- */

static int attach_all(struct daemon *d, struct err *err)
{
	bool external = forwarder_page(d->forwarder) != NULL;

	for (size_t i = 0; i < d->cfg->node.n_interfaces && !external; i++) {
		const char *name = d->cfg->node.interfaces[i].name;
		int rc = forwarder_attach(d->forwarder, name, d->cfg->node.xdp_mode, err);

		if (rc < 0)
			return err_prefix(err, rc, "interface %s", name);
		journal_write(LOG_LEVEL_INFO, "node", name, "program %u attached",
			      forwarder_program_id(d->forwarder));
	}
	return forwarder_detach_others(d->forwarder, &d->cfg->node, err);
}

/* Forward first, announce last: tables, then the program on the interfaces, then routes. */
static int first_state(struct daemon *d, struct err *err)
{
	int rc;

	snprintf(d->node_blocked, sizeof(d->node_blocked), "the tables are not loaded yet");
	rc = daemon_reconcile(d, err);
	if (rc == 0)
		rc = publish_adopt_done(d->publish, err);
	if (rc == 0)
		rc = attach_all(d, err);
	if (rc < 0)
		return rc;
	d->node_blocked[0] = '\0';
	d->started = true;
	daemon_engine_start(d);
	daemon_dirty(d);
	return 0;
}

static void start_when_ready(uv_timer_t *timer)
{
	struct daemon *d = timer->data;
	struct err err;

	if (d->stopping)
		return;
	if (!daemon_ways_answered(d) && clock_now_ns() - d->started_ns < WAYS_MS * NS_PER_MS)
		return;
	uv_timer_stop(timer);
	if (first_state(d, &err) < 0) {
		journal_write(LOG_LEVEL_ERROR, "node", NULL, "can't start: %s", err.text);
		daemon_stop(d, 1);
		return;
	}
	daemon_metrics_configure(d);
	uv_timer_start(&d->tick_timer, on_tick, TICK_MS, TICK_MS);
	daemon_track_start(d);
	daemon_notify("READY=1");
	journal_write(LOG_LEVEL_INFO, "node", d->cfg->node.name, "fairwayd %s is ready%s",
		      FAIRWAY_VERSION, d->adopted ? ", adopted the tables of an earlier one" : "");
}

static int publish_interfaces(struct daemon *d, struct err *err)
{
	for (size_t i = 0; i < d->cfg->node.n_interfaces; i++) {
		struct neighbour_link link;
		const char *name = d->cfg->node.interfaces[i].name;
		int rc = neighbour_link_get(d->neighbour, name, &link);

		/* fairway-dpdk makes it; then it is published with the ways that use it. */
		if (rc < 0 && forwarder_page(d->forwarder))
			continue;
		if (rc < 0)
			return err_set(err, rc, "interface %s doesn't exist", name);
		rc = daemon_iface_publish(d, link.ifindex, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int open_parts(struct daemon *d, struct err *err)
{
	struct health_events health = daemon_health_events(d);
	struct neighbour_events neighbour = daemon_neighbour_events(d);
	struct bgp_events bgp = {.peer_state = on_peer_state, .notice = on_bgp_notice};
	int rc = neighbour_new(&d->loop, &neighbour, &d->neighbour, err);

	if (rc == 0)
		rc = forwarder_open(d->cfg, d->opt.bpffs, d->opt.tables, &d->forwarder, err);
	if (rc == 0)
		rc = publish_new(forwarder_engine(d->forwarder), &d->publish, err);
	if (rc < 0)
		return rc;
	d->adopted = forwarder_adopted(d->forwarder);
	rc = health_new(&d->loop, &health, &d->health);
	if (rc < 0)
		return err_set(err, rc, "health checks: %s", strerror(-rc));
	d->bgp = bgp_new(&d->loop, &bgp, d);
	if (!d->bgp)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int load_intent(struct daemon *d, struct err *err)
{
	struct err why;
	int rc = vip_intent_load(d->intent_path, &d->intent, &why);

	if (rc == -EINVAL) {
		snprintf(d->intent_warning, sizeof(d->intent_warning), "%s", why.text);
		journal_write(LOG_LEVEL_ERROR, "node", NULL, "%s", why.text);
		return 0;
	}
	return rc < 0 ? err_set(err, rc, "%s", why.text) : 0;
}

static void init_signal(struct daemon *d, uv_signal_t *handle, uv_signal_cb cb, int signum)
{
	uv_signal_init(&d->loop, handle);
	handle->data = d;
	uv_signal_start(handle, cb, signum);
}

static int start(struct daemon *d, struct err *err)
{
	struct api_table table = {.methods = daemon_methods, .n = daemon_methods_count, .arg = d};
	int rc = load_intent(d, err);

	if (rc == 0)
		rc = api_server_new(&d->loop, d->opt.socket, &table, &d->api, err);
	if (rc == 0)
		rc = open_parts(d, err);
	if (rc == 0)
		rc = publish_interfaces(d, err);
	if (rc == 0)
		rc = daemon_targets_sync(d, d->cfg, true, err);
	if (rc == 0)
		rc = daemon_bgp_configure(d, d->cfg, err);
	if (rc < 0)
		return rc;
	vip_intent_prune(&d->intent, d->cfg);
	uv_timer_start(&d->reconcile_timer, start_when_ready, 0, 10);
	return 0;
}

/* ---- the whole ---- */

static int init(struct daemon *d, const struct daemon_options *opt, struct err *err)
{
	int rc;

	d->opt = *opt;
	d->lock_fd = -1;
	d->started_ns = d->config_at_ns = clock_now_ns();
	if (!realpath(opt->config, d->config_path))
		return err_set(err, -errno, "%s: %s", opt->config, strerror(errno));
	if (snprintf(d->intent_path, sizeof(d->intent_path), "%s/intent.json", opt->state) >=
	    (int)sizeof(d->intent_path))
		return err_set(err, -ENAMETOOLONG, "--state %s: path too long", opt->state);
	rc = daemon_lock(opt->state, &d->lock_fd, err);
	if (rc < 0)
		return rc;
	rc = uv_loop_init(&d->loop);
	if (rc < 0)
		return err_set(err, rc, "event loop: %s", uv_strerror(rc));
	init_signal(d, &d->sigterm, on_stop_signal, SIGTERM);
	init_signal(d, &d->sigint, on_stop_signal, SIGINT);
	init_signal(d, &d->sighup, on_reload_signal, SIGHUP);
	uv_timer_init(&d->loop, &d->reconcile_timer);
	uv_timer_init(&d->loop, &d->tick_timer);
	uv_timer_init(&d->loop, &d->track_timer);
	uv_timer_init(&d->loop, &d->engine_timer);
	d->reconcile_timer.data = d->tick_timer.data = d->track_timer.data = d;
	d->engine_timer.data = d;
	return 0;
}

static void fini(struct daemon *d)
{
	publish_free(d->publish);
	forwarder_free(d->forwarder);
	vip_desired_fini(&d->desired);
	vip_state_fini(&d->loaded);
	vip_intent_fini(&d->intent);
	free(d->held);
	config_free(d->cfg);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
}

int daemon_run(const struct daemon_options *opt, struct config *cfg, const struct stat *config_stat)
{
	struct daemon *d = calloc(1, sizeof(*d));
	struct err err;
	int rc;

	if (!d) {
		config_free(cfg);
		return 1;
	}
	d->cfg = cfg;
	d->config_stat = *config_stat;
	rc = init(d, opt, &err);
	if (rc < 0) {
		fprintf(stderr, "fairwayd: %s\n", err.text);
		fini(d);
		free(d);
		return 1;
	}
	if (start(d, &err) < 0) {
		fprintf(stderr, "fairwayd: %s\n", err.text);
		daemon_stop(d, 1);
	}
	uv_run(&d->loop, UV_RUN_DEFAULT);
	uv_loop_close(&d->loop);
	rc = d->exit_code;
	fini(d);
	free(d);
	return rc;
}
