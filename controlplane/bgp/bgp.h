/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_BGP_H
#define FAIRWAY_BGP_BGP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"

/* An announce-only BGP-4 speaker on a libuv loop: the caller says which prefixes this node offers,
 * the speaker keeps a session with each neighbour and tells them. Received routes are checked for
 * their framing, counted and forgotten. docs/bgp.md lists the RFCs and what is left out.
 *
 * Every function is called on the loop's thread, none blocks, and callbacks come from the loop,
 * except that bgp_configure() and bgp_stop() may call events before they return. A callback may
 * announce, withdraw and take snapshots, but not configure, stop or free. */

#define BGP_PORT             179
#define BGP_PASSWORD_MAX     80   /* Bytes of a TCP MD5 key, as in the kernel. */
#define BGP_COMMUNITIES_MAX  32   /* Of one prefix. */
#define BGP_HOLD_TIME_MIN_MS 3000 /* RFC 4271 4.2: zero or at least three seconds. */
#define BGP_SHUTDOWN_MSG_MAX 255  /* RFC 9003 2. */

struct bgp_speaker;

/* States of RFC 4271 8.2.2. */
enum bgp_state {
	BGP_STATE_IDLE,
	BGP_STATE_CONNECT,
	BGP_STATE_ACTIVE,
	BGP_STATE_OPEN_SENT,
	BGP_STATE_OPEN_CONFIRM,
	BGP_STATE_ESTABLISHED,
};

/* "Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established". */
const char *bgp_state_name(enum bgp_state state);

/* What both ends of a session have said they can do. */
enum bgp_capability {
	BGP_CAP_IPV4_UNICAST = 1 << 0,  /* RFC 4760 */
	BGP_CAP_IPV6_UNICAST = 1 << 1,  /* RFC 4760 */
	BGP_CAP_FOUR_OCTET_AS = 1 << 2, /* RFC 6793 */
	BGP_CAP_ROUTE_REFRESH = 1 << 3, /* RFC 2918 */
};

/* Name of one capability ("ipv4-unicast", "four-octet-as", ...), or NULL past the last; index
 * counts bits from 0, so that a loop prints a set. */
const char *bgp_capability_name(unsigned index);

/* Callbacks; each may be NULL. Strings live for the call. */
struct bgp_events {
	/* A neighbour changed state; reason says why, in words ("hold timer expired: nothing
	 * heard from the peer for 9 s"). A peer that is down goes round Active and Connect at
	 * each retry: log changes from and to Established, and the others for debugging. */
	void (*peer_state)(void *arg, const struct addr *peer, enum bgp_state from,
			   enum bgp_state to, const char *reason);
	/* Something the operator should read: an error that keeps a session down, prefixes a peer
	 * can't get, the listening port taken. Each text is told once until it changes. peer is
	 * NULL when it concerns the whole speaker. */
	void (*notice)(void *arg, const struct addr *peer, const char *text);
};

struct bgp_neighbor {
	struct addr address;   /* The neighbour; unique in a configuration. */
	uint32_t asn;          /* Equal to our own: IBGP. */
	uint16_t port;         /* TCP port to connect to; 0 means 179. */
	uint32_t hold_time_ms; /* Whole seconds, 3 s and more; 0: the session never times out. */
	char password[BGP_PASSWORD_MAX + 1]; /* TCP MD5 (RFC 2385); "" for none. */
	struct addr local_address; /* Bind to this; family 0: the kernel chooses by route. */
	uint8_t ttl_security_hops; /* GTSM (RFC 5082): the peer is at most so many hops away,
				    * 1 = on the same link; 0: off. */
	struct addr next_hop_ipv4; /* Announced instead of the session's own address; */
	struct addr next_hop_ipv6; /* family 0: not overridden. */
	bool passive;              /* Never connect, wait for the peer. */
};

struct bgp_config {
	uint32_t asn;         /* Ours, 1..4294967294 without 23456. */
	uint32_t router_id;   /* Host byte order, not 0: 192.0.2.10 is 0xc000020a. */
	uint16_t listen_port; /* 0 means 179. */
	bool listen_off;      /* Only connect, never listen. */
	size_t n_neighbors;
	const struct bgp_neighbor *neighbors; /* The caller's; copied. */
};

/* What goes with an announced prefix. Zero is a good default. Padding-free and compared whole:
 * start from {0}. */
struct bgp_attrs {
	uint32_t has_med; /* 0 or 1 */
	uint32_t med;
	uint32_t local_pref; /* To IBGP peers only; 0 means 100. */
	uint32_t n_communities;
	uint32_t communities[BGP_COMMUNITIES_MAX]; /* RFC 1997: 64512:7 is 0xfc000007. */
};

/* What bgp_peer_snapshot() tells. */
struct bgp_peer_snapshot {
	struct addr address;
	uint32_t asn;
	uint16_t port;
	bool ibgp;
	enum bgp_state state;
	uint64_t uptime_ns;        /* In Established; 0 in any other state. */
	uint64_t retry_in_ns;      /* Until the next connection attempt; 0 when none is due. */
	struct addr local_address; /* Of the running session; family 0 without one. */
	uint32_t remote_id;        /* Host order; the last OPEN's, 0 before the first. */
	uint32_t hold_time_ms;     /* Negotiated; 0 without session, or when hold time is off. */
	uint32_t keepalive_ms;
	uint32_t capabilities;        /* enum bgp_capability bits both ends have; 0 when down. */
	uint32_t remote_capabilities; /* What the peer offered in its last OPEN. */
	uint64_t messages_in, messages_out; /* Since the neighbour was configured. */
	uint64_t updates_in, updates_out;
	uint64_t notifications_in, notifications_out;
	uint64_t times_connected;     /* How often it reached Established. */
	uint32_t prefixes_announced;  /* The peer holds these from us now. */
	uint32_t prefixes_pending;    /* Changes not handed to TCP yet. */
	uint32_t prefixes_unsendable; /* Announced, but not to this peer; */
	char unsendable_reason[512];  /* why, and what to do; "" when 0. */
	uint64_t last_error_age_ns;   /* 0 when there was none. */
	char last_error[768]; /* What ended or prevented the last session, with the NOTIFICATION's
			       * code and subcode in words and what to do; "" for none. */
};

/* A speaker without neighbours. events and arg are kept (events is copied). NULL: out of memory. */
struct bgp_speaker *bgp_new(uv_loop_t *loop, const struct bgp_events *events, void *arg)
	__attribute__((warn_unused_result));

/* Drop everything at once, without a goodbye to the peers (bgp_stop() does that). No callback comes
 * any more; a bgp_stop() under way never calls its done. The memory goes when libuv has closed the
 * handles: let the loop run until uv_run() finds nothing to do before uv_loop_close(). */
void bgp_free(struct bgp_speaker *sp);

/* Make cfg the running configuration. Neighbours that are equal in both are left alone, not a byte
 * is sent to them; a changed next hop is re-announced in the running session; any other change
 * resets that neighbour's session (CEASE, other configuration change); a missing neighbour gets
 * CEASE, peer de-configured. Changing asn or router_id resets all.
 * cfg NULL, or no neighbours: none. Returns 0; -EINVAL with words in err and nothing changed;
 * -ENOMEM; -ESHUTDOWN after bgp_stop(). A listening port that is taken isn't an error: a notice
 * says so, bgp_listen_error() keeps it, and the speaker goes on by connecting. */
int bgp_configure(struct bgp_speaker *sp, const struct bgp_config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* Just the checks of bgp_configure(): 0 or -EINVAL with words. */
int bgp_config_check(const struct bgp_config *cfg, struct err *err)
	__attribute__((warn_unused_result));

/* Why the speaker doesn't listen, or "" when it does or needn't. */
const char *bgp_listen_error(const struct bgp_speaker *sp);

/* Offer prefix to every neighbour, now and whenever a session comes up, until it is withdrawn.
 * attrs NULL: the default. Announcing again with the same attributes sends nothing; with others
 * replaces them. Changes made in one turn of the loop share UPDATE messages. Returns 0; -EINVAL
 * with words (host bits set, too many communities); -ENOMEM; -ESHUTDOWN after bgp_stop(). */
int bgp_announce(struct bgp_speaker *sp, const struct prefix *prefix, const struct bgp_attrs *attrs,
		 struct err *err) __attribute__((warn_unused_result));

/* Take prefix back. Nothing happens when it wasn't announced. */
void bgp_withdraw(struct bgp_speaker *sp, const struct prefix *prefix);

/* Announced prefixes, whether or not any peer is up. */
size_t bgp_prefix_count(const struct bgp_speaker *sp);

size_t bgp_peer_count(const struct bgp_speaker *sp);

/* Fill *ret_snapshot for neighbour index (0 .. count - 1, in the order of the configuration).
 * 0, or -ENOENT. */
int bgp_peer_snapshot(const struct bgp_speaker *sp, size_t index,
		      struct bgp_peer_snapshot *ret_snapshot) __attribute__((warn_unused_result));

/* Send every peer CEASE, administrative shutdown, with message (RFC 9003, UTF-8, may be NULL),
 * close all, then call done(arg) from the loop, once, within about two seconds even if a peer
 * doesn't read. Only bgp_free() and the snapshots may be called after it. */
void bgp_stop(struct bgp_speaker *sp, const char *message, void (*done)(void *arg), void *arg);

#endif
