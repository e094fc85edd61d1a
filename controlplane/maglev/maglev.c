/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/maglev/maglev.h"

#include "controlplane/base/cleanup.h"
#include "controlplane/maglev/siphash.h"

#include <errno.h>
#include <string.h>

/*
 * The paper's algorithm: backends take turns, and at its turn a backend takes the next slot of its
 * preference list that is still free. All have the same number of turns, so shares differ by one
 * slot at most; and as each walks a permutation of its own, removing one backend leaves most of
 * what the others took as it was.
 *
 * Weights decide who takes part in a round. Every backend gathers its weight once a round, and when
 * it has gathered the greatest weight of the set, it spends that on a turn. (Katran and Cilium do
 * the same.) The heaviest so have a turn in every round, one of half their weight in every second;
 * with equal weights this is the paper's algorithm to the letter. All start with half a turn
 * gathered, which rounds shares to the nearest slot instead of down.
 *
 * A backend whose weight is a thousandth of the greatest would be asked a thousand times for each
 * turn it has. Instead a calendar holds, for each round, who has a turn in it.
 */

#define NOBODY UINT32_MAX

/* Where a backend stands in its preference list. */
struct place {
	uint32_t slot; /* the next */
	uint32_t skip; /* from one to the next */
	uint16_t id;
};

/* When a backend has its next turn. */
struct turn {
	uint32_t weight;
	uint32_t next; /* who has a turn after it in the same round; the last points to the first */
	uint64_t gathered; /* weight towards the next turn */
};

/* Backends without weight are left out, so all that follows has a share. */
struct fill {
	struct place *places; /* by backend */
	struct turn *turns;   /* by backend; NULL when all weights are equal */
	uint32_t *last;       /* by round, who has the last turn in it, or NOBODY; NULL likewise */
	uint8_t *taken;       /* a byte per slot, so that most of it stays in cache */
	uint32_t n;
	uint32_t n_slots; /* and the greatest number of rounds: each takes a slot at least */
	uint32_t max_weight;
};

bool maglev_is_prime(uint32_t n)
{
	if (n < 4)
		return n >= 2;
	if (n % 2 == 0)
		return false;
	for (uint64_t d = 3; d * d <= n; d += 2)
		if (n % d == 0)
			return false;
	return true;
}

static void fill_fini(struct fill *f)
{
	free(f->places);
	free(f->turns);
	free(f->last);
	free(f->taken);
}

/* max_weight and n are set. */
static int fill_alloc(struct fill *f, bool even)
{
	f->places = calloc(f->n, sizeof(*f->places));
	f->taken = calloc(f->n_slots, sizeof(*f->taken));
	if (!f->places || !f->taken)
		return -ENOMEM;
	if (even)
		return 0;
	f->turns = calloc(f->n, sizeof(*f->turns));
	f->last = malloc(f->n_slots * sizeof(*f->last));
	if (!f->turns || !f->last)
		return -ENOMEM;
	memset(f->last, 0xff, f->n_slots * sizeof(*f->last));
	return 0;
}

/* Put a backend behind all others of the round in which it will have gathered enough; now is the
 * last round that it has gathered in. Those with a turn in one round have them in the order in
 * which they had their turns before, and in the first round in the order of their keys. */
static void calendar_add(struct fill *f, uint32_t backend, int64_t now)
{
	struct turn *turn = &f->turns[backend];
	uint64_t rounds = 1, round;
	uint32_t *last;

	if (turn->weight != f->max_weight) {
		rounds = (f->max_weight - turn->gathered + turn->weight - 1) / turn->weight;
		turn->gathered += rounds * turn->weight - f->max_weight;
	}
	round = (uint64_t)(now + (int64_t)rounds);
	if (round >= f->n_slots)
		return; /* the table will be full before */
	last = &f->last[round];
	if (*last == NOBODY) {
		turn->next = backend;
	} else {
		turn->next = f->turns[*last].next;
		f->turns[*last].next = backend;
	}
	*last = backend;
}

/* The hot loop: about slots * ln(slots) steps for a table. Both outcomes of a step are computed, so
 * that choosing one is a conditional move; a branch there would be taken at random. */
static void take_slot(struct fill *f, struct place *place, uint16_t *slots)
{
	uint32_t slot = place->slot, ahead = place->skip, back = ahead - f->n_slots;
	const uint8_t *taken = f->taken;

	/* Ends: as n_slots is prime, the list has every slot, and one is free. */
	while (taken[slot]) {
		uint32_t wrapped = slot + back;

		slot += ahead;
		if ((int32_t)wrapped >= 0)
			slot = wrapped;
	}
	f->taken[slot] = 1;
	place->slot = slot;
	slots[slot] = place->id;
}

/* Equal weights, as most pools have: everyone has a turn in every round. */
static void fill_evenly(struct fill *f, uint16_t *slots)
{
	uint32_t filled = 0;

	for (;;) {
		for (uint32_t i = 0; i < f->n; i++) {
			take_slot(f, &f->places[i], slots);
			if (++filled == f->n_slots)
				return;
		}
	}
}

static void fill_by_weight(struct fill *f, uint16_t *slots)
{
	uint32_t filled = 0;

	for (uint32_t i = 0; i < f->n; i++)
		calendar_add(f, i, -1);
	for (int64_t round = 0;; round++) {
		uint32_t last = f->last[round], backend, next;

		if (last == NOBODY)
			continue;
		next = f->turns[last].next;
		do {
			backend = next;
			next = f->turns[backend].next;
			take_slot(f, &f->places[backend], slots);
			if (++filled == f->n_slots)
				return;
			calendar_add(f, backend, round);
		} while (backend != last);
	}
}

static int check_input(const struct maglev_preference *preferences,
		       const struct maglev_backend *backends, size_t n, uint32_t n_slots)
{
	if (!maglev_is_prime(n_slots) || n_slots > MAGLEV_SLOTS_MAX || n >= NOBODY)
		return -EINVAL;
	for (size_t i = 0; i < n; i++)
		if (preferences[i].offset >= n_slots || preferences[i].skip < 1 ||
		    preferences[i].skip >= n_slots || backends[i].id >= MAGLEV_NONE)
			return -EINVAL;
	return 0;
}

static void fill_add(struct fill *f, const struct maglev_preference *preference,
		     const struct maglev_backend *backend)
{
	f->places[f->n] = (struct place){
		.slot = preference->offset, .skip = preference->skip, .id = backend->id};
	if (f->turns)
		f->turns[f->n] =
			(struct turn){.weight = backend->weight, .gathered = f->max_weight / 2};
	f->n++;
}

int maglev_fill(const struct maglev_preference *preferences, const struct maglev_backend *backends,
		size_t n, uint16_t *slots, uint32_t n_slots)
{
	struct fill f = {.n_slots = n_slots};
	bool even = true;
	int ret = check_input(preferences, backends, n, n_slots);

	if (ret < 0)
		return ret;
	for (size_t i = 0; i < n; i++) {
		if (backends[i].weight == 0)
			continue;
		even = even && (f.n == 0 || backends[i].weight == f.max_weight);
		if (backends[i].weight > f.max_weight)
			f.max_weight = backends[i].weight;
		f.n++;
	}
	if (f.n == 0) {
		memset(slots, 0xff, n_slots * sizeof(*slots));
		return 0;
	}
	ret = fill_alloc(&f, even);
	if (ret == 0) {
		f.n = 0;
		for (size_t i = 0; i < n; i++)
			if (backends[i].weight > 0)
				fill_add(&f, &preferences[i], &backends[i]);
		if (even)
			fill_evenly(&f, slots);
		else
			fill_by_weight(&f, slots);
	}
	fill_fini(&f);
	return ret;
}

/* Offset and skip from two hashes of the key, told apart by a byte behind it. */
static struct maglev_preference preference_of(const struct maglev_backend *backend,
					      const uint8_t seed[16], uint32_t n_slots)
{
	uint8_t input[sizeof(backend->key) + 1];
	struct maglev_preference preference;

	memcpy(input, backend->key, sizeof(backend->key));
	input[sizeof(backend->key)] = 'o';
	preference.offset = (uint32_t)(siphash24(input, sizeof(input), seed) % n_slots);
	input[sizeof(backend->key)] = 's';
	preference.skip = (uint32_t)(siphash24(input, sizeof(input), seed) % (n_slots - 1)) + 1;
	return preference;
}

static int backend_cmp(const void *a, const void *b)
{
	return memcmp(((const struct maglev_backend *)a)->key,
		      ((const struct maglev_backend *)b)->key,
		      sizeof(((struct maglev_backend *)0)->key));
}

int maglev_populate(const struct maglev_backend *backends, size_t n, const uint8_t seed[16],
		    uint16_t *slots, uint32_t n_slots)
{
	AUTO_FREE struct maglev_preference *preferences = NULL;
	AUTO_FREE struct maglev_backend *sorted = NULL;

	if (!maglev_is_prime(n_slots) || n_slots > MAGLEV_SLOTS_MAX)
		return -EINVAL;
	preferences = calloc(n + 1, sizeof(*preferences));
	sorted = calloc(n + 1, sizeof(*sorted));
	if (!preferences || !sorted)
		return -ENOMEM;
	if (n > 0) {
		memcpy(sorted, backends, n * sizeof(*sorted));
		qsort(sorted, n, sizeof(*sorted), backend_cmp);
	}
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && backend_cmp(&sorted[i - 1], &sorted[i]) == 0)
			return -EINVAL;
		preferences[i] = preference_of(&sorted[i], seed, n_slots);
	}
	return maglev_fill(preferences, sorted, n, slots, n_slots);
}
