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
#include "controlplane/publish/dpdk_page.h"
#include "controlplane/publish/publish.h"

/* The engine as the daemon sees it: open it, attach it, and ask it what it would do with a packet.
 * The XDP engine is the kernel's and does what it is told. The DPDK engine is a process that comes
 * and goes by itself: it is only looked at. */

struct forwarder;

/* Load the program, or adopt tables and attachment of an earlier daemon; nothing is attached yet.
 * bpffs: where program and tables are pinned; tables: the directory of their files, where the
 * configuration wants files. */
int forwarder_open(const struct config *cfg, const char *bpffs, const char *tables,
		   struct forwarder **ret_forwarder, struct err *err)
	__attribute__((warn_unused_result));
/* The daemon ends: no grace period is waited for any more. From then on nothing may be changed. */
void forwarder_stop(struct forwarder *f);
/* Program and tables stay in force. NULL is accepted. */
void forwarder_free(struct forwarder *f);

const struct publish_engine *forwarder_engine(const struct forwarder *f);
/* Tables of an earlier daemon were found. */
bool forwarder_adopted(const struct forwarder *f);
/* 0: there is no program. */
uint32_t forwarder_program_id(const struct forwarder *f);

/* The page that an engine in a process of its own writes to, or NULL: the engine is the kernel's.
 */
struct lb_page *forwarder_page(const struct forwarder *f);
/* Does that engine live? See dpdk_page_life(). */
enum dpdk_life forwarder_life(const struct forwarder *f, uint64_t now_ns);
/* The engine runs, no worker stands still, and it reads the tables in force: 0, or -EAGAIN and why
 * not. */
int forwarder_engine_check(const struct forwarder *f, struct err *err)
	__attribute__((warn_unused_result));
/* Does the kernel's program take the interface's packets while that engine doesn't? */
bool forwarder_fallback(const struct forwarder *f, const char *ifname);

/* Attach, or say why the engine in its process doesn't serve the interface: -ENOLINK when its port
 * has no link. */
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

/* What happens to the first packet of this flow now, by the program itself, or for an engine in a
 * process of its own by the same code over the same tables; nothing is sent or counted. */
int forwarder_ask(struct forwarder *f, const struct probe_flow *flow,
		  struct forwarder_answer *ret_answer, struct err *err)
	__attribute__((warn_unused_result));

/* Run that packet through the very program that is attached, or have the engine run it: 0 when it
 * is forwarded. -ETIMEDOUT when an engine in a process of its own doesn't answer; while it owes the
 * answer, further calls fail so at once. */
int forwarder_probe(struct forwarder *f, const struct probe_flow *flow, struct err *err)
	__attribute__((warn_unused_result));

#endif
