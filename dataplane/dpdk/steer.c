/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/steer.h"

#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/steer.skel.h"
#include "controlplane/base/cleanup.h"

#define MAPS_MAX 16

/* What is attached to an interface, and how. */
struct attached {
	int ifindex;
	uint32_t id; /* of the program; 0: none */
	uint32_t mode;
};

static int look(const char *interface, struct attached *ret, struct err *err)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	struct attached a = {.ifindex = (int)if_nametoindex(interface)};
	int rc;

	if (!a.ifindex)
		return err_set(err, -ENODEV,
			       "the kernel has no interface %s: make it, or mend node.dpdk.ports",
			       interface);
	rc = bpf_xdp_query(a.ifindex, 0, &opts);
	if (rc < 0)
		return err_set(err, rc, "ask what runs on %s: %s", interface, strerror(-rc));
	if (opts.drv_prog_id) {
		a.id = opts.drv_prog_id;
		a.mode = XDP_FLAGS_DRV_MODE;
	} else if (opts.skb_prog_id) {
		a.id = opts.skb_prog_id;
		a.mode = XDP_FLAGS_SKB_MODE;
	}
	*ret = a;
	return 0;
}

static int pin_path(const char *dir, const char *interface, char *path, size_t len)
{
	return (size_t)snprintf(path, len, "%s/steer-%s", dir, interface) < len ? 0 : -ENAMETOOLONG;
}

static int id_of(int prog_fd, uint32_t *ret_id)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) < 0)
		return -errno;
	*ret_id = info.id;
	return 0;
}

/* The map of this name that a program reads. -ENOENT when it has none. */
static int map_of(int prog_fd, const char *name, int *ret_fd)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len) < 0)
		return -errno;
	for (uint32_t i = 0; i < info.nr_map_ids && i < MAPS_MAX; i++) {
		struct bpf_map_info map = {0};
		AUTO_CLOSE int fd = bpf_map_get_fd_by_id(ids[i]);

		len = sizeof(map);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &len) < 0)
			return -errno;
		if (strcmp(map.name, name) == 0) {
			*ret_fd = fd;
			fd = -1;
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- before the driver ---- */

static bool is_pinned(const char *dir, const char *interface, uint32_t prog_id)
{
	AUTO_CLOSE int fd = -1;
	char path[512];
	uint32_t id = 0;

	if (pin_path(dir, interface, path, sizeof(path)) == 0)
		fd = bpf_obj_get(path);
	return fd >= 0 && id_of(fd, &id) == 0 && id == prog_id;
}

static int map_id(int fd, uint32_t *ret_id)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -1;
	*ret_id = info.id;
	return 0;
}

/* Does it go on into the balancer of these tables? What was pinned needn't have been attached yet
 * when its process was killed. */
static bool is_of_tables(const char *dir, int prog_fd)
{
	AUTO_CLOSE int fd = -1, pinned = -1;
	uint32_t id = 0, pinned_id = 0;
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/lb_next", dir) < sizeof(path))
		pinned = bpf_obj_get(path);
	return map_of(prog_fd, "lb_next", &fd) == 0 && map_id(fd, &id) == 0 &&
	       map_id(pinned, &pinned_id) == 0 && id == pinned_id;
}

/* The one that the driver attaches, or ours: both give packets to AF_XDP sockets. */
static bool has_sockets(int prog_fd)
{
	AUTO_CLOSE int fd = -1;

	return prog_fd >= 0 && map_of(prog_fd, "xsks_map", &fd) == 0;
}

/* In one step, and only what was looked at. */
static int detach(const struct attached *a, int fd, const char *interface, struct err *err)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);
	int rc = bpf_xdp_detach(a->ifindex, a->mode | XDP_FLAGS_REPLACE, &opts);

	return rc < 0 ? err_set(err, rc, "take the program off %s: %s", interface, strerror(-rc))
		      : 0;
}

int dpdk_steer_clear(const char *dir, const char *interface, bool in_gap, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	struct attached a;
	int rc = look(interface, &a, err);

	if (rc < 0 || !a.id)
		return rc;
	fd = bpf_prog_get_fd_by_id(a.id);
	if (fd < 0 || !(is_pinned(dir, interface, a.id) || is_of_tables(dir, fd) ||
			(in_gap && has_sockets(fd))))
		return err_set(err, -EBUSY,
			       "%s already has an XDP program (id %u) that isn't ours, and AF_XDP "
			       "needs that place: `ip link set %s xdp off` takes it off",
			       interface, a.id, interface);
	return detach(&a, fd, interface, err);
}

/* ---- behind the driver ---- */

static int reuse_pinned(struct bpf_map *map, const char *dir, const char *name)
{
	AUTO_CLOSE int fd = -1;
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : bpf_map__reuse_fd(map, fd);
}

/* libbpf would print what the caller puts into words. */
static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int load(struct steer_bpf *skel, const char *dir, const struct lb_tables *tables,
		int sockets_fd, struct err *err)
{
	libbpf_print_fn_t before;
	int rc = bpf_map__reuse_fd(skel->maps.xsks_map, sockets_fd);

	skel->rodata->vips_mask = tables->dims.vip_entries - 1;
	rc = rc ?: reuse_pinned(skel->maps.lb_node, dir, "lb_node");
	rc = rc ?: reuse_pinned(skel->maps.lb_vips, dir, "lb_vips");
	rc = rc ?: reuse_pinned(skel->maps.lb_next, dir, "lb_next");
	if (rc < 0)
		return err_set(err, rc, "open the tables for the steering program: %s",
			       strerror(-rc));
	before = libbpf_set_print(say_nothing);
	rc = steer_bpf__load(skel);
	libbpf_set_print(before);
	return rc < 0 ? err_set(err, rc, "load the steering program: %s", strerror(-rc)) : 0;
}

static int pin(const char *dir, const char *interface, int fd, struct err *err)
{
	char path[512], aside[520];

	if (pin_path(dir, interface, path, sizeof(path)) < 0)
		return err_set(err, -ENAMETOOLONG, "%s: path too long", dir);
	snprintf(aside, sizeof(aside), "%s_new", path);
	if (unlink(aside) < 0 && errno != ENOENT)
		return err_set(err, -errno, "remove %s: %s", aside, strerror(errno));
	if (bpf_obj_pin(fd, aside) < 0)
		return err_set(err, -errno, "pin %s: %s", aside, strerror(errno));
	if (rename(aside, path) < 0)
		return err_set(err, -errno, "rename %s: %s", aside, strerror(errno));
	return 0;
}

/* In one step, and only in place of what was looked at. */
static int attach(const struct attached *a, int old_fd, int fd, const char *interface,
		  struct err *err)
{
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = old_fd);
	int rc = bpf_xdp_attach(a->ifindex, fd, a->mode | XDP_FLAGS_REPLACE, &opts);

	return rc < 0 ? err_set(err, rc, "put the steering program on %s: %s", interface,
				strerror(-rc))
		      : 0;
}

int dpdk_steer_put(const char *dir, const char *interface, const struct lb_tables *tables,
		   struct err *err)
{
	AUTO_CLOSE int old_fd = -1, sockets_fd = -1;
	struct steer_bpf *skel;
	struct attached a;
	int rc = look(interface, &a, err);

	if (rc < 0)
		return rc;
	old_fd = a.id ? bpf_prog_get_fd_by_id(a.id) : -1;
	if (old_fd < 0 || map_of(old_fd, "xsks_map", &sockets_fd) < 0)
		return err_set(err, -ENOENT,
			       "%s has no program with AF_XDP sockets: `exception: kernel` is for "
			       "ports of net_af_xdp on that very interface",
			       interface);
	skel = steer_bpf__open();
	if (!skel)
		return err_set(err, -errno, "open the steering program: %s", strerror(errno));
	rc = load(skel, dir, tables, sockets_fd, err);
	if (rc == 0)
		rc = pin(dir, interface, bpf_program__fd(skel->progs.steer), err);
	if (rc == 0)
		rc = attach(&a, old_fd, bpf_program__fd(skel->progs.steer), interface, err);
	steer_bpf__destroy(skel);
	return rc;
}

int dpdk_steer_restore(const char *dir, const char *interface, struct err *err)
{
	AUTO_CLOSE int fd = -1, old_fd = -1;
	struct attached a;
	char path[512];
	int rc = look(interface, &a, err);

	if (rc < 0)
		return rc;
	if (pin_path(dir, interface, path, sizeof(path)) == 0)
		fd = bpf_obj_get(path);
	old_fd = a.id ? bpf_prog_get_fd_by_id(a.id) : -1;
	/* What isn't the driver's is somebody else's. */
	if (a.id && !has_sockets(old_fd))
		return 0;
	if (fd < 0)
		return a.id ? detach(&a, old_fd, interface, err) : 0;
	if (a.id)
		return attach(&a, old_fd, fd, interface, err);
	rc = bpf_xdp_attach(a.ifindex, fd, XDP_FLAGS_UPDATE_IF_NOEXIST, NULL);
	return rc < 0 ? err_set(err, rc, "put the steering program on %s: %s", interface,
				strerror(-rc))
		      : 0;
}
