/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

extern "C" {
#include "controlplane/bgp/rib.h"
}

namespace
{

struct prefix pfx(const std::string &text)
{
	struct prefix p;

	EXPECT_EQ(prefix_parse(text.c_str(), &p), 0) << text;
	return p;
}

uint32_t med_of(const uint8_t *p, const uint8_t *end)
{
	uint32_t med = 0;

	while (p < end) {
		size_t head = p[0] & 0x10 ? 4 : 3, len = head == 4 ? p[2] << 8 | p[3] : p[2];

		if (p[1] == 4)
			med = (uint32_t)p[head] << 24 | p[head + 1] << 16 | p[head + 2] << 8 |
			      p[head + 3];
		p += head + len;
	}
	return med;
}

/* Listens like a peer: prefix text to MED. */
class Rib : public testing::Test
{
      protected:
	struct rib rib;
	struct rib_out out;
	struct rib_session session = {false, true, 64512};
	std::map<std::string, uint32_t> peer;
	unsigned messages = 0, withdraws = 0;

	void SetUp() override
	{
		rib_init(&rib);
		rib_out_init(&out);
		family(4, "192.0.2.1");
		family(6, "2001:db8::1");
	}
	void TearDown() override
	{
		rib_out_fini(&out);
		rib_fini(&rib);
	}

	void family(uint8_t f, const char *hop)
	{
		struct rib_family how = {};

		how.sendable = hop != nullptr;
		if (hop) {
			ASSERT_EQ(addr_parse(hop, &how.next_hop), 0);
		}
		rib_out_set_family(&out, f, &how);
	}

	int set(const std::string &p, uint32_t med = 0)
	{
		struct bgp_attrs a = {};
		struct prefix prefix = pfx(p);

		a.has_med = med != 0;
		a.med = med;
		return rib_set(&rib, &prefix, &a);
	}

	bool unset(const std::string &p)
	{
		struct prefix prefix = pfx(p);

		return rib_unset(&rib, &prefix);
	}

	void nlri(const uint8_t *p, size_t len, uint8_t f, bool add, uint32_t med)
	{
		struct prefix prefix;
		char text[ADDR_STRLEN];
		int n;

		while ((n = bgp_nlri_next(p, len, f, &prefix)) > 0) {
			prefix_format(&prefix, text);
			if (add) {
				peer[text] = med;
			} else {
				EXPECT_EQ(peer.erase(text), 1u)
					<< "withdrawn but unknown: " << text;
				withdraws++;
			}
			p += n;
			len -= (size_t)n;
		}
		ASSERT_EQ(n, 0);
	}

	void take(const uint8_t *msg, size_t len)
	{
		const uint8_t *p = msg + 19, *end = msg + len;
		size_t n = p[0] << 8 | p[1];

		nlri(p + 2, n, 4, false, 0);
		p += 2 + n;
		n = p[0] << 8 | p[1];
		p += 2;
		uint32_t med = med_of(p, p + n);
		for (const uint8_t *a = p; a < p + n;) {
			size_t head = a[0] & 0x10 ? 4 : 3, l = head == 4 ? a[2] << 8 | a[3] : a[2];

			if (a[1] == 14)
				nlri(a + head + 21, l - 21, 6, true, med);
			if (a[1] == 15)
				nlri(a + head + 3, l - 3, 6, false, 0);
			a += head + l;
		}
		nlri(p + n, (size_t)(end - p) - n, 4, true, med);
	}

	void drain(unsigned limit = 100000)
	{
		struct bgp_update_builder b;
		int len;

		while (limit-- && (len = rib_out_next(&out, &rib, &session, &b)) != 0) {
			ASSERT_GT(len, 0);
			take(b.buf, (size_t)len);
			messages++;
		}
	}
};

} // namespace

TEST_F(Rib, ThePeerLearnsWhatIsOffered)
{
	EXPECT_EQ(set("203.0.113.80"), 1);
	EXPECT_EQ(set("2001:db8::80", 7), 1);
	drain();
	EXPECT_EQ(peer, (std::map<std::string, uint32_t>{{"203.0.113.80/32", 0},
							 {"2001:db8::80/128", 7}}));
	EXPECT_EQ(messages, 2u);
}

TEST_F(Rib, SayingItAgainSendsNothing)
{
	EXPECT_EQ(set("203.0.113.80", 5), 1);
	drain();
	EXPECT_EQ(set("203.0.113.80", 5), 0);
	drain();
	EXPECT_EQ(messages, 1u);
	EXPECT_FALSE(unset("203.0.113.81"));
	drain();
	EXPECT_EQ(messages, 1u);
}

TEST_F(Rib, AWithdrawTakenBackInTimeIsNeverSent)
{
	ASSERT_EQ(set("203.0.113.80"), 1);
	drain();
	EXPECT_TRUE(unset("203.0.113.80"));
	EXPECT_EQ(set("203.0.113.80"), 1);
	withdraws = 0;
	drain();
	EXPECT_EQ(withdraws, 0u);
	EXPECT_EQ(peer.size(), 1u);
}

TEST_F(Rib, ManyPrefixesShareMessages)
{
	for (int i = 0; i < 2000; i++)
		ASSERT_EQ(set("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)),
			  1);
	drain();
	EXPECT_EQ(peer.size(), 2000u);
	EXPECT_LE(messages, 3u);
	for (int i = 0; i < 2000; i++)
		EXPECT_TRUE(
			unset("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250)));
	messages = 0;
	drain();
	EXPECT_EQ(peer.size(), 0u);
	EXPECT_LE(messages, 3u);
}

TEST_F(Rib, AnUnsendableFamilyIsCountedAndWithdrawnWhenItWasSent)
{
	struct rib_counts counts;

	ASSERT_EQ(set("2001:db8::80"), 1);
	ASSERT_EQ(set("203.0.113.80"), 1);
	drain();
	family(6, nullptr);
	drain();
	EXPECT_EQ(peer.size(), 1u);
	rib_out_count(&out, &rib, &counts);
	EXPECT_EQ(counts.announced, 1u);
	EXPECT_EQ(counts.unsendable[0], 0u);
	EXPECT_EQ(counts.unsendable[1], 1u);
	EXPECT_EQ(counts.pending, 0u);
	family(6, "2001:db8::2");
	drain();
	EXPECT_EQ(peer.size(), 2u);
}

TEST_F(Rib, RefreshRepeatsOneFamily)
{
	ASSERT_EQ(set("2001:db8::80"), 1);
	ASSERT_EQ(set("203.0.113.80"), 1);
	drain();
	messages = 0;
	rib_out_refresh(&out, 6);
	drain();
	EXPECT_EQ(messages, 1u);
	rib_out_reset(&out);
	peer.clear();
	family(4, "192.0.2.1");
	drain();
	EXPECT_EQ(peer.size(), 1u);
}

/* Whatever order changes come in, and however little is sent between them, the peer ends up with
 * exactly the offer. */
TEST_F(Rib, AfterAnyHistoryThePeerEqualsTheOffer)
{
	std::mt19937 rng(1);
	std::map<std::string, uint32_t> offer;

	for (int i = 0; i < 5000; i++) {
		unsigned n = rng() % 300;
		std::string p = n % 2 ? "10.1.2." + std::to_string(n / 2) + "/32"
				      : "2001:db8::" + std::to_string(n / 2 + 1) + "/128";

		if (rng() % 3) {
			uint32_t med = rng() % 4 + 1;

			ASSERT_GE(set(p, med), 0);
			offer[p] = med;
		} else {
			EXPECT_EQ(unset(p), offer.erase(p) == 1);
		}
		if (rng() % 40 == 0)
			rib_out_refresh(&out, rng() % 2 ? 4 : 6);
		if (rng() % 10 == 0)
			drain(rng() % 4);
	}
	drain();
	EXPECT_EQ(peer, offer);
}
