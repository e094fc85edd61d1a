/* SPDX-License-Identifier: BSD-2-Clause */

/* One TCP connection: bytes in, messages to the peer; messages out through a bounded queue. Nothing
 * here decides: what a connection's end or a message means is the state machine's business. */

#include "controlplane/bgp/speaker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controlplane/base/clock.h"
#include "controlplane/bgp/sock.h"

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
	struct conn *c = handle->data;
	struct bgp_speaker *sp = c->sp;

	free(c);
	speaker_handle_closed(sp);
}

static void watch(struct conn *c)
{
	int events = c->connecting ? UV_WRITABLE : UV_READABLE | (c->tx_len ? UV_WRITABLE : 0);

	/* Fails only for a closed or closing handle (libuv), which we never have here. */
	(void)uv_poll_start(&c->poll, events, on_poll);
}

static void learn_local(struct conn *c)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(c->fd, (struct sockaddr *)&ss, &len) ||
	    addr_from_sockaddr((struct sockaddr *)&ss, &c->local, NULL))
		c->local = (struct addr){0};
}

struct conn *conn_new(struct peer *p, enum fsm_link link, int fd, bool connecting, struct err *err)
{
	struct conn *c = calloc(1, sizeof(*c));
	int ret;

	if (!c) {
		close(fd);
		err_set(err, -ENOMEM, "out of memory for a connection");
		return NULL;
	}
	c->sp = p->sp;
	c->peer = p;
	c->link = link;
	c->fd = fd;
	c->connecting = connecting;
	ret = uv_poll_init(p->sp->loop, &c->poll, fd);
	if (ret) {
		close(fd);
		free(c);
		err_set(err, ret, "cannot watch a connection: %s", uv_strerror(ret));
		return NULL;
	}
	c->poll.data = c;
	speaker_handle_opened(c->sp);
	if (!connecting)
		learn_local(c);
	watch(c);
	return c;
}

void conn_close(struct conn *c)
{
	struct conn **at = &c->sp->lingering;

	if (c->fd < 0)
		return;
	if (c->peer) {
		c->peer->conn[c->link] = NULL;
		c->peer = NULL;
	} else {
		while (*at != c)
			at = &(*at)->next;
		*at = c->next;
		speaker_rearm(c->sp);
	}
	uv_close((uv_handle_t *)&c->poll, on_closed);
	close(c->fd);
	c->fd = -1;
}

/* Give the kernel what it takes. An error shows up again when reading, and is handled there. */
static void flush(struct conn *c)
{
	while (c->tx_len) {
		ssize_t n = send(c->fd, c->tx + c->tx_at, c->tx_len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		c->tx_at += (size_t)n;
		c->tx_len -= (size_t)n;
		c->tx_progress = true;
	}
	if (!c->tx_len)
		c->tx_at = 0;
	if (!c->tx_len && !c->peer && !c->sent_fin) {
		c->sent_fin = true;
		(void)shutdown(c->fd, SHUT_WR); /* If it fails, the linger time closes. */
	}
	watch(c);
}

size_t conn_room(const struct conn *c)
{
	return sizeof(c->tx) - c->tx_len;
}

void conn_send(struct conn *c, const uint8_t *msg, size_t len)
{
	if (len > conn_room(c))
		return; /* A KEEPALIVE behind a full queue: the queue itself keeps alive. */
	if (c->tx_at + c->tx_len + len > sizeof(c->tx)) {
		memmove(c->tx, c->tx + c->tx_at, c->tx_len);
		c->tx_at = 0;
	}
	memcpy(c->tx + c->tx_at + c->tx_len, msg, len);
	c->tx_len += len;
	flush(c);
}

/* The whole messages in the buffer, to the peer; false when that ended the connection. */
static bool handle_messages(struct conn *c)
{
	struct bgp_error error;
	size_t at = 0;

	for (;;) {
		uint8_t type;
		int n = bgp_decode_header(c->rx + at, c->rx_len - at, &type, &error);

		if (n < 0)
			peer_bad_message(c->peer, c, &error);
		else if (n > 0)
			peer_message(c->peer, c, type, c->rx + at, (size_t)n);
		if (c->fd < 0 || !c->peer)
			return false;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	c->rx_len -= at;
	memmove(c->rx, c->rx + at, c->rx_len);
	return true;
}

static void ended(struct conn *c, int error)
{
	struct fsm_event ev = {.kind = FSM_EV_CLOSED, .link = c->link};
	char text[160];

	if (!c->peer) {
		conn_close(c);
		return;
	}
	if (error)
		snprintf(text, sizeof(text), "the connection broke: %s", strerror(error));
	else
		snprintf(text, sizeof(text), "the peer closed the connection");
	ev.text = text;
	peer_step(c->peer, &ev);
}

void conn_read(struct conn *c)
{
	for (int i = 0; i < CONN_READS_PER_TURN && c->fd >= 0; i++) {
		ssize_t n = recv(c->fd, c->rx + c->rx_len, sizeof(c->rx) - c->rx_len, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0) {
			ended(c, n ? errno : 0);
			return;
		}
		if (!c->peer)
			continue; /* Lingering: we only wait for the end. */
		c->rx_len += (size_t)n;
		if (!handle_messages(c))
			return;
	}
}

static void connected(struct conn *c)
{
	struct fsm_event ev = {.kind = FSM_EV_CONNECTED, .link = c->link};
	struct err err;
	socklen_t len = sizeof(int);
	int error = 0;

	if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len))
		error = errno;
	if (error) {
		bgp_sock_explain(&c->peer->config, error, &err);
		ev.kind = FSM_EV_CONNECT_FAILED;
		ev.text = err.text;
	} else {
		c->connecting = false;
		learn_local(c);
		watch(c);
	}
	peer_step(c->peer, &ev);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct conn *c = poll->data;

	if (c->connecting) {
		connected(c);
		return;
	}
	if (events & UV_WRITABLE)
		flush(c);
	if (c->peer && events & UV_WRITABLE)
		peer_flush(c->peer);
	/* A bad status means an error on the socket, and reading tells which. */
	if (c->fd >= 0 && (status < 0 || events & UV_READABLE))
		conn_read(c);
	if (c->fd >= 0 && status < 0)
		watch(c); /* libuv has stopped watching. */
}

void conn_linger(struct conn *c)
{
	struct bgp_speaker *sp = c->sp;
	unsigned n = 0;

	for (struct conn *it = sp->lingering; it; it = it->next)
		n++;
	if (n >= LINGERING_MAX) {
		conn_close(c);
		return;
	}
	c->peer->conn[c->link] = NULL;
	c->peer = NULL;
	c->rx_len = 0;
	c->linger_until_ns = clock_now_ns() + CONN_LINGER_NS;
	c->next = sp->lingering;
	sp->lingering = c;
	flush(c);
	speaker_rearm(sp);
}

uint64_t conn_linger_expire(struct bgp_speaker *sp, uint64_t now_ns)
{
	uint64_t next = UINT64_MAX;

	for (struct conn *c = sp->lingering, *after; c; c = after) {
		after = c->next;
		if (now_ns >= c->linger_until_ns)
			conn_close(c);
		else if (c->linger_until_ns < next)
			next = c->linger_until_ns;
	}
	return next;
}
