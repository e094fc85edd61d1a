/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_DAEMON_H
#define FAIRWAY_DAEMON_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#include "controlplane/api/server.h"
#include "controlplane/bgp/bgp.h"
#include "controlplane/config/config.h"
#include "controlplane/forwarder.h"
#include "controlplane/health/health.h"
#include "controlplane/journal.h"
#include "controlplane/metrics/http.h"
#include "controlplane/neighbour/neighbour.h"
#include "controlplane/publish/publish.h"
#include "controlplane/vip/brake.h"
#include "controlplane/vip/desired.h"
#include "controlplane/vip/diff.h"
#include "controlplane/vip/plan.h"

/*
 * The daemon: one libuv loop that holds everything together. What happens (a check's verdict, a
 * neighbour's address, a request, a signal) changes an input and marks the daemon dirty; once per
 * turn of the loop reconcile computes what should be in force from all inputs (vip/desired), the
 * steps to it (vip/plan), and carries them out. Nothing else writes tables or announces.
 *
 * This header is shared by the daemon's own files; libraries don't know it.
 */

struct daemon_options {
	const char *config;
	const char *socket;
	const char *bpffs;
	const char *tables;
	const char *state;
};

/* A real of a pool, and its check. */
struct real_entry {
	struct daemon *d;
	char pool[CONFIG_NAME_MAX + 1];
	struct addr addr;
	struct health_target *target; /* NULL: its pool has no check */
	enum vip_real_state state;    /* as last told to the journal */
	uint64_t since_ns;            /* of that state */
	uint64_t fell_ns;             /* when its check went from up to down; 0: it didn't */
	bool wanted;                  /* scratch of a sync */
};

/* The way to an address, shared by all reals with it. */
struct way_entry {
	struct daemon *d;
	struct addr addr;
	struct neighbour_watch *watch;
	struct config_mac pin; /* from the configuration, instead of the neighbour's */
	bool answered;         /* the first answer has come */
	bool resolved;         /* what was published last */
	bool ever_resolved;
	bool wanted; /* false: its real left, and may still have flows */
	/* Why packets can't take it although the neighbour is known; "" else. */
	char trouble[NEIGHBOUR_REASON_LEN];
};

/* What is remembered of a VIP between reconciliations. */
struct vip_entry {
	char name[CONFIG_NAME_MAX + 1];
	bool announced;
	uint64_t since_ns;                /* of the last change of announced */
	char reason[VIP_REASON_LEN];      /* as last told to the journal */
	char probe_error[VIP_REASON_LEN]; /* "": the last probe came out right */
	bool wanted;
};

/* What was last seen of an engine in a process of its own. */
struct engine_seen {
	bool serves;
	uint64_t started_ns;
	uint32_t stalled;
	uint32_t fallback; /* a bit for each of the node's interfaces: the kernel's program took
			      over */
	uint32_t no_link;  /* a bit for each of the engine's ports */
	char trouble[VIP_REASON_LEN]; /* "" while it serves */
};

struct daemon {
	struct daemon_options opt;
	char config_path[PATH_MAX];
	char intent_path[PATH_MAX];
	uv_loop_t loop;
	uv_signal_t sigterm, sigint, sighup;
	uv_timer_t reconcile_timer; /* dirty, a drain that ends, a retry */
	uv_timer_t tick_timer;      /* once a second: probes, attachment, watchdog */
	uv_timer_t track_timer;     /* ten times a second: tracking */
	uv_timer_t engine_timer;    /* ten times a second: an engine in a process of its own */
	struct engine_seen engine;
	size_t probe_next;   /* VIP that the next tick's probes begin with */
	unsigned probe_late; /* ticks in a row in which an answer was */
	uint64_t track_steps;
	uint64_t started_ns;
	bool started; /* the first configuration is in force */
	bool stopping;
	int exit_code;
	uint64_t pause_ms; /* between two reconciliations, see set_pause() */
	int lock_fd;

	struct config *cfg; /* running */
	uint64_t config_at_ns;
	bool unsaved;
	struct stat config_stat; /* of the file as last read or written */
	struct vip_intent intent;
	char intent_warning[sizeof(((struct err *)0)->text)];

	struct vip_desired desired;
	struct vip_state loaded;                               /* what publish and bgp were told */
	char reconcile_error[sizeof(((struct err *)0)->text)]; /* "" when all steps succeeded */
	char node_blocked[VIP_REASON_LEN];
	char (*held)[CONFIG_NAME_MAX + 1]; /* pools that the brake holds */
	size_t n_held;
	char held_text[VIP_REASON_LEN]; /* "" while it holds none */

	struct real_entry **reals; /* sorted by pool, address */
	size_t n_reals;
	struct way_entry **ways; /* sorted by address */
	size_t n_ways;
	struct vip_entry *vips; /* sorted by name */
	size_t n_vips;

	struct forwarder *forwarder;
	struct publish *publish;
	bool adopted;
	bool grace_running;
	uv_work_t grace_work;
	struct health_checker *health;
	struct neighbour *neighbour;
	struct bgp_speaker *bgp;
	struct api_server *api;
	struct metrics_http *metrics; /* NULL: off, or couldn't listen */
	struct config_endpoint metrics_at;
	char metrics_error[sizeof(((struct err *)0)->text)];
};

/* ---- daemon.c: life ---- */

/* Run until told to stop. cfg was loaded and checked and is taken over; the result is the
 * process's exit code. */
int daemon_run(const struct daemon_options *opt, struct config *cfg,
	       const struct stat *config_stat);

/* ---- daemon_config.c: the running configuration ---- */

/* The checks that need this host: interfaces exist, reals have a route off it.
 * A real that running (may be NULL) has as well and that lost its route is but a warning: it must
 * not hold up changes of other things. Findings are added to errs. 0 or -EINVAL. */
int daemon_config_check_host(const struct config *cfg, const struct config *running,
			     struct config_errors *errs) __attribute__((warn_unused_result));

/* Load path (or text, when it isn't NULL, calling it path) and make all checks. Returns as
 * config_load(). ret_stat may be NULL. */
int daemon_config_load(const char *path, const char *text, const struct config *running,
		       struct config **ret_cfg, struct config_errors *errs, struct stat *ret_stat)
	__attribute__((warn_unused_result));
void daemon_config_tell_warnings(const struct config_errors *errs);

/* What a change would do and whether it may. cfg stays the caller's. */
struct daemon_change {
	struct vip_changes changes;
	char brake[256]; /* why it needs force, "" when it doesn't */
};
void daemon_change_fini(struct daemon_change *c);
/* What another configuration or intent changes, all else as it is at this moment. 0 or -ENOMEM. */
int daemon_diff(struct daemon *d, const struct config *cfg, const struct vip_intent *intent,
		struct vip_changes *ret) __attribute__((warn_unused_result));
/* 0, -ENOMEM, or -EOPNOTSUPP with words for what only a restart can change. */
int daemon_change_plan(struct daemon *d, const struct config *cfg, struct daemon_change *ret,
		       struct err *err) __attribute__((warn_unused_result));

/* Make cfg, which is taken over also on failure, the running configuration, whole or not at all.
 * 0 or -errno with words. */
int daemon_config_apply(struct daemon *d, struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* Reload the file as SIGHUP does; tells the journal how it went. */
void daemon_config_reload(struct daemon *d);

/* The file isn't what was last read or written. */
bool daemon_config_changed_on_disk(const struct daemon *d);

/* bgp_configure() for what cfg says. */
int daemon_bgp_configure(struct daemon *d, const struct config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* ---- daemon_targets.c: checks and ways ---- */

struct health_events daemon_health_events(struct daemon *d);
struct neighbour_events daemon_neighbour_events(struct daemon *d);

/* Make reals, checks, ways and VIP entries follow cfg. first: adopted reals start as up. On failure
 * some may be new and none is gone: sync back to the old configuration then. */
int daemon_targets_sync(struct daemon *d, const struct config *cfg, bool first, struct err *err)
	__attribute__((warn_unused_result));
void daemon_targets_free(struct daemon *d);
/* Tell publish about an interface of this host; unknown names are the journal's matter. */
int daemon_iface_publish(struct daemon *d, uint32_t ifindex, struct err *err)
	__attribute__((warn_unused_result));
/* Why packets can't take it, in words; "" when they can and the kernel vouches for it. */
const char *daemon_way_reason(const struct way_entry *w);
/* The way of each real has been answered once. */
bool daemon_ways_answered(const struct daemon *d);
/* Let go of ways to reals that left the configuration and have no flows any more. */
void daemon_ways_sweep(struct daemon *d);

struct real_entry *daemon_find_real(const struct daemon *d, const char *pool,
				    const struct addr *addr);
struct way_entry *daemon_find_way(const struct daemon *d, const struct addr *addr);
struct vip_entry *daemon_find_vip(const struct daemon *d, const char *name);

/* ---- daemon_reconcile.c ---- */

/* Something changed: reconcile in this turn of the loop, or soon when there is much to do. */
void daemon_dirty(struct daemon *d);
/* Reconcile now. 0, or the first failed step's -errno with words; a retry is scheduled. */
int daemon_reconcile(struct daemon *d, struct err *err) __attribute__((warn_unused_result));
/* The inputs as they are, for another configuration or intent. */
void daemon_inputs(struct daemon *d, const struct config *cfg, const struct vip_intent *intent,
		   struct vip_inputs *ret);
/* Does a packet to this VIP come out of the program as it should? "" or why not. Returns 0, or the
 * -errno of forwarder_probe(). */
int daemon_probe_vip(struct daemon *d, const struct config_vip *vip, char *ret, size_t len);
/* See whether the engine serves the node's interfaces; what changed is reconciled. */
void daemon_look_at_interfaces(struct daemon *d);
/* Does the brake hold this real of this pool, whose check says down? */
bool daemon_held(const struct daemon *d, const struct real_entry *e);
/* Once a second. */
void daemon_tick(struct daemon *d);
/* Let table space that was given up become free, when there is any. */
void daemon_grace(struct daemon *d);

/* ---- daemon_engine.c: an engine in a process of its own ---- */

/* Look ten times a second whether it lives and serves; nothing to do for the kernel's engine. */
void daemon_engine_start(struct daemon *d);

/* ---- daemon_engine_show.c: what it counts, for /metrics and the status page ---- */

void daemon_engine_metrics(const struct daemon *d, FILE *out);
void daemon_engine_page(const struct daemon *d, FILE *out);

/* ---- daemon_track.c ---- */

void daemon_track_start(struct daemon *d);
/* Size of the flow table and times. */
int daemon_track_configure(struct daemon *d, const struct vip_node *node, struct err *err)
	__attribute__((warn_unused_result));

/* ---- daemon_metrics.c ---- */

/* Make the metrics endpoint follow the configuration; failure is a warning. */
void daemon_metrics_configure(struct daemon *d);
void daemon_metrics_stop(struct daemon *d);

/* ---- daemon_system.c: what surrounds the process ---- */

/* Create --state if need be and lock it. The lock lives as long as the fd. */
int daemon_lock(const char *state_dir, int *ret_fd, struct err *err)
	__attribute__((warn_unused_result));
/* sd_notify(3), without effect when systemd doesn't listen. */
void daemon_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Raise the soft limit of open files to the hard one: each running health check holds one. */
void daemon_raise_descriptors(void);
/* How often systemd wants to hear from us, in ms; 0: not at all. */
uint64_t daemon_watchdog_ms(void);

/* ---- methods.c: the API ---- */

extern const struct api_method daemon_methods[];
extern const size_t daemon_methods_count;

#endif
