/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/bench/object.h"

void bench_program_fini(struct bench_program *p)
{
	free(p->name);
	*p = (struct bench_program){.name = NULL};
}

int bench_program_init(struct bench_program *p, const char *text, struct err *err)
{
	const char *equals = text ? strchr(text, '=') : NULL;

	if (!text)
		*p = (struct bench_program){.name = strdup("this build")};
	else if (equals)
		*p = (struct bench_program){strndup(text, (size_t)(equals - text)), equals + 1};
	else
		*p = (struct bench_program){strdup(text), text};
	return p->name ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int engine_program(struct xdp_engine *engine, int *ret_fd, struct err *err)
{
	int fd = bpf_prog_get_fd_by_id(xdp_engine_program_id(engine));

	if (fd < 0)
		return err_set(err, -errno, "find the engine's program: %s", strerror(errno));
	*ret_fd = fd;
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

/* The path with the number of the loading in place of '%'. */
static int path_of(const struct bench_program *p, size_t loading, char *path, size_t size,
		   struct err *err)
{
	const char *percent = strchr(p->path, '%');
	int n = percent ? snprintf(path, size, "%.*s%zu%s", (int)(percent - p->path), p->path,
				   loading, percent + 1)
			: snprintf(path, size, "%s", p->path);

	if (n < 0 || (size_t)n >= size)
		return err_set(err, -ENAMETOOLONG, "%s: the path is too long", p->path);
	return 0;
}

int bench_program_load(const struct bench_program *p, size_t loading, struct xdp_engine *engine,
		       int *ret_fd, struct err *err)
{
	char path[512];
	int ret;

	if (!p->path)
		return engine_program(engine, ret_fd, err);
	ret = path_of(p, loading, path, sizeof(path), err);
	if (ret < 0)
		return ret;
	return ends_in(path, ".o") ? open_object(path, engine, ret_fd, err)
				   : open_pin(path, ret_fd, err);
}
