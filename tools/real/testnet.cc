/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/real/testnet.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace
{

/* struct virtio_net_hdr: <linux/virtio_net.h> is no C++. */
struct vnet_hdr {
	uint8_t flags, gso_type;
	uint16_t hdr_len, gso_size, csum_start, csum_offset;
};
const uint8_t vnet_needs_csum = 1;

const char *const real4 = "10.9.0.3";
const char *const real6 = "fd09::3";

/* A step of the test's own machinery; without it no result means anything. */
void require(bool ok, const std::string &what)
{
	if (ok)
		return;
	fprintf(stderr, "test fixture: %s: %s\n", what.c_str(), strerror(errno));
	abort();
}

sockaddr_storage sockaddr_of(const std::string &addr, uint16_t port, socklen_t *len)
{
	sockaddr_storage ss = {};

	if (addr.find(':') == std::string::npos) {
		auto *in = reinterpret_cast<sockaddr_in *>(&ss);

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		inet_pton(AF_INET, addr.c_str(), &in->sin_addr);
		*len = sizeof(*in);
	} else {
		auto *in6 = reinterpret_cast<sockaddr_in6 *>(&ss);

		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		inet_pton(AF_INET6, addr.c_str(), &in6->sin6_addr);
		*len = sizeof(*in6);
	}
	return ss;
}

std::string digest(const uint8_t *p, size_t n, uint64_t *state, size_t *total)
{
	for (size_t i = 0; i < n; i++)
		*state = (*state ^ p[i]) * 1099511628211ull;
	*total += n;
	return std::to_string(*total) + " " + std::to_string(*state);
}

void put16(bytes &b, size_t at, uint16_t v)
{
	b[at] = uint8_t(v >> 8);
	b[at + 1] = uint8_t(v);
}

void append(bytes &b, const bytes &more)
{
	b.insert(b.end(), more.begin(), more.end());
}

} // namespace

Outcome run(const std::string &command)
{
	Outcome o = {-1, ""};
	char buf[4096];
	FILE *f = popen((command + " 2>&1").c_str(), "re");
	size_t n;

	require(f != nullptr, command);
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		o.out.append(buf, n);
	o.status = WEXITSTATUS(pclose(f));
	return o;
}

std::thread in_namespace(const std::string &ns, std::function<void()> fn)
{
	return std::thread([ns, fn] {
		int fd = open(("/run/netns/" + ns).c_str(), O_RDONLY | O_CLOEXEC);

		require(fd >= 0 && !setns(fd, CLONE_NEWNET), "entering namespace " + ns);
		close(fd);
		fn();
	});
}

bool eventually(const std::function<bool()> &fn, int timeout_ms)
{
	auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);

	do {
		if (fn())
			return true;
		std::this_thread::sleep_for(std::chrono::milliseconds(10));
	} while (std::chrono::steady_clock::now() < deadline);
	return false;
}

Testnet::Testnet()
{
	static int count;
	std::string base = "fwreal-" + std::to_string(getpid()) + "-" + std::to_string(count++);
	std::string *const hosts[] = {&client, &lb, &real};
	const char *const names[] = {"c", "l", "r"};

	state_dir = "/tmp/" + base;
	sw_ = base + "s";
	std::string ns = "netns add " + sw_ + "\n", links, addrs;
	links = "link add sw0 type bridge stp_state 0 mcast_snooping 0\nlink set sw0 up\n";
	for (int i = 0; i < 3; i++) {
		std::string n = std::to_string(i + 1), port = "p" + n;

		*hosts[i] = base + names[i];
		ns += "netns add " + *hosts[i] + "\n";
		links += "link add " + port + " master sw0 type veth peer name eth0 address " +
			 "02:00:00:00:09:0" + n + " netns " + *hosts[i] + "\nlink set " + port +
			 " up\n";
	}
	batch("", ns);
	/* The switch is not to look into packets: it would drop those broken on purpose. */
	run("ip netns exec " + sw_ +
	    " sysctl -qw net.bridge.bridge-nf-call-iptables=0 "
	    "net.bridge.bridge-nf-call-ip6tables=0");
	batch(sw_, links);
	for (int i = 0; i < 3; i++) {
		std::string n = std::to_string(i + 1);

		/* Addresses are to be there at once. */
		must(*hosts[i], "sysctl -qw net.ipv6.conf.eth0.accept_dad=0 "
				"net.ipv6.conf.eth0.router_solicitations=0");
		batch(*hosts[i], "link set lo up\nlink set eth0 up\naddr add 10.9.0." + n +
					 "/24 dev eth0\naddr add fd09::" + n +
					 "/64 dev eth0 nodad\n");
	}
	/* The MSS then is the segment size, without the options' bytes. */
	must(client, "sysctl -qw net.ipv4.tcp_timestamps=0");
	must(lb, "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
		 "net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0");
}

Testnet::~Testnet()
{
	std::string commands;

	for (const std::string &ns : {client, lb, real, sw_})
		commands += "netns del " + ns + "\n";
	run("printf '" + commands + "' | ip -force -batch -; rm -rf " + state_dir);
}

/* Many commands of ip(8) in one process. */
void Testnet::batch(const std::string &ns, const std::string &commands)
{
	must("", "printf '" + commands + "' | ip " + (ns.empty() ? "" : "-n " + ns) + " -batch -");
}

std::string Testnet::must(const std::string &ns, const std::string &command)
{
	Outcome o = run(ns.empty() ? command : "ip netns exec " + ns + " " + command);

	EXPECT_EQ(o.status, 0) << command << "\n" << o.out;
	return o.out;
}

Outcome Testnet::tool(const std::string &args, const std::string &before)
{
	return run("ip netns exec " + real + " sh -c '" + before + " exec " FAIRWAY_REAL " " +
		   args + " --state " + state_dir + "'");
}

void Testnet::set_mtu(int mtu)
{
	std::string end = " mtu " + std::to_string(mtu) + "\n";

	batch(sw_, "link set p1" + end + "link set p2" + end + "link set p3" + end);
	for (const std::string &ns : {client, lb, real})
		batch(ns, "link set eth0" + end);
}

/* A veth device that offers TSO hands its peer nothing that GRO would look at. */
void Testnet::gro_on()
{
	must(sw_, "ethtool -K p3 tso off");
	must(real, "ethtool -K eth0 gro on");
}

std::map<std::string, long> Testnet::counters()
{
	std::map<std::string, long> values;
	Outcome o = tool("check --json");
	json_t *report = json_loads(o.out.c_str(), 0, nullptr), *value;
	const char *name;

	EXPECT_NE(report, nullptr) << o.out;
	json_object_foreach(json_object_get(report, "counters"), name, value) values[name] =
		long(json_integer_value(value));
	json_decref(report);
	return values;
}

std::string Testnet::dump()
{
	return must(real, "sh -c '"
			  "(ip -d link; ip addr) 2>/dev/null | sed \"s/ link-netns.*//\"; "
			  "ip route show table all; "
			  "ip -6 route show table all | sed \"s/ expires [0-9a-z]*//\" | sort; "
			  "tc qdisc; for h in ingress egress; do tc filter show dev eth0 $h; done; "
			  "sysctl net.ipv4.conf net.ipv6.conf | grep -v stable_secret; "
			  "ls " + state_dir +
				  " 2>&1; true'");
}

bytes addr_bytes(const std::string &text)
{
	bool v6 = text.find(':') != std::string::npos;
	bytes b(v6 ? 16 : 4);

	require(inet_pton(v6 ? AF_INET6 : AF_INET, text.c_str(), b.data()) == 1, text);
	return b;
}

uint16_t checksum(const bytes &b, uint32_t sum)
{
	for (size_t i = 0; i < b.size(); i += 2)
		sum += uint32_t(b[i]) << 8 | (i + 1 < b.size() ? b[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return uint16_t(~sum);
}

static bytes udp(const bytes &from, const bytes &to, const std::string &text)
{
	bytes b = {0x30, 0x39, 0x1f, 0x90, 0, 0, 0, 0}, pseudo;

	append(b, bytes(text.begin(), text.end()));
	put16(b, 4, uint16_t(b.size()));
	append(pseudo, from);
	append(pseudo, to);
	append(pseudo, {0, IPPROTO_UDP, uint8_t(b.size() >> 8), uint8_t(b.size())});
	append(pseudo, b);
	put16(b, 6, checksum(pseudo));
	return b;
}

bytes udp4(const std::string &from, const std::string &to, uint8_t tos, const std::string &text)
{
	bytes payload = udp(addr_bytes(from), addr_bytes(to), text);
	/* Six words: a NOP, NOP, NOP, END of options behind the addresses. */
	bytes ip = {0x46, tos, 0, 0, 0xbe, 0xef, 0x40, 0, 57, IPPROTO_UDP, 0, 0};

	append(ip, addr_bytes(from));
	append(ip, addr_bytes(to));
	append(ip, {1, 1, 1, 0});
	put16(ip, 2, uint16_t(ip.size() + payload.size()));
	put16(ip, 10, checksum(ip));
	append(ip, payload);
	return ip;
}

bytes udp6(const std::string &from, const std::string &to, uint8_t tclass, const std::string &text)
{
	bytes payload = udp(addr_bytes(from), addr_bytes(to), text);
	bytes ip = {uint8_t(0x60 | tclass >> 4),
		    uint8_t(tclass << 4 | 0xa),
		    0xbc,
		    0xde,
		    0,
		    0,
		    IPPROTO_UDP,
		    57};

	put16(ip, 4, uint16_t(payload.size()));
	append(ip, addr_bytes(from));
	append(ip, addr_bytes(to));
	append(ip, payload);
	return ip;
}

static Wrap wrap_of_family(int family)
{
	Wrap w;

	w.family = family;
	return w;
}

Balancer::Balancer(Testnet &net, int outer_family, bool partial)
    : Balancer(net, wrap_of_family(outer_family), partial)
{
}

Balancer::Balancer(Testnet &net, const Wrap &wrap, bool partial) : net_(net), wrap_(wrap)
{
	stop_ = eventfd(0, EFD_CLOEXEC);
	in_namespace(net.lb, [this, partial] {
		ifreq ifr = {};
		int one = 1;

		strcpy(ifr.ifr_name, "tun0");
		ifr.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
		tun_ = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
		require(tun_ >= 0 && !ioctl(tun_, TUNSETIFF, &ifr), "tun device");
		require(!ioctl(tun_, TUNSETOFFLOAD, partial ? TUN_F_CSUM : 0), "tun offload");
		packet_ = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
		require(packet_ >= 0 && !setsockopt(packet_, SOL_PACKET, PACKET_VNET_HDR, &one,
						    sizeof(one)),
			"packet socket");
		ifindex_ = int(if_nametoindex("eth0"));
	}).join();
	net.must(net.lb, "ip link set tun0 up");
	thread_ = std::thread([this] { forward(); });
}

Balancer::~Balancer()
{
	uint64_t one = 1;

	require(write(stop_, &one, sizeof(one)) == sizeof(one), "stop");
	thread_.join();
	for (int fd : {stop_, tun_, packet_})
		close(fd);
}

void Balancer::route(const std::string &vip)
{
	net_.must(net_.lb, "ip route add " + vip + " dev tun0");
	net_.must(net_.client, "ip route add " + vip + " via " +
				       (addr_bytes(vip).size() == 4 ? "10.9.0.2" : "fd09::2"));
}

void Balancer::forward()
{
	for (;;) {
		pollfd fds[] = {{tun_, POLLIN, 0}, {stop_, POLLIN, 0}};
		bytes buf(65536 + sizeof(vnet_hdr));
		ssize_t n;

		require(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return;
		n = read(tun_, buf.data(), buf.size());
		if (n <= ssize_t(sizeof(vnet_hdr)))
			continue;
		/* What the kernel sends by itself (router solicitations) is not for a VIP. */
		if (buf[sizeof(vnet_hdr)] >> 4 == 6 && buf[sizeof(vnet_hdr) + 24] == 0xff)
			continue;
		transmit(bytes(buf.begin(), buf.begin() + sizeof(vnet_hdr)),
			 bytes(buf.begin() + sizeof(vnet_hdr), buf.begin() + n), wrap_);
	}
}

static bytes outer4(size_t payload, const Wrap &w, uint8_t proto)
{
	bytes ip = {uint8_t(0x40 | w.ihl),
		    w.tos,
		    0,
		    0,
		    0,
		    0,
		    uint8_t(w.frag >> 8),
		    uint8_t(w.frag),
		    64,
		    proto,
		    0,
		    0,
		    10,
		    9,
		    0,
		    2};

	append(ip, addr_bytes(w.to.empty() ? real4 : w.to));
	ip.resize(size_t(w.ihl) * 4, 1); /* NOP options */
	put16(ip, 2, uint16_t(ip.size() + payload));
	put16(ip, 10, uint16_t(checksum(ip) ^ (w.break_checksum ? 0x0101 : 0)));
	return ip;
}

static bytes outer6(size_t payload, const Wrap &w, uint8_t proto)
{
	/* RFC 2473, 4.1.1: tunnel encapsulation limit 4, padded to eight bytes. */
	bytes option = {proto, 0, 4, 1, 4, 1, 1, 0};
	bytes ip = {uint8_t(0x60 | w.tos >> 4), uint8_t(w.tos << 4), 0, 0, 0, 0, proto, 64};
	size_t extra = w.destination_option ? option.size() : 0;

	put16(ip, 4, uint16_t(payload + extra));
	append(ip, addr_bytes("fd09::2"));
	append(ip, addr_bytes(w.to.empty() ? real6 : w.to));
	if (extra) {
		ip[6] = IPPROTO_DSTOPTS;
		append(ip, option);
	}
	return ip;
}

static uint16_t entropy_port(const bytes &inner)
{
	uint64_t state = 14695981039346656037ull;
	size_t total = 0, from = inner[0] >> 4 == 4 ? 12 : 8, to = inner[0] >> 4 == 4 ? 24 : 44;

	if (inner.size() >= to)
		digest(&inner[from], to - from, &state, &total);
	return uint16_t(49152 + state % 16384);
}

/* UDP and GUE header; the checksum goes over `summed`, the inner packet as it will be. */
static bytes udp_header(const bytes &inner, const bytes &summed, const Wrap &w)
{
	bytes udp(8), pseudo, whole;
	uint16_t sum;

	append(udp, w.gue_header);
	put16(udp, 0, w.from_port ? w.from_port : entropy_port(inner));
	put16(udp, 2, w.to_port);
	put16(udp, 4, uint16_t(udp.size() + inner.size() + size_t(w.udp_len_more)));
	if (w.sum == Sum::none)
		return udp;
	append(pseudo, addr_bytes(w.family == 4 ? "10.9.0.2" : "fd09::2"));
	append(pseudo, addr_bytes(!w.to.empty() ? w.to : w.family == 4 ? real4 : real6));
	append(pseudo, {0, IPPROTO_UDP, udp[4], udp[5]});
	whole = pseudo;
	append(whole, udp);
	append(whole, summed);
	sum = w.sum == Sum::open ? uint16_t(~checksum(pseudo)) : checksum(whole);
	put16(udp, 6, uint16_t((sum ? sum : 0xffff) ^ (w.sum == Sum::wrong ? 0x0100 : 0)));
	return udp;
}

static bytes outer_headers(const bytes &inner, const bytes &summed, const Wrap &w)
{
	uint8_t proto = uint8_t(w.gue                ? IPPROTO_UDP
				: w.inner            ? w.inner
				: inner[0] >> 4 == 4 ? IPPROTO_IPIP
						     : IPPROTO_IPV6);
	bytes behind = w.gue ? udp_header(inner, summed, w) : bytes();
	size_t payload = behind.size() + inner.size();
	bytes outer = w.family == 4 ? outer4(payload, w, proto) : outer6(payload, w, proto);

	append(outer, behind);
	return outer;
}

bytes encapsulate(const bytes &inner, const Wrap &w)
{
	bytes b = outer_headers(inner, inner, w);

	append(b, inner);
	return b;
}

Wrap gue_variant_0(int family, int inner_version)
{
	Wrap w;

	w.family = family;
	w.gue = true;
	w.gue_header = {0, uint8_t(inner_version == 4 ? IPPROTO_IPIP : IPPROTO_IPV6), 0, 0};
	w.sum = Sum::right;
	return w;
}

/* The packet as it will be when its checksum, whose sum over the pseudo header stands in the field,
 * has been completed. */
static bytes completed(const bytes &inner, const vnet_hdr &hdr)
{
	bytes done = inner;

	if (hdr.flags & vnet_needs_csum)
		put16(done, size_t(hdr.csum_start + hdr.csum_offset),
		      checksum(bytes(inner.begin() + hdr.csum_start, inner.end())));
	return done;
}

void Balancer::transmit(const bytes &vnet, const bytes &inner, const Wrap &w)
{
	bytes frame, outer;
	vnet_hdr hdr;

	memcpy(&hdr, vnet.data(), sizeof(hdr));
	outer = outer_headers(inner, completed(inner, hdr), w);
	if (hdr.flags & vnet_needs_csum)
		hdr.csum_start = uint16_t(hdr.csum_start + ETH_HLEN + outer.size());
	if (w.sum == Sum::open) {
		hdr.flags = vnet_needs_csum;
		hdr.csum_start = uint16_t(ETH_HLEN + outer.size() - 8 - w.gue_header.size());
		hdr.csum_offset = 6;
	}
	append(outer, inner);
	frame.resize(sizeof(hdr));
	memcpy(frame.data(), &hdr, sizeof(hdr));
	put_on_wire(frame, w.family, outer);
}

void Balancer::send_packet(int family, const bytes &packet)
{
	put_on_wire(bytes(sizeof(vnet_hdr)), family, packet);
}

void Balancer::put_on_wire(const bytes &vnet, int family, const bytes &packet)
{
	bytes frame = vnet;
	sockaddr_ll to = {};

	append(frame, {2, 0, 0, 0, 9, 3, 2, 0, 0, 0, 9, 2});
	append(frame, family == 4 ? bytes{0x08, 0x00} : bytes{0x86, 0xdd});
	append(frame, packet);
	to.sll_family = AF_PACKET;
	to.sll_ifindex = ifindex_;
	to.sll_protocol = htons(family == 4 ? ETH_P_IP : ETH_P_IPV6);
	if (sendto(packet_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr *>(&to),
		   sizeof(to)) == ssize_t(frame.size()))
		sent++;
	else if (errno == EMSGSIZE)
		too_big++;
	else
		require(errno == ENOBUFS, "send");
}

void Balancer::send(const bytes &inner, const Wrap &wrap)
{
	transmit(bytes(sizeof(vnet_hdr)), inner, wrap);
}

Server::Server(Testnet &net, const std::string &addr, uint16_t port)
{
	stop_ = eventfd(0, EFD_CLOEXEC);
	in_namespace(net.real, [this, addr, port] {
		socklen_t len;
		sockaddr_storage ss = sockaddr_of(addr, port, &len);
		int one = 1;

		listen_ = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		setsockopt(listen_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
		require(!bind(listen_, reinterpret_cast<sockaddr *>(&ss), len) &&
				!listen(listen_, 8),
			"listening on " + addr);
	}).join();
	thread_ = std::thread([this] { serve(); });
}

Server::~Server()
{
	uint64_t one = 1;

	require(write(stop_, &one, sizeof(one)) == sizeof(one), "stop");
	thread_.join();
	close(listen_);
	close(stop_);
}

/* The connection ends when the client closes its side, or is left alone when the test ends. */
static void serve_one(int fd, int stop)
{
	uint64_t state = 14695981039346656037ull;
	std::string answer = "0 0";
	size_t total = 0;
	uint8_t buf[65536];

	for (;;) {
		pollfd fds[] = {{fd, POLLIN, 0}, {stop, POLLIN, 0}};
		ssize_t n;

		require(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return;
		n = read(fd, buf, sizeof(buf));
		if (n < 0)
			return;
		if (n == 0)
			break;
		answer = digest(buf, size_t(n), &state, &total);
	}
	require(write(fd, answer.data(), answer.size()) == ssize_t(answer.size()), "answer");
}

void Server::serve()
{
	for (;;) {
		pollfd fds[] = {{listen_, POLLIN, 0}, {stop_, POLLIN, 0}};
		int fd;

		require(poll(fds, 2, -1) > 0, "poll");
		if (fds[1].revents)
			return;
		fd = accept4(listen_, nullptr, nullptr, SOCK_CLOEXEC);
		if (fd < 0)
			continue;
		serve_one(fd, stop_);
		close(fd);
	}
}

static void upload_on(int fd, size_t n, Upload *u)
{
	uint64_t state = 14695981039346656037ull;
	size_t total = 0, done = 0;
	socklen_t len = sizeof(u->mss);
	bytes data(n);
	char buf[256];
	ssize_t got;

	for (size_t i = 0; i < n; i++)
		data[i] = uint8_t(i * 2654435761u >> 13);
	u->expected = n ? digest(data.data(), n, &state, &total) : "0 0";
	getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &u->mss, &len);
	while (done < n) {
		got = write(fd, data.data() + done, n - done);
		if (got <= 0) {
			u->error = errno;
			return;
		}
		done += size_t(got);
	}
	shutdown(fd, SHUT_WR);
	while ((got = read(fd, buf, sizeof(buf))) > 0)
		u->answer.append(buf, size_t(got));
	if (got < 0)
		u->error = errno;
}

Upload upload(Testnet &net, const std::string &addr, uint16_t port, size_t n, int timeout_s)
{
	Upload u;

	in_namespace(net.client, [&] {
		timeval limit = {timeout_s, 0};
		socklen_t len;
		sockaddr_storage ss = sockaddr_of(addr, port, &len);
		int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

		require(fd >= 0, "socket");
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
		if (connect(fd, reinterpret_cast<sockaddr *>(&ss), len))
			u.error = errno;
		else
			upload_on(fd, n, &u);
		close(fd);
	}).join();
	return u;
}
