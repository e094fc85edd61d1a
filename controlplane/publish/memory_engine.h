/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_PUBLISH_MEMORY_ENGINE_H
#define FAIRWAY_PUBLISH_MEMORY_ENGINE_H

/* Tables in this process's own memory, for replay and tests. Whoever reads them in another thread
 * takes care of grace periods by itself: this engine's ends at once. */

#include "controlplane/publish/publish.h"

struct publish_memory {
	struct lb_tables tables;
	uint32_t workers;
};

/* workers: rows of counters besides the control plane's. 0 or -ENOMEM. */
int publish_memory_init(struct publish_memory *m, const struct lb_dims *dims, uint32_t workers)
	__attribute__((warn_unused_result));
void publish_memory_fini(struct publish_memory *m);
struct publish_engine publish_memory_engine(struct publish_memory *m);

#endif
