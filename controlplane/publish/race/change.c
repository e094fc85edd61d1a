/* SPDX-License-Identifier: BSD-2-Clause */
/* The publisher: random changes, each told to the truth before and after. */
#include "controlplane/publish/race/race.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"

struct service {
	bool there;
	uint32_t pool;
	uint32_t list; /* deny list; 0: none */
	enum lb_hash_mode hash;
	bool limited;  /* to a few SYNs */
	bool generous; /* has a limit that is never met */
};

struct member {
	bool there, dead;
	uint32_t weight;
};

struct pool {
	bool there;
	uint32_t kind, port; /* colours */
	uint32_t size;
	struct member members[RACE_REALS];
};

struct race_changes {
	struct race *race;
	struct race_truth *truth;
	struct publish *p;
	struct race_random random;
	uint64_t now_ns; /* the publisher's clock; goes much faster than time */
	bool in_grace;
	struct service services[RACE_SERVICES];
	struct pool pools[RACE_POOLS];
	uint32_t hops[RACE_POOLS][RACE_KINDS][RACE_REALS]; /* 0: unresolved */
	uint32_t faces[RACE_IFACES + 1];
	uint32_t source, source_len4, seed;
	uint32_t on_vip[RACE_VIPS]; /* services that are there */
	bool up[RACE_VIPS];
	struct race_sum sum;
};

static uint32_t any(struct race_changes *c, uint32_t below)
{
	return race_random(&c->random, below);
}

static void done(struct race_changes *c)
{
	race_tick(c->truth);
	c->sum.published++;
}

/* ---- node and interfaces ---- */

static int set_node(struct race_changes *c, struct err *err)
{
	struct publish_node node = {.echo_rate = 0, .too_big_rate = 0};
	char text[64];

	memset(node.hash_seed, (int)c->seed, sizeof(node.hash_seed));
	snprintf(text, sizeof(text), "198.18.%u.%u/%u", c->source, c->source_len4 == 32 ? 1 : 0,
		 c->source_len4);
	if (prefix_parse(text, &node.source4))
		return err_set(err, -EINVAL, "bad source");
	snprintf(text, sizeof(text), "fd11:0:%x::/64", c->source);
	if (prefix_parse(text, &node.source6))
		return err_set(err, -EINVAL, "bad source");
	return publish_node_set(c->p, &node, err);
}

static int change_node(struct race_changes *c, struct err *err)
{
	const uint32_t was = c->source;
	int rc;

	c->source = any(c, RACE_SOURCES);
	c->source_len4 = any(c, 2) ? 32 : 24;
	if (any(c, 64) == 0)
		c->seed = any(c, 256);
	race_begins(&c->truth->source[c->source]);
	rc = set_node(c, err);
	if (was != c->source)
		race_ends(c->truth, &c->truth->source[was]);
	return rc;
}

static int set_iface(struct race_changes *c, uint32_t iface, struct err *err)
{
	uint8_t mac[6];

	race_iface_mac(mac, iface, c->faces[iface]);
	return publish_iface_set(c->p, RACE_IFINDEX + iface, mac, 1500, false, err);
}

static int change_iface(struct race_changes *c, struct err *err)
{
	const uint32_t iface = 1 + any(c, RACE_IFACES), was = c->faces[iface];
	int rc;

	c->faces[iface] = any(c, RACE_FACES);
	race_begins(&c->truth->face[iface][c->faces[iface]]);
	rc = set_iface(c, iface, err);
	if (was != c->faces[iface])
		race_ends(c->truth, &c->truth->face[iface][was]);
	return rc;
}

/* ---- next hops ---- */

static int set_hop(struct race_changes *c, uint32_t pool, uint32_t kind, uint32_t real,
		   struct err *err)
{
	const struct addr addr = race_real_addr(pool, kind, real);
	const uint32_t hop = c->hops[pool][kind][real];
	const uint32_t iface = hop ? (hop - 1) % RACE_IFACES + 1 : 0;
	uint8_t mac[6];

	if (hop)
		race_hop_mac(mac, pool, kind, real, (hop - 1) / RACE_IFACES, iface);
	return publish_nexthop_set(c->p, &addr, RACE_IFINDEX + iface, hop ? mac : NULL, err);
}

static uint64_t *hop_truth(struct race_changes *c, uint32_t pool, uint32_t kind, uint32_t real)
{
	const uint32_t hop = c->hops[pool][kind][real];

	return hop ? &c->truth->hop[pool][kind][real][hop - 1]
		   : &c->truth->unresolved[pool][kind][real];
}

static int change_hop(struct race_changes *c, struct err *err)
{
	const uint32_t pool = any(c, RACE_POOLS), kind = c->pools[pool].kind,
		       real = any(c, RACE_REALS);
	uint64_t *was = hop_truth(c, pool, kind, real);
	int rc;

	c->hops[pool][kind][real] = any(c, 16) ? 1 + any(c, RACE_HOPS * RACE_IFACES) : 0;
	race_begins(hop_truth(c, pool, kind, real));
	rc = set_hop(c, pool, kind, real, err);
	if (was != hop_truth(c, pool, kind, real))
		race_ends(c->truth, was);
	return rc;
}

/* ---- pools ---- */

static void pool_name(uint32_t pool, char name[16])
{
	snprintf(name, 16, "pool%u", pool);
}

static int set_pool(struct race_changes *c, uint32_t pool, struct err *err)
{
	const struct pool *s = &c->pools[pool];
	const bool named = pool == race_pool_of(13);
	struct publish_pool_spec spec = {
		.encap = race_kinds[s->kind].encap,
		.gue_port = race_gue_port(pool, s->port),
		.table_size = s->size,
		.quic_length = named ? 4 : 0,
	};
	struct publish_member members[RACE_REALS];
	char name[16];
	size_t n = 0;

	memset(members, 0, sizeof(members));
	for (uint32_t i = 0; i < RACE_REALS; i++) {
		const struct server_id id = {
			.length = 4, .bytes = {(uint8_t)pool, (uint8_t)s->kind, (uint8_t)i, 0xa5}};

		if (!s->members[i].there)
			continue;
		members[n].addr = race_real_addr(pool, s->kind, i);
		members[n].weight = s->members[i].weight;
		members[n].dead = s->members[i].dead;
		if (named)
			members[n].server_id = id;
		n++;
	}
	pool_name(pool, name);
	return publish_pool_set(c->p, name, &spec, members, n, c->now_ns, err);
}

static bool has_share(const struct pool *s, uint32_t real)
{
	return s->there && s->members[real].there && !s->members[real].dead &&
	       s->members[real].weight;
}

static bool is_empty(const struct pool *s)
{
	for (uint32_t i = 0; i < RACE_REALS; i++)
		if (has_share(s, i))
			return false;
	return true;
}

/* What the pool is going to be is true before it is published. */
static void pool_begins(struct race_changes *c, uint32_t pool)
{
	const struct pool *s = &c->pools[pool];

	race_begins(&c->truth->port[pool][s->port]);
	if (is_empty(s))
		race_begins(&c->truth->empty[pool]);
	for (uint32_t i = 0; i < RACE_REALS; i++) {
		if (has_share(s, i))
			race_begins(&c->truth->share[pool][s->kind][i]);
		if (s->members[i].there && !s->members[i].dead)
			race_begins(&c->truth->alive[pool][s->kind][i]);
	}
}

/* What it isn't any more is false after that is published. A real that left lives on. */
static void pool_ends(struct race_changes *c, uint32_t pool)
{
	const struct pool *s = &c->pools[pool];
	struct race_truth *t = c->truth;

	for (uint32_t port = 0; port < RACE_PORTS; port++)
		if (port != s->port)
			race_ends(t, &t->port[pool][port]);
	if (!is_empty(s))
		race_ends(t, &t->empty[pool]);
	for (uint32_t kind = 0; kind < RACE_KINDS; kind++)
		for (uint32_t i = 0; i < RACE_REALS; i++)
			if (kind != s->kind || !has_share(s, i))
				race_ends(t, &t->share[pool][kind][i]);
	for (uint32_t i = 0; i < RACE_REALS; i++)
		if (s->there && s->members[i].there && s->members[i].dead)
			race_ends(t, &t->alive[pool][s->kind][i]);
}

static void random_member(struct race_changes *c, struct member *m)
{
	m->there = any(c, 4) != 0;
	m->dead = any(c, 8) == 0;
	m->weight = any(c, 8) ? 1 + any(c, 3) : 0;
}

static void random_pool(struct race_changes *c, struct pool *s)
{
	static const uint32_t sizes[] = {61, 127, 251};

	s->there = true;
	s->kind = any(c, RACE_KINDS);
	s->port = any(c, RACE_PORTS);
	s->size = sizes[any(c, 3)];
	for (uint32_t i = 0; i < RACE_REALS; i++)
		random_member(c, &s->members[i]);
}

/* A few of what can change in a pool. */
static void mutate_pool(struct race_changes *c, struct pool *s)
{
	struct member *m = &s->members[any(c, RACE_REALS)];

	switch (any(c, 24)) {
	case 0:
		s->kind = any(c, RACE_KINDS);
		break;
	case 1:
		s->port = any(c, RACE_PORTS);
		break;
	case 2:
		random_pool(c, s);
		break;
	case 3:
		for (uint32_t i = 0; i < RACE_REALS; i++)
			s->members[i].dead = any(c, 2);
		break;
	case 4:
		if (any(c, 4) == 0)
			memset(s->members, 0, sizeof(s->members));
		break;
	case 5:
	case 6:
		m->weight = 0;
		break;
	case 7:
	case 8:
		m->there = !m->there;
		break;
	case 9:
	case 10:
		m->dead = !m->dead;
		break;
	default:
		random_member(c, m);
	}
}

static int put_pool(struct race_changes *c, uint32_t pool, struct err *err)
{
	int rc;

	pool_begins(c, pool);
	rc = set_pool(c, pool, err);
	pool_ends(c, pool);
	return rc;
}

/* ---- services ---- */

static size_t deny_list(const struct race_service *s, uint32_t list, struct prefix deny[3])
{
	static const char *const lists[2][4][3] = {
		{{NULL},
		 {"198.51.100.0/24", "192.0.2.0/28", NULL},
		 {"198.51.100.64/28", "192.0.2.128/25", "100.64.0.0/10"},
		 {"198.51.0.0/16", NULL, NULL}},
		{{NULL},
		 {"2001:db8:66::/48", "2001:db8:77::/48", NULL},
		 {"2001:db8:66::/64", "2001:db8:78::/56", "2001:db8:79::1/128"},
		 {"2001:db8:66::66/128", NULL, NULL}},
	};
	const char *const *words = lists[strchr(s->prefix, ':') != NULL][list];
	size_t n = 0;

	while (list && n < 3 && words[n] && prefix_parse(words[n], &deny[n]) == 0)
		n++;
	return n;
}

static int set_service(struct race_changes *c, uint32_t service, struct err *err)
{
	const struct race_service *s = &race_services[service];
	const struct service *now = &c->services[service];
	struct publish_service_spec spec = {
		.protocol = s->protocol,
		.ports = s->ports,
		.hash = now->hash,
		.quic = s->flows == RACE_NAMED,
		/* A worker that is kept from its CPU looks at the clock of seconds ago: a quarter
		 * of an hour ahead is never met. */
		.syn_rate = now->limited    ? 10
			    : now->generous ? 1000000
					    : 0,
		.syn_burst = now->limited    ? 1
			     : now->generous ? 1000000000
					     : 0,
	};
	struct prefix deny[3];
	char vip[16], pool[16];

	snprintf(vip, sizeof(vip), "vip%u", s->vip);
	pool_name(now->pool, pool);
	spec.vip = vip;
	spec.pool = pool;
	spec.deny = deny;
	spec.n_deny = deny_list(s, now->list, deny);
	if (prefix_parse(s->prefix, &spec.address))
		return err_set(err, -EINVAL, "bad VIP");
	return publish_service_set(c->p, &spec, err);
}

static uint64_t *service_truth(struct race_changes *c, uint32_t service)
{
	const struct service *s = &c->services[service];

	return &c->truth->service[service]
				 [s->there ? RACE_STATE(s->pool, s->list != 0) : RACE_ABSENT];
}

static void random_service(struct race_changes *c, uint32_t service)
{
	struct service *s = &c->services[service];

	s->there = true;
	if (race_services[service].flows == RACE_NEW)
		s->pool = any(c, RACE_POOLS);
	else
		s->pool = race_pool_of(service);
	s->list = any(c, 2) ? any(c, 4) : s->list;
	s->hash = any(c, 2) ? (enum lb_hash_mode)any(c, 4) : LB_HASH_5TUPLE;
	s->limited = any(c, 16) == 0;
	s->generous = any(c, 4) == 0;
}

/* A packet meets the old and the new limit, and none between a large and no limit. */
static int put_service(struct race_changes *c, uint32_t service, struct err *err)
{
	struct race_truth *t = c->truth;
	const uint32_t vip = race_services[service].vip;
	uint64_t *was = service_truth(c, service);
	const bool was_there = c->services[service].there;
	int rc;

	random_service(c, service);
	race_begins(service_truth(c, service));
	if (c->services[service].limited)
		race_begins(&t->limited[service]);
	if (!was_there && !c->on_vip[vip])
		race_begins(&t->down[vip]);
	rc = set_service(c, service, err);
	if (rc)
		return rc;
	if (was != service_truth(c, service))
		race_ends(t, was);
	if (!c->services[service].limited)
		race_ends(t, &t->limited[service]);
	if (!was_there && c->on_vip[vip]++ == 0)
		race_ends(t, &t->absent[vip]);
	return 0;
}

static int remove_service(struct race_changes *c, uint32_t service, struct err *err)
{
	struct race_truth *t = c->truth;
	const struct race_service *s = &race_services[service];
	uint64_t *was = service_truth(c, service);
	struct prefix address;
	int rc;

	if (prefix_parse(s->prefix, &address))
		return err_set(err, -EINVAL, "bad VIP");
	c->services[service].there = false;
	race_begins(service_truth(c, service));
	if (--c->on_vip[s->vip] == 0)
		race_begins(&t->absent[s->vip]);
	rc = publish_service_remove(c->p, &address, s->protocol, s->ports, err);
	race_ends(t, was);
	race_ends(t, &t->limited[service]);
	if (c->on_vip[s->vip])
		return rc;
	c->up[s->vip] = false;
	race_ends(t, &t->up[s->vip]);
	race_ends(t, &t->down[s->vip]);
	return rc;
}

static int change_service(struct race_changes *c, struct err *err)
{
	const uint32_t service = any(c, RACE_SERVICES);
	const struct service *s = &c->services[service];

	if (s->there && any(c, 4) == 0)
		return remove_service(c, service, err);
	if (!c->pools[race_pool_of(service)].there && race_services[service].flows != RACE_NEW)
		return 0;
	return put_service(c, service, err);
}

static int set_up(struct race_changes *c, uint32_t vip, struct err *err)
{
	struct prefix address;

	for (uint32_t i = 0; i < RACE_SERVICES; i++)
		if (race_services[i].vip == vip && prefix_parse(race_services[i].prefix, &address))
			return err_set(err, -EINVAL, "bad VIP");
		else if (race_services[i].vip == vip)
			break;
	return publish_vip_up(c->p, &address, c->up[vip], err);
}

static int change_vip(struct race_changes *c, struct err *err)
{
	const uint32_t vip = any(c, RACE_VIPS);
	struct race_truth *t = c->truth;
	int rc;

	if (!c->on_vip[vip])
		return 0;
	c->up[vip] = !c->up[vip];
	race_begins(c->up[vip] ? &t->up[vip] : &t->down[vip]);
	rc = set_up(c, vip, err);
	race_ends(t, c->up[vip] ? &t->down[vip] : &t->up[vip]);
	return rc;
}

/* All services of a pool, then the pool itself, go; it comes back as another. */
static int renew_pool(struct race_changes *c, uint32_t pool, struct err *err)
{
	char name[16];
	int rc = 0;

	for (uint32_t i = 0; i < RACE_SERVICES && !rc; i++) {
		if (!c->services[i].there || c->services[i].pool != pool)
			continue;
		rc = remove_service(c, i, err);
		done(c);
	}
	pool_name(pool, name);
	if (!rc)
		rc = publish_pool_remove(c->p, name, err);
	if (rc)
		return rc;
	c->pools[pool].there = false;
	pool_ends(c, pool);
	done(c);
	random_pool(c, &c->pools[pool]);
	return put_pool(c, pool, err);
}

static int change_pool(struct race_changes *c, struct err *err)
{
	const uint32_t pool = any(c, RACE_POOLS);

	if (any(c, 256) == 0)
		return renew_pool(c, pool, err);
	mutate_pool(c, &c->pools[pool]);
	return put_pool(c, pool, err);
}

/* ---- grace, tracking, restarts ---- */

/* As the daemon has it: changes go on while a grace period is under way. */
static void tend_grace(struct race_changes *c)
{
	if (c->in_grace && race_grace_over(c->race)) {
		publish_grace_end(c->p);
		c->in_grace = false;
	}
	if (!c->in_grace && publish_grace_due(c->p)) {
		publish_grace_begin(c->p);
		race_grace_mark(c->race);
		c->in_grace = true;
	}
}

static void finish_grace(struct race_changes *c)
{
	const struct publish_engine engine = race_engine(c->race);

	while (c->in_grace || publish_grace_due(c->p)) {
		if (!c->in_grace)
			publish_grace_begin(c->p);
		engine.grace(engine.arg);
		publish_grace_end(c->p);
		c->in_grace = false;
	}
}

static void tend_tracking(struct race_changes *c)
{
	c->now_ns += any(c, 1000) * NS_PER_MS;
	if (any(c, 2))
		publish_track_step(c->p, c->now_ns, 16 + any(c, 512));
}

static void sum_stores(struct race_changes *c)
{
	struct publish_usage usage;

	publish_usage(c->p, &usage);
	c->sum.stores += usage.writes;
}

/* Everything as it is. */
static int set_all(struct race_changes *c, struct err *err)
{
	int rc = set_node(c, err);

	for (uint32_t i = 1; i <= RACE_IFACES && !rc; i++)
		rc = set_iface(c, i, err);
	for (uint32_t pool = 0; pool < RACE_POOLS; pool++)
		for (uint32_t kind = 0; kind < RACE_KINDS; kind++)
			for (uint32_t i = 0; i < RACE_REALS && !rc; i++)
				rc = set_hop(c, pool, kind, i, err);
	for (uint32_t pool = 0; pool < RACE_POOLS && !rc; pool++)
		rc = set_pool(c, pool, err);
	for (uint32_t i = 0; i < RACE_SERVICES && !rc; i++)
		rc = c->services[i].there ? set_service(c, i, err) : 0;
	for (uint32_t vip = 0; vip < RACE_VIPS && !rc; vip++)
		rc = c->on_vip[vip] ? set_up(c, vip, err) : 0;
	return rc;
}

static int new_publisher(struct race_changes *c, struct err *err)
{
	const struct publish_engine engine = race_engine(c->race);
	int rc = publish_new(&engine, &c->p, err);

	if (rc)
		return rc;
	publish_track_times(c->p, 20 * NS_PER_S, 120 * NS_PER_S);
	rc = set_all(c, err);
	return rc ? rc : publish_adopt_done(c->p, err);
}

/* The daemon ends and another one takes over, while packets go on. */
static int restart(struct race_changes *c, struct err *err)
{
	int rc;

	finish_grace(c);
	sum_stores(c);
	publish_free(c->p);
	c->p = NULL;
	rc = new_publisher(c, err);
	c->sum.restarts++;
	return rc ? err_prefix(err, rc, "restart") : 0;
}

static int change_flows(struct race_changes *c, struct err *err)
{
	return publish_flows_set(c->p, LB_BUCKET_WAYS * (128U << any(c, 3)), err);
}

/* ---- all of it ---- */

static int change_any(struct race_changes *c, struct err *err)
{
	const uint32_t which = any(c, 4096);

	if (which < 2)
		return restart(c, err);
	if (which < 10)
		return change_flows(c, err);
	if (which < 74)
		return change_node(c, err);
	if (which < 256)
		return change_iface(c, err);
	if (which < 512)
		return change_vip(c, err);
	if (which < 1024)
		return change_hop(c, err);
	return which < 2560 ? change_service(c, err) : change_pool(c, err);
}

int race_change(struct race_changes *c, struct err *err)
{
	int rc = change_any(c, err);

	if (rc)
		return rc;
	done(c);
	tend_grace(c);
	tend_tracking(c);
	return 0;
}

static void begin_truth(struct race_changes *c)
{
	struct race_truth *t = c->truth;

	memset(t, 0, sizeof(*t));
	t->clock = 1;
	race_begins(&t->source[c->source]);
	for (uint32_t i = 1; i <= RACE_IFACES; i++)
		race_begins(&t->face[i][0]);
	for (uint32_t vip = 0; vip < RACE_VIPS; vip++)
		race_begins(&t->absent[vip]);
	for (uint32_t i = 0; i < RACE_SERVICES; i++)
		race_begins(&t->service[i][RACE_ABSENT]);
	for (uint32_t pool = 0; pool < RACE_POOLS; pool++) {
		random_pool(c, &c->pools[pool]);
		pool_begins(c, pool);
		for (uint32_t kind = 0; kind < RACE_KINDS; kind++) {
			for (uint32_t i = 0; i < RACE_REALS; i++) {
				c->hops[pool][kind][i] = 1 + any(c, RACE_HOPS * RACE_IFACES);
				race_begins(hop_truth(c, pool, kind, i));
			}
		}
	}
}

int race_changes_new(struct race *r, struct race_changes **ret_changes, struct err *err)
{
	struct race_changes *c = calloc(1, sizeof(*c));
	int rc;

	if (!c)
		return err_set(err, -ENOMEM, "out of memory");
	c->race = r;
	c->truth = &r->truth;
	c->random.state = r->seed * 0x9e3779b97f4a7c15ULL | 1;
	c->source_len4 = 32;
	c->now_ns = 1000 * NS_PER_S;
	begin_truth(c);
	rc = new_publisher(c, err);
	if (rc) {
		race_changes_free(c);
		return rc;
	}
	*ret_changes = c;
	return 0;
}

void race_changes_free(struct race_changes *c)
{
	if (!c)
		return;
	publish_free(c->p);
	free(c);
}

void race_changes_sum(const struct race_changes *c, struct race_sum *sum)
{
	struct publish_usage usage;

	publish_usage(c->p, &usage);
	sum->published += c->sum.published;
	sum->stores += c->sum.stores + usage.writes;
	sum->restarts += c->sum.restarts;
}

void race_changes_count(const struct race_changes *c)
{
	uint64_t counted[8] = {0}, seen[8] = {0};
	char words[256];

	for (int reason = 0; reason < LB_REASON_COUNT; reason++) {
		struct publish_count n;

		publish_count_reason(c->p, (enum lb_reason)reason, &n);
		counted[publish_reason_verdict((enum lb_reason)reason) % 8] += n.packets;
	}
	for (uint32_t i = 0; i < RACE_WORKERS; i++)
		for (uint32_t v = 0; v < 8; v++)
			seen[v] += c->race->workers[i].verdicts[v];
	for (uint32_t v = 0; v < 8; v++) {
		if (counted[v] == seen[v])
			continue;
		snprintf(words, sizeof(words),
			 "%" PRIu64 " packets had verdict %s, the counters say %" PRIu64, seen[v],
			 publish_verdict_name((enum lb_verdict)v), counted[v]);
		race_fail(c->race, words);
	}
}
