/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_PROGRAM_H
#define FAIRWAY_REAL_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "bpf/decap_tables.h"
#include "tools/real/state.h"

/* The tc programs of bpf/decap.bpf.c: loading them, hanging them into a device, and finding them
 * there again. Nothing is pinned: the filter holds the program, the program its maps, so they live
 * exactly as long as the device or until they are taken off, in whatever namespace. */
struct program;

enum program_role { PROGRAM_DECAP, PROGRAM_CLAMP, PROGRAM_GUARD };

/* The name under which the kernel shows it. */
const char *program_role_name(enum program_role role);

/* What the maps hold. The sets are borrowed. */
struct program_tables {
	const struct addr_set *vips;
	const struct addr_set *outers;
	struct decap_settings settings;
};

/* Load all three and fill the maps. Counters go on in counters_fd, a map that program_seen gave, or
 * start at zero with -1. When the kernel refuses, its verifier's log is kept as
 * DIR/verifier.log. */
int program_load(const struct program_tables *tables, int counters_fd, const char *dir,
		 struct program **ret_program, struct err *e) __attribute__((warn_unused_result));
void program_free(struct program *p);
int program_fd(const struct program *p, enum program_role role);

/* Where a filter hangs. */
struct program_place {
	int ifindex;
	enum hook hook;
	unsigned priority;
};

/* A program found hanging in a place. */
struct program_seen {
	char name[16];
	int prog_fd;
	int vips_fd, outers_fd, settings_fd, counters_fd; /* -1: it has no such map */
};
void program_seen_fini(struct program_seen *seen);

/* What hangs there. -ENOENT: nothing (also when the device has no clsact qdisc). */
int program_find(const struct program_place *place, struct program_seen *ret_seen, struct err *e)
	__attribute__((warn_unused_result));

/* True when its maps hold just these tables; else why says what is different. */
bool program_seen_holds(const struct program_seen *seen, const struct program_tables *tables,
			struct err *why);

/* Counters summed over CPUs. */
int program_seen_count(const struct program_seen *seen, uint64_t ret_values[DECAP_CNT_MAX])
	__attribute__((warn_unused_result));

/* Hang the program in, in one step in place of what hung there before. */
int program_attach(const struct program_place *place, int prog_fd, struct err *e)
	__attribute__((warn_unused_result));
/* 0 also when nothing hangs there. */
int program_detach(const struct program_place *place, struct err *e)
	__attribute__((warn_unused_result));

#endif
