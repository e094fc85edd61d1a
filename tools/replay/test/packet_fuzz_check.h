/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_PACKET_FUZZ_CHECK_H
#define FAIRWAY_REPLAY_TEST_PACKET_FUZZ_CHECK_H

/*
 * What must hold of a frame that went through the core, whatever it was. It reads packets by itself
 * and shares no packet code with the core, only the layout of the tables.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dataplane/core/memory.h"

#define FUZZ_MUST(condition)                                                                       \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__,          \
				#condition);                                                       \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct fuzz_bytes {
	const uint8_t *at;
	size_t len;
};

/* abort() when a promise is broken: lengths, checksums, addresses, and each byte that is to stay as
 * it was. */
void fuzz_check_frame(const struct lb_tables *t, const struct lb_trace *trace, struct fuzz_bytes in,
		      struct fuzz_bytes out);

/* Row 0 of the counters has this packet and nothing else. */
void fuzz_check_counters(const struct lb_tables *t, const struct lb_trace *trace,
			 struct fuzz_bytes in);

#endif
