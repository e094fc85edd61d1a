/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/args.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "controlplane/config/suggest.h"
#include "tools/cli/param.h"

#define TIMEOUT_MAX_S  3600
#define FILE_MAX_BYTES ((size_t)16 * 1024 * 1024)

/* Near by a slip of the keyboard, or an abbreviation. */
static void offer(struct suggest *s, const char *candidate)
{
	size_t len = strlen(s->word);

	suggest_offer(s, candidate);
	if (!s->best && len >= 2 && strncmp(s->word, candidate, len) == 0)
		s->best = candidate;
}

/* ---- options ---- */

static int parse_timeout(const char *text, unsigned *ret_ms, struct err *err)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' || !(seconds > 0 && seconds <= TIMEOUT_MAX_S))
		return err_set(err, -EINVAL,
			       "--timeout %s: not a number of seconds above 0 and up to %d", text,
			       TIMEOUT_MAX_S);
	*ret_ms = seconds < 0.001 ? 1 : (unsigned)(seconds * 1000);
	return 0;
}

static int unknown_option(const char *word, struct err *err)
{
	struct suggest s;

	suggest_init(&s, word);
	for (size_t i = 0; i < command_option_count; i++)
		offer(&s, command_options[i].word);
	if (s.best)
		return err_set(err, -EINVAL, "unknown option %s: did you mean %s?", word, s.best);
	return err_set(err, -EINVAL, "unknown option %s: see `fairway --help`", word);
}

static const struct command_option *find_option(const char *word, size_t len)
{
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *opt = &command_options[i];

		if (strlen(opt->word) == len && strncmp(opt->word, word, len) == 0)
			return opt;
	}
	return NULL;
}

static void set_flag(struct args_options *opts, const char *word)
{
	if (strcmp(word, "--json") == 0)
		opts->json = true;
	else if (strcmp(word, "--force") == 0)
		opts->force = true;
	else if (strcmp(word, "--help") == 0)
		opts->help = true;
	else
		opts->version = true;
}

/* One option at argv[*i]; *i moves over a value that is a word of its own. */
static int take_option(int argc, char **argv, int *i, struct args_options *opts, struct err *err)
{
	const char *word = argv[*i], *equals = strchr(word, '=');
	size_t len = equals ? (size_t)(equals - word) : strlen(word);
	const struct command_option *opt = find_option(word, len);
	const char *value;

	if (!opt)
		return unknown_option(word, err);
	if (!opt->label) {
		if (equals)
			return err_set(err, -EINVAL, "%s takes no value", opt->word);
		set_flag(opts, opt->word);
		return 0;
	}
	value = equals ? equals + 1 : *i + 1 < argc ? argv[++*i] : NULL;
	if (!value || *value == '\0')
		return err_set(err, -EINVAL, "%s needs a value: %s %s", opt->word, opt->word,
			       opt->label);
	if (strcmp(opt->word, "--timeout") == 0)
		return parse_timeout(value, &opts->timeout_ms, err);
	opts->socket = value;
	return 0;
}

int args_split(int argc, char **argv, struct args_options *opts, struct err *err)
{
	bool only_words = false;

	*opts = (struct args_options){
		.socket = ARGS_DEFAULT_SOCKET,
		.timeout_ms = ARGS_DEFAULT_TIMEOUT_MS,
	};
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
		} else if (!only_words && word[0] == '-' && word[1] != '\0') {
			int ret = take_option(argc, argv, &i, opts, err);

			if (ret < 0)
				return ret;
		} else if (opts->n_words == ARGS_WORDS_MAX) {
			return err_set(err, -EINVAL, "more than %d words", ARGS_WORDS_MAX);
		} else {
			opts->words[opts->n_words++] = word;
		}
	}
	return 0;
}

/* ---- commands ---- */

static int unknown_object(const char *word, struct err *err)
{
	struct suggest s;

	suggest_init(&s, word);
	for (size_t i = 0; i < command_object_count; i++)
		offer(&s, command_objects[i].word);
	if (s.best)
		return err_set(err, -EINVAL, "unknown command '%s': did you mean `fairway %s`?",
			       word, s.best);
	return err_set(err, -EINVAL, "unknown command '%s': `fairway --help` lists them", word);
}

static void list_verbs(const char *object, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].object, object) != 0 || at >= len)
			continue;
		at += (size_t)snprintf(buf + at, len - at, "%s%s", at ? ", " : "",
				       commands[i].verb);
	}
}

static int unknown_verb(const char *object, const char *verb, struct err *err)
{
	char verbs[256];
	struct suggest s;

	suggest_init(&s, verb ? verb : "");
	for (size_t i = 0; verb && i < command_count; i++) {
		if (strcmp(commands[i].object, object) == 0)
			offer(&s, commands[i].verb);
	}
	list_verbs(object, verbs, sizeof(verbs));
	if (!verb)
		return err_set(err, -EINVAL, "`fairway %s` needs to know what to do: %s", object,
			       verbs);
	if (s.best)
		return err_set(err, -EINVAL,
			       "`fairway %s` doesn't know '%s': did you mean `fairway %s %s`?",
			       object, verb, object, s.best);
	return err_set(err, -EINVAL, "`fairway %s` doesn't know '%s'; it knows: %s", object, verb,
		       verbs);
}

int args_find_command(const struct args_options *opts, const struct command **ret_cmd,
		      size_t *ret_used, struct err *err)
{
	const char *object = opts->n_words > 0 ? opts->words[0] : NULL;
	const char *verb = opts->n_words > 1 ? opts->words[1] : NULL;
	const struct command *cmd;

	if (!object)
		return err_set(err, -EINVAL, "no command given: `fairway --help` lists them");
	if (!command_find_object(object))
		return unknown_object(object, err);
	cmd = command_find(object, NULL);
	*ret_used = 1;
	if (!cmd) {
		cmd = verb ? command_find(object, verb) : NULL;
		*ret_used = 2;
	}
	if (!cmd)
		return unknown_verb(object, verb, err);
	*ret_cmd = cmd;
	return 0;
}

/* ---- arguments ---- */

static int __attribute__((format(printf, 3, 4)))
usage_error(const struct command *cmd, struct err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(err, -EINVAL, "%s%s%s: %s\n  see `fairway %s%s%s --help`", cmd->object,
		       cmd->verb ? " " : "", cmd->verb ? cmd->verb : "", text, cmd->object,
		       cmd->verb ? " " : "", cmd->verb ? cmd->verb : "");
}

/* How many positional arguments there are, and how many must be given. */
static void count_positional(const struct command *cmd, size_t *ret_all, size_t *ret_required)
{
	*ret_all = *ret_required = 0;
	for (const struct command_arg *arg = cmd->args; arg->label && !arg->key; arg++) {
		++*ret_all;
		*ret_required += !arg->optional;
	}
}

static int unknown_word(const struct command *cmd, const char *word, struct err *err)
{
	struct suggest s;
	bool keys = false;

	suggest_init(&s, word);
	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		if (!arg->key)
			continue;
		keys = true;
		offer(&s, arg->key);
	}
	if (s.best)
		return usage_error(cmd, err, "unexpected '%s': did you mean '%s'?", word, s.best);
	if (!keys)
		return usage_error(cmd, err, "unexpected '%s'", word);
	return usage_error(cmd, err, "unexpected '%s' where a key should stand", word);
}

static int match_positional(const struct command *cmd, const char *const *words, size_t n_words,
			    struct args_given *given, size_t *ret_n, struct err *err)
{
	size_t all, required, n = 0, optional;
	const struct command_arg *arg;

	count_positional(cmd, &all, &required);
	while (n < n_words && n < all && (n < required || !command_find_key(cmd, words[n])))
		n++;
	optional = n > required ? n - required : 0;
	*ret_n = 0;
	for (arg = cmd->args; arg->label && !arg->key; arg++) {
		if (arg->optional && optional == 0)
			continue;
		if (*ret_n == n)
			return usage_error(cmd, err, "%s is missing: %s", arg->label, arg->help);
		optional -= arg->optional;
		given[*ret_n] = (struct args_given){arg, words[*ret_n]};
		++*ret_n;
	}
	return 0;
}

static bool was_given(const struct command_arg *arg, const struct args_given *given, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (given[i].arg == arg)
			return true;
	}
	return false;
}

static int check_complete(const struct command *cmd, const struct args_given *given, size_t n,
			  struct err *err)
{
	bool any_key = false;

	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		if (!arg->key)
			continue;
		any_key = any_key || was_given(arg, given, n);
		if (!arg->optional && !was_given(arg, given, n))
			return usage_error(cmd, err, "'%s %s' is missing: %s", arg->key, arg->label,
					   arg->help);
	}
	if (cmd->needs_a_key && !any_key)
		return usage_error(cmd, err, "nothing to change: name at least one key and value");
	return 0;
}

int args_match(const struct command *cmd, const char *const *words, size_t n_words,
	       struct args_given *ret_given, size_t *ret_n, struct err *err)
{
	size_t n;
	int ret = match_positional(cmd, words, n_words, ret_given, &n, err);

	if (ret < 0)
		return ret;
	for (size_t i = n; i < n_words; i += 2) {
		const struct command_arg *arg = command_find_key(cmd, words[i]);

		if (!arg)
			return unknown_word(cmd, words[i], err);
		if (i + 1 == n_words)
			return usage_error(cmd, err, "'%s' needs a value: %s %s", arg->key,
					   arg->key, arg->label);
		if (!arg->repeat && was_given(arg, ret_given, n))
			return usage_error(cmd, err, "'%s' is given twice", arg->key);
		ret_given[n++] = (struct args_given){arg, words[i + 1]};
	}
	ret = check_complete(cmd, ret_given, n, err);
	if (ret < 0)
		return ret;
	*ret_n = n;
	return 0;
}

/* ---- params ---- */

/* A file is two parameters: what is in it, and its name for messages. */
static int add_file(json_t *params, const char *path, struct err *err)
{
	AUTO_FREE char *text = NULL;
	const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
	size_t len;
	int ret = param_read_file(path, FILE_MAX_BYTES, &text, &len, err);

	if (ret < 0)
		return ret;
	if (json_object_set_new(params, "text", json_stringn(text, len)) < 0 ||
	    json_object_set_new(params, "file", json_string(name)) < 0)
		return err_set(err, -EINVAL, "%s: its name isn't UTF-8, or memory ran out", path);
	return 0;
}

static int add_value(json_t *params, const struct command_arg *arg, const char *text,
		     struct err *err)
{
	json_t *value = NULL, *list;
	int ret;

	if (arg->kind == VALUE_FILE)
		return add_file(params, text, err);
	ret = param_parse(arg->kind, text, &value, err);
	/* The parsers of the configuration name what they parse; "'x' isn't ..." doesn't. */
	if (ret < 0 && err->text[0] == '\'')
		err_prefix(err, ret, "%s", arg->key ? arg->key : arg->label);
	if (ret < 0)
		return ret;
	if (!arg->repeat) {
		ret = json_object_set_new(params, arg->param, value);
	} else {
		list = json_object_get(params, arg->param);
		if (list)
			ret = json_array_append_new(list, value);
		else
			ret = json_object_set_new(params, arg->param, json_pack("[o]", value));
	}
	return ret < 0 ? err_set(err, -ENOMEM, "out of memory") : 0;
}

int args_params(const struct command *cmd, const struct args_given *given, size_t n, bool force,
		json_t **ret_params, struct err *err)
{
	json_t *params = json_object();
	int ret = params ? 0 : err_set(err, -ENOMEM, "out of memory");

	if (force && !cmd->can_force)
		ret = usage_error(cmd, err, "takes no --force");
	for (size_t i = 0; ret == 0 && i < n; i++) {
		ret = add_value(params, given[i].arg, given[i].text, err);
		if (ret < 0)
			err_prefix(err, ret, "%s%s%s", cmd->object, cmd->verb ? " " : "",
				   cmd->verb ? cmd->verb : "");
	}
	if (ret == 0 && force && json_object_set_new(params, "force", json_true()) < 0)
		ret = err_set(err, -ENOMEM, "out of memory");
	if (ret < 0) {
		json_decref(params);
		return ret;
	}
	*ret_params = params;
	return 0;
}
