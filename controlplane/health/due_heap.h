/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_DUE_HEAP_H
#define FAIRWAY_HEALTH_DUE_HEAP_H

/* What is due next among thousands: a binary heap of nodes embedded in their owners. One timer for
 * all of them replaces thousands of libuv timers, each of which would have to be closed through the
 * loop before its owner could be freed. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due {
	uint64_t at_ns;
	size_t slot; /* where the heap holds it; DUE_NOWHERE when it doesn't */
};

#define DUE_NOWHERE SIZE_MAX

struct due_heap {
	struct due **nodes;
	size_t count;
	size_t room;
};

/* A zeroed heap is an empty one. */
void due_heap_fini(struct due_heap *heap);

/* Put node in; it must be in no heap. 0 or -ENOMEM. */
int due_heap_add(struct due_heap *heap, struct due *node, uint64_t at_ns)
	__attribute__((warn_unused_result));
/* Change when a node that is in the heap is due. */
void due_heap_move(struct due_heap *heap, struct due *node, uint64_t at_ns);
/* Take node out; nothing happens if it is in no heap. */
void due_heap_remove(struct due_heap *heap, struct due *node);
/* The earliest, or NULL. */
struct due *due_heap_first(const struct due_heap *heap);

#endif
