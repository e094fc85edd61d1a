/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/neighbour/neighbour.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "controlplane/neighbour/entry.h"
#include "controlplane/neighbour/links.h"
#include "controlplane/neighbour/resolve.h"
#include "controlplane/neighbour/rtnl.h"

/* Notifications are not believed, only heeded: whatever the kernel says has changed makes the
 * watches it may concern dirty, and a dirty watch is resolved from scratch by asking the kernel
 * (route, then neighbour). There is no mirror of its tables here that could go out of step, lost
 * notifications (ENOBUFS) need no other treatment than making everything dirty, and a host with a
 * full BGP table costs no more than one with a default route. Asking takes a few microseconds.
 *
 * Passes over the dirty watches are bounded and spaced, so that a storm of route changes can't keep
 * the loop busy; in quiet times the reaction is immediate. */

#define WATCHES_PER_PASS 128
#define PASS_SPACING_MS  50 /* between passes, while changes keep coming */
#define HOUSEKEEPING_MS  1000
#define NOTIFY_RCVBUF    (1 << 20)
#define READS_PER_TURN   64

TAILQ_HEAD(watch_queue, neighbour_watch);

struct neighbour {
	uv_poll_t poll;
	uv_timer_t pass_timer;
	uv_timer_t housekeeping;
	unsigned open_handles;
	struct neighbour_events events;
	struct rtnl query;
	struct mnl_socket *notify;
	struct links links;
	struct watch_queue clean, dirty;
	uint64_t last_pass_ns;
	bool missed; /* notifications were lost, and the links not yet read anew */
};

struct neighbour_watch {
	TAILQ_ENTRY(neighbour_watch) link;
	struct neighbour *nb;
	void *owner;
	bool is_dirty;
	bool told; /* the owner has heard of it */
	struct resolution resolution;
};

/* --- dirty watches --- */

static void on_pass(uv_timer_t *timer);

/* At once when it has been quiet, else after the spacing. */
static void schedule_pass(struct neighbour *nb)
{
	uint64_t since_ms = (clock_now_ns() - nb->last_pass_ns) / NS_PER_MS;

	if (TAILQ_EMPTY(&nb->dirty) || uv_is_active((uv_handle_t *)&nb->pass_timer))
		return;
	/* Fails only without a callback or on a closing handle. */
	uv_timer_start(&nb->pass_timer, on_pass,
		       since_ms < PASS_SPACING_MS ? PASS_SPACING_MS - since_ms : 0, 0);
}

static void mark_dirty(struct neighbour_watch *w)
{
	if (w->is_dirty)
		return;
	w->is_dirty = true;
	TAILQ_REMOVE(&w->nb->clean, w, link);
	TAILQ_INSERT_TAIL(&w->nb->dirty, w, link);
}

static void mark_all_dirty(struct neighbour *nb)
{
	struct neighbour_watch *w;

	while ((w = TAILQ_FIRST(&nb->clean)))
		mark_dirty(w);
}

/* Linear: an entry changes its state every half minute, and watches are some thousands. */
static void mark_users_dirty(struct neighbour *nb, const struct entry_key *key)
{
	struct neighbour_watch *w, *next;

	for (w = TAILQ_FIRST(&nb->clean); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (entry_key_equal(&w->resolution.key, key))
			mark_dirty(w);
	}
}

static bool has_user(const struct neighbour *nb, const struct entry_key *key)
{
	const struct neighbour_watch *w;

	TAILQ_FOREACH(w, &nb->clean, link)
	{
		if (entry_key_equal(&w->resolution.key, key))
			return true;
	}
	TAILQ_FOREACH(w, &nb->dirty, link)
	{
		if (entry_key_equal(&w->resolution.key, key))
			return true;
	}
	return false;
}

/* Nobody watches through this entry any more: the kernel need not keep it for us. Should that fail,
 * it keeps asking one neighbour too many, which harms nobody. */
static void release_unused(struct neighbour *nb, const struct entry_key *key)
{
	struct entry entry;

	if (key->ifindex == 0 || has_user(nb, key))
		return;
	if (entry_ask(&nb->query, key, &entry) == 0 && entry.managed && !entry.pinned)
		(void)!entry_release(&nb->query, key);
}

/* Resolve one watch; the callback, which comes last, may remove it. */
static void refresh(struct neighbour *nb, struct neighbour_watch *w)
{
	struct entry_key old_key = w->resolution.key;
	bool changed;

	w->is_dirty = false;
	TAILQ_REMOVE(&nb->dirty, w, link);
	TAILQ_INSERT_TAIL(&nb->clean, w, link);
	changed = resolution_refresh(&w->resolution, &nb->query, &nb->links);
	if (!entry_key_equal(&old_key, &w->resolution.key))
		release_unused(nb, &old_key);
	if (!changed && w->told)
		return;
	w->told = true;
	if (nb->events.nexthop)
		nb->events.nexthop(nb->events.arg, w, w->owner, &w->resolution.nexthop);
}

static void on_pass(uv_timer_t *timer)
{
	struct neighbour *nb = timer->data;
	struct neighbour_watch *w;
	int left = WATCHES_PER_PASS;

	while (left-- > 0 && (w = TAILQ_FIRST(&nb->dirty)))
		refresh(nb, w);
	if (!TAILQ_EMPTY(&nb->dirty))
		uv_timer_start(&nb->pass_timer, on_pass, 1, 0);
	else
		nb->last_pass_ns = clock_now_ns();
}

/* --- notifications --- */

static void tell_link(struct neighbour *nb, const struct neighbour_link *link, bool present)
{
	if (nb->events.link)
		nb->events.link(nb->events.arg, link, present);
}

/* Read all links anew and tell what differs. */
static int reread_links(struct neighbour *nb)
{
	struct links old = nb->links, fresh = {0};
	int ret = links_read(&fresh, &nb->query);

	if (ret < 0) {
		links_fini(&fresh);
		return ret;
	}
	nb->links = fresh;
	for (size_t i = 0; i < old.count; i++)
		if (!links_by_index(&nb->links, old.entries[i].ifindex))
			tell_link(nb, &old.entries[i], false);
	for (size_t i = 0; i < nb->links.count; i++) {
		struct neighbour_link now = nb->links.entries[i];
		const struct neighbour_link *was = links_by_index(&old, now.ifindex);

		if (!was || !links_equal(was, &now))
			tell_link(nb, &now, true);
	}
	links_fini(&old);
	return 0;
}

static int handle_link(struct neighbour *nb, const struct nlmsghdr *nlh)
{
	struct neighbour_link link;
	int change = links_update(&nb->links, nlh, &link);

	if (change < 0)
		return change;
	if (change == LINKS_SAME)
		return 0;
	mark_all_dirty(nb);
	tell_link(nb, &link, change == LINKS_CHANGED);
	return 0;
}

static int on_notification(const struct nlmsghdr *nlh, void *arg)
{
	struct neighbour *nb = arg;
	struct entry_key key;

	switch (nlh->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		if (entry_parse_key(nlh, &key))
			mark_users_dirty(nb, &key);
		return MNL_CB_OK;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		if (handle_link(nb, nlh) == 0)
			return MNL_CB_OK;
		errno = ENOMEM;
		return MNL_CB_ERROR;
	default: /* routes, rules, addresses, next-hop objects */
		mark_all_dirty(nb);
		return MNL_CB_OK;
	}
}

/* Something was missed: look at everything. Housekeeping tries again if the links can't be read. */
static void resync(struct neighbour *nb)
{
	nb->missed = reread_links(nb) < 0;
	mark_all_dirty(nb);
}

static void on_notify(uv_poll_t *poll, int status, int events)
{
	struct neighbour *nb = poll->data;
	char buf[RTNL_BUF_BYTES];

	(void)status;
	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = mnl_socket_recvfrom(nb->notify, buf, sizeof(buf));

		if (n < 0 && errno == EAGAIN)
			break;
		/* ENOBUFS: the kernel dropped some. The rest is in the way of any error too. */
		if (n < 0 || mnl_cb_run(buf, (size_t)n, 0, 0, on_notification, nb) < 0)
			resync(nb);
	}
	schedule_pass(nb);
}

/* What isn't in order is looked at every second: a neighbour that doesn't answer is asked again
 * sooner than the kernel would, and a route that the kernel couldn't be asked for is found. */
static void on_housekeeping(uv_timer_t *timer)
{
	struct neighbour *nb = timer->data;
	struct neighbour_watch *w, *next;

	for (w = TAILQ_FIRST(&nb->clean); w; w = next) {
		next = TAILQ_NEXT(w, link);
		if (!w->resolution.nexthop.confirmed)
			mark_dirty(w);
	}
	if (nb->missed)
		resync(nb);
	schedule_pass(nb);
}

/* --- life --- */

static int open_notify(struct neighbour *nb)
{
	static const int groups[] = {
		RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
		RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
		RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP,
	};
	static const int rcvbuf = NOTIFY_RCVBUF;

	nb->notify = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!nb->notify || mnl_socket_bind(nb->notify, 0, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* Smaller is no failure: an overrun is handled, this makes it rare. */
	(void)!setsockopt(mnl_socket_get_fd(nb->notify), SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf,
			  sizeof(rcvbuf));
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		int group = groups[i];

		if (mnl_socket_setsockopt(nb->notify, NETLINK_ADD_MEMBERSHIP, &group,
					  sizeof(group)) < 0)
			return -errno;
	}
	return 0;
}

static void close_sockets(struct neighbour *nb)
{
	rtnl_close(&nb->query);
	if (nb->notify)
		mnl_socket_close(nb->notify);
	nb->notify = NULL;
}

static void on_closed(uv_handle_t *handle)
{
	struct neighbour *nb = handle->data;

	if (--nb->open_handles == 0)
		free(nb);
}

/* Close what is in the loop, then the sockets; the memory goes with the last handle. */
static void leave(struct neighbour *nb)
{
	uv_handle_t *handles[] = {(uv_handle_t *)&nb->pass_timer, (uv_handle_t *)&nb->housekeeping,
				  (uv_handle_t *)&nb->poll};
	unsigned open = nb->open_handles;

	links_fini(&nb->links);
	for (unsigned i = 0; i < open; i++)
		uv_close(handles[i], on_closed);
	close_sockets(nb);
	if (open == 0)
		free(nb);
}

static int join_loop(struct neighbour *nb, uv_loop_t *loop)
{
	int ret;

	nb->pass_timer.data = nb->housekeeping.data = nb->poll.data = nb;
	ret = uv_timer_init(loop, &nb->pass_timer);
	if (ret < 0)
		return ret;
	nb->open_handles = 1;
	ret = uv_timer_init(loop, &nb->housekeeping);
	if (ret < 0)
		return ret;
	nb->open_handles = 2;
	ret = uv_poll_init(loop, &nb->poll, mnl_socket_get_fd(nb->notify));
	if (ret < 0)
		return ret;
	nb->open_handles = 3;
	ret = uv_timer_start(&nb->housekeeping, on_housekeeping, HOUSEKEEPING_MS, HOUSEKEEPING_MS);
	if (ret < 0)
		return ret;
	return uv_poll_start(&nb->poll, UV_READABLE, on_notify);
}

int neighbour_new(uv_loop_t *loop, const struct neighbour_events *events, struct neighbour **ret_nb,
		  struct err *err)
{
	struct neighbour *nb = calloc(1, sizeof(*nb));
	int ret;

	if (!nb)
		return err_set(err, -ENOMEM, "out of memory");
	nb->events = *events;
	TAILQ_INIT(&nb->clean);
	TAILQ_INIT(&nb->dirty);
	/* Listening begins before reading, so that nothing falls in between. */
	ret = open_notify(nb);
	if (ret == 0)
		ret = rtnl_open(&nb->query);
	if (ret == 0)
		ret = links_read(&nb->links, &nb->query);
	if (ret == 0)
		ret = join_loop(nb, loop);
	if (ret < 0) {
		leave(nb);
		return err_set(err, ret, "cannot follow the kernel's routes and neighbours: %s",
			       strerror(-ret));
	}
	*ret_nb = nb;
	return 0;
}

void neighbour_free(struct neighbour *nb)
{
	struct neighbour_watch *w;

	if (!nb)
		return;
	while ((w = TAILQ_FIRST(&nb->clean)) || (w = TAILQ_FIRST(&nb->dirty)))
		neighbour_watch_remove(w);
	leave(nb);
}

/* --- watches and queries --- */

int neighbour_watch_add(struct neighbour *nb, const struct addr *target, void *owner,
			struct neighbour_watch **ret_watch)
{
	struct neighbour_watch *w;

	if (addr_af(target) == AF_UNSPEC)
		return -EINVAL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	w->nb = nb;
	w->owner = owner;
	resolution_init(&w->resolution, target);
	TAILQ_INSERT_TAIL(&nb->clean, w, link);
	mark_dirty(w);
	schedule_pass(nb);
	*ret_watch = w;
	return 0;
}

void neighbour_watch_remove(struct neighbour_watch *w)
{
	if (!w)
		return;
	TAILQ_REMOVE(w->is_dirty ? &w->nb->dirty : &w->nb->clean, w, link);
	release_unused(w->nb, &w->resolution.key);
	free(w);
}

const struct neighbour_nexthop *neighbour_watch_nexthop(const struct neighbour_watch *w)
{
	return &w->resolution.nexthop;
}

const struct addr *neighbour_watch_target(const struct neighbour_watch *w)
{
	return &w->resolution.target;
}

static int copy_link(const struct neighbour_link *link, struct neighbour_link *ret_link)
{
	if (!link)
		return -ENODEV;
	*ret_link = *link;
	return 0;
}

int neighbour_link_get(const struct neighbour *nb, const char *name,
		       struct neighbour_link *ret_link)
{
	return copy_link(links_by_name(&nb->links, name), ret_link);
}

int neighbour_link_get_by_index(const struct neighbour *nb, uint32_t ifindex,
				struct neighbour_link *ret_link)
{
	return copy_link(links_by_index(&nb->links, ifindex), ret_link);
}

int neighbour_egress_get(const struct neighbour *nb, uint32_t ifindex,
			 bool (*sends)(void *arg, const char *name), void *arg,
			 struct neighbour_egress *ret_egress, struct err *err)
{
	return links_egress(&nb->links, ifindex, sends, arg, ret_egress, err);
}
