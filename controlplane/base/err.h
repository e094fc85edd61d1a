/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_ERR_H
#define FAIRWAY_BASE_ERR_H

/* What went wrong, in words for the operator: where, what, and how to mend it. Functions that can
 * fail in a way a code can't tell take a `struct err *` last and fill it only on failure. */
struct err {
	char text[1024];
};

/* Write the text and return code (a -errno), so that `return err_set(e, -EINVAL, "...")` works.
 * e may be NULL. */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "prefix: " before what is there; returns code. */
int err_prefix(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
