/* SPDX-License-Identifier: BSD-2-Clause */
/* Publishing while DPDK's packet path forwards, in bursts as its workers do and packet by packet.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "controlplane/publish/race/race.h"
#include "dataplane/dpdk/offline.h"
#include "dataplane/dpdk/process.h"

static struct dpdk_offline *offline;
static struct rte_mempool *pool;
static struct rte_mbuf *mbufs[RACE_WORKERS][RACE_BURST];
static uint64_t bursts[RACE_WORKERS];

_Static_assert(RACE_BURST <= DPDK_BURST, "a burst of the race is one of the engine");

static int open_dpdk(uint32_t workers, struct err *err)
{
	cpu_set_t all;
	int rc;

	/* EAL binds the main thread to one CPU, and workers would inherit that. */
	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		return err_set(err, -errno, "get the CPUs: %s", strerror(errno));
	rc = dpdk_offline_open(&offline, err);
	if (rc < 0)
		return rc;
	if (sched_setaffinity(0, sizeof(all), &all) < 0)
		return err_set(err, -errno, "set the CPUs: %s", strerror(errno));
	pool = rte_pktmbuf_pool_create("race", workers * RACE_BURST, 0, 0,
				       RTE_PKTMBUF_HEADROOM + RACE_FRAME_MAX, (int)rte_socket_id());
	if (!pool)
		return err_set(err, -ENOMEM, "no memory for packet buffers: %s",
			       rte_strerror(rte_errno));
	for (uint32_t i = 0; i < workers; i++)
		if (rte_pktmbuf_alloc_bulk(pool, mbufs[i], RACE_BURST) < 0)
			return err_set(err, -ENOMEM, "no packet buffers for worker %u", i);
	return 0;
}

static void fill(struct rte_mbuf *mbuf, const struct race_packet *p)
{
	char *data;

	rte_pktmbuf_reset(mbuf);
	data = rte_pktmbuf_append(mbuf, (uint16_t)p->len);
	if (data)
		memcpy(data, p->frame, p->len);
}

static void run_burst(const struct lb_tables *tables, uint32_t worker,
		      const struct lb_moment *moment, uint32_t n, struct race_outcome *ret)
{
	struct dpdk_fate fates[DPDK_BURST];
	const bool uniform = dpdk_process_burst(tables, worker, moment, mbufs[worker], n, fates);

	for (uint32_t i = 0; i < n; i++) {
		const struct dpdk_fate fate = fates[uniform ? 0 : i];

		ret[i].verdict = fate.verdict;
		ret[i].reason = RACE_UNTOLD;
		ret[i].ifindex = fate.verdict == LB_FORWARD ? fate.ifindex : RACE_UNTOLD;
	}
}

static void run_each(const struct lb_tables *tables, uint32_t worker,
		     const struct lb_moment *moment, uint32_t n, struct race_outcome *ret)
{
	for (uint32_t i = 0; i < n; i++) {
		struct lb_trace trace;

		dpdk_process(tables, worker, moment, mbufs[worker][i], &trace);
		ret[i].verdict = trace.verdict;
		ret[i].reason = trace.reason;
		ret[i].ifindex = RACE_UNTOLD;
	}
}

/* Single packets say the reason, bursts the interface. */
static void run(const struct lb_tables *tables, uint32_t worker, uint64_t now_ns,
		const struct race_packet *packets, uint32_t n, struct race_outcome *ret)
{
	const struct lb_moment moment = {.now_ns = now_ns};

	for (uint32_t i = 0; i < n; i++)
		fill(mbufs[worker][i], &packets[i]);
	if (bursts[worker]++ % 4)
		run_burst(tables, worker, &moment, n, ret);
	else
		run_each(tables, worker, &moment, n, ret);
	for (uint32_t i = 0; i < n; i++) {
		ret[i].data = rte_pktmbuf_mtod(mbufs[worker][i], const uint8_t *);
		ret[i].len = rte_pktmbuf_data_len(mbufs[worker][i]);
	}
}

static void close_dpdk(void)
{
	rte_mempool_free(pool);
	dpdk_offline_free(offline);
}

int main(int argc, char **argv)
{
	static const struct race_target dpdk = {"dpdk", open_dpdk, run, close_dpdk};

	return race_main(argc, argv, &dpdk);
}
