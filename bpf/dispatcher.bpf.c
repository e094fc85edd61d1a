/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The program under which libxdp runs several XDP programs on one interface: it asks each in turn
 * and goes on to the next while the answer is among those that the program wants continued. libxdp
 * fills in the configuration and puts each program in place of one of the stubs (freplace). The
 * layout is libxdp's protocol, version 2 (xdp/prog_dispatcher.h).
 *
 * libxdp 1.3 brings such a program, but since Linux 6.12 the kernel lets a program that changes
 * packets, as the balancer does, replace only what may change them too. These stubs may.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <xdp/prog_dispatcher.h>

static volatile const struct xdp_dispatcher_config conf = {};

/* The return value can't be foreseen, or the compiler would do without the call. The helper is
 * never called: it is there for the verifier to see. */
#define STUB(name)                                                                                 \
	__attribute__((noinline)) int name(struct xdp_md *ctx)                                     \
	{                                                                                          \
		volatile int ret = XDP_DISPATCHER_RETVAL;                                          \
                                                                                                   \
		if (!ctx)                                                                          \
			return XDP_ABORTED;                                                        \
		if (ret != XDP_DISPATCHER_RETVAL)                                                  \
			bpf_xdp_adjust_head(ctx, 0);                                               \
		return ret;                                                                        \
	}

#define STUBS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9)

#define STUB_OF(n) STUB(prog##n)
STUBS(STUB_OF)

#define ASK(n)                                                                                     \
	if (conf.num_progs_enabled <= n)                                                           \
		return XDP_PASS;                                                                   \
	ret = prog##n(ctx);                                                                        \
	if (!((1U << (ret & 31)) & conf.chain_call_actions[n]))                                    \
		return ret;

SEC("xdp")
int xdp_dispatcher(struct xdp_md *ctx)
{
	int ret;

	STUBS(ASK)
	return XDP_PASS;
}

/* What libxdp tries the kernel's abilities with. */
SEC("xdp")
int xdp_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

__uint(dispatcher_version, XDP_DISPATCHER_VERSION) SEC(XDP_METADATA_SECTION);
