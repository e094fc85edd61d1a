/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#include "dataplane/core/reasons.h"

#include "bpf/balancer.h"
/* Needs the above. */
#include "bpf/balancer.skel.h"

void xdp_twin_drop(struct xdp_engine *e)
{
	if (e->twin_trace)
		munmap(e->twin_trace, (size_t)sysconf(_SC_PAGESIZE));
	if (e->twin_moment)
		munmap(e->twin_moment, (size_t)sysconf(_SC_PAGESIZE));
	e->twin_trace = NULL;
	e->twin_moment = NULL;
	cleanup_close(&e->twin_fd);
	e->twin_fd = -1;
}

/* The memory of a map of one small element. */
static int map_page(const struct bpf_map *map, void **ret_page, struct err *err)
{
	void *p = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE, MAP_SHARED,
		       bpf_map__fd(map), 0);

	if (p == MAP_FAILED)
		return err_set(err, -errno, "map %s into memory: %s", bpf_map__name(map),
			       strerror(errno));
	*ret_page = p;
	return 0;
}

/* Load the twin: the same code over the same tables, with counters of its own and a trace. */
static int load_twin(struct xdp_engine *e, struct balancer_bpf *skel, struct err *err)
{
	int fd[XDP_MAPS];
	void *page;
	int rc;

	memcpy(fd, e->set.fd, sizeof(fd));
	fd[XDP_MAP_lb_counters] = -1;
	bpf_program__set_autoload(skel->progs.balancer, false);
	/* So that the test run takes frames of any length. */
	rc = bpf_program__set_flags(skel->progs.traced,
				    bpf_program__flags(skel->progs.traced) | BPF_F_XDP_HAS_FRAGS);
	if (rc)
		return err_set(err, rc, "prepare the traced twin: %s", strerror(-rc));
	rc = xdp_object_size(skel, &e->set.tables.dims, fd, err);
	if (rc)
		return rc;
	rc = xdp_direct_load(skel);
	if (rc)
		return err_set(err, rc, "load the traced twin of the program: %s", strerror(-rc));
	e->twin_fd = dup(bpf_program__fd(skel->progs.traced));
	if (e->twin_fd < 0)
		return err_set(err, -errno, "keep the traced twin: %s", strerror(errno));
	rc = map_page(skel->maps.lb_moment, &page, err);
	if (rc)
		return rc;
	e->twin_moment = page;
	rc = map_page(skel->maps.lb_trace, &page, err);
	if (!rc)
		e->twin_trace = page;
	return rc;
}

static int ensure_twin(struct xdp_engine *e, struct err *err)
{
	struct balancer_bpf *skel;
	int rc;

	if (e->twin_trace)
		return 0;
	rc = xdp_direct_init(err);
	if (rc)
		return rc;
	skel = balancer_bpf__open();
	if (!skel)
		return err_set(err, -errno, "open the XDP program: %s", strerror(errno));
	rc = load_twin(e, skel, err);
	balancer_bpf__destroy(skel);
	if (rc)
		xdp_twin_drop(e);
	return rc;
}

static int run(int prog_fd, const void *frame, size_t len, void *out, size_t *ret_len,
	       uint32_t *ret_action, struct err *err)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = (__u32)len,
		    .data_out = out, .data_size_out = XDP_ENGINE_FRAME_MAX + 64, .repeat = 1);

	if (len < XDP_ENGINE_FRAME_MIN || len > XDP_ENGINE_FRAME_MAX)
		return err_set(err, -EMSGSIZE,
			       "the kernel's test run takes frames of %u to %u bytes, not %zu",
			       XDP_ENGINE_FRAME_MIN, XDP_ENGINE_FRAME_MAX, len);
	if (bpf_prog_test_run_opts(prog_fd, &opts))
		return err_set(err, -errno, "run a frame through the program: %s", strerror(errno));
	*ret_len = opts.data_size_out;
	*ret_action = opts.retval;
	return 0;
}

static bool action_fits(uint32_t action, uint32_t verdict)
{
	switch (verdict) {
	case LB_PASS:
		return action == XDP_PASS;
	case LB_DROP:
		return action == XDP_DROP;
	default:
		return action == XDP_TX || action == XDP_REDIRECT;
	}
}

int xdp_engine_run(struct xdp_engine *e, const struct lb_moment *moment, const void *frame,
		   size_t len, void *out, size_t *ret_out_len, struct lb_trace *ret_trace,
		   struct err *err)
{
	uint32_t action;
	size_t out_len;
	int rc = ensure_twin(e, err);

	if (!rc)
		*e->twin_moment = *moment;
	if (!rc)
		rc = run(e->twin_fd, frame, len, out, &out_len, &action, err);
	if (rc)
		return rc;
	if (!action_fits(action, e->twin_trace->verdict))
		return err_set(err, -EPROTO, "the program returned action %u with verdict %u",
			       action, e->twin_trace->verdict);
	*ret_out_len = out_len;
	*ret_trace = *e->twin_trace;
	return 0;
}

/* Take a probe out of a counter again, in the row that only the control plane writes. */
static void uncount(struct lb_tables *t, uint32_t counter, uint32_t bytes)
{
	struct lb_counter *c =
		&t->counters[(t->dims.counter_rows - 1) * t->dims.counter_stride + counter];

	c->packets--;
	c->bytes -= bytes;
}

int xdp_engine_probe(struct xdp_engine *e, const void *frame, size_t len, struct err *err)
{
	uint8_t expected[XDP_ENGINE_FRAME_MAX + 64], got[XDP_ENGINE_FRAME_MAX + 64];
	struct lb_tables *t = &e->set.tables;
	size_t expected_len, got_len;
	struct lb_trace trace;
	uint32_t action;
	const struct lb_moment moment = {.question = 1};
	int rc = xdp_engine_run(e, &moment, frame, len, expected, &expected_len, &trace, err);

	if (rc)
		return rc;
	if (trace.verdict != LB_FORWARD)
		return err_set(err, -EHOSTUNREACH, "the program does not forward the probe");
	rc = run(e->set.prog_fd, frame, len, got, &got_len, &action, err);
	if (rc)
		return rc;
	if (!action_fits(action, LB_FORWARD) || got_len != expected_len ||
	    memcmp(got, expected, got_len) != 0)
		return err_set(err, -EPROTO,
			       "the attached program (id %u) treats the probe in another way than "
			       "its tables say",
			       e->set.prog_id);
	uncount(t, t->services[trace.service].counter, (uint32_t)(len - 14));
	uncount(t, LB_COUNTER_REAL(&t->dims, trace.real), (uint32_t)(len - 14));
	return 0;
}
