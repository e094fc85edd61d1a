/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#include "bpf/balancer.skel.h"

const char *const xdp_map_names[XDP_MAPS] = {
#define XDP_TABLE_NAME(map, name, field, element, entries) name,
	XDP_TABLES(XDP_TABLE_NAME)
#undef XDP_TABLE_NAME
};

const char *const xdp_pin_names[XDP_MAPS] = {
#define XDP_TABLE_PIN(map, name, field, element, entries) #map,
	XDP_TABLES(XDP_TABLE_PIN)
#undef XDP_TABLE_PIN
};

static const size_t element_bytes[XDP_MAPS] = {
#define XDP_TABLE_SIZE(map, name, field, element, entries) sizeof(element),
	XDP_TABLES(XDP_TABLE_SIZE)
#undef XDP_TABLE_SIZE
};

void xdp_set_init(struct xdp_set *s)
{
	memset(s, 0, sizeof(*s));
	for (int i = 0; i < XDP_MAPS; i++)
		s->fd[i] = -1;
	s->prog_fd = -1;
}

static void **table_pointer(struct lb_tables *t, int map)
{
	switch (map) {
#define XDP_TABLE_POINTER(map, name, field, element, entries)                                      \
	case XDP_MAP_##map:                                                                        \
		return (void **)&t->field;
		XDP_TABLES(XDP_TABLE_POINTER)
#undef XDP_TABLE_POINTER
	}
	return NULL;
}

static void dims_entries(const struct lb_dims *d, uint32_t entries[XDP_MAPS])
{
#define XDP_TABLE_ENTRIES(map, name, field, element, count) entries[XDP_MAP_##map] = count;
	XDP_TABLES(XDP_TABLE_ENTRIES)
#undef XDP_TABLE_ENTRIES
}

void xdp_set_fini(struct xdp_set *s)
{
	for (int i = 0; i < XDP_MAPS; i++) {
		void **p = table_pointer(&s->tables, i);

		if (*p)
			munmap(*p, s->bytes[i]);
		*p = NULL;
		cleanup_close(&s->fd[i]);
		s->fd[i] = -1;
	}
	cleanup_close(&s->prog_fd);
	s->prog_fd = -1;
}

int xdp_set_map(struct xdp_set *s, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint32_t entries[XDP_MAPS];

	dims_entries(&s->tables.dims, entries);
	for (int i = 0; i < XDP_MAPS; i++) {
		size_t bytes = (entries[i] * element_bytes[i] + page - 1) & ~(page - 1);
		void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd[i], 0);

		if (p == MAP_FAILED)
			return err_set(err, -errno, "map %s into memory: %s", xdp_map_names[i],
				       strerror(errno));
		*table_pointer(&s->tables, i) = p;
		s->bytes[i] = bytes;
	}
	return 0;
}

/* libbpf says why the kernel refused a program only through its print callback. */
static _Thread_local char libbpf_words[640];

static int keep_words(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	size_t n = strlen(libbpf_words);

	if (level == LIBBPF_WARN && n + 1 < sizeof(libbpf_words))
		vsnprintf(libbpf_words + n, sizeof(libbpf_words) - n, fmt, ap);
	return 0;
}

static const char *load_hint(int code)
{
	switch (-code) {
	case EPERM:
		return " (run as root, or with CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON)";
	case ENOMEM:
	case E2BIG:
		return " (not enough memory for the tables; fewer or smaller pools need less)";
	case EINVAL:
		return " (this kernel may be too old; Linux 6.1 or later is needed)";
	default:
		return "";
	}
}

/* Opens the skeleton and sets maps and constants for the set. */
static int open_for_set(struct xdp_set *s, struct balancer_bpf **ret_skel, struct err *err)
{
	struct balancer_bpf *skel = balancer_bpf__open();
	uint32_t entries[XDP_MAPS];

	if (!skel)
		return err_set(err, -errno, "open the XDP program: %s", strerror(errno));
	skel->rodata->lb_counter_stride = s->tables.dims.counter_stride;
	dims_entries(&s->tables.dims, entries);
	for (int i = 0; i < XDP_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, xdp_map_names[i]);
		int rc = !map            ? -ENOENT
			 : s->fd[i] >= 0 ? bpf_map__reuse_fd(map, s->fd[i])
					 : bpf_map__set_max_entries(map, entries[i]);

		if (rc) {
			balancer_bpf__destroy(skel);
			return err_set(err, rc, "size map %s: %s", xdp_map_names[i], strerror(-rc));
		}
	}
	bpf_program__set_autoload(skel->progs.traced, false);
	*ret_skel = skel;
	return 0;
}

static int load(struct balancer_bpf *skel, struct err *err)
{
	libbpf_print_fn_t before;
	int rc;

	libbpf_words[0] = '\0';
	before = libbpf_set_print(keep_words);
	rc = balancer_bpf__load(skel);
	libbpf_set_print(before);
	if (rc)
		return err_set(err, rc, "load the XDP program: %s%s: %s", strerror(-rc),
			       load_hint(rc), libbpf_words);
	return 0;
}

static int steal_fds(struct xdp_set *s, struct balancer_bpf *skel, struct err *err)
{
	for (int i = 0; i < XDP_MAPS; i++) {
		int fd;

		if (s->fd[i] >= 0)
			continue;
		fd = bpf_map__fd(bpf_object__find_map_by_name(skel->obj, xdp_map_names[i]));
		s->fd[i] = dup(fd);
		if (s->fd[i] < 0)
			return err_set(err, -errno, "keep map %s: %s", xdp_map_names[i],
				       strerror(errno));
	}
	s->prog_fd = dup(bpf_program__fd(skel->progs.balancer));
	if (s->prog_fd < 0)
		return err_set(err, -errno, "keep the XDP program: %s", strerror(errno));
	return 0;
}

static int program_id(int prog_fd, uint32_t *ret_id, struct err *err)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return err_set(err, -errno, "ask the kernel about the XDP program: %s",
			       strerror(errno));
	*ret_id = info.id;
	return 0;
}

int xdp_set_load(struct xdp_set *s, struct err *err)
{
	struct balancer_bpf *skel = NULL;
	int rc = open_for_set(s, &skel, err);

	if (rc)
		return rc;
	rc = load(skel, err);
	if (!rc)
		rc = steal_fds(s, skel, err);
	if (!rc)
		rc = program_id(s->prog_fd, &s->prog_id, err);
	balancer_bpf__destroy(skel);
	return rc;
}

/* Which of our maps a map of the program is, by name; -1 when it is none of them. */
static int map_index(const char *name)
{
	for (int i = 0; i < XDP_MAPS; i++)
		if (strncmp(name, xdp_map_names[i], BPF_OBJ_NAME_LEN - 1) == 0)
			return i;
	return -1;
}

static int adopt_map(struct xdp_set *s, uint32_t id, uint32_t entries[XDP_MAPS], struct err *err)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	AUTO_CLOSE int fd = bpf_map_get_fd_by_id(id);
	int i;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(err, -errno, "open map %u of the pinned program: %s", id,
			       strerror(errno));
	i = map_index(info.name);
	if (i < 0)
		return 0;
	if (info.value_size != element_bytes[i])
		return err_set(err, -EPROTO,
			       "pinned map %s has elements of %u bytes, this program needs %zu",
			       info.name, info.value_size, element_bytes[i]);
	entries[i] = info.max_entries;
	s->fd[i] = fd;
	fd = -1;
	return 0;
}

/* The stride is a constant of the program and follows from its tables, see engine.c. */
static void dims_from_entries(struct lb_dims *d, const uint32_t entries[XDP_MAPS])
{
	d->vip_entries = entries[XDP_MAP_lb_vips];
	d->services = entries[XDP_MAP_lb_services];
	d->slot_lines = entries[XDP_MAP_lb_slots];
	d->reals = entries[XDP_MAP_lb_reals];
	d->counter_rows = (uint32_t)libbpf_num_possible_cpus() + 1;
	d->counter_stride = entries[XDP_MAP_lb_counters] / d->counter_rows;
}

/* The program doesn't read the previous array as long as it tracks nothing, so the kernel doesn't
 * list it among the program's maps: its pin is what there is. Without one a new one is made. */
static void adopt_previous(struct xdp_set *s, const char *pin)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	AUTO_CLOSE int fd = bpf_obj_get(pin);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    info.max_entries != s->tables.dims.slot_lines ||
	    info.value_size != element_bytes[XDP_MAP_lb_previous])
		return;
	s->fd[XDP_MAP_lb_previous] = fd;
	fd = -1;
}

int xdp_set_adopt(struct xdp_set *s, int prog_fd, const char *previous_pin, struct err *err)
{
	uint32_t ids[32], entries[XDP_MAPS] = {0};
	struct bpf_prog_info info = {.nr_map_ids = 32, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);
	int rc;

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return err_set(err, -errno, "ask the kernel about the pinned program: %s",
			       strerror(errno));
	for (uint32_t i = 0; i < info.nr_map_ids && i < 32; i++) {
		rc = adopt_map(s, ids[i], entries, err);
		if (rc)
			return rc;
	}
	for (int i = 0; i < XDP_MAPS; i++)
		if (s->fd[i] < 0 && i != XDP_MAP_lb_previous)
			return err_set(err, -EPROTO, "the pinned program has no map %s",
				       xdp_map_names[i]);
	dims_from_entries(&s->tables.dims, entries);
	if (s->fd[XDP_MAP_lb_previous] < 0)
		adopt_previous(s, previous_pin);
	s->prog_fd = prog_fd;
	s->prog_id = info.id;
	return 0;
}
