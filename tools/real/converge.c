/* SPDX-License-Identifier: BSD-2-Clause */
/* setup and remove. Intentions are written down before the first change, so that a run that is
 * killed half way can be undone; undoing what was never done does nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/real.h"
#include "tools/real/route.h"

int real_run_init(struct real_run *run, const char *dir, bool *ret_present, int *ret_lock,
		  struct err *e)
{
	int ret;

	memset(run, 0, sizeof(*run));
	run->dir = dir;
	ret = nl_open(&run->nl, e);
	if (!ret)
		ret = real_state_lock(dir, ret_lock, e);
	if (ret)
		return ret;
	ret = real_state_load(&run->state, dir, e);
	run->stale = ret == -ESTALE;
	if (ret && ret != -ENOENT && ret != -ESTALE)
		return ret;
	*ret_present = ret == 0;
	ret = host_addrs_init(&run->addrs, run->nl);
	if (ret)
		return err_set(e, ret, "can't read this host's addresses: %s",
			       nl_why(run->nl, ret));
	ret = route_blackholes(run->nl, &run->blackholes);
	if (ret)
		return err_set(e, ret, "can't read this host's routes: %s", nl_why(run->nl, ret));
	return 0;
}

void real_run_fini(struct real_run *run)
{
	for (size_t i = 0; i < run->n_replaced; i++)
		close(run->replaced[i].fd);
	program_free(run->prog);
	host_addrs_fini(&run->addrs);
	addr_set_fini(&run->blackholes);
	real_state_fini(&run->state);
	nl_close(run->nl);
}

static void tell(const struct real_run *run, const char *verb, const char *what)
{
	if (run->tell)
		run->tell(verb, what);
}

static int sysctl_after(const struct item *item)
{
	return item->rule == RULE_ARP_IGNORE ? 1 : 2;
}

/* Record what is about to be changed, and save it. What an earlier setup recorded keeps that value:
 * it is the one from before Fairway. */
static int record_intentions(struct real_run *run, struct item_list *list, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		struct item *item = &list->items[i];
		struct finding found;
		int ret;

		if (!item_is_recorded(item) || real_state_find(&run->state, &item->rec))
			continue;
		ret = item_probe(run, item, &found, e);
		if (ret)
			return ret;
		if (found.ok)
			continue;
		item->fresh = true;
		item->rec.before = found.value;
		item->rec.after = item->kind == ITEM_SYSCTL ? sysctl_after(item) : 0;
		if (real_state_add(&run->state, &item->rec))
			return err_set(e, -ENOMEM, "out of memory");
	}
	return real_state_save(&run->state, run->dir, e);
}

static void tell_applied(const struct real_run *run, const struct item *item,
			 const struct finding *found)
{
	char name[160], text[200];

	item_describe(item, name, sizeof(name));
	if (item->kind != ITEM_SYSCTL) {
		tell(run, found->stale ? "updated" : "added", name);
		return;
	}
	snprintf(text, sizeof(text), "%s: %d, was %d", name, sysctl_after(item), found->value);
	tell(run, "set", text);
}

/* Filters are renewed even when they are right: the program may be of an older release. */
static int apply_all(struct real_run *run, struct item_list *list, size_t *ret_changes,
		     struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		struct item *item = &list->items[i];
		struct finding found;
		int ret = item_probe(run, item, &found, e);

		if (!ret && found.ok && item->kind != ITEM_FILTER)
			continue;
		if (!ret)
			ret = item_apply(run, item, &found, e);
		if (ret)
			return ret;
		item->done = true;
		if (found.ok)
			continue;
		tell_applied(run, item, &found);
		++*ret_changes;
	}
	return 0;
}

/* Back to how it was before this run; e keeps the reason and gains what could not be undone. */
static void roll_back(struct real_run *run, const struct item_list *list,
		      const struct real_state *old, struct err *e)
{
	char name[160], note[256];
	struct err why;
	int ret;

	for (size_t i = list->n; i-- > 0;) {
		const struct item *item = &list->items[i];

		if (!item->done || !item->fresh)
			continue;
		if (record_undo(run, &item->rec, note, sizeof(note), &why))
			err_prefix(e, 0, "rolling back failed too (%s); first failure", why.text);
		else
			tell(run, "undone", item_describe(item, name, sizeof(name)));
	}
	for (size_t i = run->n_replaced; i-- > 0;)
		if (program_attach(&run->replaced[i].place, run->replaced[i].fd, &why))
			err_prefix(e, 0,
				   "the old program could not be put back (%s); first failure",
				   why.text);
	ret = old ? real_state_save(old, run->dir, &why) : real_state_delete(run->dir, &why);
	if (ret)
		err_prefix(e, 0, "the state could not be restored (%s); first failure", why.text);
}

static bool list_has(const struct item_list *list, const struct record *r)
{
	for (size_t i = 0; i < list->n; i++)
		if (item_is_recorded(&list->items[i]) && record_same(&list->items[i].rec, r))
			return true;
	return false;
}

/* Undo from the newest to the oldest, all or what is not in keep. */
static int undo_records(struct real_run *run, const struct item_list *keep, struct err *e)
{
	char name[160], note[256];
	struct err why;
	int ret = 0;

	for (size_t i = run->state.n_records; i-- > 0;) {
		struct record r = run->state.records[i];
		int one;

		if (keep && list_has(keep, &r))
			continue;
		one = record_undo(run, &r, note, sizeof(note), &why);
		if (one) {
			if (!ret)
				ret = err_set(e, one, "%s", why.text);
			continue;
		}
		real_state_drop(&run->state, i);
		tell(run,
		     note[0]                   ? "note"
		     : r.kind == RECORD_SYSCTL ? "restored"
					       : "removed",
		     note[0] ? note : record_describe(&r, name, sizeof(name)));
	}
	return ret;
}

static int prune(struct real_run *run, const struct item_list *list, struct err *e)
{
	int ret = undo_records(run, list, e), saved;

	saved = real_state_save(&run->state, run->dir, ret ? NULL : e);
	return ret ? ret : saved;
}

int real_converge(struct real_run *run, const struct real_state *old, size_t *ret_changes,
		  struct err *e)
{
	struct item_list list;
	size_t changes = 0;
	int ret = item_list_init(&list, &run->state.config);

	if (ret)
		return err_set(e, ret, "out of memory");
	ret = record_intentions(run, &list, e);
	if (!ret)
		ret = apply_all(run, &list, &changes, e);
	if (ret)
		roll_back(run, &list, old, e);
	else
		ret = prune(run, &list, e);
	item_list_fini(&list);
	if (!ret)
		*ret_changes = changes;
	return ret;
}

int real_remove_all(struct real_run *run, struct err *e)
{
	int ret = undo_records(run, NULL, e);

	if (!ret)
		return real_state_delete(run->dir, e);
	if (real_state_save(&run->state, run->dir, NULL))
		return err_prefix(e, ret, "the state can't be saved either; first failure");
	return ret;
}
