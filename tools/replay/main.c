/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fairway-replay: what would Fairway do with these packets? Takes a configuration and a capture,
 * runs every packet through an engine and writes a verdict for each and what would have left.
 *
 *   configuration --> setup.c --> publish --> tables --> engine_*.c <-- capture --> verdicts,
 * capture
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/config/config.h"
#include "tools/replay/options.h"
#include "tools/replay/perf.h"
#include "tools/replay/replay.h"
#include "tools/replay/run.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

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

static void say_report(const struct run_report *report, const struct replay *replay,
		       const struct replay_options *options)
{
	uint64_t by_native = replay_by_native(replay);

	if (report->n_cut)
		fprintf(stderr,
			"fairway-replay: warning: %s: %" PRIu64 " of %" PRIu64
			" packets were not captured whole; the rest of them is unknown here, so they"
			" count as truncated (tcpdump -s 0 captures all)\n",
			options->in, report->n_cut, report->n_packets);
	if (by_native)
		fprintf(stderr,
			"fairway-replay: warning: %" PRIu64
			" packets are shorter or longer than the %s engine takes here; the native"
			" engine decided them over the same tables\n",
			by_native, options->engine);
}

static int replay(const struct replay_options *options, const struct config *config)
{
	struct run_report report;
	struct replay *replay;
	struct err err = {""};
	int ret =
		replay_open(options->engine, config, options->down, options->n_down, &replay, &err);

	if (ret < 0) {
		say(err.text);
		return EXIT_FAILED;
	}
	if (options->perf) {
		ret = perf_capture(replay, options->in, stdout, &err);
	} else {
		ret = run_capture(replay, config, options, &report, &err);
		say_report(&report, replay, options);
	}
	if (ret < 0)
		say(err.text);
	replay_free(replay);
	return ret < 0 ? EXIT_FAILED : EXIT_DONE;
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
		status = replay(&options, config);
		config_free(config);
	}
	replay_options_fini(&options);
	if (fflush(stdout) == EOF) {
		say("standard output: can't write");
		return EXIT_FAILED;
	}
	return status;
}
