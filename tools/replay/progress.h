/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_PROGRESS_H
#define FAIRWAY_REPLAY_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* How far long work has come: one line that is rewritten on a terminal, else a line now and then.
 * Work of less than a second says nothing unless it is asked to. */
struct progress {
	FILE *out; /* NULL: say nothing */
	bool terminal, asked, shown;
	uint64_t start_ns, shown_ns;
};

/* What there is to tell; bytes 0 of 0 where the size of the input isn't known. */
struct progress_state {
	uint64_t packets, bytes, bytes_in_all;
};

/* asked: also where out is no terminal. hushed: never on a terminal, which shows the answer. */
void progress_init(struct progress *p, FILE *out, bool asked, bool hushed);
void progress_step(struct progress *p, const struct progress_state *state);
/* Take the line away, or say the last one. */
void progress_end(struct progress *p, const struct progress_state *state);

#endif
