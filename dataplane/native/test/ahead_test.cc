/* SPDX-License-Identifier: BSD-2-Clause */
/* The steps that a burst takes one by one choose for each of its frames what the common way chooses
 * for it by itself, whatever stands before it in the burst. */
#include "dataplane/native/test/world_test.h"

namespace
{

class Ahead : public World
{
      protected:
	/* Runs them as one burst; how many were of the common kind. */
	unsigned burst(const std::vector<Bytes> &frames)
	{
		static const uint8_t nothing = 0;
		std::vector<core_bytes> list;
		uint32_t ahead[CORE_BURST_MAX], common[CORE_BURST_MAX];
		unsigned n = 0;

		EXPECT_LE(frames.size(), CORE_BURST_MAX);
		for (const Bytes &frame : frames)
			list.push_back({frame.empty() ? &nothing : frame.data(), frame.size()});
		core_ahead(&t, list.data(), (uint32_t)list.size(), ahead, common);
		for (size_t i = 0; i < frames.size(); i++) {
			EXPECT_EQ(ahead[i], common[i]) << "frame " << i;
			n += common[i] != 0;
		}
		return n;
	}

	/* Each kind of frame in front of each other, and of itself. */
	unsigned pairs(const std::vector<Bytes> &frames)
	{
		unsigned n = 0;

		for (const Bytes &first : frames)
			for (const Bytes &second : frames)
				n += burst({first, second, second});
		return n;
	}

	static Bytes with(Bytes frame, size_t at, uint8_t value)
	{
		frame[at] = value;
		return frame;
	}
};

TEST_F(Ahead, ChoosesAsTheCommonWayDoes)
{
	const std::vector<Bytes> frames = {
		ip_frame(4, 6, 1, tcp(80)),  ip_frame(4, 17, 1, udp(80, Bytes(20))),
		ip_frame(6, 6, 1, tcp(80)),  ip_frame(6, 17, 1, udp(80, Bytes(20))),
		ip_frame(4, 6, 1, tcp(81)),  ip_frame(6, 6, 1, tcp(82)),
		ip_frame(4, 6, 1, tcp(82)),  ip_frame(4, 6, 1, tcp(83)),
		ip_frame(4, 6, 4, tcp(80)),  ip_frame(6, 6, 4, tcp(80)), /* by another hash */
		ip_frame(4, 6, 1, tcp(90)),  ip_frame(4, 6, 1, tcp(85)), /* no real, no next hop */
		ip_frame(4, 6, 77, tcp(80)), ip_frame(6, 6, 77, tcp(80)),
		ip_frame(4, 6, 1, tcp(9)),
	};

	EXPECT_GT(pairs(frames), frames.size() * frames.size());
}

/* The same port of another VIP, whose address differs in one half. */
TEST_F(Ahead, TellsAdjacentVipsApart)
{
	const Bytes one = ip_frame(6, 6, 1, tcp(80));

	EXPECT_EQ(burst({one, with(one, 40, 0x77), one, with(one, 53, 9), one}), 4U);
	EXPECT_EQ(burst({ip_frame(4, 6, 1, tcp(80)), ip_frame(4, 6, 9, tcp(80)),
			 ip_frame(4, 6, 6, tcp(80)), ip_frame(4, 6, 1, tcp(80))}),
		  3U);
}

TEST_F(Ahead, LeavesOthersToAllTheRules)
{
	const Bytes four = ip_frame(4, 6, 1, tcp(80)), six = ip_frame(6, 6, 1, tcp(80));
	std::vector<Bytes> odd = {
		with(four, 0, 1),     /* multicast */
		with(four, 12, 0x81), /* not IP */
		with(four, 14, 0x46), /* options */
		with(four, 20, 0x20), /* a fragment */
		with(four, 23, 1),    /* ICMP */
		with(four, 26, 127),  /* from nowhere */
		with(four, 46, 0x40), /* TCP header too short */
		with(six, 14, 0x50),  /* version */
		with(six, 20, 44),    /* extension */
		with(six, 22, 0xff),  /* multicast source */
		with(six, 66, 0x40),  /* TCP header too short */
		Bytes(six.begin(), six.begin() + 60),
	};

	for (size_t len : {0, 13, 14, 33, 34, 53})
		odd.emplace_back(four.begin(), four.begin() + (ptrdiff_t)len);
	for (const Bytes &frame : odd)
		EXPECT_EQ(burst({four, frame, four, frame, six}), 3U);
}

/* Each after the other by every rule: the same reals, and the same flows are remembered. */
TEST_F(Ahead, AsksTheFlowTableInTrackedSlotsAsEveryRuleDoes)
{
	std::vector<Bytes> frames;

	for (int family : {4, 6}) {
		const size_t flags = family == 4 ? 47 : 67, port = family == 4 ? 35 : 55;

		for (unsigned value : {1, 2, 3, 2, 1}) {
			Bytes ack = with(ip_frame(family, 6, 1, tcp(80)), flags, 0x10);

			ack[port] = (uint8_t)value;
			frames.push_back(ack);
			frames.push_back(with(ack, flags, value == 2 ? 0x02 : 0x12));
		}
		frames.push_back(ip_frame(family, 17, 1, udp(80, Bytes(20))));
	}
	for (uint8_t slots :
	     {WORLD_SLOTS_SETTLED, WORLD_SLOTS_MOVED, WORLD_SLOTS_DIED, WORLD_SLOTS_NEW}) {
		struct world_state state = world_plain;
		std::vector<struct lb_bucket> flows(t.dims.flow_buckets);

		state.slots = slots;
		for (size_t i = 0; i < frames.size(); i += CORE_BURST_MAX / 2) {
			const size_t n = std::min<size_t>(CORE_BURST_MAX / 2, frames.size() - i);
			uint32_t ahead[CORE_BURST_MAX], common[CORE_BURST_MAX];
			std::vector<core_bytes> list;

			for (size_t k = i; k < i + n; k++)
				list.push_back({frames[k].data(), frames[k].size()});
			set(state);
			core_ahead(&t, list.data(), (uint32_t)n, ahead, common);
			std::copy(t.flows, t.flows + t.dims.flow_buckets, flows.begin());
			set(state);
			for (size_t k = 0; k < n; k++) {
				run(frames[i + k]);
				EXPECT_EQ(ahead[k], trace.real) << "frame " << i + k;
				EXPECT_EQ(common[k], 0U);
			}
			EXPECT_EQ(memcmp(flows.data(), t.flows,
					 flows.size() * sizeof(struct lb_bucket)),
				  0)
				<< "slots of kind " << (int)slots;
		}
	}
}

/* What the common way isn't for remembers nothing: every rule will be asked, from the start. */
TEST_F(Ahead, RemembersNothingOfWhatItLeaves)
{
	struct world_state state = world_plain;
	std::vector<struct lb_bucket> flows(t.dims.flow_buckets);

	state.slots = WORLD_SLOTS_MOVED;
	state.mtu = 40;
	set(state);
	std::copy(t.flows, t.flows + t.dims.flow_buckets, flows.begin());
	EXPECT_EQ(burst({ip_frame(4, 6, 1, tcp(80)), ip_frame(6, 6, 1, tcp(80))}), 0U);
	EXPECT_EQ(memcmp(flows.data(), t.flows, flows.size() * sizeof(struct lb_bucket)), 0);
}

TEST_F(Ahead, SurvivesTablesThatPointOutside)
{
	const Bytes frame = ip_frame(4, 6, 1, tcp(80));

	for (uint32_t i = 0; i < t.dims.slot_lines; i++)
		for (auto &slot : t.slots[i].slot)
			slot = LB_SLOT_REAL_MASK;
	EXPECT_EQ(burst({frame, frame}), 0U);
	for (uint32_t i = 1; i < t.dims.services; i++)
		t.services[i].ring_start = 0xffffff00U;
	EXPECT_EQ(burst({frame, frame}), 0U);
	for (uint32_t i = 0; i < t.dims.vip_entries; i++)
		if (t.vips[i].service != LB_SERVICE_NONE)
			t.vips[i].service = 0x7fffffff;
	EXPECT_EQ(burst({frame, frame}), 0U);
}

TEST_F(Ahead, CountsPacketsInARowAtOnceAndNoneOutsideTheRow)
{
	core_count_many(&t, 70, 3, 180);
	core_count_many(&t, 70, 2, 90);
	EXPECT_EQ(t.counters[70].packets, 5U);
	EXPECT_EQ(t.counters[70].bytes, 270U);
	core_count_many(&t, t.dims.counter_stride, 1, 1);
	EXPECT_EQ(t.counters[t.dims.counter_stride].packets, 0U) << "the next worker's row";
}

} // namespace
