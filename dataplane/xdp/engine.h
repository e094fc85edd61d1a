/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_XDP_ENGINE_H
#define FAIRWAY_XDP_ENGINE_H

/*
 * The XDP engine: loads bpf/balancer.bpf.c, attaches it to interfaces and keeps it and its maps
 * pinned, so that they outlive the process that loaded them:
 *
 *   <bpffs>/balancer       the program
 *   <bpffs>/lb_*           its maps, the tables of dataplane/core/tables.h
 *   <bpffs>/lb_page        what the writer shares with an engine in another process, if asked for
 *   <bpffs>/lb_next        and the program for packets that such an engine doesn't take
 *   <bpffs>/link-IFNAME    what attaches it to an interface
 *   <bpffs>/shared-IFNAME  or, where libxdp runs programs of others, ours among them
 *
 * What is attached is the truth: a later process finds the program by its pin and the maps by the
 * program, keeps the maps, and puts its own program in place of the old one in one step.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"
#include "dataplane/core/page.h"

enum xdp_mode {
	XDP_MODE_NATIVE,
	XDP_MODE_GENERIC,
};

struct xdp_engine;

/* Load the program. bpffs is a directory on a bpffs, created if only its last part is missing; it
 * is where everything is pinned, or NULL: nothing is pinned, and nothing adopted (replay, tests).
 *
 * With pins of an earlier process the tables are adopted as they are; those whose layout this
 * program doesn't know are refused with -EPROTO. dims is what to create otherwise; counter_rows and
 * counter_stride in it are computed here. Nothing is attached yet. */
int xdp_engine_open(const char *bpffs, const struct lb_dims *dims, struct xdp_engine **ret_engine,
		    struct err *err) __attribute__((warn_unused_result));

/* Forget the engine; program, maps and links stay pinned and packets keep flowing. */
void xdp_engine_free(struct xdp_engine *e);

/* True when xdp_engine_open() found tables of an earlier process. */
bool xdp_engine_adopted(const struct xdp_engine *e);

/* The tables, mapped. The pointers change only with xdp_engine_grow(). */
struct lb_tables *xdp_engine_tables(struct xdp_engine *e);

/* The kernel's number of the program that is in force. */
uint32_t xdp_engine_program_id(const struct xdp_engine *e);

/* Attach to an interface, or put this program in place of the one that an earlier process attached
 * there, without a packet between. Where libxdp's dispatcher runs programs already, this one
 * becomes one of them, and what it passes goes on to the next. Refuses where another program is
 * attached without a dispatcher. */
int xdp_engine_attach(struct xdp_engine *e, const char *ifname, enum xdp_mode mode, struct err *err)
	__attribute__((warn_unused_result));

/* Is this engine's program what runs on the interface now? */
bool xdp_engine_attached(const struct xdp_engine *e, const char *ifname);

/* How many programs share the interface with this one by libxdp's dispatcher, itself included; 0
 * when it has the interface for itself or isn't attached. */
int xdp_engine_shared(const struct xdp_engine *e, const char *ifname);

/* Does the program that <bpffs>/steer-IFNAME pins run on the interface: the one that hands packets
 * to an engine in user space and, while there is none, to ours? */
bool xdp_engine_steered(const struct xdp_engine *e, const char *ifname);

/* Detach from one interface. 0 also when it wasn't attached. */
int xdp_engine_detach(struct xdp_engine *e, const char *ifname, struct err *err)
	__attribute__((warn_unused_result));

/* Names of the interfaces that pins say the program is attached to; for detaching what the
 * configuration no longer names. Returns how many, at most max, or -errno. */
int xdp_engine_links(const struct xdp_engine *e, char names[][16], int max);

/* The page beside the tables, mapped as long as the engine is open: the pinned one, or a new one of
 * zeros. -EPROTO when what is pinned is no page of this version. */
int xdp_engine_page(struct xdp_engine *e, struct lb_page **ret_page, struct err *err)
	__attribute__((warn_unused_result));

/* There is no foreign reader any more: one that still runs finds its page gone, and ends. */
int xdp_engine_page_remove(struct xdp_engine *e, struct err *err)
	__attribute__((warn_unused_result));

/* What a writer does when the tables move to a larger set: fill() copies the content before any
 * packet reads the new set; moved(), which may be NULL, tells readers outside the kernel, when the
 * new maps are pinned, and returns once they went over; carry() adds the old set's counters once no
 * packet writes them. */
struct xdp_engine_move {
	void *arg;
	int (*fill)(void *arg, struct lb_tables *to, const struct lb_tables *from, struct err *err);
	void (*moved)(void *arg, const struct lb_dims *dims);
	void (*carry)(void *arg, struct lb_tables *to, const struct lb_tables *from);
};

/* Replace the tables by larger ones (dims; rows and stride are computed) and the program by one
 * that reads them. On failure the old ones stay in force. */
int xdp_engine_grow(struct xdp_engine *e, const struct lb_dims *dims,
		    const struct xdp_engine_move *move, struct err *err)
	__attribute__((warn_unused_result));

/* Return after every program run that began before the call has ended. Thread-safe. */
void xdp_engine_grace(struct xdp_engine *e);

/* Largest frame that xdp_engine_run() takes, and smallest. */
#define XDP_ENGINE_FRAME_MAX 65557U
#define XDP_ENGINE_FRAME_MIN 14U

/* Run one frame through a twin of the program that reads the same tables, counts for itself and
 * says why. out has XDP_ENGINE_FRAME_MAX + 64 bytes; *ret_out_len is the frame's length after it.
 */
int xdp_engine_run(struct xdp_engine *e, const struct lb_moment *moment, const void *frame,
		   size_t len, void *out, size_t *ret_out_len, struct lb_trace *ret_trace,
		   struct err *err) __attribute__((warn_unused_result));

/* Run one frame through the very program that is in force (BPF_PROG_TEST_RUN) and through the
 * twin: 0 when both forward it with the same bytes. The counters don't keep the probe. */
int xdp_engine_probe(struct xdp_engine *e, const void *frame, size_t len, struct err *err)
	__attribute__((warn_unused_result));

#endif
