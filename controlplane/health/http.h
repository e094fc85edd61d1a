/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_HTTP_H
#define FAIRWAY_HEALTH_HTTP_H

/* HTTP and HTTPS over sockets that are connected already: libcurl's multi interface, driven by the
 * checker's epoll set and timer. */

#include "controlplane/health/verdict.h"

struct http_client;
struct http_request;

/* Called when a request ends by itself, from http_client_run() or from an io of the epoll set. It
 * may start, cancel and free any request. */
typedef void (*http_done_fn)(void *owner, const struct verdict *verdict);

/* 0 or -ENOMEM. */
int http_client_new(int epoll_fd, http_done_fn done, struct http_client **ret_client)
	__attribute__((warn_unused_result));
/* All its requests must have been freed. NULL accepted. */
void http_client_free(struct http_client *client);

/* When http_client_run() must be called next; UINT64_MAX: no need. */
uint64_t http_client_wake_ns(const struct http_client *client);
void http_client_run(struct http_client *client, uint64_t now_ns);

/* What to ask, and of whom; config must be valid and its strings outlive the request. One request
 * serves check after check. 0 or -ENOMEM. */
int http_request_new(struct http_client *client, const struct health_target_config *config,
		     void *owner, struct http_request **ret_request)
	__attribute__((warn_unused_result));
/* Cancels. NULL accepted. */
void http_request_free(struct http_request *request);

/* Ask over fd, which from here on belongs to the request, also on failure. 0, or -errno with words
 * in *ret_verdict; done is then not called. */
int http_request_start(struct http_request *request, int fd, struct verdict *ret_verdict)
	__attribute__((warn_unused_result));
/* Drop it and close its connection; done is not called. */
void http_request_cancel(struct http_request *request);

/* The words for a request that ran into its timeout, by how far it got. */
void http_request_timed_out(const struct http_request *request, uint32_t timeout_ms,
			    struct verdict *ret_verdict);

#endif
