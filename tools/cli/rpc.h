/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_RPC_H
#define FAIRWAY_CLI_RPC_H

#include <jansson.h>
#include <stdbool.h>

#include "controlplane/base/err.h"

/* The client's side of docs/api.md: one connection, one request, one answer, blocking until a
 * deadline that holds for the whole exchange. */

#define RPC_SCHEMA_VERSION 1
#define RPC_ANSWER_MAX     (256U * 1024 * 1024) /* more than this isn't an answer but a fault */

/* Error codes of the API that the client treats specially. */
#define RPC_METHOD_NOT_FOUND (-32601)
#define RPC_INVALID_PARAMS   (-32602)

struct rpc_answer {
	json_t *result; /* exactly one of the two is set; the caller's reference */
	json_t *error;
	bool sent; /* the whole request was; set also when no answer came */
};

void rpc_answer_fini(struct rpc_answer *answer);

/* Call method. params may be NULL; it isn't taken over. 0: the daemon answered, with a result or an
 * error. Otherwise no valid answer came and err says why and what to do:
 * -ENOENT, -ECONNREFUSED, -EACCES, ... it couldn't be reached; -ETIMEDOUT; -ECONNRESET it closed
 * the connection without answering; -EPROTO what came isn't an answer; -EPROTONOSUPPORT the result
 * has another schema_version; -ENOMEM. */
int rpc_call(const char *socket_path, unsigned timeout_ms, const char *method, json_t *params,
	     struct rpc_answer *ret_answer, struct err *err) __attribute__((warn_unused_result));

#endif
