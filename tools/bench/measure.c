/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/cleanup.h"

#include "bpf/bench_flows.skel.h"

#define FRAME4 54
#define FRAME6 74

/* Packets before each round that aren't timed: the program finds its tables in the caches as if it
 * had run all the while. */
#define WARM_PACKETS 4000U

/* The wrapper, and what is measured behind it. */
struct lane {
	int prog_fd;
	double *ns; /* of this loading's rounds */
};

struct session {
	struct bench_flows_bpf *skel;
	int link_fd;
	size_t n_lanes;
	struct lane lanes[];
};

/* The CPU time of this thread, in the kernel and outside: what it waits for others doesn't count.
 */
static uint64_t cpu_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static int set_scenario(struct bench_flows_bpf *skel, const struct bench_scenario *s,
			struct err *err)
{
	struct addr vip;
	uint32_t vip4;

	if (addr_parse(s->vip, &vip) < 0)
		return err_set(err, -EINVAL, "%s: '%s' is no address", s->name, s->vip);
	memcpy(&vip4, vip.bytes, sizeof(vip4));
	skel->rodata->flows_n = s->flows;
	skel->rodata->flows_vips = s->vips;
	skel->rodata->flows_ipv6 = vip.family == 6;
	skel->rodata->flows_protocol = s->protocol;
	skel->rodata->flows_tcp_flags = s->tcp_flags;
	skel->rodata->flows_vip4 = ntohl(vip4);
	memcpy((void *)skel->rodata->flows_vip6, vip.bytes, sizeof(skel->rodata->flows_vip6));
	skel->rodata->flows_grow_bytes = s->grow_bytes;
	return 0;
}

/* A test run puts the program into the kernel's dispatcher for XDP and takes it out again, and
 * waits for an RCU grace period each time: tens of milliseconds. A program that is attached is
 * there already. The loopback of a namespace of our own serves, which nothing arrives at. */
static int attach_aside(const struct bpf_program *prog, int *ret_link_fd, struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_SKB_MODE);
	const int loopback = 1;
	int fd = bpf_link_create(bpf_program__fd(prog), loopback, BPF_XDP, &opts);

	if (fd < 0)
		return err_set(err, -errno, "attach the wrapper to an empty namespace: %s",
			       strerror(errno));
	*ret_link_fd = fd;
	return 0;
}

static int session_load(struct session *session, const struct bench_scenario *s, bool settle,
			struct err *err)
{
	int ret;

	session->skel = bench_flows_bpf__open();
	if (!session->skel)
		return err_set(err, -errno, "open the wrapper: %s", strerror(errno));
	ret = set_scenario(session->skel, s, err);
	if (ret < 0)
		return ret;
	session->skel->rodata->flows_settle = settle;
	ret = bench_flows_bpf__load(session->skel);
	if (ret < 0)
		return err_set(err, ret, "load the wrapper: %s", strerror(-ret));
	return attach_aside(session->skel->progs.flows, &session->link_fd, err);
}

static void session_free(struct session *session)
{
	if (!session)
		return;
	cleanup_close(&session->link_fd);
	bench_flows_bpf__destroy(session->skel);
	free(session);
}

static int put_behind(const struct session *session, const struct lane *lane, struct err *err)
{
	int map = bpf_map__fd(session->skel->maps.flows_target);
	uint32_t slot = 0;

	if (bpf_map_update_elem(map, &slot, &lane->prog_fd, BPF_ANY))
		return err_set(err, -errno, "put the program behind the wrapper: %s",
			       strerror(errno));
	return 0;
}

static int run(const struct session *session, const struct bpf_program *wrapper, uint32_t packets,
	       struct bpf_test_run_opts *opts, struct err *err)
{
	static uint8_t in[FRAME6];

	opts->sz = sizeof(*opts);
	opts->data_in = in;
	opts->data_size_in = session->skel->rodata->flows_ipv6 ? FRAME6 : FRAME4;
	opts->repeat = (int)packets;
	session->skel->bss->flows_failed = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(wrapper), opts))
		return err_set(err, -errno, "run the wrapper: %s", strerror(errno));
	if (session->skel->bss->flows_failed)
		return err_set(err, -EPROTO, "%llu of %u runs of the wrapper failed",
			       (unsigned long long)session->skel->bss->flows_failed, packets);
	return 0;
}

/* Does the program do with these packets what is to be measured? The frame of a run is seen by the
 * next one, so the first sees none. */
static int check_target(const struct session *session, const struct lane *lane,
			const struct bench_scenario *s, const char *name, struct err *err)
{
	const uint32_t packets = WARM_PACKETS;
	struct bpf_test_run_opts opts = {0};
	uint64_t grown;
	int ret = put_behind(session, lane, err);

	session->skel->bss->flows_grown = 0;
	if (ret == 0)
		ret = run(session, session->skel->progs.flows_checked, packets, &opts, err);
	if (ret < 0)
		return ret;
	grown = session->skel->bss->flows_grown;
	if ((opts.retval == XDP_TX || opts.retval == XDP_REDIRECT) && grown >= packets - 1)
		return 0;
	return err_set(err, -EPROTO,
		       "'%s' put a header of %u bytes before %llu of %u packets, and its last"
		       " action was %u (XDP_TX is %d): it does not forward these packets as it"
		       " should, so there is nothing to measure",
		       name, s->grow_bytes, (unsigned long long)grown, packets - 1, opts.retval,
		       XDP_TX);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The same packets for every lane, and others in every round. */
static int time_lane(const struct session *session, const struct lane *lane, uint64_t first,
		     uint32_t packets, double *ret_ns, struct err *err)
{
	const struct bpf_program *wrapper = session->skel->progs.flows;
	struct bpf_test_run_opts opts = {0}, warm = {0};
	int ret = put_behind(session, lane, err);
	uint64_t start;

	session->skel->bss->flows_next = first;
	if (ret == 0)
		ret = run(session, wrapper, WARM_PACKETS, &warm, err);
	start = cpu_time_ns();
	if (ret == 0)
		ret = run(session, wrapper, packets, &opts, err);
	if (ret == 0)
		*ret_ns = (double)(cpu_time_ns() - start) / packets;
	return ret;
}

/* All take turns in each round, so that they meet the same machine. */
static int run_rounds(const struct bench_plan *plan, const struct session *session, struct err *err)
{
	for (size_t round = 0; round < plan->rounds; round++) {
		uint64_t first = round * (uint64_t)(plan->packets + WARM_PACKETS);

		for (size_t i = 0; i < session->n_lanes; i++) {
			const struct lane *lane = &session->lanes[i];
			int ret = time_lane(session, lane, first, plan->packets, &lane->ns[round],
					    err);

			if (ret < 0)
				return ret;
		}
	}
	return 0;
}

static int lanes_init(struct session *session, const struct bench_plan *plan, size_t loading,
		      const int *fds, struct bench_result *result, struct err *err)
{
	size_t first = loading * plan->rounds;
	int ret = 0;

	session->lanes[0] = (struct lane){bpf_program__fd(session->skel->progs.nothing),
					  result->harness.ns + first};
	session->lanes[1] =
		(struct lane){bpf_program__fd(session->skel->progs.grow), result->floor.ns + first};
	for (size_t i = 0; i < plan->n_programs && ret == 0; i++) {
		struct lane *lane = &session->lanes[2 + i];

		*lane = (struct lane){fds[i], result->programs[i].ns + first};
		ret = check_target(session, lane, result->scenario, plan->programs[i].name, err);
	}
	return ret;
}

static int figure_init(struct bench_figure *figure, const struct bench_plan *plan)
{
	figure->ns = calloc(plan->loadings * plan->rounds, sizeof(*figure->ns));
	return figure->ns ? 0 : -ENOMEM;
}

int bench_result_init(struct bench_result *result, const struct bench_plan *plan,
		      const struct bench_scenario *scenario, struct err *err)
{
	int ret;

	*result = (struct bench_result){.scenario = scenario, .n_programs = plan->n_programs};
	result->programs = calloc(plan->n_programs + 1, sizeof(*result->programs));
	ret = result->programs ? figure_init(&result->harness, plan) : -ENOMEM;
	if (ret == 0)
		ret = figure_init(&result->floor, plan);
	for (size_t i = 0; i < plan->n_programs && ret == 0; i++)
		ret = figure_init(&result->programs[i], plan);
	if (ret == 0)
		return 0;
	bench_result_fini(result);
	return err_set(err, ret, "out of memory");
}

void bench_result_fini(struct bench_result *result)
{
	for (size_t i = 0; i < result->n_programs && result->programs; i++)
		free(result->programs[i].ns);
	free(result->programs);
	free(result->harness.ns);
	free(result->floor.ns);
	*result = (struct bench_result){0};
}

static int measure(const struct bench_plan *plan, size_t loading, const int *fds,
		   struct session *session, struct bench_result *result, struct err *err)
{
	int ret = session_load(session, result->scenario, plan->settle, err);

	if (ret == 0)
		ret = lanes_init(session, plan, loading, fds, result, err);
	if (ret == 0)
		ret = run_rounds(plan, session, err);
	for (size_t i = 0; i < session->n_lanes && ret == 0; i++)
		qsort(session->lanes[i].ns, plan->rounds, sizeof(double), compare);
	return ret;
}

int bench_measure(const struct bench_plan *plan, size_t loading, const int *fds,
		  struct bench_result *result, struct err *err)
{
	size_t n = 2 + plan->n_programs;
	struct session *session = calloc(1, sizeof(*session) + n * sizeof(struct lane));
	int ret;

	if (!session)
		return err_set(err, -ENOMEM, "out of memory");
	session->n_lanes = n;
	session->link_fd = -1;
	ret = measure(plan, loading, fds, session, result, err);
	session_free(session);
	return ret < 0 ? err_prefix(err, ret, "%s", result->scenario->name) : 0;
}

int bench_measure_init(struct err *err)
{
	if (unshare(CLONE_NEWNET) < 0)
		return err_set(err, -errno, "make a network namespace: %s (run as root)",
			       strerror(errno));
	return 0;
}
