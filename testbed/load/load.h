/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_TESTBED_LOAD_LOAD_H
#define FAIRWAY_TESTBED_LOAD_LOAD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/socket.h>

#include <uv.h>

#define LOAD_TARGETS_MAX 32
#define LOAD_SERVERS_MAX 64
#define LOAD_NAME_MAX    32

struct load_options {
	struct sockaddr_storage targets[LOAD_TARGETS_MAX];
	char host_headers[LOAD_TARGETS_MAX][80];
	unsigned n_targets;
	const char *path;
	const char *report_path; /* NULL: none */
	uint64_t short_count;    /* 0: no end, when there is a rate; none otherwise */
	unsigned rate_per_s;     /* 0: as fast as concurrency lets */
	unsigned concurrency;
	unsigned long_count;
	unsigned every_ms;
	unsigned timeout_ms;
	unsigned duration_s; /* 0: until the short ones are done, or a signal */
	bool progress;
};

/* Fills *opt from the command line. Returns 0, 1 for --help (printed), or -EINVAL (said why). */
int load_options_parse(struct load_options *opt, int argc, char **argv);

/* How a connection or a request ended. Up to CONNECT_TIMEOUT it never came to be; the others had
 * been established: whoever was talking noticed. */
enum load_outcome {
	LOAD_OK,
	LOAD_LOCAL,       /* this host had no socket, port or memory: says nothing of the peer */
	LOAD_REFUSED,     /* RST in answer to the SYN */
	LOAD_UNREACHABLE, /* no route, or ICMP unreachable */
	LOAD_CONNECT_TIMEOUT, /* no answer to the SYN */
	LOAD_RESET,           /* RST on the established connection */
	LOAD_CLOSED,          /* FIN before the answer was whole */
	LOAD_ANSWER_TIMEOUT,  /* the answer didn't come in time */
	LOAD_BAD_ANSWER,      /* not HTTP 200, or no Content-Length */
	LOAD_OUTCOMES
};

struct load_server {
	char name[LOAD_NAME_MAX];
	uint64_t short_answers;
	uint64_t long_answers;
	uint64_t long_open; /* open connections that it answered last */
};

struct load_stats {
	uint64_t start_ns;
	uint64_t short_started;
	uint64_t short_in_flight;
	uint64_t short_outcome[LOAD_OUTCOMES];
	uint64_t long_opened; /* established, reopened ones included */
	uint64_t long_open;   /* now */
	uint64_t long_moved;  /* answered by another server than before on the same connection */
	uint64_t long_outcome[LOAD_OUTCOMES]; /* OK counts answers, the others ends */
	uint64_t slowest_ns; /* longest from connecting or asking to the answer, since last reset */
	struct load_server servers[LOAD_SERVERS_MAX];
	unsigned n_servers;
};

/* Counts an answer of the server that calls itself name (any bytes) and returns that server. */
struct load_server *load_stats_answer(struct load_stats *st, const char *name, bool is_long);

/* Writes the totals as one JSON document. */
void load_stats_json(const struct load_stats *st, FILE *out);

/* Writes the totals to path, whole: a reader finds the old or the new document. 0 or -errno. */
int load_stats_report(const struct load_stats *st, const char *path);

/* One line for people. */
void load_stats_progress(const struct load_stats *st, FILE *out);

struct load_conn;

struct load_conn_params {
	uv_loop_t *loop;
	const struct load_options *opt;
	struct load_stats *stats;
	unsigned target;
	bool is_long;
	unsigned delay_ms; /* before it connects */
	/* It is over and its memory gone. */
	void (*closed)(void *arg, bool is_long, unsigned target);
	void *arg;
};

/* Starts a connection, which counts what becomes of it and frees itself. NULL when out of memory.
 * A long one asks every opt->every_ms until load_conn_stop(). */
struct load_conn *load_conn_new(const struct load_conn_params *params);

/* Closes a connection that closed() has not been called for, without counting it as broken. */
void load_conn_stop(struct load_conn *c);

/* The connections that are not over, for the end: stops each. */
void load_conn_stop_all(void);

#define LOAD_STALLED_MS 1000

/* How many have waited for longer than LOAD_STALLED_MS to be connected or answered. */
uint64_t load_conn_stalled(void);

#endif
