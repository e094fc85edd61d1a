/* SPDX-License-Identifier: BSD-2-Clause */
/* The report on what is in place: one JSON document, from which the text for people is made too. */
#include <errno.h>
#include <string.h>

#include "tools/real/real.h"

static const char *const counter_names[] = {
#define DECAP_COUNTER_NAME(name, help) #name,
	DECAP_COUNTERS(DECAP_COUNTER_NAME)
#undef DECAP_COUNTER_NAME
};

static int out_of_memory(struct err *e)
{
	return err_set(e, -ENOMEM, "out of memory");
}

static int append_item(json_t *items, const char *name, const char *purpose,
		       const struct finding *f)
{
	json_t *item = json_pack("{ss ss ss ss}", "item", name, "state", f->ok ? "ok" : "missing",
				 "found", f->text, "purpose", purpose);

	if (item && !f->ok)
		json_object_set_new(item, "mend", json_string(f->mend));
	return item ? json_array_append_new(items, item) : -1;
}

static int look_at_all(struct real_run *run, json_t *items, bool *ret_ok, struct err *e)
{
	struct item_list list;
	char name[160];
	int ret = item_list_init(&list, &run->state.config);

	if (ret)
		return out_of_memory(e);
	*ret_ok = true;
	for (size_t i = 0; !ret && i < list.n; i++) {
		const struct item *item = &list.items[i];
		struct finding found;

		ret = item_probe(run, item, &found, e);
		if (ret)
			break;
		item_describe(item, name, sizeof(name));
		if (append_item(items, name, item_purpose(item), &found))
			ret = out_of_memory(e);
		*ret_ok = *ret_ok && found.ok;
	}
	item_list_fini(&list);
	return ret;
}

/* All filters of one setup share the counters, so those of any one will do; NULL: there are none
 * (l2dsr, or the filters are gone). */
static json_t *read_counters(const struct real_run *run)
{
	const struct real_config *c = &run->state.config;
	uint64_t values[DECAP_CNT_MAX];
	json_t *counters = NULL;

	for (size_t i = 0; !counters && i < c->n_interfaces; i++) {
		struct program_place place = {(int)if_nametoindex(c->interfaces[i]), HOOK_EGRESS,
					      c->tc_priority};
		struct program_seen seen;

		if (!place.ifindex || program_find(&place, &seen, NULL))
			continue;
		if (!program_seen_count(&seen, values)) {
			counters = json_object();
			for (int k = 0; counters && k < DECAP_CNT_MAX; k++)
				json_object_set_new(counters, counter_names[k],
						    json_integer((json_int_t)values[k]));
		}
		program_seen_fini(&seen);
	}
	return counters;
}

static json_t *addresses(const struct addr_set *set)
{
	json_t *array = json_array();
	char buf[ADDR_STRLEN];

	for (size_t i = 0; array && i < set->n; i++)
		json_array_append_new(array, json_string(addr_format(&set->items[i], buf)));
	return array;
}

static json_t *interface_names(const struct real_config *c)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < c->n_interfaces; i++)
		json_array_append_new(array, json_string(c->interfaces[i]));
	return array;
}

static json_t *describe_setup(const struct real_run *run)
{
	const struct real_config *c = &run->state.config;
	bool tunnel = real_encap_is_tunnel(c->encap);

	return json_pack("{si sb ss ss* si si so so so so* so*}", "schema_version", 1, "set_up", 1,
			 "encap", real_encap_name(c->encap), "decap",
			 tunnel ? real_decap_name(c->decap) : NULL, "mss_ipv4",
			 (int)run->settings.mss_ipv4, "mss_ipv6", (int)run->settings.mss_ipv6,
			 "interfaces", interface_names(c), "vips", addresses(&c->vips), "outers",
			 addresses(&c->outers), "counters", tunnel ? read_counters(run) : NULL,
			 "gue_port", c->encap == REAL_ENCAP_GUE ? json_integer(c->gue_port) : NULL);
}

static json_t *describe_nothing(const struct real_run *run)
{
	struct finding found = {.ok = false, .mend = "fairway-real setup --vip ADDRESS"};
	json_t *report =
		json_pack("{si sb sb s[]}", "schema_version", 1, "set_up", 0, "ok", 0, "items");

	snprintf(found.text, sizeof(found.text), "nothing is set up (no state in %.200s)",
		 run->dir);
	if (report && append_item(json_object_get(report, "items"), "setup",
				  "without it this host is no real server", &found)) {
		json_decref(report);
		return NULL;
	}
	return report;
}

int real_check(struct real_run *run, bool present, json_t **ret_report, struct err *e)
{
	json_t *report, *items;
	bool ok;
	int ret;

	if (!present) {
		*ret_report = describe_nothing(run);
		return *ret_report ? 0 : out_of_memory(e);
	}
	ret = real_resolve_settings(run, e);
	if (ret)
		return ret;
	report = describe_setup(run);
	items = json_array();
	if (!report || !items) {
		json_decref(report);
		json_decref(items);
		return out_of_memory(e);
	}
	ret = look_at_all(run, items, &ok, e);
	if (ret || json_object_set(report, "ok", json_boolean(ok)) ||
	    json_object_set(report, "items", items)) {
		json_decref(report);
		json_decref(items);
		return ret ? ret : out_of_memory(e);
	}
	json_decref(items);
	*ret_report = report;
	return 0;
}
