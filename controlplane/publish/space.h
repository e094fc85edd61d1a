/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_SPACE_H
#define FAIRWAY_PUBLISH_SPACE_H

/*
 * Places in a table: which are free, in use, or given up but perhaps still being read. What is
 * given up becomes free only after a grace period: pending, then marked when the period begins,
 * then free when it ends.
 */

#include <stdbool.h>
#include <stdint.h>

enum space_state {
	SPACE_FREE,
	SPACE_USED,
	SPACE_PENDING,
	SPACE_MARKED,
};

struct space {
	uint8_t *state; /* one of enum space_state each */
	uint32_t n;
	uint32_t used; /* not free */
	uint32_t pending;
	uint32_t next; /* where the next search starts */
};

/* n places, the first `reserved` of them never given out. 0 or -ENOMEM. */
int space_init(struct space *s, uint32_t n, uint32_t reserved) __attribute__((warn_unused_result));
void space_fini(struct space *s);
/* More places; what is in use stays. 0 or -ENOMEM. */
int space_grow(struct space *s, uint32_t n) __attribute__((warn_unused_result));

/* Take `count` places in a row. 0 and the first, or -ENOSPC. */
int space_take(struct space *s, uint32_t count, uint32_t *ret_first)
	__attribute__((warn_unused_result));
/* Take these very places, which are free (adoption). */
void space_claim(struct space *s, uint32_t first, uint32_t count);
/* Give up places that readers may still use. */
void space_give(struct space *s, uint32_t first, uint32_t count);
/* Give back places that no reader ever saw. */
void space_undo(struct space *s, uint32_t first, uint32_t count);

void space_grace_begin(struct space *s);
void space_grace_end(struct space *s);

#endif
