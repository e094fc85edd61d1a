/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BASE_SERVER_ID_H
#define FAIRWAY_BASE_SERVER_ID_H

#include <stdint.h>

#define SERVER_ID_MAX 15

/* What names a real server inside QUIC connection ids (draft-ietf-quic-load-balancers, plaintext).
 * Bytes behind the length are zero; length 0: none. */
struct server_id {
	uint8_t length;
	uint8_t bytes[SERVER_ID_MAX];
};

#endif
