/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include "controlplane/config/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Edits of a configuration in memory, for the CLI and the API. They look after identity (there is
 * such a VIP, there isn't one yet); what values mean together is config_validate()'s. */

void config_vip_init(struct config_vip *vip)
{
	object_init(&schema_vip, vip);
}

void config_real_init(struct config_real *real)
{
	object_init(&schema_real, real);
}

void config_vip_fini(struct config_vip *vip)
{
	object_fini(&schema_vip, vip);
}

/* ---- Lists ---- */

/* Append a deep copy. The list is as before when memory runs out. */
static int append(const struct schema *schema, void **items, size_t *n, const void *item)
{
	char *more = realloc(*items, (*n + 1) * schema->size);
	int r;

	if (!more)
		return -ENOMEM;
	*items = more;
	r = object_clone(schema, more + *n * schema->size, item);
	if (!r)
		++*n;
	return r;
}

static void take_out(const struct schema *schema, void *items, size_t *n, void *item)
{
	char *end = (char *)items + *n * schema->size, *at = item;

	object_fini(schema, item);
	memmove(at, at + schema->size, (size_t)(end - at) - schema->size);
	--*n;
}

static int no_memory(int r, struct err *err)
{
	return r ? err_set(err, r, "out of memory") : 0;
}

/* ---- Finding, or saying what is missing ---- */

static int not_found(struct err *err, const char *noun, const char *name, const char *near,
		     const char *list)
{
	char show[SHOW_STRLEN];

	show_value(name, show);
	if (near)
		return err_set(err, -ENOENT, "there is no %s '%s': did you mean '%s'?", noun, show,
			       near);
	return err_set(err, -ENOENT, "there is no %s '%s': '%s' shows those there are", noun, show,
		       list);
}

static int get_vip(struct config *cfg, const char *name, struct config_vip **ret_vip,
		   struct err *err)
{
	struct suggest s;

	*ret_vip = config_find_vip(cfg, name);
	if (*ret_vip)
		return 0;
	suggest_init(&s, name);
	for (size_t i = 0; i < cfg->n_vips; i++)
		suggest_offer(&s, cfg->vips[i].name);
	return not_found(err, "vip", name, s.best, "fairway vip list");
}

static int get_pool(struct config *cfg, const char *name, struct config_pool **ret_pool,
		    struct err *err)
{
	struct suggest s;

	*ret_pool = config_find_pool(cfg, name);
	if (*ret_pool)
		return 0;
	suggest_init(&s, name);
	for (size_t i = 0; i < cfg->n_pools; i++)
		suggest_offer(&s, cfg->pools[i].name);
	return not_found(err, "pool", name, s.best, "fairway pool list");
}

static const char *service_text(enum config_protocol protocol, struct ports ports, char buf[32])
{
	char text[PORTS_STRLEN];

	snprintf(buf, 32, "%s port %s", config_protocol_name(protocol), ports_format(ports, text));
	return buf;
}

static int get_service(struct config *cfg, const char *vip_name, enum config_protocol protocol,
		       struct ports ports, struct config_vip **ret_vip,
		       struct config_service **ret_service, struct err *err)
{
	char text[32];
	int r = get_vip(cfg, vip_name, ret_vip, err);

	if (r)
		return r;
	*ret_service = config_find_service(*ret_vip, protocol, ports);
	if (*ret_service)
		return 0;
	return err_set(err, -ENOENT,
		       "vip '%s' has no service on %s: 'fairway vip show %s' lists its services",
		       vip_name, service_text(protocol, ports, text), vip_name);
}

static int get_real(struct config *cfg, const char *pool_name, const struct addr *address,
		    struct config_pool **ret_pool, struct config_real **ret_real, struct err *err)
{
	char text[ADDR_STRLEN];
	int r = get_pool(cfg, pool_name, ret_pool, err);

	if (r)
		return r;
	*ret_real = config_find_real(*ret_pool, address);
	if (*ret_real)
		return 0;
	return err_set(err, -ENOENT,
		       "pool '%s' has no real %s: 'fairway pool show %s' lists its reals",
		       pool_name, addr_format(address, text), pool_name);
}

/* ---- VIPs ---- */

static const struct config_vip *vip_at(const struct config *cfg, const struct prefix *address,
				       const struct config_vip *except)
{
	for (size_t i = 0; i < cfg->n_vips; i++)
		if (&cfg->vips[i] != except && prefix_equal(&cfg->vips[i].address, address))
			return &cfg->vips[i];
	return NULL;
}

static int check_vip_address(const struct config *cfg, const struct prefix *address,
			     const struct config_vip *except, struct err *err)
{
	const struct config_vip *other = vip_at(cfg, address, except);
	char text[ADDR_STRLEN];

	if (!other)
		return 0;
	return err_set(err, -EEXIST, "vip '%s' has address %s already: add the services to it",
		       other->name, prefix_format_short(address, text));
}

static int check_name(const char *name, struct err *err)
{
	char checked[CONFIG_NAME_MAX + 1];

	return config_name_parse(name, checked, err);
}

int config_add_vip(struct config *cfg, const struct config_vip *vip, struct err *err)
{
	int r = check_name(vip->name, err);

	if (r)
		return r;
	if (config_find_vip(cfg, vip->name))
		return err_set(err, -EEXIST,
			       "there is a vip '%s' already: change it with 'vip set', or choose "
			       "another name",
			       vip->name);
	r = check_vip_address(cfg, &vip->address, NULL, err);
	if (r)
		return r;
	return no_memory(append(&schema_vip, (void **)&cfg->vips, &cfg->n_vips, vip), err);
}

int config_remove_vip(struct config *cfg, const char *name, struct err *err)
{
	struct config_vip *vip;
	int r = get_vip(cfg, name, &vip, err);

	if (!r)
		take_out(&schema_vip, cfg->vips, &cfg->n_vips, vip);
	return r;
}

int config_set_vip(struct config *cfg, const struct config_vip *vip, struct err *err)
{
	struct config_vip *old, copy;
	int r = get_vip(cfg, vip->name, &old, err);

	if (r)
		return r;
	r = check_vip_address(cfg, &vip->address, old, err);
	if (r)
		return r;
	r = no_memory(object_clone(&schema_vip, &copy, vip), err);
	if (r)
		return r;
	object_fini(&schema_vip, old);
	*old = copy;
	return 0;
}

int config_set_vip_address(struct config *cfg, const char *name, const struct prefix *address,
			   struct err *err)
{
	struct config_vip *vip;
	int r = get_vip(cfg, name, &vip, err);

	if (!r)
		r = check_vip_address(cfg, address, vip, err);
	if (!r)
		vip->address = *address;
	return r;
}

int config_set_vip_announce(struct config *cfg, const char *name, enum config_announce_when when,
			    struct err *err)
{
	struct config_vip *vip;
	int r = get_vip(cfg, name, &vip, err);

	if (!r)
		vip->announce.when = when;
	return r;
}

/* ---- Services ---- */

int config_add_service(struct config *cfg, const char *vip_name,
		       const struct config_service *service, struct err *err)
{
	struct config_vip *vip;
	struct config_pool *pool;
	char text[32];
	int r = get_vip(cfg, vip_name, &vip, err);

	if (!r)
		r = get_pool(cfg, service->pool, &pool, err);
	if (r)
		return r;
	if (config_find_service(vip, service->protocol, service->ports))
		return err_set(err, -EEXIST,
			       "vip '%s' has a service on %s already: remove it first, or choose "
			       "another port",
			       vip_name, service_text(service->protocol, service->ports, text));
	return no_memory(
		append(&schema_service, (void **)&vip->services, &vip->n_services, service), err);
}

int config_remove_service(struct config *cfg, const char *vip_name, enum config_protocol protocol,
			  struct ports ports, struct err *err)
{
	struct config_service *service;
	struct config_vip *vip;
	int r = get_service(cfg, vip_name, protocol, ports, &vip, &service, err);

	if (!r)
		take_out(&schema_service, vip->services, &vip->n_services, service);
	return r;
}

int config_set_service_pool(struct config *cfg, const char *vip_name, enum config_protocol protocol,
			    struct ports ports, const char *pool_name, struct err *err)
{
	struct config_service *service;
	struct config_pool *pool;
	struct config_vip *vip;
	int r = get_service(cfg, vip_name, protocol, ports, &vip, &service, err);

	if (!r)
		r = get_pool(cfg, pool_name, &pool, err);
	if (!r)
		memcpy(service->pool, pool->name, sizeof(service->pool));
	return r;
}

/* ---- Reals ---- */

int config_add_real(struct config *cfg, const char *pool_name, const struct config_real *real,
		    struct err *err)
{
	struct config_pool *pool;
	char text[ADDR_STRLEN];
	int r = get_pool(cfg, pool_name, &pool, err);

	if (r)
		return r;
	if (config_find_real(pool, &real->address))
		return err_set(err, -EEXIST,
			       "pool '%s' has real %s already: change it with 'real set'",
			       pool_name, addr_format(&real->address, text));
	return no_memory(append(&schema_real, (void **)&pool->reals, &pool->n_reals, real), err);
}

int config_remove_real(struct config *cfg, const char *pool_name, const struct addr *address,
		       struct err *err)
{
	struct config_real *real;
	struct config_pool *pool;
	int r = get_real(cfg, pool_name, address, &pool, &real, err);

	if (!r)
		take_out(&schema_real, pool->reals, &pool->n_reals, real);
	return r;
}

int config_set_real_weight(struct config *cfg, const char *pool_name, const struct addr *address,
			   uint32_t weight, struct err *err)
{
	const struct field *f = schema_field(&schema_real, "weight");
	struct config_real *real;
	struct config_pool *pool;
	int r = get_real(cfg, pool_name, address, &pool, &real, err);

	if (r)
		return r;
	if (weight > f->max)
		return err_set(err, -EINVAL, "weight %u is out of range: use 0 to %u", weight,
			       (unsigned)f->max);
	real->weight = weight;
	return 0;
}

int config_set_real_mac(struct config *cfg, const char *pool_name, const struct addr *address,
			const struct config_mac *mac, struct err *err)
{
	struct config_real *real;
	struct config_pool *pool;
	int r = get_real(cfg, pool_name, address, &pool, &real, err);

	if (!r)
		real->mac = *mac;
	return r;
}

int config_set_real_server_id(struct config *cfg, const char *pool_name, const struct addr *address,
			      const struct server_id *id, struct err *err)
{
	struct config_real *real;
	struct config_pool *pool;
	int r = get_real(cfg, pool_name, address, &pool, &real, err);

	if (!r)
		real->server_id = *id;
	return r;
}

/* ---- Single values ---- */

static int parse_key(const struct schema *schema, const char *key, const char *text,
		     void *ret_value, struct err *err)
{
	struct config_error problem;
	int r = value_parse(schema_field(schema, key), text, false, ret_value, &problem);

	if (r)
		return err_set(err, r, "%s%s%s", problem.text, problem.hint[0] ? ": " : "",
			       problem.hint);
	return 0;
}

int config_name_parse(const char *text, char ret_name[CONFIG_NAME_MAX + 1], struct err *err)
{
	return parse_key(&schema_vip, "name", text, ret_name, err);
}

int config_address_parse(const char *text, struct addr *ret_address, struct err *err)
{
	return parse_key(&schema_real, "address", text, ret_address, err);
}

int config_vip_address_parse(const char *text, struct prefix *ret_address, struct err *err)
{
	return parse_key(&schema_vip, "address", text, ret_address, err);
}

int config_protocol_parse(const char *text, enum config_protocol *ret_protocol, struct err *err)
{
	return parse_key(&schema_service, "protocol", text, ret_protocol, err);
}

int config_ports_parse(const char *text, struct ports *ret_ports, struct err *err)
{
	return parse_key(&schema_service, "port", text, ret_ports, err);
}

int config_server_id_parse(const char *text, struct server_id *ret_id, struct err *err)
{
	return parse_key(&schema_real, "server_id", text, ret_id, err);
}

int config_weight_parse(const char *text, uint32_t *ret_weight, struct err *err)
{
	return parse_key(&schema_real, "weight", text, ret_weight, err);
}

int config_mac_parse(const char *text, struct config_mac *ret_mac, struct err *err)
{
	return parse_key(&schema_real, "mac", text, ret_mac, err);
}

int config_announce_parse(const char *text, enum config_announce_when *ret_when, struct err *err)
{
	const struct field *announce = schema_field(&schema_vip, "announce");

	return parse_key(announce->object, "when", text, ret_when, err);
}
