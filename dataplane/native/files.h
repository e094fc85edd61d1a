/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NATIVE_FILES_H
#define FAIRWAY_NATIVE_FILES_H

/*
 * The tables as files that processes map, for hosts without BPF, and the page beside them:
 *
 *   DIR/lb_page     struct lb_page
 *   DIR/lb_*        the tables by their names in LB_TABLES: links into DIR/tables
 *   DIR/tables      a link to the set in force, replaced in one step
 *   DIR/set-N/lb_*  a set, and lb_dims, its struct lb_dims
 *
 * A set is whole before `tables` leads to it, so whoever dies in the middle leaves the set that was
 * in force. What the directory holds otherwise is swept up by the next writer.
 */

#include <stdbool.h>

#include "controlplane/base/err.h"
#include "dataplane/core/page.h"

struct native_files;

/* Open the tables of dir, as they are, or create them with these dimensions (counter_stride is
 * computed). dir is created if only its last part is missing. The page is theirs who opened it: a
 * new one is all zeros. -EBUSY while another writer has the directory, -EPROTO when what is there
 * isn't ours. Adopted counters must have dims->counter_rows rows at least. */
int native_files_open(const char *dir, const struct lb_dims *dims, struct native_files **ret_files,
		      struct err *err) __attribute__((warn_unused_result));
/* The tables stay. NULL is accepted. */
void native_files_free(struct native_files *f);

/* Tables of an earlier process were found. */
bool native_files_adopted(const struct native_files *f);
/* The pointers change only with native_files_grow(). */
struct lb_tables *native_files_tables(struct native_files *f);
struct lb_page *native_files_page(struct native_files *f);

/* What a writer does when the tables move to a larger set: fill() copies the content before anybody
 * else sees the new set, moved() tells readers and returns once they went over to it, and carry()
 * adds what was counted in the old one. */
struct native_files_move {
	void *arg;
	int (*fill)(void *arg, struct lb_tables *to, const struct lb_tables *from, struct err *err);
	void (*moved)(void *arg, const struct lb_dims *dims);
	void (*carry)(void *arg, struct lb_tables *to, const struct lb_tables *from);
};

/* Replace the tables by larger ones. On failure the old ones stay in force. */
int native_files_grow(struct native_files *f, const struct lb_dims *dims,
		      const struct native_files_move *move, struct err *err)
	__attribute__((warn_unused_result));

#endif
