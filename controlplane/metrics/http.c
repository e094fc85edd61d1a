/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/metrics/http.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define TIMEOUT_S       10

struct metrics_http {
	struct MHD_Daemon *mhd;
	uv_poll_t poll;
	uv_timer_t timer;
	metrics_page_fn *fn;
	void *arg;
	unsigned handles;
};

static enum MHD_Result queue(struct MHD_Connection *conn, const struct metrics_page *page)
{
	struct MHD_Response *r =
		MHD_create_response_from_buffer(page->len, page->body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result ok;

	if (!r) {
		free(page->body);
		return MHD_NO;
	}
	ok = MHD_add_response_header(r, "Content-Type", page->content_type);
	if (ok == MHD_YES)
		ok = MHD_add_response_header(r, "Cache-Control", "no-store");
	if (ok == MHD_YES)
		ok = MHD_queue_response(conn, page->status, r);
	MHD_destroy_response(r);
	return ok;
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *conn, const char *url,
			      const char *method, const char *version, const char *upload,
			      size_t *upload_size, void **state)
{
	struct metrics_page page = {.status = 405, .content_type = "text/plain; charset=utf-8"};
	struct metrics_http *h = cls;

	(void)version;
	(void)upload;
	(void)state;
	*upload_size = 0;
	if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0)
		h->fn(h->arg, url, &page);
	else
		page.body = strdup("this server only answers GET\n");
	if (!page.body)
		return MHD_NO;
	if (page.status == 405)
		page.len = strlen(page.body);
	return queue(conn, &page);
}

static void run(struct metrics_http *h);

static void on_timer(uv_timer_t *timer)
{
	run(timer->data);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	run(poll->data);
}

/* Let MHD do what is due, and ask when it wants to run again without traffic. */
static void run(struct metrics_http *h)
{
	MHD_UNSIGNED_LONG_LONG ms;

	MHD_run(h->mhd);
	if (MHD_get_timeout(h->mhd, &ms) == MHD_YES)
		uv_timer_start(&h->timer, on_timer, ms, 0);
	else
		uv_timer_stop(&h->timer);
}

static int listen_on(const struct addr *addr, uint16_t port, struct err *err)
{
	char text[ADDR_STRLEN];
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(addr, port, &ss);
	int fd = socket(addr_af(addr), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, rc;

	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
	    bind(fd, (struct sockaddr *)&ss, len) == 0 && listen(fd, CONNECTIONS_MAX) == 0)
		return fd;
	rc = err_set(err, -errno, "%s: %s", addr_port_format(addr, port, text), strerror(errno));
	close(fd);
	return rc;
}

static void handle_closed(uv_handle_t *handle)
{
	struct metrics_http *h = handle->data;

	if (--h->handles == 0)
		free(h);
}

static int watch(uv_loop_t *loop, struct metrics_http *h, struct err *err)
{
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD);
	int rc;

	if (!info)
		return err_set(err, -EOPNOTSUPP, "libmicrohttpd has no epoll");
	rc = uv_poll_init(loop, &h->poll, info->epoll_fd);
	if (rc < 0)
		return err_set(err, rc, "poll: %s", uv_strerror(rc));
	uv_timer_init(loop, &h->timer);
	h->poll.data = h->timer.data = h;
	h->handles = 2;
	uv_poll_start(&h->poll, UV_READABLE, on_readable);
	/* Metrics never keep the daemon alive. */
	uv_unref((uv_handle_t *)&h->poll);
	uv_unref((uv_handle_t *)&h->timer);
	return 0;
}

int metrics_http_new(uv_loop_t *loop, const struct addr *addr, uint16_t port, metrics_page_fn *fn,
		     void *arg, struct metrics_http **ret_http, struct err *err)
{
	struct metrics_http *h = calloc(1, sizeof(*h));
	int fd, rc;

	if (!h)
		return err_set(err, -ENOMEM, "out of memory");
	fd = listen_on(addr, port, err);
	if (fd < 0) {
		free(h);
		return fd;
	}
	h->fn = fn;
	h->arg = arg;
	h->mhd = MHD_start_daemon(MHD_USE_EPOLL, port, NULL, NULL, answer, h,
				  MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
				  (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
				  (unsigned)TIMEOUT_S, MHD_OPTION_END);
	if (!h->mhd) {
		close(fd);
		free(h);
		return err_set(err, -EIO, "libmicrohttpd doesn't start");
	}
	rc = watch(loop, h, err);
	if (rc < 0) {
		MHD_stop_daemon(h->mhd);
		free(h);
		return rc;
	}
	*ret_http = h;
	return 0;
}

void metrics_http_free(struct metrics_http *http)
{
	if (!http)
		return;
	uv_poll_stop(&http->poll);
	MHD_stop_daemon(http->mhd);
	uv_close((uv_handle_t *)&http->timer, handle_closed);
	uv_close((uv_handle_t *)&http->poll, handle_closed);
}
