/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_PROCESS_H
#define FAIRWAY_BASE_PROCESS_H

/* Other processes. */

#include <stdbool.h>
#include <sys/types.h>

/* Whether there is a process of this number in which something can still run: not one that has
 * ended with all its threads and waits for its parent to notice, which kill(pid, 0) takes for
 * alive. */
bool process_runs(pid_t pid);

#endif
