/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/api/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

/* Above so many unsent bytes a client's further requests wait. */
#define BACKLOG_BYTES (256u * 1024)
#define READ_CHUNK    (64u * 1024)

struct api_client {
	struct api_server *server;
	struct api_client *next, **prev;
	uv_pipe_t pipe;
	uv_timer_t stall;
	char *buf; /* what has come and isn't carried out yet */
	size_t len, cap;
	size_t scanned; /* bytes of buf known to hold no LF */
	bool reading;   /* libuv reads from it */
	bool paused;    /* not reading until its backlog is gone */
	bool ending;    /* no more requests: close once all is written */
	bool closing;
	unsigned handles; /* open libuv handles in this struct */
};

struct api_server {
	uv_loop_t *loop;
	uv_pipe_t pipe;
	bool listening;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct api_table table;
	struct api_client *clients;
	size_t n_clients;
};

struct api_write {
	uv_write_t req;
	char *text;
};

static void serve(struct api_client *c);
static void set_reading(struct api_client *c, bool on);

static void handle_closed(uv_handle_t *handle)
{
	struct api_client *c = handle->data;

	if (--c->handles > 0)
		return;
	free(c->buf);
	free(c);
}

static void client_close(struct api_client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	*c->prev = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->server->n_clients--;
	c->server = NULL;
	uv_close((uv_handle_t *)&c->stall, handle_closed);
	uv_close((uv_handle_t *)&c->pipe, handle_closed);
}

static size_t backlog(const struct api_client *c)
{
	return uv_stream_get_write_queue_size((const uv_stream_t *)&c->pipe);
}

static void stalled(uv_timer_t *timer)
{
	client_close(timer->data);
}

static void alloc_buf(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct api_client *c = handle->data;

	(void)suggested;
	if (c->cap - c->len < READ_CHUNK) {
		size_t cap = c->cap * 2 > c->len + READ_CHUNK ? c->cap * 2 : c->len + READ_CHUNK;
		char *grown = realloc(c->buf, cap);

		if (!grown) {
			*ret = uv_buf_init(NULL, 0);
			return;
		}
		c->buf = grown;
		c->cap = cap;
	}
	*ret = uv_buf_init(c->buf + c->len, (unsigned)(c->cap - c->len));
}

static void received(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct api_client *c = stream->data;

	(void)buf;
	if (n == 0)
		return;
	if (n == UV_EOF) {
		/* A client may shut down its half and still wait for answers. */
		c->ending = true;
		set_reading(c, false);
		if (backlog(c) == 0 && c->len == 0)
			client_close(c);
		else
			serve(c);
		return;
	}
	if (n < 0) {
		client_close(c);
		return;
	}
	c->len += (size_t)n;
	serve(c);
}

static void written(uv_write_t *req, int status)
{
	struct api_write *w = (struct api_write *)req;
	struct api_client *c = req->data;

	free(w->text);
	free(w);
	if (c->closing)
		return;
	if (status < 0) {
		client_close(c);
		return;
	}
	if (backlog(c) == 0)
		uv_timer_stop(&c->stall);
	else
		uv_timer_start(&c->stall, stalled, API_STALL_MS, 0);
	if (c->paused && backlog(c) < BACKLOG_BYTES) {
		c->paused = false;
		serve(c);
	} else if (c->ending && backlog(c) == 0) {
		client_close(c);
	}
}

/* Queue text, which is taken over. */
static int send_text(struct api_client *c, char *text)
{
	struct api_write *w = calloc(1, sizeof(*w));
	uv_buf_t buf = uv_buf_init(text, (unsigned)strlen(text));

	if (!w) {
		free(text);
		return -ENOMEM;
	}
	w->text = text;
	w->req.data = c;
	if (uv_write(&w->req, (uv_stream_t *)&c->pipe, &buf, 1, written) < 0) {
		free(text);
		free(w);
		return -EIO;
	}
	if (!uv_is_active((uv_handle_t *)&c->stall))
		uv_timer_start(&c->stall, stalled, API_STALL_MS, 0);
	return 0;
}

static int too_long(struct api_client *c)
{
	char *text;
	int rc = api_refuse(API_INVALID_REQUEST, "a request line has more than 32 MiB",
			    "send large configurations as a file: params {\"path\": ...}", &text);

	c->ending = true;
	c->len = c->scanned = 0;
	set_reading(c, false);
	return rc < 0 ? rc : send_text(c, text);
}

/* Carry out the first line of the buffer. 1: done, 0: there is no whole line, or -errno. */
static int serve_line(struct api_client *c)
{
	char *end =
		c->len > c->scanned ? memchr(c->buf + c->scanned, '\n', c->len - c->scanned) : NULL;
	size_t line_len, used;
	char *answer = NULL;
	int rc;

	if (!end) {
		c->scanned = c->len;
		return c->len > API_LINE_MAX ? too_long(c) : 0;
	}
	line_len = (size_t)(end - c->buf);
	used = line_len + 1;
	if (line_len > API_LINE_MAX)
		return too_long(c);
	if (line_len > 0 && c->buf[line_len - 1] == '\r')
		line_len--;
	if (line_len > 0) {
		rc = api_call(&c->server->table, c->buf, line_len, &answer);
		if (rc < 0)
			return rc;
	}
	memmove(c->buf, c->buf + used, c->len - used);
	c->len -= used;
	c->scanned = 0;
	if (!answer)
		return 1;
	rc = send_text(c, answer);
	return rc < 0 ? rc : 1;
}

static void set_reading(struct api_client *c, bool on)
{
	uv_stream_t *stream = (uv_stream_t *)&c->pipe;

	if (c->reading == on)
		return;
	c->reading = on;
	if (!on)
		uv_read_stop(stream);
	else if (uv_read_start(stream, alloc_buf, received) < 0)
		client_close(c);
}

static void serve(struct api_client *c)
{
	int rc = 0;

	while (!c->closing && !c->paused) {
		rc = serve_line(c);
		if (rc <= 0)
			break;
		c->paused = backlog(c) >= BACKLOG_BYTES;
	}
	if (c->closing)
		return;
	if (rc < 0) {
		client_close(c);
		return;
	}
	if (c->ending) {
		if (!c->paused && backlog(c) == 0)
			client_close(c);
		return;
	}
	set_reading(c, !c->paused);
}

static struct api_client *client_new(struct api_server *s)
{
	struct api_client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->server = s;
	c->handles = 2;
	uv_timer_init(s->loop, &c->stall);
	uv_pipe_init(s->loop, &c->pipe, 0);
	c->stall.data = c->pipe.data = c;
	c->next = s->clients;
	c->prev = &s->clients;
	if (c->next)
		c->next->prev = &c->next;
	s->clients = c;
	s->n_clients++;
	return c;
}

static void accept_client(uv_stream_t *stream, int status)
{
	struct api_server *s = stream->data;
	struct api_client *c;

	if (status < 0)
		return;
	c = client_new(s);
	if (!c)
		return;
	if (uv_accept(stream, (uv_stream_t *)&c->pipe) < 0 || s->n_clients > API_CLIENTS_MAX) {
		client_close(c);
		return;
	}
	serve(c);
}

int api_server_adopt(struct api_server *server, int fd)
{
	struct api_client *c = client_new(server);
	int rc;

	if (!c) {
		close(fd);
		return -ENOMEM;
	}
	rc = uv_pipe_open(&c->pipe, fd);
	if (rc < 0) {
		close(fd);
		client_close(c);
		return rc;
	}
	serve(c);
	return 0;
}

/* Make room for our socket at path, unless somebody serves what is there. */
static int clear_path(const char *path, struct err *err)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	AUTO_CLOSE int fd = -1;
	struct stat st;

	if (lstat(path, &st) < 0)
		return errno == ENOENT ? 0 : err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST,
			       "%s: exists and is no socket; remove it or choose "
			       "another --socket",
			       path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "socket: %s", strerror(errno));
	memcpy(sun.sun_path, path, strlen(path) + 1);
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 || errno == EAGAIN)
		return err_set(err, -EADDRINUSE, "%s: another daemon serves this socket", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_set(err, -errno, "%s: a socket nobody serves, can't be removed: %s",
			       path, strerror(errno));
	return 0;
}

static int listen_at(struct api_server *s, struct err *err)
{
	mode_t mask;
	int rc;

	rc = clear_path(s->path, err);
	if (rc < 0)
		return rc;
	mask = umask(0117);
	rc = uv_pipe_bind(&s->pipe, s->path);
	umask(mask);
	if (rc < 0)
		return err_set(err, rc, "%s: %s", s->path, uv_strerror(rc));
	s->listening = true;
	rc = uv_listen((uv_stream_t *)&s->pipe, 64, accept_client);
	if (rc < 0)
		return err_set(err, rc, "%s: %s", s->path, uv_strerror(rc));
	return 0;
}

int api_server_new(uv_loop_t *loop, const char *path, const struct api_table *table,
		   struct api_server **ret_server, struct err *err)
{
	struct api_server *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	s->loop = loop;
	s->table = *table;
	uv_pipe_init(loop, &s->pipe, 0);
	s->pipe.data = s;
	if (strlen(path) >= sizeof(s->path)) {
		rc = err_set(err, -ENAMETOOLONG,
			     "%s: longer than the %zu bytes of a Unix socket's "
			     "path",
			     path, sizeof(s->path) - 1);
	} else {
		memcpy(s->path, path, strlen(path) + 1);
		rc = listen_at(s, err);
	}
	if (rc < 0) {
		api_server_free(s);
		return rc;
	}
	*ret_server = s;
	return 0;
}

size_t api_server_clients(const struct api_server *server)
{
	return server->n_clients;
}

static void server_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void api_server_free(struct api_server *server)
{
	if (!server)
		return;
	while (server->clients)
		client_close(server->clients);
	/* libuv removes the socket's name when it closes the handle it bound. */
	uv_close((uv_handle_t *)&server->pipe, server_closed);
}
