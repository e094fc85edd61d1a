/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_EVENTS_H
#define FAIRWAY_REPLAY_EVENTS_H

/*
 * What happens to real servers between packets: a file of JSON lines, in order,
 *
 *   {"before": 3, "down": "10.0.0.11"}     and "up": a health check's verdict
 *   {"before": 5, "drain": "10.0.0.12"}    and "enable": an operator's wish
 *   {"before": 9, "weight": {"10.0.0.11": 50}}
 *
 * "before" counts packets as the verdicts' "index" does; the time is that packet's.
 */

#include <stdint.h>

#include "controlplane/base/err.h"
#include "controlplane/config/config.h"
#include "tools/replay/replay.h"

struct events;

/* Read a file for this configuration, which must outlive the events. -EINVAL with file and line
 * when it isn't as above, or names what is no real. */
int events_load(const char *path, const struct config *config, struct events **ret_events,
		struct err *err) __attribute__((warn_unused_result));
void events_free(struct events *events);

/* Let happen what stands before a packet. */
int events_apply(struct events *events, struct replay *replay, uint64_t index, uint64_t now_ns,
		 struct err *err) __attribute__((warn_unused_result));

#endif
