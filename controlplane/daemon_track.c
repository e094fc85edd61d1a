/* SPDX-License-Identifier: BSD-2-Clause */
/* Just-enough tracking in the daemon's loop: a small step ten times a second, and the ways to reals
 * that left the configuration and still have flows. */
#include "controlplane/base/clock.h"
#include "controlplane/daemon.h"

#define STEP_MS       100
#define STEPS_A_SWEEP 10

static void on_step(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	publish_track_step(d->publish, clock_now_ns(), PUBLISH_TRACK_BUDGET);
	daemon_grace(d);
	if (++d->track_steps % STEPS_A_SWEEP == 0)
		daemon_ways_sweep(d);
}

void daemon_track_start(struct daemon *d)
{
	uv_timer_start(&d->track_timer, on_step, STEP_MS, STEP_MS);
}

int daemon_track_configure(struct daemon *d, const struct vip_node *node, struct err *err)
{
	publish_track_times(d->publish, node->settle_ms * NS_PER_MS, node->idle_ms * NS_PER_MS);
	return publish_flows_set(d->publish, node->flows, err);
}
