/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_TABLES_H
#define FAIRWAY_CORE_TABLES_H

/*
 * The layout of the tables: the one contract between the control plane, which writes them, and
 * every engine, which reads them. All are flat arrays in shared memory:
 *
 *   vip index --> service --> slot --> real --> interface
 *                               |
 *                               +--> flow table, for slots that changed
 *
 * A reader may be anywhere on that path while the writer works, therefore:
 *  - a service and a real are immutable once something points at them, but for lb_real.nexthop,
 *    which is one aligned 8-byte word;
 *  - a change writes new records where nobody reads and publishes them by one aligned store of
 *    lb_vip_entry.service; the old ones are reused after every reader has moved on.
 * Engines write counters, flows, fragments and limits; everything else has one writer, the control
 * plane.
 */

#include <linux/types.h>

/* Raised with any change below; an engine and a writer of different versions refuse each other. */
#define LB_LAYOUT_VERSION 3

#ifdef __cplusplus
#define LB_ASSERT(condition, words) static_assert(condition, words)
#else
#define LB_ASSERT(condition, words) _Static_assert(condition, words)
#endif
#define LB_ASSERT_SIZE(type, size) LB_ASSERT(sizeof(type) == (size), #type)

/* ---- keys: open addressing with linear probing, a power of two of entries ---- */

/* A lookup visits at most so many entries; the writer keeps every key within that distance. */
#define LB_VIP_PROBE_MAX 8

#define LB_SERVICE_NONE    0U          /* entry never used: the probe ends here */
#define LB_SERVICE_DELETED 0xffffffffU /* entry unused now: the probe goes on */

/* What a key is made of, the top byte of lb_vip_entry.word. */
#define LB_KEY_EXACT4 0x04U /* address, port and protocol; scope 0 */
#define LB_KEY_EXACT6 0x06U
#define LB_KEY_SHAPED4                                                                             \
	0x14U /* address and port masked; scope is the shape, see lb_node.shapes4                  \
	       */
#define LB_KEY_SHAPED6 0x16U
#define LB_KEY_QUIC    0x20U /* a server id of QUIC-LB; scope is the pool, service is a real */
#define LB_KEY_DENIED4                                                                             \
	0x34U /* a source prefix; scope is the list: table of denied prefixes only                 \
	       */
#define LB_KEY_DENIED6 0x36U

/*
 * Key and value of the VIP index and of the table of denied prefixes; lb_key_word() makes the word.
 *
 *  EXACT   addr, port, protocol (IPPROTO_TCP, IPPROTO_UDP). Protocol 0 with port 0 is the address
 *          itself: it tells that an address is a VIP whatever the packet asks of it.
 *  SHAPED  the same for a prefix of addresses or a block of ports, or both.
 *  QUIC    addr holds the server id, zero-padded to 15 bytes, and its length in the last byte;
 *          the word's port is the config rotation.
 *  DENIED  addr holds the prefix; the word's port is its length.
 */
struct lb_vip_entry {
	__be32 addr[4]; /* an IPv4 address stands in addr[0], the rest is zero */
	__u32 word;
	__u32 service; /* index of struct lb_service, NONE or DELETED */
	__u32 scope;
	__u32 reserved;
};
LB_ASSERT_SIZE(struct lb_vip_entry, 32);

/* A shape: which bits of address and port a SHAPED key has. Lists of them end with 0 and stand in
 * the order in which they are tried: longer prefixes first, then fewer port bits; so each packet
 * finds the most specific service of the most specific prefix. */
#define LB_SHAPES_MAX         32U
#define LB_SHAPE(plen, bits)  (0x10000U | (__u32)(plen) << 8 | (bits))
#define LB_SHAPE_PREFIX(s)    (((s) >> 8) & 0xff) /* leading bits of the address */
#define LB_SHAPE_PORT_BITS(s) ((s)&0xff) /* low bits of the port that don't count, 0 to 16 */
#define LB_SHAPE_ADDRESS      0xffU /* as port bits: the prefix itself, port 0 and protocol 0 */

/* ---- services ---- */

#define LB_SERVICE_ADDRESS   0x1U  /* behind an address key: no ring, "this address is a VIP" */
#define LB_SERVICE_ECHO      0x2U  /* with ADDRESS: the VIP is up, answer ping */
#define LB_SERVICE_HASH      0x4U  /* lb_service.hash is not LB_HASH_5TUPLE */
#define LB_SERVICE_QUIC      0x8U  /* route by connection id where it names a real */
#define LB_SERVICE_DENY      0x10U /* ask the list lb_service.deny_list */
#define LB_SERVICE_LIMIT_SYN 0x20U /* SYNs pass through lb_service.limit */

/* What the slot is chosen by. The flow table always goes by the whole 5-tuple. */
enum lb_hash_mode {
	LB_HASH_5TUPLE,
	LB_HASH_SOURCE,
	LB_HASH_SOURCE_DESTINATION,
	LB_HASH_DESTINATION_PORT,
};

struct lb_service {
	__u32 flags;
	__u32 ring_start;    /* first slot of the ring, a multiple of LB_SLOTS_PER_LINE */
	__u32 ring_slots;    /* size of the ring, a prime; 0: no real to send to */
	__u32 counter;       /* index of the service's counter, see struct lb_dims */
	__u32 pool;          /* control plane's pool number; scope of the pool's QUIC keys */
	__u32 vip;           /* control plane's VIP number */
	__u32 hash;          /* enum lb_hash_mode */
	__u32 limit;         /* index of struct lb_limit */
	__u32 deny_list;     /* scope of the list's keys */
	__u8 quic_length[8]; /* bytes of the server id by config rotation; 0: not configured */
	__u32 reserved[5];
};
LB_ASSERT_SIZE(struct lb_service, 64);

/* ---- slots: Maglev rings, packed many to an element because BPF pads elements to 8 bytes ---- */

#define LB_SLOTS_PER_LINE 32U
#define LB_SLOT_TRACKED   0x8000U /* the slot changed: the previous array has the old real */
#define LB_SLOT_REAL_MASK 0x7fffU /* index of struct lb_real */
#define LB_REALS_MAX      0x8000U /* what LB_SLOT_REAL_MASK can name, real 0 meaning none */

/* One element of the slots array (current real and tracked bit) and of the previous array. */
struct lb_slot_line {
	__u16 slot[LB_SLOTS_PER_LINE];
};
LB_ASSERT_SIZE(struct lb_slot_line, 64);

/* ---- reals ---- */

enum lb_encap {
	LB_ENCAP_IPIP = 1,
	LB_ENCAP_L2DSR = 2,
	LB_ENCAP_GUE = 3, /* variant 1: IP directly inside UDP */
};

/* In the upper bit of a next hop's interface: the real is dead, flows that had it go elsewhere. A
 * slot's current real is never marked so. */
#define LB_NEXTHOP_DEAD 0x8000U

struct lb_real {
	/* Where frames go, one word so that it changes in one store: bytes 0..5 are the destination
	 * MAC address, bytes 6..7 the index of struct lb_iface in host order, with LB_NEXTHOP_DEAD.
	 * Interface 0: not resolved. */
	__u64 nexthop;
	__be32 addr[4];      /* the real's address: the outer destination */
	__be32 source[4];    /* outer source; entropy is xored into the bits below */
	__be32 source_mask;  /* bits of source[0] (IPv4) or source[3] (IPv6) that carry entropy */
	__u32 checksum_base; /* what addr[0] adds to the outer IPv4 header's checksum */
	__u8 encap;          /* enum lb_encap */
	__u8 family;         /* 4 or 6: the real's address, hence the outer header */
	__u8 grow_bytes;     /* of the outer headers: 0, 20 or 40, with GUE 28 or 48 */
	__u8 reserved;
	__u16 reserved2;
	__be16 gue_port; /* UDP destination port of GUE */
	__u64 pool_key;  /* control plane's 64-bit name of the pool, for adoption */
};
LB_ASSERT_SIZE(struct lb_real, 64);

/* ---- interfaces ---- */

#define LB_IFACES_MAX 64U

/* The only interface the engine is attached to: send out of where the packet came in. */
#define LB_IFACE_SOLE 0x1U
/* Frames that leave carry these VLAN tags, whatever tags they came with. Otherwise they keep those
 * they came with. */
#define LB_IFACE_TAGS 0x2U

#define LB_TAGS_MAX 2U

struct lb_iface {
	__u32 ifindex;
	__u16 flags;
	__u16 mtu;        /* largest IP packet the interface sends; 0xffff where nothing checks */
	__u8 mac[6];      /* source of the frames that leave here */
	__u16 common_mtu; /* the same; 0 with LB_IFACE_TAGS and for no interface: no short way */
	__u32 n_tags;
	__be32 tags[LB_TAGS_MAX]; /* outermost first: TPID and TCI as on the wire */
	__u32 reserved;
};
LB_ASSERT_SIZE(struct lb_iface, 32);

/* ---- node: what all packets need ---- */

struct lb_node {
	__u64 hash_key[4]; /* from the fleet's hash_seed; [2] and [3] are odd */
	__u32 vip_mask;    /* entries of the VIP index minus one */
	__u32 layout_version;
	__u32 flow_buckets;     /* of the flow table; 0: nothing is tracked */
	__u32 fragment_buckets; /* of the fragment table */
	/* Coarse clocks, advanced by the control plane, of which 8 bits are stamped on entries. */
	__u32 flow_stamp;
	__u32 fragment_stamp;
	__u32 deny_mask; /* entries of the table of denied prefixes minus one */
	__u32 reserved;
	__u32 shapes4[LB_SHAPES_MAX]; /* LB_SHAPE(), 0 ends */
	__u32 shapes6[LB_SHAPES_MAX];
	__u32 denied4[LB_SHAPES_MAX]; /* prefix lengths + 1 in use, 0 ends */
	__u32 denied6[LB_SHAPES_MAX];
	struct lb_iface ifaces[LB_IFACES_MAX]; /* index 0 stays unused */
};
LB_ASSERT_SIZE(struct lb_node, 64 + 4 * LB_SHAPES_MAX * 4 + LB_IFACES_MAX * 32);

/* ---- flows and fragments: set-associative, a bucket is one cache line ---- */

#define LB_BUCKET_WAYS 7U

/*
 * An entry is one word, 0 when free:
 *   bits 63..24  tag: what tells its flow from others of the bucket
 *   bits 23..16  stamp: the low bits of the table's clock when it was last used
 *   bit  15      confirmed: a packet found it after it was made
 *   bits 14..0   index of struct lb_real
 *
 * A flow's bucket comes from the lower half of its hash, its tag from the upper half and eight bits
 * of the lower one, so that the control plane can tell from an entry which slot of a ring its flow
 * has (lb_flow_slot()). An entry is read and written as one aligned word, made by compare-and-swap.
 */
#define LB_FLOW_CONFIRMED  0x8000ULL
#define LB_FLOW_REAL_MASK  0x7fffULL
#define LB_FLOW_STAMP_LOW  16
#define LB_FLOW_STAMP_MASK 0xff0000ULL
#define LB_FLOW_TAG_MASK   0xffffffffff000000ULL

struct lb_bucket {
	__u64 entry[LB_BUCKET_WAYS];
	__u64 hand; /* where the search for an entry to evict starts: first in, first out */
};
LB_ASSERT_SIZE(struct lb_bucket, 64);

/* ---- limits: token buckets as one time (GCRA, ITU-T I.371 annex A) ---- */

#define LB_LIMIT_ECHO    1U /* answers to ping */
#define LB_LIMIT_TOO_BIG 2U /* fragmentation needed and packet too big */
#define LB_LIMIT_FIRST   3U /* the first that a service may have */

struct lb_limit {
	__u64 interval_ns; /* one event in so long on the average; 0: no limit */
	__u64 burst_ns;    /* how far the events may run ahead of that */
	__u64 arrival_ns;  /* written by engines: when the next event is due */
	__u64 reserved[5];
};
LB_ASSERT_SIZE(struct lb_limit, 64);

/* ---- counters ---- */

/* One row per CPU (or worker), so that nobody shares a line, and one more for the control plane:
 * a value is the sum over all rows. A row holds a counter for each reason, each service and each
 * real. */
struct lb_counter {
	__u64 packets;
	__u64 bytes;
};
LB_ASSERT_SIZE(struct lb_counter, 16);

#define LB_COUNTER_REASONS 64U /* the first so many counters of a row, by enum lb_reason */

/* How large each table is, in elements. A set of tables never changes its dimensions: growing
 * means a new set. */
struct lb_dims {
	__u32 vip_entries; /* a power of two */
	__u32 services;    /* a power of two; index 0 stays unused */
	__u32 slot_lines;
	__u32 reals; /* a power of two up to LB_REALS_MAX; index 0 stays unused */
	__u32 flow_buckets;
	__u32 fragment_buckets;
	__u32 deny_entries; /* a power of two */
	__u32 limits;       /* a power of two, at least LB_LIMIT_FIRST */
	__u32 counter_rows;
	__u32 counter_stride; /* counters in a row: REASONS + services + reals, whole pages */
};

/* Counter number of a service and of a real within a row. */
#define LB_COUNTER_SERVICE(dims, service) (LB_COUNTER_REASONS + (service))
#define LB_COUNTER_REAL(dims, real)       (LB_COUNTER_REASONS + (dims)->services + (real))

#endif
