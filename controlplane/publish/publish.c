/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define N_SPACES 9

static struct space *space_at(struct publish *p, size_t i)
{
	struct space *const all[N_SPACES] = {
		&p->entries, &p->denied, &p->service_ids, &p->service_counters, &p->deny_lists,
		&p->limits,  &p->lines,  &p->real_ids,    &p->ifaces,
	};

	return all[i];
}

static int init_spaces(struct publish *p)
{
	const struct lb_dims *d = &p->t->dims;

	/* Service 0 and real 0 mean none. */
	if (space_init(&p->entries, d->vip_entries, 0) ||
	    space_init(&p->denied, d->deny_entries, 0) ||
	    space_init(&p->service_ids, d->services, 1) ||
	    space_init(&p->service_counters, d->services, 0) ||
	    space_init(&p->deny_lists, d->services, 0) ||
	    space_init(&p->limits, d->limits, LB_LIMIT_FIRST) ||
	    space_init(&p->lines, d->slot_lines, 0) || space_init(&p->real_ids, d->reals, 1) ||
	    space_init(&p->ifaces, LB_IFACES_MAX, 1))
		return -ENOMEM;
	for (uint32_t i = 1; i < LB_IFACES_MAX; i++)
		if (p->t->node->ifaces[i].ifindex)
			space_claim(&p->ifaces, i, 1);
	p->records = calloc(d->services, sizeof(*p->records));
	p->retired = calloc(d->services, sizeof(*p->retired));
	return p->records && p->retired ? publish_ids_resize(p) : -ENOMEM;
}

int publish_new(const struct publish_engine *engine, struct publish **ret_publish, struct err *err)
{
	struct publish *p = calloc(1, sizeof(*p));
	struct lb_node *node;
	int rc;

	if (!p)
		return err_set(err, -ENOMEM, "out of memory");
	p->engine = *engine;
	p->t = engine->tables(engine->arg);
	publish_track_times(p, PUBLISH_SETTLE_NS_DEFAULT, PUBLISH_IDLE_NS_DEFAULT);
	node = p->t->node;
	if (node->layout_version && node->layout_version != LB_LAYOUT_VERSION) {
		rc = err_set(err, -EPROTO, "the tables have layout %u, this program knows %u",
			     node->layout_version, LB_LAYOUT_VERSION);
		goto fail;
	}
	/* In tables that are in force it says so already. */
	if (node->layout_version != LB_LAYOUT_VERSION) {
		node->vip_mask = p->t->dims.vip_entries - 1;
		node->deny_mask = p->t->dims.deny_entries - 1;
		node->flow_buckets = p->t->dims.flow_buckets;
		node->fragment_buckets = p->t->dims.fragment_buckets;
		node->layout_version = LB_LAYOUT_VERSION;
	}
	rc = init_spaces(p) ? err_set(err, -ENOMEM, "out of memory") : publish_adopt(p, err);
	if (rc)
		goto fail;
	*ret_publish = p;
	return 0;
fail:
	publish_free(p);
	return rc;
}

void publish_free(struct publish *p)
{
	if (!p)
		return;
	for (uint32_t i = 0; i < p->n_pools; i++) {
		publish_slots_fini(&p->pools[i].slots);
		free(p->pools[i].reals);
	}
	for (uint32_t i = 0; i < p->n_services; i++)
		free(p->services[i].deny);
	free(p->pools);
	free(p->services);
	free(p->vips);
	free(p->records);
	free(p->retired);
	free(p->leaving);
	free(p->hops);
	free(p->rings);
	free(p->ids);
	for (size_t i = 0; i < N_SPACES; i++)
		space_fini(space_at(p, i));
	free(p);
}

/* splitmix64 (Steele, Lea, Flood, OOPSLA 2014): spreads the seed into multipliers. */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static uint64_t load_le64(const uint8_t *b)
{
	uint64_t x = 0;

	for (int i = 7; i >= 0; i--)
		x = x << 8 | b[i];
	return x;
}

/* The four words are not stored as one: a new seed moves nearly every flow whatever it does, and
 * any mixture of old and new words is a valid key. */
static void set_hash_key(struct publish *p, const uint8_t seed[16])
{
	uint64_t a = load_le64(seed), b = load_le64(seed + 8);
	uint64_t key[4] = {mix(a), mix(b ^ 1), mix(a ^ mix(b)) | 1, mix(b ^ mix(a ^ 2)) | 1};

	for (int i = 0; i < 4; i++)
		if (p->t->node->hash_key[i] != key[i])
			publish_store64(p, &p->t->node->hash_key[i], key[i]);
}

/* A tenth of a second's worth at once. */
static void set_limits(struct publish *p, const struct publish_node *node)
{
	publish_limit_write(p, LB_LIMIT_ECHO, node->echo_rate, node->echo_rate / 10 + 1);
	publish_limit_write(p, LB_LIMIT_TOO_BIG, node->too_big_rate, node->too_big_rate / 10 + 1);
}

int publish_node_set(struct publish *p, const struct publish_node *node, struct err *err)
{
	struct publish_node old = p->node;
	bool was_set = p->node_set, anew, changed;
	int rc;

	anew = was_set && memcmp(old.hash_seed, node->hash_seed, 16) != 0;
	changed = was_set && (anew || !prefix_equal(&old.source4, &node->source4) ||
			      !prefix_equal(&old.source6, &node->source6));
	p->node = *node;
	p->node_set = true;
	set_hash_key(p, node->hash_seed);
	set_limits(p, node);
	rc = changed ? publish_pools_refresh(p, anew, err) : 0;
	if (rc) {
		struct err ignored;

		p->node = old;
		p->node_set = was_set;
		set_hash_key(p, old.hash_seed);
		set_limits(p, &old);
		/* What was in force before fitted, so it fits again. */
		if (publish_pools_refresh(p, anew, &ignored))
			return err_prefix(err, rc, "not undone: %.200s", ignored.text);
	}
	return rc;
}

static bool iface_used(const struct publish *p, uint32_t place)
{
	return p->ifaces.state[place] == SPACE_USED;
}

/* The place of what leaves by this device with these tags, or 0: numbers of VLAN devices come and
 * go, and an adopted table doesn't have them. */
static uint32_t iface_place(const struct publish *p, const struct lb_iface *want)
{
	for (uint32_t i = 1; i < LB_IFACES_MAX; i++) {
		const struct lb_iface *have = &p->t->node->ifaces[i];

		if (iface_used(p, i) && have->ifindex == want->ifindex &&
		    have->n_tags == want->n_tags &&
		    memcmp(have->tags, want->tags, sizeof(want->tags)) == 0)
			return i;
	}
	return 0;
}

/* What a next hop that names this interface leaves by; 0: none was set. */
static uint32_t iface_named(const struct publish *p, uint32_t ifindex)
{
	for (uint32_t i = 1; i < LB_IFACES_MAX; i++)
		if (ifindex && p->iface_names[i] == ifindex)
			return i;
	return 0;
}

static int take_iface(struct publish *p, uint32_t *ret_place, struct err *err)
{
	if (!space_take(&p->ifaces, 1, ret_place))
		return 0;
	publish_grace_begin(p);
	p->engine.grace(p->engine.arg);
	publish_grace_end(p);
	if (!space_take(&p->ifaces, 1, ret_place))
		return 0;
	return err_set(err, -ENOSPC, "more than %u interfaces", LB_IFACES_MAX - 1);
}

/* A next hop with another place of its interface, where it has the one. */
static uint64_t moved_hop(uint64_t word, uint32_t from, uint32_t to)
{
	uint16_t index;

	memcpy(&index, (uint8_t *)&word + 6, sizeof(index));
	if ((index & ~LB_NEXTHOP_DEAD) != from)
		return word;
	index = (uint16_t)((index & LB_NEXTHOP_DEAD) | to);
	memcpy((uint8_t *)&word + 6, &index, sizeof(index));
	return word;
}

/* Have every next hop at one place of an interface lead to another, and give the first up. */
static void move_iface(struct publish *p, uint32_t from, uint32_t to)
{
	for (size_t i = 0; i < p->n_hops; i++)
		p->hops[i].word = moved_hop(p->hops[i].word, from, to);
	for (uint32_t id = 1; id < p->t->dims.reals; id++) {
		struct lb_real *r = &p->t->reals[id];
		const uint64_t word = moved_hop(r->nexthop, from, to);

		if (p->real_ids.state[id] == SPACE_USED && word != r->nexthop)
			publish_store64(p, &r->nexthop, word);
	}
	p->iface_names[from] = 0;
	space_give(&p->ifaces, from, 1);
}

/* Nobody reads them any more, and adoption isn't to take them for interfaces. */
static void clear_ifaces(struct publish *p)
{
	for (uint32_t i = 1; i < LB_IFACES_MAX; i++)
		if (p->ifaces.state[i] == SPACE_MARKED)
			memset(&p->t->node->ifaces[i], 0, sizeof(p->t->node->ifaces[i]));
}

int publish_egress_set(struct publish *p, const struct publish_egress *egress, struct err *err)
{
	struct lb_iface want = {
		.ifindex = egress->device,
		.flags = (egress->sole ? LB_IFACE_SOLE : 0) | (egress->n_tags ? LB_IFACE_TAGS : 0),
		.mtu = !egress->mtu || egress->mtu > 0xffff ? 0xffff : (uint16_t)egress->mtu,
		.n_tags = egress->n_tags,
	};
	uint32_t place, before, named = iface_named(p, egress->ifindex);

	if (egress->n_tags > LB_TAGS_MAX)
		return err_set(err, -EINVAL, "more than %u VLAN tags", LB_TAGS_MAX);
	for (uint32_t i = 0; i < egress->n_tags; i++)
		want.tags[i] = htonl(egress->tags[i]);
	want.common_mtu = egress->n_tags ? 0 : want.mtu;
	memcpy(want.mac, egress->mac, 6);
	place = before = iface_place(p, &want);
	/* One that changed gets another place, so that no frame leaves with half of either. */
	if (!place || memcmp(&p->t->node->ifaces[place], &want, sizeof(want)) != 0) {
		int rc = take_iface(p, &place, err);

		if (rc)
			return rc;
		p->t->node->ifaces[place] = want;
		p->writes++;
	}
	if (before && before != place)
		move_iface(p, before, place);
	/* The number is another device now: next hops stay with the old one's tags until they are
	 * set anew. */
	if (named && named != before)
		p->iface_names[named] = 0;
	p->iface_names[place] = egress->ifindex;
	return 0;
}

int publish_iface_set(struct publish *p, uint32_t ifindex, const uint8_t mac[6], uint32_t mtu,
		      bool sole, struct err *err)
{
	struct publish_egress egress = {
		.ifindex = ifindex, .device = ifindex, .mtu = mtu, .sole = sole};

	memcpy(egress.mac, mac, 6);
	return publish_egress_set(p, &egress, err);
}

static int hop_remember(struct publish *p, const struct addr *addr, uint64_t word)
{
	struct publish_hop *grown;
	size_t at = 0, high = p->n_hops;

	while (at < high) {
		size_t mid = (at + high) / 2;

		if (addr_cmp(&p->hops[mid].addr, addr) < 0)
			at = mid + 1;
		else
			high = mid;
	}
	if (at < p->n_hops && addr_equal(&p->hops[at].addr, addr)) {
		p->hops[at].word = word;
		return 0;
	}
	grown = realloc(p->hops, (p->n_hops + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	p->hops = grown;
	memmove(&p->hops[at + 1], &p->hops[at], (p->n_hops - at) * sizeof(*grown));
	p->hops[at] = (struct publish_hop){.addr = *addr, .word = word};
	p->n_hops++;
	return 0;
}

int publish_nexthop_set(struct publish *p, const struct addr *real, uint32_t ifindex,
			const uint8_t *mac, struct err *err)
{
	uint32_t place = mac ? iface_named(p, ifindex) : 0;
	uint64_t word = 0;

	if (mac && !place)
		return err_set(err, -ENODEV, "interface number %u is not known", ifindex);
	if (mac) {
		uint16_t index = (uint16_t)place;

		memcpy(&word, mac, 6);
		memcpy((uint8_t *)&word + 6, &index, 2);
	}
	if (hop_remember(p, real, word))
		return err_set(err, -ENOMEM, "out of memory");
	for (uint32_t id = 1; id < p->t->dims.reals; id++) {
		struct lb_real *r = &p->t->reals[id];
		uint64_t now = publish_id_word(p, id, word);

		if (p->real_ids.state[id] == SPACE_USED && r->family == real->family &&
		    memcmp(r->addr, real->bytes, sizeof(r->addr)) == 0 && r->nexthop != now)
			publish_store64(p, &r->nexthop, now);
	}
	return 0;
}

bool publish_grace_due(const struct publish *p)
{
	for (size_t i = 0; i < N_SPACES; i++)
		if (space_at((struct publish *)(uintptr_t)p, i)->pending)
			return true;
	return publish_lists_due(p) || publish_deny_due(p) || publish_pools_due(p) ||
	       publish_ids_due(p);
}

void publish_grace_begin(struct publish *p)
{
	for (size_t i = 0; i < N_SPACES; i++)
		space_grace_begin(space_at(p, i));
	publish_lists_begin(p);
	publish_deny_grace_begin(p);
	publish_pools_step(p, SPACE_PENDING, SPACE_MARKED);
	publish_ids_grace_begin(p);
}

void publish_grace_end(struct publish *p)
{
	publish_counters_end(p);
	clear_ifaces(p);
	publish_deny_grace_end(p);
	for (size_t i = 0; i < N_SPACES; i++)
		space_grace_end(space_at(p, i));
	publish_lists_end(p);
	publish_pools_step(p, SPACE_MARKED, SPACE_FREE);
	publish_ids_grace_end(p);
	publish_index_sweep(p);
}

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

struct lb_dims publish_dims(uint32_t services, uint32_t reals, uint32_t pools, uint32_t table_size,
			    uint32_t flows)
{
	uint32_t lines = (table_size + LB_SLOTS_PER_LINE - 1) / LB_SLOTS_PER_LINE;
	struct lb_dims d = {
		.services = power_of_two(4 * services > 256 ? 4 * services : 256),
		.reals = power_of_two(2 * reals > 256 ? 2 * reals : 256),
		/* Twice: a change builds its ring beside the old one. */
		.slot_lines = lines * 2 * (pools > 8 ? pools : 8),
	};

	d.flow_buckets = (flows + LB_BUCKET_WAYS - 1) / LB_BUCKET_WAYS;
	d.fragment_buckets = 4096;
	d.deny_entries = 256;
	d.limits = power_of_two(LB_LIMIT_FIRST + services > 64 ? LB_LIMIT_FIRST + services : 64);
	if (d.reals > LB_REALS_MAX)
		d.reals = LB_REALS_MAX;
	/* A service is an entry, mostly, and a VIP's address is two; a quarter full is full. */
	d.vip_entries = power_of_two(12 * (services > 64 ? services : 64));
	return d;
}
