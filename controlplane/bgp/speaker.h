/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_SPEAKER_H
#define FAIRWAY_BGP_SPEAKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "controlplane/base/addr.h"
#include "controlplane/base/err.h"
#include "controlplane/bgp/bgp.h"
#include "controlplane/bgp/fsm.h"
#include "controlplane/bgp/rib.h"
#include "controlplane/bgp/wire.h"

/* The speaker's inside: who owns what.
 *   speaker  owns the offered prefixes, the peers, the listeners and the lingering connections
 *   peer     owns its state machine, what it was told, and at most one connection each way
 *   conn     a TCP connection with its buffers; after its NOTIFICATION it leaves the peer and
 *            lingers with the speaker until the peer has read it
 * Every libuv handle is counted in speaker.handles, so that the speaker's memory outlives them. */

#define CONN_RX_BYTES       (2 * BGP_MESSAGE_MAX)
#define CONN_TX_BYTES       65536
#define CONN_TX_RESERVE     (2 * BGP_MESSAGE_MAX) /* Of it, not for UPDATEs. */
#define CONN_READS_PER_TURN 16                    /* Then the other peers have their turn. */
#define CONN_LINGER_NS      NS_PER_S
#define LISTEN_RETRY_NS     (10 * NS_PER_S)
#define LINGERING_MAX       64

struct peer;

/* What a peer's notices are about; of each the last text is kept, so that it is told once. */
enum peer_notice {
	PEER_NOTICE_SESSION,
	PEER_NOTICE_IPV4,
	PEER_NOTICE_IPV6,
	PEER_NOTICE_UPDATE,
	PEER_NOTICE_MEMORY,
	PEER_NOTICES,
};

struct conn {
	uv_poll_t poll; /* data: the conn */
	struct bgp_speaker *sp;
	struct peer *peer; /* NULL while lingering */
	enum fsm_link link;
	int fd; /* -1 once closed; the memory goes with the poll handle */
	bool connecting;
	bool sent_fin;
	struct addr local;
	uint64_t linger_until_ns;
	struct conn *next; /* Lingering ones. */
	size_t rx_len;
	size_t tx_at, tx_len;
	bool tx_progress; /* Something left since the last look. */
	uint8_t rx[CONN_RX_BYTES];
	uint8_t tx[CONN_TX_BYTES];
};

struct peer {
	uv_timer_t timer; /* data: the peer */
	struct bgp_speaker *sp;
	struct bgp_neighbor config;
	struct fsm fsm;
	struct conn *conn[FSM_N_LINKS];
	int accepted_fd; /* Waits for the state machine's word; -1: none. */
	struct rib_out out;
	char unsendable[2][sizeof(((struct err *)0)->text)]; /* Why, by family; "" when sendable. */
	uint64_t messages_in, messages_out, updates_in, updates_out;
	uint64_t notifications_in, notifications_out;
	uint64_t times_connected;
	uint32_t remote_id, remote_capabilities;
	uint64_t last_error_ns; /* 0: none. */
	char last_error[768];
	char told[PEER_NOTICES][1024];
};

struct listener {
	uv_poll_t poll; /* data: the listener */
	struct bgp_speaker *sp;
	struct addr addr; /* All zero bytes: any. */
	uint16_t port;
	int fd;
	bool paused; /* After a failed accept, until the speaker's timer. */
	struct listener *next;
};

struct bgp_speaker {
	uv_loop_t *loop;
	struct bgp_events events;
	void *arg;
	uint32_t asn, router_id;
	uint16_t listen_port;
	bool listen_off;
	struct peer **peers;
	size_t n_peers;
	struct listener *listeners;
	struct err listen_error;
	uint64_t listen_retry_ns; /* 0: none due. */
	struct conn *lingering;
	struct rib rib;
	uv_prepare_t flush; /* Sends what this turn of the loop has changed. */
	uv_timer_t timer;   /* Lingering connections and listeners to retry. */
	unsigned handles;
	bool stopping;
	bool freed;
	void (*stop_done)(void *arg);
	void *stop_arg;
};

/* speaker.c */
void speaker_handle_opened(struct bgp_speaker *sp);
/* The last closed handle of a freed speaker frees it. */
void speaker_handle_closed(struct bgp_speaker *sp);
void speaker_notice(struct bgp_speaker *sp, const char *text);
/* Arm the speaker's timer for whatever is due first. */
void speaker_rearm(struct bgp_speaker *sp);
struct peer *speaker_find(const struct bgp_speaker *sp, const struct addr *address);
uint32_t speaker_random(void);

/* conn.c */
/* A connection on fd, which it owns from now on, also on failure. NULL with words. */
struct conn *conn_new(struct peer *p, enum fsm_link link, int fd, bool connecting, struct err *err)
	__attribute__((warn_unused_result));
size_t conn_room(const struct conn *c);
/* Queue one message that fits, and send what the kernel takes. */
void conn_send(struct conn *c, const uint8_t *msg, size_t len);
/* Read and handle what has come. The connection may be closed afterwards. */
void conn_read(struct conn *c);
void conn_close(struct conn *c);
/* Let the peer read what is queued, then close; c no longer belongs to its peer. */
void conn_linger(struct conn *c);
/* Close lingering connections whose time is up; when the next is due, or UINT64_MAX. */
uint64_t conn_linger_expire(struct bgp_speaker *sp, uint64_t now_ns);

/* peer.c */
struct peer *peer_new(struct bgp_speaker *sp, const struct bgp_neighbor *config)
	__attribute__((warn_unused_result));
/* Also closes its connections without a word. */
void peer_free(struct peer *p);
void peer_start(struct peer *p, const struct bgp_neighbor *config);
void peer_stop(struct peer *p, uint8_t cease_subcode, const char *message);
/* Take over a configuration that needs no new session. */
void peer_update_next_hops(struct peer *p, const struct bgp_neighbor *config);
void peer_step(struct peer *p, const struct fsm_event *ev);
void peer_message(struct peer *p, struct conn *c, uint8_t type, const uint8_t *msg, size_t len);
void peer_bad_message(struct peer *p, struct conn *c, const struct bgp_error *e);
/* The peer has connected. */
void peer_accept(struct peer *p, int fd);
/* Send it what it doesn't know yet, as far as the queue has room. */
void peer_flush(struct peer *p);
void peer_snapshot(const struct peer *p, uint64_t now_ns, struct bgp_peer_snapshot *ret);

/* listener.c */
/* Listen where the configured peers need it, and nowhere else. */
void listeners_sync(struct bgp_speaker *sp);
void listeners_resume(struct bgp_speaker *sp);
void listeners_close(struct bgp_speaker *sp);

#endif
