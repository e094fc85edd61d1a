/* SPDX-License-Identifier: BSD-2-Clause */
/* Maps and helpers for vm.c, as the kernel documents them in <linux/bpf.h>. */
#include "tools/bench/vm_internal.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ETHERNET_BYTES 14

static int check_map(const struct bpf_map_info *info, struct err *err)
{
	if (info->type != BPF_MAP_TYPE_ARRAY)
		return err_set(err, -ENOTSUP,
			       "map %s is of type %u, which the counting machine doesn't know: "
			       "teach tools/bench/vm_helpers.c",
			       info->name, info->type);
	if (!(info->map_flags & BPF_F_MMAPABLE))
		return err_set(err, -ENOTSUP,
			       "map %s can't be mapped, so the counting machine can't share it: "
			       "give it BPF_F_MMAPABLE",
			       info->name);
	return 0;
}

int vm_map_open(struct vm_map *map, int fd, struct err *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	int ret, protection;

	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		return err_set(err, -errno, "ask the kernel about a map: %s", strerror(errno));
	ret = check_map(&info, err);
	if (ret < 0)
		return ret;
	*map = (struct vm_map){
		.fd = fd,
		.key_bytes = info.key_size,
		.value_bytes = info.value_size,
		.stride = (info.value_size + 7) / 8 * 8,
		.elements = info.max_entries,
		.writable = !(info.map_flags & BPF_F_RDONLY_PROG),
	};
	map->bytes = ((size_t)map->stride * map->elements + page - 1) / page * page;
	protection = map->writable ? PROT_READ | PROT_WRITE : PROT_READ;
	map->memory = mmap(NULL, map->bytes, protection, MAP_SHARED, fd, 0);
	if (map->memory == MAP_FAILED)
		return err_set(err, -errno, "map %s into memory: %s", info.name, strerror(errno));
	return 0;
}

void vm_map_close(struct vm_map *map)
{
	munmap(map->memory, map->bytes);
}

struct vm_map *vm_map_find(struct vm *vm, int fd)
{
	for (size_t i = 0; i < vm->n_maps; i++)
		if (vm->maps[i].fd == fd)
			return &vm->maps[i];
	return NULL;
}

static int map_lookup(struct vm_state *s, struct err *err)
{
	const struct vm_map *map = NULL;
	uint32_t key;
	int ret;

	for (size_t i = 0; i < s->vm->n_maps; i++)
		if ((uintptr_t)&s->vm->maps[i] == s->r[BPF_REG_1])
			map = &s->vm->maps[i];
	if (!map)
		return err_set(err, -EPROTO, "instruction %zu looks up in what is no map", s->pc);
	ret = vm_check(s, s->r[BPF_REG_2], sizeof(key), false, err);
	if (ret < 0)
		return ret;
	memcpy(&key, (const void *)(uintptr_t)s->r[BPF_REG_2], sizeof(key));
	s->r[BPF_REG_0] =
		key < map->elements ? (uintptr_t)map->memory + (uint64_t)key * map->stride : 0;
	return 0;
}

static uint64_t clock_of(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000U + (uint64_t)ts.tv_nsec;
}

static uint64_t adjust_head(struct vm_state *s, int32_t delta)
{
	int64_t start = (uintptr_t)s->vm->packet, data = (int64_t)s->ctx.data + delta;

	if (data < start + VM_HEAD_KEPT || data > (int64_t)s->ctx.data_end - ETHERNET_BYTES)
		return (uint64_t)-EINVAL;
	s->ctx.data = s->ctx.data_meta = (uint32_t)data;
	return 0;
}

static uint64_t adjust_tail(struct vm_state *s, int32_t delta)
{
	int64_t limit = (int64_t)(uintptr_t)s->vm->packet + VM_PACKET;
	int64_t end = (int64_t)s->ctx.data_end + delta;

	if (end > limit || end < (int64_t)s->ctx.data + ETHERNET_BYTES)
		return (uint64_t)-EINVAL;
	if (delta > 0)
		memset((void *)(uintptr_t)s->ctx.data_end, 0, (size_t)delta);
	s->ctx.data_end = (uint32_t)end;
	return 0;
}

/* xdp_load_bytes and xdp_store_bytes: (ctx, offset, buffer, length). */
static int copy_bytes(struct vm_state *s, bool to_packet, struct err *err)
{
	uint64_t offset = (uint32_t)s->r[BPF_REG_2], bytes = (uint32_t)s->r[BPF_REG_4];
	void *buffer = (void *)(uintptr_t)s->r[BPF_REG_3];
	int ret = vm_check(s, s->r[BPF_REG_3], bytes, !to_packet, err);

	if (ret < 0)
		return ret;
	s->r[BPF_REG_0] = (uint64_t)-EINVAL;
	if (offset + bytes > s->ctx.data_end - s->ctx.data)
		return 0;
	s->r[BPF_REG_0] = 0;
	if (to_packet)
		memcpy((void *)(uintptr_t)(s->ctx.data + offset), buffer, bytes);
	else
		memcpy(buffer, (const void *)(uintptr_t)(s->ctx.data + offset), bytes);
	return 0;
}

/* bpf_loop(turns, callback, context, flags): the callback ends it by returning 1. */
static int loop(struct vm_state *s, struct err *err)
{
	uint64_t turns = (uint32_t)s->r[BPF_REG_1], function = s->r[BPF_REG_2];
	uint64_t context = s->r[BPF_REG_3], i;
	size_t pc = s->pc;

	for (i = 0; i < turns; i++) {
		int ret;

		s->r[BPF_REG_1] = i;
		s->r[BPF_REG_2] = context;
		ret = vm_function(s, function, err);
		s->pc = pc;
		if (ret < 0)
			return ret;
		if (s->r[BPF_REG_0]) {
			i++;
			break;
		}
	}
	s->r[BPF_REG_0] = i;
	return 0;
}

int vm_helper(struct vm_state *s, int32_t helper, struct err *err)
{
	uint64_t *r0 = &s->r[BPF_REG_0];

	if (helper > 0 && helper < VM_HELPERS)
		s->outcome.calls_of[helper]++;
	s->outcome.calls++;
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
		return map_lookup(s, err);
	case BPF_FUNC_ktime_get_ns:
		*r0 = clock_of(CLOCK_MONOTONIC);
		return 0;
	case BPF_FUNC_ktime_get_coarse_ns:
		*r0 = clock_of(CLOCK_MONOTONIC_COARSE);
		return 0;
	case BPF_FUNC_ktime_get_boot_ns:
		*r0 = clock_of(CLOCK_BOOTTIME);
		return 0;
	case BPF_FUNC_get_smp_processor_id:
		*r0 = (uint64_t)sched_getcpu();
		return 0;
	case BPF_FUNC_redirect:
		*r0 = s->r[BPF_REG_2] ? XDP_ABORTED : XDP_REDIRECT;
		return 0;
	case BPF_FUNC_xdp_adjust_head:
		*r0 = adjust_head(s, (int32_t)s->r[BPF_REG_2]);
		return 0;
	case BPF_FUNC_xdp_adjust_tail:
		*r0 = adjust_tail(s, (int32_t)s->r[BPF_REG_2]);
		return 0;
	case BPF_FUNC_xdp_get_buff_len:
		*r0 = s->ctx.data_end - s->ctx.data;
		return 0;
	case BPF_FUNC_xdp_load_bytes:
		return copy_bytes(s, false, err);
	case BPF_FUNC_xdp_store_bytes:
		return copy_bytes(s, true, err);
	case BPF_FUNC_loop:
		return loop(s, err);
	}
	return err_set(err, -ENOTSUP,
		       "instruction %zu calls helper %d of <linux/bpf.h>, which the counting "
		       "machine doesn't know: teach tools/bench/vm_helpers.c",
		       s->pc, helper);
}
