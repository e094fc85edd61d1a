/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_CLI_COMPLETE_H
#define FAIRWAY_CLI_COMPLETE_H

#include <stddef.h>
#include <stdio.h>

#include "controlplane/base/err.h"

/* Completion. The shells' scripts only hand over the words; what may come next is found here, from
 * the table of commands and, for names, from the daemon. */

/* words: the command line after "fairway", the last one being what is typed at the moment (maybe
 * ""). One candidate a line, a tab and its meaning where there is one; the line ":files" asks the
 * shell for file names. Never fails loudly: a silent daemon means no names. 0, or -ENOMEM. */
int complete_words(FILE *out, const char *const *words, size_t n_words)
	__attribute__((warn_unused_result));

/* The script for a shell, "bash" or "zsh". 0 or -EINVAL. */
int complete_script(FILE *out, const char *shell, struct err *err)
	__attribute__((warn_unused_result));

#endif
