/* SPDX-License-Identifier: BSD-2-Clause */
/* A network for the tests of fairway-real: client, balancer and real server on one Ethernet, each
 * in a namespace of its own, and a balancer that does nothing but encapsulate. */
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

using bytes = std::vector<uint8_t>;

struct Outcome {
	int status;
	std::string out; /* stdout and stderr */
};

/* Run a shell command and wait for it. */
Outcome run(const std::string &command);

/* Run fn in a thread that has moved into the namespace. */
std::thread in_namespace(const std::string &ns, std::function<void()> fn);

/* Three namespaces on a bridge: 10.9.0.1 and fd09::1 client, .2 balancer, .3 real server. All
 * devices are called eth0. Gone with the object. */
class Testnet
{
      public:
	Testnet();
	~Testnet();

	std::string client, lb, real;

	/* Run in a namespace; fails the test unless it exits 0. Returns its output. */
	std::string must(const std::string &ns, const std::string &command);
	/* fairway-real in the real server's namespace, with a state directory of this test. */
	Outcome tool(const std::string &args, const std::string &before = "");
	/* Of all links; 1500 before. */
	void set_mtu(int mtu);
	/* The real server's device merges what it receives. */
	void gro_on();
	/* The BPF programs' counters as check --json gives them. */
	std::map<std::string, long> counters();
	/* All that setup might change, as text. */
	std::string dump();

	std::string state_dir;

      private:
	void batch(const std::string &ns, const std::string &commands);

	std::string sw_;
};

/* What a GUE datagram's checksum is: left out, computed, computed and then changed, or left to a
 * NIC that never does it. */
enum class Sum { none, right, wrong, open };

/* What the balancer puts around a packet. */
struct Wrap {
	int family = 4; /* of the outer header */
	uint8_t tos = 0;
	std::string to;         /* outer destination; "": the real server */
	int inner = 0;          /* protocol number; 0: as the inner packet's version says */
	int ihl = 5;            /* IPv4 header words */
	uint16_t frag = 0x4000; /* IPv4: flags and offset, host order */
	bool break_checksum = false;
	bool destination_option = false; /* IPv6: as Linux's ip6tnl sends one */

	bool gue = false;
	uint16_t from_port = 0, to_port = 6080; /* 0: the flow's own port, 49152 or above */
	bytes gue_header;                       /* variant 0's; variant 1 has none */
	Sum sum = Sum::none;
	int udp_len_more = 0; /* than there is */
};

/* GUE of variant 0, as other balancers send it: a header of four bytes and, mostly, a checksum. */
Wrap gue_variant_0(int family, int inner_version);

/* The packet in its outer headers. */
bytes encapsulate(const bytes &inner, const Wrap &wrap);

/* The balancer: what is routed to its tun device goes to the real server with an outer header. */
class Balancer
{
      public:
	/* partial: take packets with half a checksum and pass them on like that, as a virtual NIC
	 * does between guests of one host. */
	Balancer(Testnet &net, int outer_family, bool partial);
	Balancer(Testnet &net, const Wrap &wrap, bool partial);
	~Balancer();

	void route(const std::string &vip);
	/* One packet by hand. */
	void send(const bytes &inner, const Wrap &wrap);
	/* To the real server as it is. */
	void send_packet(int family, const bytes &packet);

	std::atomic<long> sent{0}, too_big{0};

      private:
	void forward();
	void transmit(const bytes &vnet, const bytes &inner, const Wrap &wrap);
	void put_on_wire(const bytes &vnet, int family, const bytes &packet);

	Testnet &net_;
	Wrap wrap_;
	int tun_ = -1, packet_ = -1, stop_ = -1, ifindex_ = 0;
	std::thread thread_;
};

/* A TCP server in the real server's namespace that answers each connection, once the client has
 * closed its side, with length and sum of what it got. */
class Server
{
      public:
	Server(Testnet &net, const std::string &addr, uint16_t port);
	~Server();

      private:
	void serve();
	int listen_ = -1, stop_ = -1;
	std::thread thread_;
};

struct Upload {
	int error = 0;      /* errno of the step that failed */
	int mss = 0;        /* that the client used for its segments */
	std::string answer; /* the server's */
	std::string expected;
};

/* Connect from the client, send so many bytes, read the answer. */
Upload upload(Testnet &net, const std::string &addr, uint16_t port, size_t n, int timeout_s = 8);

/* Addresses as bytes: 4 or 16 of them. */
bytes addr_bytes(const std::string &text);

/* A UDP packet with an odd header: every field that a decapsulator might spoil has a value. */
bytes udp4(const std::string &from, const std::string &to, uint8_t tos, const std::string &text);
bytes udp6(const std::string &from, const std::string &to, uint8_t tclass, const std::string &text);

/* RFC 1071. */
uint16_t checksum(const bytes &b, uint32_t sum = 0);

/* Call until true, or until the deadline. */
bool eventually(const std::function<bool()> &fn, int timeout_ms = 3000);
