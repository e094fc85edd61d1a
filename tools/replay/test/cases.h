/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_TEST_CASES_H
#define FAIRWAY_REPLAY_TEST_CASES_H

/* The table of packets that every engine is held to: one packet, what is said about it, and what
 * leaves. cases.cc is the table and the configuration it runs on. */

#include <ostream>
#include <vector>

#include "tools/replay/test/packet_builder.h"

/* How a packet leaves. */
enum class Way {
	none,
	ipip4,  /* in an IPv4 header to 10.0.0.11 */
	ipip6,  /* in an IPv6 header to 2001:db8:1::11 */
	l2dsr4, /* unchanged, to the MAC address of 10.0.0.11 */
	l2dsr6, /* unchanged, to the MAC address of 2001:db8:1::11 */
};

struct Case {
	const char *name;
	Packet packet;
	const char *verdict, *reason;
	const char *vip;            /* NULL: none */
	Way way = Way::none;        /* with verdict "forward" */
	const char *real = nullptr; /* with another verdict, where a real was chosen all the same */
};

inline std::ostream &operator<<(std::ostream &out, const Case &c)
{
	return out << c.name;
}

extern const char *const cases_config;
extern const std::vector<Case> cases;

/* The frame that must leave, with zeros where the contract leaves bits open. */
Bytes expected_frame(const Case &c);
/* Zero in a frame what the contract leaves open: an IPv6 flow label, and the ID of an outer IPv4
 * header. */
Bytes without_free_bits(Bytes frame, const Case &c);

#endif
