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
 *   program.c   the programs: this build's, object files, pinned ones
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
#define BENCH_VIP4_GUE   "198.51.100.3" /* IPv4 reals, GUE */
#define BENCH_VIP6_GUE   "2001:db8::52" /* IPv6 reals, GUE */
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

/* A program to measure. */
struct bench_program {
	char *name;
	/* A pin on a bpffs, or an object file (*.o) that is loaded over the tables of this build
	 * and must have been compiled for their layout; '%' in it stands for the number of the
	 * loading. NULL: what this build's engine loads. */
	const char *path;
};

/* From "name=path", or a path that is its own name; the text must outlive it. NULL: this build's.
 */
int bench_program_init(struct bench_program *p, const char *text, struct err *err)
	__attribute__((warn_unused_result));
void bench_program_fini(struct bench_program *p);
/* Load or open it; *ret_fd is the caller's to close. */
int bench_program_load(const struct bench_program *p, size_t loading, struct xdp_engine *engine,
		       int *ret_fd, struct err *err) __attribute__((warn_unused_result));

/* ---- measuring ---- */

#define BENCH_LOADINGS_MAX 1000

struct bench_plan {
	const struct bench_program *programs;
	size_t n_programs;
	/* Where a program comes to lie in memory is worth some nanoseconds, so all is loaded
	 * several times. */
	size_t loadings;
	size_t rounds;    /* in a loading */
	uint32_t packets; /* in a round */
	/* Read the clock between writing a frame's headers and the program, so that the processor
	 * doesn't do one while it does the other. */
	bool settle;
};

/* CPU time per packet, the rounds of one loading behind those of the other, ascending in each. */
struct bench_figure {
	double *ns;
};

/* What one scenario gave. */
struct bench_result {
	const struct bench_scenario *scenario;
	struct bench_figure harness, floor;
	struct bench_figure *programs; /* in their order */
	size_t n_programs;
};

/* Once before measuring: go into an empty network namespace, where the wrapper can be attached. */
int bench_measure_init(struct err *err) __attribute__((warn_unused_result));
int bench_result_init(struct bench_result *result, const struct bench_plan *plan,
		      const struct bench_scenario *scenario, struct err *err)
	__attribute__((warn_unused_result));
void bench_result_fini(struct bench_result *result);
/* One loading: fds are the programs'. */
int bench_measure(const struct bench_plan *plan, size_t loading, const int *fds,
		  struct bench_result *result, struct err *err) __attribute__((warn_unused_result));

/* ---- report ---- */

/* Net of the harness: the quickest round of all against the harness's, and the median of the
 * loadings, each by its quickest round (in JSON also by the tenth part's). */
void bench_report_table(const struct bench_plan *plan, const struct bench_result *results, size_t n,
			FILE *out);
int bench_report_json(const struct bench_plan *plan, const struct bench_result *results, size_t n,
		      FILE *out, struct err *err) __attribute__((warn_unused_result));

#endif
