/* SPDX-License-Identifier: BSD-2-Clause */
/* Methods that change something: each builds the configuration or intent it wants, has it judged,
 * and only then carries it out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/methods.h"

/* ---- carrying out ---- */

int fail_brake(struct api_reply *reply, const char *brake, const char *why,
	       const struct vip_changes *changes)
{
	api_fail(reply, API_NEEDS_FORCE, "%s", why);
	api_hint(reply, "if that is what you want, add --force (force: true)");
	api_data(reply, "brake", json_string(brake));
	return api_data(reply, "plan", doc_plan(changes));
}

/* What takes an announced VIP off the air, or NULL. */
const struct vip_change *withdrawal(const struct vip_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		if (strcmp(changes->items[i].action, "withdraw") == 0)
			return &changes->items[i];
	}
	return NULL;
}

int fail_withdrawal(struct api_reply *reply, const struct vip_changes *changes)
{
	const struct vip_change *c = withdrawal(changes);
	char why[sizeof(c->name) + sizeof(c->text) + 32];

	snprintf(why, sizeof(why), "this takes VIP %s off the air: %s", c->name, c->text);
	return fail_brake(reply, VIP_BRAKE_WITHDRAWAL, why, changes);
}

int fail_plan(struct api_reply *reply, int rc, const struct err *err)
{
	if (rc == -EOPNOTSUPP)
		return api_fail(reply, API_NOT_SUPPORTED, "%s", err->text);
	if (rc == -EINVAL)
		return api_fail(reply, API_INVALID_VALUE, "%s", err->text);
	return api_fail(reply, API_INTERNAL_ERROR, "%s", err->text);
}

void tell_changes(const struct vip_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++)
		journal_write(LOG_LEVEL_INFO, changes->items[i].object, changes->items[i].name,
			      "%s, by the operator", changes->items[i].text);
}

int change_config(struct daemon *d, struct config *cfg, bool force, bool guard_withdrawal,
		  struct api_reply *reply)
{
	struct daemon_change change;
	struct err err;
	int rc;

	if (config_equal(d->cfg, cfg)) {
		struct vip_changes none = {0};

		config_free(cfg);
		reply->result = result_change(d, false, &none);
		return 0;
	}
	rc = daemon_change_plan(d, cfg, &change, &err);
	if (rc < 0) {
		config_free(cfg);
		return fail_plan(reply, rc, &err);
	}
	rc = 0;
	if (!force && change.brake[0]) {
		rc = fail_brake(reply, VIP_BRAKE_REMOVALS, change.brake, &change.changes);
	} else if (!force && guard_withdrawal && withdrawal(&change.changes)) {
		rc = fail_withdrawal(reply, &change.changes);
	}
	if (rc < 0) {
		config_free(cfg);
	} else if (daemon_config_apply(d, cfg, &err) < 0) {
		rc = api_fail(reply, API_FAILED, "%s", err.text);
	} else {
		d->unsaved = true;
		tell_changes(&change.changes);
		reply->result = result_change(d, true, &change.changes);
	}
	daemon_change_fini(&change);
	return rc;
}

/* Judge an edited configuration, which is taken over, and make it the running one. */
static int finish_edit(struct daemon *d, struct config *cfg, bool force, bool guard_withdrawal,
		       struct api_reply *reply)
{
	static struct config_errors errs;
	int rc = config_validate(cfg, &errs);

	if (rc == 0)
		rc = daemon_config_check_host(cfg, d->cfg, &errs);
	if (rc == -ENOMEM)
		rc = api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	else if (rc < 0)
		rc = fail_config_errors(reply, &errs);
	if (rc < 0) {
		config_free(cfg);
		return rc;
	}
	return change_config(d, cfg, force, guard_withdrawal, reply);
}

static struct config *start_edit(struct daemon *d, struct api_reply *reply)
{
	struct config *cfg = config_clone(d->cfg);

	if (!cfg)
		api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	return cfg;
}

/* An edit of config/edit.c that failed. */
static int fail_edit(struct api_reply *reply, int rc, const char *object, const char *key,
		     const struct err *err)
{
	if (rc == -ENOMEM)
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	if (rc == -EEXIST)
		api_fail(reply, API_ALREADY_EXISTS, "%s", err->text);
	else if (rc == -ENOENT)
		api_fail(reply, API_NOT_FOUND, "%s", err->text);
	else
		return api_bad_param(reply, API_INVALID_VALUE, NULL, "%s", err->text);
	api_data(reply, "object", json_string(object));
	api_data(reply, "key", json_string(key));
	return rc == -ENOENT ? api_data(reply, "nearest", NULL) : -1;
}

/* ---- services in parameters ---- */

/* "port", 0 for any, and where it begins a range "port_last". */
static int parse_ports(const json_t *service, const char *param, struct ports *ret_ports,
		       struct api_reply *reply)
{
	const json_t *first = json_object_get(service, "port");
	const json_t *last = json_object_get(service, "port_last");
	json_int_t from = json_integer_value(first);
	json_int_t to = last ? json_integer_value(last) : from;

	if (!json_is_integer(first) || from < 0 || from > 65535)
		return api_bad_param(reply, API_INVALID_VALUE, param,
				     "%s: \"port\" must be a number from 1 to 65535, or 0 for any",
				     param);
	if ((last && !json_is_integer(last)) || to < from || to > 65535 ||
	    (!from && last && to != 65535))
		return api_bad_param(reply, API_INVALID_VALUE, param,
				     "%s: \"port_last\" must be a number from \"port\" to 65535",
				     param);
	*ret_ports = from ? (struct ports){(uint16_t)from, (uint16_t)to} : PORTS_ANY;
	return 0;
}

static int check_service_keys(const json_t *j, const char *param, bool with_pool,
			      struct api_reply *reply)
{
	const char *key;
	json_t *value;

	if (!json_is_object(j))
		return api_bad_param(reply, API_INVALID_PARAMS, param,
				     "%s: each service is an object", param);
	json_object_foreach((json_t *)j, key, value)
	{
		if (strcmp(key, "protocol") == 0 || strcmp(key, "port") == 0 ||
		    strcmp(key, "port_last") == 0 || (with_pool && strcmp(key, "pool") == 0))
			continue;
		return api_bad_param(reply, API_INVALID_PARAMS, param,
				     "%s: a service has no key '%.64s'", param, key);
	}
	return 0;
}

static int parse_service(struct daemon *d, const json_t *j, const char *param, bool with_pool,
			 struct config_service *ret, struct api_reply *reply)
{
	const char *protocol = json_string_value(json_object_get(j, "protocol"));
	const char *pool = json_string_value(json_object_get(j, "pool"));
	struct config_service s = {0};
	struct err err;

	if (check_service_keys(j, param, with_pool, reply) < 0)
		return -1;
	if (!protocol || (with_pool && !pool))
		return api_bad_param(reply, API_INVALID_PARAMS, param,
				     "%s: a service needs \"protocol\", \"port\"%s", param,
				     with_pool ? " and \"pool\"" : "");
	if (config_protocol_parse(protocol, &s.protocol, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, param, "%s", err.text);
	if (parse_ports(j, param, &s.ports, reply) < 0)
		return -1;
	if (with_pool) {
		if (!need_pool(d, pool, reply))
			return -1;
		snprintf(s.pool, sizeof(s.pool), "%s", pool);
	}
	*ret = s;
	return 0;
}

static void service_key(const struct config_vip *vip, const struct config_service *s, char *key,
			size_t len)
{
	char ports[PORTS_STRLEN];

	snprintf(key, len, "%s %s/%s", vip->name, config_protocol_name(s->protocol),
		 ports_format(s->ports, ports));
}

/* What a parameter that lists services does with each. */
struct services_param {
	const char *name;
	bool with_pool;
	int (*edit)(struct config *cfg, const char *vip, const struct config_service *s,
		    struct err *err);
};

static int edit_services(struct daemon *d, struct config *cfg, const char *vip,
			 const json_t *params, const struct services_param *param,
			 struct api_reply *reply)
{
	const json_t *item;
	size_t i;

	json_array_foreach(json_object_get(params, param->name), i, item)
	{
		struct config_service s;
		char key[128];
		struct err err;
		int rc = parse_service(d, item, param->name, param->with_pool, &s, reply);

		if (rc < 0)
			return rc;
		rc = param->edit(cfg, vip, &s, &err);
		if (rc < 0) {
			service_key(config_find_vip(cfg, vip), &s, key, sizeof(key));
			return fail_edit(reply, rc, "service", key, &err);
		}
	}
	return 0;
}

static int edit_remove(struct config *cfg, const char *vip, const struct config_service *s,
		       struct err *err)
{
	return config_remove_service(cfg, vip, s->protocol, s->ports, err);
}

static int edit_set(struct config *cfg, const char *vip, const struct config_service *s,
		    struct err *err)
{
	if (config_find_service(config_find_vip(cfg, vip), s->protocol, s->ports))
		return config_set_service_pool(cfg, vip, s->protocol, s->ports, s->pool, err);
	return config_add_service(cfg, vip, s, err);
}

static const struct services_param services_add = {"services", true, config_add_service};
static const struct services_param services_remove = {"remove_services", false, edit_remove};
static const struct services_param services_set = {"set_services", true, edit_set};

/* ---- vip ---- */

/* No two VIPs share an address. */
static int check_address_free(const struct config *cfg, const struct prefix *addr,
			      const char *except, struct api_reply *reply)
{
	char buf[ADDR_STRLEN];

	for (size_t i = 0; i < cfg->n_vips; i++) {
		if (!prefix_equal(&cfg->vips[i].address, addr) ||
		    strcmp(cfg->vips[i].name, except) == 0)
			continue;
		prefix_format_short(addr, buf);
		api_fail(reply, API_ALREADY_EXISTS, "VIP %s has the address %s", cfg->vips[i].name,
			 buf);
		api_hint(reply, "add a service to it: fairway vip set %s ...", cfg->vips[i].name);
		api_data(reply, "object", json_string("vip"));
		return api_data(reply, "key", json_string(buf));
	}
	return 0;
}

static int parse_vip(const json_t *params, struct config_vip *vip, struct api_reply *reply)
{
	const char *announce = api_string(params, "announce");
	struct err err;

	if (config_name_parse(api_string(params, "name"), vip->name, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "name", "%s", err.text);
	if (config_vip_address_parse(api_string(params, "address"), &vip->address, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "address", "%s", err.text);
	if (announce && config_announce_parse(announce, &vip->announce.when, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "announce", "%s", err.text);
	return 0;
}

static int build_vip(struct daemon *d, struct config *cfg, const json_t *params,
		     struct api_reply *reply)
{
	struct config_vip vip;
	struct err err;
	int rc;

	config_vip_init(&vip);
	rc = parse_vip(params, &vip, reply);
	if (rc < 0)
		return rc;
	rc = config_find_vip(cfg, vip.name) ? 0 : check_address_free(cfg, &vip.address, "", reply);
	if (rc < 0)
		return rc;
	rc = config_add_vip(cfg, &vip, &err);
	if (rc < 0)
		return fail_edit(reply, rc, "vip", vip.name, &err);
	return edit_services(d, cfg, vip.name, params, &services_add, reply);
}

int method_vip_add(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct config *cfg = start_edit(d, reply);

	if (!cfg)
		return -1;
	if (build_vip(d, cfg, params, reply) < 0) {
		config_free(cfg);
		return -1;
	}
	return finish_edit(d, cfg, api_bool(params, "force"), false, reply);
}

int method_vip_remove(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct config *cfg;
	struct err err;
	int rc;

	if (!need_vip(d, params, reply))
		return -1;
	cfg = start_edit(d, reply);
	if (!cfg)
		return -1;
	rc = config_remove_vip(cfg, api_string(params, "name"), &err);
	if (rc < 0) {
		config_free(cfg);
		return fail_edit(reply, rc, "vip", api_string(params, "name"), &err);
	}
	return finish_edit(d, cfg, api_bool(params, "force"), false, reply);
}

static int edit_vip(struct daemon *d, struct config *cfg, const json_t *params,
		    struct api_reply *reply)
{
	const char *name = api_string(params, "name"), *address = api_string(params, "address");
	const char *announce = api_string(params, "announce");
	enum config_announce_when when;
	struct prefix addr;
	struct err err;
	int rc;

	if (address) {
		if (config_vip_address_parse(address, &addr, &err) < 0)
			return api_bad_param(reply, API_INVALID_VALUE, "address", "%s", err.text);
		if (check_address_free(cfg, &addr, name, reply) < 0)
			return -1;
		rc = config_set_vip_address(cfg, name, &addr, &err);
		if (rc < 0)
			return fail_edit(reply, rc, "vip", name, &err);
	}
	if (announce) {
		if (config_announce_parse(announce, &when, &err) < 0)
			return api_bad_param(reply, API_INVALID_VALUE, "announce", "%s", err.text);
		rc = config_set_vip_announce(cfg, name, when, &err);
		if (rc < 0)
			return fail_edit(reply, rc, "vip", name, &err);
	}
	rc = edit_services(d, cfg, name, params, &services_remove, reply);
	if (rc == 0)
		rc = edit_services(d, cfg, name, params, &services_set, reply);
	return rc;
}

int method_vip_set(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct config *cfg;

	if (!need_vip(d, params, reply))
		return -1;
	cfg = start_edit(d, reply);
	if (!cfg)
		return -1;
	if (edit_vip(d, cfg, params, reply) < 0) {
		config_free(cfg);
		return -1;
	}
	return finish_edit(d, cfg, api_bool(params, "force"), false, reply);
}

/* ---- real ---- */

static int parse_weight(const json_t *params, uint32_t *ret_weight, struct api_reply *reply)
{
	json_int_t weight = api_integer(params, "weight", 0);

	if (weight < 0 || weight > 1000)
		return api_bad_param(reply, API_INVALID_VALUE, "weight",
				     "weight must be from 0 to 1000, not %lld", (long long)weight);
	*ret_weight = (uint32_t)weight;
	return 0;
}

static int parse_mac(const json_t *params, struct config_mac *ret_mac, struct api_reply *reply)
{
	const char *text = api_string(params, "mac");
	struct err err;

	memset(ret_mac, 0, sizeof(*ret_mac));
	if (text && config_mac_parse(text, ret_mac, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "mac", "%s", err.text);
	return 0;
}

/* Not there: none, so it follows from the address. */
static int parse_server_id(const json_t *params, struct server_id *ret_id, struct api_reply *reply)
{
	const char *text = api_string(params, "server_id");
	struct err err;

	memset(ret_id, 0, sizeof(*ret_id));
	if (text && config_server_id_parse(text, ret_id, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "server_id", "%s", err.text);
	return 0;
}

static int parse_real(const json_t *params, struct config_real *real, struct api_reply *reply)
{
	struct err err;

	config_real_init(real);
	if (config_address_parse(api_string(params, "address"), &real->address, &err) < 0)
		return api_bad_param(reply, API_INVALID_VALUE, "address", "%s", err.text);
	if (api_has(params, "weight") && parse_weight(params, &real->weight, reply) < 0)
		return -1;
	if (api_has(params, "mac") && parse_mac(params, &real->mac, reply) < 0)
		return -1;
	return parse_server_id(params, &real->server_id, reply);
}

int method_real_add(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	const char *pool = api_string(params, "pool");
	struct config_real real;
	struct config *cfg;
	struct err err;
	int rc;

	if (!need_pool(d, pool, reply) || parse_real(params, &real, reply) < 0)
		return -1;
	cfg = start_edit(d, reply);
	if (!cfg)
		return -1;
	rc = config_add_real(cfg, pool, &real, &err);
	if (rc < 0) {
		config_free(cfg);
		return fail_edit(reply, rc, "real", api_string(params, "address"), &err);
	}
	return finish_edit(d, cfg, api_bool(params, "force"), false, reply);
}

int method_real_remove(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct config_pool *pool;
	struct config_real *real = need_real(d, params, &pool, reply);
	struct config *cfg;
	struct err err;
	int rc;

	if (!real)
		return -1;
	cfg = start_edit(d, reply);
	if (!cfg)
		return -1;
	rc = config_remove_real(cfg, pool->name, &real->address, &err);
	if (rc < 0) {
		config_free(cfg);
		return fail_edit(reply, rc, "real", api_string(params, "address"), &err);
	}
	return finish_edit(d, cfg, api_bool(params, "force"), true, reply);
}

static int edit_real(struct config *cfg, const char *pool, const struct addr *addr,
		     const json_t *params, struct api_reply *reply)
{
	struct config_mac mac;
	struct server_id id;
	uint32_t weight = 0;
	struct err err;
	int rc = 0;

	if (api_has(params, "weight")) {
		if (parse_weight(params, &weight, reply) < 0)
			return -1;
		rc = config_set_real_weight(cfg, pool, addr, weight, &err);
	}
	if (rc == 0 && api_has(params, "mac")) {
		if (parse_mac(params, &mac, reply) < 0)
			return -1;
		rc = config_set_real_mac(cfg, pool, addr, &mac, &err);
	}
	if (rc == 0 && api_has(params, "server_id")) {
		if (parse_server_id(params, &id, reply) < 0)
			return -1;
		rc = config_set_real_server_id(cfg, pool, addr, &id, &err);
	}
	return rc < 0 ? fail_edit(reply, rc, "real", api_string(params, "address"), &err) : 0;
}

int method_real_set(void *arg, json_t *params, struct api_reply *reply)
{
	struct daemon *d = arg;
	struct config_pool *pool;
	struct config_real *real = need_real(d, params, &pool, reply);
	struct config *cfg;

	if (!real)
		return -1;
	if (!api_has(params, "weight") && !api_has(params, "mac") && !api_has(params, "server_id"))
		return api_bad_param(reply, API_INVALID_PARAMS, NULL,
				     "real.set: give weight, mac or server_id");
	cfg = start_edit(d, reply);
	if (!cfg)
		return -1;
	if (edit_real(cfg, pool->name, &real->address, params, reply) < 0) {
		config_free(cfg);
		return -1;
	}
	return finish_edit(d, cfg, api_bool(params, "force"), true, reply);
}
