/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/rpc.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"

#define REQUEST_ID 1

/* One exchange. */
struct call {
	int fd;
	const char *path;
	uint64_t deadline_ns;
	unsigned timeout_ms;
	bool sent; /* all of the request: the daemon may have acted */
};

void rpc_answer_fini(struct rpc_answer *answer)
{
	json_decref(answer->result);
	json_decref(answer->error);
	*answer = (struct rpc_answer){0};
}

/* ---- connecting ---- */

static const char *group_of(const char *path, char *buf, size_t len)
{
	struct stat st;
	struct group *gr;

	if (stat(path, &st) < 0)
		return "";
	gr = getgrgid(st.st_gid);
	if (gr)
		snprintf(buf, len, " or as a member of group %s", gr->gr_name);
	else
		snprintf(buf, len, " or as a member of group %u", (unsigned)st.st_gid);
	return buf;
}

static int connect_error(const struct call *c, int error, struct err *err)
{
	char group[128];
	const char *mend;

	switch (error) {
	case ENOENT:
		mend = "there is no such socket. Is fairwayd running? See `systemctl status "
		       "fairwayd`, or name another socket with --socket PATH";
		break;
	case ECONNREFUSED:
		mend = "nobody listens there: fairwayd isn't running. See `systemctl status "
		       "fairwayd`";
		break;
	case EACCES:
	case EPERM:
		err_set(err, -error, "cannot reach fairwayd at %s: %s. Run this as root%s", c->path,
			strerror(error), group_of(c->path, group, sizeof(group)));
		return -error;
	case EAGAIN: /* what a blocking connect() says when SO_SNDTIMEO is over */
		return err_set(err, -ETIMEDOUT,
			       "cannot reach fairwayd at %s: it took no connection within %.3g s. "
			       "It may be stuck: see `systemctl status fairwayd`",
			       c->path, c->timeout_ms / 1000.0);
	case ENOTSOCK:
	case EPROTOTYPE:
		mend = "this isn't a stream socket. Name fairwayd's with --socket PATH";
		break;
	default:
		mend = "see `systemctl status fairwayd`";
		break;
	}
	return err_set(err, -error, "cannot reach fairwayd at %s: %s: %s", c->path, strerror(error),
		       mend);
}

static int call_connect(struct call *c, struct err *err)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct timeval wait = {.tv_sec = c->timeout_ms / 1000,
			       .tv_usec = (suseconds_t)(c->timeout_ms % 1000) * 1000};

	if (strlen(c->path) >= sizeof(sun.sun_path))
		return err_set(err, -ENAMETOOLONG,
			       "cannot reach fairwayd at %s: a socket's path has at most %zu bytes",
			       c->path, sizeof(sun.sun_path) - 1);
	memcpy(sun.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return err_set(err, -errno, "cannot make a socket: %s", strerror(errno));
	/* connect() waits while the daemon's backlog is full; this bounds it. */
	if (setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return err_set(err, -errno, "cannot set the socket's timeout: %s", strerror(errno));
	if (connect(c->fd, (const struct sockaddr *)&sun, sizeof(sun)) < 0)
		return connect_error(c, errno, err);
	return 0;
}

/* ---- sending and receiving ---- */

static int lost_error(const struct call *c, int code, const char *what, struct err *err)
{
	return err_set(err, code, "fairwayd at %s %s: see `systemctl status fairwayd`", c->path,
		       what);
}

static int timeout_error(const struct call *c, struct err *err)
{
	char what[96];

	snprintf(what, sizeof(what), "didn't answer within %.3g s (--timeout SECONDS waits longer)",
		 c->timeout_ms / 1000.0);
	return lost_error(c, -ETIMEDOUT, what, err);
}

/* Wait until the socket is ready for events, or the deadline is over. */
static int call_wait(const struct call *c, short events, struct err *err)
{
	for (;;) {
		struct pollfd pfd = {.fd = c->fd, .events = events};
		uint64_t now = clock_now_ns();
		int ready;

		if (now >= c->deadline_ns)
			return timeout_error(c, err);
		ready = poll(&pfd, 1, (int)((c->deadline_ns - now + 999999) / 1000000));
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot wait for fairwayd: %s",
				       strerror(errno));
	}
}

static int call_send(struct call *c, const char *text, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t sent = send(c->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent >= 0) {
			text += sent;
			len -= (size_t)sent;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int ret = call_wait(c, POLLOUT, err);

			if (ret < 0)
				return ret;
		} else if (errno == EPIPE || errno == ECONNRESET) {
			/* It may have said why before it closed: reading finds out. A request
			 * that lacks its end isn't carried out. */
			return 0;
		} else if (errno != EINTR) {
			return lost_error(c, -errno, strerror(errno), err);
		}
	}
	c->sent = true;
	return 0;
}

struct line {
	char *text;
	size_t len, size;
};

static void line_fini(struct line *line)
{
	free(line->text);
}

static int line_reserve(const struct call *c, struct line *line, struct err *err)
{
	size_t larger = line->size ? line->size * 2 : 65536;
	char *moved;

	if (line->size - line->len >= 4096)
		return 0;
	if (larger > RPC_ANSWER_MAX)
		return lost_error(c, -EPROTO,
				  "sent more than 256 MiB without an end: it isn't fairwayd, or "
				  "speaks another protocol",
				  err);
	moved = realloc(line->text, larger);
	if (!moved)
		return err_set(err, -ENOMEM, "out of memory for fairwayd's answer");
	line->text = moved;
	line->size = larger;
	return 0;
}

static int closed_error(const struct call *c, const struct line *line, struct err *err)
{
	if (line->len > 0)
		return lost_error(c, -ECONNRESET,
				  "closed the connection in the middle of its answer", err);
	return lost_error(c, -ECONNRESET, "closed the connection without an answer", err);
}

/* Read up to the first LF, which is left out. */
static int call_receive(const struct call *c, struct line *line, struct err *err)
{
	for (;;) {
		char *end;
		ssize_t got;
		int ret = line_reserve(c, line, err);

		if (ret == 0)
			ret = call_wait(c, POLLIN, err);
		if (ret < 0)
			return ret;
		got = recv(c->fd, line->text + line->len, line->size - line->len, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno == ECONNRESET))
			return closed_error(c, line, err);
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return lost_error(c, -errno, strerror(errno), err);
		if (got < 0)
			continue;
		end = memchr(line->text + line->len, '\n', (size_t)got);
		line->len += (size_t)got;
		if (end) {
			line->len = (size_t)(end - line->text);
			return 0;
		}
	}
}

/* ---- the answer ---- */

static int not_an_answer(const struct call *c, const char *what, struct err *err)
{
	char text[256];

	snprintf(text, sizeof(text),
		 "sent what isn't an answer (%s): it isn't fairwayd, or speaks another protocol",
		 what);
	return lost_error(c, -EPROTO, text, err);
}

static int check_result(const struct call *c, const json_t *result, struct err *err)
{
	const json_t *version = json_object_get(result, "schema_version");

	if (!json_is_object(result) || !json_is_integer(version))
		return not_an_answer(c, "the result has no schema_version", err);
	if (json_integer_value(version) != RPC_SCHEMA_VERSION)
		return err_set(err, -EPROTONOSUPPORT,
			       "fairwayd at %s answers in schema_version %" JSON_INTEGER_FORMAT
			       ", this fairway (" FAIRWAY_VERSION ") understands %d: use the "
			       "fairway that was installed with the daemon",
			       c->path, json_integer_value(version), RPC_SCHEMA_VERSION);
	return 0;
}

static int check_answer(const struct call *c, const json_t *root, struct err *err)
{
	const json_t *result = json_object_get(root, "result");
	const json_t *error = json_object_get(root, "error");
	const json_t *id = json_object_get(root, "id");
	const char *version = json_string_value(json_object_get(root, "jsonrpc"));

	if (!version || strcmp(version, "2.0") != 0)
		return not_an_answer(c, "no JSON-RPC 2.0", err);
	/* An error may lack the id: the daemon couldn't read it. */
	if (json_integer_value(id) != REQUEST_ID && !(error && json_is_null(id)))
		return not_an_answer(c, "it has another id than the request", err);
	if (!result == !error)
		return not_an_answer(c, "neither a result nor an error, or both", err);
	if (result)
		return check_result(c, result, err);
	if (!json_is_integer(json_object_get(error, "code")) ||
	    !json_is_string(json_object_get(error, "message")))
		return not_an_answer(c, "an error without code or message", err);
	return 0;
}

static int parse_answer(const struct call *c, const struct line *line,
			struct rpc_answer *ret_answer, struct err *err)
{
	json_error_t why;
	json_t *root = json_loadb(line->text, line->len, JSON_REJECT_DUPLICATES, &why);
	int ret;

	if (!root)
		return not_an_answer(c, why.text, err);
	ret = check_answer(c, root, err);
	if (ret == 0) {
		ret_answer->result = json_incref(json_object_get(root, "result"));
		ret_answer->error = json_incref(json_object_get(root, "error"));
	}
	json_decref(root);
	return ret;
}

static char *make_request(const char *method, json_t *params)
{
	json_t *root =
		json_pack("{s:s, s:i, s:s}", "jsonrpc", "2.0", "id", REQUEST_ID, "method", method);
	char *text = NULL, *line;

	if (root && (!params || json_object_set(root, "params", params) == 0))
		text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	line = text ? realloc(text, strlen(text) + 2) : NULL;
	if (!line)
		free(text);
	else
		strcat(line, "\n");
	return line;
}

int rpc_call(const char *socket_path, unsigned timeout_ms, const char *method, json_t *params,
	     struct rpc_answer *ret_answer, struct err *err)
{
	struct call c = {
		.fd = -1,
		.path = socket_path,
		.deadline_ns = clock_now_ns() + (uint64_t)timeout_ms * 1000000,
		.timeout_ms = timeout_ms,
	};
	CLEANUP(line_fini) struct line line = {0};
	AUTO_FREE char *request = make_request(method, params);
	int ret = request ? 0 : err_set(err, -ENOMEM, "out of memory for the request");

	if (ret == 0)
		ret = call_connect(&c, err);
	if (ret == 0)
		ret = call_send(&c, request, strlen(request), err);
	if (ret == 0)
		ret = call_receive(&c, &line, err);
	if (ret == 0)
		ret = parse_answer(&c, &line, ret_answer, err);
	if (c.fd >= 0)
		close(c.fd);
	ret_answer->sent = c.sent;
	return ret;
}
