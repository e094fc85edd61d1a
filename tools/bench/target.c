/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/bench/object.h"

void bench_target_fini(struct bench_target *target)
{
	free(target->name);
	cleanup_close(&target->prog_fd);
	*target = (struct bench_target){.prog_fd = -1};
}

static int engine_program(struct xdp_engine *engine, int *ret_fd, struct err *err)
{
	int fd = bpf_prog_get_fd_by_id(xdp_engine_program_id(engine));

	if (fd < 0)
		return err_set(err, -errno, "find the engine's program: %s", strerror(errno));
	*ret_fd = fd;
	return 0;
}

int bench_target_engine(struct bench_target *target, struct xdp_engine *engine, struct err *err)
{
	struct bench_target t = {.name = strdup("this build"), .prog_fd = -1};
	int ret = t.name ? engine_program(engine, &t.prog_fd, err)
			 : err_set(err, -ENOMEM, "out of memory");

	if (ret < 0) {
		bench_target_fini(&t);
		return ret;
	}
	*target = t;
	return 0;
}

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

/* What is pinned can be a map as well, and the kernel's answer about one would be misread. */
static bool is_program(int fd)
{
	char link[64], to[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = '\0';
	return strstr(to, "bpf-prog") != NULL;
}

static int open_pin(const char *path, int *ret_fd, struct err *err)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	AUTO_CLOSE int fd = bpf_obj_get(path);

	if (fd < 0)
		return err_set(err, -errno,
			       "%s: %s (give a program pinned on a bpffs, or an object file *.o)",
			       path, strerror(errno));
	if (!is_program(fd) || bpf_obj_get_info_by_fd(fd, &info, &len) ||
	    info.type != BPF_PROG_TYPE_XDP)
		return err_set(err, -EINVAL, "%s is pinned, but is no XDP program", path);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int open_object(const char *path, struct xdp_engine *engine, int *ret_fd, struct err *err)
{
	AUTO_CLOSE int like = -1;
	struct bench_object *object;
	int ret = engine_program(engine, &like, err);

	if (ret == 0)
		ret = bench_object_new(path, like, &object, err);
	if (ret < 0)
		return ret;
	*ret_fd = dup(bench_object_fd(object));
	if (*ret_fd < 0)
		ret = err_set(err, -errno, "%s: keep the program: %s", path, strerror(errno));
	bench_object_free(object);
	return ret;
}

int bench_target_open(struct bench_target *target, const char *path, struct xdp_engine *engine,
		      struct err *err)
{
	const char *equals = strchr(path, '=');
	struct bench_target t = {
		.name = equals ? strndup(path, (size_t)(equals - path)) : strdup(path),
		.prog_fd = -1,
	};
	int ret = 0;

	if (equals)
		path = equals + 1;
	if (!t.name)
		ret = err_set(err, -ENOMEM, "out of memory");
	else if (ends_in(path, ".o"))
		ret = open_object(path, engine, &t.prog_fd, err);
	else
		ret = open_pin(path, &t.prog_fd, err);
	if (ret < 0) {
		bench_target_fini(&t);
		return ret;
	}
	*target = t;
	return 0;
}
