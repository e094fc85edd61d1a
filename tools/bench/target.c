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

static int open_pin(const char *path, int *ret_fd, struct err *err)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);
	AUTO_CLOSE int fd = bpf_obj_get(path);

	if (fd < 0)
		return err_set(err, -errno,
			       "%s: %s (give a program pinned on a bpffs, or an object file *.o)",
			       path, strerror(errno));
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(err, -errno, "%s: %s", path, strerror(errno));
	if (info.type != BPF_PROG_TYPE_XDP)
		return err_set(err, -EINVAL, "%s: a BPF program of type %u, not XDP", path,
			       info.type);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

static int open_object(const char *path, struct xdp_engine *engine, int *ret_fd, struct err *err)
{
	AUTO_CLOSE int like = -1;
	int ret = engine_program(engine, &like, err);

	return ret < 0 ? ret : bench_object_load(path, like, ret_fd, err);
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
