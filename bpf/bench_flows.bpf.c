/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Compares XDP programs by BPF_PROG_TEST_RUN, which leaves the frame between two runs as the
 * program left it: this wrapper takes off what the run before put on, writes the headers of the
 * next of n flows and calls the program in slot 0. What it costs itself is measured with a program
 * behind it that only returns, and taken off; what growing a frame costs, with one that does
 * nothing else.
 *
 * bench.bpf.c does the same with the frames of a capture, which cost memory of their own; here a
 * million flows cost what they do to the program.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* The scenario: the verifier knows these as constants and removes what they leave out. */
const volatile __u32 flows_n = 1000;
const volatile __u32 flows_vips = 1; /* IPv4 only: that many addresses from flows_vip4 on */
const volatile __u32 flows_ipv6 = 0;
const volatile __u32 flows_protocol = IPPROTO_TCP;
const volatile __u32 flows_tcp_flags = 0x10;
const volatile __u32 flows_vip4 = 0;        /* host order */
const volatile __u32 flows_vip6[4] = {};    /* network order */
const volatile __u32 flows_settle = 0;      /* wait until the headers have been written */
const volatile __u32 flows_grow_bytes = 20; /* for grow() */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} flows_target SEC(".maps");

__u64 flows_next;   /* number of the next packet */
__u64 flows_grown;  /* flows_checked(): frames that had grown by flows_grow_bytes */
__u64 flows_failed; /* runs that couldn't be prepared: the measurement is void */

#define FRAME4 (sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr))
#define FRAME6 (sizeof(struct ethhdr) + sizeof(struct ipv6hdr) + sizeof(struct tcphdr))

static __always_inline void write_ethernet(struct ethhdr *eth, __u16 protocol)
{
	__u16 *half = (__u16 *)eth;

	half[0] = bpf_htons(0x0200);
	half[1] = 0;
	half[2] = bpf_htons(0x000a);
	half[3] = bpf_htons(0x0200);
	half[4] = 0;
	half[5] = bpf_htons(0x000b);
	eth->h_proto = bpf_htons(protocol);
}

/* UDP's ports stand where TCP's do, and its length where TCP has the sequence number. */
static __always_inline void write_transport(struct tcphdr *tcp, __u32 flow)
{
	tcp->source = bpf_htons(1024 + (flow & 1023));
	tcp->dest = bpf_htons(443);
	if (flows_protocol == IPPROTO_UDP) {
		((struct udphdr *)tcp)->len = bpf_htons(sizeof(*tcp));
	} else {
		((__u8 *)tcp)[12] = 0x50;
		((__u8 *)tcp)[13] = flows_tcp_flags;
	}
}

/* RFC 1071; all but the addresses is known. */
static __always_inline __u16 ipv4_checksum(__u32 source, __u32 destination)
{
	__u32 sum = 0x4500 + sizeof(struct iphdr) + sizeof(struct tcphdr) + 0x4000 + 0x4000 +
		    flows_protocol + (source >> 16) + (source & 0xffff) + (destination >> 16) +
		    (destination & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline void write_ipv4(struct ethhdr *eth, __u32 flow)
{
	__u32 source = 0x0a010000 + (flow >> 10), destination = flows_vip4 + flow % flows_vips;
	struct iphdr *ip = (void *)(eth + 1);
	__u8 *byte = (__u8 *)ip;

	write_ethernet(eth, ETH_P_IP);
	byte[0] = 0x45;
	byte[1] = 0;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct tcphdr));
	ip->id = 0;
	ip->frag_off = bpf_htons(0x4000);
	ip->ttl = 64;
	ip->protocol = flows_protocol;
	ip->check = bpf_htons(ipv4_checksum(source, destination));
	ip->saddr = bpf_htonl(source);
	ip->daddr = bpf_htonl(destination);
	write_transport((void *)(ip + 1), flow);
}

static __always_inline void write_ipv6(struct ethhdr *eth, __u32 flow)
{
	__u32 source[4] = {bpf_htonl(0x20010db8), 0, 0, bpf_htonl((flow >> 10) << 16 | 7)};
	struct ipv6hdr *ip = (void *)(eth + 1);

	write_ethernet(eth, ETH_P_IPV6);
	*(__u32 *)ip = bpf_htonl(0x60000000);
	ip->payload_len = bpf_htons(sizeof(struct tcphdr));
	ip->nexthdr = flows_protocol;
	ip->hop_limit = 64;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		ip->saddr.in6_u.u6_addr32[i] = source[i];
		ip->daddr.in6_u.u6_addr32[i] = flows_vip6[i];
	}
	write_transport((void *)(ip + 1), flow);
}

/* Make the frame the next flow's. 0, or -1: the frame is not one of ours. */
static __always_inline int prepare(struct xdp_md *ctx, int check)
{
	long want = flows_ipv6 ? FRAME6 : FRAME4;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 flow = (__u32)((flows_next++ * 2654435761U) >> 7) % flows_n;
	long length = end - data, grown;

	/* Pointers first: the verifier knows no other order. */
	asm volatile("" : "+r"(length));
	grown = length - want;
	if (check && grown == flows_grow_bytes)
		flows_grown++;
	if (grown) {
		if (bpf_xdp_adjust_head(ctx, (int)grown))
			return -1;
		data = (void *)(long)ctx->data;
		end = (void *)(long)ctx->data_end;
	}
	if (data + want > end)
		return -1;
	if (flows_ipv6)
		write_ipv6(data, flow);
	else
		write_ipv4(data, flow);
	return 0;
}

SEC("xdp")
int flows(struct xdp_md *ctx)
{
	if (!prepare(ctx, 0)) {
		/* Reading the clock waits for what came before it. */
		if (flows_settle)
			bpf_ktime_get_ns();
		bpf_tail_call(ctx, &flows_target, 0);
	}
	flows_failed++;
	return XDP_ABORTED;
}

/* The same, and it counts the frames that the program has tunnelled as it should. */
SEC("xdp")
int flows_checked(struct xdp_md *ctx)
{
	if (!prepare(ctx, 1))
		bpf_tail_call(ctx, &flows_target, 0);
	flows_failed++;
	return XDP_ABORTED;
}

/* What no program that answers a packet can save. */
SEC("xdp")
int nothing(struct xdp_md *ctx)
{
	return XDP_TX;
}

/* What no program that tunnels can save: the room for a header, and one store into it. */
SEC("xdp")
int grow(struct xdp_md *ctx)
{
	void *data, *end;

	if (flows_grow_bytes && bpf_xdp_adjust_head(ctx, -(int)flows_grow_bytes))
		return XDP_DROP;
	data = (void *)(long)ctx->data;
	end = (void *)(long)ctx->data_end;
	if (data + sizeof(__u64) > end)
		return XDP_DROP;
	*(__u64 *)data = 1;
	return XDP_TX;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
