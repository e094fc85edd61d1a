/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/port.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "controlplane/base/log.h"
#include "dataplane/dpdk/eal.h"
#include "dataplane/dpdk/kernel_port.h"
#include "dataplane/dpdk/pci.h"
#include "dataplane/dpdk/process.h"

#define MODULE "dpdk"

/* Buffers that a worker's cache and the bursts under way may hold. */
#define WORKER_MBUFS (512U + 8U * DPDK_BURST)
#define CACHE_MBUFS  256U
/* Some drivers have rings of their own size, whatever is asked for: net_af_xdp fills 2048. */
#define RING_MBUFS   2048U

/* ---- buffers ---- */

static uint32_t mbufs_needed(const struct dpdk_options *opt)
{
	const uint32_t ring = RTE_MAX(opt->descriptors, RING_MBUFS);
	uint32_t n = opt->n_cores * WORKER_MBUFS;

	for (uint16_t i = 0; i < opt->n_ports; i++) {
		const uint32_t queues = opt->ports[i].queues ? opt->ports[i].queues : opt->n_cores;
		const bool kernel = opt->ports[i].exception != DPDK_EXCEPTION_KERNEL;

		n += (queues + opt->n_cores) * ring;
		n += kernel ? 2U * opt->n_cores * ring : 0;
	}
	return n;
}

static unsigned sockets_of(const struct dpdk_options *opt)
{
	bool seen[RTE_MAX_NUMA_NODES] = {false};
	unsigned n = 0;

	for (uint16_t i = 0; i < opt->n_cores; i++) {
		const unsigned socket = rte_lcore_to_socket_id(DPDK_LCORE(i)) % RTE_MAX_NUMA_NODES;

		n += !seen[socket];
		seen[socket] = true;
	}
	return n;
}

/* What half of node.dpdk.memory has room for: the rest is rings, padding and everything else. */
static uint32_t mbufs_affordable(const struct dpdk_options *opt)
{
	const uint64_t bytes =
		sizeof(struct rte_mbuf) + RTE_MBUF_DEFAULT_BUF_SIZE + RTE_CACHE_LINE_SIZE;
	const uint64_t n = ((uint64_t)opt->memory_mib << 20) / 2 / bytes / sockets_of(opt);

	return n < INT32_MAX ? (uint32_t)n : INT32_MAX;
}

int dpdk_pools_make(const struct dpdk_options *opt, struct dpdk_pools *ret_pools, struct err *err)
{
	const uint32_t needed = mbufs_needed(opt), affordable = mbufs_affordable(opt);
	const uint32_t n = RTE_MAX(needed, affordable);

	memset(ret_pools, 0, sizeof(*ret_pools));
	for (uint16_t i = 0; i < opt->n_cores; i++) {
		unsigned socket = rte_lcore_to_socket_id(DPDK_LCORE(i)) % RTE_MAX_NUMA_NODES;
		struct rte_mempool **pool = &ret_pools->of_socket[socket];
		char name[RTE_MEMPOOL_NAMESIZE];

		if (*pool)
			continue;
		snprintf(name, sizeof(name), "frames-%u", socket);
		*pool = rte_pktmbuf_pool_create(name, n, CACHE_MBUFS, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
						(int)socket);
		if (!*pool)
			return err_set(
				err, -ENOMEM,
				"no memory for %u packet buffers of %u bytes: %s; raise "
				"node.dpdk.memory above %u MiB or lower node.dpdk.descriptors",
				n, RTE_MBUF_DEFAULT_BUF_SIZE, rte_strerror(rte_errno),
				opt->memory_mib);
	}
	return 0;
}

static struct rte_mempool *pool_of(const struct dpdk_pools *pools, uint16_t worker)
{
	return pools->of_socket[rte_lcore_to_socket_id(DPDK_LCORE(worker)) % RTE_MAX_NUMA_NODES];
}

static bool one_pool(const struct dpdk_pools *pools)
{
	unsigned n = 0;

	for (size_t i = 0; i < RTE_DIM(pools->of_socket); i++)
		n += pools->of_socket[i] != NULL;
	return n == 1;
}

/* ---- what a card is asked for ---- */

/* Toeplitz with a key that repeats every 16 bits gives both directions of a flow the same hash (Woo
 * and Park, Scalable TCP Session Monitoring with Symmetric Receive-side Scaling, 2012). */
static uint8_t symmetric_key[64];

static void fill_symmetric_key(void)
{
	for (size_t i = 0; i < sizeof(symmetric_key); i++)
		symmetric_key[i] = i % 2 ? 0x5a : 0x6d;
}

static void ask_for_rss(const struct dpdk_options *opt, const struct rte_eth_dev_info *info,
			struct rte_eth_conf *conf)
{
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf =
		(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info->flow_type_rss_offloads;
	if (opt->symmetric && info->hash_key_size && info->hash_key_size <= sizeof(symmetric_key)) {
		fill_symmetric_key();
		conf->rx_adv_conf.rss_conf.rss_key = symmetric_key;
		conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	}
}

/* Several buffers a frame where one isn't enough; else frames of one pool, which a card gives back
 * faster. Tags stay in the frame, checksums of outer headers are made by the core in fewer cycles
 * than it takes to ask a card for them. */
static void ask_for_offloads(const struct rte_eth_dev_info *info, uint16_t mtu, bool fast_free,
			     struct rte_eth_conf *conf)
{
	const uint32_t room = RTE_MBUF_DEFAULT_DATAROOM;
	const bool large = mtu + RTE_ETHER_HDR_LEN + 2U * RTE_VLAN_HLEN > room;

	conf->rxmode.mtu = mtu;
	if (large && info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER)
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_SCATTER;
	if (large && info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MULTI_SEGS)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	else if (fast_free && info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
}

/* virtio's filter is always on, and lets no tag pass that it wasn't told of. Others have none
 * unless they are asked for it. */
static bool filters_unasked(const struct rte_eth_dev_info *info)
{
	return !strcmp(info->driver_name, "net_virtio") &&
	       info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
}

static void pass_all_tags(uint16_t id, const char *name)
{
	for (uint16_t vlan = 1; vlan < 4095; vlan++) {
		const int rc = rte_eth_dev_vlan_filter(id, vlan, 1);

		if (rc == 0)
			continue;
		log_warn(MODULE, "the card may keep frames of some VLANs to itself",
			 "port=%s first=%u reason=\"%s\"", name, vlan, rte_strerror(-rc));
		return;
	}
}

static int check_queues(uint16_t rx, uint16_t tx, const struct rte_eth_dev_info *info,
			struct err *err)
{
	if (rx > info->max_rx_queues)
		return err_set(err, -EINVAL,
			       "it has %u RX queues, %u are asked for: lower its `queues`, or name "
			       "fewer node.dpdk.cores",
			       info->max_rx_queues, rx);
	if (tx > info->max_tx_queues)
		return err_set(err, -EINVAL,
			       "it has %u TX queues and each of %u workers needs one: name fewer "
			       "node.dpdk.cores",
			       info->max_tx_queues, tx);
	return 0;
}

/* What a port carries at most: as ethdev reckons it. */
static uint32_t mtu_limit(const struct rte_eth_dev_info *info)
{
	const uint32_t overhead = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_rx_pktlen > info->max_mtu)
		return info->max_mtu;
	return info->max_rx_pktlen > overhead ? info->max_rx_pktlen - overhead : UINT16_MAX;
}

static int check_mtu(uint16_t mtu, const struct rte_eth_dev_info *info, struct err *err)
{
	if (mtu <= mtu_limit(info))
		return 0;
	return err_set(err, -EINVAL,
		       "its driver %s has an MTU of at most %u, not %u: lower the port's `mtu`",
		       info->driver_name, mtu_limit(info), mtu);
}

/* Some drivers go by what they are configured with, others want to be told, some can't change it.
 */
static int set_mtu(uint16_t id, uint16_t mtu, struct err *err)
{
	const int rc = rte_eth_dev_set_mtu(id, mtu);

	if (rc == 0 || rc == -ENOTSUP)
		return 0;
	return err_set(err, rc, "set its MTU to %u: %s", mtu, strerror(-rc));
}

static int setup_queues(uint16_t id, uint16_t rx, uint16_t tx, uint16_t descriptors,
			uint16_t workers, const struct dpdk_pools *pools, struct err *err)
{
	const int socket = rte_eth_dev_socket_id(id);
	uint16_t n_rx = descriptors, n_tx = descriptors;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rx, &n_tx);

	for (uint16_t q = 0; rc == 0 && q < rx; q++)
		rc = rte_eth_rx_queue_setup(id, q, n_rx, (unsigned)socket, NULL,
					    pool_of(pools, q % workers));
	for (uint16_t q = 0; rc == 0 && q < tx; q++)
		rc = rte_eth_tx_queue_setup(id, q, n_tx, (unsigned)socket, NULL);
	return rc < 0 ? err_set(err, rc, "set up its queues: %s", rte_strerror(-rc)) : 0;
}

/* Configure a port with so many RX queues and a TX queue for each worker, and start it. told: the
 * MTU isn't what the port had. */
static int start(uint16_t id, const char *name, const struct dpdk_options *opt, uint16_t queues,
		 uint16_t mtu, bool told, const struct dpdk_pools *pools, struct err *err)
{
	struct rte_eth_conf conf = {0};
	struct rte_eth_dev_info info;
	int rc = rte_eth_dev_info_get(id, &info);

	if (rc == 0)
		rc = check_queues(queues, opt->n_cores, &info, err);
	else
		err_set(err, rc, "%s", rte_strerror(-rc));
	if (rc == 0)
		rc = check_mtu(mtu, &info, err);
	if (rc < 0)
		return rc;
	if (queues > 1 && info.flow_type_rss_offloads)
		ask_for_rss(opt, &info, &conf);
	ask_for_offloads(&info, mtu, one_pool(pools), &conf);
	if (filters_unasked(&info))
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_FILTER;
	rc = rte_eth_dev_configure(id, queues, opt->n_cores, &conf);
	if (rc < 0)
		return err_set(err, rc, "configure it: %s", rte_strerror(-rc));
	rc = told ? set_mtu(id, mtu, err) : 0;
	if (rc == 0)
		rc = setup_queues(id, queues, opt->n_cores, opt->descriptors, opt->n_cores, pools,
				  err);
	if (rc < 0)
		return rc;
	rc = rte_eth_dev_start(id);
	if (rc < 0)
		return err_set(err, rc, "start it: %s", rte_strerror(-rc));
	if (filters_unasked(&info))
		pass_all_tags(id, name);
	return 0;
}

/* ---- ports ---- */

static int find_port(const char *device, char name[DPDK_DEVICE_NAME_MAX], uint16_t *ret_id,
		     struct err *err)
{
	char with_domain[DPDK_DEVICE_NAME_MAX + 8],
		why[512] = "its driver refused: see what DPDK printed, and mend its arguments";
	const char *known = name;

	dpdk_device_name(device, name);
	/* DPDK knows a PCI device by its address with the domain, which may be left out. */
	if (dpdk_is_pci(name) && strchr(name, ':') == strrchr(name, ':')) {
		snprintf(with_domain, sizeof(with_domain), "0000:%s", name);
		known = with_domain;
	}
	if (rte_eth_dev_get_port_by_name(known, ret_id) == 0)
		return 0;
	if (dpdk_is_pci(name))
		dpdk_pci_why("/sys", known, why, sizeof(why));
	return err_set(err, -ENODEV, "DPDK found no port %s: %s", name, why);
}

static int find_interface(const struct dpdk_port_options *options, uint32_t *ret_ifindex,
			  struct err *err)
{
	*ret_ifindex = if_nametoindex(options->interface);
	if (*ret_ifindex)
		return 0;
	return err_set(err, -ENODEV, "the kernel has no interface %s", options->interface);
}

int dpdk_port_start(const struct dpdk_options *opt, uint16_t number, const struct dpdk_pools *pools,
		    struct dpdk_port *ret_port, struct err *err)
{
	const struct dpdk_port_options *options = &opt->ports[number];
	struct dpdk_port port = {.kernel = DPDK_NO_PORT};
	char name[DPDK_DEVICE_NAME_MAX];
	uint16_t mtu;
	int rc = find_port(options->device, name, &port.id, err);

	if (rc < 0)
		return rc;
	port.queues = options->queues ? options->queues : opt->n_cores;
	if (options->mtu)
		mtu = options->mtu;
	else if (rte_eth_dev_get_mtu(port.id, &mtu) < 0 || mtu == 0)
		mtu = RTE_ETHER_MTU;
	rc = start(port.id, name, opt, port.queues, mtu, options->mtu, pools, err);
	if (rc < 0)
		return err_prefix(err, rc, "port %s", name);
	/* Neighbour discovery goes to multicast addresses; a virtual device may not care. */
	(void)!rte_eth_allmulticast_enable(port.id);
	if (options->exception != DPDK_EXCEPTION_KERNEL) {
		rc = dpdk_kernel_port_make(options, number, port.id, opt->n_cores, &port.kernel,
					   err);
		if (rc == 0)
			rc = start(port.kernel, options->interface, opt, opt->n_cores, mtu, false,
				   pools, err);
		if (rc == 0)
			rc = dpdk_kernel_port_up(options->interface, mtu, err);
		if (rc < 0)
			return err_prefix(err, rc, "port %s: interface %s for the kernel", name,
					  options->interface);
	}
	rc = find_interface(options, &port.ifindex, err);
	if (rc < 0)
		return err_prefix(err, rc, "port %s", name);
	*ret_port = port;
	return 0;
}

void dpdk_port_stop(struct dpdk_port *port)
{
	const uint16_t ids[] = {port->id, port->kernel};

	for (size_t i = 0; i < RTE_DIM(ids); i++) {
		if (ids[i] == DPDK_NO_PORT)
			continue;
		/* What can't be stopped any more goes with the process. */
		(void)!rte_eth_dev_stop(ids[i]);
		(void)!rte_eth_dev_close(ids[i]);
	}
}

void dpdk_port_describe(const struct dpdk_options *opt, uint16_t number,
			const struct dpdk_port *port, struct lb_page_port *ret)
{
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	uint16_t mtu;

	memset(ret, 0, sizeof(*ret));
	ret->ifindex = port->ifindex;
	ret->queues = port->queues;
	dpdk_device_name(opt->ports[number].device, ret->name);
	snprintf(ret->interface, sizeof(ret->interface), "%s", opt->ports[number].interface);
	if (rte_eth_dev_info_get(port->id, &info) == 0 && info.driver_name)
		snprintf(ret->driver, sizeof(ret->driver), "%s", info.driver_name);
	if (rte_eth_macaddr_get(port->id, &mac) == 0)
		memcpy(ret->mac, mac.addr_bytes, sizeof(ret->mac));
	if (rte_eth_dev_get_mtu(port->id, &mtu) == 0)
		ret->mtu = mtu;
	dpdk_port_observe(port, ret);
}

void dpdk_port_observe(const struct dpdk_port *port, struct lb_page_port *ret)
{
	struct rte_eth_stats stats;
	struct rte_eth_link link;

	if (rte_eth_link_get_nowait(port->id, &link) == 0)
		__atomic_store_n(&ret->link_up, link.link_status == RTE_ETH_LINK_UP,
				 __ATOMIC_RELAXED);
	if (rte_eth_stats_get(port->id, &stats) == 0) {
		__atomic_store_n(&ret->rx_missed, stats.imissed, __ATOMIC_RELAXED);
		__atomic_store_n(&ret->rx_errors, stats.ierrors + stats.rx_nombuf,
				 __ATOMIC_RELAXED);
	}
}
