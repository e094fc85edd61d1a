/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_CONNECT_H
#define FAIRWAY_HEALTH_CONNECT_H

/* The non-blocking TCP connect that every check starts with, and whose fault its errors are: what
 * connect() itself refuses is this host's doing, what comes back later is an answer (or an ICMP
 * error) from outside. */

#include "controlplane/health/verdict.h"

/* Begin to connect. The socket is non-blocking, close-on-exec, and resets the connection when
 * closed, so that no TIME_WAIT stays behind. 0: *ret_fd is the caller's; wait for EPOLLOUT, then
 * call connect_finish(). -errno: *ret_verdict has the words, and there is no socket. */
int connect_start(const struct addr *address, uint16_t port, int *ret_fd,
		  struct verdict *ret_verdict) __attribute__((warn_unused_result));

/* The socket became writable or failed. 0: connected; -errno: *ret_verdict has the words. The
 * socket stays the caller's to close. */
int connect_finish(int fd, struct verdict *ret_verdict) __attribute__((warn_unused_result));

#endif
