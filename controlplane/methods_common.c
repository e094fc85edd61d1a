/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/base/clock.h"
#include "controlplane/methods.h"

json_t *doc_text(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

json_t *doc_addr(const struct addr *addr)
{
	char buf[ADDR_STRLEN];

	return addr->family ? json_string(addr_format(addr, buf)) : json_null();
}

json_t *doc_prefix(const struct prefix *prefix)
{
	char buf[ADDR_STRLEN];

	return json_string(prefix_format(prefix, buf));
}

json_t *doc_vip_address(const struct prefix *prefix)
{
	char buf[ADDR_STRLEN];

	return json_string(prefix_format_short(prefix, buf));
}

void doc_ports(json_t *object, struct ports ports)
{
	json_object_set_new(object, "port", json_integer(ports.first));
	json_object_set_new(object, "port_last", json_integer(ports.last));
}

json_t *doc_mac(const uint8_t mac[6])
{
	char buf[18];

	snprintf(buf, sizeof(buf), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		 mac[4], mac[5]);
	return json_string(buf);
}

/* What to add to monotonic time for wall time, in ns. It moves only when the wall clock was set, so
 * that a moment has the same text whenever one asks. */
static int64_t wall_offset_ns(void)
{
	static int64_t offset;
	struct timespec ts;
	int64_t now;

	clock_gettime(CLOCK_REALTIME, &ts);
	now = (int64_t)ts.tv_sec * (int64_t)NS_PER_S + ts.tv_nsec - (int64_t)clock_now_ns();
	if (llabs(now - offset) > 5 * (int64_t)NS_PER_MS)
		offset = now;
	return offset;
}

static json_t *wall_text(uint64_t at_ns)
{
	uint64_t ms = (uint64_t)((int64_t)at_ns + wall_offset_ns()) / NS_PER_MS;
	char day[32], text[48];
	struct tm tm;
	time_t s = (time_t)(ms / 1000);

	gmtime_r(&s, &tm);
	strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%03uZ", day, (unsigned)(ms % 1000));
	return json_string(text);
}

void doc_moment(json_t *object, const char *at_key, uint64_t at_ns)
{
	uint64_t now = clock_now_ns();
	uint64_t age = now > at_ns ? now - at_ns : 0;

	json_object_set_new(object, at_key, at_ns ? wall_text(at_ns) : json_null());
	json_object_set_new(object, "age_ms",
			    at_ns ? json_integer((json_int_t)(age / NS_PER_MS)) : json_null());
}

void doc_count(json_t *object, const struct publish_count *count)
{
	json_object_set_new(object, "packets", json_integer((json_int_t)count->packets));
	json_object_set_new(object, "bytes", json_integer((json_int_t)count->bytes));
}

json_t *result_new(void)
{
	return json_pack("{s:i}", "schema_version", API_SCHEMA_VERSION);
}

int fail_not_found(struct api_reply *reply, const char *object, const char *key,
		   const char *nearest)
{
	api_fail(reply, API_NOT_FOUND, "no %s '%.128s'", object, key);
	if (nearest)
		api_hint(reply, "did you mean '%s'?", nearest);
	api_data(reply, "object", json_string(object));
	api_data(reply, "key", json_string(key));
	return api_data(reply, "nearest", nearest ? json_string(nearest) : NULL);
}

struct config_vip *need_vip(struct daemon *d, const json_t *params, struct api_reply *reply)
{
	const char *name = api_string(params, "name");
	struct config_vip *vip = config_find_vip(d->cfg, name);
	struct api_nearest near = {0};

	if (vip)
		return vip;
	for (size_t i = 0; i < d->cfg->n_vips; i++)
		api_nearest_offer(&near, name, d->cfg->vips[i].name);
	fail_not_found(reply, "vip", name, near.best);
	return NULL;
}

struct config_pool *need_pool(struct daemon *d, const char *name, struct api_reply *reply)
{
	struct config_pool *pool = config_find_pool(d->cfg, name);
	struct api_nearest near = {0};

	if (pool)
		return pool;
	for (size_t i = 0; i < d->cfg->n_pools; i++)
		api_nearest_offer(&near, name, d->cfg->pools[i].name);
	fail_not_found(reply, "pool", name, near.best);
	return NULL;
}

/* The one pool that has this address. */
static struct config_pool *only_pool_with(struct daemon *d, const struct addr *addr,
					  const char *text, struct api_reply *reply)
{
	struct config_pool *found = NULL;
	char names[512] = "";
	size_t n = 0;

	for (size_t i = 0; i < d->cfg->n_pools; i++) {
		struct config_pool *pool = &d->cfg->pools[i];
		size_t len = strlen(names);

		if (!config_find_real(pool, addr))
			continue;
		found = pool;
		snprintf(names + len, sizeof(names) - len, "%s%s", n++ ? ", " : "", pool->name);
	}
	if (n == 0) {
		fail_not_found(reply, "real", text, NULL);
		return NULL;
	}
	if (n > 1) {
		api_fail(reply, API_CONFLICT, "real %s lies in several pools: %s", text, names);
		api_hint(reply, "say which: pool NAME");
		return NULL;
	}
	return found;
}

struct config_real *need_real(struct daemon *d, const json_t *params, struct config_pool **ret_pool,
			      struct api_reply *reply)
{
	const char *text = api_string(params, "address"), *name = api_string(params, "pool");
	struct config_real *real;
	struct config_pool *pool;
	struct addr addr;
	struct err err;

	if (config_address_parse(text, &addr, &err) < 0) {
		api_bad_param(reply, API_INVALID_VALUE, "address", "%s", err.text);
		return NULL;
	}
	pool = name ? need_pool(d, name, reply) : only_pool_with(d, &addr, text, reply);
	if (!pool)
		return NULL;
	real = config_find_real(pool, &addr);
	if (!real) {
		char key[CONFIG_NAME_MAX + ADDR_STRLEN + 2];

		snprintf(key, sizeof(key), "%s %.60s", pool->name, text);
		fail_not_found(reply, "real", key, NULL);
		return NULL;
	}
	*ret_pool = pool;
	return real;
}

json_t *doc_findings(const struct config_errors *errs, bool warnings)
{
	const struct config_error *list = warnings ? errs->warnings : errs->errors;
	size_t n = warnings ? errs->n_warnings : errs->n_errors;
	size_t dropped = warnings ? errs->n_warnings_dropped : errs->n_errors_dropped;
	json_t *out = json_array();
	char more[64];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			out, json_pack("{s:o, s:i, s:i, s:s, s:o}", "file", doc_text(errs->file),
				       "line", (int)list[i].line, "column", (int)list[i].column,
				       "message", list[i].text, "hint", doc_text(list[i].hint)));
	if (dropped) {
		snprintf(more, sizeof(more), "and %zu more", dropped);
		json_array_append_new(out, json_pack("{s:o, s:i, s:i, s:s, s:n}", "file",
						     doc_text(errs->file), "line", 0, "column", 0,
						     "message", more, "hint"));
	}
	return out;
}

int fail_config_errors(struct api_reply *reply, const struct config_errors *errs)
{
	char line[768] = "the configuration can't be read";

	if (errs->n_errors)
		config_error_format(errs, &errs->errors[0], line, sizeof(line));
	if (errs->n_errors > 1)
		api_fail(reply, API_CONFIG_ERRORS, "%s (and %zu more)", line,
			 errs->n_errors - 1 + errs->n_errors_dropped);
	else
		api_fail(reply, API_CONFIG_ERRORS, "%s", line);
	api_data(reply, "errors", doc_findings(errs, false));
	return api_data(reply, "warnings", doc_findings(errs, true));
}

json_t *doc_plan(const struct vip_changes *changes)
{
	json_t *plan = json_array();

	for (size_t i = 0; i < changes->n; i++) {
		const struct vip_change *c = &changes->items[i];

		json_array_append_new(plan,
				      json_pack("{s:s, s:s, s:s, s:s, s:o}", "action", c->action,
						"object", c->object, "name", c->name, "text",
						c->text, "breaks", doc_text(c->breaks)));
	}
	return plan;
}

json_t *result_change(const struct daemon *d, bool changed, const struct vip_changes *changes)
{
	return json_pack("{s:i, s:b, s:b, s:o, s:[]}", "schema_version", API_SCHEMA_VERSION,
			 "changed", changed, "unsaved_changes", d->unsaved, "plan",
			 doc_plan(changes), "warnings");
}
