/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_PAGE_H
#define FAIRWAY_CORE_PAGE_H

/*
 * What the control plane and an engine that runs in a process of its own (fairway-dpdk) tell each
 * other, in memory that both have mapped: which tables are in force, whether the engine lives, and
 * one packet at a time to be tried. It lies beside the tables, under the name LB_PAGE_NAME.
 *
 * Each part has one writer. Words are read and written whole; where one publishes others it is
 * stored with release and loaded with acquire order. Times are CLOCK_MONOTONIC, in nanoseconds.
 *
 *   generation  The writer of the tables puts new ones in their place, sets dims, then raises the
 *               generation. The engine opens them, lets every worker go over to them between two
 *               bursts, and says so in engine.generation; from then on it touches the old ones no
 *               more.
 *   rounds      A worker raises its own by one whenever it holds no pointer into the tables. Once
 *               every worker has done so, nobody reads what was unpublished before: the grace
 *               period of this engine.
 *   beat        The engine's main thread says every LB_PAGE_BEAT_NS that it lives and which worker,
 *               if any, hasn't gone a round for LB_PAGE_STALL_NS.
 *   probe       The control plane writes a frame and raises `asked`; the main thread runs it over
 *               the tables as a worker would, without sending it, and makes `answered` the same.
 */

#include "dataplane/core/memory.h"

#define LB_PAGE_NAME    "lb_page"
#define LB_PAGE_MAGIC   0x66776c62U /* "fwlb" */
#define LB_PAGE_VERSION 1U

#define LB_PAGE_BEAT_NS  20000000ULL
#define LB_PAGE_STALL_NS 500000000ULL
/* Not heard of for this long, whether there still is a process is worth a look. */
#define LB_PAGE_LATE_NS  80000000ULL
/* An engine that hasn't said so for this long doesn't live. */
#define LB_PAGE_DEAD_NS  500000000ULL
/* So long an engine that starts may leave its interfaces without a program before XDP is held to
 * forward no more. */
#define LB_PAGE_GAP_NS   500000000ULL

#define LB_PAGE_WORKERS_MAX 128U
#define LB_PAGE_PORTS_MAX   16U
#define LB_PAGE_NAME_LEN    64U
#define LB_PAGE_FRAME_MAX   2048U

/* enum lb_page_state, in the order of an engine's life. */
enum lb_page_state {
	LB_PAGE_NONE,     /* no engine has been here */
	LB_PAGE_STARTING, /* ports and workers are being made */
	LB_PAGE_RUNNING,
	LB_PAGE_STOPPING, /* asked to end: traffic should go elsewhere */
	LB_PAGE_ENDED,    /* has ended by itself */
};

/* One port of the engine: a network card, and the interface that the kernel knows it by. */
struct lb_page_port {
	__u32 ifindex; /* of that interface; 0: none */
	__u16 mtu;     /* largest IP packet */
	__u8 mac[6];
	__u32 link_up;
	__u32 queues;
	__u64 rx_missed;               /* frames that the card had no room for */
	__u64 rx_errors;               /* frames that the card found broken, or had no buffer for */
	char name[LB_PAGE_NAME_LEN];   /* DPDK's, e.g. 0000:3b:00.0 or net_af_xdp0 */
	char driver[LB_PAGE_NAME_LEN]; /* e.g. net_ice */
	char interface[LB_PAGE_NAME_LEN]; /* the kernel's */
};

/* One worker, on a cache line of its own. */
struct lb_page_worker {
	__u64 rounds;
	__u64 received;   /* frames from ports */
	__u64 sent;       /* frames that ports took */
	__u64 tx_dropped; /* frames that a port had no room for */
	__u64 to_kernel;  /* frames that the kernel got */
	__u64 from_kernel;
	__u64 kernel_dropped; /* frames that the kernel had no room for */
	__u32 cpu;
	__u32 thread; /* kernel's thread id */
};
LB_ASSERT_SIZE(struct lb_page_worker, 64);

/* The control plane writes the question and raises `asked`; the engine writes the answer and makes
 * `answered` the same. */
struct lb_page_probe {
	__u64 asked, answered;
	struct lb_moment moment;
	__u32 len;    /* of the frame, before and after */
	__u32 failed; /* the engine couldn't run it */
	struct lb_trace trace;
	__u8 frame[LB_PAGE_FRAME_MAX];
};

struct lb_page {
	/* By the control plane. */
	__u32 magic;
	__u32 version;
	__u64 generation; /* 0: there are no tables yet */
	struct lb_dims dims;
	__u64 reserved[2];
	/* By the engine. */
	struct {
		__u64 beat_ns;
		__u64 started_ns;
		__u64 generation;
		__u32 state; /* enum lb_page_state */
		__u32 pid;
		__u32 workers, ports;
		__u32 stalled;  /* number of a worker that stands still, plus one; 0: none */
		__u32 fallback; /* the kernel takes over where the engine ends: XDP, by itself */
		/* Since when the program that steers is off its interfaces, for the driver to take
		 * their place; 0: it isn't. */
		__u64 gap_ns;
		__u64 pid_ns; /* inode of its PID namespace: elsewhere its pid says nothing */
		char version[LB_PAGE_NAME_LEN];
		struct lb_page_port port[LB_PAGE_PORTS_MAX];
	} engine;
	/* By each worker. */
	struct lb_page_worker worker[LB_PAGE_WORKERS_MAX] __attribute__((aligned(64)));
	struct lb_page_probe probe __attribute__((aligned(64)));
};

#endif
