/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/verdict.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/epoll.h>

void verdict_set(struct verdict *v, enum outcome outcome, const char *fmt, ...)
{
	va_list ap;

	v->outcome = outcome;
	va_start(ap, fmt);
	vsnprintf(v->text, sizeof(v->text), fmt, ap);
	va_end(ap);
}

int io_watch(int epoll_fd, struct io *io, uint32_t epoll_events)
{
	struct epoll_event ev = {.events = epoll_events, .data.ptr = io};

	if (epoll_ctl(epoll_fd, io->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, io->fd, &ev) < 0)
		return -errno;
	io->watched = true;
	return 0;
}

void io_unwatch(int epoll_fd, struct io *io)
{
	if (!io->watched)
		return;
	/* Fails only if the descriptor is not in the set, which is what is wanted. */
	epoll_ctl(epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	io->watched = false;
}
