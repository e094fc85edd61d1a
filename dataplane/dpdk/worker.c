/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/worker.h"

#include <time.h>
#include <unistd.h>

#include <rte_branch_prediction.h>
#include <rte_common.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "dataplane/core/reasons.h"
#include "dataplane/dpdk/process.h"

/* So many bursts are taken from a queue that has them before the next one's turn. */
#define QUEUE_BURSTS  4U
/* A busy worker looks for what the kernel has to send in one round of so many. */
#define KERNEL_ROUNDS 16U
/* A worker that may sleep does so after so many rounds without a packet. */
#define IDLE_ROUNDS   64U
#define IDLE_US       50U

/* Frames of a burst by where they go. */
struct pile {
	uint16_t n;
	struct rte_mbuf *frames[DPDK_BURST];
};

/* Others read these; nobody else writes them. */
static inline void add(__u64 *counter, uint64_t n)
{
	__atomic_store_n(counter, *counter + n, __ATOMIC_RELAXED);
}

/* Send, and let go of what doesn't go. */
static inline uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **frames, uint16_t n)
{
	const uint16_t sent = rte_eth_tx_burst(port, queue, frames, n);

	if (unlikely(sent < n))
		rte_pktmbuf_free_bulk(frames + sent, n - sent);
	return sent;
}

static void send_to_port(struct dpdk_worker *w, const struct dpdk_port *port,
			 struct rte_mbuf **frames, uint16_t n)
{
	const uint16_t sent = transmit(port->id, (uint16_t)w->number, frames, n);

	add(&w->page->sent, sent);
	if (unlikely(sent < n))
		add(&w->page->tx_dropped, n - sent);
}

static void send_to_kernel(struct dpdk_worker *w, const struct dpdk_port *port, struct pile *pile)
{
	uint16_t sent = 0;

	if (port->kernel == DPDK_NO_PORT)
		rte_pktmbuf_free_bulk(pile->frames, pile->n);
	else
		sent = transmit(port->kernel, (uint16_t)w->number, pile->frames, pile->n);
	add(&w->page->to_kernel, sent);
	if (unlikely(sent < pile->n))
		add(&w->page->kernel_dropped, pile->n - sent);
}

static inline uint16_t port_of(const struct dpdk_shared *s, uint32_t ifindex, uint16_t arrival)
{
	if (!ifindex)
		return arrival;
	for (uint16_t i = 0; i < s->n_ports; i++)
		if (s->ports[i].ifindex == ifindex)
			return i;
	return DPDK_NO_PORT;
}

/* Each frame on the pile of where it goes: a port's, the kernel's, or none's. */
struct piles {
	struct pile ports[LB_PAGE_PORTS_MAX], kernel, none;
};

static inline void put(struct pile *pile, struct rte_mbuf *frame)
{
	pile->frames[pile->n++] = frame;
}

static inline void sort(const struct dpdk_shared *s, uint16_t arrival, struct rte_mbuf **frames,
			const struct dpdk_fate *fates, uint16_t n, struct piles *piles)
{
	for (uint16_t i = 0; i < n; i++) {
		uint16_t port;

		switch (fates[i].verdict) {
		case LB_FORWARD:
		case LB_REPLY:
			port = port_of(s, fates[i].ifindex, arrival);
			put(port == DPDK_NO_PORT ? &piles->none : &piles->ports[port], frames[i]);
			break;
		case LB_PASS:
			put(&piles->kernel, frames[i]);
			break;
		default:
			put(&piles->none, frames[i]);
		}
	}
}

/* What limits go by: the clock that the XDP engine has, too, which shares their state. */
static inline uint64_t coarse_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

/* Each frame of a burst to where it goes. */
static void send_apart(struct dpdk_worker *w, uint16_t arrival, struct rte_mbuf **frames,
		       const struct dpdk_fate *fates, uint16_t n)
{
	const struct dpdk_shared *s = w->shared;
	struct piles piles;

	for (uint16_t i = 0; i < s->n_ports; i++)
		piles.ports[i].n = 0;
	piles.kernel.n = piles.none.n = 0;
	sort(s, arrival, frames, fates, n, &piles);
	for (uint16_t i = 0; i < s->n_ports; i++)
		if (piles.ports[i].n)
			send_to_port(w, &s->ports[i], piles.ports[i].frames, piles.ports[i].n);
	if (piles.kernel.n)
		send_to_kernel(w, &s->ports[arrival], &piles.kernel);
	if (piles.none.n)
		rte_pktmbuf_free_bulk(piles.none.frames, piles.none.n);
}

static uint16_t take_burst(struct dpdk_worker *w, const struct lb_tables *tables,
			   const struct lb_moment *moment, uint16_t arrival, uint16_t queue)
{
	const struct dpdk_shared *s = w->shared;
	struct rte_mbuf *frames[DPDK_BURST];
	struct dpdk_fate fates[DPDK_BURST];
	const uint16_t n = rte_eth_rx_burst(s->ports[arrival].id, queue, frames, DPDK_BURST);
	uint16_t port = DPDK_NO_PORT;

	if (n == 0)
		return 0;
	if (likely(dpdk_process_burst(tables, w->number, moment, frames, n, fates)))
		port = port_of(s, fates[0].ifindex, arrival);
	if (likely(port != DPDK_NO_PORT))
		send_to_port(w, &s->ports[port], frames, n);
	else
		send_apart(w, arrival, frames, fates, n);
	add(&w->page->received, n);
	return n;
}

/* What the kernel has to send by a port. */
static uint16_t take_from_kernel(struct dpdk_worker *w, const struct dpdk_port *port)
{
	struct pile pile;

	if (port->kernel == DPDK_NO_PORT)
		return 0;
	pile.n = rte_eth_rx_burst(port->kernel, (uint16_t)w->number, pile.frames, DPDK_BURST);
	if (pile.n == 0)
		return 0;
	add(&w->page->from_kernel, pile.n);
	send_to_port(w, port, pile.frames, pile.n);
	return pile.n;
}

static uint32_t take_bursts(struct dpdk_worker *w, const struct lb_tables *tables,
			    const struct lb_moment *moment, uint16_t arrival, uint16_t queue)
{
	uint32_t n = 0, got = DPDK_BURST;

	for (uint32_t i = 0; i < QUEUE_BURSTS && got == DPDK_BURST; i++, n += got)
		got = take_burst(w, tables, moment, arrival, queue);
	return n;
}

/* Every queue once. */
static uint32_t go_round(struct dpdk_worker *w, const struct lb_tables *tables, bool kernel)
{
	const struct dpdk_shared *s = w->shared;
	const struct lb_moment moment = {.now_ns = coarse_now_ns()};
	uint32_t n = 0;

	for (uint16_t i = 0; i < s->n_ports; i++) {
		for (uint32_t q = w->number; q < s->ports[i].queues; q += s->n_workers)
			n += take_bursts(w, tables, &moment, i, (uint16_t)q);
		if (kernel)
			n += take_from_kernel(w, &s->ports[i]);
	}
	return n;
}

int dpdk_worker_run(void *arg)
{
	struct dpdk_worker *w = arg;
	const struct dpdk_shared *s = w->shared;
	uint32_t idle = 0;

	w->page->thread = (__u32)gettid();
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		const struct lb_tables *tables = __atomic_load_n(&s->tables, __ATOMIC_ACQUIRE);
		const bool kernel = idle || w->page->rounds % KERNEL_ROUNDS == 0;

		idle = go_round(w, tables, kernel) ? 0 : idle + 1;
		__atomic_store_n(&w->page->rounds, w->page->rounds + 1, __ATOMIC_RELEASE);
		/* Nothing of the next round is read before others see that this one is over. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (idle < IDLE_ROUNDS)
			continue;
		if (s->sleep)
			usleep(IDLE_US);
		else
			rte_pause();
	}
	return 0;
}
