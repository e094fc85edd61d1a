/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_OBJECT_H
#define FAIRWAY_BENCH_OBJECT_H

#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"

struct bench_object;

/* Load the program of an object file over the tables that the program `like` reads: maps of the
 * same name are shared, constants of the same name get the same values, and what the file has
 * besides is new. The program is the one called "balancer", else the first of the file. */
int bench_object_new(const char *path, int like, struct bench_object **ret_object, struct err *err)
	__attribute__((warn_unused_result));
void bench_object_free(struct bench_object *o);

int bench_object_fd(const struct bench_object *o);
/* The instructions as the kernel was given them, with file descriptors of maps in them; they live
 * as long as the object. */
const struct bpf_insn *bench_object_insns(const struct bench_object *o, size_t *ret_n);
/* How deep the stack is, all functions together, by the verifier's own words. */
uint32_t bench_object_stack_bytes(const struct bench_object *o);

#endif
