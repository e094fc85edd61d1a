/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/replay/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/config/suggest.h"
#include "tools/replay/replay.h"

/* More threads than any machine has CPUs are a slip. */
#define CORES_MAX 1024

enum option_id {
	OPT_ENGINE,
	OPT_CONFIG,
	OPT_IN,
	OPT_OUT,
	OPT_VERDICTS,
	OPT_DOWN,
	OPT_EVENTS,
	OPT_FILTER,
	OPT_EXPLAIN,
	OPT_COMPARE,
	OPT_AGAINST,
	OPT_PERF,
	OPT_CORES,
	OPT_PROGRESS,
	OPT_HELP,
	OPT_VERSION
};

/* One line per option: parsing, suggestions and --help are made from it. */
static const struct option_def {
	enum option_id id;
	const char *name;
	const char *value; /* what the value is called; NULL: takes none */
	const char *help;
} option_defs[] = {
	{OPT_ENGINE, "--engine", "ENGINE", "native, xdp or dpdk (native)"},
	{OPT_CONFIG, "--config", "FILE", "configuration, as fairwayd reads it"},
	{OPT_IN, "--in", "FILE",
	 "packets to replay: pcap or pcapng, Ethernet; - for standard input"},
	{OPT_OUT, "--out", "FILE", "write the packets that leave, as pcap; - for standard output"},
	{OPT_VERDICTS, "--verdicts", "FILE",
	 "write one line of JSON per packet of the input; - for standard output"},
	{OPT_DOWN, "--down", "ADDRESS", "count this real server as failed; may be repeated"},
	{OPT_EVENTS, "--events", "FILE",
	 "what happens to real servers between packets, as JSON lines"},
	{OPT_FILTER, "--filter", "EXPR",
	 "take only packets that match, in the syntax of pcap-filter(7)"},
	{OPT_EXPLAIN, "--explain", "N", "show why the packet of this index went where it went"},
	{OPT_COMPARE, "--compare", "A,B",
	 "run both engines and show the first packets that they treat differently"},
	{OPT_AGAINST, "--against", "FILE",
	 "with --compare: the configuration of the second engine"},
	{OPT_PERF, "--perf", NULL, "measure the time per packet instead, and print JSON"},
	{OPT_CORES, "--cores", "N", "with --perf: measure on so many CPUs at once (1)"},
	{OPT_PROGRESS, "--progress", NULL,
	 "tell on standard error how far it is, also where that is no terminal"},
	{OPT_HELP, "--help", NULL, "this text"},
	{OPT_VERSION, "--version", NULL, "the version"},
};

void replay_options_help(FILE *out)
{
	fputs("usage: fairway-replay [--engine ENGINE] --config FILE --in FILE --out FILE"
	      " --verdicts FILE\n"
	      "                      [--down ADDRESS ...] [--events FILE] [--filter EXPR]\n"
	      "       fairway-replay --explain N [--engine ENGINE] --config FILE --in FILE\n"
	      "       fairway-replay --compare A,B [--against FILE] --config FILE --in FILE\n"
	      "       fairway-replay --perf [--cores N] [--engine ENGINE] --config FILE --in FILE\n"
	      "\n"
	      "Runs packets of a capture through Fairway's forwarding core and shows what it does\n"
	      "with each. Needs no network card, no daemon and no BGP. All real servers count as\n"
	      "healthy unless --down says otherwise.\n"
	      "\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(option_defs); i++) {
		const struct option_def *def = &option_defs[i];
		char left[32];

		snprintf(left, sizeof(left), "%s %s", def->name, def->value ? def->value : "");
		fprintf(out, "  %-20s %s\n", left, def->help);
	}
	fputs("\n"
	      "Engines: native is the core as a plain C program; xdp is the BPF program in the kernel\n"
	      "(needs root); dpdk is the core on DPDK's packet buffers. All give the same answers.\n"
	      "\n"
	      "Exit status: 0 done, 1 failed, 2 wrong usage, 4 --compare found a difference, 130 and 143\n"
	      "stopped by SIGINT and SIGTERM; what was done until then is written.\n",
	      out);
}

static int unknown_option(const char *word, struct err *err)
{
	struct suggest suggest;

	if (word[0] != '-')
		return err_set(err, -EINVAL, "'%s' stands where an option should", word);
	suggest_init(&suggest, word);
	for (size_t i = 0; i < ARRAY_SIZE(option_defs); i++)
		suggest_offer(&suggest, option_defs[i].name);
	if (suggest.best)
		return err_set(err, -EINVAL, "unknown option '%s': did you mean '%s'?", word,
			       suggest.best);
	return err_set(err, -EINVAL, "unknown option '%s'", word);
}

static int add_down(struct replay_options *options, const char *value, struct err *err)
{
	struct addr *grown, addr;

	if (addr_parse(value, &addr) < 0)
		return err_set(err, -EINVAL,
			       "--down: '%s' is no IPv4 or IPv6 address, e.g. 10.0.0.11", value);
	grown = realloc(options->down, (options->n_down + 1) * sizeof(*grown));
	if (!grown)
		return err_set(err, -ENOMEM, "out of memory");
	options->down = grown;
	options->down[options->n_down++] = addr;
	return 0;
}

/* A single-valued option given twice is a slip that shouldn't pass silently. */
static int set_once(const char **field, const struct option_def *def, const char *value,
		    struct err *err)
{
	if (*field)
		return err_set(err, -EINVAL, "%s is given twice", def->name);
	if (!*value)
		return err_set(err, -EINVAL, "%s: the %s is empty", def->name, def->value);
	*field = value;
	return 0;
}

static int set_number(const struct option_def *def, const char *value, uint64_t least,
		      uint64_t most, uint64_t *ret_number, struct err *err)
{
	unsigned long long number;
	char *end;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (value[0] < '0' || value[0] > '9' || *end || errno || number < least || number > most)
		return err_set(err, -EINVAL, "%s: '%s' is no number from %llu to %llu", def->name,
			       value, (unsigned long long)least, (unsigned long long)most);
	*ret_number = number;
	return 0;
}

static int set_explain(struct replay_options *options, const struct option_def *def,
		       const char *value, struct err *err)
{
	if (options->has_explain)
		return err_set(err, -EINVAL, "%s is given twice", def->name);
	options->has_explain = true;
	return set_number(def, value, 0, UINT64_MAX, &options->explain, err);
}

static int set_cores(struct replay_options *options, const struct option_def *def,
		     const char *value, struct err *err)
{
	uint64_t cores;
	int ret = set_number(def, value, 1, CORES_MAX, &cores, err);

	if (ret == 0)
		options->cores = (uint32_t)cores;
	return ret;
}

static const char *engine_of(const char *name, size_t len)
{
	const char *known;

	for (size_t i = 0; (known = replay_engine_name(i)); i++)
		if (strlen(known) == len && strncmp(known, name, len) == 0)
			return known;
	return NULL;
}

static int set_compare(struct replay_options *options, const struct option_def *def,
		       const char *value, struct err *err)
{
	const char *comma = strchr(value, ',');

	if (options->compare[0])
		return err_set(err, -EINVAL, "%s is given twice", def->name);
	if (comma) {
		options->compare[0] = engine_of(value, (size_t)(comma - value));
		options->compare[1] = engine_of(comma + 1, strlen(comma + 1));
	}
	if (!options->compare[0] || !options->compare[1])
		return err_set(err, -EINVAL,
			       "%s: '%s' must be two of native, xdp and dpdk, e.g. native,xdp",
			       def->name, value);
	return 0;
}

static int set_option(struct replay_options *options, const struct option_def *def,
		      const char *value, struct err *err)
{
	switch (def->id) {
	case OPT_ENGINE:
		return set_once(&options->engine, def, value, err);
	case OPT_CONFIG:
		return set_once(&options->config, def, value, err);
	case OPT_IN:
		return set_once(&options->in, def, value, err);
	case OPT_OUT:
		return set_once(&options->out, def, value, err);
	case OPT_VERDICTS:
		return set_once(&options->verdicts, def, value, err);
	case OPT_DOWN:
		return add_down(options, value, err);
	case OPT_EVENTS:
		return set_once(&options->events, def, value, err);
	case OPT_FILTER:
		return set_once(&options->filter, def, value, err);
	case OPT_EXPLAIN:
		return set_explain(options, def, value, err);
	case OPT_COMPARE:
		return set_compare(options, def, value, err);
	case OPT_AGAINST:
		return set_once(&options->against, def, value, err);
	case OPT_PERF:
		options->perf = true;
		return 0;
	case OPT_CORES:
		return set_cores(options, def, value, err);
	case OPT_PROGRESS:
		options->progress = true;
		return 0;
	case OPT_HELP:
		options->help = true;
		return 0;
	case OPT_VERSION:
		options->version = true;
		return 0;
	}
	return 0;
}

/* Take one option (and its value) from argv; *at is moved past it. "--name=value" works too. */
static int take_option(struct replay_options *options, char **argv, int argc, int *at,
		       struct err *err)
{
	const char *word = argv[(*at)++], *equals = strchr(word, '=');
	size_t name_len = equals ? (size_t)(equals - word) : strlen(word);

	for (size_t i = 0; i < ARRAY_SIZE(option_defs); i++) {
		const struct option_def *def = &option_defs[i];

		if (strlen(def->name) != name_len || strncmp(def->name, word, name_len) != 0)
			continue;
		if (!def->value)
			return equals ? err_set(err, -EINVAL, "%s takes no value", def->name)
				      : set_option(options, def, NULL, err);
		if (equals)
			return set_option(options, def, equals + 1, err);
		if (*at >= argc)
			return err_set(err, -EINVAL, "%s needs a value: %s %s", def->name,
				       def->name, def->value);
		return set_option(options, def, argv[(*at)++], err);
	}
	return unknown_option(word, err);
}

static int check_engine(const char *name, struct err *err)
{
	struct suggest suggest;
	const char *known;

	suggest_init(&suggest, name);
	for (size_t i = 0; (known = replay_engine_name(i)); i++) {
		if (strcmp(known, name) == 0)
			return 0;
		suggest_offer(&suggest, known);
	}
	if (suggest.best)
		return err_set(err, -EINVAL, "--engine: unknown engine '%s': did you mean '%s'?",
			       name, suggest.best);
	return err_set(err, -EINVAL, "--engine: unknown engine '%s': use native, xdp or dpdk",
		       name);
}

static bool is_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int check_perf(const struct replay_options *o, struct err *err)
{
	if (o->cores && !o->perf)
		return err_set(err, -EINVAL, "--cores says what --perf measures on: add --perf");
	if (!o->perf)
		return 0;
	if (o->out || o->verdicts || o->has_explain)
		return err_set(err, -EINVAL,
			       "--perf only measures: leave out --out, --verdicts and --explain");
	if (o->events)
		return err_set(err, -EINVAL,
			       "--perf goes round one set of tables: leave out --events");
	return 0;
}

static int check_compare(const struct replay_options *o, struct err *err)
{
	if (o->against && !o->compare[0])
		return err_set(err, -EINVAL,
			       "--against is the configuration of --compare's second engine: add"
			       " --compare native,native");
	if (!o->compare[0])
		return 0;
	if (o->engine)
		return err_set(err, -EINVAL, "--compare names the engines: leave out --engine");
	if (o->out || o->verdicts || o->has_explain || o->perf)
		return err_set(err, -EINVAL,
			       "--compare only compares: leave out --out, --verdicts, --explain and"
			       " --perf");
	return 0;
}

static int check_outputs(const struct replay_options *o, struct err *err)
{
	if (!o->perf && !o->compare[0] && !o->has_explain && !o->out && !o->verdicts)
		return err_set(err, -EINVAL,
			       "nothing to do: give --out FILE, --verdicts FILE or both");
	if (is_stdout(o->out) + is_stdout(o->verdicts) + o->has_explain > 1)
		return err_set(err, -EINVAL,
			       "only one of --out, --verdicts and --explain can go to standard"
			       " output: give the others a file");
	return 0;
}

static int check_options(struct replay_options *options, struct err *err)
{
	if (check_perf(options, err) < 0 || check_compare(options, err) < 0)
		return -EINVAL;
	if (!options->engine)
		options->engine = "native";
	if (!options->cores)
		options->cores = 1;
	if (check_engine(options->engine, err) < 0)
		return -EINVAL;
	if (!options->config)
		return err_set(err, -EINVAL, "--config FILE is missing");
	if (!options->in)
		return err_set(err, -EINVAL, "--in FILE is missing");
	return check_outputs(options, err);
}

int replay_options_parse(int argc, char **argv, struct replay_options *ret_options, struct err *err)
{
	struct replay_options options = {0};
	int ret = 0;

	for (int at = 1; at < argc && ret == 0;)
		ret = take_option(&options, argv, argc, &at, err);
	if (ret == 0 && !options.help && !options.version)
		ret = check_options(&options, err);
	if (ret < 0) {
		replay_options_fini(&options);
		return ret;
	}
	*ret_options = options;
	return 0;
}

void replay_options_fini(struct replay_options *options)
{
	free(options->down);
	options->down = NULL;
	options->n_down = 0;
}
