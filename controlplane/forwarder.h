/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_FORWARDER_H
#define FAIRWAY_FORWARDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/config/config.h"
#include "controlplane/probe_frame.h"
#include "controlplane/publish/publish.h"

/* The engine as the daemon sees it: open it, attach it, and ask it what it would do with a packet.
 */

struct forwarder;

/* Load the program, or adopt tables and attachment of an earlier daemon; nothing is attached yet.
 */
int forwarder_open(const struct config *cfg, const char *bpffs, struct forwarder **ret_forwarder,
		   struct err *err) __attribute__((warn_unused_result));
/* Program and tables stay in force. NULL is accepted. */
void forwarder_free(struct forwarder *f);

const struct publish_engine *forwarder_engine(const struct forwarder *f);
/* Tables of an earlier daemon were found. */
bool forwarder_adopted(const struct forwarder *f);
uint32_t forwarder_program_id(const struct forwarder *f);

int forwarder_attach(struct forwarder *f, const char *ifname, enum config_xdp_mode mode,
		     struct err *err) __attribute__((warn_unused_result));
bool forwarder_attached(const struct forwarder *f, const char *ifname);

/* How many programs share the interface with ours, itself included; 0 when ours is there alone. */
int forwarder_shared(const struct forwarder *f, const char *ifname);
/* Detach from what an earlier daemon attached to and node doesn't name. */
int forwarder_detach_others(struct forwarder *f, const struct config_node *node, struct err *err)
	__attribute__((warn_unused_result));

struct forwarder_answer {
	enum lb_verdict verdict;
	enum lb_reason reason;
	uint32_t service; /* publish's numbers; 0 where there is none */
	uint32_t real;
	uint32_t slot;
	struct addr source, destination; /* of the outermost header of what leaves; family 0: none
					  */
};

/* What happens to the first packet of this flow now, by the program itself; nothing is sent or
 * counted. */
int forwarder_ask(struct forwarder *f, const struct probe_flow *flow,
		  struct forwarder_answer *ret_answer, struct err *err)
	__attribute__((warn_unused_result));

/* Run that packet through the very program that is attached: 0 when it is forwarded. */
int forwarder_probe(struct forwarder *f, const struct probe_flow *flow, struct err *err)
	__attribute__((warn_unused_result));

#endif
