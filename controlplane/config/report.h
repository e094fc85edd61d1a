/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_REPORT_H
#define FAIRWAY_CONFIG_REPORT_H

#include "controlplane/config/config.h"

/* Filling a struct config_errors; private to this folder. mark may be NULL; hint may be "". */
void report_error(struct config_errors *errs, const struct config_mark *mark, const char *hint,
		  const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void report_warning(struct config_errors *errs, const struct config_mark *mark, const char *hint,
		    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* True when one more error would only be counted: spare the work of wording it. */
bool report_full(const struct config_errors *errs);

/* Bring all findings into the order of the file. */
void report_sort(struct config_errors *errs);

#endif
