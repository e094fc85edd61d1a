/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/offline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/dpdk/process.h"

#define FRAME_BUFFER_BYTES UINT16_MAX

_Static_assert(DPDK_OFFLINE_FRAME_MAX + RTE_PKTMBUF_HEADROOM <= FRAME_BUFFER_BYTES, "frame size");

struct dpdk_offline {
	struct rte_mempool *pool;
	struct rte_mbuf *mbuf; /* holds the frame of the last run */
};

/* EAL keeps and reorders argv, so it gets words of its own. */
static int start_eal(struct err *err)
{
	static const char *const words[] = {
		"fairway",         "--no-huge", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level",     "*:error",   "-m",       "64",          "--file-prefix",
		"fairway-offline",
	};
	static char text[ARRAY_SIZE(words)][32];
	char *argv[ARRAY_SIZE(words) + 1] = {NULL};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(text[i], sizeof(text[i]), "%s", words[i]);
		argv[i] = text[i];
	}
	if (rte_eal_init(ARRAY_SIZE(words), argv) < 0)
		return err_set(err, -rte_errno,
			       "DPDK's environment didn't start: %s; what it printed says more",
			       rte_strerror(rte_errno));
	return 0;
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
	o->pool = rte_pktmbuf_pool_create("offline", 1, 0, 0, FRAME_BUFFER_BYTES,
					  (int)rte_socket_id());
	if (o->pool)
		o->mbuf = rte_pktmbuf_alloc(o->pool);
	if (!o->mbuf) {
		ret = err_set(err, -ENOMEM, "no memory for a DPDK packet buffer");
		dpdk_offline_free(o);
		return ret;
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
	rte_eal_cleanup();
	free(o);
}

int dpdk_offline_run(struct dpdk_offline *o, const struct lb_tables *tables, const void *frame,
		     size_t len, const uint8_t **ret_frame, size_t *ret_len,
		     struct lb_trace *ret_trace, struct err *err)
{
	char *data;

	rte_pktmbuf_reset(o->mbuf);
	data = len <= DPDK_OFFLINE_FRAME_MAX ? rte_pktmbuf_append(o->mbuf, (uint16_t)len) : NULL;
	if (!data)
		return err_set(err, -EMSGSIZE, "a DPDK buffer takes %u bytes, the frame has %zu",
			       DPDK_OFFLINE_FRAME_MAX, len);
	memcpy(data, frame, len);
	dpdk_process(tables, 0, o->mbuf, ret_trace);
	*ret_frame = rte_pktmbuf_mtod(o->mbuf, const uint8_t *);
	*ret_len = rte_pktmbuf_data_len(o->mbuf);
	return 0;
}
