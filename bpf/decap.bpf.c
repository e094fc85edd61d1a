/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The real server's side of IPIP and GUE direct server return, as three tc programs.
 *
 * fairway_decap (ingress of the interface) takes the outer header off packets that the balancer
 * sent: outer destination among `outers`, inner destination among `vips`. Anything else goes on as
 * it came, so that this is never an open decapsulator and never in the way of other tunnels.
 *
 * Of GUE it takes what carries nothing but an IP packet: variant 1, where that packet follows the
 * UDP header at once, which is what Fairway sends, and variant 0 with the four bytes of a data
 * message without flags and extensions, which other balancers send.
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
 * RFC 2003 (IP in IP), RFC 2473 (in IPv6), RFC 4213 (6in4), RFC 6040 (ECN across tunnels),
 * draft-ietf-intarea-gue sections 3 and 4 (GUE), RFC 6935 and 6936 (UDP checksum zero). */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/decap_tables.h"

/* Linux 6.3 and later; older headers lack them. */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)

#define EINVAL          22
#define IP_FRAGMENT     0x3fff /* more fragments, or an offset */
#define IP_OFFSET       0x1fff
#define ECN_MASK        3
#define ECN_CE          3
#define ECN_ECT_0       2
#define ECN_ECT_1       1
#define TCPOPT_EOL      0
#define TCPOPT_NOP      1
#define TCPOPT_MSS      2
#define TCP_OPTIONS_MAX 40
#define GUE_HEADER      4   /* of variant 0, without extensions */
#define SUM_CHUNK       128 /* bytes summed at a time */
#define IP_PACKET_MAX   0xffff

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
	__u32 len;         /* bytes from the Ethernet header to the inner IP header */
	__u32 room;        /* GUE: bytes that the inner packet may have */
	__u32 udp_at;      /* GUE: where the UDP header stands in the frame; 0: IP in IP */
	__u32 pseudo;      /* GUE with a checksum: the sum of the outer addresses */
	struct udphdr udp; /* GUE */
	__u8 version;      /* 4 or 6 */
	__u8 inner;        /* 4 or 6 */
	__u8 ecn;          /* the outer's */
	__u8 inner_ecn;    /* filled by read_inner() */
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

/* True for UDP to the GUE port; then its header is in o->udp. */
static __always_inline int read_udp(struct __sk_buff *skb, __u32 at, struct outer *o)
{
	struct decap_settings *set;
	__u32 zero = 0;

	set = bpf_map_lookup_elem(&settings, &zero);
	if (!set || !set->gue_port || bpf_skb_load_bytes(skb, at, &o->udp, sizeof(o->udp)))
		return 0;
	o->udp_at = at;
	return o->udp.dest == bpf_htons(set->gue_port);
}

/* What protocol number and bytes behind the outer IP header say: 0 when nothing of ours. */
static __always_inline int is_tunnel(struct __sk_buff *skb, __u8 protocol, __u32 at,
				     struct outer *o)
{
	o->inner = inner_version(protocol);
	return o->inner || (protocol == IPPROTO_UDP && read_udp(skb, at, o));
}

/* The GUE header, and the lengths down to it: UDP's ends within IP's, which ends within the frame.
 * What isn't for us is the stack's, which has a word on broken datagrams itself. */
static __always_inline enum step read_gue(struct __sk_buff *skb, __u32 ip_end, struct outer *o)
{
	__u32 len = bpf_ntohs(o->udp.len), header = 0;
	__u8 gue[GUE_HEADER];

	if (skb->gso_size)
		return pass(DECAP_CNT_gue_merged);
	if (ip_end > skb->len || o->udp_at + len > ip_end || len < sizeof(o->udp) + GUE_HEADER ||
	    bpf_skb_load_bytes(skb, o->udp_at + sizeof(o->udp), gue, sizeof(gue)))
		return pass(DECAP_CNT_gue_other);
	if (gue[0] >> 4 == 4 || gue[0] >> 4 == 6) {
		o->inner = gue[0] >> 4;
	} else if (!gue[0] && !gue[2] && !gue[3]) {
		o->inner = inner_version(gue[1]);
		header = GUE_HEADER;
	}
	if (!o->inner)
		return pass(DECAP_CNT_gue_other);
	o->len += sizeof(o->udp) + header;
	o->room = len - sizeof(o->udp) - header;
	return STEP_GO_ON;
}

static __always_inline enum step read_outer_ipv4(struct __sk_buff *skb, struct outer *o)
{
	struct decap_addr key;
	struct iphdr ip;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return STEP_PASS;
	/* Only the first fragment of a datagram has a UDP header. */
	if (ip.protocol == IPPROTO_UDP && ip.frag_off & bpf_htons(IP_OFFSET))
		return STEP_PASS;
	if (!is_tunnel(skb, ip.protocol, ETH_HLEN + ip.ihl * 4, o))
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
	if (!o->udp_at)
		return STEP_GO_ON;
	if (o->udp.check)
		o->pseudo = bpf_csum_diff(NULL, 0, &ip.saddr, 2 * sizeof(ip.saddr), 0);
	return read_gue(skb, ETH_HLEN + bpf_ntohs(ip.tot_len), o);
}

/* One destination options header is stepped over: Linux's own ip6tnl sends the tunnel encapsulation
 * limit in one (RFC 2473, 4.1.1). */
static __always_inline enum step read_outer_ipv6(struct __sk_buff *skb, struct outer *o)
{
	struct decap_addr key;
	struct ipv6hdr ip;
	__u8 option[2];
	__u8 protocol;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof(ip)))
		return STEP_PASS;
	o->len = sizeof(ip);
	protocol = ip.nexthdr;
	if (protocol == IPPROTO_DSTOPTS) {
		if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(ip), option, sizeof(option)))
			return STEP_PASS;
		protocol = option[0];
		o->len += (option[1] + 1) * 8;
	}
	if (!is_tunnel(skb, protocol, ETH_HLEN + o->len, o))
		return STEP_PASS;
	key_ipv6(&key, &ip.daddr);
	if (!bpf_map_lookup_elem(&outers, &key))
		return pass(DECAP_CNT_foreign_outer);
	o->version = 6;
	o->ecn = (ip.flow_lbl[0] >> 4) & ECN_MASK;
	if (!o->udp_at)
		return STEP_GO_ON;
	if (o->udp.check)
		o->pseudo = bpf_csum_diff(NULL, 0, (__be32 *)&ip.saddr, 2 * sizeof(ip.saddr), 0);
	return read_gue(skb, ETH_HLEN + sizeof(ip) + bpf_ntohs(ip.payload_len), o);
}

/* The inner lengths are held against the UDP datagram here, since the stack would count padding
 * behind it in; those of IP in IP, GRO-merged packets among them, the stack checks itself. */
static __always_inline enum step read_inner(struct __sk_buff *skb, __u32 offset, struct outer *o)
{
	struct decap_addr key;
	struct ipv6hdr ip6;
	struct iphdr ip4;

	if (o->inner == 4) {
		if (bpf_skb_load_bytes(skb, offset, &ip4, sizeof(ip4)) || ip4.version != 4 ||
		    ip4.ihl < 5)
			return drop(DECAP_CNT_malformed);
		if (o->udp_at &&
		    (bpf_ntohs(ip4.tot_len) > o->room || bpf_ntohs(ip4.tot_len) < ip4.ihl * 4))
			return drop(DECAP_CNT_malformed);
		key_ipv4(&key, ip4.daddr);
		o->inner_ecn = ip4.tos & ECN_MASK;
	} else {
		if (bpf_skb_load_bytes(skb, offset, &ip6, sizeof(ip6)) || ip6.version != 6)
			return drop(DECAP_CNT_malformed);
		if (o->udp_at && bpf_ntohs(ip6.payload_len) + sizeof(ip6) > o->room)
			return drop(DECAP_CNT_malformed);
		key_ipv6(&key, &ip6.daddr);
		o->inner_ecn = (ip6.flow_lbl[0] >> 4) & ECN_MASK;
	}
	if (!bpf_map_lookup_elem(&vips, &key))
		return pass(DECAP_CNT_foreign_inner);
	return STEP_GO_ON;
}

/* A sum over part of the frame, as it grows. */
struct frame_sum {
	struct __sk_buff *skb;
	__u32 at, left;
	__u32 sum;
};

/* One turn of bpf_loop(); 1 ends it. */
static long add_chunk(__u32 turn, void *ctx)
{
	__be32 chunk[SUM_CHUNK / sizeof(__be32)] = {0};
	struct frame_sum *f = ctx;
	__u32 n = f->left;

	if (!n)
		return 1;
	n = n > SUM_CHUNK ? SUM_CHUNK - 1 : n - 1;
	/* Nothing changes here; without it Linux 6.1's verifier doesn't see that n isn't 0. */
	asm volatile("" : "+r"(n));
	n = (n & (SUM_CHUNK - 1)) + 1;
	if (bpf_skb_load_bytes(f->skb, f->at, chunk, n))
		return 1;
	f->sum = bpf_csum_diff(NULL, 0, chunk, sizeof(chunk), f->sum);
	f->at += n;
	f->left -= n;
	return 0;
}

/* RFC 768, and RFC 8200 section 8.1: the pseudo headers of both families sum up alike. */
static __always_inline int udp_sum_is_right(struct __sk_buff *skb, const struct outer *o)
{
	struct frame_sum f = {skb, o->udp_at, bpf_ntohs(o->udp.len), o->pseudo};
	__u64 sum;

	bpf_loop(IP_PACKET_MAX / SUM_CHUNK + 1, add_chunk, &f, 0);
	sum = (__u64)f.sum + bpf_htons(IPPROTO_UDP) + o->udp.len;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return !f.left && sum == 0xffff;
}

/* Packets between guests of one host come with checksums that no NIC has filled in yet, the outer
 * or the inner one. Nothing says so but bpf_l4_csum_replace(), which then leaves the field as it
 * is. */
static __always_inline int checksums_are_open(struct __sk_buff *skb, const struct outer *o)
{
	__u32 at = o->udp_at + offsetof(struct udphdr, check);
	__u16 before = o->udp.check, now = 0;

	if (bpf_l4_csum_replace(skb, at, 0, 1, sizeof(now)) ||
	    bpf_skb_load_bytes(skb, at, &now, sizeof(now)) ||
	    bpf_skb_store_bytes(skb, at, &before, sizeof(before), 0))
		return 0;
	return now == before;
}

/* Zero, which Fairway sends, says that there is none (RFC 6935, RFC 6936). Any other must be right
 * (RFC 1122, 4.1.3.4): the NIC has found it so, or it is computed. */
static __always_inline int udp_checksum_ok(struct __sk_buff *skb, const struct outer *o)
{
	return !o->udp.check || bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) >= 0 ||
	       udp_sum_is_right(skb, o) || checksums_are_open(skb, o);
}

/* Remove the outer header. NO_CSUM_RESET: an IP header carries no checksum over the payload, so
 * what the NIC found out about the inner one stays true; forget_udp() deals with GUE's. FIXED_GSO:
 * segment sizes that GRO noted are the inner TCP's already.
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

/* The outermost of the checksums that the NIC vouches for is the outer UDP's, also when it is zero;
 * what it said of the inner ones stays true. */
static __always_inline void forget_udp(struct __sk_buff *skb)
{
	bpf_csum_level(skb, BPF_CSUM_LEVEL_DEC);
}

/* ECT(0) becomes ECT(1), in the IP header that is outermost now: both bits change. A failure, which
 * bytes just read rule out, would lose the mark only. */
static __always_inline void set_ect_1(struct __sk_buff *skb, __u8 version)
{
	__be16 before, after;

	if (bpf_skb_load_bytes(skb, ETH_HLEN, &before, sizeof(before)))
		return;
	after = before ^ bpf_htons(version == 4 ? ECN_MASK : ECN_MASK << 4);
	if (version == 4 && bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check),
						before, after, sizeof(after)))
		return;
	bpf_skb_store_bytes(skb, ETH_HLEN, &after, sizeof(after),
			    version == 4 ? 0 : BPF_F_RECOMPUTE_CSUM);
}

/* RFC 6040, figure 4; an outer mark of congestion on a flow without ECN was dropped before. */
static __always_inline void combine_ecn(struct __sk_buff *skb, const struct outer *o)
{
	if (o->ecn == ECN_CE)
		bpf_skb_ecn_set_ce(skb);
	else if (o->ecn == ECN_ECT_1 && o->inner_ecn == ECN_ECT_0)
		set_ect_1(skb, o->inner);
}

static __always_inline void count_decapsulated(const struct outer *o)
{
	__u32 first = o->udp_at ? DECAP_CNT_gue_ipv4_in_ipv4 : DECAP_CNT_ipv4_in_ipv4;

	count(first + (o->version == 6 ? 2 : 0) + (o->inner == 6 ? 1 : 0));
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
	if (o.udp_at && !udp_checksum_ok(skb, &o))
		return drop(DECAP_CNT_gue_checksum);
	if (o.ecn == ECN_CE && o.inner_ecn == 0)
		return drop(DECAP_CNT_ecn_drop);
	if (strip(skb, &o))
		return drop(DECAP_CNT_failed);
	if (o.udp_at)
		forget_udp(skb);
	combine_ecn(skb, &o);
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
