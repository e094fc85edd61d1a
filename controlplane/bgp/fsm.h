/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_FSM_H
#define FAIRWAY_BGP_FSM_H

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/bgp/bgp.h"
#include "controlplane/bgp/wire.h"

/* The state machine of one neighbour (RFC 4271 8), without clock, socket or allocation: an event
 * and the time go in, actions come out, and the caller carries them out in order. The neighbour
 * may have two connections for a moment, the one we opened and the one it opened; both are here,
 * so that the collision rule (6.8) is, too. */

enum fsm_link {
	FSM_OUT, /* We connected. */
	FSM_IN,  /* The peer connected. */
	FSM_N_LINKS,
};

enum fsm_link_state {
	FSM_LINK_NONE,
	FSM_LINK_CONNECTING,
	FSM_LINK_OPEN_SENT,
	FSM_LINK_OPEN_CONFIRM,
	FSM_LINK_ESTABLISHED,
};

#define FSM_CONNECT_TIMEOUT_NS (10 * NS_PER_S)
#define FSM_OPEN_HOLD_NS       (240 * NS_PER_S) /* RFC 4271 8.2.2: "a HoldTimer value of 4 minutes" */
#define FSM_RETRY_MIN_NS       NS_PER_S
#define FSM_RETRY_MAX_NS       (30 * NS_PER_S)
#define FSM_STABLE_NS          (10 * NS_PER_S)  /* A session this old starts its retries anew. */
#define FSM_SEND_HOLD_MIN_NS   (480 * NS_PER_S) /* RFC 9687: the greater of 8 minutes and 2 holds */

struct fsm_config {
	uint32_t local_asn;
	uint32_t remote_asn;
	uint32_t local_id;
	uint16_t hold_time_s;
	bool passive;
};

struct fsm_conn {
	enum fsm_link_state state;
	uint64_t deadline_ns;  /* Connecting: give up; then the hold timer. 0: off. */
	uint64_t keepalive_ns; /* Send the next at this time. 0: off. */
	uint64_t send_hold_ns; /* Give up on a peer that doesn't read. 0: off. */
	uint16_t hold_time_s;  /* Negotiated. */
	uint32_t capabilities; /* Negotiated. */
	struct bgp_open open;  /* The peer's; from OPEN_CONFIRM on. */
};

struct fsm {
	struct fsm_config config;
	bool running;
	bool idle; /* Holding back after a protocol error. */
	struct fsm_conn conn[FSM_N_LINKS];
	uint64_t retry_ns; /* Next attempt, or the end of idle. 0: none due. */
	uint64_t established_ns;
	unsigned failures; /* In a row. */
	uint32_t random;
};

enum fsm_event_kind {
	FSM_EV_START,
	FSM_EV_STOP,           /* With the error to send. */
	FSM_EV_TIMER,          /* Some deadline may have passed. */
	FSM_EV_CONNECTED,      /* OUT */
	FSM_EV_CONNECT_FAILED, /* OUT, with text */
	FSM_EV_ACCEPTED,       /* The peer opened a connection that waits for ACCEPT or REFUSE. */
	FSM_EV_CLOSED,         /* The connection is gone, with text. */
	FSM_EV_MESSAGE,        /* type; open for an OPEN, error for a NOTIFICATION */
	FSM_EV_BAD_MESSAGE,    /* with the error to send */
	FSM_EV_SEND_BLOCKED,   /* The peer has stopped reading; */
	FSM_EV_SEND_CLEAR,     /* and reads again. */
};

struct fsm_event {
	enum fsm_event_kind kind;
	enum fsm_link link;
	enum bgp_msg_type type;
	const struct bgp_open *open;
	const struct bgp_error *error;
	const char *text;
};

enum fsm_action_kind {
	FSM_DO_CONNECT, /* OUT */
	FSM_DO_ACCEPT,  /* The waiting connection becomes IN. */
	FSM_DO_REFUSE,  /* Close the waiting connection. */
	FSM_DO_SEND_OPEN,
	FSM_DO_SEND_KEEPALIVE,
	FSM_DO_NOTIFY, /* Send out->error on link, then close it. */
	FSM_DO_CLOSE,  /* Close link without a word. */
	FSM_DO_UP,     /* Established: send the table. */
	FSM_DO_DOWN,   /* No longer: the peer has dropped what we announced. */
};

struct fsm_action {
	enum fsm_action_kind kind;
	enum fsm_link link;
};

#define FSM_ACTIONS_MAX 12

struct fsm_output {
	unsigned n;
	struct fsm_action actions[FSM_ACTIONS_MAX];
	struct bgp_error error; /* For FSM_DO_NOTIFY. */
	char reason[768];       /* Why the state changed, in words; "" when nothing is to say. */
	bool failure;           /* reason is an error. */
};

/* random_seed spreads the retries of many nodes. */
void fsm_init(struct fsm *f, const struct fsm_config *config, uint32_t random_seed);
void fsm_step(struct fsm *f, const struct fsm_event *ev, uint64_t now_ns, struct fsm_output *out);
enum bgp_state fsm_state(const struct fsm *f);
/* When to send FSM_EV_TIMER; UINT64_MAX: never. */
uint64_t fsm_deadline(const struct fsm *f);
/* The established connection, or NULL. */
const struct fsm_conn *fsm_established(const struct fsm *f);

#endif
