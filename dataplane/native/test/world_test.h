/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NATIVE_TEST_WORLD_TEST_H
#define FAIRWAY_NATIVE_TEST_WORLD_TEST_H

/* Tables of world.h and frames for them, for googletest. */

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <cstring>
#include <vector>

extern "C" {
#include "dataplane/core/reasons.h"
#include "dataplane/native/native.h"
#include "dataplane/native/test/core.h"
#include "dataplane/native/test/world.h"
}

using Bytes = std::vector<uint8_t>;

class World : public testing::Test
{
      protected:
	World()
	{
		const struct lb_dims dims = world_dims();

		if (native_tables_init(&t, &dims) < 0)
			abort();
		world_write(&t);
	}
	~World() override
	{
		core_race = nullptr;
		native_tables_fini(&t);
	}

	void set(const struct world_state &state)
	{
		world_set(&t, &state);
	}

	/* The reason that a frame meets; what became of it is in `out`. */
	unsigned run(const Bytes &frame, bool question = false)
	{
		Bytes buffer(NATIVE_HEADROOM);
		struct native_frame f = {nullptr, frame.size(), NATIVE_HEADROOM};

		buffer.insert(buffer.end(), frame.begin(), frame.end());
		f.data = buffer.data() + NATIVE_HEADROOM;
		moment.question = question;
		native_process(&t, 0, &moment, &f, &trace);
		out.assign(f.data, f.data + f.len);
		return trace.reason;
	}

	struct lb_tables t = {};
	struct lb_moment moment = {3600000000000ULL, 0, 0};
	struct lb_trace trace = {};
	Bytes out;
};

inline void add16(Bytes &b, unsigned v)
{
	b.push_back((uint8_t)(v >> 8));
	b.push_back((uint8_t)v);
}

inline void add32(Bytes &b, uint32_t v)
{
	add16(b, v >> 16);
	add16(b, v & 0xffff);
}

/* An Ethernet header, and an IP header from a client to a VIP before what it carries. */
inline Bytes ip_frame(int family, unsigned protocol, unsigned vip, const Bytes &carried)
{
	Bytes b = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 0x99};

	add16(b, family == 4 ? 0x0800 : 0x86dd);
	if (family == 4) {
		add16(b, 0x4500);
		add16(b, 20 + (unsigned)carried.size());
		add32(b, 0x12344000);
		add32(b, 57U << 24 | protocol << 16);
		add32(b, 0xc6336407);
		add32(b, 0xcb007100 + vip);
	} else {
		add32(b, 0x60000000);
		add16(b, (unsigned)carried.size());
		add16(b, protocol << 8 | 57);
		for (uint32_t word :
		     {0x20010db8U, 0x000c0000U, 0U, 7U, 0x20010db8U, 0x00800000U, 0U})
			add32(b, word);
		add32(b, vip);
	}
	b.insert(b.end(), carried.begin(), carried.end());
	return b;
}

inline Bytes tcp(unsigned port, unsigned flags = 0x10, size_t payload = 0)
{
	Bytes b;

	add16(b, 40000);
	add16(b, port);
	add32(b, 1);
	add32(b, 2);
	add16(b, 0x5000 | flags);
	add16(b, 0xffff);
	add32(b, 0);
	b.resize(b.size() + payload, 0x5a);
	return b;
}

inline Bytes udp(unsigned port, const Bytes &payload = {})
{
	Bytes b;

	add16(b, 40000);
	add16(b, port);
	add16(b, 8 + (unsigned)payload.size());
	add16(b, 0);
	b.insert(b.end(), payload.begin(), payload.end());
	return b;
}

/* The one's complement sum of big-endian words, as a checksum field has it when the field is 0. */
inline unsigned checksum_of(const uint8_t *p, size_t len, uint32_t sum = 0)
{
	for (size_t i = 0; i < len; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum & 0xffff;
}

#endif
