/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One connection of the load client: connects, asks over HTTP/1.1, waits for the answer, and on a
 * long connection pauses and asks again. One timer serves whatever it waits for: the moment to
 * connect, the peer, or the end of the pause.
 */
#include "testbed/load/load.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum conn_state {
	CONN_DELAYED,
	CONN_CONNECTING,
	CONN_ASKED,
	CONN_PAUSED,
	CONN_ENDED,
};

struct load_conn {
	struct load_conn_params p;
	struct load_conn *prev, *next;
	enum conn_state state;
	bool established;
	unsigned handles; /* not closed yet */
	uv_timer_t timer;
	uv_tcp_t tcp;
	uv_connect_t connect;
	uv_write_t write;
	char request[512];
	struct load_server *server; /* who answered last; NULL before */
	uint64_t asked_ns;          /* when it began to connect or asked last */
	size_t len;
	char answer[4096];
};

static struct load_conn *all;

static uint64_t *outcomes(struct load_conn *c)
{
	return c->p.is_long ? c->p.stats->long_outcome : c->p.stats->short_outcome;
}

static void on_handle_closed(uv_handle_t *handle)
{
	struct load_conn *c = handle->data;

	if (--c->handles)
		return;
	if (c->prev)
		c->prev->next = c->next;
	else
		all = c->next;
	if (c->next)
		c->next->prev = c->prev;
	c->p.closed(c->p.arg, c->p.is_long, c->p.target);
	free(c);
}

void load_conn_stop(struct load_conn *c)
{
	if (c->state == CONN_ENDED)
		return;
	c->state = CONN_ENDED;
	if (!c->p.is_long)
		c->p.stats->short_in_flight--;
	else if (c->established)
		c->p.stats->long_open--;
	if (c->p.is_long && c->server)
		c->server->long_open--;
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
}

uint64_t load_conn_stalled(void)
{
	uint64_t now_ns = uv_hrtime(), n = 0;

	for (const struct load_conn *c = all; c; c = c->next)
		if ((c->state == CONN_CONNECTING || c->state == CONN_ASKED) &&
		    now_ns - c->asked_ns > LOAD_STALLED_MS * UINT64_C(1000000))
			n++;
	return n;
}

void load_conn_stop_all(void)
{
	for (struct load_conn *c = all; c; c = c->next)
		load_conn_stop(c);
}

static void end(struct load_conn *c, enum load_outcome outcome)
{
	outcomes(c)[outcome]++;
	load_conn_stop(c);
}

static void on_timer(uv_timer_t *timer);

static void set_timer(struct load_conn *c, unsigned ms)
{
	/* Fails only for a closing handle or without a callback. */
	if (uv_timer_start(&c->timer, on_timer, ms, 0))
		abort();
}

static enum load_outcome connect_outcome(int status)
{
	switch (status) {
	case UV_ECONNREFUSED:
	case UV_ECONNRESET:
		return LOAD_REFUSED;
	case UV_EHOSTUNREACH:
	case UV_ENETUNREACH:
	case UV_EACCES: /* a prohibit route, or ICMP "administratively prohibited" */
		return LOAD_UNREACHABLE;
	case UV_ETIMEDOUT:
		return LOAD_CONNECT_TIMEOUT;
	default:
		return LOAD_LOCAL;
	}
}

static enum load_outcome established_outcome(int status)
{
	switch (status) {
	case UV_EOF:
		return LOAD_CLOSED;
	case UV_ECONNRESET:
	case UV_EPIPE:
		return LOAD_RESET;
	default:
		return LOAD_ANSWER_TIMEOUT; /* the kernel gave up: ETIMEDOUT, EHOSTUNREACH */
	}
}

static void on_written(uv_write_t *write, int status)
{
	struct load_conn *c = write->data;

	if (status && c->state != CONN_ENDED)
		end(c, established_outcome(status));
}

static void ask(struct load_conn *c)
{
	uv_buf_t buf = uv_buf_init(c->request, (unsigned)strlen(c->request));

	/* The first answer is timed from the SYN, so that waiting to be connected shows too. */
	if (c->state != CONN_CONNECTING)
		c->asked_ns = uv_hrtime();
	c->state = CONN_ASKED;
	c->len = 0;
	set_timer(c, c->p.opt->timeout_ms);
	int rc = uv_write(&c->write, (uv_stream_t *)&c->tcp, &buf, 1, on_written);
	if (rc)
		end(c, established_outcome(rc));
}

static void answered(struct load_conn *c, const char *body)
{
	struct load_server *server = load_stats_answer(c->p.stats, body, c->p.is_long);
	uint64_t took_ns = uv_hrtime() - c->asked_ns;

	if (took_ns > c->p.stats->slowest_ns)
		c->p.stats->slowest_ns = took_ns;
	if (!c->p.is_long) {
		end(c, LOAD_OK);
		return;
	}
	c->p.stats->long_outcome[LOAD_OK]++;
	if (c->server) {
		c->server->long_open--;
		c->p.stats->long_moved += c->server != server;
	}
	c->server = server;
	server->long_open++;
	c->state = CONN_PAUSED;
	set_timer(c, c->p.opt->every_ms);
}

/* Looks whether the answer is whole. It is small and has a Content-Length, or it is a bad one. */
static void take_answer(struct load_conn *c)
{
	static const char field[] = "\ncontent-length:";
	char *body = strstr(c->answer, "\r\n\r\n");

	if (!body) {
		if (c->len == sizeof(c->answer) - 1)
			end(c, LOAD_BAD_ANSWER);
		return;
	}
	body += 4;
	const char *length = strcasestr(c->answer, field);
	bool ok = !strncmp(c->answer, "HTTP/1.1 200 ", 13) && length && length < body;
	size_t want = ok ? strtoul(length + strlen(field), NULL, 10) : 0;
	size_t have = c->len - (size_t)(body - c->answer);

	if (!ok || have > want || want >= sizeof(c->answer) - (size_t)(body - c->answer))
		end(c, LOAD_BAD_ANSWER);
	else if (have == want)
		answered(c, body);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct load_conn *c = handle->data;

	(void)suggested;
	*buf = uv_buf_init(c->answer + c->len, (unsigned)(sizeof(c->answer) - 1 - c->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct load_conn *c = stream->data;

	(void)buf;
	if (n == 0 || c->state == CONN_ENDED)
		return;
	if (n < 0) {
		end(c, established_outcome((int)n));
	} else if (c->state != CONN_ASKED) {
		end(c, LOAD_BAD_ANSWER); /* nobody asked */
	} else {
		c->len += (size_t)n;
		c->answer[c->len] = '\0';
		take_answer(c);
	}
}

static void on_connected(uv_connect_t *connect, int status)
{
	struct load_conn *c = connect->data;

	if (c->state == CONN_ENDED)
		return;
	if (status) {
		end(c, connect_outcome(status));
		return;
	}
	c->established = true;
	if (c->p.is_long) {
		c->p.stats->long_opened++;
		c->p.stats->long_open++;
	}
	int rc = uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
	if (rc)
		end(c, established_outcome(rc));
	else
		ask(c);
}

static void begin(struct load_conn *c)
{
	const struct sockaddr *to = (const struct sockaddr *)&c->p.opt->targets[c->p.target];

	c->state = CONN_CONNECTING;
	c->asked_ns = uv_hrtime();
	set_timer(c, c->p.opt->timeout_ms);
	int rc = uv_tcp_connect(&c->connect, &c->tcp, to, on_connected);
	if (rc)
		end(c, connect_outcome(rc));
}

static void on_timer(uv_timer_t *timer)
{
	struct load_conn *c = timer->data;

	switch (c->state) {
	case CONN_DELAYED:
		begin(c);
		break;
	case CONN_CONNECTING:
		end(c, LOAD_CONNECT_TIMEOUT);
		break;
	case CONN_ASKED:
		end(c, LOAD_ANSWER_TIMEOUT);
		break;
	case CONN_PAUSED:
		ask(c);
		break;
	case CONN_ENDED:
		break;
	}
}

struct load_conn *load_conn_new(const struct load_conn_params *params)
{
	struct load_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->p = *params;
	c->timer.data = c->tcp.data = c->connect.data = c->write.data = c;
	/* Neither opens anything yet: no error is possible. */
	if (uv_timer_init(c->p.loop, &c->timer) || uv_tcp_init(c->p.loop, &c->tcp))
		abort();
	c->handles = 2;
	/* Kept alive for short ones too: this side closes, so TIME_WAIT stays here, and no server
	 * remembers a port that comes to another server next time. */
	snprintf(c->request, sizeof(c->request),
		 "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: fairway-load\r\n\r\n", c->p.opt->path,
		 c->p.opt->host_headers[c->p.target]);
	c->next = all;
	if (all)
		all->prev = c;
	all = c;
	if (!c->p.is_long) {
		c->p.stats->short_started++;
		c->p.stats->short_in_flight++;
	}
	set_timer(c, c->p.delay_ms);
	return c;
}
