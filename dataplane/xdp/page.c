/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

/* What is there for a foreign reader, an engine in a process of its own: the page, a map of one
 * element that no program uses, and a program array with the balancer, which the program that
 * steers packets between kernel and reader calls where there is no reader. */

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

/* ---- the program for packets that the foreign reader doesn't take ---- */

#define NEXT_NAME "lb_next"

static int open_next(const struct xdp_engine *e, struct err *err)
{
	char path[512];
	int fd = -1;

	if (e->bpffs && xdp_pin_path(e, NEXT_NAME, path, sizeof(path)) == 0)
		fd = bpf_obj_get(path);
	if (fd >= 0 || (e->bpffs && errno != ENOENT))
		return fd >= 0 ? fd : err_set(err, -errno, "open %s: %s", path, strerror(errno));
	fd = bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, NEXT_NAME, 4, 4, 1, NULL);
	if (fd < 0)
		return err_set(err, -errno, "create the map %s: %s", NEXT_NAME, strerror(errno));
	if (e->bpffs && xdp_pin(e, NEXT_NAME, fd, err)) {
		close(fd);
		return -EIO;
	}
	return fd;
}

int xdp_next_update(const struct xdp_engine *e, const struct xdp_set *s, struct err *err)
{
	const uint32_t zero = 0;

	if (e->next_fd < 0 || bpf_map_update_elem(e->next_fd, &zero, &s->prog_fd, BPF_ANY) == 0)
		return 0;
	return err_set(err, -errno, "put the program into %s: %s", NEXT_NAME, strerror(errno));
}

/* ---- both ---- */

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
	if (e->next_fd < 0) {
		int next = open_next(e, err), rc;

		if (next < 0)
			return next;
		e->next_fd = next;
		rc = xdp_next_update(e, &e->set, err);
		if (rc)
			return rc;
	}
	*ret_page = e->page;
	return 0;
}

void xdp_page_drop(struct xdp_engine *e)
{
	if (e->page)
		munmap(e->page, page_bytes());
	e->page = NULL;
	cleanup_close(&e->next_fd);
	e->next_fd = -1;
}

int xdp_engine_page_remove(struct xdp_engine *e, struct err *err)
{
	int rc;

	if (!e->bpffs)
		return 0;
	rc = xdp_unpin(e, LB_PAGE_NAME, err);
	return rc ?: xdp_unpin(e, NEXT_NAME, err);
}
