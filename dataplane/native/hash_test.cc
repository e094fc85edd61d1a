/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <functional>
#include <random>
#include <vector>

extern "C" {
#include "dataplane/core/hash.h"
#include "dataplane/core/tables.h"
}

namespace
{

constexpr uint32_t SLOTS = 65537;
constexpr uint32_t FLOWS = 20 * SLOTS;

struct Flow {
	uint32_t src, dst;
	uint16_t sport;
};

/* Traffic as regular as it gets, by number of the flow. */
const std::vector<std::pair<const char *, std::function<Flow(uint32_t)>>> kPatterns = {
	{"one client, then the next, all ports",
	 [](uint32_t i) {
		 return Flow{0x0a000000 + i / 60000, 0xcb007150, (uint16_t)(1024 + i % 60000)};
	 }},
	{"a client each, always the same port",
	 [](uint32_t i) {
		 return Flow{0x0a000000 + i, 0xcb007150, 40000};
	 }},
	{"256 clients, every fourth port",
	 [](uint32_t i) {
		 return Flow{0xc6336400 + (i & 255), 0xcb007150,
			     (uint16_t)(1024 + (i >> 8) * 4 % 64000)};
	 }},
	{"networks that differ in high bits, few ports",
	 [](uint32_t i) {
		 return Flow{i * 256u, 0xcb007150, (uint16_t)(5000 + i % 7)};
	 }},
	{"many VIPs",
	 [](uint32_t i) {
		 return Flow{0x0a000000 + i % 1000, 0xcb007100 + i % 256,
			     (uint16_t)(1024 + i / 1000 * 2)};
	 }},
};

struct lb_node random_keys(unsigned seed)
{
	std::mt19937_64 rng(seed);
	struct lb_node node = {};

	for (auto &key : node.hash_key)
		key = rng();
	node.hash_key[2] |= 1;
	node.hash_key[3] |= 1;
	return node;
}

/* Chi-squared over its degrees of freedom: about 1 for random throws. */
double unevenness(const std::vector<uint32_t> &bins)
{
	double expected = (double)FLOWS / (double)bins.size(), sum = 0;

	for (uint32_t n : bins)
		sum += ((double)n - expected) * ((double)n - expected) / expected;
	return sum / (double)(bins.size() - 1);
}

TEST(FlowHash, RegularTrafficSpreadsAsRandomTrafficWould)
{
	for (unsigned seed = 1; seed <= 4; seed++) {
		struct lb_node node = random_keys(seed);

		for (const auto &[name, flow] : kPatterns) {
			std::vector<uint32_t> slots(SLOTS), entropy(65536);

			for (uint32_t i = 0; i < FLOWS; i++) {
				Flow f = flow(i);
				uint64_t h = lb_hash_flow4(
					&node, htonl(f.src), htonl(f.dst),
					(uint32_t)htons(f.sport) << 16 | htons(443), 6);

				slots[lb_hash_slot(h, SLOTS)]++;
				entropy[lb_hash_entropy(h) & 0xffff]++;
			}
			EXPECT_LT(unevenness(slots), 1.1) << name << ", keys " << seed;
			EXPECT_LT(unevenness(entropy), 1.1) << name << ", keys " << seed;
		}
	}
}

} // namespace
