/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#define LINK_PREFIX "link-"

/* A pinned link of ours on an interface, and what it is now. */
static int open_link(const struct xdp_engine *e, const char *ifname, struct bpf_link_info *ret_info)
{
	char name[sizeof(LINK_PREFIX) + IF_NAMESIZE], path[512];
	__u32 len = sizeof(*ret_info);
	int fd;

	snprintf(name, sizeof(name), LINK_PREFIX "%s", ifname);
	if (xdp_pin_path(e, name, path, sizeof(path)))
		return -ENAMETOOLONG;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return -errno;
	memset(ret_info, 0, sizeof(*ret_info));
	if (bpf_obj_get_info_by_fd(fd, ret_info, &len)) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return fd;
}

static int unpin_link(const struct xdp_engine *e, const char *ifname, struct err *err)
{
	char name[sizeof(LINK_PREFIX) + IF_NAMESIZE], path[512];

	snprintf(name, sizeof(name), LINK_PREFIX "%s", ifname);
	if (xdp_pin_path(e, name, path, sizeof(path)))
		return err_set(err, -ENAMETOOLONG, "%s/%s: path too long", e->bpffs, name);
	if (unlink(path) && errno != ENOENT)
		return err_set(err, -errno, "remove %s: %s", path, strerror(errno));
	return 0;
}

static const char *attach_hint(int code, enum xdp_mode mode)
{
	switch (code) {
	case EBUSY:
		return " (another XDP program is attached: see `ip link show`; detach it with "
		       "`ip link set dev DEV xdp off`)";
	case EOPNOTSUPP:
		return mode == XDP_MODE_NATIVE
			       ? " (the driver has no native XDP; set node.xdp_mode: generic)"
			       : "";
	case EINVAL:
		return " (native XDP may need a smaller MTU or LRO and GRO-HW off: see dmesg)";
	case EPERM:
		return " (run as root, or with CAP_NET_ADMIN)";
	default:
		return "";
	}
}

static int attach_new(struct xdp_engine *e, const char *ifname, unsigned ifindex,
		      enum xdp_mode mode, struct err *err)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts,
		    .flags = mode == XDP_MODE_GENERIC ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	char name[sizeof(LINK_PREFIX) + IF_NAMESIZE];
	AUTO_CLOSE int fd = bpf_link_create(e->set.prog_fd, (int)ifindex, BPF_XDP, &opts);

	if (fd < 0)
		return err_set(err, -errno, "attach to %s in %s mode: %s%s", ifname,
			       mode == XDP_MODE_GENERIC ? "generic" : "native", strerror(errno),
			       attach_hint(errno, mode));
	snprintf(name, sizeof(name), LINK_PREFIX "%s", ifname);
	return xdp_pin(e, name, fd, err);
}

/* The mode in which something is attached to the interface. */
static int attached_mode(unsigned ifindex, enum xdp_mode *ret_mode)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);

	if (bpf_xdp_query((int)ifindex, 0, &query))
		return -errno;
	*ret_mode = query.attach_mode == XDP_ATTACHED_SKB ? XDP_MODE_GENERIC : XDP_MODE_NATIVE;
	return 0;
}

int xdp_engine_attach(struct xdp_engine *e, const char *ifname, enum xdp_mode mode, struct err *err)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct bpf_link_info info;
	AUTO_CLOSE int link = -1;
	enum xdp_mode now = mode;
	int rc;

	if (!ifindex)
		return err_set(err, -ENODEV, "no interface %s (see `ip link show`)", ifname);
	if (!e->bpffs)
		return err_set(err, -EINVAL, "attaching needs a bpffs to pin to");
	link = open_link(e, ifname, &info);
	if (link < 0)
		return attach_new(e, ifname, ifindex, mode, err);
	/* The link of a device that is gone, or of another mode, can't be updated. */
	if (info.xdp.ifindex != ifindex || attached_mode(ifindex, &now) || now != mode) {
		rc = unpin_link(e, ifname, err);
		close(link);
		link = -1;
		return rc ? rc : attach_new(e, ifname, ifindex, mode, err);
	}
	if (info.prog_id != e->set.prog_id && bpf_link_update(link, e->set.prog_fd, NULL))
		return err_set(err, -errno, "replace the program on %s: %s", ifname,
			       strerror(errno));
	return 0;
}

bool xdp_engine_attached(const struct xdp_engine *e, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct bpf_link_info info;
	AUTO_CLOSE int link = e->bpffs && ifindex ? open_link(e, ifname, &info) : -1;

	return link >= 0 && info.xdp.ifindex == ifindex && info.prog_id == e->set.prog_id;
}

int xdp_engine_detach(struct xdp_engine *e, const char *ifname, struct err *err)
{
	struct bpf_link_info info;
	AUTO_CLOSE int link = open_link(e, ifname, &info);

	if (link >= 0 && bpf_link_detach(link) && errno != ENOLINK)
		return err_set(err, -errno, "detach from %s: %s", ifname, strerror(errno));
	return unpin_link(e, ifname, err);
}

int xdp_engine_links(const struct xdp_engine *e, char names[][16], int max)
{
	struct dirent *entry;
	DIR *dir;
	int n = 0;

	if (!e->bpffs)
		return 0;
	dir = opendir(e->bpffs);
	if (!dir)
		return -errno;
	while (n < max && (entry = readdir(dir))) {
		const char *ifname = entry->d_name + strlen(LINK_PREFIX);

		if (strncmp(entry->d_name, LINK_PREFIX, strlen(LINK_PREFIX)) != 0 ||
		    strlen(ifname) >= IF_NAMESIZE)
			continue;
		memcpy(names[n++], ifname, strlen(ifname) + 1);
	}
	closedir(dir);
	return n;
}

int xdp_links_update(const struct xdp_engine *e, int prog_fd, struct err *err)
{
	char names[LB_IFACES_MAX][16];
	int n = xdp_engine_links(e, names, LB_IFACES_MAX);

	if (n < 0)
		return err_set(err, n, "read %s: %s", e->bpffs, strerror(-n));
	for (int i = 0; i < n; i++) {
		struct bpf_link_info info;
		AUTO_CLOSE int link = open_link(e, names[i], &info);

		/* A link without a device is swept up by the next attach. */
		if (link < 0 || !info.xdp.ifindex)
			continue;
		if (bpf_link_update(link, prog_fd, NULL))
			return err_set(err, -errno, "replace the program on %s: %s", names[i],
				       strerror(errno));
	}
	return 0;
}
