/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/setup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"

#define REPLAY_IFINDEX 1

static const uint8_t own_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t gateway_mac[6] = {2, 0, 0, 0, 0, 1};

static bool is_real(const struct config *config, const struct addr *address)
{
	for (size_t i = 0; i < config->n_pools; i++)
		if (config_find_real(&config->pools[i], address))
			return true;
	return false;
}

static int check_down(const struct config *config, const struct addr *down, size_t n_down,
		      struct err *err)
{
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < n_down; i++)
		if (!is_real(config, &down[i]))
			return err_set(err, -EINVAL,
				       "--down %s: no pool of the configuration has this real",
				       addr_format(&down[i], text));
	return 0;
}

/* Every real of an l2dsr pool has a mac, and in all of them the same one: an address is one host
 * on the link. */
static int check_macs(const struct config *config, const struct config_pool *pool, struct err *err)
{
	const char *file = config->file ? config->file : "configuration";
	char text[ADDR_STRLEN];

	for (size_t i = 0; i < pool->n_reals; i++) {
		const struct config_real *real = &pool->reals[i];

		if (!real->mac.set)
			return err_set(err, -EINVAL,
				       "%s:%u: real %s of l2dsr pool '%s' has no mac, and replay"
				       " has no neighbours to ask: add mac: 02:00:00:00:00:0b or"
				       " what it is",
				       file, real->mark.line, addr_format(&real->address, text),
				       pool->name);
		for (size_t j = 0; j < config->n_pools; j++) {
			const struct config_pool *other = &config->pools[j];
			const struct config_real *twin = config_find_real(other, &real->address);

			if (other->encap == CONFIG_ENCAP_L2DSR && twin && twin->mac.set &&
			    memcmp(twin->mac.bytes, real->mac.bytes, 6) != 0)
				return err_set(err, -EINVAL,
					       "%s:%u: real %s has another mac in l2dsr pool '%s'"
					       " than in '%s': make them the same",
					       file, real->mark.line,
					       addr_format(&real->address, text), pool->name,
					       other->name);
		}
	}
	return 0;
}

static int set_node(const struct config *config, struct publish *publish, struct err *err)
{
	struct publish_node node = {
		.source4 = config->node.tunnel_source.ipv4,
		.source6 = config->node.tunnel_source.ipv6,
		.echo_rate = config->node.icmp.echo_rate,
		.too_big_rate = config->node.icmp.too_big_rate,
	};
	int ret;

	memcpy(node.hash_seed, config->node.hash_seed, sizeof(node.hash_seed));
	ret = publish_node_set(publish, &node, err);
	if (ret < 0)
		return ret;
	return publish_iface_set(publish, REPLAY_IFINDEX, own_mac, 0, true, err);
}

static enum lb_encap encap_of(const struct config_pool *pool)
{
	switch (pool->encap) {
	case CONFIG_ENCAP_L2DSR:
		return LB_ENCAP_L2DSR;
	case CONFIG_ENCAP_GUE:
		return LB_ENCAP_GUE;
	case CONFIG_ENCAP_IPIP:
		break;
	}
	return LB_ENCAP_IPIP;
}

static enum lb_hash_mode hash_of(const struct config_service *service)
{
	switch (service->hash) {
	case CONFIG_HASH_SOURCE:
		return LB_HASH_SOURCE;
	case CONFIG_HASH_SOURCE_DESTINATION:
		return LB_HASH_SOURCE_DESTINATION;
	case CONFIG_HASH_DESTINATION_PORT:
		return LB_HASH_DESTINATION_PORT;
	case CONFIG_HASH_5TUPLE:
		break;
	}
	return LB_HASH_5TUPLE;
}

static struct publish_member member_of(const struct config_pool *pool,
				       const struct config_real *real,
				       const struct setup_real *reals, size_t n_reals)
{
	struct publish_member member = {
		.addr = real->address,
		.weight = real->weight,
		.server_id = config_server_id(pool, real),
	};

	for (size_t i = 0; i < n_reals; i++) {
		if (!addr_equal(&real->address, &reals[i].address))
			continue;
		if (reals[i].has_weight)
			member.weight = reals[i].weight;
		if (reals[i].drained)
			member.weight = 0;
		member.dead = reals[i].down;
	}
	return member;
}

static int set_pool(const struct config_pool *pool, const struct setup_real *reals, size_t n_reals,
		    uint64_t now_ns, struct publish *publish, struct err *err)
{
	AUTO_FREE struct publish_member *members = calloc(pool->n_reals + 1, sizeof(*members));
	struct publish_pool_spec spec = {
		.encap = encap_of(pool),
		.gue_port = pool->gue_port,
		.table_size = pool->table_size,
		.quic_length = pool->has_quic ? (uint8_t)pool->quic.server_id_length : 0,
		.quic_rotation = pool->has_quic ? (uint8_t)pool->quic.rotation : 0,
	};
	size_t n = 0;

	if (!members)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < pool->n_reals; i++) {
		const struct addr *address = &pool->reals[i].address;
		int ret;

		ret = publish_nexthop_set(publish, address, REPLAY_IFINDEX, gateway_mac, err);
		if (ret < 0)
			return ret;
		members[n++] = member_of(pool, &pool->reals[i], reals, n_reals);
	}
	return publish_pool_set(publish, pool->name, &spec, members, n, now_ns, err);
}

static int set_service(const struct config_vip *vip, const struct config_service *service,
		       struct publish *publish, struct err *err)
{
	AUTO_FREE struct prefix *deny = calloc(service->n_deny + 1, sizeof(*deny));
	struct publish_service_spec spec = {
		.address = vip->address,
		.protocol = (uint8_t)service->protocol,
		.ports = service->ports,
		.vip = vip->name,
		.pool = service->pool,
		.hash = hash_of(service),
		.quic = service->quic,
		.deny = deny,
		.n_deny = service->n_deny,
		.syn_rate = service->syn_rate,
		.syn_burst = config_syn_burst(service),
	};

	if (!deny)
		return err_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < service->n_deny; i++)
		deny[i] = service->deny[i].prefix;
	return publish_service_set(publish, &spec, err);
}

static int set_vip(const struct config_vip *vip, struct publish *publish, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < vip->n_services && ret == 0; i++)
		ret = set_service(vip, &vip->services[i], publish, err);
	return ret;
}

/* Has a pool the reals in force that it must have? */
static bool pool_serves(const struct config_pool *pool, const struct setup_real *reals,
			size_t n_reals)
{
	uint32_t n = 0;

	for (size_t i = 0; pool && i < pool->n_reals; i++) {
		struct publish_member member = member_of(pool, &pool->reals[i], reals, n_reals);

		n += member.weight && !member.dead;
	}
	return pool && n && n >= pool->min_healthy;
}

/* A VIP is up, and answers ping, while one of its services can be served, as on a node. */
static int set_up(const struct config *config, const struct config_vip *vip,
		  const struct setup_real *reals, size_t n_reals, struct publish *publish,
		  struct err *err)
{
	bool up = vip->announce.when == CONFIG_ANNOUNCE_ALWAYS;

	for (size_t i = 0; i < vip->n_services && !up; i++)
		up = pool_serves(config_find_pool(config, vip->services[i].pool), reals, n_reals);
	return vip->n_services ? publish_vip_up(publish, &vip->address, up, err) : 0;
}

static const struct config_mac *mac_of(const struct config *config, const struct addr *address)
{
	for (size_t i = 0; i < config->n_pools; i++) {
		const struct config_real *real = config_find_real(&config->pools[i], address);

		if (real && config->pools[i].encap == CONFIG_ENCAP_L2DSR)
			return &real->mac;
	}
	return NULL;
}

/* The writer knows one next hop for an address, as a link has; replay wants two, when a real is in
 * pools of both kinds. So the l2dsr reals get theirs here, straight into the records. */
static void set_l2dsr_macs(const struct config *config, const struct lb_tables *tables,
			   const struct publish *publish)
{
	for (uint32_t i = 1; i < tables->dims.reals; i++) {
		struct lb_real *real = &tables->reals[i];
		const struct config_mac *mac;
		struct addr address;

		if (real->encap != LB_ENCAP_L2DSR)
			continue;
		publish_real_addr(publish, i, &address);
		mac = mac_of(config, &address);
		if (mac)
			memcpy(&real->nexthop, mac->bytes, sizeof(mac->bytes));
	}
}

static int set_pools(const struct config *config, const struct setup_real *reals, size_t n_reals,
		     uint64_t now_ns, const struct publish_engine *engine, struct publish *publish,
		     struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < config->n_pools && ret == 0; i++)
		ret = set_pool(&config->pools[i], reals, n_reals, now_ns, publish, err);
	if (ret == 0)
		set_l2dsr_macs(config, engine->tables(engine->arg), publish);
	return ret;
}

static int set_ups(const struct config *config, const struct setup_real *reals, size_t n_reals,
		   struct publish *publish, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < config->n_vips && ret == 0; i++)
		ret = set_up(config, &config->vips[i], reals, n_reals, publish, err);
	return ret;
}

int setup_reals(const struct config *config, const struct setup_real *reals, size_t n_reals,
		uint64_t now_ns, const struct publish_engine *engine, struct publish *publish,
		struct err *err)
{
	int ret = set_pools(config, reals, n_reals, now_ns, engine, publish, err);

	return ret < 0 ? ret : set_ups(config, reals, n_reals, publish, err);
}

int setup_tables(const struct config *config, const struct addr *down, size_t n_down,
		 const struct publish_engine *engine, struct publish *publish, struct err *err)
{
	AUTO_FREE struct setup_real *reals = calloc(n_down + 1, sizeof(*reals));
	int ret = reals ? check_down(config, down, n_down, err)
			: err_set(err, -ENOMEM, "out of memory");

	for (size_t i = 0; i < n_down && ret == 0; i++)
		reals[i] = (struct setup_real){.address = down[i], .down = true};
	for (size_t i = 0; i < config->n_pools && ret == 0; i++)
		if (config->pools[i].encap == CONFIG_ENCAP_L2DSR)
			ret = check_macs(config, &config->pools[i], err);
	if (ret == 0)
		ret = set_node(config, publish, err);
	if (ret == 0)
		ret = set_pools(config, reals, n_down, 0, engine, publish, err);
	for (size_t i = 0; i < config->n_vips && ret == 0; i++)
		ret = set_vip(&config->vips[i], publish, err);
	if (ret == 0)
		ret = set_ups(config, reals, n_down, publish, err);
	return ret;
}
