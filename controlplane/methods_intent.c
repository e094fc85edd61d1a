/* SPDX-License-Identifier: BSD-2-Clause */
/* What the operator wants beyond the configuration: reals and the node taken out and back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/methods.h"

static int intent_copy(const struct vip_intent *from, struct vip_intent *to)
{
	*to = *from;
	to->reals = NULL;
	if (from->n_reals == 0)
		return 0;
	to->reals = malloc(from->n_reals * sizeof(*to->reals));
	if (!to->reals)
		return -ENOMEM;
	memcpy(to->reals, from->reals, from->n_reals * sizeof(*to->reals));
	return 0;
}

/* Append what the intent does to routes: its withdrawals go before the act, announcements after. */
static int list_changes(struct daemon *d, const struct vip_intent *intent,
			const struct vip_change *act, struct vip_changes *ret)
{
	struct vip_changes routes, list = {0};
	struct vip_change *c;
	int rc = daemon_diff(d, d->cfg, intent, &routes);

	if (rc < 0)
		return rc;
	for (size_t pass = 0; pass < 2; pass++) {
		if (pass == 1) {
			c = vip_changes_add(&list, act->action, act->object, act->name, "%s",
					    act->text);
			if (c)
				memcpy(c->breaks, act->breaks, sizeof(c->breaks));
		}
		for (size_t i = 0; i < routes.n; i++) {
			const struct vip_change *r = &routes.items[i];

			if ((strcmp(r->action, "withdraw") == 0) != (pass == 0))
				continue;
			c = vip_changes_add(&list, r->action, r->object, r->name, "%s", r->text);
			if (c)
				memcpy(c->breaks, r->breaks, sizeof(c->breaks));
		}
	}
	vip_changes_fini(&routes);
	if (list.oom) {
		vip_changes_fini(&list);
		return -ENOMEM;
	}
	*ret = list;
	return 0;
}

/* Write the new intent down, make it the one in force, and reconcile. intent is taken over on
 * success. */
static int put_in_force(struct daemon *d, struct vip_intent *intent, struct err *err)
{
	struct vip_intent was = d->intent;
	struct err back;
	int rc = vip_intent_save(d->intent_path, intent, err);

	if (rc < 0)
		return rc;
	d->intent = *intent;
	rc = daemon_reconcile(d, err);
	if (rc < 0) {
		d->intent = was;
		if (vip_intent_save(d->intent_path, &was, &back) < 0)
			journal_write(LOG_LEVEL_ERROR, "node", NULL, "%s", back.text);
		daemon_dirty(d);
		return rc;
	}
	vip_intent_fini(&was);
	return 0;
}

/* The whole of a change of intent: intent is taken over. guard: withdrawing a VIP needs force. */
static int change_intent(struct daemon *d, struct vip_intent *intent, const struct vip_change *act,
			 bool guard, bool force, struct api_reply *reply)
{
	struct vip_changes changes;
	struct err err;
	int rc = list_changes(d, intent, act, &changes);

	if (rc < 0) {
		vip_intent_fini(intent);
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	}
	if (guard && !force && withdrawal(&changes)) {
		vip_intent_fini(intent);
		rc = fail_withdrawal(reply, &changes);
	} else if (put_in_force(d, intent, &err) < 0) {
		vip_intent_fini(intent);
		rc = api_fail(reply, API_FAILED, "%s", err.text);
	} else {
		tell_changes(&changes);
		reply->result = result_change(d, true, &changes);
	}
	vip_changes_fini(&changes);
	return rc;
}

static int nothing_to_do(struct daemon *d, struct api_reply *reply)
{
	struct vip_changes none = {0};

	reply->result = result_change(d, false, &none);
	return 0;
}

/* Who loses what when this real gets no more packets. */
static void hurt_by_leaving(struct daemon *d, const struct config_pool *pool,
			    const struct config_real *real, struct vip_change *act)
{
	uint32_t slots, ring;

	if (publish_pool_slots(d->publish, pool->name, &real->address, &slots, &ring) < 0 ||
	    slots == 0 || ring == 0)
		return;
	snprintf(act->breaks, sizeof(act->breaks),
		 "connections on it end, about %.1f %% of the pool's", 100.0 * slots / ring);
}

static int set_real(struct daemon *d, json_t *params, enum vip_intent_kind kind,
		    struct api_reply *reply)
{
	static const char *const past[] = {"enable", "drain", "disable"};
	struct config_pool *pool;
	struct config_real *real = need_real(d, params, &pool, reply);
	struct vip_change act = {.action = past[kind], .object = "real"};
	struct vip_intent intent;
	char buf[ADDR_STRLEN];

	if (!real)
		return -1;
	if (vip_intent_get(&d->intent, pool->name, &real->address) == kind)
		return nothing_to_do(d, reply);
	addr_format(&real->address, buf);
	snprintf(act.name, sizeof(act.name), "%s %s", pool->name, buf);
	snprintf(act.text, sizeof(act.text), "%s real %s of pool %s", past[kind], buf, pool->name);
	if (kind == VIP_INTENT_DISABLE)
		hurt_by_leaving(d, pool, real, &act);
	if (intent_copy(&d->intent, &intent) < 0)
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	if (vip_intent_set(&intent, pool->name, &real->address, kind) < 0) {
		vip_intent_fini(&intent);
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	}
	return change_intent(d, &intent, &act, kind != VIP_INTENT_ENABLE, api_bool(params, "force"),
			     reply);
}

int method_real_drain(void *arg, json_t *params, struct api_reply *reply)
{
	return set_real(arg, params, VIP_INTENT_DRAIN, reply);
}

int method_real_disable(void *arg, json_t *params, struct api_reply *reply)
{
	return set_real(arg, params, VIP_INTENT_DISABLE, reply);
}

int method_real_enable(void *arg, json_t *params, struct api_reply *reply)
{
	return set_real(arg, params, VIP_INTENT_ENABLE, reply);
}

static int set_node(struct daemon *d, bool drained, struct api_reply *reply)
{
	struct vip_change act = {.action = drained ? "drain" : "enable", .object = "node"};
	struct vip_intent intent;

	if (d->intent.node_drained == drained)
		return nothing_to_do(d, reply);
	snprintf(act.name, sizeof(act.name), "%s", d->cfg->node.name);
	snprintf(act.text, sizeof(act.text), "%s node %s", act.action, d->cfg->node.name);
	if (intent_copy(&d->intent, &intent) < 0)
		return api_fail(reply, API_INTERNAL_ERROR, "out of memory");
	intent.node_drained = drained;
	return change_intent(d, &intent, &act, false, true, reply);
}

int method_node_drain(void *arg, json_t *params, struct api_reply *reply)
{
	(void)params;
	return set_node(arg, true, reply);
}

int method_node_enable(void *arg, json_t *params, struct api_reply *reply)
{
	(void)params;
	return set_node(arg, false, reply);
}
