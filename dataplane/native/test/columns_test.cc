/* SPDX-License-Identifier: BSD-2-Clause */
/* Fields side by side lead to the reals and the headers that each frame by itself is led to. */
#include "dataplane/native/test/world_test.h"

namespace
{

constexpr uint32_t IFACE = 1;

class Columns : public World
{
      protected:
	bool columns(const std::vector<Bytes> &frames)
	{
		std::vector<core_bytes> list;

		for (const Bytes &frame : frames)
			list.push_back({frame.data(), frame.size()});
		column.assign(frames.size(), {});
		return core_columns(&t, list.data(), (uint32_t)list.size(), IFACE, column.data());
	}

	/* As by itself, headers and all. */
	void expect_as_alone(const std::vector<Bytes> &frames)
	{
		ASSERT_TRUE(columns(frames));
		EXPECT_TRUE(column[0].all);
		for (size_t i = 0; i < frames.size(); i++) {
			EXPECT_TRUE(column[i].fits) << i;
			ASSERT_EQ(run(frames[i]), (unsigned)LB_REASON_forwarded) << i;
			EXPECT_EQ(column[i].real, trace.real) << i;
			EXPECT_EQ(memcmp(column[i].outer, &out[14], 16), 0) << i;
		}
	}

	/* No frame of all of them fits, though they are of one key and of the common kind. */
	void expect_none_fits(const Bytes &frame)
	{
		ASSERT_TRUE(columns({frame, frame}));
		EXPECT_FALSE(column[0].all);
		EXPECT_FALSE(column[0].fits);
		EXPECT_FALSE(column[1].fits);
	}

	std::vector<core_column> column;
};

Bytes with(Bytes frame, size_t at, uint8_t value)
{
	frame.at(at) = value;
	return frame;
}

TEST_F(Columns, LeadEachFrameWhereItGoesByItself)
{
	for (const Bytes &one :
	     {ip_frame(4, 6, 1, tcp(80)), ip_frame(4, 17, 1, udp(80, Bytes(20)))}) {
		std::vector<Bytes> frames;

		for (unsigned i = 0; i < 20; i++) {
			Bytes frame = with(one, 35, (uint8_t)(37 * i)); /* port */

			frame[15] = (uint8_t)i;             /* TOS */
			frame[19] = (uint8_t)(i * 11);      /* ID */
			frame[20] = i % 2 ? 0x40 : 0;       /* DF */
			frame[29] = (uint8_t)(i * 7);       /* source */
			frame.resize(frame.size() + i % 4); /* padding */
			frames.push_back(frame);
		}
		expect_as_alone(frames);
	}
}

TEST_F(Columns, AreOfOneKeyAndOfTheCommonKindOrNothing)
{
	const Bytes one = ip_frame(4, 6, 1, tcp(80)),
		    udp80 = ip_frame(4, 17, 1, udp(80, Bytes(20)));
	const std::vector<Bytes> odd = {
		with(one, 0, 1),     /* for many */
		with(one, 12, 0x86), /* EtherType */
		with(one, 14, 0x46), /* options */
		with(one, 17, 0xff), /* longer than the frame */
		with(one, 17, 39),   /* shorter than its TCP header */
		with(one, 20, 0x20), /* a fragment */
		with(one, 23, 1),    /* ICMP */
		with(one, 26, 127),  /* from nowhere */
		with(one, 33, 2),    /* another VIP */
		with(one, 37, 81),   /* another port */
		with(one, 46, 0x40), /* TCP header too short */
		with(one, 46, 0xf0), /* and too long */
		Bytes(one.begin(), one.begin() + 53),
		udp80,
	};

	ASSERT_TRUE(columns({one, one, one}));
	for (size_t i = 0; i < odd.size(); i++)
		EXPECT_FALSE(columns({one, odd[i], one})) << i;
	EXPECT_FALSE(columns({udp80, with(udp80, 39, 7)})) << "UDP length too short";
	EXPECT_FALSE(columns({udp80, with(udp80, 39, 99)})) << "and too long";
	EXPECT_FALSE(columns({ip_frame(4, 6, 1, tcp(8080))})) << "no service";
}

TEST_F(Columns, FitWhereAllGoIntoAnIpv4TunnelAndOutOfOneInterface)
{
	struct world_state state = world_plain;

	expect_none_fits(ip_frame(4, 6, 1, tcp(81))); /* tunnel to IPv6 */
	expect_none_fits(ip_frame(4, 6, 1, tcp(82))); /* none */
	expect_none_fits(ip_frame(4, 6, 1, tcp(86))); /* another interface */
	state.mtu = 59;
	set(state);
	expect_none_fits(ip_frame(4, 6, 1, tcp(80)));
	state.mtu = 60;
	set(state);
	expect_as_alone({ip_frame(4, 6, 1, tcp(80))});
}

} // namespace
