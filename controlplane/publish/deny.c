/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

/* What a service keeps out: a list of denied sources, which changes in place prefix by prefix, and
 * a limit on SYNs, whose numbers change in place. */

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

static bool contains(const struct prefix *list, size_t n, const struct prefix *prefix)
{
	return n && bsearch(prefix, list, n, sizeof(*list), by_prefix);
}

static void forget(struct publish *p, const struct prefix *prefix, uint32_t list)
{
	struct lb_key key = publish_deny_key(prefix, list);
	struct lb_vip_entry *e = publish_key_find(p, &key);

	if (e)
		publish_key_remove(p, e);
}

/* ---- prefixes that leave ----
 *
 * A packet may have looked for a prefix that wasn't there yet, and still look for one that goes; or
 * it has the list's number from a record of before. So what leaves a list is forgotten only after a
 * grace period: else a source that the old list and the new one deny could slip through. */

static void forget_later(struct publish *p, const struct prefix *prefix, uint32_t list)
{
	struct publish_leaving *grown =
		realloc(p->leaving, (p->n_leaving + 1) * sizeof(*p->leaving));

	if (!grown) {
		forget(p, prefix, list);
		return;
	}
	p->leaving = grown;
	grown[p->n_leaving++] = (struct publish_leaving){.prefix = *prefix, .list = list};
}

/* It stays after all: true when it was leaving. */
static bool keep(struct publish *p, const struct prefix *prefix, uint32_t list)
{
	for (size_t i = 0; i < p->n_leaving; i++) {
		struct publish_leaving *l = &p->leaving[i];

		if (l->list != list || !prefix_equal(&l->prefix, prefix))
			continue;
		*l = p->leaving[--p->n_leaving];
		return true;
	}
	return false;
}

bool publish_deny_due(const struct publish *p)
{
	return p->n_leaving != 0;
}

void publish_deny_grace_begin(struct publish *p)
{
	for (size_t i = 0; i < p->n_leaving; i++)
		p->leaving[i].marked = true;
}

void publish_deny_grace_end(struct publish *p)
{
	size_t kept = 0;

	for (size_t i = 0; i < p->n_leaving; i++) {
		if (p->leaving[i].marked)
			forget(p, &p->leaving[i].prefix, p->leaving[i].list);
		else
			p->leaving[kept++] = p->leaving[i];
	}
	p->n_leaving = kept;
}

/* ---- lists ---- */

/* Enter those of `want` that `had` hasn't got, all or none. */
static int enter_new(struct publish *p, uint32_t list, const struct prefix *had, size_t n_had,
		     const struct prefix *want, size_t n, struct err *err)
{
	int rc = 0;
	size_t i;

	for (i = 0; i < n && !rc; i++) {
		struct lb_key key = publish_deny_key(&want[i], list);

		if (!contains(had, n_had, &want[i]) && !keep(p, &want[i], list))
			rc = publish_key_enter(p, &key, 1, err);
	}
	if (!rc)
		return 0;
	for (i--; i-- > 0;)
		if (!contains(had, n_had, &want[i]))
			forget_later(p, &want[i], list);
	return rc;
}

/* Sorted, without repetitions. */
static struct prefix *sorted(const struct prefix *deny, size_t n, size_t *ret_n)
{
	struct prefix *list = calloc(n + 1, sizeof(*list));
	size_t kept = 0;

	if (!list)
		return NULL;
	for (size_t i = 0; i < n; i++)
		list[i] = prefix_masked(&deny[i].addr, deny[i].len);
	qsort(list, n, sizeof(*list), by_prefix);
	for (size_t i = 0; i < n; i++)
		if (!kept || !prefix_equal(&list[kept - 1], &list[i]))
			list[kept++] = list[i];
	*ret_n = kept;
	return list;
}

/* There are as many numbers of lists as records, and no more lists than records. */
static int take_number(struct publish *p, uint32_t *ret_list, struct err *err)
{
	int rc = 0;

	while (!rc && space_take(&p->deny_lists, 1, ret_list))
		rc = publish_make_room(p, PUBLISH_SERVICES, 1, err);
	return rc;
}

int publish_deny_set(struct publish *p, struct publish_service *s, const struct prefix *deny,
		     size_t n, struct prefix **ret_old, size_t *ret_n_old, struct err *err)
{
	AUTO_FREE struct prefix *want = sorted(deny, n, &n);
	struct prefix *old = s->deny;
	size_t n_old = s->n_deny;
	int rc = 0;

	if (!want)
		return err_set(err, -ENOMEM, "out of memory");
	if (n && !s->has_list)
		rc = take_number(p, &s->deny_list, err);
	if (rc)
		return rc;
	s->has_list |= n != 0;
	rc = enter_new(p, s->deny_list, old, n_old, want, n, err);
	if (rc)
		return rc;
	s->deny = want;
	s->n_deny = n;
	want = NULL;
	*ret_old = old;
	*ret_n_old = n_old;
	return 0;
}

void publish_deny_leave(struct publish *p, const struct publish_service *s, struct prefix *old,
			size_t n_old)
{
	for (size_t i = 0; i < n_old; i++)
		if (!contains(s->deny, s->n_deny, &old[i]))
			forget_later(p, &old[i], s->deny_list);
	free(old);
}

void publish_deny_give(struct publish *p, struct publish_service *s)
{
	for (size_t i = 0; i < s->n_deny; i++)
		forget_later(p, &s->deny[i], s->deny_list);
	if (s->has_list)
		space_give(&p->deny_lists, s->deny_list, 1);
	free(s->deny);
	s->deny = NULL;
	s->n_deny = 0;
	s->has_list = false;
}

static struct prefix prefix_of_entry(const struct lb_vip_entry *e)
{
	struct prefix prefix = {.len = (uint8_t)e->word,
				.addr.family = e->word >> 24 == LB_KEY_DENIED4 ? 4 : 6};

	memcpy(prefix.addr.bytes, e->addr, sizeof(prefix.addr.bytes));
	return prefix;
}

int publish_deny_adopt(struct publish *p, struct publish_service *s)
{
	for (uint32_t i = 0; i < p->t->dims.deny_entries; i++) {
		const struct lb_vip_entry *e = &p->t->denied[i];
		struct prefix *grown;

		if (e->service == LB_SERVICE_NONE || e->service == LB_SERVICE_DELETED ||
		    e->scope != s->deny_list)
			continue;
		grown = realloc(s->deny, (s->n_deny + 1) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		s->deny = grown;
		grown[s->n_deny++] = prefix_of_entry(e);
	}
	if (s->n_deny)
		qsort(s->deny, s->n_deny, sizeof(*s->deny), by_prefix);
	return 0;
}

void publish_limit_write(struct publish *p, uint32_t limit, uint32_t rate, uint32_t burst)
{
	struct lb_limit *l = &p->t->limits[limit];
	uint64_t interval = rate ? 1000000000ULL / rate : 0;
	uint64_t ahead = burst ? interval * (burst - 1) : 0;

	/* A packet that meets the one of before with the other of now is judged by neither: the
	 * next one isn't. */
	if (l->burst_ns != ahead)
		publish_store64(p, &l->burst_ns, ahead);
	if (l->interval_ns != interval)
		publish_store64(p, &l->interval_ns, interval);
}

int publish_limit_set(struct publish *p, struct publish_service *s, uint32_t rate, uint32_t burst,
		      struct err *err)
{
	int rc;

	if (!s->limit) {
		rc = publish_take(p, PUBLISH_LIMITS, 1, &s->limit, err);
		if (rc)
			return rc;
		p->t->limits[s->limit].arrival_ns = 0;
	}
	publish_limit_write(p, s->limit, rate, burst);
	return 0;
}

void publish_limit_give(struct publish *p, struct publish_service *s)
{
	if (s->limit)
		space_give(&p->limits, s->limit, 1);
	s->limit = 0;
}
