/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/dpdk/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "controlplane/base/cleanup.h"

/* What stands behind a name: how large it is, and which it is, to tell it from another of the same
 * name. */
struct object {
	int fd;
	uint64_t bytes;
	uint64_t id;
};

/* Its errors are -errno without words. */
static int object_open(const char *dir, const char *name, struct object *ret_object)
{
	struct bpf_map_info info = {0};
	struct object o = {.fd = -1};
	__u32 len = sizeof(info);
	struct statfs fs;
	struct stat st;
	char path[512];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
		return -ENAMETOOLONG;
	if (statfs(dir, &fs) < 0)
		return -errno;
	o.fd = fs.f_type == BPF_FS_MAGIC ? bpf_obj_get(path) : open(path, O_RDWR | O_CLOEXEC);
	if (o.fd < 0)
		return -errno;
	if (fs.f_type == BPF_FS_MAGIC) {
		if (bpf_obj_get_info_by_fd(o.fd, &info, &len) < 0)
			goto fail;
		o.bytes = (uint64_t)info.value_size * info.max_entries;
		o.id = info.id;
	} else {
		if (fstat(o.fd, &st) < 0)
			goto fail;
		o.bytes = (uint64_t)st.st_size;
		o.id = st.st_ino;
	}
	*ret_object = o;
	return 0;
fail:
	close(o.fd);
	return -errno;
}

static uint64_t whole_pages(uint64_t bytes)
{
	const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

/* Map an object of at least so many bytes; -EPROTO when it has less. */
static int object_map(const char *dir, const char *name, uint64_t bytes, void **ret_at,
		      uint64_t *ret_id)
{
	struct object o;
	void *at;
	int rc = object_open(dir, name, &o);

	if (rc < 0)
		return rc;
	if (o.bytes < bytes) {
		close(o.fd);
		return -EPROTO;
	}
	at = mmap(NULL, whole_pages(bytes), PROT_READ | PROT_WRITE, MAP_SHARED, o.fd, 0);
	rc = at == MAP_FAILED ? -errno : 0;
	close(o.fd);
	if (rc < 0)
		return rc;
	*ret_at = at;
	if (ret_id)
		*ret_id = o.id;
	return 0;
}

/* ---- the page ---- */

int dpdk_page_open(const char *dir, struct lb_page **ret_page, uint64_t *ret_id, struct err *err)
{
	struct lb_page *page;
	int rc = object_map(dir, LB_PAGE_NAME, sizeof(*page), (void **)&page, ret_id);

	if (rc == -ENOENT)
		return err_set(err, rc,
			       "%s/%s isn't there: fairwayd makes it when it starts with engine "
			       "dpdk; is it running, and told the same directory?",
			       dir, LB_PAGE_NAME);
	if (rc < 0)
		return err_set(err, rc, "open %s/%s: %s%s", dir, LB_PAGE_NAME, strerror(-rc),
			       rc == -EACCES || rc == -EPERM ? ": run as root" : "");
	/* Whoever makes a page writes this last. */
	if (__atomic_load_n(&page->magic, __ATOMIC_ACQUIRE) == 0) {
		dpdk_page_close(page);
		return err_set(err, -ENOENT, "%s/%s is just being made", dir, LB_PAGE_NAME);
	}
	if (page->magic != LB_PAGE_MAGIC || page->version != LB_PAGE_VERSION) {
		dpdk_page_close(page);
		return err_set(err, -EPROTO,
			       "%s/%s is of another version of Fairway: fairwayd and fairway-dpdk "
			       "must be of one release",
			       dir, LB_PAGE_NAME);
	}
	*ret_page = page;
	return 0;
}

void dpdk_page_close(struct lb_page *page)
{
	if (page)
		munmap(page, whole_pages(sizeof(*page)));
}

bool dpdk_page_replaced(const char *dir, uint64_t id)
{
	struct object o;

	if (object_open(dir, LB_PAGE_NAME, &o) < 0)
		return true;
	close(o.fd);
	return o.id != id;
}

/* ---- the tables ---- */

static const char *const names[] = {
#define TABLE_NAME(name, field, bytes) #name,
	LB_TABLES(TABLE_NAME)
#undef TABLE_NAME
};

_Static_assert(ARRAY_SIZE(names) <= ARRAY_SIZE(((struct dpdk_tables *)0)->bytes), "room for all");

static void sizes_of(const struct lb_dims *d, uint64_t bytes[])
{
	const uint64_t all[] = {
#define TABLE_BYTES(name, field, bytes) bytes,
		LB_TABLES(TABLE_BYTES)
#undef TABLE_BYTES
	};

	memcpy(bytes, all, sizeof(all));
}

static void **pointer_of(struct lb_tables *t, size_t i)
{
	void **const all[] = {
#define TABLE_POINTER(name, field, bytes) (void **)&t->field,
		LB_TABLES(TABLE_POINTER)
#undef TABLE_POINTER
	};

	return all[i];
}

void dpdk_tables_close(struct dpdk_tables *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		void *at = *pointer_of(&t->tables, i);

		if (at)
			munmap(at, whole_pages(t->bytes[i]));
	}
	free(t);
}

static int map_all(const char *dir, struct dpdk_tables *t, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int rc = t->bytes[i] ? object_map(dir, names[i], t->bytes[i],
						  pointer_of(&t->tables, i), NULL)
				     : 0;

		/* In the midst of being replaced they don't fit each other. */
		if (rc == -EPROTO || rc == -ENOENT)
			return err_set(err, -EAGAIN, "%s/%s isn't what the page says", dir,
				       names[i]);
		if (rc < 0)
			return err_set(err, rc, "map %s/%s: %s", dir, names[i], strerror(-rc));
	}
	return 0;
}

int dpdk_tables_open(const char *dir, const struct lb_page *page, struct dpdk_tables **ret_tables,
		     struct err *err)
{
	const uint64_t generation = __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE);
	struct dpdk_tables *t = calloc(1, sizeof(*t));
	int rc;

	if (!t)
		return err_set(err, -ENOMEM, "out of memory");
	t->generation = generation;
	t->tables.dims = page->dims;
	sizes_of(&t->tables.dims, t->bytes);
	rc = generation ? map_all(dir, t, err)
			: err_set(err, -EAGAIN, "fairwayd hasn't published tables yet");
	if (rc == 0 && __atomic_load_n(&page->generation, __ATOMIC_ACQUIRE) != generation)
		rc = err_set(err, -EAGAIN, "the tables are just being replaced");
	/* A set that its writer never touched says 0. */
	if (rc == 0 && t->tables.node->layout_version != LB_LAYOUT_VERSION)
		rc = t->tables.node->layout_version
			     ? err_set(err, -EPROTO,
				       "the tables in %s have layout %u, this program knows %u: "
				       "fairwayd and fairway-dpdk must be of one release",
				       dir, t->tables.node->layout_version, LB_LAYOUT_VERSION)
			     : err_set(err, -EAGAIN, "fairwayd hasn't filled its tables yet");
	if (rc < 0) {
		dpdk_tables_close(t);
		return rc;
	}
	*ret_tables = t;
	return 0;
}
