/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/vm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tools/bench/vm_internal.h"

/* More than any packet takes; a loop without an end is a mistake here. */
#define INSTRUCTIONS_MAX 1000000U

static bool within(uint64_t address, uint64_t bytes, const void *start, uint64_t size)
{
	uint64_t from = (uintptr_t)start;

	return address >= from && bytes <= size && address - from <= size - bytes;
}

static bool in_packet(const struct vm_state *s, uint64_t address, uint64_t bytes)
{
	return address >= s->ctx.data && address + bytes <= s->ctx.data_end;
}

int vm_check(const struct vm_state *s, uint64_t address, uint64_t bytes, bool write,
	     struct err *err)
{
	if (in_packet(s, address, bytes) ||
	    within(address, bytes, s->stack, (uint64_t)(s->depth + 1) * VM_STACK))
		return 0;
	if (!write && within(address, bytes, &s->ctx, sizeof(s->ctx)))
		return 0;
	for (size_t i = 0; i < s->vm->n_maps; i++) {
		const struct vm_map *map = &s->vm->maps[i];

		if (within(address, bytes, map->memory, map->bytes) && (map->writable || !write))
			return 0;
	}
	return err_set(err, -EPROTO,
		       "instruction %zu %s %llu bytes that are not the program's (packet of %u"
		       " bytes)",
		       s->pc, write ? "writes" : "reads", (unsigned long long)bytes,
		       s->ctx.data_end - s->ctx.data);
}

static unsigned size_of(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

static int load(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	uint64_t address = s->r[insn->src_reg] + (uint64_t)(int64_t)insn->off, value = 0;
	unsigned bytes = size_of(insn->code);
	int ret = vm_check(s, address, bytes, false, err);

	if (ret < 0)
		return ret;
	memcpy(&value, (const void *)(uintptr_t)address, bytes);
	s->r[insn->dst_reg] = value;
	return 0;
}

static int store(struct vm_state *s, const struct bpf_insn *insn, uint64_t value, struct err *err)
{
	uint64_t address = s->r[insn->dst_reg] + (uint64_t)(int64_t)insn->off;
	unsigned bytes = size_of(insn->code);
	int ret = vm_check(s, address, bytes, true, err);

	if (ret == 0)
		memcpy((void *)(uintptr_t)address, &value, bytes);
	return ret;
}

static int unknown(const struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	return err_set(err, -ENOTSUP,
		       "instruction %zu (code 0x%02x, offset %d, immediate %d) is unknown to the"
		       " counting machine: teach tools/bench/vm.c",
		       s->pc, insn->code, insn->off, insn->imm);
}

/* Other threads of the machine write the same maps, so these are atomic here too. */
static int atomic(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	uint64_t address = s->r[insn->dst_reg] + (uint64_t)(int64_t)insn->off;
	bool wide = BPF_SIZE(insn->code) == BPF_DW;
	uint64_t *at = (uint64_t *)(uintptr_t)address, *src = &s->r[insn->src_reg], old;
	uint32_t *at32 = (uint32_t *)at, expected32 = (uint32_t)s->r[0];
	int ret = vm_check(s, address, wide ? 8 : 4, true, err);

	if (ret < 0)
		return ret;
#define FETCH(op)                                                                                  \
	(wide ? __atomic_fetch_##op(at, *src, __ATOMIC_SEQ_CST)                                    \
	      : __atomic_fetch_##op(at32, (uint32_t)*src, __ATOMIC_SEQ_CST))
	switch (insn->imm & ~BPF_FETCH) {
	case BPF_ADD:
		old = FETCH(add);
		break;
	case BPF_OR:
		old = FETCH(or);
		break;
	case BPF_AND:
		old = FETCH(and);
		break;
	case BPF_XOR:
		old = FETCH(xor);
		break;
	case BPF_XCHG & ~BPF_FETCH:
		old = wide ? __atomic_exchange_n(at, *src, __ATOMIC_SEQ_CST)
			   : __atomic_exchange_n(at32, (uint32_t)*src, __ATOMIC_SEQ_CST);
		break;
	case BPF_CMPXCHG & ~BPF_FETCH:
		if (wide) {
			__atomic_compare_exchange_n(at, &s->r[0], *src, false, __ATOMIC_SEQ_CST,
						    __ATOMIC_SEQ_CST);
			return 0;
		}
		__atomic_compare_exchange_n(at32, &expected32, (uint32_t)*src, false,
					    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		s->r[0] = expected32;
		return 0;
	default:
		return unknown(s, insn, err);
	}
#undef FETCH
	if (insn->imm & BPF_FETCH)
		*src = old;
	return 0;
}

static uint64_t swap(uint64_t value, int32_t bits, bool swapped)
{
	switch (bits) {
	case 16:
		return swapped ? __builtin_bswap16((uint16_t)value) : (uint16_t)value;
	case 32:
		return swapped ? __builtin_bswap32((uint32_t)value) : (uint32_t)value;
	default:
		return swapped ? __builtin_bswap64(value) : value;
	}
}

static uint64_t shift_right_signed(uint64_t a, uint64_t b, bool wide)
{
	return wide ? (uint64_t)((int64_t)a >> (b & 63))
		    : (uint32_t)((int32_t)(uint32_t)a >> (b & 31));
}

/* The result of a computation, for registers whose upper half is cleared already when narrow. */
static int compute(uint8_t op, uint64_t a, uint64_t b, bool wide, uint64_t *ret_value)
{
	switch (op) {
	case BPF_ADD:
		*ret_value = a + b;
		return 0;
	case BPF_SUB:
		*ret_value = a - b;
		return 0;
	case BPF_MUL:
		*ret_value = a * b;
		return 0;
	case BPF_DIV:
		*ret_value = b ? a / b : 0;
		return 0;
	case BPF_MOD:
		*ret_value = b ? a % b : a;
		return 0;
	case BPF_OR:
		*ret_value = a | b;
		return 0;
	case BPF_AND:
		*ret_value = a & b;
		return 0;
	case BPF_XOR:
		*ret_value = a ^ b;
		return 0;
	case BPF_LSH:
		*ret_value = a << (b & (wide ? 63 : 31));
		return 0;
	case BPF_RSH:
		*ret_value = a >> (b & (wide ? 63 : 31));
		return 0;
	case BPF_ARSH:
		*ret_value = shift_right_signed(a, b, wide);
		return 0;
	case BPF_NEG:
		*ret_value = -a;
		return 0;
	case BPF_MOV:
		*ret_value = b;
		return 0;
	}
	return -ENOTSUP;
}

static int arithmetic(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	bool wide = BPF_CLASS(insn->code) == BPF_ALU64;
	uint64_t a = s->r[insn->dst_reg], value;
	uint64_t b =
		BPF_SRC(insn->code) == BPF_X ? s->r[insn->src_reg] : (uint64_t)(int64_t)insn->imm;

	/* An offset makes it signed, in later versions of the instruction set. */
	if (insn->off)
		return unknown(s, insn, err);
	if (BPF_OP(insn->code) == BPF_END) {
		if (wide)
			return unknown(s, insn, err);
		s->r[insn->dst_reg] = swap(a, insn->imm, BPF_SRC(insn->code) == BPF_TO_BE);
		return 0;
	}
	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	if (compute(BPF_OP(insn->code), a, b, wide, &value) < 0)
		return unknown(s, insn, err);
	s->r[insn->dst_reg] = wide ? value : (uint32_t)value;
	return 0;
}

static int condition(uint8_t op, uint64_t a, uint64_t b, bool wide, bool *ret_holds)
{
	int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;

	if (!wide) {
		a = (uint32_t)a;
		b = (uint32_t)b;
	}
	switch (op) {
	case BPF_JEQ:
		*ret_holds = a == b;
		return 0;
	case BPF_JNE:
		*ret_holds = a != b;
		return 0;
	case BPF_JGT:
		*ret_holds = a > b;
		return 0;
	case BPF_JGE:
		*ret_holds = a >= b;
		return 0;
	case BPF_JLT:
		*ret_holds = a < b;
		return 0;
	case BPF_JLE:
		*ret_holds = a <= b;
		return 0;
	case BPF_JSET:
		*ret_holds = (a & b) != 0;
		return 0;
	case BPF_JSGT:
		*ret_holds = sa > sb;
		return 0;
	case BPF_JSGE:
		*ret_holds = sa >= sb;
		return 0;
	case BPF_JSLT:
		*ret_holds = sa < sb;
		return 0;
	case BPF_JSLE:
		*ret_holds = sa <= sb;
		return 0;
	}
	return -ENOTSUP;
}

static size_t target(size_t pc, int32_t offset)
{
	return (size_t)((int64_t)pc + offset + 1);
}

static int call(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	size_t pc = s->pc;
	int ret;

	if (insn->src_reg == BPF_PSEUDO_CALL) {
		ret = vm_function(s, target(pc, insn->imm), err);
		s->pc = pc;
		return ret;
	}
	return insn->src_reg == 0 ? vm_helper(s, insn->imm, err) : unknown(s, insn, err);
}

/* A jump; the program goes on behind s->pc. */
static int jump(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	bool wide = BPF_CLASS(insn->code) == BPF_JMP, holds = true;
	uint64_t b =
		BPF_SRC(insn->code) == BPF_X ? s->r[insn->src_reg] : (uint64_t)(int64_t)insn->imm;

	if (wide && BPF_OP(insn->code) == BPF_CALL)
		return call(s, insn, err);
	if (!(wide && BPF_OP(insn->code) == BPF_JA) &&
	    condition(BPF_OP(insn->code), s->r[insn->dst_reg], b, wide, &holds) < 0)
		return unknown(s, insn, err);
	if (holds)
		s->pc = target(s->pc, insn->off) - 1;
	return 0;
}

/* The one instruction of two slots. */
static int load_constant(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	uint64_t value = (uint32_t)insn[0].imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	struct vm_map *map;

	switch (insn->src_reg) {
	case 0:
		break;
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_VALUE:
		map = vm_map_find(s->vm, insn->imm);
		if (!map)
			return unknown(s, insn, err);
		value = insn->src_reg == BPF_PSEUDO_MAP_FD
				? (uintptr_t)map
				: (uintptr_t)map->memory + (uint32_t)insn[1].imm;
		break;
	case BPF_PSEUDO_FUNC:
		value = target(s->pc, insn->imm);
		break;
	default:
		return unknown(s, insn, err);
	}
	s->r[insn->dst_reg] = value;
	s->pc++;
	return 0;
}

static int step(struct vm_state *s, const struct bpf_insn *insn, struct err *err)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return arithmetic(s, insn, err);
	case BPF_JMP:
	case BPF_JMP32:
		return jump(s, insn, err);
	case BPF_LDX:
		return BPF_MODE(insn->code) == BPF_MEM ? load(s, insn, err) : unknown(s, insn, err);
	case BPF_ST:
		return BPF_MODE(insn->code) == BPF_MEM
			       ? store(s, insn, (uint64_t)(int64_t)insn->imm, err)
			       : unknown(s, insn, err);
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			return atomic(s, insn, err);
		return BPF_MODE(insn->code) == BPF_MEM ? store(s, insn, s->r[insn->src_reg], err)
						       : unknown(s, insn, err);
	default:
		return insn->code == (BPF_LD | BPF_IMM | BPF_DW) ? load_constant(s, insn, err)
								 : unknown(s, insn, err);
	}
}

static int run_to_exit(struct vm_state *s, struct err *err)
{
	for (;; s->pc++) {
		const struct bpf_insn *insn = &s->vm->insns[s->pc];
		int ret;

		if (s->pc >= s->vm->n)
			return err_set(err, -EPROTO, "the program runs past its end");
		if (++s->outcome.instructions > INSTRUCTIONS_MAX)
			return err_set(err, -EPROTO, "the program takes more than %u instructions",
				       INSTRUCTIONS_MAX);
		if (s->vm->trace && s->vm->n_traced < s->vm->trace_max)
			s->vm->trace[s->vm->n_traced++] = (uint32_t)s->pc;
		if (insn->code == (BPF_JMP | BPF_EXIT))
			return 0;
		ret = step(s, insn, err);
		if (ret < 0)
			return ret;
	}
}

int vm_function(struct vm_state *s, size_t pc, struct err *err)
{
	uint64_t kept[VM_REGISTERS];
	int ret;

	if (s->depth + 1 == VM_DEPTH_MAX)
		return err_set(err, -EPROTO, "the program calls functions %d deep", VM_DEPTH_MAX);
	memcpy(kept, s->r, sizeof(kept));
	s->depth++;
	s->r[BPF_REG_10] = (uintptr_t)s->stack[s->depth] + VM_STACK;
	s->pc = pc;
	ret = run_to_exit(s, err);
	s->depth--;
	memcpy(&s->r[BPF_REG_6], &kept[BPF_REG_6], 5 * sizeof(kept[0]));
	return ret;
}

int vm_run(struct vm *vm, const void *frame, size_t len, struct vm_outcome *ret_outcome,
	   struct err *err)
{
	struct vm_state s = {.vm = vm, .ctx.ingress_ifindex = 1};
	int ret;

	if (len > VM_FRAME_MAX)
		return err_set(err, -EMSGSIZE, "a frame of %zu bytes; at most %d can be run", len,
			       VM_FRAME_MAX);
	memset(vm->packet, 0, VM_PACKET);
	memcpy(vm->packet + VM_HEADROOM, frame, len);
	s.ctx.data = s.ctx.data_meta = (uint32_t)(uintptr_t)vm->packet + VM_HEADROOM;
	s.ctx.data_end = s.ctx.data + (uint32_t)len;
	s.r[BPF_REG_1] = (uintptr_t)&s.ctx;
	s.r[BPF_REG_10] = (uintptr_t)s.stack[0] + VM_STACK;
	ret = run_to_exit(&s, err);
	if (ret < 0)
		return ret;
	*ret_outcome = s.outcome;
	ret_outcome->action = (uint32_t)s.r[BPF_REG_0];
	ret_outcome->frame = (const uint8_t *)(uintptr_t)s.ctx.data;
	ret_outcome->len = s.ctx.data_end - s.ctx.data;
	return 0;
}

size_t vm_trace(struct vm *vm, uint32_t *places, size_t max)
{
	size_t n = vm->n_traced;

	vm->trace = places;
	vm->trace_max = max;
	vm->n_traced = 0;
	return n;
}

static int open_maps(struct vm *vm, struct err *err)
{
	for (size_t i = 0; i < vm->n; i++) {
		const struct bpf_insn *insn = &vm->insns[i];
		int ret;

		if (insn->code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		i++;
		if ((insn->src_reg != BPF_PSEUDO_MAP_FD && insn->src_reg != BPF_PSEUDO_MAP_VALUE) ||
		    vm_map_find(vm, insn->imm))
			continue;
		if (vm->n_maps == VM_MAPS_MAX)
			return err_set(err, -E2BIG, "more than %d maps", VM_MAPS_MAX);
		ret = vm_map_open(&vm->maps[vm->n_maps], insn->imm, err);
		if (ret < 0)
			return ret;
		vm->n_maps++;
	}
	return 0;
}

int vm_new(const struct bpf_insn *insns, size_t n, struct vm **ret_vm, struct err *err)
{
	struct vm *vm = calloc(1, sizeof(*vm));
	int ret;

	if (!vm)
		return err_set(err, -ENOMEM, "out of memory");
	vm->insns = insns;
	vm->n = n;
	vm->packet = mmap(NULL, VM_PACKET, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (vm->packet == MAP_FAILED) {
		vm->packet = NULL;
		ret = err_set(err, -errno, "memory for a frame below 4 GiB: %s", strerror(errno));
	} else {
		ret = open_maps(vm, err);
	}
	if (ret < 0) {
		vm_free(vm);
		return ret;
	}
	*ret_vm = vm;
	return 0;
}

void vm_free(struct vm *vm)
{
	if (!vm)
		return;
	for (size_t i = 0; i < vm->n_maps; i++)
		vm_map_close(&vm->maps[i]);
	if (vm->packet)
		munmap(vm->packet, VM_PACKET);
	free(vm);
}
