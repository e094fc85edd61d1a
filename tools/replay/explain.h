/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_EXPLAIN_H
#define FAIRWAY_REPLAY_EXPLAIN_H

#include <stdio.h>

#include "controlplane/base/err.h"
#include "tools/replay/capture.h"
#include "tools/replay/replay.h"

/* Why a packet went where it went, in words: what it is, what it met in the tables on its way, what
 * became of it and what left. */
struct explain;

/* Look at what a packet is going to meet. Call before it is processed: it may leave traces. The
 * packet must stay as long as the explanation. */
int explain_new(struct replay *r, const struct capture_packet *packet, struct explain **ret_explain,
		struct err *err) __attribute__((warn_unused_result));
void explain_free(struct explain *x);

/* Tell it all, with the verdict that the engine came to. */
void explain_print(const struct explain *x, const struct replay_verdict *verdict, FILE *out);

/* UDP destination port of the tunnel to a real, for decode_print(); 0: none by UDP. */
uint16_t explain_gue_port(struct replay *r, uint32_t real);

#endif
