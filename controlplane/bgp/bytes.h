/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef FAIRWAY_BGP_BYTES_H
#define FAIRWAY_BGP_BYTES_H

#include <stdint.h>

/* Numbers of the protocol that only the codec needs. */
#define AFI_IPV4     1
#define AFI_IPV6     2
#define SAFI_UNICAST 1

#define PARAM_CAPABILITIES 2   /* RFC 5492 */
#define PARAM_EXTENDED     255 /* RFC 9072 */

#define CAP_CODE_MULTIPROTOCOL 1
#define CAP_CODE_ROUTE_REFRESH 2
#define CAP_CODE_FOUR_OCTET_AS 65

#define ATTR_OPTIONAL     0x80
#define ATTR_TRANSITIVE   0x40
#define ATTR_EXTENDED_LEN 0x10

#define ATTR_ORIGIN      1
#define ATTR_AS_PATH     2
#define ATTR_NEXT_HOP    3
#define ATTR_MED         4
#define ATTR_LOCAL_PREF  5
#define ATTR_ATOMIC      6
#define ATTR_AGGREGATOR  7
#define ATTR_COMMUNITIES 8
#define ATTR_MP_REACH    14
#define ATTR_MP_UNREACH  15
#define ATTR_AS4_PATH    17

#define AS_SEQUENCE 2
#define ORIGIN_IGP  0

static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)get_be16(p) << 16 | get_be16(p + 2);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

#endif
