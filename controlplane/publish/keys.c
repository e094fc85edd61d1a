/* SPDX-License-Identifier: BSD-2-Clause */
#include "controlplane/publish/internal.h"

#include <arpa/inet.h>
#include <string.h>

/* Which keys of the VIP index stand for what. */

static struct lb_key key_of(const struct prefix *prefix, uint16_t port, uint8_t protocol,
			    uint8_t kind4, uint8_t kind6, uint32_t scope)
{
	uint8_t kind = prefix->addr.family == 4 ? kind4 : kind6;
	struct lb_key key = {.word = lb_vip_word(htons(port), protocol, kind), .scope = scope};

	memcpy(key.addr, prefix->addr.bytes, sizeof(key.addr));
	return key;
}

static struct lb_key exact_key(const struct prefix *prefix, uint16_t port, uint8_t protocol)
{
	return key_of(prefix, port, protocol, LB_KEY_EXACT4, LB_KEY_EXACT6, 0);
}

static struct lb_key shaped_key(const struct prefix *prefix, uint16_t port, uint8_t protocol,
				uint32_t bits)
{
	return key_of(prefix, port, protocol, LB_KEY_SHAPED4, LB_KEY_SHAPED6,
		      LB_SHAPE(prefix->len, bits));
}

size_t publish_service_keys(const struct prefix *address, uint8_t protocol, struct ports ports,
			    struct lb_key keys[PORTS_BLOCKS_MAX])
{
	struct port_block blocks[PORTS_BLOCKS_MAX];
	size_t n = ports_cut(ports, blocks);

	for (size_t i = 0; i < n; i++) {
		const struct port_block *b = &blocks[i];

		keys[i] = !b->bits && prefix_is_addr(address)
				  ? exact_key(address, b->first, protocol)
				  : shaped_key(address, b->first, protocol, b->bits);
	}
	return n;
}

/* A VIP of one address has both: the exact key for packets without ports, the shaped one so that
 * it, not a wider prefix, owns the address. */
size_t publish_vip_keys(const struct prefix *address, struct lb_key keys[2])
{
	size_t n = 0;

	keys[n++] = shaped_key(address, 0, 0, LB_SHAPE_ADDRESS);
	if (prefix_is_addr(address))
		keys[n++] = exact_key(address, 0, 0);
	return n;
}

/* The word's port holds the length as a number, not in network order. */
struct lb_key publish_deny_key(const struct prefix *prefix, uint32_t list)
{
	struct lb_key key = key_of(prefix, 0, 0, LB_KEY_DENIED4, LB_KEY_DENIED6, list);

	key.word |= prefix->len;
	return key;
}

struct lb_key publish_quic_key(const struct server_id *id, uint8_t rotation, uint32_t pool)
{
	struct lb_key key = {.word = lb_vip_word(rotation, 0, LB_KEY_QUIC), .scope = pool};
	uint8_t *bytes = (uint8_t *)key.addr;

	memcpy(bytes, id->bytes, SERVER_ID_MAX);
	bytes[SERVER_ID_MAX] = id->length;
	return key;
}
