/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_HEALTH_TARGET_CONFIG_H
#define FAIRWAY_HEALTH_TARGET_CONFIG_H

#include "controlplane/health/health.h"

/* A checked copy with strings of its own and every default filled in. 0, -EINVAL with words in err,
 * or -ENOMEM; *ret_copy is untouched on failure. */
int target_config_copy(const struct health_target_config *config,
		       struct health_target_config *ret_copy, struct err *err)
	__attribute__((warn_unused_result));
void target_config_fini(struct health_target_config *copy);

/* Of two copies. */
bool target_config_equal(const struct health_target_config *a,
			 const struct health_target_config *b);

#endif
