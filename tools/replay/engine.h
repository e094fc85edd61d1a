/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_ENGINE_H
#define FAIRWAY_REPLAY_ENGINE_H

#include <stdbool.h>
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

/* What is measured: this list, gone round again and again. Stays as long as the lanes. */
struct replay_bench {
	const struct replay_frame *frames;
	size_t n;
};

/* What frames took of a CPU, without their preparation. */
struct replay_sample {
	uint64_t ns;
	uint64_t harness_ns; /* in there, taken by what measures; 0 where that can be left out */
};

/* An engine as replay sees it: tables to publish to, and a way to run one frame. open() gives the
 * state that the other functions take. */
struct replay_engine {
	const char *name;
	/* workers: how many lanes measure at once, at most. */
	int (*open)(const struct lb_dims *dims, uint32_t workers, void **ret_state,
		    struct err *err);
	void (*close)(void *state);
	/* How the writer reaches the engine's tables. */
	struct publish_engine (*writer)(void *state);
	/* Run one frame of frame_min to frame_max bytes. */
	int (*process)(void *state, const struct replay_frame *frame,
		       struct replay_outcome *ret_outcome, struct err *err);
	/* A lane of a measurement, for one of the workers, which are numbered from 0; opened one
	 * after another, then each run by a thread of its own. count is a multiple of the list's
	 * length; each run begins with the list's first frame. */
	int (*bench_open)(void *state, const struct replay_bench *bench, uint32_t worker,
			  void **ret_lane, struct err *err);
	int (*bench_run)(void *lane, size_t count, struct replay_sample *ret_sample,
			 struct err *err);
	void (*bench_close)(void *lane);
	/* The lanes are told beforehand what becomes of each frame: if that was wrong, so is what
	 * they measured. */
	bool bench_foretells;
	size_t frame_min, frame_max;
};

extern const struct replay_engine replay_engine_native;
extern const struct replay_engine replay_engine_xdp;
extern const struct replay_engine replay_engine_dpdk;

#endif
