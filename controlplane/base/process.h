/* SPDX-License-Identifier: BSD-2-Clause */
/* Other processes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether there is a process of this number in which something can still run: not one that has
 * ended with all its threads and waits for its parent to notice, which kill(pid, 0) takes for
 * alive.
 */
bool process_runs(pid_t pid);

#ifdef __cplusplus
}
#endif
