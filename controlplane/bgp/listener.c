/* SPDX-License-Identifier: BSD-2-Clause */

/* The listening sockets: one for each local address that a neighbour is bound to, or one for every
 * address of a family when some neighbour of that family isn't. Whoever isn't a configured
 * neighbour is closed at once. */

#include "controlplane/bgp/speaker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "controlplane/base/clock.h"
#include "controlplane/bgp/sock.h"

#define ACCEPTS_PER_TURN 16

static void on_poll(uv_poll_t *poll, int status, int events);

static void on_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;
	struct bgp_speaker *sp = l->sp;

	free(l);
	speaker_handle_closed(sp);
}

static void listener_close(struct listener *l)
{
	uv_close((uv_handle_t *)&l->poll, on_closed);
	close(l->fd);
	l->fd = -1;
}

/* Any address of the family, as a neighbour without local address needs it. */
static struct addr wildcard(uint8_t family)
{
	return (struct addr){.family = family};
}

static bool any_unbound(const struct bgp_speaker *sp, uint8_t family)
{
	for (size_t i = 0; i < sp->n_peers; i++) {
		const struct bgp_neighbor *nb = &sp->peers[i]->config;

		if (nb->address.family == family && !nb->local_address.family)
			return true;
	}
	return false;
}

/* Where the neighbour expects us to listen. */
static struct addr wanted_address(const struct bgp_speaker *sp, const struct bgp_neighbor *nb)
{
	if (any_unbound(sp, nb->address.family))
		return wildcard(nb->address.family);
	return nb->local_address;
}

static bool wanted(const struct bgp_speaker *sp, const struct listener *l)
{
	if (sp->listen_off || l->port != sp->listen_port)
		return false;
	for (size_t i = 0; i < sp->n_peers; i++) {
		struct addr a = wanted_address(sp, &sp->peers[i]->config);

		if (addr_equal(&a, &l->addr))
			return true;
	}
	return false;
}

static struct listener *find(const struct bgp_speaker *sp, const struct addr *addr)
{
	for (struct listener *l = sp->listeners; l; l = l->next) {
		if (addr_equal(&l->addr, addr))
			return l;
	}
	return NULL;
}

static int listener_open(struct bgp_speaker *sp, const struct addr *addr, struct err *err)
{
	struct listener *l = calloc(1, sizeof(*l));
	int ret;

	if (!l)
		return err_set(err, -ENOMEM, "out of memory for a listening socket");
	l->sp = sp;
	l->addr = *addr;
	l->port = sp->listen_port;
	ret = bgp_sock_listen(addr, l->port, &l->fd, err);
	if (ret) {
		free(l);
		return ret;
	}
	ret = uv_poll_init(sp->loop, &l->poll, l->fd);
	if (ret) {
		close(l->fd);
		free(l);
		return err_set(err, ret, "cannot watch the listening socket: %s", uv_strerror(ret));
	}
	l->poll.data = l;
	speaker_handle_opened(sp);
	(void)uv_poll_start(&l->poll, UV_READABLE, on_poll); /* Fails only when closing. */
	l->next = sp->listeners;
	sp->listeners = l;
	return 0;
}

static void close_unwanted(struct bgp_speaker *sp)
{
	struct listener **at = &sp->listeners;

	while (*at) {
		struct listener *l = *at;

		if (wanted(sp, l)) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		listener_close(l);
	}
}

void listeners_sync(struct bgp_speaker *sp)
{
	struct err err = {{0}};

	close_unwanted(sp);
	for (size_t i = 0; !sp->listen_off && i < sp->n_peers; i++) {
		const struct bgp_neighbor *nb = &sp->peers[i]->config;
		struct addr a = wanted_address(sp, nb);
		struct listener *l = find(sp, &a);

		if (!l && listener_open(sp, &a, &err) == 0)
			l = find(sp, &a);
		/* Without the password no signed connection gets in; err then says so. */
		if (l && bgp_sock_set_password(l->fd, &nb->address, nb->password, &err))
			continue;
	}
	if (err.text[0] && strcmp(err.text, sp->listen_error.text) != 0)
		speaker_notice(sp, err.text);
	sp->listen_error = err;
	sp->listen_retry_ns = err.text[0] ? clock_now_ns() + LISTEN_RETRY_NS : 0;
	speaker_rearm(sp);
}

void listeners_resume(struct bgp_speaker *sp)
{
	for (struct listener *l = sp->listeners; l; l = l->next) {
		if (l->paused)
			(void)uv_poll_start(&l->poll, UV_READABLE, on_poll);
		l->paused = false;
	}
}

void listeners_close(struct bgp_speaker *sp)
{
	while (sp->listeners) {
		struct listener *l = sp->listeners;

		sp->listeners = l->next;
		listener_close(l);
	}
	sp->listen_retry_ns = 0;
}

static void dispatch(struct bgp_speaker *sp, int fd, const struct sockaddr_storage *from)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct addr remote, local;
	struct peer *p;

	if (addr_from_sockaddr((const struct sockaddr *)from, &remote, NULL) ||
	    getsockname(fd, (struct sockaddr *)&ss, &len) ||
	    addr_from_sockaddr((struct sockaddr *)&ss, &local, NULL)) {
		close(fd);
		return;
	}
	p = speaker_find(sp, &remote);
	if (!p ||
	    (p->config.local_address.family && !addr_equal(&p->config.local_address, &local))) {
		close(fd);
		return;
	}
	peer_accept(p, fd);
}

/* Out of descriptors or memory: don't spin on a socket that stays readable. */
static void pause_listening(struct listener *l, int error)
{
	struct bgp_speaker *sp = l->sp;
	struct err err;

	err_set(&err, 0, "cannot accept a BGP connection: %s; trying again in %llu s",
		strerror(error), LISTEN_RETRY_NS / NS_PER_S);
	speaker_notice(sp, err.text);
	(void)uv_poll_stop(&l->poll);
	l->paused = true;
	sp->listen_retry_ns = clock_now_ns() + LISTEN_RETRY_NS;
	speaker_rearm(sp);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct listener *l = poll->data;

	(void)events;
	if (status < 0) {
		pause_listening(l, -status);
		return;
	}
	for (int i = 0; i < ACCEPTS_PER_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t len = sizeof(from);
		int fd = accept4(l->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			dispatch(l->sp, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			pause_listening(l, errno);
		/* Anything else is this one connection's trouble (accept(2)), or none is left. */
		return;
	}
}
