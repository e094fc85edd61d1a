/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_NATIVE_TEST_CORE_H
#define FAIRWAY_NATIVE_TEST_CORE_H

/*
 * Functions of the core by themselves, for tests in C++, which the core's headers aren't. Each
 * core_x() is lb_x(); those that read tables take the tables and the moment in place of a target.
 */

#include <stddef.h>
#include <stdint.h>

#include "dataplane/core/memory.h"

/* What another worker does between a word being read and being replaced, NULL: nothing. It is asked
 * before each compare-and-swap of the functions here. */
extern void (*core_race)(__u64 *word);

struct core_bytes {
	const uint8_t *at;
	size_t len;
};

/* hash.h, key.h */
void core_mask_addr(__be32 to[4], const __be32 from[4], uint32_t prefix);
uint32_t core_hash_slot(uint64_t hash, uint32_t ring_slots);

/* flow.h */
uint32_t core_flow_slot(uint64_t entry, uint32_t ring_slots);
uint64_t core_flow_entry(uint64_t hash, uint32_t real, uint32_t stamp);
/* The way that holds the hash, or -1. */
int core_bucket_find(struct lb_bucket *b, uint64_t hash);
void core_bucket_put(struct lb_bucket *b, uint64_t entry);

/* track.h; how: CORE_NEW, CORE_READ or 0 */
#define CORE_NEW  0x1U
#define CORE_READ 0x2U
uint32_t core_track_real(const struct lb_tables *t, const struct lb_moment *moment, uint32_t slot,
			 uint32_t current, uint64_t hash, uint32_t how);

/* fragment.h, of an IPv4 datagram */
struct core_datagram {
	uint32_t src, dst, id;
	uint8_t protocol;
};
void core_fragment_remember(const struct lb_tables *t, const struct lb_moment *moment,
			    const struct core_datagram *datagram, uint32_t real);
uint32_t core_fragment_real(const struct lb_tables *t, const struct core_datagram *datagram);

/* guard.h */
int core_martian4(__be32 src);
int core_martian6(const __be32 src[4]);
int core_is_denied(const struct lb_tables *t, int family, const __be32 src[4], uint32_t list);
int core_limit_take(const struct lb_tables *t, const struct lb_moment *moment, uint32_t index);

/* service.h: what a key of the index leads to */
uint32_t core_key_find(const struct lb_tables *t, const __be32 addr[4], uint32_t word,
		       uint32_t scope);

/* quic.h; the UDP header stands at the frame's beginning, l4_length is what IP leaves for it */
uint32_t core_quic_real(const struct lb_tables *t, struct core_bytes frame, uint32_t l4_length,
			uint32_t service);

/* encap.h, reply.h; 0 or -1 */
uint16_t core_checksum_fold(uint64_t sum);
uint16_t core_checksum_fold48(uint64_t sum);
uint16_t core_checksum_change(uint16_t checksum, uint16_t from, uint16_t to);
int core_write_headers(uint8_t *frame, size_t len, const struct lb_real *real, int inner_family,
		       uint32_t n_tags);
int core_write_echo(uint8_t *frame, size_t len, int family, uint32_t l4);
int core_write_too_big(uint8_t *frame, size_t len, int family, uint32_t ip_length, uint32_t mtu);

/* forward.h: the reason of a frame of which only the beginning is seen, frame_bytes being all of
 * it; the rest lies in other buffers, as with jumbo frames in XDP. */
int core_decide(const struct lb_tables *t, const struct lb_moment *moment, struct core_bytes seen,
		uint32_t frame_bytes);

/* ahead.h: which real the steps choose for each frame of a burst, and forward.h: which the common
 * way chooses for each by itself; 0: it is not of the common kind. */
#define CORE_BURST_MAX 16U
void core_ahead(const struct lb_tables *t, const struct core_bytes *frames, uint32_t n,
		uint32_t ret_ahead[], uint32_t ret_common[]);

/* columns.h, for frames of at least 54 bytes each that may be read, whatever len says: 0: they
 * aren't of one key, that of the first, and of the common kind. iface: by which they should leave.
 */
struct core_column {
	uint32_t real, fits;
	uint64_t outer[2];
	int all; /* of the first: all fit */
};
int core_columns(const struct lb_tables *t, const struct core_bytes *frames, uint32_t n,
		 uint32_t iface, struct core_column *ret_columns);

/* memory_target.h, by worker 0 */
void core_count_many(const struct lb_tables *t, uint32_t counter, uint32_t packets, uint64_t bytes);

/* packet.h: is there room for so many bytes at an offset? */
int core_at(struct core_bytes frame, uint32_t offset, uint32_t bytes);

#endif
