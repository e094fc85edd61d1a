/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_OBJECT_H
#define FAIRWAY_BENCH_OBJECT_H

#include "controlplane/base/err.h"

struct bpf_object;

/* Load the program of an object file over the tables that the program `like` reads: maps of the
 * same name are shared, constants of the same name get the same values, and what the file has
 * besides is new. The program is the one called "balancer", else the first of the file. */
int bench_object_load(const char *path, int like, int *ret_prog_fd, struct err *err)
	__attribute__((warn_unused_result));

#endif
