/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/race/race.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/clock.h"

#define EXIT_USAGE 2
#define EXIT_FOUND 4

/* Tables never get smaller, so each so many changes it begins anew with small ones. */
#define CHANGES_EACH 5000U

static const char *const mistakes[] = {"none", "no-grace", "no-fill", "early-carry"};

struct options {
	uint64_t publishes, seed;
	uint32_t workers;
	enum race_mistake mistake;
};

static void usage(const char *name)
{
	fprintf(stderr,
		"usage: %s [--publishes N] [--workers N] [--seed N] [--break MISTAKE]\n\n"
		"Publishes N changes of the tables (20000) while N workers (2) forward packets, and\n"
		"holds each packet against what was in force. Exit 0: every packet was right.\n"
		"4: one wasn't; it is shown. --break makes the publisher's engine wrong on purpose\n"
		"(no-grace, no-fill, early-carry): then 0 says that it was found, 4 that it "
		"wasn't.\n",
		name);
}

static bool number(const char *text, uint64_t most, uint64_t *ret)
{
	char *end;
	const unsigned long long n = strtoull(text, &end, 10);

	if (*text < '0' || *text > '9' || *end || !n || n > most)
		return false;
	*ret = n;
	return true;
}

static bool parse_mistake(const char *text, enum race_mistake *ret)
{
	for (size_t i = 1; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		if (strcmp(text, mistakes[i]) == 0) {
			*ret = (enum race_mistake)i;
			return true;
		}
	}
	return false;
}

static int parse(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{"publishes", required_argument, NULL, 'p'},
		{"workers", required_argument, NULL, 'w'},
		{"seed", required_argument, NULL, 's'},
		{"break", required_argument, NULL, 'b'},
		{0},
	};
	uint64_t workers = 2;
	bool good = true;
	int word;

	*o = (struct options){.publishes = 20000, .seed = 1};
	while (good && (word = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (word) {
		case 'p':
			good = number(optarg, UINT64_MAX / 2, &o->publishes);
			break;
		case 'w':
			good = number(optarg, RACE_WORKERS, &workers);
			break;
		case 's':
			good = number(optarg, UINT64_MAX / 2, &o->seed);
			break;
		case 'b':
			good = parse_mistake(optarg, &o->mistake);
			break;
		default:
			good = false;
		}
	}
	o->workers = (uint32_t)workers;
	if (good && optind == argc)
		return 0;
	usage(argv[0]);
	return EXIT_USAGE;
}

struct total {
	struct race_sum sum;
	uint64_t packets, grown, graces;
};

/* From small tables on, until so many changes were made or something was found. */
static int episode(struct race *r, const struct options *o, uint64_t changes, struct total *total,
		   struct err *err)
{
	static const struct lb_dims small = {.vip_entries = 64,
					     .services = 16,
					     .slot_lines = 32,
					     .reals = 32,
					     .flow_buckets = 128,
					     .fragment_buckets = 32,
					     .deny_entries = 16,
					     .limits = 4};
	struct race_changes *c = NULL;
	int rc = race_tables(r, &small, o->workers) ? err_set(err, -1, "out of memory") : 0;

	if (!rc)
		rc = race_changes_new(r, &c, err);
	if (!rc)
		rc = race_workers_start(r, o->workers, err);
	for (uint64_t i = 0; i < changes && !rc && !race_failed(r); i++)
		rc = race_change(c, err);
	race_workers_stop(r);
	if (c && !rc) {
		race_changes_count(c);
		race_changes_sum(c, &total->sum);
	}
	for (uint32_t i = 0; i < o->workers; i++)
		total->packets += r->workers[i].packets;
	total->grown += r->grown;
	total->graces += r->graces;
	race_changes_free(c);
	race_tables_free(r);
	return rc;
}

static int report(const struct options *o, const struct race *r, const struct race_target *target,
		  const struct total *t, double seconds)
{
	printf("race %s: %" PRIu64 " publishes (%" PRIu64 " stores, %" PRIu64
	       " times larger tables, %" PRIu64 " restarts, %" PRIu64
	       " grace periods) while %u workers decided %" PRIu64 " packets, in %.1f s\n",
	       target->name, t->sum.published, t->sum.stores, t->grown, t->sum.restarts, t->graces,
	       o->workers, t->packets, seconds);
	if (r->failed)
		printf("seed %" PRIu64 ": %s\n", r->seed, r->words);
	if (o->mistake)
		printf(r->failed ? "the mistake %s was found\n" : "the mistake %s was NOT found\n",
		       mistakes[o->mistake]);
	else
		puts(r->failed ? "NOT every packet was decided right"
			       : "every packet was decided by what was in force");
	return r->failed == (o->mistake != RACE_NO_MISTAKE) ? 0 : EXIT_FOUND;
}

int race_main(int argc, char **argv, const struct race_target *target)
{
	static struct race r;
	struct total total = {0};
	const uint64_t began_ns = clock_now_ns();
	struct options o;
	struct err err;
	uint64_t left;
	int rc = parse(argc, argv, &o);

	if (rc)
		return rc;
	rc = target->open(o.workers, &err);
	left = o.publishes;
	for (uint64_t seed = o.seed; left && !rc && !r.failed; seed++) {
		const uint64_t changes = left < CHANGES_EACH ? left : CHANGES_EACH;

		memset(&r, 0, sizeof(r));
		r.target = target;
		r.mistake = o.mistake;
		r.seed = seed;
		pthread_mutex_init(&r.lock, NULL);
		rc = episode(&r, &o, changes, &total, &err);
		left -= changes;
	}
	if (rc) {
		fprintf(stderr, "race: %s\n", err.text);
		return 1;
	}
	rc = report(&o, &r, target, &total, (double)(clock_now_ns() - began_ns) / 1e9);
	target->close();
	return rc;
}
