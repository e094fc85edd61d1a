/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

/* What connect() refuses at once never left this host. */
static void local_error(int error, const struct addr *address, struct verdict *v)
{
	char text[ADDR_STRLEN];

	addr_format(address, text);
	switch (error) {
	case ECONNREFUSED: /* loopback can answer within the call */
		verdict_set(v, OUTCOME_FAIL, "connect refused");
		return;
	case EMFILE:
	case ENFILE:
		verdict_set(v, OUTCOME_PROBER,
			    "cannot open a socket: %s; raise the limit (LimitNOFILE)",
			    strerror(error));
		return;
	case ENETUNREACH:
		verdict_set(v, OUTCOME_PROBER,
			    "no route to %s: add one, e.g. ip route add %s/%u via GATEWAY", text,
			    text, addr_bits(address));
		return;
	case EHOSTUNREACH:
	case EACCES:
	case EPERM:
	case EINVAL:
		verdict_set(
			v, OUTCOME_PROBER,
			"this host refuses to send to %s (%s): look for an unreachable, prohibit "
			"or blackhole route and for firewall rules",
			text, strerror(error));
		return;
	case EADDRNOTAVAIL:
	case EADDRINUSE:
		verdict_set(v, OUTCOME_PROBER,
			    "no local port or source address left for %s: widen "
			    "net.ipv4.ip_local_port_range",
			    text);
		return;
	default:
		verdict_set(v, OUTCOME_PROBER, "cannot connect to %s: %s", text, strerror(error));
	}
}

/* What comes later was said by the server, by a router on the way, or by silence. */
static void remote_error(int error, struct verdict *v)
{
	switch (error) {
	case ECONNREFUSED:
		verdict_set(v, OUTCOME_FAIL, "connect refused");
		return;
	case ECONNRESET:
		verdict_set(v, OUTCOME_FAIL, "connect reset by the server");
		return;
	case EHOSTUNREACH:
		verdict_set(v, OUTCOME_FAIL,
			    "host unreachable: no answer to ARP or ND, or a router says so");
		return;
	case ENETUNREACH:
		verdict_set(v, OUTCOME_FAIL, "network unreachable: a router says so");
		return;
	default:
		verdict_set(v, OUTCOME_FAIL, "connect failed: %s", strerror(error));
	}
}

static int open_socket(const struct addr *address)
{
	/* Closing sends a reset: at a thousand checks a second, an orderly close would leave sixty
	 * thousand sockets in TIME_WAIT on this side. */
	static const struct linger reset_on_close = {.l_onoff = 1, .l_linger = 0};
	AUTO_CLOSE int fd =
		socket(addr_af(address), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	int ret;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset_on_close, sizeof(reset_on_close)) < 0)
		return -errno;
	ret = fd;
	fd = -1;
	return ret;
}

int connect_start(const struct addr *address, uint16_t port, int *ret_fd,
		  struct verdict *ret_verdict)
{
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(address, port, &ss);
	int fd = open_socket(address);
	int error;

	if (fd < 0) {
		local_error(-fd, address, ret_verdict);
		return fd;
	}
	error = connect(fd, (struct sockaddr *)&ss, len) < 0 ? errno : 0;
	if (error == 0 || error == EINPROGRESS) {
		*ret_fd = fd;
		return 0;
	}
	close(fd);
	local_error(error, address, ret_verdict);
	return -error;
}

/* On one host, connecting to a closed port that happens to be the one chosen as local port joins a
 * socket to itself, which looks like a server. */
static bool is_joined_to_itself(int fd)
{
	struct sockaddr_storage ours = {0}, theirs = {0};
	socklen_t ours_len = sizeof(ours), theirs_len = sizeof(theirs);

	return getsockname(fd, (struct sockaddr *)&ours, &ours_len) == 0 &&
	       getpeername(fd, (struct sockaddr *)&theirs, &theirs_len) == 0 &&
	       ours_len == theirs_len && memcmp(&ours, &theirs, ours_len) == 0;
}

int connect_finish(int fd, struct verdict *ret_verdict)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		error = errno;
	if (error == 0 && is_joined_to_itself(fd))
		error = ECONNREFUSED;
	if (error == 0)
		return 0;
	remote_error(error, ret_verdict);
	return -error;
}
