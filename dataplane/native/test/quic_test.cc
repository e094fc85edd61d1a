/* SPDX-License-Identifier: BSD-2-Clause */
/* QUIC by connection id. The ids of world.h: the real's number, then bytes of 0xa5, as long as the
 * rotation says: 4, 8, 15, none, 1, 16 (more than there may be). */
#include "dataplane/native/test/world_test.h"

namespace
{

class Quic : public World
{
      protected:
	/* The service for QUIC, by a packet to it. */
	uint32_t service()
	{
		EXPECT_EQ(run(ip_frame(4, 17, 5, udp(443))), LB_REASON_forwarded);
		return trace.service;
	}

	static Bytes packet(unsigned rotation, unsigned real, size_t id, unsigned first = 0x40)
	{
		Bytes b = udp(443);

		b.push_back((uint8_t)first);
		b.push_back((uint8_t)(rotation << 5 | 0x15));
		b.push_back((uint8_t)real);
		b.resize(b.size() + id - 1, 0xa5);
		return b;
	}

	uint32_t real_of(const Bytes &b, size_t less_frame = 0, size_t less_ip = 0)
	{
		const struct core_bytes frame = {b.data(), b.size() - less_frame};

		return core_quic_real(&t, frame, (uint32_t)(b.size() - less_ip), service_);
	}

	void SetUp() override
	{
		service_ = service();
	}
	uint32_t service_ = 0;
};

TEST_F(Quic, TheServerIdNamesTheRealInEachRotation)
{
	EXPECT_EQ(real_of(packet(0, WORLD_GUE4, 4)), (uint32_t)WORLD_GUE4);
	EXPECT_EQ(real_of(packet(1, WORLD_IPIP6, 8)), (uint32_t)WORLD_IPIP6);
	EXPECT_EQ(real_of(packet(2, WORLD_IPIP4, 15)), (uint32_t)WORLD_IPIP4);
	EXPECT_EQ(real_of(packet(4, WORLD_GUE6, 1)), (uint32_t)WORLD_GUE6);
}

TEST_F(Quic, RotationsWithoutOrWithTooLongIdsNameNobody)
{
	for (unsigned rotation : {3U, 5U, 6U, 7U})
		EXPECT_EQ(real_of(packet(rotation, WORLD_GUE4, 16)), 0U) << rotation;
}

TEST_F(Quic, AnIdOfAnotherRotationIsAnotherId)
{
	EXPECT_EQ(real_of(packet(1, WORLD_GUE4, 4), 0, 0), 0U);
}

TEST_F(Quic, LongHeadersGoByTheHash)
{
	EXPECT_EQ(real_of(packet(0, WORLD_GUE4, 4, 0xc0)), 0U);
}

TEST_F(Quic, UnknownAndDeadRealsAreNotChosen)
{
	EXPECT_EQ(real_of(packet(0, 0xee, 4)), 0U);
	EXPECT_EQ(real_of(packet(0, WORLD_DEAD, 4)), 0U);
}

TEST_F(Quic, AnIdIsReadNoFurtherThanThePacketNorTheFrame)
{
	const Bytes b = packet(0, WORLD_GUE4, 4);

	for (size_t less = 1; less <= 6; less++) {
		EXPECT_EQ(real_of(b, 0, less), 0U) << "IP ends " << less << " bytes early";
		EXPECT_EQ(real_of(b, less, 0), 0U) << "the frame ends " << less << " bytes early";
	}
	EXPECT_EQ(real_of(udp(443)), 0U);
}

TEST_F(Quic, TheRealStaysWhenTheClientsAddressAndPortChange)
{
	Bytes b = packet(0, WORLD_GUE6, 4);

	for (unsigned i = 0; i < 20; i++) {
		b[0] = (uint8_t)i;
		b[5] = (uint8_t)b.size();
		ASSERT_EQ(run(ip_frame(i % 2 ? 4 : 6, 17, 5, b)), LB_REASON_forwarded);
		EXPECT_EQ(trace.real, (uint32_t)WORLD_GUE6);
	}
}

} // namespace
