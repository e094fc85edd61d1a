/* SPDX-License-Identifier: BSD-2-Clause */
/* The running configuration: load, judge, replace. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"

/* ---- what only this host can know ---- */

static void add_finding(struct config_errors *errs, bool warning, const struct config_mark *mark,
			const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

static void add_finding(struct config_errors *errs, bool warning, const struct config_mark *mark,
			const char *hint, const char *fmt, ...)
{
	struct config_error *list = warning ? errs->warnings : errs->errors, *e;
	size_t *n = warning ? &errs->n_warnings : &errs->n_errors;
	va_list ap;

	if (*n == CONFIG_ERRORS_MAX) {
		*(warning ? &errs->n_warnings_dropped : &errs->n_errors_dropped) += 1;
		return;
	}
	e = &list[(*n)++];
	e->line = mark->line;
	e->column = mark->column;
	snprintf(e->hint, sizeof(e->hint), "%s", hint);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
}

static bool runs_with_real(const struct config *running, const struct addr *addr)
{
	for (size_t p = 0; running && p < running->n_pools; p++) {
		if (config_find_real(&running->pools[p], addr))
			return true;
	}
	return false;
}

/* An interface that fairway-dpdk makes when it starts, and takes with it. */
static bool comes_with_engine(const struct config_node *node, const char *ifname)
{
	const struct config_dpdk_port *port = config_find_port(&node->dpdk, ifname);

	return node->engine == CONFIG_ENGINE_DPDK && port &&
	       port->exception != CONFIG_EXCEPTION_KERNEL;
}

/* later: an interface is still to come, and routes with it. */
static void check_route(const struct config_pool *pool, const struct config_real *real,
			const struct config *running, bool later, struct config_errors *errs)
{
	char buf[ADDR_STRLEN], hint[ADDR_STRLEN + 64];
	struct err err;

	if (neighbour_route_check(&real->address, NULL, &err) == 0)
		return;
	addr_format(&real->address, buf);
	snprintf(hint, sizeof(hint), "or mend the address; see `ip route get %s`", buf);
	add_finding(errs, later || runs_with_real(running, &real->address), &real->mark, hint,
		    "real %s of pool %s: %.200s", buf, pool->name, err.text);
}

int daemon_config_check_host(const struct config *cfg, const struct config *running,
			     struct config_errors *errs)
{
	size_t before = errs->n_errors;
	bool later = false;

	for (size_t i = 0; i < cfg->node.n_interfaces; i++) {
		const struct config_interface *ifc = &cfg->node.interfaces[i];

		if (if_nametoindex(ifc->name) != 0)
			continue;
		if (comes_with_engine(&cfg->node, ifc->name))
			later = true;
		else
			add_finding(errs, false, &ifc->mark, "`ip link` lists those there are",
				    "interface %s doesn't exist", ifc->name);
	}
	for (size_t p = 0; p < cfg->n_pools; p++) {
		for (size_t r = 0; r < cfg->pools[p].n_reals; r++)
			check_route(&cfg->pools[p], &cfg->pools[p].reals[r], running, later, errs);
	}
	return errs->n_errors > before ? -EINVAL : 0;
}

int daemon_config_load(const char *path, const char *text, const struct config *running,
		       struct config **ret_cfg, struct config_errors *errs, struct stat *ret_stat)
{
	struct config *cfg;
	struct stat st = {0};
	int rc;

	/* Before reading: a file that is edited meanwhile then counts as changed. */
	if (!text && stat(path, &st) < 0)
		memset(&st, 0, sizeof(st));
	rc = text ? config_parse(text, strlen(text), path, &cfg, errs)
		  : config_load(path, &cfg, errs);
	if (rc < 0)
		return rc;
	rc = daemon_config_check_host(cfg, running, errs);
	if (rc < 0) {
		config_free(cfg);
		return rc;
	}
	if (ret_stat)
		*ret_stat = st;
	*ret_cfg = cfg;
	return 0;
}

bool daemon_config_changed_on_disk(const struct daemon *d)
{
	const struct stat *was = &d->config_stat;
	struct stat now;

	if (stat(d->config_path, &now) < 0)
		return true;
	return now.st_ino != was->st_ino || now.st_size != was->st_size ||
	       now.st_mtim.tv_sec != was->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != was->st_mtim.tv_nsec;
}

/* ---- bgp ---- */

static void bgp_neighbor_of(const struct config_neighbor *from, struct bgp_neighbor *to)
{
	*to = (struct bgp_neighbor){.address = from->address,
				    .asn = from->asn,
				    .port = from->port,
				    .hold_time_ms = from->hold_time_ms,
				    .ttl_security_hops = from->ttl_security ? 1 : 0,
				    .next_hop_ipv4 = from->next_hop.ipv4,
				    .next_hop_ipv6 = from->next_hop.ipv6,
				    .passive = from->passive};
	_Static_assert(sizeof(to->password) == sizeof(from->password), "TCP MD5 key");
	memcpy(to->password, from->password, sizeof(to->password));
}

/* Call with the speaker's form of cfg; speaker NULL only checks. */
static int bgp_apply(struct bgp_speaker *speaker, const struct config *cfg, struct err *err)
{
	struct bgp_config bc = {.asn = cfg->bgp.asn, .n_neighbors = cfg->bgp.n_neighbors};
	const uint8_t *id = cfg->bgp.router_id.bytes;
	struct bgp_neighbor *list;
	int rc;

	if (!cfg->has_bgp)
		return speaker ? bgp_configure(speaker, NULL, err) : 0;
	bc.router_id = (uint32_t)id[0] << 24 | (uint32_t)id[1] << 16 | (uint32_t)id[2] << 8 | id[3];
	list = calloc(bc.n_neighbors ? bc.n_neighbors : 1, sizeof(*list));
	if (!list)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < bc.n_neighbors; i++)
		bgp_neighbor_of(&cfg->bgp.neighbors[i], &list[i]);
	bc.neighbors = list;
	rc = speaker ? bgp_configure(speaker, &bc, err) : bgp_config_check(&bc, err);
	free(list);
	return rc;
}

int daemon_bgp_configure(struct daemon *d, const struct config *cfg, struct err *err)
{
	return bgp_apply(d->bgp, cfg, err);
}

/* ---- what a change would do ---- */

static bool same_interfaces(const struct config_node *a, const struct config_node *b)
{
	if (a->n_interfaces != b->n_interfaces)
		return false;
	for (size_t i = 0; i < a->n_interfaces; i++) {
		if (strcmp(a->interfaces[i].name, b->interfaces[i].name) != 0)
			return false;
	}
	return true;
}

static int needs_restart(const struct config_node *was, const struct config_node *now,
			 struct err *err)
{
	const char *key = NULL;

	if (!same_interfaces(was, now))
		key = "interfaces";
	else if (was->engine != now->engine)
		key = "engine";
	else if (was->xdp_mode != now->xdp_mode)
		key = "xdp_mode";
	else if (now->engine == CONFIG_ENGINE_DPDK && !config_dpdk_equal(&was->dpdk, &now->dpdk))
		key = "dpdk";
	if (!key)
		return 0;
	return err_set(err, -EOPNOTSUPP,
		       "node.%s can't change while fairwayd runs: write it to the file and restart "
		       "fairwayd (packets keep flowing meanwhile)",
		       key);
}

void daemon_change_fini(struct daemon_change *c)
{
	vip_changes_fini(&c->changes);
}

int daemon_diff(struct daemon *d, const struct config *cfg, const struct vip_intent *intent,
		struct vip_changes *ret)
{
	struct vip_desired was, want;
	struct vip_inputs in;
	int rc;

	/* What was reconciled last may be older than a check's last word. */
	daemon_inputs(d, d->cfg, &d->intent, &in);
	rc = vip_desired_make(&in, &was);
	if (rc < 0)
		return rc;
	daemon_inputs(d, cfg, intent, &in);
	rc = vip_desired_make(&in, &want);
	if (rc == 0) {
		rc = vip_diff(d->cfg, &was, cfg, &want, ret);
		vip_desired_fini(&want);
	}
	vip_desired_fini(&was);
	return rc;
}

int daemon_change_plan(struct daemon *d, const struct config *cfg, struct daemon_change *ret,
		       struct err *err)
{
	struct daemon_change change = {.brake = ""};
	struct err why;
	int rc = needs_restart(&d->cfg->node, &cfg->node, err);

	if (rc < 0)
		return rc;
	rc = bgp_apply(NULL, cfg, err);
	if (rc < 0)
		return rc;
	rc = daemon_diff(d, cfg, &d->intent, &change.changes);
	if (rc < 0)
		return err_set(err, rc, "%s", strerror(-rc));
	if (vip_brake_removals(d->cfg, cfg, &why) < 0)
		snprintf(change.brake, sizeof(change.brake), "%.255s", why.text);
	*ret = change;
	return 0;
}

/* ---- replacing it ---- */

/* Everything that follows the configuration, brought to cfg. */
static int follow(struct daemon *d, const struct config *cfg, struct err *err)
{
	int rc = daemon_targets_sync(d, cfg, false, err);

	if (rc == 0)
		rc = daemon_bgp_configure(d, cfg, err);
	if (rc == 0)
		rc = daemon_reconcile(d, err);
	return rc;
}

int daemon_config_apply(struct daemon *d, struct config *cfg, struct err *err)
{
	struct config *was = d->cfg;
	struct err back;
	size_t forgotten;
	int rc;

	d->cfg = cfg;
	rc = follow(d, cfg, err);
	if (rc < 0) {
		d->cfg = was;
		if (follow(d, was, &back) < 0) {
			journal_write(LOG_LEVEL_ERROR, "node", NULL,
				      "a change failed, and so did going back: %s", back.text);
			/* Its reports may point into cfg; the retry makes new ones. */
			vip_desired_fini(&d->desired);
		}
		config_free(cfg);
		return rc;
	}
	config_free(was);
	d->config_at_ns = clock_now_ns();
	forgotten = vip_intent_prune(&d->intent, cfg);
	if (forgotten && vip_intent_save(d->intent_path, &d->intent, &back) < 0)
		journal_write(LOG_LEVEL_ERROR, "node", NULL, "%s", back.text);
	daemon_metrics_configure(d);
	return 0;
}

/* ---- SIGHUP ---- */

static void tell_errors(const struct config_errors *errs)
{
	char line[sizeof(((struct config_error *)0)->text) + 512];

	for (size_t i = 0; i < errs->n_errors; i++)
		journal_write(LOG_LEVEL_ERROR, "config", NULL, "%s",
			      config_error_format(errs, &errs->errors[i], line, sizeof(line)));
	if (errs->n_errors_dropped)
		journal_write(LOG_LEVEL_ERROR, "config", NULL, "and %zu more errors",
			      errs->n_errors_dropped);
}

void daemon_config_tell_warnings(const struct config_errors *errs)
{
	char line[sizeof(((struct config_error *)0)->text) + 512];

	for (size_t i = 0; i < errs->n_warnings; i++)
		journal_write(LOG_LEVEL_WARN, "config", NULL, "%s",
			      config_error_format(errs, &errs->warnings[i], line, sizeof(line)));
}

/* The checks between a configuration that holds and one that may be applied without force. */
static int may_apply(struct daemon *d, const struct config *cfg, struct err *err)
{
	struct daemon_change change;
	int rc = daemon_change_plan(d, cfg, &change, err);

	if (rc < 0)
		return rc;
	if (change.brake[0])
		rc = err_set(err, -EPERM,
			     "%s: held back; `fairway config apply force true` does it all the "
			     "same",
			     change.brake);
	for (size_t i = 0; rc == 0 && i < change.changes.n; i++)
		journal_write(LOG_LEVEL_INFO, "config", change.changes.items[i].name, "%s",
			      change.changes.items[i].text);
	daemon_change_fini(&change);
	return rc;
}

void daemon_config_reload(struct daemon *d)
{
	struct config_errors errs;
	struct config *cfg;
	struct stat st;
	struct err err;

	if (daemon_config_load(d->config_path, NULL, d->cfg, &cfg, &errs, &st) < 0) {
		tell_errors(&errs);
		journal_write(LOG_LEVEL_ERROR, "config", NULL,
			      "reload refused, the running configuration stays");
		return;
	}
	daemon_config_tell_warnings(&errs);
	if (may_apply(d, cfg, &err) < 0) {
		config_free(cfg);
		journal_write(LOG_LEVEL_ERROR, "config", NULL,
			      "reload refused, the running configuration stays: %s", err.text);
		return;
	}
	if (daemon_config_apply(d, cfg, &err) < 0) {
		journal_write(LOG_LEVEL_ERROR, "config", NULL,
			      "reload failed, the running configuration stays: %s", err.text);
		return;
	}
	d->config_stat = st;
	d->unsaved = false;
	journal_write(LOG_LEVEL_INFO, "config", NULL, "%s reloaded", d->config_path);
}
