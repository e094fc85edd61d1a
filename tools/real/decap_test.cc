/* SPDX-License-Identifier: BSD-2-Clause */
/* fairway_decap on single packets, by BPF_PROG_TEST_RUN: what it takes, what it leaves as it is and
 * what it drops, down to each length and each bit. */
#include <gtest/gtest.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cstring>
#include <memory>
#include <random>
#include <tuple>

#include "bpf/decap.skel.h"
#include "bpf/decap_tables.h"
#include "tools/real/testnet.h"

namespace
{

const char *const vip4 = "203.0.113.80", *const vip6 = "2001:db8:80::1";
const uint16_t gue_port = 6080;

const char *const counter_names[] = {
#define NAME(name, help) #name,
	DECAP_COUNTERS(NAME)
#undef NAME
};

decap_addr key_of(const std::string &text)
{
	bytes b = addr_bytes(text);
	decap_addr key = {{0, 0, htobe32(0xffff), 0}};

	memcpy(b.size() == 4 ? &key.words[3] : &key.words[0], b.data(), b.size());
	return key;
}

/* What became of a packet, from its IP header on. */
struct Result {
	bool dropped = false;
	bytes packet;
	std::string counter; /* the one that counted it; "": none */
};

void PrintTo(const Result &r, std::ostream *os)
{
	*os << (r.dropped ? "dropped" : "on to the stack") << " with " << r.packet.size()
	    << " bytes, counted as \"" << r.counter << "\"";
}

class Decap : public ::testing::Test
{
      protected:
	void SetUp() override
	{
		if (geteuid() != 0)
			GTEST_SKIP() << "BPF programs need root";
		skel = decap_bpf__open_and_load();
		ASSERT_NE(skel, nullptr) << strerror(errno);
		for (const char *addr : {"10.9.0.3", "fd09::3"})
			add(skel->maps.outers, addr);
		for (const char *addr : {vip4, vip6})
			add(skel->maps.vips, addr);
		set_port(gue_port);
		cpus = size_t(libbpf_num_possible_cpus());
		counted.resize(DECAP_CNT_MAX * cpus);
	}

	void TearDown() override
	{
		decap_bpf__destroy(skel);
	}

	void add(bpf_map *map, const std::string &addr)
	{
		decap_addr key = key_of(addr);
		uint32_t one = 1;

		ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(map), &key, &one, BPF_ANY), 0);
	}

	void set_port(uint16_t port)
	{
		decap_settings set = {};
		uint32_t zero = 0;

		set.gue_port = port;
		ASSERT_EQ(
			bpf_map_update_elem(bpf_map__fd(skel->maps.settings), &zero, &set, BPF_ANY),
			0);
	}

	/* The counters' names, each as often as it counted since the last call. */
	std::string take_counts()
	{
		std::vector<uint64_t> now(DECAP_CNT_MAX * cpus);
		uint32_t keys[DECAP_CNT_MAX], n = DECAP_CNT_MAX, next;
		std::string names;

		int ret = bpf_map_lookup_batch(bpf_map__fd(skel->maps.counters), nullptr, &next,
					       keys, now.data(), &n, nullptr);
		EXPECT_TRUE(ret == 0 || ret == -ENOENT) << strerror(errno);
		EXPECT_EQ(n, uint32_t(DECAP_CNT_MAX));
		for (size_t i = 0; i < now.size(); i++)
			for (uint64_t k = counted[i]; k < now[i]; k++)
				names += (names.empty() ? "" : " ") +
					 std::string(counter_names[keys[i / cpus]]);
		counted = now;
		return names;
	}

	/* The run takes place on the loopback device, whose MAC address is zero. */
	Result run(const bytes &packet)
	{
		bytes frame(ETH_HLEN), out(packet.size() + 256);
		LIBBPF_OPTS(bpf_test_run_opts, opts);
		__sk_buff ctx = {};
		Result r;

		frame[12] = packet[0] >> 4 == 6 ? 0x86 : 0x08;
		frame[13] = packet[0] >> 4 == 6 ? 0xdd : 0x00;
		frame.insert(frame.end(), packet.begin(), packet.end());
		opts.data_in = frame.data();
		opts.data_size_in = uint32_t(frame.size());
		opts.data_out = out.data();
		opts.data_size_out = uint32_t(out.size());
		ctx.gso_size = gso_size;
		ctx.gso_segs = gso_size ? 2 : 0;
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
		int ret = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.fairway_decap), &opts);
		EXPECT_EQ(ret, 0) << strerror(errno) << ", frame of " << frame.size();
		r.dropped = int(opts.retval) == TC_ACT_SHOT;
		EXPECT_TRUE(r.dropped || int(opts.retval) == TC_ACT_UNSPEC) << opts.retval;
		out.resize(opts.data_size_out);
		if (out.size() >= ETH_HLEN) {
			bool v6 = out[12] == 0x86;

			r.packet = bytes(out.begin() + ETH_HLEN, out.end());
			EXPECT_TRUE(r.packet.empty() || r.packet == packet ||
				    (r.packet[0] >> 4 == 6) == v6)
				<< "the EtherType is not of the packet's family";
		}
		r.counter = take_counts();
		return r;
	}

	bool untouched(const bytes &packet, const std::string &counter)
	{
		Result r = run(packet);
		bool as_it_was = !r.dropped && r.packet == packet && r.counter == counter;

		EXPECT_TRUE(as_it_was) << ::testing::PrintToString(r);
		return as_it_was;
	}

	bool dropped(const bytes &packet, const std::string &counter)
	{
		Result r = run(packet);

		EXPECT_TRUE(r.dropped && r.counter == counter) << ::testing::PrintToString(r);
		return r.dropped && r.counter == counter;
	}

	bool becomes(const bytes &packet, const bytes &inner, const std::string &counter)
	{
		Result r = run(packet);
		bool right = !r.dropped && r.packet == inner && r.counter == counter;

		EXPECT_TRUE(right) << ::testing::PrintToString(r);
		return right;
	}

	decap_bpf *skel = nullptr;
	size_t cpus = 0;
	std::vector<uint64_t> counted;
	uint32_t gso_size = 0; /* of the packets run */
};

/* A client's packet of the given family to the VIP. */
bytes client(int family, uint8_t tos = 0, const std::string &text = "sixteen bytes...")
{
	return family == 4 ? udp4("10.9.0.1", vip4, tos, text) : udp6("fd09::1", vip6, tos, text);
}

/* outer family, inner family, variant */
using Form = std::tuple<int, int, int>;

class Gue : public Decap, public ::testing::WithParamInterface<Form>
{
      protected:
	void SetUp() override
	{
		std::tie(outer, inner, variant) = GetParam();
		Decap::SetUp();
		wrap = gue_variant_0(outer, inner);
		wrap.sum = Sum::none;
		if (variant == 1)
			wrap.gue_header = {};
		counter = "gue_ipv" + std::to_string(inner) + "_in_ipv" + std::to_string(outer);
		udp_at = outer == 4 ? 20 : 40;
	}

	/* The whole, with lengths that tell the truth of it. */
	bytes packet()
	{
		return encapsulate(client(inner), wrap);
	}

	int outer, inner, variant;
	Wrap wrap;
	std::string counter;
	size_t udp_at;
};

TEST_P(Gue, TheInnerPacketComesOutBitForBit)
{
	for (size_t n : {0, 1, 2, 3, 100, 1400, 3000}) {
		bytes in = client(inner, 0xb8, std::string(n, 'x'));

		EXPECT_TRUE(becomes(encapsulate(in, wrap), in, counter));
	}
}

TEST_P(Gue, CutOffAtEachLengthItIsLeftAsItIs)
{
	bytes whole = packet();

	/* Shorter frames a test run refuses; gue_test.cc sends those. */
	for (size_t n = udp_at; n < whole.size(); n++) {
		bytes cut(whole.begin(), whole.begin() + long(n));
		Result r = run(cut);

		EXPECT_FALSE(r.dropped) << n;
		EXPECT_EQ(r.packet, cut) << n;
		EXPECT_EQ(r.counter, n < udp_at + 8 ? "" : "gue_other") << n;
	}
	EXPECT_TRUE(becomes(whole, client(inner), counter));
}

TEST_P(Gue, AnInnerPacketCutOffAtEachLengthIsDropped)
{
	bytes in = client(inner);

	for (size_t n = 1; n < in.size(); n++) {
		bytes cut = encapsulate(bytes(in.begin(), in.begin() + long(n)), wrap);

		/* Fewer bytes than variant 0's header has can't tell the variants apart. */
		if (n + wrap.gue_header.size() < 4) {
			EXPECT_TRUE(untouched(cut, "gue_other")) << n;
		} else {
			EXPECT_TRUE(dropped(cut, "malformed")) << n;
		}
	}
}

TEST_P(Gue, AnInnerPacketMayNotReachBeyondTheUdpLength)
{
	bytes in = client(inner);
	int head = 8 + int(wrap.gue_header.size()), size = head + int(in.size());

	for (int len = 0; len <= size + 20; len++) {
		Result r;

		wrap.udp_len_more = len - size;
		r = run(packet());
		EXPECT_EQ(r.counter, len < 12 || len > size ? "gue_other"
				     : len < size           ? "malformed"
							    : counter)
			<< len;
		EXPECT_EQ(r.dropped, len >= 12 && len < size) << len;
	}
}

TEST_P(Gue, PaddingOfTheFrameIsNoPartOfTheDatagram)
{
	bytes in = client(inner), padded = packet(), cut;

	padded.resize(padded.size() + 18);
	/* The stack takes the padding off by the inner length. */
	Result r = run(padded);
	r.packet.resize(in.size());
	EXPECT_EQ(r.packet, in);
	EXPECT_EQ(r.counter, counter);

	/* Padding that would complete a packet whose end is missing does not. */
	cut = encapsulate(bytes(in.begin(), in.end() - 4), wrap);
	cut.resize(cut.size() + 4);
	EXPECT_TRUE(dropped(cut, "malformed"));
}

TEST_P(Gue, BytesBehindTheInnerPacketDoNoHarm)
{
	bytes in = client(inner), more = in;

	more.resize(more.size() + 5);
	Result r = run(encapsulate(more, wrap));
	EXPECT_EQ(r.packet, more);
	EXPECT_EQ(r.counter, counter);
}

TEST_P(Gue, ARightChecksumIsTakenWhateverTheLength)
{
	wrap.sum = Sum::right;
	for (size_t n = 0; n < 400; n++) {
		bytes in = client(inner, 0, std::string(n, char(n)));

		ASSERT_TRUE(becomes(encapsulate(in, wrap), in, counter)) << n;
	}
	for (size_t n : {1471, 2999}) {
		bytes in = client(inner, 0, std::string(n, 'y'));

		ASSERT_TRUE(becomes(encapsulate(in, wrap), in, counter)) << n;
	}
}

/* The sum of all is 0xffff for one port or other, and then goes as 0xffff, since 0 means none. */
TEST_P(Gue, AChecksumOfAllOnesIsTaken)
{
	bytes in = client(inner);
	bool met = false;

	wrap.sum = Sum::right;
	for (int port = 1; !met && port < 65536; port++) {
		wrap.from_port = uint16_t(port);
		bytes whole = encapsulate(in, wrap);
		met = whole[udp_at + 6] == 0xff && whole[udp_at + 7] == 0xff;
		if (met) {
			EXPECT_TRUE(becomes(whole, in, counter));
		}
	}
	EXPECT_TRUE(met);
}

TEST_P(Gue, EachBitThatAChecksumCoversIsHeldAgainstIt)
{
	wrap.sum = Sum::right;
	bytes whole = packet();

	/* From the UDP header on; the checksum itself can't become zero by one bit here. */
	for (size_t bit = udp_at * 8; bit < whole.size() * 8; bit++) {
		bytes changed = whole;

		changed[bit / 8] ^= uint8_t(0x80 >> bit % 8);
		Result r = run(changed);
		EXPECT_TRUE(r.dropped || r.packet == changed) << "bit " << bit;
		EXPECT_NE(r.counter, counter) << "bit " << bit;
	}
	wrap.sum = Sum::wrong;
	EXPECT_TRUE(dropped(packet(), "gue_checksum"));
	/* What isn't ours to take is not ours to judge. */
	bytes foreign = inner == 4 ? udp4("10.9.0.1", "203.0.113.99", 0, "x")
				   : udp6("fd09::1", "2001:db8:80::99", 0, "x");
	EXPECT_TRUE(untouched(encapsulate(foreign, wrap), "foreign_inner"));
}

TEST_P(Gue, FromEveryPortToItsOwnOnly)
{
	for (uint32_t port = 0; port < 65536; port += port % 256 ? 1 : 255) {
		wrap.from_port = uint16_t(port);
		ASSERT_TRUE(becomes(packet(), client(inner), counter)) << port;
	}
	for (uint16_t port : {0, 1, 443, 6079, 6081, 49232, 65535}) {
		wrap.to_port = port;
		EXPECT_TRUE(untouched(packet(), "")) << port;
	}
	set_port(0);
	wrap.to_port = 0;
	EXPECT_TRUE(untouched(packet(), "")) << "0 is no port but means that there is no GUE";
	wrap.to_port = gue_port;
	EXPECT_TRUE(untouched(packet(), ""));
}

TEST_P(Gue, OtherHostsOptionsAndFragmentsAreLeftAsTheyAre)
{
	Wrap w = wrap;

	w.to = outer == 4 ? "10.9.0.77" : "fd09::77";
	EXPECT_TRUE(untouched(encapsulate(client(inner), w), "foreign_outer"));
	if (outer == 6)
		return;
	for (int ihl : {6, 15}) {
		w = wrap;
		w.ihl = ihl;
		EXPECT_TRUE(untouched(encapsulate(client(inner), w), "outer_options"));
	}
	w = wrap;
	w.frag = 0x2000;
	EXPECT_TRUE(untouched(encapsulate(client(inner), w), "outer_fragment"));
	w.frag = 0x0003; /* has no UDP header, so it isn't known for what it is */
	EXPECT_TRUE(untouched(encapsulate(client(inner), w), ""));
	w = wrap;
	w.break_checksum = true;
	EXPECT_TRUE(dropped(encapsulate(client(inner), w), "malformed"));
}

std::string form_name(const ::testing::TestParamInfo<Form> &info)
{
	auto [outer, inner, variant] = info.param;

	return "Inner" + std::to_string(inner) + "Outer" + std::to_string(outer) + "Variant" +
	       std::to_string(variant);
}

INSTANTIATE_TEST_SUITE_P(Form, Gue,
			 ::testing::Combine(::testing::Values(4, 6), ::testing::Values(4, 6),
					    ::testing::Values(1, 0)),
			 form_name);

TEST_F(Decap, ADestinationOptionInFrontIsSteppedOver)
{
	for (int i = 0; i < 2 * 2 * 2; i++) {
		int inner = i & 1 ? 6 : 4;
		Wrap w = gue_variant_0(6, inner);

		w.destination_option = true;
		w.sum = i & 2 ? Sum::right : Sum::none;
		if (i & 4)
			w.gue_header = {};
		EXPECT_TRUE(becomes(encapsulate(client(inner), w), client(inner),
				    inner == 4 ? "gue_ipv4_in_ipv6" : "gue_ipv6_in_ipv6"));
	}
}

TEST_F(Decap, DatagramsThatGroHasMergedAreLeftAsTheyAre)
{
	for (int family : {4, 6}) {
		Wrap w = gue_variant_0(family, 4);

		gso_size = 1000;
		EXPECT_TRUE(untouched(encapsulate(client(4), w), "gue_merged"));
		gso_size = 0;
		EXPECT_FALSE(run(encapsulate(client(4), w)).dropped);
	}
}

TEST_F(Decap, OfVariant0OnlyThePlainHeaderIsTaken)
{
	std::vector<std::pair<int, int>> headers;

	for (int proto = 0; proto < 256; proto++)
		headers.push_back({0, proto});
	for (int first = 1; first < 256; first++)
		for (int proto : {0, 4, 17, 41, 59})
			headers.push_back({first, proto});
	for (int family : {4, 6})
		for (auto [first, proto] : headers) {
			int other = family == 4 ? 41 : 4, own = family == 4 ? 4 : 41;
			Wrap w = gue_variant_0(4, family);

			SCOPED_TRACE("header " + std::to_string(first) + " " +
				     std::to_string(proto));
			w.sum = Sum::none;
			w.gue_header = {uint8_t(first), uint8_t(proto), 0, 0};
			bytes whole = encapsulate(client(family), w);
			if (first == 0 && proto == own) {
				EXPECT_TRUE(becomes(whole, client(family),
						    family == 4 ? "gue_ipv4_in_ipv4"
								: "gue_ipv6_in_ipv4"));
			} else if (first == 0 && proto == other) {
				EXPECT_TRUE(dropped(whole, "malformed"));
			} else if (first >> 4 == 4 || first >> 4 == 6) {
				/* Variant 1 by these bits, and no IP packet by the others. */
				Result r = run(whole);
				EXPECT_TRUE(r.dropped || r.packet == whole);
				EXPECT_TRUE(r.counter == "malformed" ||
					    r.counter == "foreign_inner")
					<< r.counter;
			} else {
				EXPECT_TRUE(untouched(whole, "gue_other"));
			}
		}
}

TEST_F(Decap, AnyFlagOfVariant0MeansMoreThanAPlainHeader)
{
	for (int flag = 0; flag < 16; flag++) {
		Wrap w = gue_variant_0(4, 4);

		w.sum = Sum::none;
		w.gue_header[size_t(2 + flag / 8)] = uint8_t(0x80 >> flag % 8);
		EXPECT_TRUE(untouched(encapsulate(client(4), w), "gue_other")) << flag;
	}
}

TEST_F(Decap, OrdinaryDatagramsPassUncounted)
{
	for (int family : {4, 6}) {
		EXPECT_TRUE(untouched(client(family), ""));
		for (size_t n = 40; n < 60; n++) {
			bytes cut = client(family, 0, std::string(20, 'x'));

			cut.resize(n);
			EXPECT_TRUE(untouched(cut, ""));
		}
	}
}

/* RFC 6040, figure 4: rows by the inner codepoint, columns by the outer; -1: dropped. */
const int ecn_table[4][4] = {
	/* inner   outer: Not-ECT, ECT(1), ECT(0), CE */
	/* Not-ECT */ {0, 0, 0, -1},
	/* ECT(1) */ {1, 1, 1, 3},
	/* ECT(0) */ {2, 1, 2, 3},
	/* CE */ {3, 3, 3, 3},
};

TEST_F(Decap, CongestionMarksAreCombinedAsRfc6040Says)
{
	for (int i = 0; i < 2 * 2 * 2 * 4 * 4; i++) {
		int outer_ecn = i & 3, inner_ecn = i >> 2 & 3, outer = i >> 4 & 1 ? 6 : 4;
		int inner = i >> 5 & 1 ? 6 : 4, ecn = ecn_table[inner_ecn][outer_ecn];
		Wrap w;

		w.gue = i >> 6;
		w.family = outer;
		w.tos = uint8_t(0xb8 | outer_ecn);
		Result r = run(encapsulate(client(inner, uint8_t(0x28 | inner_ecn)), w));
		SCOPED_TRACE(i);
		EXPECT_EQ(r.dropped, ecn < 0);
		if (ecn < 0) {
			EXPECT_EQ(r.counter, "ecn_drop");
		} else {
			EXPECT_EQ(r.packet, client(inner, uint8_t(0x28 | ecn)));
		}
	}
}

/* Anything at all: it comes out as it was, or as a tail of itself that is for a VIP and was not
 * there before by chance: its length is that of one of the outer headers. */
TEST_F(Decap, ChangedAtRandomAPacketIsLeftDroppedOrDecapsulated)
{
	std::mt19937 random(4711);
	int taken = 0;

	for (int i = 0; i < 20000; i++) {
		int outer = random() % 2 ? 4 : 6, inner = random() % 2 ? 4 : 6;
		Wrap w = random() % 2 ? gue_variant_0(outer, inner) : Wrap();
		bytes whole;

		w.family = outer;
		if (random() % 2)
			w.sum = Sum::none;
		w.destination_option = random() % 4 == 0;
		whole = encapsulate(client(inner, 0, std::string(random() % 40, 'z')), w);
		for (uint32_t changes = random() % 4; changes; changes--)
			whole[random() % std::min<size_t>(whole.size(), 80)] = uint8_t(random());
		if (random() % 4 == 0)
			whole.resize(40 + random() % (whole.size() - 40));
		Result r = run(whole);
		if (r.dropped || r.packet == whole)
			continue;
		taken++;
		ASSERT_LT(r.packet.size(), whole.size());
		/* Combined congestion marks change two bytes, and IPv4's checksum. */
		size_t same = 12;
		ASSERT_TRUE(std::equal(r.packet.begin() + long(same), r.packet.end(),
				       whole.end() - long(r.packet.size() - same)));
		bytes to = r.packet[0] >> 4 == 4
				   ? bytes(r.packet.begin() + 16, r.packet.begin() + 20)
				   : bytes(r.packet.begin() + 24, r.packet.begin() + 40);
		ASSERT_TRUE(to == addr_bytes(vip4) || to == addr_bytes(vip6));
	}
	EXPECT_GT(taken, 4000);
}

} // namespace
