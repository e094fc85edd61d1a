/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/due_heap.h"

#include <errno.h>
#include <stdlib.h>

void due_heap_fini(struct due_heap *heap)
{
	free(heap->nodes);
	*heap = (struct due_heap){0};
}

static void place(struct due_heap *heap, struct due *node, size_t slot)
{
	heap->nodes[slot] = node;
	node->slot = slot;
}

static void sift_up(struct due_heap *heap, struct due *node)
{
	size_t slot = node->slot;

	while (slot > 0) {
		size_t parent = (slot - 1) / 2;

		if (heap->nodes[parent]->at_ns <= node->at_ns)
			break;
		place(heap, heap->nodes[parent], slot);
		slot = parent;
	}
	place(heap, node, slot);
}

static void sift_down(struct due_heap *heap, struct due *node)
{
	size_t slot = node->slot;

	for (;;) {
		size_t child = 2 * slot + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count &&
		    heap->nodes[child + 1]->at_ns < heap->nodes[child]->at_ns)
			child++;
		if (node->at_ns <= heap->nodes[child]->at_ns)
			break;
		place(heap, heap->nodes[child], slot);
		slot = child;
	}
	place(heap, node, slot);
}

int due_heap_add(struct due_heap *heap, struct due *node, uint64_t at_ns)
{
	if (heap->count == heap->room) {
		size_t room = heap->room ? 2 * heap->room : 64;
		struct due **nodes = reallocarray(heap->nodes, room, sizeof(*nodes));

		if (!nodes)
			return -ENOMEM;
		heap->nodes = nodes;
		heap->room = room;
	}
	node->at_ns = at_ns;
	place(heap, node, heap->count++);
	sift_up(heap, node);
	return 0;
}

void due_heap_move(struct due_heap *heap, struct due *node, uint64_t at_ns)
{
	node->at_ns = at_ns;
	sift_up(heap, node);
	sift_down(heap, node);
}

void due_heap_remove(struct due_heap *heap, struct due *node)
{
	struct due *last;
	size_t slot = node->slot;

	if (slot == DUE_NOWHERE)
		return;
	node->slot = DUE_NOWHERE;
	last = heap->nodes[--heap->count];
	if (last == node)
		return;
	place(heap, last, slot);
	sift_up(heap, last);
	sift_down(heap, last);
}

struct due *due_heap_first(const struct due_heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}
