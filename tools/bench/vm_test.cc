/* SPDX-License-Identifier: BSD-2-Clause */
/* The counting machine against the kernel: programs of random instructions must end with the same
 * result in both. */
#include <bpf/bpf.h>
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

extern "C" {
#include "tools/bench/vm.h"
}

namespace
{

using Program = std::vector<bpf_insn>;

bpf_insn insn(int code, int dst, int src, int off, int imm)
{
	bpf_insn i = {};

	i.code = static_cast<__u8>(code);
	i.dst_reg = dst & 15;
	i.src_reg = src & 15;
	i.off = static_cast<__s16>(off);
	i.imm = imm;
	return i;
}

bpf_insn move(int dst, int imm)
{
	return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

bpf_insn move_register(int dst, int src)
{
	return insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

bpf_insn finish()
{
	return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

void constant(Program *p, int dst, uint64_t value)
{
	p->push_back(insn(BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, static_cast<int>(value)));
	p->push_back(insn(0, 0, 0, 0, static_cast<int>(value >> 32)));
}

/* All of r0..r5 into the 32 bits that a program returns. */
void fold(Program *p)
{
	for (int r = 1; r <= 5; r++) {
		p->push_back(insn(BPF_ALU64 | BPF_MUL | BPF_K, 0, 0, 0, 0x2545f491));
		p->push_back(insn(BPF_ALU64 | BPF_XOR | BPF_X, 0, r, 0, 0));
	}
	p->push_back(move_register(1, 0));
	p->push_back(insn(BPF_ALU64 | BPF_RSH | BPF_K, 1, 0, 0, 32));
	p->push_back(insn(BPF_ALU64 | BPF_XOR | BPF_X, 0, 1, 0, 0));
	p->push_back(finish());
}

const uint8_t frame[64] = {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0, 0x45};

class Machine : public ::testing::Test
{
      protected:
	void SetUp() override
	{
		if (geteuid() != 0)
			GTEST_SKIP() << "loading a BPF program needs root";
	}

	/* The program in the kernel. */
	static uint32_t kernel(const Program &p)
	{
		static char log[1 << 16];
		LIBBPF_OPTS(bpf_prog_load_opts, load);
		LIBBPF_OPTS(bpf_test_run_opts, run);

		load.log_buf = log;
		load.log_size = sizeof(log);
		load.log_level = 1;
		int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "vm_test", "GPL", p.data(), p.size(),
				       &load);
		EXPECT_GE(fd, 0) << strerror(errno) << "\n" << log;
		run.data_in = frame;
		run.data_size_in = sizeof(frame);
		run.repeat = 1;
		EXPECT_EQ(bpf_prog_test_run_opts(fd, &run), 0) << strerror(errno);
		close(fd);
		return run.retval;
	}

	static int machine(const Program &p, vm_outcome *outcome, err *err)
	{
		struct vm *vm = nullptr;
		int ret = vm_new(p.data(), p.size(), &vm, err);

		if (ret == 0)
			ret = vm_run(vm, frame, sizeof(frame), outcome, err);
		vm_free(vm);
		return ret;
	}

	static uint32_t machine(const Program &p)
	{
		vm_outcome outcome = {};
		err err = {};

		EXPECT_EQ(machine(p, &outcome, &err), 0) << err.text;
		return outcome.action;
	}
};

struct Generator {
	std::mt19937_64 random{1};

	uint64_t below(uint64_t n)
	{
		return random() % n;
	}

	/* Values at which arithmetic is likely to go wrong, among others. */
	uint64_t value()
	{
		static const uint64_t odd[] = {
			0,          1,          0x7f,       0x80,       0xffff, 0x7fffffff,
			0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 63, ~0ULL,  (1ULL << 63) - 1};

		return below(2) ? odd[below(12)] : random();
	}

	Program start()
	{
		Program p;

		for (int r = 0; r <= 5; r++)
			constant(&p, r, value());
		return p;
	}

	bpf_insn arithmetic()
	{
		static const int ops[] = {BPF_ADD, BPF_SUB,  BPF_MUL, BPF_DIV, BPF_OR,
					  BPF_AND, BPF_LSH,  BPF_RSH, BPF_MOD, BPF_XOR,
					  BPF_MOV, BPF_ARSH, BPF_NEG, BPF_END};
		int op = ops[below(14)], wide = below(2) ? BPF_ALU64 : BPF_ALU;
		int dst = static_cast<int>(below(6)), src = static_cast<int>(below(6));
		int imm = static_cast<int>(value());

		if (op == BPF_END)
			return insn(BPF_ALU | BPF_END | (below(2) ? BPF_TO_BE : BPF_TO_LE), dst, 0,
				    0, 16 << below(3));
		if (op == BPF_NEG)
			return insn(wide | BPF_NEG, dst, 0, 0, 0);
		if (below(2))
			return insn(wide | op | BPF_X, dst, src, 0, 0);
		if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
			imm &= wide == BPF_ALU64 ? 63 : 31;
		if (op == BPF_DIV || op == BPF_MOD)
			imm |= 1;
		return insn(wide | op | BPF_K, dst, 0, 0, imm);
	}

	/* Over the instruction that follows, or not. */
	bpf_insn branch()
	{
		static const int ops[] = {BPF_JEQ,  BPF_JNE,  BPF_JGT,  BPF_JGE,  BPF_JLT, BPF_JLE,
					  BPF_JSET, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE};
		int op = ops[below(11)] | (below(2) ? BPF_JMP : BPF_JMP32);
		int dst = static_cast<int>(below(6)), src = static_cast<int>(below(6));

		return below(2) ? insn(op | BPF_X, dst, src, 1, 0)
				: insn(op | BPF_K, dst, 0, 1, static_cast<int>(value()));
	}
};

TEST_F(Machine, ArithmeticAgreesWithTheKernel)
{
	Generator g;

	for (int round = 0; round < 300; round++) {
		Program p = g.start();

		for (int i = 0; i < 40; i++)
			p.push_back(g.arithmetic());
		fold(&p);
		ASSERT_EQ(machine(p), kernel(p)) << "round " << round;
	}
}

TEST_F(Machine, BranchesAgreeWithTheKernel)
{
	Generator g;

	for (int round = 0; round < 300; round++) {
		Program p = g.start();

		for (int i = 0; i < 12; i++) {
			p.push_back(g.branch());
			p.push_back(g.arithmetic());
		}
		fold(&p);
		ASSERT_EQ(machine(p), kernel(p)) << "round " << round;
	}
}

TEST_F(Machine, LoadsAndStoresOfAllSizesAgreeWithTheKernel)
{
	static const int sizes[] = {BPF_B, BPF_H, BPF_W, BPF_DW};

	for (int store : sizes)
		for (int load : sizes) {
			Program p;

			constant(&p, 1, 0x8182838485868788ULL);
			p.push_back(insn(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -16, -2));
			p.push_back(insn(BPF_STX | BPF_MEM | store, 10, 1, -16, 0));
			p.push_back(insn(BPF_LDX | BPF_MEM | load, 0, 10, -16, 0));
			for (int r = 1; r <= 5; r++)
				p.push_back(move(r, r));
			fold(&p);
			EXPECT_EQ(machine(p), kernel(p)) << store << " " << load;
		}
}

TEST_F(Machine, AtomicOperationsAgreeWithTheKernel)
{
	static const int ops[] = {BPF_ADD,
				  BPF_OR,
				  BPF_AND,
				  BPF_XOR,
				  BPF_ADD | BPF_FETCH,
				  BPF_OR | BPF_FETCH,
				  BPF_AND | BPF_FETCH,
				  BPF_XOR | BPF_FETCH,
				  BPF_XCHG,
				  BPF_CMPXCHG};

	for (int op : ops)
		for (int size : {BPF_W, BPF_DW})
			for (uint64_t before : {0x1122334455667788ULL, 7ULL}) {
				Program p;

				constant(&p, 0, before); /* as CMPXCHG expects, or not */
				constant(&p, 2, 0x99aabbccddeeff00ULL);
				constant(&p, 3, 0x1122334455667788ULL);
				p.push_back(insn(BPF_STX | BPF_MEM | BPF_DW, 10, 3, -8, 0));
				p.push_back(insn(BPF_STX | BPF_ATOMIC | size, 10, 2, -8, op));
				p.push_back(insn(BPF_LDX | BPF_MEM | BPF_DW, 1, 10, -8, 0));
				p.push_back(move(4, 4));
				p.push_back(move(5, 5));
				fold(&p);
				EXPECT_EQ(machine(p), kernel(p)) << op << " " << size;
			}
}

/* r0 = 3 * (sum of 0..9), by a function and a loop that calls one back. */
Program calls()
{
	return {
		insn(BPF_ST | BPF_MEM | BPF_DW, 10, 0, -8, 0),
		move(6, 3),
		move(1, 100),
		insn(BPF_LD | BPF_IMM | BPF_DW, 2, BPF_PSEUDO_FUNC, 0, 12),
		insn(0, 0, 0, 0, 0),
		move_register(3, 10),
		insn(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, -8),
		move(4, 0),
		insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_loop),
		insn(BPF_LDX | BPF_MEM | BPF_DW, 1, 10, -8, 0),
		move_register(2, 6),
		insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1),
		finish(),
		/* product(a, b), which doesn't keep its caller's registers by itself */
		move_register(0, 1),
		insn(BPF_ALU64 | BPF_MUL | BPF_X, 0, 2, 0, 0),
		finish(),
		/* add(turn, sum): ends after ten turns */
		insn(BPF_LDX | BPF_MEM | BPF_DW, 3, 2, 0, 0),
		insn(BPF_ALU64 | BPF_ADD | BPF_X, 3, 1, 0, 0),
		insn(BPF_STX | BPF_MEM | BPF_DW, 2, 3, 0, 0),
		move(0, 0),
		insn(BPF_JMP | BPF_JLT | BPF_K, 1, 0, 1, 9),
		move(0, 1),
		finish(),
	};
}

TEST_F(Machine, CountsEachInstructionAndHelperOnce)
{
	const Program p = {
		move_register(6, 1), /* 1 */
		insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_smp_processor_id),
		insn(BPF_LDX | BPF_MEM | BPF_W, 2, 6, offsetof(xdp_md, data), 0),
		insn(BPF_JMP | BPF_JA, 0, 0, 1, 0),
		move(0, 9), /* never */
		insn(BPF_LD | BPF_IMM | BPF_DW, 0, 0, 0, 5),
		insn(0, 0, 0, 0, 0), /* the same instruction's second half */
		finish(),            /* 6 */
	};
	vm_outcome outcome = {};
	err err = {};

	ASSERT_EQ(machine(p, &outcome, &err), 0) << err.text;
	EXPECT_EQ(outcome.action, 5U);
	EXPECT_EQ(outcome.instructions, 6U);
	EXPECT_EQ(outcome.calls, 1U);
	EXPECT_EQ(outcome.calls_of[BPF_FUNC_get_smp_processor_id], 1U);
}

TEST_F(Machine, ReadingBehindThePacketIsAnError)
{
	const Program p = {
		insn(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(xdp_md, data_end), 0),
		insn(BPF_LDX | BPF_MEM | BPF_B, 0, 2, 0, 0),
		finish(),
	};
	vm_outcome outcome = {};
	err err = {};

	EXPECT_EQ(machine(p, &outcome, &err), -EPROTO);
	EXPECT_NE(std::string(err.text).find("instruction 1 reads 1 bytes"), std::string::npos)
		<< err.text;
}

TEST_F(Machine, WhatItDoesNotKnowItNames)
{
	const Program p = {insn(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32), finish()};
	vm_outcome outcome = {};
	err err = {};

	EXPECT_EQ(machine(p, &outcome, &err), -ENOTSUP);
	EXPECT_NE(std::string(err.text).find("helper 7"), std::string::npos) << err.text;
}

TEST_F(Machine, FunctionsAndLoopsGiveWhatTheyShould)
{
	EXPECT_EQ(machine(calls()), 3U * 45U);
}

} // namespace
