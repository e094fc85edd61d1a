/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/publish/xdp_backend.h"

#define IFINDEX      7
#define REALS        100
#define RING_SLOTS   65537
#define SERVICES_MAX 1024
#define PORT         443

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t gateway_mac[6] = {2, 0, 0, 0, 0, 1};

struct bench_tables {
	struct xdp_engine *engine;
	struct publish_engine writer;
	struct publish *publish;
};

/* Of this one the slots change once it is in use. */
#define MOVED "moved"

/* The pools: REALS addresses from `first` on. */
static const struct pool {
	const char *name;
	const char *first;
	enum lb_encap encap;
} pools[] = {
	{"web4", "10.0.0.1", LB_ENCAP_IPIP},   {"web6", "2001:db8:1::1", LB_ENCAP_IPIP},
	{"l2dsr", "10.0.1.1", LB_ENCAP_L2DSR}, {MOVED, "10.0.2.1", LB_ENCAP_IPIP},
	{"gue4", "10.0.3.1", LB_ENCAP_GUE},    {"gue6", "2001:db8:2::1", LB_ENCAP_GUE},
};

/* The VIPs: n addresses from `first` on. */
static const struct vip {
	const char *first;
	uint32_t n;
	const char *pool;
} vips[] = {
	{BENCH_VIP4, BENCH_VIPS_BUSY, "web4"},
	{BENCH_VIP4_TO_6, 1, "web6"},
	{BENCH_VIP6, 1, "web6"},
	{BENCH_VIP6_TO_4, 1, "web4"},
	{BENCH_VIP4_L2DSR, 1, "l2dsr"},
	{BENCH_VIP4_MOVED, 1, MOVED},
	{BENCH_VIP4_GUE, 1, "gue4"},
	{BENCH_VIP6_GUE, 1, "gue6"},
};

/* The i-th address from first on; the last byte has room for it. */
static int address_at(const char *first, uint32_t i, struct addr *ret_addr)
{
	if (addr_parse(first, ret_addr) < 0)
		return -EINVAL;
	ret_addr->bytes[ret_addr->family == 4 ? 3 : 15] += (uint8_t)i;
	return 0;
}

static int set_node(struct publish *publish, struct err *err)
{
	struct publish_node node = {.hash_seed = "fairway-bench 1"};
	int ret;

	if (prefix_parse("192.0.2.10", &node.source4) < 0 ||
	    prefix_parse("2001:db8::10", &node.source6) < 0)
		return err_set(err, -EINVAL, "the bench's tunnel sources are no addresses");
	ret = publish_node_set(publish, &node, err);
	if (ret < 0)
		return ret;
	return publish_iface_set(publish, IFINDEX, own_mac, 1500, true, err);
}

/* Members of weight 100; light: but every other one of weight 1, the even ones or the odd ones. */
enum { LIGHT_NONE = -1, LIGHT_EVEN, LIGHT_ODD };

static int set_pool(struct publish *publish, const struct pool *pool, int light, struct err *err)
{
	struct publish_pool_spec spec = {
		.encap = pool->encap, .gue_port = 6080, .table_size = RING_SLOTS};
	struct publish_member members[REALS] = {0};

	for (uint32_t i = 0; i < REALS; i++) {
		int ret = address_at(pool->first, i, &members[i].addr);

		if (ret < 0)
			return err_set(err, ret, "%s is no address", pool->first);
		members[i].weight = (int)(i & 1) == light ? 1 : 100;
		ret = publish_nexthop_set(publish, &members[i].addr, IFINDEX, gateway_mac, err);
		if (ret < 0)
			return ret;
	}
	return publish_pool_set(publish, pool->name, &spec, members, REALS, 0, err);
}

static int set_vips(struct publish *publish, const struct vip *vip, struct err *err)
{
	static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

	for (uint32_t i = 0; i < vip->n; i++) {
		char name[32];
		struct addr addr;
		int ret = address_at(vip->first, i, &addr);

		if (ret < 0)
			return err_set(err, ret, "%s is no address", vip->first);
		snprintf(name, sizeof(name), "%s-%u", vip->pool, i);
		for (size_t p = 0; p < sizeof(protocols); p++) {
			struct publish_service_spec spec = {
				.address = prefix_of(&addr),
				.protocol = protocols[p],
				.ports = ports_one(PORT),
				.vip = name,
				.pool = vip->pool,
			};

			ret = publish_service_set(publish, &spec, err);
			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int light_at_first(const struct pool *pool)
{
	return strcmp(pool->name, MOVED) == 0 ? LIGHT_EVEN : LIGHT_NONE;
}

static int fill(struct publish *publish, struct err *err)
{
	int ret = set_node(publish, err);

	for (size_t i = 0; i < ARRAY_SIZE(pools) && ret == 0; i++)
		ret = set_pool(publish, &pools[i], light_at_first(&pools[i]), err);
	for (size_t i = 0; i < ARRAY_SIZE(vips) && ret == 0; i++)
		ret = set_vips(publish, &vips[i], err);
	for (size_t i = 0; i < ARRAY_SIZE(pools) && ret == 0; i++)
		if (light_at_first(&pools[i]) == LIGHT_EVEN)
			ret = set_pool(publish, &pools[i], LIGHT_ODD, err);
	return ret;
}

int bench_tables_new(const char *bpffs, struct bench_tables **ret_tables, struct err *err)
{
	struct lb_dims dims = publish_dims(SERVICES_MAX, ARRAY_SIZE(pools) * REALS,
					   ARRAY_SIZE(pools), RING_SLOTS, 4096);
	struct bench_tables *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	ret = xdp_engine_open(bpffs, &dims, &t->engine, err);
	if (ret == 0) {
		t->writer = publish_xdp_engine(t->engine);
		ret = publish_new(&t->writer, &t->publish, err);
	}
	if (ret == 0)
		ret = fill(t->publish, err);
	if (ret < 0) {
		bench_tables_free(t);
		return ret;
	}
	*ret_tables = t;
	return 0;
}

void bench_tables_free(struct bench_tables *t)
{
	if (!t)
		return;
	publish_free(t->publish);
	xdp_engine_free(t->engine);
	free(t);
}

struct xdp_engine *bench_tables_engine(struct bench_tables *t)
{
	return t->engine;
}
