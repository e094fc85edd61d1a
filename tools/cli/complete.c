/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/complete.h"

#include <errno.h>
#include <string.h>

#include "controlplane/base/cleanup.h"
#include "tools/cli/args.h"
#include "tools/cli/display.h"
#include "tools/cli/rpc.h"
#include "tools/cli/param.h"

/* Typing must not stall for a daemon that is gone. */
#define COMPLETE_TIMEOUT_MS 500

struct completion {
	FILE *out;
	const char *current; /* what is typed so far */
	const char *socket;
	const char *pool;   /* named before in the line; NULL for none */
	const char *before; /* "tcp/443=": stands before every candidate */
};

static void offer(const struct completion *c, const char *word, const char *help)
{
	char full[512];

	snprintf(full, sizeof(full), "%s%s", c->before, word);
	if (strncmp(full, c->current, strlen(c->current)) != 0)
		return;
	display_text(c->out, full, false);
	if (help)
		fprintf(c->out, "\t%s", help);
	fputc('\n', c->out);
}

static void offer_words(const struct completion *c, const char *const *words)
{
	for (; *words; words++)
		offer(c, *words, NULL);
}

/* Names that the daemon knows: key of every object in list. */
static void offer_names(const struct completion *c, const char *method, const char *list,
			const char *key)
{
	struct rpc_answer answer = {0};
	struct err ignored;
	const json_t *objects;

	if (rpc_call(c->socket, COMPLETE_TIMEOUT_MS, method, NULL, &answer, &ignored) < 0)
		return;
	objects = json_object_get(answer.result, list);
	for (size_t i = 0; i < json_array_size(objects); i++) {
		const json_t *object = json_array_get(objects, i);
		const char *name = json_string_value(json_object_get(object, key));
		const char *pool = json_string_value(json_object_get(object, "pool"));

		if (name && !(c->pool && pool && strcmp(c->pool, pool) != 0))
			offer(c, name, NULL);
	}
	rpc_answer_fini(&answer);
}

/* "tcp/", then any port, then after "=" the pools. */
static void offer_service(struct completion *c, bool with_pool)
{
	const char *equals = strchr(c->current, '=');
	char before[128];

	if (!equals || !with_pool) {
		offer(c, "tcp/", NULL);
		offer(c, "udp/", NULL);
		return;
	}
	snprintf(before, sizeof(before), "%.*s", (int)(equals + 1 - c->current), c->current);
	c->before = before;
	offer_names(c, "pool.list", "pools", "name");
	c->before = "";
}

static void offer_value(struct completion *c, enum value_kind kind)
{
	const char *const *words = param_words(kind);

	if (words) {
		offer_words(c, words);
		return;
	}
	switch (kind) {
	case VALUE_VIP:
		offer_names(c, "vip.list", "vips", "name");
		break;
	case VALUE_POOL:
		offer_names(c, "pool.list", "pools", "name");
		break;
	case VALUE_REAL:
		offer_names(c, "real.list", "reals", "address");
		break;
	case VALUE_SERVICE:
	case VALUE_SERVICE_NAME:
		offer_service(c, kind == VALUE_SERVICE);
		break;
	case VALUE_FILE:
		fputs(":files\n", c->out);
		break;
	default:
		break;
	}
}

static void offer_objects(const struct completion *c)
{
	for (size_t i = 0; i < command_object_count; i++)
		offer(c, command_objects[i].word, command_objects[i].summary);
}

static void offer_verbs(const struct completion *c, const char *object)
{
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].object, object) == 0 && commands[i].verb)
			offer(c, commands[i].verb, commands[i].summary);
	}
}

static void offer_options(const struct completion *c, const struct command *cmd)
{
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *opt = &command_options[i];

		if (!opt->per_command || !cmd || cmd->can_force)
			offer(c, opt->word, opt->help);
	}
}

/* Keys that can still be given. */
static void offer_keys(const struct completion *c, const struct command *cmd,
		       const char *const *words, size_t n)
{
	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		bool given = false;

		for (size_t i = 0; arg->key && i < n; i++)
			given = given || strcmp(words[i], arg->key) == 0;
		if (arg->key && (!given || arg->repeat))
			offer(c, arg->key, arg->help);
	}
}

/* What may stand after n complete words of the command. */
static void offer_next(struct completion *c, const struct command *cmd, const char *const *words,
		       size_t n)
{
	const struct command_arg *arg = cmd->args, *key;
	size_t at = 0, required = 0;

	for (const struct command_arg *a = arg; a->label && !a->key; a++)
		required += !a->optional;
	/* Walk over positional words that are there; a pool that is named narrows the reals. */
	while (at < n && arg->label && !arg->key) {
		if (at >= required && command_find_key(cmd, words[at]))
			break;
		if (arg->kind == VALUE_POOL)
			c->pool = words[at];
		at++;
		arg++;
	}
	if (at == n && arg->label && !arg->key) {
		offer_value(c, arg->kind);
		/* [POOL] ADDRESS: the first word may be either. */
		if (arg->optional && arg[1].label && !arg[1].key)
			offer_value(c, arg[1].kind);
	}
	if ((n - at) % 2 == 1) {
		key = command_find_key(cmd, words[n - 1]);
		if (key)
			offer_value(c, key->kind);
	} else if (at >= required) {
		offer_keys(c, cmd, words, n);
	}
}

/* Split the complete words as the program would, so that options in between don't disturb. An
 * option that still waits for its value is the last word: say so. */
static bool split_words(const char *const *words, size_t n, struct args_options *opts,
			const char **ret_waiting)
{
	char *argv[ARGS_WORDS_MAX + 2] = {(char *)"fairway"};
	struct err ignored;

	if (n > ARGS_WORDS_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = (char *)words[i];
	*ret_waiting = NULL;
	for (size_t i = 0; n > 0 && i < command_option_count; i++) {
		if (command_options[i].label && strcmp(words[n - 1], command_options[i].word) == 0)
			*ret_waiting = command_options[i].word;
	}
	return args_split((int)(n + 1 - (*ret_waiting != NULL)), argv, opts, &ignored) == 0;
}

int complete_words(FILE *out, const char *const *words, size_t n_words)
{
	struct completion c = {.out = out, .current = "", .before = ""};
	const struct command *cmd = NULL;
	struct args_options opts;
	const char *waiting;
	struct err ignored;
	size_t used = 0;

	if (n_words > 0)
		c.current = words[--n_words];
	if (!split_words(words, n_words, &opts, &waiting))
		return 0;
	c.socket = opts.socket;
	if (waiting) {
		if (strcmp(waiting, "--socket") == 0)
			fputs(":files\n", out);
		return 0;
	}
	if (opts.n_words > 0 && args_find_command(&opts, &cmd, &used, &ignored) < 0)
		cmd = NULL;
	if (c.current[0] == '-' && c.current[1] != '\0')
		offer_options(&c, cmd);
	else if (opts.n_words == 0)
		offer_objects(&c);
	else if (cmd)
		offer_next(&c, cmd, opts.words + used, opts.n_words - used);
	else if (opts.n_words == 1)
		offer_verbs(&c, opts.words[0]);
	return 0;
}

/* ---- scripts ---- */

static const char bash_script[] =
	"# Completion of fairway(8) for bash; written by `fairway completion bash`.\n"
	"_fairway() {\n"
	"\tlocal line=${COMP_LINE:0:COMP_POINT} cur word before\n"
	"\tlocal -a words\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
	"\tcur=${words[-1]}\n"
	"\t# Readline replaces only what follows the last : or = of the word.\n"
	"\tbefore=${cur%\"${cur##*[:=]}\"}\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS=$'\\t' read -r word _; do\n"
	"\t\tif [[ $word == :files ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\twhile IFS= read -r word; do COMPREPLY+=(\"$word\"); done < <(compgen -f -- \"$cur\")\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\t[[ $word == */ || $word == *= ]] && compopt -o nospace 2>/dev/null\n"
	"\t\tCOMPREPLY+=(\"${word#\"$before\"}\")\n"
	"\tdone < <(\"${words[0]}\" --complete \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -F _fairway fairway\n";

static const char zsh_script[] =
	"#compdef fairway\n"
	"# Completion of fairway(8) for zsh; written by `fairway completion zsh`.\n"
	"_fairway() {\n"
	"\tlocal line word help\n"
	"\tlocal -a described open\n"
	"\tfor line in \"${(@f)$(\"$words[1]\" --complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)}\"; do\n"
	"\t\tword=${line%%$'\\t'*}\n"
	"\t\thelp=${line#*$'\\t'}\n"
	"\t\tcase $word in\n"
	"\t\t'') ;;\n"
	"\t\t:files) _files ;;\n"
	"\t\t*/|*=) open+=(\"$word\") ;;\n"
	"\t\t*) described+=(\"${word//:/\\\\:}:$help\") ;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"\t(( $#described )) && _describe fairway described\n"
	"\t(( $#open )) && compadd -S '' -- \"${open[@]}\"\n"
	"}\n"
	"if [ \"$funcstack[1]\" = _fairway ]; then _fairway \"$@\"; else compdef _fairway fairway; fi\n";

int complete_script(FILE *out, const char *shell, struct err *err)
{
	if (strcmp(shell, "bash") == 0)
		fputs(bash_script, out);
	else if (strcmp(shell, "zsh") == 0)
		fputs(zsh_script, out);
	else
		return err_set(err, -EINVAL, "no completion for '%s': bash or zsh", shell);
	return 0;
}
