/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BENCH_VM_H
#define FAIRWAY_BENCH_VM_H

/*
 * Runs an XDP program in user space, instruction by instruction as it is given to the kernel
 * (RFC 9669, instruction set version 3), over the very maps of the loaded program, and counts. How
 * many instructions a packet takes is the same on every machine, idle or not, which makes it the
 * figure that a test can hold. It knows the helpers and kinds of maps that the balancer uses, and
 * names what it doesn't know.
 */

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/err.h"

/* Helpers are counted by their numbers (enum bpf_func_id), below this. */
#define VM_HELPERS 256

struct vm;

/* insns are the program's as loaded, with the file descriptors of its maps in them; they and the
 * maps must outlive the vm. */
int vm_new(const struct bpf_insn *insns, size_t n, struct vm **ret_vm, struct err *err)
	__attribute__((warn_unused_result));
void vm_free(struct vm *vm);

struct vm_outcome {
	uint32_t action;      /* enum xdp_action */
	const uint8_t *frame; /* as it is afterwards; valid until the next run */
	size_t len;
	uint64_t instructions;
	uint64_t calls; /* of helpers */
	uint32_t calls_of[VM_HELPERS];
};

/* Run the program on a frame of up to 3400 bytes. -EPROTO when it does what the kernel's verifier
 * wouldn't let it, -ENOTSUP when it needs what this doesn't know; both with words. */
int vm_run(struct vm *vm, const void *frame, size_t len, struct vm_outcome *ret_outcome,
	   struct err *err) __attribute__((warn_unused_result));

/* Note the instructions of the runs that follow, by their places and in the order of execution, in
 * an array of the caller's; NULL ends it. Returns how many were noted before. */
size_t vm_trace(struct vm *vm, uint32_t *places, size_t max);

#endif
