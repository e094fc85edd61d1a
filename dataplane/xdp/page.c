/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

/* The page that writer and foreign reader share, a map of one element that no program uses. */

static size_t page_bytes(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (sizeof(struct lb_page) + page - 1) / page * page;
}

static int make_page(const struct xdp_engine *e, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	AUTO_CLOSE int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, LB_PAGE_NAME, 4,
					   sizeof(struct lb_page), 1, &opts);
	int rc, made;

	if (fd < 0)
		return err_set(err, -errno, "create the map %s: %s", LB_PAGE_NAME, strerror(errno));
	rc = e->bpffs ? xdp_pin(e, LB_PAGE_NAME, fd, err) : 0;
	if (rc)
		return rc;
	made = fd;
	fd = -1;
	return made;
}

/* The pinned map, a new one when there is none, or -errno. */
static int open_page(const struct xdp_engine *e, struct err *err)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	char path[512];
	AUTO_CLOSE int fd = -1;
	int opened;

	if (!e->bpffs)
		return make_page(e, err);
	if (xdp_pin_path(e, LB_PAGE_NAME, path, sizeof(path)))
		return err_set(err, -ENAMETOOLONG, "%s: path too long", e->bpffs);
	fd = bpf_obj_get(path);
	if (fd < 0 && errno == ENOENT)
		return make_page(e, err);
	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(err, -errno, "open the pinned map %s: %s", path, strerror(errno));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != sizeof(struct lb_page))
		return err_set(err, -EPROTO,
			       "%s is no page of this version: end fairway-dpdk, remove it and "
			       "start again",
			       path);
	opened = fd;
	fd = -1;
	return opened;
}

int xdp_engine_page(struct xdp_engine *e, struct lb_page **ret_page, struct err *err)
{
	AUTO_CLOSE int fd = -1;
	void *p;

	if (!e->page) {
		fd = open_page(e, err);
		if (fd < 0)
			return fd;
		p = mmap(NULL, page_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (p == MAP_FAILED)
			return err_set(err, -errno, "map %s into memory: %s", LB_PAGE_NAME,
				       strerror(errno));
		e->page = p;
	}
	*ret_page = e->page;
	return 0;
}

void xdp_page_drop(struct xdp_engine *e)
{
	if (e->page)
		munmap(e->page, page_bytes());
	e->page = NULL;
}
