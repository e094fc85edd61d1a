/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_XDP_DISPATCHER_H
#define FAIRWAY_XDP_DISPATCHER_H

/*
 * libxdp, in the few words that the engine needs: what holds an interface, becoming one of the
 * programs under its dispatcher, and leaving it. libxdp keeps what it attaches pinned under
 * /sys/fs/bpf/xdp (or $LIBXDP_BPFFS/xdp), where other programs that use it look too.
 *
 * Its header defines names that the engine's defines as well, so that it stays in dispatcher.c.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/base/err.h"

struct bpf_object;

#define DISPATCHER_PROGRAMS 10
#define DISPATCHER_MAPS     32

enum dispatcher_holder {
	DISPATCHER_FREE,    /* no XDP program */
	DISPATCHER_LIBXDP,  /* libxdp's dispatcher */
	DISPATCHER_ANOTHER, /* a program that runs alone */
};

/* A program under the dispatcher. */
struct dispatcher_program {
	uint32_t id;
	uint8_t tag[8];
	uint32_t map_ids[DISPATCHER_MAPS];
	uint32_t n_maps;
};

struct dispatcher_view {
	enum dispatcher_holder holder;
	bool generic;
	int n;
	struct dispatcher_program
		programs[DISPATCHER_PROGRAMS]; /* in the order in which they run */
};

/* What holds the interface now. A dispatcher whose pins can't be read is another program. */
int dispatcher_look(unsigned ifindex, struct dispatcher_view *ret_view, struct err *err)
	__attribute__((warn_unused_result));

/* Load a program of an object that is open and not loaded yet, and add it to the interface's
 * programs, or begin a dispatcher there. What it passes goes on to the next. -EOPNOTSUPP: this
 * kernel can't do that, and the interface is as it was. */
int dispatcher_join(unsigned ifindex, bool generic, struct bpf_object *obj, const char *program,
		    uint32_t *ret_id, struct err *err) __attribute__((warn_unused_result));

/* Take programs out again; with the last one the dispatcher goes. The others run on. */
int dispatcher_leave(unsigned ifindex, const uint32_t *ids, int n, struct err *err)
	__attribute__((warn_unused_result));

#endif
