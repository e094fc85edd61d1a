/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

extern "C" {
#include "controlplane/health/due_heap.h"
}

namespace
{

TEST(DueHeap, EmptyHeapHasNoFirst)
{
	struct due_heap heap = {};
	struct due node = {0, DUE_NOWHERE};

	EXPECT_EQ(due_heap_first(&heap), nullptr);
	due_heap_remove(&heap, &node);
	due_heap_fini(&heap);
}

TEST(DueHeap, FirstIsAlwaysTheEarliestThroughAddMoveAndRemove)
{
	std::mt19937_64 random(7);
	std::vector<struct due> nodes(500);
	std::multiset<uint64_t> expected;
	struct due_heap heap = {};

	for (auto &node : nodes)
		node.slot = DUE_NOWHERE;
	for (int i = 0; i < 50000; i++) {
		struct due &node = nodes[random() % nodes.size()];
		uint64_t at = random() % 1000;

		if (node.slot == DUE_NOWHERE) {
			ASSERT_EQ(due_heap_add(&heap, &node, at), 0);
			expected.insert(at);
		} else {
			expected.erase(expected.find(node.at_ns));
			if (random() % 2) {
				due_heap_move(&heap, &node, at);
				expected.insert(at);
			} else {
				due_heap_remove(&heap, &node);
			}
		}
		ASSERT_EQ(heap.count, expected.size());
		if (!expected.empty()) {
			ASSERT_EQ(due_heap_first(&heap)->at_ns, *expected.begin());
		}
	}
	due_heap_fini(&heap);
}

} // namespace
