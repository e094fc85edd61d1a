/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_TABLES_H
#define FAIRWAY_CORE_TABLES_H

/*
 * The layout of the tables: the one contract between the control plane, which writes them, and
 * every engine, which reads them. All are flat arrays in shared memory:
 *
 *   vip index --> service --> slot --> real --> interface
 *
 * A reader may be anywhere on that path while the writer works, therefore:
 *  - a service and a real are immutable once something points at them, but for lb_real.nexthop,
 *    which is one aligned 8-byte word;
 *  - a change writes new records where nobody reads and publishes them by one aligned store of
 *    lb_vip_entry.service; the old ones are reused after every reader has moved on.
 */

#include <linux/types.h>

/* Raised with any change below; an engine and a writer of different versions refuse each other. */
#define LB_LAYOUT_VERSION 2

#ifdef __cplusplus
#define LB_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size), #type)
#else
#define LB_ASSERT_SIZE(type, size) _Static_assert(sizeof(type) == (size), #type)
#endif

/* ---- VIP index: open addressing with linear probing, a power of two of entries ---- */

/* A lookup visits at most so many entries; the writer keeps every key within that distance. */
#define LB_VIP_PROBE_MAX 8

#define LB_SERVICE_NONE    0U          /* entry never used: the probe ends here */
#define LB_SERVICE_DELETED 0xffffffffU /* entry unused now: the probe goes on */

/* Key (address, port, protocol). Port 0 means any port. Protocol 0 with port 0 is the address
 * itself: it tells that an address is a VIP whatever the packet asks of it. */
struct lb_vip_entry {
	__be32 addr[4]; /* an IPv4 address stands in addr[0], the rest is zero */
	__u32 word;     /* port, protocol (IPPROTO_TCP, IPPROTO_UDP, 0) and family: lb_vip_word() */
	__u32 service;  /* index of struct lb_service, NONE or DELETED */
	__u64 reserved;
};
LB_ASSERT_SIZE(struct lb_vip_entry, 32);

/* ---- services ---- */

/* The record behind an address key: no ring, it only says "this address is a VIP". */
#define LB_SERVICE_ADDRESS 0x1U

struct lb_service {
	__u32 flags;
	__u32 ring_start; /* first slot of the ring, a multiple of LB_SLOTS_PER_LINE */
	__u32 ring_slots; /* size of the ring, a prime; 0: no real to send to */
	__u32 counter;    /* index of the service's counter, see struct lb_dims */
	__u32 pool;       /* control plane's pool number */
	__u32 vip;        /* control plane's VIP number */
	__u64 reserved[5];
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
};

struct lb_real {
	/* Where frames go, one word so that it changes in one store: bytes 0..5 are the destination
	 * MAC address, bytes 6..7 the index of struct lb_iface in host order. 0: not resolved. */
	__u64 nexthop;
	__be32 addr[4];      /* the real's address: the outer destination */
	__be32 source[4];    /* outer source; entropy is xored into the bits below */
	__be32 source_mask;  /* bits of source[0] (IPv4) or source[3] (IPv6) that carry entropy */
	__u32 checksum_base; /* what addr[0] adds to the outer IPv4 header's checksum */
	__u8 encap;          /* enum lb_encap */
	__u8 family;         /* 4 or 6: the real's address, hence the outer header */
	__u8 grow_bytes;     /* of the outer header: 0, 20 or 40 */
	__u8 reserved;
	__u32 counter;  /* index of the real's counter, see struct lb_dims */
	__u64 pool_key; /* control plane's 64-bit name of the pool, for adoption */
};
LB_ASSERT_SIZE(struct lb_real, 64);

/* ---- interfaces ---- */

#define LB_IFACES_MAX 64U

/* The only interface the engine is attached to: send out of where the packet came in. */
#define LB_IFACE_SOLE 0x1U

struct lb_iface {
	__u32 ifindex;
	__u16 flags;
	__u16 mtu;   /* largest IP packet the interface sends; 0xffff where nothing checks */
	__u8 mac[6]; /* source of the frames that leave here */
	__u8 reserved[18];
};
LB_ASSERT_SIZE(struct lb_iface, 32);

/* ---- node: what all packets need ---- */

struct lb_node {
	__u64 hash_key[4]; /* from the fleet's hash_seed; [2] and [3] are odd */
	__u32 vip_mask;    /* entries of the VIP index minus one */
	__u32 layout_version;
	__u64 reserved[3];
	struct lb_iface ifaces[LB_IFACES_MAX]; /* index 0 stays unused */
};
LB_ASSERT_SIZE(struct lb_node, 64 + LB_IFACES_MAX * 32);

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
	__u32 counter_rows;
	__u32 counter_stride; /* counters in a row: REASONS + services + reals, whole pages */
};

/* Counter number of a service and of a real within a row. */
#define LB_COUNTER_SERVICE(dims, service) (LB_COUNTER_REASONS + (service))
#define LB_COUNTER_REAL(dims, real)       (LB_COUNTER_REASONS + (dims)->services + (real))

#endif
