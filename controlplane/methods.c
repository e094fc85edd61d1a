/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of the API's methods: what each takes, and who carries it out. */
#include "controlplane/methods.h"

#include "controlplane/base/cleanup.h"

#define END                                                                                        \
	{                                                                                          \
		NULL, API_STRING, false                                                            \
	}
#define FORCE                                                                                      \
	{                                                                                          \
		"force", API_BOOLEAN, false                                                        \
	}
#define NAME                                                                                       \
	{                                                                                          \
		"name", API_STRING, true                                                           \
	}
#define ADDRESS                                                                                    \
	{                                                                                          \
		"address", API_STRING, true                                                        \
	}
#define POOL                                                                                       \
	{                                                                                          \
		"pool", API_STRING, false                                                          \
	}
#define SOURCE                                                                                     \
	{"text", API_STRING, false}, {"file", API_STRING, false},                                  \
	{                                                                                          \
		"path", API_STRING, false                                                          \
	}

static const struct api_param takes_name[] = {NAME, END};
static const struct api_param takes_force[] = {FORCE, END};
static const struct api_param takes_name_force[] = {NAME, FORCE, END};
static const struct api_param takes_pool[] = {POOL, END};
static const struct api_param takes_real[] = {POOL, ADDRESS, END};
static const struct api_param takes_real_force[] = {POOL, ADDRESS, FORCE, END};
static const struct api_param takes_source[] = {SOURCE, END};
static const struct api_param takes_source_force[] = {SOURCE, FORCE, END};

static const struct api_param takes_vip_add[] = {
	NAME, ADDRESS, {"services", API_ARRAY, false}, {"announce", API_STRING, false}, FORCE, END};
static const struct api_param takes_vip_set[] = {NAME,
						 {"address", API_STRING, false},
						 {"announce", API_STRING, false},
						 {"set_services", API_ARRAY, false},
						 {"remove_services", API_ARRAY, false},
						 FORCE,
						 END};
static const struct api_param takes_real_add[] = {{"pool", API_STRING, true},
						  ADDRESS,
						  {"weight", API_INTEGER, false},
						  {"mac", API_STRING_OR_NULL, false},
						  {"server_id", API_STRING_OR_NULL, false},
						  FORCE,
						  END};
static const struct api_param takes_real_set[] = {POOL,
						  ADDRESS,
						  {"weight", API_INTEGER, false},
						  {"mac", API_STRING_OR_NULL, false},
						  {"server_id", API_STRING_OR_NULL, false},
						  FORCE,
						  END};
static const struct api_param takes_flow[] = {{"protocol", API_STRING, true},
					      {"source", API_STRING, true},
					      {"destination", API_STRING, true},
					      END};
static const struct api_param takes_journal[] = {
	{"limit", API_INTEGER, false}, {"after", API_INTEGER, false}, END};

const struct api_method daemon_methods[] = {
	{"status.get", NULL, method_status_get},
	{"vip.list", NULL, method_vip_list},
	{"vip.show", takes_name, method_vip_show},
	{"vip.add", takes_vip_add, method_vip_add},
	{"vip.remove", takes_name_force, method_vip_remove},
	{"vip.set", takes_vip_set, method_vip_set},
	{"pool.list", NULL, method_pool_list},
	{"pool.show", takes_name, method_pool_show},
	{"real.list", takes_pool, method_real_list},
	{"real.add", takes_real_add, method_real_add},
	{"real.remove", takes_real_force, method_real_remove},
	{"real.set", takes_real_set, method_real_set},
	{"real.drain", takes_real_force, method_real_drain},
	{"real.disable", takes_real_force, method_real_disable},
	{"real.enable", takes_real, method_real_enable},
	{"bgp.show", NULL, method_bgp_show},
	{"counters.get", NULL, method_counters_get},
	{"explain", takes_flow, method_explain},
	{"config.check", takes_source, method_config_check},
	{"config.diff", takes_source, method_config_diff},
	{"config.apply", takes_source_force, method_config_apply},
	{"config.save", takes_force, method_config_save},
	{"config.show", NULL, method_config_show},
	{"node.drain", takes_force, method_node_drain},
	{"node.enable", NULL, method_node_enable},
	{"journal.get", takes_journal, method_journal_get},
	{"doctor.run", NULL, method_doctor_run},
};
const size_t daemon_methods_count = ARRAY_SIZE(daemon_methods);
