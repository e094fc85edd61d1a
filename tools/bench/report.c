/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* What is net of the harness in one loading, at a round of their order. */
static double net_at(const struct bench_plan *plan, const struct bench_result *r,
		     const struct bench_figure *f, size_t loading, size_t round)
{
	size_t at = loading * plan->rounds + round;

	return f->ns[at] - r->harness.ns[at];
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The quickest round of all. */
static double quickest_of(const struct bench_plan *plan, const struct bench_figure *f)
{
	double quickest = f->ns[0];

	for (size_t i = 1; i < plan->loadings; i++)
		if (f->ns[i * plan->rounds] < quickest)
			quickest = f->ns[i * plan->rounds];
	return quickest;
}

struct net {
	double best;    /* quickest of all rounds, against the harness's */
	double typical; /* median of the loadings, each by its quickest round */
	double tenth;   /* the same of the tenth part's round */
};

static struct net net_of(const struct bench_plan *plan, const struct bench_result *r,
			 const struct bench_figure *f)
{
	double quickest[BENCH_LOADINGS_MAX], tenth[BENCH_LOADINGS_MAX];
	size_t n = plan->loadings;

	for (size_t i = 0; i < n; i++) {
		quickest[i] = net_at(plan, r, f, i, 0);
		tenth[i] = net_at(plan, r, f, i, plan->rounds / 10);
	}
	qsort(quickest, n, sizeof(double), compare);
	qsort(tenth, n, sizeof(double), compare);
	return (struct net){
		.best = quickest_of(plan, f) - quickest_of(plan, &r->harness),
		.typical = quickest[n / 2],
		.tenth = tenth[n / 2],
	};
}

#define COLUMN 15

static int column_of(const char *name)
{
	size_t n = strlen(name);

	return n > COLUMN ? (int)n : COLUMN;
}

static void print_net(const struct bench_plan *plan, const struct bench_result *r,
		      const struct bench_figure *f, int column, FILE *out)
{
	struct net net = net_of(plan, r, f);
	char text[32];

	snprintf(text, sizeof(text), "%.1f / %.1f", net.best, net.typical);
	fprintf(out, "  %*s", column, text);
}

void bench_report_table(const struct bench_plan *plan, const struct bench_result *results, size_t n,
			FILE *out)
{
	fprintf(out, "%-16s  %8s  %*s", "scenario", "harness", COLUMN, "floor");
	for (size_t i = 0; i < plan->n_programs; i++)
		fprintf(out, "  %*s", column_of(plan->programs[i].name), plan->programs[i].name);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++) {
		const struct bench_result *r = &results[i];

		fprintf(out, "%-16s  %8.1f", r->scenario->name, quickest_of(plan, &r->harness));
		print_net(plan, r, &r->floor, COLUMN, out);
		for (size_t p = 0; p < r->n_programs; p++)
			print_net(plan, r, &r->programs[p], column_of(plan->programs[p].name), out);
		fputc('\n', out);
	}
	fprintf(out,
		"\nns per packet, best / typical of %zu loadings, each the quickest of %zu rounds of "
		"%u\npackets, programs in turns. harness: the wrapper alone, taken off the rest. "
		"floor: growing\nthe frame, one store, and the wrapper undoing it. Compare within one "
		"run only.\n",
		plan->loadings, plan->rounds, plan->packets);
}

static json_t *net_json(const struct bench_plan *plan, const struct bench_result *r,
			const char *name, const struct bench_figure *f)
{
	struct net net = net_of(plan, r, f);
	json_t *loadings = json_array();

	for (size_t i = 0; i < plan->loadings; i++)
		json_array_append_new(loadings, json_real(net_at(plan, r, f, i, 0)));
	return json_pack("{s:s, s:f, s:f, s:f, s:o}", "name", name, "net_min_ns", net.best,
			 "net_typical_ns", net.typical, "net_p10_ns", net.tenth,
			 "net_min_ns_of_loadings", loadings);
}

static json_t *result_json(const struct bench_plan *plan, const struct bench_result *r)
{
	json_t *programs = json_array();

	for (size_t i = 0; i < r->n_programs; i++)
		json_array_append_new(programs,
				      net_json(plan, r, plan->programs[i].name, &r->programs[i]));
	return json_pack("{s:s, s:I, s:I, s:f, s:o, s:o}", "scenario", r->scenario->name, "flows",
			 (json_int_t)r->scenario->flows, "vips", (json_int_t)r->scenario->vips,
			 "harness_min_ns", quickest_of(plan, &r->harness), "floor",
			 net_json(plan, r, "floor", &r->floor), "programs", programs);
}

int bench_report_json(const struct bench_plan *plan, const struct bench_result *results, size_t n,
		      FILE *out, struct err *err)
{
	json_t *list = json_array(), *root;
	struct utsname host;
	int ret = 0;

	if (uname(&host) < 0)
		return err_set(err, -errno, "uname failed");
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, result_json(plan, &results[i]));
	root = json_pack("{s:i, s:s, s:s, s:b, s:I, s:I, s:I, s:o}", "schema_version", 1, "kernel",
			 host.release, "machine", host.machine, "settle", plan->settle, "loadings",
			 (json_int_t)plan->loadings, "rounds", (json_int_t)plan->rounds,
			 "packets_per_round", (json_int_t)plan->packets, "scenarios", list);
	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(5)) < 0 ||
	    fputc('\n', out) == EOF || fflush(out) == EOF)
		ret = err_set(err, -EIO, "can't write the JSON");
	json_decref(root);
	return ret;
}
