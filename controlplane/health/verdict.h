/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_VERDICT_H
#define FAIRWAY_HEALTH_VERDICT_H

#include "controlplane/health/health.h"

enum outcome {
	OUTCOME_PASS,
	OUTCOME_FAIL,   /* the server's fault */
	OUTCOME_PROBER, /* ours: says nothing about the server */
};

/* How one check ended, and the words for it. */
struct verdict {
	enum outcome outcome;
	char text[HEALTH_REASON_LEN];
};

void verdict_set(struct verdict *v, enum outcome outcome, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A socket in the checker's epoll set; epoll's data points here. */
struct io {
	int fd;
	bool watched;
	void (*ready)(struct io *io, uint32_t epoll_events);
};

/* Watch io->fd for events, or change them. 0 or -errno. */
int io_watch(int epoll_fd, struct io *io, uint32_t epoll_events)
	__attribute__((warn_unused_result));
/* Stop watching. Must come before the close. */
void io_unwatch(int epoll_fd, struct io *io);

#endif
