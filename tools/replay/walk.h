/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_WALK_H
#define FAIRWAY_REPLAY_WALK_H

#include <stdint.h>

#include "controlplane/base/err.h"
#include "tools/replay/capture.h"
#include "tools/replay/options.h"

/* What going through a capture met that the operator should know besides the result. */
struct walk_report {
	uint64_t n_packets; /* read and done with */
	uint64_t n_matched; /* of them, those that the filter lets pass */
	uint64_t n_cut;     /* of those, captured shorter than they were on the wire */
	int stopped;        /* the signal that ended it, 0: none */
};

/* What is done with a packet, also with one that doesn't match. 0 to go on, 1 when that is all,
 * -errno with words. */
struct walk {
	int (*packet)(void *arg, const struct capture_packet *packet, struct err *err);
	void *arg;
};

/* Go through the packets, from one on to the end of the file or until SIGINT or SIGTERM, telling on
 * the way how far it is. -EINTR, without words, when a signal ended it. */
int walk_capture(struct capture_in *in, const struct walk *walk, const struct replay_options *o,
		 struct walk_report *ret_report, struct err *err)
	__attribute__((warn_unused_result));

#endif
