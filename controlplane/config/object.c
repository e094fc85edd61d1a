/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whole objects: made, copied, compared and freed by walking the schema. Only lists own memory. */

void object_init(const struct schema *schema, void *object)
{
	memset(object, 0, schema->size);
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];
		struct config_error problem;

		if (f->type == VALUE_OBJECT)
			object_init(f->object, field_at(f, object));
		else if (f->fallback &&
			 value_parse(f, f->fallback, false, field_at(f, object), &problem))
			abort(); /* a fallback that its own field refuses: a bug in schema.c */
	}
}

void object_fini(const struct schema *schema, void *object)
{
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];

		if (f->type == VALUE_OBJECT)
			object_fini(f->object, field_at(f, object));
		if (f->type != VALUE_LIST)
			continue;
		for (size_t j = 0; j < *list_count(f, object); j++)
			object_fini(f->object, list_item(f, object, j));
		free(*list_items(f, object));
		*list_items(f, object) = NULL;
		*list_count(f, object) = 0;
	}
}

static int copy_fields(const struct schema *schema, void *dst, const void *src);

/* dst's list is empty, and counts only finished items, so that object_fini() fits at any time. */
static int copy_list(const struct field *f, void *dst, const void *src)
{
	size_t n = *list_count(f, src);

	if (!n)
		return 0;
	*list_items(f, dst) = calloc(n, f->object->size);
	if (!*list_items(f, dst))
		return -ENOMEM;
	*list_count(f, dst) = n;
	for (size_t i = 0; i < n; i++) {
		int r = copy_fields(f->object, list_item(f, dst, i), list_item(f, src, i));

		if (r)
			return r;
	}
	return 0;
}

static int copy_fields(const struct schema *schema, void *dst, const void *src)
{
	*(struct config_mark *)dst = *(const struct config_mark *)src;
	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];
		int r = 0;

		if (f->type == VALUE_LIST)
			r = copy_list(f, dst, src);
		else if (f->type == VALUE_OBJECT)
			r = copy_fields(f->object, field_at(f, dst), field_at(f, src));
		else
			memcpy(field_at(f, dst), field_at(f, src), f->size);
		if (r)
			return r;
		if (f->optional_object)
			*field_present(f, dst) = *field_present(f, src);
	}
	return 0;
}

int object_clone(const struct schema *schema, void *dst, const void *src)
{
	int r;

	memset(dst, 0, schema->size);
	r = copy_fields(schema, dst, src);
	if (r)
		object_fini(schema, dst);
	return r;
}

static bool list_equal(const struct field *f, const void *a, const void *b)
{
	if (*list_count(f, a) != *list_count(f, b))
		return false;
	for (size_t i = 0; i < *list_count(f, a); i++)
		if (!object_equal(f->object, list_item(f, a, i), list_item(f, b, i)))
			return false;
	return true;
}

static bool field_equal(const struct field *f, const void *a, const void *b)
{
	if (f->type == VALUE_LIST)
		return list_equal(f, a, b);
	if (f->type != VALUE_OBJECT)
		return value_equal(f, field_at(f, a), field_at(f, b));
	if (f->optional_object) {
		if (*field_present(f, a) != *field_present(f, b))
			return false;
		if (!*field_present(f, a))
			return true;
	}
	return object_equal(f->object, field_at(f, a), field_at(f, b));
}

bool object_equal(const struct schema *schema, const void *a, const void *b)
{
	for (size_t i = 0; i < schema->n_fields; i++)
		if (!field_equal(&schema->fields[i], a, b))
			return false;
	return true;
}

struct config *config_clone(const struct config *cfg)
{
	struct config *copy = malloc(sizeof(*copy));

	if (!copy)
		return NULL;
	if (object_clone(&schema_config, copy, cfg))
		goto fail;
	if (cfg->file && !(copy->file = strdup(cfg->file)))
		goto fail;
	return copy;
fail:
	config_free(copy);
	return NULL;
}

void config_free(struct config *cfg)
{
	if (!cfg)
		return;
	object_fini(&schema_config, cfg);
	free(cfg->file);
	free(cfg);
}

#define EQUAL(noun)                                                                                \
	bool config_##noun##_equal(const struct config_##noun *a, const struct config_##noun *b)   \
	{                                                                                          \
		return object_equal(&schema_##noun, a, b);                                         \
	}

EQUAL(node)
EQUAL(dpdk)
EQUAL(bgp)
EQUAL(neighbor)
EQUAL(metrics)
EQUAL(pool)
EQUAL(health)
EQUAL(real)
EQUAL(vip)
EQUAL(service)

bool config_equal(const struct config *a, const struct config *b)
{
	return object_equal(&schema_config, a, b);
}

struct config_pool *config_find_pool(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_pools; i++)
		if (!strcmp(cfg->pools[i].name, name))
			return &cfg->pools[i];
	return NULL;
}

struct config_vip *config_find_vip(const struct config *cfg, const char *name)
{
	for (size_t i = 0; i < cfg->n_vips; i++)
		if (!strcmp(cfg->vips[i].name, name))
			return &cfg->vips[i];
	return NULL;
}

struct config_real *config_find_real(const struct config_pool *pool, const struct addr *address)
{
	for (size_t i = 0; i < pool->n_reals; i++)
		if (addr_equal(&pool->reals[i].address, address))
			return &pool->reals[i];
	return NULL;
}

struct config_service *config_find_service(const struct config_vip *vip,
					   enum config_protocol protocol, struct ports ports)
{
	for (size_t i = 0; i < vip->n_services; i++)
		if (vip->services[i].protocol == protocol &&
		    ports_equal(vip->services[i].ports, ports))
			return &vip->services[i];
	return NULL;
}

struct config_service *config_service_at(const struct config_vip *vip,
					 enum config_protocol protocol, uint16_t port)
{
	struct config_service *found = NULL;

	for (size_t i = 0; i < vip->n_services; i++) {
		struct config_service *s = &vip->services[i];

		if (s->protocol == protocol && ports_contain(s->ports, port) &&
		    (!found || ports_any(found->ports)))
			found = s;
	}
	return found;
}

struct config_vip *config_vip_at(const struct config *cfg, const struct addr *address)
{
	struct config_vip *found = NULL;

	for (size_t i = 0; i < cfg->n_vips; i++) {
		struct config_vip *vip = &cfg->vips[i];

		if (prefix_contains(&vip->address, address) &&
		    (!found || vip->address.len > found->address.len))
			found = vip;
	}
	return found;
}

struct config_dpdk_port *config_find_port(const struct config_dpdk *dpdk, const char *interface)
{
	for (size_t i = 0; i < dpdk->n_ports; i++)
		if (!strcmp(dpdk->ports[i].interface, interface))
			return &dpdk->ports[i];
	return NULL;
}

uint32_t config_syn_burst(const struct config_service *service)
{
	return service->syn_burst ? service->syn_burst : service->syn_rate;
}

struct server_id config_server_id(const struct config_pool *pool, const struct config_real *real)
{
	size_t bytes = addr_bits(&real->address) / 8, n = pool->quic.server_id_length;
	struct server_id id = {.length = (uint8_t)n};

	if (!pool->has_quic)
		return (struct server_id){0};
	if (real->server_id.length)
		return real->server_id;
	for (size_t i = 0; i < n && i < bytes; i++)
		id.bytes[n - 1 - i] = real->address.bytes[bytes - 1 - i];
	return id;
}

struct config_neighbor *config_find_neighbor(const struct config_bgp *bgp,
					     const struct addr *address)
{
	for (size_t i = 0; i < bgp->n_neighbors; i++)
		if (addr_equal(&bgp->neighbors[i].address, address))
			return &bgp->neighbors[i];
	return NULL;
}

static const char *choice_word(const struct choice *c, int value)
{
	for (; c->word; c++)
		if (c->value == value && !c->refusal)
			return c->word;
	return "?";
}

#define WORD(noun)                                                                                 \
	const char *config_##noun##_name(enum config_##noun noun)                                  \
	{                                                                                          \
		return choice_word(choices_##noun, noun);                                          \
	}

WORD(engine)
WORD(xdp_mode)
WORD(exception)
WORD(rss)
WORD(idle)
WORD(tables)
WORD(fallback)
WORD(encap)
WORD(hash)
WORD(health_type)
WORD(health_via)
WORD(protocol)

const char *config_announce_name(enum config_announce_when when)
{
	return choice_word(choices_announce, when);
}
