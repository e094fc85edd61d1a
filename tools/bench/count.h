/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_COUNT_H
#define FAIRWAY_BENCH_COUNT_H

#include <stdbool.h>
#include <stdio.h>

#include "controlplane/base/err.h"
#include "dataplane/xdp/engine.h"

/* Count what each kind of packet (frames.c) takes in the program of an object file, loaded over the
 * engine's tables: executed instructions, helper calls, and what the verifier says. What the
 * counting machine makes of a packet must be what the kernel makes of it, or it is an error. As
 * JSON to out, or as a table. */
int count_object(const char *path, struct xdp_engine *engine, bool json, FILE *out, struct err *err)
	__attribute__((warn_unused_result));

/* The way that one packet of a kind takes through the program, as JSON: "codes", the operation
 * codes of all instructions, and "path", the places of those that were executed, in order. */
int count_trace(const char *path, const char *kind, struct xdp_engine *engine, FILE *out,
		struct err *err) __attribute__((warn_unused_result));

#endif
