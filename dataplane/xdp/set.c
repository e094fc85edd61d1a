/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"

#include "bpf/balancer.h"
/* Needs the above. */
#include "bpf/balancer.skel.h"

/* Room for the verifier's log of a refused program. */
#define LOG_BYTES (1U << 20)

const char *const xdp_pin_names[XDP_MAPS] = {
#define XDP_TABLE_PIN(name, field, bytes) [XDP_MAP_##name] = #name,
	LB_TABLES(XDP_TABLE_PIN)
#undef XDP_TABLE_PIN
};

const char *const xdp_map_names[XDP_MAPS] = {
#define XDP_TABLE_NAME(name, field, bytes)                                                         \
	[XDP_MAP_##name] = XDP_MAP_##name == XDP_MAP_lb_node ? ".data.node" : #name,
	LB_TABLES(XDP_TABLE_NAME)
#undef XDP_TABLE_NAME
};

/* The size of a map's elements and how many it has. */
struct xdp_shape {
	uint32_t bytes;
	uint32_t elements;
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
#define XDP_TABLE_POINTER(name, field, bytes)                                                      \
	case XDP_MAP_##name:                                                                       \
		return (void **)&t->field;
		LB_TABLES(XDP_TABLE_POINTER)
#undef XDP_TABLE_POINTER
	}
	return NULL;
}

/* Linux before 6.4 takes elements of 4 MiB at most (KMALLOC_MAX_SIZE), later ones of what a 32-bit
 * offset into an element's address allows; which it is, is found out by trying. */
static size_t element_max(void)
{
	static const size_t small = 4U << 20, large = 1U << 28;
	static size_t max;
	int fd;

	if (max)
		return max;
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "lb_try", 4, (uint32_t)(2 * small), 1, NULL);
	max = fd >= 0 ? large : small;
	cleanup_close(&fd);
	return max;
}

/* A table of so many bytes as parts of part bytes each. */
static struct xdp_shape in_parts(size_t bytes, size_t part)
{
	/* Adoption asks this of maps that may be missing. */
	return (struct xdp_shape){.bytes = (uint32_t)part,
				  .elements = part ? (uint32_t)(bytes / part) : 1};
}

static struct xdp_shape shape_of(int map, size_t bytes, const struct lb_dims *d)
{
	const size_t row = d->counter_stride * sizeof(struct lb_counter);

	switch (map) {
	case XDP_MAP_lb_previous:
		return in_parts(bytes, sizeof(struct lb_slot_line));
	case XDP_MAP_lb_flows:
	case XDP_MAP_lb_fragments:
		return in_parts(bytes, sizeof(struct lb_bucket));
	/* One element where the kernel allows one so large, which the program then reads at a
	 * constant address. */
	case XDP_MAP_lb_slots:
		return in_parts(bytes,
				bytes <= element_max() ? bytes : sizeof(struct lb_slot_line));
	case XDP_MAP_lb_counters:
		return in_parts(bytes, bytes <= element_max() ? bytes : row);
	default:
		return in_parts(bytes, bytes);
	}
}

static void shapes_of(const struct lb_dims *d, struct xdp_shape shapes[XDP_MAPS])
{
#define XDP_TABLE_SHAPE(name, field, size)                                                         \
	shapes[XDP_MAP_##name] = shape_of(XDP_MAP_##name, size, d);
	LB_TABLES(XDP_TABLE_SHAPE)
#undef XDP_TABLE_SHAPE
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
	struct xdp_shape shapes[XDP_MAPS];

	shapes_of(&s->tables.dims, shapes);
	for (int i = 0; i < XDP_MAPS; i++) {
		size_t bytes = (size_t)shapes[i].bytes * shapes[i].elements;
		void *p;

		bytes = (bytes + page - 1) & ~(page - 1);
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd[i], 0);

		if (p == MAP_FAILED)
			return err_set(err, -errno, "map %s into memory: %s", xdp_map_names[i],
				       strerror(errno));
		*table_pointer(&s->tables, i) = p;
		s->bytes[i] = bytes;
	}
	return 0;
}

/* libbpf would print what the caller puts into words. */
static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

/* What matters of a verifier's log is its end, before the statistics. */
static const char *log_end(char *log)
{
	const size_t most = 640;
	char *stats = strstr(log, "\nprocessed ");
	size_t n;

	if (stats)
		*stats = '\0';
	n = strlen(log);
	return n > most ? log + n - most : log;
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

static void set_constants(struct balancer_bpf *skel, const struct lb_dims *d,
			  const struct xdp_shape shapes[XDP_MAPS])
{
	const bool one_of_slots = shapes[XDP_MAP_lb_slots].elements == 1;
	const bool one_of_counters = shapes[XDP_MAP_lb_counters].elements == 1;

	skel->rodata->lb_constants.vips_mask = d->vip_entries - 1;
	skel->rodata->lb_constants.services = d->services;
	skel->rodata->lb_constants.reals = d->reals;
	skel->rodata->lb_constants.denied_mask = d->deny_entries - 1;
	skel->rodata->lb_constants.limits = d->limits;
	skel->rodata->lb_constants.slots = one_of_slots ? d->slot_lines * LB_SLOTS_PER_LINE : 0;
	skel->rodata->lb_constants.counter_rows = one_of_counters ? d->counter_rows : 0;
	skel->rodata->lb_constants.counter_stride = d->counter_stride;
	skel->rodata->lb_constants.counter_row_bytes =
		d->counter_stride * (uint32_t)sizeof(struct lb_counter);
	skel->rodata->lb_constants.counters_first_real = LB_COUNTER_REAL(d, 0);
}

/* Constants and sizes that follow from the dimensions. */
int xdp_object_size(struct balancer_bpf *skel, const struct lb_dims *dims, const int fd[XDP_MAPS],
		    struct err *err)
{
	struct xdp_shape shapes[XDP_MAPS];
	int rc = 0;

	shapes_of(dims, shapes);
	set_constants(skel, dims, shapes);
	for (int i = 0; i < XDP_MAPS && !rc; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(skel->obj, xdp_map_names[i]);

		if (!map)
			return err_set(err, -ENOENT, "the XDP object has no map %s",
				       xdp_map_names[i]);
		if (fd[i] >= 0)
			rc = bpf_map__reuse_fd(map, fd[i]);
		else if (i != XDP_MAP_lb_node)
			rc = bpf_map__set_value_size(map, shapes[i].bytes)
				     ?: bpf_map__set_max_entries(map, shapes[i].elements);
		if (rc)
			return err_set(err, rc, "size map %s: %s", xdp_map_names[i], strerror(-rc));
	}
	return 0;
}

/* Opens the skeleton and sets maps and constants for the set. */
static int open_for_set(const struct xdp_set *s, char *log, struct balancer_bpf **ret_skel,
			struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log,
		    .kernel_log_size = LOG_BYTES);
	struct balancer_bpf *skel = balancer_bpf__open_opts(&opts);
	int rc;

	if (!skel)
		return err_set(err, -errno, "open the XDP program: %s", strerror(errno));
	bpf_program__set_autoload(skel->progs.traced, false);
	rc = xdp_object_size(skel, &s->tables.dims, s->fd, err);
	if (rc)
		balancer_bpf__destroy(skel);
	else
		*ret_skel = skel;
	return rc;
}

static int load(struct balancer_bpf *skel, char *log, struct err *err)
{
	libbpf_print_fn_t before = libbpf_set_print(say_nothing);
	int rc = xdp_direct_load(skel);

	libbpf_set_print(before);
	if (rc)
		return err_set(err, rc, "load the XDP program: %s%s%s%s", strerror(-rc),
			       load_hint(rc), *log ? "; the verifier said: ..." : "", log_end(log));
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

/* Let the program see frames of several buffers. Not by default: a program array takes only
 * programs that are all so or all not, so whoever tail-calls the pinned program would have to know.
 */
static int take_multi_buffer(struct bpf_program *prog, struct err *err)
{
	int rc = bpf_program__set_flags(prog, bpf_program__flags(prog) | BPF_F_XDP_HAS_FRAGS);

	return rc ? err_set(err, rc, "prepare the XDP program for jumbo frames: %s", strerror(-rc))
		  : 0;
}

int xdp_set_load(struct xdp_set *s, struct err *err)
{
	AUTO_FREE char *log = calloc(1, LOG_BYTES);
	struct balancer_bpf *skel = NULL;
	int rc;

	if (!log)
		return err_set(err, -ENOMEM, "out of memory");
	rc = xdp_direct_init(err);
	if (rc)
		return rc;
	rc = open_for_set(s, log, &skel, err);
	if (rc)
		return rc;
	if (s->multi_buffer)
		rc = take_multi_buffer(skel->progs.balancer, err);
	if (!rc)
		rc = load(skel, log, err);
	if (!rc)
		rc = steal_fds(s, skel, err);
	if (!rc)
		rc = program_id(s->prog_fd, &s->prog_id, err);
	balancer_bpf__destroy(skel);
	return rc;
}

int xdp_set_load_by(const struct xdp_set *s,
		    int (*loader)(void *arg, struct bpf_object *obj, struct err *err), void *arg,
		    struct err *err)
{
	AUTO_FREE char *log = calloc(1, LOG_BYTES);
	struct balancer_bpf *skel = NULL;
	int rc;

	if (!log)
		return err_set(err, -ENOMEM, "out of memory");
	rc = xdp_direct_init(err);
	if (!rc)
		rc = open_for_set(s, log, &skel, err);
	if (rc)
		return rc;
	rc = xdp_direct_load_by(skel, loader, arg, err);
	balancer_bpf__destroy(skel);
	if (rc && *log) {
		struct err why = *err;

		return err_set(err, rc, "%s; the verifier said: ...%s", why.text, log_end(log));
	}
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

static int adopt_map(struct xdp_set *s, uint32_t id, struct xdp_shape shapes[XDP_MAPS],
		     struct err *err)
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
	shapes[i] = (struct xdp_shape){.bytes = info.value_size, .elements = info.max_entries};
	s->fd[i] = fd;
	fd = -1;
	return 0;
}

static uint32_t parts_of(const struct xdp_shape *shape, size_t bytes)
{
	return (uint32_t)((size_t)shape->bytes * shape->elements / bytes);
}

static struct lb_dims dims_of(const struct xdp_shape shapes[XDP_MAPS])
{
	const uint32_t rows = xdp_counter_rows();

	return (struct lb_dims){
		.vip_entries = shapes[XDP_MAP_lb_vips].bytes / sizeof(struct lb_vip_entry),
		.services = shapes[XDP_MAP_lb_services].bytes / sizeof(struct lb_service),
		.slot_lines = parts_of(&shapes[XDP_MAP_lb_slots], sizeof(struct lb_slot_line)),
		.reals = shapes[XDP_MAP_lb_reals].bytes / sizeof(struct lb_real),
		.flow_buckets = shapes[XDP_MAP_lb_flows].elements,
		.fragment_buckets = shapes[XDP_MAP_lb_fragments].elements,
		.deny_entries = shapes[XDP_MAP_lb_denied].bytes / sizeof(struct lb_vip_entry),
		.limits = shapes[XDP_MAP_lb_limits].bytes / sizeof(struct lb_limit),
		.counter_rows = rows,
		.counter_stride =
			parts_of(&shapes[XDP_MAP_lb_counters], rows * sizeof(struct lb_counter)),
	};
}

/* Do the maps have just the shapes that these dimensions give? */
static bool shapes_fit(const struct lb_dims *dims, const struct xdp_shape shapes[XDP_MAPS])
{
	struct xdp_shape want[XDP_MAPS];

	shapes_of(dims, want);
	for (int i = 0; i < XDP_MAPS; i++)
		if (shapes[i].bytes != want[i].bytes || shapes[i].elements != want[i].elements)
			return false;
	return true;
}

int xdp_set_adopt(struct xdp_set *s, int prog_fd, struct err *err)
{
	struct xdp_shape shapes[XDP_MAPS] = {0};
	uint32_t ids[32];
	struct bpf_prog_info info = {.nr_map_ids = 32, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);
	int rc;

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return err_set(err, -errno, "ask the kernel about the pinned program: %s",
			       strerror(errno));
	for (uint32_t i = 0; i < info.nr_map_ids && i < 32; i++) {
		rc = adopt_map(s, ids[i], shapes, err);
		if (rc)
			return rc;
	}
	s->tables.dims = dims_of(shapes);
	if (!shapes_fit(&s->tables.dims, shapes))
		return err_set(err, -EPROTO,
			       "the maps of the pinned program are not laid out as this program "
			       "needs them");
	s->prog_fd = prog_fd;
	s->prog_id = info.id;
	return 0;
}
