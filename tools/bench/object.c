/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/object.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "dataplane/xdp/internal.h"

#define MAPS_MAX  64
#define LOG_BYTES (1U << 20)

/* BPF_LOG_STATS of the kernel: a few lines, also of a program that is taken. */
#define LOG_STATISTICS 4

struct bench_object {
	struct bpf_object *obj;
	struct bpf_program *prog;
	char log[LOG_BYTES];
};

/* A program's maps. */
struct maps {
	struct {
		int fd;
		struct bpf_map_info info;
	} map[MAPS_MAX];
	size_t n;
};

static void maps_fini(struct maps *maps)
{
	for (size_t i = 0; i < maps->n; i++)
		cleanup_close(&maps->map[i].fd);
}

static int maps_of(int prog_fd, struct maps *maps, struct err *err)
{
	uint32_t ids[MAPS_MAX];
	struct bpf_prog_info info = {.nr_map_ids = MAPS_MAX, .map_ids = (uintptr_t)ids};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &len))
		return err_set(err, -errno, "ask the kernel about the program: %s",
			       strerror(errno));
	if (info.nr_map_ids > MAPS_MAX)
		return err_set(err, -E2BIG, "a program of %u maps, of which the bench takes %d",
			       info.nr_map_ids, MAPS_MAX);
	for (maps->n = 0; maps->n < info.nr_map_ids; maps->n++) {
		__u32 map_len = sizeof(maps->map[0].info);
		int fd = bpf_map_get_fd_by_id(ids[maps->n]);

		maps->map[maps->n].fd = fd;
		memset(&maps->map[maps->n].info, 0, map_len);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &maps->map[maps->n].info, &map_len)) {
			cleanup_close(&fd);
			return err_set(err, -errno, "open map %u of the program: %s", ids[maps->n],
				       strerror(errno));
		}
	}
	return 0;
}

static bool is_constants(const char *map_name)
{
	size_t n = strlen(map_name);

	return n >= 7 && strcmp(map_name + n - 7, ".rodata") == 0;
}

/* The section of variables in a map's type information, or NULL. */
static const struct btf_type *section_of(const struct btf *btf, uint32_t type)
{
	const struct btf_type *t = btf__type_by_id(btf, type);

	return t && btf_is_datasec(t) ? t : NULL;
}

static const struct btf_var_secinfo *find_variable(const struct btf *btf,
						   const struct btf_type *section, const char *name)
{
	const struct btf_var_secinfo *info = btf_var_secinfos(section);

	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, info[i].type);

		if (strcmp(btf__name_by_offset(btf, var->name_off), name) == 0)
			return &info[i];
	}
	return NULL;
}

/* Give constants of `map` the values that those of the same name have in `values`. */
static int copy_constants(struct bpf_object *obj, struct bpf_map *map, const struct btf *like_btf,
			  const struct bpf_map_info *like, const uint8_t *values, struct err *err)
{
	const struct btf *btf = bpf_object__btf(obj);
	const struct btf_type *from = section_of(like_btf, like->btf_value_type_id);
	const struct btf_type *to = btf ? section_of(btf, bpf_map__btf_value_type_id(map)) : NULL;
	const struct btf_var_secinfo *info;
	size_t bytes;
	uint8_t *image = (uint8_t *)bpf_map__initial_value(map, &bytes);

	if (!from || !to || !image)
		return err_set(err, -ENOENT, "no type information: compile with -g");
	info = btf_var_secinfos(to);
	for (int i = 0; i < btf_vlen(to); i++) {
		const struct btf_type *var = btf__type_by_id(btf, info[i].type);
		const char *name = btf__name_by_offset(btf, var->name_off);
		const struct btf_var_secinfo *twin = find_variable(like_btf, from, name);

		if (twin && twin->size == info[i].size && info[i].offset + info[i].size <= bytes)
			memcpy(image + info[i].offset, values + twin->offset, twin->size);
	}
	return 0;
}

static int set_constants(struct bpf_object *obj, struct bpf_map *map, const struct maps *like,
			 struct err *err)
{
	for (size_t i = 0; i < like->n; i++) {
		const struct bpf_map_info *info = &like->map[i].info;
		AUTO_FREE uint8_t *values = NULL;
		struct btf *btf;
		uint32_t zero = 0;
		int ret;

		if (!is_constants(info->name))
			continue;
		values = calloc(1, info->value_size + 8);
		btf = btf__load_from_kernel_by_id(info->btf_id);
		if (!values || !btf)
			ret = err_set(err, -errno, "type information of this build's program: %s",
				      strerror(errno));
		else if (bpf_map_lookup_elem(like->map[i].fd, &zero, values))
			ret = err_set(err, -errno, "read this build's constants: %s",
				      strerror(errno));
		else
			ret = copy_constants(obj, map, btf, info, values, err);
		btf__free(btf);
		return ret;
	}
	return 0;
}

/* The kernel keeps the first 15 bytes of a name. */
static bool same_name(const char *kernel, const char *full)
{
	return strncmp(kernel, full, BPF_OBJ_NAME_LEN - 1) == 0;
}

static int share_map(struct bpf_map *map, const struct maps *like, struct err *err)
{
	const char *name = bpf_map__name(map);

	for (size_t i = 0; i < like->n; i++) {
		int ret;

		if (!same_name(like->map[i].info.name, name))
			continue;
		ret = bpf_map__reuse_fd(map, like->map[i].fd);
		return ret < 0 ? err_set(err, ret, "map %s: %s", name, strerror(-ret)) : 0;
	}
	return 0;
}

static int share_maps(struct bpf_object *obj, int like_fd, struct err *err)
{
	CLEANUP(maps_fini) struct maps like = {.n = 0};
	struct bpf_map *map;
	int ret = maps_of(like_fd, &like, err);

	bpf_object__for_each_map(map, obj)
	{
		if (ret == 0)
			ret = is_constants(bpf_map__name(map)) ? set_constants(obj, map, &like, err)
							       : share_map(map, &like, err);
	}
	return ret;
}

/* The program to measure; the others are left out. */
static struct bpf_program *choose_program(struct bpf_object *obj)
{
	struct bpf_program *chosen = bpf_object__find_program_by_name(obj, "balancer"), *prog;

	if (!chosen)
		chosen = bpf_object__next_program(obj, NULL);
	bpf_object__for_each_program(prog, obj) bpf_program__set_autoload(prog, prog == chosen);
	return chosen;
}

/* libbpf would print what the caller puts into words. */
static int say_nothing(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	(void)level;
	(void)fmt;
	(void)ap;
	return 0;
}

static int load(struct bench_object *o, const char *path, int like, struct err *err)
{
	libbpf_print_fn_t before;
	int ret;

	o->prog = choose_program(o->obj);
	if (!o->prog)
		return err_set(err, -ENOENT, "%s: no program in it", path);
	ret = share_maps(o->obj, like, err);
	if (ret < 0)
		return err_prefix(err, ret, "%s", path);
	before = libbpf_set_print(say_nothing);
	ret = xdp_direct_load_object(o->obj);
	libbpf_set_print(before);
	if (ret < 0) {
		size_t n = strlen(o->log);

		return err_set(err, ret, "%s: the kernel refuses it: %s; the verifier said: ...%s",
			       path, strerror(-ret), n > 640 ? o->log + n - 640 : o->log);
	}
	return 0;
}

int bench_object_new(const char *path, int like, struct bench_object **ret_object, struct err *err)
{
	struct bench_object *o = calloc(1, sizeof(*o));
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = LOG_BYTES,
		    .kernel_log_level = LOG_STATISTICS);
	int ret;

	if (!o)
		return err_set(err, -ENOMEM, "out of memory");
	opts.kernel_log_buf = o->log;
	/* The engine has done so too; another section's handler would be missing otherwise. */
	ret = xdp_direct_init(err);
	if (ret == 0) {
		o->obj = bpf_object__open_file(path, &opts);
		ret = o->obj ? load(o, path, like, err)
			     : err_set(err, -errno, "%s: %s (compile it as bpf/meson.build does)",
				       path, strerror(errno));
	}
	if (ret < 0) {
		bench_object_free(o);
		return ret;
	}
	*ret_object = o;
	return 0;
}

void bench_object_free(struct bench_object *o)
{
	if (!o)
		return;
	bpf_object__close(o->obj);
	free(o);
}

int bench_object_fd(const struct bench_object *o)
{
	return bpf_program__fd(o->prog);
}

const struct bpf_insn *bench_object_insns(const struct bench_object *o, size_t *ret_n)
{
	*ret_n = bpf_program__insn_cnt(o->prog);
	return bpf_program__insns(o->prog);
}

/* "stack depth 184+0+40": one number a function. */
uint32_t bench_object_stack_bytes(const struct bench_object *o)
{
	static const char words[] = "stack depth ";
	const char *at = strstr(o->log, words);
	uint32_t sum = 0;

	if (!at)
		return 0;
	for (at += sizeof(words) - 1;; at++) {
		char *end;

		sum += (uint32_t)strtoul(at, &end, 10);
		if (*end != '+')
			return sum;
		at = end;
	}
}
