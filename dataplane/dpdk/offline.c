/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/offline.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/dpdk/process.h"

_Static_assert(DPDK_OFFLINE_FRAME_MAX + RTE_PKTMBUF_HEADROOM <= UINT16_MAX, "frame size");

struct dpdk_offline {
	struct rte_mempool *pool;
	struct rte_mbuf *mbuf; /* holds the frame of the last run */
};

/* How many are open; each still needs EAL. */
static unsigned n_open;

static void stop_eal(void)
{
	if (n_open == 0)
		rte_eal_cleanup();
}

/* EAL starts once in a process, so it is kept for the next to open. It keeps and reorders argv, so
 * it gets words of its own. */
static int start_eal(struct err *err)
{
	static bool started;
	static const char *const words[] = {
		"fairway",         "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level",     "*:error",   "-m",       "64",          "--file-prefix",
		"fairway-offline",
	};
	static char text[ARRAY_SIZE(words)][32];
	char *argv[ARRAY_SIZE(words) + 1] = {NULL};

	if (started)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(text[i], sizeof(text[i]), "%s", words[i]);
		argv[i] = text[i];
	}
	if (rte_eal_init(ARRAY_SIZE(words), argv) < 0)
		return err_set(err, -rte_errno,
			       "DPDK's environment didn't start: %s; what it printed says more",
			       rte_strerror(rte_errno));
	started = true;
	atexit(stop_eal);
	return 0;
}

static struct rte_mempool *new_pool(const char *purpose, unsigned mbufs, size_t frame_bytes,
				    struct err *err)
{
	struct rte_mempool *pool;
	static unsigned serial;
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", purpose,
		 __atomic_fetch_add(&serial, 1, __ATOMIC_RELAXED));
	pool = rte_pktmbuf_pool_create(name, mbufs, 0, 0,
				       (uint16_t)(RTE_PKTMBUF_HEADROOM + frame_bytes),
				       (int)rte_socket_id());
	if (!pool)
		err_set(err, -ENOMEM, "no memory for %u DPDK packet buffers: %s", mbufs,
			rte_strerror(rte_errno));
	return pool;
}

int dpdk_offline_open(struct dpdk_offline **ret_offline, struct err *err)
{
	struct dpdk_offline *o = calloc(1, sizeof(*o));
	int ret;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	ret = start_eal(err);
	if (ret < 0) {
		free(o);
		return ret;
	}
	n_open++;
	o->pool = new_pool("offline", 1, DPDK_OFFLINE_FRAME_MAX, err);
	if (o->pool)
		o->mbuf = rte_pktmbuf_alloc(o->pool);
	if (!o->mbuf) {
		dpdk_offline_free(o);
		return -ENOMEM;
	}
	*ret_offline = o;
	return 0;
}

void dpdk_offline_free(struct dpdk_offline *o)
{
	if (!o)
		return;
	rte_pktmbuf_free(o->mbuf);
	rte_mempool_free(o->pool);
	n_open--;
	free(o);
}

int dpdk_offline_run(struct dpdk_offline *o, const struct lb_tables *tables,
		     const struct lb_moment *moment, const void *frame, size_t len,
		     const uint8_t **ret_frame, size_t *ret_len, struct lb_trace *ret_trace,
		     struct err *err)
{
	char *data;

	rte_pktmbuf_reset(o->mbuf);
	data = len <= DPDK_OFFLINE_FRAME_MAX ? rte_pktmbuf_append(o->mbuf, (uint16_t)len) : NULL;
	if (!data)
		return err_set(err, -EMSGSIZE, "a DPDK buffer takes %u bytes, the frame has %zu",
			       DPDK_OFFLINE_FRAME_MAX, len);
	memcpy(data, frame, len);
	dpdk_process(tables, 0, moment, o->mbuf, ret_trace);
	*ret_frame = rte_pktmbuf_mtod(o->mbuf, const uint8_t *);
	*ret_len = rte_pktmbuf_data_len(o->mbuf);
	return 0;
}

/* So many frames are prepared at once, to be run without a pause. */
#define BATCH 256U

static void fill_batch(struct rte_mbuf **mbufs, size_t batch, const struct iovec *frames, size_t n,
		       size_t *next)
{
	for (size_t i = 0; i < batch; i++, *next = *next + 1 < n ? *next + 1 : 0) {
		const struct iovec *frame = &frames[*next];
		char *data;

		rte_pktmbuf_reset(mbufs[i]);
		data = rte_pktmbuf_append(mbufs[i], (uint16_t)frame->iov_len);
		if (data && frame->iov_len)
			memcpy(data, frame->iov_base, frame->iov_len);
	}
}

static uint64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static uint64_t run_batch(const struct lb_tables *tables, struct rte_mbuf **mbufs, size_t batch)
{
	const struct lb_moment moment = {0};
	uint64_t start = cpu_time_ns();

	for (size_t i = 0; i < batch; i += DPDK_BURST) {
		struct dpdk_fate fates[DPDK_BURST];

		(void)dpdk_process_burst(tables, 0, &moment, mbufs + i,
					 (uint32_t)RTE_MIN(batch - i, (size_t)DPDK_BURST), fates);
	}
	return cpu_time_ns() - start;
}

int dpdk_offline_bench(struct dpdk_offline *o, const struct lb_tables *tables,
		       const struct iovec *frames, size_t n, size_t count, uint64_t *ret_ns,
		       struct err *err)
{
	struct rte_mbuf *mbufs[BATCH];
	struct rte_mempool *pool;
	size_t largest = 0, next = 0;
	uint64_t ns = 0;

	(void)o;
	for (size_t i = 0; i < n; i++)
		largest = RTE_MAX(largest, frames[i].iov_len);
	if (largest > DPDK_OFFLINE_FRAME_MAX)
		return err_set(err, -EMSGSIZE, "a DPDK buffer takes %u bytes, a frame has %zu",
			       DPDK_OFFLINE_FRAME_MAX, largest);
	pool = new_pool("bench", BATCH, largest, err);
	if (!pool)
		return -ENOMEM;
	if (rte_pktmbuf_alloc_bulk(pool, mbufs, BATCH) < 0) {
		rte_mempool_free(pool);
		return err_set(err, -ENOMEM, "no memory for %u DPDK packet buffers", BATCH);
	}
	for (size_t done = 0; done < count; done += BATCH) {
		size_t batch = RTE_MIN(count - done, (size_t)BATCH);

		fill_batch(mbufs, batch, frames, n, &next);
		ns += run_batch(tables, mbufs, batch);
	}
	rte_pktmbuf_free_bulk(mbufs, BATCH);
	rte_mempool_free(pool);
	*ret_ns = ns;
	return 0;
}
