/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_HEALTH_H
#define FAIRWAY_HEALTH_HEALTH_H

/* Active health checks: TCP, HTTP and HTTPS, thousands at once on one libuv loop, no threads.
 *
 * A checker owns targets; a target is one (address, port, request) that is tried again and again.
 * What an outcome means is told apart with care:
 *
 * - the server answered well: a success;
 * - the server refused, stayed silent, answered badly: a failure, counted towards `fall`;
 * - this host couldn't try (no descriptors, no local port, no route, the loop stalled): a prober
 *   error. It says nothing about the server, so it changes neither its state nor its counts; it is
 *   reported by its own event and its own counters.
 *
 * Each check in flight holds one descriptor, so a program that checks thousands raises its soft
 * RLIMIT_NOFILE (often 1024) to the hard one first.
 *
 * All calls belong to the loop's thread. docs/health-checks.md has the semantics and every reason
 * text for operators. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/health/rise_fall.h"

struct health_checker;
struct health_target;

#define HEALTH_REASON_LEN 256

/* Limits that health_target_add() and health_target_set() hold. */
#define HEALTH_INTERVAL_MIN_MS 10u
#define HEALTH_INTERVAL_MAX_MS 3600000u
#define HEALTH_TIMEOUT_MAX_MS  60000u
#define HEALTH_COUNT_MAX       1000u
#define HEALTH_PATH_MAX        1024u
#define HEALTH_HOST_MAX        253u

enum health_type {
	HEALTH_TCP,
	HEALTH_HTTP,
	HEALTH_HTTPS,
};

struct health_target_config {
	enum health_type type;
	struct addr address;
	uint16_t port;
	/* HTTP and HTTPS. Strings are copied; NULL or "" is the default. */
	const char *path;    /* sent exactly as written; default "/" */
	const char *host;    /* Host header, and SNI for HTTPS; default "address:port" */
	uint16_t status_min; /* both 0: 200..299. Redirects are not followed */
	uint16_t status_max;
	bool tls_verify; /* check the certificate against the system's CAs; default off */
	uint32_t interval_ms;
	uint32_t timeout_ms; /* for the whole check; may exceed the interval, then beats are skipped
			      */
	uint32_t rise;       /* 0 counts as 1 */
	uint32_t fall;
};

/* Told from the loop, never from within a call of this header. The callback may add, set and remove
 * any target, that one included, but must not free the checker. reason lives during the call. */
struct health_events {
	void *arg;
	/* The target is `now` UP or DOWN. Never called with HEALTH_UNKNOWN as `now`. */
	void (*changed)(void *arg, struct health_target *target, void *owner, enum health_state was,
			enum health_state now, const char *reason);
	/* This host couldn't carry out a check. Called for the first such error of a target since
	 * its last completed check, and when the words change; not for each repetition. */
	void (*prober_error)(void *arg, struct health_target *target, void *owner,
			     const char *reason);
};

struct health_snapshot {
	enum health_state state;
	uint64_t since_ns;        /* monotonic */
	uint32_t successes;       /* in a row */
	uint32_t failures;        /* in a row */
	uint64_t checks;          /* completed, good or bad */
	uint64_t checks_failed;   /* of those, bad */
	uint64_t prober_errors;   /* not among checks */
	uint64_t beats_skipped;   /* because a check was still running when the next was due */
	uint64_t last_check_ns;   /* when the last one completed, monotonic; 0: none yet */
	uint64_t last_latency_ns; /* start to verdict of the last completed check */
	char last_result[HEALTH_REASON_LEN];       /* its words, "HTTP 200"; "" before the first */
	char last_prober_error[HEALTH_REASON_LEN]; /* "" unless the latest try was one */
};

/* Over all targets, those removed included. */
struct health_stats {
	uint32_t targets;
	uint32_t running; /* checks in flight */
	uint64_t checks;
	uint64_t checks_failed;
	uint64_t prober_errors;
	uint64_t beats_skipped;
};

/* events is copied. 0 or -errno. */
int health_new(uv_loop_t *loop, const struct health_events *events,
	       struct health_checker **ret_checker) __attribute__((warn_unused_result));

/* Frees the checker and all its targets; no callback comes after this. The handle that the loop
 * still knows is released in the loop's next turn. NULL is accepted. */
void health_free(struct health_checker *checker);

/* Start checking. `initial` is what is believed until results say otherwise: UNKNOWN lets the first
 * check decide, UP or DOWN (an adopted state) asks for fall or rise results first. The first check
 * comes within the interval or one second, whichever is shorter; starts are spread evenly.
 * 0, -EINVAL with words in err (NULL accepted) for a configuration that can't be, or -ENOMEM. */
int health_target_add(struct health_checker *checker, const struct health_target_config *config,
		      void *owner, enum health_state initial, struct health_target **ret_target,
		      struct err *err) __attribute__((warn_unused_result));

/* Stop checking and free; no callback for it comes after this. NULL is accepted. */
void health_target_remove(struct health_target *target);

/* Change what is checked, keeping state, since and counts. A check in flight is dropped, as its
 * result would speak of the old configuration, and one with the new follows within the interval or
 * one second. An equal configuration changes nothing and interrupts nothing. Errors as for add;
 * then the target goes on as before. */
int health_target_set(struct health_target *target, const struct health_target_config *config,
		      struct err *err) __attribute__((warn_unused_result));

enum health_state health_target_state(const struct health_target *target);
void health_target_snapshot(const struct health_target *target,
			    struct health_snapshot *ret_snapshot);
void health_stats_get(const struct health_checker *checker, struct health_stats *ret_stats);

#endif
