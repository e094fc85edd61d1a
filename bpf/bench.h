/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_BPF_BENCH_H
#define FAIRWAY_BPF_BENCH_H

#include <linux/types.h>

#define BENCH_HEADER_MAX 120

/* A frame for bench.bpf.c: as much of it as the program under test looks at, and what that program
 * does to its length. */
struct bench_frame {
	__u16 len;
	__u16 len_after; /* without what was put before it: shorter where padding was cut off */
	__u16 grown;     /* what was put before it */
	__u16 header_bytes;
	__u8 header[BENCH_HEADER_MAX];
};

#endif
