/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_HELP_H
#define FAIRWAY_CLI_HELP_H

#include <stdio.h>

#include "tools/cli/command.h"

/* Help pages, made from the table of commands. */

void help_program(FILE *out);
void help_object(FILE *out, const struct command_object *object);
void help_command(FILE *out, const struct command *cmd);

/* The command's words and arguments in one line: "vip show NAME". */
void help_syntax(FILE *out, const struct command *cmd);

#endif
