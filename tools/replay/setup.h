/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_SETUP_H
#define FAIRWAY_REPLAY_SETUP_H

#include <stdbool.h>
#include <stddef.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/config/config.h"
#include "controlplane/publish/publish.h"

/* What became of a real since the configuration was set. */
struct setup_real {
	struct addr address;
	bool down, drained;
	bool has_weight; /* another than the configuration's */
	uint32_t weight;
};

/* From a configuration to tables, without a network: every real counts as healthy but for those in
 * `down`, and next hops are made up. Frames leave from 02:00:00:00:00:02 to 02:00:00:00:00:01, in
 * an l2dsr pool to the real's own mac from the configuration; no MTU is checked.
 *
 * -EINVAL with words when an l2dsr real has no mac or `down` names what is no real. */
int setup_tables(const struct config *config, const struct addr *down, size_t n_down,
		 const struct publish_engine *engine, struct publish *publish, struct err *err)
	__attribute__((warn_unused_result));

/* Set pools and what follows from them anew, with reals as they are now; addresses that aren't
 * listed are as configured. Pools that stay as they are aren't touched. */
int setup_reals(const struct config *config, const struct setup_real *reals, size_t n_reals,
		uint64_t now_ns, const struct publish_engine *engine, struct publish *publish,
		struct err *err) __attribute__((warn_unused_result));

#endif
