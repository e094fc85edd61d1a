/* SPDX-License-Identifier: BSD-2-Clause */
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

extern "C" {
#include "controlplane/bgp/wire.h"
}

namespace
{

using Bytes = std::vector<uint8_t>;

struct prefix pfx(const char *text)
{
	struct prefix p;

	EXPECT_EQ(prefix_parse(text, &p), 0) << text;
	return p;
}

struct addr ip(const char *text)
{
	struct addr a;

	EXPECT_EQ(addr_parse(text, &a), 0) << text;
	return a;
}

Bytes message(uint8_t type, const Bytes &body)
{
	size_t len = BGP_HEADER_LEN + body.size();
	Bytes m(16, 0xff);

	m.push_back((uint8_t)(len >> 8));
	m.push_back((uint8_t)len);
	m.push_back(type);
	m.insert(m.end(), body.begin(), body.end());
	return m;
}

Bytes operator+(Bytes a, const Bytes &b)
{
	a.insert(a.end(), b.begin(), b.end());
	return a;
}

Bytes be16(size_t v)
{
	return {(uint8_t)(v >> 8), (uint8_t)v};
}

/* An UPDATE from its three parts. The vector is exactly as long as the message, so that ASan sees
 * any read past it. */
Bytes update(const Bytes &withdrawn, const Bytes &attrs, const Bytes &nlri)
{
	return message(BGP_MSG_UPDATE,
		       be16(withdrawn.size()) + withdrawn + be16(attrs.size()) + attrs + nlri);
}

const Bytes kOrigin = {0x40, 1, 1, 0};
const Bytes kAsPath = {0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xe8};
const Bytes kNextHop = {0x40, 3, 4, 192, 0, 2, 1};
const Bytes kGood = kOrigin + kAsPath + kNextHop;

struct Result {
	int ret;
	struct bgp_update_summary sum;
	struct bgp_error error;
};

Result decode(const Bytes &m, bool as4 = true)
{
	Result r = {};

	r.ret = bgp_decode_update(m.data(), m.size(), as4, false, &r.sum, &r.error);
	return r;
}

void expect_reset(const Bytes &m, uint8_t subcode, const Bytes &data)
{
	Result r = decode(m);

	ASSERT_EQ(r.ret, -EPROTO);
	EXPECT_EQ(r.error.code, BGP_ERR_UPDATE);
	EXPECT_EQ(r.error.subcode, subcode) << r.error.detail;
	EXPECT_EQ(Bytes(r.error.data, r.error.data + r.error.data_len), data);
	EXPECT_STRNE(r.error.detail, "");
}

} // namespace

TEST(BgpHeader, WaitsForTheWholeMessage)
{
	Bytes m = message(BGP_MSG_KEEPALIVE, {});
	struct bgp_error e;
	uint8_t type = 0;

	for (size_t len = 0; len < m.size(); len++) {
		Bytes part(m.begin(), m.begin() + (long)len);

		EXPECT_EQ(bgp_decode_header(part.data(), len, &type, &e), 0) << len;
	}
	EXPECT_EQ(bgp_decode_header(m.data(), m.size(), &type, &e), 19);
	EXPECT_EQ(type, BGP_MSG_KEEPALIVE);
}

TEST(BgpHeader, RefusesABadMarkerAtItsFirstByte)
{
	struct bgp_error e;
	uint8_t type;
	Bytes http = {'G'};

	EXPECT_EQ(bgp_decode_header(http.data(), 1, &type, &e), -EPROTO);
	EXPECT_EQ(e.code, BGP_ERR_HEADER);
	EXPECT_EQ(e.subcode, BGP_HEADER_NOT_SYNCHRONIZED);
}

TEST(BgpHeader, RefusesLengthsThatTheTypeCannotHave)
{
	const struct {
		uint8_t type;
		uint16_t len;
	} bad[] = {{BGP_MSG_OPEN, 28},
		   {BGP_MSG_UPDATE, 22},
		   {BGP_MSG_NOTIFICATION, 20},
		   {BGP_MSG_KEEPALIVE, 20},
		   {BGP_MSG_KEEPALIVE, 18},
		   {BGP_MSG_UPDATE, 4097},
		   {BGP_MSG_ROUTE_REFRESH, 22},
		   {BGP_MSG_ROUTE_REFRESH, 24},
		   {BGP_MSG_OPEN, 0}};

	for (const auto &b : bad) {
		Bytes m = message(b.type, {});
		struct bgp_error e;
		uint8_t type;

		m[16] = (uint8_t)(b.len >> 8);
		m[17] = (uint8_t)b.len;
		EXPECT_EQ(bgp_decode_header(m.data(), m.size(), &type, &e), -EPROTO) << b.len;
		EXPECT_EQ(e.subcode, BGP_HEADER_BAD_LENGTH);
		ASSERT_EQ(e.data_len, 2);
		EXPECT_EQ(e.data[0] << 8 | e.data[1], b.len);
	}
}

TEST(BgpHeader, RefusesUnknownTypesAndNamesThem)
{
	for (uint8_t type : {0, 6, 255}) {
		Bytes m = message(type, {});
		struct bgp_error e;
		uint8_t got;

		EXPECT_EQ(bgp_decode_header(m.data(), m.size(), &got, &e), -EPROTO);
		EXPECT_EQ(e.subcode, BGP_HEADER_BAD_TYPE);
		ASSERT_EQ(e.data_len, 1);
		EXPECT_EQ(e.data[0], type);
	}
}

TEST(BgpOpen, SurvivesEncodingAndDecoding)
{
	for (uint32_t asn : {64512u, 4200000001u}) {
		struct bgp_open open = {asn, 0xc000020a, 9,
					BGP_CAP_IPV4_UNICAST | BGP_CAP_IPV6_UNICAST |
						BGP_CAP_FOUR_OCTET_AS | BGP_CAP_ROUTE_REFRESH};
		struct bgp_open got = {};
		struct bgp_error e;
		uint8_t buf[BGP_MESSAGE_MAX], type;
		size_t len = bgp_encode_open(&open, buf);
		Bytes m(buf, buf + len);

		ASSERT_EQ(bgp_decode_header(m.data(), m.size(), &type, &e), (int)len);
		ASSERT_EQ(bgp_decode_open(m.data(), m.size(), &got, &e), 0) << e.detail;
		EXPECT_EQ(got.asn, asn);
		EXPECT_EQ(got.router_id, open.router_id);
		EXPECT_EQ(got.hold_time_s, 9);
		EXPECT_EQ(got.capabilities, open.capabilities);
		EXPECT_EQ(buf[20] << 8 | buf[21], asn > 65535 ? BGP_AS_TRANS : (int)asn);
	}
}

TEST(BgpOpen, WithoutCapabilitiesMeansIpv4Only)
{
	Bytes m = message(BGP_MSG_OPEN, {4, 0xfd, 0xe8, 0, 90, 1, 2, 3, 4, 0});
	struct bgp_open got;
	struct bgp_error e;

	ASSERT_EQ(bgp_decode_open(m.data(), m.size(), &got, &e), 0);
	EXPECT_EQ(got.asn, 65000u);
	EXPECT_EQ(got.capabilities, (uint32_t)BGP_CAP_IPV4_UNICAST);
}

TEST(BgpOpen, TakesExtendedParametersAndUnknownCapabilities)
{
	/* RFC 9072: length 255, type 255, real length; then one capabilities parameter with a
	 * 16-bit length that holds graceful restart (64) and IPv6. */
	Bytes caps = {64, 2, 0, 120, 1, 4, 0, 2, 0, 1};
	Bytes params = Bytes{2} + be16(caps.size()) + caps;
	Bytes m = message(BGP_MSG_OPEN, Bytes{4, 0xfd, 0xe8, 0, 90, 1, 2, 3, 4, 255, 255} +
						be16(params.size()) + params);
	struct bgp_open got;
	struct bgp_error e;

	ASSERT_EQ(bgp_decode_open(m.data(), m.size(), &got, &e), 0) << e.detail;
	EXPECT_EQ(got.capabilities, (uint32_t)BGP_CAP_IPV6_UNICAST);
}

TEST(BgpOpen, RefusesWhatIsMalformedWithTheRightSubcode)
{
	const Bytes head = {4, 0xfd, 0xe8, 0, 90, 1, 2, 3, 4};
	const struct {
		Bytes body;
		uint8_t subcode;
		Bytes data;
	} bad[] = {
		{{3, 0xfd, 0xe8, 0, 90, 1, 2, 3, 4, 0}, BGP_OPEN_BAD_VERSION, {0, 4}},
		{head + Bytes{1}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{0, 7}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{2, 1, 0}, BGP_OPEN_BAD_PARAMETER, {}},
		{head + Bytes{2, 2, 5}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{3, 2, 1, 65}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{4, 2, 2, 65, 4}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{6, 2, 4, 65, 2, 0, 1}, BGP_OPEN_UNSPECIFIC, {}},
		{head + Bytes{7, 2, 5, 1, 3, 0, 1, 0}, BGP_OPEN_UNSPECIFIC, {}},
	};

	for (const auto &b : bad) {
		Bytes m = message(BGP_MSG_OPEN, b.body);
		struct bgp_open got;
		struct bgp_error e;

		EXPECT_EQ(bgp_decode_open(m.data(), m.size(), &got, &e), -EPROTO);
		EXPECT_EQ(e.code, BGP_ERR_OPEN);
		EXPECT_EQ(e.subcode, b.subcode) << e.detail;
		EXPECT_EQ(Bytes(e.data, e.data + e.data_len), b.data);
	}
}

TEST(BgpNotification, CarriesTheShutdownMessageBothWays)
{
	struct bgp_error e, got;
	uint8_t buf[BGP_MESSAGE_MAX];
	char text[1024];
	size_t len;

	bgp_error_set_shutdown(&e, BGP_CEASE_SHUTDOWN, "kernel update, back at 5");
	len = bgp_encode_notification(&e, buf);
	bgp_decode_notification(buf, len, &got);
	EXPECT_EQ(got.code, 6);
	EXPECT_EQ(got.subcode, 2);
	EXPECT_STREQ(got.detail, "\"kernel update, back at 5\"");
	EXPECT_STREQ(
		bgp_error_text(&got, false, text, sizeof(text)),
		"the peer ended it: Cease / administrative shutdown (6/2): \"kernel update, back "
		"at 5\"; an operator of the peer shut the session down and must bring it up "
		"again");
}

TEST(BgpNotification, CutsALongShutdownMessageBetweenCharacters)
{
	std::string text(254, 'a');
	struct bgp_error e;

	text += "\xc3\xa4"; /* U+00E4 would be bytes 255 and 256. */
	bgp_error_set_shutdown(&e, BGP_CEASE_SHUTDOWN, text.c_str());
	EXPECT_EQ(e.data[0], 254);
	EXPECT_EQ(e.data_len, 255);
}

TEST(BgpNotification, NeverShowsControlCharactersOfThePeer)
{
	Bytes m = message(BGP_MSG_NOTIFICATION, {6, 2, 4, 'a', 27, '\n', 'b'});
	struct bgp_error e;

	bgp_decode_notification(m.data(), m.size(), &e);
	EXPECT_STREQ(e.detail, "\"a..b\"");
	m = message(BGP_MSG_NOTIFICATION, {6, 2, 200, 'a'});
	bgp_decode_notification(m.data(), m.size(), &e);
	EXPECT_STREQ(e.detail, "");
	m = message(BGP_MSG_NOTIFICATION, {6, 1, 0, 2, 1, 0, 0, 0, 7});
	bgp_decode_notification(m.data(), m.size(), &e);
	EXPECT_STREQ(e.detail, "the peer takes at most 7 IPv6 prefixes");
}

TEST(BgpUpdate, AnnouncesIpv4ToAnEbgpPeerByteForByte)
{
	struct bgp_path path = {false, true, 64512, ip("192.0.2.10"), {}};
	struct bgp_update_builder b;

	path.attrs.has_med = 1;
	path.attrs.med = 7;
	path.attrs.n_communities = 1;
	path.attrs.communities[0] = 0xfc000007;
	bgp_update_announce(&b, &path);
	ASSERT_TRUE(bgp_update_add(&b, ([] {
		static auto p = pfx("203.0.113.80/32");
		return &p;
	})()));
	size_t len = bgp_update_finish(&b);
	Bytes attrs = {0x40, 1, 1,  0,    0x40, 2, 6, 2, 1, 0, 0,    0xfc, 0, 0x40, 3, 4, 192,
		       0,    2, 10, 0x80, 4,    4, 0, 0, 0, 7, 0xc0, 8,    4, 0xfc, 0, 0, 7};
	EXPECT_EQ(Bytes(b.buf, b.buf + len), update({}, attrs, {32, 203, 0, 113, 80}));
}

TEST(BgpUpdate, AnnouncesIpv6InMpReachFirst)
{
	struct bgp_path path = {true, true, 64512, ip("2001:db8::10"), {}};
	struct prefix p = pfx("2001:db8:1::/48");
	struct bgp_update_builder b;

	bgp_update_announce(&b, &path);
	ASSERT_TRUE(bgp_update_add(&b, &p));
	size_t len = bgp_update_finish(&b);
	Bytes attrs = Bytes{0x90, 14, 0, 28, 0, 2, 1, 16,   0x20, 1,  0xd,  0xb8, 0,   0,    0, 0,
			    0,    0,  0, 0,  0, 0, 0, 0x10, 0,    48, 0x20, 1,    0xd, 0xb8, 0, 1} +
		      Bytes{0x40, 1, 1, 0, 0x40, 2, 0, 0x40, 5, 4, 0, 0, 0, 100};
	EXPECT_EQ(Bytes(b.buf, b.buf + len), update({}, attrs, {}));
	EXPECT_EQ(decode(Bytes(b.buf, b.buf + len)).sum.n_announced, 1u);
	EXPECT_FALSE(decode(Bytes(b.buf, b.buf + len)).sum.tolerated);
}

TEST(BgpUpdate, GivesATwoOctetPeerAsTransAndTheTruthInAs4Path)
{
	struct bgp_path path = {false, false, 4200000001, ip("192.0.2.10"), {}};
	struct prefix p = pfx("203.0.113.80");
	struct bgp_update_builder b;

	bgp_update_announce(&b, &path);
	ASSERT_TRUE(bgp_update_add(&b, &p));
	size_t len = bgp_update_finish(&b);
	Bytes attrs = {0x40, 1, 1, 0,  0x40, 2,  4, 2, 1, 0x5b, 0xa0, 0x40, 3, 4,
		       192,  0, 2, 10, 0xc0, 17, 6, 2, 1, 0xfa, 0x56, 0xea, 1};
	EXPECT_EQ(Bytes(b.buf, b.buf + len), update({}, attrs, {32, 203, 0, 113, 80}));
}

TEST(BgpUpdate, WithdrawsInBothFamilies)
{
	struct bgp_update_builder b;
	struct prefix p4 = pfx("203.0.113.80"), p6 = pfx("2001:db8::80");

	bgp_update_withdraw(&b, 4);
	ASSERT_TRUE(bgp_update_add(&b, &p4));
	Bytes m(b.buf, b.buf + bgp_update_finish(&b));
	EXPECT_EQ(m, update({32, 203, 0, 113, 80}, {}, {}));
	EXPECT_EQ(decode(m).sum.n_withdrawn, 1u);

	bgp_update_withdraw(&b, 6);
	ASSERT_TRUE(bgp_update_add(&b, &p6));
	size_t len = bgp_update_finish(&b);
	m = Bytes(b.buf, b.buf + len);
	EXPECT_EQ(decode(m).ret, 0);
	EXPECT_EQ(decode(m).sum.n_withdrawn, 1u);
	EXPECT_EQ(m[23], 0x90);
	EXPECT_EQ(m[24], 15);
}

TEST(BgpUpdate, FillsAMessageToTheBrimAndNoFurther)
{
	struct bgp_attrs most = {};

	most.has_med = 1;
	most.n_communities = BGP_COMMUNITIES_MAX;
	for (bool withdraw : {false, true}) {
		for (const char *hop : {"192.0.2.1", "2001:db8::1"}) {
			struct bgp_path path = {false, false, 4200000001, ip(hop), most};
			struct bgp_update_builder b;
			uint32_t n = 0;
			struct prefix p = pfx(hop);

			if (withdraw)
				bgp_update_withdraw(&b, p.addr.family);
			else
				bgp_update_announce(&b, &path);
			while (bgp_update_add(&b, &p))
				n++;
			size_t len = bgp_update_finish(&b);
			ASSERT_LE(len, (size_t)BGP_MESSAGE_MAX);
			EXPECT_GT(len, (size_t)BGP_MESSAGE_MAX - 17);
			Result r = decode(Bytes(b.buf, b.buf + len), false);
			ASSERT_EQ(r.ret, 0) << r.error.detail;
			EXPECT_FALSE(r.sum.tolerated) << r.sum.detail;
			EXPECT_EQ(withdraw ? r.sum.n_withdrawn : r.sum.n_announced, n);
		}
	}
}

TEST(BgpUpdateReceived, CountsGoodRoutes)
{
	Result r = decode(update({24, 10, 0, 0}, kGood, {0, 8, 10, 32, 1, 2, 3, 4}));

	ASSERT_EQ(r.ret, 0) << r.error.detail;
	EXPECT_EQ(r.sum.n_announced, 3u);
	EXPECT_EQ(r.sum.n_withdrawn, 1u);
	EXPECT_FALSE(r.sum.tolerated) << r.sum.detail;
	EXPECT_EQ(decode(update({}, {}, {})).ret, 0) << "End-of-RIB";
}

TEST(BgpUpdateReceived, EndsTheSessionOnlyWhereFramingIsLost)
{
	Bytes m = update({24, 10, 0, 0}, kGood, {8, 10});

	m[20] = 200; /* The withdrawn routes' length. */
	expect_reset(m, BGP_UPDATE_BAD_LIST, {});
	m = update({}, kGood, {8, 10});
	m[22] = 200; /* The attributes' length. */
	expect_reset(m, BGP_UPDATE_BAD_LIST, {});
	expect_reset(update({33, 1, 2, 3, 4, 5}, {}, {}), BGP_UPDATE_BAD_NETWORK, {});
	expect_reset(update({}, kGood, {24, 10, 0}), BGP_UPDATE_BAD_NETWORK, {});
	expect_reset(update({}, {0x40, 99, 1, 5}, {}), BGP_UPDATE_UNKNOWN_WELL_KNOWN,
		     {0x40, 99, 1, 5});
	const Bytes reach = {0x80, 14, 5, 0, 2, 1, 16, 0}; /* A next hop that overruns. */
	expect_reset(update({}, reach, {}), BGP_UPDATE_BAD_OPTIONAL, reach);
	const Bytes unreach = {0x80, 15, 4, 0, 2, 1, 129};
	expect_reset(update({}, unreach, {}), BGP_UPDATE_BAD_OPTIONAL, unreach);
	const Bytes empty = {0x80, 15, 3, 0, 2, 1};
	expect_reset(update({}, empty + empty, {}), BGP_UPDATE_BAD_LIST, {});
}

TEST(BgpUpdateReceived, ToleratesWhatRfc7606Tolerates)
{
	const Bytes nlri = {8, 10};
	const Bytes cases[] = {
		kOrigin + kAsPath,                               /* no NEXT_HOP */
		Bytes{0x40, 1, 1, 9} + kAsPath + kNextHop,       /* ORIGIN 9 */
		kOrigin + Bytes{0x40, 2, 3, 2, 9, 0} + kNextHop, /* AS_PATH overruns itself */
		kOrigin + kAsPath + Bytes{0x40, 3, 3, 1, 2, 3},  /* NEXT_HOP of 3 bytes */
		kGood + kOrigin,                                 /* twice */
		kGood + Bytes{0xc0, 8, 3, 1, 2, 3},              /* half a community */
		kGood + Bytes{0x80, 4, 200, 1},                  /* overruns the list */
		kGood + Bytes{0x80},                             /* no room for a header */
		Bytes{0xc0, 1, 1, 0} + kAsPath + kNextHop,       /* ORIGIN marked optional */
	};

	for (const Bytes &attrs : cases) {
		Result r = decode(update({}, attrs, nlri));

		EXPECT_EQ(r.ret, 0) << r.error.detail;
		EXPECT_TRUE(r.sum.tolerated);
		EXPECT_STRNE(r.sum.detail, "");
		EXPECT_EQ(r.sum.n_announced, 1u);
	}
}

TEST(BgpUpdateReceived, SkipsFamiliesThatWereNotNegotiated)
{
	/* L2VPN EVPN, whose NLRI isn't made of prefixes. */
	Result r = decode(update({}, Bytes{0x80, 14, 9, 0, 25, 70, 0, 0, 250, 251, 252, 253}, {}));

	EXPECT_EQ(r.ret, 0) << r.error.detail;
	EXPECT_EQ(r.sum.n_announced, 0u);
}

TEST(BgpUpdateReceived, EveryTruncationIsSafe)
{
	Bytes full =
		update({24, 10, 0, 0}, kGood + Bytes{0xc0, 8, 4, 1, 2, 3, 4}, {32, 1, 2, 3, 4});

	for (size_t len = BGP_HEADER_LEN + 4; len < full.size(); len++) {
		Bytes part(full.begin(), full.begin() + (long)len);

		(void)decode(part); /* ASan judges. */
	}
}

TEST(BgpNlri, ClearsIrrelevantTrailingBits)
{
	const Bytes wire = {20, 10, 1, 0xff};
	struct prefix p;

	ASSERT_EQ(bgp_nlri_next(wire.data(), wire.size(), 4, &p), 4);
	struct prefix want = pfx("10.1.240.0/20");
	EXPECT_TRUE(addr_equal(&p.addr, &want.addr));
	EXPECT_EQ(p.len, 20);
}

TEST(BgpRouteRefresh, NamesTheFamily)
{
	const struct {
		Bytes body;
		uint8_t family;
	} cases[] = {{{0, 1, 0, 1}, 4}, {{0, 2, 0, 1}, 6}, {{0, 2, 0, 2}, 0}, {{0, 25, 0, 1}, 0}};

	for (const auto &c : cases) {
		Bytes m = message(BGP_MSG_ROUTE_REFRESH, c.body);
		struct bgp_error e;
		uint8_t family = 99;

		ASSERT_EQ(bgp_decode_route_refresh(m.data(), m.size(), &family, &e), 0);
		EXPECT_EQ(family, c.family);
	}
}
