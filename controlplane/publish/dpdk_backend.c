/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/dpdk_backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/base/clock.h"
#include "dataplane/native/native.h"

struct publish_dpdk {
	struct xdp_engine *xdp;
	struct native_files *files;
	struct lb_page *page;
	bool stop;
};

static struct lb_tables *tables(void *arg)
{
	struct publish_dpdk *d = arg;

	return d->xdp ? xdp_engine_tables(d->xdp) : native_files_tables(d->files);
}

/* ---- growing ---- */

struct step {
	struct publish_dpdk *d;
	const struct publish_move *move;
};

static int fill(void *arg, struct lb_tables *to, const struct lb_tables *from, struct err *err)
{
	const struct publish_move *move = ((struct step *)arg)->move;

	return move->fill(move->arg, to, from, err);
}

static void carry(void *arg, struct lb_tables *to, const struct lb_tables *from)
{
	const struct publish_move *move = ((struct step *)arg)->move;

	move->carry(move->arg, to, from);
}

static void moved(void *arg, const struct lb_dims *dims)
{
	struct publish_dpdk *d = ((struct step *)arg)->d;

	dpdk_page_publish(d->page, dims);
	dpdk_page_wait_moved(d->page);
}

static int grow(void *arg, const struct lb_dims *dims, const struct publish_move *move,
		struct err *err)
{
	struct publish_dpdk *d = arg;
	struct step step = {.d = d, .move = move};

	if (d->xdp)
		return xdp_engine_grow(
			d->xdp, dims,
			&(struct xdp_engine_move){
				.arg = &step, .fill = fill, .moved = moved, .carry = carry},
			err);
	return native_files_grow(
		d->files, dims,
		&(struct native_files_move){
			.arg = &step, .fill = fill, .moved = moved, .carry = carry},
		err);
}

/* ---- grace ---- */

static void grace(void *arg)
{
	struct publish_dpdk *d = arg;

	/* The XDP program may run too, where it takes over from the engine. */
	if (d->xdp)
		xdp_engine_grace(d->xdp);
	dpdk_page_grace(d->page, &d->stop);
}

static bool grace_is_short(void *arg)
{
	const struct lb_page *page = ((struct publish_dpdk *)arg)->page;

	return dpdk_page_life(page, clock_now_ns()) != DPDK_SILENT &&
	       !__atomic_load_n(&page->engine.stalled, __ATOMIC_RELAXED);
}

/* ---- the whole ---- */

int publish_dpdk_new(struct xdp_engine *xdp, struct native_files *files,
		     struct publish_dpdk **ret_dpdk, struct err *err)
{
	struct publish_dpdk *d = calloc(1, sizeof(*d));
	int rc = 0;

	if (!d)
		return err_set(err, -ENOMEM, "out of memory");
	d->xdp = xdp;
	d->files = files;
	if (xdp)
		rc = xdp_engine_page(xdp, &d->page, err);
	else
		d->page = native_files_page(files);
	if (!rc)
		rc = dpdk_page_take(d->page, LB_PAGE_NAME, err);
	if (rc) {
		free(d);
		return rc;
	}
	/* Also of adopted tables: who died before he said so may have put them in force. */
	dpdk_page_publish(d->page, &tables(d)->dims);
	*ret_dpdk = d;
	return 0;
}

void publish_dpdk_free(struct publish_dpdk *d)
{
	free(d);
}

struct publish_engine publish_dpdk_engine(struct publish_dpdk *d)
{
	return (struct publish_engine){.name = "dpdk",
				       .arg = d,
				       .tables = tables,
				       .grow = grow,
				       .grace = grace,
				       .grace_is_short = grace_is_short};
}

struct lb_page *publish_dpdk_page(struct publish_dpdk *d)
{
	return d->page;
}

void publish_dpdk_stop(struct publish_dpdk *d)
{
	__atomic_store_n(&d->stop, true, __ATOMIC_RELAXED);
}

/* ---- asking ---- */

static struct lb_moment question(void)
{
	return (struct lb_moment){.now_ns = clock_now_ns(), .question = 1};
}

int publish_dpdk_ask(struct publish_dpdk *d, uint8_t frame[LB_PAGE_FRAME_MAX], size_t *len,
		     struct lb_trace *ret_trace, struct err *err)
{
	struct lb_tables t = *tables(d);
	AUTO_FREE struct lb_counter *row = calloc(t.dims.counter_stride, sizeof(*row));
	uint8_t buffer[NATIVE_HEADROOM + LB_PAGE_FRAME_MAX];
	struct native_frame f = {
		.data = buffer + NATIVE_HEADROOM, .len = *len, .headroom = NATIVE_HEADROOM};
	const struct lb_moment moment = question();

	if (!row)
		return err_set(err, -ENOMEM, "out of memory");
	if (*len > LB_PAGE_FRAME_MAX - NATIVE_HEADROOM)
		return err_set(err, -EMSGSIZE, "a probe has at most %zu bytes",
			       (size_t)LB_PAGE_FRAME_MAX - NATIVE_HEADROOM);
	/* What is counted is thrown away. */
	t.counters = row;
	t.dims.counter_rows = 1;
	memcpy(f.data, frame, *len);
	native_process(&t, 0, &moment, &f, ret_trace);
	memcpy(frame, f.data, f.len);
	*len = f.len;
	return 0;
}

int publish_dpdk_probe(struct publish_dpdk *d, const uint8_t *frame, size_t len, struct err *err)
{
	uint8_t want[LB_PAGE_FRAME_MAX], got[LB_PAGE_FRAME_MAX];
	size_t want_len = len, got_len = len;
	const struct lb_moment moment = question();
	struct lb_trace wanted, trace;
	int rc;

	if (len > LB_PAGE_FRAME_MAX - NATIVE_HEADROOM)
		return err_set(err, -EMSGSIZE, "a probe has at most %zu bytes",
			       (size_t)LB_PAGE_FRAME_MAX - NATIVE_HEADROOM);
	memcpy(want, frame, len);
	memcpy(got, frame, len);
	rc = publish_dpdk_ask(d, want, &want_len, &wanted, err);
	if (rc)
		return rc;
	if (wanted.verdict != LB_FORWARD)
		return err_set(err, -EHOSTUNREACH, "the tables do not forward the probe");
	rc = dpdk_page_probe(d->page, &moment, got, &got_len, &trace, err);
	if (rc)
		return rc;
	if (trace.verdict != wanted.verdict || trace.real != wanted.real || got_len != want_len ||
	    memcmp(got, want, want_len) != 0)
		return err_set(err, -EPROTO,
			       "fairway-dpdk (pid %u) treats the probe in another way than its "
			       "tables say",
			       d->page->engine.pid);
	return 0;
}
