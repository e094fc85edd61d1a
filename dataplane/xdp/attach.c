/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/xdp/dispatcher.h"

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
	char name[sizeof(LINK_PREFIX) + IF_NAMESIZE];

	snprintf(name, sizeof(name), LINK_PREFIX "%s", ifname);
	return xdp_unpin(e, name, err);
}

static const char *attach_hint(int code, enum xdp_mode mode)
{
	switch (code) {
	case EBUSY:
		return " (another XDP program is attached, and not by libxdp, which could run both: "
		       "see `ip link show`; detach it with `ip link set dev DEV xdp off`, or load "
		       "it with xdp-loader)";
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

/* Where we have no link: by one of our own, or as one of libxdp's programs if those are there. */
static int attach_first(struct xdp_engine *e, const char *ifname, unsigned ifindex,
			enum xdp_mode mode, struct err *err)
{
	struct dispatcher_view v;
	int rc = dispatcher_look(ifindex, &v, err);

	if (rc)
		return err_prefix(err, rc, "attach to %s", ifname);
	if (v.holder == DISPATCHER_LIBXDP)
		return xdp_shared_attach(e, &e->set, ifname, &v, mode == XDP_MODE_GENERIC, err);
	return attach_new(e, ifname, ifindex, mode, err);
}

/* The largest IP packet whose frame fits into one page with the kernel's own needs (veth: 3506); a
 * little less, for drivers that need more. */
#define LINEAR_MTU 3400

static int mtu_of(const char *ifname)
{
	AUTO_CLOSE int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", ifname);
	return fd < 0 || ioctl(fd, SIOCGIFMTU, &request) ? -errno : request.ifr_mtu;
}

/* Interfaces of jumbo frames take only a program that says it knows frames of several buffers. Put
 * such a one in place of the one in force, everywhere. */
static int fit_mtu(struct xdp_engine *e, const char *ifname, struct err *err)
{
	AUTO_CLOSE int before = -1;
	int mtu = mtu_of(ifname), rc;

	if (mtu < 0)
		return err_set(err, mtu, "ask for the MTU of %s: %s", ifname, strerror(-mtu));
	if (mtu <= LINEAR_MTU || e->set.multi_buffer)
		return 0;
	before = e->set.prog_fd;
	e->set.prog_fd = -1;
	e->set.multi_buffer = true;
	rc = xdp_set_load(&e->set, err);
	if (rc) {
		e->set.multi_buffer = false;
		e->set.prog_fd = before;
		before = -1;
		return rc;
	}
	rc = xdp_links_update(e, &e->set, err);
	return rc ? rc : xdp_pin_set(e, &e->set, err);
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
	rc = fit_mtu(e, ifname, err);
	if (rc)
		return rc;
	link = open_link(e, ifname, &info);
	if (link < 0)
		return attach_first(e, ifname, ifindex, mode, err);
	/* The link of a device that is gone, or of another mode, can't be updated. */
	if (info.xdp.ifindex != ifindex || attached_mode(ifindex, &now) || now != mode) {
		rc = unpin_link(e, ifname, err);
		close(link);
		link = -1;
		return rc ? rc : attach_first(e, ifname, ifindex, mode, err);
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

	if (link >= 0 && info.xdp.ifindex == ifindex)
		return info.prog_id == e->set.prog_id;
	return e->bpffs && xdp_shared_attached(e, ifname, NULL);
}

int xdp_engine_shared(const struct xdp_engine *e, const char *ifname)
{
	int programs = 0;

	return e->bpffs && xdp_shared_attached(e, ifname, &programs) ? programs : 0;
}

bool xdp_engine_steered(const struct xdp_engine *e, const char *ifname)
{
	unsigned ifindex = if_nametoindex(ifname);
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info), id = 0;
	AUTO_CLOSE int fd = -1;
	char path[512], name[32];

	snprintf(name, sizeof(name), "steer-%s", ifname);
	if (!e->bpffs || !ifindex || xdp_pin_path(e, name, path, sizeof(path)))
		return false;
	fd = bpf_obj_get(path);
	return fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
	       !bpf_xdp_query_id((int)ifindex, 0, &id) && id == info.id;
}

int xdp_engine_detach(struct xdp_engine *e, const char *ifname, struct err *err)
{
	struct bpf_link_info info;
	AUTO_CLOSE int link = open_link(e, ifname, &info);

	if (link >= 0 && bpf_link_detach(link) && errno != ENOLINK)
		return err_set(err, -errno, "detach from %s: %s", ifname, strerror(errno));
	return unpin_link(e, ifname, err) ?: xdp_shared_detach(e, ifname, err);
}

/* The name of the interface that a pin is for, or NULL. */
static const char *pin_interface(const char *pin, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(pin, prefix, n) == 0 && strlen(pin + n) < IF_NAMESIZE ? pin + n : NULL;
}

/* Names of the interfaces that have a pin of that kind, after the n that are known. */
static int list_pins(const struct xdp_engine *e, const char *prefix, char names[][16], int n,
		     int max)
{
	struct dirent *entry;
	DIR *dir = opendir(e->bpffs);

	if (!dir)
		return -errno;
	while (n < max && (entry = readdir(dir))) {
		const char *ifname = pin_interface(entry->d_name, prefix);

		if (ifname)
			memcpy(names[n++], ifname, strlen(ifname) + 1);
	}
	closedir(dir);
	return n;
}

int xdp_engine_links(const struct xdp_engine *e, char names[][16], int max)
{
	int n = e->bpffs ? list_pins(e, LINK_PREFIX, names, 0, max) : 0;

	return n < 0 || !e->bpffs ? n : list_pins(e, XDP_SHARED_PREFIX, names, n, max);
}

static int update_link(const struct xdp_engine *e, const char *ifname, int prog_fd, struct err *err)
{
	struct bpf_link_info info;
	AUTO_CLOSE int link = open_link(e, ifname, &info);

	/* A link without a device is swept up by the next attach. */
	if (link >= 0 && info.xdp.ifindex && bpf_link_update(link, prog_fd, NULL))
		return err_set(err, -errno, "replace the program on %s: %s", ifname,
			       strerror(errno));
	return 0;
}

int xdp_links_update(const struct xdp_engine *e, const struct xdp_set *s, struct err *err)
{
	char names[2 * LB_IFACES_MAX][16];
	int links = list_pins(e, LINK_PREFIX, names, 0, LB_IFACES_MAX);
	int n = links < 0 ? links
			  : list_pins(e, XDP_SHARED_PREFIX, names, links, 2 * LB_IFACES_MAX);
	int rc = 0;

	if (n < 0)
		return err_set(err, n, "read %s: %s", e->bpffs, strerror(-n));
	for (int i = 0; i < n && !rc; i++)
		rc = i < links ? update_link(e, names[i], s->prog_fd, err)
			       : xdp_shared_update(e, s, names[i], err);
	return rc;
}
