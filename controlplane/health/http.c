/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/health/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "controlplane/base/clock.h"

/* HTTP/1.1 (RFC 9112), one request per connection. curl is handed a socket that connect.c has
 * connected, so the connection's errors are told apart in one place for all types; what curl does
 * is TLS, the request and the parsing. It never resolves a name: either the URL holds the address,
 * or CONNECT_TO maps the host to it. */

/* More of an answer than this isn't read; its status has long been seen. */
#define BODY_MAX_BYTES 65536u

/* Room for a URL: scheme, host or bracketed address, port, path. */
#define URL_LEN (ADDR_STRLEN + HEALTH_HOST_MAX + HEALTH_PATH_MAX + 16)

struct http_client {
	CURLM *multi;
	int epoll_fd;
	http_done_fn done;
	uint64_t wake_ns;
};

struct http_request {
	struct http_client *client;
	void *owner;
	const struct health_target_config *config;
	CURL *easy;
	struct curl_slist *headers;
	struct curl_slist *connect_to;
	struct io io;   /* curl's socket */
	int handover;   /* our connected socket until curl takes it; -1 after */
	int io_error;   /* errno when the socket couldn't be watched */
	bool active;    /* added to the multi handle */
	bool body_full; /* stopped reading on purpose */
	uint32_t body_bytes;
	char errbuf[CURL_ERROR_SIZE];
};

static const char *path_of(const struct health_target_config *c)
{
	return c->path && *c->path ? c->path : "/";
}

static bool has_host(const struct health_target_config *c)
{
	return c->host && *c->host;
}

/* "http://10.0.0.11:8080/healthz", for curl and for words. A host goes in as SNI wants it. */
static void write_url(const struct health_target_config *c, bool with_host, char buf[URL_LEN])
{
	const char *scheme = c->type == HEALTH_HTTPS ? "https" : "http";
	char where[ADDR_STRLEN];

	if (with_host && has_host(c))
		snprintf(buf, URL_LEN, "%s://%.*s:%u%s", scheme, (int)strcspn(c->host, ":"),
			 c->host, c->port, path_of(c));
	else
		snprintf(buf, URL_LEN, "%s://%s%s", scheme,
			 addr_port_format(&c->address, c->port, where), path_of(c));
}

static bool is_prober_code(CURLcode code)
{
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
	case CURLE_FAILED_INIT:
	case CURLE_NOT_BUILT_IN:
	case CURLE_URL_MALFORMAT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT: /* the connection is ours and stands: handing it over failed */
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
		return true;
	default:
		return false;
	}
}

static bool is_tls_code(CURLcode code)
{
	return code == CURLE_SSL_CONNECT_ERROR || code == CURLE_PEER_FAILED_VERIFICATION ||
	       code == CURLE_SSL_CIPHER || code == CURLE_SSL_ISSUER_ERROR ||
	       code == CURLE_SSL_INVALIDCERTSTATUS;
}

static void judge_status(struct http_request *r, struct verdict *v)
{
	const struct health_target_config *c = r->config;
	char url[URL_LEN];
	long status = 0;

	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status >= c->status_min && status <= c->status_max) {
		verdict_set(v, OUTCOME_PASS, "HTTP %ld", status);
		return;
	}
	write_url(c, false, url);
	if (c->status_min == c->status_max)
		verdict_set(v, OUTCOME_FAIL, "HTTP %ld, wanted %u, from %s", status, c->status_min,
			    url);
	else
		verdict_set(v, OUTCOME_FAIL, "HTTP %ld, wanted %u-%u, from %s", status,
			    c->status_min, c->status_max, url);
}

static void judge(struct http_request *r, CURLcode code, struct verdict *v)
{
	const char *detail = r->errbuf[0] ? r->errbuf : curl_easy_strerror(code);

	if (code == CURLE_OK || (code == CURLE_WRITE_ERROR && r->body_full)) {
		judge_status(r, v);
		return;
	}
	if (is_prober_code(code)) {
		verdict_set(v, OUTCOME_PROBER, "cannot ask: %s", detail);
		return;
	}
	if (is_tls_code(code)) {
		verdict_set(v, OUTCOME_FAIL, "TLS handshake failed: %s", detail);
		return;
	}
	switch (code) {
	case CURLE_GOT_NOTHING:
		verdict_set(v, OUTCOME_FAIL, "connection closed without an answer");
		return;
	case CURLE_PARTIAL_FILE:
		verdict_set(v, OUTCOME_FAIL, "connection closed in the middle of the answer");
		return;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		verdict_set(v, OUTCOME_FAIL, "connection lost: %s", detail);
		return;
	default:
		verdict_set(v, OUTCOME_FAIL, "no valid HTTP answer: %s", detail);
	}
}

static void detach(struct http_request *r)
{
	if (!r->active)
		return;
	r->active = false;
	/* Its one error, a handle that isn't there, is what we want. */
	curl_multi_remove_handle(r->client->multi, r->easy);
	io_unwatch(r->client->epoll_fd, &r->io);
	if (r->handover >= 0)
		close(r->handover);
	r->handover = -1;
}

/* Hand finished requests back. The owner may free any of them, so nothing is kept across the call.
 */
static void collect(struct http_client *client)
{
	struct CURLMsg *msg;
	int left;

	while ((msg = curl_multi_info_read(client->multi, &left))) {
		struct http_request *r = NULL;
		struct verdict verdict;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&r);
		judge(r, msg->data.result, &verdict);
		detach(r);
		client->done(r->owner, &verdict);
	}
}

static void on_ready(struct io *io, uint32_t epoll_events)
{
	struct http_request *r =
		(struct http_request *)((char *)io - offsetof(struct http_request, io));
	struct http_client *client = r->client;
	int flags = 0, running;
	CURLMcode rc;

	if (epoll_events & EPOLLIN)
		flags |= CURL_CSELECT_IN;
	if (epoll_events & EPOLLOUT)
		flags |= CURL_CSELECT_OUT;
	if (epoll_events & (EPOLLERR | EPOLLHUP))
		flags |= CURL_CSELECT_ERR;
	rc = curl_multi_socket_action(client->multi, io->fd, flags, &running);
	if (rc != CURLM_OK && r->active) {
		struct verdict verdict;

		verdict_set(&verdict, OUTCOME_PROBER, "cannot ask: %s", curl_multi_strerror(rc));
		detach(r);
		client->done(r->owner, &verdict);
	}
	collect(client);
}

/* curl tells which of its sockets to watch for what. */
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct http_client *client = arg;
	struct http_request *r = NULL;
	uint32_t events = 0;
	int err;

	(void)socket_arg;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&r);
	if (what == CURL_POLL_REMOVE) {
		io_unwatch(client->epoll_fd, &r->io);
		return 0;
	}
	if (what & CURL_POLL_IN)
		events |= EPOLLIN;
	if (what & CURL_POLL_OUT)
		events |= EPOLLOUT;
	r->io.fd = fd;
	err = io_watch(client->epoll_fd, &r->io, events);
	/* An error returned to curl would end every request of the client. This one will instead
	 * run into its timeout, and the words then blame the prober. */
	if (err < 0)
		r->io_error = -err;
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct http_client *client = arg;

	(void)multi;
	client->wake_ns =
		timeout_ms < 0 ? UINT64_MAX : clock_now_ns() + (uint64_t)timeout_ms * NS_PER_MS;
	return 0;
}

static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct http_request *r = arg;
	int fd = r->handover;

	(void)purpose;
	(void)address;
	r->handover = -1;
	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static int on_sockopt(void *arg, curl_socket_t fd, curlsocktype purpose)
{
	(void)arg;
	(void)fd;
	(void)purpose;
	return CURL_SOCKOPT_ALREADY_CONNECTED;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
	struct http_request *r = arg;
	size_t n = size * count;

	(void)data;
	if (n > BODY_MAX_BYTES - r->body_bytes) {
		r->body_full = true;
		return 0;
	}
	r->body_bytes += (uint32_t)n;
	return n;
}

int http_client_new(int epoll_fd, http_done_fn done, struct http_client **ret_client)
{
	struct http_client *client;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOMEM;
	client = calloc(1, sizeof(*client));
	if (!client)
		goto fail;
	client->epoll_fd = epoll_fd;
	client->done = done;
	client->wake_ns = UINT64_MAX;
	client->multi = curl_multi_init();
	if (!client->multi)
		goto fail;
	if (curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer) != CURLM_OK ||
	    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) != CURLM_OK) {
		curl_multi_cleanup(client->multi);
		goto fail;
	}
	*ret_client = client;
	return 0;
fail:
	free(client);
	curl_global_cleanup();
	return -ENOMEM;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	curl_multi_cleanup(client->multi);
	free(client);
	curl_global_cleanup();
}

uint64_t http_client_wake_ns(const struct http_client *client)
{
	return client->wake_ns;
}

void http_client_run(struct http_client *client, uint64_t now_ns)
{
	int running;

	if (now_ns < client->wake_ns)
		return;
	client->wake_ns = UINT64_MAX;
	/* Out of memory is its one error here; the request it hits ends by its timeout. */
	curl_multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	collect(client);
}

static bool append(struct curl_slist **list, const char *text)
{
	struct curl_slist *longer = curl_slist_append(*list, text);

	if (longer)
		*list = longer;
	return longer;
}

static int build_lists(struct http_request *r)
{
	const struct health_target_config *c = r->config;
	char where[ADDR_STRLEN], line[ADDR_STRLEN + HEALTH_HOST_MAX];

	if (!append(&r->headers, "Connection: close"))
		return -ENOMEM;
	if (!has_host(c))
		return 0;
	snprintf(line, sizeof(line), "Host: %s", c->host);
	if (!append(&r->headers, line))
		return -ENOMEM;
	snprintf(line, sizeof(line), "::%s", addr_port_format(&c->address, c->port, where));
	return append(&r->connect_to, line) ? 0 : -ENOMEM;
}

/* Whatever the environment or a .curlrc-minded default would change is fixed here. */
static bool set_options(struct http_request *r)
{
	const struct health_target_config *c = r->config;
	char url[URL_LEN];
	CURL *e = r->easy;
	bool ok = true;

#define SET(option, value) ok = ok && curl_easy_setopt(e, option, value) == CURLE_OK
	write_url(c, true, url);
	SET(CURLOPT_URL, url);
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
	SET(CURLOPT_REQUEST_TARGET, path_of(c));
	SET(CURLOPT_HTTPHEADER, r->headers);
	SET(CURLOPT_USERAGENT, "fairway-health/" FAIRWAY_VERSION);
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(CURLOPT_HTTP_CONTENT_DECODING, 0L);
	SET(CURLOPT_FOLLOWLOCATION, 0L);
	SET(CURLOPT_PROXY, "");
	SET(CURLOPT_FRESH_CONNECT, 1L);
	SET(CURLOPT_FORBID_REUSE, 1L);
	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_BUFFERSIZE, 4096L); /* thousands run at once */
	SET(CURLOPT_PRIVATE, r);
	SET(CURLOPT_ERRORBUFFER, r->errbuf);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, r);
	SET(CURLOPT_OPENSOCKETFUNCTION, on_open);
	SET(CURLOPT_OPENSOCKETDATA, r);
	SET(CURLOPT_SOCKOPTFUNCTION, on_sockopt);
	if (r->connect_to)
		SET(CURLOPT_CONNECT_TO, r->connect_to);
	if (!c->tls_verify) {
		SET(CURLOPT_SSL_VERIFYPEER, 0L);
		SET(CURLOPT_SSL_VERIFYHOST, 0L);
		/* Else the CA bundle is read for each handshake, and not used. */
		SET(CURLOPT_CAINFO, NULL);
		SET(CURLOPT_CAPATH, NULL);
	}
#undef SET
	return ok;
}

int http_request_new(struct http_client *client, const struct health_target_config *config,
		     void *owner, struct http_request **ret_request)
{
	struct http_request *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->client = client;
	r->owner = owner;
	r->config = config;
	r->handover = -1;
	r->io = (struct io){.fd = -1, .ready = on_ready};
	r->easy = curl_easy_init();
	if (!r->easy || build_lists(r) < 0 || !set_options(r)) {
		http_request_free(r);
		return -ENOMEM;
	}
	*ret_request = r;
	return 0;
}

void http_request_free(struct http_request *r)
{
	if (!r)
		return;
	detach(r);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	curl_slist_free_all(r->connect_to);
	free(r);
}

int http_request_start(struct http_request *r, int fd, struct verdict *ret_verdict)
{
	CURLMcode rc;

	r->handover = fd;
	r->io_error = 0;
	r->body_full = false;
	r->body_bytes = 0;
	r->errbuf[0] = '\0';
	rc = curl_multi_add_handle(r->client->multi, r->easy);
	if (rc == CURLM_OK) {
		r->active = true;
		return 0;
	}
	close(r->handover);
	r->handover = -1;
	verdict_set(ret_verdict, OUTCOME_PROBER, "cannot ask: %s", curl_multi_strerror(rc));
	return -EIO;
}

void http_request_cancel(struct http_request *r)
{
	detach(r);
}

void http_request_timed_out(const struct http_request *r, uint32_t timeout_ms,
			    struct verdict *ret_verdict)
{
	curl_off_t tls_done = 0, first_byte = 0;
	const char *where;

	if (r->io_error) {
		verdict_set(ret_verdict, OUTCOME_PROBER, "cannot watch a socket: %s",
			    strerror(r->io_error));
		return;
	}
	curl_easy_getinfo(r->easy, CURLINFO_APPCONNECT_TIME_T, &tls_done);
	curl_easy_getinfo(r->easy, CURLINFO_STARTTRANSFER_TIME_T, &first_byte);
	if (r->config->type == HEALTH_HTTPS && tls_done == 0)
		where = "in the TLS handshake";
	else if (first_byte == 0)
		where = "waiting for the HTTP answer";
	else
		where = "in the middle of the HTTP answer";
	verdict_set(ret_verdict, OUTCOME_FAIL, "timeout after %u ms, %s", timeout_ms, where);
}
