/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_PLACES_H
#define FAIRWAY_CONFIG_PLACES_H

#include "controlplane/config/config.h"

/* Where each value of a configuration stood in its file, by the value's address in memory, so that
 * a check of meaning can point at the very value. Lives only while a file is being read. */
struct places {
	struct place {
		const void *value;
		struct config_mark mark;
		bool bad; /* it could not be read */
	} * items;
	size_t n, cap;
	bool sorted;
};

/* 0 or -ENOMEM. */
int places_add(struct places *p, const void *value, const struct config_mark *mark, bool bad)
	__attribute__((warn_unused_result));
/* NULL when the file didn't say. */
const struct place *places_find(struct places *p, const void *value);
void places_fini(struct places *p);

#endif
