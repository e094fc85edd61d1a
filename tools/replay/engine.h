/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_ENGINE_H
#define FAIRWAY_REPLAY_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "controlplane/publish/publish.h"
#include "dataplane/core/memory.h"

struct replay_frame {
	const uint8_t *bytes;
	size_t len;
	uint64_t now_ns; /* when it arrived, by any clock that doesn't go back */
};

/* What became of a frame. */
struct replay_outcome {
	struct lb_trace trace;
	struct replay_frame frame; /* as it is afterwards; valid until the next call */
};

/* A measurement: in every round run `count` frames, a multiple of n, going round the list, and note
 * in ret_ns[round] what CPU time the engine took for them, without the preparation of frames. */
struct replay_bench {
	const struct replay_frame *frames;
	size_t n, count, rounds;
	uint64_t *ret_ns;
};

/* An engine as replay sees it: tables to publish to, and a way to run one frame. open() gives the
 * state that the other functions take. */
struct replay_engine {
	const char *name;
	int (*open)(const struct lb_dims *dims, void **ret_state, struct err *err);
	void (*close)(void *state);
	/* How the writer reaches the engine's tables. */
	struct publish_engine (*writer)(void *state);
	/* Run one frame of frame_min to frame_max bytes. */
	int (*process)(void *state, const struct replay_frame *frame,
		       struct replay_outcome *ret_outcome, struct err *err);
	int (*bench)(void *state, const struct replay_bench *bench, struct err *err);
	size_t frame_min, frame_max;
};

extern const struct replay_engine replay_engine_native;
extern const struct replay_engine replay_engine_xdp;
extern const struct replay_engine replay_engine_dpdk;

#endif
