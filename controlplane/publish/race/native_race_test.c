/* SPDX-License-Identifier: BSD-2-Clause */
/* Publishing while the native engine forwards. */
#include <string.h>

#include "controlplane/publish/race/race.h"
#include "dataplane/native/native.h"

static struct {
	uint8_t bytes[RACE_BURST][NATIVE_HEADROOM + RACE_FRAME_MAX];
} buffers[RACE_WORKERS];

static int open_native(uint32_t workers, struct err *err)
{
	(void)workers;
	(void)err;
	return 0;
}

static void run(const struct lb_tables *tables, uint32_t worker, uint64_t now_ns,
		const struct race_packet *packets, uint32_t n, struct race_outcome *ret)
{
	const struct lb_moment moment = {.now_ns = now_ns};

	for (uint32_t i = 0; i < n; i++) {
		struct native_frame frame = {.data = buffers[worker].bytes[i] + NATIVE_HEADROOM,
					     .len = packets[i].len,
					     .headroom = NATIVE_HEADROOM};
		struct lb_trace trace;

		memcpy(frame.data, packets[i].frame, frame.len);
		native_process(tables, worker, &moment, &frame, &trace);
		ret[i] = (struct race_outcome){.verdict = trace.verdict,
					       .reason = trace.reason,
					       .ifindex = RACE_UNTOLD,
					       .data = frame.data,
					       .len = frame.len};
	}
}

static void close_native(void)
{
}

int main(int argc, char **argv)
{
	static const struct race_target native = {"native", open_native, run, close_native};

	return race_main(argc, argv, &native);
}
