/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DPDK engine's bursts, for testbed/perf/callgrind.py, which counts the instructions of each
 * call of dpdk_process_burst():
 *
 *   bursts CONFIG EVENTS CAPTURE N
 *
 * Takes N frames of the capture at a time, a multiple of DPDK_BURST, and prints for each such
 * group how many were sent to real servers. Exit 77: this CPU hasn't the vectors.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config/config.h"
#include "dataplane/dpdk/process.h"
#include "tools/replay/capture.h"
#include "tools/replay/events.h"
#include "tools/replay/replay.h"

/* Those that most CPUs have, and valgrind. */
#define VECTOR_BITS 256

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "bursts: %s\n", what);
	exit(1);
}

static struct config *load_config(const char *path)
{
	static struct config_errors errors;
	struct config *config;

	if (config_load(path, &config, &errors) < 0) {
		config_errors_print(&errors, stderr);
		exit(1);
	}
	return config;
}

/* Up to n frames; each owns its bytes. */
static size_t read_group(struct capture_in *in, struct replay_frame *ret_frames, size_t n)
{
	struct capture_packet packet;
	struct err err;
	size_t i = 0;
	int ret = 0;

	while (i < n && (ret = capture_in_next(in, &packet, &err)) == 1) {
		uint8_t *bytes = malloc(packet.len);

		if (!bytes)
			fail("out of memory");
		memcpy(bytes, packet.frame, packet.len);
		ret_frames[i++] = (struct replay_frame){.bytes = bytes, .len = packet.len};
	}
	if (ret < 0)
		fail(err.text);
	return i;
}

static uint64_t sent_so_far(const struct lb_tables *t)
{
	uint64_t packets = 0;

	for (uint32_t real = 1; real < t->dims.reals; real++)
		packets += t->counters[LB_COUNTER_REAL(&t->dims, real)].packets;
	return packets;
}

static void run_group(struct replay *replay, const struct replay_frame *frames, size_t n)
{
	const struct replay_bench bench = {.frames = frames, .n = n};
	const uint64_t before = sent_so_far(replay_tables(replay));
	struct replay_sample sample;
	struct err err;
	void *state, *lane;
	const struct replay_engine *engine = replay_engine(replay, &state);

	if (engine->bench_open(state, &bench, 0, &lane, &err) < 0 ||
	    engine->bench_run(lane, n, &sample, &err) < 0)
		fail(err.text);
	engine->bench_close(lane);
	printf("%llu\n", (unsigned long long)(sent_so_far(replay_tables(replay)) - before));
}

int main(int argc, char **argv)
{
	const size_t each = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
	struct replay_frame *frames = calloc(each + 1, sizeof(*frames));
	struct capture_in *in;
	struct config *config;
	struct events *events;
	struct replay *replay;
	struct err err;
	size_t n;

	if (!each || each % DPDK_BURST || !frames)
		fail("usage: bursts CONFIG EVENTS CAPTURE N");
	if (dpdk_vectors_use(VECTOR_BITS) < 0) {
		fprintf(stderr, "bursts: this CPU has no vectors of %d bits\n", VECTOR_BITS);
		return 77;
	}
	config = load_config(argv[1]);
	if (replay_open("dpdk", config, NULL, 0, &replay, &err) < 0 ||
	    events_load(argv[2], config, &events, &err) < 0 ||
	    events_apply(events, replay, 0, 1, &err) < 0 ||
	    capture_in_open(argv[3], NULL, &in, &err) < 0)
		fail(err.text);
	while ((n = read_group(in, frames, each)) == each) {
		run_group(replay, frames, n);
		for (size_t i = 0; i < n; i++)
			free((void *)frames[i].bytes);
	}
	if (n)
		fail("the last group has too few frames");
	capture_in_free(in);
	events_free(events);
	replay_free(replay);
	config_free(config);
	free(frames);
	return fflush(stdout) == EOF;
}
