/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_SOCK_H
#define FAIRWAY_BGP_SOCK_H

#include <stdbool.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/bgp/bgp.h"

/* TCP sockets the way BGP wants them: never blocking, MD5 (RFC 2385), GTSM (RFC 5082), internetwork
 * control precedence. */

/* Start connecting to nb. 0 with the socket, which turns writable when the connection stands or has
 * failed (SO_ERROR tells); -errno with words. */
int bgp_sock_connect(const struct bgp_neighbor *nb, int *ret_fd, struct err *err)
	__attribute__((warn_unused_result));

/* Listen on addr (all zero bytes: every address of that family). */
int bgp_sock_listen(const struct addr *addr, uint16_t port, int *ret_fd, struct err *err)
	__attribute__((warn_unused_result));

/* Expect (or, with "", no longer expect) MD5 signatures from peer on a listening socket. */
int bgp_sock_set_password(int fd, const struct addr *peer, const char *password, struct err *err)
	__attribute__((warn_unused_result));

/* Prepare a connection that nb has opened. */
int bgp_sock_accepted(int fd, const struct bgp_neighbor *nb, struct err *err)
	__attribute__((warn_unused_result));

/* Why a connection to nb failed, and what to look at. */
void bgp_sock_explain(const struct bgp_neighbor *nb, int error, struct err *err);

/* An address of family for a session whose own address is local: that of the same family as local
 * is local itself, the other is a global address of the interface that has local. 0, or -ENOENT
 * with words, or another -errno of getifaddrs(). */
int bgp_next_hop(const struct addr *local, uint8_t family, struct addr *ret_addr, struct err *err)
	__attribute__((warn_unused_result));

#endif
