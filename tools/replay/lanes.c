/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum gate { GATE_CLOSED, GATE_OPEN, GATE_ABANDONED };

struct lane {
	struct lanes *lanes;
	void *bench;
	int cpu;
	pthread_t thread;
	int ret;
	struct err err;
	struct replay_sample sample;
};

struct lanes {
	const struct replay_engine *engine;
	size_t count;
	atomic_int gate;
	uint32_t n; /* that are open */
	struct lane lane[];
};

static int nth_cpu(const cpu_set_t *cpus, uint32_t n)
{
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, cpus) && n-- == 0)
			return cpu;
	return 0;
}

int lanes_open(struct replay *r, const struct replay_bench *bench, uint32_t n,
	       struct lanes **ret_lanes, struct err *err)
{
	const uint32_t cpus = (uint32_t)CPU_COUNT(replay_cpus(r));
	struct lanes *lanes;
	void *state;
	int ret = 0;

	if (n > cpus)
		return err_set(err, -EINVAL, "--cores %u: this process may use %u CPUs only", n,
			       cpus);
	lanes = calloc(1, sizeof(*lanes) + n * sizeof(lanes->lane[0]));
	if (!lanes)
		return err_set(err, -ENOMEM, "out of memory");
	lanes->engine = replay_engine(r, &state);
	for (uint32_t i = 0; i < n && ret == 0; i++) {
		lanes->lane[i].lanes = lanes;
		lanes->lane[i].cpu = nth_cpu(replay_cpus(r), i);
		ret = lanes->engine->bench_open(state, bench, i, &lanes->lane[i].bench, err);
		lanes->n += ret == 0;
	}
	if (ret < 0) {
		lanes_close(lanes);
		return ret;
	}
	*ret_lanes = lanes;
	return 0;
}

void lanes_close(struct lanes *lanes)
{
	for (uint32_t i = 0; i < lanes->n; i++)
		lanes->engine->bench_close(lanes->lane[i].bench);
	free(lanes);
}

static void run_lane(struct lane *lane)
{
	lane->ret = lane->lanes->engine->bench_run(lane->bench, lane->lanes->count, &lane->sample,
						   &lane->err);
}

/* All begin together, once every thread is on its CPU. */
static void *thread_main(void *arg)
{
	struct lane *lane = arg;
	cpu_set_t cpu;
	int gate;

	CPU_ZERO(&cpu);
	CPU_SET(lane->cpu, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) < 0) {
		lane->ret = err_set(&lane->err, -errno, "can't run on CPU %d: %s", lane->cpu,
				    strerror(errno));
		return NULL;
	}
	while ((gate = atomic_load(&lane->lanes->gate)) == GATE_CLOSED)
		sched_yield();
	if (gate == GATE_OPEN)
		run_lane(lane);
	return NULL;
}

static int run_threads(struct lanes *lanes, struct err *err)
{
	uint32_t started = 0;
	int ret = 0;

	atomic_store(&lanes->gate, GATE_CLOSED);
	for (; started < lanes->n && ret == 0; started += ret == 0)
		ret = pthread_create(&lanes->lane[started].thread, NULL, thread_main,
				     &lanes->lane[started]);
	atomic_store(&lanes->gate, ret ? GATE_ABANDONED : GATE_OPEN);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(lanes->lane[i].thread, NULL);
	return ret ? err_set(err, -ret, "start a thread: %s", strerror(ret)) : 0;
}

int lanes_run(struct lanes *lanes, size_t count, struct replay_sample *ret_samples, struct err *err)
{
	int ret = 0;

	lanes->count = count;
	for (uint32_t i = 0; i < lanes->n; i++)
		lanes->lane[i].ret = 0;
	if (lanes->n == 1)
		run_lane(&lanes->lane[0]);
	else
		ret = run_threads(lanes, err);
	for (uint32_t i = 0; i < lanes->n && ret == 0; i++) {
		const struct lane *lane = &lanes->lane[i];

		if (lane->ret < 0)
			return err_set(err, lane->ret, "%s", lane->err.text);
		ret_samples[i].ns += lane->sample.ns;
		ret_samples[i].harness_ns += lane->sample.harness_ns;
	}
	return ret;
}
