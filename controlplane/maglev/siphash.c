/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/maglev/siphash.h"

struct siphash {
	uint64_t v0, v1, v2, v3;
};

static uint64_t load_le64(const uint8_t *p)
{
	uint64_t word = 0;

	for (int i = 7; i >= 0; i--)
		word = word << 8 | p[i];
	return word;
}

static uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void siphash_rounds(struct siphash *s, int rounds)
{
	while (rounds-- > 0) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static void siphash_word(struct siphash *s, uint64_t word)
{
	s->v3 ^= word;
	siphash_rounds(s, 2);
	s->v0 ^= word;
}

uint64_t siphash24(const void *data, size_t len, const uint8_t key[16])
{
	const uint8_t *bytes = data;
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	struct siphash s = {
		k0 ^ 0x736f6d6570736575ULL,
		k1 ^ 0x646f72616e646f6dULL,
		k0 ^ 0x6c7967656e657261ULL,
		k1 ^ 0x7465646279746573ULL,
	};
	uint64_t last = (uint64_t)len << 56;

	for (; len >= 8; len -= 8, bytes += 8)
		siphash_word(&s, load_le64(bytes));
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)bytes[i] << (8 * i);
	siphash_word(&s, last);
	s.v2 ^= 0xff;
	siphash_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
