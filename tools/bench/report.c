/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/bench/bench.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/utsname.h>

static double lowest(const struct bench_figure *f)
{
	return f->ns[0];
}

static double tenth(const struct bench_figure *f)
{
	return f->ns[f->rounds / 10];
}

static double median(const struct bench_figure *f)
{
	return f->ns[f->rounds / 2];
}

#define COLUMN 15

static int column_of(const char *name)
{
	size_t n = strlen(name);

	return n > COLUMN ? (int)n : COLUMN;
}

static void print_net(const struct bench_result *r, const struct bench_figure *f, int column,
		      FILE *out)
{
	char text[32];

	snprintf(text, sizeof(text), "%.1f / %.1f", lowest(f) - lowest(&r->harness),
		 tenth(f) - tenth(&r->harness));
	fprintf(out, "  %*s", column, text);
}

void bench_report_table(const struct bench_plan *plan, const struct bench_result *results, size_t n,
			FILE *out)
{
	fprintf(out, "%-16s  %8s  %*s", "scenario", "harness", COLUMN, "floor");
	for (size_t i = 0; i < plan->n_targets; i++)
		fprintf(out, "  %*s", column_of(plan->targets[i].name), plan->targets[i].name);
	fputc('\n', out);
	for (size_t i = 0; i < n; i++) {
		const struct bench_result *r = &results[i];

		fprintf(out, "%-16s  %8.1f", r->scenario->name, lowest(&r->harness));
		print_net(r, &r->floor, COLUMN, out);
		for (size_t t = 0; t < r->n_targets; t++)
			print_net(r, &r->targets[t], column_of(plan->targets[t].name), out);
		fputc('\n', out);
	}
	fprintf(out,
		"\nns per packet, quickest / tenth part of %zu rounds of %u packets, programs in "
		"turns.\n"
		"harness: the wrapper alone, taken off the rest. floor: growing the frame, one "
		"store,\n"
		"and the wrapper undoing it. Compare within one run only.\n",
		plan->rounds, plan->packets);
}

static json_t *net_json(const struct bench_result *r, const char *name,
			const struct bench_figure *f)
{
	return json_pack("{s:s, s:f, s:f, s:f}", "name", name, "net_min_ns",
			 lowest(f) - lowest(&r->harness), "net_p10_ns",
			 tenth(f) - tenth(&r->harness), "net_median_ns",
			 median(f) - median(&r->harness));
}

static json_t *result_json(const struct bench_plan *plan, const struct bench_result *r)
{
	json_t *programs = json_array();

	for (size_t i = 0; i < r->n_targets; i++)
		json_array_append_new(programs, net_json(r, plan->targets[i].name, &r->targets[i]));
	return json_pack("{s:s, s:I, s:I, s:{s:f, s:f, s:f}, s:o, s:o}", "scenario",
			 r->scenario->name, "flows", (json_int_t)r->scenario->flows, "vips",
			 (json_int_t)r->scenario->vips, "harness", "min_ns", lowest(&r->harness),
			 "p10_ns", tenth(&r->harness), "median_ns", median(&r->harness), "floor",
			 net_json(r, "floor", &r->floor), "programs", programs);
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
	root = json_pack("{s:i, s:s, s:s, s:b, s:I, s:I, s:o}", "schema_version", 1, "kernel",
			 host.release, "machine", host.machine, "settle", plan->settle, "rounds",
			 (json_int_t)plan->rounds, "packets_per_round", (json_int_t)plan->packets,
			 "scenarios", list);
	if (!root)
		return err_set(err, -ENOMEM, "out of memory");
	if (json_dumpf(root, out, JSON_INDENT(2) | JSON_REAL_PRECISION(5)) < 0 ||
	    fputc('\n', out) == EOF || fflush(out) == EOF)
		ret = err_set(err, -EIO, "can't write the JSON");
	json_decref(root);
	return ret;
}
