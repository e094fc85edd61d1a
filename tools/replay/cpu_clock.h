/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_CPU_CLOCK_H
#define FAIRWAY_REPLAY_CPU_CLOCK_H

#include <stdint.h>
#include <time.h>

/* The CPU time of this thread, in the kernel and outside: what it waits for others doesn't count.
 */
static inline uint64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

#endif
