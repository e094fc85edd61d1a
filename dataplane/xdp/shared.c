/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An interface that is shared with other XDP programs, under libxdp's dispatcher. Each interface
 * has a program of its own there, the same code over the same maps, loaded as a replacement of one
 * of the dispatcher's stubs. What runs there is the truth: a program is ours when it uses one of
 * our maps, or is the one that the pin <bpffs>/shared-IFNAME keeps.
 *
 * libxdp can't exchange one program for another, so that the new one joins before the old one
 * leaves. For that moment both are there: the first one asked forwards or drops what is for a VIP,
 * and what is not passes both, counted twice.
 */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/xdp/dispatcher.h"

static void pin_name(const char *ifname, char name[sizeof(XDP_SHARED_PREFIX) + IF_NAMESIZE])
{
	snprintf(name, sizeof(XDP_SHARED_PREFIX) + IF_NAMESIZE, XDP_SHARED_PREFIX "%s", ifname);
}

static uint32_t program_id(int fd, uint8_t ret_tag[BPF_TAG_SIZE])
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return 0;
	if (ret_tag)
		memcpy(ret_tag, info.tag, BPF_TAG_SIZE);
	return info.id;
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ? 0 : info.id;
}

static uint32_t pinned_id(const struct xdp_engine *e, const char *ifname)
{
	char name[sizeof(XDP_SHARED_PREFIX) + IF_NAMESIZE], path[512];
	AUTO_CLOSE int fd = -1;

	pin_name(ifname, name);
	if (!xdp_pin_path(e, name, path, sizeof(path)))
		fd = bpf_obj_get(path);
	return program_id(fd, NULL);
}

static bool uses(const struct dispatcher_program *p, uint32_t map)
{
	for (uint32_t i = 0; map && i < p->n_maps; i++)
		if (p->map_ids[i] == map)
			return true;
	return false;
}

static bool shares_a_map(const struct dispatcher_program *p, const struct xdp_set *s)
{
	for (int i = 0; i < XDP_MAPS; i++)
		if (uses(p, map_id(s->fd[i])))
			return true;
	return false;
}

/* Our programs under the dispatcher: the one that is as the set's, and those that are to leave. */
struct ours {
	uint32_t current;
	uint32_t others[DISPATCHER_PROGRAMS];
	int n_others;
};

static struct ours find_ours(const struct xdp_engine *e, const struct xdp_set *s,
			     const char *ifname, const struct dispatcher_view *v)
{
	uint32_t pinned = pinned_id(e, ifname), node = map_id(s->fd[XDP_MAP_lb_node]);
	uint8_t tag[BPF_TAG_SIZE] = {0};
	struct ours ours = {0};

	program_id(s->prog_fd, tag);
	for (int i = 0; i < v->n; i++) {
		const struct dispatcher_program *p = &v->programs[i];

		if (!ours.current && uses(p, node) && memcmp(p->tag, tag, sizeof(tag)) == 0)
			ours.current = p->id;
		else if (p->id == pinned || shares_a_map(p, s) || shares_a_map(p, &e->set))
			ours.others[ours.n_others++] = p->id;
	}
	return ours;
}

struct joining {
	unsigned ifindex;
	bool generic;
	uint32_t id;
};

static int join(void *arg, struct bpf_object *obj, struct err *err)
{
	struct joining *j = arg;

	return dispatcher_join(j->ifindex, j->generic, obj, "balancer", &j->id, err);
}

static int pin_program(const struct xdp_engine *e, const char *ifname, uint32_t id, struct err *err)
{
	char name[sizeof(XDP_SHARED_PREFIX) + IF_NAMESIZE];
	AUTO_CLOSE int fd = bpf_prog_get_fd_by_id(id);

	if (fd < 0)
		return err_set(err, -errno, "keep program %u on %s: %s", id, ifname,
			       strerror(errno));
	pin_name(ifname, name);
	return xdp_pin(e, name, fd, err);
}

int xdp_shared_attach(const struct xdp_engine *e, const struct xdp_set *s, const char *ifname,
		      const struct dispatcher_view *v, bool generic, struct err *err)
{
	struct joining j = {.ifindex = if_nametoindex(ifname), .generic = generic};
	struct ours ours = find_ours(e, s, ifname, v);
	int rc = 0;

	if (v->holder == DISPATCHER_LIBXDP && v->generic != generic)
		return err_set(err, -EINVAL,
			       "attach to %s: libxdp runs programs there in %s mode; say so in "
			       "node.xdp_mode, or detach them (xdp-loader unload %s --all)",
			       ifname, v->generic ? "generic" : "native", ifname);
	j.id = ours.current;
	if (!j.id)
		rc = xdp_set_load_by(s, join, &j, err);
	if (!rc)
		rc = dispatcher_leave(j.ifindex, ours.others, ours.n_others, err);
	if (!rc && pinned_id(e, ifname) != j.id)
		rc = pin_program(e, ifname, j.id, err);
	return rc ? err_prefix(err, rc, "attach to %s", ifname) : 0;
}

bool xdp_shared_attached(const struct xdp_engine *e, const char *ifname, int *ret_programs)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct dispatcher_view v;
	struct err ignored;

	/* What has no pin of ours isn't worth asking libxdp for. */
	if (!ifindex || !pinned_id(e, ifname) || dispatcher_look(ifindex, &v, &ignored))
		return false;
	if (ret_programs)
		*ret_programs = v.n;
	return find_ours(e, &e->set, ifname, &v).current != 0;
}

int xdp_shared_update(const struct xdp_engine *e, const struct xdp_set *s, const char *ifname,
		      struct err *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct dispatcher_view v;
	int rc = ifindex ? dispatcher_look(ifindex, &v, err) : 0;

	/* One that is no longer there is swept up by the next attach. */
	if (rc || !ifindex || v.holder != DISPATCHER_LIBXDP)
		return rc;
	return xdp_shared_attach(e, s, ifname, &v, v.generic, err);
}

int xdp_shared_detach(const struct xdp_engine *e, const char *ifname, struct err *err)
{
	char name[sizeof(XDP_SHARED_PREFIX) + IF_NAMESIZE];
	unsigned ifindex = if_nametoindex(ifname);
	struct dispatcher_view v;
	struct ours ours;
	int rc = 0;

	if (!pinned_id(e, ifname))
		return 0;
	if (ifindex)
		rc = dispatcher_look(ifindex, &v, err);
	if (!rc && ifindex && v.holder == DISPATCHER_LIBXDP) {
		ours = find_ours(e, &e->set, ifname, &v);
		if (ours.current)
			ours.others[ours.n_others++] = ours.current;
		rc = dispatcher_leave(ifindex, ours.others, ours.n_others, err);
	}
	if (rc)
		return err_prefix(err, rc, "detach from %s", ifname);
	pin_name(ifname, name);
	return xdp_unpin(e, name, err);
}
