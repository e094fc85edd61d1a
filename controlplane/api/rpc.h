/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_API_RPC_H
#define FAIRWAY_API_RPC_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * JSON-RPC 2.0 without a socket: a line in, a line out. Methods come from one table that says what
 * each takes; a request is checked against it before its handler runs, so that handlers find every
 * parameter present that must be, of the right type, and nothing they don't know. docs/api.md is
 * the operator's description.
 */

#define API_SCHEMA_VERSION 1

enum api_code {
	API_PARSE_ERROR = -32700,
	API_INVALID_REQUEST = -32600,
	API_METHOD_NOT_FOUND = -32601,
	API_INVALID_PARAMS = -32602,
	API_INTERNAL_ERROR = -32603,
	API_NOT_FOUND = 1,
	API_ALREADY_EXISTS = 2,
	API_INVALID_VALUE = 3,
	API_CONFLICT = 4,
	API_NEEDS_FORCE = 5,
	API_CONFIG_ERRORS = 6,
	API_NOT_SUPPORTED = 7,
	API_FAILED = 8,
};

/* The word for a code, "not_found". */
const char *api_code_name(enum api_code code);

/* What a handler answers: a result, or an error. Starts all zero. */
struct api_reply {
	json_t *result; /* owned */
	enum api_code code;
	char message[2048];
	char hint[512];
	json_t *data; /* owned; more keys for error.data, or NULL */
};

/* Fill in an error; always returns -1, so that `return api_fail(...)` reads well. */
int api_fail(struct api_reply *reply, enum api_code code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Add to an error that was filled in; returns -1. */
int api_hint(struct api_reply *reply, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Add a key to error.data; value is stolen, NULL becomes null. Returns -1. */
int api_data(struct api_reply *reply, const char *key, json_t *value);
/* invalid_params or invalid_value that names its parameter; returns -1. */
int api_bad_param(struct api_reply *reply, enum api_code code, const char *param, const char *fmt,
		  ...) __attribute__((format(printf, 4, 5)));

enum api_type {
	API_STRING,
	API_STRING_OR_NULL,
	API_INTEGER,
	API_BOOLEAN,
	API_ARRAY,
};

struct api_param {
	const char *name; /* NULL ends a list */
	enum api_type type;
	bool required;
};

struct api_method {
	const char *name;
	const struct api_param *params; /* NULL: none */
	/* 0 with reply->result, or -1 after api_fail(). params is an object, never NULL. */
	int (*handle)(void *arg, json_t *params, struct api_reply *reply);
};

struct api_table {
	const struct api_method *methods;
	size_t n;
	void *arg; /* for the handlers */
};

/* Carry out one request line (without its LF). The answer, with LF, is the caller's to free();
 * *ret_answer is NULL for a notification. 0, or -ENOMEM. */
int api_call(const struct api_table *table, const char *line, size_t len, char **ret_answer)
	__attribute__((warn_unused_result));

/* The answer to a line that was never read: an error without id. As api_call(). */
int api_refuse(enum api_code code, const char *message, const char *hint, char **ret_answer)
	__attribute__((warn_unused_result));

/* Parameters that the table has checked. */
const char *api_string(const json_t *params, const char *name); /* NULL: absent or null */
bool api_has(const json_t *params, const char *name);
bool api_bool(const json_t *params, const char *name);
json_int_t api_integer(const json_t *params, const char *name, json_int_t absent);

/* Of several names the one most like name, or NULL when none is alike. Start with all zero, offer
 * the candidates one by one. */
struct api_nearest {
	const char *best;
	unsigned distance;
};
void api_nearest_offer(struct api_nearest *n, const char *name, const char *candidate);

#endif
