/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The real server's side of IPIP direct server return, as three tc programs.
 *
 * fairway_decap (ingress of the interface) takes the outer header off packets that the balancer
 * sent: outer destination among `outers`, inner destination among `vips`. Anything else goes on as
 * it came, so that this is never an open decapsulator and never in the way of other tunnels.
 *
 * fairway_guard (ingress of the kernel's own tunnel device, where those are used) holds the same
 * promise there: what comes out of the tunnel and is not for a VIP is dropped.
 *
 * fairway_clamp (egress of the interface) lowers the MSS that SYN-ACKs from a VIP announce, so that
 * a client's full segment still fits the link after the balancer put a header around it.
 *
 * tc rather than XDP: it needs no driver support and no resources of the NIC, leaves LRO and other
 * XDP programs alone, works on packets that GRO has merged, and keeps the checksum state, which a
 * half-checksummed packet from a virtual NIC needs. All programs end in TC_ACT_UNSPEC, so filters
 * behind these still run, and see the inner packet.
 *
 * RFC 2003 (IP in IP), RFC 2473 (in IPv6), RFC 4213 (6in4), RFC 6040 (ECN across tunnels). */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/decap_tables.h"

/* Linux 6.3 and later; older headers lack them. */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)

#define EINVAL          22
#define IP_FRAGMENT     0x3fff /* more fragments, or an offset */
#define ECN_MASK        3
#define ECN_CE          3
#define TCPOPT_EOL      0
#define TCPOPT_NOP      1
#define TCPOPT_MSS      2
#define TCP_OPTIONS_MAX 40

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DECAP_MAX_VIPS);
	__type(key, struct decap_addr);
	__type(value, __u32);
} vips SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DECAP_MAX_OUTERS);
	__type(key, struct decap_addr);
	__type(value, __u32);
} outers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct decap_settings);
} settings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DECAP_CNT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* An outer header that was read, and what it holds. */
struct outer {
	__u32 len;      /* bytes from the Ethernet header to the inner IP header */
	__u8 version;   /* 4 or 6 */
	__u8 inner;     /* 4 or 6 */
	__u8 ecn;       /* the outer's */
	__u8 inner_ecn; /* filled by read_inner() */
};

/* What to do with the packet once it has been looked at. */
enum step { STEP_GO_ON, STEP_PASS, STEP_DROP };

static __always_inline void count(__u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	if (value)
		*value += 1;
}

static __always_inline enum step pass(__u32 counter)
{
	count(counter);
	return STEP_PASS;
}

static __always_inline enum step drop(__u32 counter)
{
	count(counter);
	return STEP_DROP;
}

static __always_inline void key_ipv4(struct decap_addr *key, __be32 addr)
{
	key->words[0] = 0;
	key->words[1] = 0;
	key->words[2] = bpf_htonl(0xffff);
	key->words[3] = addr;
}

static __always_inline void key_ipv6(struct decap_addr *key, const struct in6_addr *addr)
{
	key->words[0] = addr->in6_u.u6_addr32[0];
	key->words[1] = addr->in6_u.u6_addr32[1];
	key->words[2] = addr->in6_u.u6_addr32[2];
	key->words[3] = addr->in6_u.u6_addr32[3];
}

/* 4 or 6 for a protocol number that says "an IP packet follows", else 0. */
static __always_inline __u8 inner_version(__u8 protocol)
{
	return protocol == IPPROTO_IPIP ? 4 : protocol == IPPROTO_IPV6 ? 6 : 0;
}

static __always_inline int ipv4_checksum_ok(const struct iphdr *ip)
{
	const __u16 *half = (const __u16 *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += half[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static __always_inline enum step read_outer_ipv4(struct __sk_buff *skb, struct outer *o)
{
	struct decap_addr key;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return STEP_PASS;
	o->inner = inner_version(ip.protocol);
	if (!o->inner)
		return STEP_PASS;
	key_ipv4(&key, ip.daddr);
	if (!bpf_map_lookup_elem(&outers, &key))
		return pass(DECAP_CNT_foreign_outer);
	if (ip.version != 4 || ip.ihl != 5)
		return pass(DECAP_CNT_outer_options);
	if (ip.frag_off & bpf_htons(IP_FRAGMENT))
		return pass(DECAP_CNT_outer_fragment);
	if (!ipv4_checksum_ok(&ip))
		return drop(DECAP_CNT_malformed);
	o->version = 4;
	o->ecn = ip.tos & ECN_MASK;
	o->len = sizeof(ip);
	return STEP_GO_ON;
}

/* One destination options header is stepped over: Linux's own ip6tnl sends the tunnel encapsulation
 * limit in one (RFC 2473, 4.1.1). */
static __always_inline enum step read_outer_ipv6(struct __sk_buff *skb, struct outer *o)
{
	struct decap_addr key;
	struct ipv6hdr ip;
	__u8 option[2];

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return STEP_PASS;
	o->len = sizeof(ip);
	o->inner = inner_version(ip.nexthdr);
	if (ip.nexthdr == IPPROTO_DSTOPTS) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), option, sizeof(option)))
			return STEP_PASS;
		o->inner = inner_version(option[0]);
		o->len += (option[1] + 1) * 8;
	}
	if (!o->inner)
		return STEP_PASS;
	key_ipv6(&key, &ip.daddr);
	if (!bpf_map_lookup_elem(&outers, &key))
		return pass(DECAP_CNT_foreign_outer);
	o->version = 6;
	o->ecn = (ip.flow_lbl[0] >> 4) & ECN_MASK;
	return STEP_GO_ON;
}

static __always_inline enum step read_inner(struct __sk_buff *skb, __u32 offset, struct outer *o)
{
	struct decap_addr key;
	struct ipv6hdr ip6;
	struct iphdr ip4;

	if (o->inner == 4) {
		if (bpf_skb_load_bytes(skb, offset, &ip4, sizeof(ip4)) || ip4.version != 4 ||
		    ip4.ihl < 5)
			return drop(DECAP_CNT_malformed);
		key_ipv4(&key, ip4.daddr);
		o->inner_ecn = ip4.tos & ECN_MASK;
	} else {
		if (bpf_skb_load_bytes(skb, offset, &ip6, sizeof(ip6)) || ip6.version != 6)
			return drop(DECAP_CNT_malformed);
		key_ipv6(&key, &ip6.daddr);
		o->inner_ecn = (ip6.flow_lbl[0] >> 4) & ECN_MASK;
	}
	if (!bpf_map_lookup_elem(&vips, &key))
		return pass(DECAP_CNT_foreign_inner);
	return STEP_GO_ON;
}

/* Remove the outer header. NO_CSUM_RESET: neither header carries a checksum over the payload, so
 * what the NIC found out about the inner one stays true. FIXED_GSO: segment sizes that GRO noted
 * are the inner TCP's already.
 *
 * Where the family changes, skb->protocol must follow: 6.3 and later do that by a flag. Before, the
 * protocol is converted first, which grows or shrinks the (meaningless) header by 20 bytes, and the
 * rest is cut then. */
static __always_inline int strip(struct __sk_buff *skb, const struct outer *o)
{
	const __u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	__be16 proto = o->inner == 6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	__s32 len = (__s32)o->len;
	int ret;

	if (o->inner == o->version)
		return bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC, flags);
	ret = bpf_skb_adjust_room(
		skb, -len, BPF_ADJ_ROOM_MAC,
		flags | (o->inner == 6 ? ADJ_ROOM_DECAP_L3_IPV6 : ADJ_ROOM_DECAP_L3_IPV4));
	if (ret == -EINVAL) {
		ret = bpf_skb_change_proto(skb, proto, 0);
		len += o->inner == 6 ? 20 : -20;
		if (!ret)
			ret = bpf_skb_adjust_room(skb, -len, BPF_ADJ_ROOM_MAC, flags);
	}
	if (ret)
		return ret;
	return bpf_skb_store_bytes(skb, offsetof(struct ethhdr, h_proto), &proto, sizeof(proto), 0);
}

static __always_inline void count_decapsulated(const struct outer *o)
{
	if (o->version == 4)
		count(o->inner == 4 ? DECAP_CNT_ipv4_in_ipv4 : DECAP_CNT_ipv6_in_ipv4);
	else
		count(o->inner == 4 ? DECAP_CNT_ipv4_in_ipv6 : DECAP_CNT_ipv6_in_ipv6);
}

static __always_inline enum step decapsulate(struct __sk_buff *skb)
{
	struct outer o = {0};
	enum step step;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		step = read_outer_ipv4(skb, &o);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		step = read_outer_ipv6(skb, &o);
	else
		return STEP_PASS;
	if (step == STEP_GO_ON)
		step = read_inner(skb, ETH_HLEN + o.len, &o);
	if (step != STEP_GO_ON)
		return step;
	if (o.ecn == ECN_CE && o.inner_ecn == 0)
		return drop(DECAP_CNT_ecn_drop);
	if (strip(skb, &o))
		return drop(DECAP_CNT_failed);
	if (o.ecn == ECN_CE)
		bpf_skb_ecn_set_ce(skb);
	/* The hash that steers to CPUs was the outer's. */
	bpf_set_hash_invalid(skb);
	count_decapsulated(&o);
	return STEP_GO_ON;
}

SEC("tc")
int fairway_decap(struct __sk_buff *skb)
{
	/* Not for us (promiscuous), or for a VLAN device above: that one gets its own filter. */
	if (skb->pkt_type != PACKET_HOST || skb->vlan_present)
		return TC_ACT_UNSPEC;
	return decapsulate(skb) == STEP_DROP ? TC_ACT_SHOT : TC_ACT_UNSPEC;
}

/* Tunnel devices have no Ethernet header: the inner IP header stands first. */
SEC("tc")
int fairway_guard(struct __sk_buff *skb)
{
	struct decap_addr key;
	struct ipv6hdr ip6;
	struct iphdr ip4;

	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, 0, &ip4, sizeof(ip4)))
			return TC_ACT_SHOT;
		key_ipv4(&key, ip4.daddr);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, 0, &ip6, sizeof(ip6)))
			return TC_ACT_SHOT;
		key_ipv6(&key, &ip6.daddr);
	} else {
		return TC_ACT_SHOT;
	}
	if (!bpf_map_lookup_elem(&vips, &key)) {
		count(DECAP_CNT_tunnel_foreign);
		return TC_ACT_SHOT;
	}
	count(DECAP_CNT_from_tunnel);
	return TC_ACT_UNSPEC;
}

/* A walk over TCP options. The array has room for an option's head behind the last byte. */
struct option_walk {
	__u8 options[TCP_OPTIONS_MAX + 4];
	__u32 len, at;
	__u32 mss_at; /* of the MSS option's value; 0: not found */
};

/* One option; 1 ends the walk. A callback, since the verifier follows each turn of a plain loop in
 * each of its states: 1.5 s of loading instead of 1 ms. */
static long next_option(__u32 turn, void *ctx)
{
	struct option_walk *w = ctx;
	__u32 at = w->at;

	if (at >= TCP_OPTIONS_MAX || at + 4 > w->len || w->options[at] == TCPOPT_EOL)
		return 1;
	if (w->options[at] == TCPOPT_NOP) {
		w->at = at + 1;
		return 0;
	}
	if (w->options[at] == TCPOPT_MSS) {
		if (w->options[at + 1] == 4)
			w->mss_at = at + 2;
		return 1;
	}
	if (w->options[at + 1] < 2)
		return 1;
	w->at = at + w->options[at + 1];
	return 0;
}

/* bpf_l4_csum_replace() knows that a half-checksummed packet's field covers only the pseudo header
 * and leaves it alone. An option at an odd offset counts with its bytes swapped (RFC 1071). */
static __always_inline void store_mss(struct __sk_buff *skb, __u32 tcp_at, __u32 mss_at,
				      __be16 before, __u16 mss)
{
	__be16 after = bpf_htons(mss);
	__u32 from = before, to = after;

	if ((mss_at - tcp_at) & 1) {
		from = __builtin_bswap16(before);
		to = __builtin_bswap16(after);
	}
	if (bpf_l4_csum_replace(skb, tcp_at + offsetof(struct tcphdr, check), from, to,
				sizeof(__be16)))
		return;
	/* Cannot fail: the bytes were read a moment ago, and the packet is writable by now. */
	bpf_skb_store_bytes(skb, mss_at, &after, sizeof(after), 0);
	count(DECAP_CNT_mss_lowered);
}

static __always_inline void clamp(struct __sk_buff *skb, __u32 tcp_at, __u16 mss)
{
	struct option_walk walk = {0};
	struct tcphdr tcp;
	__be16 before;

	if (!mss || bpf_skb_load_bytes(skb, tcp_at, &tcp, sizeof(tcp)) || !tcp.syn)
		return;
	walk.len = tcp.doff * 4;
	if (walk.len <= sizeof(tcp))
		return;
	walk.len -= sizeof(tcp);
	if (walk.len > TCP_OPTIONS_MAX ||
	    bpf_skb_load_bytes(skb, tcp_at + sizeof(tcp), walk.options, walk.len))
		return;
	bpf_loop(TCP_OPTIONS_MAX, next_option, &walk, 0);
	if (!walk.mss_at || walk.mss_at > TCP_OPTIONS_MAX)
		return;
	__builtin_memcpy(&before, walk.options + walk.mss_at, sizeof(before));
	if (bpf_ntohs(before) > mss)
		store_mss(skb, tcp_at, tcp_at + sizeof(tcp) + walk.mss_at, before, mss);
}

SEC("tc")
int fairway_clamp(struct __sk_buff *skb)
{
	struct decap_settings *set;
	struct decap_addr key;
	struct ipv6hdr ip6;
	struct iphdr ip4;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set)
		return TC_ACT_UNSPEC;
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip4, sizeof(ip4)) ||
		    ip4.protocol != IPPROTO_TCP || ip4.frag_off & bpf_htons(0x1fff))
			return TC_ACT_UNSPEC;
		key_ipv4(&key, ip4.saddr);
		if (bpf_map_lookup_elem(&vips, &key))
			clamp(skb, ETH_HLEN + ip4.ihl * 4, set->mss_ipv4);
	} else if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip6, sizeof(ip6)) ||
		    ip6.nexthdr != IPPROTO_TCP)
			return TC_ACT_UNSPEC;
		key_ipv6(&key, &ip6.saddr);
		if (bpf_map_lookup_elem(&vips, &key))
			clamp(skb, ETH_HLEN + sizeof(ip6), set->mss_ipv6);
	}
	return TC_ACT_UNSPEC;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
