/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_WIRE_H
#define FAIRWAY_BGP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/base/addr.h"
#include "controlplane/bgp/bgp.h"

/* BGP messages to and from bytes: pure functions, no I/O, no allocation. Decoders never read past
 * the length they are given. */

#define BGP_HEADER_LEN      19   /* RFC 4271 4.1 */
#define BGP_MESSAGE_MAX     4096 /* RFC 4271 4.1; we don't offer RFC 8654. */
#define BGP_NOTIFY_DATA_MAX (BGP_MESSAGE_MAX - BGP_HEADER_LEN - 2)
#define BGP_AS_TRANS        23456 /* RFC 6793 9 */
#define BGP_VERSION         4

enum bgp_msg_type {
	BGP_MSG_OPEN = 1,
	BGP_MSG_UPDATE = 2,
	BGP_MSG_NOTIFICATION = 3,
	BGP_MSG_KEEPALIVE = 4,
	BGP_MSG_ROUTE_REFRESH = 5,
};

/* RFC 4271 4.5 and 6, RFC 4486, RFC 6608, RFC 9687. */
enum bgp_error_code {
	BGP_ERR_HEADER = 1,
	BGP_ERR_OPEN = 2,
	BGP_ERR_UPDATE = 3,
	BGP_ERR_HOLD_TIMER = 4,
	BGP_ERR_FSM = 5,
	BGP_ERR_CEASE = 6,
	BGP_ERR_ROUTE_REFRESH = 7,
	BGP_ERR_SEND_HOLD_TIMER = 8,
};

enum bgp_header_error {
	BGP_HEADER_NOT_SYNCHRONIZED = 1,
	BGP_HEADER_BAD_LENGTH = 2,
	BGP_HEADER_BAD_TYPE = 3,
};

enum bgp_open_error {
	BGP_OPEN_UNSPECIFIC = 0,
	BGP_OPEN_BAD_VERSION = 1,
	BGP_OPEN_BAD_PEER_AS = 2,
	BGP_OPEN_BAD_ID = 3,
	BGP_OPEN_BAD_PARAMETER = 4,
	BGP_OPEN_BAD_HOLD_TIME = 6,
	BGP_OPEN_BAD_CAPABILITY = 7,
};

enum bgp_update_error {
	BGP_UPDATE_BAD_LIST = 1,
	BGP_UPDATE_UNKNOWN_WELL_KNOWN = 2,
	BGP_UPDATE_BAD_OPTIONAL = 9,
	BGP_UPDATE_BAD_NETWORK = 10,
};

enum bgp_fsm_error {
	BGP_FSM_IN_OPEN_SENT = 1,
	BGP_FSM_IN_OPEN_CONFIRM = 2,
	BGP_FSM_IN_ESTABLISHED = 3,
};

enum bgp_cease {
	BGP_CEASE_MAX_PREFIXES = 1,
	BGP_CEASE_SHUTDOWN = 2,
	BGP_CEASE_DECONFIGURED = 3,
	BGP_CEASE_RESET = 4,
	BGP_CEASE_REJECTED = 5,
	BGP_CEASE_CONFIG_CHANGE = 6,
	BGP_CEASE_COLLISION = 7,
	BGP_CEASE_RESOURCES = 8,
};

/* A NOTIFICATION, sent or received. */
struct bgp_error {
	uint8_t code;
	uint8_t subcode;
	uint16_t data_len;
	uint8_t data[BGP_NOTIFY_DATA_MAX];
	char detail[256]; /* What exactly, for our operator; isn't sent. */
};

/* What an OPEN says. */
struct bgp_open {
	uint32_t asn; /* From the four-octet capability when there is one. */
	uint32_t router_id;
	uint16_t hold_time_s;
	uint32_t capabilities; /* enum bgp_capability; IPv4 unicast also when no family is named. */
};

/* What an UPDATE says, as far as a speaker cares that takes no routes. */
struct bgp_update_summary {
	uint32_t n_announced;
	uint32_t n_withdrawn;
	bool tolerated;   /* Malformed, but by RFC 7606 no reason to end the session; */
	char detail[128]; /* how. */
};

/* Fill e with a printf detail and without data; returns -EPROTO. */
int bgp_error_set(struct bgp_error *e, uint8_t code, uint8_t subcode, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Append data bytes to send along; what doesn't fit is cut. */
void bgp_error_add_data(struct bgp_error *e, const void *data, size_t len);

/* Look at the message that starts at buf. Returns its whole length with *ret_type set; 0 when more
 * bytes are needed to tell or it isn't complete yet; -EPROTO with ret_error filled. */
int bgp_decode_header(const uint8_t *buf, size_t len, uint8_t *ret_type,
		      struct bgp_error *ret_error) __attribute__((warn_unused_result));

/* The rest take one whole message as bgp_decode_header() found it. 0, or -EPROTO with ret_error. */
int bgp_decode_open(const uint8_t *msg, size_t len, struct bgp_open *ret_open,
		    struct bgp_error *ret_error) __attribute__((warn_unused_result));
int bgp_decode_update(const uint8_t *msg, size_t len, bool as4, bool ibgp,
		      struct bgp_update_summary *ret_summary, struct bgp_error *ret_error)
	__attribute__((warn_unused_result));
/* Can't fail: a NOTIFICATION is never answered. The RFC 9003 message lands in detail. */
void bgp_decode_notification(const uint8_t *msg, size_t len, struct bgp_error *ret_error);
/* *ret_family is 4 or 6, or 0 for a family we don't have. */
int bgp_decode_route_refresh(const uint8_t *msg, size_t len, uint8_t *ret_family,
			     struct bgp_error *ret_error) __attribute__((warn_unused_result));

/* The next prefix of an NLRI field: its length in bytes, 0 at the end, -EPROTO. */
int bgp_nlri_next(const uint8_t *p, size_t len, uint8_t family, struct prefix *ret_prefix)
	__attribute__((warn_unused_result));

/* Encoders write one message into buf and return its length. */
size_t bgp_encode_open(const struct bgp_open *open, uint8_t buf[BGP_MESSAGE_MAX]);
size_t bgp_encode_keepalive(uint8_t buf[BGP_MESSAGE_MAX]);
size_t bgp_encode_notification(const struct bgp_error *e, uint8_t buf[BGP_MESSAGE_MAX]);
/* The data of a Cease with a message for the peer's operator (RFC 9003); message may be NULL. It is
 * cut to 255 bytes between characters. */
void bgp_error_set_shutdown(struct bgp_error *e, uint8_t subcode, const char *message);

/* How a path looks to one peer. */
struct bgp_path {
	bool ibgp;
	bool as4;             /* Four-octet AS was negotiated. */
	uint32_t asn;         /* Ours. */
	struct addr next_hop; /* Of the family of the prefixes. */
	struct bgp_attrs attrs;
};

/* An UPDATE under construction: start, add prefixes until it is full, finish. */
struct bgp_update_builder {
	uint8_t buf[BGP_MESSAGE_MAX];
	size_t len;
	uint8_t tail[256]; /* Attributes that follow the NLRI inside MP_REACH. */
	size_t tail_len;
	size_t attr_len_at; /* Where the attributes' total length is written; 0: IPv4 withdraw. */
	size_t mp_len_at;   /* Where MP_(UN)REACH's length is; 0: none. */
	size_t attrs_end;   /* 0, or where the attributes end and IPv4 NLRI begins. */
	uint32_t n_prefixes;
};

void bgp_update_announce(struct bgp_update_builder *b, const struct bgp_path *path);
void bgp_update_withdraw(struct bgp_update_builder *b, uint8_t family);
/* False when there is no room for p. p is of the family that the builder was started for. */
bool bgp_update_add(struct bgp_update_builder *b, const struct prefix *p);
/* The message stands in b->buf; its length. */
size_t bgp_update_finish(struct bgp_update_builder *b);

/* "Cease / administrative shutdown (6/2)" into buf; returns buf. */
const char *bgp_error_name(const struct bgp_error *e, char *buf, size_t len);
/* The whole story for the operator: who sent which NOTIFICATION, the detail, and what to do. */
const char *bgp_error_text(const struct bgp_error *e, bool sent_by_us, char *buf, size_t len);

#endif
