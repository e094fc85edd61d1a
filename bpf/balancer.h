/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_BPF_BALANCER_H
#define FAIRWAY_BPF_BALANCER_H

#include <linux/types.h>

/* What the loader tells the XDP balancer of its tables; elements of each, unless it says otherwise.
 */
struct lb_constants {
	__u32 vips_mask; /* elements minus one */
	__u32 services;
	__u32 reals;
	__u32 denied_mask; /* elements minus one */
	__u32 limits;
	__u32 slots;          /* 0: each line of slots is an element of its own */
	__u32 counter_rows;   /* 0: each row of counters is an element of its own */
	__u32 counter_stride; /* counters in a row */
	__u32 counter_row_bytes;
	__u32 counters_first_real; /* number of real 0's counter in a row */
};

#endif
