/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_XDP_INTERNAL_H
#define FAIRWAY_XDP_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "dataplane/xdp/engine.h"

/* The maps of the program: one for each table of LB_TABLES, in its order, which is that of
 * struct xdp_set.fd. How a table is laid out in its map: set.c. */
enum {
#define XDP_TABLE_ENUM(name, field, bytes) XDP_MAP_##name,
	LB_TABLES(XDP_TABLE_ENUM)
#undef XDP_TABLE_ENUM
		XDP_MAPS
};

/* A program and the maps it reads: one generation of the tables. */
struct xdp_set {
	int fd[XDP_MAPS]; /* -1: none */
	size_t bytes[XDP_MAPS];
	struct lb_tables tables;
	int prog_fd;
	uint32_t prog_id;
	bool multi_buffer; /* the program takes frames of several buffers */
};

struct xdp_engine {
	char *bpffs; /* NULL: nothing is pinned */
	bool adopted;
	struct xdp_set set;
	/* The twin for xdp_engine_run(); -1 until first used. */
	int twin_fd;
	struct lb_trace *twin_trace;
	struct lb_moment *twin_moment;
	int grace_outer_fd, grace_inner_fd;
	struct lb_page *page; /* NULL until asked for */
	int next_fd;          /* the same, -1 */
};

/* A row for each CPU that this machine may have, and the control plane's. */
uint32_t xdp_counter_rows(void);

void xdp_set_init(struct xdp_set *s);
void xdp_set_fini(struct xdp_set *s);
/* Map every fd of the set into its tables. */
int xdp_set_map(struct xdp_set *s, struct err *err);
/* Load the program: with the set's maps where fd >= 0, else with new ones of tables.dims. */
int xdp_set_load(struct xdp_set *s, struct err *err);
/* Take maps and program from a pinned program, whose fd the set owns on success. */
int xdp_set_adopt(struct xdp_set *s, int prog_fd, struct err *err);

/* Names of pins, and of maps within the object. */
extern const char *const xdp_pin_names[XDP_MAPS];
extern const char *const xdp_map_names[XDP_MAPS];

/* Open the program over the set's maps and have somebody else load it. */
int xdp_set_load_by(const struct xdp_set *s,
		    int (*loader)(void *arg, struct bpf_object *obj, struct err *err), void *arg,
		    struct err *err);

struct balancer_bpf;
/* Loading with tables at constant addresses, see direct.c: init before the object is opened, then
 * load in place of balancer_bpf__load(), whose return value it is. */
int xdp_direct_init(struct err *err) __attribute__((warn_unused_result));
int xdp_direct_load(struct balancer_bpf *skel) __attribute__((warn_unused_result));
int xdp_direct_load_by(struct balancer_bpf *skel,
		       int (*loader)(void *arg, struct bpf_object *obj, struct err *err), void *arg,
		       struct err *err) __attribute__((warn_unused_result));
/* The same for another build of the program, opened from a file (tools/bench). */
int xdp_direct_load_object(struct bpf_object *obj) __attribute__((warn_unused_result));

/* Size an opened object for these dimensions; maps with fd >= 0 are used as they are. */
int xdp_object_size(struct balancer_bpf *skel, const struct lb_dims *dims, const int fd[XDP_MAPS],
		    struct err *err);

/* Pin fd as <bpffs>/name, in place of what is there, in one step. */
int xdp_pin(const struct xdp_engine *e, const char *name, int fd, struct err *err);
int xdp_pin_set(const struct xdp_engine *e, const struct xdp_set *s, struct err *err);
int xdp_pin_path(const struct xdp_engine *e, const char *name, char *buf, size_t len);

int xdp_unpin(const struct xdp_engine *e, const char *name, struct err *err);

/* Put the set's program in place of ours on every interface that pins name. */
int xdp_links_update(const struct xdp_engine *e, const struct xdp_set *s, struct err *err);

/* Interfaces under libxdp's dispatcher, see shared.c. Their pins are called by this and the name.
 */
#define XDP_SHARED_PREFIX "shared-"

struct dispatcher_view;
int xdp_shared_attach(const struct xdp_engine *e, const struct xdp_set *s, const char *ifname,
		      const struct dispatcher_view *v, bool generic, struct err *err);
bool xdp_shared_attached(const struct xdp_engine *e, const char *ifname, int *ret_programs);
int xdp_shared_update(const struct xdp_engine *e, const struct xdp_set *s, const char *ifname,
		      struct err *err);
int xdp_shared_detach(const struct xdp_engine *e, const char *ifname, struct err *err);

void xdp_twin_drop(struct xdp_engine *e);
void xdp_page_drop(struct xdp_engine *e);
/* Have the set's program called where no foreign reader takes a packet; nothing to do without one.
 */
int xdp_next_update(const struct xdp_engine *e, const struct xdp_set *s, struct err *err);

#endif
