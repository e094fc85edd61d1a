/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/config/suggest.h"

#include <limits.h>
#include <string.h>

#define WORD_MAX 64
#define SHOW_MAX 60

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

unsigned suggest_distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *row = rows[2];

	if (n > WORD_MAX || m > WORD_MAX)
		return UINT_MAX;
	for (size_t j = 0; j <= m; j++)
		before[j] = last[j] = (unsigned)j;
	for (size_t i = 1; i <= n; i++) {
		unsigned *spare = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= m; j++) {
			row[j] = min3(row[j - 1] + 1, last[j] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    row[j] > before[j - 2] + 1)
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = spare;
	}
	return last[m];
}

void suggest_init(struct suggest *s, const char *word)
{
	s->word = word;
	s->best = NULL;
	/* A third of the letters may be wrong, and one in a short word. */
	s->best_distance = (strlen(word) < 5 ? 1 : (unsigned)(strlen(word) + 1) / 3) + 1;
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	unsigned distance = suggest_distance(s->word, candidate);

	if (distance >= s->best_distance || distance >= strlen(candidate))
		return;
	s->best = candidate;
	s->best_distance = distance;
}

const char *show_value(const char *text, char buf[SHOW_STRLEN])
{
	size_t n = strnlen(text, SHOW_MAX + 1);
	int cut = n > SHOW_MAX;

	if (cut) {
		n = SHOW_MAX;
		while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		buf[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
	}
	strcpy(buf + n, cut ? "..." : "");
	return buf;
}
