/* SPDX-License-Identifier: BSD-2-Clause */

/* fairway: the command line of the Fairway load balancer. It turns words into one call of the API
 * (docs/api.md) by the table in command.c, and shows the document that comes back: as it is with
 * --json, else by the view that the table names. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/base/cleanup.h"
#include "tools/cli/args.h"
#include "tools/cli/check.h"
#include "tools/cli/complete.h"
#include "tools/cli/display.h"
#include "tools/cli/help.h"
#include "tools/cli/rpc.h"
#include "tools/cli/param.h"
#include "tools/cli/views.h"

#define DEFAULT_CONFIG    "/etc/fairway/fairway.yaml"
#define CONFIG_FILE_LIMIT ((size_t)16 * 1024 * 1024)

enum exit_code {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_TROUBLE = 4,
};

static void free_json(json_t **json)
{
	json_decref(*json);
}
#define AUTO_JSON CLEANUP(free_json)

/* ---- errors ---- */

/* With --json an error is a document too, on stderr. error is the API's, or NULL when the error is
 * our own; then name and text tell. */
static void report_json(enum exit_code code, const char *name, const char *text,
			const json_t *error)
{
	AUTO_JSON json_t *doc = json_pack("{s:i, s:i}", "schema_version", RPC_SCHEMA_VERSION,
					  "exit_code", (int)code);
	json_t *what = error ? json_copy((json_t *)error)
			     : json_pack("{s:n, s:s, s:{s:s, s:n}}", "code", "message", text,
					 "data", "name", name, "hint");

	if (!doc || !what || json_object_set_new(doc, "error", what) < 0 ||
	    display_json(stderr, doc) < 0)
		fprintf(stderr, "fairway: %s\n", text);
}

static enum exit_code fail(const struct args_options *opts, enum exit_code code, const char *name,
			   const char *text)
{
	if (opts->json)
		report_json(code, name, text, NULL);
	else
		fprintf(stderr, "fairway: %s\n", text);
	return code;
}

static enum exit_code fail_usage(const struct args_options *opts, const struct err *err)
{
	return fail(opts, EXIT_USAGE, "usage", err->text);
}

/* Its one line. Of several findings that would be the first, which comes again with the others. */
static void put_message(const char *message, const json_t *findings)
{
	if (json_array_size(findings) > 1) {
		fprintf(stderr, "fairway: refused, the configuration has %zu errors:\n",
			json_array_size(findings));
		return;
	}
	fputs("fairway: ", stderr);
	display_text(stderr, message, false);
	fputc('\n', stderr);
}

/* What the error carries: findings, a plan, a hint. One finding is the message itself. */
static void put_error_data(const json_t *data)
{
	AUTO_JSON json_t *rest = json_copy((json_t *)data);

	if (json_array_size(json_object_get(rest, "errors")) == 1)
		json_object_del(rest, "errors");
	if (!rest || display_view(stderr, rest, &view_error_data) < 0)
		fputs("fairway: out of memory for the rest of the message\n", stderr);
}

/* What the daemon said. */
static enum exit_code report_error(const struct args_options *opts, const json_t *error)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	const json_t *data = json_object_get(error, "data");

	if (opts->json) {
		report_json(EXIT_REFUSED, "", message, error);
		return EXIT_REFUSED;
	}
	put_message(message, json_object_get(data, "errors"));
	if (json_is_object(data))
		put_error_data(data);
	if (code == RPC_METHOD_NOT_FOUND || code == RPC_INVALID_PARAMS)
		fputs("  this fairway is version " FAIRWAY_VERSION
		      "; `fairway status` tells the daemon's\n",
		      stderr);
	return EXIT_REFUSED;
}

/* ---- running ---- */

static enum exit_code show(const struct args_options *opts, const struct command *cmd,
			   const json_t *result)
{
	int ret =
		opts->json ? display_json(stdout, result) : display_view(stdout, result, cmd->view);

	if (ret < 0)
		return fail(opts, EXIT_REFUSED, "internal_error", "out of memory for the answer");
	if (cmd->ok_or_trouble && !json_is_true(json_object_get(result, "ok")))
		return EXIT_TROUBLE;
	return EXIT_DONE;
}

/* No valid answer came: ret and err are rpc_call()'s. */
static enum exit_code fail_call(const struct args_options *opts, const struct command *cmd, int ret,
				bool sent, const struct err *err)
{
	bool changes = cmd->view == &view_change || cmd->view == &view_config_save;
	char text[sizeof(err->text) + 128];

	snprintf(text, sizeof(text), "%s%s", err->text,
		 sent && changes ? ". Whether the change was made isn't known: look before you "
				   "try again"
				 : "");
	if (ret == -ENOMEM || ret == -EPROTONOSUPPORT)
		return fail(opts, EXIT_REFUSED, "failed", text);
	return fail(opts, EXIT_UNREACHABLE, "unreachable", text);
}

static enum exit_code run_call(const struct args_options *opts, const struct command *cmd,
			       json_t *params)
{
	struct rpc_answer answer = {0};
	enum exit_code code;
	struct err err;
	int ret = rpc_call(opts->socket, opts->timeout_ms, cmd->method, params, &answer, &err);

	if (ret < 0)
		return fail_call(opts, cmd, ret, answer.sent, &err);
	code = answer.error ? report_error(opts, answer.error) : show(opts, cmd, answer.result);
	rpc_answer_fini(&answer);
	return code;
}

/* The daemon's answer where there is one; else our own check of the same text. */
static enum exit_code run_check(const struct args_options *opts, const struct command *cmd,
				json_t *params)
{
	const json_t *given = json_object_get(params, "text");
	const char *file =
		given ? json_string_value(json_object_get(params, "file")) : DEFAULT_CONFIG;
	AUTO_JSON json_t *result = NULL;
	AUTO_FREE char *read = NULL;
	struct rpc_answer answer = {0};
	enum exit_code code;
	struct err why, err;
	size_t len = 0;
	int ret = rpc_call(opts->socket, opts->timeout_ms, cmd->method, params, &answer, &why);

	if (ret == 0) {
		code = answer.error ? report_error(opts, answer.error)
				    : show(opts, cmd, answer.result);
		rpc_answer_fini(&answer);
		return code;
	}
	ret = given ? 0 : param_read_file(file, CONFIG_FILE_LIMIT, &read, &len, &err);
	if (ret == 0)
		ret = check_text_here(given ? json_string_value(given) : read,
				      given ? json_string_length(given) : len, file, why.text,
				      &result, &err);
	if (ret < 0)
		return fail(opts, EXIT_REFUSED, "failed", err.text);
	return show(opts, cmd, result);
}

static enum exit_code run_completion(const struct args_options *opts, const json_t *params)
{
	struct err err;

	if (complete_script(stdout, json_string_value(json_object_get(params, "shell")), &err) < 0)
		return fail_usage(opts, &err);
	return EXIT_DONE;
}

static enum exit_code run_command(const struct args_options *opts, const struct command *cmd,
				  size_t used)
{
	struct args_given given[ARGS_WORDS_MAX];
	AUTO_JSON json_t *params = NULL;
	struct err err;
	size_t n;
	int ret = args_match(cmd, opts->words + used, opts->n_words - used, given, &n, &err);

	if (ret == 0)
		ret = args_params(cmd, given, n, opts->force, &params, &err);
	if (ret == -EINVAL)
		return fail_usage(opts, &err);
	if (ret < 0)
		return fail(opts, EXIT_REFUSED, "failed", err.text);
	switch (cmd->run) {
	case COMMAND_CALL:
		return run_call(opts, cmd, params);
	case COMMAND_CHECK:
		return run_check(opts, cmd, params);
	case COMMAND_COMPLETION:
		return run_completion(opts, params);
	}
	return EXIT_REFUSED;
}

/* ---- help and the rest ---- */

/* skip: words before the object. */
static enum exit_code run_help(struct args_options *opts, size_t skip)
{
	const struct command_object *object;
	const struct command *cmd;
	struct err err;
	size_t used;

	opts->n_words -= skip;
	memmove(opts->words, opts->words + skip, opts->n_words * sizeof(*opts->words));
	if (opts->n_words == 0) {
		help_program(stdout);
		return EXIT_DONE;
	}
	object = command_find_object(opts->words[0]);
	if (object && opts->n_words == 1 && !command_find(object->word, NULL)) {
		help_object(stdout, object);
		return EXIT_DONE;
	}
	if (args_find_command(opts, &cmd, &used, &err) < 0)
		return fail_usage(opts, &err);
	help_command(stdout, cmd);
	return EXIT_DONE;
}

static enum exit_code run(int argc, char **argv)
{
	struct args_options opts;
	const struct command *cmd;
	struct err err;
	size_t used;

	/* For the completion scripts: the words after it are a line that isn't finished. */
	if (argc > 1 && strcmp(argv[1], "--complete") == 0)
		return complete_words(stdout, (const char *const *)argv + 2, (size_t)argc - 2) < 0
			       ? EXIT_REFUSED
			       : EXIT_DONE;
	if (args_split(argc, argv, &opts, &err) < 0)
		return fail_usage(&opts, &err);
	if (opts.version) {
		puts("fairway " FAIRWAY_VERSION);
		return EXIT_DONE;
	}
	if (opts.help)
		return run_help(&opts, 0);
	/* Not a command, but what many type first. */
	if (opts.n_words > 0 && strcmp(opts.words[0], "help") == 0)
		return run_help(&opts, 1);
	if (opts.n_words == 0 && !opts.json) {
		help_program(stderr);
		return EXIT_USAGE;
	}
	if (args_find_command(&opts, &cmd, &used, &err) < 0)
		return fail_usage(&opts, &err);
	return run_command(&opts, cmd, used);
}

/* A descriptor 0 to 2 that was closed would be given to the next file or socket, and the answer
 * written into that. /dev/null read-only makes writing to it the error it should be. */
static int keep_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			return -EBADF;
	}
	return 0;
}

/* Everything printed has arrived, or -errno. A write that failed earlier has left its mark on the
 * stream but not its errno. */
static int finish_output(void)
{
	bool failed_before = ferror(stdout);

	if (fflush(stdout) != 0)
		return -errno;
	if (failed_before)
		return -EIO;
	return close(STDOUT_FILENO) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	enum exit_code code;
	int ret;

	if (keep_standard_fds() < 0)
		return EXIT_REFUSED;
	/* A reader that goes away is an error to report, not a reason to vanish. */
	signal(SIGPIPE, SIG_IGN);
	code = run(argc, argv);
	ret = finish_output();
	if (ret < 0) {
		fprintf(stderr, "fairway: cannot write the answer to standard output: %s\n",
			strerror(-ret));
		return code == EXIT_DONE ? EXIT_REFUSED : code;
	}
	return code;
}
