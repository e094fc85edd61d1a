/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/native/test/world.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/core/encap.h"
#include "dataplane/core/key.h"

#define TCP 6
#define UDP 17

/* Pools by what their reals are; the ring of a pool is the line of its number. */
enum pool {
	POOL_IPIP4,
	POOL_IPIP6,
	POOL_L2DSR,
	POOL_GUE,
	POOL_ALL,
	POOL_UNRESOLVED,
	POOL_QINQ,
	POOL_NOBODY,
	POOLS,
};

static const uint8_t pool_reals[POOLS][WORLD_RING] = {
	[POOL_IPIP4] = {WORLD_IPIP4},
	[POOL_IPIP6] = {WORLD_IPIP6},
	[POOL_L2DSR] = {WORLD_L2DSR},
	[POOL_GUE] = {WORLD_GUE4, WORLD_GUE6},
	[POOL_ALL] = {WORLD_IPIP4, WORLD_IPIP4_TAGS, WORLD_IPIP6, WORLD_L2DSR, WORLD_GUE4,
		      WORLD_GUE6, WORLD_IPIP4_QINQ, WORLD_IPIP6_TAGS},
	[POOL_UNRESOLVED] = {WORLD_UNRESOLVED},
	[POOL_QINQ] = {WORLD_IPIP4_QINQ},
};

/* A service of the VIP that ends in `host`, in both families. bits: low bits of the port that don't
 * count. host 0 is the prefix. */
struct service {
	uint8_t host, protocol;
	uint16_t port;
	uint8_t bits;
	enum pool pool;
	uint32_t flags, hash;
};

#define ALL_FLAGS (LB_SERVICE_HASH | LB_SERVICE_QUIC | LB_SERVICE_DENY | LB_SERVICE_LIMIT_SYN)

static const struct service services[] = {
	{1, TCP, 80, 0, POOL_IPIP4, 0, 0},
	{1, TCP, 81, 0, POOL_IPIP6, 0, 0},
	{1, TCP, 82, 0, POOL_L2DSR, 0, 0},
	{1, TCP, 83, 0, POOL_GUE, 0, 0},
	{1, TCP, 84, 0, POOL_ALL, 0, 0},
	{1, TCP, 85, 0, POOL_UNRESOLVED, 0, 0},
	{1, TCP, 86, 0, POOL_QINQ, 0, 0},
	{1, TCP, 90, 0, POOL_NOBODY, 0, 0},
	{1, UDP, 80, 0, POOL_IPIP4, 0, 0},
	{1, UDP, 81, 0, POOL_IPIP6, 0, 0},
	{1, UDP, 82, 0, POOL_L2DSR, 0, 0},
	{1, UDP, 83, 0, POOL_GUE, 0, 0},
	{1, UDP, 84, 0, POOL_ALL, 0, 0},
	{2, TCP, 0, 16, POOL_IPIP4, 0, 0},
	{2, TCP, 8081, 0, POOL_IPIP6, 0, 0},
	{2, UDP, 0, 16, POOL_L2DSR, 0, 0},
	{3, TCP, 1024, 10, POOL_ALL, 0, 0},
	{4, TCP, 80, 0, POOL_ALL, LB_SERVICE_HASH, LB_HASH_SOURCE},
	{4, TCP, 81, 0, POOL_ALL, LB_SERVICE_HASH, LB_HASH_SOURCE_DESTINATION},
	{4, TCP, 82, 0, POOL_ALL, LB_SERVICE_HASH, LB_HASH_DESTINATION_PORT},
	{5, UDP, 443, 0, POOL_ALL, LB_SERVICE_QUIC, 0},
	{6, TCP, 80, 0, POOL_IPIP4, LB_SERVICE_DENY, 0},
	{6, UDP, 80, 0, POOL_GUE, LB_SERVICE_DENY, 0},
	{7, TCP, 80, 0, POOL_IPIP6, LB_SERVICE_LIMIT_SYN, 0},
	{8, TCP, 443, 0, POOL_ALL, ALL_FLAGS, LB_HASH_SOURCE},
	{8, UDP, 443, 0, POOL_ALL, ALL_FLAGS, LB_HASH_SOURCE_DESTINATION},
	{9, TCP, 80, 0, POOL_IPIP4, 0, 0},
	{0, TCP, 0, 16, POOL_ALL, 0, 0},
	{0, UDP, 0, 10, POOL_GUE, 0, 0},
};

#define SERVICES (sizeof(services) / sizeof(services[0]))
#define HOSTS    9U

/* Lengths of server ids by config rotation; 16 is more than the core takes. */
static const uint8_t quic_length[8] = {4, 8, 15, 0, 1, 16, 0, 0};

const struct world_state world_plain = {.mtu = 1500};

struct lb_dims world_dims(void)
{
	return (struct lb_dims){
		.vip_entries = 2048,
		.services = 128,
		.slot_lines = POOLS,
		.reals = 16,
		.flow_buckets = 2,
		.fragment_buckets = 2,
		.deny_entries = 64,
		.limits = 8,
		.counter_rows = 2,
	};
}

static void die(const char *what)
{
	fprintf(stderr, "world.c: %s\n", what);
	abort();
}

/* ---- keys ---- */

static void vip_address(__be32 addr[4], int family, uint8_t host)
{
	memset(addr, 0, 16);
	if (family == 4) {
		addr[0] = htonl(host ? 0xcb007100U + host : 0xcb007200U);
	} else {
		addr[0] = htonl(0x20010db8);
		addr[1] = htonl(host ? 0x800000U : 0x810000U);
		addr[3] = htonl(host);
	}
}

static uint32_t place_of(const struct lb_key *key)
{
	switch (key->word >> 24) {
	case LB_KEY_EXACT4:
		return lb_hash_vip4(key->addr[0], key->word);
	case LB_KEY_EXACT6:
		return lb_hash_vip6(key->addr, key->word);
	}
	return lb_hash_key(key);
}

/* The first place of every probe sequence is taken by what was deleted, where there is room, so
 * that no lookup ends before it has gone on. */
static void add_key(struct lb_vip_entry *table, uint32_t entries, const struct lb_key *key,
		    uint32_t service)
{
	const uint32_t at = place_of(key);
	struct lb_vip_entry *first = &table[at & (entries - 1)];

	if (first->service == LB_SERVICE_NONE) {
		memcpy(first->addr, key->addr, sizeof(first->addr));
		first->word = key->word;
		first->scope = key->scope;
		first->service = LB_SERVICE_DELETED;
	}
	for (uint32_t i = 0; i < LB_VIP_PROBE_MAX; i++) {
		struct lb_vip_entry *e = &table[(at + i) & (entries - 1)];

		if (e->service != LB_SERVICE_NONE)
			continue;
		memcpy(e->addr, key->addr, sizeof(e->addr));
		e->word = key->word;
		e->scope = key->scope;
		e->service = service;
		return;
	}
	die("no place for a key: make the table larger");
}

static uint32_t prefix_of(int family)
{
	return family == 4 ? 24 : 48;
}

/* The shape of a service, 0 where its key is exact. */
static uint32_t shape_of(const struct service *s, int family)
{
	const uint32_t whole = family == 4 ? 32 : 128;

	if (s->host && !s->bits)
		return 0;
	return LB_SHAPE(s->host ? whole : prefix_of(family), s->bits);
}

static void write_service(struct lb_tables *t, int family, const struct service *s, uint32_t index)
{
	const uint32_t shape = shape_of(s, family);
	struct lb_key key = {.scope = shape};
	uint8_t kind = family == 4 ? LB_KEY_EXACT4 : LB_KEY_EXACT6;

	t->services[index] = (struct lb_service){
		.flags = s->flags,
		.ring_start = s->pool * LB_SLOTS_PER_LINE,
		.ring_slots = s->pool == POOL_NOBODY ? 0 : WORLD_RING,
		.counter = LB_COUNTER_SERVICE(&t->dims, index),
		.pool = s->pool,
		.vip = s->host,
		.hash = s->hash,
		.limit = LB_LIMIT_FIRST,
		.deny_list = 1,
	};
	memcpy(t->services[index].quic_length, quic_length, sizeof(quic_length));
	if (shape)
		kind = family == 4 ? LB_KEY_SHAPED4 : LB_KEY_SHAPED6;
	vip_address(key.addr, family, s->host);
	key.word = lb_vip_word(htons(s->port), s->protocol, kind);
	add_key(t->vips, t->dims.vip_entries, &key, index);
}

static void write_address(struct lb_tables *t, int family, uint8_t host, uint32_t index)
{
	struct lb_key key = {.scope = host ? 0 : LB_SHAPE(prefix_of(family), LB_SHAPE_ADDRESS)};
	uint8_t kind = family == 4 ? LB_KEY_EXACT4 : LB_KEY_EXACT6;

	t->services[index] = (struct lb_service){
		.flags = LB_SERVICE_ADDRESS | (host == 9 ? 0 : LB_SERVICE_ECHO),
		.counter = LB_COUNTER_SERVICE(&t->dims, index),
		.vip = host,
	};
	if (!host)
		kind = family == 4 ? LB_KEY_SHAPED4 : LB_KEY_SHAPED6;
	vip_address(key.addr, family, host);
	key.word = lb_vip_word(0, 0, kind);
	add_key(t->vips, t->dims.vip_entries, &key, index);
}

static void write_shapes(uint32_t *shapes, int family)
{
	const uint32_t whole = family == 4 ? 32 : 128, prefix = prefix_of(family);

	*shapes++ = LB_SHAPE(whole, 10);
	*shapes++ = LB_SHAPE(whole, 16);
	*shapes++ = LB_SHAPE(prefix, 10);
	*shapes++ = LB_SHAPE(prefix, 16);
	*shapes++ = LB_SHAPE(prefix, LB_SHAPE_ADDRESS);
	*shapes = 0;
}

/* Server ids: the real's number, in the id's first byte, then 0xa5. */
static void write_quic(struct lb_tables *t)
{
	for (uint32_t real = 1; real <= WORLD_REAL_MAX; real++) {
		for (uint32_t rotation = 0; rotation < 8; rotation++) {
			const uint8_t length = quic_length[rotation];
			struct lb_key key = {.scope = POOL_ALL};
			uint8_t *id = (uint8_t *)key.addr;

			if (!length || length > 15)
				continue;
			memset(id, 0xa5, length);
			id[0] = (uint8_t)real;
			id[15] = length;
			key.word = lb_vip_word((__be16)rotation, 0, LB_KEY_QUIC);
			add_key(t->vips, t->dims.vip_entries, &key, real);
		}
	}
}

static void write_denied(struct lb_tables *t)
{
	static const struct {
		const char *text;
		int family;
		uint32_t length;
	} prefixes[] = {
		{"198.51.100.128", 4, 25},
		{"100.64.0.1", 4, 32},
		{"2001:db8:bad::", 6, 48},
		{"2001:db8:c::66", 6, 128},
	};
	uint32_t n4 = 0, n6 = 0;

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const int family = prefixes[i].family;
		struct lb_key key = {.scope = 1};

		if (inet_pton(family == 4 ? AF_INET : AF_INET6, prefixes[i].text, key.addr) != 1)
			die(prefixes[i].text);
		key.word = lb_vip_word((__be16)prefixes[i].length, 0,
				       family == 4 ? LB_KEY_DENIED4 : LB_KEY_DENIED6);
		add_key(t->denied, t->dims.deny_entries, &key, 1);
		if (family == 4)
			t->node->denied4[n4++] = prefixes[i].length + 1;
		else
			t->node->denied6[n6++] = prefixes[i].length + 1;
	}
}

/* ---- reals ---- */

/* A next hop: 02:00:00:00:01:NN behind an interface. */
static uint64_t next_hop(uint8_t host, uint16_t iface)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 1, host};
	uint64_t word = 0;

	memcpy(&word, mac, 6);
	memcpy((uint8_t *)&word + 6, &iface, 2);
	return word;
}

static void write_real(struct lb_real *r, uint8_t host, int family, enum lb_encap encap,
		       uint16_t iface)
{
	const uint8_t header = family == 4 ? LB_GROW_IP4 : LB_GROW_IP6;

	*r = (struct lb_real){
		.nexthop = iface ? next_hop(host, iface) : 0,
		.encap = (uint8_t)encap,
		.family = (uint8_t)family,
		.grow_bytes = encap == LB_ENCAP_L2DSR ? 0 : header,
		.gue_port = htons(6080),
		.pool_key = host,
	};
	if (encap == LB_ENCAP_GUE)
		r->grow_bytes += 8;
	if (family == 4) {
		r->addr[0] = htonl(0x0a000000U + host);
		r->source[0] = htonl(0xc0000200U);
		r->source_mask = htonl(host % 2 ? 0xff : 0);
		r->checksum_base = lb_checksum_base(r->addr[0]);
	} else {
		r->addr[0] = r->source[0] = htonl(0x20010db8);
		r->addr[1] = htonl(0x10000);
		r->addr[3] = htonl(host);
		r->source[3] = htonl(host % 2 ? 0 : 10);
		r->source_mask = host % 2 ? ~0U : 0;
	}
}

static void write_reals(struct lb_real *reals)
{
	write_real(&reals[WORLD_IPIP4], 11, 4, LB_ENCAP_IPIP, 1);
	write_real(&reals[WORLD_IPIP4_TAGS], 12, 4, LB_ENCAP_IPIP, 2);
	write_real(&reals[WORLD_IPIP6], 13, 6, LB_ENCAP_IPIP, 1);
	write_real(&reals[WORLD_L2DSR], 14, 4, LB_ENCAP_L2DSR, 1);
	write_real(&reals[WORLD_GUE4], 15, 4, LB_ENCAP_GUE, 1);
	write_real(&reals[WORLD_GUE6], 16, 6, LB_ENCAP_GUE, 1);
	write_real(&reals[WORLD_UNRESOLVED], 17, 4, LB_ENCAP_IPIP, 0);
	write_real(&reals[WORLD_DEAD], 18, 4, LB_ENCAP_IPIP, 1);
	write_real(&reals[WORLD_IPIP4_QINQ], 19, 4, LB_ENCAP_IPIP, 3);
	write_real(&reals[WORLD_IPIP6_TAGS], 20, 6, LB_ENCAP_IPIP, 2);
}

void world_kill(struct lb_tables *t, uint32_t real)
{
	uint64_t word = t->reals[real].nexthop;
	uint16_t iface;

	memcpy(&iface, (uint8_t *)&word + 6, 2);
	iface |= LB_NEXTHOP_DEAD;
	memcpy((uint8_t *)&word + 6, &iface, 2);
	t->reals[real].nexthop = word;
}

/* ---- all ---- */

static void set_iface(struct lb_iface *iface, uint8_t host, uint16_t mtu, uint8_t n_tags)
{
	const uint8_t mac[6] = {2, 0, 0, 0, 0, host};
	const bool tags = n_tags > 0;

	*iface = (struct lb_iface){
		.ifindex = host,
		.flags = LB_IFACE_SOLE | (tags ? LB_IFACE_TAGS : 0),
		.mtu = mtu,
		.common_mtu = tags ? 0 : mtu,
		.n_tags = n_tags > LB_TAGS_MAX ? 0 : n_tags,
		.tags = {htonl(0x81000064), htonl(0x81002065)},
	};
	if (n_tags == 2)
		iface->tags[0] = htonl(0x88a80063);
	memcpy(iface->mac, mac, sizeof(mac));
}

void world_write(struct lb_tables *t)
{
	static const uint64_t key[4] = {0x0123456789abcdefULL, 0xfedcba9876543210ULL,
					0x9e3779b97f4a7c15ULL, 0xbf58476d1ce4e5b9ULL};
	struct lb_node *node = t->node;
	uint32_t next = 1;

	memcpy(node->hash_key, key, sizeof(key));
	node->vip_mask = t->dims.vip_entries - 1;
	node->deny_mask = t->dims.deny_entries - 1;
	node->layout_version = LB_LAYOUT_VERSION;
	node->flow_buckets = t->dims.flow_buckets;
	node->fragment_buckets = t->dims.fragment_buckets;
	for (int family = 4; family <= 6; family += 2) {
		for (uint8_t host = 0; host <= HOSTS; host++)
			write_address(t, family, host, next++);
		for (size_t i = 0; i < SERVICES; i++)
			write_service(t, family, &services[i], next++);
		write_shapes(family == 4 ? node->shapes4 : node->shapes6, family);
	}
	if (next > t->dims.services)
		die("more services than the table has room for");
	write_quic(t);
	write_denied(t);
	world_set(t, &world_plain);
}

/* The current real of a slot, and what is to be previous. */
static void set_slot(struct lb_tables *t, enum pool pool, uint32_t slot, uint8_t kind)
{
	static const uint16_t others[4] = {WORLD_GUE6, WORLD_IPIP4, WORLD_L2DSR, WORLD_IPIP6};
	uint32_t n = 0;
	uint16_t current, previous = 0;

	while (n < WORLD_RING && pool_reals[pool][n])
		n++;
	current = n ? pool_reals[pool][slot % n] : 0;
	if (kind == WORLD_SLOTS_ALL)
		kind = slot % WORLD_SLOTS_ALL;
	if (kind == WORLD_SLOTS_SETTLED)
		previous = current;
	else if (kind == WORLD_SLOTS_MOVED)
		previous = others[slot % 4];
	else if (kind == WORLD_SLOTS_DIED)
		previous = WORLD_DEAD;
	t->slots[pool].slot[slot] = current | (kind ? LB_SLOT_TRACKED : 0);
	t->previous[pool].slot[slot] = previous;
}

static void fill_buckets(struct lb_bucket *buckets, uint32_t n, const struct world_state *state)
{
	memset(buckets, 0, n * sizeof(*buckets));
	for (uint32_t b = 0; b < n && state->flows; b++) {
		buckets[b].hand = state->hand;
		for (uint32_t i = 0; i < LB_BUCKET_WAYS; i++) {
			bool confirmed = state->flows == WORLD_FLOWS_CONFIRMED ||
					 (state->flows == WORLD_FLOWS_MIXED && i % 2);

			buckets[b].entry[i] = ((uint64_t)(i + 1) << 24) | WORLD_GUE4 |
					      (confirmed ? LB_FLOW_CONFIRMED : 0);
		}
	}
}

static void set_limits(struct lb_tables *t, uint8_t which)
{
	const struct lb_limit once = {.interval_ns = 1000000000};

	memset(t->limits, 0, t->dims.limits * sizeof(*t->limits));
	if (which & WORLD_LIMIT_ECHO)
		t->limits[LB_LIMIT_ECHO] = once;
	if (which & WORLD_LIMIT_TOO_BIG)
		t->limits[LB_LIMIT_TOO_BIG] = once;
	if (which & WORLD_LIMIT_SYN)
		t->limits[LB_LIMIT_FIRST] = once;
}

void world_set(struct lb_tables *t, const struct world_state *state)
{
	set_iface(&t->node->ifaces[1], 2, state->mtu, state->tags);
	set_iface(&t->node->ifaces[2], 3, 1500, 1);
	set_iface(&t->node->ifaces[3], 4, 1500, 2);
	t->node->flow_stamp = 0;
	t->node->fragment_stamp = 0;
	write_reals(t->reals);
	world_kill(t, WORLD_DEAD);
	for (uint32_t real = 1; real <= WORLD_REAL_MAX; real++)
		if (state->dead >> real & 1)
			world_kill(t, real);
	for (uint32_t pool = 0; pool < POOLS; pool++)
		for (uint32_t slot = 0; slot < WORLD_RING; slot++)
			set_slot(t, pool, slot, state->slots);
	fill_buckets(t->flows, t->dims.flow_buckets, state);
	fill_buckets(t->fragments, t->dims.fragment_buckets, state);
	set_limits(t, state->limits);
	memset(t->counters, 0,
	       (size_t)t->dims.counter_rows * t->dims.counter_stride * sizeof(*t->counters));
}
