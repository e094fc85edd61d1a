/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/check.h"

#include "controlplane/config/schema.h"

#include "controlplane/base/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct config_mark *check_mark(const struct check *c, const void *value,
				     const struct config_mark *object)
{
	const struct place *place = c->places ? places_find(c->places, value) : NULL;

	if (!c->places)
		return NULL;
	return place ? &place->mark : object;
}

bool check_given(const struct check *c, const void *value)
{
	const struct place *place = c->places ? places_find(c->places, value) : NULL;

	return !c->places || (place && !place->bad);
}

bool check_broken(const struct check *c, const void *value)
{
	const struct place *place = c->places ? places_find(c->places, value) : NULL;

	return place && place->bad;
}

const char *check_line(const struct check *c, const struct config_mark *mark,
		       char buf[CHECK_LINE_STRLEN])
{
	buf[0] = '\0';
	if (c->places)
		snprintf(buf, CHECK_LINE_STRLEN, " (line %u)", mark->line);
	return buf;
}

static const char *unfit_ipv4(const uint8_t *b)
{
	if (b[0] == 0)
		return "an unspecified address";
	if (b[0] == 127)
		return "a loopback address";
	if (b[0] >= 224 && b[0] <= 239)
		return "a multicast address";
	if (b[0] == 255 && b[1] == 255 && b[2] == 255 && b[3] == 255)
		return "the broadcast address";
	return NULL;
}

static const char *unfit_ipv6(const uint8_t *b)
{
	static const uint8_t zero[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (!memcmp(b, zero, 16))
		return "the unspecified address";
	if (!memcmp(b, zero, 15) && b[15] == 1)
		return "the loopback address";
	if (b[0] == 0xff)
		return "a multicast address";
	if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
		return "a link-local address";
	if (!memcmp(b, mapped, sizeof(mapped)))
		return "an IPv4 address in disguise";
	return NULL;
}

const char *check_unfit(const struct addr *a)
{
	return a->family == 4 ? unfit_ipv4(a->bytes) : a->family == 6 ? unfit_ipv6(a->bytes) : NULL;
}

struct order {
	int (*compare)(const void *a, const void *b);
};

static int compare_pointers(const void *a, const void *b, void *arg)
{
	const void *x = *(const void *const *)a, *y = *(const void *const *)b;
	int r = ((const struct order *)arg)->compare(x, y);

	return r ? r : ((uintptr_t)x > (uintptr_t)y) - ((uintptr_t)x < (uintptr_t)y);
}

const void **check_sort(const void *items, size_t n, size_t size,
			int (*compare)(const void *a, const void *b))
{
	struct order order = {compare};
	const void **sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted)
		return NULL;
	for (size_t i = 0; i < n; i++)
		sorted[i] = (const char *)items + i * size;
	if (n > 1)
		qsort_r(sorted, n, sizeof(*sorted), compare_pointers, &order);
	return sorted;
}

int check_duplicates(const struct check *c, const void *items, size_t n, size_t size,
		     int (*compare)(const void *a, const void *b),
		     void (*tell)(const struct check *c, const void *owner, const void *first,
				  const void *again),
		     const void *owner)
{
	AUTO_FREE const void **sorted = check_sort(items, n, size, compare);
	size_t first = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 1; i < n; i++) {
		if (compare(sorted[first], sorted[i]))
			first = i;
		else
			tell(c, owner, sorted[first], sorted[i]);
	}
	return 0;
}

/* ---- Single values ---- */

/* "pool 'web', real '10.0.0.1'": the way to an object, by the first value of each. */
#define WHO_STRLEN 256

static void who_item(const char *parent, const struct schema *schema, const void *item,
		     char buf[WHO_STRLEN])
{
	const char *noun = strchr(schema->noun, ' ');
	char text[VALUE_STRLEN];

	value_format(&schema->fields[0], field_at(&schema->fields[0], item), text);
	snprintf(buf, WHO_STRLEN, "%.100s%s%s '%.64s'", parent, *parent ? ", " : "",
		 noun ? noun + 1 : schema->noun, text);
}

static void check_scalar(const struct field *f, const void *object, const char *who,
			 struct config_errors *errs)
{
	_Alignas(8) char parsed[VALUE_SIZE];
	char text[VALUE_STRLEN];
	struct config_error problem;

	value_format(f, field_at(f, object), text);
	if (!*text && f->required)
		report_error(errs, NULL, "", "%s%shas no %s", who, *who ? " " : "", f->key);
	else if (*text && value_parse(f, text, value_is_text(f), parsed, &problem))
		report_error(errs, NULL, problem.hint, "%s%s%s", who, *who ? ": " : "",
			     problem.text);
}

static void check_object(const struct schema *schema, const void *object, const char *who,
			 struct config_errors *errs)
{
	char inner[WHO_STRLEN];

	for (size_t i = 0; i < schema->n_fields; i++) {
		const struct field *f = &schema->fields[i];

		if (field_is_scalar(f))
			check_scalar(f, object, who, errs);
		else if (f->type == VALUE_OBJECT &&
			 (!f->optional_object || *field_present(f, object)))
			check_object(f->object, field_at(f, object), *who ? who : f->key, errs);
		if (f->type != VALUE_LIST)
			continue;
		if (f->required && !*list_count(f, object))
			report_error(errs, NULL, "", "%s is empty", f->key);
		for (size_t j = 0; j < *list_count(f, object); j++) {
			who_item(who, f->object, list_item(f, object, j), inner);
			check_object(f->object, list_item(f, object, j), inner, errs);
		}
	}
}

void check_values(const struct config *cfg, struct config_errors *errs)
{
	check_object(&schema_config, cfg, "", errs);
}

/* ---- All of it ---- */

static int compare_pool_names(const void *a, const void *b)
{
	return strcmp(((const struct config_pool *)a)->name, ((const struct config_pool *)b)->name);
}

static int compare_vip_addresses(const void *a, const void *b)
{
	return prefix_cmp(&((const struct config_vip *)a)->address,
			  &((const struct config_vip *)b)->address);
}

static int find_vip(const void *key, const void *item)
{
	return prefix_cmp(key, &(*(const struct config_vip *const *)item)->address);
}

const struct config_vip *check_vip_at(const struct check *c, const struct addr *address)
{
	const bool *lengths = c->vip_lengths[address->family == 6];

	for (unsigned len = addr_bits(address) + 1; len-- > 0;) {
		struct prefix prefix = prefix_masked(address, (uint8_t)len);
		const struct config_vip *const *found = NULL;

		if (lengths[len])
			found = bsearch(&prefix, c->vips_by_address, c->cfg->n_vips, sizeof(*found),
					find_vip);
		if (found)
			return *found;
	}
	return NULL;
}

static void gather_facts(const struct config *cfg, struct pool_facts *facts)
{
	for (size_t i = 0; i < cfg->n_pools; i++) {
		const struct config_pool *pool = &cfg->pools[i];

		/* Backwards, so that the first of each family stays. */
		for (size_t j = pool->n_reals; j-- > 0;) {
			const struct config_real *real = &pool->reals[j];

			if (check_unfit(&real->address))
				continue;
			if (real->address.family == 4)
				facts[i].first_ipv4 = real;
			else if (real->address.family == 6)
				facts[i].first_ipv6 = real;
		}
	}
}

int check_meaning(const struct config *cfg, struct config_errors *errs, struct places *places)
{
	AUTO_FREE const void **pools =
		check_sort(cfg->pools, cfg->n_pools, sizeof(*cfg->pools), compare_pool_names);
	AUTO_FREE const void **vips =
		check_sort(cfg->vips, cfg->n_vips, sizeof(*cfg->vips), compare_vip_addresses);
	AUTO_FREE struct pool_facts *facts = calloc(cfg->n_pools + 1, sizeof(*facts));
	struct check c = {
		.cfg = cfg,
		.errs = errs,
		.places = places,
		.pools_by_name = (const struct config_pool **)pools,
		.vips_by_address = (const struct config_vip **)vips,
		.facts = facts,
	};
	int r;

	if (!pools || !vips || !facts)
		return -ENOMEM;
	gather_facts(cfg, facts);
	for (size_t i = 0; i < cfg->n_vips; i++)
		c.vip_lengths[cfg->vips[i].address.addr.family == 6][cfg->vips[i].address.len] =
			true;
	if ((r = check_node(&c)) || (r = check_dpdk(&c)) || (r = check_bgp(&c)) ||
	    (r = check_vips(&c)))
		return r;
	return check_pools(&c);
}
