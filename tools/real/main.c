/* SPDX-License-Identifier: BSD-2-Clause */
/* fairway-real: what a real server needs so that Fairway can send to it. The answer goes to stdout,
 * errors to stderr. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "tools/real/options.h"

#define EXIT_FAILED  1
#define EXIT_USAGE   2
#define EXIT_TROUBLE 4

static void tell_change(const char *verb, const char *what)
{
	printf("%-8s %s\n", verb, what);
}

static int setup(struct real_run *run, const struct real_options *opts, bool present, struct err *e)
{
	const struct real_config *c = &run->state.config;
	struct real_state old;
	size_t changes;
	int ret = real_state_copy(&old, &run->state);

	if (ret)
		return err_set(e, ret, "out of memory");
	ret = real_resolve(run, opts, present, e);
	if (!ret)
		ret = real_converge(run, present ? &old : NULL, &changes, e);
	real_state_fini(&old);
	if (ret)
		return ret;
	printf("%zu VIP%s in place on %s%s, %s", c->vips.n, c->vips.n == 1 ? "" : "s",
	       c->interfaces[0], c->n_interfaces > 1 ? " and others" : "",
	       real_encap_name(c->encap));
	if (c->encap == REAL_ENCAP_GUE)
		printf(" at UDP port %u", c->gue_port);
	if (real_encap_is_tunnel(c->encap))
		printf(", decapsulated by %s, MSS at most %u (IPv4) and %u (IPv6)",
		       c->decap == REAL_DECAP_KERNEL ? "the kernel's tunnels" : "BPF",
		       run->settings.mss_ipv4, run->settings.mss_ipv6);
	printf("; %zu change%s\n", changes, changes == 1 ? "" : "s");
	return 0;
}

/* Stop for some VIPs: the host then is set up for the others. */
static int remove_some(struct real_run *run, const struct real_options *opts, struct err *e)
{
	struct addr_set *vips = &run->state.config.vips;
	struct real_options none = {0};
	char text[ADDR_STRLEN];
	struct real_state old;
	size_t changes;
	int ret;

	for (size_t i = 0; i < opts->vips.n; i++)
		if (!addr_set_has(vips, &opts->vips.items[i]))
			printf("%-8s %s was not set up\n", "note",
			       addr_format(&opts->vips.items[i], text));
	ret = real_state_copy(&old, &run->state);
	if (ret)
		return err_set(e, ret, "out of memory");
	for (size_t i = 0; i < opts->vips.n; i++)
		addr_set_remove(vips, &opts->vips.items[i]);
	if (!vips->n) {
		ret = real_remove_all(run, e);
	} else {
		ret = real_resolve(run, &none, true, e);
		if (!ret)
			ret = real_converge(run, &old, &changes, e);
	}
	real_state_fini(&old);
	return ret;
}

static int remove_vips(struct real_run *run, const struct real_options *opts, bool present,
		       struct err *e)
{
	if (!present) {
		printf("nothing is set up (no state in %s)\n", run->dir);
		return 0;
	}
	return opts->vips.n ? remove_some(run, opts, e) : real_remove_all(run, e);
}

static void print_item(json_t *item)
{
	const char *name, *state, *found, *purpose, *mend = NULL;

	if (json_unpack(item, "{ss ss ss ss s?s}", "item", &name, "state", &state, "found", &found,
			"purpose", &purpose, "mend", &mend))
		return;
	if (!mend) {
		printf("ok       %-52s %s\n", name, found);
		return;
	}
	printf("MISSING  %-52s %s\n         wanted: %s\n         mend:   %s\n", name, found,
	       purpose, mend);
}

static void print_report(json_t *report)
{
	const char *name;
	json_t *value;
	size_t i;

	json_array_foreach(json_object_get(report, "items"), i, value)
	{
		print_item(value);
	}
	json_object_foreach(json_object_get(report, "counters"), name, value)
	{
		if (json_integer_value(value))
			printf("count    %-52s %lld\n", name, (long long)json_integer_value(value));
	}
}

static int check(struct real_run *run, const struct real_options *opts, bool present,
		 bool *ret_trouble, struct err *e)
{
	json_t *report;
	int ret = real_check(run, present, &report, e);

	if (ret)
		return ret;
	if (opts->json) {
		json_dumpf(report, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		print_report(report);
	}
	*ret_trouble = !json_is_true(json_object_get(report, "ok"));
	json_decref(report);
	return 0;
}

static int run_command(enum real_command command, const struct real_options *opts)
{
	bool present = false, trouble = false;
	struct err e = {""};
	struct real_run run = {0};
	char dir[512];
	int lock = -1, ret = 0;

	if (opts->state_dir)
		snprintf(dir, sizeof(dir), "%s", opts->state_dir);
	else
		ret = real_state_default_dir(dir, sizeof(dir), &e);
	if (!ret)
		ret = real_run_init(&run, dir, &present, &lock, &e);
	run.tell = tell_change;
	if (!ret && run.stale)
		fprintf(stderr,
			"fairway-real: %s holds the state of another network namespace or of an "
			"earlier boot; it means nothing here\n",
			dir);
	if (!ret && command == REAL_SETUP)
		ret = setup(&run, opts, present, &e);
	else if (!ret && command == REAL_REMOVE)
		ret = remove_vips(&run, opts, present, &e);
	else if (!ret)
		ret = check(&run, opts, present, &trouble, &e);
	real_run_fini(&run);
	if (lock >= 0)
		real_state_unlock(dir, lock);
	if (ret)
		fprintf(stderr, "fairway-real: %s\n", e.text);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "fairway-real: can't write the answer: %s\n", strerror(errno));
		return EXIT_FAILED;
	}
	return ret ? EXIT_FAILED : trouble ? EXIT_TROUBLE : 0;
}

int main(int argc, char **argv)
{
	enum real_command command, topic;
	struct real_options opts;
	struct err e = {""};
	int status = 0;

	if (real_options_parse(argc, argv, &command, &topic, &opts, &e)) {
		fprintf(stderr, "fairway-real: %s; see fairway-real %s%s--help\n", e.text,
			topic == REAL_HELP ? "" : argv[1], topic == REAL_HELP ? "" : " ");
		status = EXIT_USAGE;
	} else if (command == REAL_HELP) {
		fputs(real_options_help(topic), stdout);
	} else if (command == REAL_VERSION) {
		printf("fairway-real %s\n", FAIRWAY_VERSION);
	} else if (geteuid()) {
		fprintf(stderr, "fairway-real: %s needs root: run it with sudo\n", argv[1]);
		status = EXIT_FAILED;
	} else {
		status = run_command(command, &opts);
	}
	real_options_fini(&opts);
	return status;
}
