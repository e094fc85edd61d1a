/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REPLAY_REPLAY_H
#define FAIRWAY_REPLAY_REPLAY_H

/* A configuration's tables in an engine, ready for packets. */

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/config/config.h"
#include "tools/replay/engine.h"
#include "tools/replay/setup.h"

struct replay;

/* What is said about a packet. Strings live as long as the replay. */
struct replay_verdict {
	enum lb_verdict verdict;
	enum lb_reason reason;
	const char *vip;  /* NULL: the packet concerns none */
	struct addr real; /* family 0: none was chosen */
	/* The frame that leaves, for forward and reply; valid until the next packet. */
	struct replay_frame frame;
	struct lb_trace trace; /* the numbers behind all that */
};

/* The engines' names, from 0 on; NULL behind the last. */
const char *replay_engine_name(size_t i);

/* Start an engine by name and publish the configuration to it. -EINVAL when there is no such
 * engine, or for what setup_tables() refuses; -EPERM when the engine needs more privileges. */
int replay_open(const char *engine, const struct config *config, const struct addr *down,
		size_t n_down, struct replay **ret_replay, struct err *err)
	__attribute__((warn_unused_result));
/* The same with an engine that isn't one of those. */
int replay_open_engine(const struct replay_engine *engine, const struct config *config,
		       const struct addr *down, size_t n_down, struct replay **ret_replay,
		       struct err *err) __attribute__((warn_unused_result));
void replay_free(struct replay *r);

int replay_process(struct replay *r, const struct replay_frame *frame,
		   struct replay_verdict *ret_verdict, struct err *err)
	__attribute__((warn_unused_result));

/* Make the pools what the reals are at a time: see setup_reals(). From the first change on, slots
 * that changed are tracked, as on a node; time passes as the packets' does. */
int replay_change(struct replay *r, const struct config *config, const struct setup_real *reals,
		  size_t n_reals, uint64_t now_ns, struct err *err)
	__attribute__((warn_unused_result));

/* Let time pass until a packet comes that is processed next; replay_process() does so by itself. */
void replay_pass_time(struct replay *r, uint64_t now_ns);

/* The engine's tables, for what explains them, and for tests that put them into states that no
 * configuration gives. */
struct lb_tables *replay_tables(struct replay *r);

/* What the tables' numbers stand for: NULL, or family 0, when there is nothing of that number. */
const char *replay_pool_of(const struct replay *r, uint32_t service);
void replay_real_addr(const struct replay *r, uint32_t real, struct addr *ret_addr);

/* The name of the engine. */
const char *replay_engine_of(const struct replay *r);

/* Can the engine itself run a frame of this length? */
bool replay_takes(const struct replay *r, size_t len);

/* The engine and its state, for who measures it with frames that it takes. */
const struct replay_engine *replay_engine(const struct replay *r, void **ret_state);

/* The CPUs that the process could use before the engine, which may bind it to one, was started. */
const cpu_set_t *replay_cpus(const struct replay *r);

/* Frames that the engine has no way to run, shorter or longer than it takes, are decided by the
 * native core over the engine's own tables: so many so far. */
uint64_t replay_by_native(const struct replay *r);

#endif
