/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_API_SERVER_H
#define FAIRWAY_API_SERVER_H

#include <uv.h>

#include "controlplane/api/rpc.h"
#include "controlplane/base/err.h"

/*
 * The Unix socket: lines in, lines out, many clients, on the daemon's loop. A client that sends
 * faster than it reads isn't read from until it has read, one that doesn't read for a minute is
 * dropped, and a line may have API_LINE_MAX bytes; so a client can't make the daemon grow.
 */

#define API_LINE_MAX    (32u * 1024 * 1024)
#define API_CLIENTS_MAX 256
#define API_STALL_MS    60000u

struct api_server;

/* Listen at path with mode 0660. A socket that nobody serves any more is removed first; one that
 * somebody serves, or a file that is no socket, is an error: -EADDRINUSE, -EEXIST, with words.
 * table is kept (its methods and arg outlive the server). */
int api_server_new(uv_loop_t *loop, const char *path, const struct api_table *table,
		   struct api_server **ret_server, struct err *err)
	__attribute__((warn_unused_result));

/* Serve a connection that was accepted elsewhere (a socketpair in tests); fd is taken over, also
 * on failure. */
int api_server_adopt(struct api_server *server, int fd) __attribute__((warn_unused_result));

size_t api_server_clients(const struct api_server *server);

/* Close everything and remove the socket. Memory goes when the loop has closed the handles. NULL
 * is accepted. */
void api_server_free(struct api_server *server);

#endif
