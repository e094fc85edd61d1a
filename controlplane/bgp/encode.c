/* SPDX-License-Identifier: BSD-2-Clause */

/* BGP messages to bytes: OPEN with capabilities (RFC 4271 4.2, 5492, 4760, 6793, 2918), KEEPALIVE,
 * NOTIFICATION (4.5, RFC 9003) and UPDATE (4.3, RFC 4760 for IPv6, RFC 7606 5.1 for the order). */

#include "controlplane/bgp/wire.h"

#include <string.h>

#include "controlplane/bgp/bytes.h"

static void put_header(uint8_t *buf, size_t len, enum bgp_msg_type type)
{
	memset(buf, 0xff, 16);
	put_be16(buf + 16, (uint16_t)len);
	buf[18] = (uint8_t)type;
}

static uint8_t *put_family_capability(uint8_t *p, uint16_t afi)
{
	*p++ = CAP_CODE_MULTIPROTOCOL;
	*p++ = 4;
	put_be16(p, afi);
	p[2] = 0;
	p[3] = SAFI_UNICAST;
	return p + 4;
}

static uint8_t *put_capabilities(uint8_t *p, const struct bgp_open *open)
{
	if (open->capabilities & BGP_CAP_IPV4_UNICAST)
		p = put_family_capability(p, AFI_IPV4);
	if (open->capabilities & BGP_CAP_IPV6_UNICAST)
		p = put_family_capability(p, AFI_IPV6);
	if (open->capabilities & BGP_CAP_ROUTE_REFRESH) {
		*p++ = CAP_CODE_ROUTE_REFRESH;
		*p++ = 0;
	}
	if (open->capabilities & BGP_CAP_FOUR_OCTET_AS) {
		*p++ = CAP_CODE_FOUR_OCTET_AS;
		*p++ = 4;
		put_be32(p, open->asn);
		p += 4;
	}
	return p;
}

size_t bgp_encode_open(const struct bgp_open *open, uint8_t buf[BGP_MESSAGE_MAX])
{
	uint8_t *p = buf + BGP_HEADER_LEN, *params, *end;

	*p++ = BGP_VERSION;
	put_be16(p, open->asn > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)open->asn);
	put_be16(p + 2, open->hold_time_s);
	put_be32(p + 4, open->router_id);
	p += 8;
	params = p + 1;
	end = put_capabilities(params + 2, open);
	if (end == params + 2) {
		end = params;
	} else {
		params[0] = PARAM_CAPABILITIES;
		params[1] = (uint8_t)(end - params - 2);
	}
	*p = (uint8_t)(end - params);
	put_header(buf, (size_t)(end - buf), BGP_MSG_OPEN);
	return (size_t)(end - buf);
}

size_t bgp_encode_keepalive(uint8_t buf[BGP_MESSAGE_MAX])
{
	put_header(buf, BGP_HEADER_LEN, BGP_MSG_KEEPALIVE);
	return BGP_HEADER_LEN;
}

size_t bgp_encode_notification(const struct bgp_error *e, uint8_t buf[BGP_MESSAGE_MAX])
{
	size_t len = BGP_HEADER_LEN + 2u + e->data_len;

	put_header(buf, len, BGP_MSG_NOTIFICATION);
	buf[BGP_HEADER_LEN] = e->code;
	buf[BGP_HEADER_LEN + 1] = e->subcode;
	memcpy(buf + BGP_HEADER_LEN + 2, e->data, e->data_len);
	return len;
}

void bgp_error_set_shutdown(struct bgp_error *e, uint8_t subcode, const char *message)
{
	size_t n = message ? strlen(message) : 0;
	uint8_t len;

	bgp_error_set(e, BGP_ERR_CEASE, subcode, "%s", message ? message : "");
	if (!n)
		return;
	if (n > BGP_SHUTDOWN_MSG_MAX) {
		n = BGP_SHUTDOWN_MSG_MAX;
		while (n && ((uint8_t)message[n] & 0xc0) == 0x80)
			n--; /* Not in the middle of a UTF-8 character. */
	}
	len = (uint8_t)n;
	bgp_error_add_data(e, &len, 1);
	bgp_error_add_data(e, message, n);
}

static uint8_t *put_attr(uint8_t *p, uint8_t flags, uint8_t type, size_t len)
{
	*p++ = flags;
	*p++ = type;
	*p++ = (uint8_t)len;
	return p;
}

/* An AS_SEQUENCE of our own AS, or of AS_TRANS for a peer that can't hold ours (RFC 6793 4.2.2). */
static uint8_t *put_as_path(uint8_t *p, const struct bgp_path *path)
{
	size_t as_len = path->as4 ? 4 : 2;

	p = put_attr(p, ATTR_TRANSITIVE, ATTR_AS_PATH, path->ibgp ? 0 : 2 + as_len);
	if (path->ibgp)
		return p;
	*p++ = AS_SEQUENCE;
	*p++ = 1;
	if (path->as4)
		put_be32(p, path->asn);
	else
		put_be16(p, path->asn > UINT16_MAX ? BGP_AS_TRANS : (uint16_t)path->asn);
	return p + as_len;
}

static uint8_t *put_u32_attr(uint8_t *p, uint8_t flags, uint8_t type, uint32_t value)
{
	p = put_attr(p, flags, type, 4);
	put_be32(p, value);
	return p + 4;
}

static uint8_t *put_attrs(uint8_t *p, const struct bgp_path *path)
{
	const struct bgp_attrs *a = &path->attrs;

	p = put_attr(p, ATTR_TRANSITIVE, ATTR_ORIGIN, 1);
	*p++ = ORIGIN_IGP;
	p = put_as_path(p, path);
	if (path->next_hop.family == 4) {
		p = put_attr(p, ATTR_TRANSITIVE, ATTR_NEXT_HOP, 4);
		memcpy(p, path->next_hop.bytes, 4);
		p += 4;
	}
	if (a->has_med)
		p = put_u32_attr(p, ATTR_OPTIONAL, ATTR_MED, a->med);
	if (path->ibgp)
		p = put_u32_attr(p, ATTR_TRANSITIVE, ATTR_LOCAL_PREF,
				 a->local_pref ? a->local_pref : 100);
	if (a->n_communities) {
		p = put_attr(p, ATTR_OPTIONAL | ATTR_TRANSITIVE, ATTR_COMMUNITIES,
			     4u * a->n_communities);
		for (uint32_t i = 0; i < a->n_communities; i++, p += 4)
			put_be32(p, a->communities[i]);
	}
	if (!path->ibgp && !path->as4 && path->asn > UINT16_MAX) {
		p = put_attr(p, ATTR_OPTIONAL | ATTR_TRANSITIVE, ATTR_AS4_PATH, 6);
		*p++ = AS_SEQUENCE;
		*p++ = 1;
		put_be32(p, path->asn);
		p += 4;
	}
	return p;
}

static void start(struct bgp_update_builder *b)
{
	b->len = BGP_HEADER_LEN + 2;
	put_be16(b->buf + BGP_HEADER_LEN, 0);
	b->tail_len = 0;
	b->attr_len_at = 0;
	b->mp_len_at = 0;
	b->attrs_end = 0;
	b->n_prefixes = 0;
}

/* The head of MP_REACH_NLRI or MP_UNREACH_NLRI up to the SAFI; prefixes follow. */
static uint8_t *start_mp(struct bgp_update_builder *b, uint8_t type)
{
	uint8_t *p;

	b->attr_len_at = b->len;
	p = b->buf + b->len + 2;
	*p++ = ATTR_OPTIONAL | ATTR_EXTENDED_LEN;
	*p++ = type;
	b->mp_len_at = (size_t)(p - b->buf);
	put_be16(p + 2, AFI_IPV6);
	p[4] = SAFI_UNICAST;
	return p + 5;
}

void bgp_update_announce(struct bgp_update_builder *b, const struct bgp_path *path)
{
	uint8_t *p;

	start(b);
	if (path->next_hop.family == 4) {
		b->attr_len_at = b->len;
		p = put_attrs(b->buf + b->len + 2, path);
		b->attrs_end = (size_t)(p - b->buf);
	} else {
		p = start_mp(b, ATTR_MP_REACH);
		*p++ = 16;
		memcpy(p, path->next_hop.bytes, 16);
		p += 16;
		*p++ = 0; /* Reserved. */
		b->tail_len = (size_t)(put_attrs(b->tail, path) - b->tail);
	}
	b->len = (size_t)(p - b->buf);
}

void bgp_update_withdraw(struct bgp_update_builder *b, uint8_t family)
{
	start(b);
	if (family == 6)
		b->len = (size_t)(start_mp(b, ATTR_MP_UNREACH) - b->buf);
	else
		b->tail_len = 2; /* The empty attributes' length follows the prefixes. */
}

bool bgp_update_add(struct bgp_update_builder *b, const struct prefix *p)
{
	size_t bytes = (p->len + 7u) / 8u;

	if (b->len + 1 + bytes + b->tail_len > sizeof(b->buf))
		return false;
	b->buf[b->len++] = p->len;
	memcpy(b->buf + b->len, p->addr.bytes, bytes);
	b->len += bytes;
	b->n_prefixes++;
	return true;
}

size_t bgp_update_finish(struct bgp_update_builder *b)
{
	size_t attrs_end;

	if (b->mp_len_at) {
		put_be16(b->buf + b->mp_len_at, (uint16_t)(b->len - b->mp_len_at - 2));
		memcpy(b->buf + b->len, b->tail, b->tail_len);
		b->len += b->tail_len;
	}
	if (b->attr_len_at) {
		attrs_end = b->attrs_end ? b->attrs_end : b->len;
		put_be16(b->buf + b->attr_len_at, (uint16_t)(attrs_end - b->attr_len_at - 2));
	} else {
		put_be16(b->buf + BGP_HEADER_LEN, (uint16_t)(b->len - BGP_HEADER_LEN - 2));
		put_be16(b->buf + b->len, 0);
		b->len += 2;
	}
	put_header(b->buf, b->len, BGP_MSG_UPDATE);
	return b->len;
}
