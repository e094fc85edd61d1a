/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_VM_INTERNAL_H
#define FAIRWAY_BENCH_VM_INTERNAL_H

#include "tools/bench/vm.h"

#define VM_MAPS_MAX  64
#define VM_DEPTH_MAX 8
#define VM_STACK     512
#define VM_HEADROOM  256 /* as in BPF_PROG_TEST_RUN */
#define VM_HEAD_KEPT 40  /* of it, by struct xdp_frame */
#define VM_FRAME_MAX 3400
#define VM_TAILROOM  64
#define VM_PACKET    (VM_HEADROOM + VM_FRAME_MAX + VM_TAILROOM)
#define VM_REGISTERS 11

/* An array map, mapped. */
struct vm_map {
	int fd;
	uint32_t key_bytes, value_bytes;
	uint32_t stride; /* from one element to the next */
	uint32_t elements;
	uint8_t *memory;
	size_t bytes;
	bool writable;
};

struct vm {
	const struct bpf_insn *insns;
	size_t n;
	struct vm_map maps[VM_MAPS_MAX];
	size_t n_maps;
	uint8_t *packet; /* VM_PACKET bytes below 4 GiB, since a program sees 32-bit pointers */
	uint32_t *trace; /* the caller's, or NULL */
	size_t trace_max, n_traced;
};

/* One run. */
struct vm_state {
	struct vm *vm;
	struct xdp_md ctx;
	uint64_t r[VM_REGISTERS];
	size_t pc;
	int depth;
	uint8_t stack[VM_DEPTH_MAX][VM_STACK] __attribute__((aligned(8)));
	struct vm_outcome outcome;
};

int vm_map_open(struct vm_map *map, int fd, struct err *err) __attribute__((warn_unused_result));
void vm_map_close(struct vm_map *map);
struct vm_map *vm_map_find(struct vm *vm, int fd);

/* May the program touch these bytes? 0 or -EPROTO. */
int vm_check(const struct vm_state *s, uint64_t address, uint64_t bytes, bool write,
	     struct err *err) __attribute__((warn_unused_result));

/* Call a helper: arguments in r1..r5, the result in r0. */
int vm_helper(struct vm_state *s, int32_t helper, struct err *err)
	__attribute__((warn_unused_result));

/* Run a function from `pc` to its exit with r1 and r2 set, and keep the caller's registers. */
int vm_function(struct vm_state *s, size_t pc, struct err *err) __attribute__((warn_unused_result));

#endif
