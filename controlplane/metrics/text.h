/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_METRICS_TEXT_H
#define FAIRWAY_METRICS_TEXT_H

#include <stdint.h>
#include <stdio.h>

/* The Prometheus text format, version 0.0.4, onto a stream. All samples of one family must follow
 * its header. */

void metrics_family(FILE *out, const char *name, const char *type, const char *help);

/* labels is a list of name, value, name, value, ..., NULL. */
void metrics_value(FILE *out, const char *name, double value, const char *const labels[]);
void metrics_count(FILE *out, const char *name, uint64_t value, const char *const labels[]);

/* Text into HTML, with <, >, & and quotes escaped. */
void metrics_html(FILE *out, const char *text);

#endif
