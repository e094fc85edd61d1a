/* SPDX-License-Identifier: BSD-2-Clause */
/* Making items hold, and undoing what was done. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/item.h"
#include "tools/real/qdisc.h"
#include "tools/real/route.h"

/* What can't be mended by this program, in the words of the finding. */
static int refuse(const struct item *item, const struct finding *found, int code, struct err *e)
{
	char name[160];

	return err_set(e, code, "%s: %s; mend: %s", item_describe(item, name, sizeof(name)),
		       found->text, found->mend);
}

static int kernel_said(const struct real_run *run, const struct item *item, int code, struct err *e)
{
	char name[160];

	return err_set(e, code, "%s can't be made: %s%s", item_describe(item, name, sizeof(name)),
		       nl_why(run->nl, code),
		       code == -EPERM ? "; this needs root (CAP_NET_ADMIN)" : "");
}

static int find_link(struct real_run *run, const char *dev, struct link *ret_link, struct err *e)
{
	int code = link_get(run->nl, dev, ret_link);

	if (code)
		return err_set(e, code, "device %s: %s", dev, nl_why(run->nl, code));
	return 0;
}

static int apply_sysctl(const struct item *item, const struct finding *found, struct err *e)
{
	if (item->rule == RULE_IPV6_ON)
		return refuse(item, found, -EAFNOSUPPORT, e);
	return sysctl_write(item->rec.sysctl, item->rule == RULE_ARP_IGNORE ? 1 : 2, e);
}

static int apply_route(struct real_run *run, const struct item *item, struct err *e)
{
	int code = route_blackhole_add(run->nl, &item->rec.addr);
	char text[ADDR_STRLEN];

	if (code == -EEXIST)
		return err_set(e, code,
			       "another route for %s alone is in the way of a blackhole route; see "
			       "`ip route show %s`, and remove it",
			       addr_format(&item->rec.addr, text), text);
	if (code)
		return kernel_said(run, item, code, e);
	return addr_set_add(&run->blackholes, &item->rec.addr)
		       ? err_set(e, -ENOMEM, "out of memory")
		       : 0;
}

static int apply_address(struct real_run *run, const struct item *item, const struct finding *found,
			 struct err *e)
{
	struct link link;
	int code = find_link(run, item->rec.dev, &link, e);

	if (code)
		return code;
	if (!item->of_tunnel && host_addrs_find(&run->addrs, 0, &item->rec.addr))
		return refuse(item, found, -EADDRINUSE, e);
	code = host_addr_add(run->nl, link.index, &item->rec.addr);
	return code ? kernel_said(run, item, code, e) : 0;
}

static int apply_tunnel(struct real_run *run, const struct item *item, const struct finding *found,
			struct err *e)
{
	struct link link;
	int code;

	if (!link_get(run->nl, item->rec.dev, &link))
		return refuse(item, found, -EEXIST, e);
	code = tunnel_add(run->nl, item->rec.dev, item->tunnel, &item->rec.addr);
	if (code == -EOPNOTSUPP)
		return err_set(e, code,
			       "this kernel has no %s device; use --decap bpf, or load the module",
			       tunnel_kind_name(item->tunnel));
	if (code == -EEXIST)
		return err_set(
			e, code,
			"another %s tunnel takes the same packets (see `ip tunnel`); remove it "
			"or use --decap bpf",
			tunnel_kind_name(item->tunnel));
	return code ? kernel_said(run, item, code, e) : 0;
}

static int apply_qdisc(struct real_run *run, const struct item *item, const struct finding *found,
		       struct err *e)
{
	char kind[16];
	struct link link;
	int code = find_link(run, item->rec.dev, &link, e);

	if (code)
		return code;
	code = qdisc_ingress_kind(run->nl, link.index, kind);
	if (!code && kind[0])
		return refuse(item, found, -EEXIST, e);
	if (!code)
		code = qdisc_clsact_add(run->nl, link.index);
	return code ? kernel_said(run, item, code, e) : 0;
}

/* Load the programs at the first filter; an older setup's counters go on counting. */
static int ensure_program(struct real_run *run, const struct program_seen *seen, struct err *e)
{
	struct program_tables tables = {&run->state.config.vips, &run->state.config.outers,
					run->settings};

	if (run->prog)
		return 0;
	return program_load(&tables, seen ? seen->counters_fd : -1, run->dir, &run->prog, e);
}

/* Hold on to a program about to be replaced, for a roll-back. */
static void keep_replaced(struct real_run *run, const struct program_place *place,
			  struct program_seen *seen)
{
	if (run->n_replaced == ARRAY_SIZE(run->replaced))
		return;
	run->replaced[run->n_replaced].place = *place;
	run->replaced[run->n_replaced].fd = seen->prog_fd;
	run->n_replaced++;
	seen->prog_fd = -1;
}

static int apply_filter(struct real_run *run, const struct item *item, const struct finding *found,
			struct err *e)
{
	struct program_place place = {0, item->rec.hook, run->state.config.tc_priority};
	struct program_seen seen;
	bool present;
	struct link link;
	int code = find_link(run, item->rec.dev, &link, e);

	if (code)
		return code;
	place.ifindex = link.index;
	code = program_find(&place, &seen, e);
	if (code && code != -ENOENT)
		return code;
	present = code == 0;
	if (present && strcmp(seen.name, program_role_name(item->role))) {
		program_seen_fini(&seen);
		return refuse(item, found, -EEXIST, e);
	}
	code = ensure_program(run, present ? &seen : NULL, e);
	if (!code)
		code = program_attach(&place, program_fd(run->prog, item->role), e);
	if (present) {
		if (!code)
			keep_replaced(run, &place, &seen);
		program_seen_fini(&seen);
	}
	return code ? err_prefix(e, code, "%s", item->rec.dev) : 0;
}

int item_apply(struct real_run *run, const struct item *item, const struct finding *found,
	       struct err *e)
{
	int code;

	switch (item->kind) {
	case ITEM_LINK:
	case ITEM_OUTER:
		return refuse(item, found, -ENODEV, e);
	case ITEM_SYSCTL:
		return apply_sysctl(item, found, e);
	case ITEM_ROUTE:
		return apply_route(run, item, e);
	case ITEM_ADDRESS:
		return apply_address(run, item, found, e);
	case ITEM_TUNNEL:
		return apply_tunnel(run, item, found, e);
	case ITEM_TUNNEL_UP:
		code = link_set_up(run->nl, item->rec.dev);
		return code ? kernel_said(run, item, code, e) : 0;
	case ITEM_QDISC:
		return apply_qdisc(run, item, found, e);
	case ITEM_FILTER:
		return apply_filter(run, item, found, e);
	}
	return -EINVAL;
}

static int undo_sysctl(const struct record *r, char *note, size_t len, struct err *e)
{
	int now, code = sysctl_read(r->sysctl, &now, e);

	/* The device is gone, and its settings with it. */
	if (code == -ENOENT)
		return 0;
	if (code || now == r->before)
		return code;
	if (now != r->after) {
		snprintf(note, len, "%s left at %d: someone changed it after setup", r->sysctl,
			 now);
		return 0;
	}
	return sysctl_write(r->sysctl, r->before, e);
}

static int undo_qdisc(struct real_run *run, const struct record *r, int ifindex, char *note,
		      size_t len)
{
	char kind[16];
	size_t filters;
	int code = qdisc_ingress_kind(run->nl, ifindex, kind);

	if (code || strcmp(kind, "clsact"))
		return code;
	code = qdisc_count_filters(run->nl, ifindex, &filters);
	if (code)
		return code;
	if (filters) {
		snprintf(note, len, "clsact qdisc on %s left: it holds %zu filters of others",
			 r->dev, filters);
		return 0;
	}
	return qdisc_clsact_del(run->nl, ifindex);
}

static bool is_ours(const char *name)
{
	return !strcmp(name, DECAP_PROG_DECAP) || !strcmp(name, DECAP_PROG_CLAMP) ||
	       !strcmp(name, DECAP_PROG_GUARD);
}

static int undo_filter(struct real_run *run, const struct record *r, int ifindex, char *note,
		       size_t len, struct err *e)
{
	struct program_place place = {ifindex, r->hook, run->state.config.tc_priority};
	struct program_seen seen;
	bool ours;
	int code = program_find(&place, &seen, e);

	if (code == -ENOENT)
		return 0;
	if (code)
		return code;
	ours = is_ours(seen.name);
	if (!ours)
		snprintf(note, len, "filter \"%s\" on %s left: it is not Fairway's", seen.name,
			 r->dev);
	program_seen_fini(&seen);
	return ours ? program_detach(&place, e) : 0;
}

static int undo_tunnel(struct real_run *run, const struct record *r, const struct link *link,
		       char *note, size_t len)
{
	if (!strcmp(link->kind, "ipip") || !strcmp(link->kind, "sit") ||
	    !strcmp(link->kind, "ip6tnl"))
		return link_del(run->nl, r->dev);
	snprintf(note, len, "device %s left: it is no tunnel", r->dev);
	return 0;
}

int record_undo(struct real_run *run, const struct record *r, char *note, size_t len, struct err *e)
{
	char name[160];
	struct link link;
	int code;

	note[0] = '\0';
	if (r->kind == RECORD_SYSCTL)
		return undo_sysctl(r, note, len, e);
	code = r->kind == RECORD_ROUTE ? 0 : link_get(run->nl, r->dev, &link);
	if (code == -ENODEV)
		return 0;
	if (!code && r->kind == RECORD_FILTER)
		return undo_filter(run, r, link.index, note, len, e);
	if (!code && r->kind == RECORD_ADDRESS)
		code = host_addr_del(run->nl, link.index, &r->addr);
	else if (r->kind == RECORD_ROUTE)
		code = route_blackhole_del(run->nl, &r->addr);
	else if (!code && r->kind == RECORD_TUNNEL)
		code = undo_tunnel(run, r, &link, note, len);
	else if (!code && r->kind == RECORD_QDISC)
		code = undo_qdisc(run, r, link.index, note, len);
	if (code)
		return err_set(e, code, "%s can't be undone: %s",
			       record_describe(r, name, sizeof(name)), nl_why(run->nl, code));
	return 0;
}
