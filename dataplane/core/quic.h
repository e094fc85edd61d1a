/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
#ifndef FAIRWAY_CORE_QUIC_H
#define FAIRWAY_CORE_QUIC_H

/*
 * QUIC by connection id (RFC 9000 section 17.3, draft-ietf-quic-load-balancers section 3 and 5.1,
 * plaintext). In a packet with a short header the destination connection id follows the first byte:
 * three bits of config rotation, five that don't matter here, then the server id. So a connection
 * stays with its real when the client's address or port changes. Long headers, and ids that no real
 * has, are decided by the flow's hash.
 */

#include "dataplane/core/packet.h"
#include "dataplane/core/service.h"

#define LB_QUIC_LONG 0x80 /* header form, RFC 9000 section 17.2 */

#define LB_QUIC_ID_MAX 15U

/* The real that a packet's connection id names and that is alive, or 0. */
LB_SUBPROGRAM __u32 lb_quic_real(const struct lb_target *t, const void *data, const void *end,
				 const struct lb_packet *p, const struct lb_service *service)
{
	const __u8 *byte = lb_at(data, end, p->l4 + (__u32)sizeof(struct lb_udp), 2);
	struct lb_key key = {.scope = service->pool};
	__u8 *id = (__u8 *)key.addr;
	__u32 rotation, length, real;

	if (!byte || p->l4_length < sizeof(struct lb_udp) + 2 || (byte[0] & LB_QUIC_LONG))
		return 0;
	rotation = byte[1] >> 5;
	length = service->quic_length[rotation];
	if (!length || length > LB_QUIC_ID_MAX || p->l4_length < sizeof(struct lb_udp) + 2 + length)
		return 0;
	LB_NO_UNROLL
	for (__u32 i = 0; i < LB_QUIC_ID_MAX; i++) {
		if (i >= length)
			break;
		if ((const void *)(byte + 3 + i) > end)
			return 0;
		id[i] = byte[2 + i];
	}
	id[LB_QUIC_ID_MAX] = (__u8)length;
	key.word = lb_vip_word((__be16)rotation, 0, LB_KEY_QUIC);
	real = lb_key_find(t, &key);
	return lb_real_alive(t, real) ? real : 0;
}

#endif
