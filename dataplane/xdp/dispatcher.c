/* SPDX-License-Identifier: BSD-2-Clause */
#include "dataplane/xdp/dispatcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <xdp/libxdp.h>

#include "controlplane/base/cleanup.h"

#include "bpf/dispatcher.skel.h"

#define OBJECT_NAME "xdp-dispatcher.o"
#define OBJECT_ENV  "LIBXDP_OBJECT_PATH"

/* The last trouble that libxdp or libbpf told of, which says more than their error codes. */
static _Thread_local char said[256];

static void remember(const char *fmt, va_list ap)
{
	size_t n;

	vsnprintf(said, sizeof(said), fmt, ap);
	n = strlen(said);
	if (n && said[n - 1] == '\n')
		said[n - 1] = '\0';
}

static int hear_libxdp(enum libxdp_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBXDP_WARN)
		remember(fmt, ap);
	return 0;
}

static int hear_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_WARN)
		remember(fmt, ap);
	return 0;
}

/* While libxdp is asked: its words are kept, and it finds our dispatcher, in a directory that is
 * there for that moment only. An operator's own choice of a dispatcher is respected. */
struct asking {
	libbpf_print_fn_t libbpf_print;
	libxdp_print_fn_t libxdp_print;
	char dir[32], path[64];
};

static int write_object(struct asking *a)
{
	size_t size;
	const void *bytes = dispatcher_bpf__elf_bytes(&size);
	AUTO_CLOSE int fd = -1;

	strcpy(a->dir, "/tmp/fairway-XXXXXX");
	if (!mkdtemp(a->dir)) {
		a->dir[0] = '\0';
		return -errno;
	}
	snprintf(a->path, sizeof(a->path), "%s/" OBJECT_NAME, a->dir);
	fd = open(a->path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return write(fd, bytes, size) == (ssize_t)size ? 0 : -EIO;
}

static void asking_fini(struct asking *a)
{
	libbpf_set_print(a->libbpf_print);
	libxdp_set_print(a->libxdp_print);
	if (!a->dir[0])
		return;
	unsetenv(OBJECT_ENV);
	unlink(a->path);
	rmdir(a->dir);
}

static int asking_init(struct asking *a, struct err *err)
{
	int rc = 0;

	*a = (struct asking){.libbpf_print = libbpf_set_print(hear_libbpf),
			     .libxdp_print = libxdp_set_print(hear_libxdp)};
	said[0] = '\0';
	if (getenv(OBJECT_ENV))
		return 0;
	rc = write_object(a);
	if (!rc && setenv(OBJECT_ENV, a->dir, 1))
		rc = -errno;
	if (rc) {
		rc = err_set(err, rc, "write libxdp's dispatcher to %s: %s",
			     a->dir[0] ? a->path : "/tmp", strerror(-rc));
		asking_fini(a);
	}
	return rc;
}

static int fill_program(const struct xdp_program *p, struct dispatcher_program *to)
{
	struct bpf_prog_info info = {.nr_map_ids = DISPATCHER_MAPS,
				     .map_ids = (uintptr_t)to->map_ids};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(xdp_program__fd(p), &info, &len))
		return -errno;
	to->id = info.id;
	memcpy(to->tag, info.tag, sizeof(to->tag));
	to->n_maps = info.nr_map_ids < DISPATCHER_MAPS ? info.nr_map_ids : DISPATCHER_MAPS;
	return 0;
}

static int fill_view(const struct xdp_multiprog *mp, struct dispatcher_view *v)
{
	const struct xdp_program *p = NULL;

	v->generic = xdp_multiprog__attach_mode(mp) == XDP_MODE_SKB;
	v->holder = xdp_multiprog__is_legacy(mp) ? DISPATCHER_ANOTHER : DISPATCHER_LIBXDP;
	if (v->holder == DISPATCHER_ANOTHER)
		return 0;
	while (v->n < DISPATCHER_PROGRAMS && (p = xdp_multiprog__next_prog(p, mp))) {
		int rc = fill_program(p, &v->programs[v->n++]);

		if (rc)
			return rc;
	}
	return 0;
}

/* The caller has set up the asking. */
static int look(unsigned ifindex, struct dispatcher_view *v)
{
	struct xdp_multiprog *mp;
	int rc;

	memset(v, 0, sizeof(*v));
	mp = xdp_multiprog__get_from_ifindex((int)ifindex);
	rc = (int)libxdp_get_error(mp);
	if (rc)
		return rc == -ENOENT ? 0 : rc;
	rc = fill_view(mp, v);
	xdp_multiprog__close(mp);
	return rc;
}

int dispatcher_look(unsigned ifindex, struct dispatcher_view *ret_view, struct err *err)
{
	struct dispatcher_view *v = ret_view;
	uint32_t id = 0;
	struct asking a;
	int rc;

	/* The common case needs no libxdp. */
	memset(v, 0, sizeof(*v));
	if (!bpf_xdp_query_id((int)ifindex, 0, &id) && !id)
		return 0;
	rc = asking_init(&a, err);
	if (rc)
		return rc;
	rc = look(ifindex, v);
	asking_fini(&a);
	if (rc)
		return err_set(err, rc, "ask libxdp what runs there: %s%s%s", strerror(-rc),
			       *said ? "; it said: " : "", said);
	return 0;
}

static bool contains(const struct dispatcher_view *v, uint32_t id)
{
	for (int i = 0; i < v->n; i++)
		if (v->programs[i].id == id)
			return true;
	return false;
}

/* Without freplace libxdp attaches the program by itself: that isn't what was asked for. */
static int refuse_alone(struct xdp_program *p, unsigned ifindex, struct err *err)
{
	int rc = xdp_program__detach(p, (int)ifindex, XDP_MODE_UNSPEC, 0);

	return err_set(err, rc ? rc : -EOPNOTSUPP,
		       "libxdp can't run several programs on one interface here%s: it needs a "
		       "bpffs on /sys/fs/bpf and a kernel that permits freplace",
		       rc ? ", and the program that it attached alone can't be detached" : "");
}

static int attach(unsigned ifindex, bool generic, struct xdp_program *p, uint32_t *ret_id,
		  struct err *err)
{
	struct dispatcher_view v;
	int rc = xdp_program__attach(p, (int)ifindex, generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);

	if (rc)
		return err_set(err, rc, "join the programs there by libxdp: %s%s%s", strerror(-rc),
			       *said ? "; it said: " : "", said);
	rc = look(ifindex, &v);
	if (rc)
		return err_set(err, rc, "ask libxdp what runs there: %s", strerror(-rc));
	if (v.holder != DISPATCHER_LIBXDP || !contains(&v, xdp_program__id(p)))
		return refuse_alone(p, ifindex, err);
	*ret_id = xdp_program__id(p);
	return 0;
}

int dispatcher_join(unsigned ifindex, bool generic, struct bpf_object *obj, const char *program,
		    uint32_t *ret_id, struct err *err)
{
	DECLARE_LIBXDP_OPTS(xdp_program_opts, opts, .obj = obj, .prog_name = program);
	struct xdp_program *p;
	struct asking a;
	int rc = asking_init(&a, err);

	if (rc)
		return rc;
	p = xdp_program__create(&opts);
	rc = (int)libxdp_get_error(p);
	if (rc) {
		rc = err_set(err, rc, "hand the XDP program to libxdp: %s", strerror(-rc));
	} else {
		rc = attach(ifindex, generic, p, ret_id, err);
		xdp_program__close(p);
	}
	asking_fini(&a);
	return rc;
}

static int leave(unsigned ifindex, const uint32_t *ids, int n, struct xdp_program *p[])
{
	for (int i = 0; i < n; i++) {
		int rc;

		p[i] = xdp_program__from_id(ids[i]);
		rc = (int)libxdp_get_error(p[i]);
		if (rc) {
			p[i] = NULL;
			return rc;
		}
	}
	return xdp_program__detach_multi(p, (size_t)n, (int)ifindex, XDP_MODE_UNSPEC, 0);
}

int dispatcher_leave(unsigned ifindex, const uint32_t *ids, int n, struct err *err)
{
	struct xdp_program *p[DISPATCHER_PROGRAMS] = {NULL};
	struct asking a;
	int rc;

	if (n <= 0)
		return 0;
	rc = asking_init(&a, err);
	if (rc)
		return rc;
	rc = n > DISPATCHER_PROGRAMS ? -E2BIG : leave(ifindex, ids, n, p);
	for (int i = 0; i < DISPATCHER_PROGRAMS; i++)
		xdp_program__close(p[i]);
	asking_fini(&a);
	if (rc)
		return err_set(err, rc, "leave the programs there by libxdp: %s%s%s", strerror(-rc),
			       *said ? "; it said: " : "", said);
	return 0;
}
