/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_REAL_REAL_H
#define FAIRWAY_REAL_REAL_H

#include <jansson.h>

#include "tools/real/item.h"

/* What the command line asked for. */
struct real_options {
	struct addr_set vips;
	struct addr_set outers;
	char interfaces[REAL_MAX_INTERFACES][IFNAMSIZ];
	size_t n_interfaces;
	bool encap_given, decap_given, mtu_given, priority_given, gue_port_given, json;
	enum real_encap encap;
	enum real_decap decap;
	unsigned mtu, tc_priority, gue_port;
	const char *state_dir; /* NULL: real_state_default_dir() */
};

/* Open netlink, take the lock, read the state (an empty one when there is none; *ret_present tells)
 * and the host's addresses. real_run_fini() also after a failure. */
int real_run_init(struct real_run *run, const char *dir, bool *ret_present, int *ret_lock,
		  struct err *e) __attribute__((warn_unused_result));
void real_run_fini(struct real_run *run);

/* Merge options into the run's configuration, fill in what they left open from the host, and refuse
 * what can't work. `present`: the run's state was set up before. */
int real_resolve(struct real_run *run, const struct real_options *opts, bool present, struct err *e)
	__attribute__((warn_unused_result));

/* What the BPF programs are to know besides addresses: the GUE port, and the MSS that fits the
 * smallest of the interfaces with the outer header around. A missing device counts as nothing: its
 * own item reports it. */
int real_resolve_settings(struct real_run *run, struct err *e) __attribute__((warn_unused_result));

/* Make the host what the run's configuration says, and take away what it says no more. `old` is
 * the state before, NULL if none: on failure all that was done is undone and `old` is saved back.
 */
int real_converge(struct real_run *run, const struct real_state *old, size_t *ret_changes,
		  struct err *e) __attribute__((warn_unused_result));

/* Undo every record. What can't be undone stays recorded; the first such failure is returned after
 * all have been tried. */
int real_remove_all(struct real_run *run, struct err *e) __attribute__((warn_unused_result));

/* Look at every item. *ret_report is a new document, the same that --json prints; its "ok" tells
 * whether all is in place. */
int real_check(struct real_run *run, bool present, json_t **ret_report, struct err *e)
	__attribute__((warn_unused_result));

#endif
