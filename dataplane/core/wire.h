/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_WIRE_H
#define FAIRWAY_CORE_WIRE_H

/* Headers as they stand on the wire. Frames put IP at an even address and no better, which is what
 * aligned(2) says. */

#include "dataplane/core/tables.h"

#define LB_WIRE          __attribute__((packed, aligned(2)))
#define LB_ALWAYS_INLINE static inline __attribute__((always_inline))
#define LB_LIKELY(x)     __builtin_expect(!!(x), 1)
#define LB_UNLIKELY(x)   __builtin_expect(!!(x), 0)

/* A part of the rarer paths that is too long to stand in the program more than once. One that takes
 * no pointer into the packet is global for the verifier, which then looks at it by itself and once,
 * and wants to see that its pointers aren't NULL, and an int or wider returned. */
#ifdef __bpf__
#define LB_SUBPROGRAM        static __attribute__((noinline))
#define LB_GLOBAL_SUBPROGRAM __attribute__((noinline))
#define LB_GIVEN(pointers)                                                                         \
	do {                                                                                       \
		if (!(pointers))                                                                   \
			return 0;                                                                  \
	} while (0)
#else
#define LB_SUBPROGRAM        static inline
#define LB_GLOBAL_SUBPROGRAM static inline
#define LB_GIVEN(pointers)   ((void)0)
#endif

/* Have a value in one register from here on: what the verifier learns about a copy of it, or about
 * the same sum made again, it doesn't know of this one. */
#ifdef __bpf__
#define LB_KEEP(x) asm volatile("" : "+r"(x))
#else
#define LB_KEEP(x) ((void)(x))
#endif

/*
 * Words that somebody else changes meanwhile are each read and written whole. ThreadSanitizer takes
 * the language's word for it, so in its builds, and in no other, they are the language's atomics:
 *
 *   LB_READ_ONCE    one load. What it leads to (an index into a table) is read behind it, which
 *                   machines keep because its place depends on the word; the language calls that
 *                   acquire, for want of a consume that compilers keep.
 *   LB_READ_FIRST   the same where what is read behind it doesn't depend on it: an entry's key.
 *   LB_READ_ANY     a word by itself, of which the old will do as well as the new, also when it is
 *                   read twice: clocks, limits, the hash key.
 *   LB_WRITE        a store that others read, or that they may overwrite.
 *   LB_IS_WHOLE     asks first what makes what is read next worth anything; else that is read all
 *                   the same, because it is cheaper, and not used.
 */
#if defined(__SANITIZE_THREAD__)
#define LB_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LB_TSAN 1
#endif
#endif

#ifdef LB_TSAN
#define LB_IS_WHOLE(x)     (x)
#define LB_READ_ONCE(x)    __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define LB_READ_FIRST(x)   __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#define LB_READ_ANY(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define LB_WRITE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#else
#define LB_READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
/* Loads stay in their order on x86, and BPF has no acquire that clang 14 knows. */
#if defined(__bpf__) || defined(__x86_64__)
#define LB_READ_FIRST(x) LB_READ_ONCE(x)
#else
#define LB_READ_FIRST(x) __atomic_load_n(&(x), __ATOMIC_ACQUIRE)
#endif
#define LB_IS_WHOLE(x)     1
#define LB_READ_ANY(x)     (x)
#define LB_WRITE(x, value) ((x) = (value))
#endif

/* The word was as expected and is now what it should become; else it is untouched, and 0. */
LB_ALWAYS_INLINE int lb_replace64(__u64 *word, __u64 expected, __u64 value)
{
	return __sync_val_compare_and_swap(word, expected, value) == expected;
}

/* A loop that nearly always ends in its first round and is not worth many copies. */
#ifdef __bpf__
#define LB_NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define LB_NO_UNROLL
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LB_BE16(x) ((__be16)__builtin_bswap16((__u16)(x)))
#define LB_BE32(x) ((__be32)__builtin_bswap32((__u32)(x)))
#else
#define LB_BE16(x) ((__be16)(x))
#define LB_BE32(x) ((__be32)(x))
#endif
#define LB_HOST16(x) ((__u16)LB_BE16(x))
#define LB_HOST32(x) ((__u32)LB_BE32(x))

/* Words of a frame that stand at no natural address, in one access. The kernel lets programs read
 * and write packets so on every machine that does it in one access itself; clang for BPF would
 * otherwise go byte by byte. */
#ifdef __bpf__
#define LB_WORD_ACCESS(bits)                                                                       \
	LB_ALWAYS_INLINE __u##bits lb_get##bits(const void *p)                                     \
	{                                                                                          \
		return *(const __u##bits *)p;                                                      \
	}                                                                                          \
	LB_ALWAYS_INLINE void lb_put##bits(void *p, __u##bits value)                               \
	{                                                                                          \
		*(__u##bits *)p = value;                                                           \
	}
#else
#define LB_WORD_ACCESS(bits)                                                                       \
	LB_ALWAYS_INLINE __u##bits lb_get##bits(const void *p)                                     \
	{                                                                                          \
		__u##bits value;                                                                   \
                                                                                                   \
		__builtin_memcpy(&value, p, sizeof(value));                                        \
		return value;                                                                      \
	}                                                                                          \
	LB_ALWAYS_INLINE void lb_put##bits(void *p, __u##bits value)                               \
	{                                                                                          \
		__builtin_memcpy(p, &value, sizeof(value));                                        \
	}
#endif

LB_WORD_ACCESS(32)
LB_WORD_ACCESS(64)

#define LB_ETH_P_IP4    0x0800
#define LB_ETH_P_IP6    0x86dd
#define LB_ETH_P_8021Q  0x8100
#define LB_ETH_P_8021AD 0x88a8

#define LB_IPPROTO_HOPOPTS  0
#define LB_IPPROTO_ICMP     1
#define LB_IPPROTO_IPIP     4
#define LB_IPPROTO_TCP      6
#define LB_IPPROTO_UDP      17
#define LB_IPPROTO_IPV6     41
#define LB_IPPROTO_ROUTING  43
#define LB_IPPROTO_FRAGMENT 44
#define LB_IPPROTO_AH       51
#define LB_IPPROTO_ICMPV6   58
#define LB_IPPROTO_DSTOPTS  60
#define LB_IPPROTO_MOBILITY 135

struct lb_eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 proto;
} LB_WIRE;

#define LB_IP4_DF       0x4000
#define LB_IP4_MORE     0x2000
#define LB_IP4_OFFSET   0x1fff
#define LB_IP4_FRAGMENT 0x3fff /* more fragments, or an offset */

/* RFC 791 section 3.1 */
struct lb_ip4 {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 flags_offset;
	__u8 ttl;
	__u8 protocol;
	__be16 checksum;
	__be16 src[2];
	__be16 dst[2];
} LB_WIRE;

#define LB_IP6_MTU_MIN 1280U

/* RFC 8200 section 3 */
struct lb_ip6 {
	__be32 version_class_label;
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__be16 src[8];
	__be16 dst[8];
} LB_WIRE;

/* The first bytes of an extension header, RFC 8200 section 4. */
struct lb_ip6_extension {
	__u8 next_header;
	__u8 length;
	__u8 type;
	__u8 segments_left;
	__be32 data;
} LB_WIRE;

/* RFC 8200 section 4.5 */
struct lb_ip6_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset_flags;
	__be16 id[2];
} LB_WIRE;

#define LB_IP6_FRAGMENT_OFFSET 0xfff8
#define LB_IP6_FRAGMENT_MORE   0x0001

/* RFC 792, RFC 4443 */
struct lb_icmp {
	__u8 type;
	__u8 code;
	__be16 checksum;
	__be16 rest[2];
} LB_WIRE;

/* RFC 9293 section 3.1 */
struct lb_tcp {
	__be16 src;
	__be16 dst;
	__be32 seq;
	__be32 ack;
	__u8 data_offset; /* upper four bits, in 32-bit words */
	__u8 flags;
	__be16 window;
	__be16 checksum;
	__be16 urgent;
} LB_WIRE;

/* RFC 768 */
struct lb_udp {
	__be16 src;
	__be16 dst;
	__be16 length;
	__be16 checksum;
} LB_WIRE;

LB_ASSERT_SIZE(struct lb_eth, 14);
LB_ASSERT_SIZE(struct lb_ip4, 20);
LB_ASSERT_SIZE(struct lb_ip6, 40);
LB_ASSERT_SIZE(struct lb_tcp, 20);
LB_ASSERT_SIZE(struct lb_udp, 8);
LB_ASSERT_SIZE(struct lb_ip6_extension, 8);
LB_ASSERT_SIZE(struct lb_ip6_fragment, 8);
LB_ASSERT_SIZE(struct lb_icmp, 8);

#define LB_TCP_SYN 0x02
#define LB_TCP_ACK 0x10

#endif
