/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_METRICS_HTTP_H
#define FAIRWAY_METRICS_HTTP_H

#include <stddef.h>
#include <uv.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"

/*
 * A read-only HTTP server on the daemon's loop: libmicrohttpd without a thread, its epoll set
 * polled by libuv. It answers GET and HEAD; everything it can say comes from one callback.
 */

struct metrics_http;

struct metrics_page {
	unsigned status;          /* 200, 404, 503, ... */
	const char *content_type; /* a constant */
	char *body;               /* from malloc(); the server frees it */
	size_t len;
};

/* Build the page of a path; leave page->body NULL when out of memory. Called from the loop. */
typedef void metrics_page_fn(void *arg, const char *path, struct metrics_page *page);

/* Listen on addr:port. 0, or -errno with words. */
int metrics_http_new(uv_loop_t *loop, const struct addr *addr, uint16_t port, metrics_page_fn *fn,
		     void *arg, struct metrics_http **ret_http, struct err *err)
	__attribute__((warn_unused_result));

/* Stop at once. Memory goes when the loop has closed the handles. NULL is accepted. */
void metrics_http_free(struct metrics_http *http);

#endif
