/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairway-bench: what does a packet cost in the XDP program, and which of two programs is quicker?
 * A developer's tool. Runs programs by BPF_PROG_TEST_RUN behind a wrapper (bpf/bench_flows.bpf.c)
 * that makes each frame the next flow's; nothing is attached, no packet leaves. On a machine that
 * others use as well only programs of one run can be compared, so it takes any number of them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/bench/bench.h"
#include "tools/bench/count.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

#define PROGRAMS_MAX  16
#define SCENARIOS_MAX 32
#define LOADINGS      7
#define ROUNDS        15
#define ROUNDS_MIN    15
#define PACKETS       20000

struct options {
	const char *paths[PROGRAMS_MAX];
	size_t n_paths;
	const struct bench_scenario *scenarios[SCENARIOS_MAX];
	size_t n_scenarios;
	const char *json, *pin, *count, *trace;
	unsigned long loadings, rounds, packets;
	bool list, help, without_own, settle;
};

static const char help_text[] =
	"usage: fairway-bench [--program [NAME=]PATH ...] [--scenario NAME ...]\n"
	"                     [--loadings N] [--rounds N] [--packets N] [--settle] [--json FILE] [--no-own]\n"
	"       fairway-bench --count FILE.o [--json - | --trace KIND]\n"
	"       fairway-bench --pin DIRECTORY\n"
	"       fairway-bench --list\n"
	"\n"
	"Measures the XDP program of this build, and others beside it, in turns. As root.\n"
	"\n"
	"  --program [NAME=]PATH  a pinned XDP program with tables of its own, or an object file\n"
	"                         (*.o) of this build's table layout; may be repeated\n"
	"  --no-own               leave this build's program out\n"
	"  --scenario NAME        only this one; may be repeated\n"
	"  --loadings N           load everything so many times, since the place in memory counts;\n"
	"                         % in PATH stands for the number, from 0 (7)\n"
	"  --rounds N             rounds of each program in each scenario and loading (15 or more)\n"
	"  --packets N            packets in a round (20000)\n"
	"  --settle               wait between writing a frame's headers and the program, so that it\n"
	"                         finds them in the cache\n"
	"  --json FILE            the figures as JSON as well; - prints them instead of the table\n"
	"  --pin DIRECTORY        fill the tables, pin program and tables there and end, for a\n"
	"                         fairway-bench of another build: --program DIRECTORY/balancer\n"
	"  --count FILE.o         count instead: instructions and helper calls of each kind of\n"
	"                         packet in the program of an object file, and what the verifier\n"
	"                         says of it\n"
	"  --trace KIND           with --count: the instructions that one packet of a kind executes, as\n"
	"                         JSON; testbed/perf/trace makes a listing of it\n"
	"  --list                 the scenarios\n"
	"\n"
	"Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static int fail(const char *text)
{
	fprintf(stderr, "fairway-bench: %s\n", text);
	return EXIT_FAILED;
}

static const struct bench_scenario *find_scenario(const char *name)
{
	for (const struct bench_scenario *s = bench_scenarios; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static int number(const char *option, const char *text, unsigned long min, unsigned long max,
		  unsigned long *ret_number, struct err *err)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || *end || end == text || n < min || n > max)
		return err_set(err, -EINVAL, "--%s: '%s' is no number from %lu to %lu", option,
			       text, min, max);
	*ret_number = n;
	return 0;
}

static int take(struct options *o, int option, const char *value, struct err *err)
{
	switch (option) {
	case 'p':
		if (o->n_paths + 1 >= PROGRAMS_MAX)
			return err_set(err, -E2BIG, "--program: at most %d", PROGRAMS_MAX - 1);
		o->paths[o->n_paths++] = value;
		return 0;
	case 's':
		if (o->n_scenarios == SCENARIOS_MAX)
			return err_set(err, -E2BIG, "--scenario: at most %d", SCENARIOS_MAX);
		o->scenarios[o->n_scenarios] = find_scenario(value);
		if (!o->scenarios[o->n_scenarios++])
			return err_set(err, -EINVAL, "--scenario: no '%s' (see --list)", value);
		return 0;
	case 'r':
		return number("rounds", value, ROUNDS_MIN, 100000, &o->rounds, err);
	case 'L':
		return number("loadings", value, 1, BENCH_LOADINGS_MAX, &o->loadings, err);
	case 'n':
		return number("packets", value, 1000, 10000000, &o->packets, err);
	case 'j':
		o->json = value;
		return 0;
	case 'P':
		o->pin = value;
		return 0;
	case 'c':
		o->count = value;
		return 0;
	case 't':
		o->trace = value;
		return 0;
	case 'S':
		o->settle = true;
		return 0;
	case 'o':
		o->without_own = true;
		return 0;
	case 'l':
		o->list = true;
		return 0;
	case 'h':
		o->help = true;
		return 0;
	}
	return err_set(err, -EINVAL, "wrong usage");
}

static int parse(int argc, char **argv, struct options *o, struct err *err)
{
	static const struct option names[] = {
		{"program", required_argument, NULL, 'p'},
		{"scenario", required_argument, NULL, 's'},
		{"loadings", required_argument, NULL, 'L'},
		{"rounds", required_argument, NULL, 'r'},
		{"packets", required_argument, NULL, 'n'},
		{"json", required_argument, NULL, 'j'},
		{"pin", required_argument, NULL, 'P'},
		{"count", required_argument, NULL, 'c'},
		{"settle", no_argument, NULL, 'S'},
		{"trace", required_argument, NULL, 't'},
		{"no-own", no_argument, NULL, 'o'},
		{"list", no_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option, ret = 0;

	*o = (struct options){.loadings = LOADINGS, .rounds = ROUNDS, .packets = PACKETS};
	while (ret == 0 && (option = getopt_long(argc, argv, "h", names, NULL)) != -1)
		ret = take(o, option, optarg, err);
	if (ret == 0 && optind < argc)
		ret = err_set(err, -EINVAL, "'%s' stands where an option should", argv[optind]);
	if (ret == 0 && o->count && (o->pin || o->n_paths || o->n_scenarios))
		ret = err_set(err, -EINVAL, "--count goes with --json only");
	if (ret == 0 && o->count && o->json && strcmp(o->json, "-") != 0)
		ret = err_set(err, -EINVAL, "--count writes JSON to standard output: --json -");
	if (ret == 0 && o->trace && (!o->count || o->json))
		ret = err_set(err, -EINVAL, "--trace goes with --count FILE.o only");
	if (ret == 0 && o->without_own && !o->n_paths)
		ret = err_set(err, -EINVAL, "--no-own leaves nothing: name a --program");
	if (o->n_scenarios == 0)
		for (const struct bench_scenario *s = bench_scenarios; s->name; s++)
			o->scenarios[o->n_scenarios++] = s;
	return ret;
}

/* All programs, anew, over tables that are new as well. */
static int load_all(const struct bench_plan *plan, size_t loading, struct xdp_engine *engine,
		    int *fds, struct err *err)
{
	int ret = 0;

	for (size_t i = 0; i < plan->n_programs; i++)
		fds[i] = -1;
	for (size_t i = 0; i < plan->n_programs && ret == 0; i++)
		ret = bench_program_load(&plan->programs[i], loading, engine, &fds[i], err);
	return ret;
}

static int measure_loading(const struct bench_plan *plan, size_t loading,
			   struct bench_result *results, size_t n, struct err *err)
{
	struct bench_tables *tables;
	int fds[PROGRAMS_MAX];
	int ret = bench_tables_new(NULL, &tables, err);

	if (ret < 0)
		return ret;
	ret = load_all(plan, loading, bench_tables_engine(tables), fds, err);
	for (size_t i = 0; i < n && ret == 0; i++)
		ret = bench_measure(plan, loading, fds, &results[i], err);
	for (size_t i = 0; i < plan->n_programs; i++)
		cleanup_close(&fds[i]);
	bench_tables_free(tables);
	return ret;
}

static int write_json(const struct options *o, const struct bench_plan *plan,
		      const struct bench_result *results, struct err *err)
{
	FILE *out;
	int ret;

	if (strcmp(o->json, "-") == 0)
		return bench_report_json(plan, results, o->n_scenarios, stdout, err);
	out = fopen(o->json, "w");
	if (!out)
		return err_set(err, -errno, "%s: %s", o->json, strerror(errno));
	ret = bench_report_json(plan, results, o->n_scenarios, out, err);
	if (fclose(out) == EOF && ret == 0)
		ret = err_set(err, -errno, "%s: %s", o->json, strerror(errno));
	return ret;
}

static int report(const struct options *o, const struct bench_plan *plan,
		  const struct bench_result *results, struct err *err)
{
	int ret = o->json ? write_json(o, plan, results, err) : 0;

	if (ret == 0 && !(o->json && strcmp(o->json, "-") == 0))
		bench_report_table(plan, results, o->n_scenarios, stdout);
	if (ret == 0 && fflush(stdout) == EOF)
		ret = err_set(err, -EIO, "standard output: can't write");
	return ret;
}

static int programs_init(const struct options *o, struct bench_program *programs, size_t *n,
			 struct err *err)
{
	int ret = 0;

	if (!o->without_own)
		ret = bench_program_init(&programs[(*n)++], NULL, err);
	for (size_t i = 0; i < o->n_paths && ret == 0; i++)
		ret = bench_program_init(&programs[(*n)++], o->paths[i], err);
	return ret;
}

static int measure(const struct options *o, struct err *err)
{
	struct bench_program programs[PROGRAMS_MAX] = {0};
	struct bench_result results[SCENARIOS_MAX] = {0};
	struct bench_plan plan = {.programs = programs,
				  .loadings = o->loadings,
				  .settle = o->settle,
				  .rounds = o->rounds,
				  .packets = (uint32_t)o->packets};
	int ret = programs_init(o, programs, &plan.n_programs, err);

	if (ret == 0)
		ret = bench_measure_init(err);
	for (size_t i = 0; i < o->n_scenarios && ret == 0; i++)
		ret = bench_result_init(&results[i], &plan, o->scenarios[i], err);
	for (size_t i = 0; i < plan.loadings && ret == 0; i++)
		ret = measure_loading(&plan, i, results, o->n_scenarios, err);
	if (ret == 0)
		ret = report(o, &plan, results, err);
	for (size_t i = 0; i < o->n_scenarios; i++)
		bench_result_fini(&results[i]);
	for (size_t i = 0; i < plan.n_programs; i++)
		bench_program_fini(&programs[i]);
	return ret;
}

static int pin_or_count(const struct options *o, struct err *err)
{
	struct bench_tables *tables;
	int ret = bench_tables_new(o->pin, &tables, err);

	if (ret < 0)
		return ret;
	if (o->count && o->trace)
		ret = count_trace(o->count, o->trace, bench_tables_engine(tables), stdout, err);
	else if (o->count)
		ret = count_object(o->count, bench_tables_engine(tables), o->json != NULL, stdout,
				   err);
	bench_tables_free(tables);
	return ret;
}

static void list(void)
{
	for (const struct bench_scenario *s = bench_scenarios; s->name; s++)
		printf("%-16s  %s\n", s->name, s->help);
}

int main(int argc, char **argv)
{
	struct options o;
	struct err err = {""};
	int ret;

	if (parse(argc, argv, &o, &err) < 0) {
		fail(err.text);
		fputs("Try 'fairway-bench --help'.\n", stderr);
		return EXIT_USAGE;
	}
	if (o.help || o.list) {
		o.help ? (void)fputs(help_text, stdout) : list();
		return EXIT_DONE;
	}
	ret = o.pin || o.count ? pin_or_count(&o, &err) : measure(&o, &err);
	return ret < 0 ? fail(err.text) : EXIT_DONE;
}
