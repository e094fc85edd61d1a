/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_STOP_H
#define FAIRWAY_REPLAY_STOP_H

/* SIGINT and SIGTERM ask for the end: the packet at hand is finished and everything is written. The
 * same signal once more kills, should something hang. */
void stop_install(void);

/* The signal that asked for the end, or 0. */
int stop_requested(void);

/* Wait until there is something to read. 0, or -EINTR when the end was asked for. */
int stop_wait_readable(int fd) __attribute__((warn_unused_result));

#endif
