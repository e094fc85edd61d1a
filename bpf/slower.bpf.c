/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The balancer with SLOWER_BY instructions more than it needs, which the test of the guard against
 * slower programs (testbed/perf) must find. Never loaded otherwise.
 */
#define balancer balancer_as_it_is
#include "bpf/balancer.bpf.c"
#undef balancer

#ifndef SLOWER_BY
#error "compile with -DSLOWER_BY=N, N at least 1"
#endif
#define TEXT_OF(x) #x
#define TEXT(x)    TEXT_OF(x)

SEC("xdp.tables")
int balancer(struct xdp_md *ctx)
{
	asm volatile(".rept " TEXT(SLOWER_BY) "\n\tr0 = 1\n\t.endr" ::: "r0");
	return balance(ctx, 0);
}
