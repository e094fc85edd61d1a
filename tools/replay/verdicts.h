/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_VERDICTS_H
#define FAIRWAY_REPLAY_VERDICTS_H

#include <stdint.h>

#include "controlplane/base/err.h"
#include "tools/replay/replay.h"

/* The file of verdicts, one line of JSON per packet:
 *
 *   {"index":0,"verdict":"forward","reason":"forwarded","vip":"web","real":"10.0.0.11"}
 */
struct verdicts;

/* Create or overwrite, "-" for standard output. */
int verdicts_open(const char *path, struct verdicts **ret_verdicts, struct err *err)
	__attribute__((warn_unused_result));
int verdicts_write(struct verdicts *v, uint64_t index, const struct replay_verdict *verdict,
		   struct err *err) __attribute__((warn_unused_result));
/* Write what is buffered. Success of the file as a whole is known only after it. */
int verdicts_flush(struct verdicts *v, struct err *err) __attribute__((warn_unused_result));
void verdicts_free(struct verdicts *v);

#endif
