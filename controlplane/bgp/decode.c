/* SPDX-License-Identifier: BSD-2-Clause */

/* Bytes to BGP messages: header (RFC 4271 4.1, 6.1), OPEN with capabilities (6.2, RFC 5492, 9072),
 * NOTIFICATION (RFC 9003) and ROUTE-REFRESH (RFC 2918). UPDATE has its own file. */

#include "controlplane/bgp/wire.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/bgp/bytes.h"

static bool length_fits(uint8_t type, size_t len)
{
	switch (type) {
	case BGP_MSG_OPEN:
		return len >= BGP_HEADER_LEN + 10;
	case BGP_MSG_UPDATE:
		return len >= BGP_HEADER_LEN + 4;
	case BGP_MSG_NOTIFICATION:
		return len >= BGP_HEADER_LEN + 2;
	case BGP_MSG_KEEPALIVE:
		return len == BGP_HEADER_LEN;
	case BGP_MSG_ROUTE_REFRESH:
		return len == BGP_HEADER_LEN + 4;
	default:
		return true;
	}
}

static int bad_length(const uint8_t *buf, struct bgp_error *ret_error)
{
	bgp_error_set(ret_error, BGP_ERR_HEADER, BGP_HEADER_BAD_LENGTH,
		      "message type %u can't have length %u", buf[18], get_be16(buf + 16));
	bgp_error_add_data(ret_error, buf + 16, 2);
	return -EPROTO;
}

int bgp_decode_header(const uint8_t *buf, size_t len, uint8_t *ret_type,
		      struct bgp_error *ret_error)
{
	size_t msg_len;

	for (size_t i = 0; i < 16 && i < len; i++) {
		if (buf[i] != 0xff)
			return bgp_error_set(ret_error, BGP_ERR_HEADER, BGP_HEADER_NOT_SYNCHRONIZED,
					     "the peer sent something that isn't a BGP message");
	}
	if (len < BGP_HEADER_LEN)
		return 0;
	msg_len = get_be16(buf + 16);
	if (msg_len < BGP_HEADER_LEN || msg_len > BGP_MESSAGE_MAX)
		return bad_length(buf, ret_error);
	if (buf[18] < BGP_MSG_OPEN || buf[18] > BGP_MSG_ROUTE_REFRESH) {
		bgp_error_set(ret_error, BGP_ERR_HEADER, BGP_HEADER_BAD_TYPE,
			      "the peer sent a message of unknown type %u", buf[18]);
		bgp_error_add_data(ret_error, buf + 18, 1);
		return -EPROTO;
	}
	if (!length_fits(buf[18], msg_len))
		return bad_length(buf, ret_error);
	if (len < msg_len)
		return 0;
	*ret_type = buf[18];
	return (int)msg_len;
}

/* What a scan over the capabilities has found. */
struct caps {
	uint32_t bits;
	bool any_family; /* Some multiprotocol capability, known or not. */
	uint32_t asn;
};

static int bad_capability(unsigned code, unsigned len, struct bgp_error *ret_error)
{
	return bgp_error_set(ret_error, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC,
			     "malformed capability %u of %u bytes in the peer's OPEN", code, len);
}

static int decode_capability(uint8_t code, const uint8_t *p, size_t len, struct caps *caps,
			     struct bgp_error *ret_error)
{
	switch (code) {
	case CAP_CODE_MULTIPROTOCOL:
		if (len != 4)
			return bad_capability(code, (unsigned)len, ret_error);
		caps->any_family = true;
		if (p[3] == SAFI_UNICAST && get_be16(p) == AFI_IPV4)
			caps->bits |= BGP_CAP_IPV4_UNICAST;
		if (p[3] == SAFI_UNICAST && get_be16(p) == AFI_IPV6)
			caps->bits |= BGP_CAP_IPV6_UNICAST;
		return 0;
	case CAP_CODE_ROUTE_REFRESH:
		caps->bits |= BGP_CAP_ROUTE_REFRESH;
		return 0;
	case CAP_CODE_FOUR_OCTET_AS:
		if (len != 4)
			return bad_capability(code, (unsigned)len, ret_error);
		caps->bits |= BGP_CAP_FOUR_OCTET_AS;
		caps->asn = get_be32(p);
		return 0;
	default:
		return 0; /* RFC 5492 3: what we don't know we ignore. */
	}
}

static int decode_capabilities(const uint8_t *p, size_t len, struct caps *caps,
			       struct bgp_error *ret_error)
{
	while (len) {
		int ret;

		if (len < 2 || p[1] > len - 2)
			return bad_capability(p[0], (unsigned)len, ret_error);
		ret = decode_capability(p[0], p + 2, p[1], caps, ret_error);
		if (ret)
			return ret;
		len -= 2u + p[1];
		p += 2 + p[1];
	}
	return 0;
}

static int decode_parameters(const uint8_t *p, size_t len, bool extended, struct caps *caps,
			     struct bgp_error *ret_error)
{
	size_t head = extended ? 3 : 2;

	while (len) {
		size_t n;
		int ret;

		n = len < head ? 0 : extended ? get_be16(p + 1) : p[1];
		if (len < head || n > len - head)
			return bgp_error_set(
				ret_error, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC,
				"the optional parameters of the peer's OPEN overrun it");
		if (p[0] != PARAM_CAPABILITIES)
			return bgp_error_set(ret_error, BGP_ERR_OPEN, BGP_OPEN_BAD_PARAMETER,
					     "the peer's OPEN has optional parameter %u; only "
					     "capabilities (2) are supported",
					     p[0]);
		ret = decode_capabilities(p + head, n, caps, ret_error);
		if (ret)
			return ret;
		p += head + n;
		len -= head + n;
	}
	return 0;
}

int bgp_decode_open(const uint8_t *msg, size_t len, struct bgp_open *ret_open,
		    struct bgp_error *ret_error)
{
	const uint8_t *p = msg + BGP_HEADER_LEN, *params = p + 10;
	size_t left = len - BGP_HEADER_LEN - 10, params_len = p[9];
	bool extended = params_len == 255 && left >= 3 && params[0] == PARAM_EXTENDED;
	struct caps caps = {0};
	int ret;

	if (p[0] != BGP_VERSION) {
		static const uint8_t ours[2] = {0, BGP_VERSION};

		bgp_error_set(ret_error, BGP_ERR_OPEN, BGP_OPEN_BAD_VERSION,
			      "the peer speaks BGP version %u; version 4 is needed", p[0]);
		bgp_error_add_data(ret_error, ours, sizeof(ours));
		return -EPROTO;
	}
	if (extended) {
		params_len = get_be16(params + 1);
		params += 3;
		left -= 3;
	}
	if (params_len != left)
		return bgp_error_set(ret_error, BGP_ERR_OPEN, BGP_OPEN_UNSPECIFIC,
				     "the optional parameters of the peer's OPEN claim %zu bytes, "
				     "%zu are there",
				     params_len, left);
	ret = decode_parameters(params, left, extended, &caps, ret_error);
	if (ret)
		return ret;
	/* RFC 4760 8: a speaker that names no family means IPv4 unicast. */
	if (!caps.any_family)
		caps.bits |= BGP_CAP_IPV4_UNICAST;
	*ret_open = (struct bgp_open){
		.asn = caps.bits & BGP_CAP_FOUR_OCTET_AS ? caps.asn : get_be16(p + 1),
		.hold_time_s = get_be16(p + 3),
		.router_id = get_be32(p + 5),
		.capabilities = caps.bits,
	};
	return 0;
}

/* Bytes from the network that a terminal or a log can show: control characters become dots. */
static void printable(char *out, size_t out_len, const uint8_t *p, size_t len)
{
	size_t n = len < out_len - 1 ? len : out_len - 1;

	for (size_t i = 0; i < n; i++)
		out[i] = p[i] < 0x20 || p[i] == 0x7f ? '.' : (char)p[i];
	out[n] = '\0';
}

static void explain_data(struct bgp_error *e)
{
	char text[BGP_SHUTDOWN_MSG_MAX + 1];

	if (e->code == BGP_ERR_CEASE &&
	    (e->subcode == BGP_CEASE_SHUTDOWN || e->subcode == BGP_CEASE_RESET)) {
		if (e->data_len < 2 || e->data[0] > e->data_len - 1)
			return;
		printable(text, sizeof(text), e->data + 1, e->data[0]);
		snprintf(e->detail, sizeof(e->detail), "\"%.240s\"", text);
	} else if (e->code == BGP_ERR_CEASE && e->subcode == BGP_CEASE_MAX_PREFIXES &&
		   e->data_len == 7) {
		snprintf(e->detail, sizeof(e->detail), "the peer takes at most %u %s prefixes",
			 get_be32(e->data + 3), get_be16(e->data) == AFI_IPV6 ? "IPv6" : "IPv4");
	} else if (e->data_len) {
		size_t n = 0;

		n += (size_t)snprintf(e->detail, sizeof(e->detail), "data");
		for (size_t i = 0; i < e->data_len && i < 32; i++)
			n += (size_t)snprintf(e->detail + n, sizeof(e->detail) - n, " %02x",
					      e->data[i]);
	}
}

void bgp_decode_notification(const uint8_t *msg, size_t len, struct bgp_error *ret_error)
{
	const uint8_t *p = msg + BGP_HEADER_LEN;

	ret_error->code = p[0];
	ret_error->subcode = p[1];
	ret_error->data_len = 0;
	ret_error->detail[0] = '\0';
	bgp_error_add_data(ret_error, p + 2, len - BGP_HEADER_LEN - 2);
	explain_data(ret_error);
}

int bgp_decode_route_refresh(const uint8_t *msg, size_t len, uint8_t *ret_family,
			     struct bgp_error *ret_error)
{
	const uint8_t *p = msg + BGP_HEADER_LEN;

	if (len != BGP_HEADER_LEN + 4)
		return bad_length(msg, ret_error);
	if (p[3] != SAFI_UNICAST)
		*ret_family = 0;
	else if (get_be16(p) == AFI_IPV4)
		*ret_family = 4;
	else
		*ret_family = get_be16(p) == AFI_IPV6 ? 6 : 0;
	return 0;
}
