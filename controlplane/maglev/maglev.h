/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_MAGLEV_MAGLEV_H
#define FAIRWAY_MAGLEV_MAGLEV_H

/*
 * Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): fills a table of a prime
 * number of slots with backends so that shares are even and a change of the set moves few slots.
 * Pure: the same set gives the same table bit for bit, in whatever order it is passed.
 *
 * Shares of equal weights differ by one slot at most (65 or 66 slots of 65537 for each of 1,000
 * reals). Other shares are exact to one slot plus n / n_slots of the share: below 1 % where a table
 * has a hundred slots for each backend. Time grows with slots, whatever the weights: 65537 slots
 * for 1,000 backends take one to two milliseconds.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MAGLEV_SLOTS_DEFAULT 65537U
#define MAGLEV_SLOTS_MAX     4194301U /* the largest prime below 2^22 */
#define MAGLEV_NONE          0xffffU

struct maglev_backend {
	uint8_t key[16]; /* what the backend is: its address; distinct within a set */
	uint32_t weight; /* share of slots relative to the others; 0: none */
	uint16_t id;     /* what is written into its slots; below MAGLEV_NONE */
};

/* A backend's preference list: slot (offset + i * skip) mod slots for i = 0, 1, ... */
struct maglev_preference {
	uint32_t offset; /* 0 .. slots - 1 */
	uint32_t skip;   /* 1 .. slots - 1 */
};

bool maglev_is_prime(uint32_t n);

/* Fill slots[0 .. n_slots-1] with ids. seed is the fleet's. Every slot is MAGLEV_NONE when no
 * backend has a weight. -EINVAL when n_slots is no prime or too large, or two keys are equal;
 * -ENOMEM. slots is untouched on failure. */
int maglev_populate(const struct maglev_backend *backends, size_t n, const uint8_t seed[16],
		    uint16_t *slots, uint32_t n_slots) __attribute__((warn_unused_result));

/* The filling itself, from given preferences (entry i belongs to backends[i], which must come in
 * the order that decides ties): what maglev_populate() calls, and the paper's example is told in.
 */
int maglev_fill(const struct maglev_preference *preferences, const struct maglev_backend *backends,
		size_t n, uint16_t *slots, uint32_t n_slots) __attribute__((warn_unused_result));

#endif
