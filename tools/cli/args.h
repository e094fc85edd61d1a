/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_ARGS_H
#define FAIRWAY_CLI_ARGS_H

#include <jansson.h>

#include "controlplane/base/err.h"
#include "tools/cli/command.h"

/* The command line, taken apart in two steps: options out of the words, then the words by the table
 * of commands. */

#define ARGS_WORDS_MAX 256

struct args_options {
	const char *socket;
	unsigned timeout_ms;
	bool json;
	bool force;
	bool help;
	bool version;
	const char *words[ARGS_WORDS_MAX]; /* what isn't an option, in order */
	size_t n_words;
};

#define ARGS_DEFAULT_SOCKET     "/run/fairway/fairwayd.sock"
#define ARGS_DEFAULT_TIMEOUT_MS 10000

/* Options may stand anywhere; after "--" every word is a plain word. argv[0] is skipped. 0 or
 * -EINVAL with words. What was understood before the error is in *opts, so that --json counts. */
int args_split(int argc, char **argv, struct args_options *opts, struct err *err)
	__attribute__((warn_unused_result));

/* Find the command. 0 with *ret_cmd; -EINVAL with words (suggesting the nearest command, or listing
 * the verbs). *ret_used is how many words named it. */
int args_find_command(const struct args_options *opts, const struct command **ret_cmd,
		      size_t *ret_used, struct err *err) __attribute__((warn_unused_result));

/* The raw words of one command: which text was given for which argument. */
struct args_given {
	const struct command_arg *arg;
	const char *text;
};

/* Match words to the command's arguments; ret_given has room for n_words entries. A positional
 * argument ends where a key begins; optional positional ones go empty when too few are given. 0 or
 * -EINVAL with words that name the argument and end in how to get help. */
int args_match(const struct command *cmd, const char *const *words, size_t n_words,
	       struct args_given *ret_given, size_t *ret_n, struct err *err)
	__attribute__((warn_unused_result));

/* Turn matched words into params of the API; files are read here. A new reference in *ret_params.
 * 0; -EINVAL for a word that can't be; other -errno for a file that can't be read. */
int args_params(const struct command *cmd, const struct args_given *given, size_t n, bool force,
		json_t **ret_params, struct err *err) __attribute__((warn_unused_result));

#endif
