/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CONFIG_SUGGEST_H
#define FAIRWAY_CONFIG_SUGGEST_H

#include <stddef.h>

/* "did you mean": the candidate with the fewest slips of the keyboard from a word. */
struct suggest {
	const char *word;
	const char *best; /* NULL: nothing is near */
	unsigned best_distance;
};

void suggest_init(struct suggest *s, const char *word);
/* The candidate must outlive s. */
void suggest_offer(struct suggest *s, const char *candidate);

/* How many letters to insert, drop, change or swap with their neighbour (optimal string alignment).
 * Words longer than 64 letters are never near anything. */
unsigned suggest_distance(const char *a, const char *b);

/* A value from a file made fit to be shown in one line: cut at 60 bytes, control characters
 * replaced. Returns buf. */
#define SHOW_STRLEN 80
const char *show_value(const char *text, char buf[SHOW_STRLEN]);

#endif
