/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of fairway-real begin with: the network, and ears on the real server. */
#pragma once

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>

#include "tools/real/testnet.h"

inline const std::string vip4 = "203.0.113.80", vip6 = "2001:db8:80::1";

class Real : public ::testing::Test
{
      protected:
	void SetUp() override
	{
		if (geteuid() != 0)
			GTEST_SKIP() << "network namespaces need root";
		net = std::make_unique<Testnet>();
	}

	void setup(const std::string &args)
	{
		Outcome o = net->tool("setup " + args);

		ASSERT_EQ(o.status, 0) << o.out;
	}

	std::unique_ptr<Testnet> net;
};

/* Raw packets as the host takes them in, from a socket opened before they are sent. */
class Listener
{
      public:
	Listener(Testnet &net, int family, int type)
	{
		in_namespace(net.real, [&] {
			timeval limit = {3, 0};
			int one = 1;

			fd_ = socket(family, type | SOCK_CLOEXEC, IPPROTO_UDP);
			setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
			if (family == AF_INET6) {
				sockaddr_in6 any = {};

				any.sin6_family = AF_INET6;
				any.sin6_port = htons(8080);
				setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
				setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
				setsockopt(fd_, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one));
				EXPECT_EQ(bind(fd_, (sockaddr *)&any, sizeof(any)), 0);
			}
		}).join();
	}
	~Listener()
	{
		close(fd_);
	}

	bytes receive(std::map<int, int> *ret_control = nullptr)
	{
		bytes b(4096), control(512);
		iovec iov = {b.data(), b.size()};
		msghdr msg = {};

		msg.msg_iov = &iov;
		msg.msg_iovlen = 1;
		msg.msg_control = control.data();
		msg.msg_controllen = control.size();
		ssize_t n = recvmsg(fd_, &msg, 0);
		b.resize(n < 0 ? 0 : size_t(n));
		for (cmsghdr *c = CMSG_FIRSTHDR(&msg); ret_control && c; c = CMSG_NXTHDR(&msg, c))
			memcpy(&(*ret_control)[c->cmsg_type], CMSG_DATA(c), sizeof(int));
		return b;
	}

      private:
	int fd_ = -1;
};
