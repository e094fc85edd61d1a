/* SPDX-License-Identifier: BSD-2-Clause */

/* The announce-only BGP speaker: configuration, what is offered, and the end. bgp.h is the
 * contract, speaker.h the map of the inside. RFCs: 4271 (BGP-4), 4760 (IPv6), 5492 (capabilities),
 * 6793 (four-octet AS), 2918 (route refresh), 2385 (TCP MD5), 5082 (GTSM), 6286, 6608, 7606,
 * 8203/9003 (shutdown message), 9072 and 9687. */

#include "controlplane/bgp/speaker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "controlplane/base/clock.h"

static const char *const state_names[] = {
	[BGP_STATE_IDLE] = "Idle",
	[BGP_STATE_CONNECT] = "Connect",
	[BGP_STATE_ACTIVE] = "Active",
	[BGP_STATE_OPEN_SENT] = "OpenSent",
	[BGP_STATE_OPEN_CONFIRM] = "OpenConfirm",
	[BGP_STATE_ESTABLISHED] = "Established",
};

static const char *const capability_names[] = {
	"ipv4-unicast",
	"ipv6-unicast",
	"four-octet-as",
	"route-refresh",
};

const char *bgp_state_name(enum bgp_state state)
{
	return state_names[state];
}

const char *bgp_capability_name(unsigned index)
{
	return index < sizeof(capability_names) / sizeof(capability_names[0])
		       ? capability_names[index]
		       : NULL;
}

uint32_t speaker_random(void)
{
	uint32_t r;

	/* It only spreads retries: early in boot the clock will do. */
	if (getrandom(&r, sizeof(r), GRND_NONBLOCK) != sizeof(r))
		r = (uint32_t)clock_now_ns();
	return r;
}

static void destroy(struct bgp_speaker *sp)
{
	rib_fini(&sp->rib);
	free(sp);
}

void speaker_handle_opened(struct bgp_speaker *sp)
{
	sp->handles++;
}

void speaker_handle_closed(struct bgp_speaker *sp)
{
	if (--sp->handles == 0 && sp->freed)
		destroy(sp);
}

void speaker_notice(struct bgp_speaker *sp, const char *text)
{
	if (sp->events.notice)
		sp->events.notice(sp->arg, NULL, text);
}

struct peer *speaker_find(const struct bgp_speaker *sp, const struct addr *address)
{
	for (size_t i = 0; i < sp->n_peers; i++) {
		if (addr_equal(&sp->peers[i]->config.address, address))
			return sp->peers[i];
	}
	return NULL;
}

static void finish_stop(struct bgp_speaker *sp)
{
	void (*done)(void *arg) = sp->stop_done;

	sp->stop_done = NULL;
	if (done)
		done(sp->stop_arg);
}

static void on_timer(uv_timer_t *timer)
{
	struct bgp_speaker *sp = timer->data;
	uint64_t now = clock_now_ns();

	(void)conn_linger_expire(sp, now);
	if (sp->listen_retry_ns && now >= sp->listen_retry_ns) {
		listeners_resume(sp);
		listeners_sync(sp);
	}
	speaker_rearm(sp);
	if (sp->stopping && !sp->lingering) {
		uv_timer_stop(&sp->timer);
		finish_stop(sp); /* Last: it may free sp. */
	}
}

void speaker_rearm(struct bgp_speaker *sp)
{
	uint64_t at = sp->listen_retry_ns ? sp->listen_retry_ns : UINT64_MAX;
	uint64_t now = clock_now_ns();

	if (sp->freed)
		return;
	if (sp->stop_done && !sp->lingering)
		at = now;
	for (const struct conn *c = sp->lingering; c; c = c->next) {
		if (c->linger_until_ns < at)
			at = c->linger_until_ns;
	}
	if (at == UINT64_MAX) {
		uv_timer_stop(&sp->timer);
		return;
	}
	uv_update_time(sp->loop);
	(void)uv_timer_start(&sp->timer, on_timer,
			     at > now ? (at - now + NS_PER_MS - 1) / NS_PER_MS : 0, 0);
}

static void on_handle_closed(uv_handle_t *handle)
{
	speaker_handle_closed(handle->data);
}

struct bgp_speaker *bgp_new(uv_loop_t *loop, const struct bgp_events *events, void *arg)
{
	struct bgp_speaker *sp = calloc(1, sizeof(*sp));

	if (!sp)
		return NULL;
	sp->loop = loop;
	if (events)
		sp->events = *events;
	sp->arg = arg;
	rib_init(&sp->rib);
	(void)uv_prepare_init(loop, &sp->flush); /* Both always 0. */
	(void)uv_timer_init(loop, &sp->timer);
	sp->flush.data = sp;
	sp->timer.data = sp;
	speaker_handle_opened(sp);
	speaker_handle_opened(sp);
	return sp;
}

static void free_peers(struct bgp_speaker *sp)
{
	for (size_t i = 0; i < sp->n_peers; i++)
		peer_free(sp->peers[i]);
	free(sp->peers);
	sp->peers = NULL;
	sp->n_peers = 0;
}

void bgp_free(struct bgp_speaker *sp)
{
	if (!sp)
		return;
	sp->freed = true;
	sp->stop_done = NULL;
	memset(&sp->events, 0, sizeof(sp->events));
	free_peers(sp);
	while (sp->lingering)
		conn_close(sp->lingering);
	listeners_close(sp);
	uv_close((uv_handle_t *)&sp->flush, on_handle_closed);
	uv_close((uv_handle_t *)&sp->timer, on_handle_closed);
}

static void on_flush(uv_prepare_t *prepare)
{
	struct bgp_speaker *sp = prepare->data;

	uv_prepare_stop(prepare);
	for (size_t i = 0; i < sp->n_peers; i++)
		peer_flush(sp->peers[i]);
}

/* Before the loop next waits, so that all changes of this turn go out together. */
static void flush_soon(struct bgp_speaker *sp)
{
	(void)uv_prepare_start(&sp->flush, on_flush); /* Fails only without callback. */
}

static int check_announcement(const struct prefix *prefix, const struct bgp_attrs *attrs,
			      struct err *err)
{
	char text[ADDR_STRLEN];
	unsigned bits = addr_bits(&prefix->addr);

	if (!bits || prefix->len > bits)
		return err_set(err, -EINVAL, "cannot announce %s: it is no prefix",
			       prefix_format(prefix, text));
	for (unsigned i = prefix->len; i < bits; i++) {
		if (prefix->addr.bytes[i / 8] & 0x80 >> i % 8)
			return err_set(err, -EINVAL,
				       "cannot announce %s: it has bits set behind its length; "
				       "announce the network's first address",
				       prefix_format(prefix, text));
	}
	if (attrs->n_communities > BGP_COMMUNITIES_MAX)
		return err_set(err, -EINVAL, "cannot announce %s with %u communities: at most %d",
			       prefix_format(prefix, text), attrs->n_communities,
			       BGP_COMMUNITIES_MAX);
	return 0;
}

int bgp_announce(struct bgp_speaker *sp, const struct prefix *prefix, const struct bgp_attrs *attrs,
		 struct err *err)
{
	static const struct bgp_attrs plain;
	int ret;

	if (sp->stopping)
		return err_set(err, -ESHUTDOWN, "the BGP speaker is stopping");
	if (!attrs)
		attrs = &plain;
	ret = check_announcement(prefix, attrs, err);
	if (ret)
		return ret;
	ret = rib_set(&sp->rib, prefix, attrs);
	if (ret < 0)
		return err_set(err, ret, "out of memory for an announcement");
	if (ret)
		flush_soon(sp);
	return 0;
}

void bgp_withdraw(struct bgp_speaker *sp, const struct prefix *prefix)
{
	if (rib_unset(&sp->rib, prefix))
		flush_soon(sp);
}

size_t bgp_prefix_count(const struct bgp_speaker *sp)
{
	return sp->rib.n;
}

const char *bgp_listen_error(const struct bgp_speaker *sp)
{
	return sp->listen_error.text;
}

size_t bgp_peer_count(const struct bgp_speaker *sp)
{
	return sp->n_peers;
}

int bgp_peer_snapshot(const struct bgp_speaker *sp, size_t index,
		      struct bgp_peer_snapshot *ret_snapshot)
{
	if (index >= sp->n_peers)
		return -ENOENT;
	peer_snapshot(sp->peers[index], clock_now_ns(), ret_snapshot);
	return 0;
}

/* What changing a neighbour from a to b asks for. */
enum change { CHANGE_NONE, CHANGE_NEXT_HOP, CHANGE_RESET };

static enum change neighbor_change(const struct bgp_neighbor *a, const struct bgp_neighbor *b)
{
	uint16_t a_port = a->port ? a->port : BGP_PORT, b_port = b->port ? b->port : BGP_PORT;

	if (a->asn != b->asn || a_port != b_port || a->hold_time_ms != b->hold_time_ms ||
	    strcmp(a->password, b->password) != 0 ||
	    !addr_equal(&a->local_address, &b->local_address) ||
	    a->ttl_security_hops != b->ttl_security_hops || a->passive != b->passive)
		return CHANGE_RESET;
	if (!addr_equal(&a->next_hop_ipv4, &b->next_hop_ipv4) ||
	    !addr_equal(&a->next_hop_ipv6, &b->next_hop_ipv6))
		return CHANGE_NEXT_HOP;
	return CHANGE_NONE;
}

static bool listed(const struct bgp_config *cfg, const struct addr *address)
{
	for (size_t i = 0; i < cfg->n_neighbors; i++) {
		if (addr_equal(&cfg->neighbors[i].address, address))
			return true;
	}
	return false;
}

/* The peers of cfg in its order: those there are, and new ones. Nothing changes on -ENOMEM. */
static int collect_peers(struct bgp_speaker *sp, const struct bgp_config *cfg,
			 struct peer ***ret_peers)
{
	struct peer **peers = calloc(cfg->n_neighbors + 1, sizeof(struct peer *));

	if (!peers)
		return -ENOMEM;
	for (size_t i = 0; i < cfg->n_neighbors; i++) {
		peers[i] = speaker_find(sp, &cfg->neighbors[i].address);
		if (!peers[i])
			peers[i] = peer_new(sp, &cfg->neighbors[i]);
		if (peers[i])
			continue;
		while (i--) {
			if (!speaker_find(sp, &cfg->neighbors[i].address))
				peer_free(peers[i]);
		}
		free(peers);
		return -ENOMEM;
	}
	*ret_peers = peers;
	return 0;
}

/* End the sessions that don't survive, before anything new starts. */
static void stop_changed(struct bgp_speaker *sp, const struct bgp_config *cfg, bool reset_all)
{
	for (size_t i = 0; i < sp->n_peers; i++) {
		struct peer *p = sp->peers[i];
		bool found = false;

		for (size_t j = 0; !found && j < cfg->n_neighbors; j++) {
			const struct bgp_neighbor *nb = &cfg->neighbors[j];

			found = addr_equal(&nb->address, &p->config.address);
			if (found && (reset_all || neighbor_change(&p->config, nb) == CHANGE_RESET))
				peer_stop(p, BGP_CEASE_CONFIG_CHANGE, NULL);
		}
		if (!found)
			peer_stop(p, BGP_CEASE_DECONFIGURED, NULL);
	}
}

static void apply_neighbor(struct peer *p, const struct bgp_neighbor *nb)
{
	if (!p->fsm.running)
		peer_start(p, nb);
	else if (neighbor_change(&p->config, nb) == CHANGE_NEXT_HOP)
		peer_update_next_hops(p, nb);
}

int bgp_configure(struct bgp_speaker *sp, const struct bgp_config *cfg, struct err *err)
{
	static const struct bgp_config none;
	struct peer **peers, **old = sp->peers;
	size_t n_old = sp->n_peers;
	bool reset_all;
	int ret;

	if (sp->stopping)
		return err_set(err, -ESHUTDOWN, "the BGP speaker is stopping");
	ret = bgp_config_check(cfg, err);
	if (ret)
		return ret;
	if (!cfg)
		cfg = &none;
	ret = collect_peers(sp, cfg, &peers);
	if (ret)
		return err_set(err, ret, "out of memory for the BGP configuration");
	reset_all = cfg->asn != sp->asn || cfg->router_id != sp->router_id;
	stop_changed(sp, cfg, reset_all);
	sp->asn = cfg->asn;
	sp->router_id = cfg->router_id;
	sp->listen_port = cfg->listen_port ? cfg->listen_port : BGP_PORT;
	sp->listen_off = cfg->listen_off;
	sp->peers = peers;
	sp->n_peers = cfg->n_neighbors;
	for (size_t i = 0; i < n_old; i++) {
		if (!listed(cfg, &old[i]->config.address))
			peer_free(old[i]);
	}
	free(old);
	for (size_t i = 0; i < sp->n_peers; i++) {
		if (!peers[i]->fsm.running)
			peers[i]->config = cfg->neighbors[i];
	}
	listeners_sync(sp);
	for (size_t i = 0; i < sp->n_peers; i++)
		apply_neighbor(peers[i], &cfg->neighbors[i]);
	return 0;
}

void bgp_stop(struct bgp_speaker *sp, const char *message, void (*done)(void *arg), void *arg)
{
	if (sp->stopping)
		return;
	sp->stopping = true;
	sp->stop_done = done;
	sp->stop_arg = arg;
	uv_prepare_stop(&sp->flush);
	for (size_t i = 0; i < sp->n_peers; i++)
		peer_stop(sp->peers[i], BGP_CEASE_SHUTDOWN, message);
	listeners_close(sp);
	speaker_rearm(sp);
}
