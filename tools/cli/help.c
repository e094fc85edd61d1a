/* SPDX-License-Identifier: BSD-2-Clause */
#include "tools/cli/help.h"

#include <string.h>

static void put_argument(FILE *out, const struct command_arg *arg)
{
	if (arg->optional)
		fputc('[', out);
	if (arg->key)
		fprintf(out, "%s ", arg->key);
	fputs(arg->label, out);
	if (arg->optional)
		fputc(']', out);
	if (arg->repeat)
		fputs("...", out);
}

static void put_words(FILE *out, const struct command *cmd)
{
	fprintf(out, "%s%s%s", cmd->object, cmd->verb ? " " : "", cmd->verb ? cmd->verb : "");
}

void help_syntax(FILE *out, const struct command *cmd)
{
	put_words(out, cmd);
	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		fputc(' ', out);
		put_argument(out, arg);
	}
	if (cmd->can_force)
		fputs(" [--force]", out);
}

/* "  left     right"; width is that of the widest left. */
static void put_pair(FILE *out, const char *left, int width, const char *right)
{
	fprintf(out, "  %-*s  %s\n", width, left, right);
}

static void put_options(FILE *out, bool can_force)
{
	fputs("\nOptions, anywhere in the line:\n", out);
	for (size_t i = 0; i < command_option_count; i++) {
		const struct command_option *opt = &command_options[i];
		char left[64];

		if (opt->per_command && !can_force)
			continue;
		snprintf(left, sizeof(left), "%s%s%s", opt->word, opt->label ? " " : "",
			 opt->label ? opt->label : "");
		put_pair(out, left, 17, opt->help);
	}
}

static void put_commands(FILE *out, const char *object)
{
	for (size_t i = 0; i < command_count; i++) {
		char left[64];

		if (strcmp(commands[i].object, object) != 0)
			continue;
		snprintf(left, sizeof(left), "%s%s%s", object, commands[i].verb ? " " : "",
			 commands[i].verb ? commands[i].verb : "");
		put_pair(out, left, 14, commands[i].summary);
	}
}

void help_program(FILE *out)
{
	fputs("fairway: talk to fairwayd, the daemon of the Fairway load balancer\n\n"
	      "Usage:\n"
	      "  fairway [OPTIONS] OBJECT VERB [NAME] [key value ...]\n\n"
	      "Commands:\n",
	      out);
	for (size_t i = 0; i < command_object_count; i++)
		put_commands(out, command_objects[i].word);
	put_options(out, true);
	fputs("\n`fairway OBJECT --help` and `fairway OBJECT VERB --help` tell more, with examples.\n"
	      "Words are exact; there are no abbreviations.\n"
	      "\nExit codes:\n"
	      "  0  done\n"
	      "  1  refused or failed\n"
	      "  2  wrong usage\n"
	      "  3  the daemon can't be reached or doesn't answer\n"
	      "  4  a check ran and found trouble (config check, doctor)\n"
	      "\nMore: fairway(8); api.md has the JSON documents and the API behind them.\n",
	      out);
}

void help_object(FILE *out, const struct command_object *object)
{
	fprintf(out, "fairway %s: %s\n\nUsage:\n", object->word, object->summary);
	for (size_t i = 0; i < command_count; i++) {
		if (strcmp(commands[i].object, object->word) != 0)
			continue;
		fputs("  fairway ", out);
		help_syntax(out, &commands[i]);
		fputc('\n', out);
	}
	fputs("\nCommands:\n", out);
	put_commands(out, object->word);
	fprintf(out, "\n`fairway %s VERB --help` tells more, with examples.\n", object->word);
}

static void put_arguments(FILE *out, const struct command *cmd)
{
	int width = 0;

	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		int len = (int)(strlen(arg->label) + (arg->key ? strlen(arg->key) + 1 : 0));

		if (len > width)
			width = len;
	}
	if (width == 0)
		return;
	fputs("\nArguments:\n", out);
	for (const struct command_arg *arg = cmd->args; arg->label; arg++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", arg->key ? arg->key : "",
			 arg->key ? " " : "", arg->label);
		put_pair(out, left, width, arg->help);
	}
}

static void put_examples(FILE *out, const struct command *cmd)
{
	if (!cmd->examples[0].line)
		return;
	fputs("\nExamples:\n", out);
	for (const struct command_example *ex = cmd->examples; ex->line; ex++) {
		if (ex->text)
			fprintf(out, "  # %s\n", ex->text);
		fprintf(out, "  %s\n", ex->line);
	}
}

void help_command(FILE *out, const struct command *cmd)
{
	fputs("fairway ", out);
	put_words(out, cmd);
	fprintf(out, ": %s\n\nUsage:\n  fairway [OPTIONS] ", cmd->summary);
	help_syntax(out, cmd);
	fputc('\n', out);
	put_arguments(out, cmd);
	if (cmd->detail)
		fprintf(out, "\n%s\n", cmd->detail);
	put_examples(out, cmd);
	put_options(out, cmd->can_force);
}
