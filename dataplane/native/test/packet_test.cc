/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames that end too early and tables that point outside themselves: a name for each. */
#include "dataplane/native/test/world_test.h"

namespace
{

class Packets : public World
{
      protected:
	/* The reason of a frame cut to a length; nothing of it may leave. */
	unsigned cut(const Bytes &frame, size_t len)
	{
		const Bytes shorter(frame.begin(), frame.begin() + (ptrdiff_t)len);
		const unsigned reason = run(shorter);

		EXPECT_EQ(trace.verdict, (uint32_t)LB_DROP) << len;
		EXPECT_EQ(out, shorter) << len;
		return reason;
	}

	/* A frame whose IP header says so itself. */
	static Bytes shortened(int family, unsigned protocol, const Bytes &l4, size_t bytes)
	{
		return ip_frame(family, protocol, 1,
				Bytes(l4.begin(), l4.begin() + (ptrdiff_t)bytes));
	}
};

TEST_F(Packets, CutAnywhereAreDroppedByWhereTheyEnd)
{
	const Bytes four = ip_frame(4, 6, 1, tcp(80)), six = ip_frame(6, 6, 1, tcp(80));

	for (size_t len = 0; len < four.size(); len++)
		EXPECT_EQ(cut(four, len), len < 14   ? LB_REASON_eth_truncated
					  : len < 34 ? LB_REASON_ip4_truncated
						     : LB_REASON_ip4_total_length)
			<< len;
	for (size_t len = 14; len < six.size(); len++)
		EXPECT_EQ(cut(six, len),
			  len < 54 ? LB_REASON_ip6_truncated : LB_REASON_ip6_payload_length)
			<< len;
}

TEST_F(Packets, CutInsideTheirTagsAreDropped)
{
	Bytes frame = ip_frame(4, 6, 1, tcp(80));
	const Bytes tags = {0x88, 0xa8, 0, 1, 0x81, 0, 0, 2};

	frame.insert(frame.begin() + 12, tags.begin(), tags.end());
	EXPECT_EQ(run(frame), LB_REASON_forwarded);
	for (size_t len = 14; len < 22; len++)
		EXPECT_EQ(cut(frame, len), LB_REASON_eth_truncated) << len;
	for (size_t len = 22; len < 42; len++)
		EXPECT_EQ(cut(frame, len), LB_REASON_ip4_truncated) << len;
}

TEST_F(Packets, ThatEndInsideTheirTransportHeaderAreDropped)
{
	for (int family : {4, 6}) {
		for (size_t bytes = 0; bytes < 20; bytes++)
			EXPECT_EQ(run(shortened(family, 6, tcp(80), bytes)), LB_REASON_l4_truncated)
				<< family << " tcp " << bytes;
		for (size_t bytes = 0; bytes < 8; bytes++) {
			EXPECT_EQ(run(shortened(family, 17, udp(80), bytes)),
				  LB_REASON_l4_truncated)
				<< family << " udp " << bytes;
			EXPECT_EQ(run(shortened(family, family == 4 ? 1 : 58,
						Bytes{8, 0, 0, 0, 0, 0, 0, 0}, bytes)),
				  LB_REASON_l4_truncated)
				<< family << " icmp " << bytes;
		}
	}
}

/* Padding may hide that a packet ends early: its IP header counts, not the frame. */
TEST_F(Packets, ThatEndInsideTheirTransportHeaderAreDroppedBehindPaddingToo)
{
	for (int family : {4, 6})
		for (size_t bytes = 0; bytes < 20; bytes++) {
			Bytes frame = shortened(family, 6, tcp(80), bytes);

			frame.resize(120);
			EXPECT_EQ(run(frame), LB_REASON_l4_truncated) << family << " " << bytes;
			frame = shortened(family, 17, udp(80), bytes < 8 ? bytes : 7);
			frame.resize(120);
			EXPECT_EQ(run(frame), LB_REASON_l4_truncated) << family << " " << bytes;
		}
}

TEST_F(Packets, ExtensionHeadersThatAreCutOffAreDropped)
{
	const Bytes chain = {60, 0, 0, 0, 0, 0, 0, 0, 6, 1, 0, 0,
			     0,  0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1};
	Bytes whole = chain, l4 = tcp(80);

	whole.insert(whole.end(), l4.begin(), l4.end());
	EXPECT_EQ(run(ip_frame(6, 0, 1, whole)), LB_REASON_forwarded);
	for (size_t bytes = 0; bytes < chain.size(); bytes++)
		EXPECT_EQ(run(shortened(6, 0, whole, bytes)), LB_REASON_ip6_extension) << bytes;
}

/* Jumbo frames come in several buffers, of which the program sees the first: headers have to be
 * there, the rest need not. */
TEST_F(Packets, InSeveralBuffersAreDecidedByTheFirstIfItHoldsTheHeaders)
{
	const Bytes whole = ip_frame(4, 6, 1, tcp(80, 0x10, 1200));
	const uint32_t bytes = (uint32_t)whole.size();

	EXPECT_EQ(core_decide(&t, &moment, {whole.data(), 54}, bytes), LB_REASON_forwarded);
	for (size_t seen = 42; seen < 54; seen++)
		EXPECT_EQ(core_decide(&t, &moment, {whole.data(), seen}, bytes),
			  LB_REASON_l4_truncated)
			<< seen;
	EXPECT_EQ(core_decide(&t, &moment, {whole.data(), 54}, bytes - 1),
		  LB_REASON_ip4_total_length);
}

TEST(PacketOffsets, EndWhereNoHonestPacketHasAHeader)
{
	const Bytes frame(0xf100);
	const struct core_bytes b = {frame.data(), frame.size()};

	EXPECT_TRUE(core_at(b, 0xf000, 0x100));
	EXPECT_FALSE(core_at(b, 0xf000, 0x101));
	EXPECT_FALSE(core_at(b, 0xf001, 1));
}

/* ---- tables that point outside ---- */

class Broken : public World
{
      protected:
	const Bytes frame = ip_frame(4, 6, 1, tcp(80)), six = ip_frame(6, 6, 1, tcp(80));
	const Bytes ping = ip_frame(4, 1, 1, Bytes{8, 0, 0, 0, 0, 0, 0, 0});
	/* An error about a packet that the service sent: its quote is the flow, turned round. */
	Bytes error() const
	{
		Bytes icmp = {3, 4, 0, 0, 0, 0, 5, 0}, quote(frame.begin() + 14, frame.end());

		std::swap_ranges(quote.begin() + 12, quote.begin() + 16, quote.begin() + 16);
		std::swap_ranges(quote.begin() + 20, quote.begin() + 22, quote.begin() + 22);
		icmp.insert(icmp.end(), quote.begin(), quote.end());
		return ip_frame(4, 1, 1, icmp);
	}
	void TearDown() override
	{
		t.dims = whole;
	}
	struct lb_dims whole = t.dims;
};

TEST_F(Broken, KeysThatNameNoServiceDropThePacket)
{
	for (uint32_t i = 0; i < t.dims.vip_entries; i++)
		if (t.vips[i].service != LB_SERVICE_NONE && t.vips[i].service != LB_SERVICE_DELETED)
			t.vips[i].service = t.dims.services;
	EXPECT_EQ(run(frame), LB_REASON_table_error);
	EXPECT_EQ(run(six), LB_REASON_table_error);
	EXPECT_EQ(run(ping), LB_REASON_table_error);
}

TEST_F(Broken, AnErrorAboutAFlowWhoseServiceIsNoneIsDropped)
{
	ASSERT_EQ(run(error()), LB_REASON_icmp_error);
	const uint32_t service = trace.service;

	for (uint32_t i = 0; i < t.dims.vip_entries; i++)
		if (t.vips[i].service == service)
			t.vips[i].service = t.dims.services;
	EXPECT_EQ(run(error()), LB_REASON_icmp_no_flow);
}

TEST_F(Broken, AnIndexThatIsFullEndsAProbe)
{
	for (uint32_t i = 0; i < t.dims.vip_entries; i++)
		t.vips[i].service = LB_SERVICE_DELETED;
	EXPECT_EQ(run(frame), LB_REASON_not_vip);
	EXPECT_EQ(run(six), LB_REASON_not_vip);
}

TEST_F(Broken, AsManyShapesAsThereIsRoomForAreTried)
{
	for (uint32_t i = 0; i < LB_SHAPES_MAX; i++)
		t.node->shapes4[i] = t.node->shapes6[i] = LB_SHAPE(31, i % 8);
	EXPECT_EQ(run(ip_frame(4, 6, 200, tcp(80))), LB_REASON_not_vip);
	EXPECT_EQ(run(ip_frame(6, 6, 200, tcp(80))), LB_REASON_not_vip);
}

TEST_F(Broken, SlotsThatNameNoRealDropThePacket)
{
	for (uint32_t i = 0; i < t.dims.slot_lines; i++)
		for (auto &slot : t.slots[i].slot)
			slot = LB_SLOT_REAL_MASK;
	EXPECT_EQ(run(frame), LB_REASON_table_error);
	EXPECT_EQ(run(error()), LB_REASON_table_error);
}

TEST_F(Broken, ACounterOutsideItsRowIsNotWritten)
{
	ASSERT_EQ(run(frame), LB_REASON_forwarded);
	t.services[trace.service].counter = t.dims.counter_stride;
	EXPECT_EQ(run(frame), LB_REASON_forwarded);
	EXPECT_EQ(t.counters[t.dims.counter_stride].packets, 0U) << "another row";
}

TEST_F(Broken, RingsOutsideTheSlotsHaveNoReal)
{
	t.dims.slot_lines = 0;
	EXPECT_EQ(run(frame), LB_REASON_no_real);
	EXPECT_EQ(run(six), LB_REASON_no_real);
}

TEST_F(Broken, AKeyIsFoundByAllOfIt)
{
	const uint32_t at = 3 % t.dims.vip_entries;
	struct lb_vip_entry *e = nullptr;

	for (uint32_t i = at; i < t.dims.vip_entries && !e; i++)
		if (t.vips[i].word >> 24 == LB_KEY_QUIC && t.vips[i].service <= WORLD_REAL_MAX)
			e = &t.vips[i];
	ASSERT_TRUE(e);
	EXPECT_EQ(core_key_find(&t, e->addr, e->word, e->scope), e->service);
	EXPECT_EQ(core_key_find(&t, e->addr, e->word, e->scope + 1), LB_SERVICE_NONE);
	EXPECT_EQ(core_key_find(&t, e->addr, e->word ^ 1, e->scope), LB_SERVICE_NONE);
}

/* Keys that differ in one part stand at the very place that is asked first. */
TEST_F(Broken, AKeyThatDiffersInOnePartIsAnother)
{
	for (int part = 0; part < 5; part++) {
		for (uint32_t i = 0; i < t.dims.vip_entries; i++) {
			struct lb_vip_entry *e = &t.vips[i];

			*e = {};
			e->addr[0] = htonl(part == 0 ? 9 : 1);
			e->addr[2] = htonl(part == 1 ? 9 : 2);
			e->word = part == 2 ? 9 : 3;
			e->scope = part == 3 ? 9 : 4;
			e->service = 7;
		}
		const __be32 addr[4] = {htonl(1), 0, htonl(2), 0};

		EXPECT_EQ(core_key_find(&t, addr, 3, 4), part == 4 ? 7 : LB_SERVICE_NONE) << part;
	}
}

TEST(KeyMask, KeepsLeadingBitsAcrossWords)
{
	const __be32 ones[4] = {~0U, ~0U, ~0U, ~0U};

	for (uint32_t prefix = 0; prefix <= 128; prefix++) {
		__be32 got[4];

		core_mask_addr(got, ones, prefix);
		for (uint32_t bit = 0; bit < 128; bit++)
			ASSERT_EQ(ntohl(got[bit / 32]) >> (31 - bit % 32) & 1, bit < prefix)
				<< prefix << " " << bit;
	}
}

TEST_F(Packets, WithoutHeadroomAreDroppedByThatName)
{
	Bytes b = ip_frame(4, 6, 1, tcp(80));
	struct native_frame f = {b.data(), b.size(), 19};

	native_process(&t, 0, &moment, &f, &trace);
	EXPECT_EQ(trace.reason, (uint32_t)LB_REASON_no_headroom);
	EXPECT_EQ(t.counters[LB_REASON_no_headroom].packets, 1U);
}

} // namespace
