/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_COMMAND_H
#define FAIRWAY_CLI_COMMAND_H

/* The one table of what `fairway` can do. Parsing, help, completion, and the test that holds the
 * manual page to it all read this table; a new command is a new entry. */

#include <stdbool.h>
#include <stddef.h>

struct view;

/* What a value must look like, and what completion offers for it; see param.h. */
enum value_kind {
	VALUE_NEW_NAME, /* a name for something new */
	VALUE_VIP,
	VALUE_POOL,
	VALUE_REAL, /* address of a real that exists */
	VALUE_ADDRESS,
	VALUE_PREFIX,       /* an address, or a prefix */
	VALUE_SERVICE,      /* tcp/443=web, tcp/8000-8999=web */
	VALUE_SERVICE_NAME, /* tcp/443 */
	VALUE_WEIGHT,
	VALUE_MAC,
	VALUE_SERVER_ID,
	VALUE_ANNOUNCE,
	VALUE_PROTOCOL,
	VALUE_ENDPOINT, /* 192.0.2.1:443 */
	VALUE_FILE,     /* its text is sent, not its name */
	VALUE_LIMIT,
	VALUE_SHELL,
	VALUE_KIND_COUNT
};

/* One argument: a positional one when key is NULL, else a key with a value after it. */
struct command_arg {
	const char *key;
	const char *label; /* stands for the value in the syntax */
	const char *param; /* the API's name */
	enum value_kind kind;
	bool optional;
	bool repeat; /* may be given several times; the parameter is then a list */
	const char *help;
};

struct command_example {
	const char *line;
	const char *text; /* what it does; NULL when it is plain */
};

enum command_run {
	COMMAND_CALL = 0,   /* send the method, show the result */
	COMMAND_CHECK,      /* config check: the daemon's, or our own without a daemon */
	COMMAND_COMPLETION, /* print a completion script */
};

#define COMMAND_ARGS_MAX     6
#define COMMAND_EXAMPLES_MAX 5

struct command {
	const char *object;
	const char *verb; /* NULL: the object alone is the command */
	const char *summary;
	const char *detail; /* paragraphs for the help page, lines broken; NULL for none */
	const char *method;
	const struct view *view;
	enum command_run run;
	bool can_force;     /* takes --force */
	bool needs_a_key;   /* at least one key must be given */
	bool ok_or_trouble; /* the result's "ok" false gives exit code 4 */
	struct command_arg args[COMMAND_ARGS_MAX + 1]; /* positional ones first; kind of the end:
							  label NULL */
	struct command_example examples[COMMAND_EXAMPLES_MAX + 1]; /* ends with line NULL */
};

struct command_object {
	const char *word;
	const char *summary;
};

extern const struct command_object command_objects[];
extern const size_t command_object_count;
extern const struct command commands[];
extern const size_t command_count;

const struct command_object *command_find_object(const char *word);
/* verb NULL: the command that is the object alone. */
const struct command *command_find(const char *object, const char *verb);
const struct command_arg *command_find_key(const struct command *cmd, const char *key);

/* Options, as the help and completion show them. */
struct command_option {
	const char *word;
	const char *label; /* of its value; NULL: takes none */
	const char *help;
	bool per_command; /* only where can_force */
};
extern const struct command_option command_options[];
extern const size_t command_option_count;

#endif
