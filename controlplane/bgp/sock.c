/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/bgp/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "controlplane/base/cleanup.h"

#define TTL_MAX 255

static int set_int(int fd, int level, int name, int value, const char *what, struct err *err)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)) == 0)
		return 0;
	return err_set(err, -errno, "%s: %s", what, strerror(errno));
}

int bgp_sock_set_password(int fd, const struct addr *peer, const char *password, struct err *err)
{
	struct tcp_md5sig sig = {0};
	struct sockaddr_storage ss;
	char text[ADDR_STRLEN];

	addr_to_sockaddr(peer, 0, &ss);
	memcpy(&sig.tcpm_addr, &ss, sizeof(ss));
	sig.tcpm_keylen = (uint16_t)strlen(password);
	memcpy(sig.tcpm_key, password, sig.tcpm_keylen);
	if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, &sig, sizeof(sig)) == 0)
		return 0;
	if (errno == ENOENT && !sig.tcpm_keylen)
		return 0; /* There was none. */
	return err_set(err, -errno,
		       "cannot set the TCP MD5 password for %s: %s (the kernel needs "
		       "CONFIG_TCP_MD5SIG)",
		       addr_format(peer, text), strerror(errno));
}

/* RFC 5082 3: send with the highest TTL, take nothing that has passed more than so many routers. */
static int set_ttl(int fd, const struct bgp_neighbor *nb, struct err *err)
{
	int level = nb->address.family == 4 ? IPPROTO_IP : IPPROTO_IPV6;
	int ttl = nb->address.family == 4 ? IP_TTL : IPV6_UNICAST_HOPS;
	int min = nb->address.family == 4 ? IP_MINTTL : IPV6_MINHOPCOUNT;
	int ret;

	if (!nb->ttl_security_hops)
		return set_int(fd, level, ttl, -1, "default TTL", err);
	ret = set_int(fd, level, ttl, TTL_MAX, "TTL 255", err);
	if (ret)
		return ret;
	return set_int(fd, level, min, TTL_MAX + 1 - nb->ttl_security_hops, "least TTL", err);
}

static int set_precedence(int fd, uint8_t family, struct err *err)
{
	if (family == 4)
		return set_int(fd, IPPROTO_IP, IP_TOS, IPTOS_PREC_INTERNETCONTROL, "IP_TOS", err);
	return set_int(fd, IPPROTO_IPV6, IPV6_TCLASS, IPTOS_PREC_INTERNETCONTROL, "IPV6_TCLASS",
		       err);
}

/* A message waits for nothing: several at a time are put together before they are sent. */
static int set_nodelay(int fd, struct err *err)
{
	return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY", err);
}

static int new_socket(uint8_t family, int *ret_fd, struct err *err)
{
	int af = family == 4 ? AF_INET : AF_INET6;
	AUTO_CLOSE int fd = socket(af, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int ret;

	if (fd < 0)
		return err_set(err, -errno, "cannot make an IPv%u TCP socket: %s", family,
			       strerror(errno));
	ret = set_precedence(fd, family, err);
	if (ret)
		return ret;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

void bgp_sock_explain(const struct bgp_neighbor *nb, int error, struct err *err)
{
	char host[ADDR_STRLEN], local[ADDR_STRLEN];
	const char *advice = "";

	addr_port_format(&nb->address, nb->port ? nb->port : BGP_PORT, host);
	switch (error) {
	case ECONNREFUSED:
		advice = ": no BGP speaker listens there, or it refuses this node's address";
		break;
	case ETIMEDOUT:
		advice = ": check the address, the link, filters for TCP port 179, and that both "
			 "sides have the same MD5 password or none";
		break;
	case EHOSTUNREACH:
		advice = ": the neighbour doesn't answer on the link: check its address and ours";
		break;
	case ENETUNREACH:
		advice = ": there is no route to it: check the interface and its addresses";
		break;
	case EADDRNOTAVAIL:
		err_set(err, 0,
			"cannot connect to %s from %s: this node has no such address: "
			"correct the neighbour's local address",
			host, addr_format(&nb->local_address, local));
		return;
	case ECONNRESET:
		advice =
			": the peer hung up: see whether it has this node's address as a neighbour";
		break;
	default:
		break;
	}
	err_set(err, 0, "cannot connect to %s: %s%s", host, strerror(error), advice);
}

static int bind_local(int fd, const struct bgp_neighbor *nb)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&nb->local_address, 0, &ss);

	if (!len)
		return 0;
	return bind(fd, (struct sockaddr *)&ss, len) ? -errno : 0;
}

int bgp_sock_connect(const struct bgp_neighbor *nb, int *ret_fd, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&nb->address, nb->port ? nb->port : BGP_PORT, &ss);
	AUTO_CLOSE int fd = -1;
	int ret = new_socket(nb->address.family, &fd, err);

	if (!ret)
		ret = set_nodelay(fd, err);
	if (!ret)
		ret = set_ttl(fd, nb, err);
	if (!ret && nb->password[0])
		ret = bgp_sock_set_password(fd, &nb->address, nb->password, err);
	if (ret)
		return ret;
	ret = bind_local(fd, nb);
	if (!ret && connect(fd, (struct sockaddr *)&ss, len) && errno != EINPROGRESS)
		ret = -errno;
	if (ret) {
		bgp_sock_explain(nb, -ret, err);
		return ret;
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int bgp_sock_listen(const struct addr *addr, uint16_t port, int *ret_fd, struct err *err)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, port, &ss);
	AUTO_CLOSE int fd = -1;
	int ret = new_socket(addr->family, &fd, err);

	if (!ret)
		ret = set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR", err);
	/* The answer to a SYN leaves before we know for whom: with 255 it suits GTSM, too. */
	if (!ret && addr->family == 4)
		ret = set_int(fd, IPPROTO_IP, IP_TTL, TTL_MAX, "TTL 255", err);
	if (!ret && addr->family == 6)
		ret = set_int(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, TTL_MAX, "hop limit 255", err);
	if (!ret && addr->family == 6)
		ret = set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY", err);
	if (ret)
		return ret;
	if (bind(fd, (struct sockaddr *)&ss, len) || listen(fd, 64)) {
		const char *advice = errno == EADDRINUSE ? ": another BGP daemon runs here; stop it"
				     : errno == EACCES
					     ? ": ports below 1024 need CAP_NET_BIND_SERVICE"
					     : "";
		char text[ADDR_STRLEN];

		ret = -errno;
		return err_set(err, ret,
			       "cannot listen on %s: %s%s; sessions are only opened from "
			       "this side",
			       addr_port_format(addr, port, text), strerror(-ret), advice);
	}
	*ret_fd = fd;
	fd = -1;
	return 0;
}

int bgp_sock_accepted(int fd, const struct bgp_neighbor *nb, struct err *err)
{
	int ret = set_ttl(fd, nb, err);

	if (!ret)
		ret = set_nodelay(fd, err);
	return ret ? ret : set_precedence(fd, nb->address.family, err);
}
