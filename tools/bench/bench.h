/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_BENCH_H
#define FAIRWAY_BENCH_BENCH_H

/*
 * fairway-bench holds XDP programs against each other in one run, see main.c. These are its parts:
 *
 * Instructions instead of nanoseconds: count.c, with packets of frames.c, in the machine of vm.c.
 *
 *   tables.c    the tables that every program of this build reads, through the publisher
 *   scenario.c  what is sent
 *   target.c    the programs: this build's, object files, pinned ones
 *   measure.c   rounds in turns
 *   report.c    table and JSON
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/base/err.h"
#include "dataplane/xdp/engine.h"

/* ---- tables ---- */

struct bench_tables;

/* The engine with its tables full: 100 reals a pool, rings of 65537 slots. bpffs: where to pin
 * everything, or NULL. */
int bench_tables_new(const char *bpffs, struct bench_tables **ret_tables, struct err *err)
	__attribute__((warn_unused_result));
void bench_tables_free(struct bench_tables *t);
struct xdp_engine *bench_tables_engine(struct bench_tables *t);

/* VIPs, each with TCP and UDP port 443. */
#define BENCH_VIP4       "203.0.113.0"  /* and the 255 addresses behind it: IPv4 reals */
#define BENCH_VIP4_TO_6  "198.51.100.0" /* IPv6 reals */
#define BENCH_VIP6       "2001:db8::50" /* IPv6 reals */
#define BENCH_VIP6_TO_4  "2001:db8::51" /* IPv4 reals */
#define BENCH_VIP4_L2DSR "198.51.100.1"
#define BENCH_VIP4_MOVED "198.51.100.2" /* most slots have changed since the ring was built */
#define BENCH_VIPS_BUSY  256

/* ---- scenarios ---- */

struct bench_scenario {
	const char *name;
	const char *help;
	uint32_t flows;
	uint32_t vips;   /* that many addresses from vip on */
	const char *vip; /* the family of packets is its */
	uint8_t protocol;
	uint8_t tcp_flags;
	uint8_t grow_bytes; /* of the header that the program puts before a packet */
};

/* In the order of the report; the last one's name is NULL. */
extern const struct bench_scenario bench_scenarios[];

/* ---- programs ---- */

struct bench_target {
	char *name;
	int prog_fd;
};

/* A program by its path: a pin on a bpffs, or an object file (*.o) that is loaded over the tables
 * of this build and must have been compiled for their layout. "name=path" names it in the report.
 */
int bench_target_open(struct bench_target *target, const char *path, struct xdp_engine *engine,
		      struct err *err) __attribute__((warn_unused_result));
/* The program that the engine has loaded. */
int bench_target_engine(struct bench_target *target, struct xdp_engine *engine, struct err *err)
	__attribute__((warn_unused_result));
void bench_target_fini(struct bench_target *target);

/* ---- measuring ---- */

/* CPU time per packet of the rounds, ascending. */
struct bench_figure {
	double *ns;
	size_t rounds;
};

/* What one scenario gave. */
struct bench_result {
	const struct bench_scenario *scenario;
	struct bench_figure harness, floor;
	struct bench_figure *targets; /* one for each, in their order */
	size_t n_targets;
};

struct bench_plan {
	const struct bench_target *targets;
	size_t n_targets;
	size_t rounds;
	uint32_t packets; /* in a round */
	/* Let each frame's headers reach the cache before the program reads them, as those that a
	 * network card has written: a load of bytes that several stores have just written waits. */
	bool settle;
};

/* Once before measuring: go into an empty network namespace, where the wrapper can be attached. */
int bench_measure_init(struct err *err) __attribute__((warn_unused_result));
int bench_measure(const struct bench_plan *plan, const struct bench_scenario *scenario,
		  struct bench_result *ret_result, struct err *err)
	__attribute__((warn_unused_result));
void bench_result_fini(struct bench_result *result);

/* ---- report ---- */

/* Net of the harness: the quickest round against the quickest, and the tenth part's against the
 * tenth part's. */
void bench_report_table(const struct bench_plan *plan, const struct bench_result *results, size_t n,
			FILE *out);
int bench_report_json(const struct bench_plan *plan, const struct bench_result *results, size_t n,
		      FILE *out, struct err *err) __attribute__((warn_unused_result));

#endif
