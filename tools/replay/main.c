/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairway-replay: what would Fairway do with these packets? Takes a configuration and a capture,
 * runs every packet through an engine and writes a verdict for each and what would have left;
 * explains one packet; compares two engines or two configurations; or measures.
 *
 *   configuration --> setup.c --> publish --> tables --> engine_*.c <-- walk.c <-- capture.c
 *                                                            |
 *                  run.c (verdicts, capture, explain.c), compare.c, perf.c
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/config/config.h"
#include "tools/replay/compare.h"
#include "tools/replay/options.h"
#include "tools/replay/perf.h"
#include "tools/replay/replay.h"
#include "tools/replay/run.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_DIFFERENT = 4, EXIT_SIGNAL = 128 };

static void say(const char *text)
{
	fprintf(stderr, "fairway-replay: %s\n", text);
}

static int load_config(const char *path, struct config **ret_config)
{
	AUTO_FREE struct config_errors *errors = calloc(1, sizeof(*errors));
	int ret;

	if (!errors) {
		say("out of memory");
		return -1;
	}
	ret = config_load(path, ret_config, errors);
	config_warnings_print(errors, stderr);
	if (ret < 0)
		config_errors_print(errors, stderr);
	return ret;
}

static void say_cut(const struct walk_report *report, const struct replay_options *options)
{
	if (report->n_cut)
		fprintf(stderr,
			"fairway-replay: warning: %s: %" PRIu64 " of %" PRIu64
			" packets were not captured whole; the rest of them is unknown here, so they"
			" count as truncated (tcpdump -s 0 captures all)\n",
			options->in, report->n_cut, report->n_matched);
}

static void say_by_native(const struct replay *replay)
{
	uint64_t by_native = replay_by_native(replay);

	if (by_native)
		fprintf(stderr,
			"fairway-replay: warning: %" PRIu64
			" packets are shorter or longer than the %s engine takes here; the native"
			" engine decided them over the same tables\n",
			by_native, replay_engine_of(replay));
}

/* Say how it ended, and turn it into the exit status. */
static int conclude(int ret, const struct walk_report *report, const struct err *err)
{
	if (report->stopped && ret == -EINTR) {
		fprintf(stderr,
			"fairway-replay: stopped by %s after %" PRIu64
			" packets; what was done until then is written\n",
			report->stopped == SIGINT ? "SIGINT" : "SIGTERM", report->n_packets);
		return EXIT_SIGNAL + report->stopped;
	}
	if (ret < 0)
		say(err->text);
	return ret < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int replay(const struct replay_options *options, const struct config *config)
{
	struct walk_report report = {0};
	struct replay *replay;
	struct err err = {""};
	int ret =
		replay_open(options->engine, config, options->down, options->n_down, &replay, &err);

	if (ret < 0) {
		say(err.text);
		return EXIT_FAILED;
	}
	if (options->perf) {
		ret = perf_capture(replay, options, stdout, &err);
	} else {
		ret = run_capture(replay, config, options, stdout, &report, &err);
		say_cut(&report, options);
		say_by_native(replay);
	}
	replay_free(replay);
	return conclude(ret, &report, &err);
}

/* Two of the same name are told apart by their number. */
static void name_sides(struct compare_side side[2], const struct replay_options *options)
{
	static char names[2][16];

	for (int i = 0; i < 2; i++) {
		side[i].name = options->compare[i];
		if (options->compare[0] != options->compare[1])
			continue;
		snprintf(names[i], sizeof(names[i]), "%s-%d", options->compare[i], i + 1);
		side[i].name = names[i];
	}
}

static int compare(const struct replay_options *options, const struct config *config)
{
	struct compare_side side[2] = {{.config = config}, {.config = config}};
	struct compare_report report = {0};
	struct config *against = NULL;
	struct err err = {""};
	int ret = 0, status;

	if (options->against && load_config(options->against, &against) < 0)
		return EXIT_FAILED;
	if (against)
		side[1].config = against;
	name_sides(side, options);
	for (int i = 0; i < 2 && ret == 0; i++)
		ret = replay_open(options->compare[i], side[i].config, options->down,
				  options->n_down, &side[i].replay, &err);
	if (ret == 0) {
		ret = compare_capture(side, options, stdout, &report, &err);
		say_cut(&report.walk, options);
		say_by_native(side[0].replay);
		say_by_native(side[1].replay);
	}
	status = conclude(ret, &report.walk, &err);
	for (int i = 0; i < 2; i++)
		replay_free(side[i].replay);
	config_free(against);
	return status == EXIT_DONE && report.n_differ ? EXIT_DIFFERENT : status;
}

int main(int argc, char **argv)
{
	struct replay_options options;
	struct config *config;
	struct err err = {""};
	int status = EXIT_FAILED;

	if (replay_options_parse(argc, argv, &options, &err) < 0) {
		say(err.text);
		fputs("Try 'fairway-replay --help'.\n", stderr);
		return EXIT_USAGE;
	}
	if (options.help) {
		replay_options_help(stdout);
		status = EXIT_DONE;
	} else if (options.version) {
		puts("fairway-replay " FAIRWAY_VERSION);
		status = EXIT_DONE;
	} else if (load_config(options.config, &config) == 0) {
		status = options.compare[0] ? compare(&options, config) : replay(&options, config);
		config_free(config);
	}
	replay_options_fini(&options);
	if (fflush(stdout) == EOF) {
		say("standard output: can't write");
		return EXIT_FAILED;
	}
	return status;
}
