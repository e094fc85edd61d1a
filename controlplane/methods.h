/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_METHODS_H
#define FAIRWAY_METHODS_H

#include "controlplane/daemon.h"

/* What the API's methods share. docs/api.md describes every document that is built here. */

#define METHOD(fn) int fn(void *arg, json_t *params, struct api_reply *reply)

METHOD(method_status_get);
METHOD(method_counters_get);
METHOD(method_bgp_show);
METHOD(method_journal_get);
METHOD(method_explain);
METHOD(method_doctor_run);
METHOD(method_vip_list);
METHOD(method_vip_show);
METHOD(method_pool_list);
METHOD(method_pool_show);
METHOD(method_real_list);
METHOD(method_vip_add);
METHOD(method_vip_remove);
METHOD(method_vip_set);
METHOD(method_real_add);
METHOD(method_real_remove);
METHOD(method_real_set);
METHOD(method_real_drain);
METHOD(method_real_disable);
METHOD(method_real_enable);
METHOD(method_node_drain);
METHOD(method_node_enable);
METHOD(method_config_check);
METHOD(method_config_diff);
METHOD(method_config_apply);
METHOD(method_config_save);
METHOD(method_config_show);

/* ---- methods_common.c ---- */

/* NULL and "" become null. */
json_t *doc_text(const char *text);
json_t *doc_addr(const struct addr *addr); /* null for family 0 */
json_t *doc_prefix(const struct prefix *prefix);
/* A VIP's address as the configuration writes it. */
json_t *doc_vip_address(const struct prefix *prefix);
/* Adds "port" (0: any) and "port_last". */
void doc_ports(json_t *object, struct ports ports);
json_t *doc_mac(const uint8_t mac[6]);
/* Set `at_key` and age_ms for a monotonic moment; 0 gives nulls. */
void doc_moment(json_t *object, const char *at_key, uint64_t at_ns);
/* Set packets and bytes. */
void doc_count(json_t *object, const struct publish_count *count);
/* Start a result: an object with schema_version. */
json_t *result_new(void);

/* Errors about things that aren't there. */
int fail_not_found(struct api_reply *reply, const char *object, const char *key,
		   const char *nearest);
struct config_vip *need_vip(struct daemon *d, const json_t *params, struct api_reply *reply);
struct config_pool *need_pool(struct daemon *d, const char *name, struct api_reply *reply);
/* By `pool` and `address`, pool being optional; NULL after an error. */
struct config_real *need_real(struct daemon *d, const json_t *params, struct config_pool **ret_pool,
			      struct api_reply *reply);

/* Findings of a configuration as lists. */
json_t *doc_findings(const struct config_errors *errs, bool warnings);
int fail_config_errors(struct api_reply *reply, const struct config_errors *errs);

json_t *doc_plan(const struct vip_changes *changes);
/* The answer to a change. */
json_t *result_change(const struct daemon *d, bool changed, const struct vip_changes *changes);

/* ---- methods_edit.c ---- */

#define VIP_BRAKE_WITHDRAWAL "withdrawal"

/* Make cfg, which is checked and is taken over, the running configuration and answer with what was
 * done. guard_withdrawal: taking an announced VIP off the air by this needs force. */
int change_config(struct daemon *d, struct config *cfg, bool force, bool guard_withdrawal,
		  struct api_reply *reply);
/* Error needs_force; returns -1. */
int fail_brake(struct api_reply *reply, const char *brake, const char *why,
	       const struct vip_changes *changes);
/* The first change that takes an announced VIP off the air, or NULL. */
const struct vip_change *withdrawal(const struct vip_changes *changes);
/* It has one, and that needs force. */
int fail_withdrawal(struct api_reply *reply, const struct vip_changes *changes);
void tell_changes(const struct vip_changes *changes);
int fail_plan(struct api_reply *reply, int rc, const struct err *err);

/* ---- methods_view.c ---- */

json_t *doc_vip(struct daemon *d, const struct config_vip *vip);
json_t *doc_pool(struct daemon *d, const struct config_pool *pool);
json_t *doc_real(struct daemon *d, const struct config_pool *pool, const struct config_real *real);
json_t *doc_reals(struct daemon *d, const struct config_pool *pool);
json_t *doc_next_hop(struct daemon *d, const struct config_real *real);
/* Sessions that are up, and of those the ones that have this address from us. */
size_t bgp_peers_up(const struct daemon *d);
size_t bgp_peers_with(const struct daemon *d, const struct prefix *prefix);

/* ---- methods_engine.c ---- */

/* The engine's process, null for the kernel's engine. */
json_t *doc_process(const struct daemon *d);
/* How many of each the page has room for and the engine says it has. */
uint32_t engine_workers(const struct lb_page *page);
uint32_t engine_ports(const struct lb_page *page);

/* ---- methods_status.c ---- */

/* What an operator should know now: a list of {text, hint}. */
json_t *doc_warnings(struct daemon *d);

#endif
